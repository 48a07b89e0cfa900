//! Hearing of the end of namespaces, and of the veth ends elsewhere that end with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::{Duration, Instant},
};

use netlink_packet_route::RouteNetlinkMessage;
use rtnetlink::MulticastGroup;
use rustix::io::Errno;

use super::{
    link,
    nsid::Ids,
    raw::{self, Socket},
};
use crate::{
    error::{Error, Result},
    netns::{self, Netns, NetnsId},
};

/// Namespaces that are about to end, watched from the current one.
pub(crate) struct Farewell {
    doomed: BTreeSet<NetnsId>,
    /// By their ids here; what has ended is gone from it.
    alive: BTreeMap<u32, NetnsId>,
    watched: BTreeSet<NetnsId>,
    /// The first place is the current namespace.
    places: Vec<Place>,
    /// The ends of pairs in that one, by the id of where the others are; looked at once.
    ends_here: Option<BTreeMap<u32, Vec<u32>>>,
}

/// A namespace in which veth ends are awaited to go.
struct Place {
    id: NetnsId,
    heard: Socket,
    asked: Socket,
    /// The ends by their indices, each with the namespace it goes with.
    ends: BTreeMap<u32, NetnsId>,
}

impl Place {
    fn open(ns: &Netns, groups: &[MulticastGroup]) -> Result<Self> {
        let sockets = ns.inside(|| Ok((Socket::listening(groups)?, Socket::open()?)))?;
        let (heard, asked) = sockets.map_err(|e: io::Error| Error::os("open a netlink socket in", ns, e))?;
        Ok(Self { id: ns.id(), heard, asked, ends: BTreeMap::new() })
    }

    /// An end that went before anybody listened here is not heard of: it must be there now.
    fn await_ends(&mut self, indices: &[u32], owner: &Netns) -> io::Result<()> {
        let there = link::exist(&mut self.asked, indices)?;
        let ends = indices.iter().zip(there).filter(|(_, there)| *there);
        self.ends.extend(ends.map(|(&index, _)| (index, owner.id())));
        Ok(())
    }
}

impl Farewell {
    /// `doomed` are all namespaces that end together: links between them need no waiting.
    pub(crate) fn new(doomed: BTreeSet<NetnsId>) -> Self {
        Self { doomed, alive: BTreeMap::new(), watched: BTreeSet::new(), places: Vec::new(), ends_here: None }
    }

    /// Begins to watch a namespace. It must not be held by anybody here while it is waited for.
    pub(crate) fn watch(&mut self, ns: &Netns) -> Result<()> {
        let failed = |e: raw::Refusal| e.into_error("watch the end of", ns);
        if self.places.is_empty() {
            self.places.push(Place::open(&Netns::current()?, &[MulticastGroup::Link, MulticastGroup::Nsid])?);
        }
        let here = &mut self.places[0].asked;
        let id = match here.nsid_of(ns).map_err(failed)? {
            Some(id) => id,
            None => {
                here.assign_nsid(ns, None).map_err(failed)?;
                let assigned = here.nsid_of(ns).map_err(failed)?;
                assigned.ok_or_else(|| failed(io::Error::from(Errno::NODATA).into()))?
            }
        };
        self.watch_ends(ns, id)?;
        self.alive.insert(id, ns.id());
        self.watched.insert(ns.id());
        Ok(())
    }

    /// Begins to watch namespaces, each with the indices of ends here if that is all that leads out of it.
    pub(crate) fn watch_known(&mut self, namespaces: &[(&Netns, Option<&[u32]>)]) -> Vec<Result<()>> {
        match self.identify(namespaces) {
            Ok(ids) => {
                namespaces.iter().zip(ids).map(|((ns, ends), id)| self.watch_identified(ns, id, *ends)).collect()
            }
            Err(e) => {
                let again = |(ns, _): &(&Netns, _)| Error::os("watch the end of", ns, e.errno().unwrap_or(Errno::IO));
                namespaces.iter().map(|known| Err(again(known))).collect()
            }
        }
    }

