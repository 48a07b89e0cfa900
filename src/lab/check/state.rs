//! What a checked lab is to the kernel.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt::Write as _,
    sync::Arc,
};

use super::{
    draft::{Draft, Interface, Port, Segment, What},
    mac, nodes,
};
use crate::{
    lab::{
        LabNode,
        spec::{self, Spec},
        state::{LinkState, LinkWhat, Place, RouteState, Space, State},
    },
    name::{IfName, LabName},
    netlink::kind::Kind,
};

/// What the namespace of the switches is called where hardware addresses are made.
const SWITCHES: &str = "~sw";

pub(super) fn of(
    lab: &LabName,
    draft: &Draft,
    spec: &Spec,
    own: &[LabNode],
    routes: Vec<BTreeSet<RouteState>>,
) -> State {
    let ports = port_names(draft);
    let mut state = State::default();
    let hosts: Arc<str> = hosts(draft, own).into();
    for ((at, node), routes) in draft.nodes.iter().enumerate().zip(routes) {
        let links =
            node.interfaces.iter().map(|interface| (interface.name.clone(), link(lab, draft, at, interface, &ports)));
        let files = match &node.place {
            Place::Node(_) => files(draft.said(at, spec), &hosts),
            _ => BTreeMap::new(),
        };
        let sysctls = nodes::sysctls(node, draft.said(at, spec));
        let runs = own.iter().find(|own| node.place == Place::Node(own.name.clone())).map(|own| own.runs.clone());
        let space = Space { links: links.collect(), routes, sysctls, files, runs: runs.unwrap_or_default() };
        if node.place != Place::Here || space != Space::default() {
            state.spaces.insert(node.place.clone(), space);
        }
    }
    if draft.segments.iter().any(|segment| segment.network.is_some()) {
        state.spaces.insert(Place::Switches, switches(lab, draft, &ports));
    }
    state
}

/// The names of ports in the namespace of the switches, for each port of each network:
/// `NODE-INTERFACE` where it fits, else a short hash of it.
fn port_names(draft: &Draft) -> Vec<Vec<IfName>> {
    let networks = draft.segments.iter().filter_map(|segment| segment.network.as_ref());
    let mut taken: HashSet<String> = networks.map(|(name, _)| name.as_str().to_owned()).collect();
    let name = |port: &Port, taken: &mut HashSet<String>| {
        let node = &draft.nodes[port.node].name;
        let node = if node == "." { "here" } else { node };
        let interface = name_of(draft, port).as_str();
        let plain = Some(format!("{node}-{interface}")).filter(|name| name.len() <= IfName::MAX_BYTES);
        let hashed = (0..).map(|turn: u32| {
            let hash = mac::hash([node, interface, &turn.to_string()]);
            format!("p{:012x}", hash & 0xffff_ffff_ffff)
        });
        let mut names = plain.into_iter().chain(hashed).filter_map(|name| name.parse().ok());
        let free = names.find(|name: &IfName| taken.insert(name.as_str().to_owned()));
        free.expect("there are more hashes than ports")
    };
    let mut of_segment = |segment: &Segment| match segment.network {
        Some(_) => segment.ports.iter().map(|port| name(port, &mut taken)).collect(),
        None => Vec::new(),
    };
    draft.segments.iter().map(&mut of_segment).collect()
}

fn link(lab: &LabName, draft: &Draft, node: usize, interface: &Interface, ports: &[Vec<IfName>]) -> LinkState {
    let itself = &draft.nodes[node];
    let what = match &interface.what {
        What::Own { kind, lower } => {
            LinkWhat::Kind { kind: Box::new(kind.clone()), lower: lower.as_ref().map(|(name, _)| name.clone()) }
        }
        What::Port { at: (segment, port) } => LinkWhat::Veth { peer: peer(draft, *segment, *port, ports) },
    };
    let made =
        || has_own_mac(interface, draft, node).then(|| mac::of(lab.as_str(), &itself.name, interface.name.as_str()));
    LinkState {
        what,
        mac: interface.mac.or_else(made),
        mtu_bytes: interface.mtu.as_ref().map(|(mtu, _)| *mtu),
        up: interface.up,
        master: interface.master.as_ref().map(|(name, _)| name.clone()),
        addrs: interface.addrs.iter().map(|(addr, _)| *addr).collect(),
    }
}

