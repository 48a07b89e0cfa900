//! What a link has that the kernel drops when it moves to another namespace: addresses, being up,
//! and the routes through it. The messages that tell of them are kept, and sent again elsewhere.

use std::{collections::HashSet, mem::discriminant};

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol, AddressScope},
    route::{RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteNextHop, RouteNextHopFlags, RouteProtocol},
};

use super::{
    Netlink,
    link_change::{LinkChange, Switches},
    raw::Refusal,
};
use crate::{addr::Family, error::Result, name::quoted};

/// Of `linux/time.h`, in which the kernel tells how long a route lives.
const TICKS_PER_SECOND: u32 = 100;

/// What can be taken along, and how much cannot.
#[derive(Debug, Default)]
pub(super) struct Luggage {
    up: bool,
    /// What the link was called, which labels of addresses begin with.
    name: String,
    addresses: Vec<AddressMessage>,
    routes: Vec<RouteMessage>,
    /// Routes that also need other links, or next hops that stay behind.
    pub(super) stranded: usize,
}

impl Luggage {
    /// All that the link of this index has.
    pub(super) async fn of(netlink: &Netlink, index: u32, name: &str, up: bool) -> Result<Self> {
        let mut luggage = Self { up, name: name.to_owned(), ..Self::default() };
        let failed = |e: Refusal| e.into_error("list the addresses and routes of", quoted(name.as_ref()));
        let question = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        for object in netlink.dump(question).await.map_err(failed)? {
            match object {
                RouteNetlinkMessage::NewAddress(address) if address.header.index == index => {
                    luggage.addresses.push(address);
                }
                _ => {}
            }
        }
        luggage.addresses.retain(|address| !is_kernels(address));
        // The kernel puts a new IPv4 address behind the others, and an IPv6 one before them.
        let (v4, mut v6): (Vec<_>, Vec<_>) =
            luggage.addresses.into_iter().partition(|address| address.header.family != AddressFamily::Inet6);
        v6.reverse();
        luggage.addresses = [v4, v6].concat();
        for family in [Family::Inet, Family::Inet6] {
            luggage.take_routes(netlink.routes_of(family).await.map_err(failed)?, index);
        }
        // A gateway must be reachable before a route goes through it.
        luggage.routes.sort_by_key(|route| route.attributes.iter().any(leads_to_gateway));
        Ok(luggage)
    }

    fn take_routes(&mut self, routes: Vec<RouteMessage>, index: u32) {
        for route in routes {
            match through(&route, index) {
                Through::Others => {}
                Through::It => self.routes.push(sendable(route)),
                Through::Both => self.stranded += 1,
            }
        }
    }

    /// How many addresses somebody gave it.
    pub(super) fn addresses(&self) -> usize {
        let link_local = |address: &&AddressMessage| {
            address.header.family == AddressFamily::Inet6 && address.header.scope == AddressScope::Link
        };
        self.addresses.iter().filter(|address| !link_local(address)).count()
    }

    /// How many routes go through it.
    pub(super) fn routes(&self) -> usize {
        self.routes.len() + self.stranded
    }

    /// Gives all of it to the link of this index, which is called `name` now.
    pub(super) async fn unpack(&self, netlink: &Netlink, index: u32, name: &str) -> Result<()> {
        let shown = || quoted(name.as_ref());
        if self.up {
            let up =
                LinkChange { switches: Switches { up: Some(true), ..Switches::default() }, ..LinkChange::default() };
            netlink.apply(up.of_link(index, name)).await?;
        }
        for address in &self.addresses {
            // It was found to be nobody else's before, and what needs it cannot wait.
            let address = self.address_for(address, index, name, true);
            netlink.put_address(address).await.map_err(|e| e.into_error("bring along an address of", shown()))?;
        }
        let mut keys = HashSet::new();
        for route in &self.routes {
            // The second of several to the same place comes behind the first.
            let flags = if keys.insert(format!("{:?}", key(route))) { NLM_F_EXCL } else { NLM_F_APPEND };
            let request = RouteNetlinkMessage::NewRoute(through_index(route, index));
            let sent = netlink.request(request, NLM_F_CREATE | flags).await;
            let subject = || format!("to {} through {}", destination(route), shown());
            sent.map_err(|e| e.into_error("bring along the route", subject()))?;
        }
        for address in self.addresses.iter().filter(|address| settled(address)) {
            let address = self.address_for(address, index, name, false);
            netlink.put_address(address).await.map_err(|e| e.into_error("bring along an address of", shown()))?;
        }
        Ok(())
    }

    /// The same address, for another link; at once usable, if it was.
    fn address_for(&self, address: &AddressMessage, index: u32, name: &str, at_once: bool) -> AddressMessage {
        let mut address = address.clone();
        let at_once = at_once && settled(&address);
        let kept = AddressFlags::Nodad
            | AddressFlags::Homeaddress
            | AddressFlags::Managetempaddr
            | AddressFlags::Noprefixroute
            | AddressFlags::Mcautojoin;
        let mut flags = flags_of(&address) & kept;
        flags.set(AddressFlags::Nodad, at_once || flags.contains(AddressFlags::Nodad));
        address.header.index = index;
        // The low eight bits stand in the header too, which older kernels look at alone.
        address.header.flags = AddressHeaderFlags::from_bits_retain((flags.bits() & 0xff) as u8);
        for attribute in &mut address.attributes {
            match attribute {
                AddressAttribute::Flags(own) => *own = flags,
                AddressAttribute::Label(label) => *label = relabelled(label, &self.name, name),
                _ => {}
            }
        }
        address
    }
}

