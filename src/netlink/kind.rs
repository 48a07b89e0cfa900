//! Kinds of links that can be made, and what each can be told.

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::DefaultNla;
use netlink_packet_route::{
    IpProtocol,
    link::{
        BondAdSelect, BondLacpRate, BondMode as KernelBondMode, BondXmitHashPolicy, BridgeMulticastRouterType,
        BridgeStpState, GeneveDf, GreEncapFlags, GreEncapType, GreIOFlags, InfoBond, InfoBridge, InfoData, InfoGeneve,
        InfoGre, InfoIpTunnel, InfoIpVlan, InfoIpVtap, InfoKind, InfoMacVlan, InfoMacVtap, InfoNetkit, InfoVlan,
        InfoVrf, InfoVxlan, IpVlanFlags, IpVlanMode as KernelIpVlanMode, LinkInfo, MacVlanMode as KernelMacVlanMode,
        NetkitMode, NetkitPolicy, TunnelEncapFlags, TunnelEncapType, VlanFlags, VlanProtocol as KernelVlanProtocol,
        VxlanDf,
    },
};

/// A kind of link. What is `None` in one is left to the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// ip's word for it, which is the kernel's too.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.names().word
    }

    /// The module that the kernel has it from, where it is not built in.
    #[must_use]
    pub fn module(&self) -> &'static str {
        self.names().module
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
            Self::Netkit(_) => names("netkit", "create netkit", "netkit"),
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

/// What a bridge can be told. Times are in hundredths of a second.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Bridge {
    /// How long a port listens and learns before it forwards.
    pub forward_delay_centis: Option<u32>,
    /// Between two hellos of the spanning tree.
    pub hello_time_centis: Option<u32>,
    /// How old what was heard of the spanning tree may be.
    pub max_age_centis: Option<u32>,
    /// How long an address that was learned is remembered.
    pub ageing_time_centis: Option<u32>,
    /// Whether it speaks the spanning tree protocol.
    pub stp: Option<bool>,
    /// Its priority in the spanning tree.
    pub priority: Option<u16>,
    /// Whether it looks at VLAN tags.
    pub vlan_filtering: Option<bool>,
    /// Which tags those are.
    pub vlan_protocol: Option<VlanProtocol>,
    /// The link-local groups that it forwards, a bit each.
    pub group_fwd_mask: Option<u16>,
    /// The VLAN of untagged packets.
    pub vlan_default_pvid: Option<u16>,
    /// Whether it counts by VLAN.
    pub vlan_stats: Option<bool>,
    /// Whether multicast routers are behind it: 0 never, 1 learned, 2 always.
    pub mcast_router: Option<u8>,
    /// Whether multicast goes only where somebody asked for it.
    pub mcast_snooping: Option<bool>,
    /// Whether it asks who wants multicast.
    pub mcast_querier: Option<bool>,
    /// Whether IPv4 packets that it forwards go through iptables.
    pub nf_call_iptables: Option<bool>,
    /// The same of IPv6.
    pub nf_call_ip6tables: Option<bool>,
    /// The same of ARP.
    pub nf_call_arptables: Option<bool>,
}

impl Bridge {
    fn data(&self) -> Option<InfoData> {
        let stp = |on| if on { BridgeStpState::KernelStp } else { BridgeStpState::Disabled };
        let router = |router| match router {
            0 => BridgeMulticastRouterType::Disabled,
            1 => BridgeMulticastRouterType::TempQuery,
            2 => BridgeMulticastRouterType::Permanent,
            other => BridgeMulticastRouterType::Other(other),
        };
        let infos = [
            self.forward_delay_centis.map(InfoBridge::ForwardDelay),
            self.hello_time_centis.map(InfoBridge::HelloTime),
            self.max_age_centis.map(InfoBridge::MaxAge),
            self.ageing_time_centis.map(InfoBridge::AgeingTime),
            self.stp.map(stp).map(InfoBridge::StpState),
            self.priority.map(InfoBridge::Priority),
            self.vlan_filtering.map(InfoBridge::VlanFiltering),
            self.vlan_protocol.map(|protocol| InfoBridge::VlanProtocol(protocol.of_kernel())),
            self.group_fwd_mask.map(InfoBridge::GroupFwdMask),
            self.vlan_default_pvid.map(InfoBridge::VlanDefaultPvid),
            self.vlan_stats.map(InfoBridge::VlanStatsEnabled),
            self.mcast_router.map(router).map(InfoBridge::MulticastRouter),
            self.mcast_snooping.map(InfoBridge::MulticastSnooping),
            self.mcast_querier.map(InfoBridge::MulticastQuerier),
            self.nf_call_iptables.map(InfoBridge::NfCallIpTables),
            self.nf_call_ip6tables.map(InfoBridge::NfCallIp6Tables),
            self.nf_call_arptables.map(InfoBridge::NfCallArpTables),
        ];
        some_of(infos).map(InfoData::Bridge)
    }
}

