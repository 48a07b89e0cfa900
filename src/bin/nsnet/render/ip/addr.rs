//! A link and its addresses, as `ip address` prints them.

use std::net::IpAddr;

use nsnet::{Addr, Family, netlink::addr::AddrFlags};

use super::{counters, link};
use crate::{
    iproute2::Space,
    render::{AddrRow, Head, sheet::Sheet},
};

/// In ip's order, which is that of the kernel's numbers but for the first two.
const FLAGS: [(AddrFlags, &str); 11] = [
    (AddrFlags::SECONDARY, "secondary"),
    (AddrFlags::NODAD, "nodad"),
    (AddrFlags::OPTIMISTIC, "optimistic"),
    (AddrFlags::DADFAILED, "dadfailed"),
    (AddrFlags::HOME, "home"),
    (AddrFlags::DEPRECATED, "deprecated"),
    (AddrFlags::TENTATIVE, "tentative"),
    (AddrFlags::MNGTMPADDR, "mngtmpaddr"),
    (AddrFlags::NOPREFIXROUTE, "noprefixroute"),
    (AddrFlags::AUTOJOIN, "autojoin"),
    (AddrFlags::STABLE_PRIVACY, "stable-privacy"),
];

pub fn fill(sheet: &mut Sheet<'_>, AddrRow { row, addrs, head }: &AddrRow) {
    let alone = sheet.view.oneline && !sheet.view.brief;
    let head = if alone { Head::None } else { *head };
    link::head(sheet, row, head);
    sheet.objects("addr_info", addrs, |sheet, addr| {
        if sheet.view.brief {
            prefix(sheet, addr);
            return;
        }
        sheet.next();
        if alone {
            let shown = sheet.safe(&row.link.name);
            sheet.json("index", row.link.index);
            sheet.json("dev", &*row.link.name);
            sheet.text(format_args!("{}: {shown}", row.link.index));
        }
        whole(sheet, addr);
    });
    if head != Head::None && !sheet.view.brief && sheet.view.statistics > 0 {
        sheet.next();
        counters::fill(sheet, &row.link);
    }
}

fn whole(sheet: &mut Sheet<'_>, addr: &Addr) {
    let family = addr.family().as_str();
    sheet.both("family", family, format_args!("    {family} "));
    prefix(sheet, addr);
    if let Some(broadcast) = addr.broadcast {
        sheet.both("broadcast", broadcast.to_string(), format_args!("brd {broadcast} "));
    }
    let scope = sheet.view.names.name(Space::Scope, addr.scope.into());
    sheet.both("scope", &*scope, format_args!("scope {scope} "));
    flags(sheet, addr);
    if let Some(label) = &addr.label {
        let shown = sheet.safe(label);
        sheet.both("label", &**label, shown);
    }
    sheet.line();
    sheet.text("       ");
    lifetime(sheet, ["valid_lft ", "valid_life_time"], addr.lifetime.valid_s);
    lifetime(sheet, [" preferred_lft ", "preferred_life_time"], addr.lifetime.preferred_s);
}

/// `10.0.0.1/24 `, and what belongs to it.
fn prefix(sheet: &mut Sheet<'_>, addr: &Addr) {
    let shown = |ip: IpAddr| ip.to_string();
    sheet.both("local", shown(addr.local), addr.local);
    if let Some(peer) = addr.peer {
        sheet.both("address", shown(peer), format_args!(" peer {peer}"));
    }
    sheet.both("prefixlen", addr.prefix_len, format_args!("/{} ", addr.prefix_len));
    if let Some(metric) = addr.metric {
        sheet.both("metric", metric, format_args!("metric {metric} "));
    }
}

fn flags(sheet: &mut Sheet<'_>, addr: &Addr) {
    let mut left = addr.flags.without(AddrFlags::PERMANENT);
    for (flag, name) in FLAGS {
        if flag == AddrFlags::MNGTMPADDR && !addr.flags.contains(AddrFlags::PERMANENT) {
            sheet.both("dynamic", true, "dynamic ");
        }
        if addr.flags.contains(flag) {
            let temporary = flag == AddrFlags::SECONDARY && addr.family() == Family::Inet6;
            let name = if temporary { "temporary" } else { name };
            sheet.both(name, true, format_args!("{name} "));
        }
        left = left.without(flag);
    }
    if left != AddrFlags::default() {
        let bits = format!("{:02x}", left.bits());
        sheet.both("ifa_flags", &*bits, format_args!("flags {bits} "));
    }
}

fn lifetime(sheet: &mut Sheet<'_>, [before, key]: [&str; 2], seconds: Option<u32>) {
    match seconds {
        Some(seconds) => sheet.both(key, seconds, format_args!("{before}{seconds}sec")),
        None => sheet.both(key, u32::MAX, format_args!("{before}forever")),
    }
}
