//! As SVG: each connected part is a tree, from its busiest node on; what closes a circle runs in a
//! lane beside it. Every label has a place of its own, so that none lies over another.

mod layout;

use std::fmt::Write as _;

use self::layout::{CURVED, Label, Layout, Placed, Stroke};
use super::{
    Drift, Picture,
    graph::{Graph, Node},
};

/// Of the font, in pixels: what one line takes, and one column, in tenths.
const LINE: i32 = 14;
const COLUMN_TENTHS: i32 = 73;
/// Longer words are cut in a picture; all else shows them whole.
const MOST_COLUMNS: usize = 48;

pub fn svg(picture: &Picture) -> String {
    let graph = Graph::of(picture);
    let Layout { width, height, nodes, strokes, texts } = Layout::of(&graph);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for stroke in &strokes {
        draw_stroke(&mut svg, stroke);
    }
    for placed in &nodes {
        draw_node(&mut svg, &graph.nodes[placed.node], placed);
    }
    for text in &texts {
        draw_text(&mut svg, text);
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw_stroke(svg: &mut String, stroke: &Stroke) {
    let (colour, dashes) = match (stroke.is_live, stroke.is_inner) {
        (false, _) => ("#c0392b", " stroke-dasharray=\"5 4\""),
        (true, true) => ("#7f8c8d", " stroke-dasharray=\"1 3\""),
        (true, false) => ("#34495e", ""),
    };
    let missing = (stroke.drift == Drift::Missing).then_some(" stroke-dasharray=\"5 4\"");
    let look = format!("stroke=\"{}\"{}", stroke.drift.colour().unwrap_or(colour), missing.unwrap_or(dashes));
    // A String takes everything.
    let _ = writeln!(svg, "<path d=\"{}\" fill=\"none\" {look} stroke-width=\"1.4\"/>", path(&stroke.points));
}

fn path(points: &[(i32, i32)]) -> String {
    let curved = points.len() == CURVED;
    let command = |at| match at {
        0 => "M",
        1 if curved => "C",
        2 | 3 if curved => "",
        _ => "L",
    };
    let words: Vec<_> = points.iter().zip(0..).map(|((x, y), at)| format!("{}{x},{y}", command(at))).collect();
    words.join(" ")
}

fn draw_node(svg: &mut String, node: &Node, placed: &Placed) {
    let Placed { x, y, width, height, .. } = *placed;
    let (fill, stroke, round) = if node.is_switch { ("#eef6ee", "#3d7a4a", 12) } else { ("#eef3fb", "#33588c", 3) };
    let stroke = node.drift.colour().unwrap_or(stroke);
    let _ = writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{round}\" fill=\"{fill}\" stroke=\"{stroke}\"/>"
    );
    let middle = x + width / 2;
    let title = safe(&node.title);
    let _ = writeln!(
        svg,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" font-weight=\"bold\">{title}</text>",
        y + 18
    );
    for (line, at) in node.lines.iter().zip(1..) {
        let (y, line) = (y + 18 + at * LINE, safe(line));
        let _ = writeln!(svg, "<text x=\"{middle}\" y=\"{y}\" text-anchor=\"middle\" fill=\"#555\">{line}</text>");
    }
}

fn draw_text(svg: &mut String, Label { x, y, text, at_end }: &Label) {
    let anchor = if *at_end { " text-anchor=\"end\"" } else { "" };
    let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\"{anchor} fill=\"#222\" font-size=\"11\">{}</text>", safe(text));
}

/// As long as there is room for, and without what means something to XML or may not stand in it.
fn safe(text: &str) -> String {
    crate::render::xml::text(&cut(text), |_| '\u{fffd}'.to_string())
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MOST_COLUMNS {
        return text.to_owned();
    }
    text.chars().take(MOST_COLUMNS - 1).chain(['…']).collect()
}

/// How wide a text is drawn, in pixels: letters outside of ASCII may take two columns.
fn text_width(text: &str) -> i32 {
    let columns: i32 = cut(text).chars().map(|c| if c.is_ascii() || c == '…' { 1 } else { 2 }).sum();
    (columns * COLUMN_TENTHS).div_euclid(10) + 2
}

fn widest<'a>(texts: impl IntoIterator<Item = &'a String>) -> i32 {
    texts.into_iter().map(|text| text_width(text)).max().unwrap_or(0)
}

/// Pixels of so many lines.
fn lines_height(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX / LINE) * LINE
}
