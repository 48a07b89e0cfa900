//! ip's words, made into nsnet's own before clap sees them: single-dash long options, prefixes of
//! verbs and options, a leading `netns`, and the places where everything after a word belongs to
//! somebody else. The tables below it read what is behind the objects of ip.

pub mod addr;
pub mod batch;
pub mod grammar;
pub mod ip;
pub mod kind;
pub mod link;
pub mod link_add;
pub mod link_set;
pub mod link_show;
pub mod neigh;
pub mod route;
pub mod rule;

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    iter::Peekable,
    os::unix::ffi::{OsStrExt, OsStringExt},
};

use nsnet::{NsRef, name::escaped};

use grammar::Summary;

/// The command line in nsnet's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// In front of the verb.
    pub options: Vec<OsString>,
    pub verb: OsString,
    /// Behind it.
    pub arguments: Vec<OsString>,
    /// Whether JSON was asked for, so that even a usage error can be JSON.
    pub json: bool,
}

impl Words {
    /// For clap, without the name of the program.
    pub fn argv(&self) -> impl Iterator<Item = &OsStr> {
        self.options.iter().chain([&self.verb]).chain(&self.arguments).map(OsString::as_os_str)
    }

    /// Whether a batch was asked for in front of everything else.
    pub fn begins_batch(&self) -> bool {
        begins_batch(&self.options)
    }

    /// Whether something behind the verb may be an option that can stand in front of it as well.
    pub fn may_be_behind(&self, long: Option<&str>, short: Option<char>) -> bool {
        let options = self.arguments.iter().take_while(|word| *word != "--").map(|word| word.as_bytes());
        options.filter(|word| word.starts_with(b"-")).any(|word| match word.strip_prefix(b"--") {
            Some(name) => long.is_some_and(|long| name.starts_with(long.as_bytes())),
            // Many letters may share a dash.
            None => short.is_some_and(|short| word.iter().any(|&letter| char::from(letter) == short)),
        })
    }
}

/// A command line that cannot be understood; the text says why.
#[derive(Debug, PartialEq, Eq)]
pub struct Misuse(pub String);

/// What the words behind an object ask for.
#[derive(Debug)]
pub enum Asked<R> {
    /// What could be asked for; the text says it.
    Help(String),
    For {
        request: R,
        /// The namespace that a device was placed in.
        place: Option<NsRef>,
    },
}

/// All that can be said behind an object.
pub fn summaries(object: &str) -> Option<Vec<Summary>> {
    match object {
        "addr" | "address" => Some(addr::summaries()),
        "link" => Some(link::summaries()),
        "neigh" => Some(neigh::summaries()),
        "route" => Some(route::summaries()),
        "rule" => Some(rule::summaries()),
        _ => None,
    }
}

/// The same, as help says it.
pub fn help(object: &str) -> Option<String> {
    summaries(object).map(|summaries| grammar::help(&summaries))
}

/// An option of ip's.
struct Opt {
    /// ip takes any prefix of it, in the order of the table; `exact` ones only as they are.
    name: &'static str,
    exact: bool,
    does: Does,
}

