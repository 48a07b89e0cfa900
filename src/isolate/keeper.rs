//! A small process that outlives a killed nsnet for as long as it takes to remove a name.
//!
//! It is made before the clone and lives outside of the new namespaces, so that it ends neither with the command
//! nor with its parent. It makes system calls only, as what is copied out of a process with threads must.

use std::{
    ffi::CString,
    os::fd::{AsRawFd, OwnedFd},
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
    netns::{NetnsId, RUN_DIR, rundir},
    sys::process::{self, Child, EndsHere, c_string},
};

/// The parent's handle of it.
pub(super) struct Keeper {
    child: Child,
    to_it: Option<OwnedFd>,
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
            Some(child) => Ok(Self { child, to_it: Some(to_it) }),
            None => keep(&path, &from_parent),
        }
    }

    /// Tells it which namespace it is, before the name is given: another one of that name is not touched.
    ///
    /// # Errors
    ///
    /// `Os` where it is gone: nobody would remove the name if this process were killed.
    pub(super) fn tell(&self, id: NetnsId) -> Result<()> {
        let mut message = [0; BYTES];
        message[..8].copy_from_slice(&id.device.to_ne_bytes());
        message[8..].copy_from_slice(&id.inode.to_ne_bytes());
        let Some(pipe) = &self.to_it else { return Ok(()) };
        rustix::io::write(pipe, &message).map(drop).map_err(|e| Error::os("tell", "the keeper of the name", e))
    }
}

/// The name is removed, by it: when this returns, it is gone.
impl Drop for Keeper {
    fn drop(&mut self) {
        self.to_it = None;
        let _ = waitid(WaitId::PidFd(std::os::fd::AsFd::as_fd(&self.child.pidfd)), WaitIdOptions::EXITED);
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

/// Takes the name away if it still stands for that namespace.
fn remove(path: &CString, told: [u8; BYTES]) {
    let lock = open(rundir::LOCK_FILE_C, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty());
    if let Ok(lock) = &lock {
        let _ = flock(lock, FlockOperation::LockExclusive);
    }
    let Ok(now) = statx(CWD, &**path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::INO) else { return };
    let device = makedev(now.stx_dev_major, now.stx_dev_minor);
    if told[..8] == device.to_ne_bytes() && told[8..] == now.stx_ino.to_ne_bytes() {
        let _ = unmount(&**path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
        let _ = unlink(&**path);
    }
}
