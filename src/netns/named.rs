//! Names: make, attach, open, rename, list and clear away.

use std::{collections::BTreeSet, fs, io, thread};

use rustix::thread::sched_getaffinity;

use super::{
    Netns, NetnsId, RUN_DIR,
    delete::remove_name,
    entry::{Found, bind, create_file, look, path_of},
    rundir::{self, Lock},
};
use crate::{
    error::{Error, ErrorKind, Result},
    name::NsName,
    netlink,
};

/// How [`create`] makes namespaces.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CreateOptions {
    /// Leaves a namespace that is there already as it is, instead of failing.
    pub if_missing: bool,
    /// Brings `lo` up. `ip netns add` does not.
    pub lo_up: bool,
}

impl Default for CreateOptions {
    fn default() -> Self {
        Self { if_missing: false, lo_up: true }
    }
}

impl CreateOptions {
    /// Sets [`if_missing`](Self::if_missing).
    #[must_use]
    pub fn if_missing(mut self, yes: bool) -> Self {
        self.if_missing = yes;
        self
    }

    /// Sets [`lo_up`](Self::lo_up).
    #[must_use]
    pub fn lo_up(mut self, yes: bool) -> Self {
        self.lo_up = yes;
        self
    }
}

/// Makes named namespaces: all of them, or none.
///
/// A dead entry (see [`State::Dead`](super::State::Dead)) is replaced. Each namespace is whole
/// before its name appears. INT, TERM, HUP and QUIT wait for the end of it; `kill -9` may leave
/// some of the names, each of them whole, absent or dead. Returns the names made, in the order
/// given.
///
/// # Errors
///
/// `Exists` if a name is taken; `NotANamespace` if something else is there; `Denied` without
/// `CAP_SYS_ADMIN`; `TimedOut` if another process holds the lock for ten seconds; `Unsupported`
/// in a mount namespace whose names nobody else would see.
///
/// ```no_run
/// use nsnet::netns;
/// # fn main() -> nsnet::Result<()> {
/// netns::create(&["red".parse()?, "blue".parse()?], netns::CreateOptions::default())?;
/// # Ok(()) }
/// ```
pub fn create(names: &[NsName], options: CreateOptions) -> Result<Vec<NsName>> {
    refuse_duplicates(names)?;
    names.iter().try_for_each(refuse_unreachable)?;
    let _lock = Lock::take()?;
    rundir::prepare()?;
    let mut missing = Vec::new();
    for name in names {
        match look(name)? {
            Found::Alive { .. } if options.if_missing => {}
            found => {
                refuse_taken("add", name, &found)?;
                missing.push(name);
            }
        }
    }
    let raise = |name: &NsName| if options.lo_up { netlink::link::raise_loopback(name) } else { Ok(()) };
    make_all(&missing, &raise, &mut |_, _, ()| {})?;
    Ok(missing.into_iter().cloned().collect())
}

/// Makes named namespaces as [`create`] does: all of them, or none. Each is prepared by a function that
/// runs inside, on a thread that ends, before its name appears; `keep` is given each with its name, once
/// that is there.
pub(crate) fn create_prepared<T: Send>(
    names: &[NsName],
    prepare: &Prepare<'_, T>,
    keep: &mut dyn FnMut(&NsName, Netns, T),
) -> Result<()> {
    refuse_duplicates(names)?;
    let _lock = Lock::take()?;
    rundir::prepare()?;
    for name in names {
        refuse_taken("add", name, &look(name)?)?;
    }
    make_all(&names.iter().collect::<Vec<_>>(), prepare, keep)
}

/// Gives a name to the namespace of a process, or to any other.
///
/// # Errors
///
/// As [`create`].
pub fn attach(name: &NsName, ns: &Netns) -> Result<()> {
    refuse_unreachable(name)?;
    let _lock = Lock::take()?;
    rundir::prepare()?;
    refuse_taken("attach", name, &look(name)?)?;
    publish(name, ns)
}

/// Takes a name from a namespace, if it still is its name.
pub(crate) fn unname(name: &NsName, id: NetnsId) -> Result<()> {
    let _lock = Lock::take()?;
    match look(name)? {
        Found::Alive { ns, symlink: false } if ns.id() == id => remove_name(name, &ns),
        _ => Ok(()),
    }
}

