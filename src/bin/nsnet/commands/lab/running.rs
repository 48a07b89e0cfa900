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
        Some(Target::Name(name)) => return status_of(&name),
        Some(Target::File(file)) => compared(&file),
    };
    told.map_err(|failure| Failure::Unknown(Box::new(failure)))
}

/// That nothing is there is known: the exit code is not that of what cannot be told.
fn status_of(name: &LabName) -> Result<LabAnswer, Failure> {
    let state = lab::look(name, &State::default()).map_err(|e| Failure::Unknown(Box::new(e.into())))?;
    Ok(LabAnswer::Running { state: there(name, state, "tell about")? })
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
    let state = look(name, "show")?;
    Ok(LabAnswer::Running { state })
}

/// What is there of a lab that is there.
pub fn look(name: &LabName, op: &str) -> Result<State, Failure> {
    there(name, lab::look(name, &State::default())?, op)
}

/// Nothing at all would hide that the name is wrong.
fn there(name: &LabName, state: State, op: &str) -> Result<State, Failure> {
    if state.spaces.is_empty() {
        let why = "nothing of it is there; 'nsnet lab list' lists labs, and a file has a '.' or a '/' in its name";
        return Err(Failure::Failed(format!("cannot {op} lab '{}': {why}", name.as_str())));
    }
    Ok(state)
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
