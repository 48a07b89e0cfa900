//! What is said of labs.

mod compared;
pub mod everywhere;
mod graph;
pub mod problems;
mod running;
mod show;
mod tested;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use nsnet::{
    LabName, NodeName,
    lab::{Difference, Found, Lab, Problem, Spec, State, Step, Tested},
};

use super::{Format, MapForm, Removed, Style, json};

/// What a command in a node says.
pub enum NodeSays {
    Line {
        node: NodeName,
        line: Vec<u8>,
        is_err: bool,
    },
    Ended {
        node: NodeName,
        code: io::Result<u8>,
    },
    /// All were ended by this signal.
    Interrupted(u8),
}

/// What was found out about a lab, or done to it.
pub enum LabAnswer {
    /// The file is good.
    Good {
        file: String,
        lab: Box<Lab>,
    },
    /// It is not; the exit code is 1.
    Bad(BadLab),
    /// What would be done.
    Plan(Vec<Step>),
    /// It is up, after these steps.
    Up {
        name: LabName,
        nodes: usize,
        steps: Vec<Step>,
    },
    /// How it differs from its file; the exit code is 1 if it does.
    Status {
        name: LabName,
        differences: Vec<Difference>,
    },
    /// What runs of it; the exit code is 1 if nothing does.
    Running {
        state: State,
    },
    /// It is gone.
    Down {
        name: LabName,
        removed: Vec<Removed>,
        failed: bool,
    },
    /// What came of its checks; the exit code is 2 if one could not be tried, else 1 if one does not hold.
    Tested {
        name: LabName,
        tested: Vec<Tested>,
        /// Whether something of it could not be taken down; the exit code is at least 1 then.
        is_left: bool,
        junit: Option<PathBuf>,
    },
    Labs(Vec<Found>),
    Shown(Box<Lab>),
    /// A topology of containerlab, whatever the format.
    Topology(String),
    Imported {
        spec: Box<Spec>,
        toml: String,
    },
    Drawn {
        lab: Box<Lab>,
        form: MapForm,
    },
    /// What runs of it, drawn; compared where there is a file.
    DrawnRunning {
        desired: Option<State>,
        seen: State,
        form: MapForm,
    },
}

impl LabAnswer {
    /// The file that it goes to, where it is not stdout.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Drawn { form: MapForm::Svg(file), .. } | Self::DrawnRunning { form: MapForm::Svg(file), .. } => {
                file.as_deref()
            }
            _ => None,
        }
    }

    /// A file that is written beside, and what into it.
    pub fn side(&self) -> Option<(&Path, String)> {
        match self {
            Self::Tested { name, tested, junit: Some(file), .. } if file != Path::new("-") => {
                Some((file, tested::junit(name, tested)))
            }
            _ => None,
        }
    }
}

/// A file, and all that is wrong with it.
pub struct BadLab {
    /// What it is called.
    pub file: String,
    pub text: String,
    pub problems: Vec<Problem>,
}

/// Writes an answer; returns the exit code.
pub fn write(out: &mut impl Write, format: Format, style: Style, answer: &LabAnswer) -> io::Result<u8> {
    match answer {
        LabAnswer::Good { .. } if format.json => json::document::<Problem>(out, format.pretty, &[])?,
        LabAnswer::Good { file, lab } => writeln!(out, "{file}: lab {}: good", show::summary(lab))?,
        LabAnswer::Shown(lab) if format.json => json::one(out, format.pretty, &lab.spec)?,
        LabAnswer::Shown(lab) => show::write(out, style, lab)?,
        LabAnswer::Topology(text) => out.write_all(text.as_bytes())?,
        LabAnswer::Imported { spec, .. } if format.json => json::one(out, format.pretty, spec)?,
        LabAnswer::Imported { toml, .. } => out.write_all(toml.as_bytes())?,
        LabAnswer::Drawn { lab, form } => graph::write(out, format, style, lab, form)?,
        LabAnswer::DrawnRunning { desired, seen, form } => {
            graph::draw(out, format, style, &compared::picture(desired.as_ref(), seen), form)?;
        }
        LabAnswer::Bad(bad) => {
            if format.json {
                json::document(out, format.pretty, &bad.problems)?;
            } else {
                out.write_all(problems::text(bad, style).as_bytes())?;
            }
            return Ok(1);
        }
        LabAnswer::Plan(steps) => running::plan(out, format, style, steps)?,
        LabAnswer::Up { name, nodes, steps } => running::up(out, format, (name, *nodes), steps)?,
        LabAnswer::Status { name, differences } => {
            running::status(out, format, name, differences)?;
            return Ok(u8::from(!differences.is_empty()));
        }
        LabAnswer::Running { state } => {
            running::state(out, format, state)?;
        }
        LabAnswer::Down { name, removed, failed } => {
            running::down(out, format, name, removed)?;
            return Ok(u8::from(*failed));
        }
        LabAnswer::Tested { name, tested, is_left, junit } => {
            match junit {
                Some(file) if file == Path::new("-") => out.write_all(tested::junit(name, tested).as_bytes())?,
                _ => tested::write(out, format, style, name, tested)?,
            }
            return Ok(tested::code(tested).max(u8::from(*is_left)));
        }
        LabAnswer::Labs(labs) => running::labs(out, format, labs)?,
    }
    Ok(0)
}
