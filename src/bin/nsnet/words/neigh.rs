//! `neigh`: ip's words for neighbours.

use std::{ffi::OsString, net::IpAddr};

use nsnet::{
    Family, Prefix,
    netlink::neigh::{Meet, Neigh, nud},
};

use super::{
    Asked, Misuse,
    grammar::{Bare, Cursor, Keyword, Summary, Table, asks_for_help, command, full, help, short},
};
use crate::iproute2::{Names, Space};

/// What is asked of neighbours.
#[derive(Debug)]
pub enum Request {
    Show(Filter),
    Put(Entry, Meet),
    Delete(Entry),
    Get(Entry),
    Flush(Filter),
}

/// A neighbour, on a link that is yet to be found.
#[derive(Debug)]
pub struct Entry {
    pub neigh: Neigh,
    pub device: Option<String>,
}

/// Those that are wanted.
#[derive(Debug, Default)]
pub struct Filter {
    pub family: Option<Family>,
    pub device: Option<String>,
    pub master: Option<Master>,
    pub to: Option<Prefix>,
    /// Bits of `nud`, and [`NO_STATE`]; the usual ones where it is `None`.
    pub states: Option<u16>,
    pub proxy: bool,
    pub unused: bool,
    pub protocol: Option<u8>,
}

/// The master of the link.
#[derive(Debug)]
pub enum Master {
    None,
    Named(String),
}

/// Stands among the states for none of them.
pub const NO_STATE: u16 = 0x100;

#[derive(Clone, Copy)]
enum Verb {
    Put(Meet),
    Delete,
    Get,
    Show,
    Flush,
    Help,
}

/// In ip's order.
const VERBS: &[(&str, Verb)] = &[
    ("add", Verb::Put(Meet::Nothing)),
    ("change", Verb::Put(Meet::Something)),
    ("chg", Verb::Put(Meet::Something)),
    ("replace", Verb::Put(Meet::Anything)),
    ("delete", Verb::Delete),
    ("get", Verb::Get),
    ("show", Verb::Show),
    ("lst", Verb::Show),
    ("list", Verb::Show),
    ("flush", Verb::Flush),
    ("help", Verb::Help),
];

/// What is read of an entry, before it is known to be whole.
struct Draft {
    ip: Option<IpAddr>,
    entry: Entry,
}

const ENTRY: [Keyword<Draft>; 10] = [
    short("lladdr", "MAC", "its hardware address", |draft, c| {
        draft.entry.neigh.lladdr = lladdr(c.value()?)?;
        Ok(())
    }),
    full(
        "nud",
        "STATE",
        "permanent (the usual), noarp, reachable, stale, none, incomplete, delay, probe, failed",
        |draft, c| {
            draft.entry.neigh.state = state(c.value()?)?;
            Ok(())
        },
    ),
    short("proxy", "ADDR", "answer in the place of this address", |draft, c| {
        draft.entry.neigh.proxy = true;
        destination(draft, c.value()?)
    }),
    full("router", "", "it routes", |draft, _| {
        draft.entry.neigh.router = true;
        Ok(())
    }),
    full("use", "", "look for it at once", |draft, _| {
        draft.entry.neigh.in_use = true;
        Ok(())
    }),
    full("managed", "", "keep looking for it", |draft, _| {
        draft.entry.neigh.managed = true;
        draft.entry.neigh.state = 0;
        Ok(())
    }),
    short("extern_learn", "", "somebody else learned it", |draft, _| {
        draft.entry.neigh.extern_learn = true;
        Ok(())
    }),
    full("dev", "[NS:]IF", "the link that it is on", |draft, c| {
        draft.entry.device = Some(c.value()?.device()?);
        Ok(())
    }),
    short("protocol", "PROTO", "who made it: a name or number of a routing protocol", |draft, c| {
        draft.entry.neigh.protocol = c.value()?.named(Space::Protocol)?;
        Ok(())
    }),
    full("to", "ADDR", "", |draft, c| destination(draft, c.value()?)),
];

