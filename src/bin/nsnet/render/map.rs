//! A map as JSON, and as the picture that is drawn of it.

use std::{
    ffi::OsString,
    io::{self, Write},
};

use nsnet::{
    Addr, Link,
    inspect::{Map, Namespace, Port, WireKind},
    netns::{Hold, Holder},
};
use serde::Serialize;

use super::{
    Format, MapForm, Style,
    draw::{self, Box, Drift, End, Line, Picture, Row},
    json::{self, HeldBy, Name},
};

pub fn write(out: &mut impl Write, format: Format, style: Style, map: &Map, form: &MapForm) -> io::Result<()> {
    if format.json {
        return json::one(out, format.pretty, &Document::of(map));
    }
    let picture = picture(map);
    let text = match form {
        MapForm::Tree => draw::tree(&picture, style),
        MapForm::Dot => draw::dot(&picture),
        MapForm::Mermaid => draw::mermaid(&picture),
        MapForm::Svg(_) => draw::svg(&picture),
    };
    out.write_all(text.as_bytes())
}

/// What a namespace is called for people.
pub fn title(map: &Map, at: usize) -> String {
    let reference = reference(&map.namespaces[at]);
    reference.map_or_else(|| format!("unknown-{at}"), |reference| draw::plain(reference.as_encoded_bytes()))
}

/// The same for programs.
pub fn written(namespace: &Namespace) -> Option<String> {
    reference(namespace).map(|reference| reference.to_string_lossy().into_owned())
}

/// What the user may write for a namespace.
fn reference(namespace: &Namespace) -> Option<OsString> {
    let name = namespace.names.first().map(|name| name.as_os_str().to_owned());
    let of_holder = |holder: &Holder| match &holder.hold {
        Hold::Process => format!("pid:{}", holder.pid).into(),
        _ => holder.path().into_os_string(),
    };
    let process = || namespace.processes().next().or_else(|| namespace.holders.first());
    name.or_else(|| namespace.current.then(|| ".".into())).or_else(|| process().map(of_holder))
}

fn picture(map: &Map) -> Picture {
    let boxes = map.namespaces.iter().enumerate().map(|(at, namespace)| Box {
        title: title(map, at),
        note: note(namespace),
        rows: rows(namespace),
        is_switch: false,
        drift: Drift::None,
    });
    let lines = map.wires.iter().map(|wire| Line {
        ends: wire.ends.map(|port| end(map, port)),
        kind: kind_of_wire(map, wire.kind, wire.ends[0]),
        is_live: wire.live,
        drift: Drift::None,
    });
    Picture { boxes: boxes.collect(), lines: lines.collect() }
}

pub fn kind_of_wire(map: &Map, kind: WireKind, first: Port) -> &'static str {
    let kind_of_link = || first.link.and_then(|at| map.namespaces[first.namespace].links[at].0.kind.as_deref());
    match kind {
        WireKind::Pair => "",
        WireKind::Vxlan => "vxlan",
        _ => match kind_of_link() {
            Some("macvlan") => "macvlan on",
            Some("ipvlan") => "ipvlan on",
            Some("vlan") => "vlan on",
            _ => "on",
        },
    }
}

fn note(namespace: &Namespace) -> String {
    let here = (namespace.current && !namespace.names.is_empty()).then(|| "this namespace".to_owned());
    let dot = (namespace.current && namespace.names.is_empty()).then(|| "this namespace".to_owned());
    let others = namespace.names.iter().skip(1);
    let also = others.map(|name| format!("also {}", draw::plain(name.as_os_str().as_encoded_bytes())));
    let processes = namespace.processes().count();
    let first = namespace.processes().next().map(|holder| draw::plain(holder.command.as_bytes()));
    let inhabited = match (processes, first) {
        (0, _) => None,
        (1, Some(command)) => Some(command),
        (count, _) => Some(format!("{count} processes")),
    };
    let unread = namespace.unread.as_ref().map(|why| draw::plain(why.as_bytes()));
    here.into_iter().chain(dot).chain(also).chain(inhabited).chain(unread).collect::<Vec<_>>().join(", ")
}

/// `lo` is in every namespace: it is shown where somebody gave it an address.
pub fn is_shown((link, addrs): &(Link, Vec<Addr>)) -> bool {
    !link.flags.iter().any(|flag| flag == "LOOPBACK") || !shown_addrs(addrs).is_empty()
}

