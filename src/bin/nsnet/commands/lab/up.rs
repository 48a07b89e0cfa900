//! `lab plan` and `lab up`: from the file to the kernel.

use std::{
    ffi::OsStr,
    time::{Duration, Instant},
};

use nsnet::lab::{self, Lab, Progress};

use super::super::{Context, Failure, Note};
use super::file::File;
use crate::{args::LabFile, render::LabAnswer};

/// Nobody needs to be told about what is done sooner.
const LONG: Duration = Duration::from_millis(500);

/// A file that was read, or what is wrong with it, which is an answer too.
pub enum Checked {
    Good(Box<Lab>),
    Bad(LabAnswer),
}

/// Reads a file and checks it.
pub fn read(path: &OsStr) -> Result<Checked, Failure> {
    let file = File::read(path)?;
    Ok(match Lab::read(&file.text) {
        Ok(lab) => Checked::Good(Box::new(lab)),
        Err(problems) => Checked::Bad(LabAnswer::Bad(file.with(problems))),
    })
}

pub fn plan(args: &LabFile) -> Result<LabAnswer, Failure> {
    match read(&args.file)? {
        Checked::Good(lab) => Ok(LabAnswer::Plan(lab::plan_now(&lab.name, &lab.state)?)),
        Checked::Bad(answer) => Ok(answer),
    }
}

pub fn up(args: &LabFile, context: &mut Context<'_>) -> Result<LabAnswer, Failure> {
    let lab = match read(&args.file)? {
        Checked::Good(lab) => lab,
        Checked::Bad(answer) => return Ok(answer),
    };
    let raised = lab::up(&lab.name, &lab.state, &mut tell(&lab, context))?;
    (context.notes)(Note::Progress(None));
    for warning in raised.warnings {
        context.warn(warning);
    }
    for step in &raised.steps {
        context.detail(|| step.to_string());
    }
    Ok(LabAnswer::Up { nodes: lab::nodes_of(&lab.state), name: lab.name, steps: raised.steps })
}

/// Says how far it is, where it takes long.
fn tell<'a>(lab: &'a Lab, context: &'a mut Context<'_>) -> impl FnMut(Progress) + 'a {
    let start = Instant::now();
    move |progress| {
        if start.elapsed() > LONG {
            let text = format!("{}: {} of {}", lab.name.as_str(), progress.done, progress.all);
            (context.notes)(Note::Progress(Some(text)));
        }
    }
}
