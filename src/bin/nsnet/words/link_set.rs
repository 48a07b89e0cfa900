//! `link set`, `link delete` and `link property`: changes of links that are there.

use nsnet::{
    Device, Kind, NsRef,
    netlink::link_change::{BridgePort, LinkChange},
};

use super::{
    Misuse,
    grammar::{Bare, Cursor, Keyword, Table, full, short},
    kind,
    link_add::{alias, if_name, index, mac, netns},
};
use crate::iproute2::Space;

/// What is changed, and of which link.
#[derive(Debug, Default)]
pub struct Set {
    /// One, by a name or an altname; those of `change.group` where it is `None`.
    pub device: Option<String>,
    pub change: LinkChange,
    /// A link of the namespace that this one is in afterwards.
    pub master: Option<Device>,
    /// Where it is moved to. What looks like a name and a number may be a process.
    pub netns: Option<NsRef>,
    /// Further names that it is given.
    pub alt_names: Vec<String>,
    /// Whether its addresses and routes move with it.
    pub keep_addresses: bool,
}

/// Which links are deleted.
#[derive(Debug, Default)]
pub struct Delete {
    pub device: Option<String>,
    /// All of a group.
    pub group: Option<u32>,
}

/// Which names come or go.
#[derive(Debug, Default)]
pub struct Property {
    pub device: Option<String>,
    pub alt_names: Vec<String>,
}

pub const SET: Table<Set> = Table {
    command: "link set",
    about: "Change a link, or all links of a group ('group N' without a link).",
    bare: Some(Bare {
        value: "[NS:]IF",
        help: "the link, by its name or an altname, and where it lives",
        first: true,
        read: |set, c| device(&mut set.device, c),
    }),
    keywords: &SET_WORDS,
};

const SET_WORDS: [Keyword<Set>; 23] = [
    full("dev", "[NS:]IF", "", |set, c| device(&mut set.device, c.value()?)),
    full("up", "", "bring it up", |set, _| {
        set.change.switches.up = Some(true);
        Ok(())
    }),
    full("down", "", "take it down", |set, _| {
        set.change.switches.up = Some(false);
        Ok(())
    }),
    full("name", "NAME", "rename it; before Linux 6.2 only while it is down", |set, c| {
        let name = c.value()?.text()?;
        set.change.name = Some(if_name(name, c)?);
        Ok(())
    }),
    full("index", "N", "its index in the namespace that it is moved to", |set, c| {
        set.change.new_index = Some(index(c.value()?)?);
        Ok(())
    }),
    short("address", "MAC", "its hardware address", |set, c| {
        set.change.address = Some(mac(c.value()?)?);
        Ok(())
    }),
    short("txqueuelen", "N", "the length of its transmit queue, in packets", txqueuelen),
    full("qlen", "N", "", txqueuelen),
    short("txqlen", "N", "", txqueuelen),
    full("mtu", "BYTES", "its largest packet", |set, c| {
        set.change.mtu_bytes = Some(c.value()?.number()?);
        Ok(())
    }),
    full("netns", "NS|PID|PATH", "move it there; it loses its addresses and routes", |set, c| {
        set.netns = Some(netns(c.value()?)?);
        Ok(())
    }),
    full(
        "--keep-addresses",
        "",
        "moved, it keeps its addresses, whether it is up, and the routes through it",
        |set, _| {
            set.keep_addresses = true;
            Ok(())
        },
    ),
    full("multicast", "on|off", "whether it does multicast", |set, c| {
        set.change.switches.multicast = Some(c.value()?.switch()?);
        Ok(())
    }),
    full("allmulticast", "on|off", "whether it takes all multicast packets", |set, c| {
        set.change.switches.allmulticast = Some(c.value()?.switch()?);
        Ok(())
    }),
    full("promisc", "on|off", "whether it takes packets for anybody", |set, c| {
        set.change.switches.promisc = Some(c.value()?.switch()?);
        Ok(())
    }),
    full("arp", "on|off", "whether it speaks ARP", |set, c| {
        set.change.switches.arp = Some(c.value()?.switch()?);
        Ok(())
    }),
    short("master", "[NS:]IF", "the bridge, bond or VRF that it joins", master),
    full("vrf", "[NS:]IF", "", master),
    short("nomaster", "", "let it leave its bridge, bond or VRF", |set, _| {
        set.change.master = Some(0);
        Ok(())
    }),
    short(
        "type",
        "KIND …",
        "what is peculiar to a bridge, bridge_slave, bond, macvlan or macvtap; the last word",
        |set, c| {
            match c.value()?.word().to_str() {
                Some("bridge_slave") => {
                    let mut port = BridgePort::default();
                    PORT.read(&mut port, c)?;
                    set.change.port = Some(port);
                }
                _ => set.change.kind = Some(kind::of_changed(c)?),
            }
            Ok(())
        },
    ),
    short("alias", "TEXT", "a note; '' removes it", |set, c| {
        set.change.alias = Some(alias(c.value()?)?);
        Ok(())
    }),
    full("group", "GROUP", "its group, a name or a number; or which links, without a link", |set, c| {
        set.change.group = Some(c.value()?.named(Space::Group)?);
        Ok(())
    }),
    full("altname", "NAME", "a further name, up to 127 bytes", |set: &mut Set, c| {
        set.alt_names.push(alt_name(c.value()?)?);
        Ok(())
    })
    .many(),
];

