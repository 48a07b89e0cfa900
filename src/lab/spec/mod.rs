//! What a lab file says: one model of TOML and JSON, with the places in the file.

mod json;
#[cfg(test)]
mod schema;
mod tree;
mod values;

use std::ops::Range;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};

use crate::netlink::kind::{Bridge, Kind};

pub(super) use values::serialize_kind;
pub use values::{Placed, Setting, Subnets, Table, Wait, Words};

use super::problem::{Faults, Problem};

/// A lab file. The manual page nsnet-lab(5) describes every key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name of the lab: letters, digits, '_' and '-'.
    pub name: Placed<String>,
    /// The nodes, each a namespace, by name. A range such as "h[1-3]" stands for several; "." is the
    /// namespace that the lab is brought up in.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub nodes: Table<Node>,
    /// The networks, each a switch, by name.
    #[serde(default, skip_serializing_if = "Table::is_empty")]
    pub networks: Table<Network>,
    /// The cables between two nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Placed<Link>>,
    /// What must hold when the lab is up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Placed<Check>>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// Whether it forwards packets between its interfaces, IPv4 and IPv6; not unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward: Option<Placed<bool>>,
    /// Settings below /proc/sys/net, by their dotted names.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub sysctl: Table<Placed<Setting>>,
    /// Routes in ip's words; behind 'via' a node stands for its address on the shared network.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Placed<String>>,
    /// The largest packet, in bytes, on networks and links that say none themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<Placed<u32>>,
    /// What commands in the node see as the name of the host; the name of the node unless told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Placed<String>>,
    /// Further interfaces, and more about those that networks and links make, by name.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub interfaces: Table<Placed<Interface>>,
    /// Texts that commands in the node find in /etc, by file name.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub files: Table<Placed<String>>,
    /// Commands that are started when the node is wired, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<Placed<Run>>,
}

/// An interface of a node. In the file, the options of its kind stand beside the other keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Interface {
    /// What it is, with its options; none for an interface that a network or a link makes.
    pub kind: Option<Placed<Kind>>,
    /// The interface that it stands on, or that the packets of a tunnel leave by.
    pub link: Option<Placed<String>>,
    /// Its addresses, with the lengths of their prefixes.
    pub addrs: Vec<Placed<String>>,
    /// The largest packet, in bytes.
    pub mtu: Option<Placed<u32>>,
    /// Its hardware address; one made of the names of lab, node and interface unless told.
    pub mac: Option<Placed<String>>,
    /// Whether it is up; it is unless told.
    pub up: Option<bool>,
    /// The bridge, bond or VRF of the node that it belongs to.
    pub master: Option<Placed<String>>,
}

/// A network: a switch with a port for each member.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// Where members get their addresses from, in the order of the file: one subnet, or a list.
    pub subnet: Option<Placed<Subnets>>,
    /// The members: NODE\[:INTERFACE\]\[=ADDRESS/LENGTH,…\].
    pub members: Vec<Placed<String>>,
    /// The way out of the network for the other members: one of them, or an address.
    pub gateway: Option<Placed<String>>,
    /// The largest packet, in bytes.
    pub mtu: Option<Placed<u32>>,
    /// The options of the switch. In the file, they stand beside the other keys.
    pub bridge: Bridge,
}

/// A cable between two nodes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Both ends: NODE\[:INTERFACE\]\[=ADDRESS/LENGTH,…\].
    pub ends: [Placed<String>; 2],
    /// Where the ends get their addresses from: one subnet, or a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<Placed<Subnets>>,
    /// The largest packet of both ends, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<Placed<u32>>,
    /// The hardware addresses, in the order of the ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub macs: Option<[Placed<String>; 2]>,
}

