//! `lab show`: what a file means, or the file as JSON.

use super::{super::Failure, file::File};
use crate::{args::LabFile, render::LabAnswer};

pub fn show(args: &LabFile) -> Result<LabAnswer, Failure> {
    Ok(LabAnswer::Shown(Box::new(File::read(&args.file)?.lab()?)))
}
