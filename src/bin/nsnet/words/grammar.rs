//! ip's way of reading words: a table of keywords for each command, some with a value, and a place
//! for a word that is no keyword. The tables say all that help says.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    net::IpAddr,
    os::unix::ffi::OsStrExt,
};

use nsnet::{Device, Family, NsRef, Prefix, name::escaped};

use super::Misuse;
use crate::iproute2::{Names, Space};

/// What a word does to the request.
pub type Read<T> = fn(&mut T, &mut Cursor<'_>) -> Result<(), Misuse>;

/// A word of a command.
pub struct Keyword<T: 'static> {
    pub word: &'static str,
    /// Whether ip takes any prefix of it.
    pub prefix: bool,
    /// Whether it may come more than once.
    pub many: bool,
    /// What stands for its value in help; empty where it has none.
    pub value: &'static str,
    /// Empty for another spelling of the keyword before.
    pub help: &'static str,
    pub read: Read<T>,
}

/// A keyword that is written in full.
pub const fn full<T>(word: &'static str, value: &'static str, help: &'static str, read: Read<T>) -> Keyword<T> {
    Keyword { word, prefix: false, many: false, value, help, read }
}

/// A keyword of which ip takes any prefix that no keyword before it has.
pub const fn short<T>(word: &'static str, value: &'static str, help: &'static str, read: Read<T>) -> Keyword<T> {
    Keyword { word, prefix: true, many: false, value, help, read }
}

impl<T> Keyword<T> {
    /// One that may come again and again.
    pub const fn many(self) -> Self {
        Self { many: true, ..self }
    }

    fn fits(&self, word: &[u8], in_full: bool) -> bool {
        let own = self.word.as_bytes();
        if self.prefix && !in_full { !word.is_empty() && own.starts_with(word) } else { own == word }
    }
}

/// What a word is that is no keyword.
pub struct Bare<T: 'static> {
    /// What stands for it in help.
    pub value: &'static str,
    pub help: &'static str,
    /// Whether it comes first: there, only a keyword in full is taken for one, so that a name is
    /// never mistaken for a keyword.
    pub first: bool,
    pub read: Read<T>,
}

/// What may stand behind a command, in the order in which words are compared with it.
pub struct Table<T: 'static> {
    pub command: &'static str,
    pub about: &'static str,
    pub bare: Option<Bare<T>>,
    pub keywords: &'static [Keyword<T>],
}

impl<T> Table<T> {
    /// Reads all words that are left.
    pub fn read(&self, request: &mut T, cursor: &mut Cursor<'_>) -> Result<(), Misuse> {
        self.read_until(request, cursor, |_| false)
    }

    /// Reads words up to one that belongs to somebody else.
    pub fn read_until(
        &self,
        request: &mut T,
        cursor: &mut Cursor<'_>,
        ends: impl Fn(&OsStr) -> bool,
    ) -> Result<(), Misuse> {
        let mut given = vec![false; self.keywords.len()];
        let mut bare_given = false;
        let start = cursor.at;
        while let Some(word) = cursor.peek().filter(|word| !ends(word)) {
            let in_full = cursor.at == start && self.bare.as_ref().is_some_and(|bare| bare.first);
            let found = self.keywords.iter().position(|keyword| keyword.fits(word.as_bytes(), in_full));
            cursor.take();
            match (found, &self.bare) {
                (Some(at), _) => {
                    let keyword = &self.keywords[at];
                    if given[at] && !keyword.many {
                        return Err(cursor.misuse(format!("'{}' is given twice", keyword.word)));
                    }
                    given[at] = true;
                    cursor.keyword = Some((keyword.word, keyword.value));
                    (keyword.read)(request, cursor)?;
                }
                (None, Some(bare)) if !bare_given => {
                    bare_given = true;
                    cursor.keyword = None;
                    (bare.read)(request, cursor)?;
                }
                (None, _) => return Err(cursor.unknown()),
            }
        }
        Ok(())
    }

