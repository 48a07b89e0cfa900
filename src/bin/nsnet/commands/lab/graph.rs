//! `lab graph`: a picture of what a file means, of what runs, or of how they differ.

use nsnet::{
    LabName,
    lab::{self, State},
};

use super::{
    super::{Failure, map::form},
    file::File,
};
use crate::{
    args::{LabGraph, Target},
    render::LabAnswer,
};

pub fn graph(args: &LabGraph) -> Result<LabAnswer, Failure> {
    let form = form(&args.picture);
    let file = match &args.target {
        Target::Name(name) => return Ok(LabAnswer::DrawnRunning { desired: None, seen: running(name)?, form }),
        Target::File(file) => file,
    };
    let lab = Box::new(File::read(file)?.lab()?);
    if !args.running {
        return Ok(LabAnswer::Drawn { lab, form });
    }
    let seen = lab::look(&lab.name, &lab.state)?;
    Ok(LabAnswer::DrawnRunning { desired: Some(lab.state), seen, form })
}

/// An empty picture would hide that the name is wrong.
fn running(name: &LabName) -> Result<State, Failure> {
    let seen = lab::look(name, &State::default())?;
    if seen.spaces.is_empty() {
        let why = "nothing of it is there; 'nsnet lab list' lists labs, and a file has a '.' or a '/' in its name";
        return Err(Failure::Failed(format!("cannot draw lab '{}': {why}", name.as_str())));
    }
    Ok(seen)
}
