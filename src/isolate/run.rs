//! The parent's line: prepare, clone, map, wire, let go, wait, clear away.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::mpsc,
    thread,
};

use rustix::{
    io::Errno,
    pipe::{PipeFlags, pipe_with},
    process::{WaitId, WaitIdOptions, waitid},
};

use super::{
    Ended, Event, InsideRoute, Isolation,
    child::{self, Act, Script, Step},
    idmap::Maps,
    keeper::Keeper,
    pidfile::PidFile,
    report::{self, Report, Told},
    steps,
    supervise::Supervision,
    terminal::{Foreground, Relay},
    why,
};
use crate::{
    addr::End,
    error::{Error, ErrorKind, Result},
    exec::ExecError,
    inspect::NsKind,
    name::{NsRef, quoted},
    netlink::{
        self, Netlink,
        route::{Beside, Route},
        veth::{self, Undo, VethEnd, VethOptions},
    },
    netns::Netns,
    sys::{
        process::{self, Child, Pointers, Program},
        signal::{Blocked, ChildrenKnown, SignalFd},
    },
};

type Events<'a> = &'a mut dyn FnMut(Event);

/// What holds for the whole of a run, wherever the child is cloned.
struct Setting<'a> {
    wishes: &'a Isolation,
    /// Where the outer end of each pair lives.
    outside: Vec<Netns>,
    signals: Blocked,
}

pub(super) fn run(wishes: &Isolation, events: Events<'_>) -> std::result::Result<Ended, ExecError> {
    let current = |end: &End| end.ns.clone().unwrap_or(NsRef::Current);
    let outside = wishes.veths.iter().map(|[outer, _]| Netns::open(&current(outer))).collect::<Result<_>>();
    let setting = Setting { wishes, outside: outside.map_err(ExecError::Prepare)?, signals: Blocked::block() };
    match &wishes.join {
        None => setting.run_here(events),
        Some(ns) => setting.run_inside(ns, events),
    }
}

/// What came too late for the command is not meant for who tells of its end.
impl Drop for Setting<'_> {
    fn drop(&mut self) {
        if let (true, Ok(late)) = (self.wishes.forward_signals, SignalFd::open()) {
            while late.take().is_some() {}
        }
    }
}

