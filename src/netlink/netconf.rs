//! Settings of IPv4 and IPv6 that the kernel also tells by netlink (`RTM_GETNETCONF`). Their files are found
//! from inside only, and each takes the longer to open the more namespaces have one of its name.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use netlink_packet_core::{
    DefaultNla, Emitable, NetlinkDeserializable, NetlinkHeader, NetlinkSerializable, NlasIterator,
};
use netlink_packet_route::AddressFamily;
use rustix::io::Errno;

use super::raw::Socket;

/// Of `linux/rtnetlink.h`.
const RTM_NEWNETCONF: u16 = 80;
const RTM_GETNETCONF: u16 = 82;
/// Of `linux/netconf.h`.
const NETCONFA_IFINDEX: u16 = 1;
const NETCONFA_FORWARDING: u16 = 2;
const NETCONFA_RP_FILTER: u16 = 3;
const NETCONFA_PROXY_NEIGH: u16 = 5;
const NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN: u16 = 6;
const NETCONFA_BC_FORWARDING: u16 = 8;
/// In place of the index of a link: `conf/all` and `conf/default`.
const ALL: i32 = -1;
const DEFAULT: i32 = -2;
/// The family, in the first of them.
const HEADER_BYTES: usize = 4;

/// Settings that are told together: those of a family for all links, or for new ones.
type Set = (u8, i32);

/// The set that a setting is in, and its attribute there; `None` of one that is not told.
fn place_of(key: &str) -> Option<(Set, u16)> {
    let words: Vec<&str> = key.split('.').collect();
    let (family, whose, name) = match words[..] {
        ["net", "ipv4", "ip_forward"] => ("ipv4", "all", "forwarding"),
        ["net", family, "conf", whose, name] => (family, whose, name),
        _ => return None,
    };
    let attribute = match (family, name) {
        ("ipv4" | "ipv6", "forwarding") => NETCONFA_FORWARDING,
        ("ipv4" | "ipv6", "ignore_routes_with_linkdown") => NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN,
        ("ipv4", "proxy_arp") | ("ipv6", "proxy_ndp") => NETCONFA_PROXY_NEIGH,
        ("ipv4", "rp_filter") => NETCONFA_RP_FILTER,
        ("ipv4", "bc_forwarding") => NETCONFA_BC_FORWARDING,
        _ => return None,
    };
    let family = if family == "ipv4" { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let index = match whose {
        "all" => ALL,
        "default" => DEFAULT,
        _ => return None,
    };
    Some(((u8::from(family), index), attribute))
}

impl Socket {
    /// Of settings of the socket's namespace, the values of those that the kernel tells, as their files have
    /// them. One that is missing here may have a file all the same.
    pub(crate) fn told_settings(&mut self, keys: &[&str]) -> io::Result<BTreeMap<String, String>> {
        let places: Vec<_> = keys.iter().filter_map(|key| Some((*key, place_of(key)?))).collect();
        let sets: BTreeSet<Set> = places.iter().map(|(_, (set, _))| *set).collect();
        let answers = self.ask_each(sets.iter().copied().map(Netconf::question))?;
        // A kernel without IPv6 refuses to tell of it.
        let told: BTreeMap<Set, Netconf> =
            sets.into_iter().zip(answers).filter_map(|(set, answer)| Some((set, answer.ok()?))).collect();
        let value = |(set, attribute)| Some(told.get(&set)?.attributes.get(&attribute)?.to_string());
        Ok(places.into_iter().filter_map(|(key, place)| Some((key.to_owned(), value(place)?))).collect())
    }
}

/// A question and its answer, for which rtnetlink's family has no type.
#[derive(Debug, PartialEq, Eq)]
struct Netconf {
    family: u8,
    attributes: BTreeMap<u16, i32>,
}

impl Netconf {
    fn question((family, index): Set) -> Self {
        Self { family, attributes: [(NETCONFA_IFINDEX, index)].into() }
    }

    fn nlas(&self) -> Vec<DefaultNla> {
        let nla = |(kind, value): (&u16, &i32)| DefaultNla::new(*kind, value.to_ne_bytes().to_vec());
        self.attributes.iter().map(nla).collect()
    }
}

impl NetlinkSerializable for Netconf {
    fn message_type(&self) -> u16 {
        RTM_GETNETCONF
    }

    fn buffer_len(&self) -> usize {
        HEADER_BYTES + self.nlas().as_slice().buffer_len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer[..HEADER_BYTES].copy_from_slice(&u32::from(self.family).to_le_bytes());
        self.nlas().as_slice().emit(&mut buffer[HEADER_BYTES..]);
    }
}

impl NetlinkDeserializable for Netconf {
    type Error = io::Error;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> io::Result<Self> {
        let broken = || io::Error::from(Errno::BADMSG);
        let (family, attributes) = payload.split_at_checked(HEADER_BYTES).ok_or_else(broken)?;
        if header.message_type != RTM_NEWNETCONF {
            return Err(broken());
        }
        let number = |value: &[u8]| value.try_into().map(i32::from_ne_bytes).ok();
        let nlas = NlasIterator::new(attributes).map_while(Result::ok);
        let attributes = nlas.filter_map(|nla| Some((nla.kind(), number(nla.value())?))).collect();
        Ok(Self { family: family[0], attributes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_known_by_its_name() {
        let (v4, v6) = (u8::from(AddressFamily::Inet), u8::from(AddressFamily::Inet6));
        assert_eq!(place_of("net.ipv4.ip_forward"), place_of("net.ipv4.conf.all.forwarding"));
        assert_eq!(place_of("net.ipv4.conf.default.rp_filter"), Some(((v4, DEFAULT), NETCONFA_RP_FILTER)));
        assert_eq!(place_of("net.ipv6.conf.all.proxy_ndp"), Some(((v6, ALL), NETCONFA_PROXY_NEIGH)));
        for other in [
            "net.ipv4.conf.eth0.forwarding",
            "net.ipv6.conf.all.rp_filter",
            "net.ipv6.ip_forward",
            "net.ipv7.conf.all.forwarding",
            "net.ipv4.conf.all.forwarding.x",
            "net.ipv4.ip_default_ttl",
        ] {
            assert_eq!(place_of(other), None, "{other}");
        }
    }

    #[test]
    fn an_answer_that_is_cut_off_is_broken() {
        let header = |message_type| {
            let mut header = NetlinkHeader::default();
            header.message_type = message_type;
            header
        };
        let mut bytes = vec![0; Netconf::question((2, ALL)).buffer_len()];
        Netconf::question((2, ALL)).serialize(&mut bytes);
        let read = Netconf::deserialize(&header(RTM_NEWNETCONF), &bytes).unwrap();
        assert_eq!(read, Netconf { family: 2, attributes: [(NETCONFA_IFINDEX, -1)].into() });
        let cut = Netconf::deserialize(&header(RTM_NEWNETCONF), &bytes[..9]).unwrap();
        assert_eq!(cut.attributes, BTreeMap::new());
        assert!(Netconf::deserialize(&header(RTM_NEWNETCONF), &bytes[..3]).is_err());
        assert!(Netconf::deserialize(&header(RTM_GETNETCONF), &bytes).is_err());
    }
}
