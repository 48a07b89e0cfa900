//! Labs brought up and taken down.
//!
//! `up` is a transaction: until the first deletion, a failure or a signal undoes everything; from there on
//! it only goes forward, and a rerun finishes what could not be.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    files,
    lock::Lock,
    mark,
    observe::{Named, Observed, Stranger, marks_of, observe, outline},
    plan::plan,
    preflight, runs,
    silence::Silence,
    site::{self, Sites},
    state::{LinkWhat, Place, State},
    step::{At, LinkEdit, Step},
    work::{self, Worker},
};
use crate::{
    addr::IfAddr,
    error::{Error, Result},
    name::LabName,
    netlink::{awaited::Awaited, neigh, raw::Socket},
    netns::{self, Deletion, Doomed, Outcome},
    sys::signal::Held,
};

/// What is not as wanted after the first try mostly lost something to another change, and is there after
/// the second.
const ROUNDS: usize = 3;

/// The kernel needs well under a millisecond for a link; a machine under load a little more.
const READY_TIMEOUT: Duration = Duration::from_secs(5);

/// How far it is: steps done, and steps that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Steps that are done.
    pub done: usize,
    /// All steps.
    pub all: usize,
    /// Whether this is the last that is heard: everything is done, or undone. Signals are still held then.
    pub is_over: bool,
}

/// Hears how far it is.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress);

/// What came of bringing a lab up.
#[derive(Debug)]
#[non_exhaustive]
pub struct Raised {
    /// What was done; nothing where the lab was as written.
    pub steps: Vec<Step>,
    /// What the user should know, though it worked.
    pub warnings: Vec<String>,
}

/// What came of taking a lab down.
#[derive(Debug)]
#[non_exhaustive]
pub struct Lowered {
    /// The names that are gone, and what became of each namespace.
    pub namespaces: Vec<Deletion>,
    /// What the user should know, though it worked.
    pub warnings: Vec<String>,
    /// How many nodes had files in `/etc/netns`, or where they are instead, which are gone too.
    pub nodes_with_files: usize,
}

/// What is there of a lab, in the terms of the file.
///
/// `desired` tells which options of links are compared.
///
/// # Errors
///
/// `Denied` without `CAP_SYS_ADMIN` and `CAP_NET_ADMIN`, where anything of it is there.
pub fn look(lab: &LabName, desired: &State) -> Result<State> {
    preflight::make_room(lab, preflight::most_spaces(desired, netns::list()?.len()))?;
    observe(lab, desired, &mut Sites::new(), None).map(|observed| observed.state)
}

/// The steps that [`up`] would do now. Refuses what it would refuse, too.
///
/// # Errors
///
/// As [`look`] and the first half of [`up`].
pub fn plan_now(lab: &LabName, desired: &State) -> Result<Vec<Step>> {
    let mut observed = begin(lab, desired)?;
    let steps = plan(desired, &observed.state);
    preflight::check(lab, desired, &mut observed, &steps)?;
    Ok(steps)
}

fn begin(lab: &LabName, desired: &State) -> Result<Observed> {
    preflight::make_room(lab, preflight::most_spaces(desired, netns::list()?.len()))?;
    observe(lab, desired, &mut Sites::new(), None)
}

/// Looks at a lab, and plans; again, when what is about to go by itself has gone.
fn begin_settled(lab: &LabName, desired: &State) -> Result<(Observed, Vec<Step>)> {
    let observed = begin(lab, desired)?;
    let steps = plan(desired, &observed.state);
    let gone = preflight::in_the_way(&observed, &steps);
    if gone.is_empty() {
        return Ok((observed, steps));
    }
    drop(observed);
    await_gone(gone);
    let observed = begin(lab, desired)?;
    let steps = plan(desired, &observed.state);
    Ok((observed, steps))
}

