//! Completion of command lines: verbs, options, and what is really there.
//!
//! The scripts in `completions/` ask nsnet itself, with `COMPLETE` in its environment. No other run
//! pays for that: the completers join the parser here, not in `args`.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use clap::{Arg, Command, CommandFactory};
use clap_complete::{
    ArgValueCompleter, CompleteEnv, CompletionCandidate, PathCompleter,
    engine::ValueCompleter,
    env::{Bash, EnvCompleter, Fish, Shells, Zsh},
};
use nsnet::{
    IfName, Netns, NsRef,
    lab::Place,
    name::escaped,
    netlink::link,
    netns::{self, Entry, State},
};

use crate::{
    args::{Cli, Shell, isolate::SIGNALS},
    words,
};

const ASKED: &str = "COMPLETE";
const SHELLS: Shells<'static> =
    Shells(&[&Scripted(Shell::Bash, &Bash), &Scripted(Shell::Fish, &Fish), &Scripted(Shell::Zsh, &Zsh)]);

/// The script that a shell is to read.
pub fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => include_str!("../../../completions/nsnet.bash"),
        Shell::Fish => include_str!("../../../completions/nsnet.fish"),
        Shell::Zsh => include_str!("../../../completions/_nsnet"),
    }
}

/// Answers a shell that asks what fits; `None` where none does.
pub fn answer() -> Option<u8> {
    let shell = std::env::var_os(ASKED)?;
    SHELLS.completer(shell.to_str()?)?;
    let completion = CompleteEnv::with_factory(parser).var(ASKED).shells(SHELLS);
    let here = std::env::current_dir().ok();
    // Words about a failure would land in the line that is being typed.
    let answered = completion.try_complete(std::env::args_os(), here.as_deref()).is_ok();
    Some(u8::from(!answered))
}

/// A shell as clap speaks to it, but with a script of nsnet's: in clap's, `red:eth0` is no word.
struct Scripted(Shell, &'static (dyn EnvCompleter + Sync));

impl EnvCompleter for Scripted {
    fn name(&self) -> &'static str {
        self.1.name()
    }

    fn is(&self, name: &str) -> bool {
        self.1.is(name)
    }

    fn write_registration(&self, _: &str, _: &str, _: &str, _: &str, out: &mut dyn io::Write) -> io::Result<()> {
        out.write_all(script(self.0).as_bytes())
    }

    fn write_complete(
        &self,
        parser: &mut Command,
        line: Vec<OsString>,
        here: Option<&Path>,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        self.1.write_complete(parser, line, here, out)
    }
}

/// Knows what `args` knows, ip's leading `netns`, and what may stand where.
fn parser() -> Command {
    let own = Cli::command();
    let of_ip = words::netns_verbs().into_iter().filter_map(|verb| own.find_subcommand(verb)).cloned();
    let netns = Command::new("netns").hide(true).aliases(["netn", "net"]).subcommands(of_ip.collect::<Vec<_>>());
    let all = completed(own.subcommand(netns));
    match std::env::args_os().next_back() {
        Some(typed) if typed.as_bytes().starts_with(b"-") => all,
        _ => without_options(all),
    }
}

fn completed(command: Command) -> Command {
    let verb = command.get_name().to_owned();
    let complete = |arg: Arg| match completer(&verb, &arg) {
        Some(completer) => arg.add(completer),
        None => arg,
    };
    command.mut_args(complete).mut_subcommands(completed)
}

/// Options would be in the way of everybody who did not begin one: what is hidden is only offered
/// where nothing else fits.
fn without_options(command: Command) -> Command {
    let hide = |arg: Arg| if arg.is_positional() { arg } else { arg.hide(true) };
    command.disable_help_flag(true).disable_version_flag(true).mut_args(hide).mut_subcommands(without_options)
}

