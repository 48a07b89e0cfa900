//! One at a time: who works on a lab.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::PathBuf,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::{
    error::{Error, Result},
    name::LabName,
    netns::rundir,
    sys::locks,
};

/// The right to change a lab, until dropped.
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// Takes it at once, or says who has it.
    pub(super) fn take(lab: &LabName) -> Result<Self> {
        let path = rundir::make_nsnet_dir()?.join(format!("lab-{}", lab.as_str()));
        let failed = |op, e| Error::os(op, format!("'{}'", path.display()), e);
        loop {
            let file = rundir::open_lock(&path).map_err(|e| failed("open", e))?;
            let itself = file.metadata().map_err(|e| failed("look at", e))?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Err(busy(lab, locks::flock_holder(&itself))),
                Err(e) => return Err(failed("lock", e.into())),
            }
            // Whoever had it before may have removed the file.
            if fs::metadata(&path).is_ok_and(|now| (now.dev(), now.ino()) == (itself.dev(), itself.ino())) {
                return Ok(Self { path, _file: file });
            }
        }
    }

    /// Removes the file: the lab is no more.
    pub(super) fn remove(self) {
        // It is only left to lie there.
        let _ = fs::remove_file(&self.path);
    }
}

fn busy(lab: &LabName, holder: Option<u32>) -> Error {
    let who = match holder {
        Some(pid) => format!("process {pid} is changing it; wait for its end"),
        None => "a process that cannot be seen from here is changing it; wait for its end".to_owned(),
    };
    Error::os("change lab", lab, Errno::BUSY).because(who)
}
