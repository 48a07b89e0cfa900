//! `type KIND …`: what ip's kinds of links can be told.

use std::net::{IpAddr, Ipv4Addr};

use nsnet::{
    Kind,
    netlink::kind::{
        AdSelect, Bond, BondMode, Bridge, DontFragment, Geneve, Gre, Inherit, Inner, IpTunnel, IpVlan, IpVlanIsolation,
        IpVlanMode, MacVlan, MacVlanMode, Netkit, Tun, Vlan, VlanProtocol, Vrf, Vxlan, XmitHashPolicy,
    },
};

use super::{
    Misuse,
    grammar::{Cursor, Keyword, Table, full, short},
    link_add::{self, Words},
};
use crate::iproute2::Space;

/// A kind, with what is still a name in it.
#[derive(Debug)]
pub struct Given {
    pub kind: Kind,
    /// The link that a tunnel is bound to.
    pub device: Option<String>,
    /// The other end of a pair.
    pub peer: Option<Box<Words>>,
}

impl From<Kind> for Given {
    fn from(kind: Kind) -> Self {
        Self { kind, device: None, peer: None }
    }
}

/// What a tunnel is told, and the name of the link that it is bound to.
#[derive(Debug, Default)]
pub struct Tunnel<T> {
    told: T,
    device: Option<String>,
}

impl<T> Tunnel<T> {
    fn given(self, kind: fn(T) -> Kind) -> Given {
        Given { kind: kind(self.told), device: self.device, peer: None }
    }
}

/// What a pair is told, and its other end.
#[derive(Debug, Default)]
pub struct Pair {
    netkit: Netkit,
    peer: Option<Box<Words>>,
}

/// All of them, as ip spells them.
pub const KINDS: [&str; 21] = [
    "bond",
    "bridge",
    "dummy",
    "geneve",
    "gre",
    "gretap",
    "ifb",
    "ipip",
    "ipvlan",
    "ipvtap",
    "macvlan",
    "macvtap",
    "netkit",
    "sit",
    "tap",
    "tun",
    "veth",
    "vlan",
    "vrf",
    "vxlan",
    "wireguard",
];

/// The kinds of which something can be changed.
const CHANGEABLE: [&str; 4] = ["bond", "bridge", "macvlan", "macvtap"];

/// Reads the kind of a new link, and all words behind it.
pub fn of_new(c: &mut Cursor<'_>) -> Result<Given, Misuse> {
    let given = match c.text()? {
        "veth" => {
            let pair = told(&VETH, c)?;
            Given { peer: pair.peer, ..Kind::Veth.into() }
        }
        "netkit" => {
            let pair = told(&NETKIT, c)?;
            Given { peer: pair.peer, ..Kind::Netkit(pair.netkit).into() }
        }
        "vxlan" => vxlan(c)?,
        "geneve" => geneve(c)?,
        "gre" => told(&GRE, c)?.given(Kind::Gre),
        "gretap" => told(&GRETAP, c)?.given(Kind::GreTap),
        "ipip" => ipip(c)?,
        "sit" => tunnel(told(&SIT, c)?, c)?.given(Kind::Sit),
        "vlan" => Kind::Vlan(vlan(c)?).into(),
        "vrf" => Kind::Vrf(vrf(c)?).into(),
        "ipvlan" => Kind::IpVlan(told(&IPVLAN, c)?).into(),
        "ipvtap" => Kind::IpVtap(told(&IPVTAP, c)?).into(),
        "tun" => Kind::Tun(told(&TUN, c)?).into(),
        "tap" => Kind::Tap(told(&TAP, c)?).into(),
        "dummy" => simple(Kind::Dummy, &DUMMY, c)?,
        "ifb" => simple(Kind::Ifb, &IFB, c)?,
        "wireguard" => simple(Kind::Wireguard, &WIREGUARD, c)?,
        _ => of_change(c, &KINDS)?,
    };
    Ok(given)
}

/// Reads the kind of a link that is changed, and all words behind it.
pub fn of_changed(c: &mut Cursor<'_>) -> Result<Kind, Misuse> {
    of_change(c, &CHANGEABLE).map(|given| given.kind)
}

