//! What ip shows of a link with `-d`.

use std::net::IpAddr;

use netlink_packet_core::{Nla, NlasIterator};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, InfoKind, InfoPortKind, LinkAttribute, LinkInfo, LinkPhysId,
};

/// What few people ask of a link. What is `None` the kernel did not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Details {
    /// How many want all packets.
    pub promiscuity: Option<u32>,
    /// How many want all that go to many.
    pub allmulti: Option<u32>,
    /// The smallest MTU that it takes, in bytes.
    pub min_mtu_bytes: Option<u32>,
    /// The largest MTU that it takes, in bytes; 0 is without a limit.
    pub max_mtu_bytes: Option<u32>,
    /// How IPv6 addresses are made up, by the numbers of `IN6_ADDR_GEN_MODE_EUI64` and so on. A [`Map`](crate::inspect::Map)
    /// does not ask for it.
    pub addr_gen_mode: Option<u8>,
    /// Transmit queues.
    pub tx_queues: Option<u32>,
    /// Receive queues.
    pub rx_queues: Option<u32>,
    /// The largest packet that is segmented late, in bytes.
    pub gso_max_bytes: Option<u32>,
    /// How many segments it may have.
    pub gso_max_segments: Option<u32>,
    /// The same, segmented by the hardware, in bytes.
    pub tso_max_bytes: Option<u32>,
    /// How many segments that may have.
    pub tso_max_segments: Option<u32>,
    /// The largest packet that is put together early, in bytes.
    pub gro_max_bytes: Option<u32>,
    /// The name of the port of the hardware.
    pub port_name: Option<String>,
    /// The id of the port of the hardware.
    pub port_id: Option<Vec<u8>>,
    /// The id of the switch that it is a port of.
    pub switch_id: Option<Vec<u8>>,
    /// The bus of the hardware.
    pub parent_bus: Option<String>,
    /// The hardware on that bus.
    pub parent_device: Option<String>,
    /// What its driver says, where nsnet knows the driver's attributes.
    pub of_kind: Option<Vec<Detail>>,
    /// The same of its master's driver, where it is a port.
    pub of_port: Option<Vec<Detail>>,
}

impl Details {
    pub(super) fn take(&mut self, attribute: &LinkAttribute) {
        match attribute {
            LinkAttribute::Promiscuity(count) => self.promiscuity = Some(*count),
            LinkAttribute::AllMulticast(count) => self.allmulti = Some(*count),
            LinkAttribute::MinMtu(bytes) => self.min_mtu_bytes = Some(*bytes),
            LinkAttribute::MaxMtu(bytes) => self.max_mtu_bytes = Some(*bytes),
            LinkAttribute::AfSpecUnspec(families) => self.addr_gen_mode = families.iter().find_map(addr_gen_mode),
            LinkAttribute::NumTxQueues(count) => self.tx_queues = Some(*count),
            LinkAttribute::NumRxQueues(count) => self.rx_queues = Some(*count),
            LinkAttribute::GsoMaxSize(bytes) => self.gso_max_bytes = Some(*bytes),
            LinkAttribute::GsoMaxSegs(count) => self.gso_max_segments = Some(*count),
            LinkAttribute::TsoMaxSize(bytes) => self.tso_max_bytes = Some(*bytes),
            LinkAttribute::TsoMaxSegs(count) => self.tso_max_segments = Some(*count),
            LinkAttribute::GroMaxSize(bytes) => self.gro_max_bytes = Some(*bytes),
            LinkAttribute::PhysPortName(name) => self.port_name = Some(name.clone()),
            LinkAttribute::PhysPortId(id) => self.port_id = Some(bytes(id)),
            LinkAttribute::PhysSwitchId(id) => self.switch_id = Some(bytes(id)),
            LinkAttribute::ParentDevBusName(name) => self.parent_bus = Some(name.clone()),
            LinkAttribute::ParentDevName(name) => self.parent_device = Some(name.clone()),
            _ => {}
        }
    }
}

