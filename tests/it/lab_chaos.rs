//! Labs that are refused, interrupted and killed at any point.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    lab_up::Ping,
    support::{Ran, World},
};

const BEFORE: &str = r#"
name = "lab"
[nodes.a]
sysctl = { "net.ipv4.ip_default_ttl" = "32" }
[nodes.c]
[networks.lan]
subnet = "10.1.0.0/24"
members = ["a", "b"]
[[links]]
ends = ["a:p=10.0.0.1/30", "b:p=10.0.0.2/30"]
[[links]]
ends = ["a:q=10.0.1.1/30", "c:q=10.0.1.2/30"]
[nodes.b]
routes = ["10.7.0.0/16 via 10.0.0.1"]
"#;

/// Nodes, links, addresses, routes and settings more and less, and a link that leads elsewhere.
const AFTER: &str = r#"
name = "lab"
[nodes.a]
[nodes.d]
sysctl = { "net.ipv4.ip_default_ttl" = "33" }
[networks.lan]
subnet = "10.1.0.0/24"
members = ["a", "b", "d"]
[[links]]
ends = ["a:p=10.0.0.1/30", "b:p=10.0.0.2/30"]
mtu = 1400
[[links]]
ends = ["a:q=10.0.1.1/30", "d:q=10.0.1.2/30"]
[[links]]
ends = [".:out=10.0.2.1/30", "d:out=10.0.2.2/30"]
[nodes.b]
routes = ["10.7.0.0/16 via 10.1.0.1"]
"#;

/// What libc and Rust's runtime call to start and end threads, for memory, and to close what they opened:
/// refused, they abort.
const BEYOND_REASON: [&str; 12] = [
    "brk",
    "close",
    "exit",
    "exit_group",
    "futex",
    "madvise",
    "mmap",
    "mprotect",
    "munmap",
    "rseq",
    "sigaltstack",
    "execve",
];

/// So many points of a run are tried; `NSNET_POINTS` is another number.
const POINTS: usize = 25;

/// A system call, and the how manieth of its thread.
type Call = (String, usize);

/// The system calls of a command from where its work begins, evenly chosen.
fn calls(world: &World, command: &str) -> Vec<Call> {
    let trace = world.sh(&format!("strace -f -qq -o /run/trace $NSNET {command} >/dev/null; cat /run/trace"));
    let (start, _) = trace.split_once("mkdir(\"/run/nsnet\"").expect("the lock comes first");
    let start = start.lines().count() - 1;
    let mut count = BTreeMap::<_, usize>::new();
    let mut calls = BTreeSet::new();
    for (n, line) in trace.lines().enumerate() {
        let (thread, call) = line.split_once(' ').unwrap();
        let Some((name, _)) = call.trim_start().split_once('(') else { continue };
        if name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            let when = count.entry((thread, name)).or_default();
            *when += 1;
            if n >= start {
                calls.insert((name.to_owned(), *when));
            }
        }
    }
    let calls: Vec<_> = calls.into_iter().filter(|(name, _)| !BEYOND_REASON.contains(&name.as_str())).collect();
    let step = calls.len().div_ceil(points()).max(1);
    calls.into_iter().step_by(step).collect()
}

fn points() -> usize {
    std::env::var("NSNET_POINTS").map_or(POINTS, |points| points.parse().unwrap())
}

/// Runs a command with something done to one system call of it.
fn inject(world: &World, (name, when): &Call, what: &str, command: &str) -> Ran {
    let filter = format!("-e trace={name} -e inject={name}:{what}:when={when}");
    world.shell(&format!("exec strace -f -qq -o /dev/null {filter} $NSNET {command}"))
}

/// Whether an up did what it should, even where it could not say so.
fn is_done(up: &Ran) -> bool {
    up.status.success() || up.err.contains("cannot write the answer")
}

