//! The files of containerlab, as far as they are plain: kinds linux, bridge and host, and the links between
//! them. Pure, as the rest of what is known of a file.

mod command;
mod read;
mod write;
mod yaml;

use super::{Lab, Problem, check, problem::Faults, spec::Spec};

/// A topology of containerlab as a lab file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// What the file would say; it has no problems.
    pub spec: Spec,
    /// What of the topology is not in it, in the order of the lines.
    pub left_out: Vec<Problem>,
}

/// Reads a topology.
///
/// # Errors
///
/// All that a lab cannot be, such as a link to a network of docker's.
pub fn read(text: &str) -> Result<Imported, Vec<Problem>> {
    let mut faults = Faults::default();
    let read = read::read(text, &mut faults);
    // The places in it are those of the topology, so problems are shown there.
    match read.and_then(|(spec, left_out)| Some((check::lab_of(spec, &mut faults)?.spec, left_out))) {
        Some((spec, left_out)) if faults.is_empty() => Ok(Imported { spec, left_out: left_out.into_problems(text) }),
        _ => Err(faults.into_problems(text)),
    }
}

/// A lab as the text of a lab file.
///
/// # Errors
///
/// `Invalid` where TOML has no way to say it; there is none known.
pub fn to_toml(spec: &Spec) -> crate::Result<String> {
    spec.to_toml()
}

/// A lab as a topology, and what of the lab is not in it.
#[must_use]
pub fn write(lab: &Lab) -> (String, Vec<String>) {
    write::write(lab)
}