fn rows(namespace: &Namespace) -> Vec<Row> {
    let shown: Vec<_> = namespace.links.iter().filter(|link| is_shown(link)).collect();
    let position = |index: Option<u32>| shown.iter().position(|(link, _)| Some(link.index) == index);
    let row = |(link, addrs): &&(Link, Vec<Addr>)| {
        let stands_on = || (link.lower_nsid.is_none() && !link.is_pair()).then(|| link.lower_index()).flatten();
        let parent = position(link.master_index()).or_else(|| position(stands_on()));
        Row {
            name: draw::plain(link.name.as_bytes()),
            kind: link.kind.clone().filter(|_| !link.is_pair()).unwrap_or_default(),
            addrs: shown_addrs(addrs),
            parent: parent.filter(|&at| shown[at].0.index != link.index),
            is_switch: link.kind.as_deref() == Some("bridge"),
            is_down: !link.is_up() || link.flags.iter().any(|flag| flag == "NO-CARRIER"),
            drift: Drift::None,
        }
    };
    shown.iter().map(row).collect()
}

/// Those that somebody chose: the kernel gives the others to every link.
fn shown_addrs(addrs: &[Addr]) -> Vec<String> {
    let chosen = addrs.iter().filter(|addr| match addr.local {
        std::net::IpAddr::V4(ip) => !ip.is_loopback(),
        std::net::IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local(),
    });
    chosen.map(prefix).collect()
}

pub fn prefix(addr: &Addr) -> String {
    format!("{}/{}", addr.local, addr.prefix_len)
}

fn end(map: &Map, port: Port) -> End {
    let links = &map.namespaces[port.namespace].links;
    // Rows are the links that are shown.
    let row = port.link.filter(|&at| is_shown(&links[at]));
    let row = row.map(|at| links[..at].iter().filter(|link| is_shown(link)).count());
    End { at: port.namespace, row }
}

#[derive(Serialize)]
struct Document<'a> {
    namespaces: Vec<OneNamespace<'a>>,
    wires: Vec<OneWire<'a>>,
    unreadable_processes: usize,
}

#[derive(Serialize)]
pub struct OneNamespace<'a> {
    reference: Option<String>,
    inode: Option<u64>,
    names: Vec<Name>,
    current: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<&'a str>,
    pub held_by: Vec<HeldBy>,
    links: Vec<OneLink<'a>>,
}

#[derive(Serialize)]
pub struct OneLink<'a> {
    ifindex: u32,
    ifname: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    flags: &'a [String],
    operstate: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mtu: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    master: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ifalias: Option<&'a str>,
    addrs: Vec<String>,
}

#[derive(Serialize)]
struct OneWire<'a> {
    kind: &'static str,
    live: bool,
    ends: [OneEnd<'a>; 2],
}

#[derive(Serialize)]
struct OneEnd<'a> {
    namespace: usize,
    ifname: Option<&'a str>,
    ifindex: Option<u32>,
}

impl<'a> Document<'a> {
    fn of(map: &'a Map) -> Self {
        let wire = |wire: &nsnet::inspect::Wire| OneWire {
            kind: match wire.kind {
                WireKind::Pair => "pair",
                WireKind::Vxlan => "vxlan",
                _ => "lower",
            },
            live: wire.live,
            ends: wire.ends.map(|port| OneEnd::of(map, port)),
        };
        Self {
            namespaces: map.namespaces.iter().map(OneNamespace::of).collect(),
            wires: map.wires.iter().map(wire).collect(),
            unreadable_processes: map.unreadable,
        }
    }
}

impl<'a> OneNamespace<'a> {
    pub fn of(namespace: &'a Namespace) -> Self {
        Self {
            reference: written(namespace),
            inode: namespace.id.map(|id| id.inode),
            names: namespace.names.iter().map(Name::of).collect(),
            current: namespace.current,
            unread: namespace.unread.as_deref(),
            held_by: namespace.holders.iter().map(HeldBy::of).collect(),
            links: namespace.links.iter().map(OneLink::of).collect(),
        }
    }
}

impl<'a> OneLink<'a> {
    pub fn of((link, addrs): &'a (Link, Vec<Addr>)) -> Self {
        Self {
            ifindex: link.index,
            ifname: &link.name,
            kind: link.kind.as_deref(),
            flags: &link.flags,
            operstate: link.operstate,
            mtu: link.mtu_bytes,
            master: link.master.as_deref(),
            address: link.address.as_deref(),
            ifalias: link.alias.as_deref(),
            addrs: addrs.iter().map(prefix).collect(),
        }
    }
}

impl<'a> OneEnd<'a> {
    fn of(map: &'a Map, port: Port) -> Self {
        let link = port.link.map(|at| &map.namespaces[port.namespace].links[at].0);
        Self {
            namespace: port.namespace,
            ifname: link.map(|link| link.name.as_str()),
            ifindex: link.map(|link| link.index),
        }
    }
}
