//! `lab plan` and `lab up`: from the file to the kernel.

use std::time::{Duration, Instant};

use nsnet::lab::{self, Lab, Progress};

use super::super::{Context, Failure, Note};
use super::file::File;
use crate::{args::LabFile, render::LabAnswer};

/// Nobody needs to be told about what is done sooner.
const LONG: Duration = Duration::from_millis(500);

pub fn plan(args: &LabFile) -> Result<LabAnswer, Failure> {
    let lab = File::read(&args.file)?.lab()?;
    Ok(LabAnswer::Plan(lab::plan_now(&lab.name, &lab.state)?))
}

pub fn up(args: &LabFile, context: &mut Context<'_>) -> Result<LabAnswer, Failure> {
    let lab = File::read(&args.file)?.lab()?;
    let raised = lab::up(&lab.name, &lab.state, &mut tell(&lab, context))?;
    for warning in raised.warnings {
        context.warn(warning);
    }
    for step in &raised.steps {
        context.detail(|| step.to_string());
    }
    Ok(LabAnswer::Up { nodes: lab::nodes_of(&lab.state), name: lab.name, steps: raised.steps })
}

/// Says how far it is, where it takes long, and wipes that out in the end.
pub fn tell<'a>(lab: &'a Lab, context: &'a mut Context<'_>) -> impl FnMut(Progress) + 'a {
    let start = Instant::now();
    let mut is_shown = false;
    move |progress| {
        if progress.is_over {
            if is_shown {
                (context.notes)(Note::Progress(None));
            }
        } else if start.elapsed() > LONG {
            is_shown = true;
            let text = format!("{}: {} of {}", lab.name.as_str(), progress.done, progress.all);
            (context.notes)(Note::Progress(Some(text)));
        }
    }
}
