//! `lab show`: what a file means, the file as JSON, or as a topology of containerlab.

use nsnet::lab::clab;

use super::{
    super::{Context, Failure},
    file::File,
};
use crate::{args::LabShow, render::LabAnswer};

pub fn show(args: &LabShow, context: &mut Context<'_>) -> Result<LabAnswer, Failure> {
    let lab = File::read(&args.file)?.lab()?;
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
