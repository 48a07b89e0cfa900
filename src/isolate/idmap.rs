//! Which users and groups of a user namespace are which outside.

use std::{
    fmt::{self, Write as _},
    fs, io,
    process::Command,
    str::FromStr,
};

use rustix::{
    process::{getegid, geteuid},
    thread::{CapabilitySet, capabilities},
};

use super::why;
use crate::{
    error::{Error, ErrorKind, Result},
    name::escaped,
};

/// So many ids, from a number inside and one outside on: `INSIDE:OUTSIDE:COUNT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// The first inside.
    pub inside: u32,
    /// The first outside.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

impl FromStr for IdRange {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let invalid = |why| Error::invalid("map", format!("'{}'", escaped(text.as_bytes())), why);
        let mut numbers = text.split(':').map(|part| part.parse::<u32>().ok());
        let (Some(Some(inside)), Some(Some(outside)), Some(Some(count)), None) =
            (numbers.next(), numbers.next(), numbers.next(), numbers.next())
        else {
            return Err(invalid("it is not INSIDE:OUTSIDE:COUNT, in numbers"));
        };
        let range = Self { inside, outside, count };
        if count == 0 || range.end(inside).is_none() || range.end(outside).is_none() {
            return Err(invalid("it holds no ids, or more than there are"));
        }
        Ok(range)
    }
}

/// As it is written.
impl fmt::Display for IdRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.inside, self.outside, self.count)
    }
}

impl IdRange {
    fn one(inside: u32, outside: u32) -> Self {
        Self { inside, outside, count: 1 }
    }

    /// Behind the last; the highest number stands for "none".
    fn end(self, first: u32) -> Option<u32> {
        first.checked_add(self.count)
    }

    fn overlaps(self, other: Self) -> bool {
        let crossing = |a: u32, b: u32| a < b.saturating_add(other.count) && b < a.saturating_add(self.count);
        crossing(self.inside, other.inside) || crossing(self.outside, other.outside)
    }

    fn holds_inside(self, id: u32) -> bool {
        (self.inside..self.inside.saturating_add(self.count)).contains(&id)
    }

    fn holds_outside(self, id: u32) -> bool {
        (self.outside..self.outside.saturating_add(self.count)).contains(&id)
    }
}

/// How ids are mapped; all that is said counts together. Where nothing is, every id is nobody inside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IdMaps {
    /// The caller is root inside.
    pub root: bool,
    /// The caller is who they are.
    pub current: bool,
    /// The ids that `/etc/subuid` and `/etc/subgid` give the caller fill the numbers from 0 that are left; the caller is root
    /// inside unless they are who they are.
    pub auto: bool,
    /// Further users.
    pub users: Vec<IdRange>,
    /// Further groups.
    pub groups: Vec<IdRange>,
    /// Whether `setgroups` works inside. Where it is not said, it does if the caller may map any group.
    pub setgroups: Option<bool>,
}

impl IdMaps {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.root && self.current {
            return Err(Error::invalid("map", "the caller", "they can be root inside, or who they are, not both"));
        }
        Ok(())
    }
}

/// Users or groups: they are mapped by files and programs of other names only.
struct Ids {
    own: u32,
    subordinate: &'static str,
    map: &'static str,
    helper: &'static str,
    privilege: CapabilitySet,
}

fn users() -> Ids {
    Ids {
        own: geteuid().as_raw(),
        subordinate: "/etc/subuid",
        map: "uid_map",
        helper: "newuidmap",
        privilege: CapabilitySet::SETUID,
    }
}

fn groups() -> Ids {
    Ids {
        own: getegid().as_raw(),
        subordinate: "/etc/subgid",
        map: "gid_map",
        helper: "newgidmap",
        privilege: CapabilitySet::SETGID,
    }
}

/// What is written once the child is there.
pub(super) struct Maps {
    users: Vec<IdRange>,
    groups: Vec<IdRange>,
    setgroups: Option<bool>,
    auto: bool,
}

impl Maps {
    /// Looks up what the wishes mean for the caller.
    pub(super) fn resolve(wishes: &IdMaps) -> Result<Self> {
        let maps = Self {
            users: resolve(wishes, &wishes.users, &users())?,
            groups: resolve(wishes, &wishes.groups, &groups())?,
            setgroups: wishes.setgroups,
            auto: wishes.auto,
        };
        if maps.setgroups == Some(true) && maps.alone_with_own_group() {
            let reason = "only who may map any group can keep it: as root, or with groups of '/etc/subgid'";
            return Err(Error::invalid("allow", "setgroups inside", reason));
        }
        Ok(maps)
    }

