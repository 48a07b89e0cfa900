//! What is said of labs.

mod graph;
pub mod problems;
mod show;

use std::{
    io::{self, Write},
    path::Path,
};

use nsnet::lab::{Lab, Problem, Spec};

use super::{Format, MapForm, Style, json};

/// What was found out about a lab, or done to it.
pub enum LabAnswer {
    /// The file is good.
    Good {
        file: String,
        lab: Box<Lab>,
    },
    /// It is not; the exit code is 1.
    Bad(BadLab),
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
}

impl LabAnswer {
    /// The file that it goes to, where it is not stdout.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Drawn { form: MapForm::Svg(file), .. } => file.as_deref(),
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
        LabAnswer::Bad(bad) => {
            if format.json {
                json::document(out, format.pretty, &bad.problems)?;
            } else {
                out.write_all(problems::text(bad, style).as_bytes())?;
            }
            return Ok(1);
        }
    }
    Ok(0)
}
