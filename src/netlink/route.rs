//! Routes.

use std::net::IpAddr;

use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{RouteAddress, RouteAttribute, RouteMessage},
};

use super::{Netlink, raw::Refusal};

/// Of `linux/rtnetlink.h`.
const RT_TABLE_LOCAL: u8 = 255;

impl Netlink {
    /// The IPv6 addresses that packets for this host may have on a link: those that work already.
    pub(super) async fn local_ipv6(&self, index: u32) -> Result<Vec<IpAddr>, Refusal> {
        let mut question = RouteMessage::default();
        question.header.address_family = AddressFamily::Inet6;
        question.header.table = RT_TABLE_LOCAL;
        question.attributes.push(RouteAttribute::Oif(index));
        let objects = self.dump(RouteNetlinkMessage::GetRoute(question)).await?;
        Ok(objects.iter().filter_map(destination).collect())
    }
}

fn destination(object: &RouteNetlinkMessage) -> Option<IpAddr> {
    let RouteNetlinkMessage::NewRoute(route) = object else { return None };
    route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet6(ip)) => Some((*ip).into()),
        _ => None,
    })
}
