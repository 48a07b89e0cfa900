//! What `ip -d` adds to a link.

use nsnet::{Link, netlink::details::Detail};

use super::kinds::{self, Field};
use crate::render::sheet::Sheet;

/// With `own`, the link is shown for its own sake.
pub fn fill(sheet: &mut Sheet<'_>, link: &Link, own: bool) {
    let details = &link.details;
    number(sheet, "promiscuity", " promiscuity ", details.promiscuity);
    number(sheet, "allmulti", " allmulti ", details.allmulti);
    number(sheet, "min_mtu", "minmtu ", details.min_mtu_bytes);
    number(sheet, "max_mtu", "maxmtu ", details.max_mtu_bytes);
    if link.kind.is_some() || link.port_kind.is_some() {
        sheet.object("linkinfo", |sheet| drivers(sheet, link));
    }
    if let Some(mode) = details.addr_gen_mode.filter(|_| own) {
        let mode = addr_gen_mode(mode);
        sheet.both("inet6_addr_gen_mode", &*mode, format_args!("addrgenmode {mode} "));
    }
    number(sheet, "num_tx_queues", "numtxqueues ", details.tx_queues);
    number(sheet, "num_rx_queues", "numrxqueues ", details.rx_queues);
    number(sheet, "gso_max_size", "gso_max_size ", details.gso_max_bytes);
    number(sheet, "gso_max_segs", "gso_max_segs ", details.gso_max_segments);
    number(sheet, "tso_max_size", "tso_max_size ", details.tso_max_bytes);
    number(sheet, "tso_max_segs", "tso_max_segs ", details.tso_max_segments);
    number(sheet, "gro_max_size", "gro_max_size ", details.gro_max_bytes);
    text(sheet, "phys_port_name", "portname", details.port_name.clone());
    text(sheet, "phys_port_id", "portid", details.port_id.as_deref().map(hex));
    text(sheet, "phys_switch_id", "switchid", details.switch_id.as_deref().map(hex));
    text(sheet, "parentbus", "parentbus", details.parent_bus.clone());
    text(sheet, "parentdev", "parentdev", details.parent_device.clone());
}

/// The driver of the link, and that of its master.
fn drivers(sheet: &mut Sheet<'_>, link: &Link) {
    if let Some(kind) = &link.kind {
        sheet.line();
        let shown = sheet.safe(kind);
        sheet.both("info_kind", &**kind, format_args!("    {shown} "));
        driver(sheet, "info_data", kinds::of_kind(kind), link.details.of_kind.as_deref());
    }
    if let Some(kind) = &link.port_kind {
        sheet.line();
        let shown = sheet.safe(kind);
        sheet.both("info_slave_kind", &**kind, format_args!("    {shown}_slave "));
        driver(sheet, "info_slave_data", kinds::of_port(kind), link.details.of_port.as_deref());
    }
}

fn driver(sheet: &mut Sheet<'_>, key: &str, fields: Option<&[Field]>, details: Option<&[Detail]>) {
    if let Some(fields) = fields {
        sheet.object(key, |sheet| {
            if let Some(details) = details {
                kinds::fill(sheet, fields, details);
            }
        });
    }
}

fn number(sheet: &mut Sheet<'_>, key: &str, before: &str, number: Option<u32>) {
    if let Some(number) = number {
        sheet.both(key, number, format_args!("{before}{number} "));
    }
}

fn text(sheet: &mut Sheet<'_>, key: &str, before: &str, text: Option<String>) {
    if let Some(text) = text {
        let shown = sheet.safe(&text);
        sheet.both(key, text, format_args!("{before} {shown} "));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn addr_gen_mode(mode: u8) -> String {
    match mode {
        0 => "eui64".into(),
        1 => "none".into(),
        2 => "stable_secret".into(),
        3 => "random".into(),
        other => format!("{other:#04x}"),
    }
}
