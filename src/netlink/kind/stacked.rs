//! Links that stand on another, and the VRF above them.

use netlink_packet_route::link::{
    InfoData, InfoVlan, IpVlanFlags, IpVlanMode as KernelIpVlanMode, MacVlanMode as KernelMacVlanMode, VlanFlags,
    VlanProtocol as KernelVlanProtocol,
};

use serde::{Deserialize, Serialize};

/// What a VLAN can be told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Vlan {
    /// The number in the tag.
    pub id: Option<u16>,
    /// The tag; 802.1Q where it is `None`.
    pub protocol: Option<VlanProtocol>,
    /// Whether packets are shown without their tag.
    pub reorder_hdr: Option<bool>,
    /// Whether it is announced by GVRP.
    pub gvrp: Option<bool>,
    /// Whether it is announced by MVRP.
    pub mvrp: Option<bool>,
    /// Whether it stays up when the link below goes down.
    pub loose_binding: Option<bool>,
    /// Whether it is up when a port of its bridge is.
    pub bridge_binding: Option<bool>,
}

/// The tag of a VLAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum VlanProtocol {
    /// The usual one.
    #[serde(rename = "802.1Q")]
    Ieee8021Q,
    /// The one of providers, around others.
    #[serde(rename = "802.1ad")]
    Ieee8021Ad,
}

impl VlanProtocol {
    pub(super) fn of_kernel(self) -> KernelVlanProtocol {
        match self {
            Self::Ieee8021Q => KernelVlanProtocol::Ieee8021Q,
            Self::Ieee8021Ad => KernelVlanProtocol::Ieee8021Ad,
        }
    }
}

impl Vlan {
    pub(super) fn data(&self) -> InfoData {
        let switches = [
            (VlanFlags::ReorderHdr, self.reorder_hdr),
            (VlanFlags::Gvrp, self.gvrp),
            (VlanFlags::Mvrp, self.mvrp),
            (VlanFlags::LooseBinding, self.loose_binding),
            (VlanFlags::BridgeBinding, self.bridge_binding),
        ];
        let (mut flags, mut mask) = (VlanFlags::empty(), VlanFlags::empty());
        for (flag, on) in switches.into_iter().filter_map(|(flag, on)| Some((flag, on?))) {
            mask |= flag;
            flags.set(flag, on);
        }
        let infos = [
            self.protocol.map(|protocol| InfoVlan::Protocol(protocol.of_kernel())),
            self.id.map(InfoVlan::Id),
            (!mask.is_empty()).then_some(InfoVlan::Flags((flags, mask))),
        ];
        InfoData::Vlan(infos.into_iter().flatten().collect())
    }
}

/// What a macvlan or macvtap can be told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct MacVlan {
    /// Who may talk to whom.
    pub mode: Option<MacVlanMode>,
    /// How many broadcasts may wait.
    #[serde(rename = "bcqueuelen")]
    pub broadcast_queue_packets: Option<u32>,
}

/// Which macvlans of one link may talk to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MacVlanMode {
    /// None.
    Private,
    /// All, through a switch outside.
    Vepa,
    /// All.
    Bridge,
    /// There is only one, which has the link for itself.
    Passthru,
    /// By lists of addresses.
    Source,
}

impl MacVlan {
    pub(super) fn data<T>(&self, mode: fn(KernelMacVlanMode) -> T, queue: fn(u32) -> T) -> [Option<T>; 2] {
        let of_kernel = |mode| match mode {
            MacVlanMode::Private => KernelMacVlanMode::Private,
            MacVlanMode::Vepa => KernelMacVlanMode::Vepa,
            MacVlanMode::Bridge => KernelMacVlanMode::Bridge,
            MacVlanMode::Passthru => KernelMacVlanMode::Passthrough,
            MacVlanMode::Source => KernelMacVlanMode::Source,
        };
        [self.mode.map(of_kernel).map(mode), self.broadcast_queue_packets.map(queue)]
    }
}

/// What an ipvlan or ipvtap can be told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct IpVlan {
    /// Which part of the kernel handles its packets.
    pub mode: Option<IpVlanMode>,
    /// Who may talk to whom.
    pub isolation: Option<IpVlanIsolation>,
}

/// Which part of the kernel handles the packets of an ipvlan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum IpVlanMode {
    /// The namespace of the ipvlan, with neighbours.
    #[serde(rename = "l2")]
    L2,
    /// The namespace of the link below, without broadcasts.
    #[serde(rename = "l3")]
    L3,
    /// The same, and netfilter sees them.
    #[serde(rename = "l3s")]
    L3S,
}

/// Which ipvlans of one link may talk to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum IpVlanIsolation {
    /// All.
    Bridge,
    /// None.
    Private,
    /// All, through a switch outside.
    Vepa,
}

impl IpVlan {
    pub(super) fn data<T>(&self, mode: fn(KernelIpVlanMode) -> T, flags: fn(IpVlanFlags) -> T) -> Option<Vec<T>> {
        let of_kernel = |mode| match mode {
            IpVlanMode::L2 => KernelIpVlanMode::L2,
            IpVlanMode::L3 => KernelIpVlanMode::L3,
            IpVlanMode::L3S => KernelIpVlanMode::L3S,
        };
        let isolation = match self.isolation {
            None | Some(IpVlanIsolation::Bridge) => IpVlanFlags::empty(),
            Some(IpVlanIsolation::Private) => IpVlanFlags::Private,
            Some(IpVlanIsolation::Vepa) => IpVlanFlags::Vepa,
        };
        let mode = self.mode.map(of_kernel).map(mode);
        (*self != Self::default()).then(|| mode.into_iter().chain([flags(isolation)]).collect())
    }
}

/// What a VRF is told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Vrf {
    /// The number of its routing table.
    pub table: u32,
}
