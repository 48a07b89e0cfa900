//! Who keeps a namespace alive: processes, threads, open files and mounts, of anybody who can be read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::{
    NetnsId,
    procs::{Process, processes},
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

/// Finds who holds each of these namespaces, as far as can be seen. This process is left out.
///
/// A socket keeps its namespace alive too, and shows nowhere.
#[must_use]
pub fn holders(ids: &BTreeSet<NetnsId>) -> Vec<(NetnsId, Holder)> {
    let by_inode: BTreeMap<String, NetnsId> = ids.iter().map(|id| (id.to_string(), *id)).collect();
    let mut mount_namespaces = BTreeSet::new();
    let mut found = Vec::new();
    // Whoever cannot be read, or ended meanwhile, is nobody that can be named.
    for process in processes().unwrap_or_default() {
        if process.pid == std::process::id() {
            continue;
        }
        let lives = process.threads_in(ids).unwrap_or_default();
        let holds = lives.into_iter().map(|(id, thread)| (id, thread.map_or(Hold::Process, Hold::Thread)));
        let files = open_files(&process, &by_inode).unwrap_or_default();
        let mounts = mounts(&process, &by_inode, &mut mount_namespaces);
        let holder = |(id, hold)| (id, Holder { pid: process.pid, command: process.command(), hold });
        found.extend(holds.chain(files).chain(mounts).map(holder));
    }
    found
}

fn open_files(process: &Process, by_inode: &BTreeMap<String, NetnsId>) -> io::Result<Vec<(NetnsId, Hold)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(process.path("fd"))?.filter_map(io::Result::ok) {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        let fd = std::str::from_utf8(entry.file_name().as_bytes()).ok().and_then(|fd| fd.parse().ok());
        if let (Some(id), Some(fd)) = (target.to_str().and_then(|target| by_inode.get(target)), fd) {
            found.push((*id, Hold::File(fd)));
        }
    }
    Ok(found)
}

/// Mounts of a mount namespace that was not looked at before.
fn mounts(
    process: &Process,
    by_inode: &BTreeMap<String, NetnsId>,
    seen: &mut BTreeSet<PathBuf>,
) -> Vec<(NetnsId, Hold)> {
    let namespace = fs::read_link(process.path("ns/mnt"));
    if !namespace.is_ok_and(|namespace| seen.insert(namespace)) {
        return Vec::new();
    }
    let mounts = mountinfo::of(Path::new(&process.path("mountinfo"))).unwrap_or_default();
    let held = mounts.into_iter().filter_map(|mount| {
        let id = mount.root.to_str().and_then(|root| by_inode.get(root))?;
        Some((*id, Hold::Mount(mount.point)))
    });
    held.collect()
}
