//! Batches: many command lines in one process, and the words of ip's whole table.

use super::support::{Ran, World, json, nsnet, run};

impl World {
    /// nsnet with these options and a batch on its stdin.
    fn batch(&self, options: &str, lines: &str) -> Ran {
        self.sh(&format!("cat > /run/batch <<'END OF BATCH'\n{lines}\nEND OF BATCH"));
        self.shell(&format!("$NSNET {options} -batch - < /run/batch"))
    }
}

#[test]
fn a_batch_does_what_its_lines_do_alone() {
    let world = World::new();
    let shown = world.batch(
        "",
        "add red blue   # two\n\
         veth red:eth0=10.0.0.1/24 blue:eth0=10.0.0.2/24\n\
         \n\
         -n red rule add from 10.0.0.0/24 \\\n table 7 prio 9\n\
         netns exec red ping -qc1 -W2 10.0.0.2\n\
         -n red -br link show 'eth0'\n\
         rename blue \"dark blue\"\n\
         ip netns\n\
         -n red rule show prio 9",
    );
    let out = shown.ok();
    let lines: Vec<_> = out.lines().filter(|line| !line.contains("ping") && !line.starts_with("rtt")).collect();
    assert!(out.contains(" 0% packet loss"), "{out}");
    assert!(lines.iter().any(|line| line.starts_with("eth0@if") && line.contains(" UP ")), "{out}");
    assert!(lines.iter().any(|line| line.starts_with("dark blue")), "{out}");
    assert_eq!(lines.last(), Some(&"9:\tfrom 10.0.0.0/24 lookup 7"));
    assert_eq!(world.sh("ip -n red rule show prio 9"), "9:\tfrom 10.0.0.0/24 lookup 7\n");
}

#[test]
fn a_batch_ends_at_the_first_failure_and_names_its_line() {
    let world = World::new();
    let lines = "add red\n# no command\nrule del prio 77\nadd blue";
    let err = world.batch("", lines).fails(1);
    assert_eq!(
        err,
        "nsnet: -:3: cannot delete rule 'priority 77': No such file or directory (os error 2)\n",
        "ip says: {}",
        world.shell("printf 'rule del prio 77' | ip -batch - 2>&1").out
    );
    assert_eq!(world.ok("list"), "red\n");
    let err = world.batch("-force", lines).fails(1);
    assert!(err.contains("-:1: ") && err.contains("-:3: ") && err.lines().count() == 2, "{err}");
    assert_eq!(world.ok("list"), "blue\nred\n");
    for (line, word) in [
        ("frob", "'frob'"),
        ("rule add prio x", "'priority x' is wrong"),
        ("-b x", "another"),
        ("-x list", "\"-x\""),
        ("link show 'lo", "quote"),
        ("add \\", "backslash"),
        ("xfrm state", "'ip xfrm' of iproute2 does"),
    ] {
        let err = world.batch("", line).fails(2);
        assert!(err.starts_with("nsnet: -:1: ") && err.contains(word) && err.lines().count() == 1, "{line}: {err}");
    }
    let err = world.fails(1, "-batch /run/no-such-file");
    assert!(err.contains("cannot open the batch '/run/no-such-file': No such file"), "{err}");
    let err = world.fails(2, "-batch /run/batch list");
    assert!(err.contains("'list'"), "{err}");
    // What would be left out is not left out silently.
    let err = world.fails(2, "add green -b /run/batch");
    assert!(err.contains("none from the line"), "{err}");
    let err = world.batch("", "add green -b /run/batch").fails(2);
    assert!(err.contains("a batch cannot begin another"), "{err}");
    assert_eq!(world.ok("list"), "blue\nred\n");
}

#[test]
fn options_before_the_batch_hold_for_each_line_unless_it_has_its_own() {
    let world = World::new();
    world.ok("add red blue");
    world.sh("ip -n red link add r0 type ifb; ip -n blue link add b0 type ifb");
    let out = world.batch("-n red -br", "link show r0\n-n blue link show b0\n-n . link show lo").ok();
    let names: Vec<_> = out.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(names, ["r0", "b0", "lo"]);
    let out = world.batch("-j", "-n red link show r0\n-n blue -p link show b0\nlist\nadd red").fails(1);
    let failure = json(&out);
    assert_eq!((&failure["file"], &failure["line"]), (&"-".into(), &4.into()), "{out}");
    let out = world.batch("-j", "-n red link show r0\n-n blue link show b0\nlist").ok();
    let values: Vec<_> = out.lines().map(json).collect();
    assert_eq!((&values[0][0]["ifname"], &values[1][0]["ifname"]), (&"r0".into(), &"b0".into()));
    assert_eq!(values[2].as_array().unwrap().len(), 2);
}

