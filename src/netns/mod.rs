//! Network namespaces: open, make, enter; named ones under `/run/netns`; who lives in them.

mod delete;
mod entry;
mod holders;
mod named;
mod nsid;
pub(crate) mod procs;
pub(crate) mod rundir;
mod watch;

use std::{
    fmt,
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::Path,
    thread,
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, StatxFlags, makedev, statx},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

pub use delete::{Deletion, Outcome, delete, delete_all};
pub(crate) use delete::{Doomed, delete_known};
pub use entry::{Entry, State};
pub use holders::{Hold, Holder, Holders, all_holders, holders, socket_holders};
pub(crate) use named::unname;
pub use named::{CreateOptions, attach, create, list, prune, rename};
pub(crate) use named::{Standing, create_prepared};
pub(crate) use nsid::nsids_of;
pub use nsid::{Nsid, NsidPeer, nsid_in, nsid_peer, nsid_peers, nsids, set_nsid};
pub use procs::{Resident, Residents, command_of, identify, inhabited, residents, uid_of};
pub use watch::{Change, Watch};

use crate::{
    error::{Error, ErrorKind, Result},
    name::{LabName, NodeName, NsRef},
    netlink::{self, raw::Socket},
    sys::{self, nsfs},
};

/// Where named namespaces lie, as for `ip netns`.
pub const RUN_DIR: &str = "/run/netns";

/// What makes two namespaces the same: the namespace file's device and inode.
///
/// Ids (`nsid`) are no identity: each namespace gives its own. An inode number is used again once
/// its namespace is gone, so hold the namespaces open while comparing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetnsId {
    /// The device of nsfs.
    pub device: u64,
    /// The inode number, as in `net:[4026531833]`.
    pub inode: u64,
}

impl NetnsId {
    pub(crate) fn of(file: &std::fs::Metadata) -> Self {
        Self { device: file.dev(), inode: file.ino() }
    }

    pub(crate) fn of_path(path: impl AsRef<Path>) -> io::Result<Self> {
        // Files that others have open are looked at too: a server that is gone must not be asked.
        let file = statx(CWD, path.as_ref(), AtFlags::STATX_DONT_SYNC, StatxFlags::INO)?;
        Ok(Self { device: makedev(file.stx_dev_major, file.stx_dev_minor), inode: file.stx_ino })
    }
}

/// As links in `/proc/PID/ns` name it.
impl fmt::Display for NetnsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "net:[{}]", self.inode)
    }
}

/// A network namespace, held open: it lives for as long as this does, whatever happens to its name.
#[derive(Debug)]
pub struct Netns {
    fd: OwnedFd,
    id: NetnsId,
    shown: String,
}

impl Netns {
    /// Opens the namespace that a reference means.
    ///
    /// A name that another nsnet is just making or removing is waited for.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such name, file or process; `NotANamespace` if no network
    /// namespace stands behind it; `Denied` for a process of somebody else.
    pub fn open(reference: &NsRef) -> Result<Self> {
        match reference {
            NsRef::Current => Self::current(),
            NsRef::Name(name) => named::open(name),
            NsRef::Path(path) => entry::open_path(path, reference),
            NsRef::Pid(pid) => Self::of_pid(*pid, reference),
            NsRef::Node(lab, node) => Self::of_node(lab, node, reference),
        }
    }

