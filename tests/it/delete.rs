//! del: what goes, what stays, what is waited for.

use std::{
    fs::{self, File},
    net::UdpSocket,
    os::fd::AsFd,
    path::PathBuf,
    sync::mpsc,
    thread,
};

use nsnet::{Netns, NsRef};
use rustix::thread::{LinkNameSpaceType, gettid, move_into_link_name_space};

use super::support::{World, json};

/// A file of the world, as seen from the test.
fn path_in(world: &World, path: &str) -> PathBuf {
    format!("/proc/{}/root{path}", world.pid()).into()
}

fn inode(world: &World, name: &str) -> String {
    world.sh(&format!("stat -c %i /run/netns/{name}"))
}

/// The links of the world, or of the namespace that an option of ip's says.
fn links(world: &World, place: &str) -> Vec<String> {
    let links = world.ip_json(&format!("{place} link"));
    links.as_array().unwrap().iter().map(|link| link["ifname"].as_str().unwrap().to_owned()).collect()
}

fn command_of(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim().to_owned()
}

/// What is said when `red` is deleted and somebody holds its namespace; nothing must fail.
#[track_caller]
fn says_held(world: &World, by: &str) {
    let deleted = world.nsnet(["del", "red"]);
    assert_eq!(deleted.err, format!("nsnet: warning: 'red' is deleted, but its namespace lives on: {by}\n"));
    assert_eq!(deleted.ok(), "");
    world.sh("test ! -e /run/netns/red");
}

#[test]
fn a_deleted_namespace_is_gone_and_nothing_is_said() {
    let world = World::new();
    world.ok("add red");
    let deleted = world.nsnet(["del", "red"]);
    assert_eq!((deleted.out.as_str(), deleted.err.as_str()), ("", ""));
    deleted.ok();
    assert_eq!(world.sh("ls -A /run/netns"), "");
    assert_eq!(world.namespace_mounts(), 0);
    world.ok("add red");
    assert_eq!(world.ok("-j delete red"), "[{\"name\":\"red\",\"namespace\":\"gone\"}]\n");
}

#[test]
fn a_symlink_is_removed_and_what_it_points_to_stays() {
    let world = World::new();
    world.ok("add red");
    world.sh("ln -s red /run/netns/relative; ln -s /run/netns/red /run/netns/absolute");
    let before = inode(&world, "red");
    let mut inside = world.start("exec unshare --net sh -c 'echo ready; read x; echo alive'");
    world.sh(&format!("ln -s /proc/{}/ns/net /run/netns/process", inside.pid()));
    world.ok("exec process true");
    assert_eq!(
        world.ok("-j del relative absolute process"),
        "[{\"name\":\"relative\",\"namespace\":\"name_only\"},\
          {\"name\":\"absolute\",\"namespace\":\"name_only\"},\
          {\"name\":\"process\",\"namespace\":\"name_only\"}]\n"
    );
    assert_eq!(world.sh("ls -A /run/netns"), "red\n");
    assert_eq!(inode(&world, "red"), before);
    world.ok("exec red true");
    inside.say("\n");
    assert_eq!(inside.line(), "alive\n");
}

#[test]
fn all_mounts_stacked_on_a_name_go() {
    let world = World::new();
    world.ok("add red blue");
    world.sh("cd /run/netns; mount --bind red red; mount --bind blue red; mount --bind red red");
    assert!(world.mounts().iter().filter(|line| line.contains("/run/netns/red ")).count() > 3, "{:#?}", world.mounts());
    assert_eq!(world.nsnet(["del", "red"]).ok(), "");
    assert_eq!(world.namespace_mounts(), 1);
    world.ok("exec blue true");
    world.ok("add red");
}

