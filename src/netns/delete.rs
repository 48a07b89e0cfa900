//! Deleting: take the name away, then wait until the namespace and its links are gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    mount::{UnmountFlags, unmount},
};

use super::{
    Netns, NetnsId,
    entry::{Found, bind, look, path_of},
    holders::{Holder, holders},
    named::{PART, not_alive},
    rundir::Lock,
};
use crate::{
    error::{Error, Result},
    name::NsName,
    netlink::farewell::Farewell,
};

/// What came of deleting one name.
#[derive(Debug)]
#[non_exhaustive]
pub struct Deletion {
    /// The name.
    pub name: NsName,
    /// What became of the namespace, or why the name is still there.
    pub result: Result<Outcome>,
}

/// What became of a namespace whose name is gone.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The namespace is gone, and so are the veth ends elsewhere whose peers were in it.
    Gone,
    /// Only a name went: it was dead, a symlink, or one of several names of a namespace.
    NameOnly,
    /// The namespace lives on, held by these.
    Held(Vec<Holder>),
    /// The namespace still lived when nothing had ended for ten seconds, held by something that shows nowhere, such as a
    /// socket that was opened inside by a process elsewhere.
    HeldUnseen,
    /// Not waited for, as asked.
    NotAwaited,
    /// The name is gone; whether the namespace is cannot be told, and why.
    Unwatched(Error),
}

/// The kernel needs 10 to 40 ms for a namespace that nobody holds, many at once hardly more.
const USUAL: Duration = Duration::from_millis(60);
/// Who only looked at the namespace has left by then.
const PASSING_BY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);

/// Deletes one name; see [`delete_all`].
///
/// # Errors
///
/// As there.
///
/// ```no_run
/// # fn main() -> nsnet::Result<()> {
/// let outcome = nsnet::netns::delete(&"red".parse()?, true)?;
/// assert!(matches!(outcome, nsnet::netns::Outcome::Gone));
/// # Ok(()) }
/// ```
pub fn delete(name: &NsName, wait: bool) -> Result<Outcome> {
    let deletions = delete_all(std::slice::from_ref(name), wait)?;
    deletions.into_iter().map(|deletion| deletion.result).next().unwrap_or(Ok(Outcome::NameOnly))
}

/// Deletes names, and waits until what they stood for is gone, unless told not to.
///
/// Each name goes or stays whatever becomes of the others; the results are in the order of the
/// names. A name whose removal failed still names a living namespace. A symlink is removed, and
/// nothing behind it. The wait is paid once for all; for it, each namespace gets an id (`nsid`) in
/// the current namespace where it has none, because only its end is announced.
///
/// # Errors
///
/// `TimedOut` or `Denied` if the lock cannot be had; nothing was touched then. Each name's own
/// result may be `NotFound`; `NotANamespace` for what is foreign; `Denied` without `CAP_SYS_ADMIN`.
pub fn delete_all(names: &[NsName], wait: bool) -> Result<Vec<Deletion>> {
    let (removed, farewell) = {
        let _lock = Lock::take()?;
        remove_all(names, wait)
    };
    let mut outcomes = farewell.map_or_else(BTreeMap::new, await_end);
    let deletion = |(name, removed): (&NsName, Result<Removed>)| Deletion {
        name: name.clone(),
        result: removed.map(|removed| removed.outcome(&mut outcomes)),
    };
    Ok(names.iter().zip(removed).map(deletion).collect())
}

/// A name to delete, of which it is known where the links of its namespace lead.
pub(crate) struct Doomed {
    pub name: NsName,
    /// The indices of ends of its pairs in the current namespace; `None` where some lead to places that are
    /// not known.
    pub ends_here: Option<Vec<u32>>,
}

