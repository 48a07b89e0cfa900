//! What was found in namespaces as a lab file. Pure.
//!
//! What a file cannot say is left out whole, and so gets no mark: what is not marked, a lab leaves alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    addr::Prefix,
    lab::{
        check::{self, FORWARDING},
        observe::Survey,
        spec::{Interface, Link, Node, Placed, Setting, Spec, Table},
        state::{LinkState, LinkWhat, Place, RouteState, State},
        step::{At, shown_route, word_of},
    },
    name::{IfName, LabName},
    netlink::{addr::Addr, kind::Kind, link, route::Route},
};

/// What an Ethernet link takes unless it is told otherwise, in bytes.
const USUAL_MTU_BYTES: u32 = 1500;
/// Who made a route, by the numbers of the kernel: `ip route add`, what says so itself, and a lab.
const PROTOCOLS: [u8; 3] = [3, 4, super::super::mark::ROUTE_PROTOCOL];
/// The MTU among what a route tells TCP and others.
const RTAX_MTU: u16 = 2;
/// The kernel makes these by itself where a tunnel's driver is there.
const FALLBACKS: [&str; 9] =
    ["tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"];

/// What is to be the lab's, and what is not.
pub(super) struct Written {
    pub spec: Spec,
    /// Links, routes and settings that the file has.
    pub state: State,
    /// What it has not, and why.
    pub left_out: Vec<String>,
}

pub(super) fn write(lab: &LabName, survey: &Survey) -> Written {
    let mut writer = Writer { survey, state: survey.observed.state.clone(), left_out: Vec::new() };
    writer.leave_out_what_is_no_links();
    writer.leave_out_links();
    writer.keep_routes();
    writer.leave_out_what_is_untold();
    let spec = spec_of(lab, &writer.state);
    Written { spec, state: writer.state, left_out: writer.left_out }
}

struct Writer<'a> {
    survey: &'a Survey,
    state: State,
    left_out: Vec<String>,
}

