//! A link, as `ip link` prints it, and the lines of it above its addresses.

use nsnet::{Link, NsRef, netlink::link::Lower};

use super::{counters, details};
use crate::{
    iproute2::Space,
    render::{Head, LinkRow, json::written, sheet::Sheet},
};

pub fn fill(sheet: &mut Sheet<'_>, row: &LinkRow) {
    if sheet.view.brief {
        brief(sheet, &row.link);
        if let Some(address) = &row.link.address {
            sheet.both("address", &**address, format_args!("{address} "));
        }
        flags(sheet, &row.link);
    } else {
        whole(sheet, row, Part::Link);
    }
    far_end(sheet, row);
}

/// What stands above the addresses of a link.
pub fn head(sheet: &mut Sheet<'_>, row: &LinkRow, head: Head) {
    match head {
        Head::None => return,
        _ if sheet.view.brief => brief(sheet, &row.link),
        Head::Short => whole(sheet, row, Part::Short),
        Head::Full => whole(sheet, row, Part::Full),
    }
    far_end(sheet, row);
}

/// How much of a link is shown, and for what.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All, for its own sake.
    Link,
    /// Above its addresses.
    Full,
    /// Above those of one family.
    Short,
}

fn brief(sheet: &mut Sheet<'_>, link: &Link) {
    name(sheet, link, |name| format!("{name:<16} "));
    sheet.both("operstate", link.operstate, format_args!("{:<14} ", link.operstate));
}

fn whole(sheet: &mut Sheet<'_>, row: &LinkRow, part: Part) {
    let link = &row.link;
    sheet.both("ifindex", link.index, format_args!("{}: ", link.index));
    name(sheet, link, |name| format!("{name}: "));
    flags(sheet, link);
    state(sheet, link, part);
    let details = sheet.view.details;
    if part != Part::Short || details {
        hardware(sheet, link);
    }
    namespace(sheet, row);
    if link.protocol_down {
        sheet.both("proto_down", true, " protodown on ");
    }
    if details {
        details::fill(sheet, link, part == Part::Link);
    }
    let own = part == Part::Link;
    if let Some(alias) = link.alias.as_deref().filter(|_| own || details) {
        sheet.line();
        let shown = sheet.safe(alias);
        sheet.both("ifalias", alias, format_args!("    alias {shown}"));
    }
    if own && sheet.view.statistics > 0 {
        sheet.line();
        counters::fill(sheet, link);
    }
    alt_names(sheet, link);
}

/// `name@lower` in text, a key for each in JSON.
fn name(sheet: &mut Sheet<'_>, link: &Link, text: impl Fn(String) -> String) {
    let own = sheet.safe(&link.name);
    let shown = match &link.lower {
        Some(Lower::Elsewhere(index)) => {
            sheet.json("link_index", *index);
            format!("{own}@if{index}")
        }
        Some(Lower::Here(lower)) => {
            sheet.json("link", lower.clone());
            format!("{own}@{}", sheet.safe(lower.as_deref().unwrap_or("NONE")))
        }
        _ => own,
    };
    sheet.both("ifname", &*link.name, text(shown));
}

fn flags(sheet: &mut Sheet<'_>, link: &Link) {
    sheet.both("flags", link.flags.clone(), format_args!("<{}> ", link.flags.join(",")));
}

fn state(sheet: &mut Sheet<'_>, link: &Link, part: Part) {
    if let Some(mtu) = link.mtu_bytes {
        sheet.both("mtu", mtu, format_args!("mtu {mtu} "));
    }
    if let Some(qdisc) = &link.qdisc {
        sheet.both("qdisc", &**qdisc, format_args!("qdisc {qdisc} "));
    }
    if let Some(master) = &link.master {
        let shown = sheet.safe(master);
        sheet.both("master", &**master, format_args!("master {shown} "));
    }
    sheet.both("operstate", link.operstate, format_args!("state {} ", link.operstate));
    if let Some(mode) = link.linkmode.filter(|_| part == Part::Link) {
        sheet.both("linkmode", mode, format_args!("mode {mode} "));
    }
    if let Some(group) = link.group {
        let group = sheet.view.names.name(Space::Group, group);
        sheet.both("group", &*group, format_args!("group {group} "));
    }
    if let Some(packets) = link.tx_queue_packets {
        sheet.both("txqlen", packets, format_args!("qlen {packets}"));
    }
}

fn hardware(sheet: &mut Sheet<'_>, link: &Link) {
    sheet.line();
    let layer = if sheet.view.names.is_numeric() { format!("[{}]", link.layer_number) } else { link.layer.clone() };
    sheet.both("link_type", &*layer, format_args!("    link/{layer} "));
    if let Some(address) = &link.address {
        sheet.both("address", &**address, address);
    }
    if let Some(broadcast) = &link.broadcast {
        if link.point_to_point {
            sheet.both("link_pointtopoint", true, " peer ");
        } else {
            sheet.text(" brd ");
        }
        sheet.both("broadcast", &**broadcast, broadcast);
    }
    if let Some(address) = &link.permanent_address {
        sheet.both("permaddr", &**address, format_args!(" permaddr {address}"));
    }
}

/// The namespace that it stands in with its other end, or with what it stands on.
fn namespace(sheet: &mut Sheet<'_>, row: &LinkRow) {
    let Some(id) = row.link.lower_nsid else { return };
    sheet.json("link_netnsid", id);
    match &row.peer.netns {
        Some(NsRef::Name(name)) => {
            let name = name.as_os_str().to_string_lossy();
            let shown = sheet.safe(&name);
            sheet.text(format_args!(" link-netns {shown}"));
        }
        _ if id >= 0 => sheet.text(format_args!(" link-netnsid {id}")),
        _ => sheet.text(" link-netnsid unknown"),
    }
}

fn alt_names(sheet: &mut Sheet<'_>, link: &Link) {
    if link.alt_names.is_empty() {
        return;
    }
    sheet.json("altnames", link.alt_names.clone());
    for name in &link.alt_names {
        sheet.line();
        let shown = sheet.safe(name);
        sheet.text(format_args!("    altname {shown}"));
    }
}

/// What nsnet says beyond ip.
fn far_end(sheet: &mut Sheet<'_>, row: &LinkRow) {
    if let Some(ns) = &row.peer.netns {
        let (text, bytes) = written(ns);
        sheet.json("link_netns", text);
        if let Some(bytes) = bytes {
            sheet.json("link_netns_bytes", bytes);
        }
    }
    if let Some(name) = &row.peer.ifname {
        sheet.json("peer_ifname", &**name);
    }
}
