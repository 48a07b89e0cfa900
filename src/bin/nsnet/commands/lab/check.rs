//! `lab check`: everything that is wrong with a file.

use nsnet::lab::Spec;

use super::{super::Failure, file::File};
use crate::{args::LabFile, render::LabAnswer};

pub fn check(args: &LabFile) -> Result<LabAnswer, Failure> {
    let file = File::read(&args.file)?;
    match Spec::read(&file.text) {
        Ok(_) => Ok(LabAnswer::Good { file: file.name }),
        Err(problems) => Ok(LabAnswer::Bad(file.with(problems))),
    }
}
