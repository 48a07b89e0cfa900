//! What holds for every lab, and what each rule means.

use std::{
    collections::{BTreeSet, HashSet},
    net::IpAddr,
    sync::Arc,
};

use proptest::{prelude::*, sample::Index};

use super::draft::holds;
use crate::{
    addr::IfAddr,
    lab::{Lab, LinkState, LinkWhat, Place, Spec},
    name::IfName,
};

#[track_caller]
fn lab(text: &str) -> Lab {
    Lab::read(text).unwrap_or_else(|problems| panic!("{text}\n{problems:#?}"))
}

#[track_caller]
fn problems(text: &str) -> Vec<String> {
    Lab::read(text).expect_err(text).iter().map(ToString::to_string).collect()
}

/// The addresses of an interface, in their order in `hosts` but for that of a set.
#[track_caller]
fn addrs(lab: &Lab, node: &str, interface: &str) -> Vec<String> {
    let space = &lab.state.spaces[&Place::Node(node.parse().unwrap())];
    space.links[&interface.parse().unwrap()].addrs.iter().map(IfAddr::to_string).collect()
}

/// `DESTINATION via ADDRESS dev LINK table N`, of a node.
#[track_caller]
fn routes(lab: &Lab, node: &str) -> Vec<String> {
    let space = &lab.state.spaces[&Place::Node(node.parse().unwrap())];
    let shown = |route: &crate::lab::RouteState| {
        let via = route.via.map(|via| via.to_string()).unwrap_or_default();
        let dev = route.dev.as_ref().map(IfName::as_str).unwrap_or_default();
        format!("{} {} {via} {dev} {}", route.kind, route.dst, route.table)
    };
    space.routes.iter().map(shown).collect()
}

