//! Commands that run in the nodes of a lab.

use super::support::World;

/// A server that is ready when it listens, and two commands that tell of each other by files.
const LAB: &str = r#"
name = "run"
[nodes.a]
hostname = "alpha"
[[nodes.a.run]]
name = "first"
command = "echo started >> /run/order; hostname; grep -c run/a /proc/mounts; echo it is ready > /run/first; exec cat /run/fifo"
ready = { file = "/run/first" }
[[nodes.a.run]]
name = "second"
command = "cat /run/first; exec cat /run/fifo"
ready = { command = "test -e /run/first" }
[nodes.b]
[[nodes.b.run]]
name = "server"
command = ["python3", "-m", "http.server", "8080"]
ready = { tcp = 8080 }
[[links]]
ends = ["a:eth0=10.0.0.1/24", "b:eth0=10.0.0.2/24"]
"#;

fn world() -> World {
    let world = World::for_labs();
    world.sh("mkfifo /run/fifo");
    world
}

impl World {
    /// The processes that have a mark of a command, by the names of commands.
    fn marked(&self) -> Vec<String> {
        let script = format!(
            "for file in $(grep -lsz '^WORLD={}$' /proc/[0-9]*/environ); do
                 name=$(tr '\\0' '\\n' < $file | sed -n 's/^NSNET_RUN=//p')
                 [ -z \"$name\" ] || {{ file=${{file#/proc/}}; echo $name ${{file%/environ}}; }}
             done; :",
            self.pid()
        );
        let out = self.sh(&script);
        out.lines().map(str::to_owned).collect()
    }

    /// `lab up`, with a variable by which this world's commands are told from those of others.
    fn up_here(&self, text: &str) -> super::support::Ran {
        self.lab_file(text);
        self.shell(&format!("WORLD={} exec $NSNET lab up /run/lab.toml", self.pid()))
    }
}

#[test]
fn commands_start_in_order_when_the_node_is_wired_and_each_is_awaited() {
    let world = world();
    world.up_here(LAB).ok();
    // It listens by now.
    let page = "exec 3<>/dev/tcp/10.0.0.2/8080; printf 'HEAD / HTTP/1.0\\r\\n\\r\\n' >&3; head -n1 <&3";
    let answer = world.nsnet(["lab", "exec", "run/a", "bash", "-c", page]).ok();
    assert!(answer.contains("200 OK"), "{answer}");
    assert_eq!(world.sh("cat /run/nsnet/log/run.a.second.log"), "it is ready\n");
    // With the view of 'lab exec'.
    assert_eq!(world.sh("head -n1 /run/nsnet/log/run.a.first.log"), "alpha\n");
    assert_eq!(world.marked().len(), 3, "{:?}", world.marked());
    assert_eq!(world.drift(), [""; 0]);
    assert!(world.ok("lab status run").contains("    runs server: python3 -m http.server 8080\n"));
    assert_eq!(world.up_here(LAB).ok(), "run: as written, nothing to do\n");
    assert_eq!(world.sh("cat /run/order"), "started\n");
    world.ok("lab down run");
    assert_eq!(world.marked(), [""; 0]);
    assert_eq!(world.sh("ls -A /run/netns; find /run/nsnet -name 'run*'"), "");
}

#[test]
fn one_that_ended_is_drift_and_up_starts_it_again_and_no_other() {
    let world = world();
    world.up_here(LAB).ok();
    let before = world.marked();
    let pid = before.iter().find_map(|line| line.strip_prefix("server ")).unwrap();
    world.sh(&format!(
        "kill -9 {pid}; while [ -e /proc/{pid}/ns/net ] && readlink /proc/{pid}/ns/net >/dev/null 2>&1; do :; done"
    ));
    assert_eq!(world.drift(), ["b: server does not run"]);
    assert_eq!(world.ok("lab plan /run/lab.toml"), "start server in b\n");
    world.up_here(LAB).ok();
    assert_eq!(world.drift(), [""; 0]);
    let after = world.marked();
    assert_eq!(before.iter().filter(|line| after.contains(line)).count(), 2, "{before:?} {after:?}");
    world.ok("lab down run");
}

#[test]
fn another_file_restarts_what_changed_and_stops_what_it_no_longer_has() {
    let world = world();
    world.up_here(LAB).ok();
    let before = world.marked();
    let changed = LAB.replace("8080", "8081").replace("name = \"second\"", "name = \"third\"");
    world.lab_file(&changed);
    assert_eq!(
        world.drift(),
        ["a: third does not run", "b: server runs with other words", "a: second runs, and is not in the file"]
    );
    world.up_here(&changed).ok();
    assert_eq!(world.drift(), [""; 0]);
    let names: Vec<_> = world.marked().iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert!(["first", "server", "third"].iter().all(|name| names.contains(&(*name).to_owned())) && names.len() == 3);
    let kept = before.iter().find(|line| line.starts_with("first")).unwrap();
    assert!(world.marked().contains(kept), "what did not change goes on");
    // A node that goes takes its commands with it.
    let without = changed.split("[nodes.b]").next().unwrap();
    world.up_here(without).ok();
    assert_eq!(world.sh("ls /run/netns"), "run.a\n");
    assert_eq!(world.marked().len(), 2);
    world.ok("lab down run");
}

#[test]
fn an_up_that_fails_stops_what_it_started_and_starts_what_it_stopped() {
    let world = world();
    let text = LAB.replace(
        "[[links]]",
        "[[nodes.b.run]]\nname = \"bad\"\ncommand = \"echo no way >&2; exit 3\"\nready = { tcp = 9 }\n[[links]]",
    );
    let err = world.up_here(&text).fails(1);
    assert!(
        err.ends_with(
            "cannot start 'bad' of b: it ended; its log is '/run/nsnet/log/run.b.bad.log', and ends: no way\n"
        ),
        "{err}"
    );
    assert_eq!(world.marked(), [""; 0]);
    assert_eq!(world.sh("ls -A /run/netns"), "");
    for (bad, said) in [
        ("command = [\"no-such-program\"]", "cannot start 'bad' of b: 'no-such-program' cannot be run: No such file"),
        (
            "command = \"exec cat /run/fifo\"\nready = { file = \"/run/never\" }\nwithin = \"50ms\"",
            "the file '/run/never' was not made or changed within 50ms",
        ),
        (
            "command = \"exec cat /run/fifo\"\nready = { command = \"false\" }\nwithin = \"50ms\"",
            "'sh -c false' did not succeed within 50ms",
        ),
    ] {
        let text = LAB.replace("[[links]]", &format!("[[nodes.b.run]]\nname = \"bad\"\n{bad}\n[[links]]"));
        let err = world.up_here(&text).fails(1);
        assert!(err.contains(said), "{err}");
        assert_eq!(world.marked(), [""; 0]);
    }
    world.up_here(LAB).ok();
    let changed = LAB
        .replace("8080", "8081")
        .replace("[[links]]", "[[nodes.b.run]]\ncommand = [\"false\"]\nready = { tcp = 9 }\n[[links]]");
    world.up_here(&changed).fails(1);
    world.lab_file(LAB);
    assert_eq!(world.drift(), [""; 0]);
    world.ok("lab down run");
}

#[test]
fn what_does_not_want_to_end_is_made_to_and_nothing_of_others_is_touched() {
    let world = world();
    // It ignores TERM, and has children.
    let stubborn = "name = \"run\"\n[nodes.a]\n[[nodes.a.run]]\nname = \"deaf\"\ncommand = \"trap '' TERM; (exec cat /run/fifo) & echo > /run/deaf; wait; wait; exec cat /run/fifo\"\nready = { file = \"/run/deaf\" }\n";
    world.up_here(stubborn).ok();
    let other =
        stubborn.replace("\"run\"", "\"other\"").replace("trap '' TERM;", "").replace("/run/deaf", "/run/other");
    world.up_here(&other).ok();
    let own = world.start("exec $NSNET lab exec other/a sh -c 'echo here; exec cat'");
    assert_eq!(world.marked().len(), 4);
    world.ok("lab down run");
    assert_eq!(world.marked().len(), 2);
    world.lab_file(&other);
    assert_eq!(world.drift(), [""; 0]);
    drop(own);
    world.ok("lab down other");
    assert_eq!(world.marked(), [""; 0]);
}

#[test]
fn what_runs_in_a_namespace_that_lost_its_name_goes_too() {
    let world = world();
    let text = LAB.split("[nodes.b]").next().unwrap();
    for end in ["up", "down"] {
        world.up_here(text).ok();
        let before = world.marked();
        world.sh("ip netns del run.a; rm /run/first");
        if end == "up" {
            assert!(world.drift().contains(&"a: the namespace is missing".to_owned()));
            world.up_here(text).ok();
            assert_eq!(world.drift(), [""; 0]);
            assert_eq!(world.marked().len(), 2);
            assert!(before.iter().all(|line| !world.marked().contains(line)));
        } else {
            world.ok("lab down run");
            assert_eq!(world.marked(), [""; 0]);
        }
    }
}

#[test]
fn after_kill_9_up_completes_and_down_finds_what_runs() {
    let world = world();
    for round in 0..10 {
        world.lab_file(LAB);
        // Killed when a command that tells so has started.
        let script = format!(
            "rm -f /run/first; WORLD={} $NSNET lab up /run/lab.toml & up=$!; until [ -e /run/first ]; do :; done
             kill -9 $up; wait $up || :",
            world.pid()
        );
        world.sh(&script);
        if round % 2 == 0 {
            world.up_here(LAB).ok();
            assert_eq!(world.drift(), [""; 0]);
            assert_eq!(world.marked().len(), 3);
        }
        world.ok("lab down run");
        assert_eq!(world.marked(), [""; 0]);
        assert_eq!(world.sh("ls -A /run/netns"), "");
    }
}

#[test]
fn a_script_without_an_interpreter_line_runs_as_the_shell_would_run_it() {
    let world = world();
    world.sh("mkdir /run/bin; cd /run/bin; echo 'echo $1 > /run/said; exec cat /run/fifo' > serve");
    world.sh("cd /run/bin; echo 'echo it has $1' > ask; chmod +x serve ask; echo 'echo never' > /run/ask");
    world.lab_file(
        "name = \"run\"\n[[nodes.a.run]]\ncommand = [\"/run/bin/serve\", \"all\"]\nready = { file = \"/run/said\" }\n\
         [[checks]]\nfrom = \"a\"\ncommand = [\"ask\", \"heard\"]\noutput = \"it has heard\"\n",
    );
    world.ok("lab up /run/lab.toml");
    assert_eq!((world.sh("cat /run/said"), world.drift()), ("all\n".into(), vec![]));
    let path = "PATH=/run:/run/bin:$PATH";
    assert!(world.sh(&format!("{path} $NSNET lab test /run/lab.toml")).contains("run: 1 of 1 checks"));
    world.ok("lab down run");
}

#[test]
fn commands_that_cannot_be_told_apart_are_refused() {
    let world = World::for_labs();
    world.lab_file("name = \"x\"\n[nodes.a]\n[[nodes.a.run]]\ncommand = [\"/bin/cat\"]\n[[nodes.a.run]]\ncommand = \"cat x\"\n[[nodes.a.run]]\nname = \"a/b\"\ncommand = \"x\"\n");
    let out = world.nsnet(["lab", "check", "/run/lab.toml"]).out;
    assert!(out.contains("two commands are called 'cat'") && out.contains("its log is called so"), "{out}");
}

#[test]
fn of_a_line_that_asks_whether_it_is_ready_nothing_is_left() {
    let world = world();
    // A shell that waits for what it has started.
    let asked = "name = \"run\"\n[[nodes.a.run]]\nname = \"slow\"\ncommand = \"exec cat /run/fifo\"\n\
                 ready = { command = \"sleep 71231; :\" }\nwithin = \"500ms\"\n";
    let err = world.up_here(asked).fails(1);
    assert!(err.contains("'sh -c sleep 71231; :' did not succeed within 500ms"), "{err}");
    // A process that was killed may take a moment to be gone.
    let gone = format!("while grep -qsz '^WORLD={}$' /proc/[0-9]*/environ; do :; done", world.pid());
    world.sh(&format!("timeout 20 sh -c \"{}\"", gone.replace('$', "\\$")));
}

/// Programs that show what they do as their title overwrite their environment; others start with none.
#[test]
fn a_command_that_overwrites_its_environment_is_still_known() {
    let world = World::for_labs();
    let text = "name = \"lab\"\n[nodes.a]\n[[nodes.a.run]]\nname = \"titled\"\ncommand = [\"perl\", \"-e\", '$0 = \"mydaemon\" . \"x\" x 4000; sleep 1000']\n
        [[nodes.a.run]]\nname = \"bare\"\ncommand = \"exec env -i sh -c 'sleep 1000 & exec sleep 1000'\"\n";
    world.up(text);
    assert_eq!(world.drift(), [""; 0]);
    let running = || world.sh("ip netns pids lab.a | wc -l");
    assert_eq!(running(), "3\n");
    assert_eq!(world.up(text), "lab: as written, nothing to do\n");
    world.up(&text.replace("4000", "3000"));
    assert_eq!(running(), "3\n");
    world.up("name = \"lab\"\n[nodes.a]\n");
    assert_eq!(world.sh("ip netns pids lab.a; ls -d /run/nsnet/run 2>/dev/null || :"), "");
    // What was written down of a process is not believed of another one that has its number.
    world.up(text);
    world.sh(
        "pkill -KILL -f ^mydaemon; cd /run/nsnet/run; [ $(ls | wc -l) = 2 ]; sed -i '1s/^[0-9]* /1 /' lab.a.titled",
    );
    assert_eq!(world.drift(), ["a: titled does not run"]);
    world.up(text);
    let down = world.ok("lab down lab");
    assert_eq!(down, "lab: down, 1 namespace gone\n");
    assert_eq!(world.sh("ls /run/nsnet/run /run/nsnet/log 2>/dev/null || :"), "");
}

#[test]
fn a_signal_to_exec_everywhere_ends_all_its_commands() {
    let world = world();
    world.up_here("name = \"run\"\n[nodes.a]\n[nodes.b]\n").ok();
    // Each tells that it runs, and holds a lock of its node until it has ended, with what it started.
    let script = "mkfifo /run/runs; exec 8<>/run/runs
        $NSNET lab exec run --all sh -c 'exec 9> /run/held.$(hostname); flock 9; echo > /run/runs; sleep 71239; :' > /run/out &
        pid=$!
        read x <&8; read x <&8
        kill -TERM $pid; wait $pid || echo $?
        ls /run/held.* | wc -l
        for held in /run/held.*; do flock -n $held true && echo free; done; :";
    assert_eq!(world.sh(script).replace(' ', ""), "143\n2\nfree\nfree\n");
}

#[test]
fn a_file_that_lay_there_before_makes_nothing_ready() {
    let world = World::for_labs();
    world.sh("touch /run/stale");
    let text = |command: &str| {
        format!(
            "name = \"lab\"\n[nodes.a]\n[[nodes.a.run]]\nname = \"it\"\ncommand = \"{command}\"\nready = {{ file = \"/run/stale\" }}\nwithin = \"300ms\"\n"
        )
    };
    world.lab_file(&text("exec sleep 1000"));
    let err = world.fails(1, "lab up /run/lab.toml");
    assert!(err.contains("within 300ms"), "{err}");
    world.up(&text("touch /run/stale; exec sleep 1000"));
    assert_eq!(world.ok("lab down lab"), "lab: down, 1 namespace gone\n");
}