const ADDRESS: Option<Bare<Draft>> =
    Some(Bare { value: "ADDR", help: "the neighbour", first: false, read: |draft, c| destination(draft, c) });

const fn table(command: &'static str, about: &'static str) -> Table<Draft> {
    Table { command, about, bare: ADDRESS, keywords: &ENTRY }
}

const ADD: Table<Draft> = table("neigh add", "Make an entry of the neighbour table; there must be none.");
const CHANGE: Table<Draft> = table("neigh change", "Change an entry of the neighbour table.");
const REPLACE: Table<Draft> = table("neigh replace", "Make or change an entry of the neighbour table.");
const DELETE: Table<Draft> = table("neigh del", "Delete an entry of the neighbour table.");
const GET: Table<Draft> = table("neigh get", "Show one entry of the neighbour table.");

const FILTER: [Keyword<Filter>; 9] = [
    full("dev", "[NS:]IF", "on this link", |filter, c| {
        filter.device = Some(c.value()?.device()?);
        Ok(())
    }),
    full("master", "[NS:]IF", "on ports of this link", |filter, c| {
        filter.master = Some(Master::Named(c.value()?.device()?));
        Ok(())
    }),
    full("vrf", "[NS:]IF", "", |filter, c| {
        filter.master = Some(Master::Named(c.value()?.device()?));
        Ok(())
    }),
    full("nomaster", "", "on links that are no port", |filter, _| {
        filter.master = Some(Master::None);
        Ok(())
    }),
    full("unused", "", "that nobody uses right now", |filter, _| {
        filter.unused = true;
        Ok(())
    }),
    Keyword {
        many: true,
        ..full("nud", "STATE", "in this state; 'all' for any", |filter, c| {
            let own = if c.value()?.word() == "all" {
                u16::MAX
            } else {
                match state(c)? {
                    0 => NO_STATE,
                    state => state,
                }
            };
            filter.states = Some(filter.states.unwrap_or(0) | own);
            Ok(())
        })
    },
    full("proxy", "", "in whose place this host answers", |filter, _| {
        filter.proxy = true;
        Ok(())
    }),
    short("protocol", "PROTO", "made by this routing protocol", |filter, c| {
        filter.protocol = Some(c.value()?.named(Space::Protocol)?);
        Ok(())
    }),
    full("to", "PREFIX", "", |filter, c| within(filter, c.value()?)),
];

const WITHIN: Option<Bare<Filter>> =
    Some(Bare { value: "PREFIX", help: "in this prefix", first: false, read: |filter, c| within(filter, c) });

const SHOW: Table<Filter> = Table {
    command: "neigh show",
    about: "List the neighbours; those that do not need ARP only if asked for.",
    bare: WITHIN,
    keywords: &FILTER,
};

const FLUSH: Table<Filter> = Table {
    command: "neigh flush",
    about: "Delete the neighbours that fit; permanent and noarp ones only if asked for.",
    bare: WITHIN,
    keywords: &FILTER,
};

/// All that can be said.
pub fn summaries() -> Vec<Summary> {
    let changes = [&ADD, &CHANGE, &REPLACE, &DELETE, &GET].map(Table::summary);
    [SHOW.summary()].into_iter().chain(changes).chain([FLUSH.summary()]).collect()
}

/// Reads the words behind `neigh`.
pub fn read(words: &[OsString], names: &Names, family: Option<Family>) -> Result<Asked<Request>, Misuse> {
    if asks_for_help(words) {
        return Ok(Asked::Help(help(&summaries())));
    }
    let (verb, taken) = command("neigh", VERBS, Verb::Show, words)?;
    let words = &words[taken..];
    let cursor = |command| Cursor::new(command, words, names, family);
    match verb {
        Verb::Help => Ok(Asked::Help(help(&summaries()))),
        Verb::Show => filter(&SHOW, cursor(SHOW.command), Request::Show),
        Verb::Flush if words.is_empty() => {
            Err(cursor(FLUSH.command).misuse("it needs at least one word; 'nsnet neigh help' lists them"))
        }
        Verb::Flush => filter(&FLUSH, cursor(FLUSH.command), Request::Flush),
        Verb::Put(meet @ Meet::Nothing) => entry(&ADD, cursor(ADD.command), |entry| Request::Put(entry, meet)),
        Verb::Put(meet @ Meet::Something) => entry(&CHANGE, cursor(CHANGE.command), |entry| Request::Put(entry, meet)),
        Verb::Put(meet @ Meet::Anything) => entry(&REPLACE, cursor(REPLACE.command), |entry| Request::Put(entry, meet)),
        Verb::Delete => entry(&DELETE, cursor(DELETE.command), Request::Delete),
        Verb::Get => entry(&GET, cursor(GET.command), Request::Get),
    }
}

