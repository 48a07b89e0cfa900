//! From text to [`Spec`], with every mistake instead of the first.
//!
//! serde stops at the first mistake. So a tree is made first; what serde points at is taken out of
//! it, and the rest is read again.

use std::ops::Range;

use serde::Deserialize;
use toml::{
    Spanned,
    de::{DeArray, DeString, DeTable, DeValue, ValueDeserializer},
};

use super::{Spec, json};
use crate::{
    lab::problem::{Faults, nearest},
    name::escaped,
    netlink::kind::Kind,
};

/// Nobody reads more.
const MOST_PROBLEMS: usize = 100;

const NETWORK_KEYS: [&str; 4] = ["subnet", "members", "gateway", "mtu"];
const INTERFACE_KEYS: [&str; 7] = ["kind", "link", "addrs", "mtu", "mac", "up", "master"];
/// Kinds that an interface of a lab cannot have.
const PAIRS: [&str; 2] = ["netkit", "veth"];
/// Kinds without options, which serde takes for words.
const BARE_KINDS: [&str; 4] = ["dummy", "ifb", "veth", "wireguard"];

/// Reads what can be read; also says whether that is all but keys that mean nothing.
pub(super) fn read(text: &str, faults: &mut Faults) -> (Option<Spec>, bool) {
    let before = faults.len();
    let json = text.trim_start().starts_with('{');
    // What follows a mistake of form may be in the wrong place.
    let Some(mut table) = (if json { json::parse(text, faults) } else { parse(text, faults) }) else {
        return (None, false);
    };
    let mut whole = faults.len() == before;
    if !table.contains_key("name") {
        faults.advise(0..0, "the lab has no name", "begin with a line such as: name = \"campus\"");
    }
    set_options_apart(&mut table, faults);
    let mut taken_out = String::new();
    let mut places: Vec<Range<usize>> = Vec::new();
    while faults.len() < MOST_PROBLEMS {
        // One that is missing or wrong has been reported, and the rest can be read without.
        table.entry(key("name")).or_insert_with(|| Spanned::new(NOWHERE, DeValue::String("lab".into())));
        let root = Spanned::new(NOWHERE, DeValue::Table(table.clone()));
        let error = match Spec::deserialize(ValueDeserializer::from(root)) {
            Ok(spec) => return (Some(spec), whole),
            Err(error) => error,
        };
        let span = error.span().unwrap_or(NOWHERE);
        let missing = error.message().strip_prefix("missing field ");
        // What is missing or empty because something was wrong has been reported.
        let emptied = error.message().starts_with(EMPTY) && places.iter().any(|place| holds(&span, place));
        if !emptied && missing.is_none_or(|field| !taken_out.contains(field)) {
            report(&error, &table, span.clone(), faults);
        }
        let Some(keys) = prune_table(&mut table, &span) else { break };
        whole &= error.message().starts_with(UNKNOWN) || stands_alone(&keys);
        places.push(span);
        taken_out.extend(keys.into_iter().flat_map(|key| ["`".into(), key, "`".into()]));
    }
    (None, false)
}

/// Whether what these keys lead to, the last one first, can be missed without anything else being
/// wrong for it.
fn stands_alone(keys: &[String]) -> bool {
    const OF_NODES: [&str; 7] = ["forward", "sysctl", "routes", "mtu", "hostname", "files", "run"];
    let keys: Vec<&str> = keys.iter().rev().map(String::as_str).collect();
    match keys[..] {
        ["name"]
        | ["checks", ..]
        | ["links", "mtu" | "macs", ..]
        | ["networks", _, "mtu" | "gateway" | "bridge", ..]
        | ["nodes", _, "interfaces", _, "mac" | "up" | "mtu"]
        // An option of a kind.
        | ["nodes", _, "interfaces", _, "kind", _, _] => true,
        ["nodes", _, key, ..] => OF_NODES.contains(&key),
        _ => false,
    }
}

/// Of what is not in the file.
const NOWHERE: Range<usize> = usize::MAX..usize::MAX;

fn parse<'i>(text: &'i str, faults: &mut Faults) -> Option<DeTable<'i>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let span = error.span().unwrap_or_default();
        faults.add(span, format!("this is no TOML: {}", error.message().replace('`', "'")));
    }
    errors.is_empty().then(|| table.into_inner())
}

const UNKNOWN: &str = "unknown field `";
/// What toml has against a choice of nothing, or of more than one thing.
const CHOICE: &str = "wanted exactly 1 element";
/// The same, of nothing alone.
const EMPTY: &str = "wanted exactly 1 element, found 0";

