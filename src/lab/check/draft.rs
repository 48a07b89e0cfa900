//! A lab while it is being understood.

use std::{collections::HashMap, net::IpAddr, ops::Range};

use crate::{
    addr::{Family, IfAddr, Mac, Prefix},
    lab::{
        problem::{Faults, nearest},
        spec,
        state::Place,
    },
    name::{IfName, NodeName, escaped},
    netlink::kind::{Bridge, Kind},
};

/// What has been understood so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// In the order of the file.
    pub(super) nodes: Vec<Node>,
    by_name: HashMap<String, usize>,
    /// Networks, then links, in the order of the file.
    pub(super) segments: Vec<Segment>,
}

/// A namespace.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    /// What the file calls it.
    pub(super) name: String,
    /// What the file says of it, by position; nothing of `.` where it only names it.
    pub(super) spec: Option<usize>,
    pub(super) turn: Turn,
    /// That of ports whose segment has none.
    pub(super) mtu: Option<(u32, Range<usize>)>,
    /// Those of networks, then those of links, then its own, in the order of the file.
    pub(super) interfaces: Vec<Interface>,
}

/// Which of the words of a range it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    pub(super) at: usize,
    pub(super) of: usize,
}

impl Turn {
    pub(super) const ONLY: Self = Self { at: 0, of: 1 };

    /// The words that are for this one: where there are as many as of these, each gets its own.
    pub(super) fn share(self, words: Vec<String>) -> Vec<String> {
        if self.of > 1 && words.len() == self.of { words.into_iter().skip(self.at).take(1).collect() } else { words }
    }
}

/// An interface of a node.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) name: IfName,
    pub(super) what: What,
    pub(super) master: Option<(IfName, Range<usize>)>,
    pub(super) mtu: Option<(u32, Range<usize>)>,
    pub(super) mac: Option<Mac>,
    pub(super) up: bool,
    /// In the order of the file; the first is the one that others call it by.
    pub(super) addrs: Vec<(IfAddr, Range<usize>)>,
}

/// What an interface is.
#[derive(Debug)]
pub(super) enum What {
    /// An end of a pair that a network or a link makes.
    Port {
        /// The position of the segment, and that of the port there.
        at: (usize, usize),
    },
    /// One that the file adds.
    Own { kind: Kind, lower: Option<(IfName, Range<usize>)> },
}

/// What packets cross without a router: a network or a link.
#[derive(Debug)]
pub(super) struct Segment {
    /// The switch, where it is a network.
    pub(super) network: Option<(IfName, Bridge)>,
    pub(super) subnets: Vec<(Prefix, Range<usize>)>,
    pub(super) mtu: Option<(u32, Range<usize>)>,
    pub(super) gateway: Option<(String, Range<usize>)>,
    pub(super) ports: Vec<Port>,
}

/// Where a node meets a segment.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) node: usize,
    /// The position among the node's interfaces, once it has a name.
    pub(super) interface: Option<usize>,
    pub(super) span: Range<usize>,
    pub(super) named: Option<IfName>,
    pub(super) fixed: Vec<IfAddr>,
    pub(super) mac: Option<Mac>,
}

impl Draft {
    pub(super) fn add_node(&mut self, node: Node) {
        self.by_name.insert(node.name.clone(), self.nodes.len());
        self.nodes.push(node);
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The node of a name, or a problem. `.` is there once it is named.
    pub(super) fn node(&mut self, name: &str, span: &Range<usize>, faults: &mut Faults) -> Option<usize> {
        if name == "." && self.find(".").is_none() {
            self.add_node(Node {
                place: Place::Here,
                name: ".".into(),
                spec: None,
                turn: Turn::ONLY,
                mtu: None,
                interfaces: Vec::new(),
            });
        }
        self.known(name, span, faults)
    }

    /// The node of a name that is there already, or a problem.
    pub(super) fn known(&self, name: &str, span: &Range<usize>, faults: &mut Faults) -> Option<usize> {
        let found = self.find(name);
        if found.is_none() {
            let shown = escaped(name.as_bytes());
            faults.advise(span.clone(), format!("there is no node '{shown}'"), self.hint_for(name));
        }
        found
    }

    /// What may have been meant by a name that no node has.
    fn hint_for(&self, name: &str) -> String {
        if name == "." {
            return "the starting namespace is a node once the file says something of it: [nodes.\".\"]".into();
        }
        let known = self.nodes.iter().map(|node| node.name.as_str()).filter(|known| *known != ".");
        match (nearest(name, known), name.parse::<NodeName>()) {
            (Some(meant), _) => format!("did you mean '{meant}'?"),
            (None, Ok(_)) => format!("say what it is: [nodes.{name}]"),
            (None, Err(_)) => format!("no node can be called '{}'", escaped(name.as_bytes())),
        }
    }

    /// The interface of a port.
    pub(super) fn interface_of(&self, port: &Port) -> Option<&Interface> {
        self.nodes[port.node].interfaces.get(port.interface?)
    }

    /// The first address of a node that another reaches without a router, and the interface that it
    /// leaves by.
    pub(super) fn neighbour(&self, from: usize, to: usize, family: Family) -> Option<(IpAddr, &IfName)> {
        let far: Vec<IpAddr> = self.nodes[to].addrs().map(IfAddr::ip).collect();
        let near = self.nodes[from].interfaces.iter();
        near.flat_map(|interface| interface.addrs.iter().map(move |(addr, _)| (interface, addr))).find_map(
            |(interface, addr)| {
                let here = Family::of(addr.ip()) == family;
                let found = far.iter().find(|ip| here && **ip != addr.ip() && holds(*addr, **ip))?;
                Some((*found, &interface.name))
            },
        )
    }

    /// What a file says of a node.
    pub(super) fn said<'s>(&self, node: usize, spec: &'s spec::Spec) -> Option<&'s spec::Node> {
        Some(&spec.nodes.0[self.nodes[node].spec?].1)
    }
}

impl Interface {
    pub(super) fn kind(&self) -> Option<&Kind> {
        match &self.what {
            What::Port { .. } => None,
            What::Own { kind, .. } => Some(kind),
        }
    }

    pub(super) fn lower(&self) -> Option<&(IfName, Range<usize>)> {
        match &self.what {
            What::Port { .. } => None,
            What::Own { lower, .. } => lower.as_ref(),
        }
    }
}

impl Node {
    /// All its addresses, the first interface's first.
    pub(super) fn addrs(&self) -> impl Iterator<Item = IfAddr> {
        self.interfaces.iter().flat_map(|interface| interface.addrs.iter().map(|(addr, _)| *addr))
    }

    pub(super) fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.name.as_str() == name)
    }

    /// In words.
    pub(super) fn title(&self) -> String {
        match self.place {
            Place::Here => "the starting namespace".into(),
            _ => format!("node '{}'", self.name),
        }
    }
}

/// Whether an address is in the subnet of that of an interface.
pub(super) fn holds(addr: IfAddr, ip: IpAddr) -> bool {
    Prefix::new(addr.ip(), addr.prefix_len()).is_ok_and(|subnet| subnet.contains(Prefix::host(ip)))
}
