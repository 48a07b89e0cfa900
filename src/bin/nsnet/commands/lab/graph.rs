//! `lab graph`: a picture of what a file means, of what runs, or of how they differ.

use nsnet::lab;

use super::{
    super::{Failure, map::form},
    file::File,
    running::look,
};
use crate::{
    args::{LabGraph, Target},
    render::LabAnswer,
};

pub fn graph(args: &LabGraph) -> Result<LabAnswer, Failure> {
    let form = form(&args.picture);
    let file = match &args.target {
        Target::Name(name) => return Ok(LabAnswer::DrawnRunning { desired: None, seen: look(name, "draw")?, form }),
        Target::File(file) => file,
    };
    let lab = Box::new(File::read(file)?.lab()?);
    if !args.running {
        return Ok(LabAnswer::Drawn { lab, form });
    }
    let seen = lab::look(&lab.name, &lab.state)?;
    Ok(LabAnswer::DrawnRunning { desired: Some(lab.state), seen, form })
}
