//! Many at once, and killed at any point.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    process::{Child, Stdio},
    thread,
};

use super::support::{Ran, World, is_real_root, ran};

const EXISTS: &str = "nsnet: cannot add 'x': a namespace of this name exists\n";
const NOT_DELETED: &str = "nsnet: cannot delete 'x': there is no such name in '/run/netns'\n";
const NOT_OPENED: &str = "nsnet: cannot open namespace 'x': there is no such name in '/run/netns'\n";

/// Enters by the file alone, as any program may.
const ENTER_ALL: &str = "for file in /run/netns/*; do nsenter --net=$file true; done";

// Many at once.

#[test]
fn of_fifty_adds_of_one_name_exactly_one_wins() {
    for _ in 0..5 {
        let world = World::shared();
        let ran = at_once(&world, ["exec $NSNET add x"; 50]);
        let (won, lost): (Vec<_>, Vec<_>) = ran.into_iter().partition(|add| add.status.success());
        assert_eq!(won.len(), 1);
        for add in lost {
            assert_eq!(add.fails(1), EXISTS);
        }
        world.ok("exec x true");
        assert_eq!(mounts(&world), once_each(["x"]));
    }
}

#[test]
fn two_hundred_first_adds_all_work_with_one_mount_each() {
    let names: Vec<_> = (0..200).map(|n| format!("n{n}")).collect();
    for world in [World::new(), World::shared()] {
        for add in at_once(&world, names.iter().map(|name| format!("exec $NSNET add {name}"))) {
            assert_eq!(add.ok(), "");
        }
        assert_eq!(mounts(&world), once_each(&names));
        world.sh(ENTER_ALL);
    }
}

#[test]
fn nsnet_and_ip_together_prepare_the_directory_once() {
    let add = |n| [format!("exec $NSNET add n{n}"), format!("exec ip netns add i{n}")];
    for world in [World::new(), World::shared()] {
        for add in at_once(&world, (0..100).flat_map(add)) {
            add.ok();
        }
        assert_eq!(mounts_of_the_directory(&world), 1, "{}", world.sh("cat /proc/self/mountinfo"));
        // How often each is mounted depends on who was first: ip of before 7.0 leaves the directory a peer of /run.
        let made = (0..100).flat_map(|n| [format!("n{n}"), format!("i{n}")]).collect();
        assert_eq!(mounts(&world).into_keys().collect::<BTreeSet<_>>(), made);
        world.sh(ENTER_ALL);
    }
}

#[test]
fn a_first_add_waits_for_another_that_is_preparing_the_directory() {
    let world = World::new();
    // It stops with the directory made, but not mounted.
    let stop = "-e trace=open_tree -e inject=open_tree:signal=STOP";
    let mut first = world.start(&format!("exec strace -D -qq -o /dev/stdout {stop} $NSNET add x"));
    let mut second = world.start("exec strace -D -qq -o /dev/stdout -e trace=flock $NSNET add y");
    world.sh(&format!("kill -CONT {}", first.pid()));
    assert!(first.wait().success());
    assert!(second.wait().success());
    assert_eq!(mounts_of_the_directory(&world), 1);
    assert_eq!(mounts(&world), once_each(["x", "y"]));
}

#[test]
fn what_ip_prepared_while_nsnet_waited_is_not_mounted_over_again() {
    let world = World::new();
    world.sh("mkdir /run/netns");
    let ip = world.start("exec flock /run/netns sh -c 'echo held; exec cat'");
    let mut add = world.start("exec strace -D -qq -o /dev/stdout -e trace=flock $NSNET add x");
    assert!(add.line().ends_with("= -1 EAGAIN (Resource temporarily unavailable)\n"));
    world.sh("mount --bind /run/netns /run/netns; mount --make-shared /run/netns");
    drop(ip);
    assert!(add.wait().success());
    assert_eq!(mounts_of_the_directory(&world), 1);
    world.ok("exec x true");
}

#[test]
fn exec_racing_with_add_and_del_runs_or_finds_no_name() {
    let world = World::shared();
    let forty = |command| format!("for n in $(seq 40); do {command} 2>&1 || echo exit $?; done");
    let scripts = ["$NSNET add x", "$NSNET del --no-wait x", "$NSNET exec x echo inside"].map(forty);
    let expected = [
        ["", &format!("{EXISTS}exit 1\n")],
        ["", &format!("{NOT_DELETED}exit 1\n")],
        ["inside\n", &format!("{NOT_OPENED}exit 125\n")],
    ];
    for (n, ran) in at_once(&world, scripts.iter().chain(&scripts).chain(&scripts)).into_iter().enumerate() {
        let unexpected = expected[n % 3].iter().fold(ran.out.clone(), |out, expected| out.replace(expected, ""));
        assert_eq!(unexpected, "", "{ran}");
    }
    world.ok("del --if-exists x");
    assert_eq!(world.sh("ls /run/netns"), "");
    assert_eq!(mounts(&world), BTreeMap::new());
}

