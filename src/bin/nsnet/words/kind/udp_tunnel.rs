//! What tunnels over UDP can be told: VXLAN and GENEVE.

use std::net::IpAddr;

use nsnet::{
    Kind,
    netlink::kind::{DontFragment, Geneve, Vxlan},
};

use super::{
    super::{
        Misuse,
        grammar::{Cursor, Table, short},
    },
    Given, Tunnel, device, one_of, told, tos, ttl,
};

const DONT_FRAGMENT: [(&str, DontFragment); 3] =
    [("unset", DontFragment::Unset), ("set", DontFragment::Set), ("inherit", DontFragment::Inherit)];

pub(super) const VXLAN: Table<Tunnel<Vxlan>> = Table {
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

pub(super) const GENEVE: Table<Geneve> = Table {
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

pub(super) fn vxlan(c: &mut Cursor<'_>) -> Result<Given, Misuse> {
    let tunnel = told(&VXLAN, c)?;
    let group = tunnel.told.remote.is_some_and(|ip| ip.is_multicast());
    match (tunnel.told.id, tunnel.told.external) {
        (None, false) => Err(c.misuse("a vxlan needs 'id N', or 'external'")),
        (Some(_), true) => Err(c.misuse("a vxlan has 'id' or 'external', not both")),
        _ if group && tunnel.device.is_none() => Err(c.misuse("'group' needs 'dev IF' too")),
        _ => Ok(tunnel.given(Kind::Vxlan)),
    }
}

pub(super) fn geneve(c: &mut Cursor<'_>) -> Result<Given, Misuse> {
    let geneve = told(&GENEVE, c)?;
    match (geneve.id, geneve.external, geneve.remote) {
        (Some(_), true, _) => Err(c.misuse("a geneve has 'id' or 'external', not both")),
        (None, false, _) | (_, false, None) => Err(c.misuse("a geneve needs 'id N remote ADDRESS', or 'external'")),
        _ => Ok(Kind::Geneve(geneve).into()),
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
