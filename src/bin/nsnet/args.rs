//! The command line: every option and every word of help, once.

pub mod isolate;
mod lab;
mod quick;

use std::ffi::OsString;

use crate::words::Words;
use clap::{
    Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
    builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser},
};
pub use lab::{
    Lab, LabAdopt, LabExec, LabFile, LabGraph, LabImport, LabQuestion, LabShow, LabStatus, LabTarget, LabTest, Nodes,
    Target,
};
use nsnet::{End, Family, Mac, NsName, NsRef, exec::User, inspect::NsKind, netns::Nsid};

fn name() -> impl TypedValueParser<Value = NsName> {
    OsStringValueParser::new().try_map(NsName::new)
}

fn reference() -> impl TypedValueParser<Value = NsRef> {
    OsStringValueParser::new().try_map(NsRef::new)
}

fn end() -> impl TypedValueParser<Value = End> {
    OsStringValueParser::new().try_map(End::new)
}

/// The widest lines of help, in columns.
const WIDTH: usize = 100;

/// Network namespaces: make, wire, enter, watch and delete them.
///
/// NS is a name in /run/netns, an absolute path of a namespace file, pid:N for the namespace of a
/// process, or '.' for the current one. An END of a link is [NS:]IF[=ADDR/LEN[,ADDR/LEN...]].
///
/// All words and options of 'ip netns' are understood, with ip's abbreviations; a leading word
/// 'netns' is skipped.
#[derive(Debug, Parser)]
#[command(name = "nsnet", version, disable_help_subcommand = true, args_override_self = true, max_term_width = WIDTH)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub verb: Verb,
}

impl Cli {
    /// Reads what `words` made of the command line.
    pub fn read(words: &Words) -> Result<Self, clap::Error> {
        // What it does not understand is asked for, or wrong, and the whole parser has the words for that.
        if let Some(cli) = quick::read(words) {
            return Ok(cli);
        }
        let mut matches =
            Self::command().try_get_matches_from(std::iter::once("nsnet".as_ref()).chain(words.argv()))?;
        // Without _mut, all that was read is copied first.
        Self::from_arg_matches_mut(&mut matches)
    }
}

#[derive(Debug, Default, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// Work in this namespace instead of the current one.
    #[arg(short, long, global = true, value_name = "NS", value_parser = reference())]
    pub netns: Option<NsRef>,
    /// All namespaces, for del and exec; all kinds, for isolate.
    #[arg(short, long, global = true)]
    pub all: bool,
    /// Carry out the commands of a file, one a line; '-' is stdin. Quotes and comments are ip's.
    #[arg(short, long, global = true, value_name = "FILE|-")]
    pub batch: Option<OsString>,
    /// With --batch: go on after an error.
    #[arg(long, global = true)]
    pub force: bool,
    /// Print JSON; errors too.
    #[arg(short, long, global = true)]
    pub json: bool,
    /// Break JSON into lines.
    #[arg(short, long, global = true)]
    pub pretty: bool,
    /// Print few columns.
    #[arg(long, global = true, help_heading = OBJECTS, overrides_with = "brief")]
    pub brief: bool,
    /// Print a line for each object: '\' stands for the end of a line.
    #[arg(long, global = true, help_heading = OBJECTS, overrides_with = "oneline")]
    pub oneline: bool,
    /// Print all there is to know.
    #[arg(long, global = true, help_heading = OBJECTS, overrides_with = "details")]
    pub details: bool,
    /// Print counters; twice, also those of errors.
    #[arg(long, global = true, action = clap::ArgAction::Count, help_heading = OBJECTS)]
    pub statistics: u8,
    /// Only of this family.
    #[arg(long, global = true, value_name = "inet|inet6", value_parser = family, help_heading = OBJECTS, overrides_with = "family")]
    pub family: Option<Family>,
    /// Print numbers where /etc/iproute2 has names.
    #[arg(long, global = true, help_heading = OBJECTS, overrides_with = "numeric")]
    pub numeric: bool,
    /// Print counters with K, M, G.
    #[arg(long, global = true, help_heading = OBJECTS, overrides_with = "human_readable")]
    pub human_readable: bool,
    /// The same in powers of 1,024.
    #[arg(long, global = true, help_heading = OBJECTS, overrides_with = "iec")]
    pub iec: bool,
    /// Print no warnings.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say what was done.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Use colours: on a terminal only, unless told otherwise.
    #[arg(long, global = true, value_name = "WHEN", num_args = 0..=1, require_equals = true,
          default_value = "auto", default_missing_value = "always")]
    pub color: Color,
    /// An option of ip's that changes nothing of `ip netns`.
    #[arg(long, global = true, hide = true, value_name = "OPTION", allow_hyphen_values = true)]
    pub ip_option: Vec<String>,
}

