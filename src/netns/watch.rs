//! Names that come and go.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
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
        let before = alive_or_not()?;
        let failed = |e: Errno| Error::os("watch", format!("'{RUN_DIR}'"), e);
        let names = inotify::init(CreateFlags::CLOEXEC).map_err(failed)?;
        let changes =
            WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE | WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR;
        inotify::add_watch(&names, RUN_DIR, changes).map_err(failed)?;
        let mounts = File::open("/proc/thread-self/mountinfo").map_err(|e| Error::os("watch", "mounts", e))?;
        let (unannounced, ready) = between(&before, alive_or_not()?);
        Ok(Self { names, mounts, unannounced, ready })
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

/// What changed between two looks at the names, one before the watch began and one after, and is not
/// heard: a mount over a file that was there makes no event of the file.
fn between(before: &BTreeMap<NsName, bool>, after: BTreeMap<NsName, bool>) -> (BTreeSet<NsName>, VecDeque<Change>) {
    let (mut unannounced, mut ready) = (BTreeSet::new(), VecDeque::new());
    for (name, alive) in after {
        match (before.get(&name), alive) {
            (Some(false), true) => ready.push_back(Change::Added(name)),
            // What is just being deleted counts as such; what is new is heard of.
            (Some(true), false) | (_, true) => {}
            // One may be just in the making: its file is there, its mount is to come. The others, dead or
            // foreign, do not count as deleted when they go.
            (_, false) => drop(unannounced.insert(name)),
        }
    }
    (unannounced, ready)
}

/// All names, and whether a namespace stands behind each.
fn alive_or_not() -> Result<BTreeMap<NsName, bool>> {
    let look = |name: NsName| look(&name).map(|found| (name, matches!(found, Found::Alive { .. })));
    list()?.into_iter().map(look).collect()
}