#[test]
fn in_a_read_only_directory_the_namespace_stays_alive_and_named() {
    let world = World::new();
    world.ok("add red blue");
    world.sh("touch /run/netns/dead; ln -s red /run/netns/link; mount -o remount,bind,ro /run/netns");
    let before = inode(&world, "red");
    for (name, op) in [("red", "remove"), ("link", "delete"), ("dead", "delete")] {
        let err = format!("nsnet: cannot {op} '{name}': Read-only file system (os error 30)\n");
        assert_eq!(world.fails(1, &format!("del {name}")), err);
    }
    assert_eq!(inode(&world, "red"), before);
    assert_eq!(world.namespace_mounts(), 2);
    world.ok("exec red true");
    // Nothing went, so all of it is told, and nothing is waited for.
    let deleted = world.shell("strace -f -qq -e trace=ppoll -o /run/waits $NSNET del red blue");
    assert_eq!(deleted.fails(1).lines().count(), 2);
    assert_eq!(world.sh("cat /run/waits"), "");
    world.sh("mount -o remount,bind,rw /run/netns");
    assert_eq!(world.nsnet(["del", "red", "blue", "link", "dead"]).ok(), "");
}

#[test]
fn of_several_names_each_goes_or_stays_by_itself() {
    let world = World::new();
    world.ok("add red blue green");
    let deleted =
        world.shell("strace -f -qq -o /dev/null -e inject=unlink:error=EBUSY:when=2 $NSNET -j del red blue green");
    assert_eq!(
        json(&deleted.out),
        serde_json::json!([{"name": "red", "namespace": "gone"}, {"name": "green", "namespace": "gone"}])
    );
    assert_eq!(json(&deleted.fails(1))["error"], "cannot remove 'blue': Device or resource busy (os error 16)");
    assert_eq!(world.ok("exec blue echo alive"), "alive\n");
    assert_eq!(world.sh("ls -A /run/netns"), "blue\n");
}

#[test]
fn a_missing_name_fails_unless_told_otherwise() {
    let world = World::new();
    let missing = "nsnet: cannot delete 'red': there is no such name in '/run/netns'\n";
    assert_eq!(world.fails(1, "del red"), missing);
    assert_eq!(world.nsnet(["del", "--if-exists", "red"]).ok(), "");
    world.ok("add blue");
    assert_eq!(world.fails(1, "del red blue"), missing);
    assert_eq!(world.ok("list"), "");
    world.ok("add blue");
    assert_eq!(world.ok("-j del --if-exists red blue"), "[{\"name\":\"blue\",\"namespace\":\"gone\"}]\n");
    // That a name is foreign is another matter.
    world.sh("mkdir /run/netns/red");
    world.fails(1, "del --if-exists red");
}

#[test]
fn dead_names_are_deleted_as_names() {
    let world = World::new();
    world.sh("mkdir /run/netns; cd /run/netns; touch file; ln -s nowhere dangling");
    assert_eq!(
        world.ok("-j del file dangling"),
        "[{\"name\":\"file\",\"namespace\":\"name_only\"},{\"name\":\"dangling\",\"namespace\":\"name_only\"}]\n"
    );
    assert_eq!(world.sh("ls -A /run/netns"), "");
}

#[test]
fn a_pair_with_the_same_names_can_be_made_at_once_50_times() {
    let world = World::new();
    // A program would look too late to see what is left.
    let left = world.sh("for round in $(seq 50); do
        $NSNET add red; $NSNET veth --no-wait here0=10.0.0.1/24 red:eth0=10.0.0.2/24; $NSNET del red
        while read -r link rest; do case $link in here*) echo $link;; esac; done </proc/net/dev; done");
    assert_eq!(left, "");
    assert_eq!(links(&world, ""), ["lo"]);
}

