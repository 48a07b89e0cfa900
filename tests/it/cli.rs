//! The command line: words, options, exit codes, streams.

use std::{
    fs::File,
    io,
    process::{Command, Stdio},
};

use crate::support::{Ran, World, is_real_root, json, nsnet, run};

fn world() -> World {
    let world = World::new();
    world.ok("add red");
    world
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_ascii_whitespace()
}

/// nsnet on a terminal; what it shows, with the terminal's line ends.
fn on_a_terminal(world: &World, environment: &str, line: &str) -> String {
    let mut command = world.command("script");
    command.args(["-qec", &format!("{environment} $NSNET {line}"), "/dev/null"]).env("TERM", "xterm");
    run(command).out
}

/// nsnet in a shell's words, its stdout to a file or a pipe.
fn with_stdout(world: &World, line: &str, stdout: impl Into<Stdio>) -> Ran {
    let mut command = world.command(nsnet());
    command.args(words(line)).stdout(stdout).stderr(Stdio::piped());
    let line = format!("{line:?}");
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(output.stdout.is_empty(), "{line}");
    Ran { line, status: output.status, out: String::new(), err }
}

// ---- exit codes and errors ----

#[test]
fn done_is_0_failed_is_1_and_misused_is_2() {
    let world = world();
    for line in
        ["", "list", "add blue", "del blue", "help", "-V", "identify", "list-id", "prune", "-d -s -4 netns list"]
    {
        let ran = world.nsnet(words(line));
        assert_eq!((ran.status.code(), ran.err.as_str()), (Some(0), ""), "{ran}");
    }
    for line in ["add red", "del nope", "rename nope x", "attach x 4194304", "set nope 1", "link show nope"] {
        let ran = world.nsnet(words(line));
        assert_eq!((ran.status.code(), ran.out.as_str()), (Some(1), ""), "{ran}");
        assert!(!ran.err.is_empty(), "{ran}");
    }
    for line in [
        "frob",
        "-x",
        "--frob list",
        "add",
        "add a/b",
        "add --frob x",
        "del",
        "del --all red",
        "l",
        "p red",
        "netns veth a b",
        "netns frob",
        "list --frob",
        "link frob",
        "veth a",
        "--color=x list",
        "attach red",
        "attach red 0",
        "help frob",
        "show red blue",
        "rename a",
        "-n",
        "-n a/b/c list",
    ] {
        let ran = world.nsnet(words(line));
        assert_eq!((ran.status.code(), ran.out.as_str()), (Some(2), ""), "{ran}");
        assert!(!ran.err.is_empty(), "{ran}");
    }
    assert_eq!(world.ok("list"), "red\n", "nothing was done");
}

#[test]
fn every_error_in_json_is_one_object_a_line() {
    let world = world();
    for (line, kind, lines) in [
        ("-j frob", "usage", 1),
        ("-j -x", "usage", 1),
        ("-json netns frob", "usage", 1),
        ("add --json", "usage", 1),
        ("-j add a/b", "usage", 1),
        ("-j l", "usage", 1),
        ("-j list-id frob", "usage", 1),
        ("del -j one two", "not_found", 2),
        ("-j add red", "exists", 1),
        ("-j exec nope true", "not_found", 1),
        ("-j exec red /run/nope", "not_found", 1),
        ("-j exec red /run", "denied", 1),
        ("-j veth a red:lo", "exists", 1),
    ] {
        let ran = world.nsnet(words(line));
        assert_eq!(ran.err.lines().count(), lines, "{ran}");
        for text in ran.err.lines() {
            let error = json(text);
            assert_eq!(error["kind"], kind, "{ran}");
            assert!(!error["error"].as_str().unwrap().is_empty(), "{ran}");
        }
    }
    let error = json(&world.fails(1, "-j add red"));
    let wanted = r#"{"error":"cannot add 'red': a namespace of this name exists","kind":"exists","op":"add","subject":"'red'","reason":"a namespace of this name exists"}"#;
    assert_eq!(error, json(wanted));
}

