//! Signals: hold them over work that must not be cut in half, and give a command its defaults.

use std::{mem::MaybeUninit, ptr};

/// Holds INT, TERM, HUP and QUIT back from this thread, and from threads it starts, until dropped.
///
/// What came meanwhile is delivered on drop. In a program with other threads that do not hold
/// them, the kernel gives the signal to one of those.
pub(crate) struct Held {
    before: libc::sigset_t,
}

/// Those that end a program from outside.
const SIGNALS: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

impl Held {
    pub(crate) fn hold() -> Self {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset initialises `set`, and the calls only write to these two locals.
        // With valid arguments pthread_sigmask cannot fail, so `before` is initialised.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in SIGNALS {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), before.as_mut_ptr());
            Self { before: before.assume_init() }
        }
    }
}

impl Held {
    /// An error (`EINTR`) where one of them has come, and waits for the end of this.
    #[expect(clippy::unused_self, reason = "while they are not held, none of them can wait")]
    pub(crate) fn refuse_pending(&self) -> std::io::Result<()> {
        let mut pending = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigpending only writes to this local, and with a valid pointer cannot fail.
        let pending = unsafe {
            libc::sigpending(pending.as_mut_ptr());
            pending.assume_init()
        };
        // SAFETY: the set was filled in above, and the signals have valid numbers.
        let came = |signal: &i32| unsafe { libc::sigismember(&raw const pending, *signal) == 1 };
        let came = SIGNALS.iter().any(came);
        if came { Err(std::io::Error::from_raw_os_error(libc::EINTR)) } else { Ok(()) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: `before` was filled in by `hold`.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut()) };
    }
}

/// Gives SIGPIPE back its default, which Rust's runtime took away at start.
///
/// An ignored signal stays ignored across exec, so without this `yes | head` would not end inside.
pub(crate) fn restore_sigpipe() {
    // SAFETY: SIG_DFL installs no handler.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}
