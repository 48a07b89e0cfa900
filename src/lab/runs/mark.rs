//! What tells that a process is a command of a lab: variables of the environment that it was started with. What a command
//! starts has them too.

use std::{collections::HashMap, ffi::OsString, os::unix::fs::MetadataExt};

use crate::{
    lab::Run,
    name::{LabName, NodeName},
};

const LAB: &str = "NSNET_LAB";
const NODE: &str = "NSNET_NODE";
const RUN: &str = "NSNET_RUN";
/// Which `/run/nsnet` the lab is of: there may be labs of one name, each with a `/run` of its own.
const HOME: &str = "NSNET_HOME";
/// Its words, each behind its length in bytes and a colon.
const COMMAND: &str = "NSNET_COMMAND";

/// The mark of one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub lab: String,
    pub node: String,
    pub name: String,
    pub argv: Vec<String>,
    pub home: String,
}

/// The `/run/nsnet` that this process sees, as marks have it.
pub(super) fn home() -> String {
    let dir = std::fs::metadata(crate::netns::rundir::NSNET_DIR);
    dir.map_or_else(|_| String::new(), |dir| format!("{}:{}", dir.dev(), dir.ino()))
}

/// The mark of a command, as variables.
pub(super) fn entries(lab: &LabName, node: &NodeName, run: &Run) -> [(&'static str, String); 5] {
    let words: Vec<String> = run.argv.iter().map(|word| format!("{}:{word}", word.len())).collect();
    [
        (LAB, lab.as_str().to_owned()),
        (NODE, node.as_str().to_owned()),
        (RUN, run.name.clone()),
        (HOME, home()),
        (COMMAND, words.concat()),
    ]
}

/// An environment with the mark of a command in it, instead of any other.
pub(super) fn put_into(env: &mut Vec<(OsString, OsString)>, lab: &LabName, node: &NodeName, run: &Run) {
    let marks = entries(lab, node, run);
    env.retain(|(key, _)| marks.iter().all(|(mark, _)| key != mark));
    env.extend(marks.map(|(key, value)| (key.into(), value.into())));
}

/// The mark in an environment, as `/proc/PID/environ` shows one.
pub(super) fn read(environ: &[u8]) -> Option<Mark> {
    let variables =
        environ.split(|byte| *byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok()?.split_once('='));
    let found: HashMap<&str, &str> = variables.filter(|(key, _)| key.starts_with("NSNET_")).collect();
    let own = |key: &str| found.get(key).map(|value| (*value).to_owned());
    Some(Mark {
        lab: own(LAB)?,
        node: own(NODE)?,
        name: own(RUN)?,
        argv: words(found.get(COMMAND)?)?,
        home: own(HOME)?,
    })
}

fn words(mut text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    while !text.is_empty() {
        let (bytes, rest) = text.split_once(':')?;
        let (word, rest) = rest.split_at_checked(bytes.parse().ok()?)?;
        words.push(word.to_owned());
        text = rest;
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_mark_reads_back_and_takes_the_place_of_another() {
        let argv = ["sh", "-c", "echo 3:a; äöü\n", ""].map(str::to_owned).to_vec();
        let run = Run { name: "web".into(), argv: argv.clone(), ready: None, within: Duration::ZERO };
        let mut env = vec![("PATH".into(), "/bin".into()), ("NSNET_RUN".into(), "old".into())];
        put_into(&mut env, &"campus".parse().unwrap(), &"h1".parse().unwrap(), &run);
        let text: Vec<_> = env.iter().map(|(k, v)| format!("{}={}\0", k.display(), v.display())).collect();
        let expected = Mark { lab: "campus".into(), node: "h1".into(), name: "web".into(), argv, home: home() };
        assert_eq!(read(text.concat().as_bytes()), Some(expected));
        for other in
            ["", "NSNET_LAB=campus\0NSNET_NODE=h1\0", "NSNET_LAB=a\0NSNET_NODE=b\0NSNET_RUN=c\0NSNET_COMMAND=9:x\0"]
        {
            assert_eq!(read(other.as_bytes()), None, "{other:?}");
        }
    }
}