/// Deletes names and waits, as [`delete_all`], without asking each namespace where its links lead.
///
/// `holding` is let go once all names are gone: connections into the namespaces, so that the kernel ends
/// them together and not the first ones first.
pub(crate) fn delete_known<T>(doomed: &[Doomed], holding: T) -> Result<Vec<Deletion>> {
    let (removed, farewell) = {
        let _lock = Lock::take()?;
        let ids = doomed.iter().filter_map(|doomed| Netns::living(&doomed.name).map(|ns| ns.id()));
        let mut farewell = Farewell::new(ids.collect());
        let watched = watch_known(&mut farewell, doomed);
        let remove = |(doomed, watched): (&Doomed, _)| remove_watched(&doomed.name, &mut farewell, watched);
        let removed: Vec<_> = doomed.iter().zip(watched).map(remove).collect();
        (removed, farewell)
    };
    drop(holding);
    let mut outcomes = await_end(farewell);
    let deletion = |(doomed, removed): (&Doomed, Result<Removed>)| Deletion {
        name: doomed.name.clone(),
        result: removed.map(|removed| removed.outcome(&mut outcomes)),
    };
    Ok(doomed.iter().zip(removed).map(deletion).collect())
}

/// In parts, because each is held open while it is asked about.
fn watch_known(farewell: &mut Farewell, doomed: &[Doomed]) -> Vec<Option<Result<()>>> {
    let mut watched = Vec::new();
    for part in doomed.chunks(64) {
        let opened: Vec<_> = part.iter().map(|doomed| Netns::living(&doomed.name)).collect();
        let known: Vec<_> = opened
            .iter()
            .zip(part)
            .filter_map(|(ns, doomed)| Some((ns.as_ref()?, doomed.ends_here.as_deref())))
            .collect();
        let mut answers = farewell.watch_known(&known).into_iter();
        watched.extend(opened.iter().map(|ns| ns.as_ref().and_then(|_| answers.next())));
    }
    watched
}

fn remove_watched(name: &NsName, farewell: &mut Farewell, watched: Option<Result<()>>) -> Result<Removed> {
    match (look(name)?, watched) {
        (Found::Alive { ns, symlink: false }, Some(watched)) => {
            if let Err(e) = remove_name(name, &ns) {
                farewell.forget(ns.id());
                return Err(e);
            }
            Ok(watched.map_or_else(|e| Removed::Done(Outcome::Unwatched(e)), |()| Removed::Watched(ns.id())))
        }
        // A symlink, a dead name, or one that changed meanwhile.
        _ => remove_one(name, None, &mut Vec::new()),
    }
}

enum Removed {
    Done(Outcome),
    /// What became of it is for the farewell to tell.
    Watched(NetnsId),
}

impl Removed {
    fn outcome(self, outcomes: &mut BTreeMap<NetnsId, Outcome>) -> Outcome {
        match self {
            Self::Done(outcome) => outcome,
            Self::Watched(id) => outcomes.remove(&id).unwrap_or(Outcome::NameOnly),
        }
    }
}

/// Everything that needs the lock. All are let go at once, so that the kernel ends them together: it takes as long for the
/// first one alone as for all, and begins with the others when it is done with that.
fn remove_all(names: &[NsName], wait: bool) -> (Vec<Result<Removed>>, Option<Farewell>) {
    let ids = names.iter().filter_map(|name| Netns::living(name).map(|ns| ns.id()));
    let mut farewell = wait.then(|| Farewell::new(ids.collect()));
    let mut removed = Vec::new();
    for part in names.chunks(PART) {
        let mut held = Vec::new();
        removed.extend(part.iter().map(|name| remove_one(name, farewell.as_mut(), &mut held)));
    }
    (removed, farewell)
}

/// Holds the namespace whose name it removed.
fn remove_one(name: &NsName, mut farewell: Option<&mut Farewell>, held: &mut Vec<Netns>) -> Result<Removed> {
    match look(name)? {
        Found::Alive { ns, symlink: false } => {
            let watched = farewell.as_deref_mut().map(|farewell| farewell.watch(&ns));
            if let Err(e) = remove_name(name, &ns) {
                if let Some(farewell) = farewell {
                    farewell.forget(ns.id());
                }
                return Err(e);
            }
            let id = ns.id();
            held.push(ns);
            Ok(match watched {
                None => Removed::Done(Outcome::NotAwaited),
                Some(Ok(())) => Removed::Watched(id),
                Some(Err(e)) => Removed::Done(Outcome::Unwatched(e)),
            })
        }
        Found::Alive { symlink: true, .. } | Found::Dead => {
            fs::remove_file(path_of(name)).map_err(|e| Error::os("delete", name, e))?;
            Ok(Removed::Done(Outcome::NameOnly))
        }
        other => Err(not_alive("delete", name, &other)),
    }
}

