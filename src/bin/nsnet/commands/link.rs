//! `link show`: links, and where their other ends are.

use std::collections::BTreeMap;

use nsnet::{Device, Link, Netlink, Netns, NsRef, netns};

use super::{Context, Failure, block_on};
use crate::{
    args,
    render::{Answer, LinkRow},
};

pub fn show(args: args::LinkShow, context: &Context<'_>) -> Result<Answer, Failure> {
    let (ns, name) = match args.device {
        Some(Device { ns: Some(ns), name }) => (Netns::open(&ns)?, Some(name)),
        Some(Device { ns: None, name }) => (context.place()?, Some(name)),
        None => (context.place()?, None),
    };
    let rows = block_on(async { Ok(rows(&ns, name.as_deref()).await?) })?;
    Ok(Answer::Links { rows, brief: context.globals.brief })
}

async fn rows(ns: &Netns, name: Option<&str>) -> nsnet::Result<Vec<LinkRow>> {
    let netlink = Netlink::open(ns)?;
    let links = match name {
        Some(name) => vec![netlink.link(name).await?],
        None => netlink.links().await?,
    };
    let elsewhere = links.iter().any(|link| link.lower_nsid.is_some());
    let known = if elsewhere { known_namespaces(ns)? } else { BTreeMap::new() };
    let mut rows = Vec::new();
    for link in links {
        let peer_ifname = netlink.peer_name(&link).await?;
        let link_netns = nsid(&link).and_then(|id| known.get(&id).cloned());
        rows.push(LinkRow { link, link_netns, peer_ifname });
    }
    Ok(rows)
}

fn nsid(link: &Link) -> Option<u32> {
    link.lower_nsid.and_then(|id| u32::try_from(id).ok())
}

/// What the ids in a namespace stand for: names, or the namespace that nsnet was started in.
fn known_namespaces(viewer: &Netns) -> nsnet::Result<BTreeMap<u32, NsRef>> {
    let mut known = BTreeMap::new();
    if let Some(id) = netns::nsid_of(viewer, &Netns::current()?)? {
        known.insert(id, NsRef::Current);
    }
    for peer in netns::nsid_peers(viewer, None)? {
        if let (Some(id), Some(name)) = (peer.nsid, peer.name) {
            known.insert(id, NsRef::Name(name));
        }
    }
    Ok(known)
}
