//! `link`: ip's words for links.

use std::ffi::OsString;

use super::{
    Asked, Misuse,
    grammar::{Cursor, Summary, asks_for_help, command, help},
    link_show::{self, Filter},
};
use crate::iproute2::Names;

/// What is asked of links.
#[derive(Debug)]
pub enum Request {
    /// Lists those that fit.
    Show(Filter),
}

#[derive(Clone, Copy)]
enum Verb {
    Show,
    Help,
}

/// In ip's order.
const VERBS: &[(&str, Verb)] = &[("show", Verb::Show), ("lst", Verb::Show), ("list", Verb::Show), ("help", Verb::Help)];

/// All that can be said.
pub fn summaries() -> Vec<Summary> {
    vec![link_show::SHOW.summary()]
}

/// Reads the words behind `link`.
pub fn read(words: &[OsString], names: &Names) -> Result<Asked<Request>, Misuse> {
    if asks_for_help(words) {
        return Ok(Asked::Help(help(&summaries())));
    }
    let (verb, taken) = command("link", VERBS, Verb::Show, words)?;
    let words = &words[taken..];
    match verb {
        Verb::Help => Ok(Asked::Help(help(&summaries()))),
        Verb::Show if asks_for_help(words) => Ok(Asked::Help(link_show::SHOW.summary().to_string())),
        Verb::Show => {
            let mut cursor = Cursor::new(link_show::SHOW.command, words, names, None);
            let mut filter = Filter::default();
            link_show::SHOW.read(&mut filter, &mut cursor)?;
            Ok(Asked::For { request: Request::Show(filter), place: cursor.place })
        }
    }
}
