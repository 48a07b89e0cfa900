//! `rule`: ip's words for the routing policy.

use std::{ffi::OsString, ops::RangeInclusive, str::FromStr};

use nsnet::{Rule, netlink::rule::Action};

use super::{
    Asked, Misuse,
    grammar::{Bare, Cursor, Keyword, Summary, Table, asks_for_help, command, full, help, short},
};
use crate::iproute2::{Names, Space};

/// What is asked of rules.
#[derive(Debug)]
pub enum Request {
    /// Lists those that fit.
    Show(Rule),
    Add(Rule),
    Delete(Rule),
    /// Deletes those that fit.
    Flush(Rule),
}

#[derive(Clone, Copy)]
enum Verb {
    Show,
    Add,
    Delete,
    Flush,
    Help,
}

/// In ip's order.
const VERBS: &[(&str, Verb)] = &[
    ("list", Verb::Show),
    ("lst", Verb::Show),
    ("show", Verb::Show),
    ("add", Verb::Add),
    ("delete", Verb::Delete),
    ("flush", Verb::Flush),
    ("help", Verb::Help),
];

const SELECTORS: [Keyword<Rule>; 22] = [
    full("not", "", "hold for the packets that do not fit", |rule, _| {
        rule.not = true;
        Ok(())
    }),
    full("from", "PREFIX", "packets from there", |rule, c| {
        rule.from = Some(c.value()?.prefix()?);
        Ok(())
    }),
    full("to", "PREFIX", "packets to there", |rule, c| {
        rule.to = Some(c.value()?.prefix()?);
        Ok(())
    }),
    short("preference", "", "", priority),
    short("order", "", "", priority),
    short("priority", "N", "rules are looked at from 0 upwards", priority),
    full("tos", "N", "packets of this type of service", tos),
    short("dsfield", "N", "", tos),
    full("fwmark", "MARK[/MASK]", "packets with this mark", |rule, c| {
        rule.fwmark = Some(mark(c.value()?)?);
        Ok(())
    }),
    short("protocol", "PROTO", "who made the rule: a name or number of a routing protocol", |rule, c| {
        rule.protocol = Some(c.value()?.named(Space::Protocol)?);
        Ok(())
    }),
    short("table", "TABLE", "look into this table: a name or a number", table),
    full("lookup", "TABLE", "", table),
    short("suppress_prefixlength", "N", "ignore routes of this prefix length or shorter", |rule, c| {
        rule.suppress_prefix_len = Some(c.value()?.number()?);
        Ok(())
    }),
    short("suppress_ifgroup", "GROUP", "ignore routes through links of this group", |rule, c| {
        rule.suppress_group = Some(c.value()?.named(Space::Group)?);
        Ok(())
    }),
    full("iif", "[NS:]IF", "packets that came in by this interface", iif),
    full("dev", "[NS:]IF", "", iif),
    full("oif", "[NS:]IF", "packets of sockets bound to this interface", |rule, c| {
        rule.oif = Some(c.value()?.device()?);
        Ok(())
    }),
    full("l3mdev", "", "look into the table of the packet's VRF", |rule, _| {
        rule.l3mdev = true;
        Ok(())
    }),
    full("uidrange", "UID-UID", "packets of these users", |rule, c| {
        rule.uids = Some(uids(c.value()?)?);
        Ok(())
    }),
    full("ipproto", "PROTO", "packets of this protocol above IP", |rule, c| {
        rule.ip_protocol = Some(ip_protocol(c.value()?)?);
        Ok(())
    }),
    full("sport", "PORT[-PORT]", "packets from these ports", |rule, c| {
        rule.sport = Some(range(c.value()?)?);
        Ok(())
    }),
    full("dport", "PORT[-PORT]", "packets to these ports", |rule, c| {
        rule.dport = Some(range(c.value()?)?);
        Ok(())
    }),
];

const ADD: Table<Rule> =
    Table { command: "rule add", about: "Make a rule of the routing policy.", bare: ACTION, keywords: &SELECTORS };

const DELETE: Table<Rule> = Table {
    command: "rule del",
    about: "Delete the first rule that has all of this.",
    bare: ACTION,
    keywords: &SELECTORS,
};

const SHOW: Table<Rule> = Table {
    command: "rule show",
    about: "List the rules that have all of this; all without a word.",
    bare: None,
    keywords: &SELECTORS,
};

const FLUSH: Table<Rule> = Table {
    command: "rule flush",
    about: "Delete the rules that have all of this; all but the one of priority 0 without a word.",
    bare: None,
    keywords: &SELECTORS,
};