#[test]
fn addresses_are_dealt_from_the_first_host_on_past_those_that_are_taken() {
    let lab = lab(r#"
        name = "x"
        nodes = { a = {}, b = {}, c = {}, d = {} }
        [networks.lan]
        subnet = "10.0.0.0/24"
        gateway = "10.0.0.2"
        members = ["a", "b:up", "c=10.0.0.3/24", "d"]
    "#);
    assert_eq!(addrs(&lab, "a", "eth0"), ["10.0.0.1/24"]);
    assert_eq!(addrs(&lab, "b", "up"), ["10.0.0.4/24"], "past the gateway and that of c");
    assert_eq!(addrs(&lab, "c", "eth0"), ["10.0.0.3/24"]);
    assert_eq!(addrs(&lab, "d", "eth0"), ["10.0.0.5/24"]);
    assert_eq!(routes(&lab, "a"), ["unicast 0.0.0.0/0 10.0.0.2 eth0 254"]);
}

#[test]
fn the_smallest_subnets_have_room_for_what_the_kernel_lets_them() {
    for (subnet, room) in [
        ("10.0.0.0/32", 1),
        ("10.0.0.0/31", 2),
        ("10.0.0.0/30", 2),
        ("10.0.0.0/29", 6),
        ("fd00::/128", 1),
        ("fd00::/127", 2),
        ("fd00::/126", 3),
    ] {
        let file = |members: usize| {
            format!("name = 'x'\n[nodes.'h[1-9]']\n[networks.lan]\nsubnet = '{subnet}'\nmembers = ['h[1-{members}]']\n")
        };
        lab(&file(room));
        let said = problems(&file(room + 1));
        assert!(said[0].contains(&format!("room for {room} of {}", room + 1)), "{subnet}: {said:?}");
    }
}

#[test]
fn interfaces_are_counted_over_networks_then_links_past_names_that_are_taken() {
    let lab = lab(r#"
        name = "x"
        nodes = { a = { interfaces = { eth2 = { kind = "dummy" } } }, b = {} }
        links = [{ ends = ["a", "b"] }, { ends = ["a", "b:eth0"] }]
        [networks.one]
        members = ["a"]
        [networks.two]
        members = ["a:eth1"]
    "#);
    let space = &lab.state.spaces[&Place::Node("a".parse().unwrap())];
    let peer = |name: &str| match &space.links[&name.parse().unwrap()].what {
        LinkWhat::Veth { peer: (_, far) } => far.as_str().to_owned(),
        LinkWhat::Kind { kind, .. } => kind.word().to_owned(),
    };
    let all = ["eth0", "eth1", "eth2", "eth3", "eth4"].map(peer);
    assert_eq!(all, ["a-eth0", "a-eth1", "dummy", "eth1", "eth0"]);
    assert_eq!(space.links.len(), 5);
}

#[test]
fn a_default_route_via_a_node_is_one_of_each_family_that_both_have() {
    let file = |subnet: &str| {
        format!(
            "name = 'x'\n[nodes.r]\n[nodes.h]\nroutes = ['default via r']\n[[links]]\nends = ['r', 'h:up']\nsubnet = {subnet}\n"
        )
    };
    let (v4, v6) = ("unicast 0.0.0.0/0 10.0.0.1 up 254", "unicast ::/0 fd00::1 up 254");
    assert_eq!(routes(&lab(&file("'10.0.0.0/24'")), "h"), [v4]);
    assert_eq!(routes(&lab(&file("['fd00::/64']")), "h"), [v6]);
    assert_eq!(routes(&lab(&file("['10.0.0.0/24', 'fd00::/64']")), "h"), [v4, v6]);
}

#[test]
fn a_gateway_is_for_those_that_have_no_way_out_yet() {
    let member = lab(r#"
        name = "x"
        nodes = { r = {}, h = {} }
        [networks.one]
        subnet = "10.0.0.0/24"
        gateway = "10.0.0.9"
        members = ["h", "r=10.0.0.9/24"]
    "#);
    assert_eq!(routes(&member, "r"), [""; 0], "not through itself");
    assert_eq!(routes(&member, "h"), ["unicast 0.0.0.0/0 10.0.0.9 eth0 254"]);
    let lab = lab(r#"
        name = "x"
        [nodes.r]
        [nodes.own]
        routes = ["default via 10.0.0.77"]
        [nodes.both]
        [networks.one]
        subnet = ["10.0.0.0/24", "fd00::/64"]
        gateway = "r"
        members = ["r", "own", "both"]
        [networks.two]
        subnet = "10.1.0.0/24"
        gateway = "r"
        members = ["r", "both"]
    "#);
    assert_eq!(routes(&lab, "r"), [""; 0]);
    assert_eq!(routes(&lab, "own"), ["unicast 0.0.0.0/0 10.0.0.77 eth0 254", "unicast ::/0 fd00::1 eth0 254"]);
    assert_eq!(routes(&lab, "both"), ["unicast 0.0.0.0/0 10.0.0.1 eth0 254", "unicast ::/0 fd00::1 eth0 254"]);
}

#[test]
fn the_starting_namespace_is_only_touched_where_the_file_names_it() {
    let text = r#"
        name = "x"
        [nodes.r]
        [networks.lan]
        subnet = "10.0.0.0/24"
        gateway = "r"
        members = ["r", ".:lan0"]
    "#;
    let lab = lab(text);
    let here = &lab.state.spaces[&Place::Here];
    assert_eq!((here.links.len(), here.routes.len(), here.sysctls.len(), here.files.len()), (1, 0, 0, 0));
    assert!(lab.nodes.iter().all(|node| node.name.as_str() != "."));
}

#[test]
fn a_route_through_a_link_of_a_vrf_is_in_its_table() {
    let lab = lab(r#"
        name = "x"
        [nodes.r]
        routes = ["default via 10.0.0.9", "10.9.0.0/16 via 10.0.0.9 table 7", "::/0 via fe80::1 dev d metric 1024"]
        [nodes.r.interfaces]
        red = { kind = "vrf", table = 100 }
        d = { kind = "dummy", master = "red", addrs = ["10.0.0.1/24"] }
    "#);
    let expected =
        ["unicast 0.0.0.0/0 10.0.0.9 d 100", "unicast 10.9.0.0/16 10.0.0.9 d 7", "unicast ::/0 fe80::1 d 100"];
    assert_eq!(routes(&lab, "r"), expected);
    let metrics = &lab.state.spaces[&Place::Node("r".parse().unwrap())].routes;
    assert!(metrics.iter().all(|route| route.metric == 0), "1024 is the kernel's usual one");
}

#[test]
fn hosts_have_a_line_for_each_address_the_first_of_a_node_first() {
    let lab = lab(r#"
        name = "x"
        nodes = { b = {}, a = { hostname = "alpha", interfaces = { eth0 = { addrs = ["10.9.9.9/32"] } } }, none = {} }
        links = [{ ends = ["b", "a"], subnet = ["10.0.0.0/30", "fd00::/64"] }]
    "#);
    let hosts = &lab.state.spaces[&Place::Node("a".parse().unwrap())].files["hosts"];
    let localhost = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";
    let nodes = "10.0.0.1 b\nfd00::1 b\n10.0.0.2 a alpha\nfd00::2 a alpha\n10.9.9.9 a alpha\n";
    assert_eq!(**hosts, format!("{localhost}{nodes}"));
    let other = &lab.state.spaces[&Place::Node("b".parse().unwrap())].files["hosts"];
    assert!(Arc::ptr_eq(hosts, other), "of a thousand nodes, each would have a thousand lines");
}

#[test]
fn a_problem_of_a_file_that_cannot_be_read_whole_hides_no_other() {
    let said = problems("name = 'x'\nmtu = 5\n[nodes.a]\nmtu = 'big'\n[networks.lan]\nmembers = ['b']\n");
    assert_eq!(said.len(), 3, "{said:?}");
}

/// All links, with where they are.
fn links(lab: &Lab) -> impl Iterator<Item = (&Place, &IfName, &LinkState)> {
    lab.state.spaces.iter().flat_map(|(place, space)| space.links.iter().map(move |(name, link)| (place, name, link)))
}

/// What holds for every lab that was checked.
fn holds_together(lab: &Lab) {
    let mut macs = HashSet::new();
    for (place, name, link) in links(lab) {
        assert!(link.mac.is_none_or(|mac| macs.insert(mac)), "{place:?} {name}: the same MAC twice");
        if let LinkWhat::Veth { peer: (far_place, far_name) } = &link.what {
            let far = &lab.state.spaces[far_place].links[far_name];
            assert_eq!(far.what, LinkWhat::Veth { peer: (place.clone(), name.clone()) }, "the other end points back");
            assert_eq!(far.mtu_bytes, link.mtu_bytes, "both ends have one MTU");
        }
        if let Some(master) = &link.master {
            assert!(lab.state.spaces[place].links.contains_key(master), "{master} is there");
        }
    }
    for (place, space) in &lab.state.spaces {
        let own: Vec<IpAddr> = space.links.values().flat_map(|link| &link.addrs).map(|addr| addr.ip()).collect();
        assert_eq!(own.iter().collect::<HashSet<_>>().len(), own.len(), "{place:?}: an address twice");
        for route in &space.routes {
            let dev = &space.links[route.dev.as_ref().unwrap()];
            assert!(dev.addrs.iter().any(|addr| holds(*addr, route.via.unwrap())), "{route:?} is connected");
            assert!(!own.contains(&route.via.unwrap()), "{route:?} leads to itself");
        }
        if let Place::Node(node) = place {
            let hosts = &space.files["hosts"];
            assert!(own.iter().all(|ip| hosts.contains(&format!("\n{ip} {}\n", node.as_str()))));
        }
    }
}

/// A lab of few nodes with networks and links among them, as text.
fn files() -> impl Strategy<Value = String> {
    let node = 0..6_usize;
    let network = (prop::collection::btree_set(node.clone(), 0..5), 0..4_u8, prop::option::of(1280..9000_u32));
    let link = (node.clone(), node, 0..4_u8, prop::option::of(68..1500_u32));
    let parts = (prop::collection::vec(network, 0..4), prop::collection::vec(link, 0..5), any::<[bool; 6]>());
    parts.prop_map(|(networks, links, forward)| {
        let node = |(at, forward)| format!("[nodes.n{at}]\nforward = {forward}\n");
        let network = |(at, (members, families, mtu))| network_text(at, &members, families, mtu);
        let link = |(at, (left, right, families, mtu))| link_text(at, [left, right], families, mtu);
        let nodes = forward.into_iter().enumerate().map(node);
        let networks = networks.into_iter().enumerate().map(network);
        let links = links.into_iter().enumerate().map(link);
        ["name = \"random\"\n".to_owned()].into_iter().chain(nodes).chain(networks).chain(links).collect()
    })
}

fn network_text(at: usize, members: &BTreeSet<usize>, families: u8, mtu: Option<u32>) -> String {
    let members: Vec<_> = members.iter().map(|node| format!("n{node}")).collect();
    let gateway = members.first().filter(|_| families > 0).map(|node| format!("gateway = \"{node}\"\n"));
    let subnets = subnets(&format!("10.{at}.0.0/24"), &format!("fd00:{at}::/64"), families);
    let mtu = mtu.map(|mtu| format!("mtu = {mtu}\n")).unwrap_or_default();
    format!("[networks.net{at}]\nmembers = {members:?}\n{subnets}{mtu}{}", gateway.unwrap_or_default())
}

fn link_text(at: usize, [left, right]: [usize; 2], families: u8, mtu: Option<u32>) -> String {
    let subnets = subnets(&format!("10.{}.0.0/30", 100 + at), &format!("fd01:{at}::/64"), families);
    let mtu = mtu.map(|mtu| if families > 1 { mtu.max(1280) } else { mtu });
    let mtu = mtu.map(|mtu| format!("mtu = {mtu}\n")).unwrap_or_default();
    format!("[[links]]\nends = [\"n{left}:l{at}\", \"n{right}:r{at}\"]\n{subnets}{mtu}")
}

fn subnets(v4: &str, v6: &str, families: u8) -> String {
    match families {
        0 => String::new(),
        1 => format!("subnet = \"{v4}\"\n"),
        2 => format!("subnet = \"{v6}\"\n"),
        _ => format!("subnet = [\"{v4}\", \"{v6}\"]\n"),
    }
}

/// A good file with some bytes replaced: near enough to a lab to get far.
fn broken_files() -> impl Strategy<Value = String> {
    let pieces = [
        "",
        "=",
        "[",
        "]",
        "\"",
        "h[1-3]",
        ".",
        ":",
        "/",
        "-1",
        "99999999999",
        "{",
        "}",
        "null",
        "name",
        "nodes",
        "\n",
        "eth0",
        "ä",
        "\0",
        "default",
        "via",
        "'",
        "0",
        "true",
        "fd00::/64",
        "10.0.0.0/8",
        "kind = \"vlan\"",
    ];
    let piece = prop::sample::select(pieces.to_vec());
    let edits = prop::collection::vec((any::<Index>(), 0..6_usize, piece), 1..4);
    let json = any::<bool>();
    (files(), edits, json).prop_map(|(text, edits, json)| {
        let spec = Spec::read(&text).unwrap();
        let mut text = if json { serde_json::to_string(&spec).unwrap() } else { text };
        for (at, length, piece) in edits {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.floor_char_boundary((start + length).min(text.len())).max(start);
            text.replace_range(start..end, piece);
        }
        text
    })
}

proptest! {
    #[test]
    fn a_lab_holds_together_and_reads_back_from_json(text in files()) {
        let lab = lab(&text);
        holds_together(&lab);
        let json = serde_json::to_string(&lab.spec).unwrap();
        prop_assert_eq!(&Lab::read(&json).unwrap(), &lab);
        prop_assert_eq!(&Lab::of(lab.spec.clone()).unwrap(), &lab);
    }

    #[test]
    fn what_is_wrong_with_any_text_is_told_in_its_place(text in broken_files()) {
        match Lab::read(&text) {
            Ok(lab) => holds_together(&lab),
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                for problem in problems {
                    prop_assert!(text.get(problem.span.clone()).is_some(), "{:?}", problem);
                    prop_assert!(problem.line <= text.matches('\n').count() + 1);
                    prop_assert!(!problem.message.contains(char::is_control), "{:?}", problem.message);
                    prop_assert!(!problem.hint.unwrap_or_default().contains(char::is_control));
                }
            }
        }
    }

    #[test]
    fn any_text_is_a_lab_or_told_what_is_wrong(text in crate::arbitrary::text()) {
        let _ = Lab::read(&text);
        let _ = Lab::read(&format!("{{{text}"));
    }
}
