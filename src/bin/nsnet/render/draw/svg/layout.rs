//! Where everything goes. A tree grows *along* one axis and spreads *across* the other: to the right
//! where many hang on few, down where it is a chain.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{lines_height, widest};
use crate::render::draw::{
    Drift,
    graph::{Edge, Graph, Node},
};

const MARGIN: i32 = 16;
const GAP: i32 = 12;
/// In which a line leaves its node and finds its place.
const FAN: i32 = 36;
const LANE: i32 = 14;
/// Two of a curve's points only pull at it.
pub const CURVED: usize = 5;
/// What a reader sees at once.
const PAGE: (i32, i32) = (1000, 800);

#[derive(Debug, Default)]
pub struct Layout {
    pub width: i32,
    pub height: i32,
    pub nodes: Vec<Placed>,
    pub strokes: Vec<Stroke>,
    pub texts: Vec<Label>,
}

#[derive(Debug)]
pub struct Placed {
    pub node: usize,
    pub x: i32,
    pub y: i32,
    pub width: i32,
    pub height: i32,
}

/// A line through points; the first part of one of [`CURVED`] points is a curve.
#[derive(Debug)]
pub struct Stroke {
    pub points: Vec<(i32, i32)>,
    pub is_live: bool,
    pub is_inner: bool,
    pub drift: Drift,
}

#[derive(Debug)]
pub struct Label {
    pub x: i32,
    pub y: i32,
    pub text: String,
    /// Whether it ends at `x`, instead of beginning there.
    pub at_end: bool,
}

impl Layout {
    pub fn of(graph: &Graph) -> Self {
        let mut whole = Self { width: MARGIN, height: MARGIN, ..Self::default() };
        let mut alone = Vec::new();
        for tree in trees(graph) {
            if tree.slots.is_empty() {
                alone.push(tree.node);
                continue;
            }
            let [right, down] = [Axis::Right, Axis::Down].map(|axis| Drawing::of(graph, &tree, axis));
            whole.append(if right.strain() <= down.strain() { right.layout } else { down.layout });
        }
        whole.append_alone(graph, &alone);
        whole.width = whole.width.max(2 * MARGIN);
        whole
    }

    fn append(&mut self, part: Self) {
        let down = self.height;
        self.nodes.extend(part.nodes.into_iter().map(|node| Placed { y: node.y + down, x: node.x + MARGIN, ..node }));
        self.texts.extend(part.texts.into_iter().map(|text| Label { y: text.y + down, x: text.x + MARGIN, ..text }));
        for mut stroke in part.strokes {
            stroke.points.iter_mut().for_each(|(x, y)| (*x, *y) = (*x + MARGIN, *y + down));
            self.strokes.push(stroke);
        }
        self.width = self.width.max(part.width + 2 * MARGIN);
        self.height += part.height + MARGIN;
    }

    /// Nodes without an edge, in lines.
    fn append_alone(&mut self, graph: &Graph, alone: &[usize]) {
        let page = self.width.max(PAGE.0);
        let (mut x, mut row_height) = (MARGIN, 0);
        for &node in alone {
            let (width, height) = size(&graph.nodes[node]);
            if x > MARGIN && x + width + MARGIN > page {
                self.height += row_height + GAP;
                (x, row_height) = (MARGIN, 0);
            }
            self.nodes.push(Placed { node, x, y: self.height, width, height });
            self.width = self.width.max(x + width + MARGIN);
            x += width + GAP;
            row_height = row_height.max(height);
        }
        self.height += if alone.is_empty() { 0 } else { row_height + MARGIN };
    }
}

/// A node, and what hangs on it, in order.
struct Tree {
    node: usize,
    slots: Vec<Slot>,
}

/// Where an edge leaves a node.
struct Slot {
    edge: usize,
    /// Which of the edge's ends is at the node.
    near: usize,
    /// `None` where the edge closes a circle, and leads on by a lane.
    below: Option<Tree>,
}

/// The edges of each node, and which of an edge's ends is there.
type Edges = Vec<Vec<(usize, usize)>>;

fn trees(graph: &Graph) -> Vec<Tree> {
    let mut edges: Edges = vec![Vec::new(); graph.nodes.len()];
    for (at, edge) in graph.edges.iter().enumerate() {
        edges[edge.nodes[0]].push((at, 0));
        edges[edge.nodes[1]].push((at, 1));
    }
    let mut seen = vec![false; graph.nodes.len()];
    let mut trees = Vec::new();
    for node in 0..graph.nodes.len() {
        if !seen[node] {
            trees.push(grow(graph, &edges, root_of(graph, &edges, node), &mut seen));
        }
    }
    trees
}

