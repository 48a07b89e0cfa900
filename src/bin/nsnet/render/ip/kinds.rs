//! What drivers say of their links, as `ip -d` prints it: a table for each driver, in ip's order.

use std::net::IpAddr;

use nsnet::netlink::details::{Detail, DetailValue};
use serde_json::Value;

use super::tunnels;
use crate::{iproute2, render::sheet::Sheet};

/// What of a driver's details is shown next.
pub enum Field {
    /// One of them: its name, which is its key, the word before it, and how it is written.
    One(&'static str, &'static str, Show),
    /// Some that depend on each other.
    Some(fn(&mut Sheet<'_>, Told<'_>)),
}

/// Writes a value under a key and behind a word.
pub type Show = fn(&mut Sheet<'_>, &str, &str, &DetailValue);

/// What a driver says.
#[derive(Clone, Copy)]
pub struct Told<'a>(&'a [Detail]);

impl<'a> Told<'a> {
    pub fn value(self, name: &str) -> Option<&'a DetailValue> {
        self.0.iter().find(|detail| detail.name == name).map(|detail| &detail.value)
    }

    pub fn number(self, name: &str) -> Option<u64> {
        match self.value(name) {
            Some(DetailValue::Number(number)) => Some(*number),
            _ => None,
        }
    }

    pub fn ip(self, name: &str) -> Option<IpAddr> {
        match self.value(name) {
            Some(DetailValue::Ip(ip)) => Some(*ip),
            _ => None,
        }
    }

    pub fn pair(self, name: &str) -> Option<(u32, u32)> {
        match self.value(name) {
            Some(DetailValue::Pairs(pairs)) => pairs.first().copied(),
            _ => None,
        }
    }
}

/// Writes what a driver says.
pub fn fill(sheet: &mut Sheet<'_>, fields: &[Field], details: &[Detail]) {
    let told = Told(details);
    for field in fields {
        match field {
            Field::One(name, word, show) => {
                if let Some(value) = told.value(name) {
                    show(sheet, name, word, value);
                }
            }
            Field::Some(show) => show(sheet, told),
        }
    }
}

/// The fields of the links of a driver.
pub fn of_kind(kind: &str) -> Option<&'static [Field]> {
    Some(match kind {
        "bridge" => BRIDGE,
        "vxlan" => tunnels::VXLAN,
        "geneve" => tunnels::GENEVE,
        "gre" | "gretap" => tunnels::GRE,
        "ipip" | "sit" => tunnels::IP_TUNNEL,
        "macvlan" | "macvtap" => &[Field::Some(macvlan)],
        "ipvlan" | "ipvtap" => &[Field::Some(ipvlan)],
        "tun" => TUN,
        "vlan" => VLAN,
        "vrf" => VRF,
        "bond" => BOND,
        _ => return None,
    })
}

/// The fields of the ports of links of a driver.
pub fn of_port(kind: &str) -> Option<&'static [Field]> {
    Some(match kind {
        "bridge" => BRIDGE_PORT,
        "bond" => BOND_PORT,
        "vrf" => VRF,
        _ => return None,
    })
}

/// One whose word in text is its key.
const fn same(name: &'static str, show: Show) -> Field {
    Field::One(name, name, show)
}

const fn plain(name: &'static str) -> Field {
    same(name, number)
}

const VRF: &[Field] = &[plain("table")];