/// All of the lab's, as ip and a shell see it.
fn kernel(world: &World) -> String {
    world.sh("ls /run/netns; for name in $(ls /run/netns); do echo $name; stat -c %i /run/netns/$name
         ip -n $name -o link | sed 's/ state [A-Z]* / /; s/,LOWER_UP//; s/NO-CARRIER,//'
         ip -n $name -o addr | grep -v 'inet6 fe80'; ip -n $name route; done
         for file in /run/nsnet/etc/*/*; do echo $file; cat $file; done; ip -o link | sed 's/ state [A-Z]* / /'")
}

#[test]
fn an_up_that_is_refused_any_system_call_leaves_the_lab_as_it_was() {
    let world = World::for_labs();
    world.up(BEFORE);
    world.lab_file(AFTER);
    let all = calls(&world, "lab up /run/lab.toml");
    world.up(BEFORE);
    // What it was before was deleted for good.
    let mut before = kernel(&world);
    let ping = Ping::start(&world, "lab.a", "10.1.0.2");
    for call in all {
        world.lab_file(AFTER);
        let refused = inject(&world, &call, "error=ENOMEM", "lab up /run/lab.toml");
        if !is_done(&refused) && !refused.err.contains("run 'nsnet lab up' again") {
            assert_eq!(refused.status.code(), Some(1), "{refused}");
            super::support::same(&format!("{refused}"), &kernel(&world), &before);
            continue;
        }
        world.ok("lab up /run/lab.toml");
        assert_eq!(world.drift(), [""; 0], "{refused}");
        world.up(BEFORE);
        before = kernel(&world);
    }
    ping.lost_nothing(&world);
}

/// The processes are looked through in each look, behind what else is looked at.
#[test]
fn an_up_of_which_a_look_fails_leaves_the_lab_as_it_was() {
    let world = World::for_labs();
    // A setting that is marked again is the last among the marks.
    world.up(AFTER);
    world.up(BEFORE);
    world.lab_file(AFTER);
    let before = kernel(&world);
    for look in 1..=2 {
        let refuse = format!("-P /proc -e inject=open,openat:error=ENOMEM:when={look}");
        let refused = world.shell(&format!("exec strace -f -qq -o /dev/null {refuse} $NSNET lab up /run/lab.toml"));
        assert_eq!(refused.status.code(), Some(1), "{refused}");
        assert_eq!(refused.err, "nsnet: cannot read '/proc': Cannot allocate memory (os error 12)\n");
        super::support::same(&format!("{refused}"), &kernel(&world), &before);
    }
}

#[test]
fn a_first_up_that_is_refused_any_system_call_leaves_nothing() {
    let world = World::for_labs();
    world.lab_file(AFTER);
    let all = calls(&world, "lab up /run/lab.toml");
    world.ok("lab down lab");
    for call in all {
        let refused = inject(&world, &call, "error=EIO", "lab up /run/lab.toml");
        if is_done(&refused) {
            assert_eq!(world.drift(), [""; 0], "{refused}");
            world.ok("lab down lab");
        } else {
            assert_eq!(refused.status.code(), Some(1), "{refused}");
            let left = world.sh("ls -A /run/netns; find /run/nsnet -path '*lab.*'; ip -o link | grep -v ' lo:' || :");
            assert_eq!(left, "", "{refused}");
        }
    }
}

#[test]
fn an_up_that_is_interrupted_anywhere_is_undone_or_done() {
    let world = World::for_labs();
    world.up(BEFORE);
    world.lab_file(AFTER);
    let all = calls(&world, "lab up /run/lab.toml");
    world.up(BEFORE);
    let mut before = kernel(&world);
    let ping = Ping::start(&world, "lab.a", "10.1.0.2");
    for (n, call) in all.into_iter().enumerate() {
        world.lab_file(AFTER);
        let signal = ["INT", "TERM", "HUP"][n % 3];
        let ended = inject(&world, &call, &format!("signal={signal}"), "lab up /run/lab.toml");
        if world.drift().is_empty() {
            world.up(BEFORE);
            before = kernel(&world);
        } else {
            super::support::same(&format!("{ended}"), &kernel(&world), &before);
        }
    }
    ping.lost_nothing(&world);
}

#[test]
fn an_up_that_is_killed_anywhere_is_completed_by_the_next_or_removed_by_down() {
    let world = World::for_labs();
    let other = BEFORE.replace("\"lab\"", "\"lab-x\"");
    world.up(&other);
    world.sh("ip netns add lab.h9");
    let others = || world.sh("cd /run/netns; stat -c '%n %i' lab-x.* lab.h9");
    let untouched = others();
    world.up(BEFORE);
    world.lab_file(AFTER);
    let all = calls(&world, "lab up /run/lab.toml");
    for (n, call) in all.into_iter().enumerate() {
        let from = if n % 2 == 0 { BEFORE } else { AFTER };
        let to = if n % 2 == 0 { AFTER } else { BEFORE };
        world.up(from);
        world.lab_file(to);
        let killed = inject(&world, &call, "signal=KILL", "lab up /run/lab.toml");
        if n % 3 == 2 {
            world.nsnet(["lab", "down", "lab"]);
            let left = world.sh("ls /run/netns | grep '^lab[.]' | grep -v h9 || :; find /run/nsnet -path '*/lab.*'; ip -o link | grep -v ' lo:' || :");
            assert_eq!(left, "", "{killed}");
        } else {
            world.ok("lab up /run/lab.toml");
            assert_eq!(world.drift(), [""; 0], "{killed}");
            world.ok("lab exec lab/a ping -c1 -W1 10.1.0.2");
        }
    }
    assert_eq!(others(), untouched);
    world.lab_file(&other);
    assert_eq!(world.drift(), [""; 0]);
}

#[test]
fn a_down_that_is_killed_anywhere_is_finished_by_the_next() {
    let world = World::for_labs();
    world.up(AFTER);
    let all = calls(&world, "lab down lab");
    for (n, call) in all.into_iter().enumerate() {
        world.up(AFTER);
        let killed = inject(&world, &call, "signal=KILL", "lab down lab");
        if n % 4 == 3 {
            world.ok("lab up /run/lab.toml");
            assert_eq!(world.drift(), [""; 0], "{killed}");
        } else {
            world.nsnet(["lab", "down", "lab"]);
            // The kernel may still be at what the killed one let go.
            let wait = "for n in $(seq 200); do ip -o link | grep -q out || break; done";
            let left = world
                .sh(&format!("ls -A /run/netns; find /run/nsnet -path '*/lab.*'; {wait}; ip -o link | grep out || :"));
            assert_eq!(left, "", "{killed}");
        }
    }
}