    /// All that help says.
    pub fn summary(&self) -> Summary {
        let shown = self.keywords.iter().filter(|keyword| !keyword.help.is_empty());
        Summary {
            command: self.command,
            about: self.about,
            bare: self.bare.as_ref().map(|bare| (bare.value, bare.help)),
            keywords: shown.map(|keyword| (keyword.form(), keyword.help)).collect(),
        }
    }
}

/// What can be said to a command.
pub struct Summary {
    pub command: &'static str,
    pub about: &'static str,
    /// What stands for a word that is no keyword, and what it is.
    pub bare: Option<(&'static str, &'static str)>,
    /// Each with what stands for its value.
    pub keywords: Vec<(String, &'static str)>,
}

impl Summary {
    /// `nsnet rule add [PREFIX] [WORD...]`.
    pub fn usage(&self) -> String {
        let bare = self.bare.map_or_else(String::new, |(value, _)| format!(" [{value}]"));
        let words = if self.keywords.is_empty() { "" } else { " [WORD...]" };
        format!("nsnet {}{bare}{words}", self.command)
    }

    /// Each word with what it means, that which is no keyword first.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &str)> {
        let keywords = self.keywords.iter().map(|(form, help)| (form.as_str(), *help));
        self.bare.into_iter().chain(keywords)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WIDEST: usize = 26;
        writeln!(f, "{}\n\nUsage: {}", self.about, self.usage())?;
        let width = self.rows().map(|(form, _)| form.len()).filter(|&width| width <= WIDEST).max().unwrap_or(0);
        for (at, (form, help)) in self.rows().enumerate() {
            let before = if at == 0 { "\n" } else { "" };
            if form.len() > width {
                writeln!(f, "{before}  {form}\n  {:width$}  {help}", "")?;
            } else {
                writeln!(f, "{before}  {form:width$}  {help}")?;
            }
        }
        Ok(())
    }
}

impl<T> Keyword<T> {
    fn form(&self) -> String {
        if self.value.is_empty() { self.word.to_owned() } else { format!("{} {}", self.word, self.value) }
    }
}

/// The words of a command, and how far they were read.
pub struct Cursor<'a> {
    words: &'a [OsString],
    /// The position behind the word that was taken last.
    at: usize,
    command: &'static str,
    /// The keyword whose value is being read, and what stands for that value in help.
    keyword: Option<(&'static str, &'static str)>,
    /// The namespace that a device was placed in.
    pub place: Option<NsRef>,
    /// What `-4`, `-6` or `-f` said.
    pub family: Option<Family>,
    names: &'a Names,
}

impl<'a> Cursor<'a> {
    /// The words behind `command`.
    pub fn new(command: &'static str, words: &'a [OsString], names: &'a Names, family: Option<Family>) -> Self {
        Self { words, at: 0, command, keyword: None, place: None, family, names }
    }

    /// Whether the words ask what could be said instead.
    pub fn asks_for_help(&self) -> bool {
        asks_for_help(self.words)
    }

