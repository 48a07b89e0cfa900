//! map: worlds wired by ip, and what nsnet says of them.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use serde_json::Value;

use super::support::{Background, World, json, socket_in};

/// A star on a bridge, a macvlan whose parent is elsewhere, and a namespace that only a process holds.
/// `red` and `blue` have links of the same indices.
const WIRED: &str = "
    for ns in sw red blue vpn; do ip netns add $ns; done
    ip -n sw link add br0 type bridge; ip -n sw link set br0 up
    for ns in red blue; do
        ip -n $ns link add eth0 index 7 type veth peer name p-$ns netns sw
        ip -n sw link set p-$ns master br0; ip -n sw link set p-$ns up; ip -n $ns link set eth0 up
    done
    ip -n red addr add 10.0.0.1/24 dev eth0; ip -n blue addr add 10.0.0.2/24 dev eth0
    ip -n red link add mv link eth0 type macvlan; ip -n red link set mv netns vpn";

fn map(world: &World, options: &str) -> Value {
    json(&world.sh(&format!("$NSNET -q -j map {options}")))
}

/// The namespace of this reference, and its position.
fn namespace<'a>(map: &'a Value, reference: &str) -> (usize, &'a Value) {
    let namespaces = map["namespaces"].as_array().unwrap();
    let at = namespaces.iter().position(|namespace| namespace["reference"] == reference);
    let at = at.unwrap_or_else(|| panic!("{reference}: {map:#}"));
    (at, &namespaces[at])
}

/// All wires as `kind ns:if ns:if`, sorted.
fn wires(map: &Value) -> Vec<String> {
    let end = |end: &Value| {
        let namespace = &map["namespaces"][usize::try_from(end["namespace"].as_u64().unwrap()).unwrap()];
        format!("{}:{}", namespace["reference"].as_str().unwrap_or("?"), end["ifname"].as_str().unwrap_or("?"))
    };
    let wire = |wire: &Value| {
        let mut ends = [end(&wire["ends"][0]), end(&wire["ends"][1])];
        if wire["kind"] == "pair" {
            ends.sort();
        }
        format!("{} {} {}", wire["kind"].as_str().unwrap(), ends[0], ends[1])
    };
    let mut wires: Vec<_> = map["wires"].as_array().unwrap().iter().map(wire).collect();
    wires.sort();
    wires
}

fn held(world: &World) -> (Background, String) {
    let process = world.start("exec unshare --net sh -c 'echo; exec cat'");
    let reference = format!("pid:{}", process.pid());
    (process, reference)
}

#[test]
fn links_are_followed_to_the_namespace_that_holds_the_other_end() {
    let world = World::new();
    world.sh(WIRED);
    let (_process, held) = held(&world);
    world.sh(&format!("ip link add near type veth peer name far netns {}", &held[4..]));
    let map = map(&world, "sw .");
    let expected = [
        "lower vpn:mv red:eth0".to_owned(),
        format!("pair .:near {held}:far"),
        "pair blue:eth0 sw:p-blue".to_owned(),
        "pair red:eth0 sw:p-red".to_owned(),
    ];
    assert_eq!(wires(&map), expected);
    for ns in ["sw", "red", "blue", "vpn"] {
        let (_, shown) = namespace(&map, ns);
        let inode = world.sh(&format!("stat -L -c %i /run/netns/{ns}"));
        assert_eq!(shown["inode"].to_string(), inode.trim());
        let ip = world.ip_json(&format!("-n {ns} addr"));
        let links = shown["links"].as_array().unwrap();
        assert_eq!(links.len(), ip.as_array().unwrap().len());
        for (link, ip) in links.iter().zip(ip.as_array().unwrap()) {
            for key in ["ifname", "ifindex", "mtu", "master", "address", "flags"] {
                assert_eq!(link[key], ip[key], "{key}");
            }
            let addrs = ip["addr_info"].as_array().unwrap().iter();
            let addrs: Vec<_> = addrs.map(|a| format!("{}/{}", a["local"].as_str().unwrap(), a["prefixlen"])).collect();
            assert_eq!(link["addrs"], serde_json::json!(addrs));
        }
    }
}

#[test]
fn nothing_changes_where_it_looks() {
    let world = World::new();
    world.sh(WIRED);
    let state = "for ns in sw red blue vpn; do ip -n $ns netns list-id; done; ls /run/netns";
    let before = world.sh(state);
    map(&world, "");
    world.sh("$NSNET -q show red");
    assert_eq!(world.sh(state), before);
}

