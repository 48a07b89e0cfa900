//! Lets everybody inside ping. As all of the child's work, this allocates nothing.

use std::{ffi::CStr, io::Write as _};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

const RANGE: &CStr = c"/proc/sys/net/ipv4/ping_group_range";
const GROUPS: &CStr = c"/proc/self/gid_map";

/// Lets all groups, or else the first range of those that exist in this user namespace: the kernel takes no others.
pub(super) fn open_to_all() -> rustix::io::Result<()> {
    match write(b"0 2147483647") {
        Err(Errno::INVAL) => {
            let mut text = [0; 4096];
            let length = rustix::io::read(open(GROUPS, OFlags::RDONLY)?, &mut text)?;
            open_to_one_of(groups(&text[..length]))
        }
        done => done,
    }
}

fn open_to_one_of(ranges: impl Iterator<Item = (u32, u32)>) -> rustix::io::Result<()> {
    let mut last = Err(Errno::INVAL);
    for (first, end) in ranges {
        let mut text = [0; 32];
        let mut rest = &mut text[..];
        // Two numbers of ten digits at most, and a space.
        let _ = write!(rest, "{first} {end}");
        let left = rest.len();
        last = write(&text[..text.len() - left]);
        if last.is_ok() {
            break;
        }
    }
    last
}

/// The first and the last of each line of a map, whose words are the first inside, the first outside, and how many.
fn groups(map: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    map.split(|&byte| byte == b'\n').filter_map(|line| {
        let words = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        let mut numbers = words.filter_map(|word| std::str::from_utf8(word).ok()?.parse::<u32>().ok());
        let (first, _, count) = (numbers.next()?, numbers.next()?, numbers.next()?);
        Some((first, first.saturating_add(count.checked_sub(1)?)))
    })
}

fn write(range: &[u8]) -> rustix::io::Result<()> {
    rustix::io::write(open(RANGE, OFlags::WRONLY)?, range).map(drop)
}

fn open(path: &CStr, flags: OFlags) -> rustix::io::Result<std::os::fd::OwnedFd> {
    rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_read_line_by_line() {
        let map = b"         0       1000          1\n         1     100000      65536\n";
        assert_eq!(groups(map).collect::<Vec<_>>(), [(0, 0), (1, 65536)]);
        assert_eq!(groups(b"0 0 4294967295\n").collect::<Vec<_>>(), [(0, 4_294_967_294)]);
        assert_eq!(groups(b"0 0 0\nx\n\n1 2\n").count(), 0);
    }
}
