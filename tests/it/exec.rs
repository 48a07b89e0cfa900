//! exec: the command takes nsnet's place, in the namespace and with a view of it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::{Background, Ran, World, is_real_root, json, run};

/// A world with a namespace called red, and an `/etc` of its own that tests may write to.
fn world() -> World {
    let world = World::new();
    world.sh("mkdir /run/etc && cp /etc/passwd /etc/ld.so.cache /run/etc && mount --bind /run/etc /etc
         $NSNET add red");
    world
}

/// What a script prints when it is run without nsnet, and when red is put before it.
fn outside_and_inside(world: &World, before: &str, script: &str) -> (String, String) {
    world.sh(&format!("printf %s '{script}' >/run/script"));
    let run = |exec: &str| world.sh(&format!("{before} {exec} sh /run/script"));
    (run(""), run("$NSNET exec red"))
}

// ---- the process ----

#[test]
fn every_exit_code_is_the_commands_own() {
    let world = world();
    let codes = world.sh("for n in $(seq 0 255); do
             c=0; $NSNET exec --bare red sh -c \"exit $n\" || c=$?; [ $c = $n ] || echo $n became $c
         done");
    assert_eq!(codes, "");
    world.nsnet(["exec", "red", "sh", "-c", "exit 7"]).fails(7);
}

#[test]
fn a_signal_that_ends_the_command_is_seen_as_that_signal() {
    let world = world();
    for (name, number) in [("KILL", 9), ("TERM", 15), ("SEGV", 11), ("INT", 2)] {
        let ran = world.nsnet(["exec", "red", "sh", "-c", &format!("ulimit -c 0; kill -{name} $$")]);
        assert_eq!(ran.signal(), Some(number), "{ran}");
    }
}

#[test]
fn the_command_has_the_pid_of_nsnet() {
    let world = world();
    let pids = world.sh("sh -c 'echo $$; exec $NSNET exec red sh -c \"echo \\$\\$\"'");
    let pids: Vec<_> = pids.lines().collect();
    assert_eq!(pids[0], pids[1]);
}

#[test]
fn what_is_not_found_is_127_and_what_cannot_be_executed_is_126() {
    let world = world();
    world.sh("echo '#!/bin/sh' >/run/plain; mkdir /run/dir");
    assert_eq!(
        world.fails(127, "exec red no-such-program"),
        "nsnet: cannot execute 'no-such-program': No such file or directory (os error 2)\n"
    );
    world.fails(127, "exec red /run/no-such-program");
    world.nsnet(["exec", "red", ""]).fails(127);
    for what in ["/run/plain", "/run/dir"] {
        // Nothing about root and capabilities: that is not what is missing.
        let err = world.fails(126, &format!("exec red {what}"));
        assert_eq!(err, format!("nsnet: cannot execute '{what}': Permission denied (os error 13)\n"));
    }
}

#[test]
fn a_namespace_that_cannot_be_had_is_125() {
    let world = world();
    world.sh("cd /run/netns; : >dead; ln -s /nowhere dangling; echo text >text; mkdir dir; mkfifo fifo");
    for (name, reason) in [
        ("nope", "there is no such name in '/run/netns'"),
        ("dead", "the name is dead: no namespace stands behind it; 'nsnet prune' removes such names"),
        ("dangling", "the name is dead: no namespace stands behind it; 'nsnet prune' removes such names"),
        ("text", "it is a file with content"),
        ("dir", "it is a directory"),
        ("fifo", "it is a FIFO"),
    ] {
        let err = world.fails(125, &format!("exec {name} echo ran"));
        assert_eq!(err, format!("nsnet: cannot open namespace '{name}': {reason}\n"));
    }
    world.fails(125, "exec /run/netns/dead echo ran");
    world.fails(125, "exec a/b echo ran");
    world.fails(125, "-n nobody exec red echo ran");
    world.fails(2, "exec");
}

#[test]
fn a_script_without_an_interpreter_line_runs_as_the_shell_would_run_it() {
    let world = world();
    world.sh("echo 'echo it ran' >/run/script; chmod +x /run/script");
    assert_eq!(world.ok("exec red /run/script"), "it ran\n");
}

#[test]
fn a_closed_pipe_ends_the_command() {
    let world = world();
    let ran = world.sh("{ set +e; $NSNET exec red yes; echo $? >/run/code; } | head -n 1; cat /run/code");
    assert_eq!(ran, "y\n141\n");
}

#[test]
fn signals_are_inherited_as_they_were() {
    let world = world();
    // Without a shell, which would unblock them.
    let signals = |exec: &str| {
        let set = "env --block-signal=USR2,TERM --ignore-signal=HUP,USR1";
        world.sh(&format!("{set} {exec} grep ^Sig...: /proc/self/status"))
    };
    let (outside, inside) = (signals(""), signals("$NSNET exec red"));
    assert_eq!(outside, inside);
    assert!(outside.contains("SigBlk:\t0000000000004800\n"), "the test blocks two: {outside}");
}

#[test]
fn the_command_finds_no_descriptor_of_nsnets() {
    let world = world();
    let (outside, inside) = outside_and_inside(&world, "exec 7</dev/null;", "cd /proc/$$/fd; echo *; readlink 7");
    assert_eq!(outside, inside);
    assert!(outside.ends_with("/dev/null\n"), "{outside}");
}

#[test]
fn directory_environment_and_umask_are_kept() {
    let world = world();
    let (outside, inside) = outside_and_inside(
        &world,
        "mkdir -p /run/some/where; cd /run/some/where; umask 027; env FOO=bar",
        "pwd; readlink /proc/$$/cwd; umask; env | grep -v ^_= | sort; ulimit -a",
    );
    assert_eq!(outside, inside);
    assert!(inside.starts_with("/run/some/where\n/run/some/where\n0027\n"), "{inside}");
}

#[test]
fn without_a_command_it_is_the_shell() {
    let world = world();
    world.sh("printf '#!/bin/sh\\necho my own shell: $#\\n' >/run/shell; chmod +x /run/shell");
    assert_eq!(world.sh("SHELL=/run/shell $NSNET exec red"), "my own shell: 0\n");
    assert_eq!(world.sh("echo 'echo $0 $#' | SHELL= $NSNET exec red"), "/bin/sh 0\n");
    assert_eq!(world.sh("echo 'echo $0 $#' | env -u SHELL $NSNET exec red"), "/bin/sh 0\n");
}

#[test]
fn a_terminal_stops_and_interrupts_the_command() {
    let world = world();
    let mut terminal = Background::start({
        let mut command = world.command("timeout");
        command.args(["60", "script", "-qec", "echo; exec bash --norc --noprofile --noediting -i", "/dev/null"]);
        command
    });
    let mut until = |say: &str, wanted: &str| {
        terminal.say(say);
        let mut seen = String::new();
        while !seen.ends_with(&format!("{wanted}\r\n")) {
            let line = terminal.line();
            assert!(!line.is_empty(), "no '{wanted}' in\n{seen}");
            seen += &line;
        }
    };
    // The quotes keep what is typed, which the terminal shows too, from looking like the answer.
    let command = "trap \"echo got int\\errupt; exit 7\" INT; echo rea\"\"dy; while read line; do echo got $line; done";
    until(&format!("$NSNET exec red sh -c '{command}'\n"), "ready");
    until("\x1a", "done'");
    until("jobs | grep -c Stopped | sed s/^/stopped-/\n", "stopped-1");
    until("fg\n", "done'");
    until("a line\n", "got a line");
    until("\x03", "got interrupt");
    until("\necho code''=$?\n", "code=7");
}

// ---- the words ----

#[test]
fn the_words_after_the_name_are_the_commands() {
    let world = world();
    world.sh("$NSNET add -- -x; printf '#!/bin/sh\\nprintf \"<%%s>\" \"$@\"' >/run/words; chmod +x /run/words");
    for (line, words) in [
        ("exec red /run/words -j --bare -n red", "<-j><--bare><-n><red>"),
        ("exec red -- /run/words -j", "<-j>"),
        ("exec -- red /run/words -- --help", "<--><--help>"),
        ("exec --bare red /run/words --user 5", "<--user><5>"),
        ("netns e red /run/words list", "<list>"),
        ("-a -n red netns exec /run/words -a", "<-a>"),
        ("exec -- -x /run/words -x", "<-x>"),
    ] {
        let out = world.ok(line);
        assert_eq!(out.lines().last().unwrap().trim_start_matches("netns: red"), words, "{line}: {out}");
    }
    world.fails(127, "exec red -- -- /run/words");
}

// ---- the view ----

#[test]
fn the_command_sees_the_links_of_its_namespace() {
    let world = world();
    world.ok("veth outer red:inner");
    let before = world.sh("ls -m /sys/class/net");
    let links = "ls -m /sys/class/net; cat /sys/class/net/inner/operstate";
    assert_eq!(world.sh(&format!("$NSNET exec red sh -c '{links}'")), "inner, lo\nup\n");
    assert_eq!(world.sh("$NSNET exec . ls -m /sys/class/net"), "lo, outer\n");
    assert_eq!(world.sh("ls -m /sys/class/net"), before, "outside nothing changed");
    assert_eq!(
        world.sh("$NSNET exec red readlink /proc/self/ns/net"),
        world.sh("nsenter --net=/run/netns/red readlink /proc/self/ns/net")
    );
}

/// Mounts below `/sys` as a real machine has them, each with a file.
const BELOW_SYS: &str = "for dir in fs/bpf kernel/tracing; do
         [ -d /sys/$dir ] || continue; mount -t tmpfs kept /sys/$dir; echo content of $dir >/sys/$dir/file
     done
     mkdir -p /sys/fs/bpf/deep; mount -t tmpfs deep /sys/fs/bpf/deep; echo deep >/sys/fs/bpf/deep/file";

/// Shows what is seen at each mount point below `/sys` of outside, cgroups among them.
const SHOW_SYS: &str = "xargs stat --format=%n:%d:%i </run/points
     cat /sys/fs/bpf/file /sys/fs/bpf/deep/file; cat /sys/kernel/tracing/file || :";

fn world_with_mounts_below_sys() -> World {
    let world = world();
    world.sh(&format!("$NSNET add blue; {BELOW_SYS}; cut -d' ' -f5 /proc/self/mountinfo | grep ^/sys/ >/run/points"));
    world
}

#[test]
fn what_is_mounted_below_sys_stays_visible() {
    let world = world_with_mounts_below_sys();
    let (outside, inside) = outside_and_inside(&world, "", SHOW_SYS);
    assert!(outside.contains("content of fs/bpf\ndeep\n"), "{outside}");
    assert_eq!(outside, inside);
    assert_eq!(outside, world.sh("$NSNET exec red $NSNET exec blue sh /run/script"), "nested");
    assert_eq!(world.sh("$NSNET exec red $NSNET exec blue ls /sys/class/net"), "lo\n");
    if is_real_root() {
        // In a user namespace the old /sys cannot be unmounted, and stays below.
        let mounts = |exec: &str, sort: &str| {
            world.sh(&format!("{exec} cut -d' ' -f5 /proc/self/mountinfo | grep ^/sys | {sort}"))
        };
        // Outside, what systemd or perf mounted there may lie below what was mounted above.
        assert_eq!(mounts("", "sort -u"), mounts("$NSNET exec red", "sort"), "nothing is mounted twice");
    }
}

#[test]
fn a_read_only_sys_is_as_read_only_inside() {
    let world = world_with_mounts_below_sys();
    // Only this mount, not the file system, which is the machine's too.
    world.sh("mount -o remount,bind,ro /sys");
    let (outside, inside) = outside_and_inside(&world, "", SHOW_SYS);
    assert_eq!(outside, inside);
    let nested = "$NSNET exec red $NSNET exec blue";
    assert_eq!(outside, world.sh(&format!("{nested} sh /run/script")), "nested");
    let options = world.sh(&format!("{nested} grep ' / /sys ' /proc/self/mountinfo | tail -n 1 | cut -d' ' -f6"));
    assert!(options.starts_with("ro,"), "{options}");
}

#[test]
fn what_is_done_to_mounts_inside_stays_inside() {
    for world in [World::new(), World::shared()] {
        world.ok("add red");
        world.sh("mkdir /run/mnt");
        // The kernel counts; a name that is bound over itself would show here too.
        let before = world.sh("cat /proc/self/mountinfo");
        world.sh("$NSNET exec red mount -t tmpfs inside /run/mnt");
        assert_eq!(before, world.sh("cat /proc/self/mountinfo"));
    }
}

#[test]
fn bare_only_changes_the_network_namespace() {
    let world = world();
    world.sh("mkdir -p /etc/netns/red; echo mine >/etc/netns/red/passwd");
    let spaces = "for ns in mnt net user uts ipc pid cgroup; do readlink /proc/self/ns/$ns; done";
    world.sh(&format!("printf %s '{spaces}' >/run/script"));
    let outside = world.sh("sh /run/script");
    let bare = world.sh("$NSNET exec --bare red sh /run/script");
    let changed: Vec<_> = outside.lines().zip(bare.lines()).filter(|(a, b)| a != b).map(|(a, _)| &a[..3]).collect();
    assert_eq!(changed, ["net"], "{outside}{bare}");
    assert_eq!(world.sh("$NSNET exec --bare red head -n 1 /etc/passwd"), world.sh("head -n 1 /etc/passwd"));
    assert_eq!(world.sh("$NSNET exec red head -n 1 /etc/passwd"), "mine\n");
}

#[test]
fn names_made_inside_are_seen_outside() {
    for world in [World::new(), World::shared()] {
        world.ok("add red");
        world.sh("$NSNET exec red $NSNET add blue");
        assert_eq!(world.sh("$NSNET exec blue ls /sys/class/net"), "lo\n");
        world.sh("$NSNET exec red $NSNET exec blue $NSNET add green; $NSNET exec green $NSNET del blue");
        assert_eq!(world.ok("list"), "green\nred\n");
        assert_eq!(world.sh("$NSNET exec green cat /sys/class/net/lo/operstate"), "unknown\n");
    }
}

// ---- /etc/netns ----

#[test]
fn files_of_the_namespace_are_bound_over_those_of_etc() {
    let world = world();
    world.sh("mkdir -p /etc/netns/red/dir /etc/dir /run/real
         echo outer >/run/real/conf; ln -s /run/real/conf /etc/linked; echo inner >/etc/netns/red/linked
         echo outer >/etc/plain; echo inner >/etc/netns/red/plain
         echo outer >/etc/dir/a; echo inner >/etc/netns/red/dir/b");
    let (outside, inside) =
        outside_and_inside(&world, "", "cat /etc/plain /etc/linked /run/real/conf; ls /etc/dir; readlink /etc/linked");
    assert_eq!(outside, "outer\nouter\nouter\na\n/run/real/conf\n");
    assert_eq!(inside, "inner\ninner\ninner\nb\n/run/real/conf\n", "a symlink lands on what it points to");
    let by_path = world.sh("$NSNET exec /run/netns/red cat /etc/plain");
    assert_eq!(by_path, "outer\n", "files belong to a name");
    let other = world.sh("$NSNET add blue; $NSNET exec blue cat /etc/plain");
    assert_eq!(other, "outer\n");
}

#[test]
fn a_file_without_a_place_in_etc_is_one_warning() {
    let world = world();
    world.sh("mkdir -p /etc/netns/red; echo inner >/etc/netns/red/nowhere; echo inner >/etc/netns/red/passwd");
    let ran = world.nsnet(["exec", "red", "cat", "/etc/passwd"]);
    assert_eq!(ran.out, "inner\n", "{ran}");
    assert_eq!(
        ran.err,
        "nsnet: warning: cannot bind '/etc/netns/red/nowhere' over '/etc/nowhere': '/etc/nowhere' must exist for that: \
         No such file or directory (os error 2)\n"
    );
    let quiet = world.nsnet(["-q", "exec", "red", "true"]);
    assert_eq!((quiet.status.code(), quiet.err.as_str()), (Some(0), ""));
    let other_verbs = world.nsnet(["-n", "red", "link", "show"]);
    assert_eq!(other_verbs.err, "", "only exec has to do with /etc");
    let machine = json(&world.nsnet(["-j", "exec", "red", "true"]).err);
    assert!(machine["warning"].as_str().unwrap().contains("'/etc/nowhere' must exist"), "{machine}");
}

#[test]
fn a_bound_file_can_be_written_but_not_replaced() {
    let world = world();
    world.sh("mkdir -p /etc/netns/red; echo outer >/etc/conf; echo inner >/etc/netns/red/conf");
    let replaced = world.shell("LC_ALL=C $NSNET exec red sh -c 'echo new >/etc/new; mv /etc/new /etc/conf'");
    assert_eq!(replaced.fails(1), "mv: cannot move '/etc/new' to '/etc/conf': Device or resource busy\n");
    world.sh("$NSNET exec red sh -c 'echo written >/etc/conf'");
    assert_eq!(world.sh("cat /etc/conf /etc/netns/red/conf"), "outer\nwritten\n");
}

#[test]
fn something_else_called_etc_netns_red_is_no_reason_to_fail() {
    let world = world();
    world.sh("mkdir /etc/netns; echo file >/etc/netns/red");
    assert_eq!(world.nsnet(["exec", "red", "true"]).err, "");
}

// ---- the user ----

#[test]
fn the_command_can_run_as_a_user() {
    let world = world();
    let script =
        "grep -E '^(Uid|Gid|Groups|CapPrm|CapEff|CapAmb)' /proc/self/status | tr -s '\\t ' ' '; ls /sys/class/net";
    let groups = if is_real_root() { "setpriv --groups 4,27" } else { "" };
    let ran = world.shell(&format!("{groups} $NSNET exec --user 65534:7 red sh -c \"{script}\""));
    if is_real_root() {
        let none = "0".repeat(16);
        assert_eq!(
            ran.ok(),
            format!(
                "Uid: 65534 65534 65534 65534\nGid: 7 7 7 7\nGroups: \nCapPrm: {none}\nCapEff: {none}\nCapAmb: {none}\nlo\n"
            )
        );
        let passwd = world.sh("echo someone:x:12345:77::/:/bin/sh >>/etc/passwd; $NSNET exec --user 12345 red id -g");
        assert_eq!(passwd, "77\n", "the group of /etc/passwd");
    } else {
        let err = ran.fails(125);
        assert!(
            err.starts_with(
                "nsnet: cannot become user 65534:7: the user or the group is not mapped in this user namespace"
            ),
            "{err}"
        );
    }
}

#[test]
fn a_user_that_makes_no_sense_is_refused_before_anything_happens() {
    let world = world();
    for user in ["root", "54321", "-1:0", "1:2:3", ""] {
        let ran = world.nsnet(["exec", &format!("--user={user}"), "red", "echo", "ran"]);
        assert_eq!((ran.status.code(), ran.out.as_str()), (Some(2), ""), "{ran}");
    }
}

// ---- VRF ----

/// Where cgroups of version 2 are mounted, if they can be written.
fn cgroups() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    let point = Path::new(mount.split(' ').nth(4)?);
    let writable = is_real_root() && !mount.split(' ').nth(5)?.split(',').any(|option| option == "ro");
    writable.then(|| point.to_owned())
}

/// A cgroup as `ip vrf exec` makes it, gone when the test ends.
struct Vrf {
    outer: PathBuf,
}

impl Vrf {
    fn make(cgroups: &Path) -> Self {
        let this = Self { outer: cgroups.join(format!("nsnet-test-{}", std::process::id())) };
        fs::create_dir_all(this.inner()).unwrap();
        this
    }

    fn inner(&self) -> PathBuf {
        self.outer.join("vrf/red")
    }
}

impl Drop for Vrf {
    fn drop(&mut self) {
        for cgroup in [self.inner(), self.outer.join("vrf"), self.outer.clone()] {
            fs::remove_dir(&cgroup).unwrap_or_else(|e| eprintln!("{}: {e}", cgroup.display()));
        }
    }
}

#[test]
fn the_cgroup_of_a_vrf_is_left() {
    let world = world();
    let own = "grep ^0:: /proc/self/cgroup || :";
    let Some(cgroups) = cgroups() else {
        // Nothing to leave: the command stays where it was.
        assert_eq!(world.sh(own), world.sh(&format!("$NSNET exec red sh -c '{own}'")));
        return;
    };
    let vrf = Vrf::make(&cgroups);
    let inside = format!("echo $$ >{}/cgroup.procs", vrf.inner().display());
    let name = vrf.outer.file_name().unwrap().to_str().unwrap();
    let seen = world.sh(&format!("sh -c '{inside}; {own}; exec $NSNET exec red sh -c \"{own}\"'"));
    let seen: Vec<_> = seen.lines().collect();
    assert!(seen[0].ends_with(&format!("/{name}/vrf/red")), "{seen:?}");
    assert_eq!(seen[1], seen[0].trim_end_matches("/vrf/red"));
}

// ---- all of them ----

/// A world with three living names among others.
fn crowd() -> World {
    let world = world();
    world.sh("$NSNET add blue green; cd /run/netns; : >aa-dead; ln -s /nowhere dangling; mkdir dir; echo text >text");
    world
}

fn all(world: &World, command: &[&str]) -> Ran {
    world.nsnet(["--all", "exec"].iter().chain(command))
}

#[test]
fn all_runs_in_every_living_namespace_once() {
    let world = crowd();
    let ran = all(&world, &["sh", "-c", "echo $(ls /sys/class/net); readlink /proc/self/ns/net"]);
    let ids = |name: &str| world.sh(&format!("$NSNET exec {name} readlink /proc/self/ns/net"));
    let wanted: String = ["blue", "green", "red"].map(|name| format!("\nnetns: {name}\nlo\n{}", ids(name))).concat();
    assert_eq!((ran.out.as_str(), ran.err.as_str(), ran.status.code()), (wanted.as_str(), "", Some(0)), "{ran}");
}

#[test]
fn all_goes_on_after_a_failure_and_after_a_signal() {
    let world = crowd();
    let green = world.sh("$NSNET exec green readlink /proc/self/ns/net");
    for end in ["exit 3", "kill -KILL $$"] {
        let script = format!("[ \"$(readlink /proc/self/ns/net)\" != {} ] || {end}; echo done", green.trim());
        let ran = all(&world, &["sh", "-c", &script]);
        assert_eq!(ran.out, "\nnetns: blue\ndone\n\nnetns: green\n\nnetns: red\ndone\n", "{ran}");
        assert_eq!(ran.status.code(), Some(1), "{ran}");
    }
    assert_eq!(all(&world, &["false"]).fails(1), "");
}

#[test]
fn all_leaves_the_command_its_options() {
    let world = world();
    assert_eq!(world.ok("--all exec expr -l : -l"), "\nnetns: red\n2\n");
    assert_eq!(world.ok("-all netns exec -- echo -- -j"), "\nnetns: red\n-- -j\n");
    assert_eq!(world.ok("exec --all --bare echo -n x"), "\nnetns: red\nx");
    world.fails(2, "--all exec");
}

#[test]
fn all_names_the_namespace_in_json() {
    let world = crowd();
    let ran = world.nsnet(["-j", "--all", "exec", "no-such-program"]);
    let names: Vec<_> = ran.out.lines().map(|line| json(line)["netns"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["blue", "green", "red"]);
    assert_eq!(ran.err.lines().filter(|line| json(line)["kind"] == "not_found").count(), 3, "{ran}");
    assert_eq!(ran.status.code(), Some(1));
}

#[test]
fn all_takes_names_as_names_however_they_read() {
    let world = world();
    // nsnet makes no such name, since it would mean the process.
    world.sh("ip netns add pid:1; ip netns add --bare");
    let id = |file: &str| world.sh(&format!("stat -c net:[%i] /run/netns/{file}"));
    let wanted = ["--bare", "pid:1", "red"].map(|name| format!("\nnetns: {name}\n{}", id(name))).concat();
    assert_eq!(world.ok("--all exec readlink /proc/self/ns/net"), wanted);
}

#[test]
fn nothing_is_left_where_there_is_none() {
    let world = World::new();
    let ran = all(&world, &["echo", "ran"]);
    assert_eq!((ran.out.as_str(), ran.err.as_str(), ran.status.code()), ("", "", Some(0)));
    let mut command = world.command("ls");
    command.arg("/run");
    assert_eq!(run(command).ok(), "", "asking makes no directory");
}
