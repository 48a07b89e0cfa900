//! From the start of the command to its end: signals go in, its stops and its end come out.

use std::{
    fs,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, WaitId, WaitIdOptions, WaitIdStatus, getpgid, getpgrp, getpid, getppid, getsid, waitid},
};

use super::{
    Ended,
    report::{self, Told},
    terminal::{Passed, Relay, Way},
};
use crate::sys::{
    process::{self, Child},
    signal::{Received, SignalFd},
};

/// A running child, seen from outside.
pub(super) struct Supervision<'a> {
    pub child: &'a Child,
    /// What the child tells; closed when it became the program.
    pub told: Option<OwnedFd>,
    /// `None` where signals are somebody else's.
    pub signals: Option<SignalFd>,
    pub relay: Option<Relay>,
    /// Whether the child is process 1 of a pid namespace and no init, so that the kernel gives it only signals that it
    /// caught.
    pub bare_process_1: bool,
    /// Whether an init passes signals on.
    pub init: bool,
    /// Whether the init has made the command.
    pub split: bool,
    /// The signal that it was killed in the place of.
    pub killed_for: Option<u8>,
}

/// Where something happened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    End,
    Told,
    Signal,
    Relay(Way),
}

impl Supervision<'_> {
    /// Waits for the end; `hear` gets what the child tells.
    pub(super) fn follow(mut self, hear: &mut dyn FnMut(Told)) -> Ended {
        if let Some(relay) = &mut self.relay {
            relay.begin();
        }
        loop {
            let ready = self.wait();
            for source in &ready {
                self.attend(*source, hear);
            }
            if ready.contains(&Source::End) {
                break;
            }
        }
        while self.told.is_some() {
            self.listen(hear);
        }
        if let Some(relay) = &mut self.relay {
            relay.drain();
        }
        self.reap()
    }

    fn attend(&mut self, source: Source, hear: &mut dyn FnMut(Told)) {
        match source {
            Source::End => {}
            Source::Told => self.listen(hear),
            Source::Signal => self.take_signals(),
            Source::Relay(way) => self.relay(way),
        }
    }

    fn relay(&mut self, way: Way) {
        let Some(relay) = &mut self.relay else { return };
        match relay.pass(way) {
            Passed::Signal(signal) if relay.is_foreground(self.child.pid) => self.typed(signal.as_raw()),
            Passed::Unread => self.kill_for(numbers::PIPE),
            _ => {}
        }
    }

    /// An interrupted wait is a wait for nothing.
    fn wait(&self) -> Vec<Source> {
        let readable = PollFlags::IN;
        let mut watched = vec![(Source::End, self.child.pidfd.as_fd(), readable)];
        watched.extend(self.told.as_ref().map(|told| (Source::Told, told.as_fd(), readable)));
        watched.extend(self.signals.as_ref().map(|signals| (Source::Signal, signals.as_fd(), readable)));
        let ways = self.relay.iter().flat_map(Relay::ways);
        watched.extend(ways.map(|(way, fd, events)| (Source::Relay(way), fd, events)));
        let mut fds: Vec<_> = watched.iter().map(|(_, fd, events)| PollFd::from_borrowed_fd(*fd, *events)).collect();
        if poll(&mut fds, None).is_err() {
            return Vec::new();
        }
        let ready = watched.iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty());
        ready.map(|((source, ..), _)| *source).collect()
    }

    fn listen(&mut self, hear: &mut dyn FnMut(Told)) {
        let Some(pipe) = &self.told else { return };
        match report::read(pipe) {
            Some(Told::Stopped) => self.pause(),
            Some(Told::Split) => self.split = true,
            Some(told) => hear(told),
            None => self.told = None,
        }
    }

    fn take_signals(&mut self) {
        while let Some(signal) = self.signals.as_ref().and_then(SignalFd::take) {
            match signal.number {
                numbers::CHLD => self.look_for_stop(),
                // Its own, of a reader of the status that is gone.
                numbers::PIPE if signal.sender == std::process::id() => {}
                numbers::WINCH if self.relay.is_some() => {
                    if let Some(relay) = &self.relay {
                        relay.follow_size();
                    }
                }
                numbers::CONT => self.go_on(),
                _ => self.deliver(signal),
            }
        }
    }

    /// A child that stops is seen to stop, by who waits for this process.
    fn look_for_stop(&mut self) {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
        let stopped = |status: WaitIdStatus| status.stopped();
        if !self.init && matches!(self.status(options), Some(status) if stopped(status)) {
            self.pause();
        }
    }

    /// Stops this process, and lets the child go on with it. Where nobody is there to continue it, only the child stops.
    fn pause(&mut self) {
        if self.signals.is_none() || is_orphaned() {
            return;
        }
        if let Some(relay) = &mut self.relay {
            relay.pause();
        }
        process::kill(std::process::id(), numbers::STOP);
        self.go_on();
    }

    /// Continued, maybe in the foreground now.
    fn go_on(&mut self) {
        if let Some(relay) = &mut self.relay {
            relay.begin();
            relay.follow_size();
        }
        self.send(numbers::CONT);
    }

    fn deliver(&mut self, signal: Received) {
        let number = signal.number;
        // It still has everything blocked, and what waits for it would be lost when it becomes process 1.
        let starting = if self.init { !self.split } else { self.told.is_some() };
        if starting && is_deadly(number) {
            return self.kill_for(number);
        }
        let has_it = signal.from_kernel && is_of_the_group(number) && self.is_of_our_group();
        let unheard = self.bare_process_1 && self.would_ignore(number);
        match number {
            _ if unheard && is_deadly(number) => self.kill_for(number),
            // As for any process, the kernel stops nobody whom no shell would continue.
            _ if unheard && stops(number) && !is_orphaned() => self.send(numbers::STOP),
            _ if has_it => {}
            _ => self.send(number),
        }
    }

    /// The command's own terminal has sent it to the command, which may be out of its reach.
    fn typed(&mut self, number: i32) {
        if self.bare_process_1 && self.would_ignore(number) {
            self.kill_for(number);
        }
    }

    fn send(&self, number: i32) {
        // A child that has just ended needs it no more.
        let _ = process::send_signal(&self.child.pidfd, number);
    }

    fn kill_for(&mut self, number: i32) {
        self.killed_for = self.killed_for.or(u8::try_from(number).ok());
        self.send(numbers::KILL);
    }

    /// Whether a terminal gave the child what it gave this process.
    fn is_of_our_group(&self) -> bool {
        let pid = Pid::from_raw(self.child.pid.cast_signed());
        pid.is_some_and(|pid| getpgid(Some(pid)).is_ok_and(|group| group == getpgrp()))
    }

    /// Whether the program leaves a signal at its default, which process 1 never gets. Where that cannot be
    /// read, it is ended: a command that runs on for ever is worse than one that could not say goodbye.
    fn would_ignore(&self, number: i32) -> bool {
        let path = self.child.number_in_proc().map(|pid| format!("/proc/{pid}/status"));
        let status = path.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        !["SigBlk:", "SigIgn:", "SigCgt:"].iter().any(|field| has_signal(&status, field, number))
    }

    fn status(&self, options: WaitIdOptions) -> Option<WaitIdStatus> {
        waitid(WaitId::PidFd(self.child.pidfd.as_fd()), options).ok().flatten()
    }

    fn reap(&self) -> Ended {
        let status = self.status(WaitIdOptions::EXITED);
        let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
        let killed = status.as_ref().and_then(WaitIdStatus::terminating_signal).map(byte);
        match killed {
            Some(number) => Ended::Killed(self.killed_for.unwrap_or(number)),
            None => Ended::Exited(status.and_then(|status| status.exit_status()).map_or(u8::MAX, byte)),
        }
    }
}

