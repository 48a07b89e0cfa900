//! `NODE[:INTERFACE][=ADDRESS/LENGTH,…]`: what members and ends of links are written as.

use std::ops::Range;

use super::draft::{Draft, Port};
use crate::{
    addr::{Family, IfAddr, Prefix},
    error::{Error, Result},
    lab::problem::Faults,
    name::{IfName, quoted},
};

/// Reads one word.
pub(super) fn read(text: &str, span: &Range<usize>, draft: &mut Draft, faults: &mut Faults) -> Option<Port> {
    let (place, addrs) = text.split_once('=').map_or((text, None), |(place, addrs)| (place, Some(addrs)));
    let (node, named) = place.split_once(':').map_or((place, None), |(node, name)| (node, Some(name)));
    let node = draft.node(node, span, faults);
    let named = named.map(|name| faults.keep(span.clone(), interface_name(name)));
    let fixed: Vec<_> = addrs.into_iter().flat_map(|list| list.split(',')).map(address).collect();
    let fixed: Vec<_> = fixed.into_iter().map(|addr| faults.keep(span.clone(), addr)).collect();
    let fixed = fixed.into_iter().collect::<Option<Vec<_>>>();
    let (named, node, fixed) = (named.map_or(Some(None), |name| name.map(Some))?, node?, fixed?);
    if draft.nodes[node].name == "." && named.is_none() {
        let hint = "write '.:NAME': names in the starting namespace are never chosen by nsnet";
        faults.advise(span.clone(), "the interface in the starting namespace has no name", hint);
        return None;
    }
    Some(Port { node, interface: None, span: span.clone(), named, fixed, mac: None })
}

/// The name of an interface that can be made in a namespace.
pub(super) fn interface_name(text: &str) -> Result<IfName> {
    if matches!(text, "lo" | "all" | "default") {
        let reason = if text == "lo" { "every namespace has it" } else { "the kernel keeps it for settings" };
        return Err(Error::invalid("use interface name", quoted(text.as_ref()), reason));
    }
    text.parse()
}

/// The address of an interface: of a host, not of a whole subnet.
pub(super) fn address(text: &str) -> Result<IfAddr> {
    let addr: IfAddr = text.parse()?;
    let invalid = |reason: &'static str| Err(Error::invalid("use address", quoted(text.as_ref()), reason));
    let subnet = Prefix::new(addr.ip(), addr.prefix_len())?;
    if addr.prefix_len() + 2 > Family::of(addr.ip()).bits() {
        return Ok(addr);
    }
    let (first, last) = bounds(subnet);
    match number(addr.ip()) {
        ip if ip == first => invalid("it is the address of the subnet itself"),
        ip if ip == last && addr.ip().is_ipv4() => invalid("it is the broadcast address of its subnet"),
        _ => Ok(addr),
    }
}

/// An address as a number.
pub(super) fn number(ip: std::net::IpAddr) -> u128 {
    match ip {
        std::net::IpAddr::V4(ip) => u128::from(u32::from(ip)),
        std::net::IpAddr::V6(ip) => ip.into(),
    }
}

/// A number as an address.
pub(super) fn ip(family: Family, number: u128) -> std::net::IpAddr {
    match family {
        // The upper bits of one of IPv4 are not set.
        Family::Inet => std::net::Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        Family::Inet6 => std::net::Ipv6Addr::from(number).into(),
    }
}

/// The first and the last address of a subnet, as numbers.
pub(super) fn bounds(subnet: Prefix) -> (u128, u128) {
    let host_bits = subnet.family().bits() - subnet.prefix_len();
    let mask = 1_u128.checked_shl(host_bits.into()).map_or(u128::MAX, |size| size - 1);
    let first = number(subnet.ip()) & !mask;
    (first, first | mask)
}