fn of_change(c: &mut Cursor<'_>, known: &[&str]) -> Result<Given, Misuse> {
    let kind = match c.text()? {
        "bond" => Kind::Bond(told(&BOND, c)?),
        "bridge" => Kind::Bridge(told(&BRIDGE, c)?),
        "macvlan" => Kind::MacVlan(told(&MACVLAN, c)?),
        "macvtap" => Kind::MacVtap(told(&MACVTAP, c)?),
        _ => return Err(c.wrong(&format!("nsnet knows the kinds {}", known.join(", ")))),
    };
    Ok(kind.into())
}

/// What can be said of each.
pub fn help() -> String {
    [
        BOND.help(),
        BRIDGE.help(),
        GENEVE.help(),
        GRE.help(),
        IPIP.help(),
        IPVLAN.help(),
        MACVLAN.help(),
        NETKIT.help(),
        TUN.help(),
        VETH.help(),
        VLAN.help(),
        VRF.help(),
        VXLAN.help(),
    ]
    .join("\n")
}

/// What can be said of one, where anything can.
pub fn help_of(kind: &str) -> Option<String> {
    let text = match kind {
        "bond" => BOND.help(),
        "bridge" => BRIDGE.help(),
        "dummy" => DUMMY.help(),
        "geneve" => GENEVE.help(),
        "gre" => GRE.help(),
        "gretap" => GRETAP.help(),
        "ifb" => IFB.help(),
        "ipip" => IPIP.help(),
        "sit" => SIT.help(),
        "ipvlan" => IPVLAN.help(),
        "ipvtap" => IPVTAP.help(),
        "macvlan" => MACVLAN.help(),
        "macvtap" => MACVTAP.help(),
        "netkit" => NETKIT.help(),
        "tap" => TAP.help(),
        "tun" => TUN.help(),
        "veth" => VETH.help(),
        "vlan" => VLAN.help(),
        "vrf" => VRF.help(),
        "vxlan" => VXLAN.help(),
        "wireguard" => WIREGUARD.help(),
        _ => return None,
    };
    Some(text)
}

fn told<T: Default>(table: &Table<T>, c: &mut Cursor<'_>) -> Result<T, Misuse> {
    let mut request = T::default();
    table.read(&mut request, c)?;
    Ok(request)
}

fn simple(kind: Kind, table: &Table<()>, c: &mut Cursor<'_>) -> Result<Given, Misuse> {
    told(table, c)?;
    Ok(kind.into())
}

const fn bare_kind(command: &'static str, about: &'static str) -> Table<()> {
    Table { command, about, bare: None, keywords: &[] }
}

const DUMMY: Table<()> = bare_kind("link add NAME type dummy", "A link that drops what it is given.");
const IFB: Table<()> = bare_kind("link add NAME type ifb", "A link that traffic is redirected to, for shaping.");
const WIREGUARD: Table<()> =
    bare_kind("link add NAME type wireguard", "An encrypted tunnel; wg sets its keys and peers.");

const VETH: Table<Pair> = Table {
    command: "link add NAME type veth",
    about: "A pair: what enters one end leaves the other.",
    bare: None,
    keywords: &[full(
        "peer",
        "[[NS:]NAME] …",
        "the other end, with the words of 'link add'",
        |pair: &mut Pair, c| {
            pair.peer = Some(Box::new(link_add::peer(c)?));
            Ok(())
        },
    )],
};

const NETKIT: Table<Pair> = Table {
    command: "link add NAME type netkit",
    about: "A pair that BPF programs stand between (Linux 6.7).",
    bare: None,
    keywords: &[
        full("mode", "l2|l3", "whether it carries Ethernet frames or IP packets", |pair, c| {
            pair.netkit.layer2 = Some(one_of(c.value()?, &[("l2", true), ("l3", false)])?);
            Ok(())
        }),
        full("forward", "", "let packets pass while no program is attached", |pair, _| {
            pair.netkit.blackhole = Some(false);
            Ok(())
        }),
        full("blackhole", "", "drop packets while no program is attached", |pair, _| {
            pair.netkit.blackhole = Some(true);
            Ok(())
        }),
        full(
            "peer",
            "[forward|blackhole] [[NS:]NAME] …",
            "the other end, with the words of 'link add'",
            |pair, c| {
                let blackhole = [("forward", false), ("blackhole", true)].into_iter().find(|(word, _)| c.takes(word));
                pair.netkit.peer_blackhole = blackhole.map(|(_, drop)| drop);
                pair.peer = Some(Box::new(link_add::peer(c)?));
                Ok(())
            },
        ),
    ],
};