/// Whether an interface gets a hardware address that is made of names: those that have none, and
/// those that take that of another, are left to the kernel.
fn has_own_mac(interface: &Interface, draft: &Draft, node: usize) -> bool {
    let master = interface.master.as_ref().and_then(|(name, _)| draft.nodes[node].interface(name.as_str()));
    if master.is_some_and(|master| matches!(master.kind(), Some(Kind::Bond(_)))) {
        return false;
    }
    interface.kind().is_none_or(|kind| {
        matches!(
            kind,
            Kind::Bond(_)
                | Kind::Bridge(_)
                | Kind::Dummy
                | Kind::Geneve(_)
                | Kind::GreTap(_)
                | Kind::Ifb
                | Kind::MacVlan(_)
                | Kind::MacVtap(_)
                | Kind::Tap(_)
                | Kind::Vxlan(_)
        )
    })
}

/// The other end of a port: the other one of a link, or the one in the switch.
fn peer(draft: &Draft, segment: usize, port: usize, ports: &[Vec<IfName>]) -> (Place, IfName) {
    let of = &draft.segments[segment];
    if of.network.is_some() {
        return (Place::Switches, ports[segment][port].clone());
    }
    let far = &of.ports[1 - port];
    (draft.nodes[far.node].place.clone(), name_of(draft, far).clone())
}

fn name_of<'a>(draft: &'a Draft, port: &Port) -> &'a IfName {
    &draft.interface_of(port).expect("a port without an interface is a problem, and there is none").name
}

/// The namespace of the switches: a bridge for each network, and its ports.
fn switches(lab: &LabName, draft: &Draft, ports: &[Vec<IfName>]) -> Space {
    let mut links = BTreeMap::new();
    for (segment, names) in draft.segments.iter().zip(ports) {
        let Some((network, bridge)) = &segment.network else { continue };
        let what = LinkWhat::Kind { kind: Box::new(Kind::Bridge(bridge.clone())), lower: None };
        let mtu = segment.mtu.as_ref().map(|(mtu, _)| *mtu);
        links.insert(network.clone(), in_switch(lab, network, what, mtu, None));
        for (port, name) in segment.ports.iter().zip(names) {
            let what = LinkWhat::Veth { peer: (draft.nodes[port.node].place.clone(), name_of(draft, port).clone()) };
            let mtu = draft.interface_of(port).and_then(|interface| interface.mtu.as_ref()).map(|(mtu, _)| *mtu);
            links.insert(name.clone(), in_switch(lab, name, what, mtu, Some(network.clone())));
        }
    }
    Space { links, ..Space::default() }
}

fn in_switch(
    lab: &LabName,
    name: &IfName,
    what: LinkWhat,
    mtu_bytes: Option<u32>,
    master: Option<IfName>,
) -> LinkState {
    let mac = Some(mac::of(lab.as_str(), SWITCHES, name.as_str()));
    LinkState { what, mac, mtu_bytes, up: true, master, addrs: BTreeSet::new() }
}

/// A line for each address of each node of the lab, in the order of the file; the first of a node is
/// the one that its name means.
fn hosts(draft: &Draft, own: &[LabNode]) -> String {
    let mut text = String::from("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    for node in own {
        let name = node.name.as_str();
        let alias = Some(&node.hostname).filter(|hostname| *hostname != name).map(|name| format!(" {name}"));
        let addrs = draft.find(name).into_iter().flat_map(|at| draft.nodes[at].addrs());
        for addr in addrs {
            // A String takes everything.
            let _ = writeln!(text, "{} {name}{}", addr.ip(), alias.as_deref().unwrap_or_default());
        }
    }
    text
}

/// The files of a node; all nodes have the same `hosts`.
fn files(said: Option<&spec::Node>, hosts: &Arc<str>) -> BTreeMap<String, Arc<str>> {
    let own = said.into_iter().flat_map(|said| said.files.iter());
    let own = own.map(|(name, text)| (name.get_ref().clone(), text.get_ref().as_str().into()));
    own.chain([("hosts".to_owned(), hosts.clone())]).collect()
}
