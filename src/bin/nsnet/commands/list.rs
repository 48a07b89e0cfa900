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
    let rows = names.into_iter().zip(ids);
    if args.long {
        return table(rows);
    }
    if !context.globals.json {
        return Ok(Answer::List(rows.map(|(name, nsid)| ListRow { name, nsid, entry: None }).collect()));
    }
    let mut looked_at = Vec::new();
    for (name, nsid) in rows {
        // A name that went meanwhile is not listed.
        looked_at.extend(Entry::look(name)?.map(|entry| ListRow { name: entry.name, nsid, entry: Some(entry.state) }));
    }
    Ok(Answer::List(looked_at))
}

fn table(named: impl Iterator<Item = (NsName, Option<u32>)>) -> Result<Answer, Failure> {
    let inhabited = netns::inhabited()?;
    let mut rows = Vec::new();
    for (name, nsid) in named {
        let Some(Entry { name, state, .. }) = Entry::look(name)? else { continue };
        let (links, processes) = match state {
            State::Alive(id) => {
                let links = count_links(&name);
                let processes = inhabited.get(&id).map_or(0, Vec::len);
                // Who may not look inside may not look at others' processes either.
                (links, (processes > 0 || links.is_some()).then_some(processes))
            }
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
