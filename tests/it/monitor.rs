//! monitor: names as they come and go.

use std::{
    ffi::OsStr,
    fs::File,
    os::{
        fd::AsFd,
        unix::{ffi::OsStrExt, process::ExitStatusExt},
    },
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::json;

use super::support::{Background, World, json};

#[test]
fn each_change_is_a_line_at_once_in_the_words_of_ip() {
    let world = World::new();
    let mut monitor = world.monitor("");
    for add_and_del in [["$NSNET add a", "$NSNET del a"], ["ip netns add a", "ip netns del a"]] {
        world.sh(add_and_del[0]);
        assert_eq!(monitor.line(), "add a\n");
        world.sh(add_and_del[1]);
        assert_eq!(monitor.line(), "delete a\n");
    }
    world.sh("$NSNET add b; $NSNET attach c $$");
    assert_eq!([monitor.line(), monitor.line()], ["add b\n", "add c\n"]);
}

#[test]
fn a_namespace_can_be_entered_as_soon_as_it_is_announced() {
    let world = World::new();
    let mut monitor = world.monitor("");
    let _adds = world.start("echo; for n in $(seq 30); do ip netns add i$n; $NSNET add n$n; done; exec cat");
    for _ in 0..60 {
        let line = monitor.line();
        let name = line.strip_prefix("add ").unwrap().trim_end();
        let path = format!("/proc/{}/root/run/netns/{name}", world.pid());
        let enter = || {
            let ns = File::open(&path).unwrap();
            move_into_link_name_space(ns.as_fd(), Some(LinkNameSpaceType::Network))
        };
        // Only this thread goes there, and it ends.
        assert_eq!(thread::scope(|scope| scope.spawn(enter).join().unwrap()), Ok(()), "{name}");
    }
}

#[test]
fn the_directory_may_be_made_and_mounted_over_while_it_is_watched() {
    for add in ["$NSNET add a", "ip netns add a"] {
        for world in [World::new(), World::shared()] {
            let mut monitor = world.monitor("");
            world.sh(add);
            assert_eq!(monitor.line(), "add a\n");
        }
    }
}

#[test]
fn a_rename_is_a_deletion_and_an_addition() {
    let world = World::new();
    world.sh("$NSNET add a");
    let mut monitor = world.monitor("");
    world.ok("rename a b");
    // The new name is there first; whoever looks late sees both at once.
    let mut renamed = lines(&world, &mut monitor);
    renamed.sort();
    assert_eq!(renamed, ["add b\n", "delete a\n"]);
    world.sh("ln -s b /run/netns/link");
    assert_eq!(lines(&world, &mut monitor), ["add link\n"]);
    world.ok("rename link knil");
    assert_eq!(lines(&world, &mut monitor), ["delete link\n", "add knil\n"]);
}

#[test]
fn names_that_die_and_come_to_life_while_the_watch_begins_are_announced() {
    let world = World::new();
    world.sh("$NSNET add a b; touch /run/netns/dead");
    // It looks at the names only after a while.
    let slow = "-e inject=inotify_add_watch:delay_exit=500000";
    let mut monitor = world.start(&format!(
        "exec strace -D -qq -o /dev/stdout -e signal=none -e trace=inotify_add_watch {slow} $NSNET monitor"
    ));
    world.sh("umount /run/netns/a; mount --bind /run/netns/b /run/netns/dead; ip netns add new");
    assert_eq!(lines(&world, &mut monitor), ["add dead\n", "add new\n"]);
    world.sh("rm /run/netns/a");
    assert_eq!(lines(&world, &mut monitor), ["delete a\n"]);
}

#[test]
fn what_is_no_namespace_neither_comes_nor_goes() {
    let world = World::new();
    let clutter = |when: &str| format!("touch {when}-dead; echo x >{when}-text; mkdir {when}-dir; mkfifo {when}-fifo");
    world.sh(&format!("$NSNET add a; cd /run/netns; {}", clutter("old")));
    let mut monitor = world.monitor("");
    world.sh(&format!("cd /run/netns; {}; ln -s nowhere new-link; rm -r old-* new-*; $NSNET add b", clutter("new")));
    assert_eq!(monitor.line(), "add b\n");
}

#[test]
fn a_dead_name_is_announced_when_it_comes_to_life() {
    let world = World::new();
    world.sh("$NSNET add a; touch /run/netns/bound /run/netns/replaced");
    let mut monitor = world.monitor("");
    world.sh("touch /run/netns/new");
    for name in ["bound", "new"] {
        world.sh(&format!("mount --bind /run/netns/a /run/netns/{name}"));
        // A mount and a name are heard in two ways: what came first of the two is not promised.
        assert_eq!(monitor.line(), format!("add {name}\n"));
    }
    world.ok("add replaced");
    assert_eq!(lines(&world, &mut monitor), ["add replaced\n"]);
}

#[test]
fn json_is_one_value_a_line_whatever_the_name() {
    let world = World::new();
    let mut monitor = world.monitor("-j -p");
    for (name, fields) in [
        (&b"red"[..], json!({ "name": "red" })),
        (b"quote\" back\\slash\nnew line\t", json!({ "name": "quote\" back\\slash\nnew line\t" })),
        (b"\xff", json!({ "name": "\u{fffd}", "name_bytes": "ff" })),
        ("grün".as_bytes(), json!({ "name": "grün" })),
    ] {
        for (verb, event) in [("add", "add"), ("del", "delete")] {
            world.nsnet([OsStr::new(verb), OsStr::from_bytes(name)]).ok();
            let mut expected = fields.clone();
            expected["event"] = event.into();
            assert_eq!(json(&monitor.line()), expected);
        }
    }
}

#[test]
fn it_ends_quietly_when_the_reader_leaves() {
    let world = World::new();
    let mut monitor = world.monitor("");
    monitor.hang_up();
    world.ok("add a");
    assert_eq!(monitor.wait().code(), Some(0));
    assert_eq!(world.sh("cat /run/monitor.err"), "");
}

#[test]
fn signals_end_it() {
    let world = World::new();
    for (name, number) in [("INT", 2), ("TERM", 15)] {
        let mut monitor = world.monitor("");
        world.sh(&format!("kill -{name} {}; $NSNET add {name}", monitor.pid()));
        assert_eq!(monitor.line(), "");
        assert_eq!(monitor.wait().signal(), Some(number));
        assert_eq!(world.sh("cat /run/monitor.err"), "");
    }
}

/// All lines about what was done so far.
fn lines(world: &World, monitor: &mut Background) -> Vec<String> {
    world.sh("ip netns add end");
    let lines: Vec<_> = std::iter::from_fn(|| Some(monitor.line())).take_while(|line| line != "add end\n").collect();
    world.sh("ip netns del end");
    assert_eq!(monitor.line(), "delete end\n");
    lines
}

#[test]
fn it_says_so_when_the_directory_is_removed() {
    let world = World::new();
    world.sh("mkdir /run/netns");
    let mut monitor = world.monitor("");
    world.sh("rmdir /run/netns");
    assert_eq!(monitor.wait().code(), Some(1));
    assert!(world.sh("cat /run/monitor.err").contains("the directory was removed"));
}
