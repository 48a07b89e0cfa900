//! A neighbour, as `ip neigh` prints it.

use nsnet::netlink::neigh::nud;

use crate::{
    iproute2::Space,
    render::{NeighRow, sheet::Sheet},
};

/// The kernel counts in ticks of its user interface.
const TICKS_PER_SECOND: u32 = 100;

const STATES: [(u16, &str); 8] = [
    (nud::INCOMPLETE, "INCOMPLETE"),
    (nud::REACHABLE, "REACHABLE"),
    (nud::STALE, "STALE"),
    (nud::DELAY, "DELAY"),
    (nud::PROBE, "PROBE"),
    (nud::FAILED, "FAILED"),
    (nud::NOARP, "NOARP"),
    (nud::PERMANENT, "PERMANENT"),
];

/// Without the link, where all are on one.
pub fn fill(sheet: &mut Sheet<'_>, row: &NeighRow, of_one_device: bool) {
    if sheet.view.brief {
        return brief(sheet, row, of_one_device);
    }
    let neigh = &row.neigh;
    let ip = neigh.ip.to_string();
    sheet.both("dst", &*ip, format_args!("{ip} "));
    if let Some(device) = device(row, of_one_device) {
        let shown = sheet.safe(&device);
        sheet.both("dev", &*device, format_args!("dev {shown} "));
    }
    if let Some(lladdr) = &row.lladdr {
        sheet.both("lladdr", &**lladdr, format_args!("lladdr {lladdr} "));
    }
    let words = [
        (neigh.router, "router"),
        (neigh.proxy, "proxy"),
        (neigh.managed, "managed"),
        (neigh.extern_learn, "extern_learn"),
        (neigh.offload, "offload"),
    ];
    for (_, word) in words.into_iter().filter(|(on, _)| *on) {
        sheet.word(word, format_args!("{word} "));
    }
    if sheet.view.statistics > 0 {
        usage(sheet, row);
    }
    if neigh.state != 0 {
        let states = STATES.into_iter().filter(|(bit, _)| neigh.state & bit != 0).map(|(_, name)| name);
        sheet.list("state", states.collect());
    }
    if neigh.protocol != 0 {
        let name = sheet.view.names.name(Space::Protocol, neigh.protocol.into());
        sheet.both("protocol", &*name, format_args!("proto {name} "));
    }
}

fn device(row: &NeighRow, of_one_device: bool) -> Option<String> {
    let index = row.neigh.device;
    (!of_one_device && index != 0).then(|| row.device.clone().unwrap_or_else(|| format!("if{index}")))
}

fn usage(sheet: &mut Sheet<'_>, row: &NeighRow) {
    let Some(usage) = row.neigh.usage else { return };
    let seconds = |ticks: u32| ticks / TICKS_PER_SECOND;
    if usage.references > 0 {
        sheet.both("refcnt", usage.references, format_args!(" ref {}", usage.references));
    }
    sheet.both("used", seconds(usage.used), format_args!(" used {}", seconds(usage.used)));
    sheet.both("confirmed", seconds(usage.confirmed), format_args!("/{}", seconds(usage.confirmed)));
    sheet.both("updated", seconds(usage.updated), format_args!("/{}", seconds(usage.updated)));
    if let Some(probes) = usage.probes {
        sheet.both("probes", probes, format_args!("probes {probes} "));
    }
}

fn brief(sheet: &mut Sheet<'_>, row: &NeighRow, of_one_device: bool) {
    let ip = row.neigh.ip.to_string();
    sheet.both("dst", &*ip, format_args!("{ip:<39} "));
    if let Some(device) = device(row, of_one_device) {
        let shown = sheet.safe(&device);
        sheet.both("dev", &*device, format_args!("{shown:<16} "));
    }
    if let Some(lladdr) = &row.lladdr {
        sheet.both("lladdr", &**lladdr, lladdr);
    }
}
