//! A lab as a picture: a box for each node and each network.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use nsnet::{
    IfName,
    lab::{Lab, LinkState, LinkWhat, Place, Space},
    netlink::kind::Kind,
};
use serde::Serialize;

use super::{
    super::{
        Format, MapForm, Style,
        draw::{self, Box, Drift, End, Line, Picture, Row},
        json,
    },
    show::{network_of, spaces},
};

/// Draws what a file means.
pub fn write(out: &mut impl Write, format: Format, style: Style, lab: &Lab, form: &MapForm) -> io::Result<()> {
    draw(out, format, style, &picture(lab), form)
}

pub fn draw(out: &mut impl Write, format: Format, style: Style, picture: &Picture, form: &MapForm) -> io::Result<()> {
    if format.json {
        return json::one(out, format.pretty, &Document::of(picture));
    }
    let text = match form {
        MapForm::Tree => draw::tree(picture, style),
        MapForm::Dot => draw::dot(picture),
        MapForm::Mermaid => draw::mermaid(picture),
        MapForm::Svg(_) => draw::svg(picture),
    };
    out.write_all(text.as_bytes())
}

/// Namespaces first, then networks, each in the order of the file.
fn picture(lab: &Lab) -> Picture {
    let mut boxes: Vec<Box> = spaces(lab).map(|(name, space)| of_space(name, space)).collect();
    let places: HashMap<String, usize> = boxes.iter().enumerate().map(|(at, of)| (of.title.clone(), at)).collect();
    let mut networks = HashMap::new();
    for (name, network) in lab.spec.networks.iter() {
        networks.insert(name.get_ref().as_str(), boxes.len());
        boxes.push(Box { title: name.get_ref().clone(), note: note(network), is_switch: true, ..Box::default() });
    }
    let mut lines = Vec::new();
    for (at, (_, space)) in spaces(lab).enumerate() {
        for (row, (name, link)) in space.links.iter().enumerate() {
            let LinkWhat::Veth { peer: (place, far) } = &link.what else { continue };
            let here = End { at, row: Some(row) };
            let there = match place {
                Place::Switches => networks.get(network_of(lab, far)).map(|at| End { at: *at, row: None }),
                place => end(lab, &places, place, far),
            };
            // A link has two ends, and is one line.
            let first = there.filter(|there| there.row.is_none() || (here.at, here.row) < (there.at, there.row));
            let is_live = link.up && is_up(lab, place, far);
            lines.extend(first.map(|there| Line { ends: [here, there], kind: "", is_live, drift: Drift::None }));
            debug_assert_eq!(boxes[at].rows[row].name, name.as_str());
        }
    }
    Picture { boxes, lines }
}

fn of_space(name: &str, space: &Space) -> Box {
    let position = |name: &IfName| space.links.keys().position(|other| other == name);
    let row = |(name, link): (&IfName, &LinkState)| {
        let (kind, lower) = match &link.what {
            LinkWhat::Veth { .. } => (None, None),
            LinkWhat::Kind { kind, lower } => (Some(kind), lower.as_ref()),
        };
        Row {
            name: draw::plain(name.as_str().as_bytes()),
            kind: kind.map(|kind| kind.word().to_owned()).unwrap_or_default(),
            addrs: link.addrs.iter().map(ToString::to_string).collect(),
            parent: link.master.as_ref().or(lower).and_then(position),
            is_switch: kind.is_some_and(|kind| matches!(**kind, Kind::Bridge(_))),
            is_down: !link.up,
            drift: Drift::None,
        }
    };
    let note = if name == "." { "the starting namespace".to_owned() } else { String::new() };
    Box { title: name.to_owned(), note, rows: space.links.iter().map(row).collect(), ..Box::default() }
}

fn note(network: &nsnet::lab::spec::Network) -> String {
    network.subnets().map(|(subnet, _)| subnet).collect::<Vec<_>>().join(" ")
}

fn end(lab: &Lab, places: &HashMap<String, usize>, place: &Place, name: &IfName) -> Option<End> {
    let title = match place {
        Place::Node(node) => node.as_str(),
        _ => ".",
    };
    let links = &lab.state.spaces.get(place)?.links;
    Some(End { at: *places.get(title)?, row: links.keys().position(|other| other == name) })
}

fn is_up(lab: &Lab, place: &Place, name: &IfName) -> bool {
    let link = lab.state.spaces.get(place).and_then(|space| space.links.get(name));
    link.is_some_and(|link| link.up)
}

/// The picture for programs.
#[derive(Serialize)]
struct Document<'a> {
    nodes: Vec<OneNode<'a>>,
    lines: Vec<[OneEnd<'a>; 2]>,
}

#[derive(Serialize)]
struct OneNode<'a> {
    name: &'a str,
    network: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<&'static str>,
    interfaces: Vec<OneInterface<'a>>,
}

#[derive(Serialize)]
struct OneInterface<'a> {
    ifname: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    kind: &'a str,
    up: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<&'static str>,
    addrs: &'a [String],
}

#[derive(Serialize)]
struct OneEnd<'a> {
    node: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ifname: Option<&'a str>,
}

impl<'a> Document<'a> {
    fn of(picture: &'a Picture) -> Self {
        let end = |end: End| {
            let of = &picture.boxes[end.at];
            OneEnd { node: &of.title, ifname: end.row.map(|row| of.rows[row].name.as_str()) }
        };
        let interface = |row: &'a Row| OneInterface {
            ifname: &row.name,
            kind: &row.kind,
            up: !row.is_down,
            drift: row.drift.word(),
            addrs: &row.addrs,
        };
        let node = |of: &'a Box| OneNode {
            name: &of.title,
            network: of.is_switch,
            drift: of.drift.word(),
            interfaces: of.rows.iter().map(interface).collect(),
        };
        Self {
            nodes: picture.boxes.iter().map(node).collect(),
            lines: picture.lines.iter().map(|line| line.ends.map(end)).collect(),
        }
    }
}
