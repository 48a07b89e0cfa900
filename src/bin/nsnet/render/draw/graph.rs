//! A picture as a graph: a node for each box and for each switch in one, an edge for each line.

use super::{Box, Drift, End, Picture};

#[derive(Debug, Default)]
pub struct Graph {
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
}

#[derive(Debug)]
pub struct Node {
    pub title: String,
    /// Smaller, below the title.
    pub lines: Vec<String>,
    pub is_switch: bool,
    pub drift: Drift,
}

#[derive(Debug)]
pub struct Edge {
    pub nodes: [usize; 2],
    /// What stands at each end, line by line.
    pub labels: [Vec<String>; 2],
    pub kind: &'static str,
    pub is_live: bool,
    /// Within a box: no cable.
    pub is_inner: bool,
    pub drift: Drift,
}

impl Graph {
    pub fn of(picture: &Picture) -> Self {
        let mut graph = Self::default();
        let places: Vec<_> = (0..picture.boxes.len()).map(|at| graph.add_box(picture, at)).collect();
        for line in &picture.lines {
            let nodes = line.ends.map(|end| places[end.at].of(picture, end));
            let labels = line.ends.map(|end| label(picture, end));
            let (kind, is_live, drift) = (line.kind, line.is_live, line.drift);
            graph.edges.push(Edge { nodes, labels, kind, is_live, is_inner: false, drift });
        }
        graph
    }

    fn add_box(&mut self, picture: &Picture, at: usize) -> Place {
        let itself = &picture.boxes[at];
        let switches: Vec<_> = (0..itself.rows.len()).filter(|&row| itself.rows[row].is_switch).collect();
        let connected = |row: usize| {
            let end = End { at, row: Some(row) };
            picture.lines.iter().any(|line| line.ends.contains(&end))
        };
        let is_port = |row: usize| itself.rows[row].parent.is_some_and(|parent| itself.rows[parent].is_switch);
        let others: Vec<_> = (0..itself.rows.len()).filter(|row| !switches.contains(row) && !is_port(*row)).collect();
        // What only switches is drawn as one switch.
        let is_one = switches.len() == 1 && others.is_empty();
        let mut lines: Vec<_> = Some(itself.note.clone()).filter(|note| !note.is_empty()).into_iter().collect();
        if is_one {
            lines.extend(label(picture, End { at, row: Some(switches[0]) }));
        }
        lines.extend(others.iter().filter(|&&row| !connected(row)).map(|&row| in_box(itself, row)));
        let title = format!("{}{}", itself.drift.sign(), itself.title);
        let is_switch = is_one || itself.is_switch;
        let own = self.add(Node { title, lines, is_switch, drift: itself.drift });
        let mut place = Place { own, switches: Vec::new() };
        if is_one {
            place.switches.push((switches[0], own));
            return place;
        }
        for row in switches {
            let (of, drift) = (&itself.rows[row], itself.rows[row].drift);
            let title = format!("{}{}", drift.sign(), of.name);
            let switch = Node { title, lines: Vec::new(), is_switch: true, drift };
            let node = self.add(switch);
            place.switches.push((row, node));
            self.edges.push(Edge {
                nodes: [own, node],
                labels: [Vec::new(), itself.rows[row].addrs.clone()],
                kind: "",
                is_live: !itself.rows[row].is_down,
                is_inner: true,
                drift,
            });
        }
        place
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }
}

/// The nodes of a box.
struct Place {
    own: usize,
    /// Rows that are switches, and the node of each.
    switches: Vec<(usize, usize)>,
}

impl Place {
    fn of(&self, picture: &Picture, end: End) -> usize {
        let parent = picture.row(end).and_then(|row| row.parent);
        let switch = self.switches.iter().find(|(row, _)| Some(*row) == parent);
        switch.map_or(self.own, |(_, node)| *node)
    }
}

fn label(picture: &Picture, end: End) -> Vec<String> {
    let Some(row) = picture.row(end) else { return Vec::new() };
    let name = format!("{}{}", row.drift.sign(), row.name);
    let first: Vec<_> = std::iter::once(&name).chain(row.addrs.first()).map(String::as_str).collect();
    std::iter::once(first.join(" ")).chain(row.addrs.iter().skip(1).cloned()).collect()
}

/// A row that leads nowhere.
fn in_box(itself: &Box, row: usize) -> String {
    let row = &itself.rows[row];
    let parent = row.parent.map(|parent| format!("on {}", itself.rows[parent].name));
    let name = format!("{}{}", row.drift.sign(), row.name);
    let words = [Some(name), Some(row.addrs.join(" ")), parent, row.is_down.then(|| "down".into())];
    words.into_iter().flatten().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