/// What a bond can be told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Bond {
    /// How it spreads packets.
    pub mode: Option<BondMode>,
    /// How often it looks at the state of its links, in milliseconds.
    pub miimon_ms: Option<u32>,
    /// How long it waits before it uses a link that came up, in milliseconds.
    pub updelay_ms: Option<u32>,
    /// How long it waits before it gives up a link that went down, in milliseconds.
    pub downdelay_ms: Option<u32>,
    /// So many links must be up for it to be.
    pub min_links: Option<u32>,
    /// What of a packet chooses the link.
    pub xmit_hash_policy: Option<XmitHashPolicy>,
    /// Whether LACP speaks every second instead of every thirty.
    pub lacp_fast: Option<bool>,
    /// Which aggregator LACP chooses.
    pub ad_select: Option<AdSelect>,
}

/// How a bond spreads packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BondMode {
    /// In turns.
    BalanceRr,
    /// All through one; the others wait.
    ActiveBackup,
    /// By a hash of the packet.
    BalanceXor,
    /// All through each.
    Broadcast,
    /// By LACP.
    Ieee8023ad,
    /// By the load of each.
    BalanceTlb,
    /// The same, and what comes in too.
    BalanceAlb,
}

/// What of a packet chooses the link of a bond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum XmitHashPolicy {
    /// Hardware addresses.
    Layer2,
    /// IP addresses and ports.
    Layer34,
    /// Hardware and IP addresses.
    Layer23,
    /// As `Layer23`, of what is in a tunnel.
    Encap23,
    /// As `Layer34`, of what is in a tunnel.
    Encap34,
    /// The VLAN and where it came from.
    VlanSrcMac,
}

/// Which aggregator LACP chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdSelect {
    /// Stays with the one that it has.
    Stable,
    /// The one that carries most.
    Bandwidth,
    /// The one of most ports.
    Count,
}

impl Bond {
    fn data(&self) -> Option<InfoData> {
        let mode = |mode| match mode {
            BondMode::BalanceRr => KernelBondMode::BalanceRr,
            BondMode::ActiveBackup => KernelBondMode::ActiveBackup,
            BondMode::BalanceXor => KernelBondMode::BalanceXor,
            BondMode::Broadcast => KernelBondMode::Broadcast,
            BondMode::Ieee8023ad => KernelBondMode::Ieee8023Ad,
            BondMode::BalanceTlb => KernelBondMode::BalanceTlb,
            BondMode::BalanceAlb => KernelBondMode::BalanceAlb,
        };
        let policy = |policy| match policy {
            XmitHashPolicy::Layer2 => BondXmitHashPolicy::Layer2,
            XmitHashPolicy::Layer34 => BondXmitHashPolicy::Layer34,
            XmitHashPolicy::Layer23 => BondXmitHashPolicy::Layer23,
            XmitHashPolicy::Encap23 => BondXmitHashPolicy::Encap23,
            XmitHashPolicy::Encap34 => BondXmitHashPolicy::Encap34,
            XmitHashPolicy::VlanSrcMac => BondXmitHashPolicy::VlanSrcMac,
        };
        let select = |select| match select {
            AdSelect::Stable => BondAdSelect::Stable,
            AdSelect::Bandwidth => BondAdSelect::Bandwidth,
            AdSelect::Count => BondAdSelect::Count,
        };
        let rate = |fast| if fast { BondLacpRate::Fast } else { BondLacpRate::Slow };
        let infos = [
            self.mode.map(mode).map(InfoBond::Mode),
            self.miimon_ms.map(InfoBond::MiiMon),
            self.updelay_ms.map(InfoBond::UpDelay),
            self.downdelay_ms.map(InfoBond::DownDelay),
            self.xmit_hash_policy.map(policy).map(InfoBond::XmitHashPolicy),
            self.min_links.map(InfoBond::MinLinks),
            self.lacp_fast.map(rate).map(InfoBond::AdLacpRate),
            self.ad_select.map(select).map(InfoBond::AdSelect),
        ];
        some_of(infos).map(InfoData::Bond)
    }
}

