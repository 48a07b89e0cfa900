//! Routes: ip's words, with names of nodes for their addresses.

use std::{collections::BTreeSet, net::IpAddr, ops::Range};

use super::{
    draft::{Draft, Interface, Segment, holds},
    links::prefix,
    ports::{bounds, number},
};
use crate::{
    addr::{Family, Prefix},
    lab::{
        problem::Faults,
        range::expand,
        spec::Spec,
        state::{Place, RouteState},
    },
    name::{IfName, NodeName, escaped},
    netlink::kind::Kind,
};

/// The kernel's usual table, `main`.
const MAIN: u32 = 254;
/// What the kernel takes for a route of IPv6 that says none.
const USUAL_METRIC_OF_IPV6: u32 = 1_024;

/// A route as it is written.
#[derive(Debug, Default)]
struct Said {
    /// `None` is `default`.
    dst: Option<Prefix>,
    kind: Option<String>,
    via: Option<Via>,
    dev: Option<IfName>,
    metric: u32,
    table: Option<u32>,
    src: Option<IpAddr>,
    mtu_bytes: Option<u32>,
    onlink: bool,
}

#[derive(Debug, Clone)]
enum Via {
    Address(IpAddr),
    Node(String),
}

/// The routes of every node, by its position.
pub(super) fn read(spec: &Spec, draft: &Draft, faults: &mut Faults) -> Vec<BTreeSet<RouteState>> {
    let mut routes: Vec<BTreeSet<RouteState>> = vec![BTreeSet::new(); draft.nodes.len()];
    for (node, routes) in routes.iter_mut().enumerate() {
        let said = draft.said(node, spec).into_iter().flat_map(|said| &said.routes);
        for text in said {
            match expand(text.get_ref()) {
                Ok(words) => {
                    let mine = draft.nodes[node].turn.share(words);
                    for word in &mine {
                        add(word, &text.span(), draft, node, routes, faults);
                    }
                }
                Err(why) => refuse(text.get_ref(), &text.span(), &why, faults),
            }
        }
    }
    for segment in &draft.segments {
        add_gateway(segment, draft, &mut routes, faults);
    }
    routes
}

fn refuse(text: &str, span: &Range<usize>, why: &str, faults: &mut Faults) {
    faults.add(span.clone(), format!("cannot use route '{}': {why}", escaped(text.as_bytes())));
}

fn add(
    text: &str,
    span: &Range<usize>,
    draft: &Draft,
    node: usize,
    routes: &mut BTreeSet<RouteState>,
    faults: &mut Faults,
) {
    let found = parse(text).and_then(|said| resolve(&said, draft, node));
    match found {
        Ok(found) => {
            for route in found {
                let same = |other: &&RouteState| {
                    (other.dst, other.metric, other.table) == (route.dst, route.metric, route.table)
                };
                if routes.iter().any(|other| same(&other)) {
                    let hint = "give one of them another 'metric'";
                    faults.advise(span.clone(), format!("there are two routes to {}", shown(route.dst)), hint);
                }
                routes.insert(route);
            }
        }
        Err(why) => refuse(text, span, &why, faults),
    }
}

fn shown(dst: Prefix) -> String {
    if dst.is_all() { "default".to_owned() } else { dst.to_string() }
}

/// Reads ip's words.
fn parse(text: &str) -> Result<Said, String> {
    let mut words = text.split_whitespace().peekable();
    let kind = words.next_if(|word| matches!(*word, "unicast" | "blackhole" | "unreachable" | "prohibit" | "throw"));
    let mut said = Said { kind: kind.map(str::to_owned), ..Said::default() };
    said.dst = destination(words.next().ok_or("it says nowhere to")?)?;
    while let Some(word) = words.next() {
        if word == "onlink" {
            said.onlink = true;
            continue;
        }
        if !matches!(word, "via" | "dev" | "metric" | "table" | "src" | "mtu") {
            return Err(format!(
                "'{}' is none of via, dev, metric, table, src, mtu and onlink",
                escaped(word.as_bytes())
            ));
        }
        let value = words.next().ok_or_else(|| format!("'{word}' says nothing"))?;
        set(&mut said, word, value)?;
    }
    Ok(said)
}

fn destination(word: &str) -> Result<Option<Prefix>, String> {
    if word == "default" {
        return Ok(None);
    }
    let prefix = match word.parse::<IpAddr>() {
        Ok(ip) => Prefix::host(ip),
        Err(_) => prefix(word).map_err(|error| {
            format!("'{}' is no destination: {}", escaped(word.as_bytes()), error.reason().unwrap_or_default())
        })?,
    };
    if bounds(prefix).0 != number(prefix.ip()) {
        return Err(format!("'{prefix}' is an address in a subnet, not a subnet"));
    }
    Ok(Some(prefix))
}

