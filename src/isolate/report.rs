//! What the child tells its parent, through a pipe that closes when it becomes a program.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;

/// One thing that was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// A step failed, and the child ended; the one behind the last is the program itself.
    Failed(usize, Errno),
    /// A step failed that the command does without.
    Warned(usize, Errno),
    /// All steps are done; the child waits for a last word.
    Ready,
    /// The init has made the command.
    Split,
    /// The init saw the command stop.
    Stopped,
}

/// The child's end.
pub(super) struct Report(OwnedFd);

/// So many bytes are written at once or not at all.
const BYTES: usize = 9;

impl Report {
    pub(super) fn new(pipe: OwnedFd) -> Self {
        Self(pipe)
    }

    /// Best effort, as all but [`ready`](Self::ready): a parent that is gone hears nothing.
    pub(super) fn fail(&self, step: usize, errno: Errno) {
        let _ = self.tell(b'F', step, errno.raw_os_error());
    }

    pub(super) fn warn(&self, step: usize, errno: Errno) {
        let _ = self.tell(b'W', step, errno.raw_os_error());
    }

    /// The parent waits for this.
    pub(super) fn ready(&self) -> rustix::io::Result<()> {
        self.tell(b'R', 0, 0)
    }

    pub(super) fn split(&self) {
        let _ = self.tell(b'I', 0, 0);
    }

    pub(super) fn stopped(&self) {
        let _ = self.tell(b'S', 0, 0);
    }

    fn tell(&self, what: u8, step: usize, errno: i32) -> rustix::io::Result<()> {
        let mut message = [what; BYTES];
        message[1..5].copy_from_slice(&u32::try_from(step).unwrap_or(u32::MAX).to_ne_bytes());
        message[5..9].copy_from_slice(&errno.to_ne_bytes());
        rustix::io::write(&self.0, &message).map(drop)
    }
}

impl AsFd for Report {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Reads one message; `None` at the end, when nobody is left to write.
pub(super) fn read(pipe: &OwnedFd) -> Option<Told> {
    let mut message = [0; BYTES];
    loop {
        match rustix::io::read(pipe, &mut message) {
            Err(Errno::INTR) => {}
            Ok(BYTES) => return Some(understood(message)),
            _ => return None,
        }
    }
}

fn understood(message: [u8; BYTES]) -> Told {
    let [what, a, b, c, d, e, f, g, h] = message;
    let step = u32::from_ne_bytes([a, b, c, d]) as usize;
    // Only of a failure: no errno is 0.
    let errno = || Errno::from_raw_os_error(i32::from_ne_bytes([e, f, g, h]));
    match what {
        b'F' => Told::Failed(step, errno()),
        b'W' => Told::Warned(step, errno()),
        b'R' => Told::Ready,
        b'I' => Told::Split,
        _ => Told::Stopped,
    }
}
