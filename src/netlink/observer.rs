//! A namespace of its own to look into others from, by one socket and without entering them.
//!
//! The kernel tells where the other end of a link lives as an id in the namespace of whoever asks,
//! and gives one to a namespace that has none there. Asked from a namespace that nobody else sees,
//! ids are the same whichever link tells them, also those of namespaces that nobody is known to hold,
//! and nothing changes in the namespaces that are looked into.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use netlink_packet_core::DefaultNla;
use netlink_packet_route::{
    RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{LinkAttribute, LinkMessage},
};
use rtnetlink::MulticastGroup;
use rustix::io::Errno;

use super::{
    addr::{self, Addr},
    link::{self, Link},
    nsid::Ids,
    raw::{Refusal, Socket},
    seen::{self, SeenLink},
};
use crate::{
    error::{Error, Result},
    netns::Netns,
};

/// `IFA_TARGET_NETNSID` of `linux/if_addr.h`, Linux 4.20.
const IFA_TARGET_NETNSID: u16 = 10;

/// The place to look from.
#[derive(Debug)]
pub(crate) struct Observer {
    place: Netns,
    socket: Socket,
}

impl Observer {
    /// Makes the namespace. It goes when this is dropped.
    pub(crate) fn new() -> Result<Self> {
        let place = Netns::unnamed_for("looking at the others")?;
        // Without strict checks, a kernel may answer a question about another namespace with what is in this one.
        let socket = open(&place, || Socket::open().and_then(Socket::strict))?;
        Ok(Self { place, socket })
    }

    /// The namespace, in which nobody else has anything.
    pub(crate) fn place(&self) -> &Netns {
        &self.place
    }

    /// Gives ids to namespaces, in their order; or says why one gets none.
    pub(crate) fn meet(&mut self, namespaces: &[&Netns]) -> Result<Vec<std::result::Result<u32, Refusal>>> {
        let failed = |e: Refusal| e.into_error("give ids to", "namespaces");
        let known = self.socket.nsids_of(namespaces).map_err(|e| failed(e.into()))?;
        let strangers = namespaces.iter().zip(&known).filter(|(_, id)| matches!(id, Ok(None)));
        let mut met = self.socket.assign_nsids(strangers.map(|(ns, _)| ns)).into_iter();
        let met =
            known.into_iter().map(|id| if let Ok(None) = id { met.next().unwrap_or(Ok(())) } else { id.map(drop) });
        let ids = self.socket.nsids_of(namespaces).map_err(|e| failed(e.into()))?;
        let none = || Refusal::from(io::Error::from(Errno::NODATA));
        // Somebody else may have been faster, which is no failure.
        Ok(met.zip(ids).map(|(met, id)| id?.ok_or_else(|| met.err().unwrap_or_else(none))).collect())
    }

    /// All links and addresses of the namespace of this id. Where one has its other end elsewhere, `lower_nsid` is
    /// the id here.
    pub(crate) fn links_and_addrs(&mut self, id: u32) -> std::result::Result<(Vec<Link>, Vec<Addr>), Refusal> {
        Ok((self.links(id)?, self.addrs(id)?))
    }

    fn links(&mut self, id: u32) -> std::result::Result<Vec<Link>, Refusal> {
        link::all(&mut self.socket, &links_of(id)?)
    }

    /// The same of links alone, with what their drivers say.
    pub(crate) fn seen_links(&mut self, id: u32) -> std::result::Result<Vec<SeenLink>, Refusal> {
        seen::links(&mut self.socket, &links_of(id)?)
    }

    /// All addresses of the namespace of this id.
    pub(crate) fn addrs(&mut self, id: u32) -> std::result::Result<Vec<Addr>, Refusal> {
        let mut question = AddressMessage::default();
        let target = DefaultNla::new(IFA_TARGET_NETNSID, kernel_id(id)?.to_ne_bytes().to_vec());
        question.attributes.push(AddressAttribute::Other(target));
        addr::all(&mut self.socket, &RouteNetlinkMessage::GetAddress(question))
    }

    /// Hears what changes in all namespaces that have an id here.
    pub(crate) fn listen(&self) -> Result<Listener> {
        let groups =
            [MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr, MulticastGroup::Ipv6Ifaddr, MulticastGroup::Nsid];
        let listen = || {
            let socket = Socket::listening(&groups)?;
            socket.hear_all_namespaces()?;
            Ok(socket)
        };
        Ok(Listener { socket: open(&self.place, listen)? })
    }
}

/// What changes in the namespaces that an [`Observer`] knows.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: Socket,
}

impl Listener {
    /// Reads what was heard, without waiting; returns whether any of it is a change of links, addresses,
    /// or of who is there.
    pub(crate) fn heard_a_change(&mut self) -> Result<bool> {
        let mut changed = false;
        loop {
            match self.socket.replies_at_once() {
                Ok(None) => return Ok(changed),
                // A namespace that is met for the first time changes nothing.
                Ok(Some(objects)) => changed |= objects.iter().any(|object| !is_meeting(object)),
                // Some was missed, and it goes on being missed until all is read.
                Err(e) if Errno::from_io_error(&e) == Some(Errno::NOBUFS) => changed = true,
                Err(e) => return Err(Error::os("listen to", "all namespaces", e)),
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// All links and addresses of the current namespace, which takes no privilege. Where a link has its
/// other end elsewhere, `lower_nsid` is the id in this namespace.
pub(crate) fn own_links(here: &Netns) -> Result<(Vec<Link>, Vec<Addr>)> {
    let mut socket = open(here, Socket::open)?;
    let failed = |e: Refusal| e.into_error("list links in", here);
    let links = link::all(&mut socket, &link::dump_request()).map_err(failed)?;
    let addrs = addr::all(&mut socket, &RouteNetlinkMessage::GetAddress(AddressMessage::default()));
    Ok((links, addrs.map_err(failed)?))
}

/// The question for all links of the namespace of this id.
fn links_of(id: u32) -> std::result::Result<RouteNetlinkMessage, Refusal> {
    let mut question = link::without_counters(LinkMessage::default());
    question.attributes.push(LinkAttribute::IfNetnsId(kernel_id(id)?));
    Ok(RouteNetlinkMessage::GetLink(question))
}

fn is_meeting(object: &RouteNetlinkMessage) -> bool {
    matches!(object, RouteNetlinkMessage::NewNsId(_)) && Ids::of_object(object).is_some()
}

fn open<T: Send>(place: &Netns, open: impl FnOnce() -> io::Result<T> + Send) -> Result<T> {
    place.inside(open)?.map_err(|e| Error::os("open a netlink socket in", place, e))
}

fn kernel_id(id: u32) -> std::result::Result<i32, Refusal> {
    i32::try_from(id).map_err(|_| io::Error::from(Errno::INVAL).into())
}
