//! `lab check`: everything that is wrong with a file.

use nsnet::lab::Lab;

use super::{super::Failure, file::File};
use crate::{args::LabFile, render::LabAnswer};

pub fn check(args: &LabFile) -> Result<LabAnswer, Failure> {
    let file = File::read(&args.file)?;
    match Lab::read(&file.text) {
        Ok(lab) => Ok(LabAnswer::Good { file: file.name, lab: Box::new(lab) }),
        Err(problems) => Ok(LabAnswer::Bad(file.with(problems))),
    }
}
