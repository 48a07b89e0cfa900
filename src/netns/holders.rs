//! Who keeps a namespace alive: processes, threads, open files and mounts, of anybody who can be read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    NetnsId,
    procs::{Process, numbers, processes},
};
use crate::sys::mountinfo;

/// Somebody who keeps a namespace alive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The process; for a mount, one that sees it.
    pub pid: u32,
    /// Its name as the process tells it, at most 15 bytes; not to be trusted.
    pub command: String,
    /// In which way.
    pub hold: Hold,
}

/// How a namespace is held.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hold {
    /// The process lives in it.
    Process,
    /// A thread of the process, by its id, lives in it.
    Thread(u32),
    /// The process has its file open, by this descriptor.
    File(u32),
    /// It is mounted here, in the mount namespace of the process.
    Mount(PathBuf),
}

/// Finds who holds each of these namespaces, as far as can be seen. This process comes last.
///
/// A socket keeps its namespace alive too, and shows nowhere.
#[must_use]
pub fn holders(ids: &BTreeSet<NetnsId>) -> Vec<(NetnsId, Holder)> {
    let by_root: BTreeMap<String, NetnsId> = ids.iter().map(|id| (id.to_string(), *id)).collect();
    let mut mount_namespaces = BTreeSet::new();
    let mut found = Vec::new();
    // Whoever cannot be read, or ended meanwhile, is nobody that can be named.
    let mut processes = processes().unwrap_or_default();
    // Of those that see a mount one is named: rather one that stays.
    processes.sort_by_key(|process| process.pid == std::process::id());
    for process in processes {
        let lives = process.threads_in(ids).unwrap_or_default();
        let holds = lives.into_iter().map(|(id, thread)| (id, thread.map_or(Hold::Process, Hold::Thread)));
        let files = open_files(&process, ids).unwrap_or_default();
        let mounts = mounts(&process, &by_root, &mut mount_namespaces);
        let holder = |(id, hold)| (id, Holder { pid: process.pid, command: process.command(), hold });
        found.extend(holds.chain(files).chain(mounts).map(holder));
    }
    found
}

fn open_files(process: &Process, ids: &BTreeSet<NetnsId>) -> io::Result<Vec<(NetnsId, Hold)>> {
    let fds = numbers(process.path("fd"))?.into_iter();
    // Not by what the link reads: one that was opened by its name has that instead of its inode.
    let opened = fds.filter_map(|fd| Some((NetnsId::of_path(process.path(&format!("fd/{fd}"))).ok()?, Hold::File(fd))));
    Ok(opened.filter(|(id, _)| ids.contains(id)).collect())
}

/// Mounts of a mount namespace that was not looked at before.
fn mounts(
    process: &Process,
    by_root: &BTreeMap<String, NetnsId>,
    seen: &mut BTreeSet<PathBuf>,
) -> Vec<(NetnsId, Hold)> {
    let namespace = fs::read_link(process.path("ns/mnt"));
    if !namespace.is_ok_and(|namespace| seen.insert(namespace)) {
        return Vec::new();
    }
    let mounts = mountinfo::of(Path::new(&process.path("mountinfo"))).unwrap_or_default();
    let held = mounts.into_iter().filter_map(|mount| {
        let id = mount.root.to_str().and_then(|root| by_root.get(root))?;
        Some((*id, Hold::Mount(mount.point)))
    });
    held.collect()
}