fn filter(
    table: &Table<Filter>,
    mut cursor: Cursor<'_>,
    request: impl FnOnce(Filter) -> Request,
) -> Result<Asked<Request>, Misuse> {
    if cursor.asks_for_help() {
        return Ok(Asked::Help(table.summary().to_string()));
    }
    let mut filter = Filter { family: cursor.family, ..Filter::default() };
    table.read(&mut filter, &mut cursor)?;
    Ok(Asked::For { request: request(filter), place: cursor.place })
}

fn entry(
    table: &Table<Draft>,
    mut cursor: Cursor<'_>,
    request: impl FnOnce(Entry) -> Request,
) -> Result<Asked<Request>, Misuse> {
    if cursor.asks_for_help() {
        return Ok(Asked::Help(table.summary().to_string()));
    }
    let unknown = Neigh::new(Family::Inet.unspecified());
    let mut draft = Draft { ip: None, entry: Entry { neigh: unknown, device: None } };
    table.read(&mut draft, &mut cursor)?;
    let Draft { ip, mut entry } = draft;
    entry.neigh.ip = ip.ok_or_else(|| cursor.misuse("the address is missing"))?;
    if entry.device.is_none() && !entry.neigh.proxy {
        return Err(cursor.misuse("'dev' is missing: the link that the neighbour is on"));
    }
    Ok(Asked::For { request: request(entry), place: cursor.place })
}

fn destination(draft: &mut Draft, c: &Cursor<'_>) -> Result<(), Misuse> {
    match draft.ip.replace(c.address()?) {
        Some(_) => Err(c.wrong("there is an address already")),
        None => Ok(()),
    }
}

fn within(filter: &mut Filter, c: &Cursor<'_>) -> Result<(), Misuse> {
    filter.to = Some(c.prefix()?);
    Ok(())
}

/// Bytes in hexadecimal; `null` for none.
fn lladdr(c: &Cursor<'_>) -> Result<Option<Vec<u8>>, Misuse> {
    if c.word() == "null" {
        return Ok(None);
    }
    let byte = |group: &str| {
        Some(group).filter(|group| (1..=2).contains(&group.len())).and_then(|g| u8::from_str_radix(g, 16).ok())
    };
    let bytes: Option<Vec<u8>> = c.text()?.split([':', '.']).map(byte).collect();
    bytes.map(Some).ok_or_else(|| c.wrong("it is not a hardware address, as in '02:00:00:00:00:01'"))
}

fn state(c: &Cursor<'_>) -> Result<u16, Misuse> {
    let text = c.text()?;
    let begins = |whole: &str| !text.is_empty() && whole.starts_with(text);
    match text {
        _ if begins("permanent") => Ok(nud::PERMANENT),
        _ if begins("reachable") => Ok(nud::REACHABLE),
        "noarp" => Ok(nud::NOARP),
        "none" => Ok(0),
        "stale" => Ok(nud::STALE),
        "incomplete" => Ok(nud::INCOMPLETE),
        "delay" => Ok(nud::DELAY),
        "probe" => Ok(nud::PROBE),
        _ if begins("failed") => Ok(nud::FAILED),
        _ => {
            let wrong = || c.wrong("it is no state; 'nsnet neigh help' lists them");
            c.number::<u8>().ok().filter(|bits| bits.count_ones() <= 1).map(u16::from).ok_or_else(wrong)
        }
    }
}