// Killed, refused and interrupted.

#[test]
fn add_killed_at_any_system_call_is_healed_by_the_next() {
    let world = World::shared();
    for call in calls(&world, "add x y") {
        empty_run(&world);
        let killed = inject(&world, &call, "signal=KILL", "add x y");
        for state in states(&world, "x y") {
            assert!(["absent", "alive", "dead"].contains(&&*state), "{state}: {killed}");
        }
        world.ok("add --if-missing x y");
        world.ok("exec x true");
        world.ok("exec y true");
        assert_eq!(mounts(&world), once_each(["x", "y"]), "{killed}");
    }
}

#[test]
fn del_killed_at_any_system_call_is_finished_by_the_next() {
    let world = World::shared();
    world.ok("add x y");
    for call in calls(&world, "del x y") {
        world.ok("add --if-missing x y");
        let killed = inject(&world, &call, "signal=KILL", "del x y");
        for state in states(&world, "x y") {
            assert!(["absent", "alive", "dead"].contains(&&*state), "{state}: {killed}");
        }
        world.ok("del --if-exists x y");
        assert_eq!(world.sh("ls /run/netns"), "", "{killed}");
        assert_eq!(mounts(&world), BTreeMap::new(), "{killed}");
    }
}

#[test]
fn add_refused_any_system_call_makes_all_or_none_and_says_why() {
    let world = World::shared();
    for call in calls(&world, "add x y z").into_iter().filter(|(name, _)| !BEYOND_REASON.contains(&name.as_str())) {
        empty_run(&world);
        let refused = inject(&world, &call, "error=ENOMEM", "add x y z");
        if refused.status.success() {
            assert_eq!(mounts(&world), once_each(["x", "y", "z"]), "{refused}");
            assert_eq!(refused.err, "", "{refused}");
        } else {
            assert_eq!(refused.status.code(), Some(1), "{refused}");
            let lines: Vec<_> = refused.err.lines().collect();
            assert!(matches!(*lines, [line] if line.starts_with("nsnet: cannot ")), "{refused}");
            // libc makes EAGAIN of it when no thread can be started.
            assert!(lines[0].ends_with("(os error 12)") || lines[0].ends_with("(os error 11)"), "{refused}");
            assert_eq!(world.sh("ls /run/netns 2>/dev/null || :"), "", "{refused}");
        }
        world.ok("add --if-missing x y z");
        assert_eq!(mounts(&world), once_each(["x", "y", "z"]), "{refused}");
    }
}

#[test]
fn add_of_a_hundred_names_is_whole_when_a_signal_ends_it() {
    let names: Vec<_> = (0..100).map(|n| format!("n{n}")).collect();
    let add = format!("add {}", names.join(" "));
    for (signal, number) in [("HUP", 1), ("INT", 2), ("TERM", 15)] {
        // While the directory is prepared, in every thread that makes namespaces, and between two names.
        for (call, when) in [("mount", 1), ("unshare", 1), ("mount", 60)] {
            let world = World::new();
            let ended = inject(&world, &(call.into(), when), &format!("signal={signal}"), &add);
            // A signal to a thread ends with the thread.
            if call == "mount" {
                assert_eq!(ended.signal(), Some(number), "{ended}");
            }
            assert_eq!(mounts(&world), once_each(&names), "{ended}");
        }
    }
}

#[test]
fn add_of_a_hundred_names_ended_from_outside_makes_all_or_none() {
    let names: Vec<_> = (0..100).map(|n| format!("n{n}")).collect();
    for signal in ["HUP", "INT", "TERM"] {
        let world = World::new();
        world.ok("add before");
        let mut monitor = world.monitor("");
        let mut add = world.start(&format!("echo started; exec $NSNET add {}", names.join(" ")));
        assert_eq!(&monitor.line()[..5], "add n");
        world.shell(&format!("kill -{signal} {}", add.pid()));
        assert_eq!(add.line(), "");
        world.ok("del before");
        let made = mounts(&world);
        assert!(made.is_empty() || made == once_each(&names), "{made:?}");
    }
}

