//! A tree of text: each box, its rows, and where they lead.

use std::fmt::Write as _;

use super::{Drift, End, Picture, Row};
use crate::render::Style;

pub fn tree(picture: &Picture, style: Style) -> String {
    let mut text = String::new();
    for at in 0..picture.boxes.len() {
        Tree { picture, at, style }.write(&mut text);
    }
    text
}

struct Tree<'a> {
    picture: &'a Picture,
    at: usize,
    style: Style,
}

impl Tree<'_> {
    fn write(&self, text: &mut String) {
        let itself = &self.picture.boxes[self.at];
        text.push_str(&drifted(self.style, itself.drift, &self.style.bold(&itself.title)));
        if !itself.note.is_empty() {
            // A String takes everything.
            let _ = write!(text, "  {}", itself.note);
        }
        text.push('\n');
        self.branch(text, None, "");
    }

    fn branch(&self, text: &mut String, parent: Option<usize>, indent: &str) {
        let rows = &self.picture.boxes[self.at].rows;
        let children: Vec<_> = (0..rows.len()).filter(|&at| rows[at].parent == parent).collect();
        for &child in &children {
            let last = Some(&child) == children.last();
            let _ = writeln!(text, "{indent}{} {}", if last { "└─" } else { "├─" }, self.row(child));
            self.branch(text, Some(child), &format!("{indent}{}  ", if last { " " } else { "│" }));
        }
    }

    fn row(&self, at: usize) -> String {
        let row = &self.picture.boxes[self.at].rows[at];
        let name = if row.is_down { self.style.red(&row.name) } else { row.name.clone() };
        let mut words = vec![drifted(self.style, row.drift, &name)];
        words.extend(row.addrs.iter().cloned());
        words.extend(state_words(row));
        let here = End { at: self.at, row: Some(at) };
        for line in self.picture.lines.iter().filter(|line| line.ends.contains(&here)) {
            let far = line.ends[usize::from(line.ends[0] == here)];
            words.push(if line.is_live { "──" } else { "╌╌" }.into());
            words.extend((!line.kind.is_empty()).then(|| line.kind.to_owned()));
            words.push(self.picture.end_name(far));
            words.extend(line.drift.word().map(|word| format!("({word})")));
        }
        words.join(" ")
    }
}

/// With its sign, in colours.
fn drifted(style: Style, drift: Drift, text: &str) -> String {
    let sign = drift.sign();
    let sign = match drift {
        Drift::None => return text.to_owned(),
        Drift::Missing => style.red(sign),
        Drift::Extra | Drift::Changed => style.yellow(sign),
    };
    format!("{sign}{text}")
}

fn state_words(row: &Row) -> impl Iterator<Item = String> {
    let kind = (!row.kind.is_empty()).then(|| format!("({})", row.kind));
    kind.into_iter().chain(row.is_down.then(|| "down".to_owned()))
}
