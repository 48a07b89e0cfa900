//! The labs of examples/labs: each comes up and all its checks hold, or the preflight says what the kernel lacks.

use std::collections::BTreeSet;

use super::support::{Ran, World, json, run};

/// How `ip` makes one of a kind, to see whether this kernel has it.
const PROBES: [(&str, &str); 3] = [
    ("bridge", "ip link add probe type bridge"),
    ("vlan", "ip link add link lo name probe type vlan id 5"),
    ("vxlan", "ip link add probe type vxlan id 5 remote 192.0.2.1 dstport 4789"),
];

/// A world of its own again, of a user who is root of nothing else.
const ROOTLESS: &str = "unshare --user --map-root-user --mount --net --propagation private sh -euc \
    'exec <\"$FILE\"; mount -t tmpfs tmpfs /run; ip link set lo up; rc=0; $NSNET lab test --up - || rc=$?; \
     test -z \"$(ls -A /run/netns 2>/dev/null)\"; exit $rc'";

macro_rules! examples {
    ($($name:literal)*) => { [$(($name, include_str!(concat!("../../examples/labs/", $name, ".toml")))),*] };
}

/// All of them.
pub const EXAMPLES: [(&str, &str); 10] = examples! {
    "chain" "dual-stack" "fat-tree" "router-on-a-stick" "star-200" "star" "triangle" "two-hosts" "vxlan-sites"
    "web-service"
};

/// The kinds of links that a lab adds.
fn kinds(world: &World, file: &str) -> BTreeSet<String> {
    let lab = json(&world.nsnet(["-j", "lab", "show", file]).ok());
    let nodes = lab["nodes"].as_object().unwrap().values();
    let interfaces = nodes.filter_map(|node| node["interfaces"].as_object()).flat_map(|interfaces| interfaces.values());
    let mut kinds: BTreeSet<String> = interfaces.filter_map(|of| of["kind"].as_str()).map(str::to_owned).collect();
    kinds.extend(lab["networks"].as_object().filter(|networks| !networks.is_empty()).map(|_| "bridge".to_owned()));
    kinds
}

/// Whether this kernel has no links of a kind, as `ip` sees it.
fn is_lacking(kind: &str) -> bool {
    let (_, probe) = PROBES.iter().find(|(of, _)| *of == kind).expect("a line in PROBES");
    let probed = World::new().shell(probe);
    assert!(probed.status.success() || probed.err.contains("Unknown device type"), "{probed}");
    !probed.status.success()
}

#[track_caller]
fn holds_or_is_refused(tested: &Ran, lacking: Option<&String>) {
    match lacking {
        None => assert!(tested.status.success() && tested.out.ends_with("checks hold\n"), "{tested}"),
        Some(kind) => {
            assert_eq!(tested.status.code(), Some(2), "{tested}");
            assert!(tested.err.contains(&format!("this kernel has no links of kind {kind} ")), "{tested}");
        }
    }
}

#[test]
fn every_example_holds_what_it_promises_or_is_refused_as_a_whole() {
    for (_, text) in EXAMPLES {
        let world = World::for_labs();
        let file = world.lab_file(text);
        let lacking = kinds(&world, file).into_iter().find(|kind| is_lacking(kind));
        let tested = world.nsnet(["lab", "test", "--up", file]);
        holds_or_is_refused(&tested, lacking.as_ref());
        assert_eq!(world.sh("ls -A /run/netns 2>/dev/null || :; find /run/nsnet/etc -mindepth 1 2>/dev/null || :"), "");
        let mut rootless = world.command("sh");
        rootless.args(["-euc", ROOTLESS]).env("FILE", file);
        holds_or_is_refused(&run(rootless), lacking.as_ref());
    }
}

#[test]
fn every_example_says_what_it_is_and_has_checks() {
    let world = World::new();
    for (name, text) in EXAMPLES {
        assert!(text.starts_with("# "), "{name}");
        let file = world.lab_file(text);
        let shown = world.nsnet(["lab", "check", file]).ok();
        assert!(shown.contains(" checks: good"), "{shown}");
    }
}
