//! Kinds of links that are there, beside those that are wanted.

use netlink_packet_core::{Emitable, NlasIterator};
use netlink_packet_route::link::{
    BridgeMulticastRouterType, BridgeStpState, InfoBridge, InfoData, InfoMacVlan, InfoVlan, InfoVrf, InfoVxlan,
    LinkInfo, MacVlanMode as KernelMacVlanMode, VlanProtocol as KernelVlanProtocol,
};

use super::{
    Bond, Bridge, Geneve, Gre, Inherit, IpTunnel, IpVlan, Kind, MacVlan, MacVlanMode, Netkit, Tun, Vlan, VlanProtocol,
    Vrf, Vxlan,
};

/// What a new bridge is. It goes back to this where it was told something and is not any more.
const USUAL: Bridge = Bridge {
    forward_delay_centis: Some(1500),
    hello_time_centis: Some(200),
    max_age_centis: Some(2000),
    ageing_time_centis: Some(30_000),
    stp: Some(false),
    priority: Some(32_768),
    vlan_filtering: Some(false),
    vlan_protocol: Some(VlanProtocol::Ieee8021Q),
    group_fwd_mask: Some(0),
    vlan_default_pvid: Some(1),
    vlan_stats: Some(false),
    mcast_router: Some(1),
    mcast_snooping: Some(true),
    mcast_querier: Some(false),
    nf_call_iptables: Some(false),
    nf_call_ip6tables: Some(false),
    nf_call_arptables: Some(false),
};

/// A bridge of what a function makes of each field.
macro_rules! by_field {
    ($merge:ident, $($bridge:expr),+) => {
        Bridge {
            forward_delay_centis: $merge($($bridge.forward_delay_centis),+),
            hello_time_centis: $merge($($bridge.hello_time_centis),+),
            max_age_centis: $merge($($bridge.max_age_centis),+),
            ageing_time_centis: $merge($($bridge.ageing_time_centis),+),
            stp: $merge($($bridge.stp),+),
            priority: $merge($($bridge.priority),+),
            vlan_filtering: $merge($($bridge.vlan_filtering),+),
            vlan_protocol: $merge($($bridge.vlan_protocol),+),
            group_fwd_mask: $merge($($bridge.group_fwd_mask),+),
            vlan_default_pvid: $merge($($bridge.vlan_default_pvid),+),
            vlan_stats: $merge($($bridge.vlan_stats),+),
            mcast_router: $merge($($bridge.mcast_router),+),
            mcast_snooping: $merge($($bridge.mcast_snooping),+),
            mcast_querier: $merge($($bridge.mcast_querier),+),
            nf_call_iptables: $merge($($bridge.nf_call_iptables),+),
            nf_call_ip6tables: $merge($($bridge.nf_call_ip6tables),+),
            nf_call_arptables: $merge($($bridge.nf_call_arptables),+),
        }
    };
}

/// What is wanted, else what is usual; where the kernel does not know the option, only what is wanted.
fn wanted_or_usual<T: Copy>(seen: Option<T>, wanted: Option<T>, usual: Option<T>) -> Option<T> {
    match seen {
        None => wanted,
        seen => wanted.or(usual).or(seen),
    }
}

/// What two links have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shared {
    /// The link that they stand on.
    pub lower: bool,
    /// The hardware address.
    pub mac: bool,
}

fn differing<T: PartialEq + Copy>(old: Option<T>, new: Option<T>) -> Option<T> {
    if old == new { None } else { new }
}

impl Kind {
    /// What a link of this kind becomes when it is made like another one, without being made anew;
    /// `None` where that cannot be.
    pub(crate) fn changed_in_place(&self, wanted: &Self) -> Option<Self> {
        match (self, wanted) {
            (Self::Bridge(seen), Self::Bridge(wanted)) => {
                Some(Self::Bridge(by_field!(wanted_or_usual, seen, wanted, USUAL)))
            }
            _ => None,
        }
    }

