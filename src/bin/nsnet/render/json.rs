//! JSON: ip's keys where ip has them. A name that is not UTF-8 has its bytes beside it, in hex.

use std::{
    io::{self, Write},
    os::unix::ffi::OsStrExt,
};

use nsnet::{
    NsName, NsRef,
    netns::{Change, Hold, Holder, NsidPeer, Outcome, Resident, State},
};
use serde::Serialize;

use super::{Answer, ListRow, Removed, TableRow, VethRow};

/// Writes one document.
pub fn write(out: &mut impl Write, pretty: bool, answer: &Answer) -> io::Result<()> {
    match answer {
        Answer::Names(names) | Answer::Pruned(names) | Answer::Identified(names) => rows(out, pretty, names, Name::of),
        Answer::Removed { removed, .. } => rows(out, pretty, removed, Deleted::of),
        Answer::List(list) => rows(out, pretty, list, Listed::of),
        Answer::Table(table) => rows(out, pretty, table, Listed::of_table),
        Answer::Ids { peers, of_target } => rows(out, pretty, peers, |peer| Id::of(peer, *of_target)),
        Answer::Residents(residents) => rows(out, pretty, residents, |resident: &Resident| resident.clone()),
        Answer::Veth(ends) => rows(out, pretty, ends, Veth::of),
        // The others are written elsewhere.
        _ => Ok(()),
    }
}

/// What was removed, and what became of it.
pub fn removed(out: &mut impl Write, pretty: bool, removed: &[Removed]) -> io::Result<()> {
    rows(out, pretty, removed, Deleted::of)
}

fn rows<'a, T, R: Serialize>(
    out: &mut impl Write,
    pretty: bool,
    items: &'a [T],
    row: impl Fn(&'a T) -> R,
) -> io::Result<()> {
    document(out, pretty, &items.iter().map(row).collect::<Vec<R>>())
}

pub fn document<R: Serialize>(out: &mut impl Write, pretty: bool, rows: &[R]) -> io::Result<()> {
    one(out, pretty, &rows)
}

/// Writes a document that is one value.
pub fn one(out: &mut impl Write, pretty: bool, value: &impl Serialize) -> io::Result<()> {
    if pretty {
        serde_json::to_writer_pretty(&mut *out, value)?;
    } else {
        serde_json::to_writer(&mut *out, value)?;
    }
    out.write_all(b"\n")
}

/// Writes one line.
pub fn change(out: &mut impl Write, change: &Change) -> io::Result<()> {
    let (event, name) = match change {
        Change::Added(name) => ("add", name),
        Change::Deleted(name) => ("delete", name),
    };
    one(out, false, &Event { event, name: Name::of(name) })
}

/// Writes one line.
pub fn run(out: &mut impl Write, name: &NsName) -> io::Result<()> {
    one(out, false, &Running { netns: name.as_os_str().to_string_lossy().into_owned(), netns_bytes: bytes(name) })
}

/// The bytes of a name in hex, where text cannot hold them.
fn bytes(name: &NsName) -> Option<String> {
    let bytes = name.as_os_str().as_bytes();
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    let hex = || bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect();
    std::str::from_utf8(bytes).is_err().then(hex)
}

#[derive(Serialize)]
pub struct Name {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
}

impl Name {
    pub fn of(name: &NsName) -> Self {
        Self { name: name.as_os_str().to_string_lossy().into_owned(), name_bytes: bytes(name) }
    }
}

#[derive(Serialize)]
struct Event {
    event: &'static str,
    #[serde(flatten)]
    name: Name,
}

#[derive(Serialize)]
struct Running {
    netns: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    netns_bytes: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    name: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inode: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<usize>,
}

impl Listed {
    fn of(row: &ListRow) -> Self {
        Self::new(&row.name, row.nsid, row.entry.as_ref())
    }

    fn of_table(row: &TableRow) -> Self {
        Self { links: row.links, processes: row.processes, ..Self::new(&row.name, row.nsid, Some(&row.state)) }
    }

    fn new(name: &NsName, id: Option<u32>, state: Option<&State>) -> Self {
        let (reason, inode) = match state {
            Some(State::Foreign(reason)) => (Some(reason.clone()), None),
            Some(State::Alive(id)) => (None, Some(id.inode)),
            _ => (None, None),
        };
        Self { name: Name::of(name), id, state: state.map(State::as_str), reason, inode, links: None, processes: None }
    }
}

