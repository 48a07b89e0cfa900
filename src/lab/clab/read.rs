//! A topology of containerlab into what a lab file says, with the places of the topology.

use std::{collections::HashMap, ops::Range};

use super::{
    command::{Meaning, meaning},
    yaml::{self, Entry, Value, Yaml},
};
use crate::{
    lab::{
        problem::Faults,
        spec::{Interface, Link, Network, Node, Placed, Setting, Spec, Table},
    },
    name::escaped,
    netlink::kind::Kind,
};

/// Reads a text: what the lab is, and what is not kept of it.
pub(super) fn read(text: &str, faults: &mut Faults) -> Option<(Spec, Faults)> {
    let root = yaml::parse(text, faults)?;
    let Some(topology) = root.get("topology") else {
        faults.add(root.span.clone(), "this is no topology of containerlab: it has no 'topology'");
        return None;
    };
    let mut reader =
        Reader { topology, faults, left_out: Faults::default(), peers: HashMap::new(), spec: named(&root) };
    reader.leave_out_others(root.entries(), "the topology", &["name", "topology"]);
    reader.leave_out_others(topology.entries(), "the topology", &["nodes", "links", "kinds", "defaults", "groups"]);
    reader.leave_out_of_kinds();
    for node in reader.table("nodes") {
        reader.node(node);
    }
    let links = topology.get("links").map(Yaml::items).unwrap_or_default();
    for link in links {
        reader.link(link);
    }
    for (node, command) in reader.commands() {
        reader.exec(&node, command);
    }
    reader.forward_between_links();
    Some((reader.spec, reader.left_out))
}

fn named(root: &Yaml) -> Spec {
    let name = root.get("name");
    let text = name.and_then(Yaml::text).unwrap_or("lab");
    Spec {
        name: Placed::new(name.map_or(0..0, |name| name.span.clone()), word(text)),
        nodes: Table::default(),
        networks: Table::default(),
        links: Vec::new(),
        checks: Vec::new(),
    }
}

/// A name that a lab or a node can have: others have dots, and more.
fn word(name: &str) -> String {
    let good = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '-' };
    let word: String = name.chars().map(good).collect();
    word.trim_start_matches(['-', '_']).chars().take(64).collect()
}

/// What an end of a link leads to.
#[derive(Debug, Clone)]
enum Peer {
    Node(String),
    Network(String),
    Here,
}

/// An end of a link.
struct End {
    peer: Peer,
    interface: String,
    span: Range<usize>,
    mac: Option<Placed<String>>,
    addrs: Vec<String>,
}

impl End {
    /// As a lab file has it.
    fn port(&self) -> Placed<String> {
        let node = match &self.peer {
            Peer::Node(name) | Peer::Network(name) => name,
            Peer::Here => ".",
        };
        let addrs = if self.addrs.is_empty() { String::new() } else { format!("={}", self.addrs.join(",")) };
        Placed::new(self.span.clone(), format!("{node}:{}{addrs}", self.interface))
    }
}

struct Reader<'y, 'f> {
    topology: &'y Yaml,
    faults: &'f mut Faults,
    left_out: Faults,
    /// What the topology calls them.
    peers: HashMap<String, Peer>,
    spec: Spec,
}

