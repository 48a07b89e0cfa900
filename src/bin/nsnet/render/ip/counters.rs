//! What a link counted, as `ip -s` prints it: in columns that are as wide as the widest number.

use std::{fmt::Write as _, iter::zip};

use nsnet::{
    Link,
    netlink::counters::{Received, Sent},
};

use crate::render::sheet::{Sheet, View};

/// The names of the columns, one of which may have no name here; and the numbers in them.
type Columns = Vec<(&'static str, u64)>;

/// What was counted, in lines of its own; the first one is there already.
pub fn fill(sheet: &mut Sheet<'_>, link: &Link) {
    let Some(counters) = &link.counters else { return };
    let more = sheet.view.statistics > 1;
    let (rx, tx, changes) = (&counters.rx, &counters.tx, counters.carrier_changes);
    sheet.object("stats64", |sheet| {
        sheet.object("rx", |sheet| received(sheet, rx, more));
        sheet.object("tx", |sheet| sent(sheet, tx, changes.filter(|_| more), more));
    });
    let widths = widths(sheet.view, rx, tx, changes);
    let table = Table { view: sheet.view, widths };
    let blocks = [
        Some(table.first("RX", &rx_columns(rx), rx.compressed)),
        more.then(|| table.errors("RX", &rx_error_columns(rx), &rx_odd_columns(rx))),
        Some(table.first("TX", &tx_columns(tx), tx.compressed)),
        more.then(|| table.errors("TX", &tx_error_columns(tx, changes), &[])),
    ];
    for (at, line) in blocks.into_iter().flatten().flatten().enumerate() {
        if at > 0 {
            sheet.line();
        }
        sheet.text(line);
    }
}

fn received(sheet: &mut Sheet<'_>, rx: &Received, more: bool) {
    sheet.json("bytes", rx.bytes);
    sheet.json("packets", rx.packets);
    sheet.json("errors", rx.errors);
    sheet.json("dropped", rx.dropped);
    sheet.json("over_errors", rx.over_errors);
    sheet.json("multicast", rx.multicast);
    if rx.compressed > 0 {
        sheet.json("compressed", rx.compressed);
    }
    if !more {
        return;
    }
    sheet.json("length_errors", rx.length_errors);
    sheet.json("crc_errors", rx.crc_errors);
    sheet.json("frame_errors", rx.frame_errors);
    sheet.json("fifo_errors", rx.fifo_errors);
    sheet.json("missed_errors", rx.missed_errors);
    if rx.nohandler > 0 {
        sheet.json("nohandler", rx.nohandler);
    }
    if rx.otherhost_dropped > 0 {
        sheet.json("otherhost", rx.otherhost_dropped);
    }
}

fn sent(sheet: &mut Sheet<'_>, tx: &Sent, changes: Option<u32>, more: bool) {
    sheet.json("bytes", tx.bytes);
    sheet.json("packets", tx.packets);
    sheet.json("errors", tx.errors);
    sheet.json("dropped", tx.dropped);
    sheet.json("carrier_errors", tx.carrier_errors);
    sheet.json("collisions", tx.collisions);
    if tx.compressed > 0 {
        sheet.json("compressed", tx.compressed);
    }
    if more {
        sheet.json("aborted_errors", tx.aborted_errors);
        sheet.json("fifo_errors", tx.fifo_errors);
        sheet.json("window_errors", tx.window_errors);
        sheet.json("heartbeat_errors", tx.heartbeat_errors);
    }
    if let Some(changes) = changes {
        sheet.json("carrier_changes", changes);
    }
}

fn rx_columns(rx: &Received) -> Columns {
    vec![
        ("bytes", rx.bytes),
        ("packets", rx.packets),
        ("errors", rx.errors),
        ("dropped", rx.dropped),
        ("missed", rx.missed_errors),
        ("mcast", rx.multicast),
    ]
}

fn rx_error_columns(rx: &Received) -> Columns {
    vec![
        ("length", rx.length_errors),
        ("crc", rx.crc_errors),
        ("frame", rx.frame_errors),
        ("fifo", rx.fifo_errors),
        ("overrun", rx.over_errors),
    ]
}

/// Columns that are only there where there is something in them, and which ones they are.
fn rx_odd_columns(rx: &Received) -> [(usize, &'static str, u64); 2] {
    [(6, "nohandler", rx.nohandler), (7, "otherhost", rx.otherhost_dropped)]
}

fn tx_columns(tx: &Sent) -> Columns {
    vec![
        ("bytes", tx.bytes),
        ("packets", tx.packets),
        ("errors", tx.errors),
        ("dropped", tx.dropped),
        ("carrier", tx.carrier_errors),
        ("collsns", tx.collisions),
    ]
}

fn tx_error_columns(tx: &Sent, changes: Option<u32>) -> Columns {
    let mut columns = vec![
        ("aborted", tx.aborted_errors),
        ("fifo", tx.fifo_errors),
        ("window", tx.window_errors),
        ("heartbt", tx.heartbeat_errors),
    ];
    columns.extend(changes.map(|changes| ("transns", u64::from(changes))));
    columns
}

/// Of eight columns, as ip makes them.
fn widths(view: View<'_>, rx: &Received, tx: &Sent, changes: Option<u32>) -> [usize; 8] {
    let mut widths = [10, 7, 6, 7, 7, 7, 10, 9];
    if view.human {
        return widths;
    }
    let mut widen = |numbers: [u64; 8]| {
        for (width, number) in zip(&mut widths, numbers) {
            *width = (*width).max(number.to_string().len());
        }
    };
    widen([rx.bytes, rx.packets, rx.errors, rx.dropped, rx.missed_errors, rx.multicast, rx.compressed, 0]);
    widen([tx.bytes, tx.packets, tx.errors, tx.dropped, tx.carrier_errors, tx.collisions, tx.compressed, 0]);
    if view.statistics > 1 {
        let [length, crc, frame, fifo, over] =
            [rx.length_errors, rx.crc_errors, rx.frame_errors, rx.fifo_errors, rx.over_errors];
        widen([0, length, crc, frame, fifo, over, rx.nohandler, rx.otherhost_dropped]);
        // As ip does: one column to the right of where they are shown.
        let changes = changes.unwrap_or(0).into();
        widen([0, 0, tx.aborted_errors, tx.fifo_errors, tx.window_errors, tx.heartbeat_errors, changes, 0]);
    }
    widths
}

struct Table<'a> {
    view: View<'a>,
    widths: [usize; 8],
}

impl Table<'_> {
    /// Two lines: what was counted of all packets.
    fn first(&self, way: &str, columns: &Columns, compressed: u64) -> [String; 2] {
        let mut names = format!("    {way}:");
        let mut numbers = String::from("    ");
        for (at, (name, number)) in columns.iter().enumerate() {
            let width = if at == 0 { self.widths[0] - 4 } else { self.widths[at] };
            // A String takes everything.
            let _ = write!(names, " {name:>width$}");
            numbers += &self.number(self.widths[at], *number);
        }
        let width = self.widths[6];
        let _ = write!(names, " {:>width$}", if compressed > 0 { "compressed" } else { "" });
        if compressed > 0 {
            numbers += &self.number(width, compressed);
        }
        [names, numbers]
    }

    /// Two lines: what was wrong.
    fn errors(&self, way: &str, columns: &Columns, odd: &[(usize, &str, u64)]) -> [String; 2] {
        let mut names = format!("    {way} errors:{}", " ".repeat(self.widths[0] - 10));
        let mut numbers = " ".repeat(self.widths[0] + 5);
        for (at, (name, number)) in columns.iter().enumerate() {
            let width = self.widths[at + 1];
            let _ = write!(names, " {name:>width$}");
            numbers += &self.number(width, *number);
        }
        if way == "TX" && columns.len() < 5 {
            let width = self.widths[5];
            let _ = write!(names, " {:>width$}", "");
        }
        for &(at, name, number) in odd.iter().filter(|&&(_, _, number)| number > 0) {
            let width = self.widths[at];
            let _ = write!(names, " {name:>width$}");
            numbers += &self.number(width, number);
        }
        [names, numbers]
    }

    fn number(&self, width: usize, count: u64) -> String {
        let text = if self.view.human { human(count, self.view.iec) } else { count.to_string() };
        format!("{text:>width$} ")
    }
}

/// `1.5k`, `12.3M`: three digits at least, in powers of 1,000 or of 1,024.
fn human(count: u64, iec: bool) -> String {
    let base: u64 = if iec { 1024 } else { 1000 };
    if count < base {
        return count.to_string();
    }
    let (mut power, mut prefixes) = (base, "kMGTPE".chars());
    let mut prefix = prefixes.next().unwrap_or_default();
    while count / base >= power {
        let Some(next) = prefixes.next() else { break };
        (power, prefix) = (power * base, next);
    }
    let precision = match count / power {
        0..10 => 2,
        10..100 => 1,
        _ => 0,
    };
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let rounded = count as f64 / power as f64;
    format!("{rounded:.precision$}{prefix}{}", if iec { "i" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn numbers_for_people_have_three_digits() {
        for (count, text, iec) in [
            (999, "999", "999"),
            (1000, "1.00k", "1000"),
            (1536, "1.54k", "1.50ki"),
            (12_345, "12.3k", "12.1ki"),
            (123_456_789, "123M", "118Mi"),
            (u64::MAX, "18.4E", "16.0Ei"),
        ] {
            assert_eq!((&*human(count, false), &*human(count, true)), (text, iec));
        }
    }
}