/// What a VLAN can be told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum VlanProtocol {
    /// The usual one.
    Ieee8021Q,
    /// The one of providers, around others.
    Ieee8021Ad,
}

impl VlanProtocol {
    fn of_kernel(self) -> KernelVlanProtocol {
        match self {
            Self::Ieee8021Q => KernelVlanProtocol::Ieee8021Q,
            Self::Ieee8021Ad => KernelVlanProtocol::Ieee8021Ad,
        }
    }
}

impl Vlan {
    fn data(&self) -> InfoData {
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MacVlan {
    /// Who may talk to whom.
    pub mode: Option<MacVlanMode>,
    /// How many broadcasts may wait.
    pub broadcast_queue_packets: Option<u32>,
}

/// Which macvlans of one link may talk to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    fn data<T>(&self, mode: fn(KernelMacVlanMode) -> T, queue: fn(u32) -> T) -> [Option<T>; 2] {
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IpVlan {
    /// Which part of the kernel handles its packets.
    pub mode: Option<IpVlanMode>,
    /// Who may talk to whom.
    pub isolation: Option<IpVlanIsolation>,
}

/// Which part of the kernel handles the packets of an ipvlan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IpVlanMode {
    /// The namespace of the ipvlan, with neighbours.
    L2,
    /// The namespace of the link below, without broadcasts.
    L3,
    /// The same, and netfilter sees them.
    L3S,
}

/// Which ipvlans of one link may talk to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    fn data<T>(&self, mode: fn(KernelIpVlanMode) -> T, flags: fn(IpVlanFlags) -> T) -> Option<Vec<T>> {
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Vrf {
    /// The number of its routing table.
    pub table: u32,
}

/// What a netkit pair can be told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Tun {
    /// The user who may use it, by number; only a privileged one where it is `None`.
    pub user: Option<u32>,
    /// The group whose members may use it, by number.
    pub group: Option<u32>,
    /// Whether packets come with four bytes that say what they are.
    pub packet_info: bool,
    /// Whether packets come with a header that says what the hardware is to do.
    pub vnet_hdr: bool,
    /// Whether several programs may use it at once.
    pub multi_queue: bool,
}

/// How many hops packets of a tunnel may make, or what its type of service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inherit {
    /// As the packet inside.
    Inherit,
    /// This number.
    Fixed(u8),
}

impl Inherit {
    /// For a type of service, where 1 stands for the one inside.
    fn tos(self) -> u8 {
        match self {
            Self::Inherit => 1,
            Self::Fixed(tos) => tos,
        }
    }

    /// For hops, where 0 stands for those inside.
    fn ttl(self) -> u8 {
        match self {
            Self::Inherit => 0,
            Self::Fixed(ttl) => ttl,
        }
    }
}

/// Whether outer packets may be fragmented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DontFragment {
    /// They may.
    Unset,
    /// They may not.
    Set,
    /// As the packet inside.
    Inherit,
}

