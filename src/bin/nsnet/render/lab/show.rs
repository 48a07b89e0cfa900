//! A lab in tables: interfaces and where they lead, routes, checks.

use std::io::{self, Write};

use nsnet::lab::{Lab, LinkState, LinkWhat, Place, RouteState, Space};

use super::super::{Style, table};

pub fn write(out: &mut impl Write, style: Style, lab: &Lab) -> io::Result<()> {
    let mut interfaces = vec![["NODE", "INTERFACE", "LEADS TO", "MTU", "ADDRESSES"].map(str::to_owned)];
    let mut routes = vec![["NODE", "ROUTE"].map(str::to_owned)];
    for (name, space) in spaces(lab) {
        interfaces.extend(rows(lab, name, space));
        routes.extend(space.routes.iter().map(|route| [name.to_owned(), route_words(route)]));
    }
    writeln!(out, "lab {}", summary(lab))?;
    for rows in [&interfaces].into_iter().filter(|rows| rows.len() > 1) {
        writeln!(out)?;
        table(out, style, rows)?;
    }
    if routes.len() > 1 {
        writeln!(out)?;
        table(out, style, &routes)?;
    }
    if !lab.checks.is_empty() {
        writeln!(out)?;
        let checks = lab.checks.iter().map(|check| [check.name.clone(), format!("{:?}", check.within)]);
        let head = ["CHECK", "WITHIN"].map(str::to_owned);
        table(out, style, &[head].into_iter().chain(checks).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// `'campus': 5 nodes, 1 network, 1 link`
pub fn summary(lab: &Lab) -> String {
    let count = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let ends = spaces(lab).flat_map(|(_, space)| space.links.values());
    let pairs = ends.filter(|link| matches!(&link.what, LinkWhat::Veth { peer } if peer.0 != Place::Switches)).count();
    let mut words = vec![count(lab.nodes.len(), "node"), count(lab.spec.networks.0.len(), "network")];
    words.push(count(pairs / 2, "link"));
    words.extend(Some(lab.checks.len()).filter(|count| *count > 0).map(|checks| count(checks, "check")));
    format!("{}: {}", lab.name, words.join(", "))
}

/// The namespaces in the order of the file, then that of the caller.
pub fn spaces(lab: &Lab) -> impl Iterator<Item = (&str, &Space)> {
    let nodes = lab.nodes.iter().map(|node| (node.name.as_str(), Place::Node(node.name.clone())));
    let all = nodes.chain([(".", Place::Here)]);
    all.filter_map(|(name, place)| Some((name, lab.state.spaces.get(&place)?)))
}

fn rows<'a>(lab: &'a Lab, node: &'a str, space: &'a Space) -> impl Iterator<Item = [String; 5]> {
    let row = move |(name, link): (&nsnet::IfName, &LinkState)| {
        let mtu = link.mtu_bytes.map_or_else(|| "-".to_owned(), |mtu| mtu.to_string());
        let addrs: Vec<_> = link.addrs.iter().map(ToString::to_string).collect();
        let state = if link.up { "" } else { "down " };
        [node.to_owned(), name.as_str().to_owned(), leads_to(lab, link), mtu, format!("{state}{}", addrs.join(" "))]
    };
    space.links.iter().map(row)
}

/// The network, the other end of a link, or the kind.
fn leads_to(lab: &Lab, link: &LinkState) -> String {
    let belongs = link.master.as_ref().map(|master| format!(" in {}", master.as_str())).unwrap_or_default();
    let to = match &link.what {
        LinkWhat::Veth { peer: (place, far) } => match place {
            Place::Switches => network_of(lab, far).to_owned(),
            Place::Here => format!(".:{}", far.as_str()),
            Place::Node(node) => format!("{}:{}", node.as_str(), far.as_str()),
        },
        LinkWhat::Kind { kind, lower } => {
            let lower = lower.as_ref().map(|lower| format!(" on {}", lower.as_str())).unwrap_or_default();
            format!("({}{lower})", kind.word())
        }
    };
    to + &belongs
}

/// The network of a port of a switch.
pub fn network_of<'a>(lab: &'a Lab, port: &nsnet::IfName) -> &'a str {
    let port = lab.state.spaces.get(&Place::Switches).and_then(|space| space.links.get(port));
    port.and_then(|port| port.master.as_ref()).map_or("", |network| network.as_str())
}

/// In ip's words.
fn route_words(route: &RouteState) -> String {
    let RouteState { dst, kind, via, dev, metric, table, src, mtu_bytes, onlink } = route;
    let kind = Some(kind).filter(|kind| *kind != "unicast").cloned();
    let dst = if dst.is_all() {
        "default".to_owned()
    } else if dst.is_host() {
        dst.ip().to_string()
    } else {
        dst.to_string()
    };
    let words = [
        kind,
        Some(dst),
        via.map(|via| format!("via {via}")),
        dev.as_ref().map(|dev| format!("dev {}", dev.as_str())),
        Some(*metric).filter(|metric| *metric != 0).map(|metric| format!("metric {metric}")),
        Some(*table).filter(|table| *table != 254).map(|table| format!("table {table}")),
        src.map(|src| format!("src {src}")),
        mtu_bytes.map(|mtu| format!("mtu {mtu}")),
        onlink.then(|| "onlink".to_owned()),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}