    /// Whether the kernel refuses a link of this kind beside one that is there, whatever their names. Where not all is
    /// known of that one, it may.
    pub(crate) fn excludes(&self, there: &Self, shared: Shared) -> bool {
        match (self, there) {
            (Self::Vlan(new), Self::Vlan(there)) => shared.lower && there.id.is_none_or(|id| new.id == Some(id)),
            (Self::MacVlan(new) | Self::MacVtap(new), Self::MacVlan(there) | Self::MacVtap(there)) => {
                let alone = [new, there].iter().any(|one| one.mode == Some(MacVlanMode::Passthru));
                shared.lower && (shared.mac || alone)
            }
            (Self::Vxlan(new), Self::Vxlan(there)) => there.id.is_none_or(|id| new.id == Some(id)),
            (Self::Geneve(_), Self::Geneve(_))
            | (Self::Gre(_), Self::Gre(_))
            | (Self::GreTap(_), Self::GreTap(_))
            | (Self::IpIp(_), Self::IpIp(_))
            | (Self::Sit(_), Self::Sit(_)) => true,
            _ => false,
        }
    }

    /// Whether it takes packets as large as the link does that it stands on, unless it is told otherwise.
    pub(crate) fn is_as_large_as_lower(&self) -> bool {
        matches!(self, Self::Vlan(_) | Self::MacVlan(_) | Self::MacVtap(_) | Self::IpVlan(_) | Self::IpVtap(_))
    }

    /// What has to be told to a link of kind `old`, and no more.
    pub(crate) fn beyond(&self, old: &Self) -> Self {
        match (old, self) {
            (Self::Bridge(old), Self::Bridge(new)) => Self::Bridge(by_field!(differing, old, new)),
            _ => self.clone(),
        }
    }

    /// The kind of which only ip's word is known.
    pub(crate) fn named(word: &str) -> Option<Self> {
        Some(match word {
            "bond" => Self::Bond(Bond::default()),
            "bridge" => Self::Bridge(Bridge::default()),
            "dummy" => Self::Dummy,
            "geneve" => Self::Geneve(Geneve::default()),
            "gre" => Self::Gre(Gre::default()),
            "gretap" => Self::GreTap(Gre::default()),
            "ifb" => Self::Ifb,
            "ipip" => Self::IpIp(IpTunnel::default()),
            "ipvlan" => Self::IpVlan(IpVlan::default()),
            "ipvtap" => Self::IpVtap(IpVlan::default()),
            "macvlan" => Self::MacVlan(MacVlan::default()),
            "macvtap" => Self::MacVtap(MacVlan::default()),
            "netkit" => Self::Netkit(Netkit::default()),
            "sit" => Self::Sit(IpTunnel::default()),
            "tun" => Self::Tun(Tun::default()),
            "veth" => Self::Veth,
            "vlan" => Self::Vlan(Vlan::default()),
            "vrf" => Self::Vrf(Vrf { table: 0 }),
            "vxlan" => Self::Vxlan(Vxlan::default()),
            "wireguard" => Self::Wireguard,
            _ => return None,
        })
    }

    /// A kind by ip's word, with what the kernel says of its options and is not usual; `None` where not all
    /// that matters can be told.
    pub(in crate::netlink) fn told(word: &str, infos: &[LinkInfo]) -> Option<Self> {
        let data = infos.iter().find_map(|info| match info {
            LinkInfo::Data(data) => Some(data),
            _ => None,
        });
        Some(match (word, data) {
            ("bridge", _) => match Self::of_bridge(infos)? {
                Self::Bridge(seen) => Self::Bridge(by_field!(differing, USUAL, seen)),
                other => other,
            },
            ("dummy", _) => Self::Dummy,
            ("ifb", _) => Self::Ifb,
            ("macvlan", Some(InfoData::MacVlan(told))) => Self::MacVlan(macvlan_told(told)),
            ("vlan", Some(InfoData::Vlan(told))) => Self::Vlan(vlan_told(told)),
            ("vrf", Some(InfoData::Vrf(told))) => Self::Vrf(Vrf { table: table_told(told)? }),
            ("vxlan", Some(InfoData::Vxlan(told))) => Self::Vxlan(vxlan_told(told)),
            _ => return None,
        })
    }

