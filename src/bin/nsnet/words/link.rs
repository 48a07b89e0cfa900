//! `link`: ip's words for links.

use std::ffi::OsString;

use super::{
    Asked, Misuse,
    grammar::{Cursor, Summary, Table, asks_for_help, command, help},
    kind,
    link_add::{self, Words},
    link_set::{self, Delete, Property, Set},
    link_show::{self, Filter},
};
use crate::iproute2::Names;

/// What is asked of links.
#[derive(Debug)]
pub enum Request {
    /// Lists those that fit.
    Show(Filter),
    Add(Box<Words>),
    Set(Box<Set>),
    Delete(Delete),
    AddNames(Property),
    DeleteNames(Property),
}

#[derive(Clone, Copy)]
enum Verb {
    Show,
    Add,
    Set,
    Delete,
    Property,
    Help,
}

/// In ip's order.
const VERBS: &[(&str, Verb)] = &[
    ("add", Verb::Add),
    ("set", Verb::Set),
    ("change", Verb::Set),
    ("delete", Verb::Delete),
    ("show", Verb::Show),
    ("lst", Verb::Show),
    ("list", Verb::Show),
    ("property", Verb::Property),
    ("help", Verb::Help),
];

#[derive(Clone, Copy)]
enum Change {
    Add,
    Delete,
}

/// All that can be said.
pub fn summaries() -> Vec<Summary> {
    let commands = [
        link_show::SHOW.summary(),
        link_add::ADD.summary(),
        link_set::SET.summary(),
        link_set::DELETE.summary(),
        link_set::PROPERTY.summary(),
        link_set::PORT.summary(),
    ];
    commands.into_iter().chain(kind::summaries()).collect()
}

/// Reads the words behind `link`.
pub fn read(words: &[OsString], names: &Names) -> Result<Asked<Request>, Misuse> {
    if asks_for_help(words) {
        return Ok(Asked::Help(help(&summaries())));
    }
    let (verb, taken) = command("link", VERBS, Verb::Show, words)?;
    let words = &words[taken..];
    match verb {
        Verb::Help => Ok(Asked::Help(kind_help(words).unwrap_or_else(|| help(&summaries())))),
        Verb::Show => ask(&link_show::SHOW, words, names, |c| {
            let mut filter = Filter::default();
            link_show::SHOW.read(&mut filter, c)?;
            Ok(Request::Show(filter))
        }),
        Verb::Add => ask(&link_add::ADD, words, names, |c| Ok(Request::Add(Box::new(link_add::read(c)?)))),
        Verb::Set => ask(&link_set::SET, words, names, |c| Ok(Request::Set(Box::new(link_set::read_set(c)?)))),
        Verb::Delete => ask(&link_set::DELETE, words, names, |c| Ok(Request::Delete(link_set::read_delete(c)?))),
        Verb::Property => property(words, names),
    }
}

fn property(words: &[OsString], names: &Names) -> Result<Asked<Request>, Misuse> {
    if words.is_empty() || asks_for_help(words) {
        return Ok(Asked::Help(link_set::PROPERTY.summary().to_string()));
    }
    let (what, taken) =
        command("link property", &[("add", Change::Add), ("delete", Change::Delete)], Change::Add, words)?;
    ask(&link_set::PROPERTY, &words[taken..], names, |c| {
        let property = link_set::read_property(c)?;
        Ok(match what {
            Change::Add => Request::AddNames(property),
            Change::Delete => Request::DeleteNames(property),
        })
    })
}

/// Reads the words of one command; `help` among them asks what could be said.
fn ask<T>(
    table: &Table<T>,
    words: &[OsString],
    names: &Names,
    read: impl FnOnce(&mut Cursor<'_>) -> Result<Request, Misuse>,
) -> Result<Asked<Request>, Misuse> {
    if asks_for_help(words) {
        return Ok(Asked::Help(table.summary().to_string()));
    }
    if let [.., keyword, kind, word] = words
        && keyword == "type"
        && word == "help"
        && let Some(text) = kind.to_str().and_then(kind::help_of)
    {
        return Ok(Asked::Help(text));
    }
    let mut cursor = Cursor::new(table.command, words, names, None);
    let request = read(&mut cursor)?;
    Ok(Asked::For { request, place: cursor.place })
}

/// `link help KIND`.
fn kind_help(words: &[OsString]) -> Option<String> {
    match words {
        [kind] => kind::help_of(kind.to_str()?),
        _ => None,
    }
}
