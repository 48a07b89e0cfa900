//! A route, as `ip route` prints it.

use std::collections::BTreeMap;

use nsnet::{
    Family, Prefix, Route,
    netlink::route::{Metric, MetricValue, NextHop, RouteCache, RouteKind, TABLE_MAIN},
};
use serde_json::{Map, Value};

use crate::{
    iproute2::Space,
    render::{RouteRows, RoutesHide, sheet::Sheet},
    words::route::METRICS,
};

const BOOT: u8 = 3;
const CLONED: u32 = 0x200;
const TICKS_PER_SECOND: u32 = 100;

/// In ip's order: `RTNH_F_*` and `RTM_F_*` of `linux/rtnetlink.h`.
const FLAGS: [(u32, &str); 11] = [
    (0x1, "dead"),
    (0x4, "onlink"),
    (0x2, "pervasive"),
    (0x8, "offload"),
    (0x40, "trap"),
    (0x100, "notify"),
    (0x10, "linkdown"),
    (0x20, "unresolved"),
    (0x4000, "rt_offload"),
    (0x8000, "rt_trap"),
    (0x2000_0000, "rt_offload_failed"),
];

/// Of a route that was found once: `RTCF_*` of `linux/in_route.h`.
const CACHE_FLAGS: [(u32, &str); 13] = [
    (0x8000_0000, "local"),
    (0x0010_0000, "reject"),
    (0x2000_0000, "mc"),
    (0x1000_0000, "brd"),
    (0x0800_0000, "dst-nat"),
    (0x0080_0000, "src-nat"),
    (0x0040_0000, "masq"),
    (0x0002_0000, "dst-direct"),
    (0x0400_0000, "src-direct"),
    (0x0004_0000, "redirected"),
    (0x0100_0000, "redirect"),
    (0x0020_0000, "fastroute"),
    (0x0001_0000, "notify"),
];

pub fn fill(sheet: &mut Sheet<'_>, route: &Route, rows: &RouteRows) {
    let RouteRows { hide, links, .. } = rows;
    let kind = route.kind.unwrap_or(RouteKind::Unicast);
    if kind != RouteKind::Unicast || sheet.view.details {
        let name = if sheet.view.names.is_numeric() { kind.number().to_string() } else { kind.name() };
        sheet.both("type", &*name, format_args!("{name} "));
    }
    let dst = prefix(route.dst);
    sheet.both("dst", &*dst, format_args!("{dst} "));
    if let Some(from) = route.from.map(prefix) {
        sheet.both("from", &*from, format_args!("from {from} "));
    }
    if let Some(id) = route.nexthop_id {
        sheet.both("nhid", id, format_args!("nhid {id} "));
    }
    if route.tos != 0 && !hide.tos {
        let tos = format!("{:#04x}", route.tos);
        sheet.both("tos", &*tos, format_args!("tos {tos} "));
    }
    if let Some(via) = route.hop.via.filter(|_| !hide.via) {
        let (key, value, text) = router(via, route.family());
        sheet.both(key, value, text);
    }
    if route.hop.device != 0 && !hide.device {
        link(sheet, "dev", route.hop.device, links);
    }
    who_and_where(sheet, route, *hide);
    sheet.list("flags", flag_names(route.flags));
    packet(sheet, route);
    metrics(sheet, &route.metrics);
    if route.iif != 0 && !hide.iif {
        link(sheet, "iif", route.iif, links);
    }
    if let Some(preference) = route.preference {
        match preference_name(preference) {
            Some(name) => sheet.both("pref", name, format_args!("pref {name}")),
            None => sheet.both("pref", preference, preference),
        }
    }
    hops(sheet, route, links);
}

fn prefix(prefix: Prefix) -> String {
    match prefix {
        all if all.is_all() => "default".into(),
        host if host.is_host() => host.ip().to_string(),
        other => other.to_string(),
    }
}

/// A router of another family is told with its family.
fn router(via: std::net::IpAddr, family: Family) -> (&'static str, Value, String) {
    if Family::of(via) == family {
        return ("gateway", via.to_string().into(), format!("via {via} "));
    }
    let own = Family::of(via).as_str();
    let value = Map::from_iter([("family".to_owned(), own.into()), ("host".to_owned(), via.to_string().into())]);
    ("via", value.into(), format!("via {own} {via} "))
}

fn link_name(index: u32, links: &BTreeMap<u32, String>) -> String {
    links.get(&index).cloned().unwrap_or_else(|| format!("if{index}"))
}

fn link(sheet: &mut Sheet<'_>, key: &str, index: u32, links: &BTreeMap<u32, String>) {
    let name = link_name(index, links);
    let shown = sheet.safe(&name);
    sheet.both(key, &*name, format_args!("{key} {shown} "));
}

