//! Commands that run in the nodes of a lab: started, found again, stopped.
//!
//! None of them has a parent that waits for it. A process is a lab's if it lives in the namespace of a node and the
//! environment that it was started with says so, or else the record of the session that it is in. Of the processes of
//! one command, the one that leads its session is the command itself.

mod mark;
mod ready;
mod record;
mod spawn;

use std::{
    collections::BTreeMap,
    fs,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    process::{Pid, PidfdFlags, Signal, getsid, pidfd_open},
};

use super::{Run, mark as lab_mark, state::Place};
use crate::{
    ErrorKind,
    error::{Error, Result},
    name::{LabName, NodeName, NsRef, escaped, quoted},
    netlink::raw::Socket,
    netns::{Netns, NetnsId, procs},
    sys::process,
};
use mark::Mark;
use ready::Started;
use record::Records;
use spawn::Home;

/// How long a command may take to end when it is asked to, before it is made to.
const PATIENCE: Duration = Duration::from_secs(5);

/// Which place each namespace is.
type Homes = BTreeMap<NetnsId, Place>;

/// A process that a command of a lab consists of.
pub(super) struct Marked {
    pid: u32,
    pidfd: OwnedFd,
    place: Place,
    mark: Mark,
    /// Whether the namespace that it lives in has lost its name, and so is no node any more.
    is_stray: bool,
}

/// All processes with a mark of a lab, in its nodes that are known, and in what once was a node.
pub(super) fn marked(lab: &LabName, homes: &Homes) -> Result<Vec<Marked>> {
    let processes = procs::processes().map_err(|e| Error::os("read", "'/proc'", e))?;
    let home = mark::home();
    let records = Records::of(lab);
    let one = |process: &procs::Process| {
        let lives_in = NetnsId::of_path(process.path("ns/net")).ok()?;
        match homes.get(&lives_in) {
            Some(Place::Node(node)) => marked_one(lab, process, &records).filter(|one| one.mark.node == node.as_str()),
            Some(_) => None,
            None => {
                let stray = marked_one(lab, process, &records)?;
                (stray.mark.home == home && is_of_a_node(lab, &stray)).then_some(Marked { is_stray: true, ..stray })
            }
        }
    };
    Ok(processes.iter().filter_map(one).collect())
}

/// Whether the namespace that a process lives in has the mark of the node.
fn is_of_a_node(lab: &LabName, process: &Marked) -> bool {
    let note = || {
        let ns = Netns::open(&NsRef::Pid(process.pid)).ok()?;
        ns.inside(Socket::open).ok()?.ok()?.note_of_loopback().ok()?
    };
    note().is_some_and(|note| note == lab_mark::note(lab, &process.place))
}

fn marked_one(lab: &LabName, seen: &procs::Process, records: &Records) -> Option<Marked> {
    let pid = seen.pid;
    let mark = || mark::read(&seen.environment().ok()?).or_else(|| records.mark_of(pid));
    // Most are none.
    mark()?;
    let pidfd = pidfd_open(Pid::from_raw(pid.cast_signed())?, PidfdFlags::empty()).ok()?;
    let mark = mark()?;
    // What was read is its own only if it has not ended meanwhile.
    process::send_signal(&pidfd, 0).ok()?;
    let place = Place::Node(mark.node.parse().ok()?);
    (mark.lab == lab.as_str()).then_some(Marked { pid, pidfd, place, mark, is_stray: false })
}

impl Marked {
    /// Whether it is the command itself, and not what that has started.
    fn leads(&self) -> bool {
        let pid = Pid::from_raw(self.pid.cast_signed());
        pid.is_some() && getsid(pid).ok() == pid
    }
}

/// The commands that run, by node and name; and whether some run in what is no node any more.
pub(super) fn running(lab: &LabName, homes: &Homes) -> Result<(BTreeMap<Place, Vec<Run>>, bool)> {
    let mut found: BTreeMap<Place, Vec<Run>> = BTreeMap::new();
    let (strays, own): (Vec<_>, Vec<_>) = marked(lab, homes)?.into_iter().partition(|process| process.is_stray);
    for process in own.into_iter().filter(Marked::leads) {
        let runs = found.entry(process.place).or_default();
        let Mark { name, argv, .. } = process.mark;
        if runs.iter().all(|run| run.name != name) {
            runs.push(Run { name, argv, ready: None, within: Duration::ZERO });
        }
    }
    for runs in found.values_mut() {
        runs.sort_by(|one, other| one.name.cmp(&other.name));
    }
    Ok((found, !strays.is_empty()))
}

