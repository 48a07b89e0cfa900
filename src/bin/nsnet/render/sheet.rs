//! One object in ip's way: the same fields as text and as JSON, in one order.

use std::{
    fmt::{Display, Write as _},
    io::{self, Write},
};

use nsnet::name::escaped;
use serde_json::{Map, Value};

use super::{Format, Style};
use crate::iproute2::Names;

/// What of an object is shown, and how.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of ip's")]
pub struct View<'a> {
    pub brief: bool,
    /// One line an object: `\` stands for the end of a line.
    pub oneline: bool,
    pub details: bool,
    /// How often `-s` was given.
    pub statistics: u8,
    /// Sizes for people, in powers of 1,000, or of 1,024 with `iec`.
    pub human: bool,
    pub iec: bool,
    pub style: Style,
    pub names: &'a Names,
}

impl<'a> View<'a> {
    /// What is shown unless asked otherwise.
    pub fn plain(style: Style, names: &'a Names) -> Self {
        Self { brief: false, oneline: false, details: false, statistics: 0, human: false, iec: false, style, names }
    }
}

/// An object that is being written.
pub struct Sheet<'a> {
    pub view: View<'a>,
    text: String,
    object: Map<String, Value>,
}

impl<'a> Sheet<'a> {
    pub fn new(view: View<'a>) -> Self {
        Self { view, text: String::new(), object: Map::new() }
    }

    /// A field of both forms.
    pub fn both(&mut self, key: &str, value: impl Into<Value>, text: impl Display) {
        self.json(key, value);
        self.text(text);
    }

    /// Words that only text has.
    pub fn text(&mut self, text: impl Display) {
        // A String takes everything.
        let _ = write!(self.text, "{text}");
    }

    /// A field that only JSON has.
    pub fn json(&mut self, key: &str, value: impl Into<Value>) {
        self.object.insert(key.to_owned(), value.into());
    }

    /// A word that JSON has as a key without a value, as ip does.
    pub fn word(&mut self, key: &str, text: impl Display) {
        self.both(key, Value::Null, text);
    }

    /// Words one after the other, which JSON has as a list.
    pub fn list(&mut self, key: &str, words: Vec<&'static str>) {
        for word in &words {
            self.text(format_args!("{word} "));
        }
        self.json(key, words);
    }

    /// Ends a line of text.
    pub fn line(&mut self) {
        self.text.push(if self.view.oneline { '\\' } else { '\n' });
    }

    /// Ends a line of text also where an object is one line: what follows stands alone. Nothing where
    /// there is no text yet.
    pub fn next(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    /// Fields that are an object of their own in JSON, and text like any other.
    pub fn object(&mut self, key: &str, fill: impl FnOnce(&mut Self)) {
        let inner = self.apart(fill);
        self.json(key, inner);
    }

    /// The same for each of many, in an array.
    pub fn objects<T>(&mut self, key: &str, items: &[T], fill: impl Fn(&mut Self, &T)) {
        let inner: Vec<Value> = items.iter().map(|item| self.apart(|sheet| fill(sheet, item))).collect();
        self.json(key, inner);
    }

    fn apart(&mut self, fill: impl FnOnce(&mut Self)) -> Value {
        let outer = std::mem::take(&mut self.object);
        fill(self);
        Value::Object(std::mem::replace(&mut self.object, outer))
    }

    /// Other people's text, harmless to a terminal.
    pub fn safe(&self, text: &str) -> String {
        if self.view.style.escape { escaped(text.as_bytes()) } else { text.to_owned() }
    }
}

/// Each object as JSON.
pub fn values<'a, T>(view: View<'a>, objects: &[T], fill: impl Fn(&mut Sheet<'a>, &T)) -> Vec<Value> {
    sheets(view, objects, fill).map(|sheet| Value::Object(sheet.object)).collect()
}

/// The text of each object that has any.
pub fn texts<'a, T>(view: View<'a>, objects: &[T], fill: impl Fn(&mut Sheet<'a>, &T)) -> Vec<String> {
    sheets(view, objects, fill).map(|sheet| sheet.text).filter(|text| !text.is_empty()).collect()
}

fn sheets<'a, 'o, T>(
    view: View<'a>,
    objects: &'o [T],
    fill: impl Fn(&mut Sheet<'a>, &T) + 'o,
) -> impl Iterator<Item = Sheet<'a>> + 'o
where
    'a: 'o,
{
    objects.iter().map(move |object| {
        let mut sheet = Sheet::new(view);
        fill(&mut sheet, object);
        sheet
    })
}

/// Writes all objects: a document of JSON, or the text of one after the other that has any.
pub fn write<'a, T>(
    out: &mut impl Write,
    format: Format,
    view: View<'a>,
    objects: &[T],
    fill: impl Fn(&mut Sheet<'a>, &T),
) -> io::Result<()> {
    if format.json {
        return super::json::document(out, format.pretty, &values(view, objects, fill));
    }
    texts(view, objects, fill).iter().try_for_each(|text| writeln!(out, "{text}"))
}