#[test]
fn a_batch_does_not_hold_on_to_what_it_deletes() {
    let world = World::new();
    let lines = "add red\n-n red rule add prio 5 table 7\ndel red\nadd red\n-n red rule show prio 5\n-n red rule";
    let ran = world.batch("", lines);
    assert_eq!(ran.err, "", "held by nobody");
    assert_eq!(ran.ok().lines().count(), 3);
}

#[test]
fn a_command_in_a_batch_is_a_process_of_its_own_and_its_code_counts() {
    let world = World::new();
    world.ok("add red");
    let ran = world.batch("-force", "exec red sh -c 'exit 7'\nexec red sh -c 'kill -9 $$'\nexec red cat\nlist");
    assert_eq!(ran.out, "red\n", "{ran}");
    let err = ran.fails(1);
    assert!(err.contains("-:1: the command ended with 7") && err.contains("-:2: the command ended with 137"), "{err}");
    world.batch("", "exec red sh -c 'exit 7'\nlist").fails(7);
    // Whatever the options are.
    assert_eq!(world.batch("-N -r", "exec red echo hi\n-t -l 3 -4 exec red echo hi").ok(), "hi\nhi\n");
}

#[test]
fn a_command_in_a_node_of_a_lab_does_not_end_the_batch() {
    let world = World::for_labs();
    world.lab_file("name = \"x\"\n[nodes.a]\n");
    world.ok("lab up /run/lab.toml");
    let ran = world.batch("", "lab exec x/a cat\nlab exec x/a echo one\nlab exec x --all echo two\nlist");
    assert_eq!(ran.ok(), "one\na: two\nx.a\n");
    world.batch("", "lab exec x/a sh -c 'exit 7'\nlist").fails(7);
    let err = world.batch("-force", "lab exec x/a sh -c 'kill -9 $$'\nlist").fails(1);
    assert!(err.contains("-:1: the command ended with 137"), "{err}");
    world.ok("lab down x");
}

#[test]
fn behind_ip_and_called_as_ip_the_words_of_ip_hold() {
    let world = World::new();
    world.ok("add red");
    for words in ["ru", "-4 rule sh", "-j ru", "-n red -6 ru l", "-br l", "net", "-n red l sh lo", "netn ls"] {
        assert_eq!(world.ok(&format!("ip {words}")), world.sh(&format!("ip {words}")), "{words}");
    }
    world.sh(&format!("ln -s {} /run/ip", nsnet().display()));
    let mut called = world.command("/run/ip");
    called.args(["-n", "red", "ru", "sh"]);
    assert_eq!(run(called).ok(), world.sh("ip -n red ru sh"));
    // What changes nothing is taken; what would be ignored is not.
    assert_eq!(world.ok("ip -rc 1000000 -l 5 -t ru"), world.sh("ip -rc 1000000 -l 5 -t ru"));
    assert!(world.fails(2, "-r rule").contains("'-resolve' of ip is not offered"));
    let err = world.fails(2, "ip mptcp");
    assert!(err.contains("nsnet does not do 'mptcp'; 'ip mptcp' of iproute2 does"), "{err}");
    assert!(world.fails(2, "ip nets").contains("unknown"));
    assert!(world.fails(2, "tuntap add").contains("'nsnet link add IF type tun' makes one"));
}

#[test]
fn changes_that_wait_for_each_other_come_to_the_same_and_name_their_lines() {
    let world = World::new();
    world.ok("add red");
    let both = |i: u32| {
        let host = format!("{}.{}/32 dev lo", i / 250, i % 250 + 1);
        format!("-n red addr add 10.0.{host}\naddr add 10.9.{host}\n")
    };
    let lines: String = (1..=300).map(both).collect();
    let wrong = "-n red addr add 10.0.0.5/32 dev lo\nroute add 10.8.0.0/16 via 172.16.0.1\n\
                 link add x type ifb\naddr add 10.7.0.1/24 dev x\n-br addr show x\naddr add 10.7.0.2/24 dev nosuch\n\
                 route add 10.6.0.0/16 via 172.16.0.1";
    let ran = world.batch("-force", &format!("{lines}{wrong}"));
    assert_eq!(ran.out.split_whitespace().last(), Some("10.7.0.1/24"), "{ran}");
    let places: Vec<_> = ran.err.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
    assert_eq!(places, ["-:601", "-:602", "-:606", "-:607"], "{ran}");
    assert_eq!(ran.status.code(), Some(1));
    assert_eq!(world.sh("ip -n red -o -4 addr show lo | grep -c 10[.]0[.]").trim(), "300");
    assert_eq!(world.sh("ip -o -4 addr show lo | grep -c 10[.]9[.]").trim(), "300");
}
