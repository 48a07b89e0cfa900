//! Ethernet in UDP: VXLAN and GENEVE, and what all tunnels are told.

use std::net::IpAddr;

use netlink_packet_route::link::{GeneveDf, InfoData, InfoGeneve, InfoVxlan, VxlanDf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::is_off;

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
    pub(super) fn tos(self) -> u8 {
        match self {
            Self::Inherit => 1,
            Self::Fixed(tos) => tos,
        }
    }

    /// For hops, where 0 stands for those inside.
    pub(super) fn ttl(self) -> u8 {
        match self {
            Self::Inherit => 0,
            Self::Fixed(ttl) => ttl,
        }
    }
}

/// The word `inherit`, or a number.
impl Serialize for Inherit {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Inherit => to.serialize_str("inherit"),
            Self::Fixed(number) => to.serialize_u8(*number),
        }
    }
}

impl<'de> Deserialize<'de> for Inherit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Inherit;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number from 0 to 255, or \"inherit\"")
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Inherit, E> {
                let fixed = u8::try_from(number).map(Inherit::Fixed);
                fixed.map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Inherit, E> {
                let fixed = u8::try_from(number).map(Inherit::Fixed);
                fixed.map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<Inherit, E> {
                match word {
                    "inherit" => Ok(Inherit::Inherit),
                    _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
                }
            }
        }
        from.deserialize_any(Visitor)
    }
}

/// Whether outer packets may be fragmented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Vxlan {
    /// The number of the network, 24 bits.
    pub id: Option<u32>,
    /// Where packets for unknown addresses go: a host, or a multicast group, which needs `device`.
    pub remote: Option<IpAddr>,
    /// Where packets come from.
    pub local: Option<IpAddr>,
    /// The link that packets leave by, by its index where they travel.
    #[serde(skip)]
    pub device: Option<u32>,
    /// How many hops packets may make.
    pub ttl: Option<Inherit>,
    /// The type of service of packets.
    pub tos: Option<Inherit>,
    /// Whether packets may be fragmented.
    pub df: Option<DontFragment>,
    /// The IPv6 flow label of packets.
    #[serde(rename = "flowlabel")]
    pub flow_label: Option<u32>,
    /// How long an address that was learned is remembered, in seconds; 0 for ever.
    #[serde(rename = "ageing")]
    pub ageing_s: Option<u32>,
    /// How many addresses are remembered; 0 for any number.
    #[serde(rename = "maxaddress")]
    pub max_addresses: Option<u32>,
    /// The UDP ports that packets come from.
    #[serde(rename = "srcport")]
    pub src_ports: Option<(u16, u16)>,
    /// The UDP port that packets go to. The kernel's own choice, 8472, is older than the standard's 4789.
    #[serde(rename = "dstport")]
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
    #[serde(rename = "udpcsum")]
    pub udp_csum: Option<bool>,
    /// Whether UDP over IPv6 goes without.
    #[serde(rename = "udp6zerocsumtx")]
    pub udp6_zero_csum_tx: Option<bool>,
    /// Whether UDP over IPv6 is taken without.
    #[serde(rename = "udp6zerocsumrx")]
    pub udp6_zero_csum_rx: Option<bool>,
    /// Whether each packet is told where to go from outside, by a route or a program.
    #[serde(skip_serializing_if = "is_off")]
    pub external: bool,
    /// Whether packets carry a group policy.
    #[serde(skip_serializing_if = "is_off")]
    pub gbp: bool,
}

impl Vxlan {
    pub(super) fn data(&self) -> InfoData {
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
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
    #[serde(rename = "flowlabel")]
    pub flow_label: Option<u32>,
    /// The UDP port that packets go to; the standard's 6081 where it is `None`.
    #[serde(rename = "dstport")]
    pub dst_port: Option<u16>,
    /// Whether each packet is told where to go from outside, by a route or a program.
    #[serde(skip_serializing_if = "is_off")]
    pub external: bool,
    /// Whether UDP over IPv4 has checksums.
    #[serde(rename = "udpcsum")]
    pub udp_csum: Option<bool>,
    /// Whether UDP over IPv6 goes without.
    #[serde(rename = "udp6zerocsumtx")]
    pub udp6_zero_csum_tx: Option<bool>,
    /// Whether UDP over IPv6 is taken without.
    #[serde(rename = "udp6zerocsumrx")]
    pub udp6_zero_csum_rx: Option<bool>,
}

impl Geneve {
    pub(super) fn data(&self) -> InfoData {
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