/// Something that must hold when the lab is up: a ping, unless 'tcp' or 'command' is given.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What it is called in reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Placed<String>>,
    /// The node that it is tried from.
    pub from: Placed<String>,
    /// The node or the address that is to be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Placed<String>>,
    /// The TCP port that is to be connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<Placed<u16>>,
    /// A command that is to succeed: a list of words, or a line for the shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Placed<Words>>,
    /// What the command is to print, but for blanks at both ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Placed<String>>,
    /// False where it must not be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reachable: Option<Placed<bool>>,
    /// How long it may take: a number of seconds, or one with 'ms', 's' or 'm'. 5 s unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Placed<Wait>>,
}

/// A command that is started in a node and runs as long as the lab is up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// What it is called in reports and as a log; the first word of the command unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Placed<String>>,
    /// The command: a list of words, or a line for the shell.
    pub command: Placed<Words>,
    /// What tells that it is ready; it is once started unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Placed<Ready>>,
    /// How long it may take to be ready: a number of seconds, or one with 'ms', 's' or 'm'. 10 s unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Placed<Wait>>,
}

/// What tells that a command is ready.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Ready {
    /// This TCP port is open in the node.
    Tcp(u16),
    /// This file is there.
    File(String),
    /// This command succeeds in the node.
    Command(Words),
}

impl Network {
    /// Its subnets as they are written, with their places.
    pub fn subnets(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        self.subnet.iter().flat_map(subnets)
    }
}

impl Link {
    /// Its subnets as they are written, with their places.
    pub fn subnets(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        self.subnet.iter().flat_map(subnets)
    }
}

fn subnets(said: &Placed<Subnets>) -> Vec<(&str, Range<usize>)> {
    match said.get_ref() {
        Subnets::One(text) => vec![(text, said.span())],
        Subnets::Many(list) => list.iter().map(|text| (text.get_ref().as_str(), text.span())).collect(),
    }
}

impl Spec {
    /// Reads a file, TOML or JSON: what begins with '{' is JSON.
    ///
    /// # Errors
    ///
    /// All that cannot be read. What can be read may still make no sense: [`Lab::of`](super::Lab::of)
    /// says so.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let mut faults = Faults::default();
        let (spec, _) = Self::read_what_can_be(text, &mut faults);
        match spec {
            Some(spec) if faults.is_empty() => Ok(spec),
            _ => Err(faults.into_problems(text)),
        }
    }

    /// The file as TOML.
    ///
    /// # Errors
    ///
    /// `Invalid` where TOML has no way to say it; there is none known.
    pub fn to_toml(&self) -> crate::Result<String> {
        let failed = |error: toml::ser::Error| crate::Error::invalid("write", "the lab as TOML", error.to_string());
        toml::to_string(self).map_err(failed)
    }

    /// What can be read of a file, and whether that is all but keys that mean nothing.
    pub(super) fn read_what_can_be(text: &str, faults: &mut Faults) -> (Option<Self>, bool) {
        tree::read(text, faults)
    }
}

impl Serialize for Interface {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self { kind, link, addrs, mtu, mac, up, master } = self;
        let mut map = to.serialize_map(None)?;
        if let Some(kind) = kind {
            serialize_kind(&mut map, kind.get_ref())?;
        }
        values::serialize_some(&mut map, "link", link.as_ref())?;
        values::serialize_some(&mut map, "addrs", Some(addrs).filter(|addrs| !addrs.is_empty()))?;
        values::serialize_some(&mut map, "mtu", mtu.as_ref())?;
        values::serialize_some(&mut map, "mac", mac.as_ref())?;
        values::serialize_some(&mut map, "up", up.as_ref())?;
        values::serialize_some(&mut map, "master", master.as_ref())?;
        map.end()
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Self { subnet, members, gateway, mtu, bridge } = self;
        let mut map = to.serialize_map(None)?;
        values::serialize_some(&mut map, "subnet", subnet.as_ref())?;
        map.serialize_entry("members", members)?;
        values::serialize_some(&mut map, "gateway", gateway.as_ref())?;
        values::serialize_some(&mut map, "mtu", mtu.as_ref())?;
        values::serialize_options(&mut map, bridge)?;
        map.end()
    }
}
