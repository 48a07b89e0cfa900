//! Answers into bytes. Pure: nothing here asks the kernel or knows which stream it writes to.

mod draw;
mod ip;
mod json;
pub mod lab;
mod map;
mod ns;
mod portrait;
pub mod sheet;
pub mod status;
mod text;
mod xml;

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::{Path, PathBuf},
};

use nsnet::{
    Addr, Error, IfAddr, IfName, Link, NsName, NsRef, Route, Rule,
    inspect::{Compared, Listed, Map, NsDetails, NsKind, Peer},
    name::escaped,
    netlink::{neigh::Neigh, veth::VethMade},
    netns::{Change, Holder, NsidPeer, Outcome, Resident, State},
};

use crate::commands::Failure;
pub use lab::{BadLab, LabAnswer, NodeSays};
use ns::table;
pub use sheet::View;

/// What a command found out or did.
pub enum Answer {
    /// It is done, and there is nothing to tell.
    Nothing,
    /// Words for people, whatever the format.
    Text(String),
    /// Done to these; text says nothing, as ip does.
    Names(Vec<NsName>),
    Pruned(Vec<NsName>),
    Removed {
        removed: Vec<Removed>,
        failed: bool,
    },
    List(Vec<ListRow>),
    Table(Vec<TableRow>),
    Ids {
        peers: Vec<NsidPeer>,
        of_target: bool,
    },
    Identified(Vec<NsName>),
    Residents(Vec<Resident>),
    Veth(Vec<VethRow>),
    Links(Vec<LinkRow>),
    Addrs(Vec<AddrRow>),
    Neighs(NeighRows),
    Routes(RouteRows),
    Rules(Vec<Rule>),
    ProcessNs(Vec<ProcessNs>),
    Compared(Vec<Compared>),
    ListedNs(Vec<ListedNs>),
    Portrait(Box<Portrait>),
    Lab(Box<LabAnswer>),
    /// A command in all nodes of a lab; the exit code is 1 if it failed in one.
    Everywhere(Box<dyn Iterator<Item = NodeSays>>),
    /// Nothing is printed: the exit code says it all.
    Verdict(u8),
    Map {
        map: Map,
        form: MapForm,
    },
    /// Without an end.
    Maps(Box<dyn Iterator<Item = Result<Map, Error>>>),
    /// Without an end.
    Changes(Box<dyn Iterator<Item = Result<Change, Error>>>),
    /// A command in many namespaces; what it prints is its own.
    Runs(Box<dyn Iterator<Item = Run>>),
}

pub struct Removed {
    pub name: NsName,
    pub outcome: Outcome,
}

pub struct ListRow {
    pub name: NsName,
    pub nsid: Option<u32>,
    /// What it is; looked at for JSON only.
    pub entry: Option<State>,
}

pub struct TableRow {
    pub name: NsName,
    pub nsid: Option<u32>,
    pub state: State,
    pub links: Option<usize>,
    pub processes: Option<usize>,
}

pub struct LinkRow {
    pub link: Link,
    pub peer: Peer,
}

/// A link and those of its addresses that are shown.
pub struct AddrRow {
    pub row: LinkRow,
    pub addrs: Vec<Addr>,
    /// What of the link is shown.
    pub head: Head,
}

/// What of a link is shown above its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    None,
    /// What does not depend on the family of the addresses.
    Short,
    Full,
}

pub struct NeighRows {
    pub rows: Vec<NeighRow>,
    /// Whether all are on one link that was asked for.
    pub of_one_device: bool,
}

pub struct NeighRow {
    pub neigh: Neigh,
    /// The name of its link, if there is one.
    pub device: Option<String>,
    pub lladdr: Option<String>,
}

pub struct RouteRows {
    pub routes: Vec<Route>,
    /// The names of links, by index.
    pub links: BTreeMap<u32, String>,
    pub hide: RoutesHide,
}