/// What stands for a value in help tells what it is.
fn completer(verb: &str, arg: &Arg) -> Option<ArgValueCompleter> {
    match (arg.get_value_names()?.first()?.as_str(), verb) {
        // A name that is not there yet.
        ("NAME", "add" | "attach" | "isolate") => None,
        ("NAME" | "OLD" | "PATTERN", _) => Some(ArgValueCompleter::new(names)),
        ("NS", _) => Some(ArgValueCompleter::new(namespaces)),
        ("WORD", object) => {
            let object = object.to_owned();
            Some(ArgValueCompleter::new(move |typed: &OsStr| words_of(&object, typed)))
        }
        ("FILE|-", _) | ("FILE", "isolate" | "test") => Some(ArgValueCompleter::new(PathCompleter::any())),
        ("LAB|FILE" | "LAB|FILE|-", _) => Some(ArgValueCompleter::new(labs_or_files)),
        ("LAB[/NODE]", _) => Some(ArgValueCompleter::new(|typed: &OsStr| fitting(typed, nodes()))),
        ("inet|inet6", _) => {
            Some(ArgValueCompleter::new(|typed: &OsStr| fitting(typed, ["inet", "inet6"].map(str::to_owned))))
        }
        ("DIR", _) => Some(ArgValueCompleter::new(PathCompleter::dir())),
        ("SIG", _) => Some(ArgValueCompleter::new(|typed: &OsStr| fitting(typed, SIGNALS.map(str::to_owned)))),
        ("END" | "OUTER", _) => Some(ArgValueCompleter::new(|typed: &OsStr| placed(typed, new_links))),
        ("[NS:]IF", _) => Some(ArgValueCompleter::new(|typed: &OsStr| placed(typed, links))),
        ("PID", _) => Some(ArgValueCompleter::new(|typed: &OsStr| processes("", typed, ""))),
        ("CMD", _) => Some(ArgValueCompleter::new(command)),
        ("VERB", _) => Some(ArgValueCompleter::new(|typed: &OsStr| fitting(typed, verbs()))),
        ("auto|N", _) => Some(ArgValueCompleter::new(|typed: &OsStr| fitting(typed, ["auto".to_owned()]))),
        ("target-nsid N | nsid N", _) => {
            Some(ArgValueCompleter::new(|typed: &OsStr| fitting(typed, ["nsid", "target-nsid"].map(str::to_owned))))
        }
        _ => None,
    }
}

/// Those that go on from what is typed, in their order. A word that is not text, or that a terminal
/// would act on, cannot be shown, and so not be chosen.
fn fitting(typed: &OsStr, words: impl IntoIterator<Item = String>) -> Vec<CompletionCandidate> {
    let fits = |word: &String| word.as_bytes().starts_with(typed.as_bytes()) && escaped(word.as_bytes()) == *word;
    words.into_iter().filter(fits).map(CompletionCandidate::new).collect()
}

fn verbs() -> Vec<String> {
    Cli::command().get_subcommands().map(|verb| verb.get_name().to_owned()).collect()
}

fn every_name() -> Vec<String> {
    let names = netns::list().unwrap_or_default();
    names.iter().filter_map(|name| name.as_os_str().to_str()).map(str::to_owned).collect()
}

fn names(typed: &OsStr) -> Vec<CompletionCandidate> {
    fitting(typed, every_name())
}

fn namespaces(typed: &OsStr) -> Vec<CompletionCandidate> {
    match typed.as_bytes() {
        [b'/', ..] => PathCompleter::any().complete(typed),
        [b'p', b'i', b'd', b':', ..] => processes("pid:", typed, ""),
        _ => begun_pid(typed).chain(names(typed)).collect(),
    }
}

/// Most people want a name: the way to a process is shown to those who begin to take it.
fn begun_pid(typed: &OsStr) -> impl Iterator<Item = CompletionCandidate> {
    let begun = !typed.is_empty();
    begun.then(|| fitting(typed, ["pid:".to_owned()])).into_iter().flatten()
}

