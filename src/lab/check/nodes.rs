//! Nodes: their names, and what is theirs alone.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use super::{
    draft::{Draft, Node, Turn},
    links,
};
use crate::{
    lab::{
        LabNode, Ready, Run,
        problem::Faults,
        range::expand,
        spec::{self, Placed, Spec},
        state::Place,
        sysctl,
    },
    name::{NodeName, escaped},
};

pub(super) fn read(spec: &Spec, draft: &mut Draft, faults: &mut Faults) {
    for (position, (key, said)) in spec.nodes.iter().enumerate() {
        let pattern = escaped(key.get_ref().as_bytes());
        let names = match expand(key.get_ref()) {
            Ok(names) => names,
            Err(why) => {
                faults.add(key.span(), format!("cannot use node name '{pattern}': {why}"));
                continue;
            }
        };
        let of = names.len();
        let mtu = links::mtu(said.mtu.as_ref(), faults);
        for (at, name) in names.into_iter().enumerate() {
            let Some(place) = place(&name, key, faults) else { break };
            if let Some(other) = draft.find(&name).and_then(|node| draft.nodes[node].spec) {
                let other = spec.nodes.0[other].0.get_ref();
                faults.add(key.span(), format!("node '{name}' is there already, by '{other}'"));
                break;
            }
            let turn = Turn { at, of };
            let (spec, mtu) = (Some(position), mtu.clone());
            draft.add_node(Node { place, name, spec, turn, mtu, interfaces: Vec::new() });
        }
        if key.get_ref() == "." {
            refuse_what_is_not_of_here(said, faults);
        }
        check(said, faults);
    }
}

fn place(name: &str, key: &Placed<String>, faults: &mut Faults) -> Option<Place> {
    match name {
        "." => Some(Place::Here),
        _ => faults.keep(key.span(), name.parse::<NodeName>()).map(Place::Node),
    }
}

/// The starting namespace is somebody's: only ends of links, with their addresses, and routes through them are
/// added to it, because these go with the lab.
fn refuse_what_is_not_of_here(said: &spec::Node, faults: &mut Faults) {
    let hint = "'.' is the namespace that the lab is brought up in, which is not the lab's";
    let mut refuse = |span, key: &str| faults.advise(span, format!("'.' has no '{key}'"), hint);
    if let Some(forward) = &said.forward {
        refuse(forward.span(), "forward");
    }
    for (setting, _) in said.sysctl.iter().take(1) {
        refuse(setting.span(), "sysctl");
    }
    if let Some(hostname) = &said.hostname {
        refuse(hostname.span(), "hostname");
    }
    for (file, _) in said.files.iter().take(1) {
        refuse(file.span(), "files");
    }
    for run in said.run.iter().take(1) {
        refuse(run.span(), "run");
    }
}

fn check(said: &spec::Node, faults: &mut Faults) {
    check_sysctls(said, faults);
    check_files(said, faults);
    if let Some(hostname) = &said.hostname {
        check_hostname(hostname, faults);
    }
    let mut names = HashSet::new();
    for run in &said.run {
        check_run(run.get_ref(), faults);
        let name = run_name(run.get_ref());
        if !names.insert(name.clone()) {
            let hint = "give one of them a 'name'";
            faults.advise(run.span(), format!("two commands are called '{}'", escaped(name.as_bytes())), hint);
        }
    }
}

/// What 'forward' sets.
pub(in crate::lab) const FORWARDING: [&str; 2] = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"];

fn check_sysctls(said: &spec::Node, faults: &mut Faults) {
    let mut seen = HashSet::new();
    for (key, value) in said.sysctl.iter() {
        let (name, shown) = (key.get_ref(), escaped(key.get_ref().as_bytes()));
        let usual = sysctl::usual_name(name);
        let plain = name.bytes().all(|byte| byte.is_ascii_graphic());
        let whole = !name.split(['.', '/']).any(str::is_empty);
        if !name.starts_with("net.") {
            let hint = "only those that begin with 'net.' are of a network namespace; all others are the host's";
            faults.advise(key.span(), format!("'{shown}' is no setting of a node"), hint);
        } else if !plain || !whole {
            faults.add(key.span(), format!("'{shown}' is no name of a setting"));
        } else if said.forward.is_some() && FORWARDING.contains(&usual) {
            faults.advise(key.span(), format!("'forward' sets '{shown}' too"), "keep one of them");
        } else if !seen.insert(usual) {
            let twice = format!("'{shown}' is set twice");
            if usual == name {
                faults.add(key.span(), twice);
            } else {
                faults.advise(key.span(), twice, format!("it is another name of '{usual}'"));
            }
        }
        let text = &value.get_ref().0;
        if text.is_empty() || text.contains(|c: char| c.is_control() && c != '\t') {
            faults.add(value.span(), "a setting is one line of text");
        }
    }
}

fn check_files(said: &spec::Node, faults: &mut Faults) {
    for (key, _) in said.files.iter() {
        let (name, shown) = (key.get_ref().as_str(), escaped(key.get_ref().as_bytes()));
        let problem = match name {
            "hosts" => "nsnet writes it: every node of the lab is in it",
            "" | "." | ".." => "it is no file name",
            _ if name.contains(['/', '\0']) => "it is a file of /etc itself, so it holds no '/'",
            _ if name.len() > 255 => "it is longer than 255 bytes",
            _ => continue,
        };
        faults.add(key.span(), format!("cannot use file name '{shown}': {problem}"));
    }
}