fn bytes(id: &LinkPhysId) -> Vec<u8> {
    id.id[..id.len].to_vec()
}

fn addr_gen_mode(family: &AfSpecUnspec) -> Option<u8> {
    let AfSpecUnspec::Inet6(attributes) = family else { return None };
    attributes.iter().find_map(|attribute| match attribute {
        AfSpecInet6::AddrGenMode(mode) => Some(mode.into()),
        _ => None,
    })
}

/// One thing that a driver says of its link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// What it is, as in ip's JSON where ip has it.
    pub name: &'static str,
    /// What is said.
    pub value: DetailValue,
}

/// What is said of a link, as the kernel counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DetailValue {
    /// A number, a set of flags, or 0 and 1 for no and yes.
    Number(u64),
    /// An address.
    Ip(IpAddr),
    /// Hardware addresses and ids.
    Bytes(Vec<u8>),
    /// Another link.
    Link {
        /// Its index; 0 is none.
        index: u32,
        /// Its name.
        name: Option<String>,
    },
    /// Bounds, a value and its mask, or what stands for what.
    Pairs(Vec<(u32, u32)>),
    /// Several of the same.
    Many(Vec<DetailValue>),
}

/// How bytes stand for a value.
#[derive(Clone, Copy)]
enum Form {
    /// As long as the bytes, in the order of the machine.
    Number,
    /// In the order of the network.
    Big,
    /// 1 if it is there.
    Flag,
    Ip,
    Bytes,
    /// The index of a link.
    Link,
    /// Two numbers of 32 bits, in the order of the machine.
    Pair,
    /// Two numbers of 16 bits, in the order of the network.
    Ports,
    /// Attributes, each a pair.
    Pairs,
    /// Attributes, each an address.
    Ips,
    /// Attributes, each some bytes.
    Macs,
    /// Attributes of their own.
    Nested(&'static [Attribute]),
}

/// The number of an attribute, what it is, and how it is written.
type Attribute = (u16, &'static str, Form);

const BRIDGE: &[Attribute] = &[
    (1, "forward_delay", Form::Number),
    (2, "hello_time", Form::Number),
    (3, "max_age", Form::Number),
    (4, "ageing_time", Form::Number),
    (5, "stp_state", Form::Number),
    (6, "priority", Form::Number),
    (7, "vlan_filtering", Form::Number),
    (8, "vlan_protocol", Form::Big),
    (9, "group_fwd_mask", Form::Number),
    (10, "root_id", Form::Bytes),
    (11, "bridge_id", Form::Bytes),
    (12, "root_port", Form::Number),
    (13, "root_path_cost", Form::Number),
    (14, "topology_change", Form::Number),
    (15, "topology_change_detected", Form::Number),
    (16, "hello_timer", Form::Number),
    (17, "tcn_timer", Form::Number),
    (18, "topology_change_timer", Form::Number),
    (19, "gc_timer", Form::Number),
    (20, "group_addr", Form::Bytes),
    (22, "mcast_router", Form::Number),
    (23, "mcast_snooping", Form::Number),
    (24, "mcast_query_use_ifaddr", Form::Number),
    (25, "mcast_querier", Form::Number),
    (26, "mcast_hash_elasticity", Form::Number),
    (27, "mcast_hash_max", Form::Number),
    (28, "mcast_last_member_cnt", Form::Number),
    (29, "mcast_startup_query_cnt", Form::Number),
    (30, "mcast_last_member_intvl", Form::Number),
    (31, "mcast_membership_intvl", Form::Number),
    (32, "mcast_querier_intvl", Form::Number),
    (33, "mcast_query_intvl", Form::Number),
    (34, "mcast_query_response_intvl", Form::Number),
    (35, "mcast_startup_query_intvl", Form::Number),
    (36, "nf_call_iptables", Form::Number),
    (37, "nf_call_ip6tables", Form::Number),
    (38, "nf_call_arptables", Form::Number),
    (39, "vlan_default_pvid", Form::Number),
    (41, "vlan_stats_enabled", Form::Number),
    (42, "mcast_stats_enabled", Form::Number),
    (43, "mcast_igmp_version", Form::Number),
    (44, "mcast_mld_version", Form::Number),
    (45, "vlan_stats_per_port", Form::Number),
    (46, "boolopt", Form::Pair),
];

const BRIDGE_PORT: &[Attribute] = &[
    (1, "state", Form::Number),
    (2, "priority", Form::Number),
    (3, "cost", Form::Number),
    (4, "hairpin", Form::Number),
    (5, "guard", Form::Number),
    (6, "root_block", Form::Number),
    (7, "fastleave", Form::Number),
    (8, "learning", Form::Number),
    (9, "flood", Form::Number),
    (10, "proxy_arp", Form::Number),
    (12, "proxy_arp_wifi", Form::Number),
    (13, "root_id", Form::Bytes),
    (14, "bridge_id", Form::Bytes),
    (15, "designated_port", Form::Number),
    (16, "designated_cost", Form::Number),
    (17, "id", Form::Number),
    (18, "no", Form::Number),
    (19, "topology_change_ack", Form::Number),
    (20, "config_pending", Form::Number),
    (21, "message_age_timer", Form::Number),
    (22, "forward_delay_timer", Form::Number),
    (23, "hold_timer", Form::Number),
    (25, "multicast_router", Form::Number),
    (27, "mcast_flood", Form::Number),
    (28, "mcast_to_unicast", Form::Number),
    (29, "vlan_tunnel", Form::Number),
    (30, "bcast_flood", Form::Number),
    (31, "group_fwd_mask", Form::Number),
    (32, "neigh_suppress", Form::Number),
    (33, "isolated", Form::Number),
    (34, "backup_port", Form::Link),
    (39, "locked", Form::Number),
];

const VXLAN: &[Attribute] = &[
    (1, "id", Form::Number),
    (2, "group", Form::Ip),
    (3, "link", Form::Link),
    (4, "local", Form::Ip),
    (5, "ttl", Form::Number),
    (6, "tos", Form::Number),
    (7, "learning", Form::Number),
    (8, "ageing", Form::Number),
    (9, "limit", Form::Number),
    (10, "port_range", Form::Ports),
    (11, "proxy", Form::Number),
    (12, "rsc", Form::Number),
    (13, "l2miss", Form::Number),
    (14, "l3miss", Form::Number),
    (15, "port", Form::Big),
    (16, "group", Form::Ip),
    (17, "local", Form::Ip),
    (18, "udp_csum", Form::Number),
    (19, "udp_zero_csum6_tx", Form::Number),
    (20, "udp_zero_csum6_rx", Form::Number),
    (21, "remcsum_tx", Form::Number),
    (22, "remcsum_rx", Form::Number),
    (23, "gbp", Form::Flag),
    (25, "external", Form::Number),
    (26, "label", Form::Big),
    (27, "gpe", Form::Flag),
    (28, "ttl_inherit", Form::Number),
    (29, "df", Form::Number),
    (30, "vnifilter", Form::Number),
];

const GENEVE: &[Attribute] = &[
    (1, "id", Form::Number),
    (2, "remote", Form::Ip),
    (3, "ttl", Form::Number),
    (4, "tos", Form::Number),
    (5, "port", Form::Big),
    (6, "external", Form::Flag),
    (7, "remote", Form::Ip),
    (8, "udp_csum", Form::Number),
    (9, "udp_zero_csum6_tx", Form::Number),
    (10, "udp_zero_csum6_rx", Form::Number),
    (11, "label", Form::Big),
    (12, "ttl_inherit", Form::Number),
    (13, "df", Form::Number),
    (14, "inner_proto_inherit", Form::Flag),
];

const MACVLAN: &[Attribute] = &[
    (1, "mode", Form::Number),
    (2, "flags", Form::Number),
    (5, "macaddr_data", Form::Macs),
    (6, "macaddr_count", Form::Number),
    (7, "bcqueuelen", Form::Number),
    (8, "usedbcqueuelen", Form::Number),
];

const IPVLAN: &[Attribute] = &[(1, "mode", Form::Number), (2, "flags", Form::Number)];

const TUN: &[Attribute] = &[
    (1, "user", Form::Number),
    (2, "group", Form::Number),
    (3, "type", Form::Number),
    (4, "pi", Form::Number),
    (5, "vnet_hdr", Form::Number),
    (6, "persist", Form::Number),
    (7, "multi_queue", Form::Number),
    (8, "numqueues", Form::Number),
    (9, "numdisabled", Form::Number),
];

const VLAN: &[Attribute] = &[
    (1, "id", Form::Number),
    (2, "flags", Form::Pair),
    (3, "egress_qos", Form::Pairs),
    (4, "ingress_qos", Form::Pairs),
    (5, "protocol", Form::Big),
];

const VRF: &[Attribute] = &[(1, "table", Form::Number)];

const BOND: &[Attribute] = &[
    (1, "mode", Form::Number),
    (2, "active_slave", Form::Link),
    (3, "miimon", Form::Number),
    (4, "updelay", Form::Number),
    (5, "downdelay", Form::Number),
    (6, "use_carrier", Form::Number),
    (7, "arp_interval", Form::Number),
    (8, "arp_ip_target", Form::Ips),
    (9, "arp_validate", Form::Number),
    (10, "arp_all_targets", Form::Number),
    (11, "primary", Form::Link),
    (12, "primary_reselect", Form::Number),
    (13, "fail_over_mac", Form::Number),
    (14, "xmit_hash_policy", Form::Number),
    (15, "resend_igmp", Form::Number),
    (16, "num_peer_notif", Form::Number),
    (17, "all_slaves_active", Form::Number),
    (18, "min_links", Form::Number),
    (19, "lp_interval", Form::Number),
    (20, "packets_per_slave", Form::Number),
    (21, "ad_lacp_rate", Form::Number),
    (22, "ad_select", Form::Number),
    (23, "ad_info", Form::Nested(BOND_AD)),
    (24, "ad_actor_sys_prio", Form::Number),
    (25, "ad_user_port_key", Form::Number),
    (26, "ad_actor_system", Form::Bytes),
    (27, "tlb_dynamic_lb", Form::Number),
    (28, "peer_notify_delay", Form::Number),
    (29, "ad_lacp_active", Form::Number),
    (30, "arp_missed_max", Form::Number),
    (31, "ns_ip6_target", Form::Ips),
];

const BOND_AD: &[Attribute] = &[
    (1, "aggregator", Form::Number),
    (2, "num_ports", Form::Number),
    (3, "actor_key", Form::Number),
    (4, "partner_key", Form::Number),
    (5, "partner_mac", Form::Bytes),
];

const BOND_PORT: &[Attribute] = &[
    (1, "state", Form::Number),
    (2, "mii_status", Form::Number),
    (3, "link_failure_count", Form::Number),
    (4, "perm_hwaddr", Form::Bytes),
    (5, "queue_id", Form::Number),
    (6, "ad_aggregator_id", Form::Number),
    (7, "ad_actor_oper_port_state", Form::Number),
    (8, "ad_partner_oper_port_state", Form::Number),
    (9, "prio", Form::Number),
];

const GRE: &[Attribute] = &[
    (1, "link", Form::Link),
    (2, "iflags", Form::Big),
    (3, "oflags", Form::Big),
    (4, "ikey", Form::Ip),
    (5, "okey", Form::Ip),
    (6, "local", Form::Ip),
    (7, "remote", Form::Ip),
    (8, "ttl", Form::Number),
    (9, "tos", Form::Number),
    (10, "pmtudisc", Form::Number),
    (14, "encap_type", Form::Number),
    (15, "encap_flags", Form::Number),
    (16, "encap_sport", Form::Big),
    (17, "encap_dport", Form::Big),
    (18, "external", Form::Flag),
    (19, "ignore_df", Form::Number),
    (20, "fwmark", Form::Number),
];

const IP_TUNNEL: &[Attribute] = &[
    (1, "link", Form::Link),
    (2, "local", Form::Ip),
    (3, "remote", Form::Ip),
    (4, "ttl", Form::Number),
    (5, "tos", Form::Number),
    (8, "flags", Form::Number),
    (9, "proto", Form::Number),
    (10, "pmtudisc", Form::Number),
    (11, "prefix", Form::Ip),
    (12, "relay_prefix", Form::Ip),
    (13, "prefixlen", Form::Number),
    (14, "relay_prefixlen", Form::Number),
    (15, "encap_type", Form::Number),
    (16, "encap_flags", Form::Number),
    (17, "encap_sport", Form::Big),
    (18, "encap_dport", Form::Big),
    (19, "external", Form::Flag),
    (20, "fwmark", Form::Number),
];

/// What is known of the attributes of a driver.
fn attributes_of(kind: &InfoKind) -> Option<&'static [Attribute]> {
    Some(match kind {
        InfoKind::Bridge => BRIDGE,
        InfoKind::Vxlan => VXLAN,
        InfoKind::Geneve => GENEVE,
        InfoKind::MacVlan | InfoKind::MacVtap => MACVLAN,
        InfoKind::IpVlan | InfoKind::IpVtap => IPVLAN,
        InfoKind::Tun => TUN,
        InfoKind::Vlan => VLAN,
        InfoKind::Vrf => VRF,
        InfoKind::Bond => BOND,
        InfoKind::GreTun | InfoKind::GreTap => GRE,
        InfoKind::IpIp | InfoKind::SitTun => IP_TUNNEL,
        _ => return None,
    })
}

fn port_attributes_of(kind: &InfoPortKind) -> Option<&'static [Attribute]> {
    Some(match kind {
        InfoPortKind::Bridge => BRIDGE_PORT,
        InfoPortKind::Bond => BOND_PORT,
        InfoPortKind::Vrf => VRF,
        _ => return None,
    })
}

