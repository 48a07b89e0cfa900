//! What is made for others to read: completions, as each shell asks for them.

use std::time::{Duration, Instant};

use crate::support::{World, run};

const BASH: &str = include_str!("../../completions/nsnet.bash");
const ZSH: &str = include_str!("../../completions/_nsnet");
const FISH: &str = include_str!("../../completions/nsnet.fish");

/// Two namespaces that begin alike, one with a veth end, and a name that no terminal should show.
fn world() -> World {
    let world = World::new();
    world.ok("add red rose blue");
    world.nsnet(["add", "red\x1b[2J"]).ok();
    world.ok("veth uplink red:eth0");
    world
}

/// What fits the last word, asked for as the scripts ask.
#[track_caller]
fn fitting(world: &World, line: &[&str]) -> Vec<String> {
    let mut asked = world.command(crate::support::nsnet());
    asked.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", line.len().to_string());
    asked.args(["--", "nsnet"]).args(line);
    run(asked).ok().lines().map(str::to_owned).collect()
}

#[track_caller]
fn fits(world: &World, line: &str, candidates: &[&str]) {
    assert_eq!(fitting(world, &line.split(' ').collect::<Vec<_>>()), candidates, "nsnet {line}");
}

#[test]
fn verbs_and_options_complete() {
    let world = World::new();
    fits(&world, "l", &["list", "list-id", "lab", "link"]);
    fits(
        &world,
        "lab ",
        &["check", "plan", "up", "status", "down", "test", "exec", "list", "show", "graph", "import", "adopt"],
    );
    fits(&world, "lab check /proc/self/comm", &["/proc/self/comm"]);
    fits(&world, "de", &["del"]);
    fits(&world, "rule ", &["show", "add", "del", "flush"]);
    fits(&world, "rule add pr", &["priority", "protocol"]);
    fits(&world, "del --if", &["--if-exists"]);
    fits(&world, "--color=a", &["--color=auto", "--color=always"]);
    fits(&world, "help p", &["pids", "prune"]);
    fits(&world, "completions ", &["bash", "zsh", "fish"]);
    fits(&world, "set x a", &["auto"]);
}

#[test]
fn names_complete_where_there_is_one_already() {
    let world = world();
    for verb in ["del", "exec", "pids", "rename", "set", "del blue", "-n", "--json del"] {
        fits(&world, &format!("{verb} r"), &["red", "rose"]);
    }
    fits(&world, "--netns=r", &["--netns=red", "--netns=rose"]);
    for verb in ["add", "attach", "rename red"] {
        fits(&world, &format!("{verb} r"), &[]);
    }
}

#[test]
fn behind_ips_word_netns_its_verbs_complete() {
    let world = world();
    fits(&world, "netns e", &["exec"]);
    fits(&world, "netns r", &[]);
    fits(&world, "netns del r", &["red", "rose"]);
    fits(&world, "net del b", &["blue"]);
}

#[test]
fn links_complete_here_and_behind_the_namespace_they_live_in() {
    let world = world();
    let keywords = ["up", "group", "master", "vrf", "nomaster", "type"];
    fits(&world, "link show ", &[&["lo", "uplink", "blue:", "red:", "rose:"][..], &keywords].concat());
    fits(&world, "link show red:", &["red:lo", "red:eth0"]);
    fits(&world, "link show red:e", &["red:eth0"]);
    fits(&world, "-n red link show e", &["eth0"]);
    fits(&world, "link show nope:", &[]);
    let path = "link show /proc/self/ns/net:u";
    fits(&world, path, &["/proc/self/ns/net:uplink"]);
}

#[test]
fn a_link_to_be_made_completes_to_a_name_that_is_free() {
    let world = world();
    fits(&world, "veth r", &["red:", "rose:"]);
    fits(&world, "veth red:", &["red:eth1", "red:veth0"]);
    fits(&world, "veth a rose:e", &["rose:eth0"]);
    fits(&world, "veth red:eth1=", &[]);
}