    /// Whether a link was told all of this, by what the kernel says of it.
    pub(in crate::netlink) fn is_told_by(&self, infos: &[LinkInfo]) -> bool {
        if matches!(self, Self::Tun(_) | Self::Tap(_)) {
            // The kernel calls both tun, and tells nothing that can be compared.
            return infos.iter().any(|info| *info == LinkInfo::Kind(self.info_kind()));
        }
        let seen = attributes(infos);
        let wanted = self.infos();
        infos.iter().any(|info| *info == wanted[0]) && attributes(&wanted).iter().all(|wanted| seen.contains(wanted))
    }

    /// What a bridge is, by what the kernel says of it.
    pub(in crate::netlink) fn of_bridge(infos: &[LinkInfo]) -> Option<Self> {
        let mut bridge = Bridge::default();
        let InfoData::Bridge(seen) = infos.iter().find_map(|info| match info {
            LinkInfo::Data(data) => Some(data),
            _ => None,
        })?
        else {
            return None;
        };
        for info in seen {
            bridge.take(info);
        }
        Some(Self::Bridge(bridge))
    }
}

fn macvlan_told(told: &[InfoMacVlan]) -> MacVlan {
    let mode = told.iter().find_map(|info| match info {
        InfoMacVlan::Mode(KernelMacVlanMode::Private) => Some(MacVlanMode::Private),
        InfoMacVlan::Mode(KernelMacVlanMode::Vepa) => Some(MacVlanMode::Vepa),
        InfoMacVlan::Mode(KernelMacVlanMode::Bridge) => Some(MacVlanMode::Bridge),
        InfoMacVlan::Mode(KernelMacVlanMode::Passthrough) => Some(MacVlanMode::Passthru),
        InfoMacVlan::Mode(KernelMacVlanMode::Source) => Some(MacVlanMode::Source),
        _ => None,
    });
    MacVlan { mode, ..MacVlan::default() }
}

fn vlan_told(told: &[InfoVlan]) -> Vlan {
    let mut vlan = Vlan::default();
    for info in told {
        match info {
            InfoVlan::Id(id) => vlan.id = Some(*id),
            InfoVlan::Protocol(KernelVlanProtocol::Ieee8021Ad) => vlan.protocol = Some(VlanProtocol::Ieee8021Ad),
            _ => {}
        }
    }
    vlan
}

fn table_told(told: &[InfoVrf]) -> Option<u32> {
    told.iter().find_map(|info| match info {
        InfoVrf::TableId(table) => Some(*table),
        _ => None,
    })
}

fn vxlan_told(told: &[InfoVxlan]) -> Vxlan {
    let mut vxlan = Vxlan::default();
    for info in told {
        match info {
            InfoVxlan::Id(id) => vxlan.id = Some(*id),
            InfoVxlan::Group(ip) => vxlan.remote = Some((*ip).into()),
            InfoVxlan::Group6(ip) => vxlan.remote = Some((*ip).into()),
            InfoVxlan::Local(ip) => vxlan.local = Some((*ip).into()),
            InfoVxlan::Local6(ip) => vxlan.local = Some((*ip).into()),
            InfoVxlan::Port(port) => vxlan.dst_port = Some(*port),
            InfoVxlan::Learning(false) => vxlan.learning = Some(false),
            InfoVxlan::Ttl(hops) if *hops != 0 => vxlan.ttl = Some(Inherit::Fixed(*hops)),
            InfoVxlan::CollectMetadata(on) => vxlan.external = *on,
            _ => {}
        }
    }
    if vxlan.external {
        vxlan.id = None;
        vxlan.learning = vxlan.learning.filter(|learning| *learning);
    }
    vxlan
}

