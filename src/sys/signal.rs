//! Signals: hold them over work that must not be cut in half, take them from a descriptor, and give a
//! command its defaults.

use std::{
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    ptr,
};

use rustix::io;

use super::last_error;

/// Holds INT, TERM, HUP and QUIT back from this thread, and from threads it starts, until dropped.
///
/// What came meanwhile is delivered on drop. In a program with other threads that do not hold
/// them, the kernel gives the signal to one of those.
pub(crate) struct Held {
    set: libc::sigset_t,
    before: libc::sigset_t,
}

/// Those that end a program from outside.
const SIGNALS: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];

fn is_ignored(signal: i32) -> bool {
    let mut now = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: with a null pointer for a new action, the call only writes to this local, and with the number of a signal
    // that can be caught it does not fail.
    let now = unsafe {
        libc::sigaction(signal, ptr::null(), now.as_mut_ptr());
        now.assume_init()
    };
    now.sa_sigaction == libc::SIG_IGN
}

/// Those that would end this program. One that is ignored, as under `nohup`, stays so: held, it would come to wait all the
/// same.
fn to_be_held() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the set, and sigaddset only changes it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in SIGNALS.into_iter().filter(|signal| !is_ignored(*signal)) {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

impl Held {
    pub(crate) fn hold() -> Self {
        let set = to_be_held();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: with valid arguments pthread_sigmask cannot fail, so `before` is initialised.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, before.as_mut_ptr());
            Self { set, before: before.assume_init() }
        }
    }
}

impl Held {
    /// An error (`EINTR`) where one of them has come, and waits for the end of this.
    pub(crate) fn refuse_pending(&self) -> std::io::Result<()> {
        let mut pending = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigpending only writes to this local, and with a valid pointer cannot fail.
        let pending = unsafe {
            libc::sigpending(pending.as_mut_ptr());
            pending.assume_init()
        };
        // SAFETY: both sets were filled in, and the signals have valid numbers.
        let is_in = |set: &libc::sigset_t, signal| unsafe { libc::sigismember(set, signal) == 1 };
        let came = |signal| is_in(&self.set, signal) && is_in(&pending, signal);
        if SIGNALS.into_iter().any(came) { Err(std::io::Error::from_raw_os_error(libc::EINTR)) } else { Ok(()) }
    }
}

impl Held {
    /// Readable, but never to be read from, where one of them has come and waits for the end of this.
    pub(crate) fn fd(&self) -> io::Result<HeldFd> {
        // SAFETY: the kernel only reads the set.
        let fd = unsafe { libc::signalfd(-1, &raw const self.set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        match fd {
            -1 => Err(last_error()),
            // SAFETY: the kernel just made it, and nobody else knows it.
            fd => Ok(HeldFd(unsafe { OwnedFd::from_raw_fd(fd) })),
        }
    }
}

/// To wait for a signal that is held, beside other things; it stays held.
pub(crate) struct HeldFd(OwnedFd);

impl AsFd for HeldFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
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

/// Lets every signal through, for a process that is about to become a program.
pub(crate) fn unblock_all() {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises `set`, which is then only read.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, set.as_ptr(), ptr::null_mut());
    }
}

/// What a fault of the process itself raises: blocked, it would end it without a word.
const FAULTS: [i32; 7] =
    [libc::SIGILL, libc::SIGTRAP, libc::SIGABRT, libc::SIGBUS, libc::SIGFPE, libc::SIGSEGV, libc::SIGSYS];

/// Every signal but those of faults, and those that cannot be blocked.
fn all() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises `set`, and sigdelset only changes it.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        for fault in FAULTS {
            libc::sigdelset(set.as_mut_ptr(), fault);
        }
        set.assume_init()
    }
}

/// Blocks every signal in this thread, and in what it clones, until dropped.
pub(crate) struct Blocked {
    before: libc::sigset_t,
}

impl Blocked {
    pub(crate) fn block() -> Self {
        let set = all();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: with valid arguments pthread_sigmask cannot fail, so `before` is initialised.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, before.as_mut_ptr());
            Self { before: before.assume_init() }
        }
    }

    /// Puts the mask back as it was; what came meanwhile is delivered now.
    pub(crate) fn restore(&self) {
        // SAFETY: `before` was filled in by `block`.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut()) };
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        self.restore();
    }
}

/// A signal that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    pub number: i32,
    /// Whether the kernel sent it, as a terminal does to all of its foreground group.
    pub from_kernel: bool,
    /// The process that sent it; 0 where that is the kernel, or outside of this pid namespace.
    pub sender: u32,
}

/// Takes signals that are blocked in the calling thread.
pub(crate) struct SignalFd(OwnedFd);

impl SignalFd {
    pub(crate) fn open() -> io::Result<Self> {
        let set = all();
        // SAFETY: the kernel reads the set and makes a descriptor.
        match unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) } {
            -1 => Err(last_error()),
            // SAFETY: the kernel just made it, and nobody else knows it.
            fd => Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) })),
        }
    }

    /// The next one, if one is there.
    pub(crate) fn take(&self) -> Option<Received> {
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::uninit();
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: the kernel writes at most `size` bytes to the local.
        let read = unsafe { libc::read(self.0.as_raw_fd(), info.as_mut_ptr().cast(), size) };
        if read != size.cast_signed() {
            return None;
        }
        // SAFETY: it was written as a whole.
        let info = unsafe { info.assume_init() };
        let from_kernel = info.ssi_code == libc::SI_KERNEL;
        Some(Received { number: info.ssi_signo.cast_signed(), from_kernel, sender: info.ssi_pid })
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits for any signal, all of which must be blocked.
pub(crate) fn wait() -> Received {
    let set = all();
    loop {
        let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
        // SAFETY: the call reads the set and writes the local.
        let number = unsafe { libc::sigwaitinfo(&raw const set, info.as_mut_ptr()) };
        if number > 0 {
            // SAFETY: a signal was taken, so the information was written; every kind begins with the sender, which is 0
            // where there is none.
            let (code, sender) = unsafe {
                let info = info.assume_init();
                (info.si_code, info.si_pid())
            };
            return Received { number, from_kernel: code == libc::SI_KERNEL, sender: sender.cast_unsigned() };
        }
    }
}

/// Makes ends of children known (`SIGCHLD` at its default) until dropped, whatever the caller inherited.
///
/// Ignored, it makes the kernel reap children by itself, and how they ended is lost.
pub(crate) struct ChildrenKnown {
    was_ignored: bool,
}

impl ChildrenKnown {
    pub(crate) fn make() -> Self {
        Self { was_ignored: replace_child_action(libc::SIG_DFL) == libc::SIG_IGN }
    }

    /// As the caller inherited it.
    pub(crate) fn restore(&self) {
        if self.was_ignored {
            replace_child_action(libc::SIG_IGN);
        }
    }
}

impl Drop for ChildrenKnown {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Handlers of others are left alone: with one, ends of children are known.
fn replace_child_action(action: libc::sighandler_t) -> libc::sighandler_t {
    // SAFETY: the first call only reads; the second installs no handler.
    unsafe {
        let mut now = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        libc::sigaction(libc::SIGCHLD, ptr::null(), &raw mut now);
        let before = now.sa_sigaction;
        if before == libc::SIG_IGN || before == libc::SIG_DFL {
            now.sa_sigaction = action;
            now.sa_flags = 0;
            libc::sigaction(libc::SIGCHLD, &raw const now, ptr::null_mut());
        }
        before
    }
}