/// What is done with a packet, where no table is looked into.
const ACTION: Option<Bare<Rule>> = Some(Bare {
    value: "blackhole|unreachable|prohibit|nop|goto N",
    help: "drop the packet, or go on with another rule",
    first: false,
    read: |rule, c| {
        if c.word() == "type" {
            c.value()?;
        }
        rule.action = Some(match c.word().to_str() {
            Some("blackhole") => Action::Blackhole,
            Some("unreachable") => Action::Unreachable,
            Some("prohibit") => Action::Prohibit,
            Some("nop") => Action::Nop,
            Some("goto") => Action::Goto(Some(c.value()?.number()?)),
            _ => return Err(c.unknown()),
        });
        Ok(())
    },
});

/// All that can be said.
pub fn summaries() -> Vec<Summary> {
    [&SHOW, &ADD, &DELETE, &FLUSH].map(Table::summary).into()
}

/// Reads the words behind `rule`.
pub fn read(words: &[OsString], names: &Names, family: Option<nsnet::Family>) -> Result<Asked<Request>, Misuse> {
    if asks_for_help(words) {
        return Ok(Asked::Help(help(&summaries())));
    }
    let (verb, taken) = command("rule", VERBS, Verb::Show, words)?;
    let words = &words[taken..];
    let mut rule = Rule::default();
    rule.family = family;
    let (table, request): (_, fn(Rule) -> Request) = match verb {
        Verb::Show => (&SHOW, Request::Show),
        Verb::Add => (&ADD, Request::Add),
        Verb::Delete => (&DELETE, Request::Delete),
        Verb::Flush => (&FLUSH, Request::Flush),
        Verb::Help => return Ok(Asked::Help(help(&summaries()))),
    };
    if asks_for_help(words) {
        return Ok(Asked::Help(table.summary().to_string()));
    }
    let mut cursor = Cursor::new(table.command, words, names, family);
    table.read(&mut rule, &mut cursor)?;
    if words.is_empty() && matches!(verb, Verb::Add | Verb::Delete) {
        return Err(cursor.misuse("it needs at least one word; 'nsnet rule help' lists them"));
    }
    if rule.l3mdev && rule.action.is_some() {
        return Err(cursor.misuse("'l3mdev' looks into the table of the VRF, and takes no other action"));
    }
    Ok(Asked::For { request: request(rule), place: cursor.place })
}

fn priority(rule: &mut Rule, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    rule.priority = Some(c.value()?.number()?);
    Ok(())
}

fn tos(rule: &mut Rule, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    rule.tos = Some(c.value()?.tos()?);
    Ok(())
}

fn table(rule: &mut Rule, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    rule.action = Some(Action::Table(c.value()?.named(Space::Table)?));
    Ok(())
}

fn iif(rule: &mut Rule, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    rule.iif = Some(c.value()?.device()?);
    Ok(())
}

/// `1` or `0x1/0xff`.
fn mark(c: &Cursor<'_>) -> Result<(u32, u32), Misuse> {
    let text = c.text()?;
    match text.split_once('/') {
        None => Ok((c.number()?, u32::MAX)),
        Some((mark, bits)) => Ok((c.number_in(mark)?, c.number_in(bits)?)),
    }
}

/// `1000-2000`; ip takes no single one.
fn uids(c: &Cursor<'_>) -> Result<RangeInclusive<u32>, Misuse> {
    if !c.text()?.contains('-') {
        return Err(c.wrong("it is not a range, as in '1000-2000'"));
    }
    range(c)
}

/// `80` or `80-90`.
fn range<N: FromStr + Copy + PartialOrd>(c: &Cursor<'_>) -> Result<RangeInclusive<N>, Misuse> {
    let wrong = || c.wrong("it is not a number, nor a range as in '80-90'");
    let bound = |text: &str| text.parse().map_err(|_| wrong());
    let text = c.text()?;
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (bound(from)?, bound(to)?);
    if from <= to { Ok(from..=to) } else { Err(wrong()) }
}

/// What `/etc/protocols` calls those that have ports, and the usual others.
fn ip_protocol(c: &Cursor<'_>) -> Result<u8, Misuse> {
    match c.text()? {
        "icmp" => Ok(1),
        "tcp" => Ok(6),
        "udp" => Ok(17),
        "ipv6-icmp" => Ok(58),
        "sctp" => Ok(132),
        _ => c.number(),
    }
}
