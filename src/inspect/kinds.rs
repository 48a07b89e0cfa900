//! Namespaces of all kinds: those of a process, whether two processes share them, and all there are.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, makedev, statx},
    io::Errno,
};

use crate::{
    error::{Error, ErrorKind, Result},
    netns::procs::{Process, numbers, processes},
    sys::{mountinfo, nsfs},
};

/// A kind of namespace, as `/proc/PID/ns` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NsKind {
    /// Control groups.
    Cgroup,
    /// System V IPC and POSIX message queues.
    Ipc,
    /// Mounts.
    Mnt,
    /// The network.
    Net,
    /// Process ids.
    Pid,
    /// Clocks (Linux 5.6).
    Time,
    /// Users, groups and capabilities.
    User,
    /// Host and domain name.
    Uts,
}

impl NsKind {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 8] =
        [Self::Cgroup, Self::Ipc, Self::Mnt, Self::Net, Self::Pid, Self::Time, Self::User, Self::Uts];

    /// The name of its file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cgroup => "cgroup",
            Self::Ipc => "ipc",
            Self::Mnt => "mnt",
            Self::Net => "net",
            Self::Pid => "pid",
            Self::Time => "time",
            Self::User => "user",
            Self::Uts => "uts",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    fn of_flag(flag: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.flag() == flag)
    }

    /// The flag of `clone` that makes one.
    pub(crate) fn flag(self) -> i32 {
        match self {
            Self::Cgroup => nsfs::CGROUP,
            Self::Ipc => nsfs::IPC,
            Self::Mnt => nsfs::MNT,
            Self::Net => nsfs::NET,
            Self::Pid => nsfs::PID,
            Self::Time => nsfs::TIME,
            Self::User => nsfs::USER,
            Self::Uts => nsfs::UTS,
        }
    }
}

/// What makes two namespaces the same, while somebody holds them: device and inode of their file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NsId {
    /// The device of nsfs.
    pub device: u64,
    /// The inode number, as in `uts:[4026531838]`.
    pub inode: u64,
}

impl NsId {
    fn of_path(path: impl AsRef<Path>) -> rustix::io::Result<Self> {
        Self::of(CWD, path.as_ref(), AtFlags::empty())
    }

    fn of_file(file: impl AsFd) -> rustix::io::Result<Self> {
        Self::of(file, Path::new(""), AtFlags::EMPTY_PATH)
    }

    fn of(dir: impl AsFd, path: &Path, flags: AtFlags) -> rustix::io::Result<Self> {
        let file = statx(dir, path, flags | AtFlags::STATX_DONT_SYNC, StatxFlags::INO)?;
        Ok(Self { device: makedev(file.stx_dev_major, file.stx_dev_minor), inode: file.stx_ino })
    }
}

/// A namespace, held open: nobody else gets its inode number meanwhile.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ns {
    file: OwnedFd,
    /// Of which kind.
    pub kind: NsKind,
    /// What it is compared by.
    pub id: NsId,
}

impl Ns {
    fn open(dir: impl AsFd, kind: NsKind) -> rustix::io::Result<Self> {
        let file = rustix::fs::openat(dir, kind.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { kind, id: NsId::of_file(&file)?, file })
    }

    /// All that the kernel tells of it. This asks up to five times; the id alone is there already.
    pub fn details(&self) -> NsDetails {
        let inode = |file: rustix::io::Result<OwnedFd>| file.and_then(NsId::of_file).ok().map(|id| id.inode);
        NsDetails {
            id: self.id,
            unique_id: nsfs::unique_id(&self.file).ok(),
            owner_inode: inode(nsfs::owner(&self.file)),
            parent_inode: inode(nsfs::parent(&self.file)),
        }
    }
}

impl AsFd for Ns {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// What the kernel tells of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NsDetails {
    /// What it is compared by.
    pub id: NsId,
    /// A number that no other namespace ever gets, where the kernel has one (Linux 6.18).
    pub unique_id: Option<u64>,
    /// The inode number of the user namespace that owns it; of a user namespace, of its parent. `None`
    /// where that lies above the caller's own.
    pub owner_inode: Option<u64>,
    /// The inode number of the namespace above it, which only those of pid and user have.
    pub parent_inode: Option<u64>,
}

/// What is known of one kind of namespace of a process: itself, or why it is not known.
pub type Known = (NsKind, std::result::Result<Ns, String>);

/// What is known of a kind that a process has not, and others have.
const ENDED: &str = "the process has ended";

