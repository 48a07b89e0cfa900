//! Names that come and go.

use std::{
    collections::{BTreeSet, VecDeque},
    fs::File,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags},
    io::Errno,
};

use super::{
    RUN_DIR,
    entry::{Found, look},
    named::list,
    rundir::make_run_dir,
};
use crate::{
    error::{Error, Result},
    name::NsName,
};

/// A name that came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The namespace of this name can be entered now.
    Added(NsName),
    /// The name is gone.
    Deleted(NsName),
}

/// The changes in `/run/netns` since [`Watch::start`], as they come.
///
/// A rename is a deletion and an addition.
#[derive(Debug)]
pub struct Watch {
    names: OwnedFd,
    /// Becomes readable, in poll's sense, when a mount comes or goes.
    mounts: File,
    /// Names whose file is there, but behind which nothing was found yet.
    unannounced: BTreeSet<NsName>,
    ready: VecDeque<Change>,
}

impl Watch {
    /// Begins to watch; makes the directory where there is none.
    ///
    /// # Errors
    ///
    /// `Denied` if the directory is missing and may not be made, or may not be read.
    pub fn start() -> Result<Self> {
        make_run_dir()?;
        let living_before = names_that(|found| matches!(found, Found::Alive { .. }))?;
        let failed = |e: Errno| Error::os("watch", format!("'{RUN_DIR}'"), e);
        let names = inotify::init(CreateFlags::CLOEXEC).map_err(failed)?;
        let changes =
            WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE | WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR;
        inotify::add_watch(&names, RUN_DIR, changes).map_err(failed)?;
        let mounts = File::open("/proc/thread-self/mountinfo").map_err(|e| Error::os("watch", "mounts", e))?;
        // Those that are dead or foreign now. One may be just in the making: its file is there, its mount
        // is to come. The others do not count as deleted when they go; but one that lived a moment ago
        // is just being deleted, and does.
        let mut unannounced = names_that(|found| !matches!(found, Found::Alive { .. }))?;
        unannounced.retain(|name| !living_before.contains(name));
        Ok(Self { names, mounts, unannounced, ready: VecDeque::new() })
    }

    /// Waits for the next change.
    ///
    /// # Errors
    ///
    /// `NotFound` if the directory is removed; `Os` (`EOVERFLOW`) if changes came faster than they were read, and some were lost.
    pub fn next_change(&mut self) -> Result<Change> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Ok(change);
            }
            if self.wait().map_err(|e| Error::os("watch", format!("'{RUN_DIR}'"), e))? {
                self.read_names()?;
            }
            self.announce_mounted()?;
        }
    }

    /// Waits until names changed, or something else can be read; returns whether names did.
    pub(crate) fn wait_beside(&mut self, other: impl AsFd) -> Result<bool> {
        let failed = |e: Errno| Error::os("watch", format!("'{RUN_DIR}'"), e);
        let mut fds = [
            PollFd::new(&self.names, PollFlags::IN),
            PollFd::new(&self.mounts, PollFlags::PRI),
            PollFd::new(&other, PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Err(Errno::INTR) => return Ok(false),
            done => drop(done.map_err(failed)?),
        }
        let [names, mounts] = [0, 1].map(|at| !fds[at].revents().is_empty());
        if names {
            self.read_names()?;
        }
        if mounts {
            self.announce_mounted()?;
        }
        Ok(self.ready.drain(..).count() > 0)
    }

    /// Waits until something changed; true if it was a name.
    fn wait(&self) -> rustix::io::Result<bool> {
        let mut fds = [PollFd::new(&self.names, PollFlags::IN), PollFd::new(&self.mounts, PollFlags::PRI)];
        loop {
            match poll(&mut fds, None) {
                Err(Errno::INTR) => {}
                done => return done.map(|_| !fds[0].revents().is_empty()),
            }
        }
    }

    fn read_names(&mut self) -> Result<()> {
        let failed = |e: Errno| Error::os("watch", format!("'{RUN_DIR}'"), e);
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut seen = Vec::new();
        let mut reader = inotify::Reader::new(&self.names, &mut buffer);
        loop {
            let event = reader.next().map_err(failed)?;
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                return Err(failed(Errno::OVERFLOW));
            }
            if event.events().intersects(ReadFlags::IGNORED | ReadFlags::UNMOUNT | ReadFlags::MOVE_SELF) {
                return Err(failed(Errno::NOENT).because("the directory was removed"));
            }
            let came = event.events().intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
            let file = event.file_name().map(|name| std::ffi::OsStr::from_bytes(name.to_bytes()));
            seen.extend(file.and_then(|name| NsName::new(name).ok()).map(|name| (came, name)));
            if reader.is_buffer_empty() {
                break;
            }
        }
        for (came, name) in seen {
            if came {
                self.arrived(name)?;
            } else if !self.unannounced.remove(&name) {
                self.ready.push_back(Change::Deleted(name));
            }
        }
        Ok(())
    }

    fn arrived(&mut self, name: NsName) -> Result<()> {
        match look(&name)? {
            Found::Alive { .. } => {
                self.unannounced.remove(&name);
                self.ready.push_back(Change::Added(name));
            }
            _ => drop(self.unannounced.insert(name)),
        }
        Ok(())
    }

    fn announce_mounted(&mut self) -> Result<()> {
        for name in std::mem::take(&mut self.unannounced) {
            self.arrived(name)?;
        }
        Ok(())
    }
}

/// The names behind which something of this sort is found.
fn names_that(fit: impl Fn(&Found) -> bool) -> Result<BTreeSet<NsName>> {
    let mut names = BTreeSet::new();
    for name in list()? {
        if fit(&look(&name)?) {
            names.insert(name);
        }
    }
    Ok(names)
}
