//! What the child does between the clone and the program: steps, made ready before, each of them a few
//! system calls. Nothing here allocates: in a process with threads, one of them may have held the allocator's
//! lock when the child was copied.

use std::{
    ffi::{CStr, CString},
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
    io::Errno,
    mount::{
        MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change, unmount,
    },
    process::{Gid, Signal, Uid, chdir, chroot, ioctl_tiocsctty, pivot_root, set_parent_process_death_signal, setsid},
    thread::{CapabilitySet, set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

use super::{caps, init, ping, report::Report};
use crate::{
    exec::view::SysView,
    sys::{
        process::{self, EndsHere, Program},
        signal::{Blocked, ChildrenKnown},
    },
};

/// One thing that the child does.
pub(super) struct Step {
    /// What is tried, as in "cannot …".
    pub op: &'static str,
    /// On what.
    pub subject: String,
    /// What to do where it is refused.
    pub hint: Option<&'static str>,
    /// Whether the command runs all the same.
    pub optional: bool,
    pub act: Act,
}

/// The system calls of a step.
pub(super) enum Act {
    /// Waits until the parent has mapped ids.
    Gate,
    /// Tells that all is done, and waits for the parent's last word.
    Ready,
    DieWithParent(Signal),
    /// Becomes user and group 0 of its user namespace, with or without giving up groups.
    BecomeRoot {
        groups: bool,
    },
    EnterNewTime(Vec<u8>),
    NewSession,
    /// Makes a terminal that of its session, and all three standard streams.
    OwnTerminal(OwnedFd),
    Propagation(MountPropagationFlags),
    /// Makes a mount private.
    KeepApart(CString),
    BindOnItself(CString),
    Proc {
        target: CString,
        detach: bool,
    },
    Sys(SysView),
    MessageQueues(CString),
    PivotInto(CString),
    Chroot(CString),
    Bind {
        from: CString,
        over: CString,
    },
    ResolvConf(Vec<u8>),
    HostName(Vec<u8>),
    DomainName(Vec<u8>),
    RaiseLoopback,
    OpenPing,
    ChangeDir(CString),
    /// To the root where there is no such directory any more.
    ChangeDirOrRoot(CString),
    DropCapabilities(CapabilitySet),
    NoNewPrivileges,
    CloseOnExec,
}

/// All that the child needs.
pub(super) struct Script<'a> {
    pub steps: &'a mut [Step],
    pub program: Program<'a>,
    /// Whether an init runs the program as its child.
    pub init: bool,
    /// Opened by the parent, byte by byte; at its end where the parent is gone.
    pub gate: OwnedFd,
    pub report: Report,
    pub signals: &'a Blocked,
    pub children: &'a ChildrenKnown,
}

/// Does all steps, then becomes the program.
pub(super) fn run(script: Script<'_>) -> ! {
    let _ends = EndsHere;
    let Script { steps, mut program, init, gate, report, signals, children } = script;
    for (at, step) in steps.iter_mut().enumerate() {
        match step.act.perform(&gate, &report) {
            Ok(()) => {}
            Err(errno) if step.optional => report.warn(at, errno),
            Err(errno) => give_up(&report, at, errno),
        }
    }
    if init && let Err(errno) = init::stay_above(&report) {
        give_up(&report, steps.len(), errno);
    }
    children.restore();
    crate::sys::signal::restore_sigpipe();
    signals.restore();
    let errno = program.run();
    give_up(&report, steps.len(), errno)
}

fn give_up(report: &Report, at: usize, errno: Errno) -> ! {
    report.fail(at, errno);
    process::end(125)
}

impl Act {
    fn perform(&mut self, gate: &OwnedFd, report: &Report) -> rustix::io::Result<()> {
        match self {
            Self::Gate => pass(gate),
            Self::Ready => report.ready().and_then(|()| pass(gate)),
            Self::DieWithParent(signal) => die_with_parent(*signal, gate),
            Self::BecomeRoot { groups } => become_root(*groups),
            Self::EnterNewTime(offsets) => process::enter_new_time(offsets),
            Self::NewSession => setsid().map(drop),
            Self::OwnTerminal(terminal) => own_terminal(terminal),
            Self::Propagation(flags) => mount_change(c"/", *flags | MountPropagationFlags::REC),
            Self::KeepApart(point) => mount_change(&**point, MountPropagationFlags::PRIVATE),
            Self::BindOnItself(dir) => mount_bind_recursive(&**dir, &**dir),
            Self::Proc { target, detach } => mount_proc(target, *detach),
            Self::Sys(view) => view.show(),
            Self::MessageQueues(target) => mount_fresh(c"mqueue", target),
            Self::PivotInto(dir) => pivot_into(dir),
            Self::Chroot(dir) => chroot(&**dir).and_then(|()| chdir(c"/")),
            Self::Bind { from, over } => mount_bind(&**from, &**over),
            Self::ResolvConf(text) => bind_resolv_conf(text),
            Self::HostName(name) => rustix::system::sethostname(name),
            Self::DomainName(name) => rustix::system::setdomainname(name),
            Self::RaiseLoopback => process::raise_loopback(),
            Self::OpenPing => ping::open_to_all(),
            Self::ChangeDir(dir) => chdir(&**dir),
            Self::ChangeDirOrRoot(dir) => chdir(&**dir).or_else(|_| chdir(c"/")),
            Self::DropCapabilities(dropped) => caps::drop(*dropped),
            Self::NoNewPrivileges => set_no_new_privs(true),
            Self::CloseOnExec => process::close_on_exec_from(3),
        }
    }
}

/// A byte opens it; its end means that the parent is gone, or gave up.
fn pass(gate: &OwnedFd) -> rustix::io::Result<()> {
    let mut byte = [0];
    loop {
        match rustix::io::read(gate, &mut byte) {
            Err(Errno::INTR) => {}
            Ok(1) => return Ok(()),
            _ => process::end(125),
        }
    }
}

/// The signal comes when the parent ends from now on; whether it ended before is asked of the gate, because
/// its number says nothing in another pid namespace.
fn die_with_parent(signal: Signal, gate: &OwnedFd) -> rustix::io::Result<()> {
    set_parent_process_death_signal(Some(signal))?;
    let mut end = [PollFd::new(gate, PollFlags::empty())];
    poll(&mut end, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
    if end[0].revents().contains(PollFlags::HUP) {
        process::end(125);
    }
    Ok(())
}

fn become_root(groups: bool) -> rustix::io::Result<()> {
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    if groups {
        set_thread_groups(&[])?;
    }
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)
}

fn own_terminal(terminal: &OwnedFd) -> rustix::io::Result<()> {
    setsid()?;
    ioctl_tiocsctty(terminal)?;
    process::become_stdio(terminal)
}

const PLAIN: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

fn mount_fresh(kind: &CStr, target: &CStr) -> rustix::io::Result<()> {
    mount(kind, target, kind, PLAIN, None)
}

/// However often something was mounted there.
const MOST_STACKED: usize = 64;

/// Root detaches the old one first, so that not even an unmount inside uncovers it. In a user namespace it is
/// locked in place (`EINVAL`), and must be there: the kernel allows a new one only beside a whole old one.
fn mount_proc(target: &CStr, detach: bool) -> rustix::io::Result<()> {
    if detach {
        for _ in 0..MOST_STACKED {
            if unmount(target, UnmountFlags::DETACH).is_err() {
                break;
            }
        }
    }
    mount_fresh(c"proc", target)
}

/// The new root is put over the old one, which is then taken away from above it.
fn pivot_into(dir: &CStr) -> rustix::io::Result<()> {
    chdir(dir)?;
    pivot_root(c".", c".")?;
    unmount(c".", UnmountFlags::DETACH)?;
    chdir(c"/")
}

/// The file lies in a file system of its own that is mounted for a moment; bound, it stays.
fn bind_resolv_conf(text: &[u8]) -> rustix::io::Result<()> {
    mount(c"tmpfs", c"/proc", c"tmpfs", PLAIN, Some(c"mode=755"))?;
    let bound =
        write_file(c"/proc/resolv.conf", text).and_then(|()| mount_bind(c"/proc/resolv.conf", c"/etc/resolv.conf"));
    unmount(c"/proc", UnmountFlags::DETACH)?;
    bound
}

fn write_file(path: &CStr, text: &[u8]) -> rustix::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o644);
    let file = rustix::fs::open(path, flags, mode)?;
    // Whatever the caller's mask: others inside read it too.
    rustix::fs::fchmod(&file, mode)?;
    rustix::io::write(file.as_fd(), text).map(drop)
}