    /// Whether the caller is nobody inside, but could be root.
    pub(super) fn leave_root_to_be_taken(&self) -> bool {
        let lost = |map: &[IdRange], own| !map.iter().any(|range| range.holds_outside(own));
        let root = |map: &[IdRange]| map.iter().any(|range| range.holds_inside(0));
        lost(&self.users, users().own) && root(&self.users) && root(&self.groups)
    }

    /// Whether groups can be given up inside.
    pub(super) fn allow_setgroups(&self) -> bool {
        self.setgroups.unwrap_or_else(|| !self.alone_with_own_group())
    }

    /// The kernel lets anybody map the own group, if nobody inside can give up groups then.
    fn alone_with_own_group(&self) -> bool {
        !is_privileged(&groups()) && is_own_alone(&self.groups, &groups())
    }

    /// Writes them for a child that waits. Each file can be written once; groups are denied before they are mapped.
    pub(super) fn write(&self, pid: u32) -> Result<()> {
        let denied = self.setgroups == Some(false) || !self.groups.is_empty() && !self.allow_setgroups();
        if denied {
            fs::write(format!("/proc/{pid}/setgroups"), "deny")
                .map_err(|e| Error::os("deny", "setgroups inside", e))?;
        }
        write(pid, &self.users, &users(), self.auto)?;
        write(pid, &self.groups, &groups(), self.auto)
    }
}

fn resolve(wishes: &IdMaps, further: &[IdRange], ids: &Ids) -> Result<Vec<IdRange>> {
    let mut map = Vec::new();
    if wishes.current {
        map.push(IdRange::one(ids.own, ids.own));
    } else if wishes.root || wishes.auto {
        map.push(IdRange::one(0, ids.own));
    }
    map.extend(further);
    if wishes.auto {
        let given = subordinate(ids)?;
        fill(&mut map, &given);
    }
    for (at, range) in map.iter().enumerate() {
        if let Some(other) = map[..at].iter().find(|other| other.overlaps(*range)) {
            return Err(Error::invalid("map", format!("'{range}'"), format!("it overlaps with '{other}'")));
        }
    }
    Ok(map)
}

/// Gives the ids of `given`, in their order, the lowest numbers that are left inside.
fn fill(map: &mut Vec<IdRange>, given: &[(u32, u32)]) {
    let mut taken = map.clone();
    taken.sort_unstable_by_key(|range| range.inside);
    let mut inside = 0;
    for &(first, count) in given {
        let (mut outside, mut left) = (first, count);
        while left > 0 {
            if let Some(over) = taken.iter().find(|range| range.holds_inside(inside)) {
                inside = over.inside.saturating_add(over.count);
                continue;
            }
            let next = taken.iter().map(|range| range.inside).filter(|&first| first > inside).min();
            let count = next.map_or(left, |next| left.min(next - inside));
            map.push(IdRange { inside, outside, count });
            let Some(after) = inside.checked_add(count) else { return };
            (inside, outside, left) = (after, outside.saturating_add(count), left - count);
        }
    }
}

/// The ranges that a file of subordinate ids gives the caller, by number or by name.
fn subordinate(ids: &Ids) -> Result<Vec<(u32, u32)>> {
    let shown = format!("the ids of '{}'", ids.subordinate);
    let text = fs::read_to_string(ids.subordinate).map_err(|e| Error::os("read", &shown, e))?;
    let uid = geteuid().as_raw();
    let name = fs::read_to_string("/etc/passwd").ok().and_then(|passwd| name_of(&passwd, uid));
    let found = ranges_of(&text, uid, name.as_deref());
    if found.is_empty() {
        let who = name.map_or_else(|| uid.to_string(), |name| escaped(name.as_bytes()));
        let reason = format!("it has none for '{who}'; 'usermod --add-subuids' gives some");
        return Err(Error::of_kind(ErrorKind::NotFound, "use", shown, reason));
    }
    Ok(found)
}

fn name_of(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

fn ranges_of(text: &str, uid: u32, name: Option<&str>) -> Vec<(u32, u32)> {
    let range = |line: &str| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let is_owner = Some(owner) == name || owner.parse() == Ok(uid);
        let (first, count) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (is_owner && count > 0).then_some((first, count))
    };
    text.lines().filter_map(range).collect()
}

