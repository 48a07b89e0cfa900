//! Plans, differences, and what runs.

use std::io::{self, Write};

use nsnet::{
    LabName,
    lab::{Difference, Found, Place, Space, State, Step, word_of},
    name::escaped,
    netns::Outcome,
};
use serde::Serialize;

use super::super::{Format, Removed, Style, json};

#[derive(Serialize)]
struct StepRow<'a> {
    step: &'static str,
    place: &'a Place,
    text: String,
    interrupts: bool,
    deletes: bool,
}

impl<'a> StepRow<'a> {
    fn of(step: &'a Step) -> Self {
        let (interrupts, deletes) = (step.interrupts(), step.deletes());
        Self { step: step.word(), place: step.place(), text: step.to_string(), interrupts, deletes }
    }
}

pub fn plan(out: &mut impl Write, format: Format, style: Style, steps: &[Step]) -> io::Result<()> {
    if format.json {
        return json::document(out, format.pretty, &steps.iter().map(StepRow::of).collect::<Vec<_>>());
    }
    for step in steps {
        let text = step.to_string();
        let text = if step.deletes() { style.red(&text) } else { text };
        let note = if step.interrupts() { style.yellow(" (may interrupt)") } else { String::new() };
        writeln!(out, "{text}{note}")?;
    }
    Ok(())
}

#[derive(Serialize)]
struct UpRow<'a> {
    lab: &'a LabName,
    nodes: usize,
    steps: Vec<StepRow<'a>>,
}

pub fn up(out: &mut impl Write, format: Format, (lab, nodes): (&LabName, usize), steps: &[Step]) -> io::Result<()> {
    if format.json {
        let steps = steps.iter().map(StepRow::of).collect();
        return json::one(out, format.pretty, &UpRow { lab, nodes, steps });
    }
    let name = lab.as_str();
    match steps.len() {
        0 => writeln!(out, "{name}: as written, nothing to do"),
        count => writeln!(out, "{name}: up with {}, after {}", counted(nodes, "node"), counted(count, "step")),
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[derive(Serialize)]
struct DifferenceRow<'a> {
    place: &'a Place,
    text: &'a str,
}

impl<'a> DifferenceRow<'a> {
    fn of(difference: &'a Difference) -> Self {
        Self { place: &difference.place, text: &difference.text }
    }
}

pub fn status(out: &mut impl Write, format: Format, lab: &LabName, differences: &[Difference]) -> io::Result<()> {
    if format.json {
        let rows: Vec<_> = differences.iter().map(DifferenceRow::of).collect();
        return json::document(out, format.pretty, &rows);
    }
    if differences.is_empty() {
        return writeln!(out, "{}: as written", lab.as_str());
    }
    differences.iter().try_for_each(|difference| writeln!(out, "{}", difference.text))
}

/// A line for each link of each node, with its addresses.
pub fn state(out: &mut impl Write, format: Format, state: &State) -> io::Result<()> {
    if format.json {
        return json::one(out, format.pretty, state);
    }
    state.spaces.iter().try_for_each(|(place, space)| write_space(out, place, space))
}

fn write_space(out: &mut impl Write, place: &Place, space: &Space) -> io::Result<()> {
    writeln!(out, "{}", word_of(place))?;
    for (name, link) in &space.links {
        let name = escaped(name.as_str().as_bytes());
        let addrs: Vec<_> = link.addrs.iter().map(ToString::to_string).collect();
        let down = if link.up { "" } else { " down" };
        let master = link
            .master
            .as_ref()
            .map_or_else(String::new, |master| format!(" of {}", escaped(master.as_str().as_bytes())));
        let line = format!("    {name}{master}{down} {}", addrs.join(" "));
        writeln!(out, "{}", line.trim_end())?;
    }
    for run in &space.runs {
        writeln!(out, "    runs {}: {}", escaped(run.name.as_bytes()), escaped(run.argv.join(" ").as_bytes()))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct LabRow<'a> {
    name: &'a LabName,
    nodes: Vec<&'a Place>,
}

impl<'a> LabRow<'a> {
    fn of(lab: &'a Found) -> Self {
        Self { name: &lab.name, nodes: lab.places.iter().filter(|place| matches!(place, Place::Node(_))).collect() }
    }
}

pub fn labs(out: &mut impl Write, format: Format, labs: &[Found]) -> io::Result<()> {
    let rows: Vec<LabRow<'_>> = labs.iter().map(LabRow::of).collect();
    if format.json {
        return json::document(out, format.pretty, &rows);
    }
    rows.iter().try_for_each(|lab| writeln!(out, "{} ({})", lab.name.as_str(), counted(lab.nodes.len(), "node")))
}

pub fn down(out: &mut impl Write, format: Format, lab: &LabName, removed: &[Removed]) -> io::Result<()> {
    if format.json {
        return json::removed(out, format.pretty, removed);
    }
    let count = |is: fn(&Outcome) -> bool| removed.iter().filter(|removed| is(&removed.outcome)).count();
    let held = count(|outcome| matches!(outcome, Outcome::Held(_) | Outcome::HeldUnseen));
    let unknown = count(|outcome| matches!(outcome, Outcome::Unwatched(_)));
    write!(out, "{}: down, {} gone", lab.as_str(), counted(removed.len() - held - unknown, "namespace"))?;
    match held {
        0 => {}
        1 => write!(out, ", 1 lives on without a name")?,
        _ => write!(out, ", {held} live on without a name")?,
    }
    if unknown > 0 {
        write!(out, ", {unknown} not known to be gone")?;
    }
    writeln!(out)
}
