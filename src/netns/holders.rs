//! Who keeps namespaces alive: processes, threads, open files and mounts, of anybody who can be read.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::{
    Netns, NetnsId,
    procs::{Process, numbers, processes},
};
use crate::{
    error::{Error, Result},
    name::NsRef,
    sys::{mountinfo, nsfs},
};

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
    /// The process has a socket of it open, by this descriptor, and lives elsewhere.
    Socket(u32),
    /// It is mounted here, in the mount namespace of the process.
    Mount(PathBuf),
}

impl Holder {
    /// The file that the namespace can be opened by, while it is held; of a socket, the socket itself.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        let proc = PathBuf::from(format!("/proc/{}", self.pid));
        match &self.hold {
            Hold::Process => proc.join("ns/net"),
            Hold::Thread(tid) => proc.join(format!("task/{tid}/ns/net")),
            Hold::File(fd) | Hold::Socket(fd) => proc.join(format!("fd/{fd}")),
            // As that process sees it.
            Hold::Mount(point) => proc.join("root").join(point.strip_prefix("/").unwrap_or(point)),
        }
    }

    /// Opens the namespace; `None` where it went meanwhile, or may not be opened.
    pub(crate) fn open(&self, id: NetnsId) -> Option<Netns> {
        Netns::open(&NsRef::Path(self.path())).ok().filter(|ns| ns.id() == id)
    }
}

/// Who holds which namespace, as far as can be seen.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Holders {
    /// By process; this process comes last.
    pub found: Vec<(NetnsId, Holder)>,
    /// How many processes could not be looked at, for want of privilege.
    pub unreadable: usize,
}

/// Finds who holds each of these namespaces, as far as can be seen. This process comes last.
///
/// A socket keeps its namespace alive too, and shows nowhere.
#[must_use]
pub fn holders(ids: &BTreeSet<NetnsId>) -> Vec<(NetnsId, Holder)> {
    let mut found = all_holders().unwrap_or_default().found;
    found.retain(|(id, _)| ids.contains(id));
    found
}

/// Finds everybody who holds a network namespace, as far as can be seen.
///
/// # Errors
///
/// `Os` if `/proc` cannot be read.
pub fn all_holders() -> Result<Holders> {
    let mut processes = processes().map_err(|e| Error::os("read", "'/proc'", e))?;
    // Of those that see a mount one is named: rather one that stays.
    processes.sort_by_key(|process| process.pid == std::process::id());
    let mut search = Search { device: Netns::current()?.id().device, ..Search::default() };
    let mut all = Holders::default();
    for process in processes {
        match process.homes() {
            Ok(homes) => {
                let lives = homes.into_iter().map(|(id, thread)| (id, thread.map_or(Hold::Process, Hold::Thread)));
                let held: Vec<_> = lives.chain(search.files(&process)).chain(search.mounts(&process)).collect();
                if !held.is_empty() {
                    let command = process.command();
                    let holder = |(id, hold)| (id, Holder { pid: process.pid, command: command.clone(), hold });
                    all.found.extend(held.into_iter().map(holder));
                }
            }
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => all.unreadable += 1,
            // It ended meanwhile: nobody that can be named.
            Err(_) => {}
        }
    }
    Ok(all)
}

/// Finds the sockets of a namespace that processes elsewhere hold, and that keep it alive. Only those
/// show that the caller may take from their process (Linux 5.6), which takes the right to trace it.
///
/// # Errors
///
/// `Os` if `/proc` cannot be read.
pub fn socket_holders(ns: &Netns) -> Result<Vec<Holder>> {
    let mut found = Vec::new();
    for process in processes().map_err(|e| Error::os("read", "'/proc'", e))? {
        let lives_there = process.homes().is_ok_and(|homes| homes.iter().any(|(id, _)| *id == ns.id()));
        if lives_there || process.pid == std::process::id() {
            continue;
        }
        let sockets = sockets_of(&process, ns.id()).into_iter().map(Hold::Socket);
        found.extend(sockets.map(|hold| Holder { pid: process.pid, command: process.command(), hold }));
    }
    Ok(found)
}

/// The sockets of a namespace among the files of a process.
fn sockets_of(process: &Process, id: NetnsId) -> Vec<u32> {
    let fds = numbers(process.path("fd")).unwrap_or_default().into_iter();
    let is_socket = |fd: &u32| {
        let link = fs::read_link(process.path(&format!("fd/{fd}")));
        link.is_ok_and(|link| link.as_os_str().as_encoded_bytes().starts_with(b"socket:"))
    };
    let mut sockets = fds.filter(is_socket).peekable();
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw).filter(|_| sockets.peek().is_some());
    let Some(Ok(process)) = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())) else { return Vec::new() };
    let lies_there = |fd: &u32| {
        let socket = pidfd_getfd(&process, fd.cast_signed(), PidfdGetfdFlags::empty());
        let home = socket.and_then(nsfs::of_socket).ok().and_then(|fd| Netns::from_fd(fd, "").ok());
        home.is_some_and(|home| home.id() == id)
    };
    sockets.filter(lies_there).collect()
}

/// What is known on the way through all processes.
#[derive(Default)]
struct Search {
    /// The one of all namespace files.
    device: u64,
    /// Which namespaces that a file is open of are network namespaces.
    is_net: BTreeMap<NetnsId, bool>,
    mount_namespaces: BTreeSet<PathBuf>,
}

impl Search {
    /// Files of network namespaces that a process has open.
    fn files(&mut self, process: &Process) -> Vec<(NetnsId, Hold)> {
        let mut held = Vec::new();
        for fd in numbers(process.path("fd")).unwrap_or_default() {
            let path = process.path(&format!("fd/{fd}"));
            // Not by what the link reads: one that was opened by its name has that instead of its inode.
            let Ok(id) = NetnsId::of_path(&path) else { continue };
            if id.device == self.device && *self.is_net.entry(id).or_insert_with(|| opens(&path)) {
                held.push((id, Hold::File(fd)));
            }
        }
        held
    }

    /// Mounts of a mount namespace that was not looked at before.
    fn mounts(&mut self, process: &Process) -> Vec<(NetnsId, Hold)> {
        let namespace = fs::read_link(process.path("ns/mnt"));
        if !namespace.is_ok_and(|namespace| self.mount_namespaces.insert(namespace)) {
            return Vec::new();
        }
        let mounts = mountinfo::of(Path::new(&process.path("mountinfo"))).unwrap_or_default();
        let held = mounts.into_iter().filter_map(|mount| {
            let inode = mount.root.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()?;
            Some((NetnsId { device: self.device, inode }, Hold::Mount(mount.point)))
        });
        held.collect()
    }
}

fn opens(path: &Path) -> bool {
    Netns::open(&NsRef::Path(path.to_owned())).is_ok()
}
