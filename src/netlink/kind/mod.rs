//! Kinds of links that can be made, and what each can be told.

mod ip_tunnel;
mod seen;
mod stacked;
mod switch;
mod udp_tunnel;

use netlink_packet_route::link::{
    InfoData, InfoIpVlan, InfoIpVtap, InfoKind, InfoMacVlan, InfoMacVtap, InfoNetkit, InfoVrf, LinkInfo, NetkitMode,
    NetkitPolicy,
};
use serde::{Deserialize, Serialize};

pub(crate) use seen::Shared;

pub use ip_tunnel::{Gre, GreWay, Inner, IpTunnel};
pub use stacked::{IpVlan, IpVlanIsolation, IpVlanMode, MacVlan, MacVlanMode, Vlan, VlanProtocol, Vrf};
pub use switch::{AdSelect, Bond, BondMode, Bridge, XmitHashPolicy};
pub use udp_tunnel::{DontFragment, Geneve, Inherit, Vxlan};

/// A kind of link. What is `None` in one is left to the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// Several links that look like one.
    Bond(Bond),
    /// A switch; links become its ports by `master`.
    Bridge(Bridge),
    /// A link that drops what it is given.
    Dummy,
    /// Ethernet in GENEVE in UDP.
    Geneve(Geneve),
    /// IP in GRE.
    Gre(Gre),
    /// Ethernet in GRE.
    GreTap(Gre),
    /// A link that traffic is redirected to, for shaping what comes in.
    Ifb,
    /// IPv4 in IPv4.
    IpIp(IpTunnel),
    /// A further link with the hardware address of the one it stands on.
    IpVlan(IpVlan),
    /// The same, with a character device for a program.
    IpVtap(IpVlan),
    /// A further link with a hardware address of its own.
    MacVlan(MacVlan),
    /// The same, with a character device for a program.
    MacVtap(MacVlan),
    /// A pair that BPF programs stand between. Linux 6.7.
    Netkit(Netkit),
    /// IPv6 in IPv4.
    Sit(IpTunnel),
    /// A link whose other end is a program, for Ethernet frames.
    Tap(Tun),
    /// A link whose other end is a program, for IP packets.
    Tun(Tun),
    /// A pair: what enters one end leaves the other.
    Veth,
    /// The packets with one tag of the link it stands on.
    Vlan(Vlan),
    /// A routing table of its own for the links below it.
    Vrf(Vrf),
    /// Ethernet in VXLAN in UDP.
    Vxlan(Vxlan),
    /// An encrypted tunnel; its keys and peers are set by `wg`.
    Wireguard,
}

/// What a kind is called: by ip and the kernel, in the errors of a creation, and by modprobe.
struct Names {
    word: &'static str,
    op: &'static str,
    module: &'static str,
}

const fn names(word: &'static str, op: &'static str, module: &'static str) -> Names {
    Names { word, op, module }
}

impl Kind {
    /// The words of all kinds, as ip spells them.
    pub const WORDS: [&str; 21] = [
        "bond",
        "bridge",
        "dummy",
        "geneve",
        "gre",
        "gretap",
        "ifb",
        "ipip",
        "ipvlan",
        "ipvtap",
        "macvlan",
        "macvtap",
        "netkit",
        "sit",
        "tap",
        "tun",
        "veth",
        "vlan",
        "vrf",
        "vxlan",
        "wireguard",
    ];

