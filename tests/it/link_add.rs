//! link add: as ip makes links, but where they belong, or not at all.

use std::collections::BTreeMap;

use super::support::{World, json};

/// Twin worlds, each with the links that others stand on.
fn twins() -> [World; 2] {
    [World::new(), World::new()].map(|world| {
        world.sh("mkdir -p /run/netns; for ns in red blue; do ip netns add $ns; done
                  ip link add base index 77 address 02:00:00:00:00:77 type veth \
                      peer name esab index 78 address 02:00:00:00:00:78
                  ip link add name br index 70 address 02:00:00:00:00:70 type bridge");
        world
    })
}

/// What `ip` shows of all links, without what counts time.
fn state(world: &World) -> Vec<serde_json::Value> {
    let shown = ["", "-n red ", "-n blue "].map(|place| world.sh(&format!("ip {place}-d -j link show")));
    let mut links: Vec<_> = shown.iter().map(|text| json(text)).collect();
    for link in links.iter_mut().flat_map(|links| links.as_array_mut().unwrap()) {
        let link = link.as_object_mut().unwrap();
        let flags = link["flags"].as_array_mut().unwrap();
        if flags.contains(&"UP".into()) {
            // The kernel tells whether there is a carrier at its own time.
            flags.retain(|flag| flag != "NO-CARRIER" && flag != "LOWER_UP");
            link.remove("operstate");
        }
        for data in ["info_data", "info_slave_data"] {
            if let Some(data) = link.get_mut("linkinfo").and_then(|info| info.get_mut(data)) {
                data.as_object_mut().unwrap().retain(|key, _| !key.ends_with("timer"));
            }
        }
    }
    links
}

/// Lines behind `link add` that ip and nsnet understand alike, on kinds that every kernel of the tests has.
const GOOD: &[&str] = &[
    "v0 index 100 address 02:00:00:00:01:00 type veth peer name v1 index 101 address 02:00:00:00:01:01",
    "name v2 index 102 address 02:00:00:00:01:02 mtu 1400 numtxqueues 3 numrxqueues 2 txqueuelen 77 group 9 type veth \
     peer name v3 index 103 address 02:00:00:00:01:03 mtu 1300 numtxqueues 1 txqlen 55",
    "dev v4 index 104 addr 02:00:00:00:01:04 up type veth peer v5 index 105 address 02:00:00:00:01:05",
    "v6 index 106 address 02:00:00:00:01:06 typ veth peer name v7 index 107 address 02:00:00:00:01:07 netns red",
    "v8 netns red index 108 address 02:00:00:00:01:08 type veth peer name v9 index 109 addr 02:00:00:00:01:09 netns blue",
    "va master br index 110 address 02:00:00:00:01:0a type veth peer name vb index 111 address 02:00:00:00:01:0b",
    "vc arp off multicast off index 112 address 02:00:00:00:01:0c type veth peer name vd index 113 address 02:00:00:00:01:0d",
    "name br1 index 114 address 02:00:00:00:01:0e type bridge",
    "dev br2 index 115 address 02:00:00:00:01:0f type bridge forward_delay 400 hello_time 300 max_age 900 ageing_time 5000 \
     stp_state 1 priority 7 mcast_snooping 0 group_fwd_mask 8 mcast_router 2",
    "dev br3 up index 116 address 02:00:00:00:01:10 type bridge f 300 hell 300 m 900 a 700 s 0 p 9",
    "ifb7 index 117 address 02:00:00:00:01:11 txqueuelen 9 type ifb",
    "ifb8 netns red index 118 address 02:00:00:00:01:12 type ifb",
    "mv0 link base index 119 address 02:00:00:00:01:13 type macvlan",
    "mv1 link base index 120 address 02:00:00:00:01:14 type macvlan mode bridge",
    "mv2 link base index 121 address 02:00:00:00:01:15 netns red type macvlan mode private bcqueuelen 500",
    "mt0 link esab index 122 address 02:00:00:00:01:16 type macvtap mode vepa",
    "vx0 index 123 address 02:00:00:00:01:17 type vxlan id 7 dstport 4789 remote 10.0.0.9 local 10.0.0.1",
    "vx1 index 124 address 02:00:00:00:01:18 type vxlan id 8 dstport 0 group 239.1.1.1 dev base ttl 5 tos 10 nolearning",
    "vx2 index 125 address 02:00:00:00:01:19 type vxlan vni 9 dstport 4790 remote fd00::9 local fd00::1 \
     ageing 100 maxaddress 50 srcport 1000 2000 noudpcsum udp6zerocsumrx ttl inherit df unset flowlabel 5",
    "vx3 netns red index 126 address 02:00:00:00:01:1a type vxlan id 10 dstport 4791 dev base proxy rsc l2miss l3miss",
    "vx4 index 127 address 02:00:00:00:01:1b type vxlan external dstport 4800",
    "vx5 index 128 address 02:00:00:00:01:1c type vxlan id 11 dstport 4793 gbp udpcsum udp6zerocsumtx noudp6zerocsumrx",
];

#[test]
fn links_of_every_kind_here_are_made_as_ip_makes_them() {
    let [ip, ours] = twins();
    for line in GOOD {
        ip.sh(&format!("ip link add {line}"));
        ours.ok(&format!("link add {line}"));
    }
    assert_eq!(state(&ours), state(&ip));
}

#[test]
fn what_ip_refuses_is_refused_and_makes_nothing() {
    let [ip, ours] = twins();
    let (ip_before, ours_before) = (state(&ip), state(&ours));
    for (code, line) in [
        (1, "base type veth peer name new"),
        (1, "new type veth peer name base"),
        (2, "new type veth peer name new"),
        (1, "red:new type veth peer name base"),
        (2, "new"),
        (2, "new type"),
        (2, "new type nosuchkind"),
        (2, "new type veth peer name other type veth"),
        (2, "new type veth frob"),
        (2, "new frob type veth"),
        (2, "new mtu abc type veth"),
        (2, "new mtu 1400 mtu 1400 type veth"),
        (1, "new mtu 10 type veth"),
        (2, "new address zz type veth"),
        (2, "new index 0 type veth"),
        (1, "new index 77 type veth"),
        (1, "new netns nosuch type veth"),
        (1, "new link nosuch type macvlan"),
        (1, "new type macvlan"),
        (2, "new link base type macvlan mode frob"),
        (1, "new master nosuch type veth"),
        (2, "much-too-long-a-name type veth"),
        (2, "a/b type veth"),
        (2, "new type vxlan"),
        (2, "new type vxlan id 16777216 dstport 4789"),
        (2, "new type vxlan id 7 dstport 4789 group 10.0.0.1 dev base"),
        (2, "new type vxlan id 7 dstport 4789 group 239.0.0.1"),
        (2, "new type vxlan id 7 dstport 4789 remote 239.0.0.1"),
        (2, "new type vxlan id 7 external dstport 4789"),
        (2, "new type bridge stp_state x"),
        (2, "new type bridge frob 1"),
        (2, "new type bridge stp_state"),
    ] {
        if !line.contains("red:") {
            assert!(!ip.shell(&format!("ip link add {line}")).status.success(), "ip: {line}");
        }
        ours.fails(code, &format!("link add {line}"));
    }
    assert_eq!(state(&ip), ip_before);
    assert_eq!(state(&ours), ours_before);
}

#[test]
fn a_name_is_never_taken_for_a_keyword_and_a_number_for_a_process_only_if_it_is_no_name() {
    let world = World::new();
    world.ok("add red 4000000");
    for name in ["a", "b", "l", "m", "t", "n"] {
        world.ok(&format!("link add {name} type ifb"));
        world.ok(&format!("link set {name} up"));
        world.ok(&format!("link del {name}"));
    }
    world.ok("link add v0 type veth peer name v1 netns 4000000");
    world.sh("ip -n 4000000 link show v1");
    let held = world.start("exec unshare --net sh -c 'echo ready; exec cat'");
    world.ok(&format!("link add w0 type veth peer name w1 netns {}", held.pid()));
    world.ok(&format!("link add pid:{}:u0 type veth peer name red:u1", held.pid()));
    world.ok("link add x0 netns /run/netns/red type ifb");
    let names = world.sh(&format!("nsenter --net=/proc/{}/ns/net ip -br link; ip -br -n red link", held.pid()));
    for name in ["w1@", "u0@", "u1@", "x0 "] {
        assert!(names.contains(name), "{name}: {names}");
    }
}

#[test]
fn both_ends_are_born_where_their_names_say_with_what_ip_cannot_say() {
    let world = World::new();
    world.ok("add red blue");
    world.sh("ip -n blue link add name br type bridge; ip -n blue link set dev br up");
    // ip: ENOTCONN for the other end's 'up', a master that is looked for here, an alias that is dropped.
    world.ok("link add red:v0 up alias left type veth peer name blue:v1 up master br alias right");
    let left = &world.ip_json("-n red link show v0")[0];
    let right = &world.ip_json("-n blue link show v1")[0];
    assert_eq!((&left["ifalias"], &right["ifalias"]), (&"left".into(), &"right".into()));
    assert_eq!((&left["operstate"], &right["operstate"]), (&"UP".into(), &"UP".into()));
    assert_eq!(right["master"], "br");
    assert_eq!(world.sh("ip -br link").lines().count(), 1, "nothing is left here");
    // The master of a link that is born elsewhere is there.
    world.ok("link add v2 netns blue master br type veth peer name v3");
    assert_eq!(world.ip_json("-n blue link show v2")[0]["master"], "br");
    world.ok("link add red:m0 link v3 type macvlan");
    world.ok("-n red link add m1 link .:v3 type macvlan");
    assert_eq!(world.sh("ip -br -n red link").lines().count(), 4);
    let err = world.fails(2, "link add red:x master blue:br type ifb");
    assert!(err.contains("a link joins a master in its own namespace; 'br' is in 'blue'"), "{err}");
}

#[test]
fn which_end_was_at_fault_is_said_also_from_a_third_namespace_and_nothing_remains() {
    let world = World::new();
    world.ok("add red blue");
    world.sh("for ns in red blue; do ip -n $ns link add taken type ifb; done; ip link add here type ifb");
    for (line, said) in [
        (
            "link add red:taken type veth peer name blue:q",
            "nsnet: cannot create veth 'taken' in 'red' with peer 'q' in 'blue': \
             the name 'taken' is taken in 'red': File exists (os error 17)\n",
        ),
        (
            "link add red:q type veth peer name blue:taken",
            "nsnet: cannot create veth 'q' in 'red' with peer 'taken' in 'blue': \
             the name 'taken' is taken in 'blue': File exists (os error 17)\n",
        ),
        (
            "link add here type ifb",
            "nsnet: cannot create ifb 'here' in the current namespace: \
             the name 'here' is taken in the current namespace: File exists (os error 17)\n",
        ),
        (
            "link add red:q type veth peer name r master none",
            "nsnet: cannot find device 'none': No such device (os error 19)\n",
        ),
        (
            "link add q type veth peer alias x",
            "nsnet: cannot create veth 'q' in the current namespace with peer a link in the current namespace: \
             the other end needs a name to be brought up, or to have a master or an alias\n",
        ),
    ] {
        let code = if said.contains("os error") { 1 } else { 2 };
        assert_eq!(world.fails(code, line), said, "{line}");
    }
    // What comes after the creation fails: a link is no master.
    world.fails(1, "link add q type veth peer name r master here");
    assert_eq!(world.sh("for ns in red blue; do ip -br -n $ns link; done; ip -br link").lines().count(), 6);
    // A name that is taken here is free there.
    world.ok("link add red:here type veth peer name blue:here");
}

#[test]
fn a_kind_that_the_kernel_lacks_is_refused_with_the_module_to_load() {
    let world = World::new();
    world.sh("ip link add base type ifb");
    for (kind, module) in [
        ("dummy", "dummy"),
        ("vlan id 5", "8021q"),
        ("ipvlan", "ipvlan"),
        ("ipvtap", "ipvtap"),
        ("vrf table 10", "vrf"),
        ("bond", "bonding"),
        ("gre local 10.0.0.1 remote 10.0.0.2", "ip_gre"),
        ("gretap local 10.0.0.1 remote 10.0.0.2", "ip_gre"),
        ("ipip local 10.0.0.1 remote 10.0.0.2", "ipip"),
        ("sit local 10.0.0.1 remote 10.0.0.2", "sit"),
        ("geneve id 7 remote 10.0.0.2", "geneve"),
        ("wireguard", "wireguard"),
    ] {
        let first = kind.split(' ').next().unwrap();
        let link = if kind.contains("vlan") || kind.contains("ipvtap") { "link base " } else { "" };
        let has = world.shell(&format!("ip link add x {link}type {kind} && ip link del x"));
        let ran = world.nsnet(format!("link add x {link}type {kind}").split(' '));
        if has.status.success() {
            ran.ok();
            world.ok("link del x");
            continue;
        }
        assert_eq!(
            ran.fails(1),
            format!(
                "nsnet: cannot create {first} 'x' in the current namespace: this kernel has no links of kind {first}; \
                 'modprobe {module}' loads them where they are a module: Operation not supported (os error 95)\n"
            )
        );
    }
    // It cannot be a module.
    let ran = world.nsnet("link add x type netkit".split(' '));
    assert!(ran.status.success() || ran.err.contains("they are built in or missing (Linux 6.7)"), "{ran}");
    let err = world.fails(2, "link add x type dumy");
    assert!(err.contains("'type dumy' is wrong: nsnet knows the kinds bond, bridge, dummy, geneve,"), "{err}");
}

#[test]
fn a_tun_lives_where_it_belongs_and_goes_with_a_failure() {
    let world = World::new();
    world.ok("add red");
    // Not every machine lets everybody open it.
    if !world.shell("[ -w /dev/net/tun ] && : <>/dev/net/tun").status.success() {
        let err = world.fails(1, "link add t0 type tun");
        assert!(err.contains("cannot create tun 't0' in the current namespace"), "{err}");
        return;
    }
    world.ok("link add red:t0 up mtu 1300 alias mine type tun");
    world.ok(
        "link add t1 netns red address 02:00:00:00:00:05 txqueuelen 7 type tap user 0 group 0 multi_queue vnet_hdr pi",
    );
    world.ok("link add type tap");
    let [t0, t1] = ["t0", "t1"].map(|name| world.ip_json(&format!("-n red -d link show {name}"))[0].clone());
    assert_eq!(
        (&t0["mtu"], &t0["ifalias"], &t0["linkinfo"]["info_data"]["type"]),
        (&1300.into(), &"mine".into(), &"tun".into())
    );
    assert!(t0["flags"].as_array().unwrap().contains(&"UP".into()), "{t0}");
    let data = &t1["linkinfo"]["info_data"];
    assert_eq!((&t1["address"], &t1["txqlen"]), (&"02:00:00:00:00:05".into(), &7.into()));
    for (key, value) in [("pi", true), ("vnet_hdr", true), ("multi_queue", true), ("persist", true)] {
        assert_eq!(data[key], value, "{key}: {data}");
    }
    assert_eq!((&data["type"], &data["user"], &data["group"]), (&"tap".into(), &"root".into(), &"root".into()));
    assert!(world.sh("ip -br link").contains("tap0 "));
    // Its MTU comes after it is made.
    world.fails(1, "link add red:t2 mtu 1 type tun");
    let err = world.fails(1, "link add red:t0 type tap");
    assert!(err.contains("cannot create tap 't0' in 'red': the name is taken"), "{err}");
    world.fails(2, "link add t3 index 5 type tun");
    assert_eq!(world.sh("ip -br -n red link").lines().count(), 3);
}

/// Attributes by type, nested ones decoded; the order does not count.
#[derive(Debug, PartialEq, Eq)]
pub enum Tree {
    Bytes(Vec<u8>),
    Nest(BTreeMap<u16, Tree>),
}

const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const LINK_HEADER: usize = 16;

fn attributes(mut bytes: &[u8], nested: &dyn Fn(u16, &[u8]) -> Tree) -> BTreeMap<u16, Tree> {
    let mut found = BTreeMap::new();
    while bytes.len() >= 4 {
        let length = usize::from(u16::from_ne_bytes([bytes[0], bytes[1]]));
        let kind = u16::from_ne_bytes([bytes[2], bytes[3]]) & 0x3fff;
        assert!(found.insert(kind, nested(kind, &bytes[4..length])).is_none(), "attribute {kind} comes twice");
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
    found
}

fn leaf(_: u16, value: &[u8]) -> Tree {
    Tree::Bytes(value.to_vec())
}

fn info(kind: u16, value: &[u8]) -> Tree {
    match kind {
        // With a NUL at its end or without.
        IFLA_INFO_KIND => Tree::Bytes(value.iter().copied().take_while(|&b| b != 0).collect()),
        IFLA_INFO_DATA | IFLA_INFO_SLAVE_DATA => Tree::Nest(attributes(value, &leaf)),
        _ => leaf(kind, value),
    }
}

fn link(kind: u16, value: &[u8]) -> Tree {
    if kind != IFLA_LINKINFO {
        return leaf(kind, value);
    }
    let mut infos = attributes(value, &info);
    if infos.contains_key(&IFLA_INFO_SLAVE_DATA) {
        // For a port ip says the kind 'bridge_slave', which is none, and nsnet the kind of its master;
        // the kernel looks at neither.
        infos.retain(|kind, _| *kind == IFLA_INFO_SLAVE_DATA);
    }
    Tree::Nest(infos)
}

/// The header of a link and its attributes, of the request that a command sent to make or change one.
pub fn request(world: &World, command: &str) -> (Vec<u8>, BTreeMap<u16, Tree>) {
    let trace = "strace -f -qq -o /run/trace -e signal=none -e trace=sendmsg,sendto -e raw=sendmsg,sendto -e write=all";
    world.shell(&format!("{trace} {command}"));
    let text = world.sh("cat /run/trace");
    let mut messages: Vec<Vec<u8>> = Vec::new();
    for line in text.lines().filter_map(|line| line.trim_start().strip_prefix("| ")) {
        let (offset, rest) = line.split_at(5);
        if offset == "00000" {
            messages.push(Vec::new());
        }
        let hex = &rest[..rest.len().min(52)];
        let bytes = hex.split_ascii_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap());
        messages.last_mut().unwrap().extend(bytes);
    }
    // RTM_NEWLINK, and not only a question whether links can be made at all.
    let made = messages.iter().rev().find(|bytes| bytes.len() > 40 && bytes[4..6] == 16u16.to_ne_bytes());
    let made = made.unwrap_or_else(|| panic!("{command}: {text}"));
    (made[16..16 + LINK_HEADER].to_vec(), attributes(&made[16 + LINK_HEADER..], &link))
}

/// Lines that not every kernel carries out; `scripts/kernels` has one do it that has all kinds. Here,
/// what it is asked is compared byte by byte.
const UNPROVEN: &str = include_str!("../kinds.txt");

#[test]
fn kinds_that_this_kernel_may_lack_are_asked_for_as_ip_asks() {
    let world = World::new();
    world.sh("ip link add base index 77 type veth peer name esab");
    for line in UNPROVEN.lines() {
        let asked = request(&world, &format!("ip link add {line}"));
        world.shell("ip link del x");
        assert_eq!(request(&world, &format!("$NSNET link add {line}")), asked, "{line}");
        world.shell("ip link del x");
    }
}

#[test]
fn a_netkit_pair_is_asked_for_as_the_kernel_reads_it() {
    let world = World::new();
    let (_, asked) =
        request(&world, "$NSNET link add nk0 type netkit mode l2 blackhole peer forward name nk1 mtu 1400");
    // Of linux/if_link.h: IFLA_NETKIT_PEER_INFO 1, POLICY 3, PEER_POLICY 4, MODE 5; the peer is a link message.
    let Tree::Nest(info) = &asked[&IFLA_LINKINFO] else { panic!("{asked:?}") };
    assert_eq!(info[&IFLA_INFO_KIND], Tree::Bytes(b"netkit".to_vec()));
    let Tree::Nest(data) = &info[&IFLA_INFO_DATA] else { panic!("{asked:?}") };
    let number = |number: u32| Tree::Bytes(number.to_ne_bytes().to_vec());
    assert_eq!((&data[&3], &data[&4], &data[&5]), (&number(2), &number(0), &number(0)));
    let Tree::Bytes(peer) = &data[&1] else { panic!("{asked:?}") };
    let peer = attributes(&peer[LINK_HEADER..], &leaf);
    assert_eq!((&peer[&3], &peer[&4]), (&Tree::Bytes(b"nk1\0".to_vec()), &number(1400)));
}

#[test]
fn help_names_every_word_of_a_kind() {
    let world = World::new();
    for line in ["link help vlan", "link add x type vlan help"] {
        assert!(world.ok(line).contains("id N "), "{line}");
    }
    let all = world.ok("link help");
    for word in ["link add [[NS:]NAME]", "[NS:]NAME", "forward_delay TIME", "--keep-addresses", "hairpin on|off"] {
        assert!(all.contains(word), "{word}");
    }
}
