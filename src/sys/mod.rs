//! The only room of the library with `unsafe`: thin covers over system calls that rustix has no safe form of,
//! and the parsers of `/proc` files. It holds no policy.
#![allow(unsafe_code)]

pub(crate) mod listmount;
pub(crate) mod locks;
pub(crate) mod mountinfo;
pub(crate) mod nsfs;
pub(crate) mod process;
pub(crate) mod signal;
pub(crate) mod tun;

use std::{
    ffi::CStr,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
};

use rustix::{
    io,
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
    thread::UnshareFlags,
};

/// Moves the calling thread, and no other, into a new network namespace.
pub(crate) fn unshare_net() -> io::Result<()> {
    // SAFETY: of all flags only CLONE_FILES can break I/O safety, and it is not passed.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }
}

/// Moves the calling thread, and no other, into a new UTS namespace, a copy of the one it leaves.
pub(crate) fn unshare_uts() -> io::Result<()> {
    // SAFETY: of all flags only CLONE_FILES can break I/O safety, and it is not passed.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUTS) }
}

/// Moves the calling thread into a new mount namespace, a copy of the one it leaves.
///
/// The kernel gives the thread a working directory, root and umask of its own with it.
pub(crate) fn unshare_mount() -> io::Result<()> {
    // SAFETY: of all flags only CLONE_FILES can break I/O safety, and it is not passed.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }
}

/// A new file system of this kind, mounted nowhere in the tree of files: it goes with its descriptor.
///
/// Linux 5.2. Allocates nothing.
pub(crate) fn detached_mount(kind: &CStr, flags: MountAttrFlags) -> io::Result<OwnedFd> {
    let new = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&new)?;
    fsmount(&new, FsMountFlags::FSMOUNT_CLOEXEC, flags)
}

/// Makes all mounts of a detached tree private, so that none is a peer of what it was cloned from.
///
/// Linux 5.12. `mount(2)` only changes what is mounted somewhere.
pub(crate) fn make_private(tree: BorrowedFd<'_>) -> io::Result<()> {
    let change = libc::mount_attr { attr_set: 0, attr_clr: 0, propagation: libc::MS_PRIVATE, userns_fd: 0 };
    // SAFETY: the path is a C string, and `change` is as large as said; the kernel only reads both.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const change,
            size_of_val(&change),
        )
    };
    if done == 0 { Ok(()) } else { Err(last_error()) }
}

/// The errno of the call before.
fn last_error() -> io::Errno {
    let error = std::io::Error::last_os_error();
    io::Errno::from_raw_os_error(error.raw_os_error().unwrap_or(libc::EIO))
}
