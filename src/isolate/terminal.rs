//! Terminals: giving the caller's back, and passing on what goes through one that the command has for itself.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    event::PollFlags,
    fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl},
    io::{Errno, fcntl_dupfd_cloexec},
    process::{Pid, Signal, getpgrp, test_kill_process_group},
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    stdio::{stdin, stdout},
    termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcgetwinsize, tcsetattr,
        tcsetpgrp, tcsetwinsize,
    },
};

use crate::error::{Error, Result};

/// Who has the caller's terminal. A shell inside takes it, and cannot give it back: it does not see whom it
/// took it from.
pub(super) struct Foreground {
    terminal: OwnedFd,
    group: Pid,
}

impl Foreground {
    /// `None` where this process is not in the foreground of a terminal.
    pub(super) fn remember() -> Option<Self> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY;
        let terminal = rustix::fs::open(c"/dev/tty", flags, Mode::empty()).ok()?;
        let group = tcgetpgrp(&terminal).ok()?;
        (group == getpgrp()).then_some(Self { terminal, group })
    }

    /// Only from a group that has ended: where this process is in the background by now, somebody else works there. All
    /// signals are blocked, or the kernel would stop who does this.
    pub(super) fn take_back(&self) {
        let taken = |group| group != self.group && test_kill_process_group(group) == Err(Errno::SRCH);
        if tcgetpgrp(&self.terminal).map_or(true, taken) {
            // Best effort: the terminal may be gone.
            let _ = tcsetpgrp(&self.terminal, self.group);
        }
    }
}

/// A terminal of the command's own, and the caller's streams that it is connected with. It never waits: what one side
/// does not take yet is kept, and no more is read for it.
pub(super) struct Relay {
    master: OwnedFd,
    /// Held, so that the master never reports an end while somebody may still open the terminal.
    _slave: OwnedFd,
    /// The settings of the caller's terminal, where stdin is one.
    cooked: Option<Termios>,
    /// Whether the caller's terminal is for this process now.
    in_foreground: bool,
    input_ended: bool,
    to_command: Vec<u8>,
    to_caller: Vec<u8>,
}

/// So much of a pipe is written at once where anything is.
const CHUNK: usize = 4096;

/// A way that bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    FromCaller,
    ToCommand,
    FromCommand,
    ToCaller,
}

