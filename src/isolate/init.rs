//! Process 1 of an isolation with `init`: it reaps whoever is left to it, passes signals on to the command, and ends
//! with the command's status. It makes system calls only, as all of the child does.

use std::os::fd::{AsFd, AsRawFd};

use rustix::{
    io::Errno,
    process::{Signal, WaitOptions, WaitStatus, wait},
};

use super::report::Report;
use crate::sys::{process, signal};

/// Splits the child: the copy goes on to become the command; this one stays above it, and never returns.
///
/// All signals are blocked.
pub(super) fn stay_above(report: &Report) -> rustix::io::Result<()> {
    match process::fork()? {
        0 => Ok(()),
        command => watch(command, report),
    }
}

const CHILD: i32 = Signal::CHILD.as_raw();

fn watch(command: u32, report: &Report) -> ! {
    // How it looks in `ps`; without it, it would look like the program that made it.
    let _ = rustix::thread::set_name(c"nsnet-init");
    process::close_all_but(&[report.as_fd().as_raw_fd()]);
    report.split();
    loop {
        let signal = signal::wait();
        match signal.number {
            CHILD => reap(command, report),
            // A terminal gave it to the whole group, the command among them.
            _ if signal.from_kernel => {}
            number => process::kill(command, number),
        }
    }
}

/// The end of the command is the end of all: what is left of its processes ends with process 1.
fn reap(command: u32, report: &Report) {
    let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
    loop {
        match wait(options) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get().cast_unsigned() == command => ended(status, report),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            _ => return,
        }
    }
}

fn ended(status: WaitStatus, report: &Report) {
    if status.stopped() {
        report.stopped();
    }
    if let Some(code) = status.exit_status() {
        process::end(code);
    }
    if let Some(signal) = status.terminating_signal() {
        process::end(128 + signal);
    }
}