/// Where help shows the options that only the objects of ip have a use for.
const OBJECTS: &str = "Options of link, addr, route, neigh and rule";

fn family(text: &str) -> Result<Family, String> {
    match text {
        "inet" => Ok(Family::Inet),
        "inet6" => Ok(Family::Inet6),
        _ => Err("a family is 'inet' or 'inet6'".into()),
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make named namespaces, with lo up: all of them or none.
    Add(Add),
    /// Delete namespaces, and wait until they and their links are gone.
    #[command(visible_alias = "delete")]
    Del(Del),
    /// List the names.
    List(List),
    /// Give a name to the namespace of a process.
    Attach(Attach),
    /// Give a namespace an id in the current one.
    Set(Set),
    /// List the namespaces that have an id in the current one.
    #[command(name = "list-id")]
    ListId(ListId),
    /// Print the names of the namespace of a process.
    Identify(Identify),
    /// Print the processes that live in a namespace.
    Pids(Pids),
    /// Print names as they come and go, until interrupted.
    Monitor,
    /// Run a command in a namespace, by becoming it.
    Exec(Exec),
    /// Run a command in namespaces of its own, wired to the host.
    ///
    /// Of the kinds of namespaces, those that are named are new; where none is, uts, ipc, pid, mount and net are. A kind with
    /// 'no-' is taken away, and mapping ids adds user.
    Isolate(Box<isolate::Isolate>),
    /// Give a namespace another name.
    Rename(Rename),
    /// Remove the names behind which no namespace is left.
    Prune,
    /// Show all about one namespace: links and where they lead, addresses, routes, rules, processes, holders.
    Show(Show),
    /// Show what is connected to what: every namespace that can be found, and the links between them.
    Map(Map),
    /// Show the namespaces of processes, of every kind; compare them; list all there are.
    Ns(Ns),
    /// Networks that a file describes.
    Lab(Lab),
    /// Make a veth pair: both ends in place, addressed, up and ready, or nothing.
    Veth(Veth),
    /// Make, change, delete and show links.
    #[command(disable_help_flag = true)]
    Link(Object),
    /// Give addresses to links, change, delete and show them.
    #[command(disable_help_flag = true, visible_alias = "address")]
    Addr(Object),
    /// Show and change the neighbour table.
    #[command(disable_help_flag = true)]
    Neigh(Object),
    /// Show and change routes.
    #[command(disable_help_flag = true)]
    Route(Object),
    /// Show and change the rules of the routing policy.
    #[command(disable_help_flag = true)]
    Rule(Object),
    /// Print the completion script of a shell.
    Completions(Completions),
    /// Print this help, or that of a verb.
    Help(Help),
}

#[derive(Debug, Args)]
pub struct Add {
    /// The names; up to 255 bytes each, without '/'.
    #[arg(required = true, value_name = "NAME", value_parser = name())]
    pub names: Vec<NsName>,
    /// Leave namespaces that exist as they are, instead of failing.
    #[arg(long)]
    pub if_missing: bool,
    /// Leave lo down, as ip does.
    #[arg(long)]
    pub no_lo: bool,
}

#[derive(Debug, Args)]
pub struct Del {
    /// The names; none with --all.
    #[arg(value_name = "NAME", value_parser = name())]
    pub names: Vec<NsName>,
    /// Ignore names that do not exist, instead of failing.
    #[arg(long)]
    pub if_exists: bool,
    /// Return at once, as ip does: the namespace and its links go a little later.
    #[arg(long)]
    pub no_wait: bool,
}

#[derive(Debug, Args)]
pub struct List {
    /// Print a table: name, id, state, inode, links, processes.
    #[arg(short, long)]
    pub long: bool,
}

#[derive(Debug, Args)]
pub struct Show {
    /// The namespace; without one, the names are listed. With --quiet, only the exit code tells whether it exists.
    #[arg(value_name = "NS", value_parser = reference())]
    pub ns: NsRef,
}

#[derive(Debug, Args)]
pub struct Map {
    /// Show only these and what is connected with them, in however many steps.
    #[arg(value_name = "NS", value_parser = reference())]
    pub namespaces: Vec<NsRef>,
    #[command(flatten)]
    pub picture: Picture,
    /// Draw the tree again whenever something changes, until interrupted.
    #[arg(long, group = "form")]
    pub watch: bool,
}

/// What is drawn instead of the tree.
#[derive(Debug, Args)]
pub struct Picture {
    /// Draw it for Graphviz.
    #[arg(long, group = "form")]
    pub dot: bool,
    /// Draw it for Mermaid.
    #[arg(long, group = "form")]
    pub mermaid: bool,
    /// Draw it as an SVG picture, into this file; '-' is stdout.
    #[arg(long, group = "form", value_name = "FILE|-")]
    pub svg: Option<OsString>,
}

#[derive(Debug, Args)]
pub struct Ns {
    /// The processes; nsnet's own namespaces without one.
    #[arg(value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub pids: Vec<u32>,
    #[command(subcommand)]
    pub question: Option<NsQuestion>,
}

#[derive(Debug, Subcommand)]
pub enum NsQuestion {
    /// Tell which namespaces two processes share: exit 0 if all, 1 if some differ, 2 if it cannot be told.
    Compare {
        /// The two processes.
        #[arg(value_name = "PID", num_args = 2, required = true, value_parser = clap::value_parser!(u32).range(1..))]
        pids: Vec<u32>,
    },
    /// List every namespace that can be found, with the number of processes and one of them.
    List {
        /// Only of this kind.
        #[arg(long = "type", value_name = "KIND", value_parser = ns_kind())]
        kind: Option<NsKind>,
    },
}

fn ns_kind() -> impl TypedValueParser<Value = NsKind> {
    let kinds = PossibleValuesParser::new(NsKind::ALL.map(NsKind::as_str));
    kinds.try_map(|name| NsKind::named(&name).ok_or("there is no such kind"))
}

#[derive(Debug, Args)]
pub struct Attach {
    /// The name to give.
    #[arg(value_name = "NAME", value_parser = name())]
    pub name: NsName,
    /// The process.
    #[arg(value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: u32,
}

#[derive(Debug, Args)]
pub struct Set {
    /// The namespace.
    #[arg(value_name = "NS", value_parser = reference())]
    pub ns: NsRef,
    /// The id, or 'auto' for any that is free.
    #[arg(value_name = "auto|N", value_parser = nsid, allow_hyphen_values = true)]
    pub id: Nsid,
}

fn nsid(text: &str) -> Result<Nsid, String> {
    match text {
        "auto" => Ok(Nsid::Auto),
        _ => nsid_number(text).map(Nsid::Id),
    }
}

/// Ids are signed to the kernel, and negative ones are not ids.
fn nsid_number(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|id| i32::try_from(*id).is_ok())
        .ok_or_else(|| "an id is a number from 0 to 2147483647".into())
}

