//! The options of `isolate`.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    net::IpAddr,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueEnum,
    builder::{OsStringValueParser, TypedValueParser},
};
use nsnet::{
    End, NsName,
    inspect::NsKind,
    isolate::{self, Capabilities, ClockOffset, IdMaps, IdRange},
};

use super::{end, name};

#[derive(Debug, Args)]
#[command(override_usage = "nsnet isolate [OPTIONS] [--] [CMD...]")]
pub struct Isolate {
    #[command(flatten)]
    pub kinds: Kinds,
    /// The host name inside.
    #[arg(long, value_name = "HOST")]
    pub hostname: Option<OsString>,
    /// The NIS domain name inside.
    #[arg(long, value_name = "DOMAIN")]
    pub domainname: Option<OsString>,
    /// Seconds by which the uptime is ahead inside.
    #[arg(long, value_name = "SECONDS", value_parser = offset, allow_hyphen_values = true)]
    pub boottime: Option<ClockOffset>,
    /// Seconds by which the monotonic clock is ahead inside.
    #[arg(long, value_name = "SECONDS", value_parser = offset, allow_hyphen_values = true)]
    pub monotonic: Option<ClockOffset>,
    #[command(flatten)]
    pub network: Network,
    #[command(flatten)]
    pub files: Files,
    #[command(flatten)]
    pub ids: Ids,
    #[command(flatten)]
    pub process: Process,
    /// The command with its own options; $SHELL without one.
    #[arg(value_name = "CMD", trailing_var_arg = true)]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub struct Network {
    /// Wire it: an END outside, and one inside; both up and ready before CMD starts, and gone with it.
    #[arg(long, num_args = 2, action = ArgAction::Append, value_names = ["OUTER", "INNER"], value_parser = end())]
    pub veth: Vec<End>,
    /// Add a route inside, in the words of 'route add'.
    #[arg(long, value_name = "ROUTE")]
    pub route: Vec<String>,
    /// Give it an /etc/resolv.conf with this name server.
    #[arg(long, value_name = "ADDR")]
    pub dns: Vec<IpAddr>,
    /// List the network namespace by this name while CMD runs.
    #[arg(long, value_name = "NAME", value_parser = name())]
    pub name: Option<NsName>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Files")]
pub struct Files {
    /// What is done with mounts: kept apart, seen inside, seen both ways, or left as they are.
    #[arg(long, value_name = "HOW", default_value = "private")]
    pub propagation: Propagation,
    /// Leave /proc as it is.
    #[arg(long)]
    pub no_proc: bool,
    /// Leave /sys as it is.
    #[arg(long)]
    pub no_sys: bool,
    /// Make this directory the root.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Change to this directory, inside.
    #[arg(long, value_name = "DIR")]
    pub wd: Option<PathBuf>,
    /// Pass on no open files but stdin, stdout and stderr.
    #[arg(long)]
    pub close_fds: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Users and privileges")]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Ids {
    /// Be root in a new user namespace.
    #[arg(long, conflicts_with = "map_current")]
    pub map_root: bool,
    /// Be oneself in a new user namespace.
    #[arg(long)]
    pub map_current: bool,
    /// Have there the ids of /etc/subuid and /etc/subgid too.
    #[arg(long)]
    pub map_auto: bool,
    /// Have these users there.
    #[arg(long, value_name = "INSIDE:OUTSIDE:COUNT")]
    pub map_users: Vec<IdRange>,
    /// Have these groups there.
    #[arg(long, value_name = "INSIDE:OUTSIDE:COUNT")]
    pub map_groups: Vec<IdRange>,
    /// Whether groups can be given up there.
    #[arg(long, value_name = "WORD")]
    pub setgroups: Option<SetGroups>,
    /// Give up capabilities for good: names with commas between, or 'all'.
    #[arg(long, value_name = "CAP")]
    pub cap_drop: Vec<Capabilities>,
    /// Gain nothing from set-uid programs.
    #[arg(long)]
    pub no_new_privs: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Process")]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Process {
    /// Run an init as process 1, which reaps and passes signals on; CMD is process 2.
    #[arg(long)]
    pub init: bool,
    /// The signal that process 1 gets when nsnet is killed.
    #[arg(long, value_name = "SIG", default_value = "KILL", value_parser = signal)]
    pub kill_child: u8,
    /// Start a session, without a terminal that it could type into.
    #[arg(long)]
    pub new_session: bool,
    /// Give it a terminal of its own, as large as this one.
    #[arg(long)]
    pub tty: bool,
    /// Start from an empty environment.
    #[arg(long)]
    pub clear_env: bool,
    /// Set a variable of the environment.
    #[arg(long, value_name = "KEY=VALUE", value_parser = variable())]
    pub env: Vec<(OsString, OsString)>,
    /// Write the id of process 1, as it is called outside, to this file while CMD runs.
    #[arg(long, value_name = "FILE")]
    pub pidfile: Option<PathBuf>,
    /// Tell of start and end in JSON, a line each, on this file descriptor.
    #[arg(long, value_name = "FD")]
    pub status_fd: Option<i32>,
}

impl Ids {
    pub fn maps(&self) -> IdMaps {
        let mut maps = IdMaps::default();
        maps.root = self.map_root;
        maps.current = self.map_current;
        maps.auto = self.map_auto;
        maps.users.clone_from(&self.map_users);
        maps.groups.clone_from(&self.map_groups);
        maps.setgroups = self.setgroups.map(|word| word == SetGroups::Allow);
        maps
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SetGroups {
    Allow,
    Deny,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Propagation {
    Private,
    Slave,
    Shared,
    Unchanged,
}

impl From<Propagation> for isolate::Propagation {
    fn from(word: Propagation) -> Self {
        match word {
            Propagation::Private => Self::Private,
            Propagation::Slave => Self::Slave,
            Propagation::Shared => Self::Shared,
            Propagation::Unchanged => Self::Unchanged,
        }
    }
}

/// Kinds of namespaces that are asked for, and those that are not wanted: `--net`, `--no-net`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    pub wanted: BTreeSet<NsKind>,
    pub unwanted: BTreeSet<NsKind>,
}

const WITHOUT: [&str; 8] = ["no-cgroup", "no-ipc", "no-mount", "no-net", "no-pid", "no-time", "no-user", "no-uts"];

/// Each kind with its word, and the word for doing without.
fn kinds() -> impl Iterator<Item = (NsKind, &'static str, &'static str)> {
    NsKind::ALL.into_iter().zip(WITHOUT).map(|(kind, without)| (kind, without.trim_start_matches("no-"), without))
}

fn about(kind: NsKind) -> &'static str {
    match kind {
        NsKind::Cgroup => "A namespace of control groups of its own",
        NsKind::Ipc => "One of System V IPC and POSIX message queues",
        NsKind::Mnt => "One of mounts",
        NsKind::Net => "One of the network",
        NsKind::Pid => "One of process ids",
        NsKind::Time => "One of clocks",
        NsKind::User => "One of users",
        _ => "One of host and domain name",
    }
}

impl Args for Kinds {
    fn augment_args(command: Command) -> Command {
        let flag = |word: &'static str| Arg::new(word).long(word).action(ArgAction::SetTrue).help_heading("Namespaces");
        let command = kinds().fold(command, |command, (kind, word, _)| command.arg(flag(word).help(about(kind))));
        kinds().fold(command, |command, (_, word, without)| {
            command.arg(flag(without).help(format!("None of {word}")).overrides_with(word))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Kinds {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut found = Self::default();
        found.update_from_arg_matches(matches)?;
        Ok(found)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.wanted.extend(kinds().filter(|(_, word, _)| matches.get_flag(word)).map(|(kind, ..)| kind));
        self.unwanted.extend(kinds().filter(|(_, _, without)| matches.get_flag(without)).map(|(kind, ..)| kind));
        Ok(())
    }
}

/// Seconds with up to nine digits behind the point. The kernel counts nanoseconds upwards, also from below zero.
fn offset(text: &str) -> Result<ClockOffset, String> {
    let wrong = || "an offset is a number of seconds, such as 3600, -5 or 0.25".to_owned();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = part.len() <= 9 && part.bytes().all(|b| b.is_ascii_digit());
    let negative = whole.starts_with('-');
    let seconds: i64 = whole.parse().ok().filter(|_| all_digits).ok_or_else(wrong)?;
    let nanoseconds: u32 = format!("{part:0<9}").parse().map_err(|_| wrong())?;
    if negative && nanoseconds > 0 {
        let seconds = seconds.checked_sub(1).ok_or_else(wrong)?;
        return Ok(ClockOffset { seconds, nanoseconds: 1_000_000_000 - nanoseconds });
    }
    Ok(ClockOffset { seconds, nanoseconds })
}

fn variable() -> impl TypedValueParser<Value = (OsString, OsString)> {
    OsStringValueParser::new().try_map(|text| {
        let bytes = text.as_bytes();
        let at = bytes.iter().position(|&b| b == b'=').filter(|&at| at > 0).ok_or("a variable is KEY=VALUE")?;
        let part = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        Ok::<_, &str>((part(&bytes[..at]), part(&bytes[at + 1..])))
    })
}

/// In the order of their numbers, from 1; the same on all architectures that nsnet is built for but a few.
pub const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

fn signal(text: &str) -> Result<u8, String> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let by_name = SIGNALS.iter().position(|own| *own == name).and_then(|at| u8::try_from(at + 1).ok());
    let by_number = || text.parse().ok().filter(|number| (1..=31).contains(number));
    by_name.or_else(by_number).ok_or_else(|| "a signal is a name such as TERM, or a number from 1 to 31".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_count_nanoseconds_upwards() {
        let is =
            |text, seconds, nanoseconds| assert_eq!(offset(text), Ok(ClockOffset { seconds, nanoseconds }), "{text}");
        is("1000000", 1_000_000, 0);
        is("-5", -5, 0);
        is("0.25", 0, 250_000_000);
        is("-0.25", -1, 750_000_000);
        is("-1.5", -2, 500_000_000);
        for bad in ["", "x", "1.x", "1.0000000001", "1e3", ".5"] {
            assert!(offset(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn signals_have_names_and_numbers() {
        for text in ["TERM", "SIGTERM", "term", "15"] {
            assert_eq!(signal(text), Ok(15), "{text}");
        }
        for bad in ["", "0", "32", "FROB", "-1"] {
            assert!(signal(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_kind_has_the_word_that_people_use() {
        let words: Vec<_> = kinds().map(|(kind, word, _)| (kind.as_str(), word)).collect();
        for (file, word) in words {
            assert_eq!(word, if file == "mnt" { "mount" } else { file });
        }
    }
}
