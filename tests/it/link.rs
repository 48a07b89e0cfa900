//! link show: as ip shows links, and where their other ends are.

use serde_json::{Map, Value};

use super::support::{Background, World, json, same};

/// What nsnet says beyond ip.
const OWN: [&str; 2] = ["link_netns", "peer_ifname"];

/// Links of many kinds, here and in `red`; those that not every kernel has, or not every user may
/// make, are optional.
const ZOO: &str = "
    ip link add va type veth peer name vb; ip link set va up
    ip link add vc type veth peer name vd; ip link set vc up; ip link set vd up
    ip link add br0 type bridge; ip link set br0 up
    ip link add p0 type veth peer name q0 netns red; ip link set p0 up master br0
    ip link add p1 type veth peer name q1 netns red; ip link set p1 up master br0; ip -n red link set q1 up
    ip -n red link add r0 type veth peer name r1
    ip link add m0 netns red link va type macvlan; ip link add m1 link vc type macvlan
    ip link add vx0 type vxlan id 7 dstport 4789 remote 10.0.0.9 local 10.0.0.1
    ip link add vx1 netns red type vxlan id 8 dstport 4789 remote 10.0.0.9 dev va
    if [ -w /dev/net/tun ]; then ip tuntap add tun0 mode tun; ip tuntap add tap0 mode tap; ip link set tun0 up; fi
    ip link add ifb7 mtu 1400 type ifb; ip link set ifb7 txqueuelen 7 promisc on allmulticast on
    ip link set lo alias 'of lo'; ip link set va alias 'two
lines, \"quotes\" and wörds'
    ip link property add dev va altname an-altname-longer-than-a-name altname short
    ip link set vd group 7
    ip link add down0 type ifb
    ip link add br1 type bridge stp_state 1 priority 1000 ageing_time 30000 group_fwd_mask 8 \
        mcast_snooping 0 vlan_protocol 802.1ad no_linklocal_learn 1
    ip link add p2 type veth peer name p3; ip link set p2 master br0
    ip link set p2 type bridge_slave cost 9 hairpin on isolated on group_fwd_mask 16392 backup_port p0 mcast_router 2
    ip link add m2 link vc type macvlan mode source macaddr add 02:00:00:00:00:77
    ip link add m3 link vc type macvtap mode bridge bcqueuelen 100 2>/dev/null || :
    ip link add vx2 type vxlan id 9 dstport 0 group 239.0.0.9 dev vc ttl 7 tos 0x10 ageing 0 srcport 1000 2000 \
        nolearning proxy rsc l2miss l3miss maxaddress 5 noudpcsum gbp df set
    ip link add vx3 type vxlan id 10 dstport 4789 remote fd00::9 local fd00::1 flowlabel 0x12 ttl inherit tos inherit df inherit
    ip link add vx4 type vxlan external dstport 4790 vnifilter; ip link add vx5 type vxlan id 11 group ff05::9 dev vc dstport 4791
    for i in $(seq 20); do bash -c 'echo something to count >/dev/udp/127.0.0.1/9'; done
    for kind in 'dummy' 'ipip local 10.0.0.1 remote 10.0.0.2' 'sit local 10.0.0.1 remote 10.0.0.2' \
                'gre local 10.0.0.1 remote 10.0.0.2' 'ip6tnl local fd00::1 remote fd00::2' 'vlan id 5'; do
        ip link add link va name \"opt${kind%% *}\" type $kind 2>/dev/null || :
    done";

