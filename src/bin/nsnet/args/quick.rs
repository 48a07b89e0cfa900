//! The parser of one verb, without the words of help. To make the parsers of all others ready would take most of the time
//! of a short command, and that of the global options half of the rest.

use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::{
    Add, Attach, Cli, Del, Exec, Globals, Identify, Lab, List, ListId, Map, Ns, Object, Pids, Rename, Set, Show, Verb,
    Veth, isolate::Isolate,
};
use crate::words::Words;

/// Reads a line that the verb's own parser understands.
pub fn read(words: &Words) -> Option<Cli> {
    let verb = words.verb.to_str()?;
    QUICK.iter().find(|quick| quick.verb == verb)?.read(words)
}

/// The parser of one verb.
struct Quick {
    verb: &'static str,
    add_arguments: fn(Command) -> Command,
    of_matches: fn(&mut ArgMatches) -> Result<Verb, clap::Error>,
}

impl Quick {
    fn read(&self, words: &Words) -> Option<Cli> {
        let has_globals = has_globals(words);
        let argv = words.options.iter().chain(&words.arguments);
        let mut matches = self.parser(words, has_globals).try_get_matches_from(argv).ok()?;
        let globals = has_globals.then(|| Globals::from_arg_matches_mut(&mut matches)).transpose().ok()?;
        Some(Cli { globals: globals.unwrap_or_default(), verb: (self.of_matches)(&mut matches).ok()? })
    }

    fn parser(&self, words: &Words, has_globals: bool) -> Command {
        let bare = Command::new(self.verb).no_binary_name(true).args_override_self(true);
        let parser = (self.add_arguments)(bare);
        if has_globals { add_globals(parser, words) } else { parser }
    }
}

/// Whether one of the global options may be in the line.
fn has_globals(words: &Words) -> bool {
    let may_be_behind = |&(long, short): &(_, _)| words.may_be_behind(Some(long), short);
    !words.options.is_empty() || GLOBALS.iter().any(may_be_behind)
}

fn add_globals(parser: Command, words: &Words) -> Command {
    // In front, that of the version is an option too, not a word of the verb's.
    let parser = parser.version(env!("CARGO_PKG_VERSION"));
    // One that may stand behind a verb of its own is read there too, and its value handed back, which takes as long
    // again for each.
    Globals::augment_args(parser).mut_args(|option| {
        let may_be_behind = words.may_be_behind(option.get_long(), option.get_short());
        option.global(may_be_behind)
    })
}

macro_rules! quick {
    ($verb:literal, $arguments:ty, $of:expr) => {
        Quick {
            verb: $verb,
            add_arguments: <$arguments>::augment_args,
            of_matches: |matches| <$arguments>::from_arg_matches_mut(matches).map($of),
        }
    };
}

const QUICK: &[Quick] = &[
    quick!("add", Add, Verb::Add),
    quick!("del", Del, Verb::Del),
    quick!("list", List, Verb::List),
    quick!("attach", Attach, Verb::Attach),
    quick!("set", Set, Verb::Set),
    quick!("list-id", ListId, Verb::ListId),
    quick!("identify", Identify, Verb::Identify),
    quick!("pids", Pids, Verb::Pids),
    quick!("exec", Exec, Verb::Exec),
    quick!("isolate", Box<Isolate>, Verb::Isolate),
    quick!("rename", Rename, Verb::Rename),
    quick!("show", Show, Verb::Show),
    quick!("map", Map, Verb::Map),
    quick!("ns", Ns, Verb::Ns),
    quick!("lab", Lab, Verb::Lab),
    quick!("veth", Veth, Verb::Veth),
    quick!("link", Object, Verb::Link),
    quick!("addr", Object, Verb::Addr),
    quick!("neigh", Object, Verb::Neigh),
    quick!("route", Object, Verb::Route),
    quick!("rule", Object, Verb::Rule),
    quick!("monitor", (), |()| Verb::Monitor),
    quick!("prune", (), |()| Verb::Prune),
];

