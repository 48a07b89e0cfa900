//! `lab`: a file that becomes a network. One file a question.

mod check;
mod file;
mod graph;
mod import;
mod show;

use super::{Context, Failure};
use crate::{
    args::{Lab, LabQuestion},
    render::{Answer, LabAnswer},
};

pub fn lab(args: Lab, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let answer: LabAnswer = match args.question {
        LabQuestion::Check(args) => check::check(&args)?,
        LabQuestion::Show(args) => show::show(&args, context)?,
        LabQuestion::Graph(args) => graph::graph(&args)?,
        LabQuestion::Import(args) => import::import(&args, context)?,
    };
    Ok(Answer::Lab(Box::new(answer)))
}
