//! `type KIND …`: what ip's kinds of links can be told.

mod ip_tunnel;
mod stacked;
mod switch;
mod udp_tunnel;

use nsnet::{
    Kind,
    netlink::kind::{Inherit, Netkit, Tun},
};

use super::{
    Misuse,
    grammar::{Cursor, Keyword, Summary, Table, full},
    link_add::{self, Words},
};
use ip_tunnel::{GRE, GRETAP, IPIP, SIT};
use stacked::{IPVLAN, IPVTAP, MACVLAN, MACVTAP, VLAN, VRF};
use switch::{BOND, BRIDGE};
use udp_tunnel::{GENEVE, VXLAN};

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
        "vxlan" => udp_tunnel::vxlan(c)?,
        "geneve" => udp_tunnel::geneve(c)?,
        "gre" => told(&GRE, c)?.given(Kind::Gre),
        "gretap" => told(&GRETAP, c)?.given(Kind::GreTap),
        "ipip" => ip_tunnel::ipip(c)?,
        "sit" => ip_tunnel::tunnel(told(&SIT, c)?, c)?.given(Kind::Sit),
        "vlan" => Kind::Vlan(stacked::vlan(c)?).into(),
        "vrf" => Kind::Vrf(stacked::vrf(c)?).into(),
        "ipvlan" => Kind::IpVlan(told(&IPVLAN, c)?).into(),
        "ipvtap" => Kind::IpVtap(told(&IPVTAP, c)?).into(),
        "tun" => Kind::Tun(told(&TUN, c)?).into(),
        "tap" => Kind::Tap(told(&TAP, c)?).into(),
        "dummy" => simple(Kind::Dummy, &DUMMY, c)?,
        "ifb" => simple(Kind::Ifb, &IFB, c)?,
        "wireguard" => simple(Kind::Wireguard, &WIREGUARD, c)?,
        _ => of_change(c, &Kind::WORDS)?,
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
pub fn summaries() -> Vec<Summary> {
    vec![
        BOND.summary(),
        BRIDGE.summary(),
        GENEVE.summary(),
        GRE.summary(),
        IPIP.summary(),
        IPVLAN.summary(),
        MACVLAN.summary(),
        NETKIT.summary(),
        TUN.summary(),
        VETH.summary(),
        VLAN.summary(),
        VRF.summary(),
        VXLAN.summary(),
    ]
}

/// What can be said of one, where anything can.
pub fn help_of(kind: &str) -> Option<String> {
    let text = match kind {
        "bond" => BOND.summary().to_string(),
        "bridge" => BRIDGE.summary().to_string(),
        "dummy" => DUMMY.summary().to_string(),
        "geneve" => GENEVE.summary().to_string(),
        "gre" => GRE.summary().to_string(),
        "gretap" => GRETAP.summary().to_string(),
        "ifb" => IFB.summary().to_string(),
        "ipip" => IPIP.summary().to_string(),
        "sit" => SIT.summary().to_string(),
        "ipvlan" => IPVLAN.summary().to_string(),
        "ipvtap" => IPVTAP.summary().to_string(),
        "macvlan" => MACVLAN.summary().to_string(),
        "macvtap" => MACVTAP.summary().to_string(),
        "netkit" => NETKIT.summary().to_string(),
        "tap" => TAP.summary().to_string(),
        "tun" => TUN.summary().to_string(),
        "veth" => VETH.summary().to_string(),
        "vlan" => VLAN.summary().to_string(),
        "vrf" => VRF.summary().to_string(),
        "vxlan" => VXLAN.summary().to_string(),
        "wireguard" => WIREGUARD.summary().to_string(),
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

/// One of these words.
pub fn one_of<T: Copy>(c: &Cursor<'_>, words: &[(&str, T)]) -> Result<T, Misuse> {
    let found = words.iter().find(|(word, _)| c.word() == *word);
    let names = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    found.map(|&(_, value)| value).ok_or_else(|| c.wrong(&format!("it is none of {}", names())))
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