    /// The next word, which stays.
    pub fn peek(&self) -> Option<&'a OsStr> {
        self.words.get(self.at).map(OsString::as_os_str)
    }

    /// Whether the next word is this one, which is then taken.
    pub fn takes(&mut self, word: &str) -> bool {
        let fits = self.peek().is_some_and(|next| next == word);
        self.at += usize::from(fits);
        fits
    }

    fn take(&mut self) {
        self.at += 1;
    }

    /// Goes on where the word that was taken last is ip's `to`.
    pub fn takes_to(&mut self) -> Result<(), Misuse> {
        if self.word() == "to" { self.value().map(drop) } else { Ok(()) }
    }

    /// Goes on to the value of a keyword, behind `inet` or `inet6`, which may differ from the family of
    /// the rest.
    pub fn value_of_family(&mut self) -> Result<&mut Self, Misuse> {
        self.value()?;
        if self.word() == "inet" || self.word() == "inet6" {
            self.value()?;
        }
        Ok(self)
    }

    /// Goes on to the value of a keyword.
    pub fn value(&mut self) -> Result<&mut Self, Misuse> {
        if self.peek().is_none() {
            let (keyword, value) = self.keyword.unwrap_or_default();
            return Err(self.misuse(format!("'{keyword}' needs {value} behind it")));
        }
        self.take();
        Ok(self)
    }

    /// The word that was taken last.
    pub fn word(&self) -> &'a OsStr {
        self.at.checked_sub(1).and_then(|at| self.words.get(at)).map(OsString::as_os_str).unwrap_or_default()
    }

    /// The word as text.
    pub fn text(&self) -> Result<&'a str, Misuse> {
        self.word().to_str().ok_or_else(|| self.wrong("it is not UTF-8"))
    }

    /// A number as ip reads it: decimal, 0x and hexadecimal, 0 and octal.
    pub fn number<N: TryFrom<u64>>(&self) -> Result<N, Misuse> {
        self.number_in(self.text()?)
    }

    /// A number that is a part of the word.
    pub fn number_in<N: TryFrom<u64>>(&self, part: &str) -> Result<N, Misuse> {
        number(part).ok_or_else(|| self.wrong("it is not a number that fits"))
    }

    /// A type of service, which ip reads as hexadecimal.
    pub fn tos(&self) -> Result<u8, Misuse> {
        let text = self.text()?;
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let digits = Some(digits).filter(|digits| !digits.starts_with('+'));
        let number = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        number.ok_or_else(|| self.wrong("it is not a hexadecimal number up to ff"))
    }

    /// A number, or what iproute2 calls it.
    pub fn named<N: TryFrom<u64>>(&self, space: Space) -> Result<N, Misuse> {
        let text = self.text()?;
        let found = self.names.number(space, text).and_then(|number| N::try_from(number.into()).ok());
        let unknown = || self.wrong("it is neither a number that fits nor a name in /etc/iproute2");
        found.or_else(|| number(text)).ok_or_else(unknown)
    }

    /// `on` or `off`.
    pub fn switch(&self) -> Result<bool, Misuse> {
        match self.word().as_bytes() {
            b"on" => Ok(true),
            b"off" => Ok(false),
            _ => Err(self.wrong("it is neither 'on' nor 'off'")),
        }
    }

    /// An address of a host.
    pub fn address(&self) -> Result<IpAddr, Misuse> {
        let address = self.any_address()?;
        self.of_family(address, Family::of(address))
    }

    /// An address of a host, of whatever family.
    pub fn any_address(&self) -> Result<IpAddr, Misuse> {
        self.text()?.parse().map_err(|_| self.wrong("it is not an IP address"))
    }

    /// A prefix as ip reads it: `default`, `10.0.0.0/8`, `10/8`, or one address.
    pub fn prefix(&self) -> Result<Prefix, Misuse> {
        let prefix = prefix(self.text()?, self.family).map_err(|why| self.wrong(why))?;
        self.of_family(prefix, prefix.family())
    }

    fn of_family<V>(&self, value: V, family: Family) -> Result<V, Misuse> {
        match self.family {
            Some(wanted) if wanted != family => Err(self.wrong(&format!("it is not of family {}", wanted.as_str()))),
            _ => Ok(value),
        }
    }

    /// `[NS:]IF`; the namespace becomes that of the whole command.
    pub fn device(&mut self) -> Result<String, Misuse> {
        let Device { ns, name } = self.far_device()?;
        match (ns, &self.place) {
            (Some(ns), Some(place)) if ns != *place => {
                return Err(self.wrong("the devices of one command are in one namespace"));
            }
            (Some(ns), _) => self.place = Some(ns),
            (None, _) => {}
        }
        Ok(name)
    }

    /// `[NS:]IF`, wherever the others are.
    pub fn far_device(&self) -> Result<Device, Misuse> {
        Device::new(self.word()).map_err(|e| self.wrong(&e.reason().map_or_else(|| e.to_string(), str::to_owned)))
    }

    /// The word that was taken last is at fault.
    pub fn wrong(&self, why: &str) -> Misuse {
        let word = escaped(self.word().as_bytes());
        match self.keyword {
            Some((keyword, _)) if keyword != word => self.misuse(format!("'{keyword} {word}' is wrong: {why}")),
            _ => self.misuse(format!("'{word}' is wrong: {why}")),
        }
    }

    /// The word that was taken last means nothing here.
    pub fn unknown(&self) -> Misuse {
        let word = escaped(self.word().as_bytes());
        let object = self.command.split(' ').next().unwrap_or_default();
        self.misuse(format!("'{word}' is not understood here; 'nsnet {object} help' lists what is"))
    }

    /// The command cannot be understood.
    pub fn misuse(&self, text: impl std::fmt::Display) -> Misuse {
        Misuse(format!("{}: {text}", self.command))
    }
}