/// The names of the global options, for a look that is shorter than making their parser ready.
const GLOBALS: &[(&str, Option<char>)] = &[
    ("netns", Some('n')),
    ("all", Some('a')),
    ("batch", Some('b')),
    ("force", None),
    ("json", Some('j')),
    ("pretty", Some('p')),
    ("brief", None),
    ("oneline", None),
    ("details", None),
    ("statistics", None),
    ("family", None),
    ("numeric", None),
    ("human-readable", None),
    ("iec", None),
    ("quiet", Some('q')),
    ("verbose", Some('v')),
    ("color", None),
    ("ip-option", None),
];

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::CommandFactory;

    use super::*;

    fn words(line: &str) -> Words {
        crate::words::read(line.split(' ').map(OsString::from)).expect("words")
    }

    /// Arguments without what only help says of them.
    fn shown<'a>(arguments: impl IntoIterator<Item = &'a clap::Arg>) -> Vec<String> {
        let plain = |one: &clap::Arg| one.clone().global(false).display_order(0).help_heading(None);
        arguments.into_iter().map(|one| format!("{:?}", plain(one))).collect()
    }

    #[test]
    fn the_quick_parser_of_a_verb_knows_what_the_whole_one_knows() {
        let whole = Cli::command();
        let rare = ["completions", "help"];
        for verb in whole.get_subcommands().filter(|verb| !rare.contains(&verb.get_name())) {
            let name = verb.get_name();
            let quick = QUICK.iter().find(|quick| quick.verb == name).unwrap_or_else(|| panic!("{name} has none"));
            let quick = quick.parser(&words(&format!("{name} x")), true);
            let known = verb.get_arguments().chain(whole.get_arguments());
            assert_eq!(shown(quick.get_arguments()), shown(known), "{name}");
            let subcommands = |command: &Command| command.get_subcommands().map(|one| format!("{one:?}")).collect();
            let [in_it, known]: [Vec<_>; 2] = [&quick, verb].map(subcommands);
            assert_eq!(in_it, known, "{name}");
        }
    }

    #[test]
    fn the_names_of_the_global_options_are_theirs() {
        let whole = Cli::command();
        let names: Vec<_> =
            whole.get_arguments().map(|option| (option.get_long().expect("a name"), option.get_short())).collect();
        assert_eq!(names, GLOBALS);
    }

    #[test]
    fn the_quick_parser_reads_a_line_as_the_whole_one_does() {
        for line in [
            "list",
            "-j list",
            "list -j",
            "-n red list -l",
            "-4 -d route show",
            "addr show dev lo",
            "-q add a b --if-missing -v",
            "exec red ls -la",
            "exec --bare red -- ls --json",
            "-a exec ls -n",
            "del -a --no-wait",
            "-s -s link",
            "-c=never map --dot",
            "-rcvbuf 9 list",
            "-M list",
            "ns compare 1 2",
            "ns compare -j 1 2",
            "ns -j 1 2",
            "ns -j list",
            "-j ns list --type uts",
            "-q ns compare 1 2",
            "ns --color=never compare 1 2",
            "lab up -j x.toml",
            "lab exec two/a ls -j",
            "list-id target-nsid -1",
            "veth a=10.0.0.1/8 b --queues 2 -n red",
            "monitor",
            "prune -q",
            "isolate --no-net --json true",
            "isolate --uts --hostname x --env A=B -- sh -c true",
        ] {
            let words = words(line);
            let quick = QUICK.iter().find(|quick| words.verb == *quick.verb).expect("a quick parser").read(&words);
            let whole = Cli::command().try_get_matches_from(std::iter::once("nsnet".as_ref()).chain(words.argv()));
            let whole = whole.and_then(|matches| Cli::from_arg_matches(&matches));
            let quick = quick.unwrap_or_else(|| panic!("{line}: it is not understood"));
            assert_eq!(format!("{quick:?}"), format!("{:?}", whole.expect(line)), "{line}");
        }
    }

    #[test]
    fn a_global_option_means_the_same_behind_the_verb() {
        for (behind, before) in [
            ("isolate --json true", "--json isolate true"),
            ("isolate -j true", "--json isolate true"),
            ("isolate --no-net -jp true", "--json --pretty isolate --no-net true"),
            ("isolate --all true", "--all isolate true"),
            ("isolate -n red true", "--netns=red isolate true"),
            ("isolate -nred true", "--netns=red isolate true"),
            ("isolate --netns=red --name x true", "--netns=red isolate --name x true"),
            ("isolate --color=never --net true", "--color=never isolate --net true"),
            ("isolate --no-net -- true -j", "isolate --no-net true -j"),
        ] {
            let [behind, before] = [behind, before].map(|line| format!("{:?}", Cli::read(&words(line)).expect(line)));
            assert_eq!(behind, before);
        }
    }
}