/// Takes a name off its namespace. If it cannot be removed, it names the namespace as before.
pub(super) fn remove_name(name: &NsName, ns: &Netns) -> Result<()> {
    let path = path_of(name);
    unmount_all(&path).map_err(|e| Error::os("unmount", name, e))?;
    fs::remove_file(&path).map_err(|e| {
        // Best effort: what keeps the file from being removed is the error worth reporting.
        let _ = bind(ns, &path);
        Error::os("remove", name, e)
    })
}

/// Takes away all mounts stacked on a file; races of other tools leave more than one.
fn unmount_all(path: &Path) -> rustix::io::Result<()> {
    loop {
        match unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            // No mount point any more.
            Err(Errno::INVAL | Errno::NOENT) => return Ok(()),
            Err(e) => return Err(e),
        }
    }
}

/// Waits until everything is gone, or somebody is seen who holds it.
///
/// Nobody can know beforehand whether a namespace is held, so both are looked for: its end is
/// heard, or a holder is found twice with time between for those who were only passing by.
fn await_end(mut farewell: Farewell) -> BTreeMap<NetnsId, Outcome> {
    let mut outcomes = BTreeMap::new();
    let heard = farewell
        .wait(Instant::now() + USUAL)
        .and_then(|()| if farewell.is_over() { Ok(()) } else { await_slow(&mut farewell, &mut outcomes) });
    let left = match &heard {
        Ok(()) => farewell.left(),
        Err(_) => farewell.watched(),
    };
    for id in farewell.watched() {
        let outcome = match &heard {
            Err(e) if left.contains(&id) => Outcome::Unwatched(Error::os("hear of the end of", id, repeat(e))),
            _ if left.contains(&id) => Outcome::HeldUnseen,
            _ => Outcome::Gone,
        };
        outcomes.entry(id).or_insert(outcome);
    }
    outcomes
}

fn await_slow(farewell: &mut Farewell, held: &mut BTreeMap<NetnsId, Outcome>) -> io::Result<()> {
    let suspects = holders(&farewell.alive());
    farewell.wait(Instant::now() + PASSING_BY)?;
    let alive = farewell.alive();
    let suspected: BTreeSet<_> = suspects.into_iter().map(|(id, _)| id).filter(|id| alive.contains(id)).collect();
    give_up_on(farewell, held, &suspected)?;
    farewell.wait_while_some_end(PATIENCE)?;
    let alive = farewell.alive();
    give_up_on(farewell, held, &alive)
}

/// Looks who holds these, and waits no longer for those that somebody holds.
fn give_up_on(
    farewell: &mut Farewell,
    held: &mut BTreeMap<NetnsId, Outcome>,
    suspected: &BTreeSet<NetnsId>,
) -> io::Result<()> {
    if suspected.is_empty() {
        return Ok(());
    }
    let mut found: BTreeMap<NetnsId, Vec<Holder>> = BTreeMap::new();
    for (id, holder) in holders(suspected) {
        found.entry(id).or_default().push(holder);
    }
    // An inode number is used again at once: a namespace that ended meanwhile has no holders.
    farewell.wait(Instant::now())?;
    let alive = farewell.alive();
    for (id, holders) in found.into_iter().filter(|(id, _)| alive.contains(id)) {
        farewell.forget(id);
        held.insert(id, Outcome::Held(holders));
    }
    Ok(())
}

fn repeat(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::other(error.to_string()), io::Error::from_raw_os_error)
}
