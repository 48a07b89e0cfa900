//! Names: add, del, list, attach, rename, prune.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use super::support::{Ran, World, is_real_root, json};

/// One of everything that can lie in `/run/netns`; what is no namespace there nor dead.
const FOREIGN: &[&str] = &["device", "directory", "fifo", "symlink", "text", "uts"];
const EVERYTHING: &str = "\
    $NSNET add alive; cd /run/netns; touch dead; ln -s nowhere dangling
    mkdir directory; mkfifo fifo; echo text >text; ln -s text symlink
    touch device uts; mount --bind /dev/null device; mount --bind /proc/self/ns/uts uts";

/// What `/run/netns` holds, without looking through nsnet.
fn entries(world: &World) -> String {
    world.sh("cd /run/netns && find . -mindepth 1 | sort | while read -r name; do
        echo \"$name $(stat -c '%F %a %s' \"$name\") $(readlink \"$name\" || :)\"; done; cat text 2>/dev/null || :")
}

fn inode(world: &World, name: &str) -> String {
    world.sh(&format!("stat -c %i /run/netns/{name}"))
}

/// nsnet as a user who may read no more than anybody may.
fn unprivileged(world: &World, args: &str) -> Ran {
    // Only the owner is mapped in a user namespace: there the capabilities go instead.
    let drop = if is_real_root() {
        "--reuid 65534 --regid 65534 --clear-groups"
    } else {
        "--bounding-set -dac_override,-dac_read_search"
    };
    world.shell(&format!("cp $NSNET /run/anybodys; exec setpriv {drop} /run/anybodys {args}"))
}

#[test]
fn lo_is_up_at_once() {
    let world = World::new();
    world.ok("add test_ns");
    world.ok("exec test_ns ping -c1 -W2 127.0.0.1");
}