// Locks that others hold.

#[test]
fn a_lock_that_others_hold_is_waited_for_ten_seconds_and_they_are_named() {
    thread::scope(|scope| {
        scope.spawn(ips_lock_is_needed_only_to_prepare_the_directory);
        scope.spawn(nsnets_lock_is_needed_for_every_change);
    });
}

fn ips_lock_is_needed_only_to_prepare_the_directory() {
    let world = World::new();
    world.sh("mkdir /run/netns");
    let hold = || world.start("exec flock /run/netns sh -c 'echo held; exec cat'");
    let stranger = hold();
    assert_eq!(world.fails(1, "add x"), held_by("/run/netns", stranger.pid()));
    assert_eq!(world.sh("ls /run/netns"), "");
    drop(stranger);
    world.ok("add x");
    let _stranger = hold();
    world.ok("add y");
    world.ok("del x");
}

fn nsnets_lock_is_needed_for_every_change() {
    let world = World::new();
    world.ok("add x");
    let holder = world.start("exec flock /run/nsnet/lock sh -c 'echo held; exec cat'");
    let changes = ["add y", "del x", "attach y $$", "rename x y", "prune"];
    for change in at_once(&world, changes.map(|change| format!("exec $NSNET {change}"))) {
        assert_eq!(change.fails(1), held_by("/run/nsnet/lock", holder.pid()));
    }
    assert_eq!(world.ok("list"), "x\n");
    world.ok("exec x true");
}

#[test]
fn a_signal_ends_the_waiting_for_a_lock() {
    let world = World::new();
    world.ok("add x");
    let _holder = world.start("exec flock /run/nsnet/lock sh -c 'echo held; exec cat'");
    // It comes at the first try for the lock; were it held, a second one would wait.
    let ended =
        world.shell("exec strace -f -qq -o /run/trace -e trace=flock -e inject=flock:signal=TERM:when=1 $NSNET add y");
    assert_eq!(ended.signal(), Some(15), "{ended}");
    assert_eq!(world.sh("grep -c flock /run/trace"), "1\n", "{}", world.sh("cat /run/trace"));
}

fn held_by(path: &str, pid: u32) -> String {
    format!(
        "nsnet: cannot lock '{path}': process {pid} has held the lock for 10 seconds; see what it does, or end it\n"
    )
}

// Names must live for everybody.

#[test]
fn names_that_would_be_born_dead_are_refused() {
    let slave = "this mount namespace receives mounts of the host's, but passes none on";
    let private = "this mount namespace has a private copy of the host's directory";
    for (propagation, reason) in [("slave", slave), ("private", private)] {
        for change in ["add x", "attach x 1", "rename first x"] {
            let world = World::new();
            let refused = under_a_pid_1(
                &world,
                &format!(
                    "$NSNET add first; unshare --mount --propagation {propagation} $NSNET {change} || echo exit $?; \
                     ls /run/netns"
                ),
            );
            assert_eq!(refused.out, "exit 1\nfirst\n", "{refused}");
            assert_eq!(
                refused.err,
                format!(
                    "nsnet: cannot make names in '/run/netns': {reason}, so the name would be dead for everybody else; \
                     run nsnet outside, or mount a tmpfs of your own on /run\n"
                )
            );
        }
    }
}

#[test]
fn names_live_where_mounts_are_passed_on_or_run_is_ones_own() {
    let world = World::new();
    let entered = |script: &str| assert_eq!(under_a_pid_1(&world, script).ok(), "");
    // A peer; the directory is prepared there.
    entered("unshare --mount --propagation unchanged $NSNET add x; nsenter --net=/run/netns/x true; $NSNET del x");
    // A peer, after the directory was prepared outside.
    entered("$NSNET add y; unshare --mount --propagation unchanged $NSNET add x; nsenter --net=/run/netns/x true");
    entered(
        "unshare --mount --propagation slave sh -euc 'mount -t tmpfs tmpfs /run; $NSNET add x; $NSNET exec x true'",
    );
}

