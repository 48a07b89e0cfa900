//! What stands behind a name: looked at by `O_PATH`, so that a FIFO or a device hangs nothing.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags},
    io::Errno,
};
use serde::Serialize;

use super::{Netns, NetnsId, RUN_DIR, is_net};
use crate::{
    error::{Error, ErrorKind, Result, Shown},
    name::{NsName, NsRef},
    sys::nsfs,
};

/// A name in `/run/netns` and what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The file name.
    pub name: NsName,
    /// What it is.
    pub state: State,
}

/// What a name in `/run/netns` is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// A network namespace, or a symlink to one.
    Alive(NetnsId),
    /// An empty regular file or a dangling symlink: what a crash, a reboot or a lost mount leaves.
    /// Nobody can enter it, and nothing is lost with it.
    Dead,
    /// Anything else, and why it is no namespace. nsnet never touches it.
    Foreign(String),
}

impl State {
    /// The word for it in output.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Alive(_) => "alive",
            Self::Dead => "dead",
            Self::Foreign(_) => "foreign",
        }
    }
}

impl Serialize for State {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Where a name lies.
pub(super) fn path_of(name: &NsName) -> PathBuf {
    Path::new(RUN_DIR).join(name.as_os_str())
}

/// A look at a name, with what is needed to act on it.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    Alive { ns: Netns, symlink: bool },
    Dead,
    Foreign(String),
}

/// Looks at a name without following where it must not, and without hanging on anything.
pub(super) fn look(name: &NsName) -> Result<Found> {
    let path = path_of(name);
    let failed = |e: Errno| Error::os("look at", name, e);
    let itself = match open_unread(&path, OFlags::NOFOLLOW) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(Found::Nothing),
        Err(e) => return Err(failed(e)),
    };
    let stat = rustix::fs::fstat(&itself).map_err(failed)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
        return Ok(look_behind_symlink(name, &path));
    }
    if is_nsfs(&itself).map_err(failed)? {
        return alive(&itself, name, false);
    }
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile if stat.st_size == 0 => Found::Dead,
        FileType::RegularFile => Found::Foreign("it is a file with content".into()),
        FileType::Directory => Found::Foreign("it is a directory".into()),
        FileType::Fifo => Found::Foreign("it is a FIFO".into()),
        FileType::Socket => Found::Foreign("it is a socket".into()),
        _ => Found::Foreign("it is a device".into()),
    })
}

fn look_behind_symlink(name: &NsName, path: &Path) -> Found {
    let seen = match open_unread(path, OFlags::empty()) {
        Err(Errno::NOENT) => return Found::Dead,
        Ok(target) => is_nsfs(&target).map(|nsfs| nsfs.then_some(target)),
        Err(e) => Err(e),
    };
    match seen {
        Ok(Some(target)) => {
            alive(&target, name, true).unwrap_or_else(|e| Found::Foreign(format!("it is a symlink: {e}")))
        }
        Ok(None) => Found::Foreign("it is a symlink to something that is no namespace".into()),
        Err(e) => Found::Foreign(format!("it is a symlink that cannot be followed: {}", Shown(&e.into()))),
    }
}

fn alive(unread: &OwnedFd, name: &NsName, symlink: bool) -> Result<Found> {
    let fd = reopen(unread).map_err(|e| Error::os("open", name, e))?;
    match is_net(&fd) {
        Ok(true) => Ok(Found::Alive { ns: Netns::from_fd(fd, name)?, symlink }),
        Ok(false) => Ok(Found::Foreign("it is a namespace, but not of the network".into())),
        Err(e) => Err(Error::os("look at", name, e)),
    }
}

/// Opens a namespace file that need not lie in `/run/netns`.
pub(super) fn open_path(path: &Path, reference: &NsRef) -> Result<Netns> {
    let failed = |e: io::Error| Error::os("open", reference, e);
    let unread = open_unread(path, OFlags::empty()).map_err(|e| failed(e.into()))?;
    let no_namespace = || Error::of_kind(ErrorKind::NotANamespace, "open", reference, "it is no network namespace");
    if !is_nsfs(&unread).map_err(|e| failed(e.into()))? {
        return Err(no_namespace());
    }
    let fd = reopen(&unread).map_err(|e| failed(e.into()))?;
    if is_net(&fd).map_err(failed)? { Netns::from_fd(fd, reference) } else { Err(no_namespace()) }
}

fn open_unread(path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC | flags, Mode::empty())
}

fn is_nsfs(fd: impl AsFd) -> rustix::io::Result<bool> {
    rustix::fs::fstatfs(fd).map(|file| nsfs::is_namespace(&file))
}

/// Opens for reading what an `O_PATH` descriptor stands for, and nothing that took its name since.
fn reopen(unread: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    let path = format!("/proc/thread-self/fd/{}", unread.as_raw_fd());
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

impl Entry {
    /// Looks at one name in `/run/netns`; `None` if nothing is there.
    ///
    /// # Errors
    ///
    /// `Denied` where the directory may not be searched.
    pub fn look(name: NsName) -> Result<Option<Self>> {
        let state = match look(&name)? {
            Found::Nothing => return Ok(None),
            Found::Alive { ns, .. } => State::Alive(ns.id()),
            Found::Dead => State::Dead,
            Found::Foreign(reason) => State::Foreign(reason),
        };
        Ok(Some(Self { name, state }))
    }
}

/// Makes the empty file that a namespace is bound over; taken names are refused.
pub(super) fn create_file(path: &Path) -> rustix::io::Result<()> {
    // Mode 0 as ip makes it: without the mount on top there is nothing to read.
    let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map(drop)
}

/// Binds a namespace over its file.
pub(super) fn bind(ns: &Netns, path: &Path) -> rustix::io::Result<()> {
    let source = format!("/proc/thread-self/fd/{}", ns.as_fd().as_raw_fd());
    rustix::mount::mount_bind(source, path)
}
