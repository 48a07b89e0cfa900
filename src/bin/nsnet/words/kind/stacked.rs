//! What links that stand on another can be told, and the VRF above them.

use nsnet::netlink::kind::{IpVlan, IpVlanIsolation, IpVlanMode, MacVlan, MacVlanMode, Vlan, VlanProtocol, Vrf};

use super::{
    super::{
        Misuse,
        grammar::{Cursor, Keyword, Table, short},
    },
    one_of, told,
};
use crate::iproute2::Space;

pub(super) const VLAN: Table<Vlan> = Table {
    command: "link add NAME link IF type vlan",
    about: "The packets with one tag of the link below.",
    bare: None,
    keywords: &[
        short("protocol", "802.1Q|802.1ad", "the tag", |vlan, c| {
            vlan.protocol = Some(vlan_protocol(c.value()?)?);
            Ok(())
        }),
        short("id", "N", "the number in the tag", |vlan, c| {
            vlan.id = Some(c.value()?.number()?);
            Ok(())
        }),
        short("reorder_hdr", "on|off", "whether packets are shown without their tag", |vlan, c| {
            vlan.reorder_hdr = Some(c.value()?.switch()?);
            Ok(())
        }),
        short("gvrp", "on|off", "whether it is announced by GVRP", |vlan, c| {
            vlan.gvrp = Some(c.value()?.switch()?);
            Ok(())
        }),
        short("mvrp", "on|off", "whether it is announced by MVRP", |vlan, c| {
            vlan.mvrp = Some(c.value()?.switch()?);
            Ok(())
        }),
        short("loose_binding", "on|off", "whether it stays up when the link below goes down", |vlan, c| {
            vlan.loose_binding = Some(c.value()?.switch()?);
            Ok(())
        }),
        short("bridge_binding", "on|off", "whether it is up when a port of its bridge is", |vlan, c| {
            vlan.bridge_binding = Some(c.value()?.switch()?);
            Ok(())
        }),
    ],
};

pub(super) const VRF: Table<Option<u32>> = Table {
    command: "link add NAME type vrf",
    about: "A routing table of its own for the links that join it by 'master'.",
    bare: None,
    keywords: &[short("table", "TABLE", "the routing table: a name or a number", |table, c| {
        *table = Some(c.value()?.named(Space::Table)?);
        Ok(())
    })],
};

const MACVLAN_MODES: [(&str, MacVlanMode); 5] = [
    ("private", MacVlanMode::Private),
    ("vepa", MacVlanMode::Vepa),
    ("bridge", MacVlanMode::Bridge),
    ("passthru", MacVlanMode::Passthru),
    ("source", MacVlanMode::Source),
];

const MACVLAN_WORDS: [Keyword<MacVlan>; 2] = [
    short("mode", "MODE", "who may talk to whom: private, vepa, bridge, passthru or source", |macvlan, c| {
        macvlan.mode = Some(one_of(c.value()?, &MACVLAN_MODES)?);
        Ok(())
    }),
    short("bcqueuelen", "N", "how many broadcasts may wait", |macvlan, c| {
        macvlan.broadcast_queue_packets = Some(c.value()?.number()?);
        Ok(())
    }),
];

pub(super) const MACVLAN: Table<MacVlan> = Table {
    command: "link add NAME link IF type macvlan",
    about: "A further link, with a hardware address of its own. macvtap is the same for a program.",
    bare: None,
    keywords: &MACVLAN_WORDS,
};

pub(super) const MACVTAP: Table<MacVlan> = Table { command: "link add NAME link IF type macvtap", ..MACVLAN };

const IPVLAN_MODES: [(&str, IpVlanMode); 3] =
    [("l2", IpVlanMode::L2), ("l3", IpVlanMode::L3), ("l3s", IpVlanMode::L3S)];

pub(super) const IPVLAN: Table<IpVlan> = Table {
    command: "link add NAME link IF type ipvlan",
    about: "A further link, with the hardware address of the one below. ipvtap is the same for a program.",
    bare: None,
    keywords: &[
        short("mode", "l2|l3|l3s", "which part of the kernel handles its packets", |ipvlan, c| {
            ipvlan.mode = Some(one_of(c.value()?, &IPVLAN_MODES)?);
            Ok(())
        }),
        short("private", "", "talk to no other one", |ipvlan, c| isolate(ipvlan, c, IpVlanIsolation::Private)),
        short("vepa", "", "talk to others through a switch outside", |ipvlan, c| {
            isolate(ipvlan, c, IpVlanIsolation::Vepa)
        }),
        short("bridge", "", "talk to all others", |ipvlan, c| isolate(ipvlan, c, IpVlanIsolation::Bridge)),
    ],
};

pub(super) const IPVTAP: Table<IpVlan> = Table { command: "link add NAME link IF type ipvtap", ..IPVLAN };

pub(super) fn vlan(c: &mut Cursor<'_>) -> Result<Vlan, Misuse> {
    let vlan = told(&VLAN, c)?;
    if vlan.id.is_none() {
        return Err(c.misuse("a vlan needs 'id N'"));
    }
    Ok(vlan)
}

pub(super) fn vrf(c: &mut Cursor<'_>) -> Result<Vrf, Misuse> {
    let mut vrf = Vrf::default();
    vrf.table = told(&VRF, c)?.ok_or_else(|| c.misuse("a vrf needs 'table TABLE'"))?;
    Ok(vrf)
}

pub(super) fn vlan_protocol(c: &Cursor<'_>) -> Result<VlanProtocol, Misuse> {
    match c.text()?.to_ascii_lowercase().as_str() {
        "802.1q" | "0x8100" => Ok(VlanProtocol::Ieee8021Q),
        "802.1ad" | "0x88a8" => Ok(VlanProtocol::Ieee8021Ad),
        _ => Err(c.wrong("it is neither 802.1Q nor 802.1ad")),
    }
}

fn isolate(ipvlan: &mut IpVlan, c: &Cursor<'_>, isolation: IpVlanIsolation) -> Result<(), Misuse> {
    match ipvlan.isolation.replace(isolation) {
        None => Ok(()),
        Some(_) => Err(c.unknown()),
    }
}
