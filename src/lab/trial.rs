//! The checks of a lab, tried all at once.

use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    apply::{self, Lowered, OnProgress},
    model::{Check, Lab},
    node,
    probe::{self, Tried},
    running::Running,
};
use crate::{
    error::{Error, ErrorKind, Result},
    sys::signal::{Held, HeldFd},
};

/// So many are tried at a time.
const AT_ONCE: usize = 64;

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is as it must be.
    Holds,
    /// It is not, and why.
    Fails(String),
    /// It could not be tried, and why.
    Unknown(String),
}

/// A check that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tested {
    /// Which.
    pub check: Check,
    /// What came of it.
    pub verdict: Verdict,
    /// How long that took.
    pub took: Duration,
}

/// What came of a lab that was up for its checks only.
#[derive(Debug)]
#[non_exhaustive]
pub struct Trial {
    /// Its checks, in the order of the file.
    pub tested: Vec<Tested>,
    /// What the user should know, though it came up.
    pub warnings: Vec<String>,
    /// What came of taking it down.
    pub lowered: Result<Lowered>,
}

/// Tries all checks of a lab that is up; returns what came of each, in the order of the file.
///
/// They run at the same time, each in its node and with its own deadline. What must be reached is tried
/// again until its deadline; what must not be reached is found so when it is refused, or at its deadline.
/// A command sees its node as those of `nsnet lab exec` do, and ends with its deadline, together with what
/// it left in its process group. INT, TERM, HUP and QUIT break everything off at once, and are delivered
/// when this returns.
///
/// # Errors
///
/// `Invalid` where the lab has no checks; `NotFound` where it is not up; `Denied` without `CAP_SYS_ADMIN`;
/// `Os` (`EINTR`) after a signal.
pub fn test(lab: &Lab) -> Result<Vec<Tested>> {
    refuse_nothing_to_test(lab)?;
    node::nodes(&lab.name).map_err(|e| match e.kind() {
        ErrorKind::NotFound => {
            let why = "it is not up: 'nsnet lab up' brings it up, and 'nsnet lab test --up' does for its checks only";
            Error::of_kind(ErrorKind::NotFound, "test lab", &lab.name, why)
        }
        _ => e,
    })?;
    let signals = Held::hold();
    let stop = signals.fd().map_err(|e| Error::os("watch for signals while testing lab", &lab.name, e))?;
    let tested = all_at_once(lab, &stop)?;
    let interrupted = |e| Error::os("test lab", &lab.name, e).because("it was interrupted");
    signals.refuse_pending().map_err(interrupted)?;
    Ok(tested)
}

fn refuse_nothing_to_test(lab: &Lab) -> Result<()> {
    if lab.checks.is_empty() {
        let why = "it has no checks: say in [[checks]] what must hold";
        return Err(Error::of_kind(ErrorKind::Invalid, "test lab", &lab.name, why));
    }
    Ok(())
}

fn all_at_once(lab: &Lab, stop: &HeldFd) -> Result<Vec<Tested>> {
    let queue = Mutex::new(lab.checks.iter().enumerate());
    let done: Mutex<Vec<(usize, Tested)>> = Mutex::new(Vec::new());
    // A thread that failed while it held one of them has not left it half-changed.
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some((at, check)) = next() {
            let Some(tested) = one(lab, check, stop) else { return };
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, tested));
        }
    };
    thread::scope(|scope| {
        for _ in 0..lab.checks.len().min(AT_ONCE) {
            let started = thread::Builder::new().spawn_scoped(scope, work);
            started.map_err(|e| Error::os("start", "a thread for checks", e))?;
        }
        Ok(())
    })?;
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, tested)| tested).collect())
}

/// None where it was broken off.
fn one(lab: &Lab, check: &Check, stop: &HeldFd) -> Option<Tested> {
    let start = Instant::now();
    let verdict = match probe::attempt(&lab.name, check, stop) {
        Err(e) => Verdict::Unknown(e.to_string()),
        Ok(Tried::Stopped) => return None,
        Ok(Tried::Yes) if check.reachable => Verdict::Holds,
        Ok(Tried::Yes) => Verdict::Fails("it answers, and must not".into()),
        Ok(Tried::No(_)) if !check.reachable => Verdict::Holds,
        Ok(Tried::No(why)) => Verdict::Fails(why),
    };
    Some(Tested { check: check.clone(), verdict, took: start.elapsed() })
}

/// Brings a lab up, tries its checks, and takes it down again, whatever comes of them.
///
/// INT, TERM, HUP and QUIT break the checks off; the lab is taken down then, too, before they are delivered.
///
/// # Errors
///
/// As [`Running::up`] and [`test()`]; nothing of the lab is left then, except where the error says so.
pub fn test_up(lab: &Lab, progress: OnProgress<'_>) -> Result<Trial> {
    refuse_nothing_to_test(lab)?;
    // Over everything: what comes between two parts waits too.
    let _signals = Held::hold();
    let mut warnings = Vec::new();
    let running = Running::raise(lab, progress, &mut warnings)?;
    let tested = test(lab);
    let lowered = running.down();
    match tested {
        Ok(tested) => Ok(Trial { tested, warnings, lowered }),
        Err(cause) => Err(match lowered {
            Ok(_) => cause,
            Err(left) => {
                let why = cause.reason().map_or_else(String::new, |reason| format!("{reason}; "));
                cause.because(format!("{why}and it is still there: {left}"))
            }
        }),
    }
}

/// Whether anything of a lab is there.
pub(super) fn is_there(lab: &Lab) -> Result<bool> {
    Ok(!apply::look(&lab.name, &super::State::default())?.spaces.is_empty())
}
