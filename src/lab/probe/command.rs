//! A command that is to succeed, and what it prints.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};

use super::{Limit, Tried, Woken};
use crate::{
    error::{Error, Result},
    name::{escaped, quoted},
    sys::process,
};

/// What a command prints beyond that is not kept.
const MOST_BYTES: usize = 64 * 1024;

/// Runs a command in the namespaces of the calling thread, which must outlive it. What it leaves running in
/// its process group ends with it.
pub(super) fn run(argv: &[String], output: Option<&str>, limit: &Limit<'_>) -> Result<Tried> {
    let Some((program, words)) = argv.split_first() else { return Ok(Tried::No("there is no command".into())) };
    let failed = |e: io::Error| Error::os("run", quoted(program.as_ref()), e);
    let child = match spawn(program.as_ref(), words).or_else(|e| spawn_script(e, program.as_ref(), words)) {
        Ok(child) => child,
        Err(e) => return Ok(Tried::No(failed(e).to_string())),
    };
    let mut running = Running::new(child).map_err(failed)?;
    let woken = running.wait(limit).map_err(failed)?;
    let (status, out, err) = running.end().map_err(failed)?;
    Ok(match woken {
        Woken::Stopped => Tried::Stopped,
        Woken::Ready => judge(status, output, &out, &err),
        Woken::Over | Woken::Later => {
            Tried::No(format!("not done within {:?}, and killed{}", limit.within, last_words(&out, &err)))
        }
    })
}

fn spawn(program: &OsStr, words: &[String]) -> io::Result<Child> {
    command(program).args(words).spawn()
}

/// What has no interpreter line is a script of `sh`, as for a shell; musl leaves that to us.
fn spawn_script(refused: io::Error, program: &OsStr, words: &[String]) -> io::Result<Child> {
    match (Errno::from_io_error(&refused), process::find(program)) {
        (Some(Errno::NOEXEC), Some(script)) => command("/bin/sh".as_ref()).arg(script).args(words).spawn(),
        _ => Err(refused),
    }
}

fn command(program: &OsStr) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    process::ends_with_this_thread(&mut command);
    command
}

fn judge(status: ExitStatus, output: Option<&str>, out: &[u8], err: &[u8]) -> Tried {
    let how = match (status.code(), status.signal()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("exit {code}")),
        (None, signal) => Some(format!("killed by signal {}", signal.unwrap_or_default())),
    };
    if let Some(how) = how {
        return Tried::No(how + &last_words(out, err));
    }
    match output {
        Some(wanted) if out.trim_ascii() != wanted.as_bytes() => {
            let (out, wanted) = (escaped(out.trim_ascii()), escaped(wanted.as_bytes()));
            Tried::No(format!("it printed '{}', not '{wanted}'", shortened(&out)))
        }
        _ => Tried::Yes,
    }
}

/// The last line of its complaints, which mostly says it all; some, such as ping, complain on stdout.
fn last_words(out: &[u8], err: &[u8]) -> String {
    let mut words = String::new();
    let said = if err.trim_ascii().is_empty() { out } else { err };
    if let Some(line) = said.trim_ascii().rsplit(|byte| *byte == b'\n').next().filter(|line| !line.is_empty()) {
        // Writing into a string cannot fail.
        let _ = write!(words, ": {}", shortened(&escaped(line)));
    }
    words
}

fn shortened(text: &str) -> String {
    const MOST_CHARS: usize = 200;
    match text.char_indices().nth(MOST_CHARS) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

/// A command that was started; killed with its group when dropped.
struct Running {
    child: Child,
    out: Heard<ChildStdout>,
    err: Heard<ChildStderr>,
    ended: Option<ExitStatus>,
}

impl Running {
    fn new(mut child: Child) -> io::Result<Self> {
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let running = Self { child, out: Heard::new(out), err: Heard::new(err), ended: None };
        running.out.do_not_block()?;
        running.err.do_not_block()?;
        Ok(running)
    }

    /// Listens until it has ended, or is to.
    fn wait(&mut self, limit: &Limit<'_>) -> io::Result<Woken> {
        let pidfd = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty())?;
        loop {
            let heard = [self.out.fd(), self.err.fd()].into_iter().flatten();
            let fds: Vec<_> = [pidfd.as_fd()].into_iter().chain(heard).map(|fd| (fd, PollFlags::IN)).collect();
            match limit.wait(&fds, Duration::MAX)? {
                Woken::Ready => {}
                woken => return Ok(woken),
            }
            let ended = is_ready(pidfd.as_fd())?;
            self.out.take()?;
            self.err.take()?;
            if ended {
                return Ok(Woken::Ready);
            }
        }
    }

    /// Ends what is left of it; how it ended, and what it said.
    fn end(mut self) -> io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
        let status = self.kill()?;
        Ok((status, std::mem::take(&mut self.out.bytes), std::mem::take(&mut self.err.bytes)))
    }

    fn kill(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.ended {
            return Ok(status);
        }
        // It is not reaped yet, so its number means its group; an error says that nobody is left in it.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let status = self.child.wait()?;
        self.ended = Some(status);
        Ok(status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The error that led here is the one to be told.
        let _ = self.kill();
    }
}

/// Whether it is ready at once.
fn is_ready(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    Ok(poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&now))? > 0)
}

/// What comes out of a pipe.
struct Heard<P> {
    /// None once it is closed at the other end.
    pipe: Option<P>,
    bytes: Vec<u8>,
}

impl<P: Read + AsFd> Heard<P> {
    fn new(pipe: Option<P>) -> Self {
        Self { pipe, bytes: Vec::new() }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    fn do_not_block(&self) -> io::Result<()> {
        let Some(pipe) = &self.pipe else { return Ok(()) };
        Ok(fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?)
    }

    /// Reads what is there.
    fn take(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(count) => {
                    let room = MOST_BYTES.saturating_sub(self.bytes.len());
                    self.bytes.extend_from_slice(&buffer[..count.min(room)]);
                    if room == 0 {
                        // What never stops must not keep the deadline from being looked at.
                        return Ok(());
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}