/// The namespaces of a process.
pub struct ProcessNs {
    pub pid: u32,
    pub command: String,
    /// Of each kind, or why it is not known.
    pub namespaces: Vec<(NsKind, Result<NsDetails, String>)>,
    /// The names of network namespaces, by inode.
    pub names: BTreeMap<u64, Vec<NsName>>,
}

/// A namespace of any kind, with its names in `/run/netns`.
pub struct ListedNs {
    pub names: Vec<NsName>,
    pub listed: Listed,
}

/// All about one namespace.
pub struct Portrait {
    /// What it is connected to.
    pub map: Map,
    /// Its position there.
    pub at: usize,
    /// Its id in the namespace that it is seen from.
    pub nsid: Option<u32>,
    /// `None` where it may not be looked into.
    pub routing: Option<Routing>,
    /// Sockets of it that processes elsewhere hold.
    pub sockets: Vec<Holder>,
    /// The users of the processes that hold it.
    pub users: BTreeMap<u32, String>,
}

/// Where packets go, except by what the kernel gives every namespace.
pub struct Routing {
    pub routes: RouteRows,
    pub rules: Vec<Rule>,
}

/// How a map is drawn where JSON is not asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapForm {
    Tree,
    Dot,
    Mermaid,
    /// Into this file instead of stdout.
    Svg(Option<PathBuf>),
}

/// What was said of all routes, and need not be shown of each.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field")]
pub struct RoutesHide {
    pub table: bool,
    pub device: bool,
    pub iif: bool,
    pub via: bool,
    pub src: bool,
    pub tos: bool,
    pub protocol: bool,
    pub scope: bool,
    pub metric: bool,
}

pub struct VethRow {
    pub netns: NsRef,
    pub ifname: IfName,
    pub addrs: Vec<IfAddr>,
    pub made: VethMade,
}

/// One step of a command that is run in many namespaces.
pub enum Run {
    Starts(NsName),
    Ended(io::Result<u8>),
}

/// How to write an answer.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    pub json: bool,
    pub pretty: bool,
}

/// How text may look.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Whether to escape what a terminal would act on.
    pub escape: bool,
    pub color: bool,
}

impl Style {
    pub fn red(self, text: &str) -> String {
        self.colored("31", text)
    }

    pub fn yellow(self, text: &str) -> String {
        self.colored("33", text)
    }

    pub fn green(self, text: &str) -> String {
        self.colored("32", text)
    }

    pub fn bold(self, text: &str) -> String {
        self.colored("1", text)
    }

