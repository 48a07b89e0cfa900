//! Links that gather others: bridges and bonds.

use netlink_packet_route::link::{
    BondAdSelect, BondLacpRate, BondMode as KernelBondMode, BondXmitHashPolicy, BridgeMulticastRouterType,
    BridgeStpState, InfoBond, InfoBridge, InfoData,
};

use serde::{Deserialize, Serialize};

use super::{some_of, stacked::VlanProtocol};

/// What a bridge can be told. Times are in hundredths of a second.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Bridge {
    /// How long a port listens and learns before it forwards.
    #[serde(rename = "forward_delay")]
    pub forward_delay_centis: Option<u32>,
    /// Between two hellos of the spanning tree.
    #[serde(rename = "hello_time")]
    pub hello_time_centis: Option<u32>,
    /// How old what was heard of the spanning tree may be.
    #[serde(rename = "max_age")]
    pub max_age_centis: Option<u32>,
    /// How long an address that was learned is remembered.
    #[serde(rename = "ageing_time", alias = "ageing")]
    pub ageing_time_centis: Option<u32>,
    /// Whether it speaks the spanning tree protocol.
    #[serde(alias = "stp_state")]
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
    #[serde(rename = "vlan_stats_enabled")]
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
    pub(super) fn data(&self) -> Option<InfoData> {
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Bond {
    /// How it spreads packets.
    pub mode: Option<BondMode>,
    /// How often it looks at the state of its links, in milliseconds.
    #[serde(rename = "miimon")]
    pub miimon_ms: Option<u32>,
    /// How long it waits before it uses a link that came up, in milliseconds.
    #[serde(rename = "updelay")]
    pub updelay_ms: Option<u32>,
    /// How long it waits before it gives up a link that went down, in milliseconds.
    #[serde(rename = "downdelay")]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
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
    #[serde(rename = "802.3ad")]
    Ieee8023ad,
    /// By the load of each.
    BalanceTlb,
    /// The same, and what comes in too.
    BalanceAlb,
}

/// What of a packet chooses the link of a bond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum XmitHashPolicy {
    /// Hardware addresses.
    Layer2,
    /// IP addresses and ports.
    #[serde(rename = "layer3+4")]
    Layer34,
    /// Hardware and IP addresses.
    #[serde(rename = "layer2+3")]
    Layer23,
    /// As `Layer23`, of what is in a tunnel.
    #[serde(rename = "encap2+3")]
    Encap23,
    /// As `Layer34`, of what is in a tunnel.
    #[serde(rename = "encap3+4")]
    Encap34,
    /// The VLAN and where it came from.
    #[serde(rename = "vlan+srcmac")]
    VlanSrcMac,
}

/// Which aggregator LACP chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
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
    pub(super) fn data(&self) -> Option<InfoData> {
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
