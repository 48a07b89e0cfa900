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

/// The points of all mounts below a directory, in any order.
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
    use super::*;

    #[test]
    fn it_finds_what_mountinfo_shows() {
        for dir in ["/", "/proc", "/sys", "/dev", "/run", "/nowhere"] {
            let mut listed = match listed(dir) {
                Err(Errno::NOSYS | Errno::NOENT) => continue,
                points => points.unwrap(),
            };
            let mut shown = mountinfo::points_below(dir).unwrap();
            listed.sort();
            shown.sort();
            assert_eq!(listed, shown, "{dir}");
        }
    }
}
