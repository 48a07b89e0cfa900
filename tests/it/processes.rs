//! identify, pids, set and list-id: who lives where, and by which number it is known.

use std::sync::mpsc;

use nsnet::{Netns, NsRef};
use serde_json::{Value, json};

use crate::support::{Background, World, is_real_root, json as parse};

fn world(names: &str) -> World {
    let world = World::new();
    if !names.is_empty() {
        world.ok(&format!("add {names}"));
    }
    world
}

/// A process that lives in a namespace of the world.
fn resident(world: &World, name: &str) -> Background {
    world.start(&format!("exec $NSNET exec {name} sh -c 'echo ready; exec sleep 1000'"))
}

/// Runs work while a thread of this very process lives in a namespace of the world.
fn with_a_thread_in<T>(world: &World, name: &str, work: impl FnOnce() -> T) -> T {
    let path = format!("/proc/{}/root/run/netns/{name}", world.pid());
    let ns = Netns::open(&NsRef::Path(path.into())).unwrap();
    let (moved, is_there) = mpsc::channel();
    let (done, until_done) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            ns.run(move || {
                moved.send(()).unwrap();
                // Ends when the sender is dropped, also by a panic.
                let _ = until_done.recv();
            })
        });
        is_there.recv().unwrap();
        let _until_done = done;
        work()
    })
}

/// Runs nsnet as nobody in particular, who may look at no other's process.
fn unprivileged(world: &World, line: &str) -> crate::support::Ran {
    let become_nobody =
        if is_real_root() { "setpriv --reuid=65534 --regid=65534 --clear-groups" } else { "unshare --user" };
    world.shell(&format!("{become_nobody} $NSNET {line}"))
}

// ---- identify ----

#[test]
fn identify_prints_every_name_sorted() {
    let world = world("red");
    world.sh(
        "ln -s red /run/netns/alias; touch /run/netns/z; mount --bind /run/netns/red /run/netns/z; ip netns add other",
    );
    let process = resident(&world, "red");
    assert_eq!(world.ok(&format!("identify {}", process.pid())), "alias\nred\nz\n");
}

#[test]
fn identify_without_a_pid_is_about_the_current_namespace() {
    let world = world("red");
    assert_eq!(world.sh("$NSNET exec red $NSNET identify"), "red\n");
    assert_eq!(world.ok("-n red identify"), "red\n");
    assert_eq!(world.sh("nsenter --net=/run/netns/red $NSNET netns identify $$"), world.sh("ip netns identify $$"));
}

#[test]
fn no_name_is_an_empty_line() {
    let world = world("red");
    world.sh(": >/run/netns/dead");
    let ran = world.nsnet(["identify"]);
    assert_eq!((ran.out.as_str(), ran.err.as_str(), ran.status.code()), ("\n", "", Some(0)), "{ran}");
    assert_eq!(world.ok("-j identify"), "[]\n");
    let nothing_ever_named = World::new();
    assert_eq!(nothing_ever_named.ok("identify"), "\n");
}

#[test]
fn identify_has_json() {
    let world = world("red");
    world.sh("ln -s red \"$(printf '/run/netns/a\\377')\"");
    let names = parse(&world.ok("-j -n red identify"));
    assert_eq!(names, json!([{"name": "a\u{fffd}", "name_bytes": "61ff"}, {"name": "red"}]));
}

#[test]
fn identify_says_why_it_cannot() {
    let world = world("");
    assert_eq!(world.fails(1, "identify 4194304"), "nsnet: cannot open 'pid:4194304': no such process\n");
    for line in ["identify abc", "identify 0", "identify -1", "identify 1 2", "identify -- -1"] {
        world.fails(2, line);
    }
    let ran = unprivileged(&world, "identify $PPID");
    if is_real_root() {
        assert!(ran.fails(1).starts_with("nsnet: cannot open 'pid:"));
    }
}

// ---- pids ----

#[test]
fn pids_are_those_of_ip() {
    let world = world("red blue");
    let mut living = [resident(&world, "red").pid(), 0];
    let processes = [resident(&world, "red"), resident(&world, "red"), resident(&world, "blue")];
    living.copy_from_slice(&[processes[0].pid(), processes[1].pid()]);
    living.sort_unstable();
    let out = world.ok("pids red");
    assert_eq!(out, living.map(|pid| format!("{pid}\n")).concat());
    assert_eq!(out, world.sh("ip netns pids red"));
}

#[test]
fn nobody_is_an_empty_answer() {
    let world = world("red");
    assert_eq!(world.ok("pids red"), "");
    assert_eq!(world.ok("-j pids red"), "[]\n");
}

