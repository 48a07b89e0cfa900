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

use super::mark;
use crate::{
    error::{Error, Result},
    name::{LabName, NsName},
    netns::{self, rundir},
    sys::locks,
};

/// The right to change a lab, until dropped. Its file goes with the lab.
pub(super) struct Lock {
    lab: LabName,
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
                return Ok(Self { lab: lab.clone(), path, _file: file });
            }
        }
    }

    /// Whether any namespace is called as one of the lab would be.
    fn has_names(&self) -> bool {
        let is_of_lab = |name: &NsName| mark::place_in(&self.lab, name.as_os_str()).is_some();
        netns::list().is_ok_and(|names| names.iter().any(is_of_lab))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.has_names() {
            // It would only lie there.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn busy(lab: &LabName, holder: Option<u32>) -> Error {
    let who = match holder {
        Some(pid) => format!("process {pid} is changing it; wait for its end"),
        None => "a process that cannot be seen from here is changing it; wait for its end".to_owned(),
    };
    Error::os("change lab", lab, Errno::BUSY).because(who)
}