const BRIDGE: &[Field] = &[
    plain("forward_delay"),
    plain("hello_time"),
    plain("max_age"),
    plain("ageing_time"),
    plain("stp_state"),
    plain("priority"),
    plain("vlan_filtering"),
    same("vlan_protocol", protocol),
    same("bridge_id", bridge_id),
    Field::One("root_id", "designated_root", bridge_id),
    plain("root_port"),
    plain("root_path_cost"),
    plain("topology_change"),
    plain("topology_change_detected"),
    same("hello_timer", timer),
    same("tcn_timer", timer),
    same("topology_change_timer", timer),
    same("gc_timer", timer),
    plain("vlan_default_pvid"),
    plain("vlan_stats_enabled"),
    plain("vlan_stats_per_port"),
    same("group_fwd_mask", hex),
    Field::One("group_addr", "group_address", mac),
    plain("mcast_snooping"),
    Field::Some(bridge_options),
    plain("mcast_router"),
    plain("mcast_query_use_ifaddr"),
    plain("mcast_querier"),
    plain("mcast_hash_elasticity"),
    plain("mcast_hash_max"),
    Field::One("mcast_last_member_cnt", "mcast_last_member_count", number),
    Field::One("mcast_startup_query_cnt", "mcast_startup_query_count", number),
    Field::One("mcast_last_member_intvl", "mcast_last_member_interval", number),
    Field::One("mcast_membership_intvl", "mcast_membership_interval", number),
    Field::One("mcast_querier_intvl", "mcast_querier_interval", number),
    Field::One("mcast_query_intvl", "mcast_query_interval", number),
    Field::One("mcast_query_response_intvl", "mcast_query_response_interval", number),
    Field::One("mcast_startup_query_intvl", "mcast_startup_query_interval", number),
    plain("mcast_stats_enabled"),
    plain("mcast_igmp_version"),
    plain("mcast_mld_version"),
    plain("nf_call_iptables"),
    plain("nf_call_ip6tables"),
    plain("nf_call_arptables"),
];

const BRIDGE_PORT: &[Field] = &[
    same("state", |sheet, _, _, value| {
        state(sheet, value, &["disabled", "listening", "learning", "forwarding", "blocking"], |n| format!("({n})"));
    }),
    plain("priority"),
    plain("cost"),
    same("hairpin", on_off),
    same("guard", on_off),
    same("root_block", on_off),
    same("fastleave", on_off),
    same("learning", on_off),
    same("flood", on_off),
    Field::One("id", "port_id", hex),
    Field::One("no", "port_no", hex),
    plain("designated_port"),
    plain("designated_cost"),
    Field::One("bridge_id", "designated_bridge", bridge_id),
    Field::One("root_id", "designated_root", bridge_id),
    same("hold_timer", timer),
    same("message_age_timer", timer),
    same("forward_delay_timer", timer),
    plain("topology_change_ack"),
    plain("config_pending"),
    same("proxy_arp", on_off),
    same("proxy_arp_wifi", on_off),
    Field::One("multicast_router", "mcast_router", number),
    // ip says it again, in text only.
    Field::Some(|sheet, told| {
        if let Some(number) = told.number("fastleave") {
            sheet.text(format_args!("mcast_fast_leave {} ", on_or_off(number)));
        }
    }),
    same("mcast_flood", on_off),
    same("bcast_flood", on_off),
    same("mcast_to_unicast", on_off),
    same("neigh_suppress", on_off),
    Field::Some(forward_mask),
    same("vlan_tunnel", on_off),
    same("isolated", on_off),
    same("locked", on_off),
    same("backup_port", link),
];

const TUN: &[Field] = &[
    same("type", |sheet, key, word, value| {
        let name = match value {
            DetailValue::Number(1) => "tun".to_owned(),
            DetailValue::Number(2) => "tap".to_owned(),
            DetailValue::Number(other) => format!("UNKNOWN:{other}"),
            _ => return,
        };
        text(sheet, key, word, name);
    }),
    same("pi", on_off),
    same("vnet_hdr", on_off),
    Field::Some(tun_queues),
    same("persist", on_off),
    same("user", |sheet, key, word, value| owner(sheet, [key, word], value, "passwd")),
    same("group", |sheet, key, word, value| owner(sheet, [key, word], value, "group")),
];

const VLAN: &[Field] = &[
    same("protocol", protocol),
    plain("id"),
    Field::Some(vlan_flags),
    Field::One("ingress_qos", "ingress-qos-map", priorities),
    Field::One("egress_qos", "egress-qos-map", priorities),
];