/// What a VXLAN can be told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Vxlan {
    /// The number of the network, 24 bits.
    pub id: Option<u32>,
    /// Where packets for unknown addresses go: a host, or a multicast group, which needs `device`.
    pub remote: Option<IpAddr>,
    /// Where packets come from.
    pub local: Option<IpAddr>,
    /// The link that packets leave by, by its index where they travel.
    pub device: Option<u32>,
    /// How many hops packets may make.
    pub ttl: Option<Inherit>,
    /// The type of service of packets.
    pub tos: Option<Inherit>,
    /// Whether packets may be fragmented.
    pub df: Option<DontFragment>,
    /// The IPv6 flow label of packets.
    pub flow_label: Option<u32>,
    /// How long an address that was learned is remembered, in seconds; 0 for ever.
    pub ageing_s: Option<u32>,
    /// How many addresses are remembered; 0 for any number.
    pub max_addresses: Option<u32>,
    /// The UDP ports that packets come from.
    pub src_ports: Option<(u16, u16)>,
    /// The UDP port that packets go to. The kernel's own choice, 8472, is older than the standard's 4789.
    pub dst_port: Option<u16>,
    /// Whether it learns addresses from packets; `None` stands for yes, unless `external`.
    pub learning: Option<bool>,
    /// Whether it answers ARP for others.
    pub proxy: Option<bool>,
    /// Whether it routes short.
    pub rsc: Option<bool>,
    /// Whether it tells of unknown hardware addresses.
    pub l2miss: Option<bool>,
    /// Whether it tells of unknown IP addresses.
    pub l3miss: Option<bool>,
    /// Whether UDP over IPv4 has checksums.
    pub udp_csum: Option<bool>,
    /// Whether UDP over IPv6 goes without.
    pub udp6_zero_csum_tx: Option<bool>,
    /// Whether UDP over IPv6 is taken without.
    pub udp6_zero_csum_rx: Option<bool>,
    /// Whether each packet is told where to go from outside, by a route or a program.
    pub external: bool,
    /// Whether packets carry a group policy.
    pub gbp: bool,
}

impl Vxlan {
    fn data(&self) -> InfoData {
        let ttl = |ttl| match ttl {
            Inherit::Inherit => InfoVxlan::TtlInheritFlag,
            Inherit::Fixed(ttl) => InfoVxlan::Ttl(ttl),
        };
        let df = |df| match df {
            DontFragment::Unset => VxlanDf::Unset,
            DontFragment::Set => VxlanDf::Set,
            DontFragment::Inherit => VxlanDf::Inherit,
        };
        let local = |ip| match ip {
            IpAddr::V4(ip) => InfoVxlan::Local(ip),
            IpAddr::V6(ip) => InfoVxlan::Local6(ip),
        };
        let remote = |ip| match ip {
            IpAddr::V4(ip) => InfoVxlan::Group(ip),
            IpAddr::V6(ip) => InfoVxlan::Group6(ip),
        };
        let infos = [
            self.id.map(InfoVxlan::Id),
            self.device.map(InfoVxlan::Link),
            self.ttl.map(ttl),
            self.tos.map(|tos| InfoVxlan::Tos(tos.tos())),
            self.df.map(df).map(InfoVxlan::Df),
            self.flow_label.map(InfoVxlan::Label),
            self.ageing_s.map(InfoVxlan::Ageing),
            self.max_addresses.map(InfoVxlan::Limit),
            self.src_ports.map(InfoVxlan::PortRange),
            self.proxy.map(InfoVxlan::Proxy),
            self.rsc.map(InfoVxlan::Rsc),
            self.l2miss.map(InfoVxlan::L2Miss),
            self.l3miss.map(InfoVxlan::L3Miss),
            self.udp_csum.map(InfoVxlan::UDPCsum),
            self.udp6_zero_csum_tx.map(InfoVxlan::UDPZeroCsumTX),
            self.udp6_zero_csum_rx.map(InfoVxlan::UDPZeroCsumRX),
            self.external.then_some(InfoVxlan::CollectMetadata(true)),
            self.gbp.then_some(InfoVxlan::Gbp),
            self.local.map(local),
            self.remote.map(remote),
            Some(InfoVxlan::Learning(self.learning.unwrap_or(!self.external))),
            self.dst_port.filter(|&port| port != 0).map(InfoVxlan::Port),
        ];
        InfoData::Vxlan(infos.into_iter().flatten().collect())
    }
}

/// What a GENEVE tunnel can be told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Geneve {
    /// The number of the network, 24 bits.
    pub id: Option<u32>,
    /// The other end.
    pub remote: Option<IpAddr>,
    /// How many hops packets may make.
    pub ttl: Option<Inherit>,
    /// The type of service of packets.
    pub tos: Option<Inherit>,
    /// Whether packets may be fragmented.
    pub df: Option<DontFragment>,
    /// The IPv6 flow label of packets.
    pub flow_label: Option<u32>,
    /// The UDP port that packets go to; the standard's 6081 where it is `None`.
    pub dst_port: Option<u16>,
    /// Whether each packet is told where to go from outside, by a route or a program.
    pub external: bool,
    /// Whether UDP over IPv4 has checksums.
    pub udp_csum: Option<bool>,
    /// Whether UDP over IPv6 goes without.
    pub udp6_zero_csum_tx: Option<bool>,
    /// Whether UDP over IPv6 is taken without.
    pub udp6_zero_csum_rx: Option<bool>,
}