/// Renames a namespace; it lives on, with everything in it. `/etc/netns/OLD` is left as it is.
///
/// # Errors
///
/// `NotFound` and `NotANamespace` for the old name; for the new one as [`create`].
pub fn rename(old: &NsName, new: &NsName) -> Result<()> {
    if old == new {
        return Err(Error::invalid("rename", old, "both names are the same"));
    }
    refuse_unreachable(new)?;
    let _lock = Lock::take()?;
    rundir::prepare_to_move()?;
    let (ns, symlink) = match look(old)? {
        Found::Alive { ns, symlink } => (ns, symlink),
        other => return Err(not_alive("rename", old, &other)),
    };
    refuse_taken("rename to", new, &look(new)?)?;
    if symlink {
        return rename_symlink(old, new);
    }
    publish(new, &ns)?;
    remove_name(old, &ns).inspect_err(|_| take_back(new))
}

fn rename_symlink(old: &NsName, new: &NsName) -> Result<()> {
    clear_dead(new)?;
    fs::rename(path_of(old), path_of(new)).map_err(|e| Error::os("rename", old, e))
}

/// Removes the dead entries, and nothing else; returns their names.
///
/// # Errors
///
/// `Denied` without write access to `/run/netns`.
pub fn prune() -> Result<Vec<NsName>> {
    let _lock = Lock::take()?;
    let mut pruned = Vec::new();
    for name in list()? {
        if matches!(look(&name)?, Found::Dead) {
            unlink(&name)?;
            pruned.push(name);
        }
    }
    Ok(pruned)
}

/// The names in `/run/netns`, sorted by their bytes: also of what is dead or foreign
/// (see [`Entry::look`](super::Entry::look)). A directory that does not exist holds none.
///
/// # Errors
///
/// `Denied` where the directory may not be read.
pub fn list() -> Result<Vec<NsName>> {
    let failed = |e| Error::os("read", format!("'{RUN_DIR}'"), e);
    let dir = match fs::read_dir(RUN_DIR) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        dir => dir.map_err(failed)?,
    };
    let mut names = Vec::new();
    for entry in dir {
        names.push(NsName::new(entry.map_err(failed)?.file_name())?);
    }
    names.sort_unstable();
    Ok(names)
}

/// What stands behind a name.
pub(crate) enum Standing {
    Alive(Netns),
    Dead,
    /// No namespace, and why.
    Foreign(String),
}

impl Standing {
    /// Looks behind a name; `None` where there is none. What cannot be looked at is an error.
    pub(crate) fn of(name: &NsName) -> Result<Option<Self>> {
        Ok(match look(name)? {
            Found::Alive { ns, .. } => Some(Self::Alive(ns)),
            Found::Dead => Some(Self::Dead),
            Found::Foreign(reason) => Some(Self::Foreign(reason)),
            Found::Nothing => None,
        })
    }
}

impl Netns {
    /// Opens a name that is alive right now.
    pub(crate) fn living(name: &NsName) -> Option<Self> {
        match look(name) {
            Ok(Found::Alive { ns, .. }) => Some(ns),
            _ => None,
        }
    }
}

/// Opens a name. A dead one may be one that another nsnet is just making: its turn is awaited.
pub(super) fn open(name: &NsName) -> Result<Netns> {
    let mut found = look(name)?;
    if matches!(found, Found::Dead)
        && let Ok(_lock) = Lock::take()
    {
        found = look(name)?;
    }
    match found {
        Found::Alive { ns, .. } => Ok(ns),
        other => Err(not_alive("open namespace", name, &other)),
    }
}

/// Why a name that should be a namespace is none.
pub(super) fn not_alive(op: &'static str, name: &NsName, found: &Found) -> Error {
    let (kind, reason) = match found {
        Found::Dead => (
            ErrorKind::NotANamespace,
            "the name is dead: no namespace stands behind it; 'nsnet prune' removes such names".to_owned(),
        ),
        Found::Foreign(reason) => (ErrorKind::NotANamespace, reason.clone()),
        _ => (ErrorKind::NotFound, format!("there is no such name in '{RUN_DIR}'")),
    };
    Error::of_kind(kind, op, name, reason)
}

