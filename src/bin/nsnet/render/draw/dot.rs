//! For Graphviz.

use std::fmt::Write as _;

use super::{Drift, Picture, graph::Graph};

pub fn dot(picture: &Picture) -> String {
    let graph = Graph::of(picture);
    let mut text = String::from("graph nsnet {\n  node [shape=box, fontname=\"monospace\"];\n");
    text.push_str("  edge [fontname=\"monospace\", fontsize=10];\n");
    for (at, node) in graph.nodes.iter().enumerate() {
        let label = quoted(std::iter::once(&node.title).chain(&node.lines));
        let shape = if node.is_switch { ", shape=oval" } else { "" };
        // A String takes everything.
        let colour = coloured(node.drift);
        let _ = writeln!(text, "  n{at} [label={label}{shape}{colour}];");
    }
    for edge in &graph.edges {
        let [tail, head] = &edge.labels;
        let style = match (edge.is_live, edge.is_inner, edge.drift) {
            (false, _, Drift::None) => ", style=dashed, color=red".to_owned(),
            (true, true, Drift::None) => ", style=dotted".to_owned(),
            (_, _, Drift::Missing) => format!(", style=dashed{}", coloured(edge.drift)),
            (_, _, drift) => coloured(drift),
        };
        let [a, b] = edge.nodes;
        let kind = quoted(std::iter::once(&edge.kind.to_owned()));
        let (tail, head) = (quoted(tail), quoted(head));
        let _ = writeln!(text, "  n{a} -- n{b} [taillabel={tail}, headlabel={head}, label={kind}{style}];");
    }
    text.push_str("}\n");
    text
}

fn coloured(drift: Drift) -> String {
    drift.colour().map_or_else(String::new, |colour| format!(", color=\"{colour}\", fontcolor=\"{colour}\""))
}

/// In a string of Graphviz's, only quotes and backslashes are special.
fn quoted<'a>(lines: impl IntoIterator<Item = &'a String>) -> String {
    let lines: Vec<_> = lines.into_iter().map(|line| line.replace('\\', "\\\\").replace('"', "\\\"")).collect();
    format!("\"{}\"", lines.join("\\n"))
}