/// The namespaces of a process, of all kinds that the kernel has, held open.
///
/// # Errors
///
/// `NotFound` if there is no such process.
pub fn namespaces_of(pid: u32) -> Result<Vec<Known>> {
    let process = PathBuf::from(format!("/proc/{pid}"));
    // The way to them is walked once.
    let dir = open_dir(&process.join("ns"));
    if dir.is_err() && !process.exists() {
        return Err(Error::of_kind(
            ErrorKind::NotFound,
            "look at",
            format!("process {pid}"),
            "there is no such process",
        ));
    }
    let known = |kind: NsKind| match dir.as_ref().map_err(|e| *e).and_then(|dir| Ns::open(dir, kind)) {
        Ok(ns) => Some((kind, Ok(ns))),
        // A kind that this kernel lacks, which this process would have too.
        Err(Errno::NOENT) if !Path::new("/proc/self/ns").join(kind.as_str()).exists() => None,
        Err(Errno::NOENT | Errno::SRCH) => Some((kind, Err(ENDED.into()))),
        Err(e) => Some((kind, Err(io::Error::from(e).to_string()))),
    };
    Ok(NsKind::ALL.into_iter().filter_map(known).collect())
}

/// Whether two processes share a namespace of one kind.
#[derive(Debug)]
pub struct Compared {
    /// Of which kind.
    pub kind: NsKind,
    /// The namespaces of both, each held open, or why it is not known.
    pub both: [std::result::Result<Ns, String>; 2],
}

impl Compared {
    /// Whether it is the same; `None` where that cannot be told.
    #[must_use]
    pub fn same(&self) -> Option<bool> {
        match &self.both {
            [Ok(a), Ok(b)] => Some(a.id == b.id),
            _ => None,
        }
    }
}

/// Compares the namespaces of two processes, kind by kind. All are held open at once: inode numbers are
/// used again as soon as a namespace has gone.
///
/// # Errors
///
/// `NotFound` if one of the processes does not exist.
pub fn compare(pids: [u32; 2]) -> Result<Vec<Compared>> {
    let [mut a, mut b] = [namespaces_of(pids[0])?, namespaces_of(pids[1])?].map(|known| known.into_iter().collect());
    let of_both = |kind| {
        let of = |known: &mut BTreeMap<NsKind, _>| known.remove(&kind);
        match (of(&mut a), of(&mut b)) {
            (None, None) => None,
            (a, b) => Some(Compared { kind, both: [a, b].map(|ns| ns.unwrap_or_else(|| Err(ENDED.into()))) }),
        }
    };
    Ok(NsKind::ALL.into_iter().filter_map(of_both).collect())
}

/// A namespace that was found, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// Of which kind.
    pub kind: NsKind,
    /// What it is compared by.
    pub id: NsId,
    /// How many processes live in it; one of which only threads do counts.
    pub processes: usize,
    /// The lowest process id of those, else of one that holds it otherwise.
    pub pid: u32,
    /// The name of that process, at most 15 bytes; not to be trusted.
    pub command: String,
    /// A file that it can be opened by, where nobody lives in it.
    pub path: Option<PathBuf>,
}

/// All namespaces that can be found, by kind, then by inode: those that processes and threads live in,
/// that are held by open files, and that are mounted. With `kind`, only such.
///
/// # Errors
///
/// `Os` if `/proc` cannot be read.
pub fn list(kind: Option<NsKind>) -> Result<Vec<Listed>> {
    let kinds: Vec<_> = NsKind::ALL.into_iter().filter(|&own| kind.is_none_or(|kind| kind == own)).collect();
    let failed = |e: io::Error| Error::os("read", "'/proc'", e);
    let device = NsId::of_path("/proc/self/ns/mnt").map_err(|e| failed(e.into()))?.device;
    let mut search = Search { kinds, device, ..Search::default() };
    for process in processes().map_err(failed)? {
        search.look_at(&process);
    }
    Ok(search.found.into_values().collect())
}

#[derive(Default)]
struct Search {
    kinds: Vec<NsKind>,
    /// The device of nsfs, on which all namespaces are.
    device: u64,
    found: BTreeMap<(NsKind, NsId), Listed>,
    /// Which kind the open file of a namespace is of.
    known: BTreeMap<NsId, Option<NsKind>>,
    /// Those whose mounts were looked at.
    mount_namespaces: BTreeSet<NsId>,
}

