//! JSON as the tree that TOML is read into, with the same places: one model serves both.

use std::{fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess},
};
use serde_json::value::RawValue;
use toml::{
    Spanned,
    de::{DeArray, DeString, DeTable, DeValue},
};

use crate::{lab::problem::Faults, name::escaped};

/// Deeper than any lab file: what is deeper would only use up the stack.
const DEEPEST: usize = 32;

/// Reads a text; what has no place in a lab file becomes a problem, and is left out. Nothing where it
/// is no JSON.
pub(super) fn parse<'i>(text: &'i str, faults: &mut Faults) -> Option<DeTable<'i>> {
    let mut reader = Reader { text, faults };
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => match reader.value(raw, 0).map(Spanned::into_inner) {
            Some(DeValue::Table(table)) => Some(table),
            _ => None,
        },
        Err(error) => {
            let at = offset(text, error.line(), error.column());
            let message = error.to_string();
            // Where it is, is said otherwise.
            let message = message.split(" at line ").next().unwrap_or_default();
            reader.faults.add(at..at + 1, format!("this is no JSON: {message}"));
            None
        }
    }
}

/// The byte of a line and a column, which serde counts in bytes.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let lines: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (lines + column.saturating_sub(1)).min(text.len())
}

struct Reader<'i, 'f> {
    text: &'i str,
    faults: &'f mut Faults,
}

impl<'i> Reader<'i, '_> {
    fn value(&mut self, raw: &'i RawValue, depth: usize) -> Option<Spanned<DeValue<'i>>> {
        let span = self.span(raw.get());
        if depth > DEEPEST {
            self.faults.add(span, format!("this is nested deeper than {DEEPEST} times"));
            return None;
        }
        let value = match raw.get().as_bytes().first()? {
            b'{' => DeValue::Table(self.table(raw, depth)?),
            b'[' => DeValue::Array(self.array(raw, depth)?),
            b'"' => DeValue::String(serde_json::from_str::<String>(raw.get()).ok()?.into()),
            b't' => DeValue::Boolean(true),
            b'f' => DeValue::Boolean(false),
            b'n' => {
                self.faults.advise(span, "a lab file has no null", "leave the key out");
                return None;
            }
            // A number of JSON is one of TOML, too.
            _ => match DeValue::parse(raw.get()) {
                Ok(number) => number.into_inner(),
                Err(_) => {
                    self.faults.add(span, "this number cannot be used");
                    return None;
                }
            },
        };
        Some(Spanned::new(span, value))
    }

    fn table(&mut self, raw: &'i RawValue, depth: usize) -> Option<DeTable<'i>> {
        let Entries(entries) = serde_json::from_str(raw.get()).ok()?;
        let mut table = DeTable::new();
        for (key, value) in entries {
            let key = self.key(&key, value);
            if table.contains_key(key.get_ref().as_ref()) {
                let name = escaped(key.get_ref().as_bytes());
                self.faults.add(key.span(), format!("the key '{name}' is given twice"));
            } else if let Some(value) = self.value(value, depth + 1) {
                table.insert(key, value);
            }
        }
        Some(table)
    }

    fn array(&mut self, raw: &'i RawValue, depth: usize) -> Option<DeArray<'i>> {
        let items: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
        Some(items.into_iter().filter_map(|item| self.value(item, depth + 1)).collect())
    }

    /// The key before a value, with its place.
    fn key(&self, key: &str, value: &'i RawValue) -> Spanned<DeString<'i>> {
        let value_start = self.span(value.get()).start;
        // Between a key and its value are a colon and blanks.
        let end = self.text[..value_start].trim_end_matches(|c: char| c == ':' || c.is_ascii_whitespace()).len();
        let quoted = serde_json::to_string(key).unwrap_or_default().len();
        // A key that is escaped in another way than serde would is pointed at by its last letters.
        let start = end.saturating_sub(quoted);
        Spanned::new(start..end, DeString::Owned(key.to_owned()))
    }

    /// Where a part of the text is.
    fn span(&self, part: &str) -> Range<usize> {
        let start = part.as_ptr() as usize - self.text.as_ptr() as usize;
        start..start + part.len()
    }
}

/// The entries of an object, in their order.
struct Entries<'i>(Vec<(String, &'i RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        from.deserialize_map(Visitor)
    }
}
