//! What a lab is to the kernel: the one shape that the file is turned into, that is read back from what
//! runs, and that a plan is the difference of two of.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{model::Run, spec::serialize_kind};
use crate::{
    addr::{IfAddr, Mac, Prefix},
    name::{IfName, NodeName},
    netlink::kind::Kind,
};

/// One of the namespaces that a lab has to do with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The namespace that `lab up` was started in, `.` in the file. Only what the file names there counts.
    Here,
    /// The namespace that holds the bridges, `LAB.~sw`. It is there when the lab has a network.
    Switches,
    /// A node, `LAB.NODE`.
    Node(NodeName),
}

/// As a key of JSON: `.`, `~sw`, or the name of the node.
impl Serialize for Place {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(match self {
            Self::Here => ".",
            Self::Switches => "~sw",
            Self::Node(name) => name.as_str(),
        })
    }
}

/// All of a lab: what the file wants, or what was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct State {
    /// Its namespaces. One that is missing here does not exist, or must not.
    pub spaces: BTreeMap<Place, Space>,
}

/// What is in one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Space {
    /// Its links, without `lo`, which is always up.
    pub links: BTreeMap<IfName, LinkState>,
    /// The routes that nsnet made.
    pub routes: BTreeSet<RouteState>,
    /// Settings below `/proc/sys`, by their dotted name (`net.ipv4.ip_forward`).
    pub sysctls: BTreeMap<String, String>,
    /// Files that lie over those of `/etc` in the node, by their name there, with what they hold; `hosts` without
    /// the lines that say whose it is. What many nodes have, such as that, is there once.
    pub files: BTreeMap<String, Arc<str>>,
    /// Commands that run in it, in the order in which they are started.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Run>,
}

/// One link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkState {
    /// What it is.
    pub what: LinkWhat,
    /// Its hardware address; `None` where it has none, or where it is left to the kernel.
    pub mac: Option<Mac>,
    /// The largest packet in bytes; `None` is left to the kernel.
    pub mtu_bytes: Option<u32>,
    /// Whether it is up.
    pub up: bool,
    /// The bridge, bond or VRF of the same namespace that it belongs to.
    pub master: Option<IfName>,
    /// Its addresses.
    pub addrs: BTreeSet<IfAddr>,
}

/// What a link is, so that a change means another link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkWhat {
    /// One end of a pair; the other end is in `State` too and points back.
    Veth {
        /// Where the other end is.
        peer: (Place, IfName),
    },
    /// Any other kind, with what it was told.
    Kind {
        /// The kind. What is `None` in it is left to the kernel.
        kind: Box<Kind>,
        /// The link of the same namespace that it stands on.
        lower: Option<IfName>,
    },
}

/// As a lab file has it: the word of the kind, and its options beside.
impl Serialize for LinkWhat {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        match self {
            Self::Veth { peer } => {
                map.serialize_entry("kind", "veth")?;
                map.serialize_entry("peer", peer)?;
            }
            Self::Kind { kind, lower } => {
                serialize_kind(&mut map, kind)?;
                lower.iter().try_for_each(|lower| map.serialize_entry("link", lower))?;
            }
        }
        map.end()
    }
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RouteState {
    /// Where the packets go.
    pub dst: Prefix,
    /// What it does, by the name that ip has for it: `unicast`, `blackhole` …
    pub kind: String,
    /// The next router.
    pub via: Option<IpAddr>,
    /// The link that it leads through; always there for `unicast`.
    pub dev: Option<IfName>,
    /// Of several routes, the one with the lowest is taken. The kernel's usual one (0, 1024 for IPv6) is 0 here.
    pub metric: u32,
    /// The table; 254 is `main`.
    pub table: u32,
    /// The address of this host that packets get.
    pub src: Option<IpAddr>,
    /// The largest packet in bytes.
    pub mtu_bytes: Option<u32>,
    /// Whether the router is on the link even where no address says so.
    pub onlink: bool,
}
