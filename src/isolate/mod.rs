//! A command in namespaces of its own, made by one clone, that leaves the host as it is.
//!
//! ```
//! use nsnet::isolate::{Ended, Isolation};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let script = "test $(hostname) = box && ip route get 10.9.0.1 >/dev/null && exit 7";
//! let command = ["sh", "-c", script].map(Into::into);
//! let veth = ["host0=10.9.0.1/30".parse()?, "eth0=10.9.0.2/30".parse()?];
//! let isolation = Isolation::new(command).hostname("box").veth(veth);
//! assert_eq!(isolation.run(&mut |_event| {})?, Ended::Exited(7));
//! # Ok(()) }
//! ```
//!
//! The child lives no longer than the thread that calls [`run`](Isolation::run), which waits for it. In a program with threads
//! it makes system calls only until it becomes the command.

mod caps;
mod child;
mod idmap;
mod init;
mod keeper;
mod pidfile;
mod ping;
mod report;
mod run;
mod steps;
mod supervise;
mod terminal;
mod why;
mod wishes;

use std::{collections::BTreeSet, ffi::OsString, net::IpAddr, os::fd::OwnedFd, path::PathBuf};

use rustix::process::Signal;

pub use caps::Capabilities;
pub use idmap::{IdMaps, IdRange};

use crate::{
    addr::End,
    error::{Error, Result},
    exec::ExecError,
    inspect::NsKind,
    name::NsName,
    netlink::route::Route,
    netns::Netns,
};

/// What is done with mounts: whether those made outside are seen inside, and the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Propagation {
    /// Neither.
    #[default]
    Private,
    /// Those of outside are seen inside.
    Slave,
    /// Both.
    Shared,
    /// As each mount is.
    Unchanged,
}

impl Propagation {
    /// Whether what is mounted inside can be seen outside.
    fn reaches_outside(self) -> bool {
        matches!(self, Self::Shared | Self::Unchanged)
    }
}

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Exited(u8),
    /// By this signal.
    Killed(u8),
}

impl Ended {
    /// As a shell says it: the code, or 128 and the signal.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Killed(signal) => signal.saturating_add(128),
        }
    }
}

/// What happens while an isolation runs.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// All is ready, and the command starts: [once this is heard](Isolation::wait_for_hearing), or at the same time.
    Started {
        /// Process 1 of the new pid namespace, as it is called outside: the command, or its init.
        pid: u32,
    },
    /// The command runs all the same.
    Warning(Error),
}

/// Seconds and nanoseconds by which a clock is ahead inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockOffset {
    /// Whole seconds; negative ones set it back.
    pub seconds: i64,
    /// Further nanoseconds, less than a second.
    pub nanoseconds: u32,
}

/// A command and the namespaces that it is to run in.
///
/// Unless told otherwise: new UTS, IPC, PID, mount and network namespaces; `lo` up; `/proc` and `/sys` of its
/// own; every user may ping; mounts private; the command is process 1, and dies with the calling thread.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
pub struct Isolation {
    command: Vec<OsString>,
    kinds: BTreeSet<NsKind>,
    join: Option<Netns>,
    hostname: Option<OsString>,
    domainname: Option<OsString>,
    boottime: Option<ClockOffset>,
    monotonic: Option<ClockOffset>,
    propagation: Propagation,
    proc: bool,
    sys: bool,
    root: Option<PathBuf>,
    directory: Option<PathBuf>,
    etc: Option<NsName>,
    dns: Vec<IpAddr>,
    maps: IdMaps,
    dropped: Capabilities,
    no_new_privileges: bool,
    init: bool,
    death_signal: Signal,
    new_session: bool,
    own_terminal: bool,
    env: Option<Vec<(OsString, OsString)>>,
    close_fds: bool,
    veths: Vec<[End; 2]>,
    routes: Vec<InsideRoute>,
    name: Option<NsName>,
    pidfile: Option<PathBuf>,
    forward_signals: bool,
    wait_for_hearing: bool,
}

/// A route inside, through a link that may be made with it.
#[derive(Debug, Clone)]
pub struct InsideRoute {
    /// The route; the index of its link is found by the name.
    pub route: Route,
    /// The link it leads through, where it needs one.
    pub device: Option<String>,
}

impl Isolation {
    /// The five namespaces: everything that a command sees of a host but files, users and clocks.
    pub const FIVE: [NsKind; 5] = [NsKind::Uts, NsKind::Ipc, NsKind::Pid, NsKind::Mnt, NsKind::Net];

