//! Names, checked once at the door and trusted afterwards.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    str::FromStr,
    sync::Arc,
};

use serde::{Serialize, Serializer};

use crate::error::{Error, Result};

/// Shows a name in quotes, with what a terminal would act on escaped.
pub(crate) fn quoted(name: &OsStr) -> String {
    format!("'{}'", escaped(name.as_bytes()))
}

/// Bytes as text that no terminal acts on: control characters, those that turn the direction of
/// writing, bytes that are not UTF-8, and the backslash of these escapes are escaped, so that different bytes never look the same.
#[must_use]
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || c == '\\' || turns_direction(c) {
                text.extend(c.escape_default());
            } else {
                text.push(c);
            }
        }
        text.extend(chunk.invalid().iter().flat_map(|byte| std::ascii::escape_default(*byte)).map(char::from));
    }
    text
}

/// Characters that make a terminal write what follows backwards: others would be read than are there.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The name of a network namespace: a file name in `/run/netns`.
///
/// Checked as `ip netns` checks it: 1 to 255 bytes, no `/`, not `.` or `..`. Everything else is
/// legal, also spaces, newlines and bytes that are not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NsName(OsString);

impl NsName {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// `Invalid` if no namespace can have this name.
    pub fn new(name: impl Into<OsString>) -> Result<Self> {
        let name = name.into();
        let problem = match name.as_bytes() {
            b"" => "it is empty",
            b"." | b".." => "it is a directory reference",
            bytes if bytes.len() > 255 => "it is longer than 255 bytes",
            bytes if bytes.contains(&b'/') => "it contains '/'",
            bytes if bytes.contains(&0) => "it contains a NUL byte",
            _ => return Ok(Self(name)),
        };
        Err(Error::invalid("use namespace name", quoted(&name), problem))
    }

    /// Whether it reads `pid:N`, which always means a process (see [`NsRef`]). Other tools can make
    /// such names; nsnet lists them, and makes none.
    pub(crate) fn reads_as_pid(&self) -> bool {
        pid_of(self.0.as_bytes()).is_some()
    }

    /// The name as a file name.
    #[must_use]
    pub fn as_os_str(&self) -> &OsStr {
        &self.0
    }
}

impl FromStr for NsName {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

/// In quotes, control characters and bytes that are not UTF-8 escaped.
impl fmt::Display for NsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(&self.0))
    }
}

/// What a user may write where a namespace is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NsRef {
    /// `.`, or nothing: the namespace of the calling thread.
    Current,
    /// `red`: a name in `/run/netns`.
    Name(NsName),
    /// `/proc/1/ns/net`: an absolute path of a namespace file.
    Path(PathBuf),
    /// `pid:42`: the namespace of that process.
    Pid(u32),
    /// `campus/r1`: a node of a lab. Only what is marked as that is meant.
    Node(LabName, NodeName),
}

impl NsRef {
    /// Tells a name, a path, `pid:N` and `.` apart.
    ///
    /// # Errors
    ///
    /// `Invalid` if it is none of them.
    pub fn new(text: impl Into<OsString>) -> Result<Self> {
        let text = text.into();
        match text.as_bytes() {
            b"." => Ok(Self::Current),
            [b'/', ..] => Ok(Self::Path(text.into())),
            bytes => match pid_of(bytes) {
                Some(0) => Err(Error::invalid("use process", quoted(&text), "no process can have this id")),
                Some(pid) => Ok(Self::Pid(pid)),
                None => match node_of(&text) {
                    Some((lab, node)) => Ok(Self::Node(lab, node)),
                    None => NsName::new(text).map(Self::Name),
                },
            },
        }
    }

    /// The name, where it is one.
    #[must_use]
    pub fn name(&self) -> Option<&NsName> {
        match self {
            Self::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The name in `/run/netns` that it leads to, where it does: of a node, that of its namespace.
    #[must_use]
    pub fn ns_name(&self) -> Option<NsName> {
        match self {
            Self::Name(name) => Some(name.clone()),
            Self::Node(lab, node) => Some(lab.ns_name_of(node.as_str())),
            _ => None,
        }
    }
}

impl FromStr for NsRef {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl From<NsName> for NsRef {
    fn from(name: NsName) -> Self {
        Self::Name(name)
    }
}

/// Names and paths in quotes; the current namespace in words.
impl fmt::Display for NsRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("the current namespace"),
            Self::Name(name) => name.fmt(f),
            Self::Path(path) => f.write_str(&quoted(path.as_os_str())),
            Self::Pid(pid) => write!(f, "'pid:{pid}'"),
            Self::Node(lab, node) => write!(f, "'{}/{}'", lab.as_str(), node.as_str()),
        }
    }
}

