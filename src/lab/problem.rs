//! What is wrong with a lab file, and where.

use std::{collections::HashMap, fmt, ops::Range};

use serde::Serialize;

use crate::error::Result;

/// Something that is wrong with a lab file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The character of the line, from 1.
    pub column: usize,
    /// How many characters of the line it is about.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// What could be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The bytes of the file that it is about.
    #[serde(skip)]
    pub span: Range<usize>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// A problem before lines are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    span: Range<usize>,
    message: String,
    hint: Option<String>,
}

impl Fault {
    fn and(mut self, more: usize) -> Self {
        if more > 0 {
            self.message = format!("{} (and {more} more like it)", self.message);
        }
        self
    }
}

/// A sentence with nothing in it that differs between the words of a range.
fn without_numbers(message: &str) -> String {
    let word = |word: &str| if word.contains(|c: char| c.is_ascii_digit()) { "#".to_owned() } else { word.to_owned() };
    message.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.0.push(Fault { span, message: message.into(), hint: None });
    }

    pub(super) fn advise(&mut self, span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        self.0.push(Fault { span, message: message.into(), hint: Some(hint.into()) });
    }

    /// The value, or its error as a problem.
    pub(super) fn keep<T>(&mut self, span: Range<usize>, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(span, error.to_string())).ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// In the order of the file, each once; of those that each word of a range has, the first.
    pub(super) fn into_problems(mut self, text: &str) -> Vec<Problem> {
        self.0.sort_by_key(|fault| (fault.span.start, fault.span.end));
        self.0.dedup();
        let mut kept: Vec<(Fault, usize)> = Vec::new();
        let mut known = HashMap::new();
        for fault in self.0 {
            let at = *known.entry((fault.span.clone(), without_numbers(&fault.message))).or_insert(kept.len());
            match kept.get_mut(at) {
                Some((_, more)) => *more += 1,
                None => kept.push((fault, 0)),
            }
        }
        kept.into_iter().map(|(fault, more)| placed(fault.and(more), text)).collect()
    }
}

fn placed(fault: Fault, text: &str) -> Problem {
    let Fault { span, message, hint } = fault;
    let start = text.floor_char_boundary(span.start);
    let end = text.floor_char_boundary(span.end).max(start);
    let before = &text[..start];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let marked = text[start..end].lines().next().unwrap_or_default();
    Problem {
        line: before.matches('\n').count() + 1,
        column: text[line_start..start].chars().count() + 1,
        length: marked.chars().count().max(1),
        message,
        hint,
        span: start..end,
    }
}

/// The word of these that was most likely meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let close = |candidate: &str| distance(word, candidate);
    let best = known.into_iter().map(|candidate| (close(candidate), candidate)).min()?;
    (best.0 <= 1 + word.len() / 4).then_some(best.1)
}

/// How many letters must be put in, taken out or exchanged.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in to.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_counted_in_characters() {
        let mut faults = Faults::default();
        faults.add(6..8, "second");
        faults.add(0..1, "first");
        let problems = faults.into_problems("ab\nää\nc");
        let places: Vec<_> = problems.iter().map(|p| (p.line, p.column, p.length, p.to_string())).collect();
        assert_eq!(places, [(1, 1, 1, "1:1: first".into()), (2, 2, 1, "2:2: second".into())]);
    }

    #[test]
    fn what_each_word_of_a_range_has_is_told_once() {
        let mut faults = Faults::default();
        for node in 1..=200 {
            faults.add(3..4, format!("node 'h{node}' has no address"));
        }
        faults.add(3..4, "node 'x' has no address");
        faults.add(3..5, "node 'h1' has no address");
        let told: Vec<_> = faults.into_problems("abcdefg").into_iter().map(|problem| problem.message).collect();
        let first = "node 'h1' has no address (and 199 more like it)";
        assert_eq!(told, [first, "node 'x' has no address", "node 'h1' has no address"]);
    }

    #[test]
    fn a_place_beyond_the_end_or_within_a_letter_is_no_crash() {
        for span in [0..99, 99..99, 1..2] {
            let mut faults = Faults::default();
            faults.add(span, "x");
            assert_eq!(faults.into_problems("ä\nb").len(), 1);
        }
    }

    #[test]
    fn the_nearest_word_is_one_that_could_have_been_meant() {
        assert_eq!(nearest("subnets", ["members", "subnet"]), Some("subnet"));
        assert_eq!(nearest("forwrad", ["forward", "files"]), Some("forward"));
        assert_eq!(nearest("colour", ["members", "subnet"]), None);
    }
}
