//! A rule, as `ip rule` prints it.

use std::ops::RangeInclusive;

use nsnet::{
    Prefix, Rule,
    netlink::rule::{Action, RuleState},
};

use crate::{iproute2::Space, render::sheet::Sheet};

pub fn fill(sheet: &mut Sheet<'_>, rule: &Rule) {
    let priority = rule.priority.unwrap_or(0);
    sheet.both("priority", priority, format_args!("{priority}:\t"));
    if rule.not {
        sheet.word("not", "not ");
    }
    match rule.from {
        Some(from) => prefix(sheet, ["from ", "src", "srclen"], from),
        None => sheet.both("src", "all", "from all"),
    }
    if let Some(to) = rule.to {
        prefix(sheet, [" to ", "dst", "dstlen"], to);
    }
    selectors(sheet, rule);
    action(sheet, rule);
    if let Some(protocol) = rule.protocol.filter(|&protocol| shown(protocol) || sheet.view.details) {
        let name = sheet.view.names.name(Space::Protocol, protocol.into());
        sheet.both("protocol", &*name, format_args!(" proto {name}"));
    }
}

/// Not those that the kernel made, nor nobody's.
fn shown(protocol: u8) -> bool {
    const KERNEL: u8 = 2;
    protocol != 0 && protocol != KERNEL
}

fn prefix(sheet: &mut Sheet<'_>, [before, key, len_key]: [&str; 3], prefix: Prefix) {
    // A length without an address.
    let ip = if prefix.ip().is_unspecified() { "0".to_owned() } else { prefix.ip().to_string() };
    sheet.both(key, &*ip, format_args!("{before}{ip}"));
    if !prefix.is_host() {
        let len = prefix.prefix_len();
        sheet.both(len_key, len, format_args!("/{len}"));
    }
}

fn selectors(sheet: &mut Sheet<'_>, rule: &Rule) {
    let RuleState { iif_detached, oif_detached, .. } = rule.state;
    if let Some(tos) = rule.tos {
        let tos = format!("{tos:#04x}");
        sheet.both("tos", &*tos, format_args!(" tos {tos}"));
    }
    if let Some((mark, mask)) = rule.fwmark {
        let (mark, own_mask) = (hex(mark), hex(mask));
        sheet.both("fwmark", &*mark, format_args!(" fwmark {mark}"));
        if mask != u32::MAX {
            sheet.both("fwmask", &*own_mask, format_args!("/{own_mask}"));
        }
    }
    interface(sheet, "iif", rule.iif.as_deref(), iif_detached);
    interface(sheet, "oif", rule.oif.as_deref(), oif_detached);
    if rule.l3mdev {
        sheet.word("l3mdev", " lookup [l3mdev-table]");
    }
    if let Some(uids) = &rule.uids {
        sheet.both("uid_start", *uids.start(), format_args!(" uidrange {}", uids.start()));
        sheet.both("uid_end", *uids.end(), format_args!("-{}", uids.end()));
    }
    if let Some(number) = rule.ip_protocol {
        let name = ip_protocol(number, sheet.view.names.is_numeric());
        sheet.both("ipproto", &*name, format_args!(" ipproto {name}"));
    }
    ports(sheet, "sport", rule.sport.as_ref());
    ports(sheet, "dport", rule.dport.as_ref());
}

fn hex(number: u32) -> String {
    if number == 0 { "0".to_owned() } else { format!("{number:#x}") }
}

fn interface(sheet: &mut Sheet<'_>, key: &str, name: Option<&str>, detached: bool) {
    let Some(name) = name else { return };
    let shown = sheet.safe(name);
    sheet.both(key, name, format_args!(" {key} {shown}"));
    if detached {
        sheet.word(&format!("{key}_detached"), " [detached]");
    }
}

fn ports(sheet: &mut Sheet<'_>, key: &str, range: Option<&RangeInclusive<u16>>) {
    let Some(range) = range else { return };
    let (from, to) = (*range.start(), *range.end());
    if from == to {
        sheet.both(key, from, format_args!(" {key} {from}"));
    } else {
        sheet.both(&format!("{key}_start"), from, format_args!(" {key} {from}"));
        sheet.both(&format!("{key}_end"), to, format_args!("-{to}"));
    }
}

fn ip_protocol(number: u8, numeric: bool) -> String {
    match number {
        _ if numeric => format!("ipproto-{number}"),
        1 => "icmp".into(),
        6 => "tcp".into(),
        17 => "udp".into(),
        58 => "ipv6-icmp".into(),
        132 => "sctp".into(),
        other => format!("ipproto-{other}"),
    }
}

fn action(sheet: &mut Sheet<'_>, rule: &Rule) {
    let Some(action) = rule.action else { return };
    match action {
        Action::Table(0) => {}
        Action::Table(table) => {
            let name = sheet.view.names.name(Space::Table, table);
            sheet.both("table", &*name, format_args!(" lookup {name}"));
            suppressed(sheet, rule);
        }
        Action::Goto(target) => {
            match target {
                Some(target) => sheet.both("goto", target, format_args!(" goto {target}")),
                None => sheet.both("goto", "none", " goto none"),
            }
            if rule.state.unresolved {
                sheet.word("unresolved", " [unresolved]");
            }
        }
        Action::Nop => sheet.word("nop", " nop"),
        Action::Blackhole => drops(sheet, "blackhole", 6),
        Action::Unreachable => drops(sheet, "unreachable", 7),
        Action::Prohibit => drops(sheet, "prohibit", 8),
        Action::Other(number) => drops(sheet, &number.to_string(), number),
        _ => {}
    }
}

fn suppressed(sheet: &mut Sheet<'_>, rule: &Rule) {
    if let Some(len) = rule.suppress_prefix_len {
        sheet.both("suppress_prefixlen", len, format_args!(" suppress_prefixlength {len}"));
    }
    if let Some(group) = rule.suppress_group {
        let name = sheet.view.names.name(Space::Group, group);
        sheet.both("suppress_ifgroup", &*name, format_args!(" suppress_ifgroup {name}"));
    }
}

fn drops(sheet: &mut Sheet<'_>, name: &str, number: u8) {
    let what = if sheet.view.names.is_numeric() { number.to_string() } else { name.to_owned() };
    sheet.both("action", &*what, format_args!(" {what}"));
}
