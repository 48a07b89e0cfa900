//! A command started in a node, by a thread that enters it and ends.

use std::{
    ffi::{CString, OsString},
    fs::{self, DirBuilder, File},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::{DirBuilderExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    io::Errno,
    mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount},
    pipe::{PipeFlags, pipe_with},
    process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, setsid, waitid},
};

use super::mark;
use crate::{
    error::{Error, Result},
    exec::{self, ExecOptions},
    lab::{self, Run, site},
    name::{LabName, NodeName, quoted},
    netns::{Netns, RUN_DIR, rundir},
    sys::{
        listmount,
        process::{self, Child, EndsHere, Pointers, Program, candidates, variables},
        signal,
    },
};

/// Where a command runs.
pub(super) struct Home<'a> {
    pub lab: &'a LabName,
    pub node: &'a NodeName,
    pub ns: &'a Netns,
}

/// A command, made ready for a child that makes system calls only.
struct Command {
    candidates: Vec<CString>,
    words: Vec<CString>,
    env: Vec<CString>,
}

impl Command {
    fn of(argv: &[String], env: &[(OsString, OsString)]) -> Self {
        let path = env.iter().find(|(key, _)| key == "PATH").map(|(_, value)| value.as_os_str());
        let first = argv.first().map(OsString::from).unwrap_or_default();
        Self {
            candidates: candidates(&first, path),
            words: argv.iter().map(process::c_string).collect(),
            env: variables(env),
        }
    }

    fn program(&self) -> Program<'_> {
        Program::new(&self.candidates, &self.words, Pointers::new(self.env.iter().map(|text| &**text)))
    }
}

/// The file that a command writes to.
pub(super) fn log_path(lab: &LabName, node: &NodeName, name: &str) -> PathBuf {
    log_dir().join(format!("{}.{}.{name}.log", lab.as_str(), node.as_str()))
}

fn log_dir() -> PathBuf {
    PathBuf::from(rundir::NSNET_DIR).join("log")
}

/// Removes the logs of a lab.
pub(super) fn remove_logs(lab: &LabName) -> Result<()> {
    remove_files_of(lab, &log_dir())
}

/// Removes the files of a lab in a directory, and that where no other lab has one.
pub(super) fn remove_files_of(lab: &LabName, dir: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.strip_prefix(lab.as_str()).is_some_and(|rest| rest.starts_with('.')) {
            fs::remove_file(&path).map_err(|e| Error::os("remove", quoted(path.as_os_str()), e))?;
        }
    }
    // Others may have theirs there.
    let _ = fs::remove_dir(dir);
    Ok(())
}

fn open_log(home: &Home<'_>, name: &str) -> Result<File> {
    rundir::make_nsnet_dir()?;
    let path = log_path(home.lab, home.node, name);
    let failed = |e| Error::os("open", quoted(path.as_os_str()), e);
    DirBuilder::new().recursive(true).mode(0o755).create(log_dir()).map_err(failed)?;
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    File::options().append(true).create(true).mode(0o600).custom_flags(flags).open(&path).map_err(failed)
}

/// Starts a command that is nobody's child: the process that does it ends at once.
pub(super) fn start(home: &Home<'_>, run: &Run) -> Result<OwnedFd> {
    let shown = format!("'{}' of {}", run.name, home.node.as_str());
    let failed = |e: Errno| Error::os("start", &shown, e);
    let log = open_log(home, &run.name)?;
    let nothing = File::open("/dev/null").map_err(|e| Error::os("open", "'/dev/null'", e))?;
    let mut env = process::environment();
    mark::put_into(&mut env, home.lab, home.node, run);
    let command = Command::of(&run.argv, &env);
    let said = inside(home, || {
        let (from_it, to_parent) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
        let program = command.program();
        match process::clone3(0).map_err(failed)? {
            None => leave(program, &to_parent, &nothing, &log),
            Some(between) => {
                drop(to_parent);
                let said = read_all(from_it).map_err(|e| Error::os("start", &shown, e))?;
                reap(&between);
                Ok(said)
            }
        }
    })?;
    let number = |at: usize| said.get(at..at + 4).and_then(|bytes| Some(i32::from_ne_bytes(bytes.try_into().ok()?)));
    if let Some(errno) = number(4) {
        let error = failed(Errno::from_raw_os_error(errno));
        return Err(error.because(format!("'{}' cannot be run", run.argv.first().map_or("", String::as_str))));
    }
    let pid = number(0).and_then(Pid::from_raw).ok_or_else(|| failed(Errno::AGAIN))?;
    pidfd_open(pid, PidfdFlags::empty()).map_err(|e| match e {
        Errno::SRCH => super::ended(home, run),
        e => failed(e),
    })
}