#[test]
fn a_thread_that_moved_is_found_and_marked() {
    let world = world("red");
    let process = resident(&world, "red");
    let this = std::process::id();
    let (text, machine) = with_a_thread_in(&world, "red", || (world.ok("pids red"), parse(&world.ok("-j pids red"))));
    let mut pids = [process.pid(), this];
    pids.sort_unstable();
    assert_eq!(text, pids.map(|pid| format!("{pid}\n")).concat());
    let of = |pid| machine.as_array().unwrap().iter().find(|row| row["pid"] == pid).unwrap().clone();
    assert_eq!(of(process.pid()), json!({"pid": process.pid(), "command": "sleep"}));
    let thread = of(this)["moved_thread"].as_u64().unwrap();
    assert_ne!(thread, u64::from(this));
    assert_eq!(world.ok(&format!("identify {this}")), "\n", "the process itself did not move");
    let processes = world.ok("pids red");
    assert_eq!(processes, format!("{}\n", process.pid()), "the thread ended");
}

#[test]
fn a_process_with_many_threads_inside_is_one_line() {
    let world = world("red");
    let this = std::process::id();
    let out = with_a_thread_in(&world, "red", || with_a_thread_in(&world, "red", || world.ok("pids red")));
    assert_eq!(out, format!("{this}\n"));
}

#[test]
fn what_cannot_be_looked_at_is_said_on_stderr_only() {
    let world = world("red");
    let _process = resident(&world, "red");
    let ran = unprivileged(&world, "pids red");
    assert_eq!((ran.out.as_str(), ran.status.code()), ("", Some(0)), "{ran}");
    let (count, rest) = ran.err.strip_prefix("nsnet: warning: ").unwrap().split_once(' ').unwrap();
    assert!(count.parse::<u32>().unwrap() > 0, "{ran}");
    assert_eq!(rest, "processes may not be looked at, and may live there too\n");
    assert_eq!(unprivileged(&world, "-q pids red").err, "");
    let machine = parse(&unprivileged(&world, "-j pids red").err);
    assert!(
        machine["warning"].as_str().unwrap().ends_with("processes may not be looked at, and may live there too"),
        "{machine}"
    );
}

#[test]
fn pids_says_why_it_cannot() {
    let world = world("");
    world.sh("mkdir /run/netns; : >/run/netns/dead");
    assert_eq!(
        world.fails(1, "pids nope"),
        "nsnet: cannot open namespace 'nope': there is no such name in '/run/netns'\n"
    );
    assert!(world.fails(1, "pids dead").contains("the name is dead"));
    world.fails(2, "pids");
}

// ---- set and list-id ----

/// Two names with ids here, and one that red knows as well.
fn world_with_ids() -> World {
    let world = world("red blue green");
    world.sh(": >/run/netns/dead; mkdir /run/netns/dir");
    world.ok("set red 10");
    world.ok("set blue 4");
    world.ok("-n red set blue 20");
    world.ok("-n red set green 7");
    world
}

#[test]
fn ids_are_those_of_ip() {
    let world = world_with_ids();
    for words in ["", "nsid 10", "target-nsid 10", "target-nsid 10 nsid 4", "nsid 10 target-nsid 10"] {
        let ran = world.nsnet(format!("list-id {words}").split_ascii_whitespace());
        assert_eq!(ran.err, "", "{ran}");
        // ip has something to say about the dead one.
        assert_eq!(ran.ok(), world.sh(&format!("ip netns list-id {words} 2>/dev/null")), "{words}");
        let machine = parse(&world.ok(&format!("-j list-id {words}")));
        assert_eq!(machine, world.ip_json(&format!("netns list-id {words} 2>/dev/null")), "{words}");
    }
    assert_eq!(world.ok("list-id"), "nsid 4 (iproute2 netns name: blue)\nnsid 10 (iproute2 netns name: red)\n");
    assert_eq!(world.ok("list"), world.sh("ip netns list 2>/dev/null | sort"));
}

#[test]
fn an_id_without_a_name_is_listed_without_one() {
    let world = world("red");
    world.ok("set red 3");
    let _process = resident(&world, "red");
    // The id stays for as long as the namespace lives.
    world.ok("del --no-wait red");
    assert_eq!(world.ok("list-id"), "nsid 3 \n");
    assert_eq!(world.ok("-j list-id"), "[{\"nsid\":3}]\n");
}

#[test]
fn ids_belong_to_a_namespace() {
    let world = world_with_ids();
    assert_eq!(
        world.ok("-n red list-id"),
        "nsid 7 (iproute2 netns name: green)\nnsid 20 (iproute2 netns name: blue)\n"
    );
    assert_eq!(world.ok("-j -n blue list-id"), "[]\n");
    assert_eq!(world.ok("-n blue list-id"), "");
}

