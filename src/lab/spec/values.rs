//! Values that a lab file may write in more than one way.

use std::{fmt, marker::PhantomData, ops::Range, time::Duration};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, value::SeqAccessDeserializer},
    ser::{self, SerializeMap},
};
use serde_json::{Map, Value};

use crate::netlink::kind::Kind;

/// A value, and the bytes of the file that it stands in. Only the value counts where two are compared.
#[derive(Debug, Clone)]
pub struct Placed<T> {
    value: T,
    span: Range<usize>,
}

impl<T> Placed<T> {
    /// A value that stands in these bytes.
    pub fn new(span: Range<usize>, value: T) -> Self {
        Self { value, span }
    }

    /// The bytes that it stands in.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The value.
    #[must_use]
    pub fn get_ref(&self) -> &T {
        &self.value
    }

    /// The value, to be changed.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: PartialEq> PartialEq for Placed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Placed<T> {}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::deserialize(from)?;
        Ok(Self { span: spanned.span(), value: spanned.into_inner() })
    }
}

impl<T: Serialize> Serialize for Placed<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(to)
    }
}

/// A table of the file, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table<T>(pub Vec<(Placed<String>, T)>);

impl<T> Table<T> {
    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its entries, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&Placed<String>, &T)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// What stands under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&T> {
        self.0.iter().find(|(known, _)| known.get_ref() == key).map(|(_, value)| value)
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = Table<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Table(entries))
            }
        }
        from.deserialize_map(Visitor(PhantomData))
    }
}

impl<T: Serialize> Serialize for Table<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(key, value)| (key.get_ref(), value)))
    }
}

/// One subnet, or a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subnets {
    /// `subnet = "10.0.0.0/24"`
    One(String),
    /// `subnet = ["10.0.0.0/24", "fd00::/64"]`
    Many(Vec<Placed<String>>),
}

impl<'de> Deserialize<'de> for Subnets {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Subnets;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a subnet such as \"10.0.0.0/24\", or a list of them")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Subnets, E> {
                Ok(Subnets::One(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Subnets, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Subnets::Many)
            }
        }
        from.deserialize_any(Visitor)
    }
}

impl Serialize for Subnets {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(subnet) => subnet.serialize(to),
            Self::Many(subnets) => subnets.serialize(to),
        }
    }
}

/// A command: words, or a line for the shell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Words {
    /// `command = "echo $HOME"`, which `sh -c` is given.
    Line(String),
    /// `command = ["echo", "home"]`, which is run as it is.
    Each(Vec<String>),
}

impl Words {
    /// The words that are run.
    #[must_use]
    pub fn argv(&self) -> Vec<String> {
        match self {
            Self::Line(line) => ["sh", "-c", line].map(str::to_owned).to_vec(),
            Self::Each(words) => words.clone(),
        }
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Words;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a line for the shell, or a list of words")
            }
            fn visit_str<E: de::Error>(self, line: &str) -> Result<Words, E> {
                Ok(Words::Line(line.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Words, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Words::Each)
            }
        }
        from.deserialize_any(Visitor)
    }
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Line(line) => line.serialize(to),
            Self::Each(words) => words.serialize(to),
        }
    }
}

/// What is written into a file below `/proc/sys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting(pub String);

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Setting;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a whole number, or true or false")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Setting, E> {
                Ok(Setting(text.to_owned()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Setting, E> {
                Ok(Setting(number.to_string()))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Setting, E> {
                Ok(Setting(number.to_string()))
            }
            fn visit_bool<E: de::Error>(self, on: bool) -> Result<Setting, E> {
                Ok(Setting(u8::from(on).to_string()))
            }
        }
        from.deserialize_any(Visitor)
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

/// A time: a number of seconds, or one with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(pub Duration);

/// The longest that is waited for anything.
const LONGEST: Duration = Duration::from_hours(24);

impl Wait {
    fn of_seconds(seconds: f64) -> Option<Self> {
        let wait = Duration::try_from_secs_f64(seconds).ok()?;
        (Duration::ZERO < wait && wait <= LONGEST).then_some(Self(wait))
    }

    fn of_text(text: &str) -> Option<Self> {
        let units = [("ms", 0.001), ("s", 1.0), ("m", 60.0)];
        let (number, unit) = units.into_iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, size)))?;
        // What a float may look like, and no time does: signs, 'inf', '1e9'.
        let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        plain.then(|| number.parse::<f64>().ok()).flatten().and_then(|number| Self::of_seconds(number * unit))
    }
}

impl<'de> Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Wait;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time such as 2, 0.5, \"2s\" or \"500ms\", up to a day")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Wait, E> {
                Wait::of_text(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Wait, E> {
                let wait = u32::try_from(seconds).ok().and_then(|seconds| Wait::of_seconds(seconds.into()));
                wait.ok_or_else(|| E::invalid_value(de::Unexpected::Signed(seconds), &self))
            }
            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Wait, E> {
                Wait::of_seconds(seconds).ok_or_else(|| E::invalid_value(de::Unexpected::Float(seconds), &self))
            }
        }
        from.deserialize_any(Visitor)
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.subsec_millis() {
            0 => write!(f, "{}s", self.0.as_secs()),
            _ => write!(f, "{}ms", self.0.as_millis()),
        }
    }
}

impl Serialize for Wait {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

pub(super) fn serialize_some<M: SerializeMap>(
    map: &mut M,
    key: &str,
    value: Option<&impl Serialize>,
) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(key, value))
}

/// Writes the word of a kind, and its options as entries of their own.
pub(in crate::lab) fn serialize_kind<M: SerializeMap>(map: &mut M, kind: &Kind) -> Result<(), M::Error> {
    map.serialize_entry("kind", kind.word())?;
    let value = serde_json::to_value(kind).map_err(ser::Error::custom)?;
    // A kind without options is its word alone.
    value.get(kind.word()).map_or(Ok(()), |options| serialize_entries(map, options))
}

/// Writes those options that are given, each as an entry of its own.
pub(super) fn serialize_options<M: SerializeMap>(map: &mut M, options: &impl Serialize) -> Result<(), M::Error> {
    serialize_entries(map, &serde_json::to_value(options).map_err(ser::Error::custom)?)
}

fn serialize_entries<M: SerializeMap>(map: &mut M, options: &Value) -> Result<(), M::Error> {
    let entries = options.as_object().into_iter().flatten();
    entries
        .map(|(key, value)| (key, given(value)))
        .filter(|(_, value)| !value.is_null())
        .try_for_each(|(key, value)| map.serialize_entry(key, &value))
}

/// Without what is not given in it; nothing where nothing is.
fn given(value: &Value) -> Value {
    let Some(table) = value.as_object() else { return value.clone() };
    let entries = table.iter().filter(|(_, value)| !value.is_null());
    let table: Map<_, _> = entries.map(|(key, value)| (key.clone(), value.clone())).collect();
    if table.is_empty() { Value::Null } else { table.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_of_seconds_or_has_its_unit() {
        for (text, millis) in [("2s", 2_000), ("500ms", 500), ("1.5s", 1_500), ("1m", 60_000), ("24.0s", 24_000)] {
            assert_eq!(Wait::of_text(text), Some(Wait(Duration::from_millis(millis))), "{text}");
        }
        for bad in ["", "s", "2", "2h", "-2s", "0s", "1e3s", "infs", "nans", "2 s", "1441m", "1.2.3s"] {
            assert_eq!(Wait::of_text(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_time_reads_back_as_it_is_written() {
        for text in ["2s", "500ms", "1500ms", "60s"] {
            assert_eq!(Wait::of_text(text).unwrap().to_string(), text);
        }
    }
}