impl<'y> Reader<'y, '_> {
    fn leave_out_others(&mut self, entries: &[Entry], of: &str, known: &[&str]) {
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let key = escaped(entry.key.as_bytes());
            self.left_out.add(entry.span.clone(), format!("'{key}' of {of} is not kept"));
        }
    }

    /// The entries of a table of the topology.
    fn table(&mut self, key: &str) -> &'y [Entry] {
        let found = self.topology.get(key);
        if let Some(other) = found.filter(|found| !matches!(found.value, Value::Table(_) | Value::Nothing)) {
            self.faults.add(other.span.clone(), format!("'{key}' is no table"));
        }
        found.map(Yaml::entries).unwrap_or_default()
    }

    fn leave_out_of_kinds(&mut self) {
        const KEPT: [&str; 3] = ["kind", "exec", "sysctls"];
        let defaults = self.table("defaults");
        self.leave_out_others(defaults, "'defaults'", &KEPT);
        // Nothing is kept of other kinds than linux.
        let kinds = self.table("kinds").iter().filter(|entry| entry.key == "linux");
        for of in kinds.chain(self.table("groups")) {
            self.leave_out_others(of.value.entries(), &format!("'{}'", escaped(of.key.as_bytes())), &KEPT);
        }
    }

    /// What is said of a node: by itself, else its group, its kind, or the defaults.
    fn said(&self, node: &'y Yaml, key: &str) -> Option<&'y Yaml> {
        self.all_said(node, key).next()
    }

    /// The same of all of them, in this order.
    fn all_said(&self, node: &'y Yaml, key: &str) -> impl Iterator<Item = &'y Yaml> {
        let topology = self.topology;
        let in_table = |table: &str, of: Option<&'y Yaml>| {
            let name = of.and_then(Yaml::text)?;
            topology.get(table)?.get(name)?.get(key)
        };
        let by_group = || in_table("groups", node.get("group"));
        let by_kind = || if key == "kind" { None } else { in_table("kinds", self.said(node, "kind")) };
        let by_default = topology.get("defaults").and_then(|defaults| defaults.get(key));
        [node.get(key), by_group(), by_kind(), by_default].into_iter().flatten()
    }

    fn node(&mut self, node: &'y Entry) {
        let shown = escaped(node.key.as_bytes());
        let kind = self.said(&node.value, "kind").and_then(Yaml::text).unwrap_or("linux");
        let peer = match kind {
            "host" => Peer::Here,
            "bridge" | "ovs-bridge" => Peer::Network(node.key.clone()),
            _ => Peer::Node(word(&node.key)),
        };
        self.peers.insert(node.key.clone(), peer.clone());
        if let Peer::Node(name) = &peer {
            if kind != "linux" {
                let kind = escaped(kind.as_bytes());
                let message = format!("node '{shown}' of kind '{kind}' needs an image: it is an empty node");
                self.left_out.add(node.span.clone(), message);
            }
            return self.container(node, name.clone());
        }
        self.leave_out_others(node.value.entries(), &format!("'{shown}'"), &["kind"]);
        if kind == "ovs-bridge" {
            self.left_out.add(node.span.clone(), format!("'{shown}' is a bridge without Open vSwitch"));
        }
        if let Peer::Network(name) = peer {
            self.spec.networks.0.push((Placed::new(node.span.clone(), name), Network::default()));
        }
    }

    fn container(&mut self, node: &'y Entry, name: String) {
        let shown = escaped(node.key.as_bytes());
        if name != node.key {
            self.left_out.add(node.span.clone(), format!("node '{shown}' is called '{name}'"));
        }
        let bare = node.value.get("network-mode").and_then(Yaml::text) == Some("none");
        let known = ["kind", "group", "exec", "sysctls", if bare { "network-mode" } else { "kind" }];
        self.leave_out_others(node.value.entries(), &format!("node '{shown}'"), &known);
        let mut meant = Node::default();
        let settings: Vec<_> = self.all_said(&node.value, "sysctls").map(Yaml::entries).collect();
        for setting in settings.into_iter().rev().flatten() {
            self.sysctl(&mut meant, &setting.key, setting.value.text().unwrap_or_default(), &setting.span);
        }
        self.spec.nodes.0.push((Placed::new(node.span.clone(), name), meant));
    }

    fn sysctl(&mut self, node: &mut Node, name: &str, value: &str, span: &Range<usize>) {
        if !name.starts_with("net.") {
            let message = format!("the setting '{}' is not a namespace's own", escaped(name.as_bytes()));
            return self.left_out.add(span.clone(), message);
        }
        let value = Placed::new(span.clone(), Setting(value.to_owned()));
        node.sysctl.0.retain(|(known, _)| known.get_ref() != name);
        node.sysctl.0.push((Placed::new(span.clone(), name.to_owned()), value));
    }

    fn link(&mut self, link: &'y Yaml) {
        let kind = link.get("type").and_then(Yaml::text).unwrap_or("veth");
        let known = ["type", "endpoints", "endpoint", "host-interface", "mtu", "ipv4", "ipv6"];
        self.leave_out_others(link.entries(), "a link", &known);
        let ends: Vec<_> = match kind {
            "veth" => link.get("endpoints").map(Yaml::items).unwrap_or_default().iter().collect(),
            "host" | "dummy" => link.get("endpoint").into_iter().collect(),
            other => {
                let message = format!("a link of type '{}' cannot be in a lab", escaped(other.as_bytes()));
                return self.faults.add(link.span.clone(), message);
            }
        };
        let mut read = Vec::new();
        for (at, end) in ends.iter().enumerate() {
            let Some(end) = self.end(end, link, at) else { return };
            read.push(end);
        }
        let host = link.get("host-interface").and_then(|name| Some((name.text()?, name.span.clone())));
        read.extend(host.filter(|_| kind == "host").map(|(name, span)| End {
            peer: Peer::Here,
            interface: name.to_owned(),
            span,
            mac: None,
            addrs: Vec::new(),
        }));
        match <[End; 2]>::try_from(read) {
            Ok(ends) => self.wire(link, ends),
            Err(mut one) if kind == "dummy" && one.len() == 1 => {
                let end = one.remove(0);
                let kind = Some(Placed::new(end.span.clone(), Kind::Dummy));
                self.say_of_interface(&end, |interface| interface.kind = kind);
            }
            Err(_) => self.faults.add(link.span.clone(), "this link does not have two ends"),
        }
    }

    /// An end: `node:interface`, or a table of both.
    fn end(&mut self, end: &'y Yaml, link: &'y Yaml, at: usize) -> Option<End> {
        let found = match &end.value {
            Value::Text(text) => text.split_once(':'),
            _ => end.get("node").and_then(Yaml::text).zip(end.get("interface").and_then(Yaml::text)),
        };
        let Some((node, interface)) = found else {
            self.faults.add(end.span.clone(), "an end is written NODE:INTERFACE");
            return None;
        };
        self.leave_out_others(end.entries(), "an end", &["node", "interface", "mac", "ipv4", "ipv6"]);
        let shown = escaped(node.as_bytes());
        let peer = match (self.peers.get(node), node) {
            (Some(peer), _) => peer.clone(),
            (None, "host") => Peer::Here,
            (None, "mgmt-net" | "macvlan" | "vxlan" | "vxlan-stitch" | "dummy" | "tap") => {
                self.faults.add(end.span.clone(), format!("a link to '{shown}' cannot be in a lab"));
                return None;
            }
            (None, _) => {
                self.faults.add(end.span.clone(), format!("there is no node '{shown}'"));
                return None;
            }
        };
        let of_link = |key: &str| link.get(key).and_then(|list| list.items().get(at));
        let addrs = ["ipv4", "ipv6"].into_iter().filter_map(|key| end.get(key).or_else(|| of_link(key)));
        let addrs = addrs.filter_map(Yaml::text).filter(|addr| !addr.is_empty()).map(str::to_owned).collect();
        let mac = end.get("mac").and_then(|mac| Some(Placed::new(mac.span.clone(), mac.text()?.to_owned())));
        Some(End { peer, interface: interface.to_owned(), span: end.span.clone(), mac, addrs })
    }

    fn wire(&mut self, link: &Yaml, [first, second]: [End; 2]) {
        let mtu = link.get("mtu").and_then(|mtu| self.number(mtu));
        for end in [&first, &second] {
            let mac = end.mac.clone();
            if mac.is_some() {
                self.say_of_interface(end, |interface| interface.mac = mac);
            }
        }
        match (&first.peer, &second.peer) {
            (Peer::Network(_), Peer::Network(_)) => {
                self.faults.add(link.span.clone(), "a link from one bridge to another cannot be in a lab");
            }
            (Peer::Network(network), _) => self.join(network, &second, mtu),
            (_, Peer::Network(network)) => self.join(network, &first, mtu),
            _ => {
                let link_of = Link { ends: [first.port(), second.port()], subnet: None, mtu, macs: None };
                self.spec.links.push(Placed::new(link.span.clone(), link_of));
            }
        }
    }

    fn number(&mut self, said: &Yaml) -> Option<Placed<u32>> {
        let number = said.text().and_then(|text| text.parse().ok());
        if number.is_none() {
            self.faults.add(said.span.clone(), "this is no number");
        }
        Some(Placed::new(said.span.clone(), number?))
    }

    fn join(&mut self, network: &str, member: &End, mtu: Option<Placed<u32>>) {
        let found = self.spec.networks.0.iter_mut().find(|(name, _)| name.get_ref() == network);
        let Some((_, network)) = found else { return };
        network.members.push(member.port());
        match (&network.mtu, mtu) {
            (None, mtu) => network.mtu = mtu,
            (Some(known), Some(other)) if *known != other => {
                let message = format!("all members of a network have one mtu: {}", known.get_ref());
                self.left_out.add(other.span(), message);
            }
            _ => {}
        }
    }

    /// Says more of an interface of a node; not of one of the starting namespace, which is not the lab's.
    fn say_of_interface(&mut self, end: &End, say: impl FnOnce(&mut Interface)) {
        let Peer::Node(name) = &end.peer else {
            return self.left_out.add(end.span.clone(), "more than its name is not kept of this end");
        };
        let found = self.spec.nodes.0.iter_mut().find(|(node, _)| node.get_ref() == name);
        if let Some((_, node)) = found {
            say(interface_of(node, &end.interface, &end.span));
        }
    }

    /// All commands, with the node that each runs in.
    fn commands(&self) -> Vec<(String, &'y Yaml)> {
        let nodes = self.topology.get("nodes").map(Yaml::entries).unwrap_or_default();
        let of_node = |node: &'y Entry| {
            let Some(Peer::Node(name)) = self.peers.get(&node.key) else { return Vec::new() };
            let commands = self.said(&node.value, "exec").map(Yaml::items).unwrap_or_default();
            commands.iter().map(|command| (name.clone(), command)).collect()
        };
        nodes.iter().flat_map(of_node).collect()
    }

    fn exec(&mut self, name: &str, command: &Yaml) {
        let text = command.text().unwrap_or_default();
        let shown = escaped(text.as_bytes());
        let known = self.interfaces(name);
        let Some(at) = self.spec.nodes.0.iter().position(|(node, _)| node.get_ref() == name) else { return };
        let mut node = std::mem::take(&mut self.spec.nodes.0[at].1);
        let span = &command.span;
        match meaning(text) {
            Some(Meaning::Nothing) => {}
            Some(Meaning::Setting { name, value }) => self.sysctl(&mut node, &name, &value, span),
            Some(Meaning::Address { addr, dev }) if dev == "lo" => {
                let message = format!("'{addr}' of lo is that of a dummy interface 'loop0'");
                self.left_out.add(span.clone(), message);
                let interface = interface_of(&mut node, "loop0", span);
                interface.kind = Some(Placed::new(span.clone(), Kind::Dummy));
                interface.addrs.push(Placed::new(span.clone(), addr));
            }
            Some(Meaning::Address { addr, dev }) if known.contains(&dev) => {
                interface_of(&mut node, &dev, span).addrs.push(Placed::new(span.clone(), addr));
            }
            Some(Meaning::Route(route)) if names_known(&route, &known) => {
                node.routes.push(Placed::new(span.clone(), route));
            }
            Some(_) => self.left_out.add(span.clone(), format!("'{shown}' is of an interface that the lab has not")),
            None => self.left_out.add(span.clone(), format!("the command '{shown}' is not kept")),
        }
        self.spec.nodes.0[at].1 = node;
    }

    /// The interfaces of a node.
    fn interfaces(&self, node: &str) -> Vec<String> {
        let own = self.spec.nodes.get(node).into_iter().flat_map(|node| node.interfaces.iter());
        let own =
            own.filter(|(_, interface)| interface.get_ref().kind.is_some()).map(|(name, _)| name.get_ref().as_str());
        self.ports(node).chain(own).map(str::to_owned).collect()
    }

    /// Those of them that networks and links make.
    fn ports(&self, node: &str) -> impl Iterator<Item = &str> {
        let members = self.spec.networks.iter().flat_map(|(_, network)| &network.members);
        let ends = self.spec.links.iter().flat_map(|link| &link.get_ref().ends);
        let all = members.chain(ends).filter_map(|port| port.get_ref().split_once(':'));
        let here = all.filter(move |(name, _)| *name == node).map(|(_, rest)| rest);
        here.map(|rest| rest.split('=').next().unwrap_or_default())
    }

    /// A container forwards IPv4, as its host does.
    fn forward_between_links(&mut self) {
        let names: Vec<String> = self.spec.nodes.iter().map(|(name, _)| name.get_ref().clone()).collect();
        for (at, name) in names.iter().enumerate() {
            let node = &self.spec.nodes.0[at];
            let said = node.1.sysctl.get("net.ipv4.ip_forward").is_some();
            if !said && self.ports(name).count() > 1 {
                let span = node.0.span();
                let setting = Placed::new(span.clone(), Setting("1".into()));
                self.spec.nodes.0[at].1.sysctl.0.push((Placed::new(span, "net.ipv4.ip_forward".into()), setting));
            }
        }
    }
}

/// Whether the interface that a route names is there.
fn names_known(route: &str, known: &[String]) -> bool {
    let mut words = route.split_whitespace().skip_while(|word| *word != "dev").skip(1);
    words.next().is_none_or(|dev| known.iter().any(|name| name == dev))
}

fn interface_of<'n>(node: &'n mut Node, name: &str, span: &Range<usize>) -> &'n mut Interface {
    let interfaces = &mut node.interfaces.0;
    let at = interfaces.iter().position(|(known, _)| known.get_ref() == name).unwrap_or(interfaces.len());
    if at == interfaces.len() {
        let interface = Placed::new(span.clone(), Interface::default());
        interfaces.push((Placed::new(span.clone(), name.to_owned()), interface));
    }
    interfaces[at].1.get_mut()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{LabName, NodeName};

    #[test]
    fn any_name_becomes_one_that_a_lab_and_a_node_can_have() {
        for (name, expected) in [("r1", "r1"), ("a.b c", "a-b-c"), ("_x", "x"), ("ä1", "1")] {
            assert_eq!(word(name), expected);
            assert!(word(name).parse::<LabName>().is_ok() && word(name).parse::<NodeName>().is_ok());
        }
    }
}
