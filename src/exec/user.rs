//! The user that a command runs as.

use std::{fmt, fs, str::FromStr};

use rustix::{
    io::Errno,
    process::{Gid, Uid},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

use crate::error::{Error, Result};

/// A user and a group by number: `1000:1000`, or `1000` with the group that `/etc/passwd` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// A user and a group.
    #[must_use]
    pub fn new(uid: u32, gid: u32) -> Self {
        Self { uid, gid }
    }

    /// Gives up what the caller is for good, groups before the privilege to change them.
    pub(super) fn become_it(self) -> Result<()> {
        let failed = |e| explained(Error::os("become user", self, e), e);
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        set_thread_res_gid(gid, gid, gid).map_err(failed)?;
        set_thread_groups(&[]).map_err(failed)?;
        set_thread_res_uid(uid, uid, uid).map_err(failed)
    }
}

/// Root of a user namespace has only the ids that were mapped there, and maybe no say over groups.
fn explained(error: Error, errno: Errno) -> Error {
    let groups_are_fixed = || fs::read_to_string("/proc/self/setgroups").is_ok_and(|word| word.trim() == "deny");
    match errno {
        Errno::INVAL => error.because("the user or the group is not mapped in this user namespace"),
        Errno::PERM if groups_are_fixed() => error.because("this user namespace does not let groups be given up"),
        _ => error,
    }
}

/// As it is written: `UID:GID`.
impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

impl FromStr for User {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let invalid = |reason| Error::invalid("use user", format!("'{}'", text.escape_debug()), reason);
        // The largest number means "unchanged" to the kernel.
        let number = |part: &str| {
            part.parse().ok().filter(|&id| id != u32::MAX && part.starts_with(|c: char| c.is_ascii_digit()))
        };
        let (uid, gid) = match text.split_once(':') {
            Some((uid, gid)) => (uid, Some(gid)),
            None => (text, None),
        };
        let uid = number(uid).ok_or_else(|| invalid("it is not UID or UID:GID, in numbers"))?;
        let gid = match gid {
            Some(gid) => number(gid).ok_or_else(|| invalid("its group is no number"))?,
            None => group_of(uid).ok_or_else(|| invalid("it has no group in /etc/passwd; write UID:GID"))?,
        };
        Ok(Self { uid, gid })
    }
}

/// The file is read, not NSS asked: that would load libraries, which a static program cannot.
fn group_of(uid: u32) -> Option<u32> {
    group_in(&fs::read_to_string("/etc/passwd").ok()?, uid)
}

fn group_in(passwd: &str, uid: u32) -> Option<u32> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':').skip(2);
        let found = fields.next()?.parse() == Ok(uid);
        found.then(|| fields.next()?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_one_or_two_numbers() {
        assert_eq!("7:8".parse::<User>().unwrap(), User::new(7, 8));
        assert_eq!("0".parse::<User>().unwrap(), User::new(0, 0), "root is in every /etc/passwd");
        for bad in ["", "root", "1:", ":1", "1:x", "+1:1", "-1:1", "4294967295:1", "1:4294967295", "1:2:3"] {
            assert!(bad.parse::<User>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_group_of_a_user_is_in_passwd() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:100:Ann:/home/ann:/bin/sh\n";
        assert_eq!(group_in(passwd, 1000), Some(100));
        assert_eq!(group_in(passwd, 100), None);
    }
}