const BRIDGE: Table<Bridge> = Table {
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

const BOND: Table<Bond> = Table {
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

const VLAN: Table<Vlan> = Table {
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

const VRF: Table<Option<u32>> = Table {
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

const MACVLAN: Table<MacVlan> = Table {
    command: "link add NAME link IF type macvlan",
    about: "A further link, with a hardware address of its own. macvtap is the same for a program.",
    bare: None,
    keywords: &MACVLAN_WORDS,
};

const MACVTAP: Table<MacVlan> = Table { command: "link add NAME link IF type macvtap", ..MACVLAN };

const IPVLAN_MODES: [(&str, IpVlanMode); 3] =
    [("l2", IpVlanMode::L2), ("l3", IpVlanMode::L3), ("l3s", IpVlanMode::L3S)];

const IPVLAN: Table<IpVlan> = Table {
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

const IPVTAP: Table<IpVlan> = Table { command: "link add NAME link IF type ipvtap", ..IPVLAN };

const TUN_WORDS: [Keyword<Tun>; 5] = [
    full("user", "UID", "the user who may use it, by number", |tun, c| {
        tun.user = Some(c.value()?.number()?);
        Ok(())
    }),
    full("group", "GID", "the group whose members may use it, by number", |tun, c| {
        tun.group = Some(c.value()?.number()?);
        Ok(())
    }),
    full("pi", "", "packets come with four bytes that say what they are", |tun, _| {
        tun.packet_info = true;
        Ok(())
    }),
    full("vnet_hdr", "", "packets come with a header for the hardware", |tun, _| {
        tun.vnet_hdr = true;
        Ok(())
    }),
    full("multi_queue", "", "several programs may use it at once", |tun, _| {
        tun.multi_queue = true;
        Ok(())
    }),
];

const TUN: Table<Tun> = Table {
    command: "link add NAME type tun",
    about: "A link whose other end is a program: tun for IP packets, tap for Ethernet frames.",
    bare: None,
    keywords: &TUN_WORDS,
};

const TAP: Table<Tun> = Table { command: "link add NAME type tap", ..TUN };

const DONT_FRAGMENT: [(&str, DontFragment); 3] =
    [("unset", DontFragment::Unset), ("set", DontFragment::Set), ("inherit", DontFragment::Inherit)];

const VXLAN: Table<Tunnel<Vxlan>> = Table {
    command: "link add NAME type vxlan",
    about: "Ethernet in VXLAN in UDP.",
    bare: None,
    keywords: &[
        short("id", "N", "the number of the network, 24 bits", vxlan_id),
        short("vni", "N", "", vxlan_id),
        short("group", "ADDRESS", "the multicast group of the others; needs 'dev'", |t, c| {
            let group = c.value()?.address()?;
            if !group.is_multicast() {
                return Err(c.wrong("it is not a multicast address"));
            }
            remote(&mut t.told.remote, group, c)
        }),
        short("remote", "ADDRESS", "the other end", |t, c| {
            let host = host(c.value()?)?;
            remote(&mut t.told.remote, host, c)
        }),
        short("local", "ADDRESS", "this end", |t, c| {
            t.told.local = Some(host(c.value()?)?);
            Ok(())
        }),
        short("dev", "[NS:]IF", "the link that packets leave by", device),
        short("ttl", "N|inherit|auto", "how many hops packets may make", vxlan_ttl),
        short("hoplimit", "N|inherit|auto", "", vxlan_ttl),
        short("tos", "HEX|inherit", "the type of service of packets", vxlan_tos),
        short("dsfield", "HEX|inherit", "", vxlan_tos),
        short("df", "unset|set|inherit", "whether packets may be fragmented", |t, c| {
            t.told.df = Some(one_of(c.value()?, &DONT_FRAGMENT)?);
            Ok(())
        }),
        short("label", "N", "", vxlan_label),
        short("flowlabel", "N", "the IPv6 flow label of packets", vxlan_label),
        short("ageing", "SECONDS|none", "how long a learned address is remembered", |t, c| {
            t.told.ageing_s = Some(if c.value()?.word() == "none" { 0 } else { c.number()? });
            Ok(())
        }),
        short("maxaddress", "N|unlimited", "how many addresses are remembered", |t, c| {
            t.told.max_addresses = Some(if c.value()?.word() == "unlimited" { 0 } else { c.number()? });
            Ok(())
        }),
        short("port", "MIN MAX", "", src_ports),
        short("srcport", "MIN MAX", "the UDP ports that packets come from", src_ports),
        short("dstport", "PORT", "the UDP port that packets go to; 4789 is the standard's", |t, c| {
            t.told.dst_port = Some(c.value()?.number()?);
            Ok(())
        }),
        short("nolearning", "", "learn no addresses from packets", |t, _| {
            t.told.learning = Some(false);
            Ok(())
        }),
        short("learning", "", "learn addresses from packets, as it does unless told", |t, _| {
            t.told.learning = Some(true);
            Ok(())
        }),
        short("noproxy", "", "", |t, _| {
            t.told.proxy = Some(false);
            Ok(())
        }),
        short("proxy", "", "answer ARP for others", |t, _| {
            t.told.proxy = Some(true);
            Ok(())
        }),
        short("norsc", "", "", |t, _| {
            t.told.rsc = Some(false);
            Ok(())
        }),
        short("rsc", "", "route short", |t, _| {
            t.told.rsc = Some(true);
            Ok(())
        }),
        short("nol2miss", "", "", |t, _| {
            t.told.l2miss = Some(false);
            Ok(())
        }),
        short("l2miss", "", "tell of unknown hardware addresses", |t, _| {
            t.told.l2miss = Some(true);
            Ok(())
        }),
        short("nol3miss", "", "", |t, _| {
            t.told.l3miss = Some(false);
            Ok(())
        }),
        short("l3miss", "", "tell of unknown IP addresses", |t, _| {
            t.told.l3miss = Some(true);
            Ok(())
        }),
        short("udpcsum", "", "UDP over IPv4 has checksums", |t, _| {
            t.told.udp_csum = Some(true);
            Ok(())
        }),
        short("noudpcsum", "", "", |t, _| {
            t.told.udp_csum = Some(false);
            Ok(())
        }),
        short("udp6zerocsumtx", "", "UDP over IPv6 goes without checksums", |t, _| {
            t.told.udp6_zero_csum_tx = Some(true);
            Ok(())
        }),
        short("noudp6zerocsumtx", "", "", |t, _| {
            t.told.udp6_zero_csum_tx = Some(false);
            Ok(())
        }),
        short("udp6zerocsumrx", "", "UDP over IPv6 is taken without checksums", |t, _| {
            t.told.udp6_zero_csum_rx = Some(true);
            Ok(())
        }),
        short("noudp6zerocsumrx", "", "", |t, _| {
            t.told.udp6_zero_csum_rx = Some(false);
            Ok(())
        }),
        short("external", "", "each packet is told where to go from outside", |t, _| {
            t.told.external = true;
            Ok(())
        }),
        short("gbp", "", "packets carry a group policy", |t, _| {
            t.told.gbp = true;
            Ok(())
        }),
    ],
};

const GENEVE: Table<Geneve> = Table {
    command: "link add NAME type geneve",
    about: "Ethernet in GENEVE in UDP.",
    bare: None,
    keywords: &[
        short("id", "N", "the number of the network, 24 bits", geneve_id),
        short("vni", "N", "", geneve_id),
        short("remote", "ADDRESS", "the other end", |geneve, c| {
            geneve.remote = Some(host(c.value()?)?);
            Ok(())
        }),
        short("ttl", "N|inherit|auto", "how many hops packets may make", geneve_ttl),
        short("hoplimit", "N|inherit|auto", "", geneve_ttl),
        short("tos", "HEX|inherit", "the type of service of packets", geneve_tos),
        short("dsfield", "HEX|inherit", "", geneve_tos),
        short("df", "unset|set|inherit", "whether packets may be fragmented", |geneve, c| {
            geneve.df = Some(one_of(c.value()?, &DONT_FRAGMENT)?);
            Ok(())
        }),
        short("label", "N", "", geneve_label),
        short("flowlabel", "N", "the IPv6 flow label of packets", geneve_label),
        short("dstport", "PORT", "the UDP port that packets go to", |geneve, c| {
            geneve.dst_port = Some(c.value()?.number()?);
            Ok(())
        }),
        short("external", "", "each packet is told where to go from outside", |geneve, _| {
            geneve.external = true;
            Ok(())
        }),
        short("udpcsum", "", "UDP over IPv4 has checksums", |geneve, _| {
            geneve.udp_csum = Some(true);
            Ok(())
        }),
        short("noudpcsum", "", "", |geneve, _| {
            geneve.udp_csum = Some(false);
            Ok(())
        }),
        short("udp6zerocsumtx", "", "UDP over IPv6 goes without checksums", |geneve, _| {
            geneve.udp6_zero_csum_tx = Some(true);
            Ok(())
        }),
        short("noudp6zerocsumtx", "", "", |geneve, _| {
            geneve.udp6_zero_csum_tx = Some(false);
            Ok(())
        }),
        short("udp6zerocsumrx", "", "UDP over IPv6 is taken without checksums", |geneve, _| {
            geneve.udp6_zero_csum_rx = Some(true);
            Ok(())
        }),
        short("noudp6zerocsumrx", "", "", |geneve, _| {
            geneve.udp6_zero_csum_rx = Some(false);
            Ok(())
        }),
    ],
};

const GRE_WORDS: [Keyword<Tunnel<Gre>>; 24] = [
    short("key", "KEY", "the key of packets, in and out: a number or four bytes with dots", |t, c| {
        let key = key(c.value()?)?;
        (t.told.input.key, t.told.output.key) = (Some(key), Some(key));
        Ok(())
    }),
    short("ikey", "KEY", "the key of packets that come in", |t, c| {
        t.told.input.key = Some(key(c.value()?)?);
        Ok(())
    }),
    short("okey", "KEY", "the key of packets that go out", |t, c| {
        t.told.output.key = Some(key(c.value()?)?);
        Ok(())
    }),
    short("seq", "", "packets are numbered, in and out", |t, _| {
        (t.told.input.sequence, t.told.output.sequence) = (true, true);
        Ok(())
    }),
    short("iseq", "", "packets that come in are numbered", |t, _| {
        t.told.input.sequence = true;
        Ok(())
    }),
    short("oseq", "", "packets that go out are numbered", |t, _| {
        t.told.output.sequence = true;
        Ok(())
    }),
    short("csum", "", "packets have checksums, in and out", |t, _| {
        (t.told.input.checksum, t.told.output.checksum) = (true, true);
        Ok(())
    }),
    short("icsum", "", "packets that come in have checksums", |t, _| {
        t.told.input.checksum = true;
        Ok(())
    }),
    short("ocsum", "", "packets that go out have checksums", |t, _| {
        t.told.output.checksum = true;
        Ok(())
    }),
    short("nopmtudisc", "", "do not find out the largest packet on the way", |t, _| {
        t.told.pmtudisc = Some(false);
        Ok(())
    }),
    short("pmtudisc", "", "find it out, as it does unless told", |t, _| {
        t.told.pmtudisc = Some(true);
        Ok(())
    }),
    short("remote", "ADDRESS", "the other end, or a multicast group", |t, c| {
        t.told.remote = ipv4(c.value()?)?;
        Ok(())
    }),
    short("local", "ADDRESS", "this end", |t, c| {
        t.told.local = ipv4(c.value()?)?;
        Ok(())
    }),
    short("dev", "[NS:]IF", "the link that packets leave by", device),
    short("ttl", "N|inherit", "how many hops packets may make", gre_ttl),
    short("hoplimit", "N|inherit", "", gre_ttl),
    short("hlim", "N|inherit", "", gre_ttl),
    short("tos", "HEX|inherit", "the type of service of packets", gre_tos),
    short("tclass", "HEX|inherit", "", gre_tos),
    short("dsfield", "HEX|inherit", "", gre_tos),
    full("external", "", "each packet is told where to go from outside", |t, _| {
        t.told.external = true;
        Ok(())
    }),
    full("ignore-df", "", "fragment packets that must not be", |t, _| {
        t.told.ignore_df = Some(true);
        Ok(())
    }),
    full("noignore-df", "", "", |t, _| {
        t.told.ignore_df = Some(false);
        Ok(())
    }),
    full("fwmark", "MARK", "the mark of packets", |t, c| {
        t.told.fwmark = Some(c.value()?.number()?);
        Ok(())
    }),
];

const GRE: Table<Tunnel<Gre>> = Table {
    command: "link add NAME type gre",
    about: "IP in GRE. gretap is the same with Ethernet.",
    bare: None,
    keywords: &GRE_WORDS,
};

const GRETAP: Table<Tunnel<Gre>> = Table { command: "link add NAME type gretap", ..GRE };

const IP_TUNNEL_WORDS: [Keyword<Tunnel<IpTunnel>>; 16] = [
    full("mode", "MODE", "what packets inside are: ipip, ip6ip (sit only), mplsip, any", |t, c| {
        t.told.inner = Some(one_of(c.value()?, &INNER)?);
        Ok(())
    }),
    full("remote", "ADDRESS", "the other end", |t, c| {
        t.told.remote = ipv4(c.value()?)?;
        Ok(())
    }),
    full("local", "ADDRESS", "this end", |t, c| {
        t.told.local = ipv4(c.value()?)?;
        Ok(())
    }),
    short("dev", "[NS:]IF", "the link that packets leave by", device),
    full("ttl", "N|inherit", "how many hops packets may make", tunnel_ttl),
    full("hoplimit", "N|inherit", "", tunnel_ttl),
    full("hlim", "N|inherit", "", tunnel_ttl),
    full("tos", "HEX|inherit", "the type of service of packets", tunnel_tos),
    full("tclass", "HEX|inherit", "", tunnel_tos),
    full("tc", "HEX|inherit", "", tunnel_tos),
    short("dsfield", "HEX|inherit", "", tunnel_tos),
    full("nopmtudisc", "", "do not find out the largest packet on the way", |t, _| {
        t.told.pmtudisc = Some(false);
        Ok(())
    }),
    full("pmtudisc", "", "find it out, as it does unless told", |t, _| {
        t.told.pmtudisc = Some(true);
        Ok(())
    }),
    full("isatap", "", "it is one of ISATAP (sit only)", |t, _| {
        t.told.isatap = true;
        Ok(())
    }),
    full("external", "", "each packet is told where to go from outside", |t, _| {
        t.told.external = true;
        Ok(())
    }),
    full("fwmark", "MARK", "the mark of packets", |t, c| {
        t.told.fwmark = Some(c.value()?.number()?);
        Ok(())
    }),
];

const INNER: [(&str, Inner); 9] = [
    ("ipip", Inner::Ipv4),
    ("ipv4/ipv4", Inner::Ipv4),
    ("ip4ip4", Inner::Ipv4),
    ("ip6ip", Inner::Ipv6),
    ("ipv6/ipv4", Inner::Ipv6),
    ("mplsip", Inner::Mpls),
    ("mpls/ipv4", Inner::Mpls),
    ("any", Inner::Any),
    ("any/ipv4", Inner::Any),
];

const IPIP: Table<Tunnel<IpTunnel>> = Table {
    command: "link add NAME type ipip",
    about: "IPv4 in IPv4. sit is the same with IPv6.",
    bare: None,
    keywords: &IP_TUNNEL_WORDS,
};

const SIT: Table<Tunnel<IpTunnel>> = Table { command: "link add NAME type sit", about: "IPv6 in IPv4.", ..IPIP };

fn vxlan(c: &mut Cursor<'_>) -> Result<Given, Misuse> {
    let tunnel = told(&VXLAN, c)?;
    let group = tunnel.told.remote.is_some_and(|ip| ip.is_multicast());
    match (tunnel.told.id, tunnel.told.external) {
        (None, false) => Err(c.misuse("a vxlan needs 'id N', or 'external'")),
        (Some(_), true) => Err(c.misuse("a vxlan has 'id' or 'external', not both")),
        _ if group && tunnel.device.is_none() => Err(c.misuse("'group' needs 'dev IF' too")),
        _ => Ok(tunnel.given(Kind::Vxlan)),
    }
}

fn geneve(c: &mut Cursor<'_>) -> Result<Given, Misuse> {
    let geneve = told(&GENEVE, c)?;
    match (geneve.id, geneve.external, geneve.remote) {
        (Some(_), true, _) => Err(c.misuse("a geneve has 'id' or 'external', not both")),
        (None, false, _) | (_, false, None) => Err(c.misuse("a geneve needs 'id N remote ADDRESS', or 'external'")),
        _ => Ok(Kind::Geneve(geneve).into()),
    }
}

fn tunnel(tunnel: Tunnel<IpTunnel>, c: &Cursor<'_>) -> Result<Tunnel<IpTunnel>, Misuse> {
    let hops = tunnel.told.ttl.is_some_and(|ttl| !matches!(ttl, Inherit::Inherit | Inherit::Fixed(0)));
    if hops && tunnel.told.pmtudisc == Some(false) {
        return Err(c.misuse("'ttl' and 'nopmtudisc' exclude each other"));
    }
    Ok(tunnel)
}

fn ipip(c: &mut Cursor<'_>) -> Result<Given, Misuse> {
    let tunnel = tunnel(told(&IPIP, c)?, c)?;
    if tunnel.told.isatap || tunnel.told.inner == Some(Inner::Ipv6) {
        return Err(c.misuse("'isatap' and 'mode ip6ip' are words of sit"));
    }
    Ok(tunnel.given(Kind::IpIp))
}

fn vlan(c: &mut Cursor<'_>) -> Result<Vlan, Misuse> {
    let vlan = told(&VLAN, c)?;
    if vlan.id.is_none() {
        return Err(c.misuse("a vlan needs 'id N'"));
    }
    Ok(vlan)
}

fn vrf(c: &mut Cursor<'_>) -> Result<Vrf, Misuse> {
    let mut vrf = Vrf::default();
    vrf.table = told(&VRF, c)?.ok_or_else(|| c.misuse("a vrf needs 'table TABLE'"))?;
    Ok(vrf)
}

/// One of these words.
pub fn one_of<T: Copy>(c: &Cursor<'_>, words: &[(&str, T)]) -> Result<T, Misuse> {
    let found = words.iter().find(|(word, _)| c.word() == *word);
    let names = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    found.map(|&(_, value)| value).ok_or_else(|| c.wrong(&format!("it is none of {}", names())))
}

/// `0` or `1`; ip takes any small number for the latter.
fn bit(c: &Cursor<'_>) -> Result<bool, Misuse> {
    c.number::<u8>().map(|number| number != 0)
}

fn vlan_protocol(c: &Cursor<'_>) -> Result<VlanProtocol, Misuse> {
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

/// An address of one host.
fn host(c: &Cursor<'_>) -> Result<IpAddr, Misuse> {
    match c.address()? {
        ip if ip.is_multicast() => Err(c.wrong("it is a multicast address")),
        ip => Ok(ip),
    }
}

fn remote(remote: &mut Option<IpAddr>, ip: IpAddr, c: &Cursor<'_>) -> Result<(), Misuse> {
    match remote.replace(ip) {
        None => Ok(()),
        Some(_) => Err(c.misuse("'group' and 'remote' exclude each other")),
    }
}

/// An IPv4 address; `any` is none.
fn ipv4(c: &Cursor<'_>) -> Result<Option<Ipv4Addr>, Misuse> {
    if ["any", "all", "default"].iter().any(|any| c.word() == *any) {
        return Ok(None);
    }
    let ip: Ipv4Addr = c.text()?.parse().map_err(|_| c.wrong("it is not an IPv4 address"))?;
    Ok(Some(ip).filter(|ip| !ip.is_unspecified()))
}

/// A number, or four bytes with dots.
fn key(c: &Cursor<'_>) -> Result<u32, Misuse> {
    match c.text()?.parse::<Ipv4Addr>() {
        Ok(ip) => Ok(ip.into()),
        Err(_) => c.number(),
    }
}

fn device<T>(tunnel: &mut Tunnel<T>, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    tunnel.device = Some(c.value()?.device()?);
    Ok(())
}

/// Hops: `auto` is what is left to the kernel.
fn ttl(c: &Cursor<'_>) -> Result<Inherit, Misuse> {
    match c.text()? {
        "inherit" => Ok(Inherit::Inherit),
        "auto" => Ok(Inherit::Fixed(0)),
        _ => c.number().map(Inherit::Fixed),
    }
}

/// A type of service, which ip reads as a hexadecimal number.
fn tos(c: &Cursor<'_>) -> Result<Inherit, Misuse> {
    let text = c.text()?;
    let digits = text.strip_prefix("0x").unwrap_or(text);
    match text {
        "inherit" => Ok(Inherit::Inherit),
        _ if digits.starts_with('+') => Err(c.wrong("it is not a hexadecimal number")),
        _ => u8::from_str_radix(digits, 16)
            .map(Inherit::Fixed)
            .map_err(|_| c.wrong("it is not a hexadecimal number that fits")),
    }
}

/// A number of so many bits.
fn bits(c: &Cursor<'_>, bits: u32) -> Result<u32, Misuse> {
    match c.number::<u32>()? {
        number if number >> bits == 0 => Ok(number),
        _ => Err(c.wrong(&format!("it has more than {bits} bits"))),
    }
}

fn vxlan_id(t: &mut Tunnel<Vxlan>, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    t.told.id = Some(bits(c.value()?, 24)?);
    Ok(())
}

fn vxlan_ttl(t: &mut Tunnel<Vxlan>, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    t.told.ttl = Some(ttl(c.value()?)?);
    Ok(())
}

fn vxlan_tos(t: &mut Tunnel<Vxlan>, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    t.told.tos = Some(tos(c.value()?)?);
    Ok(())
}

fn vxlan_label(t: &mut Tunnel<Vxlan>, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    t.told.flow_label = Some(bits(c.value()?, 20)?);
    Ok(())
}

fn src_ports(t: &mut Tunnel<Vxlan>, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    let (low, high) = (c.value()?.number()?, c.value()?.number()?);
    t.told.src_ports = Some((low, high)).filter(|&ports| ports != (0, 0));
    Ok(())
}

fn geneve_id(geneve: &mut Geneve, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    geneve.id = Some(bits(c.value()?, 24)?);
    Ok(())
}

fn geneve_ttl(geneve: &mut Geneve, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    geneve.ttl = Some(ttl(c.value()?)?);
    Ok(())
}

fn geneve_tos(geneve: &mut Geneve, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    geneve.tos = Some(tos(c.value()?)?);
    Ok(())
}

fn geneve_label(geneve: &mut Geneve, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    geneve.flow_label = Some(bits(c.value()?, 20)?);
    Ok(())
}

fn gre_ttl(t: &mut Tunnel<Gre>, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    t.told.ttl = Some(ttl(c.value()?)?);
    Ok(())
}

fn gre_tos(t: &mut Tunnel<Gre>, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    t.told.tos = Some(tos(c.value()?)?);
    Ok(())
}

fn tunnel_ttl(t: &mut Tunnel<IpTunnel>, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    t.told.ttl = Some(ttl(c.value()?)?);
    Ok(())
}

fn tunnel_tos(t: &mut Tunnel<IpTunnel>, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    t.told.tos = Some(tos(c.value()?)?);
    Ok(())
}