/// Runs a script below a pid 1 whose mounts are all shared, as those of a host are.
fn under_a_pid_1(world: &World, script: &str) -> Ran {
    let prepare = "mount --make-rshared /; mount -t tmpfs tmpfs /run; mount --make-shared /run";
    let mut command = world.command("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    command.args(["sh", "-euc", &format!("{prepare}; {script}\n:")]);
    super::support::run(command)
}

#[test]
fn names_made_inside_exec_live_outside_too() {
    for world in [World::new(), World::shared()] {
        world.ok("add a");
        world.sh("$NSNET exec a $NSNET add b");
        world.ok("exec a ip netns add c");
        world.sh("$NSNET exec a $NSNET exec b $NSNET add d");
        assert_eq!(mounts(&world), once_each(["a", "b", "c", "d"]));
        world.sh(ENTER_ALL);
        world.sh("$NSNET exec a $NSNET del b");
        assert_eq!(mounts(&world), once_each(["a", "c", "d"]));
    }
}

#[test]
fn names_made_outside_live_inside_an_exec_that_goes_on() {
    for world in [World::new(), World::shared()] {
        world.ok("add a");
        let mut inside = world.start(
            "exec $NSNET exec a sh -c 'echo inside; read _; nsenter --net=/run/netns/b echo entered || echo dead; \
             read _; ls /run/netns'",
        );
        world.ok("add b");
        inside.say("\n");
        assert_eq!(inside.line(), "entered\n");
        world.ok("del b");
        inside.say("\n");
        assert_eq!(inside.line(), "a\n");
    }
}

// Root of a user namespace, but not of everything.

#[test]
fn without_a_mount_namespace_of_its_own_a_user_namespace_gets_no_names() {
    let denied = if is_real_root() {
        "nsnet: cannot make directory '/run/nsnet': Permission denied (os error 13)\n"
    } else {
        "nsnet: cannot share '/run/netns': Operation not permitted (os error 1)\n"
    };
    let (world, refused) = rootless("", "/mnt/nsnet add x || echo exit $?");
    assert_eq!((&*refused.out, refused.err.lines().next()), ("exit 1\n", denied.lines().next()), "{refused}");
    assert_eq!(world.sh("ls /run/netns 2>/dev/null || :"), "");
}

#[test]
fn a_user_namespace_that_shares_the_network_has_names_of_its_own() {
    let (world, ran) = rootless(
        "--mount",
        "mount -t tmpfs tmpfs /run; /mnt/nsnet add x; /mnt/nsnet exec x cat /sys/class/net/lo/flags; \
         /mnt/nsnet exec --bare x ping -c1 -W2 127.0.0.1 >/dev/null; /mnt/nsnet del x; ls /run/netns",
    );
    assert_eq!(ran.out, "0x9\n", "{ran}");
    // An id, by which its end would be heard of, is the network's to give.
    let unheard = "nsnet: warning: 'x' is deleted; whether its namespace is gone is unknown: \
                   cannot watch the end of 'x': Operation not permitted (os error 1)\n";
    assert_eq!(ran.err, unheard);
    assert!(ran.status.success());
    assert_eq!(world.sh("find /run -name 'n*'"), "");
}

#[test]
fn a_user_namespace_with_a_network_of_its_own_has_all_of_it() {
    let (world, ran) = rootless(
        "--mount --net",
        "mount -t tmpfs tmpfs /run; /mnt/nsnet add x; /mnt/nsnet exec x true; \
         /mnt/nsnet veth v0=10.0.0.1/24 x:v1=10.0.0.2/24; ping -c1 -W2 10.0.0.2 >/dev/null; \
         /mnt/nsnet del x; ls /run/netns; ip link show v0 2>/dev/null || :",
    );
    assert_eq!((&*ran.out, &*ran.err), ("", ""), "{ran}");
    assert!(ran.status.success());
    assert_eq!(world.sh("find /run -name 'n*'"), "");
}

/// Runs a script as root of a user namespace that an ordinary user made, if the tests' root is a real one.
fn rootless(more: &str, script: &str) -> (World, Ran) {
    let world = World::new();
    // The built binary may lie where only root may look.
    world.sh("chmod 755 /run; mount -t tmpfs -o mode=755 tmpfs /mnt; cp $NSNET /mnt/nsnet");
    let ordinary = if is_real_root() { "setpriv --reuid=65534 --regid=65534 --clear-groups" } else { "" };
    let ran = world.shell(&format!("exec {ordinary} unshare --user --map-root-user {more} sh -euc '{script}'"));
    (world, ran)
}

// How it is done and looked at.

/// Starts all scripts at the same moment: each waits at a gate that opens when the last has come to it.
fn at_once(world: &World, scripts: impl IntoIterator<Item: AsRef<str>>) -> Vec<Ran> {
    let (gate, opener) = std::io::pipe().unwrap();
    let start = |script: &str| {
        let mut command = world.command("sh");
        command.args(["-euc", &format!("echo ready; read _ || :; {script}")]);
        let piped = command.stdin(gate.try_clone().unwrap()).stdout(Stdio::piped()).stderr(Stdio::piped());
        (script.to_owned(), piped.spawn().unwrap())
    };
    let mut waiting: Vec<(String, Child)> = scripts.into_iter().map(|script| start(script.as_ref())).collect();
    for (_, child) in &mut waiting {
        child.stdout.as_mut().unwrap().read_exact(&mut [0; "ready\n".len()]).unwrap();
    }
    drop(opener);
    waiting.into_iter().map(|(script, child)| ran(script, child.wait_with_output().unwrap())).collect()
}

/// A system call, and the how manieth of its thread.
type Call = (String, usize);

/// What libc and Rust's runtime call to start and end threads, and for memory: refused, they abort.
const BEYOND_REASON: [&str; 10] =
    ["brk", "exit", "exit_group", "futex", "madvise", "mmap", "mprotect", "munmap", "rseq", "sigaltstack"];

/// The system calls of a command from where its work begins: before, nothing is done that could be half done.
fn calls(world: &World, command: &str) -> BTreeSet<Call> {
    let trace = world.sh(&format!("strace -f -qq -o /run/trace $NSNET {command}; cat /run/trace"));
    let (start, _) = trace.split_once("mkdir(\"/run/nsnet\"").expect("the lock comes first");
    let mut count = BTreeMap::<_, usize>::new();
    let mut calls = BTreeSet::new();
    for (n, line) in trace.lines().enumerate() {
        let (thread, call) = line.split_once(' ').unwrap();
        let Some((name, _)) = call.trim_start().split_once('(') else { continue };
        if name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            let when = count.entry((thread, name)).or_default();
            *when += 1;
            if n >= start.lines().count() - 1 {
                calls.insert((name.to_owned(), *when));
            }
        }
    }
    calls
}