impl Writer<'_> {
    fn note(&mut self, at: &At, why: &str) {
        self.left_out.push(format!("{at} is not in the file, and is left as it is: {why}"));
    }

    /// `lo`, and links that the survey does not have because their names are none.
    fn leave_out_what_is_no_links(&mut self) {
        for (place, (_, addrs)) in self.survey.raw.iter().filter(|(place, _)| **place != Place::Here) {
            let own = |addr: &&Addr| addr.link_index == link::LOOPBACK_INDEX && !addr.local.is_loopback();
            for addr in addrs.iter().filter(own) {
                let of = word_of(place);
                let text = format!("{}/{} of {of}:lo", addr.local, addr.prefix_len);
                self.left_out
                    .push(format!("{text} is not in the file, and is left as it is: 'lo' has no addresses there"));
            }
            let lo = |link: &IfName| link.as_str() == "lo";
            let links = self.state.spaces.get_mut(place).map(|space| &mut space.links);
            if links.is_some_and(|links| links.keys().any(lo)) {
                self.left_out.push(format!("{}:lo is down: 'lab up' brings it up", word_of(place)));
            }
        }
        for space in self.state.spaces.values_mut() {
            space.links.retain(|name, _| name.as_str() != "lo");
        }
    }

    fn leave_out_what_is_untold(&mut self) {
        for (place, untold) in &self.survey.untold {
            for (count, what) in [(untold.rules, "rules"), (untold.neighbours, "permanent neighbours")] {
                if count > 0 {
                    let of = word_of(place);
                    let why = format!("are not in the file, and are left as they are: no file has {what}");
                    self.left_out.push(format!("{what} of {of} ({count}) {why}"));
                }
            }
        }
    }

    /// Until nothing that stays needs what goes.
    fn leave_out_links(&mut self) {
        loop {
            let links = self.state.spaces.iter().flat_map(|(place, space)| {
                space.links.iter().map(|(name, link)| (At { place: place.clone(), name: name.clone() }, link))
            });
            let gone: Vec<_> = links.filter_map(|(at, link)| Some((self.problem(&at, link)?, at))).collect();
            if gone.is_empty() {
                break;
            }
            for (why, at) in gone {
                if let Some(space) = self.state.spaces.get_mut(&at.place) {
                    space.links.remove(&at.name);
                }
                if !why.is_empty() {
                    self.note(&at, &why);
                }
            }
        }
        let empty_here = |place: &Place, links: bool| *place == Place::Here && links;
        self.state.spaces.retain(|place, space| !empty_here(place, space.links.is_empty()));
    }

    /// Why a link cannot be in the file; empty where nobody needs to be told.
    fn problem(&self, at: &At, link: &LinkState) -> Option<String> {
        let name = at.name.as_str();
        if !check::is_interface_name(name) || name.contains(['[', ']', '=', ',']) {
            return Some("a file cannot have an interface of this name".into());
        }
        if let Some(why) = self.problem_of_addrs(at, link) {
            return Some(why);
        }
        let there = |name: &IfName| self.state.spaces.get(&at.place).is_some_and(|s| s.links.contains_key(name));
        if let Some(master) = link.master.as_ref().filter(|master| at.place != Place::Here && !there(master)) {
            return Some(format!("it belongs to {master}, which is not there"));
        }
        match &link.what {
            LinkWhat::Veth { peer } => self.problem_of_pair(link, peer),
            LinkWhat::Kind { kind, lower } => self.problem_of_kind(at, kind, lower.as_ref().map(|it| (it, there(it)))),
        }
    }

    fn raw(&self, at: &At) -> Option<&link::Link> {
        self.survey.raw.get(&at.place)?.0.iter().find(|link| link.name == at.name.as_str())
    }

    fn problem_of_addrs(&self, at: &At, link: &LinkState) -> Option<String> {
        let bad = link.addrs.iter().find(|addr| !check::is_address(&addr.to_string()));
        if let Some(addr) = bad {
            return Some(format!("a file cannot have its address {addr}"));
        }
        let index = self.raw(at)?.index;
        let addrs = self.survey.raw.get(&at.place)?.1.iter().filter(|addr| addr.link_index == index);
        let far = addrs.filter_map(|addr| Some((addr.local, addr.peer?))).find(|(local, peer)| local != peer);
        far.map(|(local, peer)| format!("its address {local} has a peer, {peer}"))
    }

    fn problem_of_pair(&self, link: &LinkState, (place, name): &(Place, IfName)) -> Option<String> {
        let Some(far) = self.state.spaces.get(place).and_then(|space| space.links.get(name)) else {
            return Some(format!("its other end, {}:{name}, is not there either", word_of(place)));
        };
        let mtu = |link: &LinkState| link.mtu_bytes.unwrap_or(USUAL_MTU_BYTES);
        if mtu(link) != mtu(far) {
            return Some(format!("its ends have an mtu of {} and of {}, and a file has one", mtu(link), mtu(far)));
        }
        (link.mac.is_none() || link.mac == far.mac).then(|| "both ends have one hardware address, or none".into())
    }

    fn problem_of_kind(&self, at: &At, kind: &Kind, lower: Option<(&IfName, bool)>) -> Option<String> {
        if let Some((lower, false)) = lower {
            return Some(format!("it stands on {lower}, which is not there"));
        }
        let raw = self.raw(at)?;
        let word = raw.kind.as_deref().unwrap_or("hardware");
        match kind {
            Kind::Veth if word == "veth" => Some("its other end is in none of these namespaces".into()),
            Kind::Veth if FALLBACKS.contains(&raw.name.as_str()) => Some(String::new()),
            Kind::Veth => Some(format!("it is of kind {word}, of which not everything can be told")),
            _ if raw.lower_nsid.is_some() => Some("it stands on a link of another namespace".into()),
            _ => None,
        }
    }

    /// The routes that somebody wrote by hand.
    fn keep_routes(&mut self) {
        for (place, routes) in &self.survey.routes {
            let mut kept = BTreeSet::new();
            for (route, told) in routes {
                match self.route(place, route, told.as_ref(), routes) {
                    Ok(route) => drop(kept.insert(route)),
                    Err(why) => {
                        let dst = if route.dst.is_all() { "default".to_owned() } else { route.dst.to_string() };
                        let of = word_of(place);
                        let text = format!("the route {dst} of {of} is not in the file, and is left as it is: {why}");
                        self.left_out.push(text);
                    }
                }
            }
            if let Some(space) = self.state.spaces.get_mut(place) {
                space.routes = kept;
            }
        }
    }

    fn route(
        &self,
        place: &Place,
        route: &Route,
        told: Option<&RouteState>,
        all: &[(Route, Option<RouteState>)],
    ) -> Result<RouteState, String> {
        if let Some(other) = route.protocol.filter(|of| !PROTOCOLS.contains(of)) {
            return Err(format!("it is of protocol {other}, whose program keeps it"));
        }
        let (Some(told), false) = (told, says_more(route)) else {
            return Err("it says more than a file can".into());
        };
        let key = |route: &RouteState| (route.dst, route.table, route.metric);
        if all.iter().filter_map(|(_, other)| other.as_ref()).filter(|other| key(other) == key(told)).count() > 1 {
            return Err("there are several to this destination, of one metric".into());
        }
        self.resolves(place, told).map(|()| told.clone())
    }

    /// Whether the file knows what it leads through and by.
    fn resolves(&self, place: &Place, route: &RouteState) -> Result<(), String> {
        let Some(space) = self.state.spaces.get(place) else { return Ok(()) };
        let link = route.dev.as_ref().and_then(|dev| space.links.get(dev));
        if let Some(dev) = route.dev.as_ref().filter(|dev| link.is_none() && dev.as_str() != "lo") {
            return Err(format!("it leads through {dev}, which is not there"));
        }
        let holds = |ip: std::net::IpAddr| {
            let subnet = |addr: &crate::addr::IfAddr| Prefix::new(addr.ip(), addr.prefix_len());
            link.is_some_and(|link| link.addrs.iter().flat_map(subnet).any(|subnet| subnet.contains(Prefix::host(ip))))
        };
        let link_local = |ip: std::net::IpAddr| matches!(ip, std::net::IpAddr::V6(ip) if ip.is_unicast_link_local());
        if let Some(via) = route.via.filter(|via| !route.onlink && !link_local(*via) && !holds(*via)) {
            return Err(format!("{via} is in no subnet of its interface"));
        }
        let own =
            |ip: &std::net::IpAddr| space.links.values().flat_map(|link| &link.addrs).any(|addr| addr.ip() == *ip);
        match route.src.filter(|src| !own(src)) {
            Some(src) => Err(format!("its source {src} is not in the file")),
            None => Ok(()),
        }
    }
}

