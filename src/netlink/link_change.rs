//! Changes of links that are there, and their end.

use netlink_packet_core::{DefaultNla, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{
        BridgePortState, InfoBridgePort, InfoPortData, InfoPortKind, LinkAttribute, LinkFlags, LinkHeader, LinkInfo,
        LinkMessage, Prop,
    },
};
use rtnetlink::LinkUnspec;

use super::{Change, change::Subject, kind::Kind};
use crate::{addr::Mac, name::IfName};

/// `IFLA_IFALIAS` of `linux/if_link.h`.
const IFLA_IFALIAS: u16 = 20;

/// What a link has switched on or off; as it is where `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Switches {
    /// Whether it is up.
    pub up: Option<bool>,
    /// Whether it takes packets for anybody.
    pub promisc: Option<bool>,
    /// Whether it speaks ARP.
    pub arp: Option<bool>,
    /// Whether it does multicast.
    pub multicast: Option<bool>,
    /// Whether it takes all multicast packets.
    pub allmulticast: Option<bool>,
}

impl Switches {
    /// Puts them into the header of a request.
    pub(super) fn set(self, header: &mut LinkHeader) {
        let switches = [
            (LinkFlags::Up, self.up),
            (LinkFlags::Promisc, self.promisc),
            (LinkFlags::Noarp, self.arp.map(|on| !on)),
            (LinkFlags::Multicast, self.multicast),
            (LinkFlags::Allmulti, self.allmulticast),
        ];
        for (flag, on) in switches.into_iter().filter_map(|(flag, on)| Some((flag, on?))) {
            header.change_mask |= flag;
            header.flags.set(flag, on);
        }
    }
}

/// What is changed of a link, as `ip link set` takes it; what is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LinkChange {
    /// What it has switched on.
    pub switches: Switches,
    /// Its name. Before Linux 6.2 only while it is down.
    pub name: Option<IfName>,
    /// The largest packet, in bytes.
    pub mtu_bytes: Option<u32>,
    /// The hardware address.
    pub address: Option<Mac>,
    /// The length of the transmit queue, in packets.
    pub tx_queue_packets: Option<u32>,
    /// The number of its group.
    pub group: Option<u32>,
    /// A note; the empty one removes it.
    pub alias: Option<String>,
    /// The index of the bridge, bond or VRF that it belongs to; 0 for none.
    pub master: Option<u32>,
    /// Its index in the namespace that it is moved to.
    pub new_index: Option<u32>,
    /// What is peculiar to its kind.
    pub kind: Option<Kind>,
    /// What is peculiar to the port of a bridge.
    pub port: Option<BridgePort>,
}

/// What the port of a bridge can be told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BridgePort {
    /// Its state in the spanning tree: 0 disabled, 1 listening, 2 learning, 3 forwarding, 4 blocking.
    pub state: Option<u8>,
    /// Its priority in the spanning tree.
    pub priority: Option<u16>,
    /// The cost of the way through it.
    pub cost: Option<u32>,
    /// Whether packets may leave by the port that they came in by.
    pub hairpin: Option<bool>,
    /// Whether it ignores the spanning tree protocol of others.
    pub guard: Option<bool>,
    /// Whether it may not become the root port.
    pub root_block: Option<bool>,
    /// Whether multicast ends as soon as somebody leaves.
    pub fast_leave: Option<bool>,
    /// Whether it learns addresses.
    pub learning: Option<bool>,
    /// Whether packets for unknown addresses leave by it.
    pub flood: Option<bool>,
    /// Whether multicast that nobody asked for leaves by it.
    pub mcast_flood: Option<bool>,
    /// Whether broadcasts leave by it.
    pub bcast_flood: Option<bool>,
    /// Whether it answers ARP for others.
    pub proxy_arp: Option<bool>,
    /// Whether ARP and neighbour discovery are kept off it.
    pub neigh_suppress: Option<bool>,
    /// Whether it talks only to ports that are not isolated.
    pub isolated: Option<bool>,
    /// Whether only those talk through it whose address was entered.
    pub locked: Option<bool>,
}

