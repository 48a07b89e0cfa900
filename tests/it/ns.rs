//! ns: namespaces of every kind, compared with what /proc says.

use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use super::support::{Background, World, json};

const KINDS: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

fn process(world: &World, unshare: &str) -> Background {
    world.start(&format!("exec {unshare} sh -c 'echo; read line'"))
}

fn inode(pid: u32, kind: &str) -> u64 {
    let link = std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
    link.to_str().unwrap().split(['[', ']']).nth(1).unwrap().parse().unwrap()
}

#[test]
fn the_namespaces_of_a_process_are_those_of_proc() {
    let world = World::new();
    world.sh("$NSNET add red");
    let inside = process(&world, "nsenter --net=/run/netns/red unshare --uts --user --map-root-user");
    let rows = json(&world.sh(&format!("$NSNET -j ns {}", inside.pid())));
    let rows = rows.as_array().unwrap();
    let kinds: Vec<_> = rows.iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, KINDS);
    for row in rows {
        assert_eq!(row["inode"], inode(inside.pid(), row["kind"].as_str().unwrap()));
        assert_eq!(row["command"], "sh");
    }
    assert_eq!(rows[3]["names"][0]["name"], "red");
    // Made in the new user namespace, so owned by it.
    assert_eq!(rows[7]["owner_inode"], rows[6]["inode"]);
    assert_eq!(rows[6]["parent_inode"], inode(world.pid(), "user"));
    let text = world.sh(&format!("$NSNET ns {}", inside.pid()));
    assert!(text.lines().any(|line| line.contains("net") && line.ends_with("red")), "{text}");
    // Without a process: where nsnet itself is.
    let own = json(&world.sh("$NSNET -j ns"));
    assert_eq!(own[3]["inode"], inode(world.pid(), "net"));
}

#[test]
fn comparing_answers_kind_by_kind_and_by_its_end() {
    let world = World::new();
    let [a, b] = [process(&world, ""), process(&world, "")];
    let other = process(&world, "unshare --uts --ipc");
    let compare = |a: u32, b: u32| world.nsnet(["-j", "ns", "compare", &a.to_string(), &b.to_string()]);
    let same = compare(a.pid(), b.pid());
    assert_eq!(same.status.code(), Some(0), "{same}");
    let answers = |text: &str| -> Vec<(String, String)> {
        let text_of = |value: &Value| value.as_str().unwrap().to_owned();
        json(text).as_array().unwrap().iter().map(|row| (text_of(&row["kind"]), text_of(&row["answer"]))).collect()
    };
    assert!(answers(&same.out).iter().all(|(_, answer)| answer == "same"));
    let differ = compare(a.pid(), other.pid());
    assert_eq!(differ.status.code(), Some(1), "{differ}");
    for (kind, answer) in answers(&differ.out) {
        let expected = if ["ipc", "uts"].contains(&&*kind) { "different" } else { "same" };
        assert_eq!(answer, expected, "{kind}");
    }
}

#[test]
fn what_cannot_be_told_is_said_with_the_reason() {
    let world = World::new();
    let (a, b) = (process(&world, ""), process(&world, ""));
    // A zombie has left all but two. It ends when its parent is one that never asks how.
    let mut zombie = world.start("echo; until grep -q cat /proc/$$/comm; do :; done & echo $!; exec cat");
    let pid = zombie.line().trim().to_owned();
    while !std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") Z ") {}
    let ran = world.nsnet(["ns", "compare", &a.pid().to_string(), &pid]);
    assert_eq!(ran.status.code(), Some(2), "{ran}");
    assert!(ran.out.contains("unknown") && ran.out.contains("the process has ended"), "{ran}");
    drop(zombie);
    let line = format!("exec setpriv --bounding-set=-all --inh-caps=-all $NSNET ns compare {} {}", a.pid(), b.pid());
    let without = world.shell(&line);
    // Where the caller's own processes may be read without privilege, they are the same.
    assert!([Some(0), Some(2)].contains(&without.status.code()), "{without}");
    for words in [&["ns", "4194304"][..], &["ns", "compare", "1", "4194304"]] {
        let failed = world.nsnet(words);
        assert_eq!(failed.status.code(), Some(1));
        assert!(failed.err.contains("no such process"), "{failed}");
    }
    for words in [&["ns", "compare", "1"][..], &["ns", "0"], &["ns", "x"], &["ns", "list", "--type", "x"]] {
        assert_eq!(world.nsnet(words).status.code(), Some(2), "{words:?}");
    }
}

#[test]
fn all_that_somebody_holds_are_listed() {
    let world = World::new();
    let lives = process(&world, "unshare --uts --net");
    let uts = inode(lives.pid(), "uts");
    // One that only an open file holds, and one that only a mount does.
    let script =
        "touch /run/ipc; unshare --ipc=/run/ipc true; exec 9</run/ipc; umount --lazy /run/ipc; echo; read line";
    let file = world.start(script);
    let opened = format!("/proc/{}/fd/9", file.pid());
    world.sh("touch /run/uts; unshare --uts=/run/uts true; $NSNET add red");
    let list = |options: &str| json(&world.sh(&format!("$NSNET -j ns list {options}"))).as_array().unwrap().clone();
    let all = list("");
    let find = |kind: &str, inode: u64| all.iter().find(|row| row["kind"] == kind && row["inode"] == inode);
    let row = find("uts", uts).unwrap();
    assert_eq!((&row["processes"], &row["pid"], &row["command"]), (&1.into(), &lives.pid().into(), &"sh".into()));
    assert!(find("net", inode(lives.pid(), "net")).is_some());
    let mounted: u64 = world.sh("stat -L -c %i /run/uts").trim().parse().unwrap();
    let row = find("uts", mounted).unwrap();
    assert_eq!((&row["processes"], &row["path"]), (&0.into(), &"/run/uts".into()));
    let red: u64 = world.sh("stat -L -c %i /run/netns/red").trim().parse().unwrap();
    assert_eq!(find("net", red).unwrap()["names"][0]["name"], "red");
    let row = find("ipc", std::fs::metadata(&opened).unwrap().ino()).unwrap();
    assert_eq!((&row["processes"], &row["path"]), (&0.into(), &opened.into()));
    assert!(list("--type uts").iter().all(|row| row["kind"] == "uts"));
    // Nothing that lsns finds is missing, as far as it stays.
    let stays = [lives.pid(), world.pid()];
    for kind in KINDS {
        for pid in stays {
            assert!(find(kind, inode(pid, kind)).is_some(), "{kind} of {pid}");
        }
    }
}
