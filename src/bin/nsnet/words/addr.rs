//! `addr`: ip's words for addresses.

use std::{ffi::OsString, net::Ipv4Addr};

use nsnet::{
    Addr, Family, Prefix,
    netlink::addr::{AddrFlags, Lifetime},
};

use super::{
    Asked, Misuse,
    grammar::{Bare, Cursor, Keyword, Summary, Table, asks_for_help, command, full, help, short},
    link_show::{self, Filters},
};
use crate::iproute2::{Names, Space};

/// What is asked of addresses.
#[derive(Debug)]
pub enum Request {
    /// Lists those that fit.
    Show(Filter),
    /// Deletes those that fit.
    Flush(Filter),
    Add(Wanted),
    Replace(Wanted),
    Change(Wanted),
    Delete(Wanted),
}

/// The addresses that are wanted.
#[derive(Debug, Default)]
pub struct Filter {
    pub link: link_show::Filter,
    pub family: Option<Family>,
    pub to: Option<Prefix>,
    pub scope: Option<u8>,
    /// A pattern of a shell.
    pub label: Option<String>,
    /// All of these flags, and none of those.
    pub with: AddrFlags,
    pub without: AddrFlags,
}

impl Filters for Filter {
    fn links(&mut self) -> &mut link_show::Filter {
        &mut self.link
    }
}

/// An address to make, to change or to delete.
#[derive(Debug)]
pub struct Wanted {
    /// On no link yet.
    pub addr: Addr,
    pub device: String,
    /// Whether the length of the prefix was left out.
    pub any_length: bool,
    /// What was said, and does nothing.
    pub ignored: Vec<String>,
}

#[derive(Clone, Copy)]
enum Verb {
    Add,
    Change,
    Replace,
    Delete,
    Show,
    Flush,
    Help,
}

/// In ip's order.
const VERBS: &[(&str, Verb)] = &[
    ("add", Verb::Add),
    ("change", Verb::Change),
    ("chg", Verb::Change),
    ("replace", Verb::Replace),
    ("delete", Verb::Delete),
    ("list", Verb::Show),
    ("show", Verb::Show),
    ("lst", Verb::Show),
    ("flush", Verb::Flush),
    ("help", Verb::Help),
];

/// The words for an address, as they are read.
#[derive(Default)]
struct Words {
    local: Option<Prefix>,
    any_length: bool,
    peer: Option<Prefix>,
    broadcast: Option<Broadcast>,
    scope: Option<u8>,
    device: Option<String>,
    label: Option<String>,
    metric: Option<u32>,
    /// In seconds; for ever where it is `None`.
    valid: Option<u32>,
    preferred: Option<u32>,
    flags: AddrFlags,
    ignored: Vec<String>,
}

#[derive(Clone, Copy)]
enum Broadcast {
    Is(Ipv4Addr),
    /// The last address of the prefix.
    Ones,
    /// The first one.
    Zeros,
}

const WORDS: [Keyword<Words>; 27] = [
    full("peer", "PREFIX", "the address of the other end", peer),
    full("remote", "PREFIX", "", peer),
    short("broadcast", "ADDR|+|-", "the address of all; '+' is the last one of the prefix", broadcast),
    full("brd", "ADDR|+|-", "", broadcast),
    full("scope", "SCOPE", "how far it is valid: global, link, host or a number", |words, c| {
        words.scope = Some(c.value()?.named(Space::Scope)?);
        Ok(())
    }),
    full("dev", "[NS:]IF", "the link, and where it lives", |words, c| {
        words.device = Some(c.value()?.device()?);
        Ok(())
    }),
    full("label", "LABEL", "the name of the link, and more behind a colon", |words, c| {
        let label = c.value()?.text()?;
        if label.len() > MAX_LABEL_BYTES {
            return Err(c.wrong("it is longer than 15 bytes"));
        }
        words.label = Some(label.to_owned());
        Ok(())
    }),
    short("metric", "N", "the metric of the route to its prefix", metric),
    short("priority", "N", "", metric),
    short("preference", "N", "", metric),
    short("valid_lft", "SECONDS|forever", "how long it stays", |words, c| {
        words.valid = seconds(c.value()?)?;
        Ok(())
    }),
    short("preferred_lft", "SECONDS|forever", "until when it is used for what is new", |words, c| {
        words.preferred = seconds(c.value()?)?;
        Ok(())
    }),
    full("home", "", "the home address of a mobile host", |words, _| words.flag(AddrFlags::HOME)),
    full("nodad", "", "use it at once, without asking whether another host has it", |words, _| {
        words.flag(AddrFlags::NODAD)
    }),
    full("optimistic", "", "use it while others are asked", |words, _| words.flag(AddrFlags::OPTIMISTIC)),
    full("mngtmpaddr", "", "make temporary addresses from it", |words, _| words.flag(AddrFlags::MNGTMPADDR)),
    full("noprefixroute", "", "make no route to its prefix", |words, _| words.flag(AddrFlags::NOPREFIXROUTE)),
    full("autojoin", "", "join this multicast address", |words, _| words.flag(AddrFlags::AUTOJOIN)),
    full("secondary", "", "", cannot_be_set),
    full("temporary", "", "", cannot_be_set),
    full("dadfailed", "", "", cannot_be_set),
    full("deprecated", "", "", cannot_be_set),
    full("tentative", "", "", cannot_be_set),
    full("permanent", "", "", cannot_be_set),
    full("stable-privacy", "", "", cannot_be_set),
    full("local", "PREFIX", "", |words, c| local(words, c.value()?)),
    full("anycast", "", "", |_, c| Err(c.misuse("the kernel knows no 'anycast' addresses of links"))),
];

