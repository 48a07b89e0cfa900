//! lab test: whether what must hold does, and what is left of a lab that was up for that.

use std::{fs, process::Stdio};

use super::support::{Ran, World, json, ran};

/// A server and two clients on a switch, and one that nobody reaches. Groups may ping from the server, as where a
/// distribution lets them: by another kind of socket than elsewhere.
const SITE: &str = r#"
name = "site"
[nodes.web]
sysctl = { "net.ipv4.ping_group_range" = "0 0" }
[nodes."c[1-2]"]
[nodes.alone]
[networks.lan]
subnet = ["10.0.0.0/24", "fd00::/64"]
members = ["web", "c[1-2]"]
"#;

/// What a check is, and what is said of it.
const CHECKS: [(&str, &str); 23] = [
    ("from = 'c1'\nto = 'web'", "holds c1: ping web"),
    ("from = 'c2'\nto = 'fd00::1'", "holds c2: ping fd00::1"),
    ("from = 'web'\nto = '127.0.0.1'", "holds web: ping 127.0.0.1"),
    ("from = 'web'\nto = '::1'", "holds web: ping ::1"),
    ("from = 'web'\nto = '10.0.0.9'\nwithin = '100ms'", "fails web: ping 10.0.0.9 no answer within 100ms"),
    ("from = 'c1'\nto = 'web'\nreachable = false", "fails c1: not ping web it answers, and must not"),
    ("from = 'c1'\nto = '192.0.2.1'\nreachable = false", "holds c1: not ping 192.0.2.1"),
    ("from = 'c1'\nto = '10.0.0.9'\nreachable = false\nwithin = '100ms'", "holds c1: not ping 10.0.0.9"),
    ("from = 'alone'\nto = 'web'\nreachable = false", "holds alone: not ping web"),
    ("from = 'c1'\nto = '10.0.0.9'\nwithin = '100ms'", "fails c1: ping 10.0.0.9 no answer within 100ms"),
    (
        "from = 'alone'\nto = 'web'\nwithin = '100ms'",
        "fails alone: ping web no answer within 100ms: Network is unreachable (os error 101)",
    ),
    ("from = 'c1'\nto = 'web'\ntcp = 81\nreachable = false", "holds c1: not tcp web port 81"),
    ("from = 'c1'\nto = 'web'\ntcp = 81\nwithin = '100ms'", "fails c1: tcp web port 81 refused"),
    ("name = 'who'\nfrom = 'c2'\ncommand = ['hostname']\noutput = 'c2'", "holds who"),
    ("from = 'c2'\ncommand = 'getent hosts web'", "holds c2: getent hosts web"),
    ("from = 'c2'\ncommand = ['hostname']\noutput = 'c1'", "fails c2: hostname it printed 'c2', not 'c1'"),
    ("name = 'no'\nfrom = 'web'\ncommand = 'echo one; echo two words >&2; exit 7'", "fails no exit 7: two words"),
    ("name = 'loud'\nfrom = 'web'\ncommand = 'echo one; echo last words; exit 7'", "fails loud exit 7: last words"),
    // Nothing that nsnet holds back is held back from a command.
    ("name = 'term'\nfrom = 'web'\ncommand = 'kill -TERM $$; sleep 60'", "fails term killed by signal 15"),
    (
        "name = 'late'\nfrom = 'web'\ncommand = 'sleep 1000'\nwithin = '200ms'",
        "fails late not done within 200ms, and killed",
    ),
    // What it leaves running neither keeps it from ending nor stays.
    ("name = 'left'\nfrom = 'web'\ncommand = 'sleep 1000 & echo done'\noutput = 'done'", "holds left"),
    // More than a pipe takes.
    ("name = 'much'\nfrom = 'web'\ncommand = 'head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2'", "holds much"),
    (
        "name = 'none'\nfrom = 'web'\ncommand = ['no-such-program']",
        "fails none cannot run 'no-such-program': No such file or directory (os error 2)",
    ),
];

fn with_checks<'a>(checks: impl IntoIterator<Item = &'a str>) -> String {
    let checks = checks.into_iter().map(|check| "[[checks]]\n".to_owned() + check + "\n");
    SITE.to_owned() + &checks.collect::<String>()
}

/// Lines without the times in them, which differ.
fn timeless(text: &str) -> Vec<String> {
    let is_time = |words: &[&str], at: usize| words.get(at + 1) == Some(&"ms") && words[at].parse::<u32>().is_ok();
    let line = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let kept = (0..words.len()).filter(|at| !(is_time(&words, *at) || *at > 0 && is_time(&words, at - 1)));
        kept.map(|at| words[at]).collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect()
}

