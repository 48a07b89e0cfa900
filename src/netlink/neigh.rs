//! Neighbours: which hardware address an IP address on the same link has.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    neighbour::{
        NeighbourAddress, NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourMessage, NeighbourState,
    },
    route::RouteProtocol,
};

use super::{
    Change, Netlink,
    change::Subject,
    family_of, kernel_family,
    raw::{Refusal, Socket},
};
use crate::{
    addr::Family,
    error::{Error, ErrorKind, Result},
};

/// An entry of the neighbour table, as `ip neigh` shows and takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the kernel's")]
pub struct Neigh {
    /// The neighbour.
    pub ip: IpAddr,
    /// The index of the link that it is on; 0 for any, of a proxied one.
    pub device: u32,
    /// Its hardware address.
    pub lladdr: Option<Vec<u8>>,
    /// What is known of it: bits of [`nud`].
    pub state: u16,
    /// Whether this host answers in its place.
    pub proxy: bool,
    /// Whether it routes.
    pub router: bool,
    /// Whether the kernel is to look for it at once.
    pub in_use: bool,
    /// Whether the kernel keeps looking for it. Linux 5.16.
    pub managed: bool,
    /// Whether somebody else learned it.
    pub extern_learn: bool,
    /// Whether the hardware does the forwarding.
    pub offload: bool,
    /// Who made it, by the numbers of routing protocols; 0 is nobody.
    pub protocol: u8,
    /// What the kernel counted.
    pub usage: Option<Usage>,
}

/// When an entry was looked at, in hundredths of a second ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// How many use it right now.
    pub references: u32,
    /// When it was used.
    pub used: u32,
    /// When it was last seen to be right.
    pub confirmed: u32,
    /// When it was changed.
    pub updated: u32,
    /// How often it was asked for.
    pub probes: Option<u32>,
}

/// The states of `linux/neighbour.h`, as bits; none is 0.
pub mod nud {
    /// Being asked for.
    pub const INCOMPLETE: u16 = 0x01;
    /// Seen to be right a moment ago.
    pub const REACHABLE: u16 = 0x02;
    /// Not seen for a while.
    pub const STALE: u16 = 0x04;
    /// About to be asked again.
    pub const DELAY: u16 = 0x08;
    /// Being asked again.
    pub const PROBE: u16 = 0x10;
    /// Did not answer.
    pub const FAILED: u16 = 0x20;
    /// Needs not be asked.
    pub const NOARP: u16 = 0x40;
    /// Set by hand.
    pub const PERMANENT: u16 = 0x80;
}

/// What an entry to be made may meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meet {
    /// There must be none.
    Nothing,
    /// There may be one, which is changed.
    Anything,
    /// There must be one.
    Something,
}

impl Neigh {
    /// An entry set by hand.
    #[must_use]
    pub fn new(ip: IpAddr) -> Self {
        Self {
            ip,
            device: 0,
            lladdr: None,
            state: nud::PERMANENT,
            proxy: false,
            router: false,
            in_use: false,
            managed: false,
            extern_learn: false,
            offload: false,
            protocol: 0,
            usage: None,
        }
    }

    /// Makes or changes it; like `ip neigh add`, `replace` and `change`.
    #[must_use]
    pub fn put(&self, meet: Meet) -> Change {
        let (op, flags) = match meet {
            Meet::Nothing => ("add neighbour", NLM_F_CREATE | NLM_F_EXCL),
            Meet::Anything => ("replace neighbour", NLM_F_CREATE | NLM_F_REPLACE),
            Meet::Something => ("change neighbour", NLM_F_REPLACE),
        };
        Change::new(RouteNetlinkMessage::NewNeighbour(self.message()), flags, op, self.subject())
    }

    /// Deletes it; like `ip neigh del`.
    #[must_use]
    pub fn delete(&self) -> Change {
        Change::new(RouteNetlinkMessage::DelNeighbour(self.message()), 0, "delete neighbour", self.subject())
    }

    fn subject(&self) -> Subject {
        Subject::Ip(self.ip)
    }

