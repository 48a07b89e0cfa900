//! Namespace files.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use rustix::{
    fs::{FsWord, StatFs},
    io,
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

/// Whether an open namespace file is a network namespace. An `O_PATH` descriptor cannot tell (`EBADF`).
pub(crate) fn is_net(fd: impl AsFd) -> io::Result<bool> {
    // SAFETY: NS_GET_NSTYPE takes no argument and returns the flag; the descriptor is borrowed, so it is open.
    match unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), NS_GET_NSTYPE) } {
        -1 => Err(last_error()),
        flag => Ok(flag == libc::CLONE_NEWNET),
    }
}

/// `SIOCGSKNS` of `linux/sockios.h`, Linux 4.9.
const SIOCGSKNS: libc::Ioctl = 0x894c;

/// Opens the network namespace that a socket belongs to; it takes `CAP_NET_ADMIN` there.
pub(crate) fn of_socket(socket: impl AsFd) -> io::Result<OwnedFd> {
    // SAFETY: SIOCGSKNS takes no argument and returns a new descriptor; the socket is borrowed, so it is open.
    match unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), SIOCGSKNS) } {
        -1 => Err(last_error()),
        // SAFETY: the kernel just made it, and nobody else knows it.
        fd => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
    }
}
