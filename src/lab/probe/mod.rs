//! One check, tried: packets and commands of a node, each with a deadline.

mod command;
mod ping;
mod tcp;

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use super::{
    model::{Check, Probe},
    node::hostname,
    state::Place,
};
use crate::{
    error::{Result, Shown},
    exec::{self, ExecOptions},
    name::{LabName, NsRef},
    netns::Netns,
};

/// After a refusal, it is tried again so much later: what is to answer may just be starting.
const PAUSE: Duration = Duration::from_millis(100);

/// What came of trying.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// It answers, or it succeeded.
    Yes,
    /// It does not, and why.
    No(String),
    /// It was broken off.
    Stopped,
}

/// Until when something is tried.
pub(super) struct Limit<'a> {
    until: Instant,
    within: Duration,
    /// Whether a refusal is not the last word before the deadline.
    patient: bool,
    /// Readable when everything is to stop.
    stop: BorrowedFd<'a>,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    /// Something is there to be read or written.
    Ready,
    /// It waited as long as it was told, and the deadline is still to come.
    Later,
    /// The deadline is over.
    Over,
    /// Everything is to stop.
    Stopped,
}

impl Limit<'_> {
    /// Waits until one of these is ready, no longer than told.
    fn wait(&self, wanted: &[(BorrowedFd<'_>, PollFlags)], most: Duration) -> io::Result<Woken> {
        let until = Instant::now().checked_add(most).map_or(self.until, |end| end.min(self.until));
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
            let first = PollFd::from_borrowed_fd(self.stop, PollFlags::IN);
            let others = wanted.iter().map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags));
            let mut fds: Vec<_> = std::iter::once(first).chain(others).collect();
            match poll(&mut fds, Some(&timeout)) {
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
                Ok(0) if Instant::now() >= self.until => return Ok(Woken::Over),
                Ok(0) => return Ok(Woken::Later),
                Ok(_) if !fds[0].revents().is_empty() => return Ok(Woken::Stopped),
                Ok(_) => return Ok(Woken::Ready),
            }
        }
    }

    /// What it comes to when the deadline is over.
    fn over(&self, last: Option<&io::Error>) -> Tried {
        let why = last.map_or_else(String::new, |last| format!(": {}", Shown(last)));
        Tried::No(format!("no answer within {:?}{why}", self.within))
    }
}

/// Tries a check; an error says that it could not be tried.
pub(super) fn attempt(lab: &LabName, check: &Check, stop: impl AsFd) -> Result<Tried> {
    let limit = Limit {
        until: Instant::now() + check.within,
        within: check.within,
        patient: check.reachable,
        stop: stop.as_fd(),
    };
    let reference = match &check.from {
        Place::Node(node) => NsRef::Node(lab.clone(), node.clone()),
        _ => NsRef::Current,
    };
    let ns = Netns::open(&reference)?;
    match &check.probe {
        Probe::Ping { to } => ns.run(|| ping::ping(*to, &limit))?,
        Probe::Tcp { to, port } => ns.run(|| tcp::connect((*to, *port).into(), &limit))?,
        Probe::Command { argv, output } => super::site::on_a_thread(|| {
            let mut warnings = Vec::new();
            if let Place::Node(node) = &check.from {
                let options = ExecOptions::default().etc(reference.ns_name()).hostname(Some(hostname(lab, node)));
                exec::settle(&ns, &options, &mut |warning| warnings.push(warning.to_string()))?;
            }
            let tried = command::run(argv, output.as_deref(), &limit)?;
            Ok(match tried {
                Tried::No(why) if !warnings.is_empty() => Tried::No(format!("{why}; {}", warnings.join("; "))),
                tried => tried,
            })
        }),
    }
}
