//! lab up, status, down: what a file says becomes so, stays so, and goes away.

use super::support::{Background, World, json};

/// A command of a node that ends before it is ready, however slow the machine is, so that no `up` can succeed.
const ENDS: &str = "run = [{ command = \"false\", ready = { file = \"/run/never\" } }]";

/// A router with two nodes on a switch and one behind a link.
const CAMPUS: &str = r#"
name = "campus"
[nodes.r1]
forward = true
[nodes."h[1-2]"]
routes = ["default via r1"]
sysctl = { "net.ipv4.ip_default_ttl" = "32" }
[nodes.isp]
routes = ["10.1.0.0/16 via 10.0.0.1", "fd01::/64 via fd00::1"]
[networks.lan]
subnet = ["10.1.0.0/16", "fd01::/64"]
members = ["r1", "h[1-2]"]
[[links]]
ends = ["r1:wan=10.0.0.1/30,fd00::1/64", "isp:eth0=10.0.0.2/30,fd00::2/64"]
mtu = 1400
"#;

impl World {
    /// Writes a lab file; returns where.
    pub fn lab_file(&self, text: &str) -> &'static str {
        let path = format!("/proc/{}/root/run/lab.toml", self.pid());
        std::fs::write(path, text).unwrap();
        "/run/lab.toml"
    }

    /// Brings a lab up from a text; it must succeed. Returns what it says.
    #[track_caller]
    pub fn up(&self, text: &str) -> String {
        let file = self.lab_file(text);
        self.ok(&format!("lab up {file}"))
    }

    /// What is not as the last text says, a line each.
    #[track_caller]
    pub fn drift(&self) -> Vec<String> {
        let status = self.nsnet(["lab", "status", "/run/lab.toml"]);
        assert_eq!(status.err, "", "{status}");
        let lines: Vec<String> = status.out.lines().map(str::to_owned).collect();
        match status.status.code() {
            Some(0) => Vec::new(),
            Some(1) => lines,
            _ => panic!("{status}"),
        }
    }

    /// Names and indices of all links of a namespace.
    pub fn indices(&self, name: &str) -> Vec<String> {
        let links = self.ip_json(&format!("-n {name} link"));
        links.as_array().unwrap().iter().map(|link| format!("{}: {}", link["ifindex"], link["ifname"])).collect()
    }
}

/// A ping that goes on, a hundred times a second.
pub struct Ping(Background);

impl Ping {
    pub fn start(world: &World, from: &str, to: &str) -> Self {
        Self(world.start(&format!("exec $NSNET exec --bare {from} ping -n -i 0.01 {to}")))
    }

    /// Ends it; every packet must have come back.
    #[track_caller]
    pub fn lost_nothing(mut self, world: &World) {
        world.sh(&format!("kill -INT {}", self.0.pid()));
        let summary = loop {
            let line = self.0.line();
            assert_ne!(line, "", "ping ended without a summary");
            if line.contains("packets transmitted") {
                break line;
            }
        };
        let counts: Vec<u32> = summary.split(' ').filter_map(|word| word.parse().ok()).collect();
        // The last one may be under way.
        assert!(counts[0] <= counts[1] + 1 && counts[1] > 0, "{summary}");
    }
}

#[test]
fn a_lab_comes_up_whole_and_the_first_packet_gets_through() {
    let world = World::for_labs();
    world.up(CAMPUS);
    for to in ["10.0.0.2", "fd00::2", "10.1.0.3", "isp"] {
        world.ok(&format!("lab exec campus/h1 ping -c1 -W1 {to}"));
    }
    assert_eq!(world.drift(), [""; 0]);
    assert_eq!(world.ok("lab list"), "campus (4 nodes)\n");
    assert_eq!(world.ok("lab exec campus/isp hostname"), "isp\n");
    assert_eq!(world.ok("exec campus/h1 cat /proc/sys/net/ipv4/ip_default_ttl"), "32\n");
    let mtus = world.sh("ip -n campus.r1 -o link show wan; ip -n campus.isp -o link show eth0");
    assert_eq!(mtus.matches("mtu 1400").count(), 2, "{mtus}");
}

#[test]
fn a_second_up_changes_nothing_and_loses_no_packet() {
    let world = World::for_labs();
    world.up(CAMPUS);
    let names = ["campus.r1", "campus.h1", "campus.h2", "campus.isp", "campus.~sw"];
    let before = names.map(|name| world.indices(name));
    let ping = Ping::start(&world, "campus.h1", "10.0.0.2");
    for _ in 0..3 {
        assert_eq!(world.up(CAMPUS), "campus: as written, nothing to do\n");
        assert_eq!(world.ok("lab plan /run/lab.toml"), "");
    }
    ping.lost_nothing(&world);
    assert_eq!(names.map(|name| world.indices(name)), before);
}

#[test]
fn a_changed_file_changes_what_it_says_and_nothing_else() {
    let world = World::for_labs();
    world.up(CAMPUS);
    let mut process = world.start("exec $NSNET exec campus.h1 sh -c 'echo ready; read _; ip -o addr show eth0'");
    let ping = Ping::start(&world, "campus.h1", "10.0.0.2");
    let before = world.indices("campus.h1");
    // A node more, one less; another address, MTU, route, setting and link.
    let changed = CAMPUS
        .replace("[nodes.\"h[1-2]\"]", "[nodes.\"h[1,3]\"]".replace("[1,3]", "1").as_str())
        .replace("members = [\"r1\", \"h[1-2]\"]", "members = [\"r1\", \"h1\", \"h3\"]")
        .replace("10.0.0.2/30,", "10.0.0.2/29,")
        .replace("10.0.0.1/30,", "10.0.0.1/29,")
        .replace("mtu = 1400", "mtu = 1300")
        .replace("\"32\"", "\"33\"")
        + "[nodes.h3]\nforward = true\n[[links]]\nends = [\"h3:x=10.9.0.1/30\", \"isp:x=10.9.0.2/30\"]\n";
    let plan = {
        let file = world.lab_file(&changed);
        world.ok(&format!("lab plan {file}"))
    };
    for line in [
        "create namespace h3",
        "set mtu of isp:eth0 from 1400 to 1300",
        "add address 10.0.0.1/29 to r1:wan",
        "delete address 10.0.0.1/30 from r1:wan",
        "set net.ipv4.ip_default_ttl in h1 from 32 to 33",
        "delete namespace h2",
    ] {
        assert!(plan.lines().any(|step| step == line), "{line}\n{plan}");
    }
    world.up(&changed);
    assert_eq!(world.drift(), [""; 0]);
    ping.lost_nothing(&world);
    assert_eq!(world.indices("campus.h1"), before);
    process.say("\n");
    assert!(process.line().contains("10.1.0.2/16"));
    assert_eq!(world.sh("ls /run/netns"), "campus.h1\ncampus.h3\ncampus.isp\ncampus.r1\ncampus.~sw\n");
    world.ok("lab exec campus/h3 ping -c1 -W1 10.9.0.2");
}