#[derive(Debug, Args)]
pub struct ListId {
    /// List those of the namespace with this id instead: 'target-nsid N'.
    /// Show one namespace only, by its id in the current one: 'nsid N'.
    #[arg(value_name = "target-nsid N | nsid N", allow_hyphen_values = true)]
    pub words: Vec<String>,
}

/// What `list-id` is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct WhichIds {
    pub target: Option<u32>,
    pub only: Option<u32>,
}

impl ListId {
    /// Reads the keywords, in either order.
    pub fn which(&self) -> Result<WhichIds, String> {
        let mut which = WhichIds::default();
        let mut words = self.words.iter();
        while let Some(keyword) = words.next() {
            let place = match keyword.as_str() {
                "target-nsid" => &mut which.target,
                "nsid" => &mut which.only,
                other => return Err(format!("'{other}' is neither 'target-nsid' nor 'nsid'")),
            };
            let value = words.next().ok_or_else(|| format!("'{keyword}' needs a number"))?;
            let id = nsid_number(value).map_err(|why| format!("'{keyword} {value}' is wrong: {why}"))?;
            if place.replace(id).is_some() {
                return Err(format!("'{keyword}' is given twice"));
            }
        }
        Ok(which)
    }
}

#[derive(Debug, Args)]
pub struct Identify {
    /// The process; the current namespace without one.
    #[arg(value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: Option<u32>,
}