/// Starts a command whose end is waited for; what it prints is lost.
pub(super) fn start_child(home: &Home<'_>, argv: &[String]) -> Result<Child> {
    let shown = format!("'{}' in {}", argv.first().map_or("", String::as_str), home.node.as_str());
    let failed = |e: Errno| Error::os("run", &shown, e);
    let nothing =
        File::options().read(true).write(true).open("/dev/null").map_err(|e| Error::os("open", "'/dev/null'", e))?;
    let command = Command::of(argv, &process::environment());
    inside(home, || {
        let mut program = command.program();
        match process::clone3(0).map_err(failed)? {
            Some(child) => Ok(child),
            None => {
                let _ends = EndsHere;
                let _ = setsid();
                let _ = process::become_stdio(&nothing);
                become_clean();
                program.run();
                process::end(127)
            }
        }
    })
}

/// Waits for the end of a child, so that the kernel can forget it.
pub(super) fn reap(child: &Child) -> Option<i32> {
    let ended = waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED);
    ended.ok().flatten().and_then(|status| status.exit_status())
}

fn read_all(from: OwnedFd) -> std::io::Result<Vec<u8>> {
    let mut said = Vec::new();
    std::io::Read::read_to_end(&mut File::from(from), &mut said)?;
    Ok(said)
}

/// In a child: makes a process that becomes the program, and ends.
fn leave(mut program: Program<'_>, to_parent: &OwnedFd, nothing: &File, log: &File) -> ! {
    let _ends = EndsHere;
    if process::fork() != Ok(0) {
        process::end(0);
    }
    let _ = setsid();
    let _ = rustix::io::write(to_parent, &std::process::id().to_ne_bytes());
    let streams = rustix::stdio::dup2_stdin(nothing)
        .and_then(|()| rustix::stdio::dup2_stdout(log))
        .and_then(|()| rustix::stdio::dup2_stderr(log));
    become_clean();
    let errno = streams.err().unwrap_or_else(|| program.run());
    let _ = rustix::io::write(to_parent, &errno.raw_os_error().to_ne_bytes());
    process::end(127)
}

/// What was opened stays behind, and signals are as for every program.
fn become_clean() {
    let _ = process::close_on_exec_from(3);
    signal::restore_sigpipe();
    signal::unblock_all();
}

/// Does something with the view of a command, on a thread that ends.
fn inside<T: Send>(home: &Home<'_>, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let hostname = lab::hostname(home.lab, home.node);
    let options = ExecOptions::default().etc(Some(home.lab.ns_name_of(home.node.as_str()))).hostname(Some(hostname));
    site::on_a_thread(|| {
        exec::enter(home.ns, &options, &mut drop)?;
        forget_names().map_err(|e| Error::os("separate the mounts of", home.ns, e))?;
        work()
    })
}

/// What runs on keeps no other namespace alive, as its mounts would where none are shared.
fn forget_names() -> std::io::Result<()> {
    match mount_change(RUN_DIR, MountPropagationFlags::PRIVATE) {
        // It is no mount of its own, and what it lies in is seen by nobody else already.
        Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
        Err(e) => return Err(e.into()),
    }
    for point in listmount::points_below(RUN_DIR)? {
        // One that others cover is out of reach, and so holds nothing that has a name.
        let _ = unmount(&point, UnmountFlags::DETACH);
    }
    Ok(())
}
