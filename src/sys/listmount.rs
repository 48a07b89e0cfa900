//! Mount points below a directory, by `statx`, `listmount` and `statmount` of Linux 6.8: nothing is said of the mounts
//! elsewhere, of which there can be thousands, and `/proc` is not needed.

use std::{
    ffi::{CStr, OsStr},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, StatxFlags, statx},
    io::{self, Errno},
};

use super::{last_error, mountinfo};

/// The numbers of the two calls, the same on all machines.
const STATMOUNT: libc::c_long = 457;
const LISTMOUNT: libc::c_long = 458;

/// `STATX_MNT_ID_UNIQUE` of `linux/stat.h`.
const UNIQUE_ID: StatxFlags = StatxFlags::from_bits_retain(0x4000);

/// `STATMOUNT_MNT_POINT` of `linux/mount.h`.
const WITH_POINT: u64 = 0x10;

/// `MNT_ID_REQ_SIZE_VER0` of `linux/mount.h`.
const REQUEST_SIZE: u32 = 24;

/// `struct mnt_id_req` of `linux/mount.h`, in its first size.
#[repr(C)]
struct Request {
    size: u32,
    spare: u32,
    mount: u64,
    param: u64,
}

impl Request {
    fn new(mount: u64, param: u64) -> Self {
        Self { size: REQUEST_SIZE, spare: 0, mount, param }
    }
}

/// Where in `struct statmount` the place of the mount point is said, and where the texts begin that this counts from.
const POINT_AT: usize = 108;
const TEXTS_AT: usize = 512;

/// So many ids are asked for at once.
const MANY: usize = 256;

/// The points of all mounts below a directory, in any order; since Linux 6.8 without those that another covers.
pub(crate) fn points_below(dir: &str) -> std::io::Result<Vec<PathBuf>> {
    // An older kernel, or a filter that lets through only what it knows.
    listed(dir).or_else(|_| mountinfo::points_below(dir))
}

fn listed(dir: &str) -> io::Result<Vec<PathBuf>> {
    let around = statx(CWD, dir, AtFlags::empty(), UNIQUE_ID)?;
    if around.stx_mask & UNIQUE_ID.bits() == 0 {
        return Err(Errno::NOSYS);
    }
    let mut points = Vec::new();
    let mut last = 0;
    loop {
        let ids = list(around.stx_mnt_id, last)?;
        for &id in &ids {
            match point(id) {
                // It went meanwhile.
                Err(Errno::NOENT) => {}
                point => points.extend(Some(point?).filter(|point| is_below(point, dir))),
            }
        }
        match ids.last() {
            Some(&id) if ids.len() == MANY => last = id,
            _ => return Ok(points),
        }
    }
}

fn is_below(point: &Path, dir: &str) -> bool {
    point.strip_prefix(dir).is_ok_and(|rest| rest != Path::new(""))
}

/// Ids of mounts below one, those behind `last`.
fn list(mount: u64, last: u64) -> io::Result<Vec<u64>> {
    let request = Request::new(mount, last);
    let mut ids = vec![0u64; MANY];
    // SAFETY: the kernel reads as much of the request as it says, and writes no more ids than there is room for.
    let count = unsafe { libc::syscall(LISTMOUNT, &raw const request, ids.as_mut_ptr(), ids.len(), 0) };
    ids.truncate(usize::try_from(count).map_err(|_| last_error())?);
    Ok(ids)
}

fn point(mount: u64) -> io::Result<PathBuf> {
    let request = Request::new(mount, WITH_POINT);
    // No path is longer than 4,096 bytes.
    let mut answer = [0u8; TEXTS_AT + 4096];
    // SAFETY: the kernel reads as much of the request as it says, and writes no more bytes than there is room for.
    let done = unsafe { libc::syscall(STATMOUNT, &raw const request, answer.as_mut_ptr(), answer.len(), 0) };
    if done != 0 {
        return Err(last_error());
    }
    let at = u32::from_ne_bytes([answer[POINT_AT], answer[POINT_AT + 1], answer[POINT_AT + 2], answer[POINT_AT + 3]]);
    let text = answer.get(TEXTS_AT + at as usize..).and_then(|text| CStr::from_bytes_until_nul(text).ok());
    let text = text.ok_or(Errno::IO)?;
    Ok(Path::new(OsStr::from_bytes(text.to_bytes())).to_owned())
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use rustix::mount::{MountFlags, mount};

    use super::*;
    use crate::sys::unshare_mount;

    /// In mounts of its own, with an empty `/run`: other tests, in other threads, mount things meanwhile.
    fn in_own_mounts(test: impl FnOnce() + Send) {
        let own = || {
            unshare_mount().unwrap();
            cover("/run".as_ref());
            test();
        };
        thread::scope(|scope| scope.spawn(own).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }

    fn cover(dir: &Path) {
        fs::create_dir_all(dir).unwrap();
        mount("tmpfs", dir, "tmpfs", MountFlags::empty(), None).unwrap();
    }

    fn sorted(mut points: Vec<PathBuf>) -> Vec<PathBuf> {
        points.sort();
        points
    }

    #[test]
    fn it_finds_more_than_one_answer_holds_and_nothing_beside() {
        in_own_mounts(|| {
            let below = |n: usize| Path::new("/run/a b").join(format!("{}/{n}", n % 2));
            let made: Vec<_> = (0..=MANY).map(below).collect();
            for dir in &made {
                cover(dir);
            }
            cover("/run/a b-not".as_ref());
            assert_eq!(sorted(points_below("/run/a b").unwrap()), sorted(made));
        });
    }

    #[test]
    fn it_finds_what_mountinfo_shows_unless_it_is_covered() {
        in_own_mounts(|| {
            cover("/run/on".as_ref());
            cover("/run/on/top".as_ref());
            let shown = mountinfo::points_below("/run").unwrap();
            let found = match listed("/run") {
                Err(Errno::NOSYS) => return,
                found => sorted(found.unwrap()),
            };
            let made = ["/run/on", "/run/on/top"].map(PathBuf::from);
            assert!(made.iter().all(|point| shown.contains(point)), "{shown:?}");
            assert_eq!(found, made);
            cover("/run/on".as_ref());
            assert!(listed("/run/on").unwrap().is_empty());
        });
    }
}
