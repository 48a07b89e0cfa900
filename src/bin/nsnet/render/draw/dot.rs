//! For Graphviz.

use std::fmt::Write as _;

use super::{Picture, graph::Graph};

pub fn dot(picture: &Picture) -> String {
    let graph = Graph::of(picture);
    let mut text = String::from("graph nsnet {\n  node [shape=box, fontname=\"monospace\"];\n");
    text.push_str("  edge [fontname=\"monospace\", fontsize=10];\n");
    for (at, node) in graph.nodes.iter().enumerate() {
        let label = quoted(std::iter::once(&node.title).chain(&node.lines));
        let shape = if node.is_switch { ", shape=oval" } else { "" };
        // A String takes everything.
        let _ = writeln!(text, "  n{at} [label={label}{shape}];");
    }
    for edge in &graph.edges {
        let [tail, head] = &edge.labels;
        let style = match (edge.is_live, edge.is_inner) {
            (false, _) => ", style=dashed, color=red",
            (true, true) => ", style=dotted",
            (true, false) => "",
        };
        let [a, b] = edge.nodes;
        let kind = quoted(std::iter::once(&edge.kind.to_owned()));
        let (tail, head) = (quoted(tail), quoted(head));
        let _ = writeln!(text, "  n{a} -- n{b} [taillabel={tail}, headlabel={head}, label={kind}{style}];");
    }
    text.push_str("}\n");
    text
}

/// In a string of Graphviz's, only quotes and backslashes are special.
fn quoted<'a>(lines: impl IntoIterator<Item = &'a String>) -> String {
    let lines: Vec<_> = lines.into_iter().map(|line| line.replace('\\', "\\\\").replace('"', "\\\"")).collect();
    format!("\"{}\"", lines.join("\\n"))
}
