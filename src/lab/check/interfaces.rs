//! Interfaces of nodes: those of networks and links, and those that the file adds.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use super::{
    draft::{Draft, Interface, Node, Port, What},
    links, ports,
};
use crate::{
    addr::IfAddr,
    lab::{
        problem::Faults,
        range::expand,
        spec::{self, Placed, Spec},
        state::Place,
    },
    name::{IfName, escaped},
    netlink::kind::{Geneve, Inner, IpTunnel, Kind, Vlan, Vrf, Vxlan},
};

/// Gives every port its name: the one that the file says, else the first of eth0, eth1 … that is
/// free in its node. Networks come first, in the order of the file, then links in theirs.
pub(super) fn name_ports(spec: &Spec, draft: &mut Draft, faults: &mut Faults) {
    let mut taken: Vec<HashSet<String>> = (0..draft.nodes.len()).map(|at| own_names(spec, draft, at)).collect();
    let named = draft.segments.iter().flat_map(|segment| &segment.ports);
    for (node, name) in named.filter_map(|port| Some((port.node, port.named.as_ref()?))) {
        taken[node].insert(name.as_str().to_owned());
    }
    // How many numbers of eth0, eth1 … are known to be taken.
    let mut numbers = vec![0_usize; draft.nodes.len()];
    for segment in 0..draft.segments.len() {
        for port in 0..draft.segments[segment].ports.len() {
            let node = draft.segments[segment].ports[port].node;
            let named = draft.segments[segment].ports[port].named.clone();
            let free = || next_free(&mut numbers[node], &taken[node]);
            let Some(name) = named.or_else(free) else { continue };
            add_port(draft, segment, port, name, faults);
        }
    }
}

/// The names that a node gives to interfaces of its own.
fn own_names(spec: &Spec, draft: &Draft, node: usize) -> HashSet<String> {
    let own = draft.said(node, spec).into_iter().flat_map(|said| said.interfaces.iter());
    let own = own.filter(|(_, interface)| interface.get_ref().kind.is_some());
    own.map(|(name, _)| name.get_ref().clone()).collect()
}

fn next_free(number: &mut usize, taken: &HashSet<String>) -> Option<IfName> {
    loop {
        let name = format!("eth{number}");
        *number += 1;
        if !taken.contains(&name) {
            return name.parse().ok();
        }
    }
}

fn add_port(draft: &mut Draft, segment: usize, port: usize, name: IfName, faults: &mut Faults) {
    let mtu = mtu_of(draft, segment, port);
    let of = &draft.segments[segment].ports[port];
    let (node, span, mac) = (of.node, of.span.clone(), of.mac);
    let addrs = of.fixed.iter().map(|addr| (*addr, span.clone())).collect();
    let interfaces = &mut draft.nodes[node].interfaces;
    if interfaces.iter().any(|other| other.name == name) {
        let title = draft.nodes[node].title();
        return faults.add(span, format!("{title} has two interfaces {name}"));
    }
    draft.segments[segment].ports[port].interface = Some(interfaces.len());
    let what = What::Port { at: (segment, port) };
    interfaces.push(Interface { name, what, master: None, mtu, mac, up: true, addrs });
}

/// The mtu of a port: that of its segment, else that of its node, else the kernel's. Both ends of a link
/// have one: the smaller of those of their nodes.
fn mtu_of(draft: &Draft, segment: usize, port: usize) -> Option<(u32, Range<usize>)> {
    let segment = &draft.segments[segment];
    let of_node = |port: &Port| draft.nodes[port.node].mtu.clone();
    let of_nodes = || match segment.network {
        Some(_) => of_node(&segment.ports[port]),
        None => segment.ports.iter().filter_map(of_node).min_by_key(|(mtu, _)| *mtu),
    };
    segment.mtu.clone().or_else(of_nodes)
}

/// Reads what nodes say of their interfaces.
pub(super) fn read(spec: &Spec, draft: &mut Draft, faults: &mut Faults) {
    for node in 0..draft.nodes.len() {
        let Some(said) = draft.said(node, spec) else { continue };
        for (name, interface) in said.interfaces.iter() {
            match &interface.get_ref().kind {
                Some(kind) => add_own(draft, node, name, interface, kind, faults),
                None => change_port(draft, node, name, interface.get_ref(), faults),
            }
        }
    }
}

fn add_own(
    draft: &mut Draft,
    node: usize,
    key: &Placed<String>,
    interface: &Placed<spec::Interface>,
    kind: &Placed<Kind>,
    faults: &mut Faults,
) {
    let said = interface.get_ref();
    let Some(name) = faults.keep(key.span(), ports::interface_name(key.get_ref())) else { return };
    let title = draft.nodes[node].title();
    if draft.nodes[node].interface(name.as_str()).is_some() {
        return faults.add(key.span(), format!("{title} has two interfaces {name}"));
    }
    if draft.nodes[node].place == Place::Here {
        let hint = "in the starting namespace, a lab has only ends of its links";
        return faults.advise(kind.span(), format!("'.' has no {}", kind.get_ref().word()), hint);
    }
    check_kind(kind, said, faults);
    let added = Interface {
        name,
        what: What::Own {
            kind: kind.get_ref().clone(),
            lower: said.link.as_ref().and_then(|link| other(link, faults)),
        },
        master: said.master.as_ref().and_then(|master| other(master, faults)),
        mtu: links::mtu(said.mtu.as_ref(), faults),
        mac: said.mac.as_ref().and_then(|mac| faults.keep(mac.span(), mac.get_ref().parse())),
        up: said.up.unwrap_or(true),
        addrs: addrs(draft, node, said, faults),
    };
    draft.nodes[node].interfaces.push(added);
}