    /// A program, looked for in `PATH`, and its words.
    #[must_use]
    pub fn new(command: impl IntoIterator<Item = OsString>) -> Self {
        Self {
            command: command.into_iter().collect(),
            kinds: Self::FIVE.into(),
            join: None,
            hostname: None,
            domainname: None,
            boottime: None,
            monotonic: None,
            propagation: Propagation::Private,
            proc: true,
            sys: true,
            root: None,
            directory: None,
            etc: None,
            dns: Vec::new(),
            maps: IdMaps::default(),
            dropped: Capabilities::default(),
            no_new_privileges: false,
            init: false,
            death_signal: Signal::KILL,
            new_session: false,
            own_terminal: false,
            env: None,
            close_fds: false,
            veths: Vec::new(),
            routes: Vec::new(),
            name: None,
            pidfile: None,
            forward_signals: false,
            wait_for_hearing: true,
        }
    }

    /// The kinds of namespaces that are new, in place of the five.
    #[must_use]
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = NsKind>) -> Self {
        self.kinds = kinds.into_iter().collect();
        self
    }

    /// Joins a network namespace instead of making a new one.
    #[must_use]
    pub fn join(mut self, ns: Netns) -> Self {
        self.kinds.remove(&NsKind::Net);
        self.join = Some(ns);
        self
    }

    /// The host name inside, at most 64 bytes. Takes a UTS namespace, as `domainname` does.
    #[must_use]
    pub fn hostname(mut self, name: impl Into<OsString>) -> Self {
        self.hostname = Some(name.into());
        self
    }

    /// The NIS domain name inside, at most 64 bytes.
    #[must_use]
    pub fn domainname(mut self, name: impl Into<OsString>) -> Self {
        self.domainname = Some(name.into());
        self
    }

    /// How far `CLOCK_BOOTTIME`, and so the uptime, is ahead. Takes a time namespace (Linux 5.6), as `monotonic`
    /// does; the time of day is that of the host.
    #[must_use]
    pub fn boottime(mut self, offset: ClockOffset) -> Self {
        self.boottime = Some(offset);
        self
    }

    /// How far `CLOCK_MONOTONIC` is ahead.
    #[must_use]
    pub fn monotonic(mut self, offset: ClockOffset) -> Self {
        self.monotonic = Some(offset);
        self
    }

    /// What is done with mounts.
    #[must_use]
    pub fn propagation(mut self, propagation: Propagation) -> Self {
        self.propagation = propagation;
        self
    }

    /// Whether `/proc` is that of the new pid namespace, where that and a mount namespace are new.
    #[must_use]
    pub fn proc(mut self, yes: bool) -> Self {
        self.proc = yes;
        self
    }

    /// Whether `/sys` is that of the network namespace, where there is a new mount namespace.
    #[must_use]
    pub fn sys(mut self, yes: bool) -> Self {
        self.sys = yes;
        self
    }

    /// A directory that is the root inside.
    #[must_use]
    pub fn root(mut self, dir: impl Into<PathBuf>) -> Self {
        // The one there is needs nothing done.
        self.root = Some(dir.into()).filter(|dir| dir.as_os_str() != "/");
        self
    }

    /// The working directory, below the root of inside.
    #[must_use]
    pub fn directory(mut self, dir: impl Into<PathBuf>) -> Self {
        self.directory = Some(dir.into());
        self
    }

    /// Binds the files of `/etc/netns/NAME` over those of `/etc`, as [`exec`](crate::exec) does.
    #[must_use]
    pub fn etc(mut self, name: NsName) -> Self {
        self.etc = Some(name);
        self
    }

    /// Gives it an `/etc/resolv.conf` with these name servers, of which the C library asks three.
    #[must_use]
    pub fn dns(mut self, servers: impl IntoIterator<Item = IpAddr>) -> Self {
        self.dns = servers.into_iter().collect();
        self
    }

    /// Which users and groups are which inside; where any is said, a user namespace is new.
    #[must_use]
    pub fn maps(mut self, maps: IdMaps) -> Self {
        if !maps.is_empty() {
            self.kinds.insert(NsKind::User);
        }
        self.maps = maps;
        self
    }

    /// Capabilities that neither the command nor what it runs can ever have.
    #[must_use]
    pub fn drop_capabilities(mut self, dropped: Capabilities) -> Self {
        self.dropped = dropped;
        self
    }

    /// Whether programs that are set-uid or have capabilities get none by it.
    #[must_use]
    pub fn no_new_privileges(mut self, yes: bool) -> Self {
        self.no_new_privileges = yes;
        self
    }

    /// Whether process 1 is an init that reaps and passes signals on; the command is process 2 then.
    #[must_use]
    pub fn init(mut self, yes: bool) -> Self {
        self.init = yes;
        self
    }

    /// The signal that process 1 gets when the calling thread ends; KILL unless set. The kernel forgets it where the command
    /// changes its own user; an [`init`](Self::init) keeps it.
    ///
    /// # Errors
    ///
    /// `Invalid` if there is no such signal.
    pub fn death_signal(mut self, number: u8) -> Result<Self> {
        let unknown = || Error::invalid("use signal", number, "there is none of this number");
        self.death_signal = Signal::from_named_raw(number.into()).ok_or_else(unknown)?;
        Ok(self)
    }

    /// Whether it has a session of its own, and so no terminal that it could write to as if the user typed.
    #[must_use]
    pub fn new_session(mut self, yes: bool) -> Self {
        self.new_session = yes;
        self
    }

    /// Whether it has a terminal of its own, whose input and output are passed on.
    #[must_use]
    pub fn own_terminal(mut self, yes: bool) -> Self {
        self.own_terminal = yes;
        self
    }

    /// Its environment, in place of the caller's.
    #[must_use]
    pub fn env(mut self, env: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        self.env = Some(env.into_iter().collect());
        self
    }

    /// Whether it gets no open files but the three standard streams. What the library opens is closed anyway.
    #[must_use]
    pub fn close_fds(mut self, yes: bool) -> Self {
        self.close_fds = yes;
        self
    }

    /// Adds a veth pair: one end outside, in the current namespace or where it says, and one inside. It is up and
    /// ready before the command starts, and gone when `run` returns.
    #[must_use]
    pub fn veth(mut self, ends: [End; 2]) -> Self {
        self.veths.push(ends);
        self
    }

    /// Adds a route inside, after all pairs.
    #[must_use]
    pub fn route(mut self, route: InsideRoute) -> Self {
        self.routes.push(route);
        self
    }

    /// Lists the network namespace by a name below `/run/netns` while the command runs, also where the
    /// calling process is killed meanwhile.
    #[must_use]
    pub fn name(mut self, name: NsName) -> Self {
        self.name = Some(name);
        self
    }

    /// Writes the id of process 1, as it is called outside, to a file while the command runs.
    #[must_use]
    pub fn pidfile(mut self, path: impl Into<PathBuf>) -> Self {
        self.pidfile = Some(path.into());
        self
    }

    /// Whether signals that come to the calling process go on to the command, and stop and continue it as a terminal
    /// would. Only for a process with nothing else to do: it blocks all signals of the calling thread meanwhile.
    #[must_use]
    pub fn forward_signals(mut self, yes: bool) -> Self {
        self.forward_signals = yes;
        self
    }

    /// Whether the command starts only when [`Event::Started`] has been heard; it does unless told otherwise.
    #[must_use]
    pub fn wait_for_hearing(mut self, yes: bool) -> Self {
        self.wait_for_hearing = yes;
        self
    }

    /// Runs the command and waits for its end.
    ///
    /// When this returns, the command and, with a pid namespace, everything it started is gone, and so are the
    /// links and the name.
    ///
    /// # Errors
    ///
    /// `Prepare` where the wishes contradict each other (`Invalid`), or a namespace, a mount, a link could not
    /// be had: nothing of it is left then. `NotFound` and `NotExecutable` for the program.
    pub fn run(&self, events: &mut dyn FnMut(Event)) -> std::result::Result<Ended, ExecError> {
        wishes::refuse_contradictions(self).map_err(ExecError::Prepare)?;
        run::run(self, events)
    }

    fn has(&self, kind: NsKind) -> bool {
        self.kinds.contains(&kind)
    }
}

/// Takes over a descriptor that this process was started with, for a program that was told its number.
/// The number itself no longer reaches programs that are run.
///
/// # Errors
///
/// `Os` (`EBADF`) if it is not open.
pub fn inherited_fd(number: i32) -> Result<OwnedFd> {
    crate::sys::process::inherited(number).map_err(|e| Error::os("use file descriptor", number, e))
}