impl World {
    fn lab_test(&self, options: &str, text: &str) -> Ran {
        let file = self.lab_file(text);
        self.nsnet(["lab", "test", file].into_iter().chain(options.split_ascii_whitespace()))
    }

    /// Nothing of a lab is left, and no process that a check began.
    #[track_caller]
    fn is_bare(&self) {
        assert_eq!(self.sh("ls -A /run/netns 2>/dev/null || :; find /run/nsnet -name '*site*'"), "");
        assert_eq!(self.sh("ip -o link | grep -c ."), "1\n");
    }
}

#[test]
fn each_check_is_tried_in_its_node_and_said_what_it_came_to() {
    let world = World::for_labs();
    let text = with_checks(CHECKS.map(|(check, _)| check));
    for (before, options) in [("lab up", ""), ("", "--up")] {
        if !before.is_empty() {
            world.up(&text);
        }
        let tested = world.lab_test(options, &text);
        let mut expected = CHECKS.map(|(_, said)| said).to_vec();
        expected.push("site: 11 of 23 checks do not hold");
        assert_eq!(timeless(&tested.out), expected, "{tested}");
        assert_eq!((tested.status.code(), tested.err.as_str()), (Some(1), ""));
        if !before.is_empty() {
            assert_eq!(world.drift(), [""; 0], "a test changes nothing");
            assert_eq!(world.ok("pids site.web"), "", "commands are gone");
            world.ok("lab down site");
        }
    }
    world.is_bare();
}

#[test]
fn a_port_that_opens_while_it_is_tried_is_open() {
    let world = World::for_labs();
    let text = with_checks([
        "from = 'c1'\nto = 'web'\ntcp = 80",
        "name = 'begun'\nfrom = 'web'\ncommand = 'read _ < /run/go'",
    ]);
    world.up(&text);
    world.sh("mkfifo /run/go");
    // The server listens once the second check reads from it, so the first one meets a closed port at first, mostly.
    let mut server = world.start(
        "exec $NSNET exec --bare site.web perl -MIO::Socket::INET -e '$|=1; print \"here\\n\"; open(G,\">\",\"/run/go\");
         $s = IO::Socket::INET->new(LocalPort=>80, Listen=>5, ReuseAddr=>1); print G \"x\\n\"; close G; $s->accept; <STDIN>'",
    );
    let tested = world.lab_test("", &text);
    assert_eq!(
        timeless(&tested.out),
        ["holds c1: tcp web port 80", "holds begun", "site: 2 of 2 checks hold"],
        "{tested}"
    );
    assert_eq!(tested.status.code(), Some(0));
    server.say("\n");
}

#[test]
fn what_cannot_be_told_is_no_answer() {
    let world = World::for_labs();
    let text = with_checks(["from = 'c1'\nto = 'web'", "from = 'c1'\nto = 'web'\nreachable = false"]);
    let unasked = |options: &str, text: &str| world.lab_test(options, text).fails(2);
    assert_eq!(
        unasked("", &text),
        "nsnet: cannot test lab 'site': it is not up: 'nsnet lab up' brings it up, and 'nsnet lab test --up' does for \
         its checks only\n"
    );
    for options in ["", "--up"] {
        assert_eq!(
            unasked(options, SITE),
            "nsnet: cannot test lab 'site': it has no checks: say in [[checks]] what must hold\n"
        );
        assert!(unasked(options, "nmae = 'x'").contains("there is no key 'nmae' here"));
    }
    let unwritable = world.lab_test("--up --junit /nowhere/x.xml", &text);
    assert!(unwritable.fails(2).contains("cannot write '/nowhere/x.xml'"));
    world.is_bare();
    // A node that is missing is no answer, whatever was to be found out.
    world.up(&text);
    world.sh("ip netns del site.c1");
    let tested = world.lab_test("", &text);
    let why = "cannot open 'site/c1': there is no such node";
    let expected = [
        format!("unknown c1: ping web {why}"),
        format!("unknown c1: not ping web {why}"),
        "site: 0 of 2 checks hold, 2 could not be tried".into(),
    ];
    assert_eq!(timeless(&tested.out), expected);
    assert_eq!(tested.status.code(), Some(2));
}

#[test]
fn a_lab_that_is_there_is_not_taken_down_by_a_test() {
    let world = World::for_labs();
    let text = with_checks(["from = 'c1'\nto = 'web'"]);
    world.up(&text);
    let before = world.sh("cd /run/netns; stat -c '%n %i' *");
    assert!(world.lab_test("--up", &text).fails(2).contains("cannot bring up lab 'site': it is there already"));
    assert_eq!(world.sh("cd /run/netns; stat -c '%n %i' *"), before);
    world.lab_test("", &text).ok();
}

