//! What the drivers of tunnels say of their links, as `ip -d` prints it.

use std::net::IpAddr;

use nsnet::netlink::details::DetailValue;
use serde_json::Value;

use super::kinds::{Field, Told, hex_if_set, if_set, in_hex, link, number, or_no, text};
use crate::render::sheet::Sheet;

pub const VXLAN: &[Field] = &[
    Field::One("external", "external", if_set),
    Field::Some(|sheet, told| {
        if told.number("vnifilter").is_some_and(|on| on != 0) {
            sheet.both("vnifilter", true, "vnifilter");
        }
    }),
    Field::One("id", "id", number),
    Field::Some(|sheet, told| remote(sheet, told.ip("group"))),
    Field::Some(|sheet, told| address(sheet, "local", "local", told.ip("local"))),
    Field::One("link", "dev", link),
    Field::Some(source_ports),
    Field::One("port", "dstport", number),
    Field::Some(learning),
    Field::One("proxy", "proxy", if_set),
    Field::One("rsc", "rsc", if_set),
    Field::One("l2miss", "l2miss", if_set),
    Field::One("l3miss", "l3miss", if_set),
    Field::Some(tos),
    Field::Some(hop_limit),
    Field::Some(fragments),
    Field::One("label", "flowlabel", hex_if_set),
    Field::One("ageing", "ageing", ageing),
    Field::One("limit", "maxaddr", if_counted),
    Field::One("udp_csum", "udpcsum", or_no),
    Field::One("udp_zero_csum6_tx", "udp6zerocsumtx", or_no),
    Field::One("udp_zero_csum6_rx", "udp6zerocsumrx", or_no),
    Field::One("remcsum_tx", "remcsumtx", if_set),
    Field::One("remcsum_rx", "remcsumrx", if_set),
    Field::One("gbp", "gbp", if_set),
    Field::One("gpe", "gpe", if_set),
];

pub const GENEVE: &[Field] = &[
    Field::One("external", "external", if_set),
    Field::One("id", "id", number),
    Field::Some(|sheet, told| {
        // ip is silent about a group here.
        address(sheet, "remote", "remote", told.ip("remote").filter(|ip| ip.is_ipv4() || !ip.is_multicast()));
    }),
    Field::Some(hop_limit),
    Field::Some(tos),
    Field::Some(fragments),
    Field::One("label", "flowlabel", hex_if_set),
    Field::One("port", "dstport", number),
    Field::One("udp_csum", "udpcsum", or_no),
    Field::One("udp_zero_csum6_tx", "udp6zerocsumtx", or_no),
    Field::One("udp_zero_csum6_rx", "udp6zerocsumrx", or_no),
    Field::One("inner_proto_inherit", "innerprotoinherit", if_set),
];

pub const GRE: &[Field] = &[
    Field::One("external", "external", if_set),
    Field::Some(ends),
    Field::One("link", "dev", link),
    Field::Some(inherited_hop_limit),
    Field::Some(tos),
    Field::Some(|sheet, told| match told.number("pmtudisc") {
        Some(0) => sheet.both("pmtudisc", false, "nopmtudisc "),
        Some(_) => sheet.json("pmtudisc", true),
        None => {}
    }),
    Field::One("ignore_df", "ignore-df", if_set),
    Field::Some(keys),
    Field::One("fwmark", "fwmark", hex_if_set),
    Field::Some(encapsulation),
];

pub const IP_TUNNEL: &[Field] = &[
    Field::One("external", "external", if_set),
    Field::Some(inner_protocol),
    Field::Some(ends),
    Field::One("link", "dev", link),
    Field::Some(inherited_hop_limit),
    Field::Some(tos),
    Field::Some(|sheet, told| match told.number("pmtudisc") {
        Some(0) | None => sheet.both("pmtudisc", false, "nopmtudisc "),
        Some(_) => sheet.both("pmtudisc", true, "pmtudisc "),
    }),
    Field::Some(|sheet, told| {
        if told.number("flags").is_some_and(|flags| flags & 1 != 0) {
            sheet.both("isatap", true, "isatap ");
        }
    }),
    Field::Some(rapid_deployment),
    Field::One("fwmark", "fwmark", hex_if_set),
    Field::Some(encapsulation),
];

/// An address that is one; the key of an IPv6 one ends in 6.
fn address(sheet: &mut Sheet<'_>, key: &str, word: &str, ip: Option<IpAddr>) {
    if let Some(ip) = ip.filter(|ip| !ip.is_unspecified()) {
        let key = if ip.is_ipv6() { format!("{key}6") } else { key.to_owned() };
        text(sheet, &key, word, ip.to_string());
    }
}

fn remote(sheet: &mut Sheet<'_>, ip: Option<IpAddr>) {
    let word = if ip.is_some_and(|ip| ip.is_multicast()) { "group" } else { "remote" };
    address(sheet, word, word, ip);
}

/// The ends of a tunnel, which may be any.
fn ends(sheet: &mut Sheet<'_>, told: Told<'_>) {
    for key in ["remote", "local"] {
        let ip = told.ip(key).filter(|ip| !ip.is_unspecified());
        text(sheet, key, key, ip.map_or_else(|| "any".to_owned(), |ip| ip.to_string()));
    }
}

fn source_ports(sheet: &mut Sheet<'_>, told: Told<'_>) {
    let Some((low, high)) = told.pair("port_range") else { return };
    sheet.object("port_range", |sheet| {
        sheet.json("low", low);
        sheet.json("high", high);
    });
    sheet.text(format_args!("srcport {low} {high} "));
}