/// The attributes of a kind, each by its number and bytes.
fn attributes(infos: &[LinkInfo]) -> Vec<(u16, Vec<u8>)> {
    let Some(data) = infos.iter().find(|info| matches!(info, LinkInfo::Data(_))) else { return Vec::new() };
    let mut bytes = vec![0; data.buffer_len()];
    data.emit(&mut bytes);
    // Behind the header of the attribute that holds them all.
    let inner = bytes.get(4..).unwrap_or_default();
    let all = NlasIterator::new(inner).map_while(Result::ok);
    all.map(|nla| (nla.kind(), nla.value().to_vec())).collect()
}

impl Bridge {
    fn take(&mut self, info: &InfoBridge) {
        match info {
            InfoBridge::ForwardDelay(centis) => self.forward_delay_centis = Some(*centis),
            InfoBridge::HelloTime(centis) => self.hello_time_centis = Some(*centis),
            InfoBridge::MaxAge(centis) => self.max_age_centis = Some(*centis),
            InfoBridge::AgeingTime(centis) => self.ageing_time_centis = Some(*centis),
            InfoBridge::StpState(state) => self.stp = Some(*state != BridgeStpState::Disabled),
            InfoBridge::Priority(priority) => self.priority = Some(*priority),
            InfoBridge::VlanFiltering(on) => self.vlan_filtering = Some(*on),
            InfoBridge::VlanProtocol(protocol) => {
                let ad = *protocol == KernelVlanProtocol::Ieee8021Ad;
                self.vlan_protocol = Some(if ad { VlanProtocol::Ieee8021Ad } else { VlanProtocol::Ieee8021Q });
            }
            InfoBridge::GroupFwdMask(mask) => self.group_fwd_mask = Some(*mask),
            InfoBridge::VlanDefaultPvid(vlan) => self.vlan_default_pvid = Some(*vlan),
            InfoBridge::VlanStatsEnabled(on) => self.vlan_stats = Some(*on),
            InfoBridge::MulticastRouter(router) => self.mcast_router = Some(router_number(*router)),
            InfoBridge::MulticastSnooping(on) => self.mcast_snooping = Some(*on),
            InfoBridge::MulticastQuerier(on) => self.mcast_querier = Some(*on),
            InfoBridge::NfCallIpTables(on) => self.nf_call_iptables = Some(*on),
            InfoBridge::NfCallIp6Tables(on) => self.nf_call_ip6tables = Some(*on),
            InfoBridge::NfCallArpTables(on) => self.nf_call_arptables = Some(*on),
            _ => {}
        }
    }
}

fn router_number(router: BridgeMulticastRouterType) -> u8 {
    match router {
        BridgeMulticastRouterType::Disabled => 0,
        BridgeMulticastRouterType::TempQuery => 1,
        BridgeMulticastRouterType::Permanent => 2,
        BridgeMulticastRouterType::Temp => 3,
        BridgeMulticastRouterType::Other(other) => other,
        _ => u8::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_goes_back_to_what_is_usual_and_is_told_no_more_than_what_differs() {
        let seen = Bridge { ageing_time_centis: Some(7), stp: Some(true), ..USUAL };
        let wanted = Kind::Bridge(Bridge { stp: Some(true), ..Bridge::default() });
        let becomes = Kind::Bridge(seen.clone()).changed_in_place(&wanted).unwrap();
        assert_eq!(becomes, Kind::Bridge(Bridge { stp: Some(true), ..USUAL }));
        let told = Bridge { ageing_time_centis: Some(30_000), ..Bridge::default() };
        assert_eq!(becomes.beyond(&Kind::Bridge(seen)), Kind::Bridge(told));
    }

    #[test]
    fn a_kind_is_told_by_a_part_of_what_the_kernel_says() {
        let wanted = Kind::Vxlan(Vxlan { id: Some(7), ..Vxlan::default() });
        let seen = Kind::Vxlan(Vxlan { id: Some(7), dst_port: Some(5), ..Vxlan::default() });
        assert!(wanted.is_told_by(&seen.infos()));
        assert!(!seen.is_told_by(&wanted.infos()));
        assert!(!Kind::Dummy.is_told_by(&seen.infos()));
    }
}
