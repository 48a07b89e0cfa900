//! Links and addresses that the kernel needs a moment for: it brings them into use behind the back of
//! whoever asked for them.

use std::{io, net::IpAddr, time::Instant};

use netlink_packet_core::{
    DefaultNla, Emitable, NetlinkDeserializable, NetlinkHeader, NetlinkSerializable, NlasIterator,
};
use rtnetlink::MulticastGroup;
use rustix::io::Errno;

use super::{
    link,
    raw::{self, Refusal, Socket},
    route,
};

/// Of `linux/rtnetlink.h`.
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTEXT_FILTER_SKIP_STATS: u32 = 8;
/// `struct ifinfomsg`, and where in it the index is.
const HEADER_BYTES: usize = 16;
const INDEX_AT: usize = 4;
/// Of `linux/if_link.h` and `linux/if.h`.
const IFLA_OPERSTATE: u16 = 16;
const IFLA_EXT_MASK: u16 = 29;
const IF_OPER_UP: u8 = 6;

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
        let mut many = 1;
        while !self.links.is_empty() {
            let from = self.links.len().saturating_sub(many);
            let late = not_operational(socket, &self.links[from..])?;
            self.links.truncate(from);
            if !late.is_empty() {
                self.links.extend(late);
                return Ok(false);
            }
            many *= 2;
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

/// Those of these links that do not carry packets yet.
fn not_operational(socket: &mut Socket, indices: &[u32]) -> io::Result<Vec<u32>> {
    let questions = indices.iter().map(|&index| Operation { index, is_up: false });
    let mut late = Vec::new();
    for answer in socket.ask_each(questions)? {
        let link = answer.map_err(|e| errno_of(&e))?;
        late.extend((!link.is_up).then_some(link.index));
    }
    Ok(late)
}

/// The question whether a link carries packets, and the answer: of all that the kernel tells, the byte that says so.
/// To decode the rest takes longer than all else.
#[derive(Debug)]
struct Operation {
    index: u32,
    is_up: bool,
}

impl Operation {
    /// What keeps the kernel from counting.
    fn mask() -> [DefaultNla; 1] {
        [DefaultNla::new(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS.to_ne_bytes().to_vec())]
    }
}

impl NetlinkSerializable for Operation {
    fn message_type(&self) -> u16 {
        RTM_GETLINK
    }

    fn buffer_len(&self) -> usize {
        HEADER_BYTES + Self::mask().as_slice().buffer_len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer[..HEADER_BYTES].fill(0);
        buffer[INDEX_AT..INDEX_AT + 4].copy_from_slice(&self.index.to_ne_bytes());
        Self::mask().as_slice().emit(&mut buffer[HEADER_BYTES..]);
    }
}

impl NetlinkDeserializable for Operation {
    type Error = io::Error;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> io::Result<Self> {
        let broken = || io::Error::from(Errno::BADMSG);
        let (link, attributes) = payload.split_at_checked(HEADER_BYTES).ok_or_else(broken)?;
        if header.message_type != RTM_NEWLINK {
            return Err(broken());
        }
        let index = u32::from_ne_bytes(link[INDEX_AT..INDEX_AT + 4].try_into().map_err(|_| broken())?);
        let mut told = NlasIterator::new(attributes).map_while(Result::ok);
        Ok(Self { index, is_up: told.any(|nla| nla.kind() == IFLA_OPERSTATE && nla.value() == [IF_OPER_UP]) })
    }
}

fn errno_of(refusal: &Refusal) -> io::Error {
    refusal.errno().unwrap_or(Errno::IO).into()
}