const BOND: &[Field] = &[
    same("mode", |sheet, key, word, value| {
        const MODES: &[&str] =
            &["balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"];
        named(sheet, [key, word], value, MODES);
    }),
    same("active_slave", link),
    plain("miimon"),
    plain("updelay"),
    plain("downdelay"),
    plain("peer_notify_delay"),
    plain("use_carrier"),
    plain("arp_interval"),
    plain("arp_missed_max"),
    same("arp_ip_target", addresses),
    same("ns_ip6_target", addresses),
    same("arp_validate", |sheet, key, word, value| {
        named(
            sheet,
            [key, word],
            value,
            &["none", "active", "backup", "all", "filter", "filter_active", "filter_backup"],
        );
        if matches!(value, DetailValue::Number(0)) {
            sheet.json(key, Value::Null);
        }
    }),
    same("arp_all_targets", |sheet, key, word, value| named(sheet, [key, word], value, &["any", "all"])),
    same("primary", link),
    same("primary_reselect", |sheet, key, word, value| {
        named(sheet, [key, word], value, &["always", "better", "failure"]);
    }),
    same("fail_over_mac", |sheet, key, word, value| named(sheet, [key, word], value, &["none", "active", "follow"])),
    same("xmit_hash_policy", |sheet, key, word, value| {
        const POLICIES: &[&str] = &["layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac"];
        named(sheet, [key, word], value, POLICIES);
    }),
    plain("resend_igmp"),
    Field::One("num_peer_notif", "num_grat_arp", number),
    plain("all_slaves_active"),
    plain("min_links"),
    plain("lp_interval"),
    plain("packets_per_slave"),
    Field::One("ad_lacp_active", "lacp_active", |sheet, key, word, value| {
        named(sheet, [key, word], value, &["off", "on"]);
    }),
    Field::One("ad_lacp_rate", "lacp_rate", |sheet, key, word, value| {
        named(sheet, [key, word], value, &["slow", "fast"]);
    }),
    same("ad_select", |sheet, key, word, value| named(sheet, [key, word], value, &["stable", "bandwidth", "count"])),
    Field::Some(bond_aggregation),
    plain("ad_actor_sys_prio"),
    plain("ad_user_port_key"),
    same("ad_actor_system", mac),
    plain("tlb_dynamic_lb"),
];

const BOND_AD: &[Field] = &[
    Field::One("aggregator", "ad_aggregator", number),
    Field::One("num_ports", "ad_num_ports", number),
    Field::One("actor_key", "ad_actor_key", number),
    Field::One("partner_key", "ad_partner_key", number),
    Field::One("partner_mac", "ad_partner_mac", mac),
];

const BOND_PORT: &[Field] = &[
    same("state", |sheet, _, _, value| state(sheet, value, &["ACTIVE", "BACKUP"], |n| n.to_string())),
    same("mii_status", |sheet, key, word, value| {
        named(sheet, [key, word], value, &["UP", "GOING_DOWN", "DOWN", "GOING_BACK"]);
    }),
    plain("link_failure_count"),
    same("perm_hwaddr", mac),
    plain("queue_id"),
    plain("prio"),
    plain("ad_aggregator_id"),
    Field::Some(|sheet, told| operating_state(sheet, told, "ad_actor_oper_port_state")),
    Field::Some(|sheet, told| operating_state(sheet, told, "ad_partner_oper_port_state")),
];

pub fn text(sheet: &mut Sheet<'_>, key: &str, word: &str, value: String) {
    let shown = sheet.safe(&value);
    sheet.both(key, value, format_args!("{word} {shown} "));
}

pub fn number(sheet: &mut Sheet<'_>, key: &str, word: &str, value: &DetailValue) {
    if let DetailValue::Number(number) = value {
        sheet.both(key, *number, format_args!("{word} {number} "));
    }
}

fn on_or_off(number: u64) -> &'static str {
    if number == 0 { "off" } else { "on" }
}

fn on_off(sheet: &mut Sheet<'_>, key: &str, word: &str, value: &DetailValue) {
    if let DetailValue::Number(number) = *value {
        sheet.both(key, number != 0, format_args!("{word} {} ", on_or_off(number)));
    }
}

/// A word that is there or not.
pub fn if_set(sheet: &mut Sheet<'_>, key: &str, word: &str, value: &DetailValue) {
    if matches!(value, DetailValue::Number(number) if *number != 0) {
        sheet.both(key, true, format_args!("{word} "));
    }
}

/// A word with or without 'no' before it.
pub fn or_no(sheet: &mut Sheet<'_>, key: &str, word: &str, value: &DetailValue) {
    if let DetailValue::Number(number) = *value {
        let no = if number == 0 { "no" } else { "" };
        sheet.both(key, number != 0, format_args!("{no}{word} "));
    }
}