fn change_port(draft: &mut Draft, node: usize, key: &Placed<String>, said: &spec::Interface, faults: &mut Faults) {
    let at = draft.nodes[node].interfaces.iter().position(|known| known.name.as_str() == key.get_ref());
    let Some(at) = at.filter(|at| draft.nodes[node].interfaces[*at].kind().is_none()) else {
        let message = format!("no network and no link makes an interface '{}'", escaped(key.get_ref().as_bytes()));
        return faults.advise(key.span(), message, "say what it is, as in: kind = \"dummy\"");
    };
    if let Some(link) = &said.link {
        faults.add(link.span(), "an interface of a network or a link stands on no other");
    }
    if let Some(mtu) = &said.mtu {
        let hint = "both ends have one: write 'mtu' in the link or the network";
        faults.advise(mtu.span(), "an interface of a network or a link has no mtu of its own", hint);
    }
    let addrs = addrs(draft, node, said, faults);
    let port = &mut draft.nodes[node].interfaces[at];
    port.addrs.extend(addrs);
    port.up = said.up.unwrap_or(true);
    port.master = said.master.as_ref().and_then(|master| other(master, faults));
    if let Some(mac) = &said.mac {
        port.mac = faults.keep(mac.span(), mac.get_ref().parse());
    }
}

fn other(name: &Placed<String>, faults: &mut Faults) -> Option<(IfName, Range<usize>)> {
    Some((faults.keep(name.span(), name.get_ref().parse())?, name.span()))
}

/// The addresses of an interface; of a range of nodes, each gets its own of a range that is as long.
fn addrs(draft: &Draft, node: usize, said: &spec::Interface, faults: &mut Faults) -> Vec<(IfAddr, Range<usize>)> {
    let mut found = Vec::new();
    for text in &said.addrs {
        match expand(text.get_ref()) {
            Ok(words) => {
                let mine = draft.nodes[node].turn.share(words);
                let read = mine.iter().filter_map(|word| faults.keep(text.span(), ports::address(word)));
                found.extend(read.map(|addr| (addr, text.span())));
            }
            Err(why) => {
                faults.add(text.span(), format!("cannot use '{}': {why}", escaped(text.get_ref().as_bytes())));
            }
        }
    }
    found
}

/// What a kind needs, and what it cannot have.
fn check_kind(kind: &Placed<Kind>, said: &spec::Interface, faults: &mut Faults) {
    let (span, word) = (kind.span(), kind.get_ref().word());
    let link = said.link.as_ref().map(Placed::span);
    match (needs_link(kind.get_ref()), &link) {
        (Some(true), None) => {
            faults.advise(
                span.clone(),
                format!("a {word} stands on another interface"),
                "name it, as in: link = \"eth0\"",
            );
        }
        (None, Some(link)) => faults.add(link.clone(), format!("a {word} stands on no other interface")),
        _ => {}
    }
    if let Some(problem) = problem_of(kind.get_ref(), link.is_some()) {
        faults.add(span, problem);
    }
}

/// Whether a kind stands on another interface: always, perhaps, or never.
fn needs_link(kind: &Kind) -> Option<bool> {
    match kind {
        Kind::Vlan(_) | Kind::MacVlan(_) | Kind::MacVtap(_) | Kind::IpVlan(_) | Kind::IpVtap(_) => Some(true),
        Kind::Vxlan(_) | Kind::Gre(_) | Kind::GreTap(_) | Kind::IpIp(_) | Kind::Sit(_) => Some(false),
        _ => None,
    }
}