enum Does {
    /// Stands for an option of nsnet's.
    Flag(&'static str),
    /// The same, and takes the next word.
    Value(&'static str),
    /// Changes nothing of `ip netns`; other objects may refuse it.
    Other,
    /// The same, and takes the next word.
    OtherValue,
}

const fn opt(name: &'static str, does: Does) -> Opt {
    Opt { name, exact: false, does }
}

const fn exact(name: &'static str, does: Does) -> Opt {
    Opt { name, exact: true, does }
}

/// In the order of ip's own table, since the first match wins; nsnet's own before them.
const OPTIONS: &[Opt] = &[
    exact("h", Does::Flag("--help")),
    exact("q", Does::Flag("--quiet")),
    exact("quiet", Does::Flag("--quiet")),
    exact("v", Does::Flag("--verbose")),
    exact("verbose", Does::Flag("--verbose")),
    opt("loops", Does::OtherValue),
    opt("family", Does::Value("--family")),
    exact("4", Does::Flag("--family=inet")),
    exact("6", Does::Flag("--family=inet6")),
    exact("0", Does::Other),
    exact("M", Does::Other),
    exact("B", Does::Other),
    opt("human-readable", Does::Flag("--human-readable")),
    opt("iec", Does::Flag("--iec")),
    opt("statistics", Does::Flag("--statistics")),
    exact("stats", Does::Flag("--statistics")),
    opt("details", Does::Flag("--details")),
    opt("resolve", Does::Other),
    opt("oneline", Does::Flag("--oneline")),
    opt("timestamp", Does::Other),
    opt("tshort", Does::Other),
    opt("Version", Does::Flag("--version")),
    exact("version", Does::Flag("--version")),
    opt("force", Does::Flag("--force")),
    opt("batch", Does::Value("--batch")),
    opt("brief", Does::Flag("--brief")),
    opt("json", Does::Flag("--json")),
    opt("pretty", Does::Flag("--pretty")),
    opt("rcvbuf", Does::OtherValue),
    opt("color", Does::Flag("--color")),
    opt("help", Does::Flag("--help")),
    opt("netns", Does::Value("--netns")),
    opt("Numeric", Does::Flag("--numeric")),
    // What a batch hands on to a process of its own.
    exact("numeric", Does::Flag("--numeric")),
    exact("ip-option", Does::Value("--ip-option")),
    opt("all", Does::Flag("--all")),
    exact("echo", Does::Other),
];

/// Verbs of `ip netns` in the order of its table, each with nsnet's word for it.
const NETNS_VERBS: &[(&str, &str)] = &[
    ("list", "list"),
    ("show", "list"),
    ("lst", "list"),
    ("list-id", "list-id"),
    ("help", "help"),
    ("add", "add"),
    ("set", "set"),
    ("delete", "del"),
    ("identify", "identify"),
    ("pids", "pids"),
    ("exec", "exec"),
    ("monitor", "monitor"),
    ("attach", "attach"),
];

/// nsnet's words for the verbs of `ip netns`, each once.
pub fn netns_verbs() -> BTreeSet<&'static str> {
    NETNS_VERBS.iter().map(|&(_, verb)| verb).collect()
}

/// nsnet's own verbs; they are written in full, and a prefix that fits one of them is ambiguous.
const OWN_VERBS: &[&str] = &[
    "rename",
    "prune",
    "map",
    "ns",
    "lab",
    "veth",
    "isolate",
    "completions",
    "link",
    "addr",
    "address",
    "neigh",
    "route",
    "rule",
];

/// Objects of ip: what is behind them is read by the tables of this room, not by clap.
pub const OBJECTS: &[&str] = &["link", "addr", "neigh", "route", "rule"];

/// Long options that may also stand behind the verb.
const ANYWHERE: &[&str] = &["--json", "--pretty", "--brief", "--oneline", "--details", "--statistics", "--quiet"];

/// Options of `exec` that take the next word.
const EXEC_VALUES: &[&str] = &["--user", "--netns", "-n"];

/// Reads a command line, without the name of the program.
pub fn read(argv: impl IntoIterator<Item = OsString>) -> Result<Words, Misuse> {
    let mut words = argv.into_iter().peekable();
    let mut options = options(&mut words, false)?;
    let whole_ip = words.next_if(|word| word == "ip").is_some();
    if whole_ip {
        options.extend(self::options(&mut words, true)?);
    }
    let mut rest: Vec<_> = words.collect();
    if let (Some(word), true) = (rest.first(), begins_batch(&options)) {
        let shown = escaped(word.as_bytes());
        return Err(Misuse(format!("{NONE_BESIDE_BATCH}: '{shown}'")));
    }
    let (verb, behind) = if whole_ip { ip::verb_of(&rest)? } else { verb_of(&rest)? };
    let json = options.iter().any(|word| word == "--json") || asks_for_json(verb.as_bytes(), behind);
    let all = options.iter().any(|word| word == "--all");
    let behind = rest.len() - behind.len();
    let arguments = arguments(&verb, rest.split_off(behind), all);
    Ok(Words { options, verb, arguments, json })
}

/// Of a command on the line of a batch.
pub const NONE_BESIDE_BATCH: &str = "a batch takes its commands from the file, and none from the line";

fn begins_batch(options: &[OsString]) -> bool {
    options.iter().any(|word| is_batch(word))
}

/// Whether an option, in nsnet's own words, asks for a batch.
pub fn is_batch(option: &OsStr) -> bool {
    option.as_bytes().starts_with(b"--batch=")
}

/// Options up to the first word that is none. To ip, `-h` is no help.
fn options(words: &mut Peekable<impl Iterator<Item = OsString>>, of_ip: bool) -> Result<Vec<OsString>, Misuse> {
    let mut out = Vec::new();
    while let Some(word) = words.next_if(|word| is_option(word)) {
        match word.as_bytes() {
            b"--" => break,
            b"-h" | b"--h" if of_ip => out.push("--human-readable".into()),
            _ => translate_option(&word, words, &mut out)?,
        }
    }
    Ok(out)
}

fn is_option(word: &OsStr) -> bool {
    word.as_bytes().starts_with(b"-") && word != "-"
}

fn asks_for_json(verb: &[u8], rest: &[OsString]) -> bool {
    verb != b"exec" && verb != b"isolate" && rest.iter().any(|word| word == "--json" || word == "-j")
}

fn translate_option(
    word: &OsStr,
    words: &mut impl Iterator<Item = OsString>,
    out: &mut Vec<OsString>,
) -> Result<(), Misuse> {
    let bytes = word.as_bytes();
    let body = bytes.strip_prefix(b"--").unwrap_or(&bytes[1..]);
    let (name, value) = match body.iter().position(|&b| b == b'=') {
        Some(at) => (&body[..at], Some(OsString::from_vec(body[at + 1..].to_vec()))),
        None => (body, None),
    };
    let shown = escaped(word.as_bytes());
    let unknown = || Misuse(format!("the option \"{shown}\" is unknown; 'nsnet --help' lists them"));
    let found = OPTIONS.iter().find(|option| fits(option, name)).ok_or_else(unknown)?;
    let missing = || Misuse(format!("the option \"{shown}\" needs a value"));
    match (&found.does, value) {
        (Does::Flag("--color"), Some(value)) => {
            out.push([OsStr::new("--color="), &value].into_iter().collect());
        }
        (Does::Flag(_) | Does::Other, Some(_)) => {
            return Err(Misuse(format!("the option \"{shown}\" takes no value")));
        }
        (Does::Flag(flag), None) => out.push(flag.into()),
        (Does::Value(flag), value) => {
            let value = value.or_else(|| words.next()).ok_or_else(missing)?;
            out.push([OsStr::new(flag), OsStr::new("="), &value].into_iter().collect());
        }
        (Does::OtherValue, value) => {
            let value = value.or_else(|| words.next()).ok_or_else(missing)?;
            if value.to_str().is_none_or(|value| value.parse::<u32>().is_err()) {
                let (name, value) = (found.name, escaped(value.as_bytes()));
                let text = format!("the option \"{shown}\" is -{name} of ip, which takes a number, not '{value}'");
                return Err(Misuse(text));
            }
            out.push(format!("--ip-option=-{}", found.name).into());
        }
        (Does::Other, None) => out.push(format!("--ip-option=-{}", found.name).into()),
    }
    Ok(())
}

fn fits(option: &Opt, typed: &[u8]) -> bool {
    let name = option.name.as_bytes();
    if option.exact { typed == name } else { !typed.is_empty() && name.starts_with(typed) }
}

/// Finds the verb, and what comes after it.
fn verb_of(words: &[OsString]) -> Result<(OsString, &[OsString]), Misuse> {
    let Some((first, rest)) = words.split_first() else { return Ok(("list".into(), words)) };
    if ["netns", "netn", "net"].iter().any(|object| first == object) {
        return behind_netns(rest);
    }
    // Behind '--', nothing is an option any more.
    if is_option(first) {
        return Err(Misuse(format!(
            "the command \"{}\" is unknown; 'nsnet help' lists them",
            escaped(first.as_bytes())
        )));
    }
    if first == "show" && rest.iter().any(|word| !is_option(word)) {
        return Ok(("show".into(), rest));
    }
    Ok((own_verb(first)?, rest))
}

fn behind_netns(words: &[OsString]) -> Result<(OsString, &[OsString]), Misuse> {
    let Some((verb, rest)) = words.split_first() else { return Ok(("list".into(), words)) };
    let unknown = || {
        let shown = escaped(verb.as_bytes());
        Misuse(format!("the command \"{shown}\" is unknown to netns; 'nsnet netns help' lists them"))
    };
    Ok((netns_verb(verb).ok_or_else(unknown)?.into(), rest))
}

fn netns_verb(typed: &OsStr) -> Option<&'static str> {
    let fits = |word: &str| !typed.is_empty() && word.as_bytes().starts_with(typed.as_bytes());
    NETNS_VERBS.iter().find(|(word, _)| fits(word)).map(|&(_, verb)| verb)
}