#[test]
fn with_no_lo_a_namespace_is_as_ip_makes_it() {
    let world = World::new();
    world.ok("add --no-lo ours");
    world.sh("ip netns add theirs");
    let links = |name: &str| world.sh(&format!("nsenter --net=/run/netns/{name} ip -json addr"));
    assert_eq!(links("ours"), links("theirs"));
    assert!(links("ours").contains(r#""operstate":"DOWN""#), "{}", links("ours"));
}

#[test]
fn many_names_are_made_at_once_and_nothing_is_said() {
    let world = World::new();
    assert_eq!(world.ok("add c a b"), "");
    assert_eq!(world.ok("list"), "a\nb\nc\n");
    let ids: std::collections::BTreeSet<_> = ["a", "b", "c"].map(|name| inode(&world, name)).into();
    assert_eq!(ids.len(), 3, "{ids:?}");
}

#[test]
fn with_one_taken_name_in_the_list_none_is_made() {
    let world = World::new();
    world.ok("add b");
    let before = inode(&world, "b");
    assert_eq!(world.fails(1, "add a b c"), "nsnet: cannot add 'b': a namespace of this name exists\n");
    assert_eq!(world.ok("list"), "b\n");
    assert_eq!(inode(&world, "b"), before);
}

#[test]
fn when_the_last_of_many_cannot_be_made_the_others_go_again() {
    let world = World::new();
    world.ok("add before");
    let made = world.shell("strace -f -qq -o /dev/null -e inject=mount:error=ENOSPC:when=3 $NSNET add a b c");
    // The first mount call shares the directory.
    assert_eq!(made.fails(1), "nsnet: cannot bind 'b': No space left on device (os error 28)\n");
    assert_eq!(world.ok("list"), "before\n");
    assert_eq!(world.namespace_mounts(), 1);
}

#[test]
fn a_name_given_twice_is_refused_before_anything_is_touched() {
    let world = World::new();
    assert_eq!(world.nsnet(["add", "a", "b", "a"]).fails(2), "nsnet: cannot add 'a': it is named twice\n");
    world.sh("test ! -e /run/netns");
}

#[test]
fn if_missing_keeps_what_is_there_and_makes_the_rest() {
    let world = World::new();
    world.ok("add red");
    let before = inode(&world, "red");
    assert_eq!(world.ok("-j add --if-missing red blue"), "[{\"name\":\"blue\"}]\n");
    assert_eq!(inode(&world, "red"), before);
    assert_eq!(world.ok("list"), "blue\nred\n");
    world.sh("mkdir /run/netns/directory");
    world.fails(1, "add --if-missing green directory");
    assert_eq!(world.ok("list"), "blue\ndirectory\nred\n");
}

#[test]
fn odd_names_are_names() {
    let world = World::new();
    let long = "n".repeat(255);
    let odd = [&b"a b"[..], b"a\nb", b"-x", b"--all", b"\xff\xfe", b"pid:", "é".as_bytes(), b"*", long.as_bytes()];
    let mut sorted = odd;
    sorted.sort_unstable();
    let odd = odd.map(OsStr::from_bytes);
    let before_all = |words: &[&str]| words.iter().map(|&word| OsStr::new(word).to_owned()).collect::<Vec<_>>();
    let with_all = |words: &[&str]| [before_all(words), odd.map(OsStr::to_owned).to_vec()].concat();
    world.nsnet(with_all(&["add", "--"])).ok();
    for name in odd {
        let inside = [&before_all(&["exec", "--"])[..], &[name.to_owned()], &before_all(&["true"])].concat();
        assert_eq!(world.nsnet(inside).ok(), "", "{name:?}");
    }
    let listed = world.command(super::support::nsnet()).arg("list").output().unwrap().stdout;
    assert_eq!(listed, [sorted.join(&b'\n'), vec![b'\n']].concat(), "{}", listed.escape_ascii());
    let listed = json(&world.ok("-j list"));
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, sorted.map(String::from_utf8_lossy));
    let bytes: Vec<_> = listed.as_array().unwrap().iter().filter_map(|row| row["name_bytes"].as_str()).collect();
    assert_eq!(bytes, ["fffe"]);
    world.nsnet(with_all(&["del", "--"])).ok();
    assert_eq!(world.sh("ls -A /run/netns"), "");
}

#[test]
fn what_cannot_be_a_name_is_a_usage_error_before_anything_is_touched() {
    let world = World::new();
    let long = "n".repeat(256);
    for bad in ["", ".", "..", "../x", "a/b", "/a", &long] {
        for line in [&["add", "good", bad][..], &["del", "good", bad], &["attach", bad, "1"], &["rename", "good", bad]]
        {
            let err = world.nsnet(line).fails(2);
            assert!(err.contains("cannot use namespace name"), "{line:?}: {err}");
        }
    }
    world.sh("test ! -e /run/netns && test ! -e /run/nsnet");
}

#[test]
fn what_always_means_a_process_is_refused_as_a_name() {
    let world = World::new();
    let refused = "nsnet: cannot add 'pid:7': 'pid:N' always means the process N\n";
    assert_eq!(world.fails(2, "add green pid:7"), refused);
    assert_eq!(world.fails(2, "add --if-missing pid:7"), refused);
    assert_eq!(world.nsnet(["attach", "pid:7", &world.pid().to_string()]).fails(2), refused);
    world.sh("test ! -e /run/netns");
    world.ok("add red");
    assert_eq!(world.fails(2, "rename red pid:7"), refused);
    assert_eq!(world.ok("list"), "red\n");
    // Made by others, it can be listed and removed.
    world.sh("ip netns add pid:7");
    assert_eq!(world.ok("list"), "pid:7\nred\n");
    world.ok("del pid:7");
    assert_eq!(world.ok("list"), "red\n");
}

#[test]
fn dead_names_are_replaced_and_what_a_symlink_said_is_not_followed() {
    let world = World::new();
    world.sh("mkdir /run/netns; cd /run/netns; touch file; ln -s /run/elsewhere dangling; ln -s loop loop");
    world.ok("add file dangling");
    world.ok("exec file true");
    world.ok("exec dangling true");
    assert_eq!(
        world.sh("cd /run/netns; stat -c '%n %F' file dangling"),
        "file regular empty file\ndangling regular empty file\n"
    );
    world.sh("test ! -e /run/elsewhere");
    world.sh("touch /run/netns/other");
    world.nsnet(["attach", "other", &world.pid().to_string()]).ok();
    world.ok("exec other true");
}

#[test]
fn foreign_entries_are_refused_with_the_reason_and_untouched() {
    let world = World::new();
    world.sh(EVERYTHING);
    let before = entries(&world);
    for (name, reason) in FOREIGN.iter().zip([
        "it is a device",
        "it is a directory",
        "it is a FIFO",
        "it is a symlink to something that is no namespace",
        "it is a file with content",
        "it is a namespace, but not of the network",
    ]) {
        let refused = |verb| format!("nsnet: cannot {verb} '{name}': the name is taken: {reason}\n");
        let taken = refused("add");
        assert_eq!(world.fails(1, &format!("add green {name}")), taken);
        assert_eq!(world.fails(1, &format!("add --if-missing green {name}")), taken);
        assert_eq!(world.fails(1, &format!("rename alive {name}")), refused("rename to"));
        assert_eq!(world.fails(1, &format!("attach {name} {}", world.pid())), refused("attach"));
        assert_eq!(
            world.fails(1, &format!("rename {name} green")),
            format!("nsnet: cannot rename '{name}': {reason}\n")
        );
        assert_eq!(world.fails(1, &format!("del {name}")), format!("nsnet: cannot delete '{name}': {reason}\n"));
    }
    world.ok("exec alive true");
    assert_eq!(entries(&world), before);
}

#[test]
fn everybody_can_list_whatever_the_umask_of_the_first_add() {
    let world = World::new();
    world.sh("umask 077; $NSNET add red");
    assert_eq!(world.sh("stat -c %a /run/netns /run/nsnet/lock"), "755\n600\n");
    assert_eq!(unprivileged(&world, "list").ok(), "red\n");
    assert_eq!(json(&unprivileged(&world, "-j list").ok())[0]["state"], "alive");
}

#[test]
fn a_list_is_sorted_and_shows_ids() {
    let world = World::new();
    world.ok("add b c a");
    world.ok("set b 10");
    assert_eq!(world.ok("list"), "a\nb (id: 10)\nc\n");
    let ours = json(&world.ok("-j list"));
    assert_eq!((&ours[1]["name"], &ours[1]["id"]), (&"b".into(), &10.into()), "{ours}");
    assert_eq!(ours[0].get("id"), None, "{ours}");
}

#[test]
fn a_list_shows_everything_without_noise_and_hangs_on_nothing() {
    let world = World::new();
    world.sh(EVERYTHING);
    let listed = world.nsnet(["list"]);
    assert_eq!(listed.err, "");
    assert_eq!(listed.ok(), "alive\ndangling\ndead\ndevice\ndirectory\nfifo\nsymlink\ntext\nuts\n");
    let alive: u64 = inode(&world, "alive").trim().parse().unwrap();
    let foreign = |name, reason| serde_json::json!({"name": name, "state": "foreign", "reason": reason});
    let expected = |alive| {
        serde_json::json!([
            alive,
            {"name": "dangling", "state": "dead"},
            {"name": "dead", "state": "dead"},
            foreign("device", "it is a device"),
            foreign("directory", "it is a directory"),
            foreign("fifo", "it is a FIFO"),
            foreign("symlink", "it is a symlink to something that is no namespace"),
            foreign("text", "it is a file with content"),
            foreign("uts", "it is a namespace, but not of the network"),
        ])
    };
    let short = serde_json::json!({"name": "alive", "state": "alive", "inode": alive});
    assert_eq!(json(&world.ok("-j list")), expected(short));
    let long = serde_json::json!({"name": "alive", "state": "alive", "inode": alive, "links": 1, "processes": 0});
    assert_eq!(json(&world.ok("-j list -l")), expected(long));
}

#[test]
fn the_table_counts_links_and_processes() {
    let world = World::new();
    world.ok("add red");
    world.ok("set red 3");
    world.ok("veth a0 red:b0");
    world.sh("touch /run/netns/dead; mkdir /run/netns/directory; $NSNET add 'a\u{1b}b\nc'");
    let _inside = world.start("exec $NSNET exec red sh -c 'echo ready; read x'");
    let inodes = ["a*", "red"].map(|name| inode(&world, name).trim().to_owned());
    let width = inodes.iter().map(String::len).max().unwrap();
    assert_eq!(
        world.ok("list -l"),
        format!(
            "NAME         ID  STATE    {:width$}  LINKS  PROCESSES\n\
             a\\u{{1b}}b\\nc  -   alive    {:width$}  1      0\n\
             dead         -   dead     {:width$}  -      -\n\
             directory    -   foreign  {:width$}  -      -          it is a directory\n\
             red          3   alive    {:width$}  2      1\n",
            "INODE", inodes[0], "-", "-", inodes[1]
        )
    );
}

#[test]
fn without_a_directory_the_list_is_empty_and_the_directory_is_not_made() {
    let world = World::new();
    for (line, expected) in [("list", ""), ("-j list", "[]\n"), ("-j list -l", "[]\n"), ("-j prune", "[]\n")] {
        assert_eq!(world.ok(line), expected, "{line}");
    }
    world.sh("test ! -e /run/netns");
}

#[test]
fn a_directory_that_may_not_be_read_is_an_error() {
    let world = World::new();
    world.ok("add red");
    world.sh(if is_real_root() { "chmod 700 /run/netns" } else { "chmod 0 /run/netns" });
    let listed = unprivileged(&world, "list");
    assert_eq!(listed.out, "");
    let err = listed.fails(1);
    assert!(err.starts_with("nsnet: cannot read '/run/netns': Permission denied (os error 13)\n"), "{err}");
    let listed = unprivileged(&world, "-j list");
    assert_eq!(listed.out, "");
    assert_eq!(json(&listed.fails(1))["kind"], "denied");
}

#[test]
fn attach_names_the_namespace_of_a_process() {
    let world = World::new();
    let mut inside = world.start("exec unshare --net sh -c 'echo ready; readlink /proc/self/ns/net; read x'");
    let pid = inside.pid().to_string();
    assert_eq!(world.nsnet(["attach", "red", &pid]).ok(), "");
    assert_eq!(format!("net:[{}]\n", inode(&world, "red").trim()), inside.line());
    assert_eq!(world.nsnet(["identify", &pid]).ok(), "red\n");
    // A second name for the same.
    assert_eq!(world.nsnet(["-j", "attach", "blue", &pid]).ok(), "[{\"name\":\"blue\"}]\n");
    assert_eq!(world.nsnet(["identify", &pid]).ok(), "blue\nred\n");
}

#[test]
fn attach_of_no_process_or_to_a_taken_name_leaves_nothing() {
    let world = World::new();
    world.ok("add red");
    let before = inode(&world, "red");
    let pid = world.pid().to_string();
    let taken = world.nsnet(["attach", "red", &pid]).fails(1);
    assert_eq!(taken, "nsnet: cannot attach 'red': a namespace of this name exists\n");
    assert_eq!(world.fails(1, "attach blue 4194305"), "nsnet: cannot open 'pid:4194305': no such process\n");
    for bad in ["0", "-5", "abc", "0x1"] {
        world.nsnet(["attach", "blue", bad]).fails(2);
    }
    assert_eq!(world.ok("list"), "red\n");
    assert_eq!(inode(&world, "red"), before);
}

#[test]
fn a_renamed_namespace_keeps_its_links_and_processes() {
    let world = World::new();
    world.ok("add old");
    world.ok("veth a0=10.0.0.1/24 old:b0=10.0.0.2/24");
    let inside = world.start("exec $NSNET exec old sh -c 'echo ready; read x'");
    let before = inode(&world, "old");
    assert_eq!(world.ok("rename old new"), "");
    assert_eq!(world.sh("ls -A /run/netns"), "new\n");
    assert_eq!(inode(&world, "new"), before);
    assert_eq!(world.ok("pids new"), format!("{}\n", inside.pid()));
    assert_eq!(world.namespace_mounts(), 1);
    world.sh("ping -c1 -W2 10.0.0.2");
}

#[test]
fn a_renamed_symlink_stays_one() {
    let world = World::new();
    world.ok("add red");
    world.sh("ln -s red /run/netns/old");
    world.ok("rename old new");
    assert_eq!(world.ok("list"), "new\nred\n");
    assert_eq!(world.sh("readlink /run/netns/new"), "red\n");
    // What the name meant is not what moves.
    world.ok("exec red true");
    assert_eq!(world.namespace_mounts(), 1);
}

#[test]
fn only_a_living_name_is_renamed_and_never_onto_another() {
    let world = World::new();
    world.ok("add red blue");
    world.sh("cd /run/netns; touch dead; ln -s red symlink; mkdir directory");
    let before = (entries(&world), inode(&world, "red"), inode(&world, "blue"));
    for (line, err) in [
        ("red blue", "cannot rename to 'blue': a namespace of this name exists"),
        ("symlink blue", "cannot rename to 'blue': a namespace of this name exists"),
        ("red symlink", "cannot rename to 'symlink': a namespace of this name exists"),
        ("red directory", "cannot rename to 'directory': the name is taken: it is a directory"),
        ("directory new", "cannot rename 'directory': it is a directory"),
        ("missing new", "cannot rename 'missing': there is no such name in '/run/netns'"),
        ("red red", "cannot rename 'red': both names are the same"),
        (
            "dead new",
            "cannot rename 'dead': the name is dead: no namespace stands behind it; 'nsnet prune' removes such names",
        ),
    ] {
        let code = if line == "red red" { 2 } else { 1 };
        assert_eq!(world.fails(code, &format!("rename {line}")), format!("nsnet: {err}\n"), "{line}");
        assert_eq!((entries(&world), inode(&world, "red"), inode(&world, "blue")), before, "{line}");
    }
    // A dead name is as good as none.
    world.ok("rename red dead");
    world.ok("exec dead true");
}

#[test]
fn a_rename_that_fails_half_way_leaves_the_old_name() {
    let world = World::new();
    world.ok("add old");
    let before = inode(&world, "old");
    let renamed = world.shell("strace -f -qq -o /dev/null -e inject=unlink:error=EBUSY:when=1 $NSNET rename old new");
    assert_eq!(renamed.fails(1), "nsnet: cannot remove 'old': Device or resource busy (os error 16)\n");
    assert_eq!(world.ok("list"), "old\n");
    assert_eq!(inode(&world, "old"), before);
    world.ok("exec old true");
}

#[test]
fn prune_removes_the_dead_and_nothing_else() {
    let world = World::new();
    world.sh(EVERYTHING);
    world.sh("ln -s alive /run/netns/second; touch /run/netns/hidden; mount --bind /run/netns/alive /run/netns/hidden");
    let before = entries(&world);
    assert_eq!(world.ok("prune"), "dangling\ndead\n");
    let kept: Vec<_> = before.lines().filter(|line| !line.starts_with("./da") && !line.starts_with("./dead")).collect();
    assert_eq!(entries(&world).lines().collect::<Vec<_>>(), kept);
    world.sh("for name in alive second hidden; do $NSNET exec $name true; done");
    world.sh("umount /run/netns/hidden");
    assert_eq!(world.ok("-j prune"), "[{\"name\":\"hidden\"}]\n");
    assert_eq!(world.ok("-j prune"), "[]\n");
}

#[test]
fn a_name_is_not_moved_where_only_this_mount_namespace_would_see_it() {
    let world = World::new();
    world.ok("add keep");
    let ran = world.shell("unshare --mount --propagation private $NSNET rename keep kept");
    assert!(ran.fails(1).contains("mounted for this mount namespace alone"));
    world.ok("exec keep true");
    assert_eq!(world.ok("list"), "keep\n");
}

#[test]
fn the_verb_that_was_typed_is_the_one_that_fails() {
    let world = World::new();
    world.ok("add red blue");
    assert!(world.fails(1, "rename red blue").starts_with("nsnet: cannot rename to 'blue': "));
    assert!(world.fails(1, "rename none blue").starts_with("nsnet: cannot rename 'none': "));
    let attach = world.nsnet(["attach", "red", &world.pid().to_string()]).fails(1);
    assert!(attach.starts_with("nsnet: cannot attach 'red': "), "{attach}");
}
