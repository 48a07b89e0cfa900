//! The namespaces of a lab as they are worked in: a connection into each, and the indices of its links.

use std::{
    collections::{BTreeMap, BTreeSet},
    io, thread,
};

use super::{mark, state::Place, step::At, sysctl};
use crate::{
    error::{Error, Result},
    name::{IfName, LabName, NsName},
    netlink::{link::LOOPBACK_INDEX, link_change::LinkChange, raw::Socket, route::Route},
    netns::{Netns, NetnsId},
};

/// One namespace. It is held by the connection alone: one descriptor each.
pub(super) struct Site {
    /// Its name; the starting namespace has none.
    pub name: Option<NsName>,
    pub id: NetnsId,
    pub socket: Socket,
    /// The indices of the links that were seen or made here.
    pub indices: BTreeMap<IfName, u32>,
    /// No link has this index or a higher one, unless somebody else makes one.
    pub next_index: u32,
}

impl Site {
    pub(super) fn new(name: Option<NsName>, id: NetnsId, socket: Socket) -> Self {
        Self { name, id, socket, indices: BTreeMap::new(), next_index: LOOPBACK_INDEX + 1 }
    }

    /// Opens the namespace itself, for as long as something is done to it.
    pub(super) fn open(&self) -> Result<Netns> {
        let ns = match &self.name {
            Some(name) => Netns::open(&name.clone().into())?,
            None => Netns::current()?,
        };
        if ns.id() == self.id { Ok(ns) } else { Err(replaced(&ns)) }
    }

    /// The index of a link that is known to be there.
    pub(super) fn index(&self, at: &At) -> Result<u32> {
        let known = self.indices.get(&at.name).copied();
        known.ok_or_else(|| Error::os("find", format!("'{at}'"), rustix::io::Errno::NODEV))
    }

    /// Deletes links at once. The group that they go by is the lab's in its own namespaces, and one that
    /// nobody has in the starting one.
    pub(super) fn delete_links(&mut self, indices: &[u32]) -> Result<()> {
        let group = self.name.is_some().then_some(mark::DOOMED_GROUP);
        if group.is_some() && indices.len() > 1 {
            self.spare_others(indices)?;
        }
        self.socket.delete_links_together(indices, group)
    }

    /// Takes others out of the group that is to go: whoever was killed when it had put them there is not to be followed.
    fn spare_others(&mut self, indices: &[u32]) -> Result<()> {
        let links =
            self.socket.seen_links().map_err(|e| e.into_error("list links in", word_of_name(self.name.as_ref())))?;
        let left = links.iter().map(|seen| &seen.link);
        let left = left.filter(|link| link.group == Some(mark::DOOMED_GROUP) && !indices.contains(&link.index));
        let spare = LinkChange { group: Some(mark::LINK_GROUP), ..LinkChange::default() };
        let changes = left.map(|link| spare.of_link(link.index, &link.name)).collect();
        self.socket.apply_each(changes).into_iter().collect()
    }

    /// Takes note of a link that is here.
    pub(super) fn note_link(&mut self, name: IfName, index: u32) {
        self.next_index = self.next_index.max(index + 1);
        self.indices.insert(name, index);
    }

    /// The index for a new link; none in the starting namespace, where others make links too.
    pub(super) fn reserve_index(&mut self) -> Option<u32> {
        self.name.is_some().then(|| {
            self.next_index += 1;
            self.next_index - 1
        })
    }
}

fn replaced(ns: &Netns) -> Error {
    Error::os("open", ns, rustix::io::Errno::STALE).because("somebody replaced it")
}

/// All namespaces of a lab that are there, and the starting one.
pub(super) type Sites = BTreeMap<Place, Site>;

/// What only a thread inside can find out.
#[derive(Debug, Default)]
pub(super) struct Inside {
    pub routes: Vec<Route>,
    /// The values of settings; one that is not there any more is empty.
    pub sysctls: BTreeMap<String, String>,
}

/// Opens a connection into a namespace, if none is known, and looks around in it. The calling thread goes
/// inside, and must end soon. Returns the connection that was opened.
/// Of settings, those of `keys` are read, or those that are marked.
pub(super) fn look_inside(
    ns: &Netns,
    known: Option<&mut Socket>,
    keys: Option<&BTreeSet<String>>,
) -> Result<(Option<Socket>, Inside)> {
    let is_new = known.is_none();
    if is_new {
        ns.enter()?;
    }
    let mut opened = None;
    let socket = match known {
        Some(socket) => socket,
        None => opened.insert(Socket::open().map_err(|e| Error::os("open a netlink socket in", ns, e))?),
    };
    let routes = socket.routes_by(mark::ROUTE_PROTOCOL).map_err(|e| e.into_error("list routes in", ns))?;
    let lo = socket.loopback().map_err(|e| e.into_error("look at 'lo' in", ns))?;
    let names = lo.map(|lo| lo.alt_names).unwrap_or_default();
    let marked = names.iter().filter_map(|name| sysctl::key_of(name));
    let keys: Vec<&str> = keys.map_or_else(|| marked.collect(), |keys| keys.iter().map(String::as_str).collect());
    let told = socket.told_settings(&keys);
    let mut sysctls = told.map_err(|e| Error::os("ask for the settings of", ns, e))?;
    let untold: Vec<&str> = keys.into_iter().filter(|key| !sysctls.contains_key(*key)).collect();
    if !is_new && !untold.is_empty() {
        ns.enter()?;
    }
    for key in untold {
        sysctls.insert(key.to_owned(), read_setting(ns, key)?);
    }
    Ok((opened, Inside { routes, sysctls }))
}

/// Reads a setting in the namespace that the calling thread is in; an empty value where there is none.
fn read_setting(ns: &Netns, key: &str) -> Result<String> {
    match sysctl::read(key) {
        // It went with its link.
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        value => value.map_err(|e| Error::os("read", format!("'{key}' in {ns}"), e)),
    }
}

/// Runs work on a thread that ends, which may go from one namespace to the next.
pub(super) fn on_a_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let worker = thread::Builder::new().spawn_scoped(scope, work).map_err(|e| Error::os("start", "a thread", e))?;
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The name of a place's namespace, as errors say it.
pub(super) fn shown(lab: &LabName, place: &Place) -> String {
    word_of_name(mark::ns_name(lab, place).as_ref())
}

/// The name of a namespace as errors say it, where only that is known.
pub(super) fn word_of_name(name: Option<&NsName>) -> String {
    name.map_or_else(|| "the current namespace".to_owned(), ToString::to_string)
}

/// Which place each namespace is.
pub(super) fn homes(sites: &Sites) -> BTreeMap<NetnsId, Place> {
    sites.iter().map(|(place, site)| (site.id, place.clone())).collect()
}