fn check_hostname(hostname: &Placed<String>, faults: &mut Faults) {
    let name = hostname.get_ref();
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let problem = match name.as_str() {
        "" => "it is empty",
        _ if name.len() > 64 => "it is longer than 64 bytes",
        _ if !name.chars().all(good) => "it holds something else than letters, digits, '-' and '.'",
        _ if name.starts_with(['-', '.']) || name.ends_with('-') => "it begins or ends with '-' or '.'",
        _ => return,
    };
    faults.add(hostname.span(), format!("cannot use host name '{}': {problem}", escaped(name.as_bytes())));
}

/// With those of lab and node, it is the name of a file.
const MOST_RUN_NAME_BYTES: usize = 64;

fn check_run(run: &spec::Run, faults: &mut Faults) {
    check_command(&run.command, faults);
    if let Some(name) = &run.name {
        check_label(name, faults);
        if name.get_ref().contains('/') || name.get_ref().len() > MOST_RUN_NAME_BYTES {
            let why = format!("its log is called so: no '/', and no more than {MOST_RUN_NAME_BYTES} bytes");
            faults.add(name.span(), why);
        }
    }
    match run.ready.as_ref().map(|ready| (ready.span(), ready.get_ref())) {
        Some((span, spec::Ready::Tcp(0))) => faults.add(span, "there is no port 0"),
        Some((span, spec::Ready::File(path))) if !path.starts_with('/') || path.contains('\0') => {
            faults.advise(span, "this is no file", "write its path from '/' on");
        }
        Some((span, spec::Ready::Command(words))) => {
            check_command(&Placed::new(span, words.clone()), faults);
        }
        _ => {}
    }
}

/// Whether there is something to run.
pub(super) fn check_command(command: &Placed<spec::Words>, faults: &mut Faults) {
    let words = match command.get_ref() {
        spec::Words::Line(line) => std::slice::from_ref(line),
        spec::Words::Each(words) => words,
    };
    if words.first().is_none_or(|first| first.trim().is_empty()) {
        faults.add(command.span(), "there is no command");
    } else if words.iter().any(|word| word.contains('\0')) {
        faults.add(command.span(), "a word of a command cannot hold a NUL byte");
    }
}

/// Whether it can be shown in one line of a report.
pub(super) fn check_label(label: &Placed<String>, faults: &mut Faults) {
    if label.get_ref().is_empty() || label.get_ref().contains(char::is_control) {
        faults.add(label.span(), "a name is one line of text");
    }
}

/// The nodes that are the lab's own, in the order of the file.
pub(super) fn meant(draft: &Draft, spec: &Spec) -> Vec<LabNode> {
    let own = (0..draft.nodes.len()).filter_map(|at| match &draft.nodes[at].place {
        Place::Node(name) => Some((name, draft.said(at, spec)?)),
        _ => None,
    });
    own.map(|(name, said)| LabNode {
        name: name.clone(),
        hostname: said.hostname.as_ref().map_or_else(|| name.as_str().to_owned(), |own| own.get_ref().clone()),
        runs: said.run.iter().map(|run| meant_run(run.get_ref())).collect(),
    })
    .collect()
}

/// What it is called: as it says, or as its first word without directories.
fn run_name(run: &spec::Run) -> String {
    let first = match run.command.get_ref() {
        spec::Words::Line(line) => line.split_whitespace().next().unwrap_or_default(),
        spec::Words::Each(words) => words.first().map_or("", String::as_str),
    };
    let file = first.rsplit('/').find(|part| !part.is_empty()).unwrap_or("command");
    let short = || file.chars().take(MOST_RUN_NAME_BYTES / 4).collect();
    run.name.as_ref().map_or_else(short, |name| name.get_ref().clone())
}

fn meant_run(run: &spec::Run) -> Run {
    Run {
        name: run_name(run),
        argv: run.command.get_ref().argv(),
        ready: run.ready.as_ref().map(|ready| match ready.get_ref() {
            spec::Ready::Tcp(port) => Ready::Tcp(*port),
            spec::Ready::File(path) => Ready::File(path.into()),
            spec::Ready::Command(words) => Ready::Command(words.argv()),
        }),
        within: run.within.as_ref().map_or(Duration::from_secs(10), |wait| wait.get_ref().0),
    }
}

/// The settings of a node, by name. Forwarding is always managed in what is the lab's own.
pub(super) fn sysctls(node: &Node, said: Option<&spec::Node>) -> BTreeMap<String, String> {
    let mut sysctls = BTreeMap::new();
    let forward = said.and_then(|said| said.forward.as_ref()).map(|forward| *forward.get_ref());
    if let Some(on) = forward.or_else(|| (node.place != Place::Here).then_some(false)) {
        sysctls.extend(FORWARDING.map(|name| (name.to_owned(), u8::from(on).to_string())));
    }
    let own = said.into_iter().flat_map(|said| said.sysctl.iter());
    sysctls.extend(
        own.map(|(name, value)| (sysctl::usual_name(name.get_ref()).to_owned(), sysctl::normal(&value.get_ref().0))),
    );
    sysctls
}