/// Makes a lab what it should be, and returns when packets get through.
///
/// What fits stays as it is. INT, TERM, HUP and QUIT are held until everything is done, or undone. `kill
/// -9` may leave any part of it; another `up` completes it, and [`down`] removes it.
///
/// # Errors
///
/// `Os` (`EBUSY`) where somebody else is changing this lab; `Exists` where a name is taken by what is not the
/// lab's; `Unsupported` where the kernel lacks a kind or a limit is too low; `Denied` without
/// `CAP_SYS_ADMIN` and `CAP_NET_ADMIN`. Nothing was touched then. After any other error everything is
/// as it was, unless the error says that something had been deleted already.
pub fn up(lab: &LabName, desired: &State, progress: OnProgress<'_>) -> Result<Raised> {
    let _lock = Lock::take(lab)?;
    let (mut observed, steps) = begin_settled(lab, desired)?;
    preflight::check(lab, desired, &mut observed, &steps)?;
    let warnings = if steps.is_empty() { Vec::new() } else { preflight::warnings(desired) };
    if steps.is_empty() && observed.stray_files.is_empty() && !observed.stray_runs {
        return Ok(Raised { steps, warnings });
    }
    let signals = Held::hold();
    let done = Transaction::new(lab, desired, observed).run(&steps, &signals, progress);
    // A signal that came ends the caller as soon as it is not held any more.
    progress(Progress { done: if done.is_ok() { steps.len() } else { 0 }, all: steps.len(), is_over: true });
    done.map(|()| Raised { steps, warnings })
}

/// One `up`, from the first change to the last look.
struct Transaction<'a> {
    lab: &'a LabName,
    desired: &'a State,
    before: State,
    worker: Worker<'a>,
    strays: Vec<Place>,
    stray_runs: bool,
    /// Whether everything is taken back when this is dropped, as by a fault.
    armed: bool,
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.armed {
            // The fault is what gets reported.
            let _ = self.take_back();
        }
    }
}

/// Asked between parts of the work how many steps are done, whether to go on.
type GoOn<'a> = &'a mut dyn FnMut(usize) -> Result<()>;

impl<'a> Transaction<'a> {
    fn new(lab: &'a LabName, desired: &'a State, observed: Observed) -> Self {
        let strays = observed.stray_files.keys().filter(|place| !desired.spaces.contains_key(place)).cloned().collect();
        let (before, stray_runs) = (observed.state.clone(), observed.stray_runs);
        Self { lab, desired, before, worker: Worker::new(lab, observed), strays, stray_runs, armed: true }
    }

    /// All of it; undone where it fails before something is deleted.
    fn run(mut self, steps: &[Step], signals: &Held, progress: OnProgress<'_>) -> Result<()> {
        let (lab, all) = (self.lab, steps.len());
        let mut tell = |done: usize| progress(Progress { done: done.min(all), all, is_over: false });
        let mut go_on = |done| {
            tell(done);
            signals.refuse_pending().map_err(|e| Error::os("bring up lab", lab, e).because("it was interrupted"))
        };
        let unwanted = match self.make(steps, &mut go_on) {
            Ok(unwanted) => unwanted,
            Err(cause) => return Err(self.undo(cause)),
        };
        self.armed = false;
        let finished = self.finish(unwanted, &mut |done| {
            tell(done);
            Ok(())
        });
        finished.map_err(|error| forward_only(lab, &error))
    }

    /// What can be taken back, until nothing is missing; returns what is there and unwanted.
    ///
    /// What is last waits for the look that shows that all else is there: as soon as the ports of a switch are up, all
    /// that is on it speaks to all, which keeps the processors from everything else.
    fn make(&mut self, steps: &[Step], go_on: GoOn<'_>) -> Result<Vec<Step>> {
        let mut left = Cow::Borrowed(steps);
        for _ in 0..ROUNDS {
            let last = missing(&left).iter().rposition(|step| !is_last(step)).map_or(0, |at| at + 1);
            if last > 0 {
                self.worker.perform(&left[..last], go_on)?;
                left = self.left()?.into();
            }
            if missing(&left).iter().all(is_last) {
                left = self.make_last(left.into_owned(), go_on)?.into();
            }
            if missing(&left).is_empty() {
                return Ok(left.into_owned());
            }
        }
        Err(self.not_as_wanted(&left[0]))
    }

