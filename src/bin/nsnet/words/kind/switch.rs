//! What bridges and bonds can be told.

use nsnet::netlink::kind::{AdSelect, Bond, BondMode, Bridge, XmitHashPolicy};

use super::{
    super::{
        Misuse,
        grammar::{Cursor, Table, short},
    },
    one_of,
    stacked::vlan_protocol,
};

pub(super) const BRIDGE: Table<Bridge> = Table {
    command: "link add NAME type bridge",
    about: "A switch; links become its ports by 'master'. Times are in hundredths of a second.",
    bare: None,
    keywords: &[
        short("forward_delay", "TIME", "how long a port listens and learns before it forwards", |bridge, c| {
            bridge.forward_delay_centis = Some(c.value()?.number()?);
            Ok(())
        }),
        short("hello_time", "TIME", "between two hellos of the spanning tree", |bridge, c| {
            bridge.hello_time_centis = Some(c.value()?.number()?);
            Ok(())
        }),
        short("max_age", "TIME", "how old what was heard of the spanning tree may be", |bridge, c| {
            bridge.max_age_centis = Some(c.value()?.number()?);
            Ok(())
        }),
        short("ageing_time", "TIME", "how long an address that was learned is remembered", |bridge, c| {
            bridge.ageing_time_centis = Some(c.value()?.number()?);
            Ok(())
        }),
        short("stp_state", "0|1", "whether it speaks the spanning tree protocol", |bridge, c| {
            bridge.stp = Some(bit(c.value()?)?);
            Ok(())
        }),
        short("priority", "N", "its priority in the spanning tree", |bridge, c| {
            bridge.priority = Some(c.value()?.number()?);
            Ok(())
        }),
        short("vlan_filtering", "0|1", "whether it looks at VLAN tags", |bridge, c| {
            bridge.vlan_filtering = Some(bit(c.value()?)?);
            Ok(())
        }),
        short("vlan_protocol", "802.1Q|802.1ad", "which tags those are", |bridge, c| {
            bridge.vlan_protocol = Some(vlan_protocol(c.value()?)?);
            Ok(())
        }),
        short("group_fwd_mask", "MASK", "the link-local groups that it forwards, a bit each", |bridge, c| {
            bridge.group_fwd_mask = Some(c.value()?.number()?);
            Ok(())
        }),
        short("vlan_default_pvid", "ID", "the VLAN of untagged packets", |bridge, c| {
            bridge.vlan_default_pvid = Some(c.value()?.number()?);
            Ok(())
        }),
        short("vlan_stats_enabled", "0|1", "whether it counts by VLAN", |bridge, c| {
            bridge.vlan_stats = Some(bit(c.value()?)?);
            Ok(())
        }),
        short(
            "mcast_router",
            "0|1|2",
            "whether multicast routers are behind it: never, learned, always",
            |bridge, c| {
                bridge.mcast_router = Some(c.value()?.number()?);
                Ok(())
            },
        ),
        short("mcast_snooping", "0|1", "whether multicast goes only where it was asked for", |bridge, c| {
            bridge.mcast_snooping = Some(bit(c.value()?)?);
            Ok(())
        }),
        short("mcast_querier", "0|1", "whether it asks who wants multicast", |bridge, c| {
            bridge.mcast_querier = Some(bit(c.value()?)?);
            Ok(())
        }),
        short("nf_call_iptables", "0|1", "whether IPv4 that it forwards goes through iptables", |bridge, c| {
            bridge.nf_call_iptables = Some(bit(c.value()?)?);
            Ok(())
        }),
        short("nf_call_ip6tables", "0|1", "the same of IPv6", |bridge, c| {
            bridge.nf_call_ip6tables = Some(bit(c.value()?)?);
            Ok(())
        }),
        short("nf_call_arptables", "0|1", "the same of ARP", |bridge, c| {
            bridge.nf_call_arptables = Some(bit(c.value()?)?);
            Ok(())
        }),
    ],
};

const BOND_MODES: [(&str, BondMode); 7] = [
    ("balance-rr", BondMode::BalanceRr),
    ("active-backup", BondMode::ActiveBackup),
    ("balance-xor", BondMode::BalanceXor),
    ("broadcast", BondMode::Broadcast),
    ("802.3ad", BondMode::Ieee8023ad),
    ("balance-tlb", BondMode::BalanceTlb),
    ("balance-alb", BondMode::BalanceAlb),
];

const XMIT_HASH_POLICIES: [(&str, XmitHashPolicy); 6] = [
    ("layer2", XmitHashPolicy::Layer2),
    ("layer3+4", XmitHashPolicy::Layer34),
    ("layer2+3", XmitHashPolicy::Layer23),
    ("encap2+3", XmitHashPolicy::Encap23),
    ("encap3+4", XmitHashPolicy::Encap34),
    ("vlan+srcmac", XmitHashPolicy::VlanSrcMac),
];

const AD_SELECTS: [(&str, AdSelect); 3] =
    [("stable", AdSelect::Stable), ("bandwidth", AdSelect::Bandwidth), ("count", AdSelect::Count)];

pub(super) const BOND: Table<Bond> = Table {
    command: "link add NAME type bond",
    about: "Several links that look like one; they join it by 'master'.",
    bare: None,
    keywords: &[
        short(
            "mode",
            "MODE",
            "balance-rr, active-backup, balance-xor, broadcast, 802.3ad, balance-tlb or balance-alb",
            |bond, c| {
                bond.mode = Some(one_of(c.value()?, &BOND_MODES)?);
                Ok(())
            },
        ),
        short("miimon", "MS", "how often it looks at the state of its links", |bond, c| {
            bond.miimon_ms = Some(c.value()?.number()?);
            Ok(())
        }),
        short("updelay", "MS", "how long it waits before it uses a link that came up", |bond, c| {
            bond.updelay_ms = Some(c.value()?.number()?);
            Ok(())
        }),
        short("downdelay", "MS", "how long it waits before it gives up a link that went down", |bond, c| {
            bond.downdelay_ms = Some(c.value()?.number()?);
            Ok(())
        }),
        short(
            "xmit_hash_policy",
            "POLICY",
            "what of a packet chooses the link: layer2, layer3+4, layer2+3 …",
            |bond, c| {
                bond.xmit_hash_policy = Some(one_of(c.value()?, &XMIT_HASH_POLICIES)?);
                Ok(())
            },
        ),
        short("min_links", "N", "so many links must be up for it to be", |bond, c| {
            bond.min_links = Some(c.value()?.number()?);
            Ok(())
        }),
        short("lacp_rate", "slow|fast", "how often LACP speaks", |bond, c| {
            bond.lacp_fast = Some(one_of(c.value()?, &[("slow", false), ("fast", true)])?);
            Ok(())
        }),
        short("ad_select", "stable|bandwidth|count", "which aggregator LACP chooses", |bond, c| {
            bond.ad_select = Some(one_of(c.value()?, &AD_SELECTS)?);
            Ok(())
        }),
    ],
};

/// `0` or `1`; ip takes any small number for the latter.
fn bit(c: &Cursor<'_>) -> Result<bool, Misuse> {
    c.number::<u8>().map(|number| number != 0)
}