/// The lab and the node of `LAB/NODE`.
fn node_of(text: &OsStr) -> Option<(LabName, NodeName)> {
    let (lab, node) = text.to_str()?.split_once('/')?;
    Some((lab.parse().ok()?, node.parse().ok()?))
}

/// The number of `pid:N`; 0 where no process can have it.
fn pid_of(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"pid:")?;
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    if !all_digits {
        return None;
    }
    Some(std::str::from_utf8(digits).ok()?.parse().unwrap_or(0))
}

/// The name of a network interface, as a user may choose it.
///
/// 1 to 15 bytes, none of `/`, `:`, `%` or whitespace, not `.` or `..`. The kernel would take `%`
/// (`veth%d` is a pattern to it), but then the name made is not the name asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfName(Arc<str>);

impl IfName {
    /// The longest name the kernel takes, in bytes.
    pub const MAX_BYTES: usize = 15;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IfName {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let bad = |c: char| matches!(c, '/' | ':' | '%' | '\0') || c.is_whitespace();
        let problem = match text {
            "" => "it is empty",
            "." | ".." => "it is a directory reference",
            _ if text.len() > Self::MAX_BYTES => "it is longer than 15 bytes",
            _ if text.contains(bad) => "it contains '/', ':', '%', whitespace or NUL",
            _ => return Ok(Self(text.into())),
        };
        Err(Error::invalid("use interface name", quoted(OsStr::new(text)), problem))
    }
}

impl Serialize for IfName {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        self.as_str().serialize(to)
    }
}

/// In quotes, control characters escaped.
impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(OsStr::new(self.as_str())))
    }
}

/// The name of a lab: letters, digits, `_` and `-`, the first a letter or a digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabName(String);

/// The name of a node of a lab, of the same letters as [`LabName`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

impl LabName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of one of its namespaces, `LAB.NODE`.
    pub(crate) fn ns_name_of(&self, node: &str) -> NsName {
        NsName(format!("{}.{node}", self.0).into())
    }

    /// The note on `lo` by which one of its namespaces is known: `nsnet:lab=campus node=r1`.
    pub(crate) fn note_of(&self, node: &str) -> String {
        format!("nsnet:lab={} node={node}", self.0)
    }
}

impl NodeName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LabName {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        lab_word("use lab name", text).map(Self)
    }
}

impl FromStr for NodeName {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        lab_word("use node name", text).map(|word| Self(word.into()))
    }
}

impl Serialize for LabName {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        self.as_str().serialize(to)
    }
}

/// In quotes.
impl fmt::Display for LabName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(OsStr::new(&self.0)))
    }
}

impl Serialize for NodeName {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        self.as_str().serialize(to)
    }
}

/// In quotes.
impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quoted(OsStr::new(self.as_str())))
    }
}