    /// What is left then. Of commands that were started it is not known before it is looked for them.
    fn make_last(&mut self, mut ports: Vec<Step>, go_on: GoOn<'_>) -> Result<Vec<Step>> {
        let unwanted = ports.split_off(missing(&ports).len());
        let runs = ports.split_off(ports.iter().position(starts).unwrap_or(ports.len()));
        self.worker.perform(&ports, go_on)?;
        self.await_ready()?;
        if runs.is_empty() {
            return Ok(unwanted);
        }
        self.worker.perform(&runs, go_on)?;
        self.left()
    }

    /// What is yet to be done, as it is seen now.
    fn left(&mut self) -> Result<Vec<Step>> {
        Ok(plan(self.desired, &self.worker.look(self.desired)?))
    }

    fn not_as_wanted(&self, step: &Step) -> Error {
        let mut why = format!("everything was done, and yet there is still to do: {step}");
        if let Step::StartRun { place: Place::Node(node), run } = step {
            why = format!("{why}; it ended again; {}", runs::log_of(self.lab, node, &run.name));
        }
        Error::os("bring up lab", self.lab, rustix::io::Errno::PROTO).because(why)
    }

    /// Deletes what is not wanted; there is no way back.
    fn finish(mut self, mut left: Vec<Step>, go_on: GoOn<'_>) -> Result<()> {
        if self.stray_runs {
            runs::stop(self.lab, &site::homes(&self.worker.sites), &|_, _| false)?;
        }
        for place in std::mem::take(&mut self.strays) {
            let old = self.worker.files.remove(&place).unwrap_or_default();
            files::put(self.lab, &place, &old, &files::Files::new())?;
        }
        if left.is_empty() {
            return Ok(());
        }
        for _ in 0..ROUNDS {
            self.worker.perform(&left, go_on)?;
            left = self.left()?;
            if left.is_empty() {
                // Some of the new may have waited for the end of the old.
                return self.await_ready();
            }
        }
        Err(self.not_as_wanted(&left[0]))
    }

    /// Takes back everything that was done; returns the cause, and what could not be taken back.
    fn undo(mut self, cause: Error) -> Error {
        self.armed = false;
        match self.take_back() {
            Ok(None) => cause,
            Ok(Some(step)) => left_over(cause, &format!("there is still to do: {step}")),
            Err(error) => left_over(cause, &error.to_string()),
        }
    }

    /// Takes back everything that was done; returns what is left to do.
    fn take_back(&mut self) -> Result<Option<Step>> {
        let failed = self.worker.take_back();
        self.heal().map_err(|error| failed.unwrap_or(error))
    }

    /// What was lost by the way, such as routes of a link that was down for a moment, is made again.
    fn heal(&mut self) -> Result<Option<Step>> {
        for _ in 0..ROUNDS {
            let left = plan(&self.before, &self.worker.look(&self.before)?);
            if left.is_empty() {
                return Ok(None);
            }
            self.worker.perform(&left, &mut |_| Ok(()))?;
        }
        Ok(plan(&self.before, &self.worker.look(&self.before)?).into_iter().next())
    }

    /// Waits until packets get through.
    fn await_ready(&mut self) -> Result<()> {
        self.await_links()?;
        if has_tunnel(self.desired) {
            self.forget_unanswered()?;
        }
        Ok(())
    }

    /// A tunnel sends as soon as it is up, over links whose other ends may not have been up yet: who was asked for in vain is
    /// asked again.
    fn forget_unanswered(&mut self) -> Result<()> {
        for (place, site) in self.worker.sites.iter_mut().filter(|(place, _)| matches!(place, Place::Node(_))) {
            let done = neigh::forget_unanswered(&mut site.socket);
            done.map_err(|e| e.into_error("look at the neighbours in", site::shown(self.lab, place)))?;
        }
        Ok(())
    }