fn set(said: &mut Said, word: &str, value: &str) -> Result<(), String> {
    let shown = || escaped(value.as_bytes());
    let number = || value.parse::<u32>().map_err(|_| format!("'{word} {}' is no number", shown()));
    match word {
        "via" => said.via = Some(value.parse().map_or_else(|_| Via::Node(value.to_owned()), Via::Address)),
        "dev" => said.dev = Some(value.parse().map_err(|error: crate::Error| error.to_string())?),
        "metric" => said.metric = number()?,
        "table" => said.table = Some(if value == "main" { MAIN } else { number()? }),
        "src" => said.src = Some(value.parse().map_err(|_| format!("'src {}' is no address", shown()))?),
        _ => said.mtu_bytes = Some(number()?),
    }
    Ok(())
}

/// What the words mean in a node: for a node of both families behind `via`, two default routes.
fn resolve(said: &Said, draft: &Draft, node: usize) -> Result<Vec<RouteState>, String> {
    let kind = said.kind.as_deref().unwrap_or("unicast");
    if kind != "unicast" && (said.via.is_some() || said.dev.is_some() || said.onlink) {
        return Err(format!("a route of type {kind} leads nowhere"));
    }
    let families = families(said, draft, node)?;
    families.into_iter().map(|family| resolve_one(said, kind, family, draft, node)).collect()
}

fn families(said: &Said, draft: &Draft, node: usize) -> Result<Vec<Family>, String> {
    let family_of = |dst: &Prefix| dst.family();
    match (&said.dst, &said.via) {
        (Some(dst), _) => Ok(vec![family_of(dst)]),
        (None, Some(Via::Address(ip))) => Ok(vec![Family::of(*ip)]),
        (None, Some(Via::Node(name))) => {
            let far = find(draft, name)?;
            let shared = |family: &Family| draft.neighbour(node, far, *family).is_some();
            let families: Vec<_> = [Family::Inet, Family::Inet6].into_iter().filter(shared).collect();
            if families.is_empty() { Err(apart(draft, node, name)) } else { Ok(families) }
        }
        (None, None) => Ok(vec![said.src.map_or(Family::Inet, Family::of)]),
    }
}

fn find(draft: &Draft, name: &str) -> Result<usize, String> {
    let shown = || escaped(name.as_bytes());
    draft.find(name).ok_or_else(|| match name.parse::<NodeName>() {
        Ok(_) => format!("there is no node '{}'", shown()),
        Err(_) => format!("'{}' is neither an address nor a node", shown()),
    })
}

fn apart(draft: &Draft, node: usize, name: &str) -> String {
    let here = &draft.nodes[node].name;
    format!("'{here}' and '{name}' have no addresses in one subnet")
}

fn resolve_one(said: &Said, kind: &str, family: Family, draft: &Draft, node: usize) -> Result<RouteState, String> {
    let via = match &said.via {
        None => None,
        Some(Via::Address(ip)) if Family::of(*ip) != family => return Err("its addresses are of both families".into()),
        Some(Via::Address(ip)) => Some(*ip),
        Some(Via::Node(name)) => {
            let far = find(draft, name)?;
            Some(draft.neighbour(node, far, family).ok_or_else(|| apart(draft, node, name))?.0)
        }
    };
    if said.src.is_some_and(|src| Family::of(src) != family) {
        return Err("its addresses are of both families".into());
    }
    let dev = if kind == "unicast" { device(said, via, draft, node)? } else { None };
    let itself = &draft.nodes[node];
    let through_own = || dev.as_ref().is_some_and(|dev| itself.interface(dev.as_str()).is_some());
    if itself.place == Place::Here && !through_own() {
        return Err("a route of '.' leads through a link of the lab, and goes with it".into());
    }
    if let Some(src) =
        said.src.filter(|src| itself.place != Place::Here && !itself.addrs().any(|addr| addr.ip() == *src))
    {
        return Err(format!("'{}' has no address {src}", itself.name));
    }
    let of_vrf = dev.as_ref().and_then(|dev| table_of(draft, node, dev));
    Ok(RouteState {
        dst: said.dst.unwrap_or_else(|| Prefix::all(family)),
        kind: kind.to_owned(),
        via,
        dev,
        metric: if family == Family::Inet6 && said.metric == USUAL_METRIC_OF_IPV6 { 0 } else { said.metric },
        table: said.table.or(of_vrf).unwrap_or(MAIN),
        src: said.src,
        mtu_bytes: said.mtu_bytes,
        onlink: said.onlink,
    })
}