/// A world with the zoo, and a process that holds a namespace without a name.
fn zoo() -> (World, Background) {
    let world = World::new();
    world.ok("add red");
    world.sh(ZOO);
    let held = world.start("exec unshare --net sh -c 'echo ready; exec cat'");
    world.sh(&format!("ip link add u0 type veth peer name u1 netns {}", held.pid()));
    // States follow up and down a moment later.
    world.sh("until ip -br link show vc | grep -q ' UP ' && ip -br link show p1 | grep -q ' UP ' &&
                    ip -br link show va | grep -q LOWERLAYERDOWN && ip -br link show br0 | grep -q ' UP '; do :; done");
    (world, held)
}

/// Takes nsnet's own keys out of each link.
fn without_own(links: &Value) -> Value {
    let strip = |link: &Value| {
        let link: &Map<_, _> = link.as_object().unwrap();
        link.iter().filter(|(key, _)| !OWN.contains(&key.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect()
    };
    links.as_array().unwrap().iter().map(strip).map(Value::Object).collect()
}

#[test]
fn links_of_all_kinds_are_shown_as_ip_shows_them() {
    let (world, _held) = zoo();
    for place in ["", "-n red "] {
        for form in ["", "-br "] {
            let ip = world.sh(&format!("ip {place}{form}link show"));
            assert_eq!(world.ok(&format!("{place}{form}link show")), ip);
            assert!(ip.lines().count() > 4, "{ip}");
            let ip = world.ip_json(&format!("{place}{form}link show"));
            for json_form in ["-j", "-j -p"] {
                let ours = json(&world.ok(&format!("{json_form} {place}{form}link show")));
                assert_eq!(without_own(&ours), ip, "{place}{form}");
            }
        }
    }
    let shown = world.ok("link show");
    for seen in ["M-DOWN", "NO-CARRIER", "LOWERLAYERDOWN", "master br0", "link-netnsid", "altname short"] {
        assert!(shown.contains(seen), "{seen}: {shown}");
    }
    assert_eq!(shown.contains("tun0: "), shown.contains("link/none \n"), "{shown}");
}

/// The same lines through both; text, then JSON to the order of its keys.
#[track_caller]
fn both_show_the_same(world: &World, line: &str) {
    same(line, &without_timers(&world.ok(line)), &without_timers(&world.sh(&format!("ip {line}"))));
    let ours = without_own(&json(&world.ok(&format!("-j {line}"))));
    // ip has an empty object for each link that it does not show.
    let ips =
        world.ip_json(line).as_array().unwrap().iter().filter(|link| **link != json("{}")).cloned().collect::<Value>();
    same(line, &without_timers(&ours.to_string()), &without_timers(&ips.to_string()));
}

/// Those of a bridge that is up run on.
fn without_timers(text: &str) -> String {
    let mut parts = text.split("_timer");
    let first = parts.next().unwrap().to_owned();
    let still = |part: &str| part.trim_start_matches(|c: char| "\": .0123456789".contains(c)).to_owned();
    parts.fold(first, |all, part| all + "_timer " + &still(part))
}

#[test]
fn details_counters_and_one_line_are_as_ips() {
    let (world, _held) = zoo();
    for place in ["", "-n red "] {
        for options in [
            "-d",
            "-d -d",
            "-o",
            "-d -o",
            "-s",
            "-s -s",
            "-s -s -o",
            "-s -d",
            "-human -s -s",
            "-hu -iec -s",
            "-N",
            "-br -d",
        ] {
            let counted = options.contains("-s");
            // Of links that are up, counters go on.
            for line in if counted { ["link show lo", "link show down0"] } else { ["link show", "link show lo"] } {
                if !counted || place.is_empty() {
                    both_show_the_same(&world, &format!("{place}{options} {line}"));
                }
            }
        }
    }
    let shown = world.sh("ip -d link");
    for seen in ["bridge_slave ", "vxlan id 9 group 239", " remotes (1) 02:", "backup_port p0", "group_fwd_mask_str"] {
        assert!(shown.contains(seen), "{seen}: {shown}");
    }
    for name in world.sh("ip -br link | sed 's/[@ ].*//'").split_whitespace() {
        both_show_the_same(&world, &format!("-d link show {name}"));
    }
}

#[test]
fn links_are_chosen_as_ip_chooses_them() {
    let (world, _held) = zoo();
    for line in [
        "link show up",
        "link show dev va up",
        "link show vb up",
        "link show master br0",
        "link show nomaster",
        "link show type veth",
        "link show type bridge",
        "link show type bridge_slave",
        "link show type none",
        "link show group 7",
        "link show group default",
        "link show master br0 up",
        "link show type veth master br0",
        "link list dev br0 type bridge",
        "link sh br0",
        "link lst",
    ] {
        both_show_the_same(&world, line);
        both_show_the_same(&world, &format!("-br {line}"));
    }
    for (code, line, said) in [
        (1, "link show master none", "nsnet: cannot find device 'none': No such device (os error 19)\n"),
        (2, "link show vrf br0", "nsnet: 'vrf br0' is wrong: the link is not a VRF\n"),
        (2, "link show type", "nsnet: link show: 'type' needs KIND behind it\n"),
        (2, "link show va vb", "nsnet: link show: 'vb' is not understood here; 'nsnet link help' lists what is\n"),
        (2, "link show va dev vb", "nsnet: link show: the link is given twice\n"),
        (
            2,
            "link show group frob",
            "nsnet: link show: 'group frob' is wrong: it is neither a number that fits nor a name in /etc/iproute2\n",
        ),
    ] {
        assert_eq!(world.fails(code, line), said, "{line}");
        assert!(!world.shell(&format!("ip {line}")).status.success(), "{line}");
    }
}

#[test]
fn one_link_is_shown_as_ip_shows_it_by_any_of_its_names() {
    let (world, held) = zoo();
    let names = world.sh("ip -br link | sed 's/[@ ].*//'; echo short an-altname-longer-than-a-name");
    for name in names.split_whitespace() {
        let ip = world.sh(&format!("ip link show dev {name}"));
        for line in [format!("link show {name}"), format!("link show .:{name}"), format!("-n . link show {name}")] {
            assert_eq!(world.ok(&line), ip, "{line}");
        }
        let ip = world.ip_json(&format!("link show dev {name}"));
        assert_eq!(without_own(&json(&world.ok(&format!("-j link show {name}")))), ip);
    }
    for (name, ns) in [("q1", "red"), ("m0", "red"), ("vx1", "red"), ("r1", "red"), ("lo", "red")] {
        let ip = world.sh(&format!("ip -n {ns} link show dev {name}"));
        for line in [
            format!("link show {ns}:{name}"),
            format!("-n {ns} link show {name}"),
            format!("-n . link show {ns}:{name}"),
            format!("link show /run/netns/{ns}:{name}"),
        ] {
            assert_eq!(world.ok(&line), ip, "{line}");
        }
    }
    let brief = world.ok(&format!("-br link show pid:{}:u1", held.pid()));
    assert!(brief.starts_with("u1@if"), "{brief}");
}

/// `link_netns` and `peer_ifname` of a link.
fn far_end(world: &World, line: &str) -> [Option<String>; 2] {
    let full = &json(&world.ok(&format!("-j {line}")))[0];
    let brief = &json(&world.ok(&format!("-j -br {line}")))[0];
    OWN.map(|key| {
        assert_eq!(full.get(key), brief.get(key), "{line}: {key}");
        full.get(key).map(|value| value.as_str().unwrap().to_owned())
    })
}

#[test]
fn the_other_end_is_named_exactly_where_there_is_one() {
    let (world, held) = zoo();
    let pid = held.pid();
    for (line, netns, ifname) in [
        ("link show lo".to_owned(), None, None),
        ("link show va".into(), None, Some("vb")),
        ("link show vb".into(), None, Some("va")),
        ("link show p0".into(), Some("red"), Some("q0")),
        ("link show red:q0".into(), Some("."), Some("p0")),
        ("-n red link show r1".into(), None, Some("r0")),
        ("link show u0".into(), Some(&*format!("pid:{pid}")), Some("u1")),
        (format!("link show pid:{pid}:u1"), Some("."), Some("u0")),
        // What they stand on lives elsewhere, but is no other end.
        ("link show red:m0".into(), Some("."), None),
        ("link show red:vx1".into(), Some("."), None),
        ("link show m1".into(), None, None),
        ("link show br0".into(), None, None),
        ("link show ifb7".into(), None, None),
    ] {
        assert_eq!(far_end(&world, &line), [netns, ifname].map(|text| text.map(str::to_owned)), "{line}");
    }
}

#[test]
fn the_other_end_is_found_by_its_namespace_and_never_by_a_matching_index() {
    let world = World::new();
    world.ok("add red blue green");
    // The same index in each, each with a peer of its own and one that is a decoy.
    world.sh("for ns in red blue green; do
                  ip link add to-$ns index 5$(printf $ns | wc -c) type veth peer name from-$ns index 77 netns $ns
              done
              ip link add decoy index 77 type ifb
              ip -n red link add r2b index 88 type veth peer name b2r index 88 netns blue
              ip -n green link add g2b index 99 type veth peer name b2g index 99 netns blue");
    for ns in ["red", "blue", "green"] {
        let (there, back) = (Some(ns.to_owned()), Some(".".to_owned()));
        assert_eq!(far_end(&world, &format!("link show to-{ns}")), [there, Some(format!("from-{ns}"))]);
        assert_eq!(far_end(&world, &format!("link show {ns}:from-{ns}")), [back, Some(format!("to-{ns}"))]);
    }
    for (line, ns, name) in [
        ("red:r2b", "blue", "b2r"),
        ("blue:b2r", "red", "r2b"),
        ("blue:b2g", "green", "g2b"),
        ("green:g2b", "blue", "b2g"),
    ] {
        assert_eq!(far_end(&world, &format!("link show {line}")), [Some(ns.into()), Some(name.into())], "{line}");
    }
    // A name for the current namespace is better than '.'.
    world.ok(&format!("attach home {}", world.pid()));
    assert_eq!(far_end(&world, "link show red:from-red"), [Some("home".into()), Some("to-red".into())]);
}

#[test]
fn an_end_in_a_namespace_that_nothing_leads_to_has_no_name() {
    let world = World::new();
    let pid = world.pid();
    // Held by a descriptor alone, of a process that lives here.
    let held = world.start(&format!(
        "exec unshare --net sh -c 'exec 9</proc/self/ns/net
             exec nsenter --net=/proc/{pid}/ns/net sh -c \"echo ready; exec cat\"'"
    ));
    world.sh(&format!("nsenter --net=/proc/{}/fd/9 ip link add x1 type veth peer name x0 netns {pid}", held.pid()));
    assert_eq!(world.ok("link show x0"), world.sh("ip link show x0"));
    assert_eq!(far_end(&world, "link show x0"), [None, None]);
}

#[test]
fn showing_changes_nothing() {
    let (world, _held) = zoo();
    // It has nothing to do with the others; looking for ends must not make it known to them.
    world.ok("add blue");
    let state = "for ns in red blue; do ip -n $ns netns list-id; ip -n $ns link; done
                 ip netns list-id; ip link; ls -l /run/netns";
    let before = world.sh(state);
    for line in ["link show", "-n red link show", "-j link show", "-br link show", "link show va", "link show red:q0"] {
        world.ok(line);
        assert_eq!(world.sh(state), before, "{line}");
    }
}

#[test]
fn names_and_aliases_of_any_bytes_are_shown_and_none_is_missing() {
    let world = World::new();
    world.ok("add red");
    world.sh(r"ip link add $(printf '\377x') type ifb
               ip link add $(printf '\376y') type veth peer name y1
               ip link add $(printf '\375z') type veth peer name $(printf '\375z') netns red
               ip link set y1 alias $(printf 'a\033[2J\376\001b')
               ip link property add dev y1 altname $(printf 'alt\374')");
    let links = json(&world.ok("-j link show"));
    let names: Vec<_> = links.as_array().unwrap().iter().map(|link| link["ifname"].as_str().unwrap()).collect();
    assert_eq!(names, ["lo", "\u{fffd}x", "y1", "\u{fffd}y", "\u{fffd}z"]);
    assert_eq!(links[2]["ifalias"], "a\u{1b}[2J\u{fffd}\u{1}b");
    assert_eq!(links[2]["altnames"][0], "alt\u{fffd}");
    assert_eq!((&links[2]["link"], &links[2]["peer_ifname"]), (&"\u{fffd}y".into(), &"\u{fffd}y".into()));
    assert_eq!((&links[4]["link_netns"], &links[4]["peer_ifname"]), (&"red".into(), &"\u{fffd}z".into()));
    assert_eq!(world.ok("-br link show").lines().count(), 5);
    // A terminal gets nothing that it would act on.
    let terminal = world.sh("script -qec \"$NSNET link show y1\" /dev/null");
    assert!(terminal.contains("    alias a\\u{1b}[2J") && !terminal.contains('\u{1b}'), "{terminal}");
    // Removing the namespace hears of the end here, whatever it is called.
    world.ok("del red");
    assert_eq!(world.ok("-br link show").lines().count(), 4);
}

#[test]
fn what_is_not_there_is_an_error_with_its_name() {
    let world = World::new();
    world.ok("add red");
    for (code, line, said) in [
        (1, "link show none", "nsnet: cannot find link 'none': No such device (os error 19)\n"),
        (1, "link show red:none", "nsnet: cannot find link 'none': No such device (os error 19)\n"),
        (
            1,
            "link show an-altname-that-nobody-has",
            "nsnet: cannot find link 'an-altname-that-nobody-has': No such device (os error 19)\n",
        ),
        (1, "link show none:lo", "nsnet: cannot open namespace 'none': there is no such name in '/run/netns'\n"),
        (1, "-n none link show", "nsnet: cannot open namespace 'none': there is no such name in '/run/netns'\n"),
        (1, "link show \u{1b}[2J", "nsnet: cannot find link '\\u{1b}[2J': No such device (os error 19)\n"),
        (1, "link show x:y:lo", "nsnet: cannot open namespace 'x:y': there is no such name in '/run/netns'\n"),
        (1, "link show pid:4194304:lo", "nsnet: cannot open 'pid:4194304': no such process\n"),
    ] {
        assert_eq!(world.fails(code, line), said, "{line}");
    }
    for bad in ["", "a b", "a/b", "red:", ":lo", "a\nb", &"x".repeat(128)] {
        let err = world.nsnet(["link", "show", bad]).fails(2);
        assert!(err.contains("is wrong: ") || err.contains("cannot use "), "{bad:?}: {err}");
    }
    let err = json(&world.fails(1, "-j link show none"));
    assert_eq!((&err["kind"], &err["subject"], &err["errno"]), (&"not_found".into(), &"'none'".into(), &19.into()));
}

#[test]
fn a_thousand_links_are_all_listed() {
    let world = World::new();
    world.sh("for i in $(seq 1000); do echo link add d$i type ifb; done | ip -batch -");
    assert_eq!(world.ok("link show"), world.sh("ip link show"));
    assert_eq!(json(&world.ok("-j link show")).as_array().unwrap().len(), 1001);
    world.ok("add red");
    assert!(world.ok("list -l").contains(" 1 "));
}