pub fn in_hex(number: u64) -> String {
    if number == 0 { "0".to_owned() } else { format!("{number:#x}") }
}

pub fn hex(sheet: &mut Sheet<'_>, key: &str, word: &str, value: &DetailValue) {
    if let DetailValue::Number(number) = *value {
        text(sheet, key, word, in_hex(number));
    }
}

/// The same where it is not 0.
pub fn hex_if_set(sheet: &mut Sheet<'_>, key: &str, word: &str, value: &DetailValue) {
    if !matches!(value, DetailValue::Number(0)) {
        hex(sheet, key, word, value);
    }
}

fn named(sheet: &mut Sheet<'_>, [key, word]: [&str; 2], value: &DetailValue, names: &[&str]) {
    if let DetailValue::Number(number) = *value {
        let name = usize::try_from(number).ok().and_then(|at| names.get(at));
        text(sheet, key, word, name.map_or_else(|| number.to_string(), ToString::to_string));
    }
}

/// A state by name, or by number where it has none.
fn state(sheet: &mut Sheet<'_>, value: &DetailValue, names: &[&str], unnamed: fn(u64) -> String) {
    let DetailValue::Number(number) = *value else { return };
    match usize::try_from(number).ok().and_then(|at| names.get(at)) {
        Some(name) => text(sheet, "state", "state", (*name).to_owned()),
        None => sheet.both("state_index", number, format_args!("state {} ", unnamed(number))),
    }
}

fn protocol(sheet: &mut Sheet<'_>, key: &str, word: &str, value: &DetailValue) {
    let name = match value {
        DetailValue::Number(0x8100) => "802.1Q".to_owned(),
        DetailValue::Number(0x88a8) => "802.1ad".to_owned(),
        DetailValue::Number(other) => format!("[{other}]"),
        _ => return,
    };
    text(sheet, key, word, name);
}

/// A hundredth of a second each.
fn timer(sheet: &mut Sheet<'_>, key: &str, word: &str, value: &DetailValue) {
    if let DetailValue::Number(number) = *value {
        let (seconds, hundredths) = (number / 100, number % 100);
        #[expect(clippy::cast_precision_loss, reason = "timers run for minutes")]
        let value = number as f64 / 100.0;
        sheet.both(key, value, format_args!("{word} {seconds:>4}.{hundredths:02} "));
    }
}

fn bridge_id(sheet: &mut Sheet<'_>, key: &str, word: &str, value: &DetailValue) {
    if let DetailValue::Bytes(bytes) = value
        && let [high, low, address @ ..] = &bytes[..]
    {
        let groups: Vec<_> = address.iter().map(|byte| format!("{byte:x}")).collect();
        text(sheet, key, word, format!("{high:02x}{low:02x}.{}", groups.join(":")));
    }
}

