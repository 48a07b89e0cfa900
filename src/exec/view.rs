//! The mount view of a command: `/sys` of its namespace, `/etc/netns/NAME` over `/etc`, and names
//! that are still shared with the outside.

use std::{
    collections::BTreeSet,
    ffi::{CStr, CString, OsStr},
    fs::{self, File},
    io,
    os::{
        fd::OwnedFd,
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, StatVfsMountFlags, statvfs},
    io::Errno,
    mount::{
        MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount_bind, mount_change,
        move_mount, open_tree, unmount,
    },
};

use crate::{
    error::{Error, Result},
    name::{NsName, quoted},
    netns::{Netns, RUN_DIR, rundir},
    sys::{self, listmount},
};

/// Where the files of a name lie that are bound over those of `/etc`: where ip looks, and where labs keep
/// them if `/etc` cannot be written. What is in the last one comes to lie on top.
pub(crate) const ETC_DIRS: [&str; 2] = ["/etc/netns", "/run/nsnet/etc"];
const SYS: &str = "/sys";

/// Enters a namespace, with a mount view of its own.
pub(super) fn enter(ns: &Netns, etc: Option<&NsName>, warn: &mut dyn FnMut(Error)) -> Result<()> {
    // Held until the names are shared again: the mount namespace that is left may have nobody else,
    // and its mounts would end with it.
    let _outside =
        File::open("/proc/thread-self/ns/mnt").map_err(|e| Error::os("open", "the current mount namespace", e))?;
    let names = rundir::open_shared_mount();
    let mut sys_view = SysView::prepare()?;
    ns.enter()?;
    sys::unshare_mount().map_err(|e| Error::os("make a mount namespace for", ns, e))?;
    // What is mounted outside is seen inside, and nothing the other way.
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(|e| Error::os("separate the mounts of", ns, e))?;
    if let Some(names) = names {
        keep_names_shared(&names).map_err(|e| Error::os("share", format!("'{RUN_DIR}'"), e))?;
    }
    sys_view
        .show()
        .map_err(|e| Error::os("mount", "'/sys' of the namespace", e).because("'exec --bare' does without"))?;
    sys_view.lost().for_each(&mut *warn);
    etc.map_or(Ok(()), |name| bind_etc(name, warn))
}

/// Puts `/run/netns` back into its peer group, so that names made inside are seen outside.
///
/// Linux 5.15; before, such names are refused (a slave passes nothing on).
fn keep_names_shared(outside: &OwnedFd) -> rustix::io::Result<()> {
    if !can_set_group() {
        return Ok(());
    }
    // Only a private mount can be put into a group.
    match mount_change(RUN_DIR, MountPropagationFlags::PRIVATE) {
        // No mount point: nothing was ever named here.
        Err(Errno::INVAL) => return Ok(()),
        done => done?,
    }
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_SET_GROUP;
    match move_mount(outside, "", CWD, RUN_DIR, flags) {
        // It is not shared outside either.
        Err(Errno::INVAL) => Ok(()),
        done => done,
    }
}

/// A kernel that does not know the flag says so before it looks at the paths.
fn can_set_group() -> bool {
    let nowhere = move_mount(CWD, "", CWD, "", MoveMountFlags::MOVE_MOUNT_SET_GROUP);
    nowhere == Err(Errno::NOENT)
}

/// The `/sys` of a network namespace, made ready outside of it.
pub(crate) struct SysView {
    target: CString,
    flags: MountAttrFlags,
    below: Vec<Kept>,
    keep_old: bool,
}

/// A mount below `/sys` that is there in the new one too: cgroups, bpf, tracing and the like.
struct Kept {
    point: CString,
    tree: rustix::io::Result<OwnedFd>,
}

impl SysView {
    /// For the view that this thread has now.
    pub(crate) fn prepare() -> Result<Self> {
        let points = listmount::points_below(SYS).map_err(|e| Error::os("list", "the mounts below '/sys'", e))?;
        let kept = |point: PathBuf| Some(Kept { point: c_string(point)?, tree: Err(Errno::NOENT) });
        Ok(Self {
            target: c"/sys".into(),
            flags: sys_flags(),
            below: outermost(points).into_iter().filter_map(kept).collect(),
            keep_old: false,
        })
    }