/// Whether a route has something that a file has no word for.
fn says_more(route: &Route) -> bool {
    let kinds = ["unicast", "blackhole", "unreachable", "prohibit", "throw"];
    let family = |ip: std::net::IpAddr| crate::addr::Family::of(ip);
    let more = [
        route.kind.is_none_or(|kind| !kinds.contains(&kind.name().as_str())),
        route.from.is_some_and(|from| !from.is_all()),
        route.tos != 0,
        !route.hops.is_empty(),
        route.iif != 0,
        route.nexthop_id.is_some(),
        route.mark.is_some(),
        route.uid.is_some(),
        route.expires.is_some(),
        route.preference.is_some_and(|preference| preference != 0),
        route.metrics.iter().any(|metric| metric.number != RTAX_MTU || metric.locked),
        route.hop.via.is_some_and(|via| family(via) != route.family()),
    ];
    more.contains(&true)
}

fn placed<T>(value: T) -> Placed<T> {
    Placed::new(0..0, value)
}

fn spec_of(lab: &LabName, state: &State) -> Spec {
    let nodes = state.spaces.iter().filter_map(|(place, space)| {
        let interfaces: Vec<_> = space
            .links
            .iter()
            .filter_map(|(name, link)| Some((placed(name.as_str().to_owned()), placed(interface(space, name, link)?))))
            .collect();
        let is_here = *place == Place::Here;
        let routes = space.routes.iter().filter(|_| !is_here).map(|route| placed(route_text(space, route))).collect();
        let (forward, sysctl) = if is_here { (None, Table::default()) } else { forwarding(&space.sysctls) };
        let node = Node { forward, sysctl, routes, interfaces: Table(interfaces), ..Node::default() };
        (!is_here || node != Node::default()).then(|| (placed(word_of(place).to_owned()), node))
    });
    Spec {
        name: placed(lab.as_str().to_owned()),
        nodes: Table(nodes.collect()),
        networks: Table::default(),
        links: pairs(state),
        checks: Vec::new(),
    }
}

