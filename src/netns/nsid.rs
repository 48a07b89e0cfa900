//! Ids of namespaces: small numbers that one namespace knows others by.

use std::collections::BTreeMap;

use super::{Netns, named::list};
use crate::{
    error::{Error, Result},
    name::NsName,
    netlink::{nsid::Ids, raw::Socket},
};

/// An id to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nsid {
    /// Any that is free.
    Auto,
    /// This one, up to 2,147,483,647.
    Id(u32),
}

/// A namespace that has an id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NsidPeer {
    /// The id in the namespace that was asked about.
    pub nsid: Option<u32>,
    /// The id in the viewer's namespace, where another one was asked about; `None` if it has none.
    pub current_nsid: Option<u32>,
    /// The first of its names, where it has one.
    pub name: Option<NsName>,
}

/// Namespaces are held open while they are asked about, so many at a time.
const PART: usize = 64;

fn socket_in(viewer: &Netns) -> Result<Socket> {
    viewer.inside(Socket::open)?.map_err(|e| Error::os("open a netlink socket in", viewer, e))
}

/// Gives a namespace an id in the viewer's namespace (`ip netns set`).
///
/// # Errors
///
/// `Exists` if it has an id there already, or the id is taken; `Denied` without `CAP_NET_ADMIN`.
pub fn set_nsid(viewer: &Netns, ns: &Netns, id: Nsid) -> Result<()> {
    let id = match id {
        Nsid::Auto => None,
        Nsid::Id(id) => Some(id),
    };
    socket_in(viewer)?.assign_nsid(ns, id).map_err(|e| e.into_error("set the id of", ns))
}

/// The id that a namespace has in the viewer's namespace.
///
/// # Errors
///
/// `Os` if the kernel cannot be asked.
pub fn nsid_in(viewer: &Netns, ns: &Netns) -> Result<Option<u32>> {
    socket_in(viewer)?.nsid_of(ns).map_err(|e| e.into_error("ask for the id of", ns))
}

/// The ids that open namespaces have in the viewer's namespace, in their order.
///
/// # Errors
///
/// `Os` if the kernel cannot be asked.
pub(crate) fn nsids_of(viewer: &Netns, namespaces: &[Netns]) -> Result<Vec<Option<u32>>> {
    let answers = socket_in(viewer)?.nsids_of(namespaces);
    let answers = answers.map_err(|e| Error::os("ask for the ids of", "namespaces", e))?;
    Ok(answers.into_iter().map(|answer| answer.ok().flatten()).collect())
}

/// The ids that names have in the viewer's namespace, in the order of the names.
///
/// # Errors
///
/// `Os` if the kernel cannot be asked.
pub fn nsids(viewer: &Netns, names: &[NsName]) -> Result<Vec<Option<u32>>> {
    let mut socket = socket_in(viewer)?;
    let failed = |e| Error::os("ask for the ids of", "namespaces", e);
    if socket.all_nsids(None).map_err(|e| e.into_error("list the ids in", viewer))?.is_empty() {
        return Ok(vec![None; names.len()]);
    }
    let mut ids = Vec::with_capacity(names.len());
    for part in names.chunks(PART) {
        let opened: Vec<_> = part.iter().map(Netns::living).collect();
        let living: Vec<_> = opened.iter().flatten().collect();
        let mut answers = socket.nsids_of(&living).map_err(failed)?.into_iter();
        // Only a namespace was asked about; for the other names there is no answer.
        ids.extend(opened.iter().map(|ns| ns.as_ref().and_then(|_| answers.next()?.ok().flatten())));
    }
    Ok(ids)
}

/// All namespaces that have an id in the viewer's namespace, or, with `target`, in the one that
/// the viewer knows by that id (Linux 4.20).
///
/// # Errors
///
/// `Os` (`EINVAL`) if nothing has the id `target`.
pub fn nsid_peers(viewer: &Netns, target: Option<u32>) -> Result<Vec<NsidPeer>> {
    let mut socket = socket_in(viewer)?;
    let ids = socket.all_nsids(target).map_err(|e| e.into_error("list the ids in", place(viewer, target)))?;
    named(viewer, ids, target)
}

/// The namespace that has this id in the viewer's namespace; with `target`, also the id that it has
/// in the namespace that the viewer knows by that one (Linux 4.20).
///
/// # Errors
///
/// `NotFound` if nothing has the id; `Os` (`EINVAL`) if nothing has the id `target`.
pub fn nsid_peer(viewer: &Netns, id: u32, target: Option<u32>) -> Result<NsidPeer> {
    let subject = || match target {
        Some(target) => format!("the id {id}, and what it is to {target}, in {viewer}"),
        None => format!("the id {id} in {viewer}"),
    };
    let ids = socket_in(viewer)?.one_nsid(id, target).map_err(|e| e.into_error("find", subject()))?;
    let peer = named(viewer, vec![ids], target)?.pop();
    peer.ok_or_else(|| Error::os("find", subject(), rustix::io::Errno::NOENT))
}

fn place(viewer: &Netns, target: Option<u32>) -> String {
    target.map_or_else(|| viewer.to_string(), |target| format!("the namespace with id {target}"))
}

fn named(viewer: &Netns, ids: Vec<Ids>, target: Option<u32>) -> Result<Vec<NsidPeer>> {
    let names = names_by_nsid(viewer)?;
    let peer = |Ids { nsid, current }: Ids| {
        // Names are known by the viewer's own ids.
        let known = if target.is_some() { current } else { nsid };
        NsidPeer { nsid, current_nsid: current, name: known.and_then(|id| names.get(&id).cloned()) }
    };
    Ok(ids.into_iter().map(peer).collect())
}

/// The first name of each id in the viewer's namespace.
fn names_by_nsid(viewer: &Netns) -> Result<BTreeMap<u32, NsName>> {
    let names = list()?;
    let ids = nsids(viewer, &names)?;
    let mut by_id = BTreeMap::new();
    for (id, name) in ids.into_iter().zip(names) {
        if let Some(id) = id {
            by_id.entry(id).or_insert(name);
        }
    }
    Ok(by_id)
}