    /// Opens the namespace of the calling thread.
    ///
    /// # Errors
    ///
    /// `Os` if `/proc` is not mounted or no descriptor is left.
    pub fn current() -> Result<Self> {
        // Not /proc/self: that is the main thread, which may be elsewhere.
        let fd = rustix::fs::open("/proc/thread-self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|e| Error::os("open", "the current namespace", e))?;
        Self::from_fd(fd, NsRef::Current)
    }

    /// Makes a new namespace without a name, its `lo` up. Linux only frees it once this is dropped
    /// and nothing else holds it.
    ///
    /// # Errors
    ///
    /// `Denied` without `CAP_SYS_ADMIN`; `Os` (`ENOSPC`) when `user.max_net_namespaces` is reached.
    pub fn unnamed() -> Result<Self> {
        Self::unnamed_for("a namespace")
    }

    /// The same, called by what it is for.
    pub(crate) fn unnamed_for(purpose: &'static str) -> Result<Self> {
        on_a_thread_that_ends(|| {
            let made = Self::make_here(purpose)?;
            netlink::link::raise_loopback(purpose)?;
            Ok(made)
        })?
    }

    /// Moves the calling thread, which must be about to end, into a new namespace and opens that.
    fn make_here(shown: impl fmt::Display) -> Result<Self> {
        sys::unshare_net().map_err(|e| made_no_namespace(&shown, e.into()))?;
        Ok(Self { shown: shown.to_string(), ..Self::current()? })
    }

    /// The name alone says nothing: anybody may give it.
    fn of_node(lab: &LabName, node: &NodeName, reference: &NsRef) -> Result<Self> {
        let found = named::open(&lab.ns_name_of(node.as_str())).map_err(|e| match e.kind() {
            ErrorKind::NotFound => Error::of_kind(ErrorKind::NotFound, "open", reference, "there is no such node"),
            _ => e,
        })?;
        let mut socket =
            found.inside(Socket::open)?.map_err(|e| Error::os("open a netlink socket in", reference, e))?;
        let mark = socket.note_of_loopback().map_err(|e| e.into_error("look at 'lo' in", reference))?;
        if mark.as_deref() != Some(&lab.note_of(node.as_str())) {
            let why = format!("its namespace would be {found}, but that has no mark of the lab");
            return Err(Error::of_kind(ErrorKind::NotFound, "open", reference, why));
        }
        Ok(Self { shown: reference.to_string(), ..found })
    }

    fn of_pid(pid: u32, reference: &NsRef) -> Result<Self> {
        entry::open_path(Path::new(&format!("/proc/{pid}/ns/net")), reference).map_err(|e| match e.kind() {
            ErrorKind::NotFound => Error::of_kind(ErrorKind::NotFound, "open", reference, "no such process"),
            _ => e,
        })
    }

    /// That of a child which is not reaped yet, so that its number means no other process.
    pub(crate) fn of_child(pid: u32, shown: &str) -> Result<Self> {
        let ns = Self::of_pid(pid, &NsRef::Pid(pid))?;
        Ok(Self { shown: shown.to_owned(), ..ns })
    }

    /// Takes a descriptor that is known to be a network namespace.
    fn from_fd(fd: OwnedFd, shown: impl fmt::Display) -> Result<Self> {
        let file = File::from(fd);
        let id = file.metadata().map_err(|e| Error::os("look at", &shown, e))?;
        Ok(Self { id: NetnsId::of(&id), fd: file.into(), shown: shown.to_string() })
    }

    /// What makes it the same as another.
    #[must_use]
    pub fn id(&self) -> NetnsId {
        self.id
    }

    /// Runs `work` inside, on a thread that ends with it; the calling thread stays where it is.
    ///
    /// What `work` opens (sockets, files of `/proc/thread-self`) belongs to this namespace for ever,
    /// also after the return.
    ///
    /// # Errors
    ///
    /// `Denied` without `CAP_SYS_ADMIN` over the namespace; `Os` if no thread can be started.
    ///
    /// # Panics
    ///
    /// If `work` does.
    ///
    /// ```no_run
    /// # fn main() -> nsnet::Result<()> {
    /// let red = nsnet::Netns::open(&"red".parse()?)?;
    /// let listener = red.run(|| std::net::TcpListener::bind("0.0.0.0:80"))?;
    /// # Ok(()) }
    /// ```
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        on_a_thread_that_ends(|| {
            self.enter()?;
            Ok(work())
        })?
    }

    /// As [`run`](Self::run), but without a thread where the caller already is inside. Only for
    /// work that changes nothing of its thread.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        match NetnsId::of_path("/proc/thread-self/ns/net") {
            Ok(here) if here == self.id => Ok(work()),
            _ => self.run(work),
        }
    }

    /// Moves the calling thread inside, for good: it must be about to end, or to become a command.
    pub(crate) fn enter(&self) -> Result<()> {
        move_into_link_name_space(self.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|e| Error::os("enter", self, e))
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// As it was opened: `'red'`, `'pid:42'`, `the current namespace`.
impl fmt::Display for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Whether an open file is a network namespace; an `O_PATH` descriptor cannot tell.
fn is_net(fd: impl AsFd) -> io::Result<bool> {
    let file = rustix::fs::fstatfs(fd.as_fd())?;
    Ok(nsfs::is_namespace(&file) && nsfs::is_net(fd)?)
}

/// Namespaces are per thread: one that ends leaves nobody behind in the wrong one.
fn on_a_thread_that_ends<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    thread::scope(|scope| {
        let worker = thread::Builder::new().spawn_scoped(scope, work).map_err(|e| Error::os("start", "a thread", e))?;
        Ok(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn made_no_namespace(subject: impl fmt::Display, source: io::Error) -> Error {
    let full = source.raw_os_error() == Some(libc::ENOSPC);
    let error = Error::os("make a network namespace for", subject, source);
    if full { error.because("the limit user.max_net_namespaces is reached") } else { error }
}