/// Where the tree of a connected part begins: at the end of a chain, else in the middle of its longest way.
fn root_of(graph: &Graph, edges: &Edges, node: usize) -> usize {
    let (one_end, _) = farthest(graph, edges, node);
    let (other_end, before) = farthest(graph, edges, one_end);
    let way: Vec<_> = std::iter::successors(Some(other_end), |&at| before[at]).collect();
    let is_chain = way.iter().all(|&node| edges[node].len() <= 2) && edges[one_end].len() <= 1;
    if is_chain {
        return one_end.min(other_end);
    }
    let middles = [way[(way.len() - 1) / 2], way[way.len() / 2]];
    if edges[middles[1]].len() > edges[middles[0]].len() { middles[1] } else { middles[0] }
}

/// The last node that is reached from one, and through which other each was reached.
fn farthest(graph: &Graph, edges: &Edges, from: usize) -> (usize, Vec<Option<usize>>) {
    let mut before = vec![None; graph.nodes.len()];
    let mut queue = VecDeque::from([from]);
    let mut last = from;
    while let Some(node) = queue.pop_front() {
        last = node;
        for &(edge, near) in &edges[node] {
            let far = graph.edges[edge].nodes[1 - near];
            if far != from && before[far].is_none() {
                before[far] = Some(node);
                queue.push_back(far);
            }
        }
    }
    (last, before)
}

/// Breadth first, so that what is near is drawn near.
fn grow(graph: &Graph, edges: &Edges, root: usize, seen: &mut [bool]) -> Tree {
    let mut used = BTreeSet::new();
    let mut slots: Slots = BTreeMap::new();
    let mut queue = VecDeque::from([root]);
    seen[root] = true;
    while let Some(node) = queue.pop_front() {
        for &(edge, near) in &edges[node] {
            if !used.insert(edge) {
                continue;
            }
            let far = graph.edges[edge].nodes[1 - near];
            if std::mem::replace(&mut seen[far], true) {
                slots.entry(node).or_default().push((edge, near, None));
                slots.entry(far).or_default().push((edge, 1 - near, None));
            } else {
                slots.entry(node).or_default().push((edge, near, Some(far)));
                queue.push_back(far);
            }
        }
    }
    planted(root, &mut slots)
}

/// For each node its edges: which of their ends is there, and the node below, if any.
type Slots = BTreeMap<usize, Vec<(usize, usize, Option<usize>)>>;

fn planted(node: usize, slots: &mut Slots) -> Tree {
    let own = slots.remove(&node).unwrap_or_default();
    let slot = |(edge, near, below): (usize, usize, Option<usize>)| Slot {
        edge,
        near,
        below: below.map(|node| planted(node, slots)),
    };
    Tree { node, slots: own.into_iter().map(slot).collect() }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Axis {
    Right,
    Down,
}

impl Axis {
    /// `along` and `across` as `x` and `y`, and back.
    fn turn<T>(self, (along, across): (T, T)) -> (T, T) {
        match self {
            Self::Right => (along, across),
            Self::Down => (across, along),
        }
    }
}

fn size(node: &Node) -> (i32, i32) {
    (widest(std::iter::once(&node.title).chain(&node.lines)) + 22, 28 + lines_height(node.lines.len()))
}

/// The label at one end of an edge; the kind stands at the first.
fn label(edge: &Edge, end: usize) -> Vec<String> {
    let kind = (end == 0 && !edge.kind.is_empty()).then(|| edge.kind.to_owned());
    edge.labels[end].iter().cloned().chain(kind).collect()
}

/// What the labels of an edge take: along it, and across.
fn label_room(edge: &Edge, axis: Axis) -> (i32, i32) {
    let labels = [label(edge, 0), label(edge, 1)];
    let width = labels.iter().map(widest).max().unwrap_or(0);
    match axis {
        // One label above the line and one below it.
        Axis::Right => (width + 10, 2 * lines_height(labels.iter().map(Vec::len).max().unwrap_or(0)) + 6),
        // Both to the right of it, one above the other.
        Axis::Down => (lines_height(labels.iter().map(Vec::len).sum()) + 12, 2 * width + 12),
    }
}

struct Drawing<'a> {
    graph: &'a Graph,
    axis: Axis,
    /// Where nodes of each depth begin along the axis, and where their slots begin.
    starts: Vec<(i32, i32)>,
    /// Where circles wait for their other end: the edge, and where it is across.
    open: Vec<(usize, (i32, i32))>,
    end: i32,
    layout: Layout,
}