impl Geneve {
    fn data(&self) -> InfoData {
        let df = |df| match df {
            DontFragment::Unset => GeneveDf::Unset,
            DontFragment::Set => GeneveDf::Set,
            DontFragment::Inherit => GeneveDf::Inherit,
        };
        let remote = |ip| match ip {
            IpAddr::V4(ip) => InfoGeneve::Remote(ip),
            IpAddr::V6(ip) => InfoGeneve::Remote6(ip),
        };
        let infos = [
            Some(InfoGeneve::Id(self.id.unwrap_or(0))),
            self.remote.map(remote),
            (self.ttl == Some(Inherit::Inherit)).then_some(InfoGeneve::TtlInherit(true)),
            self.df.map(df).map(InfoGeneve::Df),
            Some(InfoGeneve::Label(self.flow_label.unwrap_or(0))),
            Some(InfoGeneve::Ttl(self.ttl.map_or(0, Inherit::ttl))),
            Some(InfoGeneve::Tos(self.tos.map_or(0, Inherit::tos))),
            self.dst_port.filter(|&port| port != 0).map(InfoGeneve::Port),
            self.external.then_some(InfoGeneve::CollectMetadata),
            self.udp_csum.map(InfoGeneve::UdpCsum),
            self.udp6_zero_csum_tx.map(InfoGeneve::UdpZeroCsum6Tx),
            self.udp6_zero_csum_rx.map(InfoGeneve::UdpZeroCsum6Rx),
        ];
        InfoData::Geneve(infos.into_iter().flatten().collect())
    }
}

/// What a GRE tunnel can be told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Gre {
    /// This end.
    pub local: Option<Ipv4Addr>,
    /// The other end.
    pub remote: Option<Ipv4Addr>,
    /// The link that packets leave by, by its index where they travel.
    pub device: Option<u32>,
    /// Of packets that come in.
    pub input: GreWay,
    /// Of packets that go out.
    pub output: GreWay,
    /// How many hops packets may make.
    pub ttl: Option<Inherit>,
    /// The type of service of packets.
    pub tos: Option<Inherit>,
    /// Whether the largest packet on the way is found out; `None` stands for yes.
    pub pmtudisc: Option<bool>,
    /// Whether packets that must not be fragmented are nonetheless.
    pub ignore_df: Option<bool>,
    /// The mark of packets.
    pub fwmark: Option<u32>,
    /// Whether each packet is told where to go from outside, by a route or a program.
    pub external: bool,
}

/// What the header of GRE holds, one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GreWay {
    /// The key.
    pub key: Option<u32>,
    /// Whether packets are numbered.
    pub sequence: bool,
    /// Whether packets have checksums.
    pub checksum: bool,
}

impl GreWay {
    fn flags(self) -> GreIOFlags {
        let mut flags = GreIOFlags::empty();
        flags.set(GreIOFlags::Key, self.key.is_some());
        flags.set(GreIOFlags::Seq, self.sequence);
        flags.set(GreIOFlags::Checksum, self.checksum);
        flags
    }
}

/// `IFLA_GRE_IGNORE_DF` of `linux/if_tunnel.h`.
const IFLA_GRE_IGNORE_DF: u16 = 19;

