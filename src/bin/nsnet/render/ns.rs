//! Namespaces of every kind, as tables and as JSON.

use std::io::{self, Write};

use nsnet::{
    NsName,
    inspect::{Compared, Ns, NsKind},
};
use serde::Serialize;

use super::{
    Format, ListedNs, ProcessNs, Style, draw,
    json::{self, Name},
};

pub fn processes(out: &mut impl Write, format: Format, style: Style, processes: &[ProcessNs]) -> io::Result<()> {
    let rows: Vec<_> = processes.iter().flat_map(Row::of_process).collect();
    if format.json {
        return json::document(out, format.pretty, &rows);
    }
    let mut cells = vec![["PID", "KIND", "INODE", "OWNER", "PARENT", "NAME"].map(str::to_owned)];
    cells.extend(rows.iter().map(Row::cells));
    table(out, style, &cells)
}

/// One kind of namespace of a process.
#[derive(Serialize)]
struct Row<'a> {
    pid: u32,
    command: &'a str,
    kind: &'static str,
    inode: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unique_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_inode: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_inode: Option<u64>,
    names: Vec<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<&'a str>,
    #[serde(skip)]
    first_name: Option<String>,
}

impl<'a> Row<'a> {
    fn of_process(process: &'a ProcessNs) -> impl Iterator<Item = Self> {
        process.namespaces.iter().map(|(kind, known)| {
            let ns = known.as_ref().ok();
            let names = ns.filter(|_| *kind == NsKind::Net).and_then(|ns| process.names.get(&ns.id.inode));
            let names = names.map_or(&[][..], Vec::as_slice);
            Self {
                pid: process.pid,
                command: &process.command,
                kind: kind.as_str(),
                inode: ns.map(|ns| ns.id.inode),
                unique_id: ns.and_then(|ns| ns.unique_id),
                owner_inode: ns.and_then(|ns| ns.owner_inode),
                parent_inode: ns.and_then(|ns| ns.parent_inode),
                names: names.iter().map(Name::of).collect(),
                unknown: known.as_ref().err().map(String::as_str),
                first_name: names.first().map(shown),
            }
        })
    }

    fn cells(&self) -> [String; 6] {
        let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let unknown = self.unknown.map(|why| format!("({why})"));
        [
            self.pid.to_string(),
            self.kind.to_owned(),
            number(self.inode),
            number(self.owner_inode),
            number(self.parent_inode),
            unknown.or_else(|| self.first_name.clone()).unwrap_or_default(),
        ]
    }
}

fn shown(name: &NsName) -> String {
    draw::plain(name.as_os_str().as_encoded_bytes())
}

pub fn compared(out: &mut impl Write, format: Format, style: Style, kinds: &[Compared]) -> io::Result<()> {
    let rows: Vec<_> = kinds.iter().map(Difference::of).collect();
    if format.json {
        return json::document(out, format.pretty, &rows);
    }
    let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let mut cells = vec![["KIND", "", "FIRST", "SECOND", ""].map(str::to_owned)];
    cells.extend(rows.iter().map(|row| {
        let why = row.unknown.map(|why| format!("({why})")).unwrap_or_default();
        [row.kind.to_owned(), row.answer.to_owned(), number(row.inodes[0]), number(row.inodes[1]), why]
    }));
    table(out, style, &cells)
}

/// The answer as diff gives it: 0 all are the same, 1 some differ, 2 it cannot be told.
pub fn code_of(kinds: &[Compared]) -> u8 {
    let answers: Vec<_> = kinds.iter().map(Compared::same).collect();
    if answers.contains(&Some(false)) {
        return 1;
    }
    if answers.contains(&None) { 2 } else { 0 }
}

#[derive(Serialize)]
struct Difference<'a> {
    kind: &'static str,
    /// `same`, `different` or `unknown`.
    answer: &'static str,
    inodes: [Option<u64>; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<&'a str>,
}

impl<'a> Difference<'a> {
    fn of(compared: &'a Compared) -> Self {
        let inode = |known: &Result<Ns, String>| known.as_ref().ok().map(|ns| ns.id.inode);
        let answer = match compared.same() {
            Some(true) => "same",
            Some(false) => "different",
            None => "unknown",
        };
        let unknown = compared.both.iter().find_map(|known| known.as_ref().err());
        let [first, second] = &compared.both;
        Self {
            kind: compared.kind.as_str(),
            answer,
            inodes: [inode(first), inode(second)],
            unknown: unknown.map(String::as_str),
        }
    }
}

pub fn listed(out: &mut impl Write, format: Format, style: Style, rows: &[ListedNs]) -> io::Result<()> {
    if format.json {
        return json::document(out, format.pretty, &rows.iter().map(One::of).collect::<Vec<_>>());
    }
    let mut cells = vec![["KIND", "INODE", "PROCESSES", "PID", "COMMAND", "NAME OR FILE"].map(str::to_owned)];
    cells.extend(rows.iter().map(|ListedNs { names, listed }| {
        let path = listed.path.as_ref().map(|path| draw::plain(path.as_os_str().as_encoded_bytes()));
        [
            listed.kind.as_str().to_owned(),
            listed.id.inode.to_string(),
            listed.processes.to_string(),
            listed.pid.to_string(),
            draw::plain(listed.command.as_bytes()),
            names.first().map(shown).or(path).unwrap_or_default(),
        ]
    }));
    table(out, style, &cells)
}

#[derive(Serialize)]
struct One<'a> {
    kind: &'static str,
    inode: u64,
    processes: usize,
    pid: u32,
    command: &'a str,
    names: Vec<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
}

impl<'a> One<'a> {
    fn of(ListedNs { names, listed }: &'a ListedNs) -> Self {
        Self {
            kind: listed.kind.as_str(),
            inode: listed.id.inode,
            processes: listed.processes,
            pid: listed.pid,
            command: &listed.command,
            names: names.iter().map(Name::of).collect(),
            path: listed.path.as_ref().map(|path| path.to_string_lossy().into_owned()),
        }
    }
}

/// Columns as wide as their widest cell; the first line is the heading.
pub fn table<const N: usize>(out: &mut impl Write, style: Style, rows: &[[String; N]]) -> io::Result<()> {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..N).map(width).collect();
    for (at, row) in rows.iter().enumerate() {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let line = cells.join("  ");
        let line = line.trim_end();
        writeln!(out, "{}", if at == 0 { style.bold(line) } else { line.to_owned() })?;
    }
    Ok(())
}