impl BridgePort {
    fn infos(&self) -> Vec<LinkInfo> {
        let state = |state| match state {
            0 => BridgePortState::Disabled,
            1 => BridgePortState::Listening,
            2 => BridgePortState::Learning,
            3 => BridgePortState::Forwarding,
            4 => BridgePortState::Blocking,
            other => BridgePortState::Other(other),
        };
        let infos = [
            self.state.map(state).map(InfoBridgePort::State),
            self.priority.map(InfoBridgePort::Priority),
            self.cost.map(InfoBridgePort::Cost),
            self.hairpin.map(InfoBridgePort::HairpinMode),
            self.guard.map(InfoBridgePort::Guard),
            self.root_block.map(InfoBridgePort::Protect),
            self.fast_leave.map(InfoBridgePort::FastLeave),
            self.learning.map(InfoBridgePort::Learning),
            self.flood.map(InfoBridgePort::UnicastFlood),
            self.mcast_flood.map(InfoBridgePort::MulticastFlood),
            self.bcast_flood.map(InfoBridgePort::BroadcastFlood),
            self.proxy_arp.map(InfoBridgePort::ProxyARP),
            self.neigh_suppress.map(InfoBridgePort::NeighSupress),
            self.isolated.map(InfoBridgePort::Isolated),
            self.locked.map(InfoBridgePort::Locked),
        ];
        let data = InfoPortData::BridgePort(infos.into_iter().flatten().collect());
        vec![LinkInfo::PortKind(InfoPortKind::Bridge), LinkInfo::PortData(data)]
    }
}

impl LinkChange {
    /// Changes the link of this index; `shown` is what it is called in an error.
    #[must_use]
    pub fn of_link(&self, index: u32, shown: &str) -> Change {
        let mut message = self.message();
        message.header.index = index;
        message.attributes.extend(self.group.map(LinkAttribute::Group));
        Change::new(RouteNetlinkMessage::NewLink(message), 0, "change link", Subject::Link(shown.to_owned()))
    }

    /// Changes all links of a group, one after the other; those before a failure stay changed. The
    /// group itself stays.
    #[must_use]
    pub fn of_group(&self, group: u32) -> Change {
        let mut message = self.message();
        message.attributes.push(LinkAttribute::Group(group));
        Change::new(
            RouteNetlinkMessage::NewLink(message),
            0,
            "change the links of group",
            Subject::Words(group.to_string()),
        )
    }

    pub(super) fn message(&self) -> LinkMessage {
        let mut message = LinkMessage::default();
        self.switches.set(&mut message.header);
        let kind = self.kind.as_ref().map(Kind::infos);
        let alias = |text: &String| LinkAttribute::Other(DefaultNla::new(IFLA_IFALIAS, text.clone().into_bytes()));
        let attributes = [
            self.name.as_ref().map(|name| LinkAttribute::IfName(name.as_str().to_owned())),
            self.mtu_bytes.map(LinkAttribute::Mtu),
            self.address.map(|mac| LinkAttribute::Address(mac.octets().to_vec())),
            self.tx_queue_packets.map(LinkAttribute::TxQueueLen),
            self.alias.as_ref().map(alias),
            self.master.map(LinkAttribute::Controller),
            self.new_index.map(|index| LinkAttribute::NewIfIndex(index.cast_signed())),
            kind.or(self.port.as_ref().map(BridgePort::infos)).map(LinkAttribute::LinkInfo),
        ];
        message.attributes = attributes.into_iter().flatten().collect();
        message
    }
}

/// Deletes the link of this index, and the other end of a pair with it; `shown` is what it is called
/// in an error.
#[must_use]
pub fn delete(index: u32, shown: &str) -> Change {
    let message = RouteNetlinkMessage::DelLink(LinkUnspec::new_with_index(index).build());
    Change::new(message, 0, "delete link", Subject::Link(shown.to_owned()))
}

/// Deletes all links of a group, at once.
#[must_use]
pub fn delete_group(group: u32) -> Change {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::Group(group));
    Change::new(
        RouteNetlinkMessage::DelLink(message),
        0,
        "delete the links of group",
        Subject::Words(group.to_string()),
    )
}

/// Gives the link of this index further names.
#[must_use]
pub fn add_alt_names(index: u32, shown: &str, names: &[String]) -> Change {
    let message = RouteNetlinkMessage::NewLinkProp(alt_names(index, names));
    Change::new(message, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND, "add altname to", Subject::Link(shown.to_owned()))
}

/// Takes further names from the link of this index.
#[must_use]
pub fn delete_alt_names(index: u32, shown: &str, names: &[String]) -> Change {
    let message = RouteNetlinkMessage::DelLinkProp(alt_names(index, names));
    Change::new(message, 0, "delete altname of", Subject::Link(shown.to_owned()))
}

fn alt_names(index: u32, names: &[String]) -> LinkMessage {
    let mut message = LinkUnspec::new_with_index(index).build();
    let names = names.iter().cloned().map(Prop::AltIfName).collect();
    message.attributes.push(LinkAttribute::PropList(names));
    message
}