fn refuse_duplicates(names: &[NsName]) -> Result<()> {
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(*name)) {
        Some(twice) => Err(Error::invalid("add", twice, "it is named twice")),
        None => Ok(()),
    }
}

/// Nobody could reach such a name: wherever one may be written, it means the process.
fn refuse_unreachable(name: &NsName) -> Result<()> {
    if name.reads_as_pid() {
        return Err(Error::invalid("add", name, "'pid:N' always means the process N"));
    }
    Ok(())
}

fn refuse_taken(op: &'static str, name: &NsName, found: &Found) -> Result<()> {
    match found {
        Found::Nothing | Found::Dead => Ok(()),
        Found::Alive { .. } => Err(Error::of_kind(ErrorKind::Exists, op, name, "a namespace of this name exists")),
        Found::Foreign(reason) => {
            Err(Error::of_kind(ErrorKind::NotANamespace, op, name, format!("the name is taken: {reason}")))
        }
    }
}

/// So many are held open at a time; a process may usually open 1,024 files.
pub(super) const PART: usize = 256;

/// Makes all namespaces and their names, or takes back what it made.
fn make_all<T: Send>(
    names: &[&NsName],
    prepare: &Prepare<'_, T>,
    keep: &mut dyn FnMut(&NsName, Netns, T),
) -> Result<()> {
    let mut done = Vec::new();
    for part in names.chunks(PART) {
        let made = make_many(part, prepare).and_then(|made| {
            publish_all(part, &made, &mut done)?;
            Ok(made)
        });
        match made {
            Ok(made) => part.iter().zip(made).for_each(|(name, (ns, prepared))| keep(name, ns, prepared)),
            Err(cause) => {
                done.into_iter().rev().for_each(take_back);
                return Err(cause);
            }
        }
    }
    Ok(())
}

/// What is done inside a new namespace before it has a name.
type Prepare<'a, T> = dyn Fn(&NsName) -> Result<T> + Sync + 'a;

/// Makes namespaces on as many threads as there are processors: most of the time is the kernel's.
fn make_many<T: Send>(names: &[&NsName], prepare: &Prepare<'_, T>) -> Result<Vec<(Netns, T)>> {
    let make_one = |name: &&NsName| {
        let made = Netns::make_here(name)?;
        Ok((made, prepare(name)?))
    };
    let make = |names: &[&NsName]| names.iter().map(make_one).collect::<Result<Vec<_>>>();
    // The standard library would read files of cgroups for it.
    let workers = sched_getaffinity(None).map_or(1, |set| set.count() as usize).max(1);
    let shares = names.chunks(names.len().div_ceil(workers).max(1));
    thread::scope(|scope| {
        let started = shares.map(|share| thread::Builder::new().spawn_scoped(scope, move || make(share)));
        let workers = started.collect::<io::Result<Vec<_>>>().map_err(|e| Error::os("start", "a thread", e))?;
        let shares = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|p| std::panic::resume_unwind(p)));
        Ok(shares.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    })
}

fn publish_all<'a, T>(names: &[&'a NsName], made: &[(Netns, T)], done: &mut Vec<&'a NsName>) -> Result<()> {
    for (name, (ns, _)) in names.iter().zip(made) {
        publish(name, ns)?;
        done.push(name);
    }
    Ok(())
}

/// Puts a name on a namespace; whoever looks sees nothing, an empty file for a moment, or all of it.
fn publish(name: &NsName, ns: &Netns) -> Result<()> {
    clear_dead(name)?;
    let path = path_of(name);
    create_file(&path).map_err(|e| Error::os("create the file of", name, e))?;
    bind(ns, &path).map_err(|e| {
        // Best effort: the first error is the one worth reporting, and what stays is a dead entry.
        let _ = fs::remove_file(&path);
        Error::os("bind", name, e)
    })
}

fn clear_dead(name: &NsName) -> Result<()> {
    match look(name)? {
        Found::Dead => unlink(name),
        _ => Ok(()),
    }
}

fn unlink(name: &NsName) -> Result<()> {
    fs::remove_file(path_of(name)).map_err(|e| Error::os("remove", name, e))
}

/// Best effort: the cause is what gets reported.
fn take_back(name: &NsName) {
    if let Some(ns) = Netns::living(name) {
        let _ = remove_name(name, &ns);
    }
}
