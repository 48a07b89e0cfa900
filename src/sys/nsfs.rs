//! Namespace files.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use rustix::{
    fs::{FsWord, StatFs},
    io,
    ioctl::{Getter, Opcode, ioctl},
};

use super::last_error;

/// `NSFS_MAGIC` of `linux/magic.h`.
const MAGIC: FsWord = 0x6e73_6673;

/// `NS_GET_NSTYPE` of `linux/nsfs.h`: which `CLONE_NEW*` flag made the namespace.
const NS_GET_NSTYPE: libc::Ioctl = 0xb703;

/// Whether a file lies on nsfs, that is, whether it is a namespace of some type.
pub(crate) fn is_namespace(file: &StatFs) -> bool {
    file.f_type == MAGIC
}

/// The flags of `clone(2)` that kinds of namespaces are told by.
pub(crate) const CGROUP: i32 = libc::CLONE_NEWCGROUP;
pub(crate) const IPC: i32 = libc::CLONE_NEWIPC;
pub(crate) const MNT: i32 = libc::CLONE_NEWNS;
pub(crate) const NET: i32 = libc::CLONE_NEWNET;
pub(crate) const PID: i32 = libc::CLONE_NEWPID;
pub(crate) const TIME: i32 = libc::CLONE_NEWTIME;
pub(crate) const USER: i32 = libc::CLONE_NEWUSER;
pub(crate) const UTS: i32 = libc::CLONE_NEWUTS;

/// Which flag made the namespace of an open file. An `O_PATH` descriptor cannot tell (`EBADF`).
pub(crate) fn kind(fd: impl AsFd) -> io::Result<i32> {
    // SAFETY: NS_GET_NSTYPE takes no argument and returns the flag; the descriptor is borrowed, so it is open.
    match unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), NS_GET_NSTYPE) } {
        -1 => Err(last_error()),
        flag => Ok(flag),
    }
}

/// Whether an open namespace file is a network namespace.
pub(crate) fn is_net(fd: impl AsFd) -> io::Result<bool> {
    Ok(kind(fd)? == NET)
}

/// `NS_GET_USERNS` of `linux/nsfs.h`.
const NS_GET_USERNS: libc::Ioctl = 0xb701;
/// `NS_GET_PARENT` of `linux/nsfs.h`.
const NS_GET_PARENT: libc::Ioctl = 0xb702;
/// `NS_GET_ID` of `linux/nsfs.h`.
const NS_GET_ID: Opcode = 0x8008_b70d;

/// The user namespace that owns a namespace; `EPERM` where it lies above the caller's own.
pub(crate) fn owner(fd: impl AsFd) -> io::Result<OwnedFd> {
    related(fd, NS_GET_USERNS)
}

/// The namespace above one of pid or user; `EINVAL` for other kinds.
pub(crate) fn parent(fd: impl AsFd) -> io::Result<OwnedFd> {
    related(fd, NS_GET_PARENT)
}

/// The number that no other namespace ever gets.
pub(crate) fn unique_id(fd: impl AsFd) -> io::Result<u64> {
    // SAFETY: NS_GET_ID writes a u64 to where it is told.
    unsafe { ioctl(fd, Getter::<NS_GET_ID, u64>::new()) }
}

/// Asks one of the questions without an argument that are answered by a new descriptor.
fn related(fd: impl AsFd, question: libc::Ioctl) -> io::Result<OwnedFd> {
    // SAFETY: the question takes no argument; the descriptor is borrowed, so it is open.
    match unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), question) } {
        -1 => Err(last_error()),
        // SAFETY: the kernel just made it, and nobody else knows it.
        fd => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
    }
}

/// `SIOCGSKNS` of `linux/sockios.h`, Linux 4.9.
const SIOCGSKNS: libc::Ioctl = 0x894c;

/// Opens the network namespace that a socket belongs to; it takes `CAP_NET_ADMIN` there.
pub(crate) fn of_socket(socket: impl AsFd) -> io::Result<OwnedFd> {
    related(socket, SIOCGSKNS)
}
