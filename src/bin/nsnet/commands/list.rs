//! `list`: the names.

use nsnet::{
    Netns, NsName, NsRef,
    netlink::link,
    netns::{self, Entry, State},
};

use super::{Context, Failure};
use crate::{
    args,
    render::{Answer, ListRow, TableRow},
};

pub fn list(args: &args::List, context: &Context<'_>) -> Result<Answer, Failure> {
    let names = netns::list()?;
    let ids = netns::nsids(&context.place()?, &names)?;
    let named = names.into_iter().zip(ids);
    if args.long {
        return table(named);
    }
    if !context.globals.json {
        return Ok(Answer::List(named.map(|(name, nsid)| ListRow { name, nsid, entry: None }).collect()));
    }
    let mut rows = Vec::new();
    for (name, nsid) in named {
        // A name that went meanwhile is not listed.
        rows.extend(Entry::look(name)?.map(|entry| ListRow { name: entry.name, nsid, entry: Some(entry.state) }));
    }
    Ok(Answer::List(rows))
}

fn table(named: impl Iterator<Item = (NsName, Option<u32>)>) -> Result<Answer, Failure> {
    let population = netns::population()?;
    let mut rows = Vec::new();
    for (name, nsid) in named {
        let Some(Entry { name, state, .. }) = Entry::look(name)? else { continue };
        let (links, processes) = match state {
            State::Alive(id) => (count_links(&name), Some(population.get(&id).copied().unwrap_or(0))),
            _ => (None, None),
        };
        rows.push(TableRow { name, nsid, state, links, processes });
    }
    Ok(Answer::Table(rows))
}

/// `None` where it cannot be told: without privilege, or when the namespace went meanwhile.
fn count_links(name: &NsName) -> Option<usize> {
    let ns = Netns::open(&NsRef::Name(name.clone())).ok()?;
    link::count(&ns).ok()
}