    /// Their ids here, given where they have none; `None` to one that is refused.
    fn identify(
        &mut self,
        namespaces: &[(&Netns, Option<&[u32]>)],
    ) -> std::result::Result<Vec<Option<u32>>, raw::Refusal> {
        if self.places.is_empty() {
            let here =
                Netns::current().and_then(|here| Place::open(&here, &[MulticastGroup::Link, MulticastGroup::Nsid]));
            self.places.push(here.map_err(|e| io::Error::from_raw_os_error(e.errno().unwrap_or(libc::EIO)))?);
        }
        let here = &mut self.places[0].asked;
        let all: Vec<&Netns> = namespaces.iter().map(|(ns, _)| *ns).collect();
        let known = here.nsids_of(&all)?;
        let strangers = all.iter().zip(&known).filter(|(_, id)| matches!(id, Ok(None)));
        // What became of each is seen below.
        let _ = here.assign_nsids(strangers.map(|(ns, _)| ns));
        Ok(here.nsids_of(&all)?.into_iter().map(|id| id.ok().flatten()).collect())
    }

    fn watch_identified(&mut self, ns: &Netns, id: Option<u32>, ends: Option<&[u32]>) -> Result<()> {
        let id = id.ok_or_else(|| Error::os("watch the end of", ns, Errno::PERM))?;
        match ends {
            Some(ends) => {
                let seen = self.places[0].await_ends(ends, ns);
                seen.map_err(|e| Error::os("look at the links of", ns, e))?;
            }
            None => self.watch_far_ends(ns)?,
        }
        self.alive.insert(id, ns.id());
        self.watched.insert(ns.id());
        Ok(())
    }

    /// Where all its links are ends of pairs with the current namespace, these are known here. Nobody has to ask inside then:
    /// the kernel lets go of a socket only 10 ms after it was closed, and of its namespace with it.
    fn watch_ends(&mut self, ns: &Netns, id: u32) -> Result<()> {
        let inside = ns.inside(links_beside_loopback)?;
        if inside == Some(0) {
            return Ok(());
        }
        let failed = |e: raw::Refusal| e.into_error("look at the links to", ns);
        if self.ends_here.is_none() {
            self.ends_here = Some(link::ends_by_nsid(&mut self.places[0].asked).map_err(failed)?);
        }
        let ends = self.ends_here.as_ref().and_then(|known| known.get(&id)).map_or(&[][..], Vec::as_slice);
        if inside == Some(ends.len()) {
            return self.places[0].await_ends(ends, ns).map_err(|e| failed(e.into()));
        }
        self.watch_far_ends(ns)
    }

    /// Finds out where the peers of its veths live, and listens there.
    fn watch_far_ends(&mut self, ns: &Netns) -> Result<()> {
        let failed = |e: raw::Refusal| e.into_error("look at the links of", ns);
        let mut inside = ns.inside(Socket::open)?.map_err(|e| Error::os("open a netlink socket in", ns, e))?;
        let mut ends = link::peers_by_nsid(&mut inside).map_err(failed)?;
        if let Some(here) = inside.nsid_of(Netns::current()?).map_err(failed)? {
            let indices = ends.remove(&here).unwrap_or_default();
            self.places[0].await_ends(&indices, ns).map_err(|e| failed(e.into()))?;
        }
        let names = if ends.is_empty() { Vec::new() } else { netns::list()? };
        // In parts, because each is held open while it is asked about.
        for part in names.chunks(64) {
            if ends.is_empty() {
                break;
            }
            let others: Vec<_> = part.iter().filter_map(Netns::living).collect();
            let ids = inside.nsids_of(&others).map_err(|e| failed(e.into()))?;
            for (other, id) in others.iter().zip(ids) {
                let indices = id.ok().flatten().and_then(|id| ends.remove(&id));
                if let Some(indices) = indices.filter(|_| !self.doomed.contains(&other.id())) {
                    self.place_of(other)?.await_ends(&indices, ns).map_err(|e| failed(e.into()))?;
                }
            }
        }
        Ok(())
    }

    fn place_of(&mut self, ns: &Netns) -> Result<&mut Place> {
        let at = match self.places.iter().position(|place| place.id == ns.id()) {
            Some(at) => at,
            None => {
                self.places.push(Place::open(ns, &[MulticastGroup::Link])?);
                self.places.len() - 1
            }
        };
        Ok(&mut self.places[at])
    }

