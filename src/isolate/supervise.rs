//! From the start of the command to its end: signals go in, its stops and its end come out.

use std::{
    fs,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, WaitId, WaitIdOptions, WaitIdStatus, getpgid, getpgrp, waitid},
};

use super::{
    Ended,
    report::{self, Told},
    terminal::Relay,
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
    /// The signal that it was killed in the place of.
    pub killed_for: Option<u8>,
}

/// Where something happened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    End,
    Told,
    Signal,
    Input,
    Output,
}

impl Supervision<'_> {
    /// Waits for the end; `hear` gets what the child tells.
    pub(super) fn follow(mut self, hear: &mut dyn FnMut(Told)) -> Ended {
        if let Some(relay) = &self.relay {
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
        while self.relay.as_ref().is_some_and(Relay::output) {}
        self.reap()
    }

    fn attend(&mut self, source: Source, hear: &mut dyn FnMut(Told)) {
        match (source, &mut self.relay) {
            (Source::Told, _) => self.listen(hear),
            (Source::Signal, _) => self.take_signals(),
            (Source::Input, Some(relay)) => {
                let typed = relay.input().filter(|_| relay.is_foreground(self.child.pid));
                if let Some(signal) = typed {
                    self.typed(signal.as_raw());
                }
            }
            (Source::Output, Some(relay)) => drop(relay.output()),
            _ => {}
        }
    }

    /// An interrupted wait is a wait for nothing.
    fn wait(&self) -> Vec<Source> {
        let stdin = rustix::stdio::stdin();
        let mut watched = vec![(Source::End, self.child.pidfd.as_fd())];
        watched.extend(self.told.as_ref().map(|told| (Source::Told, told.as_fd())));
        watched.extend(self.signals.as_ref().map(|signals| (Source::Signal, signals.as_fd())));
        if let Some(relay) = &self.relay {
            watched.push((Source::Output, relay.master().as_fd()));
            watched.extend(relay.wants_input().then_some((Source::Input, stdin)));
        }
        let mut fds: Vec<_> = watched.iter().map(|(_, fd)| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
        if poll(&mut fds, None).is_err() {
            return Vec::new();
        }
        // A terminal that no program has open reports its end over and over; its output ends with the child.
        let happened = |source: Source, events: PollFlags| match source {
            Source::Output => events.contains(PollFlags::IN),
            _ => !events.is_empty(),
        };
        let ready = watched.iter().zip(&fds).filter(|((source, _), fd)| happened(*source, fd.revents()));
        ready.map(|((source, _), _)| *source).collect()
    }

    fn listen(&mut self, hear: &mut dyn FnMut(Told)) {
        let Some(pipe) = &self.told else { return };
        match report::read(pipe) {
            Some(Told::Stopped) => self.pause(),
            Some(told) => hear(told),
            None => self.told = None,
        }
    }

    fn take_signals(&mut self) {
        while let Some(signal) = self.signals.as_ref().and_then(SignalFd::take) {
            match signal.number {
                libc_signal::CHLD => self.look_for_stop(),
                libc_signal::WINCH if self.relay.is_some() => {
                    if let Some(relay) = &self.relay {
                        relay.follow_size();
                    }
                }
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

    /// Stops this process, and lets the child go on with it.
    fn pause(&mut self) {
        if self.signals.is_none() {
            return;
        }
        if let Some(relay) = &self.relay {
            relay.pause();
        }
        process::kill(std::process::id(), libc_signal::STOP);
        if let Some(relay) = &self.relay {
            relay.begin();
            relay.follow_size();
        }
        self.send(libc_signal::CONT);
    }

    fn deliver(&mut self, signal: Received) {
        let number = signal.number;
        // It still has everything blocked, and what waits for it would be lost when it becomes process 1.
        let starting = self.told.is_some() && !self.init;
        if starting && is_deadly(number) {
            return self.kill_for(number);
        }
        let has_it = signal.from_kernel && self.is_of_our_group();
        let unheard = self.bare_process_1 && self.would_ignore(number);
        match number {
            _ if unheard && is_deadly(number) => self.kill_for(number),
            _ if unheard && stops(number) => self.send(libc_signal::STOP),
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
        self.send(libc_signal::KILL);
    }

    /// Whether a terminal gave the child what it gave this process.
    fn is_of_our_group(&self) -> bool {
        let pid = Pid::from_raw(self.child.pid.cast_signed());
        pid.is_some_and(|pid| getpgid(Some(pid)).is_ok_and(|group| group == getpgrp()))
    }

    /// Whether the program leaves a signal at its default, which process 1 never gets. Where that cannot be
    /// read, it is ended: a command that runs on for ever is worse than one that could not say goodbye.
    fn would_ignore(&self, number: i32) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.pid)).unwrap_or_default();
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
mod libc_signal {
    use rustix::process::Signal;

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

fn stops(number: i32) -> bool {
    matches!(number, libc_signal::TSTP | libc_signal::TTIN | libc_signal::TTOU)
}

/// Whether the default is to end the process.
fn is_deadly(number: i32) -> bool {
    let harmless = [libc_signal::CHLD, libc_signal::CONT, libc_signal::WINCH, libc_signal::URG];
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