/// Whether one place lies in another.
fn holds(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// Says in nsnet's words what serde has against a file.
fn report(error: &toml::de::Error, root: &DeTable<'_>, span: Range<usize>, faults: &mut Faults) {
    let message = error.message();
    if let Some((word, expected)) = message.strip_prefix("unknown variant `").and_then(|rest| rest.split_once('`')) {
        return report_word(word, &quoted_in(expected), span, faults);
    }
    let Some((key, expected)) = message.strip_prefix(UNKNOWN).and_then(|rest| rest.split_once('`')) else {
        return faults.add(span, plain(message));
    };
    let siblings = siblings_of(root, &span);
    let known = quoted_in(expected);
    let beside = match siblings {
        Some(Siblings::OfNetwork) => &NETWORK_KEYS[..],
        Some(Siblings::OfInterface) => &INTERFACE_KEYS[..],
        None => &[],
    };
    // Options that are set apart have keys that nobody may write.
    let hidden = |word: &&str| !(*word == "bridge" && known.contains(&"subnet"));
    let known: Vec<_> = known.iter().copied().filter(hidden).chain(beside.iter().copied()).collect();
    let hint = match nearest(key, known.iter().copied()) {
        Some(meant) => format!("did you mean '{meant}'?"),
        None => format!("what can be said here: {}", known.join(", ")),
    };
    faults.advise(span, format!("there is no key '{}' here", escaped(key.as_bytes())), hint);
}

fn report_word(word: &str, known: &[&str], span: Range<usize>, faults: &mut Faults) {
    // Pairs come of networks and links.
    let known: Vec<&str> = known.iter().copied().filter(|word| !PAIRS.contains(word)).collect();
    let message = format!("'{}' is none of {}", escaped(word.as_bytes()), known.join(", "));
    match nearest(word, known.iter().copied()) {
        Some(meant) => faults.advise(span, message, format!("did you mean '{meant}'?")),
        None => faults.add(span, message),
    }
}

/// The words that serde has in its quotes.
fn quoted_in(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// serde's sentences in the quotes that nsnet has, on one line.
fn plain(message: &str) -> String {
    if message.starts_with(CHOICE) {
        return "exactly one key belongs here".to_owned();
    }
    let message = message.trim_end().replace('`', "'").replace("a sequence", "a list").replace("a map", "a table");
    // "struct Node" is a table to whom writes it.
    let message = match message.split_once("expected struct ") {
        Some((found, _)) => format!("{found}expected a table"),
        None => message,
    };
    let message = NUMBERS.iter().fold(message, |text, (name, words)| text.replace(name, words));
    escaped(message.as_bytes())
}

/// What Rust calls numbers, and people do not.
const NUMBERS: [(&str, &str); 3] = [
    ("expected u32", "expected a number from 0 to 4294967295"),
    ("expected u16", "expected a number from 0 to 65535"),
    ("expected u8", "expected a number from 0 to 255"),
];

/// Whose options a key stands among.
enum Siblings {
    OfNetwork,
    OfInterface,
}

fn siblings_of(root: &DeTable<'_>, span: &Range<usize>) -> Option<Siblings> {
    let among =
        |options: Option<&DeTable<'_>>| options.is_some_and(|table| table.keys().any(|key| key.span() == *span));
    let of_network = |network: &DeTable<'_>| among(table_in(network, "bridge"));
    let of_interface = |interface: &DeTable<'_>| {
        let kind = table_in(interface, "kind");
        kind.is_some_and(|kind| kind.values().any(|options| among(options.get_ref().as_table())))
    };
    if tables_in(root, "networks").any(of_network) {
        return Some(Siblings::OfNetwork);
    }
    let mut interfaces = tables_in(root, "nodes").flat_map(|node| tables_in(node, "interfaces"));
    interfaces.any(of_interface).then_some(Siblings::OfInterface)
}

fn table_in<'a, 'i>(table: &'a DeTable<'i>, key: &str) -> Option<&'a DeTable<'i>> {
    table.get(key)?.get_ref().as_table()
}

fn tables_in<'a, 'i>(table: &'a DeTable<'i>, key: &str) -> impl Iterator<Item = &'a DeTable<'i>> {
    table_in(table, key).into_iter().flat_map(|table| table.values()).filter_map(|value| value.get_ref().as_table())
}

/// Options of kinds stand beside the keys that all interfaces have, and those of switches beside the
/// keys that all networks have. serde gets them apart, because it would forget their places.
fn set_options_apart(root: &mut DeTable<'_>, faults: &mut Faults) {
    for network in tables_of(root, "networks") {
        let span = network.span();
        let DeValue::Table(table) = network.get_mut() else { continue };
        if let Some(options) = take_others(table, &NETWORK_KEYS) {
            table.insert(key("bridge"), Spanned::new(span, DeValue::Table(options)));
        }
    }
    for node in tables_of(root, "nodes") {
        let DeValue::Table(node) = node.get_mut() else { continue };
        for interface in tables_of(node, "interfaces") {
            if let DeValue::Table(table) = interface.get_mut() {
                set_kind_apart(table, faults);
            }
        }
    }
}

fn set_kind_apart(interface: &mut DeTable<'_>, faults: &mut Faults) {
    let Some(kind) = interface.get("kind") else { return };
    let span = kind.span();
    let Some(said) = kind.get_ref().as_str().map(str::to_owned) else { return };
    let options = take_others(interface, &INTERFACE_KEYS).unwrap_or_default();
    let Some(word) = meant_kind(&said) else {
        // serde will say so; what its options are is not known.
        return;
    };
    if word != said {
        report_word(&said, &Kind::WORDS, span.clone(), faults);
        interface.insert(key("kind"), Spanned::new(span.clone(), DeValue::String(word.clone().into())));
    }
    if BARE_KINDS.contains(&word.as_str()) {
        for key in options.keys() {
            let name = escaped(key.get_ref().as_bytes());
            faults.advise(
                key.span(),
                format!("there is no key '{name}' here"),
                format!("the kind '{word}' has no options; what can be said here: {}", INTERFACE_KEYS.join(", ")),
            );
        }
        return;
    }
    let word = Spanned::new(span.clone(), DeString::Owned(word));
    let kind: DeTable<'_> = [(word, Spanned::new(span.clone(), DeValue::Table(options)))].into_iter().collect();
    interface.insert(key("kind"), Spanned::new(span, DeValue::Table(kind)));
}

/// The kind of this name, or the one that it is a slip of: the rest of the file is checked as if it had been said.
fn meant_kind(said: &str) -> Option<String> {
    let kinds = Kind::WORDS.into_iter().filter(|word| !PAIRS.contains(word));
    let meant = if Kind::WORDS.contains(&said) { Some(said) } else { nearest(said, kinds) };
    meant.map(str::to_owned)
}

fn key(text: &str) -> Spanned<DeString<'static>> {
    Spanned::new(NOWHERE, DeString::Owned(text.to_owned()))
}