#[test]
fn several_things_that_fail_are_each_said_and_the_rest_is_done() {
    let world = world();
    let ran = world.nsnet(["del", "nope", "red", "gone"]);
    assert_eq!(
        ran.fails(1),
        "nsnet: cannot delete 'nope': there is no such name in '/run/netns'\n\
         nsnet: cannot delete 'gone': there is no such name in '/run/netns'\n"
    );
    assert_eq!(world.ok("list"), "");
}

// ---- help ----

#[test]
fn help_is_an_answer_wherever_it_is_asked_for() {
    let world = World::new();
    let whole = world.ok("help");
    assert!(whole.starts_with("Network namespaces: make, wire, enter, watch and delete them.\n"), "{whole}");
    for line in ["--help", "-h", "-help", "netns help", "netns h", "-j help", "--help list"] {
        let ran = world.nsnet(words(line));
        assert_eq!((ran.out.as_str(), ran.err.as_str(), ran.status.code()), (whole.as_str(), "", Some(0)), "{ran}");
    }
    for (verb, word) in [
        ("add", "--if-missing"),
        ("del", "--if-exists"),
        ("list", "--long"),
        ("attach", "PID"),
        ("set", "auto|N"),
        ("list-id", "target-nsid"),
        ("identify", "PID"),
        ("pids", "NS"),
        ("monitor", "Usage: nsnet monitor"),
        ("exec", "--bare"),
        ("rename", "OLD"),
        ("prune", "Usage: nsnet prune"),
        ("veth", "--mtu"),
        ("link", "show"),
    ] {
        assert!(whole.contains(&format!("\n  {verb} ")), "{verb} is in the help: {whole}");
        let of_verb = world.ok(&format!("help {verb}"));
        assert!(of_verb.contains(word), "{of_verb}");
        assert_eq!(world.nsnet([verb, "--help"]).ok(), of_verb);
        assert_eq!(world.nsnet(["netns", "help", verb]).ok(), of_verb);
    }
    assert!(world.ok("link show --help").contains("altname"));
    assert_eq!(world.ok("help delete"), world.ok("help del"));
}

#[test]
fn the_version_is_that_of_the_package() {
    let world = World::new();
    for line in ["--version", "-V", "-Version"] {
        assert_eq!(world.ok(line), concat!("nsnet ", env!("CARGO_PKG_VERSION"), "\n"));
    }
}

// ---- streams ----

#[test]
fn a_closed_pipe_is_not_an_error() {
    let world = world();
    world.sh("cd /run/netns; for n in $(seq 1 400); do ln -s red $(printf %0250d $n); done");
    for line in
        ["list", "-j list", "-p -j list", "list -l", "identify", "link show", "help", "--help", "add --help", "-V"]
    {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let ran = with_stdout(&world, line, writer);
        assert_eq!((ran.status.code(), ran.err.as_str()), (Some(0), ""), "{ran}");
    }
}

#[test]
fn a_full_device_is_an_error() {
    let world = world();
    world.ok("set red 1");
    for line in
        ["list", "list -l", "list-id", "identify", "link show", "help", "--help", "add --help", "-V", "-a exec true"]
    {
        let ran = with_stdout(&world, line, File::options().write(true).open("/dev/full").unwrap());
        assert_eq!(ran.status.code(), Some(1), "{ran}");
        assert_eq!(ran.err, "nsnet: cannot write the answer: No space left on device (os error 28)\n", "{ran}");
    }
    assert_eq!(
        world.sh("$NSNET -j list 2>&1 >/dev/full || :"),
        concat!(
            r#"{"error":"cannot write the answer: No space left on device (os error 28)","kind":"os","errno":28}"#,
            "\n"
        )
    );
}

#[test]
fn an_error_that_nobody_can_read_still_has_its_code() {
    let world = world();
    for (line, code) in [("add red", 1), ("frob", 2), ("exec nope x", 125), ("exec red /nope", 127)] {
        for nowhere in ["2>/dev/full", "2>&-"] {
            let codes = world.sh(&format!("c=0; $NSNET {line} {nowhere} || c=$?; echo $c"));
            assert_eq!(codes, format!("{code}\n"), "{line} {nowhere}");
        }
    }
}