impl Netlink {
    async fn routes_of(&self, family: Family) -> std::result::Result<Vec<RouteMessage>, Refusal> {
        let mut question = RouteMessage::default();
        question.header.address_family = super::kernel_family(family);
        let objects = self.dump(RouteNetlinkMessage::GetRoute(question)).await?;
        let routes = objects.into_iter().filter_map(|object| match object {
            RouteNetlinkMessage::NewRoute(route) => Some(route),
            _ => None,
        });
        Ok(routes.collect())
    }

    async fn put_address(&self, address: AddressMessage) -> std::result::Result<(), Refusal> {
        self.request(RouteNetlinkMessage::NewAddress(address), NLM_F_CREATE | NLM_F_REPLACE).await
    }
}

fn flags_of(address: &AddressMessage) -> AddressFlags {
    let all = address.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Flags(flags) => Some(*flags),
        _ => None,
    });
    all.unwrap_or_else(|| AddressFlags::from_bits_retain(address.header.flags.bits().into()))
}

/// Whether the kernel makes it again by itself: the link-local one, and those that change with time.
fn is_kernels(address: &AddressMessage) -> bool {
    let link_local =
        |attribute: &AddressAttribute| matches!(attribute, AddressAttribute::Protocol(AddressProtocol::LinkLocal));
    let temporary = flags_of(address).contains(AddressFlags::Secondary);
    let v6 = address.header.family == AddressFamily::Inet6;
    v6 && (temporary || address.attributes.iter().any(link_local))
}

/// Whether it was asked for, over IPv6, if somebody else has it, and nobody had.
fn settled(address: &AddressMessage) -> bool {
    let flags = flags_of(address);
    let open = AddressFlags::Tentative | AddressFlags::Dadfailed | AddressFlags::Nodad;
    address.header.family == AddressFamily::Inet6 && !flags.intersects(open)
}

/// A label is the name of the link, or begins with it and `:`.
fn relabelled(label: &str, old: &str, new: &str) -> String {
    match label.strip_prefix(old) {
        Some(rest) if rest.is_empty() || rest.starts_with(':') => format!("{new}{rest}"),
        _ => label.to_owned(),
    }
}

/// Which links a route goes through.
enum Through {
    Others,
    It,
    Both,
}

fn through(route: &RouteMessage, index: u32) -> Through {
    let kernels = route.header.protocol == RouteProtocol::Kernel || route.header.flags.contains(RouteFlags::Cloned);
    let mut links = Vec::new();
    let mut by_object = false;
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Oif(link) => links.push(*link),
            RouteAttribute::MultiPath(hops) => links.extend(hops.iter().map(|hop| hop.interface_index)),
            RouteAttribute::NhId(_) => by_object = true,
            _ => {}
        }
    }
    match links.contains(&index) {
        _ if kernels => Through::Others,
        false => Through::Others,
        true if by_object || links.iter().any(|&link| link != index) => Through::Both,
        true => Through::It,
    }
}

fn leads_to_gateway(attribute: &RouteAttribute) -> bool {
    matches!(attribute, RouteAttribute::Gateway(_) | RouteAttribute::Via(_) | RouteAttribute::MultiPath(_))
}

/// A route as it is asked for, not as it is told of.
fn sendable(mut route: RouteMessage) -> RouteMessage {
    route.header.flags &= RouteFlags::Onlink;
    let expires = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::CacheInfo(info) => Some(info.expires / TICKS_PER_SECOND).filter(|&seconds| seconds > 0),
        _ => None,
    });
    route.attributes.retain(|attribute| !matches!(attribute, RouteAttribute::CacheInfo(_)));
    if route.header.address_family == AddressFamily::Inet6 {
        route.attributes.extend(expires.map(RouteAttribute::Expires));
    }
    route
}

fn through_index(route: &RouteMessage, index: u32) -> RouteMessage {
    let mut route = route.clone();
    for attribute in &mut route.attributes {
        match attribute {
            RouteAttribute::Oif(link) => *link = index,
            RouteAttribute::MultiPath(hops) => hops.iter_mut().for_each(|hop| lead(hop, index)),
            _ => {}
        }
    }
    route
}

fn lead(hop: &mut RouteNextHop, index: u32) {
    hop.interface_index = index;
    hop.flags &= RouteNextHopFlags::Onlink;
}

/// Where a route goes, as ip shows it.
fn destination(route: &RouteMessage) -> String {
    let address = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(ip)) => Some(ip.to_string()),
        RouteAttribute::Destination(RouteAddress::Inet6(ip)) => Some(ip.to_string()),
        _ => None,
    });
    address.map_or("default".into(), |ip| format!("{ip}/{}", route.header.destination_prefix_length))
}

/// What two routes have in common that the kernel takes for the same.
fn key(route: &RouteMessage) -> (AddressFamily, u8, u8, Vec<&RouteAttribute>) {
    let same = [discriminant(&RouteAttribute::Table(0)), discriminant(&RouteAttribute::Priority(0))];
    let part = |attribute: &&RouteAttribute| {
        matches!(attribute, RouteAttribute::Destination(_)) || same.contains(&discriminant(*attribute))
    };
    let header = &route.header;
    let attributes = route.attributes.iter().filter(part).collect();
    (header.address_family, header.destination_prefix_length, header.tos, attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_follows_the_name_of_its_link_and_no_other() {
        assert_eq!(relabelled("eth0", "eth0", "wan"), "wan");
        assert_eq!(relabelled("eth0:1", "eth0", "wan"), "wan:1");
        assert_eq!(relabelled("eth01", "eth0", "wan"), "eth01");
    }
}
