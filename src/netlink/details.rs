//! What ip shows of a link with `-d`.

use netlink_packet_route::link::{AfSpecInet6, AfSpecUnspec, LinkAttribute, LinkPhysId};

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
    /// How IPv6 addresses are made up, by the numbers of `IN6_ADDR_GEN_MODE_EUI64` and so on.
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