/// Reads one of the masks of `/proc/PID/status`, where bit 0 is signal 1.
fn has_signal(status: &str, field: &str, number: i32) -> bool {
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix(field)?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (number - 1) & 1 == 1)
}

/// Numbers of signals, which are the same on every Linux that rustix knows but for a few architectures.
mod numbers {
    use rustix::process::Signal;

    pub(super) const INT: i32 = Signal::INT.as_raw();
    pub(super) const QUIT: i32 = Signal::QUIT.as_raw();
    pub(super) const PIPE: i32 = Signal::PIPE.as_raw();
    pub(super) const CHLD: i32 = Signal::CHILD.as_raw();
    pub(super) const CONT: i32 = Signal::CONT.as_raw();
    pub(super) const KILL: i32 = Signal::KILL.as_raw();
    pub(super) const STOP: i32 = Signal::STOP.as_raw();
    pub(super) const WINCH: i32 = Signal::WINCH.as_raw();
    pub(super) const TSTP: i32 = Signal::TSTP.as_raw();
    pub(super) const TTIN: i32 = Signal::TTIN.as_raw();
    pub(super) const TTOU: i32 = Signal::TTOU.as_raw();
    pub(super) const URG: i32 = Signal::URG.as_raw();
}

/// Whether a terminal gives it to all of its foreground group; a hangup comes to the leader of the session alone.
fn is_of_the_group(number: i32) -> bool {
    stops(number) || [numbers::INT, numbers::QUIT, numbers::WINCH].contains(&number)
}

/// Whether no shell watches this process's group: who stops there stays so.
fn is_orphaned() -> bool {
    let own = getsid(None);
    let parents = getppid().map(|parent| getsid(Some(parent)));
    own.is_ok_and(|own| own == getpid()) || parents.is_none_or(|session| session != own)
}

fn stops(number: i32) -> bool {
    matches!(number, numbers::TSTP | numbers::TTIN | numbers::TTOU)
}

/// Whether the default is to end the process.
fn is_deadly(number: i32) -> bool {
    let harmless = [numbers::CHLD, numbers::CONT, numbers::WINCH, numbers::URG];
    !stops(number) && !harmless.contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_count_signals_from_one() {
        let status = "Name:\tsh\nSigBlk:\t0000000000000001\nSigCgt:\t0000000000004000\n";
        assert!(has_signal(status, "SigBlk:", 1));
        assert!(has_signal(status, "SigCgt:", 15));
        assert!(!has_signal(status, "SigCgt:", 14));
        assert!(!has_signal(status, "SigIgn:", 1));
        assert!(!has_signal("", "SigIgn:", 64));
    }

    #[test]
    fn what_the_default_of_a_signal_does() {
        for deadly in [1, 2, 3, 10, 12, 13, 14, 15, 34, 64] {
            assert!(is_deadly(deadly), "{deadly}");
        }
        for other in [17, 18, 20, 21, 22, 23, 28] {
            assert!(!is_deadly(other), "{other}");
        }
    }
}