#[test]
fn auto_is_any_id_that_is_free() {
    let world = world("red blue");
    world.ok("set red 0");
    world.ok("netns set blue auto");
    assert_eq!(world.ok("list"), "blue (id: 1)\nred (id: 0)\n");
}

#[test]
fn the_largest_id_is_an_id() {
    let world = world("red");
    world.ok("set red 2147483647");
    assert_eq!(world.ok("list-id"), "nsid 2147483647 (iproute2 netns name: red)\n");
}

#[test]
fn an_id_that_cannot_be_set_is_refused_in_the_kernels_words() {
    let world = world_with_ids();
    world.sh("mkfifo /run/netns/pipe");
    for (line, err) in [
        ("set red 10", "cannot set the id of 'red': Peer netns already has a nsid assigned: File exists (os error 17)"),
        (
            "set red auto",
            "cannot set the id of 'red': Peer netns already has a nsid assigned: File exists (os error 17)",
        ),
        ("set green 4", "cannot set the id of 'green': The specified nsid is already used: File exists (os error 17)"),
        ("set nope 5", "cannot open namespace 'nope': there is no such name in '/run/netns'"),
        (
            "set dead 5",
            "cannot open namespace 'dead': the name is dead: no namespace stands behind it; 'nsnet prune' removes such names",
        ),
        ("set pipe 5", "cannot open namespace 'pipe': it is a FIFO"),
    ] {
        assert_eq!(world.fails(1, line), format!("nsnet: {err}\n"), "{line}");
    }
    for id in ["-1", "2147483648", "99999999999", "foo", "0x5", ""] {
        let err = world.nsnet(["set", "green", id]).fails(2);
        assert!(err.contains("an id is a number from 0 to 2147483647"), "{err}");
    }
    world.fails(2, "set green");
    world.fails(2, "set");
    assert_eq!(world.ok("list-id").lines().count(), 2, "nothing was set");
}

#[test]
fn set_and_attach_ignore_extra_words() {
    let world = world("red");
    let process = resident(&world, "red");
    world.ok("set red 5 and more --words");
    world.ok(&format!("attach other {} and more --words", process.pid()));
    assert_eq!(world.ok("list"), "other (id: 5)\nred (id: 5)\n");
    assert_eq!(world.ok("list-id"), "nsid 5 (iproute2 netns name: other)\n", "the first of its names");
    world.sh("ip netns add -dash; $NSNET set -- -dash 6 and more");
    assert_eq!(world.ok("list-id nsid 6"), "nsid 6 (iproute2 netns name: -dash)\n");
}

#[test]
fn ids_that_make_no_sense_are_usage_errors() {
    let world = world("red");
    for words in ["nsid", "nsid x", "nsid -1", "frob", "target-nsid", "nsid 1 nsid 2", "target-nsid 2147483648"] {
        let ran = world.nsnet(format!("list-id {words}").split_ascii_whitespace());
        assert_eq!((ran.status.code(), ran.out.as_str()), (Some(2), ""), "{ran}");
    }
    assert_eq!(
        world.fails(2, "list-id nsid -1"),
        "nsnet: 'nsid -1' is wrong: an id is a number from 0 to 2147483647\n"
    );
}

#[test]
fn an_unknown_id_is_an_error_with_the_kernels_words() {
    let world = world_with_ids();
    let err = world.fails(1, "list-id nsid 77");
    assert_eq!(
        err,
        "nsnet: cannot find the id 77 in the current namespace: Peer netns reference is invalid: \
         No such file or directory (os error 2)\n"
    );
    let err = world.fails(1, "list-id nsid 4 target-nsid 77");
    assert_eq!(
        err,
        "nsnet: cannot find the id 4, and what it is to 77, in the current namespace: Target netns reference is invalid: \
         Invalid argument (os error 22)\n"
    );
    let err = world.fails(1, "list-id target-nsid 77");
    assert_eq!(
        err,
        "nsnet: cannot list the ids in the namespace with id 77: Invalid target network namespace id: \
         Invalid argument (os error 22)\n"
    );
    let machine = parse(&world.fails(1, "-j list-id nsid 77"));
    assert_eq!((&machine["kind"], &machine["errno"]), (&json!("not_found"), &json!(2)), "{machine}");
}

#[test]
fn nothing_has_an_id_in_an_empty_world() {
    let world = world("");
    assert_eq!(world.ok("list-id"), "");
    assert_eq!(parse(&world.ok("-j list-id")), Value::Array(Vec::new()));
}

#[test]
fn set_answers_in_json_too() {
    let world = world("red");
    assert_eq!(world.ok("-j set red 5"), "[]\n");
}