    /// Waits until each end that was brought up carries packets, if its other end is up too, and until
    /// each new IPv6 address is in use.
    fn await_links(&mut self) -> Result<()> {
        let mut awaited: BTreeMap<Place, Awaited> = BTreeMap::new();
        for step in &self.worker.done {
            match step {
                Step::ChangeLink { at, change: LinkEdit::Up { new: true } } if self.is_late(at) => {
                    awaited.entry(at.place.clone()).or_default().links.push(self.worker.index(at)?);
                }
                Step::AddAddr { at, addr } if addr.ip().is_ipv6() && self.is_wanted(at, addr) => {
                    awaited.entry(at.place.clone()).or_default().addrs.push(addr.ip());
                }
                _ => {}
            }
        }
        let until = Instant::now() + READY_TIMEOUT;
        awaited.into_iter().try_for_each(|(place, awaited)| self.await_in(&place, awaited, until))
    }

    fn await_in(&mut self, place: &Place, mut awaited: Awaited, until: Instant) -> Result<()> {
        let shown = site::shown(self.lab, place);
        let Some(site) = self.worker.sites.get_mut(place) else { return Ok(()) };
        // Most are ready by now, and nobody has to go there to see it.
        if awaited.is_met(&mut site.socket).is_ok_and(|met| met) {
            return Ok(());
        }
        let ready = site.open()?.inside(|| awaited.met(until))?;
        ready.map_err(|e| Error::os("wait for the links and addresses in", shown, e))
    }

    /// Not one that was only there on the way.
    fn is_wanted(&self, at: &At, addr: &IfAddr) -> bool {
        let link = self.desired.spaces.get(&at.place).and_then(|space| space.links.get(&at.name));
        link.is_some_and(|link| link.addrs.contains(addr) && link.up)
    }

    /// Whether a link did not carry packets at the last look, and will.
    fn is_late(&self, at: &At) -> bool {
        self.can_carry(at) && !self.worker.operational.contains(at)
    }

    /// Only of a pair is it known what it takes.
    fn can_carry(&self, at: &At) -> bool {
        let link = |at: &At| self.desired.spaces.get(&at.place)?.links.get(&at.name);
        match link(at).map(|link| &link.what) {
            Some(LinkWhat::Veth { peer: (place, name) }) => {
                link(&At { place: place.clone(), name: name.clone() }).is_some_and(|far| far.up)
            }
            _ => false,
        }
    }
}

/// Whether it has a tunnel.
fn has_tunnel(state: &State) -> bool {
    let mut links = state.spaces.values().flat_map(|space| space.links.values());
    links.any(|link| matches!(&link.what, LinkWhat::Kind { kind, .. } if kind.is_tunnel()))
}

/// Steps before the first that cannot be taken back.
fn missing(steps: &[Step]) -> &[Step] {
    &steps[..steps.iter().position(Step::deletes).unwrap_or(steps.len())]
}

/// Whether it may come behind everything else: it brings a link of the switches up, or starts a command.
fn is_last(step: &Step) -> bool {
    let raises = |at: &At, change: &LinkEdit| at.place == Place::Switches && *change == LinkEdit::Up { new: true };
    starts(step) || matches!(step, Step::ChangeLink { at, change } if raises(at, change))
}

fn starts(step: &Step) -> bool {
    matches!(step, Step::StartRun { .. } | Step::RestartRun { .. })
}

fn forward_only(lab: &LabName, error: &Error) -> Error {
    let why = format!("{error}; what is new is there and something old is deleted: run 'nsnet lab up' again to finish");
    let errno = error.errno().unwrap_or_else(|| rustix::io::Errno::IO.raw_os_error());
    Error::os("bring up lab", lab, std::io::Error::from_raw_os_error(errno)).because(why)
}

fn left_over(cause: Error, what: &str) -> Error {
    let why = cause.reason().map_or_else(String::new, |reason| format!("{reason}; "));
    cause.because(format!("{why}not everything could be undone: {what}"))
}

