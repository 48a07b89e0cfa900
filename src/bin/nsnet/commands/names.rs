//! `add`, `del`, `attach`, `rename`, `prune` and `monitor`: names that come and go.

use std::path::Path;

use nsnet::{
    ErrorKind, Netns, NsName, NsRef,
    name::escaped,
    netns::{self, CreateOptions, Deletion, Hold, Holder, Outcome, Watch},
};

use super::{Context, Failure};
use crate::{
    args::{Add, Attach, Del, Rename},
    render::{Answer, Removed},
};

pub fn add(args: &Add, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let options = CreateOptions::default().if_missing(args.if_missing).lo_up(!args.no_lo);
    let made = netns::create(&args.names, options)?;
    for name in args.names.iter().filter(|name| !made.contains(name)) {
        context.detail(|| format!("{name} exists already"));
    }
    for name in &made {
        context.detail(|| format!("{name} is made"));
    }
    Ok(Answer::Names(made))
}

pub fn attach(args: Attach) -> Result<Answer, Failure> {
    netns::attach(&args.name, &Netns::open(&NsRef::Pid(args.pid))?)?;
    Ok(Answer::Names(vec![args.name]))
}

pub fn rename(args: Rename) -> Result<Answer, Failure> {
    netns::rename(&args.old, &args.new)?;
    Ok(Answer::Names(vec![args.new]))
}

pub fn prune() -> Result<Answer, Failure> {
    Ok(Answer::Pruned(netns::prune()?))
}

pub fn monitor() -> nsnet::Result<Answer> {
    let mut watch = Watch::start()?;
    Ok(Answer::Changes(Box::new(std::iter::from_fn(move || Some(watch.next_change())))))
}

pub fn del(args: Del, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let names = match (context.globals.all, args.names.is_empty()) {
        (true, true) => every_namespace()?,
        (false, false) => args.names,
        (true, false) => return Err(Failure::Usage("'del --all' takes no names".into())),
        (false, true) => return Err(Failure::Usage("'del' needs a NAME, or --all".into())),
    };
    let mut removed = Vec::new();
    let mut failed = false;
    for Deletion { name, result, .. } in netns::delete_all(&names, !args.no_wait)? {
        match result {
            Err(e) if args.if_exists && e.kind() == ErrorKind::NotFound => {
                context.detail(|| format!("{name} does not exist"));
            }
            Err(e) => {
                failed = true;
                context.error(e);
            }
            Ok(outcome) => {
                if let Some(warning) = lives_on(&name, &outcome) {
                    context.warn(warning);
                }
                context.detail(|| format!("{name} is deleted"));
                removed.push(Removed { name, outcome });
            }
        }
    }
    Ok(Answer::Removed { removed, failed })
}

/// Everything but what is foreign: that is nobody's to remove unasked.
fn every_namespace() -> nsnet::Result<Vec<NsName>> {
    let mut names = Vec::new();
    for name in netns::list()? {
        let entry = netns::Entry::look(name)?;
        names.extend(entry.filter(|entry| !matches!(entry.state, netns::State::Foreign(_))).map(|entry| entry.name));
    }
    Ok(names)
}

pub fn lives_on(name: &NsName, outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Held(holders) => {
            let shown: Vec<_> = holders.iter().take(5).map(hold).collect();
            let more = match holders.len().saturating_sub(5) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            Some(format!("{name} is deleted, but its namespace lives on: {}{more}", shown.join(", ")))
        }
        Outcome::HeldUnseen => Some(format!(
            "{name} is deleted, but its namespace lives on, held by something that nsnet cannot see (a socket, perhaps)"
        )),
        Outcome::Unwatched(e) => Some(format!("{name} is deleted; whether its namespace is gone is unknown: {e}")),
        _ => None,
    }
}

fn hold(holder: &Holder) -> String {
    let how = match &holder.hold {
        Hold::Process => "lives in it".to_owned(),
        Hold::Thread(tid) => format!("has thread {tid} in it"),
        Hold::File(fd) => format!("has it open as descriptor {fd}"),
        Hold::Mount(path) if path.parent() == Some(Path::new(netns::RUN_DIR)) => {
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            return format!("it also has the name '{}'", escaped(name));
        }
        Hold::Mount(path) => format!("sees it mounted on '{}'", path.to_string_lossy().escape_debug()),
        _ => "holds it".to_owned(),
    };
    format!("process {} ({}) {how}", holder.pid, holder.command.escape_debug())
}
