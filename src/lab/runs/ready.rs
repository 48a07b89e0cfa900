//! Whether a command is ready.

use std::{
    fs,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::MetadataExt,
    },
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, Signal, kill_process_group},
    time::{ClockId, clock_gettime},
};

use super::spawn::{self, Home};
use crate::{
    error::{Error, Result},
    lab::{Ready, Run},
    sys::{
        process::{self, Child},
        signal::ChildrenKnown,
    },
};

/// Nothing tells of a port that is opened: so often it is looked whether it is.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The state of a socket that listens, in `/proc/net/tcp`.
const LISTENS: &str = "0A";

/// A point in time as files have it, in seconds and nanoseconds.
type FileTime = (i64, i64);

/// A command that was started.
#[derive(Clone, Copy)]
pub(super) struct Started<'a> {
    pub pid: u32,
    pub pidfd: BorrowedFd<'a>,
    /// What was changed before that, it did not do.
    pub since: FileTime,
}

/// Now, as the kernel writes it to a file that is changed.
pub(super) fn file_time() -> FileTime {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    (now.tv_sec, now.tv_nsec)
}

/// Waits until a command is ready, or has ended, or its time is over.
pub(super) fn await_it(
    home: &Home<'_>,
    run: &Run,
    started: Started<'_>,
    go_on: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    let Some(ready) = &run.ready else { return Ok(()) };
    let until = Instant::now() + run.within;
    loop {
        go_on()?;
        if is_ready(home, ready, started, until, go_on)? {
            return Ok(());
        }
        if has_ended(started.pidfd, LOOK_AGAIN) {
            return Err(super::ended(home, run));
        }
        if Instant::now() >= until {
            let why = format!("{} within {:?}; {}", what_is_missing(ready), run.within, super::log_says(home, run));
            let shown = format!("'{}' of {}", run.name, home.node.as_str());
            return Err(Error::os("wait for", shown, Errno::TIMEDOUT).because(why));
        }
    }
}

fn is_ready(
    home: &Home<'_>,
    ready: &Ready,
    Started { pid, pidfd, since }: Started<'_>,
    until: Instant,
    go_on: &mut dyn FnMut() -> Result<()>,
) -> Result<bool> {
    match ready {
        Ready::Tcp(port) => Ok(["tcp", "tcp6"].iter().any(|table| listens(pid, table, *port))),
        Ready::File(path) => {
            let root = Path::new("/proc").join(pid.to_string()).join("root");
            let file = root.join(path.strip_prefix("/").unwrap_or(path)).symlink_metadata();
            Ok(file.is_ok_and(|file| (file.ctime(), file.ctime_nsec()) >= since))
        }
        Ready::Command(argv) => {
            let known = ChildrenKnown::make();
            let child = spawn::start_child(home, argv)?;
            let ended = outlast(&child, pidfd, until, go_on);
            if !matches!(ended, Ok(true)) {
                let _ = process::send_signal(&child.pidfd, Signal::KILL.as_raw());
            }
            end_group(&child);
            let code = spawn::reap(&child);
            drop(known);
            ended.map(|ended| ended && code == Some(0))
        }
    }
}

/// Ends what a child has left running in its process group, as that of a check: a shell is not all of a line.
fn end_group(child: &Child) {
    // It leads its group, and is not reaped yet, so its number means no other; an error says that nobody is left in it.
    let _ = Pid::from_raw(child.pid.cast_signed()).map(|group| kill_process_group(group, Signal::KILL));
}

/// Waits for the end of a child; false where the command ended, or the time is over.
fn outlast(
    child: &Child,
    pidfd: BorrowedFd<'_>,
    until: Instant,
    go_on: &mut dyn FnMut() -> Result<()>,
) -> Result<bool> {
    while Instant::now() < until {
        go_on()?;
        if has_ended(child.pidfd.as_fd(), LOOK_AGAIN) {
            return Ok(true);
        }
        if has_ended(pidfd, Duration::ZERO) {
            return Ok(false);
        }
    }
    Ok(false)
}

/// Whether something listens at a port in the network namespace of a process.
fn listens(pid: u32, table: &str, port: u16) -> bool {
    let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
    let is_it = |line: &str| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let own = words.next().and_then(|local| u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok());
        own == Some(port) && words.nth(1) == Some(LISTENS)
    };
    text.lines().skip(1).any(is_it)
}

fn what_is_missing(ready: &Ready) -> String {
    match ready {
        Ready::Tcp(port) => format!("nothing listened at TCP port {port}"),
        Ready::File(path) => format!("the file {} was not made or changed", crate::name::quoted(path.as_os_str())),
        Ready::Command(argv) => format!("'{}' did not succeed", crate::name::escaped(argv.join(" ").as_bytes())),
    }
}

/// Whether a process has ended, or ends in this time.
pub(super) fn has_ended(pidfd: BorrowedFd<'_>, within: Duration) -> bool {
    all_ended(&[pidfd], Instant::now() + within)
}

/// Whether all of these processes have ended, or end until then.
pub(super) fn all_ended(pidfds: &[BorrowedFd<'_>], until: Instant) -> bool {
    let mut left: Vec<BorrowedFd<'_>> = pidfds.to_vec();
    loop {
        let rest = until.saturating_duration_since(Instant::now());
        let time = Timespec { tv_sec: rest.as_secs().cast_signed(), tv_nsec: rest.subsec_nanos().into() };
        let mut polled: Vec<_> = left.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        let heard = poll(&mut polled, Some(&time));
        let ended: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
        let mut ended = ended.into_iter();
        left.retain(|_| !ended.next().unwrap_or(false));
        match heard {
            _ if left.is_empty() => return true,
            Ok(0) => return false,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
