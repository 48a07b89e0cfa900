//! `exec`: become a command inside a namespace; with `--all`, run one in each.

use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, ExitStatus},
};

use nsnet::{
    Netns, NsName, NsRef,
    exec::{self, ExecError, ExecOptions, User},
    netns::{self, Entry, State},
};

use super::{Context, Failure, Note};
use crate::{
    args,
    render::{Answer, Run},
};

pub fn exec(args: args::Exec, context: &mut Context<'_>) -> Result<Answer, Failure> {
    if context.globals.all {
        return everywhere(args, context);
    }
    let ns = args.ns.ok_or_else(|| Failure::Usage("'exec' needs a namespace".into()))?;
    let reference = NsRef::new(ns).map_err(ExecError::Prepare).map_err(Failure::Exec)?;
    let ns = Netns::open(&reference).map_err(ExecError::Prepare).map_err(Failure::Exec)?;
    let options = ExecOptions::default().bare(args.bare).user(args.user).etc(reference.ns_name());
    let mut command = args.command;
    if command.is_empty() {
        command.push(shell());
    }
    let notes = &mut context.notes;
    let failure = exec::exec(&ns, &options, &command, &mut |e| notes(Note::Warning(e.to_string())));
    Err(Failure::Exec(failure))
}

pub fn shell() -> OsString {
    std::env::var_os("SHELL").filter(|shell| !shell.is_empty()).unwrap_or_else(|| "/bin/sh".into())
}

/// Runs this very program once a namespace: what becomes a command must be a process of its own.
fn everywhere(args: args::Exec, context: &Context<'_>) -> Result<Answer, Failure> {
    // Without a namespace, the first word is the command's too.
    let words: Vec<_> = args.ns.into_iter().chain(args.command).collect();
    if words.is_empty() {
        return Err(Failure::Usage("'--all exec' needs a command".into()));
    }
    let names = alive()?;
    let mut options: Vec<OsString> = Vec::new();
    options.extend(context.globals.json.then(|| "--json".into()));
    options.extend(context.globals.quiet.then(|| "--quiet".into()));
    options.push("exec".into());
    options.extend(args.bare.then(|| "--bare".into()));
    options.extend(args.user.map(|user: User| format!("--user={user}").into()));
    let mut queue = names.into_iter();
    let mut started: Option<NsName> = None;
    Ok(Answer::Runs(Box::new(std::iter::from_fn(move || match started.take() {
        // The name is shown first, then the command writes for itself.
        None => {
            started = queue.next();
            started.clone().map(Run::Starts)
        }
        Some(name) => Some(Run::Ended(run_in(&name, &options, &words))),
    }))))
}

fn run_in(name: &NsName, options: &[OsString], words: &[OsString]) -> std::io::Result<u8> {
    let status = Command::new("/proc/self/exe")
        .args(options)
        .args(["--".as_ref(), written(name).as_os_str(), "--".as_ref()])
        .args(words)
        .status()?;
    Ok(code_of(status))
}

/// What means this name and nothing else: another tool can make one that reads `pid:1`.
fn written(name: &NsName) -> OsString {
    match NsRef::new(name.as_os_str()) {
        Ok(NsRef::Name(_)) => name.as_os_str().to_owned(),
        _ => Path::new(netns::RUN_DIR).join(name.as_os_str()).into(),
    }
}

/// As a shell says it: 128 and the signal that killed it.
pub fn code_of(status: ExitStatus) -> u8 {
    let signal = status.signal().map(|signal| 128 + signal);
    status.code().or(signal).and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

fn alive() -> nsnet::Result<Vec<NsName>> {
    let mut names = Vec::new();
    for name in netns::list()? {
        let entry = Entry::look(name)?;
        names.extend(entry.filter(|entry| matches!(entry.state, State::Alive(_))).map(|entry| entry.name));
    }
    Ok(names)
}