#[test]
fn what_a_terminal_acts_on_is_escaped_there_and_nowhere_else() {
    let world = World::new();
    world.sh("ip netns add \"$(printf 'a\\033[2J\\tb\\377')\"");
    let raw = "$NSNET list | od -An -c | tr -d ' \\n'";
    assert_eq!(world.sh(raw), "a033[2J\\tb377\\n");
    assert_eq!(on_a_terminal(&world, "", "list"), "a\\u{1b}[2J\\tb\\xff\r\n");
    let shown = on_a_terminal(&world, "", "exec --all true");
    assert_eq!(shown, "\r\nnetns: a\\u{1b}[2J\\tb\\xff\r\n");
    assert_eq!(
        on_a_terminal(&world, "NO_COLOR=1", "list -l").lines().nth(1).unwrap().split(' ').next(),
        Some("a\\u{1b}[2J\\tb\\xff")
    );
    let err = world.shell("$NSNET del \"$(printf 'x\\033[2J')\"").fails(1);
    assert_eq!(err, "nsnet: cannot delete 'x\\u{1b}[2J': there is no such name in '/run/netns'\n");
    assert_eq!(world.ok("-j list").lines().count(), 1);
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let world = world();
    let colored = |text: &str| text.contains("\u{1b}[32malive\u{1b}[0m");
    assert!(!colored(&world.ok("list -l")), "not in a pipe");
    assert!(colored(&world.ok("--color=always list -l")));
    assert!(colored(&world.ok("-c list -l")), "as with ip");
    assert!(colored(&world.sh("NO_COLOR=1 $NSNET --color list -l")), "asked for");
    assert!(colored(&on_a_terminal(&world, "", "list -l")));
    assert!(colored(&on_a_terminal(&world, "NO_COLOR=", "list -l")), "empty is not set");
    assert!(!colored(&on_a_terminal(&world, "NO_COLOR=1", "list -l")));
    assert!(!colored(&on_a_terminal(&world, "", "--color=never list -l")));
    let error = "\u{1b}[31mcannot delete 'nope': there is no such name in '/run/netns'\u{1b}[0m";
    assert_eq!(on_a_terminal(&world, "", "del nope"), format!("nsnet: {error}\r\n"));
    assert!(!on_a_terminal(&world, "", "-j del nope").contains('\u{1b}'), "JSON has no colours");
}

