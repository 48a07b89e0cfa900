//! `/run/netns` itself: who may change it now, and making it what `ip netns` expects.

use std::{
    ffi::CStr,
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    },
    path::Path,
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::{
    fs::{CWD, FlockOperation, Mode, OFlags, StatxFlags, flock},
    io::Errno,
    mount::{MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount_change, move_mount, open_tree},
};

use super::{NetnsId, RUN_DIR};
use crate::{
    error::{Error, ErrorKind, Result},
    sys::{
        self, locks,
        mountinfo::{self, Mount},
        signal::Held,
    },
};

/// nsnet's own directory; only root writes there.
/// What is nsnet's own.
pub(crate) const NSNET_DIR: &str = "/run/nsnet";
const LOCK_FILE: &str = "/run/nsnet/lock";
/// The same, for who must not allocate.
pub(crate) const LOCK_FILE_C: &CStr = c"/run/nsnet/lock";

/// Longer than any honest holder needs; what is left is a stranger or a stopped process.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// The right to change names, and to do so undisturbed by INT, TERM, HUP and QUIT, until dropped.
pub(super) struct Lock {
    _signals: Held,
    _file: File,
}

impl Lock {
    /// Waits for its turn; gives up after ten seconds and says who has it. Signals are held from
    /// then on only: whoever is tired of waiting may end it.
    pub(super) fn take() -> Result<Self> {
        make_dir(Path::new(NSNET_DIR))?;
        let file = open_lock(Path::new(LOCK_FILE)).map_err(|e| Error::os("open", format!("'{LOCK_FILE}'"), e))?;
        let file = lock(file, LOCK_FILE)?;
        Ok(Self { _signals: Held::hold(), _file: file })
    }
}

/// Opens a file that is there to be locked, and makes it where there is none.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// Locks a file, on a thread that may be left waiting: a blocking `flock` is the only one that
/// needs no polling, and it has no time limit.
fn lock(file: File, path: &'static str) -> Result<File> {
    let failed = |e: io::Error| Error::os("lock", format!("'{path}'"), e);
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => return Ok(file),
        Err(Errno::WOULDBLOCK) => {}
        Err(e) => return Err(failed(e.into())),
    }
    let itself = file.metadata().map_err(failed)?;
    let (sender, receiver) = mpsc::channel();
    let waiter = thread::Builder::new()
        .spawn(move || {
            // Nobody listens any more after the timeout; the lock then goes with the file.
            let _ = sender.send(wait_for_lock(&file).map(|()| file));
        })
        .map_err(failed)?;
    match receiver.recv_timeout(LOCK_TIMEOUT) {
        Ok(locked) => {
            // It has nothing left to do; but while it is there, it holds no signals back.
            let _ = waiter.join();
            locked.map_err(|e| failed(e.into()))
        }
        Err(_) => Err(still_locked(path, locks::flock_holder(&itself))),
    }
}