#[derive(Debug, Args)]
pub struct Pids {
    /// The namespace.
    #[arg(value_name = "NS", value_parser = reference())]
    pub ns: NsRef,
}

#[derive(Debug, Args)]
#[command(override_usage = "nsnet exec [OPTIONS] NS [CMD...]\n       nsnet --all exec [OPTIONS] CMD...")]
pub struct Exec {
    /// Only enter the network namespace: leave /sys and /etc as they are.
    #[arg(long)]
    pub bare: bool,
    /// Run as this user; the group is the one in /etc/passwd unless given.
    #[arg(long, value_name = "UID[:GID]")]
    pub user: Option<User>,
    /// The namespace; none with --all.
    #[arg(value_name = "NS", allow_hyphen_values = true)]
    pub ns: Option<OsString>,
    /// The command with its own options; $SHELL without one.
    #[arg(value_name = "CMD", trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct Rename {
    /// The name now.
    #[arg(value_name = "OLD", value_parser = name())]
    pub old: NsName,
    /// The name then.
    #[arg(value_name = "NEW", value_parser = name())]
    pub new: NsName,
}

#[derive(Debug, Args)]
pub struct Veth {
    /// Both ends: [NS:]IF[=ADDR/LEN[,ADDR/LEN...]].
    #[arg(required = true, num_args = 2, value_name = "END", value_parser = end())]
    pub ends: Vec<End>,
    /// The largest packet of both ends, in bytes.
    #[arg(long, value_name = "BYTES")]
    pub mtu: Option<u32>,
    /// The hardware addresses, in the order of the ends; random ones otherwise.
    #[arg(long, num_args = 2, value_names = ["MAC", "MAC"])]
    pub mac: Option<Vec<Mac>>,
    /// Transmit and receive queues of each end.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub queues: u32,
    /// Leave both ends down.
    #[arg(long)]
    pub down: bool,
    /// Return before the first packet gets through.
    #[arg(long)]
    pub no_wait: bool,
}

impl Verb {
    /// The verb of an object of ip, whose words need no parser of clap's.
    pub fn of_object(name: &str) -> Option<fn(Object) -> Self> {
        match name {
            "addr" => Some(Self::Addr),
            "link" => Some(Self::Link),
            "neigh" => Some(Self::Neigh),
            "route" => Some(Self::Route),
            "rule" => Some(Self::Rule),
            _ => None,
        }
    }

    /// Whether it is an object of ip.
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Addr(_) | Self::Link(_) | Self::Neigh(_) | Self::Route(_) | Self::Rule(_))
    }
}

/// What ip calls an object; `words` reads what is behind it.
#[derive(Debug, Args)]
pub struct Object {
    /// ip's words; 'help' lists them.
    #[arg(value_name = "WORD", allow_hyphen_values = true, trailing_var_arg = true)]
    pub words: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, Args)]
pub struct Help {
    /// The verb.
    #[arg(value_name = "VERB")]
    pub verb: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn which(words: &[&str]) -> Result<WhichIds, String> {
        ListId { words: words.iter().map(|&word| word.to_owned()).collect() }.which()
    }

    #[test]
    fn list_id_takes_its_keywords_in_either_order() {
        assert_eq!(which(&[]), Ok(WhichIds::default()));
        assert_eq!(which(&["nsid", "3", "target-nsid", "4"]), Ok(WhichIds { target: Some(4), only: Some(3) }));
        for bad in [
            &["nsid"][..],
            &["nsid", "-1"],
            &["nsid", "x"],
            &["frob"],
            &["nsid", "1", "nsid", "2"],
            &["nsid", "2147483648"],
        ] {
            assert!(which(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }
}
