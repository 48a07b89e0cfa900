//! The same words to `ip netns` and to nsnet leave the same state behind.

use super::support::{World, json};

/// How a script calls a tool.
#[derive(Debug, Clone, Copy)]
struct Tool {
    netns: &'static str,
    /// Of nsnet, what makes a namespace as ip does.
    add: &'static str,
}

const IP: Tool = Tool { netns: "ip netns", add: "ip netns add" };
const NSNET: Tool = Tool { netns: "$NSNET netns", add: "$NSNET netns add --no-lo" };

impl Tool {
    /// Runs a script in which `netns`, `add` and `refuses` (it must not go through) are this tool's.
    #[track_caller]
    fn does(self, world: &World, script: &str) -> String {
        let Self { netns, add } = self;
        world.sh(&format!(
            "netns() {{ {netns} \"$@\"; }}
             add() {{ {add} \"$@\"; }}
             refuses() {{ if \"$@\" 2>/dev/null; then echo \"went through: $*\" >&2; exit 9; fi; }}
             {script}"
        ))
    }
}

/// Every verb that changes something, also with words that are too many; `PID` is in another namespace.
const SEQUENCE: &str = "
    add red; add blue; add 'a b'; add gone
    netns set red 7; netns set 'a b' 0 junk
    refuses netns set red 8; refuses netns set blue 7
    netns attach first PID; netns attach second PID junk
    netns del gone; refuses netns del gone; refuses add red; refuses netns attach red PID
    netns set blue auto
    ln -s /proc/PID/ns/net /run/netns/link; netns exec link true; netns del link
    touch /run/netns/dead; refuses netns exec dead true; netns del dead
    mkdir /run/netns/directory; refuses add directory; refuses netns del directory; rmdir /run/netns/directory
    netns exec red ip link set lo up; netns exec red ip addr add 10.0.0.1/24 dev lo
    netns exec red ip link add v0 address 02:00:00:00:00:01 type veth peer name v1 address 02:00:00:00:00:02 netns blue
    netns exec blue ip link set v1 up";

/// Runs the sequence, and returns everything that it left.
fn left_by(tool: Tool, world: &World) -> State {
    let process = world.start("exec unshare --net sh -c 'echo ready; read x'");
    tool.does(world, &SEQUENCE.replace("PID", &process.pid().to_string()));
    State::of(world)
}

/// What is there, less what changes from one run to the next.
#[derive(Debug, PartialEq)]
struct State {
    /// Of mountinfo, without ids and inode numbers.
    mounts: Vec<String>,
    /// Type, mode, owner, links and file system of each entry.
    files: String,
    /// What ip lists, with ids.
    names: Vec<String>,
    ids: String,
    /// Links, addresses and routes in each namespace.
    inside: String,
}

impl State {
    fn of(world: &World) -> Self {
        let lines = |text: String| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort_unstable();
            lines
        };
        let numberless =
            |line: &str| line.split(' ').skip(3).collect::<Vec<_>>().join(" ").replace(char::is_numeric, "");
        Self {
            mounts: lines(world.mounts().iter().map(|line| numberless(line) + "\n").collect()),
            files: world.sh("cd /run/netns; stat -c '%n %F %a %u:%g %h %s' . *; stat -f -c '%n %T' . *"),
            names: lines(world.sh("ip netns list")),
            ids: world.sh("ip netns list-id"),
            inside: world.sh("cd /run/netns; for name in *; do
                     for object in link addr route '-6 route'; do
                         nsenter --net=\"$name\" ip -json $object; done; done"),
        }
    }
}

#[test]
fn the_same_words_leave_the_same_state() {
    let (ours, theirs) = (World::new(), World::new());
    let (ours, theirs) = (left_by(NSNET, &ours), left_by(IP, &theirs));
    assert_eq!(ours, theirs, "{ours:#?}\n{theirs:#?}");
    assert_eq!(ours.names, ["a b (id: 0)", "blue (id: 1)", "first", "red (id: 7)", "second"]);
    let on = |name| format!("net:[] /run/netns/{name} rw shared: - nsfs nsfs rw");
    let names = [r"a\b", "blue", "first", "red", "second"].map(on);
    assert_eq!(ours.mounts[1..], names);
    assert!(ours.mounts[0].starts_with("/netns /run/netns rw,relatime shared: - tmpfs"), "{}", ours.mounts[0]);
}

#[test]
fn on_a_shared_run_the_only_difference_is_one_mount_a_namespace() {
    let (ours, theirs) = (World::shared(), World::shared());
    let (ours, mut theirs) = (left_by(NSNET, &ours), left_by(IP, &theirs));
    assert_eq!(ours.mounts.iter().filter(|line| line.contains("nsfs")).count(), 5, "{:#?}", ours.mounts);
    // Meant: ip before 7.0 makes two of them, with the same words.
    theirs.mounts.dedup();
    assert_eq!(ours, theirs, "{ours:#?}\n{theirs:#?}");
}

/// What is left when a tool deletes what the other made.
fn all_gone(world: &World) {
    assert_eq!(world.sh("ls -A /run/netns"), "");
    assert_eq!(world.namespace_mounts(), 0, "{:#?}", world.mounts());
}

fn works_on_what_the_other_made(world: &World, maker: Tool, user: Tool) {
    let process = world.start("exec unshare --net sh -c 'echo ready; read x'");
    let pid = process.pid();
    maker.does(world, &format!("add red; add blue; netns attach process {pid}"));
    let does = |script: &str| user.does(world, script);
    assert_eq!(does("netns list | sort"), "blue\nprocess\nred\n");
    assert_eq!(does("netns exec red ip -br link | cut -c 1-2"), "lo\n");
    assert_eq!(does("netns set red 3; netns list | sort"), "blue\nprocess\nred (id: 3)\n");
    assert_eq!(does("netns list-id nsid 3"), "nsid 3 (iproute2 netns name: red)\n");
    assert_eq!(does(&format!("netns identify {pid}; netns pids process")), format!("process\n{pid}\n"));
    does("refuses add red; refuses netns attach blue 1");
    does("netns del red; netns del process; netns del blue");
    all_gone(world);
    // The names are free for either again.
    maker.does(world, "add red");
    does("netns del red; add red");
    maker.does(world, "netns exec red true; netns del red");
    all_gone(world);
}

#[test]
fn each_tool_works_on_what_the_other_made() {
    for new in [World::new, World::shared] {
        works_on_what_the_other_made(&new(), IP, NSNET);
        works_on_what_the_other_made(&new(), NSNET, IP);
    }
}

#[test]
fn both_work_side_by_side_whoever_made_the_directory() {
    for new in [World::new, World::shared] {
        for (first, second) in [(IP, NSNET), (NSNET, IP)] {
            let world = new();
            first.does(&world, "add a");
            second.does(&world, "add b");
            first.does(&world, "add c; netns exec b true");
            second.does(&world, "netns exec a true; netns exec c true; netns del a");
            first.does(&world, "netns del b");
            world.ok("rename c d");
            first.does(&world, "netns exec d true");
            assert_eq!(first.does(&world, "netns list"), "d\n");
            world.sh("umount -l /run/netns/d; umount -l /run/netns/d 2>/dev/null || :");
            assert_eq!(world.ok("prune"), "d\n");
            all_gone(&world);
            // All that is left is the directory on itself, once.
            assert_eq!(world.mounts().len(), 1, "{:#?}", world.mounts());
        }
    }
}

#[test]
fn text_is_what_ip_prints() {
    let world = World::new();
    let in_red = "exec ip netns exec red sh -c 'echo ready; read x'";
    world.sh("ip netns add red; ip netns add blue; ip netns add 'a b'; ip netns add green");
    world.sh("ip netns set red 10; ip netns set blue 3; ip -n red netns set blue 20; ip -n red netns set 'a b' 21");
    // An id without a name.
    let unnamed = world.start("exec unshare --net sh -c 'echo ready; read x'");
    world.sh(&format!("ip netns attach x {0}; ip netns set x 5; umount /run/netns/x; rm /run/netns/x", unnamed.pid()));
    let processes = [world.start(in_red), world.start(in_red)];
    let pid = processes[0].pid();
    for words in [
        "netns list | sort",
        "netns | sort",
        "-n red netns list | sort",
        "-j netns list-id",
        "netns list-id",
        "netns list-id nsid 10",
        "netns list-id nsid 5",
        "netns list-id target-nsid 10",
        "netns list-id target-nsid 10 nsid 3",
        "-j netns list-id target-nsid 10",
        "-n red netns list-id",
        "netns identify",
        "-n red netns identify",
        &format!("netns identify {pid}"),
        &format!("netns identify {}", world.pid()),
        &format!("netns identify {}", unnamed.pid()),
        "netns pids red | sort -n",
        "netns pids blue",
    ] {
        let (ours, theirs) = (world.shell(&format!("$NSNET {words}")), world.shell(&format!("ip {words}")));
        assert_eq!(ours.out, theirs.out, "{words}\n{ours}\n{theirs}");
        // Unlike ip, pids says where somebody cannot be looked at; that depends on the machine.
        assert!(words.contains("pids") || ours.err.is_empty(), "{ours}");
        assert_eq!(ours.status.code(), theirs.status.code(), "{words}");
    }
    assert_eq!(world.sh("$NSNET netns pids red").lines().count(), 2);
}

#[test]
fn json_of_the_list_has_ips_keys_and_values_and_more() {
    let world = World::new();
    world.sh("ip netns add red; ip netns add blue; ip netns set red 10");
    let mut theirs = json(&world.sh("ip -json netns list"));
    let theirs = theirs.as_array_mut().unwrap();
    theirs.sort_by_key(|row| row["name"].as_str().unwrap().to_owned());
    let mut ours = json(&world.ok("-json netns list"));
    for (ours, theirs) in ours.as_array_mut().unwrap().iter_mut().zip(&*theirs) {
        let ours = ours.as_object_mut().unwrap();
        assert_eq!(ours["state"], "alive");
        ours.retain(|key, _| theirs.get(key).is_some());
    }
    assert_eq!(ours.as_array(), Some(&*theirs));
}