fn problem_of(kind: &Kind, linked: bool) -> Option<&'static str> {
    let wide = |id: &Option<u32>| id.is_some_and(|id| id >> 24 != 0);
    let problem = match kind {
        Kind::Veth | Kind::Netkit(_) => {
            "a pair has two ends: a veth is written as one of [[links]], and a netkit cannot be"
        }
        Kind::Vlan(Vlan { id: None, .. }) => "a vlan needs an 'id'",
        Kind::Vlan(Vlan { id: Some(id), .. }) if *id > 4_094 => "the id of a vlan is from 0 to 4094",
        Kind::IpIp(IpTunnel { isatap: true, .. }) => "'isatap' is of the kind 'sit'",
        Kind::IpIp(IpTunnel { inner: Some(Inner::Ipv6), .. }) => "an ipip carries no IPv6: that is of the kind 'sit'",
        Kind::Vrf(Vrf { table: 0, .. }) => "a vrf needs a 'table', a number from 1 on",
        Kind::Vxlan(Vxlan { id, .. }) if wide(id) => "the id of a vxlan has 24 bits",
        Kind::Vxlan(Vxlan { id: None, external: false, .. }) => "a vxlan needs an 'id', or 'external'",
        Kind::Vxlan(Vxlan { id: Some(_), external: true, .. }) => "a vxlan has 'id' or 'external', not both",
        Kind::Vxlan(Vxlan { remote: Some(ip), .. }) if ip.is_multicast() && !linked => {
            "a vxlan whose 'remote' is a group needs a 'link' that packets leave by"
        }
        Kind::Geneve(Geneve { id, .. }) if wide(id) => "the id of a geneve has 24 bits",
        Kind::Geneve(Geneve { id: Some(_), external: true, .. }) => "a geneve has 'id' or 'external', not both",
        Kind::Geneve(Geneve { id, external: false, remote, .. }) if id.is_none() || remote.is_none() => {
            "a geneve needs 'id' and 'remote', or 'external'"
        }
        _ => return None,
    };
    Some(problem)
}

/// What can only be seen when all interfaces are known.
pub(super) fn check(draft: &Draft, faults: &mut Faults) {
    for node in 0..draft.nodes.len() {
        check_claims(&draft.nodes[node], faults);
        for interface in &draft.nodes[node].interfaces {
            check_master(draft, node, interface, faults);
            check_lower(draft, node, interface, faults);
            check_mtu(interface, faults);
        }
    }
}

/// The packets of an interface go to one taker: a bridge or bond that it belongs to, the macvlans on it,
/// or the ipvlans. The kernel says of a second one that the device is busy.
fn check_claims(node: &Node, faults: &mut Faults) {
    let mut takers: HashMap<&IfName, &str> = HashMap::new();
    let claims = node.interfaces.iter().filter_map(|interface| {
        let master = interface.master.as_ref().and_then(|(name, span)| Some((node.interface(name.as_str())?, span)));
        match master.map(|(master, span)| (master.kind(), span)) {
            Some((Some(Kind::Bridge(_)), span)) => Some((&interface.name, "a bridge", span)),
            Some((Some(Kind::Bond(_)), span)) => Some((&interface.name, "a bond", span)),
            _ => None,
        }
    });
    let standing = node.interfaces.iter().filter_map(|interface| match (interface.kind()?, interface.lower()?) {
        (Kind::MacVlan(_) | Kind::MacVtap(_), (lower, span)) => Some((lower, "macvlans", span)),
        (Kind::IpVlan(_) | Kind::IpVtap(_), (lower, span)) => Some((lower, "ipvlans", span)),
        _ => None,
    });
    for (claimed, taker, span) in claims.chain(standing) {
        let first = *takers.entry(claimed).or_insert(taker);
        if first != taker {
            faults.add(span.clone(), format!("the packets of {claimed} go to {first}, and cannot go to {taker} too"));
        }
    }
}

fn check_master(draft: &Draft, node: usize, interface: &Interface, faults: &mut Faults) {
    let Some((name, span)) = &interface.master else { return };
    let title = draft.nodes[node].title();
    match draft.nodes[node].interface(name.as_str()).map(Interface::kind) {
        Some(Some(Kind::Bridge(_) | Kind::Bond(_) | Kind::Vrf(_))) if *name != interface.name => {}
        // What the starting namespace has is not known here.
        None if draft.nodes[node].place == Place::Here => {}
        None => faults.add(span.clone(), format!("{title} has no interface {name}")),
        Some(_) => faults
            .add(span.clone(), format!("{name} is no bridge, bond or vrf that {} could belong to", interface.name)),
    }
}

fn check_lower(draft: &Draft, node: usize, interface: &Interface, faults: &mut Faults) {
    let Some((name, span)) = interface.lower() else { return };
    let itself = &draft.nodes[node];
    if itself.interface(name.as_str()).is_none() && itself.place != Place::Here {
        return faults.add(span.clone(), format!("{} has no interface {name}", itself.title()));
    }
    let below = |at: &IfName| itself.interface(at.as_str()).and_then(Interface::lower).map(|(name, _)| name);
    let mut seen = HashSet::from([&interface.name]);
    let mut at = Some(name);
    while let Some(lower) = at {
        if !seen.insert(lower) {
            return faults.add(span.clone(), format!("{} would stand on itself", interface.name));
        }
        at = below(lower);
    }
}

fn check_mtu(interface: &Interface, faults: &mut Faults) {
    let Some((mtu, span)) = &interface.mtu else { return };
    let six = interface.addrs.iter().find(|(addr, _)| addr.ip().is_ipv6());
    if let Some((addr, _)) = six.filter(|_| *mtu < 1_280) {
        let hint = "IPv6 needs 1280 bytes";
        faults.advise(span.clone(), format!("an mtu of {mtu} is too small for the address {addr}"), hint);
    }
}