/// `IFNAMSIZ` of `linux/if.h`, without the end.
const MAX_LABEL_BYTES: usize = 15;

const ADD: Table<Words> =
    Table { command: "addr add", about: "Give an address to a link.", bare: ADDRESS, keywords: &WORDS };

const REPLACE: Table<Words> = Table {
    command: "addr replace",
    about: "Give an address to a link, or change the one that it has.",
    bare: ADDRESS,
    keywords: &WORDS,
};

const CHANGE: Table<Words> = Table {
    command: "addr change",
    about: "Change an address: its lifetimes, its metric and some flags.",
    bare: ADDRESS,
    keywords: &WORDS,
};

const DELETE: Table<Words> =
    Table { command: "addr del", about: "Take an address from a link.", bare: ADDRESS, keywords: &WORDS };

const ADDRESS: Option<Bare<Words>> = Some(Bare {
    value: "ADDR/LEN",
    help: "the address, with the length of its prefix",
    first: false,
    read: |words, c| local(words, c),
});

const SHOW: Table<Filter> = Table {
    command: "addr show",
    about: "Show the addresses that fit, and their links.",
    bare: Some(link_show::device()),
    keywords: &FILTERS,
};

const FLUSH: Table<Filter> = Table {
    command: "addr flush",
    about: "Delete the addresses that fit.",
    bare: Some(link_show::device()),
    keywords: &FILTERS,
};

/// A flag that addresses have, or have not with '-' before it.
macro_rules! flag {
    ($word:literal, $help:literal, $set:ident, $flag:ident) => {
        full($word, "", $help, |filter: &mut Filter, _| {
            filter.$set = filter.$set | AddrFlags::$flag;
            Ok(())
        })
    };
}

const FILTERS: [Keyword<Filter>; 40] = {
    let [dev, up, group, master, vrf, nomaster, kind] = link_show::keywords::<Filter>();
    [
        full("to", "PREFIX", "addresses in this prefix", |filter, c| {
            filter.to = Some(c.value()?.prefix()?);
            Ok(())
        }),
        full("scope", "SCOPE", "addresses of this scope: global, link, host, a number, or all", |filter, c| {
            filter.scope = if c.value()?.word() == "all" { None } else { Some(c.named(Space::Scope)?) };
            Ok(())
        }),
        full("label", "PATTERN", "addresses with this label, as in 'eth0:*'", |filter, c| {
            filter.label = Some(c.value()?.text()?.to_owned());
            Ok(())
        }),
        dev,
        up,
        group,
        master,
        vrf,
        nomaster,
        kind,
        flag!("permanent", "without an end", with, PERMANENT),
        flag!("dynamic", "with an end", without, PERMANENT),
        flag!("primary", "the first of their prefix, and those that are not temporary", without, SECONDARY),
        flag!("secondary", "the others of their prefix", with, SECONDARY),
        flag!("temporary", "temporary ones", with, SECONDARY),
        flag!("tentative", "not used yet; '-tentative' and so on: those that are not", with, TENTATIVE),
        flag!("deprecated", "not used any more for what is new", with, DEPRECATED),
        flag!("dadfailed", "another host has them", with, DADFAILED),
        flag!("home", "home addresses", with, HOME),
        flag!("nodad", "used without asking others", with, NODAD),
        flag!("optimistic", "used while others are asked", with, OPTIMISTIC),
        flag!("mngtmpaddr", "temporary ones are made from them", with, MNGTMPADDR),
        flag!("noprefixroute", "without a route to their prefix", with, NOPREFIXROUTE),
        flag!("autojoin", "multicast addresses that are joined", with, AUTOJOIN),
        flag!("stable-privacy", "made from a secret", with, STABLE_PRIVACY),
        flag!("-permanent", "", without, PERMANENT),
        flag!("-dynamic", "", with, PERMANENT),
        flag!("-primary", "", with, SECONDARY),
        flag!("-secondary", "", without, SECONDARY),
        flag!("-temporary", "", without, SECONDARY),
        flag!("-tentative", "", without, TENTATIVE),
        flag!("-deprecated", "", without, DEPRECATED),
        flag!("-dadfailed", "", without, DADFAILED),
        flag!("-home", "", without, HOME),
        flag!("-nodad", "", without, NODAD),
        flag!("-optimistic", "", without, OPTIMISTIC),
        flag!("-mngtmpaddr", "", without, MNGTMPADDR),
        flag!("-noprefixroute", "", without, NOPREFIXROUTE),
        flag!("-autojoin", "", without, AUTOJOIN),
        flag!("-stable-privacy", "", without, STABLE_PRIVACY),
    ]
};

