//! Pictures of networks: one model, drawn as a tree of text, for Graphviz, for Mermaid, or as SVG.

mod dot;
mod graph;
mod mermaid;
mod svg;
mod tree;

use nsnet::name::escaped;

pub use dot::dot;
pub use mermaid::mermaid;
pub use svg::svg;
pub use tree::tree;

/// What is to be drawn.
#[derive(Debug, Default)]
pub struct Picture {
    pub boxes: Vec<Box>,
    pub lines: Vec<Line>,
}

/// A namespace.
#[derive(Debug, Default)]
pub struct Box {
    pub title: String,
    /// What else is to be said of it.
    pub note: String,
    pub rows: Vec<Row>,
    /// Whether it is a switch, and no namespace.
    pub is_switch: bool,
    pub drift: Drift,
}

/// How something differs from what a file says.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Drift {
    /// Not at all, or there is no file.
    #[default]
    None,
    /// It is in the file only.
    Missing,
    /// It is there only.
    Extra,
    /// It is something else, or has something else.
    Changed,
}

impl Drift {
    /// As it is before what differs, in every picture.
    pub fn sign(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Missing => "-",
            Self::Extra => "+",
            Self::Changed => "~",
        }
    }

    /// Its colour, where a picture has any.
    fn colour(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Missing => Some("#c0392b"),
            Self::Extra => Some("#2471a3"),
            Self::Changed => Some("#d68910"),
        }
    }

    /// For programs.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Missing => Some("missing"),
            Self::Extra => Some("extra"),
            Self::Changed => Some("changed"),
        }
    }
}

/// A link in a namespace.
#[derive(Debug, Default)]
pub struct Row {
    pub name: String,
    /// Its kind, where the picture does not show it.
    pub kind: String,
    pub addrs: Vec<String>,
    /// The row that it is a port of, or stands on.
    pub parent: Option<usize>,
    /// Whether others are its ports.
    pub is_switch: bool,
    pub is_down: bool,
    pub drift: Drift,
}

/// A connection between rows of different boxes, or of the same.
#[derive(Debug)]
pub struct Line {
    pub ends: [End; 2],
    /// Its kind, where it is no cable.
    pub kind: &'static str,
    pub is_live: bool,
    pub drift: Drift,
}

/// Where a line ends: a box, and the row of it that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    pub at: usize,
    pub row: Option<usize>,
}

impl Picture {
    fn row(&self, end: End) -> Option<&Row> {
        self.boxes[end.at].rows.get(end.row?)
    }

    /// `red:eth0`, or `red` where the link is not known.
    fn end_name(&self, end: End) -> String {
        let title = &self.boxes[end.at].title;
        self.row(end).map_or_else(|| title.clone(), |row| format!("{title}:{}", row.name))
    }
}

/// Other people's text: on one line, without what a terminal would act on.
pub fn plain(text: &[u8]) -> String {
    escaped(text)
}
