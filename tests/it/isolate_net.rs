//! `isolate` and the network: wired to the host, joined, named; ready at once, and gone with the command.

use crate::support::{World, is_real_root, json, run_together};

const WIRED: &str = "--veth h0=10.9.0.1/30,fd09::1/64 i0=10.9.0.2/30,fd09::2/64";

#[test]
fn lo_is_up_and_everybody_may_ping() {
    let world = World::new();
    let addrs = world.sh("$NSNET isolate ip -br addr");
    assert_eq!(addrs, "lo               UNKNOWN        127.0.0.1/8 ::1/128 \n");
    world.sh("$NSNET isolate sh -c 'ping -c1 -W1 127.0.0.1 && ping -c1 -W1 ::1'");
    let range = world.sh("$NSNET isolate cat /proc/sys/net/ipv4/ping_group_range");
    assert_eq!(
        range.split_whitespace().collect::<Vec<_>>(),
        if is_real_root() { ["0", "2147483647"] } else { ["0", "0"] }
    );
    if is_real_root() {
        // No capability, no set-uid program: the kernel lets the group.
        world.sh("cp $(command -v ping) /run/ping; $NSNET isolate setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all \
                  --inh-caps=-all /run/ping -c1 -W1 127.0.0.1");
    }
}

/// A lost first packet is sent again after a second.
#[test]
fn the_first_ping_answers_at_once_both_ways_and_a_rerun_meets_no_leftovers() {
    let world = World::new();
    for round in 0..25 {
        let out = world.sh(&format!(
            "$NSNET isolate {WIRED} --route 'default via 10.9.0.1' sh -c 'ping -c1 -W0.5 10.9.0.1 && ping -c1 -W0.5 fd09::1 && ip route' "
        ));
        assert!(out.contains("default via 10.9.0.1 dev i0"), "{round}: {out}");
        world.sh("! ip link show h0 2>/dev/null");
        // From outside in, where nobody inside has spoken before.
        let mut waiting = world.start(&format!("exec $NSNET isolate {WIRED} sh -c 'echo ready; exec cat'"));
        world.sh(if round % 2 == 0 { "ping -c1 -W0.5 10.9.0.2" } else { "ping -c1 -W0.5 fd09::2" });
        waiting.hang_up();
        drop(waiting);
        world.sh("while ip link show h0 2>/dev/null; do :; done");
    }
}

#[test]
fn several_pairs_lead_to_several_places() {
    let world = World::new();
    world.sh("$NSNET add red");
    let out = world.sh(
        "$NSNET isolate --veth h0=10.1.0.1/24 i0=10.1.0.2/24 --veth red:r0=10.2.0.1/24 i1=10.2.0.2/24 --route '10.3.0.0/24 via 10.2.0.1 dev i1' \
         --route 'blackhole 10.4.0.0/24' sh -c 'ping -qc1 -W1 10.1.0.1 >/dev/null && ping -qc1 -W1 10.2.0.1 >/dev/null && ip -br link | cut -d@ -f1; ip route'",
    );
    assert!(out.starts_with("lo ") && out.contains("\ni0\ni1\n"), "{out}");
    assert!(out.contains("10.3.0.0/24 via 10.2.0.1 dev i1") && out.contains("blackhole 10.4.0.0/24"), "{out}");
    world.sh("! ip link show h0 2>/dev/null; ! ip -n red link show r0 2>/dev/null");
    let error = world.fails(125, "isolate --veth h0 i0 --veth h0 i1 true");
    assert!(error.contains("the name 'h0' is taken"), "{error}");
    world.sh("! ip link show h0 2>/dev/null");
    let error = world.nsnet(["isolate", "--veth", "h0", "i0", "--route", "10.0.0.0/8 via 1.2.3.4", "true"]).fails(125);
    assert!(error.contains("cannot add route") || error.contains("invalid gateway"), "{error}");
    world.sh("! ip link show h0 2>/dev/null");
}

#[test]
fn a_namespace_can_be_joined() {
    let world = World::new();
    world.sh("$NSNET add red; ip -n red link add mark0 type veth peer name mark1");
    for options in ["", "--map-root", "--init", "--all --map-root"] {
        let seen = world.sh(&format!(
            "$NSNET isolate --netns red {options} sh -c 'ip -br link; readlink /proc/self/ns/net; echo $$'"
        ));
        assert!(seen.contains("mark0@mark1"), "{options}: {seen}");
        let inode = world.sh("stat -L -c %i /run/netns/red");
        assert!(seen.contains(&format!("net:[{}]", inode.trim())), "{options}: {seen}");
    }
    let sys = world.sh("$NSNET -n red isolate ls /sys/class/net");
    assert_eq!(sys, "lo\nmark0\nmark1\n");
    // What is wired into it goes again, and the namespace stays.
    world.sh("$NSNET isolate --netns red --veth h0=10.5.0.1/30 i0=10.5.0.2/30 ping -qc1 -W1 10.5.0.1");
    assert!(!world.sh("ip -n red -br link").contains("i0"));
    for _ in 0..2 {
        world.sh("$NSNET isolate --netns red --route '10.9.0.0/16 dev lo' ip route show 10.9.0.0/16 | grep -q dev");
    }
    assert_eq!(world.sh("ip -n red route show 10.9.0.0/16"), "");
    // A user namespace of its own has no say over a network namespace of others.
    world.sh("! $NSNET isolate --netns red --map-root ip link set mark0 up 2>/dev/null");
    // Nor are they left where the rest fails, or one of them.
    let routes = "--route '10.9.0.0/16 dev lo'";
    for wrong in ["--pidfile /nope/x", "--route 'default via 203.0.113.9'", routes] {
        world.shell(&format!("$NSNET isolate --netns red {routes} {wrong} true")).fails(125);
        assert_eq!(world.sh("ip -n red route show 10.9.0.0/16"), "", "{wrong}");
    }
    let error = world.fails(125, "isolate --netns nope true");
    assert!(error.contains("there is no such name"), "{error}");
}

