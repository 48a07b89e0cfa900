//! `/proc/locks`: who holds a lock on a file.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
};

/// The process that holds a `flock` on the file, if it can be seen from here.
pub(crate) fn flock_holder(file: &fs::Metadata) -> Option<u32> {
    // The kernel goes on by counting: a lock that goes between two reads hides another. So few
    // reads, and a second look.
    (0..3).find_map(|_| parse_holder(&read_locks().ok()?, file.dev(), file.ino()))
}

fn read_locks() -> io::Result<String> {
    let mut text = String::with_capacity(1 << 16);
    File::open("/proc/locks")?.read_to_string(&mut text)?;
    Ok(text)
}

/// Lines read `1: FLOCK  ADVISORY  WRITE 4242 00:18:1234 0 EOF`; one that waits has `->` behind
/// its number; a holder in another pid namespace appears as 0 or less.
pub(crate) fn parse_holder(text: &str, device: u64, inode: u64) -> Option<u32> {
    let (major, minor) = (libc::major(device), libc::minor(device));
    let file = format!("{major:02x}:{minor:02x}:{inode}");
    text.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let [kind, _mode, _access, pid, place] = std::array::from_fn(|_| fields.next().unwrap_or(""));
        let held = kind == "FLOCK" && place == file;
        held.then(|| pid.parse().ok().filter(|&pid| pid > 0)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_told_from_waiters_and_other_kinds_of_lock() {
        let text = "1: POSIX  ADVISORY  WRITE 11 00:18:99 0 EOF\n\
                    2: FLOCK  ADVISORY  WRITE 22 00:18:98 0 EOF\n\
                    3: FLOCK  ADVISORY  WRITE 33 00:18:99 0 EOF\n\
                    3: -> FLOCK  ADVISORY  WRITE 44 00:18:99 0 EOF\n";
        assert_eq!(parse_holder(text, libc::makedev(0, 0x18), 99), Some(33));
        assert_eq!(parse_holder(text, libc::makedev(0, 0x18), 97), None);
        assert_eq!(parse_holder("1: FLOCK ADVISORY WRITE 0 00:18:99 0 EOF", libc::makedev(0, 0x18), 99), None);
    }
}