    /// ip's word for it, which is the kernel's too.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.names().word
    }

    /// The module that the kernel has it from, where it is not built in; none where it can only be
    /// built in.
    #[must_use]
    pub fn module(&self) -> Option<&'static str> {
        Some(self.names().module).filter(|module| !module.is_empty())
    }

    /// What is tried when one is made.
    pub(super) fn op(&self) -> &'static str {
        self.names().op
    }

    const fn names(&self) -> Names {
        match self {
            Self::Bond(_) => names("bond", "create bond", "bonding"),
            Self::Bridge(_) => names("bridge", "create bridge", "bridge"),
            Self::Dummy => names("dummy", "create dummy", "dummy"),
            Self::Geneve(_) => names("geneve", "create geneve", "geneve"),
            Self::Gre(_) => names("gre", "create gre", "ip_gre"),
            Self::GreTap(_) => names("gretap", "create gretap", "ip_gre"),
            Self::Ifb => names("ifb", "create ifb", "ifb"),
            Self::IpIp(_) => names("ipip", "create ipip", "ipip"),
            Self::IpVlan(_) => names("ipvlan", "create ipvlan", "ipvlan"),
            Self::IpVtap(_) => names("ipvtap", "create ipvtap", "ipvtap"),
            Self::MacVlan(_) => names("macvlan", "create macvlan", "macvlan"),
            Self::MacVtap(_) => names("macvtap", "create macvtap", "macvtap"),
            Self::Netkit(_) => names("netkit", "create netkit", ""),
            Self::Sit(_) => names("sit", "create sit", "sit"),
            Self::Tap(_) => names("tap", "create tap", "tun"),
            Self::Tun(_) => names("tun", "create tun", "tun"),
            Self::Veth => names("veth", "create veth", "veth"),
            Self::Vlan(_) => names("vlan", "create vlan", "8021q"),
            Self::Vrf(_) => names("vrf", "create vrf", "vrf"),
            Self::Vxlan(_) => names("vxlan", "create vxlan", "vxlan"),
            Self::Wireguard => names("wireguard", "create wireguard", "wireguard"),
        }
    }

    /// Whether it is made with another end: true for veth and netkit.
    #[must_use]
    pub fn is_pair(&self) -> bool {
        matches!(self, Self::Veth | Self::Netkit(_))
    }

    /// Whether its packets travel in the namespace that the request is sent in, wherever the link
    /// is born: tunnels, and what stands on another link.
    pub(super) fn has_underlay(&self) -> bool {
        !matches!(self, Self::Bond(_) | Self::Bridge(_) | Self::Dummy | Self::Ifb | Self::Vrf(_)) && !self.is_pair()
    }

    /// Whether it sends what it is given in packets of its own namespace, to another host.
    pub(crate) fn is_tunnel(&self) -> bool {
        let udp = matches!(self, Self::Vxlan(_) | Self::Geneve(_) | Self::Wireguard);
        udp || matches!(self, Self::Gre(_) | Self::GreTap(_) | Self::IpIp(_) | Self::Sit(_))
    }

    /// Binds a tunnel to the link of this index, in the namespace that its packets travel in; false
    /// for a kind that cannot be.
    pub fn bind_to(&mut self, index: u32) -> bool {
        match self {
            Self::Vxlan(Vxlan { device, .. })
            | Self::Gre(Gre { device, .. })
            | Self::GreTap(Gre { device, .. })
            | Self::IpIp(IpTunnel { device, .. })
            | Self::Sit(IpTunnel { device, .. }) => *device = Some(index),
            _ => return false,
        }
        true
    }

    /// The kind, and what it is told, as in a request that makes one.
    pub(super) fn infos(&self) -> Vec<LinkInfo> {
        let data = match self {
            Self::Bond(bond) => bond.data(),
            Self::Bridge(bridge) => bridge.data(),
            Self::Geneve(geneve) => Some(geneve.data()),
            Self::Gre(gre) => gre.data().map(InfoData::GreTun),
            Self::GreTap(gre) => gre.data().map(InfoData::GreTap),
            Self::IpIp(tunnel) => tunnel.data(false),
            Self::Sit(tunnel) => tunnel.data(true),
            Self::IpVlan(ipvlan) => ipvlan.data(InfoIpVlan::Mode, InfoIpVlan::Flags).map(InfoData::IpVlan),
            Self::IpVtap(ipvtap) => ipvtap.data(InfoIpVtap::Mode, InfoIpVtap::Flags).map(InfoData::IpVtap),
            Self::MacVlan(macvlan) => {
                some_of(macvlan.data(InfoMacVlan::Mode, InfoMacVlan::BcQueueLen)).map(InfoData::MacVlan)
            }
            Self::MacVtap(macvtap) => {
                some_of(macvtap.data(InfoMacVtap::Mode, InfoMacVtap::BcQueueLen)).map(InfoData::MacVtap)
            }
            Self::Netkit(netkit) => some_of(netkit.data()).map(InfoData::Netkit),
            Self::Vlan(vlan) => Some(vlan.data()),
            Self::Vrf(vrf) => Some(InfoData::Vrf(vec![InfoVrf::TableId(vrf.table)])),
            Self::Vxlan(vxlan) => Some(vxlan.data()),
            Self::Dummy | Self::Ifb | Self::Tap(_) | Self::Tun(_) | Self::Veth | Self::Wireguard => None,
        };
        [Some(LinkInfo::Kind(self.info_kind())), data.map(LinkInfo::Data)].into_iter().flatten().collect()
    }

    fn info_kind(&self) -> InfoKind {
        match self {
            Self::Bond(_) => InfoKind::Bond,
            Self::Bridge(_) => InfoKind::Bridge,
            Self::Dummy => InfoKind::Dummy,
            Self::Geneve(_) => InfoKind::Geneve,
            Self::Gre(_) => InfoKind::GreTun,
            Self::GreTap(_) => InfoKind::GreTap,
            Self::Ifb => InfoKind::Ifb,
            Self::IpIp(_) => InfoKind::IpIp,
            Self::IpVlan(_) => InfoKind::IpVlan,
            Self::IpVtap(_) => InfoKind::IpVtap,
            Self::MacVlan(_) => InfoKind::MacVlan,
            Self::MacVtap(_) => InfoKind::MacVtap,
            Self::Netkit(_) => InfoKind::Netkit,
            Self::Sit(_) => InfoKind::SitTun,
            Self::Tap(_) | Self::Tun(_) => InfoKind::Tun,
            Self::Veth => InfoKind::Veth,
            Self::Vlan(_) => InfoKind::Vlan,
            Self::Vrf(_) => InfoKind::Vrf,
            Self::Vxlan(_) => InfoKind::Vxlan,
            Self::Wireguard => InfoKind::Wireguard,
        }
    }
}