fn forwarding(sysctls: &BTreeMap<String, String>) -> (Option<Placed<bool>>, Table<Placed<Setting>>) {
    let on = |key: &str| sysctls.get(key).map(String::as_str);
    match FORWARDING.map(on) {
        // A kernel may have no IPv6.
        [Some("1"), Some("1")] => (Some(placed(true)), Table::default()),
        values => {
            let unusual = FORWARDING.into_iter().zip(values).filter(|(_, value)| value.is_some_and(|on| on != "0"));
            let told = unusual
                .map(|(key, value)| (placed(key.to_owned()), placed(Setting(value.unwrap_or_default().to_owned()))));
            (None, Table(told.collect()))
        }
    }
}

fn pairs(state: &State) -> Vec<Placed<Link>> {
    let mut links = Vec::new();
    for (place, space) in &state.spaces {
        for (name, link) in &space.links {
            let LinkWhat::Veth { peer: (far_place, far_name) } = &link.what else { continue };
            let far = state.spaces.get(far_place).and_then(|space| space.links.get(far_name));
            let Some(far) = far.filter(|_| (place, name) < (far_place, far_name)) else { continue };
            let macs = [link.mac, far.mac].map(|mac| placed(mac.map_or_else(String::new, |mac| mac.to_string())));
            links.push(placed(Link {
                ends: [placed(end(place, name, link)), placed(end(far_place, far_name, far))],
                subnet: None,
                mtu: link.mtu_bytes.filter(|mtu| *mtu != USUAL_MTU_BYTES).map(placed),
                macs: Some(macs),
            }));
        }
    }
    links
}

fn end(place: &Place, name: &IfName, link: &LinkState) -> String {
    let addrs: Vec<_> = link.addrs.iter().map(ToString::to_string).collect();
    let addrs = if addrs.is_empty() { String::new() } else { format!("={}", addrs.join(",")) };
    format!("{}:{}{addrs}", word_of(place), name.as_str())
}

/// What is to be said of an interface; nothing of most ends of pairs.
fn interface(space: &crate::lab::state::Space, name: &IfName, link: &LinkState) -> Option<Interface> {
    let mut said = Interface {
        up: (!link.up).then_some(false),
        master: link.master.as_ref().map(|master| placed(master.as_str().to_owned())),
        ..Interface::default()
    };
    if let LinkWhat::Kind { kind, lower } = &link.what {
        said.kind = Some(placed((**kind).clone()));
        said.link = lower.as_ref().map(|lower| placed(lower.as_str().to_owned()));
        said.addrs = link.addrs.iter().map(|addr| placed(addr.to_string())).collect();
        said.mtu = link.mtu_bytes.filter(|mtu| *mtu != USUAL_MTU_BYTES || has_odd_port(space, name)).map(placed);
        // The others take that of the link below.
        let own = !matches!(**kind, Kind::Vlan(_) | Kind::Vrf(_));
        said.mac = link.mac.filter(|_| own).map(|mac| placed(mac.to_string()));
    }
    (said != Interface::default()).then_some(said)
}

/// A bridge takes the smallest mtu of its ports, unless it is told.
fn has_odd_port(space: &crate::lab::state::Space, name: &IfName) -> bool {
    let mut ports = space.links.values().filter(|port| port.master.as_ref() == Some(name));
    ports.any(|port| port.mtu_bytes != Some(USUAL_MTU_BYTES))
}

/// In a VRF, the table is another unless it is said.
fn route_text(space: &crate::lab::state::Space, route: &RouteState) -> String {
    let is_vrf = |link: &LinkState| matches!(&link.what, LinkWhat::Kind { kind, .. } if matches!(**kind, Kind::Vrf(_)));
    let said = shown_route(route);
    // 'default' alone is one of IPv4.
    let said = if route.dst.is_all() && route.dst.ip().is_ipv6() { said.replacen("default", "::/0", 1) } else { said };
    if route.table == 254 && space.links.values().any(is_vrf) { format!("{said} table 254") } else { said }
}