/// All that can be said.
pub fn summaries() -> Vec<Summary> {
    let changes = [&ADD, &REPLACE, &CHANGE, &DELETE].map(Table::summary);
    [SHOW.summary()].into_iter().chain(changes).chain([FLUSH.summary()]).collect()
}

/// Reads the words behind `addr`.
pub fn read(words: &[OsString], names: &Names, family: Option<Family>) -> Result<Asked<Request>, Misuse> {
    if asks_for_help(words) {
        return Ok(Asked::Help(help(&summaries())));
    }
    let (verb, taken) = command("addr", VERBS, Verb::Show, words)?;
    let rest = Rest { words: &words[taken..], names, family };
    match verb {
        Verb::Add => rest.wanted(&ADD, Request::Add),
        Verb::Replace => rest.wanted(&REPLACE, Request::Replace),
        Verb::Change => rest.wanted(&CHANGE, Request::Change),
        Verb::Delete => rest.wanted(&DELETE, Request::Delete),
        Verb::Show => rest.filter(&SHOW, Request::Show),
        Verb::Flush if rest.words.is_empty() => {
            Err(Misuse("addr flush: it needs at least one word, as in 'addr flush dev eth0'".into()))
        }
        Verb::Flush => rest.filter(&FLUSH, Request::Flush),
        Verb::Help => Ok(Asked::Help(help(&summaries()))),
    }
}

/// The words behind the command.
struct Rest<'a> {
    words: &'a [OsString],
    names: &'a Names,
    family: Option<Family>,
}

impl Rest<'_> {
    fn wanted(&self, table: &Table<Words>, request: fn(Wanted) -> Request) -> Result<Asked<Request>, Misuse> {
        if asks_for_help(self.words) {
            return Ok(Asked::Help(table.summary().to_string()));
        }
        let mut cursor = Cursor::new(table.command, self.words, self.names, self.family);
        let mut words = Words::default();
        table.read(&mut words, &mut cursor)?;
        let request = request(words.wanted().map_err(|why| cursor.misuse(why))?);
        Ok(Asked::For { request, place: cursor.place })
    }

    fn filter(&self, table: &Table<Filter>, request: fn(Filter) -> Request) -> Result<Asked<Request>, Misuse> {
        if asks_for_help(self.words) {
            return Ok(Asked::Help(table.summary().to_string()));
        }
        let mut cursor = Cursor::new(table.command, self.words, self.names, self.family);
        let mut filter = Filter { family: self.family, ..Filter::default() };
        table.read(&mut filter, &mut cursor)?;
        filter.family = filter.family.or(filter.to.map(Prefix::family));
        Ok(Asked::For { request: request(filter), place: cursor.place })
    }
}

impl Words {
    #[expect(clippy::unnecessary_wraps, reason = "it is what a keyword does")]
    fn flag(&mut self, flag: AddrFlags) -> Result<(), Misuse> {
        self.flags = self.flags | flag;
        Ok(())
    }

