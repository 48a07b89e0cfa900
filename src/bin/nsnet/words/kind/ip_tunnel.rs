//! What tunnels straight over IP can be told: GRE, ipip and sit.

use std::net::Ipv4Addr;

use nsnet::{
    Kind,
    netlink::kind::{Gre, Inherit, Inner, IpTunnel},
};

use super::{
    super::{
        Misuse,
        grammar::{Cursor, Keyword, Table, full, short},
    },
    Given, Tunnel, device, one_of, told, tos, ttl,
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

pub(super) const GRE: Table<Tunnel<Gre>> = Table {
    command: "link add NAME type gre",
    about: "IP in GRE. gretap is the same with Ethernet.",
    bare: None,
    keywords: &GRE_WORDS,
};

pub(super) const GRETAP: Table<Tunnel<Gre>> = Table { command: "link add NAME type gretap", ..GRE };

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

pub(super) const IPIP: Table<Tunnel<IpTunnel>> = Table {
    command: "link add NAME type ipip",
    about: "IPv4 in IPv4. sit is the same with IPv6.",
    bare: None,
    keywords: &IP_TUNNEL_WORDS,
};

pub(super) const SIT: Table<Tunnel<IpTunnel>> =
    Table { command: "link add NAME type sit", about: "IPv6 in IPv4.", ..IPIP };

pub(super) fn tunnel(tunnel: Tunnel<IpTunnel>, c: &Cursor<'_>) -> Result<Tunnel<IpTunnel>, Misuse> {
    let hops = tunnel.told.ttl.is_some_and(|ttl| !matches!(ttl, Inherit::Inherit | Inherit::Fixed(0)));
    if hops && tunnel.told.pmtudisc == Some(false) {
        return Err(c.misuse("'ttl' and 'nopmtudisc' exclude each other"));
    }
    Ok(tunnel)
}

pub(super) fn ipip(c: &mut Cursor<'_>) -> Result<Given, Misuse> {
    let tunnel = tunnel(told(&IPIP, c)?, c)?;
    if tunnel.told.isatap || tunnel.told.inner == Some(Inner::Ipv6) {
        return Err(c.misuse("'isatap' and 'mode ip6ip' are words of sit"));
    }
    Ok(tunnel.given(Kind::IpIp))
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