#[test]
fn a_name_is_listed_while_the_command_runs() {
    let world = World::new();
    let mut command =
        world.start("exec $NSNET isolate --name box --hostname inside sh -c 'readlink /proc/self/ns/net; read line'");
    assert_eq!(world.ok("list"), "box\n");
    let inode = json(&world.ok("-j list"))[0]["inode"].to_string();
    let seen = world.ok("exec box readlink /proc/self/ns/net");
    assert_eq!(seen, format!("net:[{inode}]\n"));
    command.say("\n");
    assert_eq!(command.wait().code(), Some(0));
    assert_eq!(world.ok("list"), "");
    assert_eq!(world.namespace_mounts(), 0);
}

#[test]
fn a_name_that_somebody_took_over_is_not_removed() {
    let world = World::new();
    for signal in ["KILL", "TERM"] {
        let mut command = world.start("exec $NSNET isolate --name box sh -c 'echo ready; exec cat'");
        world.sh("$NSNET del --no-wait box && $NSNET add box");
        let before = world.sh("stat -L -c %i /run/netns/box");
        world.sh(&format!("kill -{signal} {}", command.pid()));
        while !command.line().is_empty() {}
        command.wait();
        assert_eq!(world.sh("stat -L -c %i /run/netns/box"), before, "{signal}");
        world.sh("$NSNET del box");
    }
}

#[test]
fn the_name_goes_without_its_keeper_too_and_who_delays_it_is_named() {
    let world = World::new();
    let mut command = world.start("exec $NSNET isolate --name box sh -c 'echo ready; read line; exit 6'");
    let keeper = world.sh(&format!("pgrep -x nsnet-keeper -P {}", command.pid()));
    world.sh(&format!("kill -9 {}", keeper.trim()));
    command.say("\n");
    assert_eq!(command.wait().code(), Some(6));
    assert_eq!(world.ok("list"), "");
}

#[test]
fn many_at_once_do_not_disturb_each_other() {
    let world = World::new();
    let commands = (0..12).map(|at| {
        let mut command = world.command("sh");
        let script = format!(
            "for i in 1 2 3 4; do $NSNET isolate --name n{at} --veth h{at}=10.20.{at}.1/30 i0=10.20.{at}.2/30 ping -qc1 -W1 10.20.{at}.1 || exit 1; done"
        );
        command.args(["-c", &script]);
        command
    });
    for ran in run_together(commands) {
        ran.ok();
    }
    assert_eq!(world.ok("list"), "");
    assert_eq!(world.sh("ip -o link | wc -l"), "1\n");
}

#[test]
fn names_of_links_are_checked_not_cut() {
    let world = World::new();
    let error = world.fails(2, "isolate --veth sixteen-bytes-xx i0 true");
    assert!(error.contains("longer than 15 bytes"), "{error}");
    world.ok("isolate --veth fifteen-bytes-x fifteen-bytes-y true");
}

#[test]
fn name_servers_are_of_inside() {
    let world = World::new();
    let before = world.sh("cat /etc/resolv.conf");
    let inside = world.sh("$NSNET isolate --dns 192.0.2.53 --dns 2001:db8::53 cat /etc/resolv.conf");
    assert_eq!(inside, "nameserver 192.0.2.53\nnameserver 2001:db8::53\n");
    assert_eq!(world.sh("$NSNET isolate --map-root --dns 192.0.2.53 cat /etc/resolv.conf"), "nameserver 192.0.2.53\n");
    assert_eq!(world.sh("cat /etc/resolv.conf"), before);
    assert_eq!(world.sh("umask 077; $NSNET isolate --dns 192.0.2.53 stat -c %a /etc/resolv.conf"), "644\n");
    // Those of the name, as for exec.
    world.sh("mount -t tmpfs t /etc/netns 2>/dev/null || { mkdir /run/e && cp /etc/passwd /etc/group /etc/hosts /run/e; touch /run/e/resolv.conf; \
              mount --bind /run/e /etc; mkdir /etc/netns; }; mkdir /etc/netns/box; echo nameserver 192.0.2.1 > /etc/netns/box/resolv.conf");
    assert_eq!(world.sh("$NSNET isolate --name box cat /etc/resolv.conf"), "nameserver 192.0.2.1\n");
    world.sh("$NSNET add box");
    assert_eq!(world.sh("$NSNET isolate --netns box cat /etc/resolv.conf"), "nameserver 192.0.2.1\n");
}
