//! Addresses on links.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    address::{AddressAttribute, AddressHeaderFlags, AddressMessage},
};
use rtnetlink::AddressMessageBuilder;

use super::{Netlink, raw::Refusal};
use crate::addr::IfAddr;

/// As `ip address add` makes it: no broadcast address unless asked for. An IPv6 address is usable
/// at once, because the duplicate that it would wait a second for cannot be on a new pair.
fn message(index: u32, addr: IfAddr) -> AddressMessage {
    let mut message = match addr.ip() {
        IpAddr::V4(ip) => {
            AddressMessageBuilder::<std::net::Ipv4Addr>::new().index(index).address(ip, addr.prefix_len()).build()
        }
        IpAddr::V6(ip) => {
            AddressMessageBuilder::<std::net::Ipv6Addr>::new().index(index).address(ip, addr.prefix_len()).build()
        }
    };
    message.attributes.retain(|attribute| !matches!(attribute, AddressAttribute::Broadcast(_)));
    if addr.ip().is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    message
}

impl Netlink {
    pub(super) async fn add_addr(&self, index: u32, addr: IfAddr) -> Result<(), Refusal> {
        self.request(RouteNetlinkMessage::NewAddress(message(index, addr)), NLM_F_CREATE | NLM_F_EXCL).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_broadcast_and_an_ipv6_one_waits_for_nobody() {
        let v4 = message(7, "10.0.0.1/24".parse().unwrap());
        assert_eq!((v4.header.index, v4.header.prefix_len), (7, 24));
        assert!(!v4.attributes.iter().any(|a| matches!(a, AddressAttribute::Broadcast(_))));
        let v6 = message(7, "fd00::1/64".parse().unwrap());
        assert_eq!(v6.header.flags, AddressHeaderFlags::Nodad);
    }
}