#[test]
fn the_same_with_the_far_end_in_another_namespace() {
    let world = World::new();
    world.ok("add blue");
    world.sh("for round in $(seq 50); do
        $NSNET add red; $NSNET veth --no-wait red:eth0=10.0.0.1/24 blue:to-red=10.0.0.2/24; $NSNET del red; done");
    assert_eq!(links(&world, "-n blue"), ["lo"]);
}

#[test]
fn when_it_returns_the_far_end_in_another_namespace_is_gone() {
    let world = World::new();
    world.ok("add blue");
    // The id of a namespace goes shortly before its links do: one round alone could be lucky.
    let left = world.sh("for round in $(seq 40); do
            $NSNET add red; ip -n red link add eth0 type veth peer name far netns blue
            $NSNET del red; nsenter --net=/run/netns/blue grep far /proc/net/dev || :; done");
    assert_eq!(left, "");
}

#[test]
fn with_no_wait_nothing_is_waited_for() {
    let world = World::new();
    world.ok("add red blue");
    world.ok("veth a0 red:b0");
    world.sh("strace -f -qq -e trace=ppoll,socket -o /run/waits $NSNET del --no-wait red");
    assert_eq!(world.sh("cat /run/waits; ls -A /run/netns"), "blue\n");
    assert_eq!(world.ok("-j del --no-wait blue"), "[{\"name\":\"blue\",\"namespace\":\"not_awaited\"}]\n");
}

#[test]
fn a_process_inside_is_named() {
    let world = World::new();
    world.ok("add red");
    let inside = world.start("exec $NSNET exec --bare red sh -c 'echo ready; read x'");
    says_held(&world, &format!("process {} (sh) lives in it", inside.pid()));
    world.ok("add red");
    let inside = world.start("exec $NSNET exec red sh -c 'echo ready; read x'");
    assert_eq!(
        json(&world.ok("-j del red")),
        serde_json::json!([{
            "name": "red", "namespace": "held", "held_by": [{"pid": inside.pid(), "command": "sh"}]
        }])
    );
}

#[test]
fn a_thread_inside_is_named() {
    let world = World::new();
    world.ok("add red");
    let (says, hears) = mpsc::channel();
    let (leave, left) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let file = File::open(path_in(&world, "/run/netns/red")).unwrap();
        scope.spawn(move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            drop(file);
            says.send(gettid().as_raw_nonzero()).unwrap();
            // It stays until the other side is dropped.
            left.recv().unwrap_err();
        });
        let (tid, pid) = (hears.recv().unwrap(), std::process::id());
        says_held(&world, &format!("process {pid} ({}) has thread {tid} in it", command_of(pid)));
        drop(leave);
    });
}

#[test]
fn an_open_file_is_named() {
    let world = World::new();
    world.ok("add red");
    let holder = world.start("exec 7</run/netns/red; echo ready; read x");
    says_held(&world, &format!("process {} (sh) has it open as descriptor 7", holder.pid()));
    world.ok("add red");
    let holder = world.start("exec 7</run/netns/red; echo ready; read x");
    assert_eq!(
        json(&world.ok("-j del red"))[0]["held_by"],
        serde_json::json!([{"pid": holder.pid(), "command": "sh", "fd": 7}])
    );
}

#[test]
fn a_mount_elsewhere_is_named() {
    let world = World::new();
    world.ok("add red");
    world.sh("touch '/run/else where'; mount --bind /run/netns/red '/run/else where'");
    says_held(&world, &format!("process {} (cat) sees it mounted on '/run/else where'", world.pid()));
}

#[test]
fn a_second_name_is_named() {
    let world = World::new();
    world.ok("add red");
    world.sh("touch /run/netns/blue; mount --bind /run/netns/red /run/netns/blue");
    let before = inode(&world, "blue");
    assert_eq!(
        json(&world.ok("-j del red")),
        serde_json::json!([{
            "name": "red", "namespace": "held",
            "held_by": [{"pid": world.pid(), "command": "cat", "mount": "/run/netns/blue"}]
        }])
    );
    assert_eq!(inode(&world, "blue"), before);
    world.ok("exec blue true");
}

#[test]
fn both_names_of_one_namespace_go_together() {
    let world = World::new();
    world.ok("add red");
    world.sh("touch /run/netns/blue; mount --bind /run/netns/red /run/netns/blue");
    let deleted = world.nsnet(["del", "red", "blue"]);
    assert_eq!((deleted.out.as_str(), deleted.err.as_str()), ("", ""));
    deleted.ok();
    assert_eq!(world.namespace_mounts(), 0);
}

