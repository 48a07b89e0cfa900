//! The file that says which process is process 1 inside.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use crate::{
    error::{Error, Result},
    name::quoted,
};

/// There until dropped; what somebody put in its place meanwhile stays.
pub(super) struct PidFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl PidFile {
    /// Writes it, also over an old one; what is no plain file is refused, and never removed.
    pub(super) fn write(path: &Path, pid: u32) -> Result<Self> {
        let failed = |e| Error::os("write", quoted(path.as_os_str()), e);
        // Without a wait for the reader of a FIFO.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let mut options = File::options();
        let options = options.write(true).create(true).truncate(false).custom_flags(flags);
        let mut file = options.open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(Error::invalid("write", quoted(path.as_os_str()), "it is no plain file"));
        }
        file.set_len(0).and_then(|()| writeln!(file, "{pid}")).map_err(failed)?;
        Ok(Self { path: path.to_owned(), identity: (metadata.dev(), metadata.ino()) })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let still = fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.identity);
        if still {
            // Best effort: somebody may remove it in this moment.
            let _ = fs::remove_file(&self.path);
        }
    }
}