fn number<N: TryFrom<u64>>(text: &str) -> Option<N> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    let digits = Some(digits).filter(|digits| !digits.starts_with('+'))?;
    u64::from_str_radix(digits, radix).ok().and_then(|n| N::try_from(n).ok())
}

fn prefix(text: &str, family: Option<Family>) -> Result<Prefix, &'static str> {
    const NOT_ONE: &str = "it is not a prefix, as in '10.0.0.0/8'";
    if ["default", "any", "all"].contains(&text) {
        return Ok(Prefix::all(family.unwrap_or(Family::Inet)));
    }
    let (address, len) = text.split_once('/').map_or((text, None), |(address, len)| (address, Some(len)));
    let ip = address.parse().ok().or_else(|| abbreviated(address)).ok_or(NOT_ONE)?;
    match len {
        None => Ok(Prefix::host(ip)),
        Some(len) => {
            let len = number(len).or_else(|| mask_len(len)).ok_or(NOT_ONE)?;
            Prefix::new(ip, len).map_err(|_| "the prefix is longer than the address")
        }
    }
}

/// `10` and `10.1` are `10.0.0.0` and `10.1.0.0`, as ip reads them.
fn abbreviated(text: &str) -> Option<IpAddr> {
    let mut octets = [0; 4];
    let groups: Vec<_> = text.split('.').map(str::parse::<u8>).collect();
    for (octet, group) in octets.get_mut(..groups.len())?.iter_mut().zip(groups) {
        *octet = group.ok()?;
    }
    Some(octets.into())
}

/// `255.255.0.0` is 16.
fn mask_len(text: &str) -> Option<u8> {
    let mask = u32::from(text.parse::<std::net::Ipv4Addr>().ok()?);
    let len = u8::try_from(mask.leading_ones()).ok()?;
    (mask.count_ones() == mask.leading_ones()).then_some(len)
}

/// A command of an object, as ip calls it.
pub type Command<V> = (&'static str, V);

/// Finds the command: the first one that begins with the first word, in ip's order; `default`
/// without words.
pub fn command<V: Copy>(
    object: &'static str,
    commands: &[Command<V>],
    default: V,
    words: &[OsString],
) -> Result<(V, usize), Misuse> {
    let Some(word) = words.first() else { return Ok((default, 0)) };
    let fits = |&&(own, _): &&Command<V>| !word.is_empty() && own.as_bytes().starts_with(word.as_bytes());
    let unknown = || {
        let shown = escaped(word.as_bytes());
        Misuse(format!("{object}: the command '{shown}' is unknown; 'nsnet {object} help' lists them"))
    };
    let (_, found) = commands.iter().find(fits).ok_or_else(unknown)?;
    Ok((*found, 1))
}

/// Whether the words ask what could be said instead.
pub fn asks_for_help(words: &[OsString]) -> bool {
    matches!(words, [word] if word == "help" || word == "--help" || word == "-h" || word == "-help")
}

/// What help says of several commands.
pub fn help(summaries: &[Summary]) -> String {
    summaries.iter().map(Summary::to_string).collect::<Vec<_>>().join("\n")
}