    fn message(&self) -> NeighbourMessage {
        let mut message = NeighbourMessage::default();
        message.header.family = kernel_family(Family::of(self.ip));
        message.header.ifindex = self.device;
        message.header.state = NeighbourState::from(self.state);
        for (flag, on) in [
            (NeighbourFlags::Proxy, self.proxy),
            (NeighbourFlags::Router, self.router),
            (NeighbourFlags::Use, self.in_use),
            (NeighbourFlags::ExtLearned, self.extern_learn),
        ] {
            message.header.flags.set(flag, on);
        }
        message.attributes.push(NeighbourAttribute::Destination(match self.ip {
            IpAddr::V4(ip) => NeighbourAddress::Inet(ip),
            IpAddr::V6(ip) => NeighbourAddress::Inet6(ip),
        }));
        let lladdr = self.lladdr.clone().map(NeighbourAttribute::LinkLayerAddress);
        let managed = self.managed.then_some(NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed));
        let protocol = (self.protocol != 0).then(|| NeighbourAttribute::Protocol(RouteProtocol::from(self.protocol)));
        message.attributes.extend([lladdr, managed, protocol].into_iter().flatten());
        message
    }

    fn of(message: &NeighbourMessage) -> Option<Self> {
        let header = &message.header;
        family_of(header.family)?;
        let ip = message.attributes.iter().find_map(|attribute| match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => Some(IpAddr::from(*ip)),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => Some(IpAddr::from(*ip)),
            _ => None,
        })?;
        let mut neigh = Self {
            device: header.ifindex,
            state: header.state.into(),
            proxy: header.flags.contains(NeighbourFlags::Proxy),
            router: header.flags.contains(NeighbourFlags::Router),
            extern_learn: header.flags.contains(NeighbourFlags::ExtLearned),
            offload: header.flags.contains(NeighbourFlags::Offloaded),
            ..Self::new(ip)
        };
        message.attributes.iter().for_each(|attribute| neigh.take(attribute));
        Some(neigh)
    }

    fn take(&mut self, attribute: &NeighbourAttribute) {
        let usage = self.usage;
        match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => self.lladdr = Some(bytes.clone()),
            NeighbourAttribute::ExtFlags(flags) => self.managed = flags.contains(NeighbourExtFlags::Managed),
            NeighbourAttribute::Protocol(protocol) => self.protocol = u8::from(*protocol),
            NeighbourAttribute::CacheInfo(info) => {
                let probes = usage.and_then(|usage| usage.probes);
                let &netlink_packet_route::neighbour::NeighbourCacheInfo { confirmed, used, updated, refcnt, .. } =
                    info;
                self.usage = Some(Usage { references: refcnt, used, confirmed, updated, probes });
            }
            NeighbourAttribute::Probes(probes) => {
                let none = Usage { references: 0, used: 0, confirmed: 0, updated: 0, probes: None };
                self.usage = Some(Usage { probes: Some(*probes), ..usage.unwrap_or(none) });
            }
            _ => {}
        }
    }
}

impl Netlink {
    /// The neighbours of a family, or of both; those on one link where `device` is not 0. With
    /// `proxy`, those in whose place this host answers.
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub async fn neighbours(&self, family: Option<Family>, device: u32, proxy: bool) -> Result<Vec<Neigh>> {
        let mut question = NeighbourMessage::default();
        question.header.family = family.map_or(AddressFamily::Unspec, kernel_family);
        question.header.flags.set(NeighbourFlags::Proxy, proxy);
        if device != 0 {
            question.attributes.push(NeighbourAttribute::IfIndex(device));
        }
        let objects = self.dump(RouteNetlinkMessage::GetNeighbour(question)).await;
        let objects = objects.map_err(|refusal| refusal.into_error("list neighbours", ""))?;
        Ok(objects.iter().filter_map(neigh_of).collect())
    }

    /// The neighbour of this address on a link. Linux 5.0.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none.
    pub async fn neighbour(&self, wanted: &Neigh) -> Result<Neigh> {
        let mut question = wanted.message();
        question.header.state = NeighbourState::None;
        let found = self.get(RouteNetlinkMessage::GetNeighbour(question)).await;
        let found = found.map_err(|refusal| refusal.into_error("find neighbour", wanted.subject()))?;
        let other =
            || Error::of_kind(ErrorKind::NotFound, "find neighbour", wanted.subject(), "the answer is no neighbour");
        neigh_of(&found).ok_or_else(other)
    }
}

pub(super) fn neigh_of(object: &RouteNetlinkMessage) -> Option<Neigh> {
    match object {
        RouteNetlinkMessage::NewNeighbour(message) => Neigh::of(message),
        _ => None,
    }
}

/// Forgets the neighbours of a socket's namespace that have not answered. The next packet asks at once then, and waits for
/// no second question, which comes after a second.
pub(crate) fn forget_unanswered(socket: &mut Socket) -> std::result::Result<(), Refusal> {
    let all = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
    let unanswered = |neigh: &Neigh| neigh.state & (nud::INCOMPLETE | nud::FAILED) != 0;
    let unanswered = socket.dump_of(&all, |object| neigh_of(&object).filter(unanswered))?;
    // One that answers meanwhile is asked again, and one that is gone is as wanted.
    socket.apply_each(unanswered.iter().map(Neigh::delete).collect());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_reads_back_as_it_was_asked_for() {
        let neigh = Neigh {
            device: 7,
            lladdr: Some(vec![2, 0, 0, 0, 0, 1]),
            router: true,
            managed: true,
            extern_learn: true,
            protocol: 4,
            ..Neigh::new("fd00::1".parse().unwrap())
        };
        assert_eq!(Neigh::of(&neigh.message()), Some(neigh));
    }
}
