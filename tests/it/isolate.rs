//! `isolate`: what a command sees and what it leaves alone, how it ends, and what signals do.

use std::fs;

use crate::support::{Background, World, is_real_root, json, run};

/// The command as `sh -c` inside.
fn isolated(world: &World, options: &str, script: &str) -> crate::support::Ran {
    let options = options.split_ascii_whitespace();
    world.nsnet(["isolate"].into_iter().chain(options).chain(["--", "sh", "-c", script]))
}

/// Namespaces of the caller, as links of `/proc/self/ns`.
fn namespaces(text: &str) -> Vec<(String, String)> {
    let pair = |line: &str| line.split_once(':').map(|(kind, id)| (kind.to_owned(), id.to_owned()));
    text.lines().filter_map(pair).collect()
}

const SHOW_NAMESPACES: &str = "for ns in cgroup ipc mnt net pid time user uts; do readlink /proc/self/ns/$ns; done";

/// Kinds that are others inside.
fn new_kinds(world: &World, options: &str) -> String {
    let outside = namespaces(&world.sh(SHOW_NAMESPACES));
    let inside = namespaces(&isolated(world, options, SHOW_NAMESPACES).ok());
    let others = inside.iter().zip(&outside).filter(|(inside, outside)| inside != outside);
    others.map(|((kind, _), _)| kind.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn five_namespaces_are_new_unless_others_are_named() {
    let world = World::new();
    assert_eq!(new_kinds(&world, ""), "ipc mnt net pid uts");
    assert_eq!(new_kinds(&world, "--all --map-root"), "cgroup ipc mnt net pid time user uts");
    assert_eq!(new_kinds(&world, "--no-pid --no-ipc"), "mnt net uts");
    assert_eq!(new_kinds(&world, "--map-root"), "ipc mnt net pid user uts");
    assert_eq!(new_kinds(&world, "--all --no-net --no-time --map-root"), "cgroup ipc mnt pid user uts");
    for kind in ["cgroup", "ipc", "net", "pid", "time", "uts"] {
        assert_eq!(new_kinds(&world, &format!("--{kind}")), kind);
    }
    assert_eq!(new_kinds(&world, "--mount"), "mnt");
}

#[test]
fn the_command_is_process_1_and_sees_only_its_own() {
    let world = World::new();
    assert_eq!(isolated(&world, "", "echo $$; exec readlink /proc/self").ok(), "1\n1\n");
    let ps = isolated(&world, "", "ps -e -o comm=; true").ok();
    assert_eq!(ps, "sh\nps\n");
    let with_init = isolated(&world, "--init", "echo $$; cat /proc/1/comm; ps -e -o comm=; true").ok();
    assert_eq!(with_init, "2\nnsnet-init\nnsnet-init\nsh\nps\n");
}

/// What the introductions damage: `/proc` of the parent, where `/` is shared.
#[test]
fn the_proc_of_the_host_is_untouched_also_where_everything_is_shared() {
    let world = World::shared();
    let look = "cat /proc/self/mountinfo; readlink /proc/self >/dev/null; ls -d /proc/1; ps -p 1 -o pid=";
    let before = world.sh(look);
    isolated(&world, "", "mount -t tmpfs t /mnt; umount /proc; mount -t proc proc /proc; mount -t tmpfs t /tmp").ok();
    assert_eq!(world.sh(look), before);
    // Killed half-way too.
    let mut killed = world.start("exec $NSNET isolate sh -c 'mount -t tmpfs t /mnt; echo ready; exec sleep 100'");
    world.sh(&format!("kill -9 {}", killed.pid()));
    killed.wait();
    assert_eq!(world.sh(look), before);
}

#[test]
fn unmounting_proc_inside_does_not_show_that_of_the_host() {
    let world = World::new();
    let count = isolated(&world, "", "umount /proc; ls /proc | grep -c '^[0-9]'; true").ok();
    if is_real_root() {
        assert_eq!(count, "0\n");
    } else {
        // In a user namespace the outer one is locked in place, and has to stay: a documented limit.
        assert_ne!(count, "0\n");
    }
}

#[test]
fn sys_shows_the_links_of_inside_and_keeps_what_is_mounted_below() {
    let world = World::new();
    assert_eq!(isolated(&world, "", "ls /sys/class/net").ok(), "lo\n");
    assert_eq!(isolated(&world, "--no-sys", "ls /sys/class/net").ok(), world.sh("ls /sys/class/net"));
    let below = "awk '$5 ~ \"^/sys/\" { print $5 }' /proc/self/mountinfo | sort -u";
    assert_eq!(isolated(&world, "", below).ok(), world.sh(below));
}

#[test]
fn host_and_domain_name_are_of_inside() {
    let world = World::new();
    let before = world.sh("hostname; cat /proc/sys/kernel/domainname");
    let inside = isolated(&world, "--hostname box --domainname dom", "hostname; cat /proc/sys/kernel/domainname").ok();
    assert_eq!(inside, "box\ndom\n");
    assert_eq!(world.sh("hostname; cat /proc/sys/kernel/domainname"), before);
    let longest = "n".repeat(64);
    assert_eq!(isolated(&world, &format!("--hostname {longest}"), "hostname").ok(), format!("{longest}\n"));
    let error = isolated(&world, &format!("--hostname {longest}n"), "true").fails(2);
    assert!(error.contains("longer than 64 bytes"), "{error}");
}

#[test]
fn what_contradicts_itself_is_refused_before_anything_is_made() {
    let world = World::new();
    for (options, word) in [
        ("--net --hostname x", "'--hostname': it needs a uts namespace"),
        ("--no-uts --domainname x", "add '--uts'"),
        ("--boottime 5", "add '--time'"),
        ("--no-pid --init", "add '--pid'"),
        ("--no-mount --dns 1.1.1.1", "add '--mount'"),
        ("--uts --veth a b", "add '--net'"),
        ("--map-root --no-user", "'--no-user' takes away"),
        ("--no-net --name x", "add '--net'"),
        ("--map-root --map-current", "cannot be used with"),
        ("--veth a red:b", "it is the end inside"),
        ("--net --netns .", "choose"),
        ("--kill-child FROB", "a signal is a name"),
        ("--cap-drop frob", "there is none of this name"),
        ("--map-users 0:0", "INSIDE:OUTSIDE:COUNT"),
        ("--map-users 0:0:2 --map-users 1:5:1", "overlaps"),
        ("--root /run --propagation shared", "needs private or slave"),
        ("--dns 1.1.1.1 --propagation unchanged", "needs private or slave"),
        ("--env X", "KEY=VALUE"),
        ("--no-net --route default", "'--route': it needs a net"),
        ("--netns . --name x", "has a name of its own"),
        ("--kill-child TERM", "'--init' passes it on"),
        ("--frob", "unexpected argument"),
    ] {
        let error = isolated(&world, options, "echo touched >&2").fails(2);
        assert!(error.contains(word) && !error.contains("touched"), "{options}: {error}");
    }
    let route = world.nsnet(["isolate", "--route", "default via", "--", "true"]).fails(2);
    assert!(route.contains("--route default via"), "{route}");
}

#[test]
fn exit_codes_are_the_commands_own() {
    let world = World::new();
    for options in ["", "--init", "--no-pid", "--map-root", "--tty", "--all --map-root --init"] {
        for code in [0, 1, 42, 255] {
            let ran = isolated(&world, options, &format!("exit {code}"));
            assert_eq!(ran.status.code(), Some(code), "{options}: {ran}");
        }
        let program = |words: &[&str]| {
            world
                .nsnet(["isolate"].iter().copied().chain(options.split_ascii_whitespace()).chain(words.iter().copied()))
        };
        let missing = program(&["/nonexistent/program"]).fails(127);
        assert_eq!(missing, "nsnet: cannot execute '/nonexistent/program': No such file or directory (os error 2)\n");
        program(&["nonexistent-program"]).fails(127);
        program(&["/etc/passwd"]).fails(126);
        program(&["/"]).fails(126);
    }
}

#[test]
fn a_command_that_a_signal_ended_looks_so() {
    let world = World::new();
    for options in ["--init", "--no-pid"] {
        for signal in [9, 15, 6] {
            let ran = isolated(&world, options, &format!("kill -{signal} $$; exit 3"));
            assert_eq!((ran.status.code(), ran.err.as_str()), (Some(128 + signal), ""), "{options}: {ran}");
        }
    }
    // Process 1 cannot end itself by a signal: the kernel says so, and --init is the way around.
    assert_eq!(isolated(&world, "", "kill -9 $$; exit 3").status.code(), Some(3));
    // From outside, it can be.
    let mut sleeper = world.start("$NSNET isolate --pidfile /run/pid sh -c 'echo ready; exec sleep 100' || echo $?");
    world.sh("kill -9 $(cat /run/pid)");
    assert_eq!(sleeper.line(), "137\n");
}

/// A command that says which signal it caught.
const CATCHES: &str = "for s in TERM INT HUP USR1 USR2 QUIT; do trap \"echo caught $s; exit 50\" $s; done; echo ready; \
                       while :; do sleep 100 & wait; done";

/// What the process that this command became holds on to.
fn started(world: &World, options: &str, script: &str) -> Background {
    let quoted = script.replace('\'', "'\\''");
    world.start(&format!("exec $NSNET isolate {options} sh -c '{quoted}'"))
}

#[test]
fn signals_reach_the_command_and_nothing_is_left() {
    let world = World::new();
    for options in ["", "--init", "--no-pid", "--map-root", "--new-session"] {
        for signal in ["TERM", "INT", "HUP", "USR1", "USR2", "QUIT"] {
            let mut command = started(&world, options, CATCHES);
            world.sh(&format!("kill -{signal} {}", command.pid()));
            assert_eq!(command.line(), format!("caught {signal}\n"), "{options}");
            assert_eq!(command.wait().code(), Some(50), "{options} {signal}");
        }
    }
}

#[test]
fn a_command_that_would_ignore_a_signal_as_process_1_is_ended() {
    let world = World::new();
    for options in ["", "--init", "--no-pid"] {
        for (signal, number) in [("TERM", 15), ("INT", 2), ("HUP", 1), ("USR1", 10), ("ALRM", 14)] {
            // A shell catches some; this is a program that writes, then waits for a reader, with all at their defaults.
            let mut command = world.start(&format!("exec $NSNET isolate {options} yes ready"));
            world.sh(&format!("kill -{signal} {}", command.pid()));
            assert_eq!(command.wait().code(), Some(128 + number), "{options} {signal}");
        }
    }
    // What is ignored on purpose stays so.
    let mut stubborn = started(&world, "", "trap '' TERM; echo ready; read line; echo $line");
    world.sh(&format!("kill -TERM {}", stubborn.pid()));
    stubborn.say("still here\n");
    assert_eq!(stubborn.line(), "still here\n");
    assert_eq!(stubborn.wait().code(), Some(0));
}

#[test]
fn a_signal_before_the_command_has_started_is_not_lost() {
    let world = World::new();
    // The signal comes while the child sets itself up: it is held at a mount.
    for call in ["mount", "clone3", "sendto", "prctl"] {
        // A tracer in the background: nsnet is the child of timeout.
        let inject = format!("strace -D -f -qq -o /dev/null -e trace={call} -e inject={call}:delay_enter=200000");
        let ended = world.sh(&format!("timeout -k 20 0.1 {inject} $NSNET isolate --veth h0 i0 sleep 30 || echo $?"));
        assert_eq!(ended, "124\n", "{call}");
        world.sh("! ip link show h0 2>/dev/null");
    }
}

#[test]
fn timeout_ends_it() {
    let world = World::new();
    assert_eq!(world.sh("timeout 0.2 $NSNET isolate sleep 99 || echo $?"), "124\n");
    assert_eq!(world.sh("timeout 0.2 $NSNET isolate --init sleep 99 || echo $?"), "124\n");
}

#[test]
fn a_killed_nsnet_takes_everything_with_it() {
    let world = World::new();
    for options in ["", "--init", "--map-root", "--no-pid", "--tty", "--name box"] {
        // Without a pid namespace, what else the command started is its own business.
        let script =
            if options == "--no-pid" { "echo ready; exec sleep 100" } else { "echo ready; sleep 100 & sleep 100; :" };
        let mut command = started(&world, &format!("{options} --veth h0 i0"), script);
        world.sh(&format!("kill -9 {}", command.pid()));
        // All who hold the pipe are gone at its end.
        while !command.line().is_empty() {}
        world.sh("while ip link show h0 2>/dev/null; do :; done");
        world.sh("while test -n \"$(ls /run/netns 2>/dev/null)\"; do :; done");
    }
}

#[test]
fn nothing_is_left_where_the_command_could_not_start() {
    let world = World::new();
    let clean = || {
        world.sh("! ip link show h0 2>/dev/null; test -z \"$(ls /run/netns 2>/dev/null)\"; test ! -e /run/pid");
    };
    let line = "isolate --name box --pidfile /run/pid --veth h0=10.1.1.1/30 i0=10.1.1.2/30";
    world.fails(127, &format!("{line} -- nonexistent-program"));
    clean();
    let error = world.fails(125, &format!("{line} --wd /nonexistent -- true"));
    assert!(error.contains("cannot change to '/nonexistent': No such file"), "{error}");
    clean();
    let error = world.fails(125, &format!("{line} --root /nonexistent -- true"));
    assert!(error.contains("cannot bind root '/nonexistent'"), "{error}");
    clean();
    world.sh("ip link add h0 type veth peer name other");
    let error = world.fails(125, &format!("{line} -- true"));
    assert!(error.contains("the name 'h0' is taken in the current namespace"), "{error}");
    world.sh("ip link del h0");
    clean();
    world.sh("mkdir -p /run/netns; $NSNET add box");
    let error = world.fails(125, &format!("{line} -- true"));
    assert!(error.contains("a namespace of this name exists"), "{error}");
    world.sh("$NSNET del box; ! ip link show h0 2>/dev/null");
}

/// Each system call of the set-up fails once: the error names a step, and nothing is left.
#[test]
fn whatever_fails_leaves_nothing() {
    let world = World::new();
    let line = "isolate --init --hostname box --name box --veth h0=10.1.1.1/30 i0=10.1.1.2/30 true";
    for call in [
        "clone3",
        "mount",
        "sethostname",
        "socket",
        "sendto",
        "prctl",
        "pipe2",
        "ioctl",
        "bind",
        "umount2",
        "write",
        "open_tree",
    ] {
        for at in 1..=6 {
            let inject = format!("strace -f -qq -o /dev/null -e trace={call} -e inject={call}:error=EPERM:when={at}");
            let ran = world.shell(&format!("timeout -k 1 20 {inject} $NSNET {line}"));
            let code = ran.status.code();
            // 124 would be a wait without an end.
            assert!(matches!(code, Some(0 | 1 | 125 | 126)), "{call} {at}: {ran}");
            // Where the very report of a failure failed, only the code tells of it.
            assert!(code == Some(0) || !ran.err.is_empty() || call == "write", "{call} {at}: {ran}");
            let left =
                world.sh("ip -o link; ls /run/netns 2>/dev/null || :; pgrep -f 'isolat[e] --init --hostname box' || :");
            let links = left.lines().filter(|line| !line.contains(": lo:")).collect::<Vec<_>>();
            // The injection may hit the very call that clears away.
            if call != "umount2" && call != "sendto" {
                assert!(links.is_empty(), "{call} {at}: {left}");
            }
            world.sh("ip link del h0 2>/dev/null || :; ip netns del box 2>/dev/null || :");
        }
    }
}

#[test]
fn background_processes_end_with_the_command_and_none_is_left_unreaped() {
    let world = World::new();
    // All holders of the pipe are gone when the output ends.
    let ran = isolated(&world, "", "sleep 100 & sleep 100 & exit 5");
    assert_eq!(ran.status.code(), Some(5));
    let zombies =
        "(sleep 0 &) ; (sleep 0 &) ; while pgrep sleep >/dev/null; do :; done; ps -e -o stat= | grep -c Z; true";
    assert_eq!(isolated(&world, "--init", zombies).ok(), "0\n");
}

#[test]
fn an_ignored_sigchld_loses_nothing_and_stays_ignored_inside() {
    let world = World::new();
    let script = "trap '' CHLD; $NSNET isolate sh -c 'exit 7'; echo $?; $NSNET isolate grep SigIgn /proc/self/status";
    let out = world.sh(&format!("bash -c '{}'", script.replace('\'', "'\\''")));
    let (code, ignored) = out.split_once('\n').unwrap();
    assert_eq!(code, "7");
    let mask = u64::from_str_radix(ignored.trim().rsplit('\t').next().unwrap(), 16).unwrap();
    assert_eq!(mask >> 16 & 1, 1, "{ignored}");
}

#[test]
fn signals_are_as_the_caller_has_them() {
    let world = World::new();
    let masks = "grep -E 'Sig(Blk|Ign)' /proc/self/status";
    for options in ["", "--init", "--tty"] {
        let expected = world.sh(masks);
        assert_eq!(isolated(&world, options, masks).ok().replace('\r', ""), expected, "{options}");
    }
    // Quiet, as in any shell.
    let ran = isolated(&world, "", "yes | head -1");
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("y\n", ""));
}

#[test]
fn the_streams_are_the_callers_own() {
    let world = World::new();
    assert_eq!(world.sh("echo through | $NSNET isolate cat"), "through\n");
    assert_eq!(world.sh("head -c 3000000 /dev/zero | $NSNET isolate cat | wc -c"), "3000000\n");
    assert_eq!(world.sh("$NSNET isolate sh -c 'echo no stdin' <&-"), "no stdin\n");
    assert_eq!(world.sh("$NSNET isolate sh -c 'echo out; echo err >&2' 2>&1 >/dev/null"), "err\n");
}

#[test]
fn only_files_of_the_caller_are_passed_on() {
    let world = World::new();
    let list = "ls /proc/self/fd | tr '\\n' ' '";
    let script = format!(
        "exec 7</dev/null 8</dev/null; sh -c \"{list}\"; echo; $NSNET isolate sh -c \"{list}\"; echo; \
                          $NSNET isolate --init --name x --veth a b sh -c \"{list}\"; echo; $NSNET isolate --close-fds sh -c \"{list}\""
    );
    let out = world.sh(&script);
    let lines: Vec<_> = out.lines().collect();
    assert!(lines[0].contains(" 7 8 "), "{out}");
    assert_eq!((lines[1], lines[2], lines[3]), (lines[0], lines[0], "0 1 2 3 "));
}

#[test]
fn ipc_is_apart() {
    let world = World::new();
    let queue = world.sh("ipcmk -Q | sed 's/.*: //'");
    let look = format!("ipcs -q -i {} | grep -c msqid", queue.trim());
    assert_eq!(world.sh(&look), "1\n");
    let made =
        isolated(&world, "", &format!("ipcs -q | grep -c ^0x; {look}; ipcmk -Q >/dev/null; ipcs -q | grep -c ^0x"))
            .ok();
    assert_eq!(made, "0\n0\n1\n");
    world.sh(&format!("ipcrm -q {}", queue.trim()));
    // POSIX queues are files where they are mounted; what is mounted inside shows those of inside.
    if fs::exists("/dev/mqueue").unwrap() && world.shell("mount -t mqueue q /dev/mqueue").status.success() {
        world.sh("touch /dev/mqueue/outside");
        assert_eq!(isolated(&world, "", "ls /dev/mqueue").ok(), "");
        world.sh("rm /dev/mqueue/outside");
    }
}

#[test]
fn clocks_run_ahead_inside_only() {
    let world = World::new();
    let uptime = |text: &str| text.split('.').next().unwrap().parse::<i64>().unwrap();
    let inside = uptime(&isolated(&world, "--time --boottime 1000000", "cat /proc/uptime").ok());
    let outside = uptime(&world.sh("cat /proc/uptime"));
    assert!((999_000..1_001_000).contains(&(inside - outside)), "{inside} {outside}");
    let both =
        isolated(&world, "--all --map-root --boottime 500.25 --monotonic 7", "cat /proc/self/timens_offsets").ok();
    let words: Vec<_> = both.split_ascii_whitespace().collect();
    assert_eq!(words, ["monotonic", "7", "0", "boottime", "500", "250000000"]);
    let day = |text: String| text.trim().parse::<i64>().unwrap();
    let inside = day(isolated(&world, "--time --boottime 1000000", "date +%s").ok());
    assert!((day(world.sh("date +%s")) - inside).abs() < 60);
    let error = isolated(&world, "--time --boottime -99999999999", "true").fails(125);
    assert!(error.contains("cannot set the clocks of the new time namespace"), "{error}");
}

#[test]
fn mounts_go_where_they_are_told_to() {
    let world = World::shared();
    let proc_and_sys = world.sh("grep -E ' /(proc|sys|dev/mqueue)( |/)' /proc/self/mountinfo");
    world.sh("mkdir /run/seen; mount -t tmpfs t /run/seen; mount --make-shared /run/seen");
    for (how, from_outside, from_inside) in
        [("private", "no", "no"), ("slave", "yes", "no"), ("shared", "yes", "yes"), ("unchanged", "yes", "yes")]
    {
        world.sh("mkdir -p /run/seen/out /run/seen/in");
        let is = |dir: &str| format!("mountpoint -q /run/seen/{dir} && echo yes || echo no");
        let mut inside = started(
            &world,
            &format!("--propagation {how}"),
            &format!("echo ready; read x; {}; mount -t tmpfs t /run/seen/in; echo mounted; read x", is("out")),
        );
        world.sh("mount -t tmpfs t /run/seen/out");
        inside.say("\n");
        assert_eq!(inside.line(), format!("{from_outside}\n"), "{how}");
        assert_eq!(inside.line(), "mounted\n");
        assert_eq!(world.sh(&is("in")), format!("{from_inside}\n"), "{how}");
        inside.say("\n");
        inside.wait();
        world.sh("umount /run/seen/out; umount /run/seen/in 2>/dev/null || :");
        // Its own /proc and /sys are never anybody else's.
        assert_eq!(world.sh("grep -E ' /(proc|sys|dev/mqueue)( |/)' /proc/self/mountinfo"), proc_and_sys, "{how}");
    }
}

#[test]
fn a_root_of_its_own_has_no_way_back() {
    let world = World::new();
    world.sh("mkdir -p /run/root && cd /run/root && mkdir proc sys bin lib lib64 usr etc && \
              for dir in bin lib lib64 usr; do test -e /$dir && mount --rbind /$dir $dir || :; done; echo inside > mark; touch etc/resolv.conf");
    let look = "cat /mark; pwd; ls / | tr '\\n' ' '; ls /sys/class/net; test -e /proc/self && echo proc; umount -l /proc; ls /proc | wc -l";
    let seen = isolated(&world, "--root /run/root", look).ok();
    assert_eq!(seen, "inside\n/\nbin etc lib lib64 mark proc sys usr lo\nproc\n0\n");
    assert_eq!(isolated(&world, "--root /run/root --wd /usr", "pwd").ok(), "/usr\n");
    assert_eq!(
        isolated(&world, "--root /run/root --dns 192.0.2.53", "cat /etc/resolv.conf").ok(),
        "nameserver 192.0.2.53\n"
    );
    assert_eq!(isolated(&world, "--net --root /run/root", "cat /mark").ok(), "inside\n");
    world.sh("rmdir /run/root/sys");
    let ran = isolated(&world, "--root /run/root", "true");
    assert!(ran.status.success() && ran.err.contains("cannot mount '/run/root/sys'"), "{ran}");
    world.sh("rmdir /run/root/proc");
    let error = isolated(&world, "--root /run/root --no-sys", "true").fails(125);
    assert!(error.contains("'--no-proc' does without"), "{error}");
    isolated(&world, "--root /run/root --no-sys --no-proc", "true").ok();
}

#[test]
fn the_environment_is_as_it_was_asked_for() {
    let world = World::new();
    assert_eq!(
        isolated(&world, "--clear-env --env A=1 --env B=x=y", "/usr/bin/env | grep -v PWD | grep -v ^_ | sort").ok(),
        "A=1\nB=x=y\n"
    );
    assert_eq!(world.sh("KEEP=me OVER=1 $NSNET isolate --env OVER=2 sh -c 'echo $KEEP $OVER'"), "me 2\n");
    assert_eq!(world.sh("$NSNET isolate --env A=1 --env A=2 env | grep ^A="), "A=2\n");
    assert_eq!(world.sh("$NSNET isolate --env A=$(printf '\\377') sh -c 'printf %s $A | od -An -tx1'"), " ff\n");
    // The program is looked for where the command would look.
    world.sh("mkdir /run/bin; printf '#!/bin/sh\\necho mine\\n' > /run/bin/own; chmod +x /run/bin/own");
    assert_eq!(world.sh("$NSNET isolate --env PATH=/run/bin:/bin own"), "mine\n");
    world.sh("printf 'echo no first line $1\\n' > /run/bin/plain; chmod +x /run/bin/plain");
    assert_eq!(world.sh("$NSNET isolate /run/bin/plain here"), "no first line here\n");
}

#[test]
fn the_status_is_told_in_json() {
    let world = World::new();
    let out = world.sh("$NSNET isolate --all --map-root --status-fd 3 sh -c 'for ns in cgroup ipc mnt net pid time user uts; do stat -L -c %i /proc/self/ns/$ns; done; \
                        test -e /proc/self/fd/3 && echo leaked; exit 9' 3>/run/status || echo $?");
    let mut lines = out.lines();
    let status = world.sh("cat /run/status");
    let told: Vec<_> = status.lines().map(json).collect();
    assert_eq!(told.len(), 2, "{status}");
    for kind in ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"] {
        assert_eq!(told[0]["namespaces"][kind].to_string(), lines.next().unwrap(), "{kind}");
    }
    assert_eq!(lines.next(), Some("9"));
    assert!(told[0]["child_pid"].as_u64().unwrap() > 1);
    assert_eq!(told[1], json(r#"{"exit_code":9}"#));
    world.sh("$NSNET isolate --init --status-fd 3 sh -c 'kill -9 $$' 3>/run/status || :");
    assert_eq!(json(world.sh("cat /run/status").lines().nth(1).unwrap()), json(r#"{"exit_code":137}"#));
    let error = world.fails(125, "isolate --status-fd 77 true");
    assert!(error.contains("file descriptor 77: Bad file descriptor"), "{error}");
}

#[test]
fn a_pidfile_is_there_while_it_runs() {
    let world = World::new();
    let mut command = started(&world, "--pidfile /run/pid", "echo ready; read line; exit 0");
    let pid = world.sh("cat /run/pid");
    assert_eq!(world.sh(&format!("cat /proc/{}/comm", pid.trim())), "sh\n");
    command.say("\n");
    assert_eq!(command.wait().code(), Some(0));
    world.sh("test ! -e /run/pid");
    let error = world.fails(125, "isolate --pidfile /nonexistent/pid true");
    assert!(error.contains("cannot write '/nonexistent/pid'"), "{error}");
}

#[test]
fn a_pidfile_removes_nothing_but_itself() {
    let world = World::new();
    world.sh("mkfifo /run/fifo; echo kept > /run/target; ln -s target /run/link");
    for path in ["/run/fifo", "/run/link", "/dev/null", "/run"] {
        let ran = world.nsnet(["isolate", "--pidfile", path, "true"]);
        assert!(!ran.status.success() && ran.err.contains(&format!("cannot write '{path}'")), "{ran}");
    }
    world.sh("test -p /run/fifo; test -L /run/link; test \"$(cat /run/target)\" = kept; test -c /dev/null");
    let mut command = started(&world, "--pidfile /run/pid", "echo ready; read line");
    world.sh("rm /run/pid; echo another > /run/pid");
    command.say("\n");
    command.wait();
    assert_eq!(world.sh("cat /run/pid"), "another\n");
}

#[test]
fn a_directory_that_is_covered_is_that_of_inside() {
    let world = World::new();
    assert_eq!(world.sh("cd /proc; $NSNET isolate sh -c 'ls -d [0-9]*'").lines().next(), Some("1"));
    assert_eq!(world.sh("cd /sys/class/net; $NSNET isolate ls"), "lo\n");
    assert_eq!(world.sh("cd /proc/$$; $NSNET isolate pwd"), "/\n");
    assert_eq!(world.sh("mkdir /run/here; cd /run/here; $NSNET isolate pwd"), "/run/here\n");
}

#[test]
fn a_reader_of_the_status_that_leaves_ends_nothing() {
    let world = World::new();
    // The reader is gone before the first line: the command waits for that.
    let script = "mkfifo /run/f; { $NSNET isolate --status-fd 3 sh -c 'echo survived' 3>/run/f; echo $?; } & exec 4</run/f; exec 4<&-; wait";
    for _ in 0..5 {
        assert_eq!(world.sh(&format!("rm -f /run/f; {script}")), "survived\n0\n");
    }
    world.sh("$NSNET isolate --status-fd 1 sh -c 'echo mine' | grep -q mine");
    world.sh("$NSNET isolate --status-fd 3 nonexistent-program 3>/run/status || :");
    assert_eq!(json(world.sh("cat /run/status").lines().nth(1).unwrap()), json(r#"{"exit_code":127}"#));
}

/// nsnet in a pid namespace whose `/proc` is that of another one: numbers there mean strangers.
#[test]
fn a_proc_of_another_pid_namespace_is_seen_through() {
    let world = World::new();
    let nested = |line: &str| world.shell(&format!("unshare --pid --fork --kill-child {line}"));
    let wired = nested("$NSNET isolate --veth h0 i0 ip -br link show i0");
    assert!(wired.out.starts_with("i0@"), "{wired}");
    assert_eq!(nested("$NSNET isolate --map-root id -u").ok(), "0\n");
    assert_eq!(nested("timeout 0.2 $NSNET isolate sleep 60").status.code(), Some(124));
}

#[test]
fn signals_in_quick_succession_do_not_change_how_it_ended() {
    let world = World::new();
    for _ in 0..10 {
        let mut command =
            started(&world, "--veth h0 i0", "trap 'exit 50' TERM; echo ready; while :; do sleep 100 & wait; done");
        let pid = command.pid();
        world.sh(&format!("kill -TERM {pid}; kill -TERM {pid} 2>/dev/null || :; kill -TERM {pid} 2>/dev/null || :"));
        assert_eq!(command.wait().code(), Some(50));
    }
}

#[test]
fn capabilities_and_new_privileges_are_given_up() {
    let world = World::new();
    let caps = "grep -E 'Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs' /proc/self/status | tr '\\n' ' '";
    let none = isolated(&world, "--cap-drop all --no-new-privs", caps).ok();
    let words: Vec<_> = none.split_ascii_whitespace().collect();
    let zero = "0000000000000000";
    assert_eq!(words, ["CapPrm:", zero, "CapEff:", zero, "CapBnd:", zero, "CapAmb:", zero, "NoNewPrivs:", "1"]);
    isolated(&world, "", "ip link add v0 type veth peer name v1").ok();
    isolated(&world, "--cap-drop net_admin", "ip link add v0 type veth peer name v1").fails(2);
    isolated(&world, "--cap-drop CAP_CHOWN,sys_time --cap-drop net_raw", "ip link add v0 type veth peer name v1").ok();
}

#[test]
fn without_a_command_there_is_a_shell() {
    let world = World::new();
    let mut command = world.command("sh");
    command.args(["-c", "echo 'echo $0 $$' | SHELL=/bin/sh $NSNET isolate"]);
    assert_eq!(run(command).ok(), "/bin/sh 1\n");
}