fn is_privileged(ids: &Ids) -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(ids.privilege))
}

fn is_own_alone(map: &[IdRange], ids: &Ids) -> bool {
    matches!(map, [range] if range.count == 1 && range.outside == ids.own)
}

fn write(pid: u32, map: &[IdRange], ids: &Ids, auto: bool) -> Result<()> {
    if map.is_empty() {
        return Ok(());
    }
    if !is_privileged(ids) && (auto || !is_own_alone(map, ids)) {
        return write_by_helper(pid, map, ids);
    }
    let mut text = String::new();
    for IdRange { inside, outside, count } in map {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{inside} {outside} {count}");
    }
    let path = format!("/proc/{pid}/{}", ids.map);
    // In one write: the kernel takes no second one.
    fs::write(&path, text)
        .map_err(|e| why::map_refused(Error::os("write", format!("'{}' of the new namespace", ids.map), e)))
}

/// These two programs, which are set-uid for it, are the only ones that nsnet runs by itself.
fn write_by_helper(pid: u32, map: &[IdRange], ids: &Ids) -> Result<()> {
    let numbers = map.iter().flat_map(|range| [range.inside, range.outside, range.count]);
    let words = [pid].into_iter().chain(numbers).map(|number| number.to_string());
    let run = Command::new(ids.helper).args(words).output();
    let failed = |e: io::Error| {
        let missing = e.kind() == io::ErrorKind::NotFound;
        let error = Error::os("run", format!("'{}'", ids.helper), e);
        if missing {
            error.because("it maps ids for who is not root; Debian has it in the package uidmap")
        } else {
            error
        }
    };
    let output = run.map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let said = escaped(String::from_utf8_lossy(&output.stderr).trim().as_bytes());
    Err(Error::of_kind(ErrorKind::Denied, "map", "ids of the new namespace", format!("{} says: {said}", ids.helper)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(text: &str) -> IdRange {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_is_three_numbers() {
        assert_eq!(range("0:100000:65536"), IdRange { inside: 0, outside: 100_000, count: 65536 });
        for bad in ["", "0", "0:1", "0:1:0", "0:1:2:3", "-1:0:1", "x:0:1", "4294967295:0:1", "1:4294967290:6"] {
            assert!(bad.parse::<IdRange>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn subordinate_ids_fill_what_is_left() {
        let filled = |map: &[&str], given: &[(u32, u32)]| {
            let mut map: Vec<_> = map.iter().map(|text| range(text)).collect();
            fill(&mut map, given);
            map.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(filled(&["0:1000:1"], &[(100_000, 65536)]), ["0:1000:1", "1:100000:65536"]);
        assert_eq!(
            filled(&["1000:1000:1"], &[(100_000, 65536)]),
            ["1000:1000:1", "0:100000:1000", "1001:101000:64536"]
        );
        assert_eq!(filled(&["0:7:1"], &[(10, 2), (20, 3)]), ["0:7:1", "1:10:2", "3:20:3"]);
    }

    #[test]
    fn the_owner_of_subordinate_ids_is_a_name_or_a_number() {
        let text = "ann:100000:65536\n1000:300000:10\nbob:1:1\nann:x:1\n";
        assert_eq!(ranges_of(text, 1000, Some("ann")), [(100_000, 65536), (300_000, 10)]);
        assert_eq!(ranges_of(text, 1, None), []);
        assert_eq!(name_of("root:x:0:0::/:/bin/sh\nann:x:1000:100::/:/bin/sh\n", 1000).as_deref(), Some("ann"));
    }

    proptest! {
        #[test]
        fn what_is_filled_never_overlaps(own in 0u32..3000, given in proptest::collection::vec((10_000u32..20_000, 1u32..2000), 0..4)) {
            let mut at = 10_000;
            let given: Vec<_> = given.into_iter().map(|(_, count)| { let first = at; at += count; (first, count) }).collect();
            let mut map = vec![IdRange::one(own, 1)];
            fill(&mut map, &given);
            let total: u32 = map.iter().map(|range| range.count).sum();
            prop_assert_eq!(total, 1 + given.iter().map(|(_, count)| count).sum::<u32>());
            for (at, range) in map.iter().enumerate() {
                prop_assert!(!map[..at].iter().any(|other| other.overlaps(*range)), "{:?}", map);
            }
        }
    }
}