impl Search {
    fn look_at(&mut self, process: &Process) {
        let mut homes = BTreeSet::new();
        for task in process.tasks() {
            // The way to it is walked once.
            let Ok(dir) = open_dir(&process.path(&format!("{task}ns"))) else { continue };
            for &kind in &self.kinds {
                match NsId::of(&dir, Path::new(kind.as_str()), AtFlags::empty()) {
                    Ok(id) => drop(homes.insert((kind, id))),
                    // Of whom one may not be seen, none may.
                    Err(Errno::ACCESS) => break,
                    Err(_) => {}
                }
            }
        }
        let mounts = mounts_of(process, &homes);
        for (kind, id) in homes {
            let listed = self.found.entry((kind, id)).or_insert_with(|| listed(kind, id, process, None));
            if listed.processes == 0 {
                *listed = self::listed(kind, id, process, None);
            }
            listed.processes += 1;
        }
        if mounts == Err(Errno::ACCESS) {
            // Its open files may be seen no more than that.
            return;
        }
        // A thread of the kernel has no program, and no files.
        if !fs::read_link(process.path("exe")).is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
            self.look_at_files(process);
        }
        if mounts.is_ok_and(|id| self.mount_namespaces.insert(id)) {
            self.look_at_mounts(process);
        }
    }

    fn look_at_files(&mut self, process: &Process) {
        for fd in numbers(process.path("fd")).unwrap_or_default() {
            let path = process.path(&format!("fd/{fd}"));
            let Some(id) = NsId::of_path(&path).ok().filter(|id| id.device == self.device) else { continue };
            let kind = *self.known.entry(id).or_insert_with(|| kind_of(&path));
            if let Some(kind) = kind.filter(|kind| self.kinds.contains(kind)) {
                self.found.entry((kind, id)).or_insert_with(|| listed(kind, id, process, Some(path)));
            }
        }
    }

    fn look_at_mounts(&mut self, process: &Process) {
        for mount in mountinfo::of(&process.path("mountinfo")).unwrap_or_default() {
            let Some((kind, inode)) = mount.root.to_str().and_then(of_text) else { continue };
            let id = NsId { device: self.device, inode };
            if self.kinds.contains(&kind) {
                let point = mount.point;
                self.found.entry((kind, id)).or_insert_with(|| listed(kind, id, process, Some(point)));
            }
        }
    }
}

fn open_dir(path: &Path) -> rustix::io::Result<OwnedFd> {
    rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// The mount namespace of a process, which is known where all its threads live in one.
fn mounts_of(process: &Process, homes: &BTreeSet<(NsKind, NsId)>) -> rustix::io::Result<NsId> {
    let mut known = homes.iter().filter(|(kind, _)| *kind == NsKind::Mnt);
    match (known.next(), known.next()) {
        (Some((_, id)), None) => Ok(*id),
        _ => NsId::of_path(process.path("ns/mnt")),
    }
}

fn listed(kind: NsKind, id: NsId, process: &Process, path: Option<PathBuf>) -> Listed {
    Listed { kind, id, processes: 0, pid: process.pid, command: process.command(), path }
}

/// The kind of the namespace that an open file is; `None` where it is closed by now.
fn kind_of(path: &Path) -> Option<NsKind> {
    // What it links to tells, unless it was opened by a file that the namespace is mounted on.
    let target = fs::read_link(path).ok()?;
    match target.to_str().and_then(of_text) {
        Some((kind, _)) => Some(kind),
        None => {
            let unread = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
            // The number may mean another file by now, which may hang when it is opened: a FIFO, a device.
            let is_namespace = rustix::fs::fstatfs(&unread).is_ok_and(|file| nsfs::is_namespace(&file));
            let file = is_namespace.then(|| rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()));
            NsKind::of_flag(nsfs::kind(file?.ok()?).ok()?)
        }
    }
}

/// `uts:[4026531838]`
fn of_text(text: &str) -> Option<(NsKind, u64)> {
    let (kind, rest) = text.split_once(":[")?;
    Some((NsKind::named(kind)?, rest.strip_suffix(']')?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_namespaces_are_read_and_others_are_not() {
        assert_eq!(of_text("uts:[4026531838]"), Some((NsKind::Uts, 4_026_531_838)));
        for other in ["socket:[12]", "uts:[x]", "uts:[12", "/run/netns/a:[1]", ""] {
            assert_eq!(of_text(other), None, "{other}");
        }
    }
}
