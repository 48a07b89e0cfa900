//! `lab show`: what a file means, the file as JSON, or what runs.

use super::{super::Failure, file::File, running};
use crate::{
    args::{LabTarget, Target},
    render::LabAnswer,
};

pub fn show(args: &LabTarget) -> Result<LabAnswer, Failure> {
    match &args.target {
        Target::Name(name) => running::running(name),
        Target::File(file) => Ok(LabAnswer::Shown(Box::new(File::read(file)?.lab()?))),
    }
}
