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
    /// Whether all of it is so, in the namespace of a socket. A link that is seen to carry packets is awaited no more,
    /// and of those that do not, one is enough: a thousand come up one by one, and each is heard of.
    pub(crate) fn is_met(&mut self, socket: &mut Socket) -> io::Result<bool> {
        while let Some(&index) = self.links.last() {
            if !is_operational(socket, index)? {
                return Ok(false);
            }
            self.links.pop();
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
    pub(crate) fn met(&mut self, until: Instant) -> io::Result<()> {
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

fn is_operational(socket: &mut Socket, index: u32) -> io::Result<bool> {
    let question = RouteNetlinkMessage::GetLink(LinkUnspec::new_with_index(index).build());
    let answer = socket.ask_each([question])?.pop().transpose().map_err(|e| errno_of(&e))?;
    let Some(RouteNetlinkMessage::NewLink(link)) = answer else { return Ok(false) };
    Ok(link.attributes.iter().any(|attribute| matches!(attribute, LinkAttribute::OperState(State::Up))))
}

fn errno_of(refusal: &Refusal) -> io::Error {
    refusal.errno().unwrap_or(Errno::IO).into()
}