#[test]
fn a_signal_ends_commands_and_takes_the_lab_down() {
    let world = World::for_labs();
    world.sh("mkfifo /run/began");
    let text = with_checks([
        "from = 'web'\ncommand = 'trap \"\" TERM INT; sleep 1000 & echo $$ > /run/began; wait'\nwithin = '100s'",
    ]);
    world.lab_file(&text);
    for (signal, number) in [("INT", 2), ("TERM", 15), ("HUP", 1), ("KILL", 9)] {
        let mut command = world.command(super::support::nsnet());
        command.args(["lab", "test", "--up", "/run/lab.toml"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        fs::read_to_string(format!("/proc/{}/root/run/began", world.pid())).unwrap();
        world.sh(&format!("kill -{signal} {}", child.id()));
        let ended = ran("lab test".into(), child.wait_with_output().unwrap());
        assert_eq!((ended.signal(), ended.err.as_str(), ended.out.as_str()), (Some(number), "", ""), "{ended}");
        if signal == "KILL" {
            // Nobody was left to take it down; the command itself is gone with nsnet.
            world.sh("timeout 20 sh -c 'while pgrep -f \"^sh -c trap.*began\"; do :; done'");
            world.sh("$NSNET pids site.web | xargs -r kill -9; $NSNET -q lab down site");
        }
        world.is_bare();
    }
}

#[test]
fn the_starting_namespace_has_checks_too() {
    let world = World::for_labs();
    let link = "[[links]]\nends = ['.:to-web=192.0.2.1/30', 'web:host=192.0.2.2/30']\n";
    let checks = ["from = '.'\nto = 'web'", "from = 'web'\nto = '.'", "from = '.'\ncommand = 'ip link show to-web'"];
    let tested = world.lab_test("--up", &format!("{}{link}", with_checks(checks)));
    assert!(tested.out.ends_with("site: 3 of 3 checks hold\n"), "{tested}");
    world.is_bare();
}

#[test]
fn as_json_a_check_is_an_object() {
    let world = World::for_labs();
    let text = with_checks(["name = 'a'\nfrom = 'c1'\nto = 'web'\nwithin = 2", "from = 'web'\ncommand = ['false']"]);
    let tested = world.lab_test("--up -j", &text);
    assert_eq!(tested.status.code(), Some(1));
    let mut found = json(&tested.out);
    for check in found.as_array_mut().unwrap() {
        assert!(check.as_object_mut().unwrap().remove("took_ms").unwrap().is_u64());
    }
    assert_eq!(
        found,
        json(
            r#"[{"name":"a","from":"c1","probe":{"ping":{"to":"10.0.0.1"}},"reachable":true,"within_ms":2000,"verdict":"holds"},
                {"name":"web: false","from":"web","probe":{"command":{"argv":["false"],"output":null}},"reachable":true,
                 "within_ms":5000,"verdict":"fails","why":"exit 1"}]"#
        )
    );
}

#[test]
fn junit_reads_what_is_written_for_it() {
    let world = World::for_labs();
    let checks =
        ["name = 'a <b> & \"c\"'\nfrom = 'c1'\nto = 'web'", "from = 'web'\ncommand = 'echo \"<&\" >&2; false'"];
    let tested = world.lab_test("--up --junit /run/checks.xml", &with_checks(checks));
    assert_eq!(tested.status.code(), Some(1));
    assert!(tested.out.starts_with("holds"), "the table is there, too");
    let text = world.sh("cat /run/checks.xml");
    let both = world.lab_test("-j --up --junit -", &with_checks(checks)).fails(2);
    assert!(both.contains("JSON and '--junit -' both go to standard output"), "{both}");
    let alone = world.lab_test("--up --junit -", &with_checks(checks));
    assert!(alone.out.starts_with("<?xml") && alone.out.ends_with("</testsuites>\n"), "{alone}");
    assert_eq!(world.sh("ls ./- 2>/dev/null || :"), "");
    let document = roxmltree::Document::parse(&text).unwrap();
    let suite = document.root_element().first_element_child().unwrap();
    assert_eq!(
        ["tests", "failures", "errors", "name"].map(|name| suite.attribute(name).unwrap()),
        ["2", "1", "0", "site"]
    );
    let cases: Vec<_> = suite.children().filter(roxmltree::Node::is_element).collect();
    assert_eq!(cases[0].attribute("name"), Some("a <b> & \"c\""));
    assert_eq!((cases[0].attribute("classname"), cases[0].first_element_child()), (Some("site.c1"), None));
    let failure = cases[1].first_element_child().unwrap();
    assert_eq!((failure.tag_name().name(), failure.attribute("message")), ("failure", Some("exit 1: <&")));
}