impl Relay {
    /// Makes a terminal as large as the caller's; returns its other side for the command.
    pub(super) fn open() -> Result<(Self, OwnedFd)> {
        let failed = |e: Errno| Error::os("make", "a terminal", e);
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).map_err(failed)?;
        grantpt(&master).and_then(|()| unlockpt(&master)).map_err(failed)?;
        let slave = ioctl_tiocgptpeer(&master, flags).map_err(failed)?;
        let cooked = tcgetattr(stdin()).ok();
        if let Some(cooked) = &cooked {
            tcsetattr(&slave, OptionalActions::Now, cooked).map_err(failed)?;
        }
        let nonblocking = fcntl_getfl(&master).map_err(failed)? | OFlags::NONBLOCK;
        fcntl_setfl(&master, nonblocking).map_err(failed)?;
        let for_the_child = fcntl_dupfd_cloexec(&slave, 3).map_err(failed)?;
        let relay = Self {
            master,
            _slave: slave,
            cooked,
            in_foreground: false,
            input_ended: false,
            to_command: Vec::new(),
            to_caller: Vec::new(),
        };
        relay.follow_size();
        Ok((relay, for_the_child))
    }

    /// Lets every key through to the command's terminal, which makes signals of them; in the background, once it is
    /// brought to the foreground.
    pub(super) fn begin(&mut self) {
        let Some(cooked) = &self.cooked else { return };
        self.in_foreground = tcgetpgrp(stdin()).is_ok_and(|group| group == getpgrp());
        if self.in_foreground {
            let mut raw = cooked.clone();
            raw.make_raw();
            let _ = tcsetattr(stdin(), OptionalActions::Now, &raw);
        }
    }

    /// The caller's terminal as it was.
    pub(super) fn pause(&mut self) {
        if let (Some(cooked), true) = (&self.cooked, self.in_foreground) {
            let _ = tcsetattr(stdin(), OptionalActions::Now, cooked);
        }
        self.in_foreground = false;
    }

    /// The size of the caller's terminal; the kernel tells those inside.
    pub(super) fn follow_size(&self) {
        if let Ok(size) = tcgetwinsize(stdin()).or_else(|_| tcgetwinsize(stdout())) {
            let _ = tcsetwinsize(&self.master, size);
        }
    }

    /// What can go on now, and the descriptor that tells when.
    pub(super) fn ways(&self) -> impl Iterator<Item = (Way, BorrowedFd<'_>, PollFlags)> {
        let reads_caller = !self.input_ended && (self.in_foreground || self.cooked.is_none());
        let (into, out_of) = (self.to_command.is_empty(), self.to_caller.is_empty());
        [
            (reads_caller && into).then(|| (Way::FromCaller, stdin(), PollFlags::IN)),
            (!into).then(|| (Way::ToCommand, self.master.as_fd(), PollFlags::OUT)),
            out_of.then(|| (Way::FromCommand, self.master.as_fd(), PollFlags::IN)),
            (!out_of).then(|| (Way::ToCaller, stdout(), PollFlags::OUT)),
        ]
        .into_iter()
        .flatten()
    }

    /// Lets bytes go one way.
    pub(super) fn pass(&mut self, way: Way) -> Passed {
        match way {
            Way::FromCaller => self.read_caller(),
            Way::ToCommand => written(&self.master, &mut self.to_command),
            Way::FromCommand => self.read_command(),
            Way::ToCaller => written(stdout(), &mut self.to_caller),
        }
    }

    /// Takes what was typed; at the end of the input, what means the end on a terminal.
    fn read_caller(&mut self) -> Passed {
        let mut bytes = [0; CHUNK];
        match rustix::io::read(stdin(), &mut bytes) {
            Ok(0) => {
                self.input_ended = true;
                let end = tcgetattr(&self.master).map_or(4, |now| now.special_codes[SpecialCodeIndex::VEOF]);
                // The first ends a line that was begun, the second the input.
                self.to_command = vec![end, end];
                Passed::Nothing
            }
            Ok(count) => {
                self.to_command = bytes[..count].to_vec();
                self.signal_of(&bytes[..count]).map_or(Passed::Some, Passed::Signal)
            }
            // In the background by now.
            Err(_) => {
                self.in_foreground = false;
                Passed::Nothing
            }
        }
    }

    fn read_command(&mut self) -> Passed {
        let mut bytes = [0; CHUNK];
        match rustix::io::read(&self.master, &mut bytes) {
            Ok(count) if count > 0 => {
                self.to_caller = bytes[..count].to_vec();
                Passed::Some
            }
            _ => Passed::Nothing,
        }
    }

    /// Passes on the last words of a command that has ended.
    pub(super) fn drain(&mut self) {
        loop {
            let out = self.to_caller.is_empty();
            let passed = self.pass(if out { Way::FromCommand } else { Way::ToCaller });
            if !matches!(passed, Passed::Some) {
                return;
            }
        }
    }

    /// The signal that the command's terminal makes of what is typed.
    fn signal_of(&self, typed: &[u8]) -> Option<Signal> {
        let now = tcgetattr(&self.master).ok().filter(|now| now.local_modes.contains(LocalModes::ISIG))?;
        let keys = [(SpecialCodeIndex::VINTR, Signal::INT), (SpecialCodeIndex::VQUIT, Signal::QUIT)];
        keys.into_iter().find(|(key, _)| typed.contains(&now.special_codes[*key])).map(|(_, signal)| signal)
    }

    /// Whether a process and its group get what is typed.
    pub(super) fn is_foreground(&self, pid: u32) -> bool {
        tcgetpgrp(&self.master).is_ok_and(|group| group.as_raw_nonzero().get().cast_unsigned() == pid)
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passed {
    Some,
    Nothing,
    /// Keys that mean a signal.
    Signal(Signal),
    /// Nobody reads any more what the command writes.
    Unread,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.pause();
    }
}

/// Writes what is taken, and keeps the rest.
fn written(to: impl AsFd, bytes: &mut Vec<u8>) -> Passed {
    match rustix::io::write(to, &bytes[..bytes.len().min(CHUNK)]) {
        Ok(count) => {
            bytes.drain(..count);
            Passed::Some
        }
        Err(Errno::PIPE) => {
            bytes.clear();
            Passed::Unread
        }
        Err(_) => Passed::Nothing,
    }
}
