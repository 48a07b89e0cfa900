//! Text: as ip prints it where ip does, because scripts read it.

use std::{
    ffi::OsStr,
    io::{self, Write},
    os::unix::ffi::OsStrExt,
};

use nsnet::{
    NsName,
    name::escaped,
    netns::{Change, NsidPeer, State},
};

use super::{Answer, ListRow, Style, TableRow};

pub fn write(out: &mut impl Write, style: Style, answer: &Answer) -> io::Result<()> {
    match answer {
        Answer::Pruned(names) => names.iter().try_for_each(|name| line(out, style, name)),
        Answer::List(rows) => rows.iter().try_for_each(|row| list_row(out, style, row)),
        Answer::Table(rows) => table(out, style, rows),
        Answer::Ids { peers, of_target } => peers.iter().try_for_each(|peer| id(out, style, peer, *of_target)),
        Answer::Identified(names) if names.is_empty() => writeln!(out),
        Answer::Identified(names) => names.iter().try_for_each(|name| line(out, style, name)),
        Answer::Residents(residents) => {
            let mut pids: Vec<_> = residents.iter().map(|resident| resident.pid).collect();
            pids.dedup();
            pids.iter().try_for_each(|pid| writeln!(out, "{pid}"))
        }
        // What was done goes without saying.
        _ => Ok(()),
    }
}

pub fn change(out: &mut impl Write, style: Style, change: &Change) -> io::Result<()> {
    let (word, name) = match change {
        Change::Added(name) => ("add", name),
        Change::Deleted(name) => ("delete", name),
    };
    write!(out, "{word} ")?;
    line(out, style, name)
}

pub fn run(out: &mut impl Write, style: Style, name: &NsName) -> io::Result<()> {
    write!(out, "\nnetns: ")?;
    line(out, style, name)
}

fn line(out: &mut impl Write, style: Style, name: &NsName) -> io::Result<()> {
    out.write_all(&shown(style, name.as_os_str()))?;
    out.write_all(b"\n")
}

/// The bytes themselves for scripts; nothing that a terminal acts on for people.
fn shown(style: Style, text: &OsStr) -> Vec<u8> {
    if !style.escape {
        return text.as_bytes().to_vec();
    }
    escaped(text.as_bytes()).into_bytes()
}

fn list_row(out: &mut impl Write, style: Style, row: &ListRow) -> io::Result<()> {
    out.write_all(&shown(style, row.name.as_os_str()))?;
    match row.nsid {
        Some(id) => writeln!(out, " (id: {id})"),
        None => writeln!(out),
    }
}

/// `nsid 10 (iproute2 netns name: b)`: ip's words, and ip's blank at the end where there is no name.
fn id(out: &mut impl Write, style: Style, peer: &NsidPeer, of_target: bool) -> io::Result<()> {
    let number = |id: Option<u32>| id.map_or_else(|| "unassigned".to_owned(), |id| id.to_string());
    write!(out, "nsid {} ", number(peer.nsid))?;
    if of_target {
        write!(out, "current-nsid {} ", number(peer.current_nsid))?;
    }
    if let Some(name) = &peer.name {
        out.write_all(b"(iproute2 netns name: ")?;
        out.write_all(&shown(style, name.as_os_str()))?;
        out.write_all(b")")?;
    }
    writeln!(out)
}

const COLUMNS: [&str; 6] = ["NAME", "ID", "STATE", "INODE", "LINKS", "PROCESSES"];

fn table(out: &mut impl Write, style: Style, rows: &[TableRow]) -> io::Result<()> {
    let number = |n: Option<usize>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    // A table is for people: names are escaped wherever it goes, or a newline would break it.
    let escaped = Style { escape: true, ..style };
    let mut cells = vec![COLUMNS.map(str::to_owned)];
    cells.extend(rows.iter().map(|row| {
        let inode = if let State::Alive(id) = &row.state { id.inode.to_string() } else { "-".into() };
        [
            String::from_utf8_lossy(&shown(escaped, row.name.as_os_str())).into_owned(),
            row.nsid.map_or_else(|| "-".into(), |id| id.to_string()),
            row.state.as_str().to_owned(),
            inode,
            number(row.links),
            number(row.processes),
        ]
    }));
    let widths: Vec<_> = (0..COLUMNS.len()).map(|at| width(&cells, at)).collect();
    for (at, row) in cells.iter().enumerate() {
        let reason = at.checked_sub(1).and_then(|at| match &rows[at].state {
            State::Foreign(reason) => Some(reason),
            _ => None,
        });
        table_row(out, style, row, &widths, reason)?;
    }
    Ok(())
}

fn width(cells: &[[String; 6]], column: usize) -> usize {
    cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
}

fn table_row(
    out: &mut impl Write,
    style: Style,
    row: &[String; 6],
    widths: &[usize],
    reason: Option<&String>,
) -> io::Result<()> {
    for (at, (cell, &width)) in row.iter().zip(widths).enumerate() {
        let padding = " ".repeat(width - cell.chars().count());
        let colored = match cell.as_str() {
            "alive" if at == 2 => style.green(cell),
            "dead" if at == 2 => style.red(cell),
            "foreign" if at == 2 => style.yellow(cell),
            _ => cell.clone(),
        };
        match at {
            5 if reason.is_none() => write!(out, "{colored}")?,
            _ => write!(out, "{colored}{padding}  ")?,
        }
    }
    match reason {
        Some(reason) => writeln!(out, "{reason}"),
        None => writeln!(out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(style: Style, answer: &Answer) -> String {
        let mut bytes = Vec::new();
        write(&mut bytes, style, answer).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    const PIPE: Style = Style { escape: false, color: false };
    const TERMINAL: Style = Style { escape: true, color: false };

    fn row(name: &str, nsid: Option<u32>) -> ListRow {
        ListRow { name: name.parse().unwrap(), nsid, entry: None }
    }

    #[test]
    fn a_list_reads_as_ips() {
        let answer = Answer::List(vec![row("a", None), row("b", Some(10))]);
        assert_eq!(text(PIPE, &answer), "a\nb (id: 10)\n");
    }

    #[test]
    fn names_are_bytes_to_a_pipe_and_escaped_to_a_terminal() {
        let answer = Answer::List(vec![row("a\x1b[2J\nb", None)]);
        assert_eq!(text(PIPE, &answer), "a\x1b[2J\nb\n");
        assert_eq!(text(TERMINAL, &answer), "a\\u{1b}[2J\\nb\n");
    }

    #[test]
    fn a_table_is_aligned_whatever_it_holds() {
        let rows = vec![
            TableRow {
                name: "long-name".parse().unwrap(),
                nsid: Some(3),
                state: State::Dead,
                links: None,
                processes: None,
            },
            TableRow {
                name: "x\n".parse().unwrap(),
                nsid: None,
                state: State::Foreign("it is a FIFO".into()),
                links: None,
                processes: None,
            },
        ];
        assert_eq!(
            text(PIPE, &Answer::Table(rows)),
            "NAME       ID  STATE    INODE  LINKS  PROCESSES\n\
             long-name  3   dead     -      -      -\n\
             x\\n        -   foreign  -      -      -          it is a FIFO\n"
        );
    }

    #[test]
    fn no_name_is_an_empty_line_and_many_are_a_line_each() {
        assert_eq!(text(PIPE, &Answer::Identified(vec![])), "\n");
        let two = vec!["a".parse().unwrap(), "b".parse().unwrap()];
        assert_eq!(text(PIPE, &Answer::Identified(two)), "a\nb\n");
    }
}