#[test]
fn processes_complete_to_those_that_are_there() {
    let world = world();
    let pid = world.pid().to_string();
    for (line, candidate) in [
        ("identify ", pid.clone()),
        ("attach x ", pid.clone()),
        ("pids pid:", format!("pid:{pid}")),
        ("link show pid:", format!("pid:{pid}:")),
    ] {
        let found = fitting(&world, &line.split(' ').collect::<Vec<_>>());
        assert!(found.contains(&candidate), "{line}{candidate}: {found:?}");
    }
    fits(&world, "pids p", &["pid:"]);
    fits(&world, &format!("link show pid:{pid}:u"), &[&format!("pid:{pid}:uplink")]);
}

#[test]
fn a_command_completes_to_programs_and_then_to_files() {
    let world = world();
    let first = fitting(&world, &["exec", "red", "mktem"]);
    assert_eq!(first, ["mktemp"]);
    fits(&world, "exec --bare red -- mktem", &["mktemp"]);
    fits(&world, "exec red cat /proc/self/nss", &[]);
    fits(&world, "exec red cat /proc/self/comm", &["/proc/self/comm"]);
}

#[test]
fn a_dead_name_is_not_waited_for() {
    let world = world();
    world.sh("touch /run/netns/dead; exec 9>/run/nsnet/lock; flock 9; NSNET=$NSNET COMPLETE=bash \\
        _CLAP_COMPLETE_INDEX=3 timeout 5 $NSNET -- nsnet link show dead:");
}

#[test]
fn completion_answers_in_silence_or_not_at_all() {
    let world = World::new();
    let ask = |shell: &str, line: &[&str]| {
        let mut asked = world.command(crate::support::nsnet());
        asked.env("COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", "7").args(line);
        run(asked)
    };
    assert_eq!(ask("bash", &["--", "nsnet", "x"]).fails(1), "");
    // For somebody else, or nobody.
    assert_eq!(ask("tcsh", &["identify"]).ok(), "\n");
    assert_eq!(ask("", &["identify"]).ok(), "\n");
}

#[test]
fn completions_prints_the_scripts_that_are_installed() {
    let world = World::new();
    for (shell, script) in [("bash", BASH), ("zsh", ZSH), ("fish", FISH)] {
        assert_eq!(world.ok(&format!("completions {shell}")), script);
        assert!(!script.contains("/nsnet"), "nsnet is called by its name");
    }
    assert!(world.fails(2, "completions csh").contains("possible values: bash, zsh, fish"));
}

/// What a shell's own completion comes to, with nsnet on its PATH.
#[track_caller]
pub fn in_shell(world: &World, shell: &[&str], script: &str) -> String {
    let mut command = world.command("sh");
    command.args(["-euc", "PATH=${NSNET%/*}:$PATH; export PATH; exec \"$@\"", "sh"]).args(shell).arg(script);
    run(command).ok()
}

#[test]
fn bash_completes_words_that_it_splits_at_colons() {
    let script = r#"
        eval "$(nsnet completions bash)"
        compopt() { printf '(%s) ' "$*"; }
        # What bash has typed behind its last separator comes as the second argument.
        complete_words() {
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            local typed=${COMP_WORDS[COMP_CWORD]}
            [[ $typed != [:=]* ]] || typed=
            _nsnet nsnet "$typed" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "${COMPREPLY[@]}"
        }
        complete_words nsnet del re
        complete_words nsnet link show red :
        complete_words nsnet link show red : e
        complete_words nsnet link show ro
        complete_words nsnet --netns = re
        complete_words nsnet --netns = red link show e
        complete_words nsnet del 'a b'
    "#;
    let world = world();
    world.nsnet(["add", "a b c"]).ok();
    assert_eq!(
        in_shell(&world, &["bash", "-c"], script),
        "red\nlo eth0\neth0\n(-o nospace) rose:\nred\neth0\na\\ b\\ c\n"
    );
}

#[test]
fn zsh_is_told_where_more_is_to_follow() {
    let script = r#"
        compdef() { }
        _describe() { print -r -- "${@[4,-1]}" "${(@P)3}"; }
        source <(nsnet completions zsh)
        complete_words() { words=("$@") CURRENT=$# PREFIX=${@[-1]}; _nsnet }
        complete_words nsnet del re
        complete_words nsnet link show r
        complete_words nsnet link show red:e
        complete_words nsnet del --if
    "#;
    assert_eq!(
        in_shell(&world(), &["zsh", "-fc"], script),
        "red\n-S  red\\: rose\\:\nred\\:eth0\n--if-exists:Ignore names that do not exist, instead of failing\n"
    );
}

#[test]
fn fish_completes_with_help_beside() {
    let script = r#"
        source (nsnet completions fish | psub)
        complete -C "nsnet del re"
        complete -C "nsnet link show red:"
        complete -C "nsnet del --if"
    "#;
    let shell = ["env", "HOME=/run", "XDG_RUNTIME_DIR=/run", "fish", "--no-config", "-c"];
    assert_eq!(
        in_shell(&world(), &shell, script),
        "red\nred:lo\nred:eth0\n--if-exists\tIgnore names that do not exist, instead of failing\n"
    );
}

macro_rules! prose {
    ($($page:literal)*) => { [$(($page, include_str!(concat!("../../man/prose/", $page, ".roff")))),*] };
}

/// What the man pages are made of.
const PROSE: [(&str, &str); 25] = prose! {
    "nsnet" "add" "addr" "attach" "completions" "del" "exec" "identify" "isolate" "lab" "link" "list" "list-id" "map" "monitor" "neigh" "ns" "pids"
    "prune" "rename" "route" "rule" "set" "show" "veth"
};

/// The commands behind `# ` in the examples of a page, each with what it is said to print.
fn examples(prose: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for block in prose.split(".EX\n").skip(1).filter_map(|rest| rest.split(".EE\n").next()) {
        let mut command_before = false;
        for line in block.lines() {
            match line.strip_prefix("# ") {
                Some(command) => found.push((command.to_owned(), String::new())),
                // What is typed at `% ` needs a hand, or a second terminal.
                None if line.starts_with("% ") => {}
                None if command_before => found.last_mut().unwrap().1.extend([line, "\n"]),
                None => continue,
            }
            command_before = !line.starts_with("% ");
        }
    }
    found
}

/// Numbers of processes, inodes and hardware addresses differ from run to run, and so do columns.
pub fn alike(text: &str) -> Vec<String> {
    let is_mac = |word: &str| word.len() == 17 && word.matches(':').count() == 5;
    let digits = |word: &str| word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    let short = |mut word: String| {
        while word.contains("00") {
            word = word.replace("00", "0");
        }
        word
    };
    let word = |word: &str| if is_mac(word) { "MAC".to_owned() } else { short(digits(word)) };
    let words =
        |line: &str| line.split([' ', ',', '"']).filter(|w| !w.is_empty()).map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(words).collect()
}

#[test]
fn examples_of_the_man_pages_print_what_the_pages_say() {
    let mut run_examples = 0;
    for (page, prose) in PROSE {
        let world = World::new();
        for (example, says) in examples(prose) {
            let run = || in_shell(&world, &["sh", "-c"], &format!("{{ {example}\n}} 2>&1; :"));
            let mut prints = run();
            // A link that was just brought up needs a moment until it carries packets.
            let until = Instant::now() + Duration::from_secs(10);
            while example.contains(" show ") && alike(&prints) != alike(&says) && Instant::now() < until {
                prints = run();
            }
            assert_eq!(alike(&prints), alike(&says), "{page}: {example}\n{prints}");
            run_examples += 1;
        }
    }
    assert!(run_examples > 60, "only {run_examples} examples were found");
}

#[test]
fn every_verb_has_a_man_page() {
    let verbs = fitting(&World::new(), &[""]);
    let missing: Vec<_> = verbs.iter().filter(|verb| PROSE.iter().all(|(page, _)| page != verb)).collect();
    assert_eq!(missing, ["help"]);
}