/// The processes whose namespaces may be looked at, with their commands as help.
fn processes(before: &str, typed: &OsStr, after: &str) -> Vec<CompletionCandidate> {
    let mut pids: Vec<_> = netns::inhabited().unwrap_or_default().into_values().flatten().collect();
    pids.sort_unstable();
    let candidate = |pid: u32| {
        let command = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
        let help = escaped(command.trim_ascii_end());
        let found = fitting(typed, [format!("{before}{pid}{after}")]).pop();
        found.map(|found| found.help(Some(help).filter(|help| !help.is_empty() && after.is_empty()).map(Into::into)))
    };
    pids.into_iter().filter_map(candidate).collect()
}

/// `[NS:]IF`: a namespace and a colon, or what may follow there, or here.
fn placed(typed: &OsStr, offered: fn(&Netns) -> Vec<String>) -> Vec<CompletionCandidate> {
    let Some(text) = typed.to_str().filter(|text| !text.contains('=')) else { return Vec::new() };
    match text.rsplit_once(':') {
        // The colon of pid:N stands before the one that separates.
        Some(("pid", _)) => processes("pid:", typed, ":"),
        Some((ns, _)) => {
            let found = NsRef::new(ns).ok().and_then(|ns| open(&ns)).map(|ns| offered(&ns));
            fitting(typed, found.unwrap_or_default().into_iter().map(|name| format!("{ns}:{name}")))
        }
        None => {
            let here = open(&place()).map(|ns| offered(&ns)).unwrap_or_default();
            let elsewhere = every_name().into_iter().map(|name| format!("{name}:"));
            begun_pid(typed).chain(fitting(typed, here.into_iter().chain(elsewhere))).collect()
        }
    }
}

/// What `-n` says on the line that is being typed.
fn place() -> NsRef {
    let mut words = line();
    while let Some(word) = words.next() {
        let value = match word.as_bytes() {
            b"-n" | b"-netns" | b"--netns" => words.next(),
            bytes => bytes.strip_prefix(b"--netns=").map(|value| OsStr::from_bytes(value).to_owned()),
        };
        if let Some(ns) = value {
            return NsRef::new(ns).unwrap_or(NsRef::Current);
        }
    }
    NsRef::Current
}

/// Opens what can be opened at once: a dead name may be one that is just being made, and would be
/// waited for.
fn open(reference: &NsRef) -> Option<Netns> {
    if let NsRef::Name(name) = reference {
        let entry = Entry::look(name.clone()).ok()??;
        matches!(entry.state, State::Alive(_)).then_some(())?;
    }
    Netns::open(reference).ok()
}

fn links(ns: &Netns) -> Vec<String> {
    link::names(ns).unwrap_or_default()
}

/// What a link to be made may be called: the usual names with the first number that is free.
fn new_links(ns: &Netns) -> Vec<String> {
    let taken = links(ns);
    // One number more than there are links: one of them is free.
    let names = |stem| (0..=taken.len()).map(move |number| format!("{stem}{number}"));
    let free = |stem| names(stem).find(|name| !taken.contains(name));
    let offered = ["eth", "veth"].into_iter().filter_map(free);
    offered.filter(|name| name.parse::<IfName>().is_ok()).collect()
}

/// Behind an object of ip: its commands, then the keywords of the command and the devices.
fn words_of(object: &str, typed: &OsStr) -> Vec<CompletionCandidate> {
    let summaries = words::summaries(object).unwrap_or_default();
    let said: Vec<_> = line().skip_while(|word| word != object).skip(1).collect();
    let command = |summary: &words::grammar::Summary| summary.command.split_once(' ').map(|(_, verb)| verb);
    if said.len() < 2 {
        let commands = summaries.iter().filter_map(command).filter_map(|command| command.split(' ').next());
        let mut commands: Vec<_> = commands.map(str::to_owned).collect();
        commands.dedup();
        return fitting(typed, commands);
    }
    let fits = |summary: &&words::grammar::Summary| {
        said[0].to_str().is_some_and(|verb| command(summary).is_some_and(|own| own.starts_with(verb)))
    };
    let keywords = summaries.iter().find(fits).into_iter().flat_map(|summary| &summary.keywords);
    let keywords = keywords.filter_map(|(form, _)| form.split(' ').next()).map(str::to_owned);
    let devices = placed(typed, links);
    devices.into_iter().chain(fitting(typed, keywords)).collect()
}