/// Runs a command with something done to one system call of it.
fn inject(world: &World, (name, when): &Call, what: &str, command: &str) -> Ran {
    let filter = format!("-e trace={name} -e inject={name}:{what}:when={when}");
    world.shell(&format!("exec strace -f -qq -o /dev/null {filter} $NSNET {command}"))
}

/// Puts an empty file system on `/run`, as at boot.
fn empty_run(world: &World) {
    world.sh("umount -R -l /run; mount -t tmpfs tmpfs /run; mount --make-shared /run");
}

/// What each name is, told without nsnet.
fn states(world: &World, names: &str) -> Vec<String> {
    let script = format!(
        "cd /run/netns 2>/dev/null || exec echo absent
         for name in {names}; do
             [ -e $name ] || {{ echo absent; continue; }}
             case $(stat -f -c %T $name),$(stat -c %s $name) in
             nsfs,*) nsenter --net=$name echo alive;;
             tmpfs,0) echo dead;;
             *) stat $name;;
             esac
         done"
    );
    world.sh(&script).lines().map(str::to_owned).collect()
}

/// How many mounts each name has.
fn mounts(world: &World) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for point in mounts_below_run(world) {
        if let Some(name) = point.strip_prefix("/run/netns/") {
            *count.entry(name.to_owned()).or_default() += 1;
        }
    }
    count
}

fn mounts_of_the_directory(world: &World) -> usize {
    mounts_below_run(world).iter().filter(|point| *point == "/run/netns").count()
}

/// Where something is mounted on the world's own `/run`, covered or not: the machine's may lie below it.
fn mounts_below_run(world: &World) -> Vec<String> {
    let text = world.sh("cat /proc/self/mountinfo");
    let fields = |line: &str| {
        let mut fields = line.split(' ').map(str::to_owned);
        [fields.next(), fields.next(), fields.nth(2)].map(Option::unwrap)
    };
    let lines: Vec<_> = text.lines().map(fields).collect();
    let [run, ..] = lines.iter().rfind(|[_, _, point]| point == "/run").unwrap();
    let mut inside = BTreeSet::from([run]);
    let mut points = Vec::new();
    for [id, parent, point] in &lines {
        if inside.contains(parent) {
            inside.insert(id);
            points.push(point.clone());
        }
    }
    points
}

fn once_each(names: impl IntoIterator<Item: AsRef<str>>) -> BTreeMap<String, usize> {
    names.into_iter().map(|name| (name.as_ref().to_owned(), 1)).collect()
}