#[test]
fn what_holds_and_shows_nowhere_is_said_to() {
    let world = World::new();
    world.ok("add red");
    let red = Netns::open(&NsRef::Path(path_in(&world, "/run/netns/red"))).unwrap();
    let socket = red.run(|| UdpSocket::bind("127.0.0.1:0")).unwrap().unwrap();
    drop(red);
    let deleted = world.nsnet(["del", "red"]);
    assert_eq!(
        deleted.err,
        "nsnet: warning: 'red' is deleted, but its namespace lives on, held by something that nsnet cannot see (a socket, perhaps)\n"
    );
    deleted.ok();
    drop(socket);
}

#[test]
fn whoever_deletes_the_namespace_it_lives_in_is_told_so() {
    let world = World::new();
    world.ok("add red");
    let deleted = world.nsnet(["exec", "red", &super::support::nsnet().to_string_lossy(), "-j", "del", "red"]);
    let held = json(&deleted.ok());
    assert_eq!((&held[0]["namespace"], &held[0]["held_by"][0]["command"]), (&"held".into(), &"nsnet".into()), "{held}");
}

#[test]
fn hundreds_go_at_once_with_their_far_ends_here_and_there() {
    let world = World::new();
    let names: Vec<_> = (0..300).map(|n| format!("n{n:03}")).collect();
    let line = names.join(" ");
    world.ok(&format!("add hub {line}"));
    world.sh("ip -n hub link set lo down
        for n in $(seq -w 0 299); do
            echo link add h$n type veth peer name eth0 netns n$n
            echo link add r$n netns hub type veth peer name hub netns n$n
        done | ip -batch -");
    assert_eq!((links(&world, "").len(), links(&world, "-n hub").len()), (301, 301));
    let deleted = world.nsnet(["del"].into_iter().chain(names.iter().map(String::as_str)));
    assert_eq!(deleted.err, "");
    deleted.ok();
    assert_eq!((links(&world, ""), links(&world, "-n hub")), (vec!["lo".to_owned()], vec!["lo".to_owned()]));
    assert_eq!(world.sh("ls -A /run/netns"), "hub\n");
}

#[test]
fn all_goes_on_past_what_is_foreign_and_past_a_failure() {
    let world = World::new();
    world.ok("add a b c");
    world.sh("cd /run/netns; mkdir foreign; touch dead; ln -s a link");
    let deleted = world.shell("strace -f -qq -o /dev/null -e inject=unlink:error=EBUSY:when=2 $NSNET --all del");
    assert_eq!(deleted.fails(1), "nsnet: cannot remove 'b': Device or resource busy (os error 16)\n");
    assert_eq!(world.sh("ls -A /run/netns"), "b\nforeign\n");
    assert_eq!(world.ok("-all netns del"), "");
    assert_eq!(world.sh("ls -A /run/netns"), "foreign\n");
    assert_eq!(world.ok("-j --all del"), "[]\n");
}

#[test]
fn two_that_are_wired_to_each_other_go_together() {
    let world = World::new();
    for _ in 0..10 {
        world.ok("add red blue");
        world.ok("veth --no-wait red:eth0 blue:eth0");
        world.ok("veth --no-wait red:eth1 to-red");
        let deleted = world.nsnet(["del", "red", "blue"]);
        assert_eq!(deleted.err, "", "links between them hold nothing and nobody");
        deleted.ok();
        assert_eq!(world.sh("ls -A /run/netns"), "");
        assert_eq!(links(&world, ""), ["lo"]);
    }
}

#[test]
fn without_privilege_nothing_goes_and_the_error_says_what_is_needed() {
    let world = World::new();
    world.ok("add red");
    let deleted = world.shell("exec setpriv --bounding-set -sys_admin $NSNET del red");
    let err = deleted.fails(1);
    assert!(err.starts_with("nsnet: cannot unmount 'red': Operation not permitted (os error 1)\n"), "{err}");
    world.ok("exec red true");
    assert_eq!(world.namespace_mounts(), 1);
}