#[test]
fn a_part_is_what_is_connected_in_however_many_steps() {
    let world = World::new();
    world.sh(WIRED);
    world.sh("ip netns add alone");
    let names = |map: &Value| {
        let names = map["namespaces"].as_array().unwrap().iter().map(|ns| ns["reference"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&map(&world, "vpn")), ["blue", "red", "sw", "vpn"]);
    assert_eq!(names(&map(&world, "alone")), ["alone"]);
    assert_eq!(wires(&map(&world, "vpn")), wires(&map(&world, "sw blue")));
    assert!(world.nsnet(["map", "nope"]).err.contains("nope"));
}

#[test]
fn open_files_and_mounts_lead_to_a_namespace_too() {
    let world = World::new();
    world.sh("for ns in file mount; do ip netns add $ns; done
         mkdir /run/elsewhere; touch /run/elsewhere/m; mount --bind /run/netns/mount /run/elsewhere/m");
    let _open = world.start("exec 9</run/netns/file; echo; exec cat");
    world.sh("ip netns del file; ip netns del mount");
    let map = map(&world, "");
    let holds = |wanted: &dyn Fn(&Value) -> bool| {
        let namespaces = map["namespaces"].as_array().unwrap().iter();
        namespaces.flat_map(|ns| ns["held_by"].as_array().unwrap()).any(wanted)
    };
    assert!(holds(&|holder| holder["fd"] == 9), "{map:#}");
    assert!(holds(&|holder| holder["mount"] == "/run/elsewhere/m"), "{map:#}");
}

#[test]
fn a_namespace_that_only_a_socket_holds_is_seen_by_the_links_that_lead_there() {
    let world = World::new();
    world.sh("ip netns add gone; ip link add near type veth peer name far netns gone; ip -n gone addr add 10.0.0.1/24 dev far");
    let _socket = socket_in(&world, "gone");
    world.sh("ip netns del gone");
    let map = map(&world, ".");
    let hidden = map["namespaces"].as_array().unwrap().iter().find(|ns| ns["inode"].is_null()).unwrap();
    assert_eq!(hidden["reference"], Value::Null);
    let far = hidden["links"].as_array().unwrap().iter().find(|link| link["ifname"] == "far").unwrap();
    assert_eq!(far["addrs"], serde_json::json!(["10.0.0.1/24"]));
    assert_eq!(wires(&map), ["pair .:near ?:far"]);
    assert!(world.sh("$NSNET -q map .").contains("near down ╌╌ unknown-1:far"));
}

#[test]
fn of_an_own_user_namespace_without_a_network_the_current_one_is_seen() {
    let world = World::new();
    world.sh("ip netns add red; ip link add e type veth peer name f netns red");
    let ran = world.shell("exec unshare --user --map-root-user $NSNET -j map . red");
    assert!(ran.status.success() && ran.err.contains("only a part is seen"), "{ran}");
    assert_eq!(wires(&json(&ran.out)), ["pair .:e red:?"]);
}

#[test]
fn two_ends_of_a_vxlan_find_each_other() {
    let world = World::new();
    world.sh("for ns in a b c; do ip netns add $ns; done; ip -n a link add e type veth peer name e netns b
         ip -n a addr add 10.0.0.1/24 dev e; ip -n b addr add 10.0.0.2/24 dev e
         ip -n a link add vx type vxlan id 5 local 10.0.0.1 remote 10.0.0.2 dstport 4789
         ip -n b link add vx type vxlan id 5 local 10.0.0.2 remote 10.0.0.1 dstport 4789
         ip -n c link add vx type vxlan id 5 remote 10.0.0.2 dstport 4789");
    assert_eq!(wires(&map(&world, "a c")), ["pair a:e b:e", "vxlan a:vx b:vx"]);
}

#[test]
fn the_tree_hangs_ports_below_their_bridge_and_marks_what_is_down() {
    let world = World::new();
    world.sh(WIRED);
    world.sh("ip -n blue link set eth0 down");
    assert_eq!(
        world.sh("$NSNET -q map sw"),
        "blue\n└─ eth0 10.0.0.2/24 down ╌╌ sw:p-blue\n\
         red\n└─ eth0 10.0.0.1/24 ── sw:p-red ── macvlan on vpn:mv\n\
         sw\n└─ br0 (bridge)\n   ├─ p-red ── red:eth0\n   └─ p-blue down ╌╌ blue:eth0\n\
         vpn\n└─ mv (macvlan) down ╌╌ macvlan on red:eth0\n"
            .replace("── macvlan on vpn:mv", "╌╌ macvlan on vpn:mv")
    );
}

/// Names that mean something to a terminal, or to one of the formats.
const HOSTILE: [&[u8]; 7] = [
    b"quote\"] --> x[\"y",
    b"<script>&amp;<text>]]>",
    b"back\\slash\\",
    b"\x1b[2Jclear\nnew line\t",
    b"not \xff text \xc3",
    &[b'n'; 255],
    "grün, 日本 \u{202e}".as_bytes(),
];

fn hostile_world() -> World {
    let world = World::new();
    world.sh("ip netns add sw");
    for name in HOSTILE {
        let made = world.nsnet([OsStr::new("add"), OsStr::from_bytes(name)]);
        made.ok();
        let veth = [b"-n", name, b"veth", b"eth0", b"v0"].map(OsStr::from_bytes);
        world.nsnet(veth).ok();
    }
    world.sh("ip -n sw link add e type ifb; ip -n sw link set e alias 'a\"]</text>\x1b[2J'");
    world
}

#[test]
fn hostile_names_break_no_format() {
    let world = hostile_world();
    let _named = world.start("cp /bin/cat '/run/x\"]<b>'; exec unshare --net sh -c 'echo; exec \"/run/x\\\"]<b>\"'");
    let map = map(&world, "");
    let names: Vec<_> =
        map["namespaces"].as_array().unwrap().iter().flat_map(|ns| ns["names"].as_array().unwrap()).collect();
    for name in HOSTILE {
        let text = String::from_utf8_lossy(name);
        assert!(names.iter().any(|shown| shown["name"] == *text), "{text}");
        namespace(&map, &text);
    }
    for options in ["map", "map --dot", "map --mermaid", "map --svg -", "show sw"] {
        let text = world.sh(&format!("$NSNET -q {options}"));
        let acts = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!text.contains(acts), "{options}: {text:?}");
    }
    let svg = world.sh("$NSNET -q map --svg -");
    let document = roxmltree::Document::parse(&svg).unwrap();
    let texts: Vec<_> = document.descendants().filter_map(|node| node.text()).collect();
    assert!(texts.contains(&"quote\"] --> x[\"y"), "{texts:?}");
    // Between the quotes of a label there is none that is not escaped.
    for line in world.sh("$NSNET -q map --dot").lines() {
        let bare = line.replace("\\\\", "").replace("\\\"", "");
        assert_eq!(bare.matches('"').count() % 2, 0, "{line}");
    }
    for line in world.sh("$NSNET -q map --mermaid").lines() {
        assert!([0, 2].contains(&line.matches('"').count()), "{line}");
    }
}

#[test]
fn namespaces_that_vanish_meanwhile_are_no_error() {
    let world = World::new();
    let script = "echo; while :; do for n in 1 2 3; do ip netns add v$n; done
                  ip -n v1 link add e type veth peer name e netns v2; ip netns del v2; ip netns del v1; ip netns del v3; done";
    let _churn = world.start(script);
    for _ in 0..40 {
        json(&world.nsnet(["-q", "-j", "map"]).ok());
    }
}

#[test]
fn it_takes_no_more_files_than_there_are() {
    let world = World::new();
    world.sh("for n in $(seq 150); do echo netns add n$n; done | ip -batch -");
    world.sh("for n in $(seq 150); do echo link add v$n type veth peer name e netns n$n; done | ip -batch -");
    let map = json(&world.sh("ulimit -n 100; $NSNET -q -j map ."));
    assert_eq!(map["wires"].as_array().unwrap().len(), 150);
}

#[test]
fn without_privilege_what_is_seen_is_shown_and_what_is_not_is_said() {
    let world = World::new();
    world.sh("ip netns add red; ip netns add blue; ip link add e type veth peer name f netns red");
    let ran = world.shell("exec setpriv --bounding-set=-all --inh-caps=-all $NSNET -j map . red blue");
    assert!(ran.status.success(), "{ran}");
    assert!(ran.err.contains("only a part is seen"), "{ran}");
    let map = json(&ran.out);
    assert_eq!(wires(&map), ["pair .:e red:?"]);
    let (_, red) = namespace(&map, "red");
    assert!(red["unread"].as_str().unwrap().contains("rights"), "{red}");
    namespace(&map, "blue");
}

#[test]
fn watch_draws_again_when_a_link_an_address_or_a_name_changes() {
    let world = World::new();
    world.sh("ip netns add red; ip netns add blue");
    let mut watch = world.start("exec $NSNET -q -j map --watch");
    let mut until = |change: &str, seen: &dyn Fn(&Value) -> bool| {
        world.sh(change);
        while !seen(&json(&watch.line())) {}
    };
    let links = |map: &Value, ns: &str| namespace(map, ns).1["links"].as_array().unwrap().len();
    until("ip -n red link add e type veth peer name e netns blue", &|map| links(map, "red") == 2);
    until("ip -n blue addr add 10.0.0.1/24 dev e", &|map| map.to_string().contains("10.0.0.1/24"));
    until("ip -n red link del e", &|map| links(map, "blue") == 1);
    until("ip netns add green", &|map| map.to_string().contains("\"green\""));
    until("ip -n green link set lo up", &|map| namespace(map, "green").1.to_string().contains("127.0.0.1"));
    until("ip netns del green", &|map| !map.to_string().contains("\"green\""));
}

#[test]
fn a_picture_goes_to_its_file_or_says_why_not() {
    let world = World::new();
    world.sh(WIRED);
    assert_eq!(world.sh("$NSNET -q map --svg /run/map.svg"), "");
    roxmltree::Document::parse(&world.sh("cat /run/map.svg")).unwrap();
    let failed = world.shell("exec $NSNET -q map --svg /nowhere/map.svg");
    assert_eq!(failed.status.code(), Some(1));
    assert!(failed.err.contains("/nowhere/map.svg") && failed.err.contains("No such file"), "{failed}");
    for line in ["map --dot --mermaid", "map --watch --svg -", "-n red map", "map a/b/c"] {
        assert_eq!(world.shell(&format!("exec $NSNET {line}")).status.code(), Some(2), "{line}");
    }
}