/// A prefix is taken where ip takes it, unless it also fits a verb that ip lacks.
fn own_verb(typed: &OsStr) -> Result<OsString, Misuse> {
    if typed == "address" {
        return Ok("addr".into());
    }
    if OWN_VERBS.iter().any(|&word| typed == word) {
        return Ok(typed.into());
    }
    // In full, it is no prefix: 'add' is not short for 'addr'.
    if let Some((_, verb)) = NETNS_VERBS.iter().find(|(word, _)| typed == *word) {
        return Ok(verb.into());
    }
    let Some(netns) = netns_verb(typed) else {
        return ip::left_to_ip(typed).map_or_else(|| Ok(typed.into()), |text| Err(Misuse(text)));
    };
    let begins = |word: &&&str| word.as_bytes().starts_with(typed.as_bytes());
    let mut candidates: Vec<_> = OWN_VERBS.iter().filter(begins).copied().collect();
    if candidates.is_empty() {
        return Ok(netns.into());
    }
    candidates.extend(NETNS_VERBS.iter().map(|(word, _)| word).filter(begins));
    candidates.sort_unstable();
    let shown = escaped(typed.as_bytes());
    Err(Misuse(format!("the command \"{shown}\" is ambiguous: {}", candidates.join(", "))))
}

/// What clap gets behind the verb.
fn arguments(verb: &OsStr, rest: Vec<OsString>, all: bool) -> Vec<OsString> {
    match verb.as_bytes() {
        // Scripts in the wild run `ip netns list | grep -q x` without a shell.
        b"list" => rest.into_iter().take_while(|word| is_option(word)).collect(),
        // ip ignores what it does not need.
        b"set" | b"attach" => first_words(rest, 2),
        b"exec" => exec_arguments(rest, all),
        object if OBJECTS.iter().any(|own| own.as_bytes() == object) => object_arguments(rest),
        _ => rest,
    }
}

