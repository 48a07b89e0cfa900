//! Terminals: giving the caller's back, and passing on what goes through one that the command has for itself.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl},
    io::Errno,
    process::{Pid, Signal, getpgrp},
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

    /// All signals are blocked, or the kernel would stop who does this from the background.
    pub(super) fn take_back(&self) {
        if tcgetpgrp(&self.terminal).is_ok_and(|group| group != self.group) {
            // Best effort: the terminal may be gone.
            let _ = tcsetpgrp(&self.terminal, self.group);
        }
    }
}

/// A terminal of the command's own, and the caller's streams that it is connected with.
pub(super) struct Relay {
    master: OwnedFd,
    /// Held, so that the master never reports an end while somebody may still open the terminal.
    _slave: OwnedFd,
    /// The settings of the caller's terminal, where stdin is one.
    cooked: Option<Termios>,
    input_ended: bool,
}

const CHUNK: usize = 4096;

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
        let for_the_child = rustix::io::fcntl_dupfd_cloexec(&slave, 3).map_err(failed)?;
        let relay = Self { master, _slave: slave, cooked, input_ended: false };
        relay.follow_size();
        Ok((relay, for_the_child))
    }

    /// Lets every key through to the command's terminal, which makes signals of them.
    pub(super) fn begin(&self) {
        if let Some(cooked) = &self.cooked {
            let mut raw = cooked.clone();
            raw.make_raw();
            let _ = tcsetattr(stdin(), OptionalActions::Now, &raw);
        }
    }

    /// The caller's terminal as it was.
    pub(super) fn pause(&self) {
        if let Some(cooked) = &self.cooked {
            let _ = tcsetattr(stdin(), OptionalActions::Now, cooked);
        }
    }

    /// The size of the caller's terminal; the kernel tells those inside.
    pub(super) fn follow_size(&self) {
        if let Ok(size) = tcgetwinsize(stdin()).or_else(|_| tcgetwinsize(stdout())) {
            let _ = tcsetwinsize(&self.master, size);
        }
    }

    pub(super) fn wants_input(&self) -> bool {
        !self.input_ended
    }

    pub(super) fn master(&self) -> &OwnedFd {
        &self.master
    }

    /// Passes on what the caller typed; at the end of the input, what means the end on a terminal. Returns the
    /// signal that the command's terminal makes of it.
    pub(super) fn input(&mut self) -> Option<Signal> {
        let mut bytes = [0; CHUNK];
        match rustix::io::read(stdin(), &mut bytes) {
            Ok(0) | Err(Errno::IO) => {
                self.input_ended = true;
                let end = tcgetattr(&self.master).map_or(4, |now| now.special_codes[SpecialCodeIndex::VEOF]);
                // The first ends a line that was begun, the second the input.
                let _ = write_all(&self.master, &[end, end]);
                None
            }
            Ok(count) => {
                let typed = &bytes[..count];
                let signal = self.signal_of(typed);
                let _ = write_all(&self.master, typed);
                signal
            }
            Err(_) => None,
        }
    }

    fn signal_of(&self, typed: &[u8]) -> Option<Signal> {
        let now = tcgetattr(&self.master).ok().filter(|now| now.local_modes.contains(LocalModes::ISIG))?;
        let keys = [(SpecialCodeIndex::VINTR, Signal::INT), (SpecialCodeIndex::VQUIT, Signal::QUIT)];
        keys.into_iter().find(|(key, _)| typed.contains(&now.special_codes[*key])).map(|(_, signal)| signal)
    }

    /// Whether a process and its group get what is typed.
    pub(super) fn is_foreground(&self, pid: u32) -> bool {
        tcgetpgrp(&self.master).is_ok_and(|group| group.as_raw_nonzero().get().cast_unsigned() == pid)
    }

    /// Passes on what the command wrote; whether there may be more.
    pub(super) fn output(&self) -> bool {
        let mut bytes = [0; CHUNK];
        match rustix::io::read(&self.master, &mut bytes) {
            Ok(count) if count > 0 => write_all(stdout(), &bytes[..count]).is_ok(),
            Err(Errno::INTR) => true,
            _ => false,
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.pause();
    }
}

/// To a terminal that takes no more for now, the rest waits.
fn write_all(to: impl AsFd, mut bytes: &[u8]) -> rustix::io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    while !bytes.is_empty() {
        match rustix::io::write(&to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => drop(poll(&mut [PollFd::new(&to, PollFlags::OUT)], None)),
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