impl<'a> Drawing<'a> {
    fn of(graph: &'a Graph, tree: &Tree, axis: Axis) -> Self {
        let mut depths = Vec::new();
        measure(graph, tree, axis, 0, &mut depths);
        let mut starts = Vec::new();
        let mut along = 0;
        for (node, labels) in depths {
            starts.push((along, along + node));
            along += node + if labels > 0 { FAN + labels } else { 0 };
        }
        let mut drawing = Self { graph, axis, starts, open: Vec::new(), end: along, layout: Layout::default() };
        drawing.layout.width = along;
        let across = drawing.spread(tree);
        drawing.place(tree, 0, 0);
        let size = axis.turn((drawing.end, across));
        (drawing.layout.width, drawing.layout.height) = size;
        drawing
    }

    /// How much it asks of a page.
    fn strain(&self) -> i32 {
        (self.layout.width * 100 / PAGE.0).max(self.layout.height * 100 / PAGE.1)
    }

    /// What a tree takes across.
    fn spread(&self, tree: &Tree) -> i32 {
        let slots: i32 = tree.slots.iter().map(|slot| self.slot_spread(slot)).sum();
        let (_, own) = self.axis.turn(size(&self.graph.nodes[tree.node]));
        slots.max(own + GAP)
    }

    fn slot_spread(&self, slot: &Slot) -> i32 {
        let (_, labels) = label_room(&self.graph.edges[slot.edge], self.axis);
        labels.max(slot.below.as_ref().map_or(0, |tree| self.spread(tree)))
    }

    /// Places a tree whose room begins here; returns where its node's middle is across.
    fn place(&mut self, tree: &Tree, depth: usize, start: i32) -> i32 {
        let spread = self.spread(tree);
        let middle = start + spread / 2;
        let (node_start, slots_start) = self.starts[depth];
        let (long, wide) = self.axis.turn(size(&self.graph.nodes[tree.node]));
        // To the right, nodes of a depth are as wide as the widest; down, they begin at one height.
        let long = if self.axis == Axis::Right { slots_start - node_start } else { long };
        let (x, y) = self.axis.turn((node_start, middle - wide / 2));
        let (width, height) = self.axis.turn((long, wide));
        self.layout.nodes.push(Placed { node: tree.node, x, y, width, height });
        let slots: i32 = tree.slots.iter().map(|slot| self.slot_spread(slot)).sum();
        let mut at = start + (spread - slots) / 2;
        for slot in &tree.slots {
            let room = self.slot_spread(slot);
            let across = match &slot.below {
                Some(below) => {
                    let own = self.spread(below);
                    self.place(below, depth + 1, at + (room - own) / 2)
                }
                None => at + room / 2,
            };
            self.connect(slot, depth, (node_start + long, middle), across);
            at += room;
        }
        middle
    }

    /// Draws an edge from a node to its slot and on to what is there, and labels it.
    fn connect(&mut self, slot: &Slot, depth: usize, from: (i32, i32), across: i32) {
        let edge = &self.graph.edges[slot.edge];
        let straight = self.starts[depth].1 + FAN;
        let to = match &slot.below {
            Some(_) => self.starts[depth + 1].0,
            None => straight + label_room(edge, self.axis).0,
        };
        let half = i32::midpoint(from.0, straight);
        let points: [_; CURVED] = [from, (half, from.1), (half, across), (straight, across), (to, across)];
        self.stroke(edge, &points);
        self.write_label(&label(edge, slot.near), (straight, across), true);
        if slot.below.is_some() {
            self.write_label(&label(edge, 1 - slot.near), (to, across), false);
        } else {
            self.close(slot.edge, (to, across));
        }
    }

    /// Leads a circle to its lane; the second of its ends draws it.
    fn close(&mut self, edge: usize, here: (i32, i32)) {
        let Some(at) = self.open.iter().position(|(open, _)| *open == edge) else {
            return self.open.push((edge, here));
        };
        let (_, there) = self.open.swap_remove(at);
        self.end += LANE;
        let lane = self.end;
        self.stroke(&self.graph.edges[edge], &[there, (lane, there.1), (lane, here.1), here]);
    }

    fn stroke(&mut self, edge: &Edge, points: &[(i32, i32)]) {
        let points = points.iter().map(|point| self.axis.turn(*point)).collect();
        self.layout.strokes.push(Stroke { points, is_live: edge.is_live, is_inner: edge.is_inner, drift: edge.drift });
    }