/// Removes all of a lab, and returns when it is gone: namespaces with its mark, with the links that lead
/// out of them, and files with its mark.
///
/// It needs no file. A name without the mark is left alone, whatever it is. INT, TERM, HUP and QUIT are held.
///
/// # Errors
///
/// `NotFound` where there is nothing of it; `Os` (`EBUSY`) where somebody else is changing it; `Denied`
/// without `CAP_SYS_ADMIN` and `CAP_NET_ADMIN`.
pub fn down(lab: &LabName) -> Result<Lowered> {
    let _lock = Lock::take(lab)?;
    let all = netns::list()?;
    preflight::make_room(lab, all.len())?;
    let _signals = Held::hold();
    let silence = Silence::of_the_loud(lab, &all);
    let (observed, named) = outline(lab)?;
    let homes = named.iter().map(|named| (named.ns.id(), named.place.clone())).collect();
    let stopped = runs::stop(lab, &homes, &|_, _| true)?;
    runs::remove_files(lab)?;
    let renamed = observed.strangers.iter().filter(|stranger| stranger.is_renamed);
    let warnings = renamed.map(|Stranger { name, why, .. }| format!("{name} is left alone: {why}")).collect();
    let doomed = named.iter().map(|named| Doomed {
        name: named.name.clone(),
        // Those are deleted first.
        ends_here: (!observed.leading_out.contains(&named.place)).then(Vec::new),
    });
    let dead = observed.dead.iter().map(|name| Doomed { name: name.clone(), ends_here: None });
    let doomed: Vec<Doomed> = doomed.chain(dead).collect();
    let files = observed.stray_files;
    await_gone(observed.dying.into_values().collect());
    if doomed.is_empty() && files.is_empty() && !stopped {
        let why = "nothing of it is there; 'nsnet lab list' lists labs";
        return Err(Error::of_kind(crate::error::ErrorKind::NotFound, "take down lab", lab, why));
    }
    for (place, files) in &files {
        files::put(lab, place, files, &files::Files::new())?;
    }
    silence.for_good();
    delete_ends_here(&observed.ends_here.into_values().flatten().collect::<Vec<_>>())?;
    let namespaces = netns::delete_known(&doomed, (named, observed.observer))?;
    let nodes_with_files = files.values().filter(|files| !files.is_empty()).count();
    Ok(Lowered { namespaces, warnings, nodes_with_files })
}

/// Waits for ends in the starting namespace that go by themselves, as after an `up` that was killed. What does not go in
/// time is told by whoever looks next.
fn await_gone(gone: Vec<u32>) {
    if !gone.is_empty() {
        let _ = Awaited { gone, ..Awaited::default() }.met(Instant::now() + READY_TIMEOUT);
    }
}

/// Deletes the ends of pairs in the starting namespace. They would go with the namespaces of the others,
/// but as the last of all, and not while somebody holds one of those.
fn delete_ends_here(indices: &[u32]) -> Result<()> {
    if indices.is_empty() {
        return Ok(());
    }
    let failed = |e| Error::os("open a netlink socket in", "the current namespace", e);
    Socket::open().map_err(failed)?.delete_links_together(indices, None)
}

/// Whether a namespace lives on without its name.
#[must_use]
pub fn lives_on(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Held(_) | Outcome::HeldUnseen)
}

/// How many nodes a lab has; the namespace of its switches is none.
#[must_use]
pub fn nodes_of(state: &State) -> usize {
    work::spaces_of(state) - usize::from(state.spaces.contains_key(&Place::Switches))
}

/// A lab that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Its name.
    pub name: LabName,
    /// Its nodes, and the namespace of its switches if it has one.
    pub places: Vec<Place>,
}

/// All labs that are there, by name, told by the marks of their namespaces.
///
/// # Errors
///
/// `Denied` without `CAP_SYS_ADMIN`, where there are namespaces whose names could be those of labs.
pub fn list() -> Result<Vec<Found>> {
    let mut labs: BTreeMap<LabName, Vec<Place>> = BTreeMap::new();
    let mut owners = Vec::new();
    let mut candidates = Vec::new();
    for name in netns::list()? {
        let Some((lab, place)) = mark::read_name(name.as_os_str()) else { continue };
        if let Some(ns) = netns::Netns::living(&name) {
            owners.push(lab);
            candidates.push(Named { place, name, ns });
        }
    }
    let marks = marks_of(&candidates)?;
    for ((lab, Named { place, .. }), mark) in owners.into_iter().zip(candidates).zip(marks) {
        if mark == Some((lab.clone(), place.clone())) {
            labs.entry(lab).or_default().push(place);
        }
    }
    Ok(labs.into_iter().map(|(name, places)| Found { name, places }).collect())
}
