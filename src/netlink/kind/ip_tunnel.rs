//! Tunnels straight over IP: GRE, ipip and sit.

use std::net::Ipv4Addr;

use netlink_packet_core::DefaultNla;
use netlink_packet_route::{
    IpProtocol,
    link::{
        GreEncapFlags, GreEncapType, GreIOFlags, InfoData, InfoGre, InfoIpTunnel, TunnelEncapFlags, TunnelEncapType,
    },
};

use serde::{Deserialize, Serialize};

use super::{Inherit, is_off};

/// What a GRE tunnel can be told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Gre {
    /// This end.
    pub local: Option<Ipv4Addr>,
    /// The other end.
    pub remote: Option<Ipv4Addr>,
    /// The link that packets leave by, by its index where they travel.
    #[serde(skip)]
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
    #[serde(rename = "ignore-df")]
    pub ignore_df: Option<bool>,
    /// The mark of packets.
    pub fwmark: Option<u32>,
    /// Whether each packet is told where to go from outside, by a route or a program.
    #[serde(skip_serializing_if = "is_off")]
    pub external: bool,
}

/// What the header of GRE holds, one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct GreWay {
    /// The key.
    pub key: Option<u32>,
    /// Whether packets are numbered.
    #[serde(rename = "seq", skip_serializing_if = "is_off")]
    pub sequence: bool,
    /// Whether packets have checksums.
    #[serde(rename = "csum", skip_serializing_if = "is_off")]
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
    pub(super) fn data(&self) -> Option<Vec<InfoGre>> {
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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct IpTunnel {
    /// What packets inside are; anything where it is `None`.
    #[serde(rename = "mode")]
    pub inner: Option<Inner>,
    /// This end.
    pub local: Option<Ipv4Addr>,
    /// The other end.
    pub remote: Option<Ipv4Addr>,
    /// The link that packets leave by, by its index where they travel.
    #[serde(skip)]
    pub device: Option<u32>,
    /// How many hops packets may make.
    pub ttl: Option<Inherit>,
    /// The type of service of packets.
    pub tos: Option<Inherit>,
    /// Whether the largest packet on the way is found out; `None` stands for yes.
    pub pmtudisc: Option<bool>,
    /// Whether it is one of ISATAP; of sit only.
    #[serde(skip_serializing_if = "is_off")]
    pub isatap: bool,
    /// The mark of packets.
    pub fwmark: Option<u32>,
    /// Whether each packet is told where to go from outside, by a route or a program.
    #[serde(skip_serializing_if = "is_off")]
    pub external: bool,
}

/// What packets in a tunnel are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Inner {
    /// Anything.
    Any,
    /// IPv4.
    #[serde(rename = "ipip")]
    Ipv4,
    /// IPv6; in sit only.
    #[serde(rename = "ip6ip")]
    Ipv6,
    /// MPLS.
    #[serde(rename = "mplsip")]
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
    pub(super) fn data(&self, sit: bool) -> Option<InfoData> {
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
