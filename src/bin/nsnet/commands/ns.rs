//! `ns`: namespaces of every kind, of processes.

use std::collections::BTreeMap;

use nsnet::{
    NsName,
    inspect::{self, NsKind},
    netns::{self, Entry, State},
};

use super::Failure;
use crate::{
    args,
    render::{Answer, ListedNs, ProcessNs},
};

pub fn ns(args: args::Ns) -> Result<Answer, Failure> {
    match args.question {
        Some(args::NsQuestion::Compare { pids }) => {
            let pids = [pids[0], pids[1]];
            Ok(Answer::Compared(inspect::compare(pids)?))
        }
        Some(args::NsQuestion::List { kind }) => list(kind),
        None => of_processes(&args.pids),
    }
}

fn of_processes(pids: &[u32]) -> Result<Answer, Failure> {
    let own = [std::process::id()];
    let pids = if pids.is_empty() { &own } else { pids };
    let names = names()?;
    let mut processes = Vec::new();
    for &pid in pids {
        let known = inspect::namespaces_of(pid)?.into_iter();
        let namespaces = known.map(|(kind, ns)| (kind, ns.map(|ns| ns.details()))).collect();
        processes.push(ProcessNs { pid, command: netns::command_of(pid), namespaces, names: names.clone() });
    }
    Ok(Answer::ProcessNs(processes))
}

fn list(kind: Option<NsKind>) -> Result<Answer, Failure> {
    let names = names()?;
    let found = inspect::list(kind)?;
    let with_names = |listed: inspect::Listed| ListedNs { names: named(&names, listed.kind, listed.id.inode), listed };
    Ok(Answer::ListedNs(found.into_iter().map(with_names).collect()))
}

/// The names of network namespaces, by inode.
fn names() -> Result<BTreeMap<u64, Vec<NsName>>, Failure> {
    let mut names: BTreeMap<u64, Vec<NsName>> = BTreeMap::new();
    for name in netns::list()? {
        if let Some(Entry { name, state: State::Alive(id), .. }) = Entry::look(name)? {
            names.entry(id.inode).or_default().push(name);
        }
    }
    Ok(names)
}

fn named(names: &BTreeMap<u64, Vec<NsName>>, kind: NsKind, inode: u64) -> Vec<NsName> {
    // All namespace files lie on one device, so that inodes tell them apart.
    if kind == NsKind::Net { names.get(&inode).cloned().unwrap_or_default() } else { Vec::new() }
}