/// Keys of what is not assigned are left out, as ip does.
#[derive(Serialize)]
struct Id {
    #[serde(skip_serializing_if = "Option::is_none")]
    nsid: Option<u32>,
    #[serde(rename = "current-nsid", skip_serializing_if = "Option::is_none")]
    current_nsid: Option<u32>,
    #[serde(flatten)]
    name: Option<Name>,
}

impl Id {
    fn of(peer: &NsidPeer, of_target: bool) -> Self {
        let current_nsid = peer.current_nsid.filter(|_| of_target);
        Self { nsid: peer.nsid, current_nsid, name: peer.name.as_ref().map(Name::of) }
    }
}

#[derive(Serialize)]
struct Deleted {
    #[serde(flatten)]
    name: Name,
    /// `gone`, `held`, `name_only`, `not_awaited` or `unwatched`.
    namespace: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_by: Option<Vec<HeldBy>>,
}

impl Deleted {
    fn of(Removed { name, outcome }: &Removed) -> Self {
        let (namespace, held_by) = match outcome {
            Outcome::Gone => ("gone", None),
            Outcome::Held(holders) => ("held", Some(holders.iter().map(HeldBy::of).collect())),
            Outcome::HeldUnseen => ("held", Some(Vec::new())),
            Outcome::NameOnly => ("name_only", None),
            Outcome::NotAwaited => ("not_awaited", None),
            _ => ("unwatched", None),
        };
        Self { name: Name::of(name), namespace, held_by }
    }
}

#[derive(Serialize)]
pub struct HeldBy {
    pid: u32,
    command: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fd: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mount: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    socket: Option<u32>,
}

impl HeldBy {
    pub fn of(holder: &Holder) -> Self {
        let bare = Self {
            pid: holder.pid,
            command: holder.command.clone(),
            thread: None,
            fd: None,
            mount: None,
            socket: None,
        };
        match &holder.hold {
            Hold::Thread(tid) => Self { thread: Some(*tid), ..bare },
            Hold::Socket(fd) => Self { socket: Some(*fd), ..bare },
            Hold::File(fd) => Self { fd: Some(*fd), ..bare },
            Hold::Mount(path) => Self { mount: Some(path.to_string_lossy().into_owned()), ..bare },
            _ => bare,
        }
    }
}

/// A namespace as the user may write it, in keys of its own.
pub fn written(ns: &NsRef) -> (String, Option<String>) {
    match ns {
        NsRef::Name(name) => (name.as_os_str().to_string_lossy().into_owned(), bytes(name)),
        NsRef::Path(path) => (path.to_string_lossy().into_owned(), None),
        NsRef::Pid(pid) => (format!("pid:{pid}"), None),
        NsRef::Node(lab, node) => (format!("{}/{}", lab.as_str(), node.as_str()), None),
        _ => (".".into(), None),
    }
}

#[derive(Serialize)]
struct Veth {
    netns: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    netns_bytes: Option<String>,
    ifname: String,
    ifindex: u32,
    address: String,
    mtu: u32,
    addrs: Vec<String>,
}

impl Veth {
    fn of(row: &VethRow) -> Self {
        let (netns, netns_bytes) = written(&row.netns);
        Self {
            netns,
            netns_bytes,
            ifname: row.ifname.as_str().to_owned(),
            ifindex: row.made.index,
            address: row.made.mac.to_string(),
            mtu: row.made.mtu_bytes,
            addrs: row.addrs.iter().map(ToString::to_string).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    fn json(answer: &Answer) -> String {
        let mut bytes = Vec::new();
        write(&mut bytes, false, answer).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_list_has_ips_keys_and_more_only_where_asked() {
        let row = |name: &str, nsid| ListRow { name: name.parse().unwrap(), nsid, entry: None };
        let answer = Answer::List(vec![row("a", None), row("b", Some(10))]);
        assert_eq!(json(&answer), "[{\"name\":\"a\"},{\"name\":\"b\",\"id\":10}]\n");
        assert_eq!(json(&Answer::List(vec![])), "[]\n");
    }

    #[test]
    fn a_name_that_is_not_text_has_its_bytes_beside_it() {
        let name = NsName::new(OsStr::from_bytes(b"a\xff\"")).unwrap();
        assert_eq!(json(&Answer::Identified(vec![name])), "[{\"name\":\"a\u{fffd}\\\"\",\"name_bytes\":\"61ff22\"}]\n");
    }
}