    /// What the words mean together.
    fn wanted(mut self) -> Result<Wanted, &'static str> {
        let Some(local) = self.local else { return Err("it needs an address, as in '10.0.0.1/24'") };
        let device = self.device.take().ok_or("it needs the link, as in 'dev eth0'")?;
        let mut addr = Addr::new(0, local);
        if let Some(peer) = self.peer {
            addr.peer = Some(peer.ip());
            // As ip does.
            addr.prefix_len = if peer.is_all() { local.prefix_len() } else { peer.prefix_len() };
        }
        addr.broadcast = self.broadcast(self.peer.unwrap_or(local))?;
        let own_host = local.ip().is_ipv4() && local.ip().is_loopback();
        addr.scope = self.scope.unwrap_or(if own_host { SCOPE_HOST } else { 0 });
        addr.lifetime = self.lifetime()?;
        addr.label = self.label.take();
        addr.metric = self.metric;
        addr.flags = self.effective_flags(local)?;
        Ok(Wanted { addr, device, any_length: self.any_length, ignored: self.ignored })
    }

    fn broadcast(&self, prefix: Prefix) -> Result<Option<Ipv4Addr>, &'static str> {
        let Some(wanted) = self.broadcast else { return Ok(None) };
        let std::net::IpAddr::V4(ip) = prefix.ip() else { return Err("IPv6 addresses have no 'broadcast'") };
        let hosts = u32::MAX.checked_shr(prefix.prefix_len().into()).unwrap_or(0);
        let bits = u32::from(ip);
        Ok(match wanted {
            Broadcast::Is(ip) => Some(ip),
            // There is no room for one.
            _ if prefix.prefix_len() > 30 => None,
            Broadcast::Ones => Some((bits | hosts).into()),
            Broadcast::Zeros => Some((bits & !hosts).into()),
        })
    }

    fn lifetime(&self) -> Result<Lifetime, &'static str> {
        let (valid, preferred) = (self.valid, self.preferred);
        let ends = |seconds: Option<u32>| seconds.unwrap_or(u32::MAX);
        if valid == Some(0) {
            return Err("'valid_lft 0' is wrong: it would be gone at once");
        }
        if ends(valid) < ends(preferred) {
            return Err("'preferred_lft' is longer than 'valid_lft'; it is for ever where it is not given");
        }
        Ok(Lifetime::new(valid, preferred))
    }

    /// Those that an address of the family can have.
    fn effective_flags(&mut self, local: Prefix) -> Result<AddrFlags, &'static str> {
        if self.flags.contains(AddrFlags::AUTOJOIN) && !local.ip().is_multicast() {
            return Err("'autojoin' needs a multicast address");
        }
        if local.family() == Family::Inet6 {
            return Ok(self.flags);
        }
        let given = self.flags;
        for (flag, word) in IPV6_ONLY.into_iter().filter(|&(flag, _)| given.contains(flag)) {
            self.ignored.push(format!("'{word}' is for IPv6 addresses, and does nothing here"));
            self.flags = self.flags.without(flag);
        }
        Ok(self.flags)
    }
}

/// `RT_SCOPE_HOST` of `linux/rtnetlink.h`.
const SCOPE_HOST: u8 = 254;

const IPV6_ONLY: [(AddrFlags, &str); 4] = [
    (AddrFlags::HOME, "home"),
    (AddrFlags::NODAD, "nodad"),
    (AddrFlags::OPTIMISTIC, "optimistic"),
    (AddrFlags::MNGTMPADDR, "mngtmpaddr"),
];

fn local(words: &mut Words, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    if words.local.is_some() {
        return Err(c.wrong("it is not understood here, or there are two addresses"));
    }
    words.any_length = !c.text()?.contains('/');
    words.local = Some(address_with_length(c)?);
    Ok(())
}

/// All addresses of a command are of one family.
fn address_with_length(c: &mut Cursor<'_>) -> Result<Prefix, Misuse> {
    if ["default", "any", "all"].contains(&c.text()?) {
        return Err(c.wrong("it is not an address, as in '10.0.0.1/24'"));
    }
    let prefix = c.prefix()?;
    c.family = Some(prefix.family());
    Ok(prefix)
}

fn peer(words: &mut Words, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    if words.peer.is_some() {
        return Err(c.misuse("'peer' is given twice"));
    }
    words.peer = Some(address_with_length(c.value()?)?);
    Ok(())
}

fn broadcast(words: &mut Words, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    if words.broadcast.is_some() {
        return Err(c.misuse("'broadcast' is given twice"));
    }
    words.broadcast = Some(match c.value()?.text()? {
        "+" => Broadcast::Ones,
        "-" => Broadcast::Zeros,
        _ => match c.address()? {
            std::net::IpAddr::V4(ip) => Broadcast::Is(ip),
            std::net::IpAddr::V6(_) => return Err(c.wrong("IPv6 addresses have none")),
        },
    });
    Ok(())
}

fn metric(words: &mut Words, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    words.metric = Some(c.value()?.number()?);
    Ok(())
}

/// Of a time that ends; `None` for one that does not.
fn seconds(c: &Cursor<'_>) -> Result<Option<u32>, Misuse> {
    match c.text()? {
        "forever" => Ok(None),
        _ => c.number().map(|seconds| Some(seconds).filter(|&seconds| seconds != u32::MAX)),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a keyword does")]
fn cannot_be_set(words: &mut Words, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    words.ignored.push(format!("only the kernel sets '{}'; it does nothing here", c.word().display()));
    Ok(())
}