#[test]
fn quiet_hides_warnings_and_verbose_says_what_was_done() {
    let world = world();
    let err = |line: &str| {
        let ran = world.nsnet(words(line));
        assert_eq!((ran.status.code(), ran.out.as_str()), (Some(0), ""), "{ran}");
        ran.err
    };
    assert_eq!(err("add --if-missing red"), "");
    assert_eq!(err("-v add --if-missing red"), "nsnet: 'red' exists already\n");
    assert_eq!(err("del --if-exists nope"), "");
    assert_eq!(err("del --if-exists nope --verbose"), "nsnet: 'nope' does not exist\n");
    assert_eq!(err("-q -v add --if-missing red"), "");
    let note = json(&world.nsnet(["-j", "-v", "del", "--if-exists", "nope"]).err);
    assert_eq!(note, json(r#"{"note":"'nope' does not exist"}"#));
    assert!(!world.fails(1, "-q del nope").is_empty(), "an error is no warning");
}

// ---- words ----

#[test]
fn the_words_and_options_of_ip_are_understood() {
    let world = world();
    for line in [
        "",
        "netns",
        "net",
        "netns l",
        "netns ls",
        "netns sh",
        "netns show",
        "show",
        "ls",
        "lst",
        "lis",
        "netns list x y",
        "list | grep -vq ^red$",
        "list ; rm -rf",
        "-br list",
        "-o -d -s -r -ts -N -0 -4 -6 -B -M -iec -h list",
        "-f inet list",
        "-rc 4096 netns",
        "-family inet6 -loops 3 ls",
        "-force netns",
        "-c list",
        "-- list",
        "-color=auto show",
    ] {
        // -h is nsnet's help: ip's -human says nothing about namespaces.
        let line = line.replace(" -h ", " -human ");
        assert_eq!(world.ok(&line), "red\n", "{line}");
    }
    for line in ["-j", "-json list", "-js -br netns ls", "--json list", "list --json", "list -j", "netns list -j"] {
        assert_eq!(json(&world.ok(line))[0]["name"], "red", "{line}");
    }
    let pretty = world.ok("-j -p list");
    assert!(pretty.starts_with("[\n  {\n    \"name\": \"red\",\n"), "{pretty}");
    world.ok("netns a blue");
    world.ok("netns set blue 3 junk");
    assert_eq!(world.ok("netns i"), "\n");
    assert_eq!(world.ok("netns list-"), "nsid 3 (iproute2 netns name: blue)\n");
    world.ok("netns d blue");
    assert_eq!(world.ok("list"), "red\n");
}

#[test]
fn what_could_mean_two_things_is_refused_with_both() {
    let world = World::new();
    assert_eq!(world.fails(2, "l"), "nsnet: the command \"l\" is ambiguous: lab, link, list, list-id, lst\n");
    assert_eq!(world.fails(2, "p"), "nsnet: the command \"p\" is ambiguous: pids, prune\n");
    assert_eq!(
        world.fails(2, "netns frob"),
        "nsnet: the command \"frob\" is unknown to netns; 'nsnet netns help' lists them\n"
    );
    assert_eq!(world.fails(2, "-x list"), "nsnet: the option \"-x\" is unknown; 'nsnet --help' lists them\n");
    assert_eq!(world.fails(2, "-n"), "nsnet: the option \"-n\" needs a value\n");
}

#[test]
fn a_namespace_can_be_named_in_every_way() {
    let world = world();
    let links = |ns: &str| world.nsnet(["-n", ns, "-br", "link", "show"]).ok();
    world.ok("veth here red:there --down");
    let inside = links("red");
    assert!(inside.contains("there@if"), "{inside}");
    assert_eq!(links("/run/netns/red"), inside);
    assert_eq!(
        world.sh(
            "$NSNET exec red sh -c '$NSNET -br link show; $NSNET -n . -br link show; $NSNET -n pid:$$ -br link show'"
        ),
        inside.repeat(3)
    );
    assert_eq!(world.ok("-netns red -br link show"), inside);
    assert_eq!(world.ok("--netns=red --brief link show"), inside);
    assert_eq!(world.ok("-n red link show --brief"), inside);
    for (reference, reason) in [
        ("nope", "cannot open namespace 'nope': there is no such name in '/run/netns'"),
        ("/nope", "cannot open '/nope': No such file or directory (os error 2)"),
        ("/etc/passwd", "cannot open '/etc/passwd': it is no network namespace"),
        ("/proc/self/ns/uts", "cannot open '/proc/self/ns/uts': it is no network namespace"),
        ("pid:4194304", "cannot open 'pid:4194304': no such process"),
    ] {
        let err = world.nsnet(["-n", reference, "link", "show"]).fails(1);
        assert_eq!(err, format!("nsnet: {reason}\n"));
    }
}

#[test]
fn names_may_begin_with_a_dash() {
    let world = World::new();
    world.ok("add -- -x --help");
    assert_eq!(world.ok("list"), "--help\n-x\n");
    world.ok("rename -- -x -y");
    assert_eq!(world.ok("exec -- -y ls /sys/class/net"), "lo\n");
    assert_eq!(world.ok("pids -- -y"), "");
    assert_eq!(world.ok("-n=-y -br link show").split(' ').next(), Some("lo"));
    world.ok("del -- -y --help");
    assert_eq!(world.ok("list"), "");
    world.fails(2, "add -x");
}

#[test]
fn names_are_checked_as_ip_checks_them() {
    let world = World::new();
    let long = "n".repeat(255);
    let names = ["a b", "new\nline", "|", "*", "ü", &long];
    world.nsnet(["add"].into_iter().chain(names)).ok();
    world.nsnet(["del"].into_iter().chain(names)).ok();
    assert_eq!(world.ok("list"), "");
    for bad in ["", ".", "..", "a/b", "/a", &"n".repeat(256)] {
        world.nsnet(["add", bad]).fails(2);
    }
    assert_eq!(
        world.nsnet(["add", "pid:1"]).fails(2),
        "nsnet: cannot add 'pid:1': 'pid:N' always means the process N\n"
    );
}

// ---- without privilege ----

/// nsnet as somebody who may do nothing here.
fn unprivileged(world: &World, line: &str) -> Ran {
    let become_nobody =
        if is_real_root() { "setpriv --reuid=65534 --regid=65534 --clear-groups" } else { "unshare --user" };
    world.shell(&format!("{become_nobody} $NSNET {line}"))
}

/// What could be left behind.
fn state(world: &World) -> String {
    world.sh("find /run -printf '%p %y %s %m\\n'; ip -o link; ip netns list-id; cat /proc/self/mountinfo; cat /etc/passwd | head -n 1")
}

#[test]
fn without_privilege_every_verb_says_what_is_needed_and_leaves_nothing() {
    let world = world();
    world.ok("veth here red:there");
    let before = state(&world);
    let mut denied = vec![
        "add x",
        "add red x",
        "del red",
        "del --no-wait red",
        "del here-is-no-such red",
        "--all del",
        "attach x $PPID",
        "set red 5",
        "set red auto",
        "rename red blue",
        "veth a b",
        "veth a red:b",
        "veth red:a b",
        "-n red link show",
        "link show red:lo",
        "exec red true",
        "exec --bare red true",
        "--all exec true",
        "identify $PPID",
        "-n red list-id",
    ];
    if is_real_root() {
        // Root of a user namespace keeps its own files, whatever its capabilities.
        denied.push("prune");
    }
    for line in denied {
        let ran = unprivileged(&world, line);
        let code = if line.starts_with("exec") { 125 } else { 1 };
        assert_eq!(ran.status.code(), Some(code), "{ran}");
        assert!(ran.err.starts_with("nsnet: cannot "), "{ran}");
        let hint = "  this needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN): use sudo, or be root of namespaces of your own:\n  \
             unshare --user --map-root-user --net --mount sh -c 'mount -t tmpfs tmpfs /run && exec \"$SHELL\"'\n";
        assert!(ran.err.ends_with(hint), "{ran}");
        let machine = unprivileged(&world, &format!("-j {line}")).err;
        let errors: Vec<_> = machine.lines().map(json).collect();
        assert!(errors.iter().any(|error| error["kind"] == "denied" && error["hint"].is_string()), "{line}: {machine}");
        assert_eq!(state(&world), before, "{line}");
    }
    for line in ["list", "list -l", "-j list", "list-id", "identify", "pids red", "link show", "help", "-V"] {
        let ran = unprivileged(&world, line);
        assert_eq!(ran.status.code(), Some(0), "{ran}");
    }
    assert_eq!(unprivileged(&world, "list").ok(), "red (id: 0)\n");
    assert_eq!(state(&world), before);
}

#[test]
fn the_way_out_that_is_offered_works() {
    // What the hint says, with a command instead of a shell.
    let mut command = Command::new("unshare");
    let script =
        format!("mount -t tmpfs tmpfs /run && {0} add red && {0} exec red ls /sys/class/net", nsnet().display());
    command.args(["--user", "--map-root-user", "--net", "--mount", "sh", "-c", &script]);
    assert_eq!(run(command).ok(), "lo\n");
}

#[test]
fn a_place_that_does_not_exist_stops_every_verb() {
    let world = World::new();
    world.ok("add red");
    for verb in ["add x", "del red", "--all del", "list", "prune", "pids red", "link show red:lo"] {
        let err = world.fails(1, &format!("-n nope {verb}"));
        assert!(err.contains("cannot open namespace 'nope'"), "{verb}: {err}");
    }
    // 1 might be the command's own.
    world.fails(125, "-n nope exec red true");
    assert_eq!(world.ok("list"), "red\n");
}
