//! `lab status`, `lab down` and `lab list`: what runs, and its end.

use nsnet::{
    ErrorKind, LabName,
    lab::{self, State},
};

use super::{
    super::{Context, Failure, names::lives_on},
    up::{Checked, read},
};
use crate::{
    args::{LabStatus, LabTarget, Target},
    render::{LabAnswer, Removed},
};

pub fn status(args: LabStatus) -> Result<LabAnswer, Failure> {
    match args.target {
        None => list(),
        Some(Target::Name(name)) => running(&name),
        Some(Target::File(file)) => match read(&file).map_err(unknown)? {
            Checked::Bad(answer) => Ok(LabAnswer::Unknown(Box::new(answer))),
            Checked::Good(file) => {
                let seen = lab::look(&file.name, &file.state).map_err(Failure::Unknown)?;
                let differences = lab::differences(&lab::plan(&file.state, &seen));
                Ok(LabAnswer::Status { name: file.name, differences })
            }
        },
    }
}

/// A question that has no answer.
fn unknown(failure: Failure) -> Failure {
    match failure {
        Failure::Work(e) => Failure::Unknown(e),
        failure => failure,
    }
}

/// What is there of a lab, whatever its file says.
fn running(name: &LabName) -> Result<LabAnswer, Failure> {
    let state = lab::look(name, &State::default()).map_err(Failure::Unknown)?;
    Ok(LabAnswer::Running { name: name.clone(), state })
}

pub fn list() -> Result<LabAnswer, Failure> {
    Ok(LabAnswer::Labs(lab::list()?))
}

pub fn down(args: LabTarget, context: &mut Context<'_>) -> Result<LabAnswer, Failure> {
    let name = match args.target {
        Target::Name(name) => name,
        Target::File(file) => match read(&file)? {
            Checked::Good(lab) => lab.name,
            Checked::Bad(answer) => return Ok(answer),
        },
    };
    let lowered = lab::down(&name)?;
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
