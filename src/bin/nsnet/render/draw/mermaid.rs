//! For Mermaid, as Markdown shows it.

use std::fmt::Write as _;

use super::{Picture, graph::Graph};

pub fn mermaid(picture: &Picture) -> String {
    let graph = Graph::of(picture);
    let mut text = String::from("graph LR\n");
    for (at, node) in graph.nodes.iter().enumerate() {
        let label = quoted(std::iter::once(&node.title).chain(&node.lines));
        // A String takes everything.
        let (left, right) = if node.is_switch { ("([", "])") } else { ("[", "]") };
        let _ = writeln!(text, "  n{at}{left}{label}{right}");
        if let Some(colour) = node.drift.colour() {
            let _ = writeln!(text, "  style n{at} stroke:{colour},color:{colour}");
        }
    }
    for (at, edge) in graph.edges.iter().enumerate() {
        let [a, b] = edge.nodes;
        let arrow = if edge.is_live && !edge.is_inner { "---" } else { "-.-" };
        let kind = Some(edge.kind.to_owned()).filter(|kind| !kind.is_empty());
        let ends = edge.labels.iter().filter(|label| !label.is_empty()).map(|label| label.join(" "));
        let dead = (!edge.is_live).then(|| "down".to_owned());
        let label: Vec<_> = ends.chain(kind).chain(dead).collect();
        let label = if label.is_empty() { String::new() } else { format!("|{}|", quoted(&label)) };
        let _ = writeln!(text, "  n{a} {arrow}{label} n{b}");
        if let Some(colour) = edge.drift.colour() {
            let _ = writeln!(text, "  linkStyle {at} stroke:{colour}");
        }
    }
    text
}

/// Mermaid has no way to escape but the numbers of characters.
fn quoted<'a>(lines: impl IntoIterator<Item = &'a String>) -> String {
    let safe = |c: char| c.is_alphanumeric() || " .:/-_@()".contains(c);
    let encoded = |line: &String| {
        line.chars().fold(String::new(), |mut text, c| {
            if safe(c) {
                text.push(c);
            } else {
                let _ = write!(text, "#{};", u32::from(c));
            }
            text
        })
    };
    format!("\"{}\"", lines.into_iter().map(encoded).collect::<Vec<_>>().join("<br>"))
}
