//! link set, del and property: as ip changes links; and moves that lose nothing.

use super::{
    link_add::request,
    support::{World, json},
};

/// Twin worlds with the same links.
fn twins() -> [World; 2] {
    [World::new(), World::new()].map(|world| {
        world.sh("mkdir -p /run/netns; for ns in red blue; do ip netns add $ns; done
                  ip link add name br index 70 address 02:00:00:00:00:70 type bridge
                  ip link add name br2 index 71 address 02:00:00:00:00:71 type bridge
                  ip link add v0 index 72 address 02:00:00:00:00:72 type veth \
                      peer name v1 index 73 address 02:00:00:00:00:73
                  ip link add p0 index 74 address 02:00:00:00:00:74 type veth \
                      peer name p1 index 75 address 02:00:00:00:00:75
                  ip link set p0 master br; ip link add mv link v0 index 76 address 02:00:00:00:00:76 type macvlan
                  for i in 1 2 3; do ip link add g$i index 8$i address 02:00:00:00:00:8$i group 9 type ifb; done");
        world
    })
}

/// What `ip` shows of all links, without what counts time.
fn state(world: &World) -> Vec<serde_json::Value> {
    let shown = ["", "-n red ", "-n blue "].map(|place| world.sh(&format!("ip {place}-d -j link show")));
    let mut links: Vec<_> = shown.iter().map(|text| json(text)).collect();
    for link in links.iter_mut().flat_map(|links| links.as_array_mut().unwrap()) {
        let link = link.as_object_mut().unwrap();
        // Follows up and down a moment later.
        link.remove("operstate");
        link["flags"].as_array_mut().unwrap().retain(|flag| flag != "NO-CARRIER" && flag != "LOWER_UP");
        for data in ["info_data", "info_slave_data"] {
            if let Some(data) = link.get_mut("linkinfo").and_then(|info| info.get_mut(data)) {
                data.as_object_mut().unwrap().retain(|key, _| !key.ends_with("timer") && key != "state");
            }
        }
    }
    links
}

const GOOD: &[&str] = &[
    "set v0 up",
    "set dev v0 down",
    "set v0 mtu 1400 txqueuelen 55 alias hello address 02:00:00:00:07:72 group 4",
    "set v0 addr 02:00:00:00:08:72 qlen 5 ali x",
    "set alias y dev v0",
    "set v0 promisc on allmulticast on multicast off arp off",
    "set v0 promisc off allmulticast off multicast on arp on",
    "set v1 master br",
    "set v1 nomaster",
    "set v1 mast br2 up",
    "set v1 nom down",
    "change v1 name vv",
    "s vv name v1 mtu 1300",
    "property add dev v0 altname a-name-longer-than-fifteen altname short",
    "property del dev v0 altname short",
    "prop a v0 alt another",
    "set a-name-longer-than-fifteen mtu 1450",
    "set another name v0",
    "set p0 type bridge_slave cost 55 hairpin on isolated on priority 9 guard on root_block on fastleave on learning off \
     flood off mcast_flood off bcast_flood off proxy_arp on neigh_suppress on locked on",
    "set p0 typ bridge_slave ha off iso off",
    "set dev br type bridge stp_state 1 forward_delay 500 ageing_time 900",
    "set dev br type bridge forw 600 mcast_sn 0",
    "set mv type macvlan mode bridge",
    "set group 9 up",
    "set group 9 mtu 1234",
    "set g1 netns red",
    "set dev g2 netns red name gg mtu 1333 up",
    "set g3 netns /run/netns/blue index 500",
    "-n red set gg down",
    "set v0 alias ''",
    "del dev p1",
    "delete v1 type veth",
    "d dev br2 type bridge",
];

#[test]
fn links_are_changed_and_deleted_as_ip_does_it() {
    let [ip, ours] = twins();
    for line in GOOD {
        let (place, line) = match line.strip_prefix("-n red ") {
            Some(line) => ("-n red ", line),
            None => ("", *line),
        };
        ip.sh(&format!("ip {place}link {line}"));
        ours.sh(&format!("$NSNET {place}link {line}"));
        assert_eq!(state(&ours), state(&ip), "{line}");
    }
}

#[test]
fn what_ip_refuses_is_refused_and_changes_nothing() {
    let [ip, ours] = twins();
    let before = [&ip, &ours].map(state);
    for (code, line) in [
        (1, "set nosuch up"),
        (2, "set"),
        (2, "set v0 frob"),
        (2, "set v0 mtu"),
        (2, "set v0 mtu abc"),
        (1, "set v0 mtu 10"),
        (2, "set v0 address zz"),
        (2, "set v0 name a/b"),
        (1, "set v0 name v1"),
        (2, "set v0 v1 up"),
        (1, "set v0 master nosuch"),
        (1, "set v0 master v1"),
        (2, "set v0 index 5"),
        (1, "set v0 netns nosuch"),
        (1, "set v0 netns 4194304"),
        (1, "set lo netns red"),
        (2, "set v0 promisc maybe"),
        (2, "set v0 type nosuch x"),
        (2, "set v0 type bridge_slave frob on"),
        (2, "set p0 type bridge_slave hairpin 7"),
        (1, "set v0 type bridge_slave cost 5"),
        (1, "set p0 type bridge_slave state 9"),
        (2, "set dev br type bridge stp_state x"),
        (2, "property add altname x"),
        (1, "property add v0 altname v1"),
        (1, "property del v0 altname none"),
        (2, "property frob v0 altname none"),
        (2, "del"),
        (1, "del nosuch"),
        (1, "del lo"),
        (2, "del v0 group"),
        (2, "set v0 alias"),
        (2, "frob v0"),
    ] {
        assert!(!ip.shell(&format!("ip link {line}")).status.success(), "ip: {line}");
        ours.fails(code, &format!("link {line}"));
    }
    assert_eq!([&ip, &ours].map(state), before);
}

#[test]
fn the_kernels_words_and_the_link_at_fault_are_said() {
    let [_ip, ours] = twins();
    ours.sh("ip -n red link add v0 type ifb");
    for (line, said) in [
        ("link set nosuch up", "nsnet: cannot find device 'nosuch': No such device (os error 19)\n"),
        (
            "link set v0 mtu 10",
            "nsnet: cannot change link 'v0': mtu less than device minimum: Invalid argument (os error 22)\n",
        ),
        (
            "link set v0 netns red",
            "nsnet: cannot move link 'v0' to 'red': \
             An interface with the same name exists in the target netns: File exists (os error 17)\n",
        ),
        (
            "link set lo netns red",
            "nsnet: cannot move link 'lo' to 'red': The interface netns is immutable: Invalid argument (os error 22)\n",
        ),
        ("link del lo", "nsnet: cannot delete link 'lo': Operation not supported (os error 95)\n"),
        ("link set v0 netns red mtu x", "nsnet: link set: 'mtu x' is wrong: it is not a number that fits\n"),
        ("link set v0 --keep-addresses", "nsnet: link set: '--keep-addresses' goes with 'netns'\n"),
    ] {
        let code = if said.contains("os error") { 1 } else { 2 };
        assert_eq!(ours.fails(code, line), said, "{line}");
    }
}

#[test]
fn links_are_found_where_their_names_place_them() {
    let world = World::new();
    world.ok("add red blue");
    world.ok("link add red:v0 type veth peer name blue:v1");
    world.ok("link set red:v0 up");
    world.ok("-n blue link set v1 up");
    world.ok("link set red:v0 altname left alias x");
    world.ok("link set red:left netns blue name moved altname more");
    assert_eq!(world.ip_json("-n blue link show moved")[0]["altnames"], serde_json::json!(["left", "more"]));
    world.ok("link property add blue:moved altname third");
    world.ok("link add blue:br type bridge");
    world.ok("link set blue:moved master blue:br");
    world.ok("link set blue:moved nomaster");
    world.ok("link add red:br type bridge");
    // The master of a link that moves is where it goes.
    world.ok("link set blue:moved netns red master br");
    assert_eq!(world.ip_json("-n red link show moved")[0]["master"], "br");
    world.ok("link del red:third");
    assert_eq!(world.sh("ip -br -n red link; ip -br -n blue link").lines().count(), 4);
    world.ok("link add red:g1 group 7 type ifb");
    world.ok("link add g2 group 7 type ifb");
    world.ok("-n red link del group 7");
    assert_eq!(world.sh("ip -br -n red link; ip -br link").lines().count(), 4);
}

/// A link with all that it can lose.
const RICH: &str = "
    ip link add v0 address 02:00:00:00:00:99 type veth peer name w0 netns blue; ip -n blue link set w0 up; ip link set v0 up
    ip addr add 10.0.0.1/24 dev v0; ip addr add 10.0.0.2/24 dev v0 label v0:x
    ip addr add 10.9.0.1 peer 10.9.0.2 dev v0 valid_lft 9000 preferred_lft 8000 noprefixroute
    ip addr add 10.8.0.1/24 brd + dev v0 metric 77
    ip addr add fd00::1/64 dev v0 nodad; ip addr add fd00::5/64 dev v0; ip addr add fe80::77/64 dev v0 nodad
    ip addr add fd00::6 peer fd00::7 dev v0; ip addr add fd00::8/64 dev v0 preferred_lft 0
    while ip -6 addr show dev v0 | grep -q tentative; do :; done
    ip route add default via 10.0.0.254 metric 7
    ip route add 10.7.0.0/16 via 10.0.0.9 dev v0 table 100 src 10.0.0.2 mtu 1300
    ip route add 10.6.0.0/16 via 192.168.9.9 dev v0 onlink proto 99
    ip route add 10.5.0.0/16 nexthop via 10.0.0.3 weight 2 nexthop via 10.0.0.4
    ip route add 10.4.0.0/16 dev v0 scope link; ip route add 10.3.0.0/16 via inet6 fd00::9 dev v0
    ip route add 10.2.0.0/16 dev v0; ip route append 10.2.0.0/16 via 10.0.0.8 dev v0
    ip -6 route add default via fd00::fe dev v0 metric 9
    ip -6 route add fd77::/64 dev v0 src fd00::5 table 200
    ip -6 route add fd78::/64 nexthop via fd00::3 dev v0 nexthop via fd00::4 dev v0";

/// The addresses of a link, and all routes of its namespace, without what changes by itself.
fn belongings(world: &World, place: &str, link: &str) -> String {
    // The kernel makes its own link-local address anew.
    let script = format!(
        "ip {place} -d addr show dev {link} | sed '1,3d; / valid_lft [0-9]/d; /fe80::[^7]/,+1d'
         ip {place} route show table all | grep -v 'fe80::[^7/]' | sort"
    );
    world.sh(&script).replace(link, "LINK")
}

#[test]
fn a_moved_link_keeps_what_it_has_where_that_is_asked_for() {
    let world = World::new();
    world.ok("add red blue");
    world.sh("ip -n red link set lo up");
    world.sh(RICH);
    let before = belongings(&world, "", "v0");
    assert!(before.lines().count() > 40, "{before}");
    let ran = world.nsnet("link set v0 netns red --keep-addresses name wan".split(' '));
    assert_eq!(ran.err, "");
    ran.ok();
    assert_eq!(belongings(&world, "-n red", "wan"), before);
    world.ok("link set red:wan netns . --keep-addresses name v0");
    assert_eq!(belongings(&world, "", "v0"), before);
    assert!(world.sh("ip -br link show v0").contains("LOWER_UP"));
}

#[test]
fn a_link_that_is_down_stays_down_and_keeps_its_addresses() {
    let world = World::new();
    world.ok("add red");
    world.sh(
        "ip link add v0 type veth peer name w0; ip addr add 10.0.0.1/24 dev v0; ip addr add fd00::1/64 dev v0 nodad",
    );
    world.ok("link set v0 netns red --keep-addresses");
    let link = &world.ip_json("-n red addr show dev v0")[0];
    assert_eq!(link["operstate"], "DOWN");
    let addresses: Vec<_> = link["addr_info"].as_array().unwrap().iter().map(|a| a["local"].clone()).collect();
    assert_eq!(addresses, ["10.0.0.1", "fd00::1"]);
}

#[test]
fn what_cannot_be_brought_along_puts_the_link_back_with_everything() {
    let world = World::new();
    world.ok("add red blue");
    world.sh("ip -n red link set lo up");
    world.sh(RICH);
    let before = belongings(&world, "", "v0");
    let index = world.ip_json("link show v0")[0]["ifindex"].clone();
    // Somebody has this route there.
    world.sh("ip -n red route add 10.7.0.0/16 dev lo table 100");
    let err = world.fails(1, "link set v0 netns red --keep-addresses name wan");
    assert_eq!(err, "nsnet: cannot bring along the route to 10.7.0.0/16 through 'wan': File exists (os error 17)\n");
    assert_eq!(belongings(&world, "", "v0"), before);
    assert_eq!(world.ip_json("link show v0")[0]["ifindex"], index);
    // What is changed with the move fails.
    world.sh("ip -n red route flush table 100");
    let err = world.fails(1, "link set v0 netns red --keep-addresses mtu 10");
    assert!(err.contains("mtu less than device minimum"), "{err}");
    assert_eq!(belongings(&world, "", "v0"), before);
    assert_eq!(world.sh("ip -n red -br link").lines().count(), 1);
}

#[test]
fn a_move_says_what_is_lost() {
    let world = World::new();
    world.ok("add red blue");
    world.sh(RICH);
    let ran = world.nsnet("link set v0 netns red".split(' '));
    assert_eq!(
        ran.err,
        "nsnet: warning: 'v0' moved to 'red' without 8 addresses and 11 routes, which '--keep-addresses' brings along\n"
    );
    ran.ok();
    assert_eq!(world.nsnet("link set red:v0 netns .".split(' ')).err, "", "it has nothing to lose");
    // A route that needs two links cannot go with one.
    world.sh("ip link set v0 up; ip addr add 10.0.0.1/24 dev v0; ip link add u0 up type veth peer name u1
              ip addr add 10.1.0.1/24 dev u0; ip route add 10.5.0.0/16 nexthop via 10.0.0.3 nexthop via 10.1.0.3");
    let ran = world.nsnet("link set v0 netns red --keep-addresses".split(' '));
    assert_eq!(ran.err, "nsnet: warning: 'v0' moved to 'red' without 1 route, because of other links that they need\n");
    assert_eq!(world.nsnet("-q link set red:v0 netns .".split(' ')).err, "");
}

#[test]
fn what_this_kernel_may_refuse_is_asked_for_as_ip_asks() {
    let world = World::new();
    world.sh("ip link add base index 77 type ifb; ip link add name port index 78 type ifb");
    for line in [
        "dev port type bridge_slave state 4 priority 5 cost 9 hairpin on guard off root_block on fastleave off learning on",
        "dev port type bridge_slave flood on mcast_flood on bcast_flood on proxy_arp off neigh_suppress off isolated on locked on",
        "dev base type bridge stp_state 1 vlan_filtering 1 vlan_protocol 802.1q",
        "dev base type bond mode active-backup miimon 100",
        "dev base type macvlan mode private",
        "dev base up mtu 1400 promisc on arp off txqueuelen 9 master port group 5 alias hello",
        "dev base down nomaster address 02:00:00:00:00:05 multicast off allmulticast on",
        "dev base name renamed",
        "group 5 up mtu 1400",
    ] {
        let asked = request(&world, &format!("ip link set {line}"));
        world.shell("ip link set renamed name base; ip link set base group 0");
        assert_eq!(request(&world, &format!("$NSNET link set {line}")), asked, "{line}");
        world.shell("ip link set renamed name base; ip link set base group 0");
    }
}