impl Gre {
    fn data(&self) -> Option<Vec<InfoGre>> {
        if *self == Self::default() {
            return None;
        }
        if self.external {
            return Some(vec![InfoGre::CollectMetadata]);
        }
        let ignore_df = |on| InfoGre::Other(DefaultNla::new(IFLA_GRE_IGNORE_DF, vec![u8::from(on)]));
        // As ip does: the key of a tunnel to a group is the group's address.
        let of_group = self.remote.filter(Ipv4Addr::is_multicast).map(u32::from);
        let [input, output] = [self.input, self.output].map(|way| GreWay { key: way.key.or(of_group), ..way });
        let infos = [
            Some(InfoGre::IKey(input.key.unwrap_or(0))),
            Some(InfoGre::OKey(output.key.unwrap_or(0))),
            Some(InfoGre::IFlags(input.flags())),
            Some(InfoGre::OFlags(output.flags())),
            self.local.map(InfoGre::Local),
            self.remote.map(InfoGre::Remote),
            Some(InfoGre::PathMTUDiscovery(self.pmtudisc.unwrap_or(true))),
            self.ignore_df.map(ignore_df),
            Some(InfoGre::Tos(self.tos.map_or(0, Inherit::tos))),
            self.device.map(InfoGre::Link),
            Some(InfoGre::Ttl(self.ttl.map_or(0, Inherit::ttl))),
            Some(InfoGre::FwMask(self.fwmark.unwrap_or(0))),
            Some(InfoGre::EncapType(GreEncapType::None)),
            Some(InfoGre::EncapFlags(GreEncapFlags::empty())),
            Some(InfoGre::SourcePort(0)),
            Some(InfoGre::DestinationPort(0)),
        ];
        Some(infos.into_iter().flatten().collect())
    }
}

/// What an ipip or sit tunnel can be told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct IpTunnel {
    /// What packets inside are; anything where it is `None`.
    pub inner: Option<Inner>,
    /// This end.
    pub local: Option<Ipv4Addr>,
    /// The other end.
    pub remote: Option<Ipv4Addr>,
    /// The link that packets leave by, by its index where they travel.
    pub device: Option<u32>,
    /// How many hops packets may make.
    pub ttl: Option<Inherit>,
    /// The type of service of packets.
    pub tos: Option<Inherit>,
    /// Whether the largest packet on the way is found out; `None` stands for yes.
    pub pmtudisc: Option<bool>,
    /// Whether it is one of ISATAP; of sit only.
    pub isatap: bool,
    /// The mark of packets.
    pub fwmark: Option<u32>,
    /// Whether each packet is told where to go from outside, by a route or a program.
    pub external: bool,
}

/// What packets in a tunnel are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inner {
    /// Anything.
    Any,
    /// IPv4.
    Ipv4,
    /// IPv6; in sit only.
    Ipv6,
    /// MPLS.
    Mpls,
}

impl Inner {
    fn protocol(self) -> IpProtocol {
        match self {
            Self::Any => IpProtocol::from(0),
            Self::Ipv4 => IpProtocol::from(4),
            Self::Ipv6 => IpProtocol::from(41),
            Self::Mpls => IpProtocol::from(137),
        }
    }
}

/// Of `linux/if_tunnel.h`.
const IFLA_IPTUN_FLAGS: u16 = 8;
const SIT_ISATAP: u16 = 1;

impl IpTunnel {
    fn data(&self, sit: bool) -> Option<InfoData> {
        if *self == Self::default() {
            return None;
        }
        let proto = InfoIpTunnel::Protocol(self.inner.unwrap_or(Inner::Any).protocol());
        if self.external {
            return Some(InfoData::IpTunnel(vec![proto, InfoIpTunnel::CollectMetadata]));
        }
        // The kernel reads these in the byte order of the machine, unlike other flags of tunnels.
        let flags = (SIT_ISATAP * u16::from(self.isatap)).to_ne_bytes().to_vec();
        let infos = [
            Some(proto),
            self.local.map(|ip| InfoIpTunnel::Local(ip.into())),
            self.remote.map(|ip| InfoIpTunnel::Remote(ip.into())),
            Some(InfoIpTunnel::PMtuDisc(self.pmtudisc.unwrap_or(true))),
            Some(InfoIpTunnel::Tos(self.tos.map_or(0, Inherit::tos))),
            Some(InfoIpTunnel::Ttl(self.ttl.map_or(0, Inherit::ttl))),
            Some(InfoIpTunnel::Link(self.device.unwrap_or(0))),
            Some(InfoIpTunnel::FwMark(self.fwmark.unwrap_or(0))),
            Some(InfoIpTunnel::EncapType(TunnelEncapType::None)),
            Some(InfoIpTunnel::EncapFlags(TunnelEncapFlags::empty())),
            Some(InfoIpTunnel::EncapSPort(0)),
            Some(InfoIpTunnel::EncapDPort(0)),
            sit.then(|| InfoIpTunnel::Other(DefaultNla::new(IFLA_IPTUN_FLAGS, flags))),
        ];
        Some(InfoData::IpTunnel(infos.into_iter().flatten().collect()))
    }
}
