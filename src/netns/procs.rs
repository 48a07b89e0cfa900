//! Processes and namespaces: who lives where.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Read as _},
    mem::MaybeUninit,
    os::unix::fs::MetadataExt,
    path::PathBuf,
};

use rustix::fs::{Mode, OFlags, RawDir, open};
use serde::Serialize;

use super::{Netns, NetnsId, entry::path_of, named::list};
use crate::{
    error::{Error, Result},
    name::NsName,
};

/// A process or a thread that lives in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Resident {
    /// The process.
    pub pid: u32,
    /// Its name as the process tells it, at most 15 bytes; not to be trusted.
    pub command: String,
    /// The thread, where it moved here without its process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_thread: Option<u32>,
}

/// Who lives in a namespace, as far as can be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Residents {
    /// By process id.
    pub residents: Vec<Resident>,
    /// How many processes could not be looked at, for want of privilege.
    pub unreadable: usize,
}

/// Finds the processes that live in a namespace, and the threads that moved there.
///
/// # Errors
///
/// `Os` if `/proc` cannot be read.
pub fn residents(ns: &Netns) -> Result<Residents> {
    let wanted = BTreeSet::from([ns.id()]);
    let mut found = Residents::default();
    for process in processes().map_err(|e| Error::os("read", "'/proc'", e))? {
        match process.threads_in(&wanted) {
            Ok(threads) => found.residents.extend(threads.into_iter().map(|(_, moved_thread)| Resident {
                pid: process.pid,
                command: process.command(),
                moved_thread,
            })),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => found.unreadable += 1,
            // It ended meanwhile.
            Err(_) => {}
        }
    }
    Ok(found)
}

/// The processes that live in each namespace, by id, as far as can be seen.
///
/// # Errors
///
/// `Os` if `/proc` cannot be read.
pub fn inhabited() -> Result<BTreeMap<NetnsId, Vec<u32>>> {
    let mut homes: BTreeMap<_, Vec<u32>> = BTreeMap::new();
    for process in processes().map_err(|e| Error::os("read", "'/proc'", e))? {
        if let Ok(home) = NetnsId::of_path(process.path("ns/net")) {
            homes.entry(home).or_default().push(process.pid);
        }
    }
    Ok(homes)
}

/// The name that a process gives itself, at most 15 bytes, not to be trusted; empty where it has ended.
#[must_use]
pub fn command_of(pid: u32) -> String {
    Process { pid }.command()
}

/// The user that a process acts as; `None` where it has ended.
#[must_use]
pub fn uid_of(pid: u32) -> Option<u32> {
    Some(fs::metadata(format!("/proc/{pid}")).ok()?.uid())
}

/// Finds all names of a namespace, sorted.
///
/// # Errors
///
/// `Denied` where `/run/netns` may not be read.
pub fn identify(ns: &Netns) -> Result<Vec<NsName>> {
    let mut names = list()?;
    names.retain(|name| NetnsId::of_path(path_of(name)).is_ok_and(|id| id == ns.id()));
    Ok(names)
}

/// All processes, by id.
pub(crate) fn processes() -> io::Result<Vec<Process>> {
    let mut processes: Vec<_> = numbers("/proc".into())?.into_iter().map(|pid| Process { pid }).collect();
    processes.sort_unstable_by_key(|process| process.pid);
    Ok(processes)
}

/// A process that was there when `/proc` was read.
pub(crate) struct Process {
    pub pid: u32,
}

impl Process {
    /// A file below `/proc/PID`.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        format!("/proc/{}/{file}", self.pid).into()
    }

    /// The name it gives itself; empty where it has ended.
    pub(crate) fn command(&self) -> String {
        let name = fs::read(self.path("comm")).unwrap_or_default();
        String::from_utf8_lossy(name.trim_ascii_end()).into_owned()
    }

    /// What it was started with, as `KEY=VALUE`, each with a NUL byte behind it.
    pub(crate) fn environment(&self) -> io::Result<Vec<u8>> {
        // A file of /proc does not tell its size: with room for all of it, it takes few calls.
        let mut text = Vec::with_capacity(8 << 10);
        fs::File::open(self.path("environ"))?.read_to_end(&mut text)?;
        Ok(text)
    }

    /// The namespaces among `wanted` that it lives in, as [`homes`](Self::homes).
    pub(crate) fn threads_in(&self, wanted: &BTreeSet<NetnsId>) -> io::Result<Vec<(NetnsId, Option<u32>)>> {
        let mut homes = self.homes()?;
        homes.retain(|(id, _)| wanted.contains(id));
        Ok(homes)
    }

    /// The namespaces that it lives in: with `None` the process itself, which is its first thread, and
    /// with `Some` a thread that went elsewhere, or that outlived the first.
    pub(crate) fn homes(&self) -> io::Result<Vec<(NetnsId, Option<u32>)>> {
        let home = match NetnsId::of_path(self.path("ns/net")) {
            // The first thread has ended.
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            home => Some(home?),
        };
        let mut found: Vec<_> = home.into_iter().map(|id| (id, None)).collect();
        for tid in self.other_threads()? {
            match NetnsId::of_path(self.path(&format!("task/{tid}/ns/net"))) {
                Ok(id) if Some(id) != home => found.push((id, Some(tid))),
                // Where its process lives, or ended meanwhile.
                _ => {}
            }
        }
        Ok(found)
    }

    /// Below its directory, where its namespaces are told: its own, and those of each other thread.
    pub(crate) fn tasks(&self) -> Vec<String> {
        let others = self.other_threads().unwrap_or_default().into_iter().map(|tid| format!("task/{tid}/"));
        std::iter::once(String::new()).chain(others).collect()
    }

    fn other_threads(&self) -> io::Result<Vec<u32>> {
        let tasks = self.path("task");
        // A directory has a link for itself, its name and each thread: most processes have one.
        if fs::metadata(&tasks)?.nlink() <= 3 {
            return Ok(Vec::new());
        }
        Ok(numbers(tasks)?.into_iter().filter(|&tid| tid != self.pid).collect())
    }
}

/// The files of a directory whose names are numbers.
///
/// Of thousands of directories, most have few: one buffer on the stack is cheaper than what the C library allocates.
pub(crate) fn numbers(dir: PathBuf) -> io::Result<Vec<u32>> {
    let dir = open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(dir, &mut buffer);
    let mut numbers = Vec::new();
    while let Some(entry) = entries.next() {
        // What cannot be read to its end is told as far as it was.
        let Ok(entry) = entry else { break };
        numbers.extend(entry.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(numbers)
}