fn as_mac(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

fn mac(sheet: &mut Sheet<'_>, key: &str, word: &str, value: &DetailValue) {
    if let DetailValue::Bytes(bytes) = value {
        text(sheet, key, word, as_mac(bytes));
    }
}

pub fn link(sheet: &mut Sheet<'_>, key: &str, word: &str, value: &DetailValue) {
    if let DetailValue::Link { name: Some(name), .. } = value {
        text(sheet, key, word, name.clone());
    }
}

fn addresses(sheet: &mut Sheet<'_>, key: &str, word: &str, value: &DetailValue) {
    let DetailValue::Many(values) = value else { return };
    let ip = |value: &DetailValue| match value {
        DetailValue::Ip(ip) => Some(ip.to_string()),
        _ => None,
    };
    let ips: Vec<String> = values.iter().filter_map(ip).collect();
    if !ips.is_empty() {
        sheet.both(key, ips.clone(), format_args!("{word} {} ", ips.join(",")));
    }
}

/// Two options that are bits of one attribute.
fn bridge_options(sheet: &mut Sheet<'_>, told: Told<'_>) {
    let Some((values, known)) = told.pair("boolopt") else { return };
    for (bit, key) in [(1, "no_linklocal_learn"), (2, "mcast_vlan_snooping")] {
        if known & bit != 0 {
            let value = u32::from(values & bit != 0);
            sheet.both(key, value, format_args!("{key} {value} "));
        }
    }
}

fn forward_mask(sheet: &mut Sheet<'_>, told: Told<'_>) {
    let Some(mask) = told.number("group_fwd_mask") else { return };
    text(sheet, "group_fwd_mask", "group_fwd_mask", in_hex(mask));
    let name = |bit: u32| match bit {
        0 => "stp".to_owned(),
        2 => "lacp".to_owned(),
        14 => "lldp".to_owned(),
        bit => format!("{:#x}", 1 << bit),
    };
    let names: Vec<_> = (0..16).filter(|bit| mask & (1 << bit) != 0).map(name).collect();
    let names = if names.is_empty() { "0x0".to_owned() } else { names.join(",") };
    text(sheet, "group_fwd_mask_str", "group_fwd_mask_str", names);
}

fn macvlan(sheet: &mut Sheet<'_>, told: Told<'_>) {
    const SOURCE: u64 = 16;
    let Some(mode) = told.number("mode") else { return };
    let name = match mode {
        1 => "private",
        2 => "vepa",
        4 => "bridge",
        8 => "passthru",
        SOURCE => "source",
        _ => "unknown",
    };
    text(sheet, "mode", "mode", name.to_owned());
    let flags = told.number("flags").unwrap_or(0);
    for (bit, word) in [(1, "nopromisc"), (2, "nodst")] {
        if flags & bit != 0 {
            sheet.both(word, true, format_args!("{word} "));
        }
    }
    for key in ["bcqueuelen", "usedbcqueuelen"] {
        if let Some(value) = told.value(key) {
            number(sheet, key, key, value);
        }
    }
    if mode == SOURCE {
        macvlan_sources(sheet, told);
    }
}

fn macvlan_sources(sheet: &mut Sheet<'_>, told: Told<'_>) {
    let Some(count) = told.number("macaddr_count") else { return };
    sheet.both("macaddr_count", count, format_args!("remotes ({count}) "));
    let Some(DetailValue::Many(values)) = told.value("macaddr_data") else { return };
    let address = |value: &DetailValue| match value {
        DetailValue::Bytes(bytes) => Some(as_mac(bytes)),
        _ => None,
    };
    let addresses: Vec<String> = values.iter().filter_map(address).collect();
    for address in &addresses {
        sheet.text(format_args!("{address} "));
    }
    sheet.json("macaddr_data", addresses);
}

fn ipvlan(sheet: &mut Sheet<'_>, told: Told<'_>) {
    if let Some(mode) = told.number("mode") {
        let name = match mode {
            0 => "l2",
            1 => "l3",
            2 => "l3s",
            _ => "unknown",
        };
        sheet.both("mode", name, format_args!(" mode {name} "));
    }
    if let Some(flags) = told.number("flags") {
        let word = match flags {
            flags if flags & 1 != 0 => "private",
            flags if flags & 2 != 0 => "vepa",
            _ => "bridge",
        };
        sheet.both(word, true, format_args!("{word} "));
    }
}

fn tun_queues(sheet: &mut Sheet<'_>, told: Told<'_>) {
    if told.number("multi_queue").unwrap_or(0) == 0 {
        sheet.json("multi_queue", false);
        return;
    }
    sheet.both("multi_queue", true, "multi_queue ");
    for key in ["numqueues", "numdisabled"] {
        if let Some(value) = told.value(key) {
            number(sheet, key, key, value);
        }
    }
}

/// A user or a group, by name where `/etc` has one.
fn owner(sheet: &mut Sheet<'_>, [key, word]: [&str; 2], value: &DetailValue, file: &str) {
    let DetailValue::Number(id) = value else { return };
    match iproute2::owner(file, *id) {
        Some(name) => text(sheet, key, word, name),
        None => number(sheet, key, word, value),
    }
}

fn vlan_flags(sheet: &mut Sheet<'_>, told: Told<'_>) {
    const NAMES: [&str; 5] = ["REORDER_HDR", "GVRP", "MVRP", "LOOSE_BINDING", "BRIDGE_BINDING"];
    let Some((flags, _)) = told.pair("flags") else { return };
    let set = NAMES.iter().enumerate().filter(|(bit, _)| flags & (1 << bit) != 0);
    let mut names: Vec<String> = set.map(|(_, name)| (*name).to_owned()).collect();
    let left = flags >> NAMES.len() << NAMES.len();
    if left != 0 {
        names.push(format!("{left:x}"));
    }
    sheet.both("flags", names.clone(), format_args!("<{}> ", names.join(",")));
}

fn priorities(sheet: &mut Sheet<'_>, key: &str, word: &str, value: &DetailValue) {
    let DetailValue::Pairs(pairs) = value else { return };
    sheet.line();
    sheet.text(format_args!("      {word} {{ "));
    sheet.objects(key, pairs, |sheet, &(from, to)| {
        sheet.json("from", from);
        sheet.json("to", to);
        sheet.text(format_args!("{from}:{to} "));
    });
    sheet.text("} ");
}

fn bond_aggregation(sheet: &mut Sheet<'_>, told: Told<'_>) {
    if told.value("aggregator").is_some() {
        sheet.object("ad_info", |sheet| fill(sheet, BOND_AD, told.0));
    }
}

fn operating_state(sheet: &mut Sheet<'_>, told: Told<'_>, key: &str) {
    const NAMES: [&str; 8] =
        ["active", "short_timeout", "aggregating", "in_sync", "collecting", "distributing", "defaulted", "expired"];
    let Some(state) = told.number(key) else { return };
    sheet.both(key, state, format_args!("{key} {state} "));
    let set = NAMES.iter().enumerate().filter(|(bit, _)| state & (1 << bit) != 0);
    let names: Vec<String> = set.map(|(_, name)| (*name).to_owned()).collect();
    sheet.both(&format!("{key}_str"), names.clone(), format_args!("{key}_str <{}> ", names.join(",")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        iproute2::Names,
        render::{Format, Style, View, sheet},
    };

    /// What is printed of a link of a driver, as text and as JSON.
    fn printed(kind: &str, details: &[(&'static str, DetailValue)]) -> [String; 2] {
        let names = Names::default();
        let style = Style { escape: false, color: false };
        let view = View {
            brief: false,
            oneline: false,
            details: true,
            statistics: 0,
            human: false,
            iec: false,
            style,
            names: &names,
        };
        let details: Vec<_> = details.iter().map(|(name, value)| Detail { name, value: value.clone() }).collect();
        let fields = of_kind(kind).or_else(|| of_port(kind.strip_suffix("_slave")?)).unwrap();
        [false, true].map(|json| {
            let mut out = Vec::new();
            sheet::write(&mut out, Format { json, pretty: false }, view, &[&details], |sheet, details| {
                fill(sheet, fields, details);
            })
            .unwrap();
            String::from_utf8(out).unwrap()
        })
    }

    fn ip(text: &str) -> DetailValue {
        DetailValue::Ip(text.parse().unwrap())
    }

    #[track_caller]
    fn prints(kind: &str, details: &[(&'static str, DetailValue)], text: &str, json: &str) {
        assert_eq!(printed(kind, details), [format!("{text}\n"), format!("[{json}]\n")]);
    }

    use DetailValue::{Many, Number, Pairs};

    #[test]
    fn a_vlan_is_printed_as_ips_source_says() {
        prints(
            "vlan",
            &[
                ("id", Number(5)),
                ("flags", Pairs(vec![(0x23, 0xffff_ffff)])),
                ("egress_qos", Pairs(vec![(1, 2), (3, 4)])),
                ("protocol", Number(0x88a8)),
            ],
            "protocol 802.1ad id 5 <REORDER_HDR,GVRP,20> \n      egress-qos-map { 1:2 3:4 } ",
            r#"{"protocol":"802.1ad","id":5,"flags":["REORDER_HDR","GVRP","20"],"egress_qos":[{"from":1,"to":2},{"from":3,"to":4}]}"#,
        );
    }

    #[test]
    fn a_bond_and_its_ports_are_printed_as_ips_source_says() {
        prints(
            "bond",
            &[
                ("mode", Number(4)),
                ("active_slave", DetailValue::Link { index: 7, name: Some("eth0".into()) }),
                ("primary", DetailValue::Link { index: 0, name: None }),
                ("miimon", Number(100)),
                ("arp_ip_target", Many(vec![ip("10.0.0.1"), ip("10.0.0.2")])),
                ("arp_validate", Number(0)),
                ("ad_lacp_active", Number(1)),
                ("aggregator", Number(1)),
                ("partner_mac", DetailValue::Bytes(vec![0; 6])),
            ],
            "mode 802.3ad active_slave eth0 miimon 100 arp_ip_target 10.0.0.1,10.0.0.2 arp_validate none lacp_active on \
             ad_aggregator 1 ad_partner_mac 00:00:00:00:00:00 ",
            r#"{"mode":"802.3ad","active_slave":"eth0","miimon":100,"arp_ip_target":["10.0.0.1","10.0.0.2"],"arp_validate":null,"ad_lacp_active":"on","ad_info":{"aggregator":1,"partner_mac":"00:00:00:00:00:00"}}"#,
        );
        prints(
            "bond_slave",
            &[("state", Number(1)), ("mii_status", Number(9)), ("ad_actor_oper_port_state", Number(5))],
            "state BACKUP mii_status 9 ad_actor_oper_port_state 5 ad_actor_oper_port_state_str <active,aggregating> ",
            r#"{"state":"BACKUP","mii_status":"9","ad_actor_oper_port_state":5,"ad_actor_oper_port_state_str":["active","aggregating"]}"#,
        );
    }

    #[test]
    fn ipvlans_and_vrfs_are_printed_as_ips_source_says() {
        prints(
            "ipvlan",
            &[("mode", Number(1)), ("flags", Number(0))],
            " mode l3 bridge ",
            r#"{"mode":"l3","bridge":true}"#,
        );
        prints("vrf", &[("table", Number(10))], "table 10 ", r#"{"table":10}"#);
        prints("vrf_slave", &[("table", Number(10))], "table 10 ", r#"{"table":10}"#);
    }

    #[test]
    fn tunnels_are_printed_as_ips_source_says() {
        prints(
            "gre",
            &[
                ("local", ip("10.0.0.1")),
                ("remote", ip("0.0.0.0")),
                ("ttl", Number(0)),
                ("tos", Number(1)),
                ("pmtudisc", Number(1)),
                ("iflags", Number(0x2000)),
                ("ikey", ip("0.0.0.7")),
                ("oflags", Number(0x9000)),
                ("okey", ip("0.0.0.8")),
                ("encap_type", Number(1)),
                ("encap_flags", Number(1)),
                ("encap_dport", Number(5555)),
            ],
            "remote any local 10.0.0.1 ttl inherit tos inherit ikey 0.0.0.7 oseq ocsum \
             encap fou encap-sport auto encap-dport 5555 encap-csum noencap-csum6 noencap-remcsum ",
            r#"{"remote":"any","local":"10.0.0.1","ttl":0,"tos":"0x1","pmtudisc":true,"ikey":"0.0.0.7","oseq":true,"ocsum":true,"encap":{"type":"fou","sport":0,"dport":5555,"csum":true,"csum6":false,"remcsum":false}}"#,
        );
        prints(
            "sit",
            &[
                ("proto", Number(41)),
                ("local", ip("10.0.0.1")),
                ("ttl", Number(64)),
                ("prefix", ip("2002::")),
                ("prefixlen", Number(16)),
            ],
            "ip6ip remote any local 10.0.0.1 ttl 64 nopmtudisc 6rd-prefix 2002::/16 ",
            r#"{"proto":"ip6ip","remote":"any","local":"10.0.0.1","ttl":64,"pmtudisc":false,"prefix":"2002::","prefixlen":16}"#,
        );
        prints(
            "geneve",
            &[
                ("id", Number(9)),
                ("remote", ip("fd00::9")),
                ("ttl", Number(0)),
                ("df", Number(0)),
                ("port", Number(6081)),
                ("udp_csum", Number(0)),
            ],
            "id 9 remote fd00::9 ttl auto dstport 6081 noudpcsum ",
            r#"{"id":9,"remote6":"fd00::9","ttl":0,"df":"unset","port":6081,"udp_csum":false}"#,
        );
    }
}