#[test]
fn drift_of_each_kind_is_told_and_repaired() {
    let world = World::for_labs();
    world.up(CAMPUS);
    let drifts = [
        ("ip -n campus.h1 addr flush dev eth0 scope global", "h1:eth0: the address 10.1.0.2/16 is missing"),
        ("ip -n campus.h1 addr add 10.7.0.1/24 dev eth0", "h1:eth0: the address 10.7.0.1/24 is not in the file"),
        ("ip -n campus.h1 link set eth0 down", "h1:eth0: it is down"),
        ("ip -n campus.h1 link set lo down", "h1:lo: it is down"),
        ("ip -n campus.r1 link set wan mtu 1300", "r1:wan: its mtu is 1300, not 1400"),
        ("ip -n campus.h1 link set eth0 mtu 1300", "h1:eth0: its mtu is 1300, not 1500"),
        ("ip -n campus.isp route del 10.1.0.0/16", "isp: the route 10.1.0.0/16 via 10.0.0.1 dev eth0 is missing"),
        (
            "ip -n campus.h1 route add 10.8.0.0/16 dev eth0 proto 110",
            "h1: the route 10.8.0.0/16 dev eth0 is not in the file",
        ),
        (
            "ip -n campus.h1 route replace default via 10.1.0.3 proto 110",
            "h1: the route is default via 10.1.0.3 dev eth0, not default via 10.1.0.1 dev eth0",
        ),
        ("ip -n campus.~sw link set h1-eth0 nomaster", "~sw:h1-eth0: it belongs to none, not to lan"),
        ("ip -n campus.~sw link set lan type bridge ageing_time 100", "~sw:lan: options of the bridge differ"),
        ("ip -n campus.~sw link del lan", "bridge ~sw:lan: it is missing"),
        ("ip -n campus.isp link del eth0", "veth isp:eth0 - r1:wan: it is missing"),
        (
            "ip -n campus.h1 link set eth0 address 02:00:00:00:00:09",
            "h1:eth0: its hardware address is 02:00:00:00:00:09, not ",
        ),
        (
            "ip netns exec campus.h1 sh -c 'echo 9 > /proc/sys/net/ipv4/ip_default_ttl'",
            "h1: net.ipv4.ip_default_ttl is 9, not 32",
        ),
        // What is to be renamed out of the way is told by the name that it has.
        ("ip -n campus.r1 link set wan name wan2", "veth isp:eth0 - r1:wan2: it is not in the file"),
        ("ip netns del campus.h2", "h2: the namespace is missing"),
        ("ip netns del campus.~sw", "~sw: the namespace is missing"),
        ("rm /run/nsnet/etc/campus.h1/hosts", "h1: the file hosts is missing"),
        ("echo '127.0.0.2 x' >> /run/nsnet/etc/campus.h1/hosts", "h1: the file hosts differs"),
    ];
    for (script, expected) in drifts {
        world.sh(script);
        let drift = world.drift();
        assert!(drift.iter().any(|line| line.starts_with(expected)), "{script}\n{drift:#?}");
        assert!(!drift.iter().any(|line| line.contains("nsnet~")), "{script}\n{drift:#?}");
        world.ok("lab up /run/lab.toml");
        assert_eq!(world.drift(), [""; 0], "{script}");
        assert_eq!(world.ok("lab plan /run/lab.toml"), "", "{script}");
        world.ok("lab exec campus/h1 ping -c1 -W1 10.0.0.2");
    }
}

/// A setting that the kernel tells by netlink, and one that it has only a file for.
#[test]
fn every_setting_that_changed_is_told_and_repaired() {
    let world = World::for_labs();
    let settings = [
        ("net.ipv4.conf.all.bc_forwarding", "1"),
        ("net.ipv4.conf.all.ignore_routes_with_linkdown", "1"),
        ("net.ipv4.conf.all.proxy_arp", "1"),
        ("net.ipv4.conf.all.rp_filter", "2"),
        ("net.ipv4.conf.default.forwarding", "1"),
        ("net.ipv4.conf.default.rp_filter", "1"),
        ("net.ipv4.conf.eth0.forwarding", "1"),
        ("net.ipv4.ip_default_ttl", "32"),
        ("net.ipv4.ip_forward", "0"),
        ("net.ipv6.conf.all.forwarding", "1"),
        ("net.ipv6.conf.all.ignore_routes_with_linkdown", "1"),
        ("net.ipv6.conf.all.proxy_ndp", "1"),
        ("net.ipv6.conf.default.forwarding", "0"),
    ];
    let lines = settings.map(|(key, value)| format!("\"{key}\" = \"{value}\"\n")).concat();
    let ends = "[[links]]\nends = [\"a:eth0\", \"b:eth0\"]\n";
    let lab = format!("name = \"lab\"\n[nodes.b]\n{ends}[nodes.a.sysctl]\n{lines}");
    world.up(&lab);
    assert_eq!(world.drift(), [""; 0]);
    for (key, value) in settings {
        let other = if value == "0" { "1" } else { "0" };
        let other = if key.ends_with("ttl") { "9" } else { other };
        let path = key.replace('.', "/");
        world.sh(&format!("ip netns exec lab.a sh -c 'echo {other} > /proc/sys/{path}'"));
        let drift = world.drift();
        assert!(drift.contains(&format!("a: {key} is {other}, not {value}")), "{key}\n{drift:#?}");
        world.ok("lab up /run/lab.toml");
        assert_eq!(world.drift(), [""; 0], "{key}");
        let is = world.sh(&format!("ip netns exec lab.a cat /proc/sys/{path}"));
        assert_eq!(is, format!("{value}\n"), "{key}");
    }
}

