//! Links and addresses that the kernel needs a moment for: it brings them into use behind the back of
//! whoever asked for them.

use std::{io, net::IpAddr, time::Instant};

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, State},
};
use rtnetlink::{LinkUnspec, MulticastGroup};
use rustix::io::Errno;

use super::{
    link,
    raw::{self, Refusal, Socket},
    route,
};

/// What is awaited in one namespace.
#[derive(Debug, Default)]
pub(crate) struct Awaited {
    /// Links by their indices, which are to carry packets.
    pub links: Vec<u32>,
    /// IPv6 addresses, which are to be taken for this host's.
    pub addrs: Vec<IpAddr>,
    /// Links by their indices, which are to be gone.
    pub gone: Vec<u32>,
}

impl Awaited {
    /// Whether all of it is so, in the namespace of a socket.
    pub(crate) fn is_met(&self, socket: &mut Socket) -> io::Result<bool> {
        let questions = self.links.iter().map(|&index| LinkUnspec::new_with_index(index).build());
        for answer in socket.ask_each(questions.map(RouteNetlinkMessage::GetLink))? {
            if !is_operational(&answer.map_err(|e| errno_of(&e))?) {
                return Ok(false);
            }
        }
        let gone = link::exist(socket, &self.gone)?.iter().all(|there| !there);
        if !gone || self.addrs.is_empty() {
            return Ok(gone);
        }
        let local = route::local_ipv6_of(socket).map_err(|e| errno_of(&e))?;
        Ok(self.addrs.iter().all(|addr| local.contains(addr)))
    }

    /// Waits for it in the namespace of the calling thread: listens, looks, then looks again whenever
    /// something is heard. `ETIMEDOUT` where it does not come in time.
    pub(crate) fn met(&self, until: Instant) -> io::Result<()> {
        let mut heard = Socket::listening(&[MulticastGroup::Link, MulticastGroup::Ipv6Ifaddr])?;
        let mut asked = Socket::open()?;
        while !self.is_met(&mut asked)? {
            match raw::next_events([&mut heard], until) {
                Ok(events) if events.is_empty() => return Err(Errno::TIMEDOUT.into()),
                // What was missed is seen by looking.
                Err(e) if Errno::from_io_error(&e) != Some(Errno::NOBUFS) => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }
}

fn is_operational(object: &RouteNetlinkMessage) -> bool {
    let RouteNetlinkMessage::NewLink(link) = object else { return false };
    link.attributes.iter().any(|attribute| matches!(attribute, LinkAttribute::OperState(State::Up)))
}

fn errno_of(refusal: &Refusal) -> io::Error {
    refusal.errno().unwrap_or(Errno::IO).into()
}
