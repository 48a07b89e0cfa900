//! `lab status`, `lab down` and `lab list`: what runs, and its end.

use std::ffi::OsStr;

use nsnet::{
    ErrorKind, LabName,
    lab::{self, State},
};

use super::{
    super::{Context, Failure, names::lives_on},
    file::File,
};
use crate::{
    args::{LabStatus, LabTarget, Target},
    render::{LabAnswer, Removed},
};

pub fn status(args: LabStatus) -> Result<LabAnswer, Failure> {
    let told = match args.target {
        None => list(),
        Some(Target::Name(name)) => running(&name),
        Some(Target::File(file)) => compared(&file),
    };
    told.map_err(|failure| Failure::Unknown(Box::new(failure)))
}

/// How a lab differs from its file.
fn compared(file: &OsStr) -> Result<LabAnswer, Failure> {
    let file = File::read(file)?.lab()?;
    let seen = lab::look(&file.name, &file.state)?;
    let differences = lab::differences(&lab::plan(&file.state, &seen));
    Ok(LabAnswer::Status { name: file.name, differences })
}

/// What is there of a lab, whatever its file says.
pub fn running(name: &LabName) -> Result<LabAnswer, Failure> {
    let state = lab::look(name, &State::default())?;
    Ok(LabAnswer::Running { name: name.clone(), state })
}

pub fn list() -> Result<LabAnswer, Failure> {
    Ok(LabAnswer::Labs(lab::list()?))
}

pub fn down(args: LabTarget, context: &mut Context<'_>) -> Result<LabAnswer, Failure> {
    let name = match args.target {
        Target::Name(name) => name,
        Target::File(file) => File::read(&file)?.lab()?.name,
    };
    let lowered = lab::down(&name)?;
    lowered.warnings.into_iter().for_each(|warning| context.warn(warning));
    let mut removed = Vec::new();
    let mut failed = false;
    for deletion in lowered.namespaces {
        match deletion.result {
            // Somebody else was faster.
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => {
                failed = true;
                context.error(e);
            }
            Ok(outcome) => {
                if let Some(warning) = lives_on(&deletion.name, &outcome) {
                    context.warn(warning);
                }
                removed.push(Removed { name: deletion.name, outcome });
            }
        }
    }
    Ok(LabAnswer::Down { name, removed, failed })
}