impl Details {
    pub(super) fn take_info(&mut self, infos: &[LinkInfo]) {
        let (mut own, mut port) = (None, None);
        for info in infos {
            match info {
                LinkInfo::Kind(kind) => own = attributes_of(kind),
                LinkInfo::PortKind(kind) => port = port_attributes_of(kind),
                LinkInfo::Data(data) => self.of_kind = own.map(|known| read(known, &emitted(data))),
                LinkInfo::PortData(data) => self.of_port = port.map(|known| read(known, &emitted(data))),
                _ => {}
            }
        }
    }

    /// The indices of the links that are mentioned.
    pub(super) fn links(&self) -> impl Iterator<Item = u32> {
        let all = self.of_kind.iter().chain(&self.of_port).flatten();
        all.filter_map(|detail| match detail.value {
            DetailValue::Link { index, .. } if index > 0 => Some(index),
            _ => None,
        })
    }

    /// Puts names to the links that are mentioned.
    pub(super) fn resolve(&mut self, name_of: impl Fn(u32) -> String) {
        for detail in self.of_kind.iter_mut().chain(&mut self.of_port).flatten() {
            if let DetailValue::Link { index, name } = &mut detail.value {
                *name = (*index > 0).then(|| name_of(*index));
            }
        }
    }
}

