//! The other ends of links: found by the identity of their namespace, never by a matching index,
//! because two namespaces can hold the same one.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    error::Result,
    name::NsRef,
    netlink::{Netlink, link::Link, link::Lower},
    netns::{self, Netns},
};

/// Where the other end of a link is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// The other namespace that it lives in, or that its parent lives in: its first name, else the
    /// current namespace, else a process there. `None` if it is the same one, or none of these.
    pub netns: Option<NsRef>,
    /// Its name there, where it is the other end of a pair.
    pub ifname: Option<String>,
}

/// Finds the other ends of the links of one namespace, in their order.
///
/// The kernel gives the namespace of an other end as an id that only this namespace knows; what it
/// stands for is asked of the kernel for names first, then for the current namespace, then for
/// those of processes.
///
/// # Errors
///
/// `Os` if the kernel cannot be asked.
///
/// # Panics
///
/// Outside of a tokio runtime.
pub async fn peers(ns: &Netns, links: &[Link]) -> Result<Vec<Peer>> {
    let ids = links.iter().filter_map(nsid).collect();
    let known = behind(ns, ids)?;
    let mut connections = BTreeMap::new();
    let mut peers = Vec::with_capacity(links.len());
    for link in links {
        let there = nsid(link).and_then(|id| Some((id, known.get(&id)?)));
        let ifname = match there {
            Some((id, reference)) => {
                far_name(link, connections.entry(id).or_insert_with(|| connect(reference)).as_ref()).await
            }
            None => near_name(link),
        };
        peers.push(Peer { netns: there.map(|(_, reference)| reference.clone()), ifname });
    }
    Ok(peers)
}

fn nsid(link: &Link) -> Option<u32> {
    link.lower_nsid.and_then(|id| u32::try_from(id).ok())
}

/// `None` where it may not be entered, or went meanwhile: then the name is unknown, no more.
fn connect(reference: &NsRef) -> Option<Netlink> {
    Netlink::open(&Netns::open(reference).ok()?).ok()
}

async fn far_name(link: &Link, connection: Option<&Netlink>) -> Option<String> {
    let (_, index) = link.peer_elsewhere()?;
    Some(connection?.link_at(index).await.ok()?.name)
}

fn near_name(link: &Link) -> Option<String> {
    match &link.lower {
        Some(Lower::Here(name)) if link.is_pair() => name.clone(),
        _ => None,
    }
}

/// What ids in a namespace stand for.
fn behind(viewer: &Netns, mut wanted: BTreeSet<u32>) -> Result<BTreeMap<u32, NsRef>> {
    let mut known = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(known);
    }
    for peer in netns::nsid_peers(viewer, None)? {
        if let (Some(id), Some(name)) = (peer.nsid, peer.name) {
            wanted.remove(&id);
            known.insert(id, NsRef::Name(name));
        }
    }
    let mut try_one = |reference: NsRef| -> Result<bool> {
        // One that went meanwhile, or may not be opened, is not it.
        let Ok(candidate) = Netns::open(&reference) else { return Ok(false) };
        if let Some(id) = netns::nsids_of(viewer, &[candidate])?.into_iter().flatten().next()
            && wanted.remove(&id)
        {
            known.insert(id, reference);
        }
        Ok(wanted.is_empty())
    };
    if try_one(NsRef::Current)? {
        return Ok(known);
    }
    for residents in netns::inhabited()?.into_values() {
        if let Some(&pid) = residents.first()
            && try_one(NsRef::Pid(pid))?
        {
            break;
        }
    }
    Ok(known)
}