    /// Writes a label at the beginning of an edge's straight part, or at its end.
    fn write_label(&mut self, label: &[String], (along, across): (i32, i32), near: bool) {
        let (x, y) = self.axis.turn((along, across));
        let height = lines_height(label.len());
        let (x, top, at_end) = match (self.axis, near) {
            (Axis::Right, true) => (x + 2, y - height - 1, false),
            (Axis::Right, false) => (x - 4, y + 1, true),
            (Axis::Down, true) => (x + 5, y + 1, false),
            (Axis::Down, false) => (x + 5, y - height - 4, false),
        };
        for (text, line) in label.iter().zip(0..) {
            let y = top + lines_height(line) + 11;
            self.layout.texts.push(Label { x, y, text: text.clone(), at_end });
        }
    }
}

/// The longest node of each depth, and the longest labels behind it.
fn measure(graph: &Graph, tree: &Tree, axis: Axis, depth: usize, depths: &mut Vec<(i32, i32)>) {
    if depths.len() <= depth {
        depths.push((0, 0));
    }
    let (long, _) = axis.turn(size(&graph.nodes[tree.node]));
    depths[depth].0 = depths[depth].0.max(long);
    for slot in &tree.slots {
        let (labels, _) = label_room(&graph.edges[slot.edge], axis);
        depths[depth].1 = depths[depth].1.max(labels);
        if let Some(below) = &slot.below {
            measure(graph, below, axis, depth + 1, depths);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::text_width, *};

    fn edge(a: usize, b: usize) -> Edge {
        let label = |end: &str| vec![format!("eth{end}"), "10.255.255.255/24".to_owned()];
        Edge {
            nodes: [a, b],
            labels: [label("0"), label("1")],
            kind: "",
            is_live: true,
            is_inner: false,
            drift: Drift::None,
        }
    }

    fn graph(count: usize, edges: &[(usize, usize)]) -> Graph {
        let node = |at| Node {
            title: format!("node{at}"),
            lines: vec!["2 processes".into()],
            is_switch: at == 0,
            drift: Drift::None,
        };
        Graph { nodes: (0..count).map(node).collect(), edges: edges.iter().map(|&(a, b)| edge(a, b)).collect() }
    }

    /// What each node and label covers.
    fn areas(layout: &Layout) -> Vec<[i32; 4]> {
        let of_text = |text: &Label| {
            let width = text_width(&text.text);
            let left = if text.at_end { text.x - width } else { text.x };
            [left, text.y - 9, left + width, text.y + 2]
        };
        let of_node = |node: &Placed| [node.x, node.y, node.x + node.width, node.y + node.height];
        layout.nodes.iter().map(of_node).chain(layout.texts.iter().map(of_text)).collect()
    }

    #[test]
    fn nothing_lies_over_anything_else_and_all_is_on_the_page() {
        let star: Vec<_> = (1..21).map(|leaf| (0, leaf)).collect();
        let chain: Vec<_> = (0..9).map(|at| (at, at + 1)).collect();
        let tree: Vec<_> = (1..31).map(|at| (if at < 6 { 0 } else { 1 + at % 5 }, at)).collect();
        let ring: Vec<_> = (0..8).map(|at| (at, (at + 1) % 8)).collect();
        let full: Vec<_> = (0..6).flat_map(|a| (a + 1..6).map(move |b| (a, b))).collect();
        let itself = [(0, 0), (0, 1), (0, 1)];
        for (count, edges) in
            [(21, &star[..]), (10, &chain), (31, &tree), (8, &ring), (6, &full), (2, &itself), (40, &[])]
        {
            let layout = Layout::of(&graph(count, edges));
            assert_eq!(layout.nodes.len(), count);
            assert!(layout.strokes.len() >= edges.len());
            let areas = areas(&layout);
            for (at, a) in areas.iter().enumerate() {
                assert!(a[0] >= 0 && a[1] >= 0 && a[2] <= layout.width && a[3] <= layout.height, "{a:?}");
                for b in &areas[at + 1..] {
                    assert!(a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1], "{edges:?}: {a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn a_chain_goes_down_and_a_star_to_the_right() {
        let chain: Vec<_> = (0..9).map(|at| (at, at + 1)).collect();
        let layout = Layout::of(&graph(10, &chain));
        assert!(layout.height > layout.width);
        let star: Vec<_> = (1..4).map(|leaf| (0, leaf)).collect();
        let layout = Layout::of(&graph(4, &star));
        assert!(layout.nodes[1].x > layout.nodes[0].x + layout.nodes[0].width);
    }
}