/// Long options first, then the words, which clap leaves alone.
fn object_arguments(words: Vec<OsString>) -> Vec<OsString> {
    let is_anywhere = |word: &OsString| ANYWHERE.iter().any(|own| word == own);
    let (mut options, mut rest): (Vec<_>, Vec<_>) = words.into_iter().partition(is_anywhere);
    options.push("--".into());
    options.append(&mut rest);
    options
}

fn first_words(words: Vec<OsString>, count: usize) -> Vec<OsString> {
    let mut left = count;
    let mut options = true;
    let keep = |word: &OsString| {
        let wanted = left > 0;
        let option = options && is_option(word);
        options &= word != "--";
        left -= usize::from(wanted && !option);
        wanted
    };
    words.into_iter().take_while(keep).collect()
}

/// `exec [OPTIONS] [--] NAME [--] CMD…`: from the word after NAME on, everything is the command's;
/// with `--all` there is no NAME.
fn exec_arguments(rest: Vec<OsString>, mut all: bool) -> Vec<OsString> {
    let mut out = Vec::new();
    let mut words = rest.into_iter().peekable();
    while let Some(option) = words.next_if(|word| is_option(word) && word != "--") {
        all |= option == "--all" || option == "-a";
        let takes_next = EXEC_VALUES.iter().any(|&value| option == value);
        out.push(option);
        if takes_next {
            out.extend(words.next());
        }
    }
    words.next_if(|word| word == "--");
    out.push("--".into());
    if !all {
        out.extend(words.next());
        words.next_if(|word| word == "--");
    }
    out.extend(words);
    out
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::{prelude::*, sample::select};

    use super::*;

    fn argv(line: &str) -> Result<Vec<String>, String> {
        let words = read(line.split(' ').filter(|word| !word.is_empty()).map(OsString::from));
        words.map(|w| w.argv().map(|word| word.to_str().unwrap().to_owned()).collect()).map_err(|e| e.0)
    }

    #[track_caller]
    fn means(line: &str, meaning: &str) {
        assert_eq!(argv(line).map(|words| words.join(" ")), Ok(meaning.into()), "{line}");
    }

    #[test]
    fn nothing_and_every_prefix_of_ips_table_is_understood() {
        for (line, meaning) in [
            ("", "list"),
            ("netns", "list"),
            ("net", "list"),
            ("netn ls", "list"),
            ("netns l", "list"),
            ("netns s", "list"),
            ("netns sh", "list"),
            ("netns list-", "list-id"),
            ("netns se x auto", "set x auto"),
            ("netns a x", "add x"),
            ("netns at x 1", "attach x 1"),
            ("netns d x", "del x"),
            ("netns dele x", "del x"),
            ("netns i", "identify"),
            ("netns p x", "pids x"),
            ("netns m", "monitor"),
            ("netns h", "help"),
        ] {
            means(line, meaning);
        }
        assert!(argv("netns listx").is_err());
        assert!(argv("netns veth a b").is_err(), "after netns only ip's own verbs hold");
    }

    #[test]
    fn without_netns_a_prefix_must_fit_no_other_verb() {
        means("lis", "list");
        means("add x", "add x");
        means("delete x", "del x");
        means("e red ls", "exec -- red ls");
        means("link show", "link -- show");
        means("address show", "addr -- show");
        assert_eq!(argv("l").unwrap_err(), "the command \"l\" is ambiguous: lab, link, list, list-id, lst");
        assert_eq!(argv("ad x").unwrap_err(), "the command \"ad\" is ambiguous: add, addr, address");
        assert_eq!(argv("p x").unwrap_err(), "the command \"p\" is ambiguous: pids, prune");
        means("pi x", "pids x");
        means("frob", "frob");
    }

    #[test]
    fn options_are_read_as_ip_reads_them() {
        means("-j netns", "--json list");
        means("--json list", "--json list");
        means("-br link show", "--brief link -- show");
        means("-bri", "--brief list");
        means("-b x", "--batch=x list");
        assert!(argv("-- -a del").unwrap_err().contains("\"-a\" is unknown"));
        assert!(argv("-- --batch=x add y").is_err());
        // Help of nsnet's own, and not ip's.
        means("-h link", "--help link --");
        means("ip -h -s link", "--human-readable --statistics link --");
        means("-l 5 list", "--ip-option=-loops list");
        assert!(argv("-l list").unwrap_err().contains("-loops of ip, which takes a number"));
        assert!(argv("-b x list").is_err());
        means("-force -ba -", "--force --batch=- list");
        means("-n red list-id", "--netns=red list-id");
        means("-netns red -p -j list", "--netns=red --pretty --json list");
        means("--netns=red list", "--netns=red list");
        means("-a netns exec ls -j", "--all exec -- ls -j");
        means("-d -s -4 list", "--details --statistics --family=inet list");
        means("-f inet -rc 1000 list", "--family=inet --ip-option=-rcvbuf list");
        means("-V", "--version list");
        means("--color=always list", "--color=always list");
        means("-- list", "list");
        assert!(argv("-x list").unwrap_err().contains("\"-x\" is unknown"));
        assert!(argv("-n").unwrap_err().contains("needs a value"));
        assert!(argv("--json=yes list").unwrap_err().contains("takes no value"));
    }

    #[test]
    fn exec_leaves_the_command_its_own_words() {
        means("exec red ls -j", "exec -- red ls -j");
        means("exec red -- ls -j", "exec -- red ls -j");
        means("exec red -- -- x", "exec -- red -- x");
        means("exec --bare red ls", "exec --bare -- red ls");
        means("exec --user 1 red --bare", "exec --user 1 -- red --bare");
        means("exec -- -x ls", "exec -- -x ls");
        means("exec --all ls -l", "exec --all -- ls -l");
        means("-all exec -- ls -l", "--all exec -- ls -l");
        means("exec", "exec --");
    }

    #[test]
    fn list_ignores_everything_from_its_first_word_on() {
        means("list | grep -vq ^x$", "list");
        means("list -l x -j", "list -l");
        means("netns show anything at all", "list");
        means("show red", "show red");
    }

    #[test]
    fn the_words_of_an_object_are_left_alone_but_for_long_options() {
        means("link", "link --");
        means("-br link show dev eth0", "--brief link -- show dev eth0");
        means("link ls red:eth0 --json", "link --json -- ls red:eth0");
        means("rule add help", "rule -- add help");
    }

    #[test]
    fn set_and_attach_ignore_extra_words() {
        means("set red 5 junk", "set red 5");
        means("attach red 5 junk --x", "attach red 5");
        means("set --json red 5 junk", "set --json red 5");
        means("set -- -x 5 --junk", "set -- -x 5");
    }

    #[test]
    fn json_is_known_even_where_the_rest_is_wrong() {
        let json = |line: &str| read(line.split(' ').map(OsString::from)).unwrap().json;
        assert!(json("-j frob"));
        assert!(json("del --json"));
        assert!(!json("exec red ls --json"));
    }

    /// What a program says, and how it ends.
    fn said(program: &str, words: &[&str]) -> (Option<i32>, String) {
        let out = Command::new(program).args(words).output().unwrap();
        (out.status.code(), [out.stdout, out.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat())
    }

    fn prefixes(word: &str) -> impl Iterator<Item = &str> {
        (1..=word.len()).map(|length| &word[..length])
    }

    /// What nsnet takes an option for; the two words that ip has two of mean the same.
    fn option_of(typed: &str) -> Option<&'static str> {
        let found = OPTIONS.iter().find(|option| fits(option, typed.as_bytes()))?;
        Some(if found.name == "stats" { "statistics" } else { found.name })
    }

    /// nsnet's own; ip takes -h for -human-readable, and knows none of the others.
    const OWN: [&str; 8] = ["h", "q", "quiet", "v", "verbose", "version", "numeric", "ip-option"];

    #[test]
    fn ip_takes_every_prefix_of_its_options_for_the_same_one() {
        let says = |option: &str| {
            let (code, text) = said("ip", &[&format!("-{option}"), "inet", "netns", "list"]);
            (code, text.replace(&format!("\"-{option}\""), "OPTION"))
        };
        for option in OPTIONS.iter().filter(|option| !OWN.contains(&option.name)) {
            let in_full = says(option.name);
            assert!(!in_full.1.contains("OPTION is unknown"), "{in_full:?}");
            for typed in prefixes(option.name).filter(|typed| !OWN.contains(typed)) {
                match option_of(typed) {
                    Some(name) if name == option.name => {
                        assert_eq!(says(typed), in_full, "-{typed}, for nsnet -{name}");
                    }
                    // Of another one, in whose turn it is looked at.
                    Some(_) => {}
                    None => assert!(says(typed).1.contains("OPTION is unknown"), "-{typed}: {:?}", says(typed)),
                }
            }
        }
    }

    #[test]
    fn ip_takes_every_prefix_of_its_verbs_for_the_same_one() {
        // In a /run without names. Of monitor there is nothing to compare: it does not end, and no
        // other verb begins with an m.
        let says = |words: &[&str]| {
            let script = "mount -t tmpfs tmpfs /run; exec ip netns \"$@\"";
            said("unshare", &[&["--mount", "sh", "-euc", script, "ip"], words].concat())
        };
        for (word, verb) in NETNS_VERBS.iter().filter(|(word, _)| *word != "monitor") {
            for rest in [&[][..], &["x"], &["x", "1"]] {
                let in_full = says(&[&[*word], rest].concat());
                for typed in prefixes(word).filter(|typed| netns_verb(OsStr::new(typed)) == Some(verb) && typed != word)
                {
                    assert_eq!(says(&[&[typed], rest].concat()), in_full, "{typed} {rest:?}, for nsnet {word}");
                }
            }
        }
    }

    /// Options of ip's in the order in which its source compares them, and whether in full only.
    const IPS_ORDER: &[(&str, bool)] = &[
        ("loops", false),
        ("family", false),
        ("4", true),
        ("6", true),
        ("0", true),
        ("M", true),
        ("B", true),
        ("human", false),
        ("human-readable", false),
        ("iec", false),
        ("stats", false),
        ("statistics", false),
        ("details", false),
        ("resolve", false),
        ("oneline", false),
        ("timestamp", false),
        ("tshort", false),
        ("Version", false),
        ("force", false),
        ("batch", false),
        ("brief", false),
        ("json", false),
        ("pretty", false),
        ("rcvbuf", false),
        ("color", false),
        ("help", false),
        ("netns", false),
        ("Numeric", false),
        ("all", false),
        ("echo", true),
    ];

    fn ips_option_of(typed: &str) -> Option<&'static str> {
        let fits = |&&(name, exact): &&(&str, bool)| if exact { name == typed } else { name.starts_with(typed) };
        IPS_ORDER.iter().find(fits).map(|&(name, _)| match name {
            "human" => "human-readable",
            "stats" => "statistics",
            name => name,
        })
    }

    fn word() -> impl Strategy<Value = OsString> {
        let known: Vec<&[u8]> = vec![
            b"netns",
            b"net",
            b"list",
            b"exec",
            b"e",
            b"set",
            b"add",
            b"p",
            b"del",
            b"veth",
            b"show",
            b"red",
            b"--",
            b"-",
            b"-a",
            b"--all",
            b"-n",
            b"-netns=x",
            b"-j",
            b"--bare",
            b"--user",
            b"-br",
            b"-c=x",
            b"-\xff",
            b"-\x1b",
            b"\x1b",
            b"",
        ];
        let any = prop::collection::vec(any::<u8>(), 0..6);
        prop_oneof![6 => select(known).prop_map(<[u8]>::to_vec), 1 => any].prop_map(OsString::from_vec)
    }

    #[test]
    fn every_prefix_of_ips_options_is_the_first_that_fits_in_ips_own_order() {
        for typed in IPS_ORDER.iter().flat_map(|(name, _)| prefixes(name)).filter(|typed| !OWN.contains(typed)) {
            assert_eq!(option_of(typed), ips_option_of(typed), "{typed}");
        }
    }

    proptest! {
        #[test]
        fn what_no_option_of_ips_begins_with_is_no_option(typed in "[a-zA-Z046-]{1,4}") {
            prop_assume!(!OWN.contains(&&*typed));
            prop_assert_eq!(option_of(&typed), ips_option_of(&typed), "{}", typed);
        }

        #[test]
        fn any_words_are_read_or_refused_in_plain_text(words in prop::collection::vec(word(), 0..8)) {
            match read(words) {
                Ok(words) => prop_assert!(words.argv().count() > words.options.len()),
                Err(Misuse(text)) => prop_assert!(!text.contains(char::is_control), "{text:?}"),
            }
        }

        #[test]
        fn what_comes_behind_the_name_of_exec_is_never_changed(
            before in select(vec!["", "netns", "-j", "-n red netn"]),
            verb in select(vec!["e", "ex", "exe", "exec"]),
            options in select(vec!["", "--bare", "--user 1", "--bare --"]),
            dashes in 0..3usize,
            command in prop::collection::vec(word(), 0..8),
        ) {
            let command = [vec!["--".into(); dashes], command].concat();
            let ours = [before, verb, options, "name"].join(" ");
            let ours = ours.split_ascii_whitespace().map(OsString::from);
            let argv: Vec<_> = read(ours.chain(command.clone())).unwrap().argv().map(OsStr::to_owned).collect();
            let dropped = usize::from(command.first().is_some_and(|word| word == "--"));
            prop_assert!(argv.ends_with(&[&["name".into()], &command[dropped..]].concat()), "{argv:?}");
        }
    }
}