fn who_and_where(sheet: &mut Sheet<'_>, route: &Route, hide: RoutesHide) {
    let (names, details) = (sheet.view.names, sheet.view.details);
    let table = route.table.unwrap_or(0);
    if table != 0 && (table != TABLE_MAIN || details) && !hide.table {
        let name = names.name(Space::Table, table);
        sheet.both("table", &*name, format_args!("table {name} "));
    }
    if route.flags & CLONED == 0 {
        let protocol = route.protocol.unwrap_or(0);
        if (protocol != BOOT || details) && !hide.protocol {
            let name = names.name(Space::Protocol, protocol.into());
            sheet.both("protocol", &*name, format_args!("proto {name} "));
        }
        let scope = route.scope.unwrap_or(0);
        if (scope != 0 || details) && !hide.scope {
            let name = names.name(Space::Scope, scope.into());
            sheet.both("scope", &*name, format_args!("scope {name} "));
        }
    }
    if let Some(src) = route.prefsrc.filter(|_| !hide.src) {
        sheet.both("prefsrc", src.to_string(), format_args!("src {src} "));
    }
    if let Some(metric) = route.metric.filter(|_| !hide.metric) {
        sheet.both("metric", metric, format_args!("metric {metric} "));
    }
}

fn flag_names(flags: u32) -> Vec<&'static str> {
    FLAGS.into_iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| name).collect()
}

/// What is said of the packet that the route was found for.
fn packet(sheet: &mut Sheet<'_>, route: &Route) {
    if let Some(mark) = route.mark.filter(|&mark| mark != 0) {
        let text = if mark >= 16 { format!("mark {mark:#x} ") } else { format!("mark {mark} ") };
        sheet.both("mark", mark, text);
    }
    if let Some(uid) = route.uid {
        sheet.both("uid", uid, format_args!("uid {uid} "));
    }
    if route.family() == Family::Inet && route.flags & CLONED != 0 {
        sheet.line();
        sheet.text("    cache ");
        let own: Vec<_> = CACHE_FLAGS.into_iter().filter(|(bit, _)| route.flags & bit != 0).collect();
        let own: Vec<_> = own.into_iter().map(|(_, name)| name).collect();
        if !own.is_empty() {
            sheet.text(format_args!("<{}> ", own.join(",")));
        }
        sheet.json("cache", own);
    }
    if let Some(info) = route.cache {
        cache(sheet, info);
    }
}

fn cache(sheet: &mut Sheet<'_>, info: RouteCache) {
    if info.expires != 0 {
        let seconds = info.expires / TICKS_PER_SECOND.cast_signed();
        sheet.both("expires", seconds, format_args!("expires {seconds}sec "));
    }
    if info.error != 0 {
        sheet.both("error", info.error, format_args!("error {} ", info.error));
    }
    if sheet.view.statistics == 0 {
        return;
    }
    if info.users != 0 {
        sheet.both("users", info.users, format_args!("users {} ", info.users));
    }
    if info.used != 0 {
        sheet.both("used", info.used, format_args!("used {} ", info.used));
    }
    if info.last_used != 0 {
        let seconds = info.last_used / TICKS_PER_SECOND;
        sheet.both("age", seconds, format_args!("age {seconds}sec "));
    }
}

fn metrics(sheet: &mut Sheet<'_>, metrics: &[Metric]) {
    if metrics.is_empty() {
        return;
    }
    let mut object = Map::new();
    for metric in metrics.iter().filter(|metric| !is_any_hop_limit(metric)) {
        let name = METRICS.into_iter().find(|(number, _)| *number == metric.number).map(|(_, name)| name);
        let lock = if metric.locked { "lock " } else { "" };
        let (value, text) = metric_value(metric);
        match name {
            Some(name) => sheet.text(format_args!("{name} {lock}{text} ")),
            None => sheet.text(format_args!("metric {} {lock}{text} ", metric.number)),
        }
        object.insert(if metric.number == 16 { "congestion" } else { name.unwrap_or_default() }.to_owned(), value);
    }
    sheet.json("metrics", vec![Value::Object(object)]);
}

fn is_any_hop_limit(metric: &Metric) -> bool {
    metric.number == 10 && metric.value == MetricValue::Number(u32::MAX)
}

/// Times are kept in parts of a millisecond.
fn metric_value(metric: &Metric) -> (Value, String) {
    let number = match &metric.value {
        MetricValue::Text(text) => return (text.clone().into(), text.clone()),
        MetricValue::Number(number) => *number,
    };
    let ms = match metric.number {
        4 => number / 8,
        5 => number / 4,
        13 => number,
        _ => return (number.into(), number.to_string()),
    };
    let text = if ms >= 1000 { format!("{}s", f64::from(ms) / 1e3) } else { format!("{ms}ms") };
    (ms.into(), text)
}

fn preference_name(preference: u8) -> Option<&'static str> {
    match preference {
        0 => Some("medium"),
        1 => Some("high"),
        3 => Some("low"),
        _ => None,
    }
}

fn hops(sheet: &mut Sheet<'_>, route: &Route, links: &BTreeMap<u32, String>) {
    if route.hops.is_empty() {
        return;
    }
    let mut all = Vec::new();
    for NextHop { hop, weight, flags, .. } in &route.hops {
        let mut object = Map::new();
        sheet.line();
        sheet.text("\tnexthop ");
        if let Some(via) = hop.via {
            let (key, value, text) = router(via, route.family());
            object.insert(key.to_owned(), value);
            sheet.text(text);
        }
        let name = link_name(hop.device, links);
        let shown = sheet.safe(&name);
        sheet.text(format_args!("dev {shown} weight {weight} "));
        object.insert("dev".into(), name.into());
        object.insert("weight".into(), (*weight).into());
        let own = flag_names(*flags);
        for name in &own {
            sheet.text(format_args!("{name} "));
        }
        object.insert("flags".into(), own.into());
        all.push(Value::Object(object));
    }
    sheet.json("nexthops", all);
}