/// The link that a route leads through: the one that is named, or the one whose subnet holds the router.
fn device(said: &Said, via: Option<IpAddr>, draft: &Draft, node: usize) -> Result<Option<IfName>, String> {
    let itself = &draft.nodes[node];
    let reaches = |interface: &Interface, ip: IpAddr| interface.addrs.iter().any(|(addr, _)| holds(*addr, ip));
    if let Some(dev) = &said.dev {
        let found = itself.interface(dev.as_str());
        if found.is_none() && dev.as_str() != "lo" && itself.place != Place::Here {
            return Err(format!("'{}' has no interface {dev}", itself.name));
        }
        let link_local = |ip: IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        let beyond = |ip: &IpAddr| !said.onlink && !link_local(*ip) && !found.is_some_and(|found| reaches(found, *ip));
        if let Some(ip) = via.filter(|ip| found.is_some() && beyond(ip)) {
            return Err(format!("{ip} is in no subnet of {dev}; 'onlink' says that it is there nonetheless"));
        }
        return Ok(Some(dev.clone()));
    }
    let Some(via) = via else { return Err("it has neither 'via' nor 'dev'".into()) };
    let found = itself.interfaces.iter().find(|interface| reaches(interface, via));
    let connected = || format!("{via} is in no subnet that '{}' is connected to", itself.name);
    found.map(|found| Some(found.name.clone())).ok_or_else(connected)
}

/// A route through a link of a VRF is in its table.
fn table_of(draft: &Draft, node: usize, dev: &IfName) -> Option<u32> {
    let itself = &draft.nodes[node];
    let (master, _) = itself.interface(dev.as_str())?.master.as_ref()?;
    match itself.interface(master.as_str())?.kind()? {
        Kind::Vrf(vrf) => Some(vrf.table),
        _ => None,
    }
}

/// Gives the other members of a network a way out through its gateway, where they have none yet. The
/// starting namespace has one of its own, which is not touched.
fn add_gateway(segment: &Segment, draft: &Draft, routes: &mut [BTreeSet<RouteState>], faults: &mut Faults) {
    let Some((text, span)) = &segment.gateway else { return };
    let gateways = gateway_addrs(segment, draft, text, span, faults);
    let is_other = |node: usize| draft.nodes[node].place != Place::Here && draft.nodes[node].name != *text;
    for port in segment.ports.iter().filter(|port| is_other(port.node)) {
        let Some(interface) = draft.interface_of(port) else { continue };
        let table = table_of(draft, port.node, &interface.name).unwrap_or(MAIN);
        for via in &gateways {
            let own = interface.addrs.iter().any(|(addr, _)| addr.ip() == *via);
            let reached = interface.addrs.iter().any(|(addr, _)| holds(*addr, *via));
            let route = default_route(*via, &interface.name, table);
            let has_one = routes[port.node].iter().any(|other| (other.dst, other.table) == (route.dst, table));
            if reached && !own && !has_one {
                routes[port.node].insert(route);
            }
        }
    }
}

/// The address that is the gateway, or those of the member that is.
fn gateway_addrs(
    segment: &Segment,
    draft: &Draft,
    text: &str,
    span: &Range<usize>,
    faults: &mut Faults,
) -> Vec<IpAddr> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        if segment.subnets.iter().any(|(subnet, _)| subnet.contains(Prefix::host(ip))) {
            return vec![ip];
        }
        faults.add(span.clone(), format!("{ip} is in no subnet of the network"));
        return Vec::new();
    }
    let shown = escaped(text.as_bytes());
    let addrs = member_addrs(segment, draft, text);
    match &addrs {
        None => {
            let hint = "a gateway is one of the members, or an address";
            faults.advise(span.clone(), format!("'{shown}' is no member of the network"), hint);
        }
        Some(addrs) if addrs.is_empty() => {
            let hint = "give the network a 'subnet'";
            faults.advise(span.clone(), format!("'{shown}' has no address on the network"), hint);
        }
        Some(_) => {}
    }
    addrs.unwrap_or_default()
}

fn default_route(via: IpAddr, dev: &IfName, table: u32) -> RouteState {
    RouteState {
        dst: Prefix::all(Family::of(via)),
        kind: "unicast".into(),
        via: Some(via),
        dev: Some(dev.clone()),
        metric: 0,
        table,
        src: None,
        mtu_bytes: None,
        onlink: false,
    }
}

/// The first address of each family that a member has on the network.
fn member_addrs(segment: &Segment, draft: &Draft, name: &str) -> Option<Vec<IpAddr>> {
    let port = segment.ports.iter().find(|port| draft.nodes[port.node].name == name)?;
    let addrs = &draft.interface_of(port)?.addrs;
    let first = |family| addrs.iter().map(|(addr, _)| addr.ip()).find(|ip| Family::of(*ip) == family);
    Some([Family::Inet, Family::Inet6].into_iter().filter_map(first).collect())
}