/// Starts a command, and waits until it is ready. `go_on` is asked meanwhile.
pub(super) fn start(
    (lab, node): (&LabName, &NodeName),
    ns: &Netns,
    run: &Run,
    go_on: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    let home = Home { lab, node, ns };
    let since = ready::file_time();
    let pidfd = spawn::start(&home, run)?;
    let Some(pid) = pid_of(&pidfd) else { return Err(ended(&home, run)) };
    if !record::write(&home, run, pid)? {
        return Err(ended(&home, run));
    }
    ready::await_it(&home, run, Started { pid, pidfd: pidfd.as_fd(), since }, go_on)
}

/// The number of a process, while it is not forgotten.
fn pid_of(pidfd: &OwnedFd) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())
}

/// Why a command is not there any more.
fn ended(home: &Home<'_>, run: &Run) -> Error {
    let shown = format!("'{}' of {}", run.name, home.node.as_str());
    Error::of_kind(ErrorKind::Os, "start", shown, format!("it ended; {}", log_says(home, run)))
}

/// Where its log is, and how that ends.
fn log_says(home: &Home<'_>, run: &Run) -> String {
    log_of(home.lab, home.node, &run.name)
}

/// Where the log of a command is, and how that ends.
pub(super) fn log_of(lab: &LabName, node: &NodeName, name: &str) -> String {
    let path = spawn::log_path(lab, node, name);
    let text = fs::read(&path).unwrap_or_default();
    let last = text.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
    let log = format!("its log is {}", quoted(path.as_os_str()));
    last.map_or_else(|| format!("{log}, and empty"), |line| format!("{log}, and ends: {}", escaped(line)))
}

/// Whether commands of a lab were started, and not all stopped: some may still need its network.
pub(super) fn are_known(lab: &LabName) -> bool {
    record::are_of(lab)
}

/// Removes the logs and records of a lab of which nothing runs.
pub(super) fn remove_files(lab: &LabName) -> Result<()> {
    spawn::remove_logs(lab)?;
    record::remove_all(lab)
}

/// Stops the commands of these names, and waits until they are gone: asked first, then made to. Those in what is
/// no node any more go too. Says whether there was anything to stop.
pub(super) fn stop(lab: &LabName, homes: &Homes, which: &dyn Fn(&Place, &str) -> bool) -> Result<bool> {
    let stopped = stop_all(lab, homes, which)?;
    record::forget(lab, which)?;
    Ok(stopped)
}

fn stop_all(lab: &LabName, homes: &Homes, which: &dyn Fn(&Place, &str) -> bool) -> Result<bool> {
    let which = |process: &Marked| process.is_stray || which(&process.place, &process.mark.name);
    let mut stopped = false;
    for signal in [Signal::TERM, Signal::KILL] {
        let mut processes = marked(lab, homes)?;
        processes.retain(which);
        if processes.is_empty() {
            return Ok(stopped);
        }
        stopped = true;
        for process in &processes {
            match process::send_signal(&process.pidfd, signal.as_raw()) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(e) => return Err(Error::os("stop", shown(process), e)),
            }
        }
        let pidfds: Vec<BorrowedFd<'_>> = processes.iter().map(|process| process.pidfd.as_fd()).collect();
        // What is left gets the next signal; what was started meanwhile, too.
        let _ = ready::all_ended(&pidfds, Instant::now() + PATIENCE);
    }
    let mut left = marked(lab, homes)?.into_iter().filter(which);
    match left.next() {
        Some(process) => Err(Error::os("stop", shown(&process), Errno::TIMEDOUT).because("it does not end")),
        None => Ok(true),
    }
}

fn shown(Marked { pid, mark, .. }: &Marked) -> String {
    format!("process {pid} of '{}' of {}", escaped(mark.name.as_bytes()), escaped(mark.node.as_bytes()))
}