/// Those that are there, if any is.
fn some_of<T>(infos: impl IntoIterator<Item = Option<T>>) -> Option<Vec<T>> {
    let infos: Vec<_> = infos.into_iter().flatten().collect();
    (!infos.is_empty()).then_some(infos)
}

/// What is off unless told is left out where it is.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_off(switch: &bool) -> bool {
    !switch
}

/// What a netkit pair can be told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Netkit {
    /// Whether it carries Ethernet frames, rather than IP packets.
    pub layer2: Option<bool>,
    /// Whether it drops packets while no program is attached.
    pub blackhole: Option<bool>,
    /// The same of the other end.
    pub peer_blackhole: Option<bool>,
}

impl Netkit {
    fn data(&self) -> [Option<InfoNetkit>; 3] {
        let mode = |layer2| if layer2 { NetkitMode::L2 } else { NetkitMode::L3 };
        let policy = |drop| if drop { NetkitPolicy::Drop } else { NetkitPolicy::Pass };
        [
            self.layer2.map(mode).map(InfoNetkit::Mode),
            self.blackhole.map(policy).map(InfoNetkit::Policy),
            self.peer_blackhole.map(policy).map(InfoNetkit::PeerPolicy),
        ]
    }
}

/// What a tun or tap can be told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Tun {
    /// The user who may use it, by number; only a privileged one where it is `None`.
    pub user: Option<u32>,
    /// The group whose members may use it, by number.
    pub group: Option<u32>,
    /// Whether packets come with four bytes that say what they are.
    #[serde(rename = "pi", skip_serializing_if = "is_off")]
    pub packet_info: bool,
    /// Whether packets come with a header that says what the hardware is to do.
    #[serde(skip_serializing_if = "is_off")]
    pub vnet_hdr: bool,
    /// Whether several programs may use it at once.
    #[serde(skip_serializing_if = "is_off")]
    pub multi_queue: bool,
}