    /// Listens until everything has ended or the time is up.
    pub(crate) fn wait(&mut self, until: Instant) -> io::Result<()> {
        while !self.is_over() && self.listen(until)? {}
        Ok(())
    }

    /// Hears what comes next; false when the time is up.
    fn listen(&mut self, until: Instant) -> io::Result<bool> {
        match raw::next_events(self.places.iter_mut().map(|place| &mut place.heard), until) {
            Ok(events) if events.is_empty() => return Ok(false),
            Ok(events) => events.into_iter().for_each(|(place, event)| self.hear(place, &event)),
            Err(e) if is_overrun(&e) => self.catch_up()?,
            Err(e) => return Err(e),
        }
        Ok(true)
    }

    /// Events were lost. The kernel says so once, and loses more until everything that waits is
    /// read: only then it helps to look.
    fn catch_up(&mut self) -> io::Result<()> {
        loop {
            match raw::next_events(self.places.iter_mut().map(|place| &mut place.heard), Instant::now()) {
                Ok(events) if events.is_empty() => return self.look_again(),
                Ok(events) => events.into_iter().for_each(|(place, event)| self.hear(place, &event)),
                Err(e) if is_overrun(&e) => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Listens until everything has ended, or nothing has for so long: hundreds end one after the
    /// other, and the last of them are not held by anybody.
    pub(crate) fn wait_while_some_end(&mut self, patience: Duration) -> io::Result<()> {
        loop {
            let before = self.count();
            self.wait(Instant::now() + patience)?;
            // Nobody is said to be held because something went unheard.
            self.look_again()?;
            if self.is_over() || self.count() == before {
                return Ok(());
            }
        }
    }

    /// What is awaited: namespaces, and ends elsewhere.
    fn count(&self) -> usize {
        self.alive.len() + self.places.iter().map(|place| place.ends.len()).sum::<usize>()
    }

    fn hear(&mut self, place: usize, event: &RouteNetlinkMessage) {
        match event {
            RouteNetlinkMessage::DelLink(link) => {
                self.places[place].ends.remove(&link.header.index);
            }
            RouteNetlinkMessage::DelNsId(_) => {
                let ended = Ids::of_object(event).and_then(|ids| ids.nsid);
                self.alive.retain(|id, _| Some(*id) != ended);
            }
            _ => {}
        }
    }

    /// Asks what is still there.
    fn look_again(&mut self) -> io::Result<()> {
        let lost = |e: raw::Refusal| io::Error::from(e.errno().unwrap_or(Errno::IO));
        if let Some(here) = self.places.first_mut() {
            let known: BTreeSet<_> =
                here.asked.all_nsids(None).map_err(lost)?.into_iter().filter_map(|ids| ids.nsid).collect();
            self.alive.retain(|id, _| known.contains(id));
        }
        for place in &mut self.places {
            let links = link::indices(&mut place.asked).map_err(lost)?;
            place.ends.retain(|index, _| links.contains(index));
        }
        Ok(())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.count() == 0
    }

    /// Waits no longer for a namespace, nor for the ends that would go with it.
    pub(crate) fn forget(&mut self, id: NetnsId) {
        self.watched.remove(&id);
        self.alive.retain(|_, alive| *alive != id);
        for place in &mut self.places {
            place.ends.retain(|_, owner| *owner != id);
        }
    }

    /// Those that have not ended.
    pub(crate) fn alive(&self) -> BTreeSet<NetnsId> {
        self.alive.values().copied().collect()
    }

    /// Those that have not ended, or of which a veth end is still there.
    pub(crate) fn left(&self) -> BTreeSet<NetnsId> {
        let owners = self.places.iter().flat_map(|place| place.ends.values());
        self.alive.values().chain(owners).copied().collect()
    }

    /// All that were watched, and not forgotten.
    pub(crate) fn watched(&self) -> BTreeSet<NetnsId> {
        self.watched.clone()
    }
}

/// How many links the namespace of the calling thread has beside `lo`; `None` where `/proc` does not tell.
fn links_beside_loopback() -> Option<usize> {
    let table = std::fs::read_to_string("/proc/thread-self/net/dev").ok()?;
    // Below two lines of headings.
    Some(table.lines().skip(2).filter(|link| !link.trim_start().starts_with("lo:")).count())
}

fn is_overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error())
}