/// What can be told to the port of a bridge, in ip's order.
pub const PORT: Table<BridgePort> = Table {
    command: "link set IF type bridge_slave",
    about: "Change the port of a bridge.",
    bare: None,
    keywords: &[
        short("state", "0…4", "disabled, listening, learning, forwarding or blocking", |port, c| {
            port.state = Some(c.value()?.number()?);
            Ok(())
        }),
        short("priority", "N", "its priority in the spanning tree", |port, c| {
            port.priority = Some(c.value()?.number()?);
            Ok(())
        }),
        short("cost", "N", "the cost of the way through it", |port, c| {
            port.cost = Some(c.value()?.number()?);
            Ok(())
        }),
        short("hairpin", "on|off", "whether packets may leave by the port that they came in by", |port, c| {
            port.hairpin = Some(c.value()?.switch()?);
            Ok(())
        }),
        short("guard", "on|off", "whether it ignores the spanning tree protocol of others", |port, c| {
            port.guard = Some(c.value()?.switch()?);
            Ok(())
        }),
        short("root_block", "on|off", "whether it may not become the root port", |port, c| {
            port.root_block = Some(c.value()?.switch()?);
            Ok(())
        }),
        short("fastleave", "on|off", "whether multicast ends as soon as somebody leaves", |port, c| {
            port.fast_leave = Some(c.value()?.switch()?);
            Ok(())
        }),
        short("learning", "on|off", "whether it learns addresses", |port, c| {
            port.learning = Some(c.value()?.switch()?);
            Ok(())
        }),
        short("flood", "on|off", "whether packets for unknown addresses leave by it", |port, c| {
            port.flood = Some(c.value()?.switch()?);
            Ok(())
        }),
        short("mcast_flood", "on|off", "whether multicast that nobody asked for leaves by it", |port, c| {
            port.mcast_flood = Some(c.value()?.switch()?);
            Ok(())
        }),
        short("bcast_flood", "on|off", "whether broadcasts leave by it", |port, c| {
            port.bcast_flood = Some(c.value()?.switch()?);
            Ok(())
        }),
        short("proxy_arp", "on|off", "whether it answers ARP for others", |port, c| {
            port.proxy_arp = Some(c.value()?.switch()?);
            Ok(())
        }),
        short("neigh_suppress", "on|off", "whether ARP and neighbour discovery are kept off it", |port, c| {
            port.neigh_suppress = Some(c.value()?.switch()?);
            Ok(())
        }),
        short("isolated", "on|off", "whether it talks only to ports that are not isolated", |port, c| {
            port.isolated = Some(c.value()?.switch()?);
            Ok(())
        }),
        short("locked", "on|off", "whether only known addresses talk through it", |port, c| {
            port.locked = Some(c.value()?.switch()?);
            Ok(())
        }),
    ],
};