fn wait_for_lock(file: &File) -> rustix::io::Result<()> {
    loop {
        match flock(file, FlockOperation::LockExclusive) {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

fn still_locked(path: &str, holder: Option<u32>) -> Error {
    let who = match holder {
        Some(pid) => format!("process {pid} has held the lock for 10 seconds; see what it does, or end it"),
        None => "a process that cannot be seen from here has held the lock for 10 seconds".into(),
    };
    Error::of_kind(ErrorKind::TimedOut, "lock", format!("'{path}'"), who)
}

/// Makes nsnet's own directory where there is none.
pub(crate) fn make_nsnet_dir() -> Result<&'static Path> {
    let dir = Path::new(NSNET_DIR);
    make_dir(dir)?;
    Ok(dir)
}

/// Makes the directory of names where there is none.
pub(super) fn make_run_dir() -> Result<()> {
    make_dir(Path::new(RUN_DIR))
}

/// Makes the directory ready for names, as `ip netns add` does: a mount point, in a peer group of
/// its own, so that one mount a namespace is seen in every mount namespace that shares it.
pub(super) fn prepare() -> Result<()> {
    make_run_dir()?;
    refuse_where_names_would_be_born_dead()?;
    share_or_mount()
}

/// As [`prepare`], for moving a name: where only this mount namespace would see the new one, the
/// namespace would be lost to everybody else.
pub(super) fn prepare_to_move() -> Result<()> {
    make_run_dir()?;
    refuse_where_names_would_be_born_dead()?;
    refuse_private_copy()?;
    share_or_mount()
}

fn share_or_mount() -> Result<()> {
    match share() {
        Err(Errno::INVAL) => make_mount_point(),
        done => done.map_err(|e| Error::os("share", format!("'{RUN_DIR}'"), e)),
    }
}

/// Refuses where the directory is a copy that is seen here only. Made by nsnet or ip, the mount is
/// always shared.
fn refuse_private_copy() -> Result<()> {
    let failed = |e| Error::os("look at the mount of", format!("'{RUN_DIR}'"), e);
    let mounts = mountinfo::of_this_thread().map_err(failed)?;
    let own = mounts.into_iter().rfind(|mount| mount.point == Path::new(RUN_DIR));
    match own {
        Some(Mount { shared: None, .. }) => Err(Error::of_kind(
            ErrorKind::Unsupported,
            "move names in",
            format!("'{RUN_DIR}'"),
            "it is mounted for this mount namespace alone, so the name would be lost for everybody else; run nsnet outside",
        )),
        _ => Ok(()),
    }
}

fn share() -> rustix::io::Result<()> {
    mount_change(RUN_DIR, MountPropagationFlags::SHARED)
}

fn make_mount_point() -> Result<()> {
    // The lock is not optional: processes doing this at once mount the directory onto itself over
    // and over (Debian bug 949235). It is ip's lock, because ip does the same.
    let dir = File::open(RUN_DIR).map_err(|e| Error::os("open", format!("'{RUN_DIR}'"), e))?;
    let _lock = lock(dir, RUN_DIR)?;
    match share() {
        Err(Errno::INVAL) => {}
        // Somebody was faster.
        done => return done.map_err(|e| Error::os("share", format!("'{RUN_DIR}'"), e)),
    }
    mount_apart().and_then(|()| share()).map_err(|e| Error::os("make a mount point of", format!("'{RUN_DIR}'"), e))
}

/// Mounts the directory onto itself, in no peer group of what it lies on: in that of `/run` every
/// namespace would be mounted twice.
///
/// In one step, so that a crash leaves no peer of `/run`; and where `/run` is shared, all its peers
/// get the same new mount, so that names made by any of them live in all.
fn mount_apart() -> rustix::io::Result<()> {
    let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_RECURSIVE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, RUN_DIR, clone)?;
    sys::make_private(tree.as_fd())?;
    move_mount(tree, "", CWD, RUN_DIR, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Readable for all whatever the umask, or nobody else could list names.
fn make_dir(path: &Path) -> Result<()> {
    let failed = |e| Error::os("make directory", format!("'{}'", path.display()), e);
    match fs::DirBuilder::new().mode(0o755).create(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(failed),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(failed(e)),
    }
}

/// Opens the mount of names, to put it back into its peer group after a change of mount namespace.
pub(crate) fn open_shared_mount() -> Option<OwnedFd> {
    rustix::fs::open(RUN_DIR, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()
}

/// Refuses where a name made here would be an empty file to everybody else.
///
/// That is so in a mount namespace (of a service or a container) that sees the host's directory
/// without passing mounts on.
fn refuse_where_names_would_be_born_dead() -> Result<()> {
    let mount_ns = |of: &str| NetnsId::of_path(format!("/proc/{of}/ns/mnt"));
    if let (Ok(ours), Ok(theirs)) = (mount_ns("thread-self"), mount_ns("1"))
        && ours == theirs
    {
        return Ok(());
    }
    let Ok(theirs) = mountinfo::of(Path::new("/proc/1/mountinfo")) else {
        // A pid namespace without /proc: it cannot be told.
        return Ok(());
    };
    let verdict = compare_with(&theirs).map_err(|e| Error::os("look at the mount of", format!("'{RUN_DIR}'"), e))?;
    match verdict {
        None => Ok(()),
        Some(reason) => Err(Error::of_kind(
            ErrorKind::Unsupported,
            "make names in",
            format!("'{RUN_DIR}'"),
            format!(
                "{reason}, so the name would be dead for everybody else; run nsnet outside, or mount a tmpfs of your own on /run"
            ),
        )),
    }
}

fn compare_with(theirs: &[Mount]) -> io::Result<Option<&'static str>> {
    let dir = rustix::fs::statx(CWD, RUN_DIR, rustix::fs::AtFlags::empty(), StatxFlags::MNT_ID)?;
    let device = format!("{}:{}", dir.stx_dev_major, dir.stx_dev_minor);
    if theirs.iter().all(|mount| mount.device != device) {
        // A /run of its own. Our own mounts, of which there is one for each name, need not be read.
        return Ok(None);
    }
    let covering = mountinfo::of_this_thread()?.into_iter().find(|mount| mount.id == dir.stx_mnt_id);
    Ok(covering.and_then(|ours| born_dead(&ours, theirs)))
}

fn born_dead(ours: &Mount, theirs: &[Mount]) -> Option<&'static str> {
    let seen = |mount: &&Mount| mount.id == ours.id || (ours.shared.is_some() && mount.shared == ours.shared);
    let same_place = |mount: &&Mount| mount.device == ours.device && mount.root == ours.root;
    if theirs.iter().any(|mount| seen(&mount)) {
        None
    } else if ours.master.is_some() {
        Some("this mount namespace receives mounts of the host's, but passes none on")
    } else if theirs.iter().any(|mount| same_place(&mount)) {
        Some("this mount namespace has a private copy of the host's directory")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounts(text: &str) -> Vec<Mount> {
        mountinfo::parse(text.as_bytes()).collect()
    }

    #[test]
    fn a_name_is_born_dead_under_a_slave_or_a_private_copy_only() {
        let host =
            mounts("31 27 0:20 / /run rw shared:5 - tmpfs t rw\n40 31 0:20 /netns /run/netns rw shared:9 - tmpfs t rw");
        let verdict = |line: &str| born_dead(&mounts(line)[0], &host);
        assert_eq!(verdict("40 31 0:20 /netns /run/netns rw shared:9 - tmpfs t rw"), None, "the host's own mount");
        assert_eq!(verdict("99 31 0:20 /netns /run/netns rw shared:9 - tmpfs t rw"), None, "its peer");
        assert!(verdict("99 31 0:20 /netns /run/netns rw master:9 - tmpfs t rw").is_some(), "a slave");
        assert!(verdict("99 31 0:20 /netns /run/netns rw - tmpfs t rw").is_some(), "a private copy");
        assert_eq!(verdict("99 31 0:33 / /run rw - tmpfs t rw"), None, "a /run of its own");
        assert_eq!(verdict("99 31 0:33 / /run rw shared:70 - tmpfs t rw"), None, "a shared /run of its own");
    }
}