impl Setting<'_> {
    /// A child of a thread that entered is in there from its birth: later, out of a user namespace of its own, it could not
    /// enter what belongs to another. The thread lives as long as the child, which would end with it.
    fn run_inside(&self, ns: &Netns, events: Events<'_>) -> std::result::Result<Ended, ExecError> {
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            let work = move || {
                ns.enter().map_err(ExecError::Prepare)?;
                // Who listens waits for this thread.
                self.run_here(&mut |event| drop(sender.send(event)))
            };
            let started = thread::Builder::new().spawn_scoped(scope, work);
            let worker = started.map_err(|e| ExecError::Prepare(Error::os("start", "a thread", e)))?;
            receiver.into_iter().for_each(events);
            worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn run_here(&self, events: Events<'_>) -> std::result::Result<Ended, ExecError> {
        let mut prepared = self.prepare().map_err(ExecError::Prepare)?;
        let mut running = self.clone_child(&mut prepared).map_err(ExecError::Prepare)?;
        // The child has its own copies of what it needs; of ours, its terminal would never end.
        let mut hearing =
            Hearing { steps: prepared.steps.into_iter().map(Shown::from).collect(), events, failure: None };
        if let Err(error) = self.set_up(&mut running, &prepared.maps, &mut hearing) {
            running.end();
            running.is_ready(&mut hearing);
            self.remove_routes_of(&mut running, &mut *hearing.events);
            // A child that failed meanwhile is the cause of what failed here.
            return Err(match hearing.failure {
                Some((at, errno)) => self.explain(&hearing.steps, at, errno),
                None => ExecError::Prepare(error),
            });
        }
        if !self.wishes.forward_signals {
            self.signals.restore();
        }
        let ended = self.supervise(&mut running, prepared.relay, &mut hearing).map_err(ExecError::Prepare)?;
        self.clear_away(running, hearing.events);
        hearing.failure.map_or(Ok(ended), |(at, errno)| Err(self.explain(&hearing.steps, at, errno)))
    }

    fn prepare(&self) -> Result<Prepared> {
        let maps = Maps::resolve(&self.wishes.maps)?;
        let relay = self.wishes.own_terminal.then(Relay::open).transpose()?;
        let (relay, terminal) = relay.unzip();
        let steps = steps::plan(self.wishes, &maps, terminal)?;
        let keeper = self.wishes.name.as_ref().map(Keeper::start).transpose()?;
        Ok(Prepared { maps, relay, steps, keeper })
    }

    fn clone_child(&self, prepared: &mut Prepared) -> Result<Running> {
        let failed = |e: Errno| Error::os("make", "a pipe", e);
        let (gate, opener) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
        let (told, report) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
        let command: Vec<_> = self.wishes.command.iter().map(process::c_string).collect();
        let env = self.wishes.env.clone().unwrap_or_else(process::environment);
        let path = env.iter().rev().find(|(key, _)| key == "PATH").map(|(_, value)| value.as_os_str());
        let candidates = process::candidates(&self.wishes.command[0], path);
        let variables = process::variables(&env);
        let env = Pointers::new(variables.iter().map(|variable| &**variable));
        let program = Program::new(&candidates, &command, env);
        let children = ChildrenKnown::make();
        match process::clone3(self.flags()).map_err(|e| why::clone_refused(&self.kinds(), e))? {
            Some(child) => Ok(Running {
                child,
                reaped: false,
                pairs: Vec::new(),
                routes: Vec::new(),
                pidfile: None,
                keeper: prepared.keeper.take(),
                foreground: self.wishes.forward_signals.then(Foreground::remember).flatten(),
                opener,
                told: Some(told),
                _children: children,
            }),
            None => {
                // Held by the child itself, the gate would never come to its end.
                drop((opener, told));
                child::run(Script {
                    steps: &mut prepared.steps,
                    program,
                    init: self.wishes.init,
                    gate,
                    report: Report::new(report),
                    signals: &self.signals,
                    children: &children,
                })
            }
        }
    }

    fn kinds(&self) -> Vec<NsKind> {
        self.wishes.kinds.iter().copied().collect()
    }

    /// A time namespace needs its offsets before anybody lives in it: the child makes that itself.
    fn flags(&self) -> i32 {
        self.wishes.kinds.iter().filter(|kind| **kind != NsKind::Time).fold(0, |flags, kind| flags | kind.flag())
    }

    /// Everything that must be there before the command starts.
    fn set_up(&self, running: &mut Running, maps: &Maps, hearing: &mut Hearing<'_>) -> Result<()> {
        let pid = running.child.pid;
        if self.wishes.has(NsKind::User) {
            maps.write(number_of(&running.child)?)?;
            running.open_gate()?;
        }
        let waits = self.waits();
        if !waits {
            // Waiting for each other would take longer than what is left to do.
            running.open_gate()?;
        }
        if self.needs_inside() {
            let inside = Netns::of_child(number_of(&running.child)?, "the new namespace")?;
            self.wire(&inside, running)?;
            if let Some(keeper) = &mut running.keeper {
                keeper.name(&inside)?;
            }
        }
        running.pidfile = self.wishes.pidfile.as_ref().map(|path| PidFile::write(path, pid)).transpose()?;
        // What failed in the child is told when its end is seen.
        if running.is_ready(hearing) {
            (hearing.events)(Event::Started { pid });
            if waits {
                running.open_gate()?;
            }
        }
        Ok(())
    }

    /// Whether something must be done outside before the command starts.
    fn waits(&self) -> bool {
        self.wishes.wait_for_hearing || self.needs_inside() || self.wishes.pidfile.is_some()
    }

    fn needs_inside(&self) -> bool {
        let wired = !self.wishes.veths.is_empty() || !self.wishes.routes.is_empty();
        wired || self.wishes.name.is_some()
    }

    fn wire(&self, inside: &Netns, running: &mut Running) -> Result<()> {
        if self.wishes.veths.is_empty() && self.wishes.routes.is_empty() {
            return Ok(());
        }
        let Running { pairs, routes, .. } = running;
        netlink::to_the_end(async || {
            for ([outer, inner], ns) in self.wishes.veths.iter().zip(&self.outside) {
                let ends = [
                    VethEnd::new(ns, &outer.ifname).addrs(&outer.addrs),
                    VethEnd::new(inside, &inner.ifname).addrs(&inner.addrs),
                ];
                let (_, pair) = veth::lend(&ends, &VethOptions::default()).await.map_err(wants_the_outer_one)?;
                pairs.push(pair);
            }
            add_routes(inside, &self.wishes.routes, routes).await
        })
    }

    fn supervise(&self, running: &mut Running, relay: Option<Relay>, hearing: &mut Hearing<'_>) -> Result<Ended> {
        let signals = self.wishes.forward_signals.then(SignalFd::open).transpose();
        let signals = signals.map_err(|e| Error::os("take", "signals", e))?;
        let supervision = Supervision {
            child: &running.child,
            told: running.told.take(),
            signals,
            relay,
            bare_process_1: self.wishes.has(NsKind::Pid) && !self.wishes.init,
            init: self.wishes.init,
            split: false,
            killed_for: None,
        };
        let ended = supervision.follow(&mut |told| hearing.hear(told));
        running.reaped = true;
        Ok(ended)
    }

    /// Takes away what outlives the command; what cannot be taken away is told.
    fn clear_away(&self, mut running: Running, events: Events<'_>) {
        self.remove_routes_of(&mut running, events);
        if let Some(Err(e)) = running.keeper.as_mut().map(Keeper::unname) {
            events(Event::Warning(e));
        }
    }

    /// In a namespace that was joined, they would stay.
    fn remove_routes_of(&self, running: &mut Running, events: Events<'_>) {
        let routes = std::mem::take(&mut running.routes);
        if let (Some(ns), false) = (&self.wishes.join, routes.is_empty())
            && let Err(e) = remove_routes(ns, &routes)
        {
            events(Event::Warning(e));
        }
    }

    /// A step that failed, or the program behind the last.
    fn explain(&self, steps: &[Shown], at: usize, errno: Errno) -> ExecError {
        if let Some(step) = steps.get(at) {
            return ExecError::Prepare(step.refused(errno));
        }
        let error = Error::os("execute", quoted(&self.wishes.command[0]), errno);
        match error.kind() {
            ErrorKind::NotFound => ExecError::NotFound(error),
            _ => ExecError::NotExecutable(error),
        }
    }
}