/// Neither holds a dot, so that `LAB.NODE` is never ambiguous. A namespace name has 255 bytes for both.
fn lab_word(op: &'static str, text: &str) -> Result<String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let problem = match text {
        "" => "it is empty",
        _ if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) => "it does not begin with a letter or a digit",
        _ if !text.chars().all(good) => "it holds something else than letters, digits, '_' and '-'",
        _ if text.len() > 64 => "it is longer than 64 bytes",
        _ => return Ok(text.to_owned()),
    };
    Err(Error::invalid(op, quoted(OsStr::new(text)), problem))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use proptest::prelude::*;

    use super::*;
    use crate::arbitrary::{bytes, is_plain, ns_refs, text, written};

    #[test]
    fn namespace_names_are_what_ip_takes() {
        for good in ["a", "-x", "a b", "a\nb", "pid:", "pid:x", "...", "a:b=c"] {
            assert!(good.parse::<NsName>().is_ok(), "{good:?}");
        }
        assert!(NsName::new("n".repeat(255)).is_ok());
        assert!(NsName::new(OsStr::from_bytes(b"\xff")).is_ok());
        for bad in ["", ".", "..", "a/b", "/a", "a\0b"] {
            assert!(bad.parse::<NsName>().is_err(), "{bad:?}");
        }
        assert!(NsName::new("n".repeat(256)).is_err());
        assert!("pid:7".parse::<NsName>().unwrap().reads_as_pid());
        assert!(!"pid:7x".parse::<NsName>().unwrap().reads_as_pid());
    }

    #[test]
    fn a_reference_is_a_name_a_path_a_process_or_here() {
        assert_eq!("red".parse::<NsRef>().unwrap(), NsRef::Name("red".parse().unwrap()));
        assert_eq!(".".parse::<NsRef>().unwrap(), NsRef::Current);
        assert_eq!("pid:42".parse::<NsRef>().unwrap(), NsRef::Pid(42));
        assert_eq!("/proc/1/ns/net".parse::<NsRef>().unwrap(), NsRef::Path("/proc/1/ns/net".into()));
        let node = NsRef::Node("campus".parse().unwrap(), "r1".parse().unwrap());
        assert_eq!("campus/r1".parse::<NsRef>().unwrap(), node);
        for bad in ["", "a/b/c", "a/", "a/..", "pid:0", "pid:4294967296", ".."] {
            assert!(bad.parse::<NsRef>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn interface_names_are_what_the_kernel_takes_less_patterns() {
        for good in ["a", "eth0", "veth0.100", "a-b_c@d", "fifteen-bytes-x"] {
            assert!(good.parse::<IfName>().is_ok(), "{good:?}");
        }
        for bad in ["", ".", "..", "sixteen-bytes-xx", "a b", "a/b", "a:b", "veth%d", "a\tb", "a\0"] {
            assert!(bad.parse::<IfName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn labs_and_nodes_are_plain_words() {
        for good in ["a", "1", "r-1_x", &"n".repeat(64)] {
            assert!(good.parse::<LabName>().is_ok() && good.parse::<NodeName>().is_ok(), "{good:?}");
        }
        for bad in ["", "-a", "_a", "a.b", "a/b", "~sw", ".", "a b", "ä", &"n".repeat(65)] {
            assert!(bad.parse::<LabName>().is_err() && bad.parse::<NodeName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn quoting_leaves_nothing_for_a_terminal_to_act_on() {
        assert_eq!(quoted(OsStr::from_bytes(b"a\x1b[2J\n\xffz")), r"'a\u{1b}[2J\n\xffz'");
    }

    proptest! {
        #[test]
        fn a_namespace_name_is_kept_as_it_is_or_refused_in_plain_text(bytes in bytes()) {
            match NsName::new(OsStr::from_bytes(&bytes)) {
                Ok(name) => prop_assert_eq!(name.as_os_str().as_bytes(), &bytes),
                Err(error) => prop_assert!(is_plain(&error), "{error:?}"),
            }
        }

        #[test]
        fn an_interface_name_is_kept_as_it_is_or_refused_in_plain_text(text in text()) {
            match text.parse::<IfName>() {
                Ok(name) => prop_assert_eq!(name.as_str(), &text),
                Err(error) => prop_assert!(is_plain(&error), "{error:?}"),
            }
        }

        #[test]
        fn a_reference_reads_back_as_it_was_written(ns in ns_refs()) {
            prop_assert_eq!(NsRef::new(OsString::from_vec(written(&ns))).unwrap(), ns);
        }

        #[test]
        fn what_is_no_reference_is_refused_in_plain_text(bytes in bytes()) {
            if let Err(error) = NsRef::new(OsString::from_vec(bytes)) {
                prop_assert!(is_plain(&error), "{error:?}");
            }
        }

        #[test]
        fn escaped_text_has_no_control_characters_and_tells_different_bytes_apart(bytes in bytes()) {
            prop_assert!(!escaped(&bytes).contains(char::is_control));
            prop_assert_eq!(unescaped(&escaped(&bytes)), bytes);
        }
    }

    /// Undoes Rust's escapes; where this is possible, no two texts are escaped alike.
    fn unescaped(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some((before, escape)) = rest.split_once('\\') {
            bytes.extend(before.as_bytes());
            let (kind, tail) = escape.split_at(1);
            rest = tail;
            match kind {
                "n" => bytes.push(b'\n'),
                "t" => bytes.push(b'\t'),
                "r" => bytes.push(b'\r'),
                "\\" => bytes.push(b'\\'),
                "x" => {
                    let (digits, tail) = tail.split_at(2);
                    bytes.push(u8::from_str_radix(digits, 16).unwrap());
                    rest = tail;
                }
                _ => {
                    let (digits, tail) = tail.strip_prefix('{').unwrap().split_once('}').unwrap();
                    let c = char::from_u32(u32::from_str_radix(digits, 16).unwrap()).unwrap();
                    bytes.extend(c.to_string().as_bytes());
                    rest = tail;
                }
            }
        }
        bytes.extend(rest.as_bytes());
        bytes
    }
}