/// Files below `/proc/sys` take the longer to open the more namespaces there are.
#[test]
fn whether_nodes_forward_is_seen_without_a_file() {
    let world = World::for_labs();
    world.up("name = \"lab\"\n[nodes.a]\nforward = true\n[nodes.b]\n");
    world.sh("ip netns exec lab.b sh -c 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'");
    world.sh("mount -t tmpfs none /proc/sys/net");
    assert_eq!(world.drift(), ["b: net.ipv6.conf.all.forwarding is 1, not 0"]);
}

#[test]
fn what_others_put_into_a_node_is_left_alone() {
    let world = World::for_labs();
    world.up(CAMPUS);
    world.sh("ip -n campus.h1 link add own type veth peer name own2; ip -n campus.h1 addr add 10.6.0.1/24 dev own
         ip -n campus.h1 link set own up; ip -n campus.h1 route add 10.5.0.0/16 via 10.1.0.3
         ip link add user type veth peer name user netns campus.h1");
    assert_eq!(world.drift(), [""; 0]);
    world.up(CAMPUS);
    assert!(world.sh("ip -n campus.h1 route").contains("10.5.0.0/16 via 10.1.0.3 dev eth0"));
    assert!(world.sh("ip -n campus.h1 addr show own").contains("10.6.0.1/24"));
    world.sh("ip link show user");
    world.ok("lab down campus");
    assert_eq!(world.shell("ip link show user 2>&1").status.code(), Some(1), "it goes with its other end");
}

#[test]
fn up_of_one_file_and_then_of_another_is_as_up_of_the_other_alone() {
    let (first, other) = (World::for_labs(), World::for_labs());
    let changed =
        "name = \"campus\"\n[nodes.\"h[1-3]\"]\n[networks.net]\nsubnet = \"10.2.0.0/24\"\nmembers = [\"h[1-3]\"]\n";
    first.up(CAMPUS);
    first.up(changed);
    other.up(changed);
    let kernel = |world: &World| {
        world.sh(
            "for node in h1 h2 h3 '~sw'; do echo $node; ip -n campus.$node -o addr | grep -v fe80: | cut -d' ' -f2-8
             ip -n campus.$node -o link | sed 's/^[0-9]*: //; s/@if[0-9]*//; s/ state [A-Z]* / /; s/,LOWER_UP//; s/NO-CARRIER,//' | sort
             ip -n campus.$node route | sed 's/ linkdown//'; cat /run/nsnet/etc/campus.$node/hosts 2>/dev/null || :; done
             for node in h1 h2 h3; do ip netns exec campus.$node cat /proc/sys/net/ipv4/ip_default_ttl; done; ls /run/netns",
        )
    };
    super::support::same("the kernel's state", &kernel(&first), &kernel(&other));
}

#[test]
fn down_leaves_nothing_and_returns_when_all_is_gone() {
    let world = World::for_labs();
    let with_here = format!("{CAMPUS}[[links]]\nends = [\".:to-r1=192.0.2.1/30\", \"r1:host=192.0.2.2/30\"]\n");
    for _ in 0..10 {
        world.up(&with_here);
        world.sh("ping -c1 -W1 192.0.2.2 >/dev/null");
        assert_eq!(world.ok("lab down campus"), "campus: down, 5 namespaces gone\n");
        assert_eq!(world.sh("ip -o link | grep -c ."), "1\n");
        assert_eq!(world.sh("ls -A /run/netns; find /run/nsnet -name '*campus*'"), "");
    }
    assert!(world.fails(1, "lab down campus").contains("nothing of it is there"));
    assert_eq!(world.namespace_mounts(), 0);
}

#[test]
fn nothing_of_other_labs_and_of_foreign_names_is_ever_touched() {
    let world = World::for_labs();
    let lab = |name: &str| CAMPUS.replace("\"campus\"", &format!("\"{name}\""));
    for name in ["lab", "lab-x", "lab-x-y", "lab2"] {
        world.up(&lab(name));
    }
    world.sh("ip netns add lab.h9; ip -n lab.h9 link set lo alias 'nsnet:lab=lab2 node=h9'; mkdir -p /run/nsnet/etc/lab.h8; echo x > /run/nsnet/etc/lab.h8/hosts");
    let inodes = |world: &World| world.sh("cd /run/netns; stat -c '%n %i' lab.h9 lab-x.* lab-x-y.* lab2.*");
    let before = inodes(&world);
    assert_eq!(world.up(&lab("lab")), "lab: as written, nothing to do\n");
    world.lab_file(&(lab("lab") + "[nodes.h9]\n"));
    assert!(world.fails(1, "lab up /run/lab.toml").contains("the name 'lab.h9' is taken"));
    world.lab_file(&(lab("lab") + "[nodes.h8]\n"));
    assert!(world.fails(1, "lab up /run/lab.toml").contains("hosts' is not the lab's"));
    world.ok("lab down lab");
    assert_eq!(inodes(&world), before);
    assert_eq!(world.sh("ls /run/netns | grep ^lab[.]; cat /run/nsnet/etc/lab.h8/hosts"), "lab.h9\nx\n");
    for name in ["lab-x", "lab-x-y", "lab2"] {
        world.lab_file(&lab(name));
        assert_eq!(world.drift(), [""; 0]);
        world.ok(&format!("lab exec {name}/h1 ping -c1 -W1 10.0.0.2"));
    }
    assert_eq!(world.ok("lab list"), "lab-x (4 nodes)\nlab-x-y (4 nodes)\nlab2 (4 nodes)\n");
}

#[test]
fn a_node_is_believed_only_where_its_mark_agrees() {
    let world = World::for_labs();
    world.up(CAMPUS);
    world.sh(
        "ip netns add campus.h9; ip netns add other.h1; ip -n other.h1 link set lo alias 'nsnet:lab=campus node=h1'",
    );
    world.ok("exec campus/h1 true");
    assert_eq!(
        world.fails(125, "exec campus/h9 true"),
        "nsnet: cannot open 'campus/h9': its namespace would be 'campus.h9', but that has no mark of the lab\n"
    );
    world.fails(125, "exec other/h1 true");
    assert_eq!(world.fails(125, "lab exec campus/h7 true"), "nsnet: cannot open 'campus/h7': there is no such node\n");
    assert!(world.ok("-n campus/h1 addr show eth0").contains("10.1.0.2/16"));
    world.ok("veth campus/h1:more=10.4.0.1/30 campus/h2:more=10.4.0.2/30");
}

#[test]
fn a_command_in_all_nodes_says_who_says_what_and_fails_if_one_does() {
    let world = World::for_labs();
    world.up(CAMPUS);
    let out = world.ok("lab exec campus --all hostname");
    let mut lines: Vec<&str> = out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["h1: h1", "h2: h2", "isp: isp", "r1: r1"]);
    let ran = world.nsnet([
        "-j",
        "lab",
        "exec",
        "campus",
        "--all",
        "sh",
        "-c",
        "echo out; echo err >&2; test $(hostname) != h1",
    ]);
    assert_eq!(ran.status.code(), Some(1));
    let lines: Vec<_> = ran.out.lines().map(json).collect();
    assert_eq!(lines.len(), 12);
    assert!(lines.contains(&json(r#"{"node":"h1","code":1}"#)) && lines.contains(&json(r#"{"node":"r1","code":0}"#)));
    assert!(lines.contains(&json(r#"{"node":"isp","stream":"stderr","line":"err"}"#)));
}

#[test]
fn files_lie_in_etc_where_it_can_be_written() {
    let world = World::with_own_etc();
    world.up(&CAMPUS.replace("[nodes.isp]", "[nodes.isp]\nfiles = { \"resolv.conf\" = \"nameserver 10.0.0.1\\n\" }"));
    assert_eq!(world.sh("head -n1 /etc/netns/campus.h1/hosts"), "# nsnet:lab=campus node=h1\n");
    assert_eq!(world.sh("cat /etc/netns/campus.isp/resolv.conf"), "nameserver 10.0.0.1\n");
    assert!(world.sh("touch /etc/resolv.conf; ip netns exec campus.isp cat /etc/resolv.conf").contains("10.0.0.1"));
    world.up(CAMPUS);
    assert_eq!(world.sh("ls /etc/netns/campus.isp"), "hosts\n");
    world.ok("lab down campus");
    assert_eq!(world.sh("ls -A /etc/netns"), "");
}

#[test]
fn two_labs_come_up_at_once_and_one_lab_only_once() {
    let world = World::for_labs();
    for name in ["one", "two"] {
        let text = CAMPUS.replace("\"campus\"", &format!("\"{name}\""));
        std::fs::write(format!("/proc/{}/root/run/{name}.toml", world.pid()), text).unwrap();
    }
    for _ in 0..5 {
        let up = |name: &str| {
            let mut command = world.command(super::support::nsnet());
            command.args(["lab", "up", &format!("/run/{name}.toml")]);
            command
        };
        for ran in super::support::run_together([up("one"), up("two")]) {
            ran.ok();
        }
        world.ok("lab exec one/h1 ping -c1 -W1 10.0.0.2");
        world.ok("lab exec two/h1 ping -c1 -W1 10.0.0.2");
        world.ok("lab down one");
        world.ok("lab down two");
    }
    let holder = world.start("exec flock /run/nsnet/lab-one sh -c 'echo held; exec cat'");
    let busy = format!(
        "nsnet: cannot change lab 'one': process {} is changing it; wait for its end: Device or resource busy (os error 16)\n",
        holder.pid()
    );
    assert_eq!(world.fails(1, "lab up /run/one.toml"), busy);
    world.ok("lab up /run/two.toml");
    drop(holder);
    world.ok("lab up /run/one.toml");
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_touched() {
    let world = World::for_labs();
    let refused = |script: &str, text: &str, said: &str| {
        world.sh(script);
        world.lab_file(text);
        let before = world.sh("ip -o link; ls -A /run/netns 2>/dev/null || :");
        let err = world.fails(1, "lab up /run/lab.toml");
        assert!(err.contains(said), "{err}");
        assert_eq!(world.sh("ip -o link; ls -A /run/netns 2>/dev/null || :"), before);
    };
    let here = "name = \"campus\"\n[nodes.a]\n[[links]]\nends = [\".:here=192.0.2.1/30\", \"a:eth0=192.0.2.2/30\"]\n";
    refused("ip link add here type veth peer name there", here, "the name 'here' is taken in the current namespace");
    refused("ip link del here; ip netns add campus.h1", CAMPUS, "the name 'campus.h1' is taken");
    refused(
        "ip netns del campus.h1; mkdir /run/netns/campus.h1",
        CAMPUS,
        "the name 'campus.h1' is taken: it is a directory",
    );
    let setting = CAMPUS.replace("\"net.ipv4.ip_default_ttl\" = \"32\"", "\"net.ipv4.no_such_thing\" = \"1\"");
    refused("rmdir /run/netns/campus.h1", &setting, "'net.ipv4.no_such_thing' cannot be set to '1' in a new namespace");
    world.lab_file(CAMPUS);
    let few = world.shell("prlimit --nofile=40:40 $NSNET lab up /run/lab.toml").fails(1);
    assert!(few.contains("open files, and the hard limit is 40"), "{few}");
    let denied = world.shell("setpriv --bounding-set -sys_admin,-net_admin $NSNET lab up /run/lab.toml").fails(1);
    assert!(denied.contains("Operation not permitted"), "{denied}");
    assert_eq!(world.sh("ls -A /run/netns"), "");
}

#[test]
fn a_kind_that_the_kernel_lacks_is_refused_by_name() {
    let world = World::for_labs();
    for kind in ["dummy", "wireguard", "ifb", "bond"] {
        let has = world.shell(&format!("ip link add probe type {kind} && ip link del probe")).status.success();
        let text = format!("name = \"campus\"\n[nodes.a.interfaces.x]\nkind = \"{kind}\"\n");
        if has {
            world.up(&text);
            world.ok("lab down campus");
        } else {
            world.lab_file(&text);
            let err = world.fails(1, "lab up /run/lab.toml");
            assert!(err.contains(&format!("this kernel has no links of kind {kind}")), "{err}");
            assert_eq!(world.sh("ls -A /run/netns 2>/dev/null || :"), "");
        }
    }
}

#[test]
fn rootless_namespaces_run_out_with_a_word_about_the_limit() {
    let world = World::for_labs();
    let up = |text: &str, limit: usize| {
        world.lab_file(text);
        let script = format!(
            "mount -t tmpfs tmpfs /run; printf %s \"$0\" > /run/lab.toml; ip link set lo up
             echo {limit} > /proc/sys/user/max_net_namespaces; $NSNET lab up /run/lab.toml; ls /run/netns"
        );
        let unshare = "unshare --user --map-root-user --mount --net";
        world.shell(&format!("text=$(cat /run/lab.toml); exec {unshare} sh -euc '{script}' \"$text\""))
    };
    let ran = up(CAMPUS, 3);
    assert!(ran.err.contains("user.max_net_namespaces is 3"), "{ran}");
    assert_eq!(ran.out, "", "{ran}");
    // The one that it starts from, and one to look from.
    let pair =
        "name = \"p\"\nnodes = { a = {}, b = {} }\n[[links]]\nends = [\"a:x\", \"b:y\"]\nsubnet = \"10.0.0.0/30\"\n";
    assert_eq!(up(pair, 4).ok().lines().last(), Some("p.b"));
    assert!(up(pair, 3).fails(1).contains("the limit user.max_net_namespaces is reached"));
    let ran = up(pair, 2);
    assert!(ran.err.contains("it needs 2 more network namespaces and one to look from"), "{ran}");
}

#[test]
fn a_vxlan_is_known_by_the_link_that_it_sends_by() {
    let world = World::for_labs();
    let text = "name = \"campus\"\n[nodes.b]\n[[links]]\nends = [\"a:eth0=192.0.2.1/30\", \"b:eth0=192.0.2.2/30\"]\n
        [nodes.a.interfaces]\nvx = { kind = \"vxlan\", id = 6, dstport = 4789, remote = \"192.0.2.2\", link = \"eth0\" }\n
        many = { kind = \"vxlan\", id = 7, dstport = 4789, remote = \"239.0.0.2\", link = \"eth0\" }\n";
    world.up(text);
    world.sh("for name in vx many; do ip -n campus.a -d link show $name | grep -q 'dev eth0'; done");
    assert_eq!(world.drift(), [""; 0]);
    world.sh("ip -n campus.a link del vx; ip -n campus.a link add vx group 28275 type vxlan id 6 dstport 4789 remote 192.0.2.2");
    assert!(world.drift()[0].starts_with("vxlan a:vx"), "{:?}", world.drift());
}

#[test]
fn a_file_that_no_node_can_see_is_warned_of() {
    let world = World::for_labs();
    let file = world.lab_file("name = \"campus\"\n[nodes.a.files]\n\"no-such.conf\" = \"x\"\npasswd = \"x\"\n");
    let up = world.nsnet(["lab", "up", file]);
    let warning =
        "no node sees its file '/etc/no-such.conf' there: it lies over the one of this machine, which must exist";
    assert!(up.status.success() && up.err.contains(warning) && !up.err.contains("passwd"), "{up}");
}

#[test]
fn the_first_packet_gets_through_also_where_a_tunnel_asked_too_early() {
    let world = World::for_labs();
    let file = world.lab_file(include_str!("../../examples/labs/vxlan-sites.toml"));
    // The kernel would ask again after a second.
    for _ in 0..4 {
        world.nsnet(["lab", "up", file]).ok();
        for (from, to) in [("gw1", "192.0.2.6"), ("gw2", "192.0.2.1"), ("h1", "10.0.0.2")] {
            world.ok(&format!("exec sites.{from} ping -c1 -W0.9 -q {to}"));
        }
        world.nsnet(["lab", "down", "sites"]).ok();
    }
}

#[test]
fn a_tap_and_a_pair_in_one_node_have_indices_of_their_own() {
    let world = World::for_labs();
    // An ordinary user may not be allowed to make any.
    if !world.shell(": <>/dev/net/tun").status.success() {
        return;
    }
    let tap = "name = \"campus\"\n[nodes.vm.interfaces]\ntap0 = { kind = \"tap\" }\n[nodes.r]\n";
    let both = format!("{tap}[networks.lan]\nmembers = [\"r\", \"vm\"]\n");
    world.up(&both);
    assert_eq!(world.drift(), [""; 0]);
    let more =
        format!("{both}[nodes.r.interfaces]\ntap1 = {{ kind = \"tap\" }}\n[[links]]\nends = [\"vm:x\", \"r:x\"]\n");
    world.up(&more);
    assert_eq!(world.drift(), [""; 0]);
}

#[test]
fn a_route_by_hand_in_the_place_of_a_labs_is_refused_by_name() {
    let world = World::for_labs();
    let file = world.lab_file(
        "name = \"campus\"\n[nodes.b]\n[nodes.a]\nroutes = [\"10.7.0.0/16 via 192.0.2.2\", \"fd07::/16 via fd00::2\"]\n
         [[links]]\nends = [\"a:eth0\", \"b:eth0\"]\nsubnet = [\"192.0.2.0/29\", \"fd00::/64\"]\n",
    );
    world.ok(&format!("lab up {file}"));
    for (family, to, via) in [("-4", "10.7.0.0/16", "192.0.2.3"), ("-6", "fd07::/16", "fd00::3")] {
        world.sh(&format!(
            "ip -n campus.a {family} route replace {to} via {via}; ip -n campus.b link set eth0 mtu 1400"
        ));
        let err = world.fails(1, &format!("lab up {file}"));
        let said = format!(
            "nsnet: cannot bring up lab 'campus': the place of the route to {to} in 'campus.a' is taken by one via {via} \
             that is not the lab's: delete that\n"
        );
        assert_eq!(err, said);
        world
            .sh(&format!("ip -n campus.b link show eth0 | grep -q 'mtu 1400'; ip -n campus.a {family} route del {to}"));
        world.ok(&format!("lab up {file}"));
        assert_eq!(world.drift(), [""; 0]);
    }
}

#[test]
fn an_undo_gives_a_port_back_to_the_bridge_that_it_was_in_by_hand() {
    let world = World::for_labs();
    world.up(CAMPUS);
    world.sh("ip -n campus.~sw link add mine type bridge; ip -n campus.~sw link set h1-eth0 master mine");
    world.lab_file(&format!("{CAMPUS}\n[nodes.x]\n{ENDS}\n"));
    let err = world.fails(1, "lab up /run/lab.toml");
    assert!(err.contains("it ended") && !err.contains("undone"), "{err}");
    world.sh("ip -n campus.~sw link show h1-eth0 | grep -q 'master mine'");
}

#[test]
fn what_the_kernel_refuses_beside_the_old_one_comes_behind_its_end() {
    let world = World::for_labs();
    let text = |interfaces: &str| {
        format!(
            "name = \"campus\"\n[nodes.b]\n[[links]]\nends = [\"a:eth0=192.0.2.1/30\", \"b:eth0=192.0.2.2/30\"]\n
             [nodes.a]\nroutes = [\"10.7.0.0/16 dev vx\"]\n[nodes.a.interfaces]\n{interfaces}"
        )
    };
    let vxlan = |name: &str, id: u32, remote: &str| {
        format!(
            "{name} = {{ kind = \"vxlan\", id = {id}, dstport = 4789, remote = \"{remote}\", addrs = [\"10.{id}.0.1/24\"] }}\n"
        )
    };
    let on_it = "top = { kind = \"macvlan\", link = \"vx\" }\n";
    world.up(&text(&(vxlan("vx", 6, "192.0.2.2") + &vxlan("wx", 7, "192.0.2.2") + on_it)));
    let pings = Ping::start(&world, "campus.a", "192.0.2.2");
    let swapped = text(
        &(vxlan("vx", 7, "239.0.0.2").replace("remote", "link = \"eth0\", remote")
            + &vxlan("wx", 6, "192.0.2.3")
            + on_it),
    );
    world.lab_file(&swapped);
    let plan = world.ok("lab plan /run/lab.toml");
    let at = |step: &str| plan.find(step).unwrap_or_else(|| panic!("{step}: {plan}"));
    assert!(at("delete vxlan a:vx") < at("create vxlan a:vx") && at("create vxlan a:vx") < at("create macvlan a:top"));
    world.up(&swapped);
    assert_eq!(world.drift(), [""; 0]);
    world.sh("ip -n campus.a -d link show vx | grep -q 'vxlan id 7 group 239.0.0.2 dev eth0'; ip -n campus.a -d link show wx | grep -q 'vxlan id 6 remote 192.0.2.3'");
    pings.lost_nothing(&world);
}

/// Two nodes and a wire between them, brought up.
const OUTER: &str =
    "name = \"outer\"\n[nodes.h1]\n[nodes.h2]\n[[links]]\nends = [\"h1:eth0=10.0.0.1/24\", \"h2:eth0=10.0.0.2/24\"]\n";

#[test]
fn a_lab_that_was_started_in_a_node_of_another_is_left_alone() {
    let world = World::for_labs();
    let inner = "name = \"inner\"\n[nodes.n1]\n[nodes.\".\"]\nroutes = [\"10.77.0.0/16 via 10.5.0.2\"]\n[[links]]\nends = [\".:x0=10.5.0.1/24\", \"n1:eth0=10.5.0.2/24\"]\n";
    world.lab_file(inner);
    world.sh("mv /run/lab.toml /run/inner.toml");
    world.up(OUTER);
    world.sh("$NSNET exec outer.h1 $NSNET lab up /run/inner.toml");
    assert_eq!(world.drift(), [""; 0]);
    world.up(&OUTER.replace("10.0.0", "10.1.0"));
    world.sh("$NSNET exec outer.h1 $NSNET lab status /run/inner.toml");
    world.ok("exec outer.h1 ping -c1 -W1 10.5.0.2");
    for (verb, code) in [("up", 1), ("plan", 1), ("status", 2)] {
        let err = world.shell(&format!("$NSNET exec outer.h1 $NSNET lab {verb} /run/lab.toml")).fails(code);
        assert!(err.contains("the current namespace is 'outer.h1', one of its own"), "{err}");
    }
    world.ok("lab down inner");
    world.ok("lab down outer");
}

#[test]
fn a_setting_by_hand_and_a_loopback_that_is_down_survive_an_undo() {
    let world = World::for_labs();
    world.up(OUTER);
    world.sh("ip netns exec outer.h1 sysctl -qw net.ipv4.ip_default_ttl=99 net.ipv4.conf.eth0.rp_filter=2
         ip -n outer.h2 link set lo down");
    world.lab_file(&format!("{OUTER}\n[nodes.h3]\n{ENDS}\n").replace(
        "[nodes.h1]",
        "[nodes.h1]\nsysctl = { \"net.ipv4.ip_default_ttl\" = \"32\", \"net.ipv4.conf.eth0.rp_filter\" = \"1\" }",
    ));
    let err = world.fails(1, "lab up /run/lab.toml");
    assert!(!err.contains("undone"), "{err}");
    assert_eq!(
        world.sh("ip netns exec outer.h1 sysctl -n net.ipv4.ip_default_ttl net.ipv4.conf.eth0.rp_filter"),
        "99\n2\n"
    );
    world.sh("ip -n outer.h1 -o link show lo | grep -v ip_default_ttl; ip -n outer.h2 -o link show lo | grep -v UP");
}

#[test]
fn the_length_of_an_ipv6_prefix_and_the_mode_of_a_macvlan_change() {
    let world = World::for_labs();
    let text = |length: u8, mode: &str, mtu: u32| {
        format!(
            "{OUTER}mtu = {mtu}\n[nodes.h1.interfaces]\n
             a0 = {{ kind = \"macvlan\", mode = \"{mode}\", link = \"eth0\", mtu = {mtu}, addrs = [\"fd00::1/{length}\", \"10.9.0.1/{length}\"] }}\n
             b0 = {{ kind = \"macvlan\", link = \"eth0\" }}\n"
        )
    };
    let large = text(24, "private", 1300);
    world.up(&large);
    for text in [text(28, "private", 1400), text(28, "bridge", 1400), large] {
        world.up(&text);
        assert_eq!(world.drift(), [""; 0]);
    }
    world.sh("ip -n outer.h1 link show b0 | grep -q 'mtu 1300'");
    world.sh("ip -n outer.h1 addr flush dev a0; ip -n outer.h1 addr add fd00::1/80 dev a0");
    world.ok("lab up /run/lab.toml");
    assert_eq!(world.drift(), [""; 0]);
}

#[test]
fn links_that_a_killed_up_had_chosen_to_delete_stay_when_they_are_wanted_again() {
    let world = World::for_labs();
    let text = |pairs: &str| {
        format!("name = \"outer\"\n[nodes.h1]\n[nodes.h2]\n[[links]]\nends = [\"h1:e{pairs}\", \"h2:e{pairs}\"]\n")
    };
    world.up(&text("[1-6]"));
    let indices = world.indices("outer.h1");
    // As it is where an up was killed between putting them into the group and deleting that.
    world.sh("for n in 1 2 3; do ip -n outer.h1 link set e$n group 28276; done");
    world.up(&text("[1-4]"));
    let left: Vec<_> = indices.into_iter().filter(|line| !line.contains("e5") && !line.contains("e6")).collect();
    assert_eq!(world.indices("outer.h1"), left);
}

#[test]
fn down_says_what_lives_on_and_what_was_renamed() {
    let world = World::for_labs();
    world.up(OUTER);
    let _living = world.start("exec $NSNET exec outer.h1 sh -c 'echo in; exec cat'");
    world.ok("rename outer.h2 outer.h9");
    let down = world.nsnet(["lab", "down", "outer"]);
    assert_eq!(down.out, "outer: down, 0 namespaces gone, 1 lives on without a name\n", "{down}");
    let renamed = "nsnet: warning: 'outer.h9' is left alone: by its mark it is 'h2' of lab 'outer', and was renamed\n";
    assert!(down.err.starts_with(renamed) && down.err.contains("'outer.h1' is deleted, but"), "{down}");
    world.ok("rename outer.h9 outer.h2");
    assert_eq!(world.ok("lab down outer"), "outer: down, 1 namespace gone\n");
}

#[test]
fn down_counts_a_namespace_that_is_held_as_one_that_lives_on() {
    let world = World::for_labs();
    world.lab_file("name = \"l\"\nnodes = { a = {}, b = {} }\n");
    world.ok("lab up /run/lab.toml");
    let holder = world.start("exec $NSNET lab exec l/a sh -c 'echo ready; exec cat'");
    assert_eq!(world.nsnet(["-q", "lab", "down", "l"]).ok(), "l: down, 1 namespace gone, 1 lives on without a name\n");
    drop(holder);
}

#[test]
fn switches_of_many_nodes_are_taken_down_before_the_rest_unless_a_command_may_need_them() {
    let world = World::for_labs();
    let lan =
        "name = \"l\"\n[nodes.\"h[1-150]\"]\n[nodes.a]\n[networks.lan]\nsubnet = \"10.0.0.0/24\"\nmembers = [\"a\"]\n";
    let run = "[[nodes.a.run]]\ncommand = \"exec sleep 1000\"\n";
    for (text, is_up) in [(lan.to_owned(), false), ([lan, run].concat(), true)] {
        world.up(&text);
        let holder = world.start("exec $NSNET exec l.~sw sh -c 'echo in; exec cat'");
        world.nsnet(["-q", "lab", "down", "l"]).ok();
        let bridge = world.ok(&format!("-n pid:{} -o link show lan", holder.pid()));
        assert_eq!(bridge.contains(",UP"), is_up, "{bridge}");
    }
}

#[test]
fn a_refusal_of_what_older_kernels_lack_blinds_no_look() {
    let world = World::for_labs();
    let text =
        |addr: &str| format!("name = \"l\"\n[nodes.a]\n[[links]]\nends = [\"a:x=10.0.0.1/30\", \".:y={addr}\"]\n");
    world.up(&text("10.0.0.2/30"));
    world.lab_file(&text("10.0.0.2/30,10.0.1.2/30"));
    // Of each thread: the one that asks for strict checks.
    let inject = "exec strace -f -qq -o /dev/null -e trace=setsockopt -e inject=setsockopt:error=ENOPROTOOPT:when=3";
    world.shell(&format!("{inject} $NSNET lab up /run/lab.toml")).ok();
    assert_eq!(world.drift(), [""; 0]);
}

#[test]
fn switches_come_up_again_where_a_lab_cannot_be_taken_down() {
    let world = World::for_labs();
    world.up(
        "name = \"l\"\n[nodes.\"h[1-150]\"]\n[nodes.a]\n[networks.lan]\nsubnet = \"10.0.0.0/24\"\nmembers = [\"a\"]\n",
    );
    world.sh("mkdir -p /run/nsnet/etc/l.other/hosts");
    assert!(world.fails(1, "lab down l").contains("cannot read the files in '/run/nsnet/etc/l.other'"));
    world.sh("rm -r /run/nsnet/etc/l.other");
    assert_eq!(world.drift(), [""; 0]);
    world.ok("-q lab down l");
}

#[test]
fn a_signal_that_is_ignored_interrupts_nothing() {
    let world = World::for_labs();
    let file = world.lab_file(&format!("{OUTER}[[nodes.h1.run]]\ncommand = \"exec sleep 1000\"\n"));
    let up =
        format!("exec strace -qq -o /dev/null -e trace=rename -e inject=rename:signal=HUP:when=1 $NSNET lab up {file}");
    let ended = world.shell(&up);
    assert!(ended.err.contains("it was interrupted") || ended.signal() == Some(1), "{ended}");
    assert!(!world.drift().is_empty(), "{ended}");
    world.shell(&format!("trap '' HUP; {up}")).ok();
    assert_eq!(world.drift(), [""; 0]);
    world.ok("lab down outer");
}

#[test]
fn values_of_settings_are_compared_as_the_kernel_writes_them() {
    let world = World::for_labs();
    let text = |value: &str| format!("name = \"outer\"\n[nodes.a]\nsysctl = {{ {value} }}\n");
    world.up(&text("\"net.ipv4.ip_local_port_range\" = \" 2000   3000 \""));
    assert_eq!(world.drift(), [""; 0]);
    let file = world.lab_file(&text("\"net.ipv4.ip_local_reserved_ports\" = \"1,2,3\""));
    let err = world.shell(&format!("$NSNET lab up {file}")).fails(2);
    assert!(
        err.contains("'net.ipv4.ip_local_reserved_ports' reads '1-3' when it was set to '1,2,3': write it so"),
        "{err}"
    );
    world.up(&text("\"net.ipv4.ip_local_reserved_ports\" = \"1-3\""));
    assert_eq!(world.drift(), [""; 0]);
}

#[test]
fn a_setting_that_the_kernel_refuses_leaves_no_mark() {
    let world = World::for_labs();
    world.up(OUTER);
    let loopback = world.sh("ip -n outer.h1 -d link show lo");
    let setting = "[nodes.h1]\nsysctl = { \"net.ipv4.conf.eth0.rp_filter\" = \"1\" }";
    let file = world.lab_file(&OUTER.replace("[nodes.h1]", setting));
    let refused = "strace -f -qq -o /dev/null -P /proc/sys/net/ipv4/conf/eth0/rp_filter -e inject=write:error=EIO";
    let err = world.shell(&format!("{refused} $NSNET lab up {file}")).fails(1);
    assert!(err.contains("cannot set 'net.ipv4.conf.eth0.rp_filter'") && !err.contains("undone"), "{err}");
    assert_eq!(world.sh("ip -n outer.h1 -d link show lo"), loopback);
}

#[test]
fn an_address_that_is_about_to_go_is_made_to_stay() {
    let world = World::for_labs();
    world.up(&OUTER.replace("10.0.0.1/24", "10.0.0.1/24,fd09::1/64"));
    world.sh("for addr in 10.0.0.1/24 fd09::1/64; do
            ip -n outer.h1 addr change $addr dev eth0 valid_lft 1000 preferred_lft 1000
        done");
    let missing = ["10.0.0.1/24", "fd09::1/64"].map(|addr| format!("h1:eth0: the address {addr} is missing"));
    assert_eq!(world.drift(), missing);
    world.ok("lab up /run/lab.toml");
    assert_eq!(world.drift(), [""; 0]);
    assert_eq!(world.sh("ip -n outer.h1 addr show eth0 | grep -c 'valid_lft forever'").trim(), "3");
}

#[test]
fn both_names_of_forwarding_are_one_setting() {
    let world = World::for_labs();
    world.up("name = \"outer\"\n[nodes.a]\nsysctl = { \"net.ipv4.conf.all.forwarding\" = \"1\" }\n");
    assert_eq!(world.drift(), [""; 0]);
    assert_eq!(world.sh("ip netns exec outer.a sysctl -n net.ipv4.ip_forward"), "1\n");
}

#[test]
fn files_stay_where_they_are_when_another_place_can_be_written() {
    let world = World::for_labs();
    world.up(OUTER);
    world.sh("mount -t tmpfs tmpfs /etc; touch /etc/hosts");
    world.up(&OUTER
        .replace("[nodes.h1]", "[nodes.h3.interfaces.br]\nkind = \"bridge\"\naddrs = [\"10.3.0.1/24\"]\n[nodes.h1]"));
    assert_eq!(world.sh("ls -A /etc/netns"), "outer.h3\n");
    assert_eq!(world.sh("ls -A /run/nsnet/etc"), "outer.h1\nouter.h2\n");
    assert!(world.ok("lab exec outer/h1 cat /etc/hosts").contains("h3"));
    assert_eq!(world.drift(), [""; 0]);
    world.ok("lab down outer");
    assert_eq!(world.sh("ls -A /etc/netns /run/nsnet/etc"), "/etc/netns:\n\n/run/nsnet/etc:\n");
}

#[test]
fn a_lab_that_never_was_leaves_no_lock() {
    let world = World::for_labs();
    world.lab_file(&format!("name = \"never\"\n[nodes.a]\n{ENDS}\n"));
    let locks = || world.sh("ls /run/nsnet | grep lab- || :");
    world.fails(1, "lab up /run/lab.toml");
    assert_eq!(locks(), "");
    world.up("name = \"never\"\n[nodes.a]\n");
    assert_eq!(locks(), "lab-never\n");
    world.ok("lab down never");
    assert_eq!(locks(), "");
}

#[test]
fn a_command_in_all_nodes_goes_on_where_signals_are_ignored() {
    let world = World::for_labs();
    world.up(OUTER);
    // The command in a node sends it to nsnet, which is the parent of its shell.
    let script =
        "trap '' HUP INT TERM QUIT; $NSNET lab exec outer --all sh -c 'kill -HUP $PPID; kill -TERM $PPID; echo on'";
    let mut lines: Vec<String> = world.sh(script).lines().map(str::to_owned).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["h1: on", "h2: on"]);
}

#[test]
fn the_setting_of_a_link_that_had_gone_does_not_keep_an_undo_from_its_end() {
    let world = World::for_labs();
    let text = OUTER.replace("[nodes.h1]", "[nodes.h1]\nsysctl = { \"net.ipv4.conf.eth0.rp_filter\" = \"1\" }");
    world.up(&text);
    world.sh("ip -n outer.h1 link del eth0");
    let loopback = world.sh("ip -n outer.h1 -d link show lo");
    world.lab_file(&text.replace("[nodes.h2]", &format!("[nodes.h2]\n{ENDS}")));
    let err = world.fails(1, "lab up /run/lab.toml");
    assert!(!err.contains("undone"), "{err}");
    assert_eq!(world.sh("ip -n outer.h1 -d link show lo"), loopback);
    world.up(&text);
    assert_eq!(world.drift(), [""; 0]);
}
