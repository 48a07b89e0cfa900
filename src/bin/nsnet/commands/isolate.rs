//! `isolate`: run a command in namespaces of its own.

use std::{collections::BTreeSet, ffi::OsString, io::Write};

use nsnet::{
    Netns, NsRef,
    exec::ExecError,
    inspect::{self, NsKind},
    isolate::{self, Capabilities, Event, InsideRoute, Isolation},
    netlink::route::Beside,
};

use super::{Context, Failure, Note, exec::shell};
use crate::{
    args::isolate::{Isolate, Kinds},
    iproute2::Names,
    render::{Answer, status},
    report,
    words::{
        Asked, Misuse,
        route::{self, Request},
    },
};

pub fn isolate(args: Isolate, names: &Names, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let status = args.process.status_fd.map(isolate::inherited_fd).transpose();
    let mut status = status.map_err(ExecError::Prepare).map_err(Failure::Exec)?.map(std::fs::File::from);
    let isolation = wanted(args, names, context)?.wait_for_hearing(status.is_some());
    let notes = &mut context.notes;
    let ended = isolation.run(&mut |event| match event {
        Event::Started { pid } => tell(status.as_mut(), || status::started(pid, &namespaces(pid))),
        Event::Warning(warning) => notes(Note::Warning(warning.to_string())),
        _ => {}
    });
    match ended {
        Ok(ended) => {
            tell(status.as_mut(), || status::ended(ended));
            Ok(Answer::Verdict(ended.code()))
        }
        // Wishes that contradict each other are a misunderstanding; nothing was tried.
        Err(ExecError::Prepare(e)) if e.kind() == nsnet::ErrorKind::Invalid => Err(Failure::Work(e)),
        Err(e) => {
            tell(status.as_mut(), || status::not_run(report::code_of(&e)));
            Err(Failure::Exec(e))
        }
    }
}

/// Who asked for the status may be gone.
fn tell(to: Option<&mut std::fs::File>, line: impl FnOnce() -> String) {
    if let Some(to) = to {
        let _ = to.write_all(line().as_bytes());
    }
}

fn namespaces(pid: u32) -> Vec<(NsKind, u64)> {
    let all = inspect::namespaces_of(pid).unwrap_or_default();
    all.into_iter().filter_map(|(kind, ns)| Some((kind, ns.ok()?.id.inode))).collect()
}

fn wanted(args: Isolate, names: &Names, context: &Context<'_>) -> Result<Isolation, Failure> {
    let maps = args.ids.maps();
    if args.kinds.unwanted.contains(&NsKind::User) && !maps.is_empty() {
        return Err(Failure::Usage("'--no-user' takes away the user namespace that mapping ids makes".into()));
    }
    let mut command = args.command;
    if command.is_empty() {
        command.push(shell());
    }
    let dropped = args.ids.cap_drop.iter().fold(Capabilities::default(), |all, some| all.and(*some));
    let mut isolation = Isolation::new(command)
        .kinds(kinds(&args.kinds, context.globals.all))
        .propagation(args.files.propagation.into())
        .proc(!args.files.no_proc)
        .sys(!args.files.no_sys)
        .close_fds(args.files.close_fds)
        .dns(args.network.dns)
        .maps(maps)
        .drop_capabilities(dropped)
        .no_new_privileges(args.ids.no_new_privs)
        .init(args.process.init)
        .death_signal(args.process.kill_child)?
        .new_session(args.process.new_session)
        .own_terminal(args.process.tty)
        .forward_signals(true);
    isolation = args.hostname.into_iter().fold(isolation, Isolation::hostname);
    isolation = args.domainname.into_iter().fold(isolation, Isolation::domainname);
    isolation = args.boottime.into_iter().fold(isolation, Isolation::boottime);
    isolation = args.monotonic.into_iter().fold(isolation, Isolation::monotonic);
    isolation = args.files.root.into_iter().fold(isolation, Isolation::root);
    isolation = args.files.wd.into_iter().fold(isolation, Isolation::directory);
    isolation = args.process.pidfile.into_iter().fold(isolation, Isolation::pidfile);
    let mut ends = args.network.veth.into_iter();
    while let (Some(outer), Some(inner)) = (ends.next(), ends.next()) {
        isolation = isolation.veth([outer, inner]);
    }
    for text in &args.network.route {
        isolation = isolation.route(inside_route(text, names)?);
    }
    if args.process.clear_env || !args.process.env.is_empty() {
        isolation = isolation.env(environment(args.process.clear_env, args.process.env));
    }
    if let Some(name) = args.network.name {
        isolation = isolation.etc(name.clone()).name(name);
    }
    match &context.globals.netns {
        Some(reference) => joined(isolation, reference, &args.kinds),
        None => Ok(isolation),
    }
}

/// None named are the five; a map makes the user namespace that it is for.
fn kinds(args: &Kinds, all: bool) -> BTreeSet<NsKind> {
    let named = match (all, args.wanted.is_empty()) {
        (true, _) => NsKind::ALL.into(),
        (false, true) => Isolation::FIVE.into(),
        (false, false) => args.wanted.clone(),
    };
    named.difference(&args.unwanted).copied().collect()
}

fn joined(isolation: Isolation, reference: &NsRef, kinds: &Kinds) -> Result<Isolation, Failure> {
    if kinds.wanted.contains(&NsKind::Net) {
        return Err(Failure::Usage("'--net' makes a network namespace, '--netns' joins one: choose".into()));
    }
    let ns = Netns::open(reference).map_err(ExecError::Prepare).map_err(Failure::Exec)?;
    let isolation = reference.name().into_iter().cloned().fold(isolation, Isolation::etc);
    Ok(isolation.join(ns))
}

fn environment(clear: bool, set: Vec<(OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let mut env: Vec<_> = if clear { Vec::new() } else { std::env::vars_os().collect() };
    for (key, value) in set {
        env.retain(|(own, _)| *own != key);
        env.push((key, value));
    }
    env
}

fn inside_route(text: &str, names: &Names) -> Result<InsideRoute, Failure> {
    let words: Vec<OsString> = ["add"].into_iter().chain(text.split_ascii_whitespace()).map(Into::into).collect();
    let misread = || Failure::Usage(format!("'--route {text}' is no route to add; 'nsnet route help' has its words"));
    match route::read(&words, names, None).map_err(|Misuse(why)| Failure::Usage(format!("'--route {text}': {why}")))? {
        Asked::For { request: Request::Put(draft, Beside::Nothing), place: None } if draft.hop_devices.is_empty() => {
            Ok(InsideRoute { route: draft.route, device: draft.device })
        }
        _ => Err(misread()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_those_named_or_the_five() {
        let is = |wanted: &[NsKind], unwanted: &[NsKind], all, expected: &[NsKind]| {
            let args = Kinds { wanted: wanted.iter().copied().collect(), unwanted: unwanted.iter().copied().collect() };
            assert_eq!(kinds(&args, all), expected.iter().copied().collect(), "{args:?}");
        };
        is(&[], &[], false, &Isolation::FIVE);
        is(&[NsKind::Net], &[], false, &[NsKind::Net]);
        is(&[], &[NsKind::Net], false, &[NsKind::Uts, NsKind::Ipc, NsKind::Pid, NsKind::Mnt]);
        is(&[], &[], true, &NsKind::ALL);
    }
}
