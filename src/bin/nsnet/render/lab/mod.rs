//! What is said of labs.

pub mod problems;

use std::io::{self, Write};

use nsnet::lab::Problem;

use super::{Format, Style, json};

/// What was found out about a lab, or done to it.
pub enum LabAnswer {
    /// The file is good.
    Good { file: String },
    /// It is not; the exit code is 1.
    Bad(BadLab),
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
        LabAnswer::Good { file } => writeln!(out, "{file}: good")?,
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
