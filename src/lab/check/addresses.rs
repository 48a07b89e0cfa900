//! Addresses: those that the file gives, and those that are dealt.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    ops::Range,
};

use super::{
    draft::{Draft, Node, Segment},
    ports::{bounds, ip, number},
};
use crate::{
    addr::{Family, IfAddr, Prefix},
    lab::problem::Faults,
    name::IfName,
};

/// Deals addresses, in the order of the file: each subnet of a segment from its first host on, past
/// those that the file gives away, to every port that has none of the family from the file.
pub(super) fn deal(draft: &mut Draft, faults: &mut Faults) {
    check_overlaps(draft, faults);
    for segment in 0..draft.segments.len() {
        check_fixed(&draft.segments[segment], faults);
        let dealt = dealt(&draft.segments[segment], faults);
        for (port, addr) in dealt {
            let port = &draft.segments[segment].ports[port];
            let (node, interface, span) = (port.node, port.interface, port.span.clone());
            let Some(interface) = interface else { continue };
            draft.nodes[node].interfaces[interface].addrs.push((addr, span));
        }
        sort_by_subnet(draft, segment);
        check_segment(draft, segment, faults);
    }
    draft.nodes.iter().for_each(|node| check_node(node, faults));
}

/// An address that was given stands where the dealt one would, before those of `interfaces`.
fn sort_by_subnet(draft: &mut Draft, segment: usize) {
    let subnets: Vec<Prefix> = draft.segments[segment].subnets.iter().map(|(subnet, _)| *subnet).collect();
    let place = |addr: &IfAddr| subnets.iter().position(|subnet| subnet.contains(Prefix::host(addr.ip())));
    for port in 0..draft.segments[segment].ports.len() {
        let (node, interface) =
            (draft.segments[segment].ports[port].node, draft.segments[segment].ports[port].interface);
        let Some(interface) = interface else { continue };
        draft.nodes[node].interfaces[interface].addrs.sort_by_key(|(addr, _)| place(addr).unwrap_or(usize::MAX));
    }
}

fn dealt(segment: &Segment, faults: &mut Faults) -> Vec<(usize, IfAddr)> {
    let mut dealt = Vec::new();
    for (subnet, span) in &segment.subnets {
        let family = subnet.family();
        let of_family = |addr: &IfAddr| Family::of(addr.ip()) == family;
        let waiting = segment.ports.iter().enumerate().filter(|(_, port)| !port.fixed.iter().any(of_family));
        let waiting: Vec<usize> = waiting.map(|(at, _)| at).collect();
        let taken = taken(segment);
        let mut free = hosts(*subnet).filter(|host| !taken.contains(&ip(family, *host)));
        for (count, port) in waiting.iter().enumerate() {
            let Some(host) = free.next() else {
                let message = format!("'{subnet}' has room for {count} of {} interfaces", waiting.len());
                faults.advise(span.clone(), message, "the shorter the prefix, the more addresses it has");
                break;
            };
            let addr = format!("{}/{}", ip(family, host), subnet.prefix_len());
            dealt.extend(addr.parse().ok().map(|addr| (*port, addr)));
        }
    }
    dealt
}

/// What nobody else can get: addresses that the file gives away.
fn taken(segment: &Segment) -> HashSet<IpAddr> {
    let gateway = segment.gateway.as_ref().and_then(|(text, _)| text.parse().ok());
    segment.ports.iter().flat_map(|port| &port.fixed).map(|addr| addr.ip()).chain(gateway).collect()
}

/// The addresses of a subnet that hosts can have, as numbers.
pub(super) fn hosts(subnet: Prefix) -> impl Iterator<Item = u128> {
    let (first, last) = bounds(subnet);
    match last - first {
        // Both ends of a link, or one host.
        0 | 1 => first..=last,
        _ if subnet.family() == Family::Inet => first + 1..=last - 1,
        _ => first + 1..=last,
    }
}

/// Subnets of different segments share nothing; addresses that a file gives itself may.
fn check_overlaps(draft: &Draft, faults: &mut Faults) {
    let all = draft.segments.iter().flat_map(|segment| &segment.subnets);
    let mut all: Vec<&(Prefix, Range<usize>)> = all.collect();
    all.sort_by_key(|(subnet, span)| (subnet.family(), number(subnet.ip()), subnet.prefix_len(), span.start));
    let mut widest: Option<&(Prefix, Range<usize>)> = None;
    for one in all {
        match widest {
            Some(wide) if wide.0.contains(one.0) => {
                let (first, second) = if wide.1.start <= one.1.start { (wide, one) } else { (one, wide) };
                let hint = "each network and each link has a subnet of its own";
                faults.advise(second.1.clone(), format!("'{}' overlaps with '{}'", second.0, first.0), hint);
            }
            _ => widest = Some(one),
        }
    }
}

/// Addresses that are given lie in the subnets, where there are any of the family.
fn check_fixed(segment: &Segment, faults: &mut Faults) {
    for port in &segment.ports {
        for addr in &port.fixed {
            let family = Family::of(addr.ip());
            let mut subnets = segment.subnets.iter().filter(|(subnet, _)| subnet.family() == family).peekable();
            let Some((first, _)) = subnets.peek().copied() else { continue };
            if !subnets.any(|(subnet, _)| subnet.contains(Prefix::host(addr.ip()))) {
                faults.add(port.span.clone(), format!("'{addr}' is not in the subnet '{first}'"));
            }
        }
    }
}

/// No two nodes have the same address on a segment, and no two ports the same hardware address.
fn check_segment(draft: &Draft, segment: usize, faults: &mut Faults) {
    let mut seen: HashMap<IpAddr, (usize, &IfName)> = HashMap::new();
    let mut macs = HashSet::new();
    for port in &draft.segments[segment].ports {
        let Some(interface) = draft.interface_of(port) else { continue };
        if let Some(mac) = interface.mac.filter(|mac| !macs.insert(*mac)) {
            faults.add(port.span.clone(), format!("another interface there has the hardware address {mac} too"));
        }
        for (addr, span) in &interface.addrs {
            let (node, name) = *seen.entry(addr.ip()).or_insert((port.node, &interface.name));
            if node != port.node {
                let other = format!("{}:{}", draft.nodes[node].name, name.as_str());
                faults.add(span.clone(), format!("'{other}' has the address {} too", addr.ip()));
            }
        }
    }
}

/// No node has an address twice, but in VRFs.
fn check_node(node: &Node, faults: &mut Faults) {
    let mut seen = HashSet::new();
    for interface in &node.interfaces {
        let master = interface.master.as_ref().map(|(name, _)| name);
        for (addr, span) in &interface.addrs {
            if !seen.insert((addr.ip(), master)) {
                faults.add(span.clone(), format!("{} has the address {} twice", node.title(), addr.ip()));
            }
        }
    }
}