/// The bytes of attributes again, whatever they were taken for.
fn emitted(data: &impl Nla) -> Vec<u8> {
    let mut bytes = vec![0; data.value_len()];
    data.emit_value(&mut bytes);
    bytes
}

fn read(known: &'static [Attribute], bytes: &[u8]) -> Vec<Detail> {
    let mut details = Vec::new();
    for nla in NlasIterator::new(bytes).map_while(Result::ok) {
        let Some(&(_, name, form)) = known.iter().find(|(number, ..)| *number == nla.kind()) else { continue };
        match form {
            Form::Nested(known) => details.extend(read(known, nla.value())),
            form => details.extend(value(form, nla.value()).map(|value| Detail { name, value })),
        }
    }
    details
}

/// None where the bytes cannot stand for it.
fn value(form: Form, bytes: &[u8]) -> Option<DetailValue> {
    Some(match form {
        Form::Number => DetailValue::Number(number(bytes)?),
        Form::Big => DetailValue::Number(big_number(bytes)?),
        Form::Flag => DetailValue::Number(1),
        Form::Ip => DetailValue::Ip(ip(bytes)?),
        Form::Bytes => DetailValue::Bytes(bytes.to_vec()),
        Form::Link => DetailValue::Link { index: u32::try_from(number(bytes)?).ok()?, name: None },
        Form::Pair => DetailValue::Pairs(vec![pair(bytes)?]),
        Form::Ports => DetailValue::Pairs(vec![ports(bytes)?]),
        Form::Pairs => DetailValue::Pairs(inner(bytes).filter_map(|bytes| pair(&bytes)).collect()),
        Form::Ips => DetailValue::Many(inner(bytes).filter_map(|bytes| Some(DetailValue::Ip(ip(&bytes)?))).collect()),
        Form::Macs => DetailValue::Many(inner(bytes).map(DetailValue::Bytes).collect()),
        Form::Nested(_) => return None,
    })
}