    /// For another root, below which nothing is mounted yet.
    pub(crate) fn plain(target: CString) -> Self {
        Self { target, flags: sys_flags(), below: Vec::new(), keep_old: false }
    }

    /// Whether the old one stays below the new one, because others would see it go.
    pub(crate) fn keep_old(mut self, keep: bool) -> Self {
        self.keep_old = keep;
        self
    }

    /// Mounts the `/sys` of the network namespace that this thread is in now, and moves what was
    /// mounted below the old one over to it. Allocates nothing.
    pub(crate) fn show(&mut self) -> rustix::io::Result<()> {
        // Before the old one goes: where this is refused, that stays.
        let new = sys::detached_mount(c"sysfs", self.flags)?;
        let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_RECURSIVE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        for kept in &mut self.below {
            kept.tree = open_tree(CWD, &*kept.point, clone);
        }
        if !self.keep_old {
            // In a user namespace it is locked in place; the new one then covers it.
            let _ = unmount(&*self.target, UnmountFlags::DETACH);
        }
        move_mount(&new, c"", CWD, &*self.target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        for kept in &mut self.below {
            if let Ok(tree) = &kept.tree
                && let Err(e) = move_mount(tree, c"", CWD, &*kept.point, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            {
                kept.tree = Err(e);
            }
        }
        Ok(())
    }

    /// What could not be kept, and why.
    fn lost(&self) -> impl Iterator<Item = Error> {
        let lost = |kept: &Kept| kept.tree.as_ref().err().map(|&e| Error::os("keep", quoted(bytes(&kept.point)), e));
        self.below.iter().filter_map(lost)
    }
}

fn bytes(text: &CStr) -> &OsStr {
    OsStr::from_bytes(text.to_bytes())
}

fn c_string(path: PathBuf) -> Option<CString> {
    CString::new(path.into_os_string().into_vec()).ok()
}

/// Those of these points that lie below none of the others.
fn outermost(mut points: Vec<PathBuf>) -> BTreeSet<PathBuf> {
    points.sort_unstable();
    let mut outermost: BTreeSet<PathBuf> = BTreeSet::new();
    for point in points {
        if !outermost.iter().any(|outer| point.starts_with(outer)) {
            outermost.insert(point);
        }
    }
    outermost
}

/// The kernel lets a user namespace mount sysfs only as restricted as the one it covers.
fn sys_flags() -> MountAttrFlags {
    let always = MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let Ok(now) = statvfs(SYS) else { return always };
    let pairs = [
        (StatVfsMountFlags::RDONLY, MountAttrFlags::MOUNT_ATTR_RDONLY),
        (StatVfsMountFlags::NOSUID, MountAttrFlags::MOUNT_ATTR_NOSUID),
    ];
    let set = pairs.into_iter().filter(|(seen, _)| now.f_flag.contains(*seen));
    set.fold(always, |flags, (_, flag)| flags | flag)
}

/// Binds each entry of `/etc/netns/NAME` over its namesake in `/etc`; a symlink there is followed.
fn bind_etc(name: &NsName, warn: &mut dyn FnMut(Error)) -> Result<()> {
    for (from, over) in etc_of(name)? {
        if let Err(e) = mount_bind(&from, &over) {
            warn(not_bound(&from, &over, e));
        }
    }
    Ok(())
}

/// The files of a namespace's own, each with the one that it stands for.
pub(crate) fn etc_of(name: &NsName) -> Result<Vec<(PathBuf, PathBuf)>> {
    let dirs = ETC_DIRS.iter().map(|parent| files_of(&Path::new(parent).join(name.as_os_str())));
    dirs.collect::<Result<Vec<_>>>().map(|files| files.into_iter().flatten().collect())
}

fn files_of(dir: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let failed = |e| Error::os("read", quoted(dir.as_os_str()), e);
    let entries = match fs::read_dir(dir) {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let pair = |entry: io::Result<fs::DirEntry>| {
        let file = entry.map_err(failed)?.file_name();
        Ok((dir.join(&file), Path::new("/etc").join(&file)))
    };
    entries.map(pair).collect()
}

fn not_bound(from: &Path, over: &Path, errno: Errno) -> Error {
    let (from, shown) = (quoted(from.as_os_str()), quoted(over.as_os_str()));
    let error = Error::os("bind", format!("{from} over {shown}"), errno);
    if over.exists() { error } else { error.because(format!("{shown} must exist for that")) }
}
