//! A lab as a topology of containerlab.

use std::fmt::Write as _;

use crate::{
    lab::{Lab, LinkState, LinkWhat, Place, RouteState, Space},
    name::IfName,
};

/// What nodes are made of: small, and it has ip.
const IMAGE: &str = "alpine:3";

/// The text, and what is not in it.
pub(super) fn write(lab: &Lab) -> (String, Vec<String>) {
    let mut text = format!("name: {}\ntopology:\n", quoted(lab.name.as_str()));
    let empty = lab.nodes.is_empty() && lab.spec.networks.is_empty();
    text += if empty { "  nodes: {}\n" } else { "  nodes:\n" };
    for (name, space) in nodes(lab) {
        write_node(&mut text, name, space);
    }
    for (network, _) in lab.spec.networks.iter() {
        // A String takes everything.
        let _ = writeln!(text, "    {}:\n      kind: bridge", quoted(network.get_ref()));
    }
    write_links(&mut text, lab);
    (text, left_out(lab))
}

fn nodes(lab: &Lab) -> impl Iterator<Item = (&str, &Space)> {
    lab.nodes
        .iter()
        .filter_map(|node| Some((node.name.as_str(), lab.state.spaces.get(&Place::Node(node.name.clone()))?)))
}

/// A word of JSON is one of YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn write_node(text: &mut String, name: &str, space: &Space) {
    // Without a network of docker's, eth0 is free.
    let _ = writeln!(text, "    {}:\n      kind: linux\n      image: {IMAGE}\n      network-mode: none", quoted(name));
    if !space.sysctls.is_empty() {
        text.push_str("      sysctls:\n");
    }
    for (setting, value) in &space.sysctls {
        let _ = writeln!(text, "        {}: {}", quoted(setting), quoted(value));
    }
    let ports = space.links.iter().filter(|(_, link)| is_port(link));
    let addrs = ports.flat_map(|(name, link)| link.addrs.iter().map(move |addr| (name, addr)));
    let addrs = addrs.map(|(name, addr)| format!("ip addr add {addr} dev {}", name.as_str()));
    let commands: Vec<_> = addrs.chain(space.routes.iter().map(route)).collect();
    if !commands.is_empty() {
        text.push_str("      exec:\n");
    }
    for command in commands {
        let _ = writeln!(text, "        - {}", quoted(&command));
    }
}

fn is_port(link: &LinkState) -> bool {
    matches!(link.what, LinkWhat::Veth { .. })
}

fn route(route: &RouteState) -> String {
    let RouteState { dst, kind, via, dev, metric, table, src, mtu_bytes, onlink } = route;
    let family = if dst.ip().is_ipv6() { "ip -6" } else { "ip" };
    let mut words = vec![format!("{family} route add")];
    words.extend(Some(kind).filter(|kind| *kind != "unicast").cloned());
    words.push(if dst.is_all() { "default".to_owned() } else { dst.to_string() });
    words.extend(via.map(|via| format!("via {via}")));
    words.extend(dev.as_ref().map(|dev| format!("dev {}", dev.as_str())));
    words.extend(Some(metric).filter(|metric| **metric != 0).map(|metric| format!("metric {metric}")));
    words.extend(Some(table).filter(|table| **table != 254).map(|table| format!("table {table}")));
    words.extend(src.map(|src| format!("src {src}")));
    words.extend(mtu_bytes.map(|mtu| format!("mtu {mtu}")));
    words.extend(onlink.then(|| "onlink".to_owned()));
    words.join(" ")
}

fn write_links(text: &mut String, lab: &Lab) {
    let mut links = Vec::new();
    let here = lab.state.spaces.get_key_value(&Place::Here);
    let own = lab.nodes.iter().map(|node| Place::Node(node.name.clone()));
    let own = own.filter_map(|place| lab.state.spaces.get_key_value(&place));
    for (place, space) in own.chain(here) {
        for (name, link) in &space.links {
            let LinkWhat::Veth { peer: (far_place, far) } = &link.what else { continue };
            // The end that comes first writes the link.
            let is_first = *far_place == Place::Switches || (order(lab, place), name) < (order(lab, far_place), far);
            if is_first {
                links.push((end(lab, place, name), end(lab, far_place, far), link.mtu_bytes));
            }
        }
    }
    if !links.is_empty() {
        text.push_str("  links:\n");
    }
    for (first, second, mtu) in links {
        let _ = writeln!(text, "    - endpoints: [{}, {}]", quoted(&first), quoted(&second));
        if let Some(mtu) = mtu {
            let _ = writeln!(text, "      mtu: {mtu}");
        }
    }
}

/// The position of a node in the file; the starting namespace comes last.
fn order(lab: &Lab, place: &Place) -> usize {
    let is_it = |name| matches!(place, Place::Node(node) if node == name);
    lab.nodes.iter().position(|node| is_it(&node.name)).unwrap_or(usize::MAX)
}

fn end(lab: &Lab, place: &Place, name: &IfName) -> String {
    let node = match place {
        Place::Node(node) => node.as_str(),
        Place::Here => "host",
        Place::Switches => {
            let port = lab.state.spaces.get(place).and_then(|space| space.links.get(name));
            port.and_then(|port| port.master.as_ref()).map_or("", IfName::as_str)
        }
    };
    format!("{node}:{}", name.as_str())
}

fn left_out(lab: &Lab) -> Vec<String> {
    let mut left_out = Vec::new();
    if !lab.spec.networks.is_empty() {
        left_out
            .push("containerlab wants a bridge for each network to be there: ip link add NAME up type bridge".into());
    }
    for (name, space) in nodes(lab) {
        for (interface, link) in space.links.iter().filter(|(_, link)| !is_port(link)) {
            let LinkWhat::Kind { kind, .. } = &link.what else { continue };
            left_out.push(format!("{name}: the {} {interface} is not kept", kind.word()));
        }
        let ports = space.links.iter().filter(|(_, link)| is_port(link));
        let changed = ports.filter(|(_, link)| link.master.is_some() || !link.up);
        left_out.extend(
            changed.map(|(port, _)| format!("{name}: what {port} belongs to, or that it is down, is not kept")),
        );
        let files = space.files.keys().filter(|file| *file != "hosts");
        left_out.extend(
            files.map(|file| format!("{name}: the file '{}' is not kept", crate::name::escaped(file.as_bytes()))),
        );
    }
    let runs = lab.nodes.iter().flat_map(|node| node.runs.iter().map(move |run| (node, run)));
    left_out.extend(runs.map(|(node, run)| format!("{}: the command '{}' is not kept", node.name.as_str(), run.name)));
    if lab.state.spaces.get(&Place::Here).is_some_and(|here| here.links.values().any(|link| !link.addrs.is_empty())) {
        left_out.push("addresses and routes of the starting namespace are not kept".into());
    }
    if !lab.checks.is_empty() {
        left_out.push("checks are not kept".into());
    }
    left_out
}
