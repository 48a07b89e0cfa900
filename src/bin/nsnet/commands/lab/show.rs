//! `lab show`: what a file means, the file as JSON, as a topology of containerlab, or what runs.

use nsnet::lab::clab;

use super::{
    super::{Context, Failure},
    file::File,
    running,
};
use crate::{
    args::{LabShow, Target},
    render::LabAnswer,
};

pub fn show(args: &LabShow, context: &mut Context<'_>) -> Result<LabAnswer, Failure> {
    let file = match &args.target {
        Target::Name(_) if args.clab => {
            return Err(Failure::Usage("'--clab' is an option of files only".into()));
        }
        Target::Name(name) => return running::running(name),
        Target::File(file) => file,
    };
    let lab = File::read(file)?.lab()?;
    if !args.clab {
        return Ok(LabAnswer::Shown(Box::new(lab)));
    }
    if context.globals.json {
        return Err(Failure::Usage("'--clab' prints YAML, and '--json' JSON: choose one of them".into()));
    }
    let (text, left_out) = clab::write(&lab);
    for words in left_out {
        context.warn(words);
    }
    Ok(LabAnswer::Topology(text))
}
