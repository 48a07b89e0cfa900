//! Becoming a command in a namespace.

mod user;
pub(crate) mod view;
pub(crate) mod vrf;

use std::ffi::OsString;

pub use user::User;
pub(crate) use view::ETC_DIRS;

use crate::{
    error::{Error, ErrorKind, Result},
    name::{NsName, quoted},
    netns::Netns,
    sys,
};

/// How a command is run in a namespace.
#[derive(Debug, Clone, Default)]
pub struct ExecOptions {
    bare: bool,
    user: Option<User>,
    etc: Option<NsName>,
    hostname: Option<String>,
}

impl ExecOptions {
    /// Only enters the network namespace: mounts, and so `/sys` and `/etc`, stay as they are, and
    /// the cost does not grow with the number of mounts.
    #[must_use]
    pub fn bare(mut self, bare: bool) -> Self {
        self.bare = bare;
        self
    }

    /// Runs the command as this user instead of the caller.
    #[must_use]
    pub fn user(mut self, user: Option<User>) -> Self {
        self.user = user;
        self
    }

    /// Binds the files of `/etc/netns/NAME` over those of `/etc`.
    #[must_use]
    pub fn etc(mut self, name: Option<NsName>) -> Self {
        self.etc = name;
        self
    }

    /// Gives the command a UTS namespace of its own, in which the host has this name.
    #[must_use]
    pub fn hostname(mut self, name: Option<String>) -> Self {
        self.hostname = name;
        self
    }
}

/// Why a command did not run.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExecError {
    /// The namespace, its mounts or the user could not be had; shells have no code for it, 125 is usual.
    Prepare(Error),
    /// There is no such program; 127 in a shell.
    NotFound(Error),
    /// The program cannot be executed; 126 in a shell.
    NotExecutable(Error),
}

impl std::fmt::Display for ExecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Prepare(e) | Self::NotFound(e) | Self::NotExecutable(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for ExecError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Prepare(e) | Self::NotFound(e) | Self::NotExecutable(e) => e.source(),
        }
    }
}

/// Becomes a command inside a namespace, as `ip netns exec` does: the process stays the same, so
/// its id, signals, terminal and exit code are the command's own.
///
/// Unless `bare`, the command has a mount namespace of its own, in which `/sys` shows this network
/// namespace (with cgroups, bpf, tracing and the like where they were), and `/run/netns` still is
/// the one of outside. What the library opened is closed, and SIGPIPE has its default.
///
/// `warn` hears of what could not be done but does not keep the command from running.
///
/// Returns only if that failed. The calling thread may be in the namespace then: end it.
pub fn exec(ns: &Netns, options: &ExecOptions, command: &[OsString], warn: &mut dyn FnMut(Error)) -> ExecError {
    if let Err(e) = enter(ns, options, warn) {
        return ExecError::Prepare(e);
    }
    let Some(program) = command.first() else {
        return ExecError::Prepare(Error::invalid("execute", "''", "there is no command"));
    };
    let error = Error::os("execute", quoted(program), sys::process::become_program(command));
    match error.kind() {
        ErrorKind::NotFound => ExecError::NotFound(error),
        _ => ExecError::NotExecutable(error),
    }
}

/// Gives the calling thread the view of a command; it must end, or become the command.
pub(crate) fn enter(ns: &Netns, options: &ExecOptions, warn: &mut dyn FnMut(Error)) -> Result<()> {
    if let Err(e) = vrf::leave() {
        warn(e);
    }
    settle(ns, options, warn)
}

/// Moves the calling thread, which must be about to end, to where a command is to see what it sees; the
/// process stays in its cgroup.
pub(crate) fn settle(ns: &Netns, options: &ExecOptions, warn: &mut dyn FnMut(Error)) -> Result<()> {
    if options.bare {
        ns.enter()?;
    } else {
        view::enter(ns, options.etc.as_ref(), warn)?;
    }
    if let Some(name) = &options.hostname {
        let named = sys::unshare_uts().and_then(|()| rustix::system::sethostname(name.as_bytes()));
        named.map_err(|e| Error::os("set the name of the host to", quoted(name.as_ref()), e))?;
    }
    options.user.map_or(Ok(()), User::become_it)
}
