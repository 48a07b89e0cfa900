//! YAML as a tree with places.

use std::{fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess},
};
use serde_saphyr::{Location, Spanned};

use crate::lab::problem::Faults;

/// A value, and where it is.
#[derive(Debug, Clone)]
pub(super) struct Yaml {
    pub(super) value: Value,
    pub(super) span: Range<usize>,
}

/// A key, where it is, and what stands under it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) span: Range<usize>,
    pub(super) value: Yaml,
}

/// What a value is; scalars are text, whatever they look like.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Nothing,
    Text(String),
    List(Vec<Yaml>),
    Table(Vec<Entry>),
}

/// Reads a text; nothing where it is no YAML.
pub(super) fn parse(text: &str, faults: &mut Faults) -> Option<Yaml> {
    match serde_saphyr::from_str::<Spanned<Raw>>(text) {
        Ok(root) => Some(placed(root, text)),
        Err(error) => {
            let span = error.location().map_or(0..0, |location| span(location, text, 1));
            let message = error.to_string();
            let first = message.lines().next().unwrap_or_default();
            // Where it is, is said otherwise.
            let first =
                first.strip_prefix("error: line ").and_then(|rest| Some(rest.split_once(": ")?.1)).unwrap_or(first);
            faults.add(span, format!("this is no YAML: {}", crate::name::escaped(first.as_bytes())));
            None
        }
    }
}

impl Yaml {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a table; none of anything else.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list, or the one that stands in its place.
    pub(super) fn items(&self) -> &[Yaml] {
        match &self.value {
            Value::List(items) => items,
            Value::Nothing => &[],
            _ => std::slice::from_ref(self),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Yaml> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }
}

/// As serde reads it.
enum Raw {
    Nothing,
    Text(String),
    List(Vec<Spanned<Raw>>),
    Table(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn placed(raw: Spanned<Raw>, text: &str) -> Yaml {
    let length = |shown: &str| shown.lines().next().map_or(1, |line| line.chars().count().max(1));
    let at = |columns| span(raw.referenced, text, columns);
    match raw.value {
        Raw::Nothing => Yaml { value: Value::Nothing, span: at(1) },
        Raw::Text(shown) => Yaml { span: at(length(&shown)), value: Value::Text(shown) },
        Raw::List(items) => {
            Yaml { span: at(1), value: Value::List(items.into_iter().map(|item| placed(item, text)).collect()) }
        }
        Raw::Table(entries) => {
            let entry = |(key, value): (Spanned<String>, Spanned<Raw>)| Entry {
                span: span(key.referenced, text, key.value.chars().count()),
                key: key.value,
                value: placed(value, text),
            };
            Yaml { span: at(1), value: Value::Table(entries.into_iter().map(entry).collect()) }
        }
    }
}

/// The bytes of so many characters from a line and a column on.
fn span(location: Location, text: &str, columns: usize) -> Range<usize> {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
    let before: usize = text.split_inclusive('\n').take(number(location.line())).map(str::len).sum();
    let line = text[before..].split('\n').next().unwrap_or_default();
    let byte = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    let (start, end) = (number(location.column()), number(location.column()).saturating_add(columns));
    before + byte(start)..before + byte(end)
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Raw;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Nothing)
            }
            fn visit_none<E>(self) -> Result<Raw, E> {
                Ok(Raw::Nothing)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Text(value.to_string()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Text(value.to_string()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Text(value.to_string()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Text(value.to_string()))
            }
            fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
                Ok(Raw::Text(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Raw::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Raw::Table(entries))
            }
        }
        from.deserialize_any(Visitor)
    }
}