/// A program, then what most likely stands behind one: files.
fn command(typed: &OsStr) -> Vec<CompletionCandidate> {
    let path = typed.as_bytes().contains(&b'/');
    if begins_command() && !path { fitting(typed, programs()) } else { PathCompleter::any().complete(typed) }
}

/// Whether the last word on the line is the first behind NAME, as `exec` itself reads it.
fn begins_command() -> bool {
    // `--`, NAME and the word itself.
    words::read(line().skip(1)).is_ok_and(|words| words.argv().skip_while(|word| *word != "--").count() == 3)
}

/// The words that are being typed, as the shell hands them over behind `--`.
fn line() -> impl Iterator<Item = OsString> {
    std::env::args_os().skip_while(|word| word != "--").skip(1)
}

fn programs() -> Vec<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let entries = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<_> = std::env::split_paths(&path)
        .flat_map(entries)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The labs that are there, and files.
fn labs_or_files(typed: &OsStr) -> Vec<CompletionCandidate> {
    let labs = nsnet::lab::list().unwrap_or_default().into_iter().map(|lab| lab.name.as_str().to_owned());
    let mut offered = fitting(typed, labs);
    offered.extend(PathCompleter::any().complete(typed));
    offered
}

/// The labs that are there, and `LAB/NODE` of each node.
fn nodes() -> Vec<String> {
    let mut words = Vec::new();
    for lab in nsnet::lab::list().unwrap_or_default() {
        let name = lab.name.as_str();
        let node = |place: &Place| match place {
            Place::Node(node) => Some(format!("{name}/{}", node.as_str())),
            _ => None,
        };
        words.extend(lab.places.iter().filter_map(node));
        words.push(name.to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What has no list to choose from.
    const FREE: &[&str] = &[
        "add NAME",
        "adopt LAB",
        "attach NAME",
        "rename NEW",
        "exec UID[:GID]",
        "isolate HOST",
        "isolate DOMAIN",
        "isolate SECONDS",
        "isolate ROUTE",
        "isolate ADDR",
        "isolate NAME",
        "isolate INSIDE:OUTSIDE:COUNT",
        "isolate CAP",
        "isolate KEY=VALUE",
        "isolate FD",
        "veth BYTES",
        "veth MAC",
        "veth N",
    ];

    fn uncompleted(command: &Command, found: &mut Vec<String>) {
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_action().takes_values()) {
            let listed = arg.get::<ArgValueCompleter>().is_some() || !arg.get_possible_values().is_empty();
            let value = arg.get_value_names().and_then(|names| names.first()).map_or("?", |name| name.as_str());
            let place = format!("{} {value}", command.get_name());
            if !listed && !FREE.contains(&place.as_str()) {
                found.push(place);
            }
        }
        command.get_subcommands().for_each(|verb| uncompleted(verb, found));
    }

    #[test]
    fn every_value_that_can_be_looked_up_is() {
        let mut found = Vec::new();
        uncompleted(&completed(Cli::command()), &mut found);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn the_parser_of_completion_is_consistent() {
        parser().debug_assert();
    }

    #[test]
    fn what_a_terminal_would_act_on_is_not_offered() {
        let offered = fitting(OsStr::new("a"), ["ab", "a\x1b[2J", "a\nb", "b"].map(str::to_owned));
        assert_eq!(offered.iter().map(CompletionCandidate::get_value).collect::<Vec<_>>(), ["ab"]);
    }
}
