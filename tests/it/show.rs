//! show: all about one namespace, wired by ip.

use serde_json::Value;

use super::support::{World, json, socket_in};

const WIRED: &str = "
    ip netns add red; ip netns add blue
    ip -n red link set lo up
    ip -n red link add eth0 type veth peer name eth0 netns blue
    ip -n red addr add 10.0.0.1/24 dev eth0; ip -n red link set eth0 up; ip -n blue link set eth0 up
    ip -n red route add 10.7.0.0/16 via 10.0.0.2; ip -n red route add default via 10.0.0.2 table 100
    ip -n red rule add from 10.0.0.0/8 lookup 100
    ip netns set red 7";

#[test]
fn links_routes_rules_and_the_id_are_as_ip_has_them() {
    let world = World::new();
    world.sh(WIRED);
    let shown = json(&world.sh("$NSNET -j show red"));
    assert_eq!(shown["nsid"], 7);
    assert_eq!(shown["reference"], "red");
    let far = &shown["far_ends"][0];
    assert_eq!([&far["ifname"], &far["namespace"], &far["far_ifname"]], ["eth0", "blue", "eth0"]);
    assert_eq!(far["namespace_inode"].to_string(), world.sh("stat -L -c %i /run/netns/blue").trim());
    let routes = |table: &str| world.ip_json(&format!("-n red route show table {table}")).as_array().unwrap().clone();
    let dsts = |routes: &[Value]| {
        let mut dsts: Vec<_> = routes.iter().map(|route| route["dst"].as_str().unwrap().to_owned()).collect();
        dsts.sort();
        dsts
    };
    let v4: Vec<Value> = shown["routes"].as_array().unwrap().clone();
    assert_eq!(dsts(&v4), dsts(&[routes("main"), routes("100")].concat()));
    let rules = shown["rules"].as_array().unwrap();
    assert_eq!((rules.len(), &rules[0]["src"], &rules[0]["table"]), (1, &"10.0.0.0".into(), &"100".into()));
}

#[test]
fn text_fits_eighty_columns_and_says_it_all() {
    let world = World::new();
    world.sh(WIRED);
    world
        .sh("ip -n red link set eth0 alias 'a note that is much too long for one line of a terminal, so it is broken'");
    world.sh("ip -n red -6 addr add fd00:1111:2222:3333:4444:5555:6666:7777/64 dev eth0 nodad");
    let text = world.sh("$NSNET -q show /run/netns/red; $NSNET show red 2>/dev/null");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    for words in [
        "red  net:[",
        "id 7",
        "10.0.0.1/24",
        "── blue:eth0",
        "10.7.0.0/16 via 10.0.0.2 dev eth0",
        "from 10.0.0.0/8 lookup 100",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("127.0.0.0") && !text.contains("lookup local"), "{text}");
}

#[test]
fn quiet_only_says_by_its_end_whether_it_exists() {
    let world = World::new();
    world.sh("ip netns add red; touch /run/netns/dead");
    for (ns, code) in [("red", 0), ("nope", 1), ("dead", 1), ("pid:1", 0), ("/nowhere", 1)] {
        let ran = world.nsnet(["-q", "show", if ns == "pid:1" { "." } else { ns }]);
        assert_eq!((ran.status.code(), &*ran.out, &*ran.err), (Some(code), "", ""), "{ns}");
    }
    let failed = world.nsnet(["show", "nope"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(failed.err.contains("'nope'"), "{failed}");
    assert_eq!(world.sh("$NSNET show"), "dead\nred\n");
    assert_eq!(world.sh("$NSNET netns show red"), "dead\nred\n");
}

#[test]
fn processes_files_mounts_and_sockets_that_hold_it_are_named() {
    let world = World::new();
    world.sh("ip netns add red; touch /run/mounted; mount --bind /run/netns/red /run/mounted");
    let inside = world.start("exec nsenter --net=/run/netns/red sh -c 'echo; read line'");
    let file = world.start("exec 8</run/netns/red; echo; exec cat");
    let _socket = socket_in(&world, "red");
    let shown = json(&world.sh("$NSNET -j show red"));
    let holds = |wanted: &dyn Fn(&Value) -> bool| shown["held_by"].as_array().unwrap().iter().any(wanted);
    assert!(holds(&|by| by["pid"] == inside.pid() && by["command"] == "sh"), "{shown:#}");
    assert!(holds(&|by| by["pid"] == file.pid() && by["fd"] == 8), "{shown:#}");
    assert!(holds(&|by| by["mount"] == "/run/mounted"), "{shown:#}");
    assert!(holds(&|by| by["pid"] == std::process::id() && by["socket"].is_u64()), "{shown:#}");
    let user = shown["users"].as_array().unwrap().iter().find(|user| user["pid"] == inside.pid());
    assert_eq!(user.unwrap()["user"], world.sh("id -un").trim());
}
