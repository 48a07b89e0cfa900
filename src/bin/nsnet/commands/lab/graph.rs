//! `lab graph`: a picture of what a file means.

use super::{super::Failure, file::File};
use crate::{
    args::LabGraph,
    render::{LabAnswer, MapForm},
};

pub fn graph(args: &LabGraph) -> Result<LabAnswer, Failure> {
    let lab = Box::new(File::read(&args.file)?.lab()?);
    Ok(LabAnswer::Drawn { lab, form: form(args) })
}

fn form(args: &LabGraph) -> MapForm {
    match &args.svg {
        Some(file) => MapForm::Svg(Some(file.into()).filter(|_| file != "-")),
        None if args.dot => MapForm::Dot,
        None if args.mermaid => MapForm::Mermaid,
        None => MapForm::Tree,
    }
}
