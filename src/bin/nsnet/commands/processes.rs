//! `identify` and `pids`: processes and the namespaces they live in.

use nsnet::{Netns, NsRef, netns};

use super::{Context, Failure};
use crate::{
    args::{Identify, Pids},
    render::Answer,
};

pub fn identify(args: &Identify, context: &Context<'_>) -> Result<Answer, Failure> {
    let ns = match args.pid {
        Some(pid) => Netns::open(&NsRef::Pid(pid))?,
        None => context.place()?,
    };
    Ok(Answer::Identified(netns::identify(&ns)?))
}

pub fn pids(args: &Pids, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let found = netns::residents(&Netns::open(&args.ns)?)?;
    if found.unreadable > 0 {
        let (count, word) = (found.unreadable, if found.unreadable == 1 { "process" } else { "processes" });
        context.warn(format!("{count} {word} may not be looked at, and may live there too"));
    }
    Ok(Answer::Residents(found.residents))
}