fn tables_of<'a, 'i>(table: &'a mut DeTable<'i>, key: &str) -> impl Iterator<Item = &'a mut Spanned<DeValue<'i>>> {
    let inner = match table.get_mut(key).map(Spanned::get_mut) {
        Some(DeValue::Table(table)) => Some(table),
        _ => None,
    };
    inner.into_iter().flat_map(|table| table.iter_mut().map(|(_, value)| value))
}

/// Takes out what is under other keys than these, if anything is.
fn take_others<'i>(table: &mut DeTable<'i>, keys: &[&str]) -> Option<DeTable<'i>> {
    let (own, others) = std::mem::take(table).into_iter().partition(|(key, _)| keys.contains(&key.get_ref().as_ref()));
    *table = own;
    Some(others).filter(|others: &DeTable<'_>| !others.is_empty())
}

/// Takes out what is at this place: the innermost, where several begin and end there. Returns the keys
/// that lead to it, the last one first.
fn prune_table(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<Vec<String>> {
    let within = |(key, value): (&Spanned<DeString<'_>>, &mut Spanned<DeValue<'_>>)| {
        let mut keys = prune_value(value.get_mut(), span)?;
        keys.push(key.get_ref().clone().into_owned());
        Some(keys)
    };
    if let Some(keys) = table.iter_mut().find_map(within) {
        return Some(keys);
    }
    let at = table.iter().find(|(key, value)| key.span() == *span || value.span() == *span);
    let key = at.map(|(key, _)| key.get_ref().clone().into_owned())?;
    table.remove(key.as_str());
    Some(vec![key])
}

fn prune_value(value: &mut DeValue<'_>, span: &Range<usize>) -> Option<Vec<String>> {
    let array = match value {
        DeValue::Table(table) => return prune_table(table, span),
        DeValue::Array(array) => array,
        _ => return None,
    };
    if let Some(keys) = array.iter_mut().find_map(|item| prune_value(item.get_mut(), span)) {
        return Some(keys);
    }
    let before = array.len();
    let items = std::mem::replace(array, DeArray::new());
    *array = items.into_iter().filter(|item| item.span() != *span).collect();
    (array.len() < before).then(Vec::new)
}