/// What is made ready before the clone.
struct Prepared {
    maps: Maps,
    relay: Option<Relay>,
    steps: Vec<Step>,
    keeper: Option<Keeper>,
}

/// What the child tells, in words.
struct Hearing<'a> {
    steps: Vec<Shown>,
    events: Events<'a>,
    failure: Option<(usize, Errno)>,
}

impl Hearing<'_> {
    fn hear(&mut self, told: Told) {
        match told {
            Told::Failed(at, errno) => self.failure = Some((at, errno)),
            Told::Warned(at, errno) => (self.events)(Event::Warning(self.steps[at].refused(errno))),
            Told::Ready | Told::Split | Told::Stopped => {}
        }
    }
}

/// Who may not make links outside owns no namespace there.
fn wants_the_outer_one(error: Error) -> Error {
    match (error.kind(), error.reason()) {
        (ErrorKind::Denied, None) => error.because("it takes CAP_NET_ADMIN over the namespace of the outer end"),
        _ => error,
    }
}

/// Those that were added are in `added`, as they were, also where one fails.
async fn add_routes(inside: &Netns, routes: &[InsideRoute], added: &mut Vec<Route>) -> Result<()> {
    if routes.is_empty() {
        return Ok(());
    }
    let netlink = Netlink::open(inside)?;
    for InsideRoute { route, device } in routes {
        let mut route = route.clone();
        if let Some(device) = device {
            route.hop.device = netlink.index_of(device).await?;
        }
        netlink.apply(route.put(Beside::Nothing)).await?;
        added.push(route);
    }
    Ok(())
}

/// A namespace that lives on is left without them. Those through a pair that is gone are gone with it.
fn remove_routes(ns: &Netns, routes: &[Route]) -> Result<()> {
    netlink::to_the_end(async || {
        let netlink = Netlink::open(ns)?;
        for route in routes {
            // Best effort: somebody may have removed it.
            let _ = netlink.apply(route.delete()).await;
        }
        Ok(())
    })
}

/// What the child is called in `/proc`.
fn number_of(child: &Child) -> Result<u32> {
    let reason = "'/proc' here is that of another pid namespace; mount one of this namespace over it";
    child.number_in_proc().ok_or_else(|| Error::of_kind(ErrorKind::NotFound, "find", "the child in '/proc'", reason))
}

/// A step without what it does: the words for its failure.
struct Shown {
    op: &'static str,
    subject: String,
    hint: Option<&'static str>,
    /// The kind of namespace that it makes.
    makes: Option<NsKind>,
}

impl From<Step> for Shown {
    fn from(step: Step) -> Self {
        let makes = matches!(step.act, Act::EnterNewTime(_)).then_some(NsKind::Time);
        Self { op: step.op, subject: step.subject, hint: step.hint, makes }
    }
}

impl Shown {
    fn refused(&self, errno: Errno) -> Error {
        let error = Error::os(self.op, &self.subject, errno);
        if let (Errno::NOSPC, Some(kind)) = (errno, self.makes) {
            return error.because(why::full(&[kind]));
        }
        match self.hint {
            Some(hint) => error.because(hint),
            None => error,
        }
    }
}

/// A child and what was made for it. Dropped, all of it goes, the child first.
struct Running {
    child: Child,
    reaped: bool,
    pairs: Vec<Undo>,
    routes: Vec<Route>,
    pidfile: Option<PidFile>,
    keeper: Option<Keeper>,
    foreground: Option<Foreground>,
    opener: OwnedFd,
    told: Option<OwnedFd>,
    _children: ChildrenKnown,
}

impl Running {
    /// A child that has failed meanwhile has told why; nobody reads this then.
    fn open_gate(&self) -> Result<()> {
        match rustix::io::write(&self.opener, b"1") {
            Ok(_) | Err(Errno::PIPE) => Ok(()),
            Err(e) => Err(Error::os("tell", "the child to go on", e)),
        }
    }

    /// Ends the child, unless it has ended.
    fn end(&mut self) {
        if !self.reaped {
            let _ = process::send_signal(&self.child.pidfd, rustix::process::Signal::KILL.as_raw());
            let _ = waitid(WaitId::PidFd(self.child.pidfd.as_fd()), WaitIdOptions::EXITED);
            self.reaped = true;
        }
    }

    /// Waits until the child has done all its steps; not so where one failed.
    fn is_ready(&self, hearing: &mut Hearing<'_>) -> bool {
        loop {
            match self.told.as_ref().and_then(report::read) {
                Some(Told::Ready) => return true,
                Some(told) => hearing.hear(told),
                None => return false,
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
        if let Some(foreground) = &self.foreground {
            foreground.take_back();
        }
    }
}
