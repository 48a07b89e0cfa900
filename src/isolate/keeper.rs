//! A small process that outlives a killed nsnet for as long as it takes to remove a name.
//!
//! It is made before the clone and lives outside of the new namespaces, so that it ends neither with the command
//! nor with its parent. It makes system calls only, as what is copied out of a process with threads must.

use std::{
    ffi::{CStr, CString},
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use rustix::{
    fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, StatxFlags, flock, makedev, open, statx, unlink},
    io::Errno,
    mount::{UnmountFlags, unmount},
    pipe::{PipeFlags, pipe_with},
    process::{WaitId, WaitIdOptions, setsid, waitid},
};

use crate::{
    error::{Error, Result},
    name::NsName,
    netns::{self, Netns, NetnsId, RUN_DIR, rundir},
    sys::process::{self, Child, EndsHere, c_string},
};

/// The parent's handle of it, and of the name.
pub(super) struct Keeper {
    child: Child,
    to_it: Option<OwnedFd>,
    name: NsName,
    named: Option<NetnsId>,
}

/// What it is told, one message at a time: which namespace the name stands for. The end means that the parent is gone.
const BYTES: usize = 16;

impl Keeper {
    /// Makes one for a name that is yet to be given.
    pub(super) fn start(name: &NsName) -> Result<Self> {
        let failed = |e: Errno| Error::os("start", format!("a keeper for {name}"), e);
        let path = c_string(std::path::Path::new(RUN_DIR).join(name.as_os_str()));
        let (from_parent, to_it) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
        match process::clone3(0).map_err(failed)? {
            Some(child) => Ok(Self { child, to_it: Some(to_it), name: name.clone(), named: None }),
            None => keep(&path, &from_parent),
        }
    }

    /// Gives the name to a namespace; the keeper knows before that which one it is, so that another of that name is not
    /// touched.
    pub(super) fn name(&mut self, ns: &Netns) -> Result<()> {
        let id = ns.id();
        let mut message = [0; BYTES];
        message[..8].copy_from_slice(&id.device.to_ne_bytes());
        message[8..].copy_from_slice(&id.inode.to_ne_bytes());
        if let Some(pipe) = &self.to_it {
            rustix::io::write(pipe, &message).map_err(|e| Error::os("tell", "the keeper of the name", e))?;
        }
        netns::attach(&self.name, ns)?;
        self.named = Some(id);
        Ok(())
    }

    /// Takes the name away again, if it still is that of the namespace.
    pub(super) fn unname(&mut self) -> Result<()> {
        self.named.take().map_or(Ok(()), |id| netns::unname(&self.name, id))
    }
}

/// Without the name, the keeper has nothing left to keep; when this returns, it is gone.
impl Drop for Keeper {
    fn drop(&mut self) {
        // Best effort: it was tried before where somebody could be told.
        let _ = self.unname();
        self.to_it = None;
        let _ = waitid(WaitId::PidFd(self.child.pidfd.as_fd()), WaitIdOptions::EXITED);
    }
}

fn keep(path: &CString, from_parent: &OwnedFd) -> ! {
    let _ends = EndsHere;
    // Not of the terminal's group, or ^C would end it with the others.
    let _ = setsid();
    let _ = rustix::thread::set_name(c"nsnet-keeper");
    process::close_all_but(&[from_parent.as_raw_fd()]);
    let mut kept = None;
    let mut message = [0; BYTES];
    loop {
        match rustix::io::read(from_parent, &mut message) {
            Err(Errno::INTR) => {}
            Ok(BYTES) => kept = Some(message),
            _ => break,
        }
    }
    if let Some(message) = kept {
        remove(path, message);
    }
    process::end(0)
}

/// Takes the name away if it still stands for that namespace. Looked at first: where the parent has done it, there is no lock
/// to wait for.
fn remove(path: &CStr, told: [u8; BYTES]) {
    if !stands_for(path, told) {
        return;
    }
    let lock = open(rundir::LOCK_FILE_C, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty());
    if let Ok(lock) = &lock {
        let _ = flock(lock, FlockOperation::LockExclusive);
    }
    if stands_for(path, told) {
        let _ = unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
        let _ = unlink(path);
    }
}

fn stands_for(path: &CStr, told: [u8; BYTES]) -> bool {
    let Ok(now) = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::INO) else { return false };
    let device = makedev(now.stx_dev_major, now.stx_dev_minor);
    told[..8] == device.to_ne_bytes() && told[8..] == now.stx_ino.to_ne_bytes()
}