/// The bytes of attributes, in their order.
fn inner(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    NlasIterator::new(bytes).map_while(Result::ok).map(|nla| nla.value().to_vec())
}

fn number(bytes: &[u8]) -> Option<u64> {
    match *bytes {
        [a] => Some(a.into()),
        [a, b] => Some(u16::from_ne_bytes([a, b]).into()),
        [a, b, c, d] => Some(u32::from_ne_bytes([a, b, c, d]).into()),
        _ => bytes.try_into().ok().map(u64::from_ne_bytes),
    }
}

fn big_number(bytes: &[u8]) -> Option<u64> {
    (bytes.len() <= 8).then(|| bytes.iter().fold(0, |number, &byte| (number << 8) | u64::from(byte)))
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

fn pair(bytes: &[u8]) -> Option<(u32, u32)> {
    let (first, second) = bytes.split_at_checked(4)?;
    Some((u32::try_from(number(first)?).ok()?, u32::try_from(number(second.get(..4)?)?).ok()?))
}

fn ports(bytes: &[u8]) -> Option<(u32, u32)> {
    let (low, high) = bytes.split_at_checked(2)?;
    Some((u32::try_from(big_number(low)?).ok()?, u32::try_from(big_number(high)?).ok()?))
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::link::{InfoBond, InfoData, InfoVlan, VlanProtocol, VlanQosMapping};

    use super::*;

    fn details(kind: InfoKind, data: InfoData) -> Vec<Detail> {
        let mut details = Details::default();
        details.take_info(&[LinkInfo::Kind(kind), LinkInfo::Data(data)]);
        details.of_kind.unwrap()
    }

    #[test]
    fn a_vlan_says_its_number_its_protocol_and_its_priorities() {
        let data = InfoData::Vlan(vec![
            InfoVlan::Id(5),
            InfoVlan::Protocol(VlanProtocol::Ieee8021Ad),
            InfoVlan::EgressQos(vec![VlanQosMapping::Mapping(1, 2)]),
        ]);
        let told = details(InfoKind::Vlan, data);
        let expected = [
            ("id", DetailValue::Number(5)),
            ("protocol", DetailValue::Number(0x88a8)),
            ("egress_qos", DetailValue::Pairs(vec![(1, 2)])),
        ];
        assert_eq!(told, expected.map(|(name, value)| Detail { name, value }));
    }

    #[test]
    fn a_bond_says_its_targets_and_the_link_that_is_active() {
        let target = std::net::Ipv4Addr::new(10, 0, 0, 1);
        let data = InfoData::Bond(vec![InfoBond::ActivePort(7), InfoBond::ArpIpTarget(vec![target])]);
        let told = details(InfoKind::Bond, data);
        assert_eq!(told[0].value, DetailValue::Link { index: 7, name: None });
        assert_eq!(told[1].value, DetailValue::Many(vec![DetailValue::Ip(target.into())]));
    }
}