    fn colored(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Writes an answer; returns the exit code.
pub fn write(out: &mut impl Write, format: Format, view: View<'_>, answer: Answer) -> Result<u8, Failure> {
    let style = view.style;
    let mut code = 0;
    match answer {
        Answer::Nothing if format.json => out.write_all(b"[]\n")?,
        Answer::Nothing => {}
        Answer::Verdict(verdict) => return Ok(verdict),
        Answer::Text(text) => out.write_all(text.as_bytes())?,
        Answer::Changes(changes) => return write_changes(out, format, style, changes),
        Answer::Maps(maps) => return write_maps(out, format, style, maps),
        Answer::Runs(runs) => return write_runs(out, format, style, runs),
        Answer::Everywhere(says) => return Ok(lab::everywhere::write(out, format, style, says)?),
        answer => {
            code = u8::from(matches!(answer, Answer::Removed { failed: true, .. }));
            // One write: a reader that leaves, or a signal, cuts between answers.
            let mut bytes = Vec::new();
            match &answer {
                Answer::Neighs(NeighRows { rows, of_one_device }) => {
                    let fill = |sheet: &mut _, row: &_| ip::neigh::fill(sheet, row, *of_one_device);
                    sheet::write(&mut bytes, format, view, rows, fill)?;
                }
                Answer::Routes(rows) => {
                    let fill = |sheet: &mut _, route: &_| ip::route::fill(sheet, route, rows);
                    sheet::write(&mut bytes, format, view, &rows.routes, fill)?;
                }
                Answer::Map { map, form } => map::write(&mut bytes, format, style, map, form)?,
                Answer::ProcessNs(processes) => ns::processes(&mut bytes, format, style, processes)?,
                Answer::ListedNs(rows) => ns::listed(&mut bytes, format, style, rows)?,
                Answer::Compared(kinds) => {
                    ns::compared(&mut bytes, format, style, kinds)?;
                    code = ns::code_of(kinds);
                }
                Answer::Portrait(portrait) => portrait::write(&mut bytes, format, view, portrait)?,
                Answer::Lab(answer) => code = lab::write(&mut bytes, format, style, answer)?,
                Answer::Rules(rules) => sheet::write(&mut bytes, format, view, rules, ip::rule::fill)?,
                Answer::Links(rows) => sheet::write(&mut bytes, format, view, rows, ip::link::fill)?,
                Answer::Addrs(rows) => sheet::write(&mut bytes, format, view, rows, ip::addr::fill)?,
                answer if format.json => json::write(&mut bytes, format.pretty, answer)?,
                answer => text::write(&mut bytes, style, answer)?,
            }
            if let Answer::Lab(answer) = &answer
                && let Some((file, text)) = answer.side()
            {
                // Not done, whatever the checks say.
                write_file(file, text.as_bytes()).map_err(|failure| Failure::Unknown(Box::new(failure)))?;
            }
            match answer {
                Answer::Map { form: MapForm::Svg(Some(file)), .. } if !format.json => write_file(&file, &bytes)?,
                Answer::Lab(answer) if !format.json && answer.file().is_some() => {
                    answer.file().map_or(Ok(()), |file| write_file(file, &bytes))?;
                }
                _ => out.write_all(&bytes)?,
            }
        }
    }
    out.flush()?;
    Ok(code)
}

fn write_changes(
    out: &mut impl Write,
    format: Format,
    style: Style,
    changes: impl Iterator<Item = Result<Change, Error>>,
) -> Result<u8, Failure> {
    for change in changes {
        let change = change?;
        let mut line = Vec::new();
        if format.json {
            json::change(&mut line, &change)?;
        } else {
            text::change(&mut line, style, &change)?;
        }
        out.write_all(&line)?;
        // Whoever waits for a name waits for this line.
        out.flush()?;
    }
    Ok(0)
}

fn write_file(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |e| Failure::Failed(format!("cannot write '{}': {e}", escaped(file.as_os_str().as_encoded_bytes())));
    std::fs::write(file, bytes).map_err(failed)
}

/// One map after the other: in the place of the last on a terminal, below it elsewhere.
fn write_maps(
    out: &mut impl Write,
    format: Format,
    style: Style,
    maps: impl Iterator<Item = Result<Map, Error>>,
) -> Result<u8, Failure> {
    const CLEAR: &[u8] = b"\x1b[H\x1b[2J\x1b[3J";
    for (at, map) in maps.enumerate() {
        let mut bytes = Vec::new();
        if !format.json && style.escape {
            bytes.extend_from_slice(CLEAR);
        } else if !format.json && at > 0 {
            bytes.push(b'\n');
        }
        map::write(&mut bytes, format, style, &map?, &MapForm::Tree)?;
        out.write_all(&bytes)?;
        out.flush()?;
    }
    Ok(0)
}

fn write_runs(
    out: &mut impl Write,
    format: Format,
    style: Style,
    runs: impl Iterator<Item = Run>,
) -> Result<u8, Failure> {
    let mut failed = false;
    for run in runs {
        match run {
            Run::Starts(name) => {
                if format.json {
                    json::run(out, &name)?;
                } else {
                    text::run(out, style, &name)?;
                }
                out.flush()?;
            }
            Run::Ended(code) => failed |= code? != 0,
        }
    }
    Ok(u8::from(failed))
}