pub const DELETE: Table<Delete> = Table {
    command: "link delete",
    about: "Delete a link, and the other end of a pair with it; or all links of a group, at once.",
    bare: Some(Bare {
        value: "[NS:]IF",
        help: "the link, by its name or an altname, and where it lives",
        first: true,
        read: |delete, c| device(&mut delete.device, c),
    }),
    keywords: &[
        full("dev", "[NS:]IF", "", |delete, c| device(&mut delete.device, c.value()?)),
        full("group", "GROUP", "all links of this group: a name or a number", |delete, c| {
            delete.group = Some(c.value()?.named(Space::Group)?);
            Ok(())
        }),
        short("type", "KIND", "ignored, as ip does", |_, c| {
            let kind = c.value()?;
            if Kind::WORDS.iter().any(|known| kind.word() == *known) {
                Ok(())
            } else {
                Err(kind.wrong("there is no such kind"))
            }
        }),
    ],
};

/// The same words behind `link property add` and `link property del`.
pub const PROPERTY: Table<Property> = Table {
    command: "link property add|del",
    about: "Give a link further names, or take them.",
    bare: Some(Bare {
        value: "[NS:]IF",
        help: "the link, by its name or an altname, and where it lives",
        first: true,
        read: |property, c| device(&mut property.device, c),
    }),
    keywords: &[
        full("dev", "[NS:]IF", "", |property, c| device(&mut property.device, c.value()?)),
        short("altname", "NAME", "the name, up to 127 bytes; may come again", |property: &mut Property, c| {
            property.alt_names.push(alt_name(c.value()?)?);
            Ok(())
        })
        .many(),
    ],
};

/// Reads the words behind `link set`.
pub fn read_set(c: &mut Cursor<'_>) -> Result<Set, Misuse> {
    let mut set = Set::default();
    SET.read(&mut set, c)?;
    let of_one = set.netns.is_some() || !set.alt_names.is_empty();
    match (&set.device, set.change.group) {
        (None, None) => Err(c.misuse("it needs a link, or 'group GROUP' for all links of one")),
        (None, Some(_)) if of_one => Err(c.misuse("'netns' and 'altname' are for one link")),
        _ if set.keep_addresses && set.netns.is_none() => Err(c.misuse("'--keep-addresses' goes with 'netns'")),
        _ if set.change.new_index.is_some() && set.netns.is_none() => Err(c.misuse("'index' goes with 'netns'")),
        _ => Ok(set),
    }
}

/// Reads the words behind `link delete`.
pub fn read_delete(c: &mut Cursor<'_>) -> Result<Delete, Misuse> {
    let mut delete = Delete::default();
    DELETE.read(&mut delete, c)?;
    match (&delete.device, delete.group) {
        (None, None) => Err(c.misuse("it needs a link, or 'group GROUP' for all links of one")),
        (Some(_), Some(_)) => Err(c.misuse("it takes a link or a group, not both")),
        _ => Ok(delete),
    }
}

/// Reads the words behind `link property add` or `del`.
pub fn read_property(c: &mut Cursor<'_>) -> Result<Property, Misuse> {
    let mut property = Property::default();
    PROPERTY.read(&mut property, c)?;
    match (&property.device, property.alt_names.is_empty()) {
        (Some(_), false) => Ok(property),
        _ => Err(c.misuse("it needs a link and 'altname NAME'")),
    }
}

fn device(device: &mut Option<String>, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    match device.replace(c.device()?) {
        None => Ok(()),
        Some(_) => Err(c.misuse("the link is given twice")),
    }
}

fn alt_name(c: &Cursor<'_>) -> Result<String, Misuse> {
    match c.far_device()? {
        Device { ns: None, name } => Ok(name),
        _ => Err(c.wrong("a name cannot hold ':'")),
    }
}

fn txqueuelen(set: &mut Set, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    set.change.tx_queue_packets = Some(c.value()?.number()?);
    Ok(())
}

fn master(set: &mut Set, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    set.master = Some(c.value()?.far_device()?);
    Ok(())
}