fn learning(sheet: &mut Sheet<'_>, told: Told<'_>) {
    match told.number("learning") {
        Some(0) => sheet.both("learning", false, "nolearning "),
        Some(_) => sheet.json("learning", true),
        None => {}
    }
}

fn tos(sheet: &mut Sheet<'_>, told: Told<'_>) {
    match told.number("tos") {
        None | Some(0) => {}
        Some(1) => sheet.both("tos", "0x1", "tos inherit "),
        Some(tos) => text(sheet, "tos", "tos", in_hex(tos)),
    }
}

fn hop_limit(sheet: &mut Sheet<'_>, told: Told<'_>) {
    match told.number("ttl") {
        _ if told.number("ttl_inherit").is_some_and(|on| on != 0) => sheet.text("ttl inherit "),
        Some(0) => sheet.both("ttl", 0, "ttl auto "),
        Some(ttl) => sheet.both("ttl", ttl, format_args!("ttl {ttl} ")),
        None => {}
    }
}

fn inherited_hop_limit(sheet: &mut Sheet<'_>, told: Told<'_>) {
    match told.number("ttl").unwrap_or(0) {
        0 => sheet.both("ttl", 0, "ttl inherit "),
        ttl => sheet.both("ttl", ttl, format_args!("ttl {ttl} ")),
    }
}

/// Whether packets may be split.
fn fragments(sheet: &mut Sheet<'_>, told: Told<'_>) {
    match told.number("df") {
        Some(0) => sheet.json("df", "unset"),
        Some(1) => sheet.both("df", "set", "df set "),
        Some(2) => sheet.both("df", "inherit", "df inherit "),
        _ => {}
    }
}

fn ageing(sheet: &mut Sheet<'_>, key: &str, word: &str, value: &DetailValue) {
    match value {
        DetailValue::Number(0) => sheet.both(key, 0, format_args!("{word} none ")),
        value => number(sheet, key, word, value),
    }
}

fn if_counted(sheet: &mut Sheet<'_>, key: &str, word: &str, value: &DetailValue) {
    if !matches!(value, DetailValue::Number(0)) {
        number(sheet, key, word, value);
    }
}

/// Keys, sequence numbers and checksums of each way, where they are used.
fn keys(sheet: &mut Sheet<'_>, told: Told<'_>) {
    // Of `linux/if_tunnel.h`.
    const CHECKSUM: u64 = 0x8000;
    const KEY: u64 = 0x2000;
    const SEQUENCE: u64 = 0x1000;
    let [iflags, oflags] = ["iflags", "oflags"].map(|name| told.number(name).unwrap_or(0));
    for (flags, key) in [(iflags, "ikey"), (oflags, "okey")] {
        if let Some(ip) = told.ip(key).filter(|_| flags & KEY != 0) {
            text(sheet, key, key, ip.to_string());
        }
    }
    let words = [
        (iflags, SEQUENCE, "iseq"),
        (oflags, SEQUENCE, "oseq"),
        (iflags, CHECKSUM, "icsum"),
        (oflags, CHECKSUM, "ocsum"),
    ];
    for (flags, flag, word) in words {
        if flags & flag != 0 {
            sheet.both(word, true, format_args!("{word} "));
        }
    }
}

fn inner_protocol(sheet: &mut Sheet<'_>, told: Told<'_>) {
    let name = match told.number("proto") {
        Some(4) => "ipip",
        Some(41) => "ip6ip",
        Some(137) => "mplsip",
        Some(0) => "any",
        _ => return,
    };
    sheet.both("proto", name, format_args!("{name} "));
}

/// IPv6 prefixes made of IPv4 addresses.
fn rapid_deployment(sheet: &mut Sheet<'_>, told: Told<'_>) {
    let (Some(prefix), Some(len)) = (told.ip("prefix"), told.number("prefixlen").filter(|&len| len > 0)) else {
        return;
    };
    sheet.json("prefix", prefix.to_string());
    sheet.json("prefixlen", len);
    sheet.text(format_args!("6rd-prefix {prefix}/{len} "));
    let relay = told.ip("relay_prefix").filter(|ip| !ip.is_unspecified());
    if let (Some(relay), Some(len)) = (relay, told.number("relay_prefixlen")) {
        sheet.json("relay_prefix", relay.to_string());
        sheet.json("relay_prefixlen", len);
        sheet.text(format_args!("6rd-relay_prefix {relay}/{len} "));
    }
}

/// UDP around the tunnel.
fn encapsulation(sheet: &mut Sheet<'_>, told: Told<'_>) {
    let Some(kind) = told.number("encap_type").filter(|&kind| kind != 0) else { return };
    let [flags, sport, dport] =
        ["encap_flags", "encap_sport", "encap_dport"].map(|name| told.number(name).unwrap_or(0));
    sheet.object("encap", |sheet| {
        sheet.text("encap ");
        match kind {
            1 => sheet.both("type", "fou", "fou "),
            2 => sheet.both("type", "gue", "gue "),
            _ => sheet.both("type", Value::Null, "unknown "),
        }
        sheet.json("sport", sport);
        sheet.json("dport", dport);
        let sport = if sport == 0 { "auto".to_owned() } else { sport.to_string() };
        sheet.text(format_args!("encap-sport {sport} encap-dport {dport} "));
        for (bit, word) in [(1, "csum"), (2, "csum6"), (4, "remcsum")] {
            let set = flags & bit != 0;
            let no = if set { "" } else { "no" };
            sheet.both(word, set, format_args!("{no}encap-{word} "));
        }
    });
}
