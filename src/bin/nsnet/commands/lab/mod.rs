//! `lab`: a file that becomes a network. One file a question.

mod adopt;
mod check;
mod exec;
mod file;
mod graph;
mod import;
mod running;
mod show;
mod test;
mod up;

use super::{Context, Failure};
use crate::{
    args::{Lab, LabQuestion},
    render::{Answer, LabAnswer},
};

pub fn lab(args: Lab, context: &mut Context<'_>) -> Result<Answer, Failure> {
    if context.globals.all && !matches!(args.question, LabQuestion::Exec(_)) {
        return Err(Failure::Usage("of labs, '--all' is an option of exec only".into()));
    }
    let answer: LabAnswer = match args.question {
        LabQuestion::Check(args) => check::check(&args)?,
        LabQuestion::Plan(args) => up::plan(&args)?,
        LabQuestion::Up(args) => up::up(&args, context)?,
        LabQuestion::Status(args) => running::status(args)?,
        LabQuestion::Down(args) => running::down(args, context)?,
        LabQuestion::Test(args) => test::test(args, context)?,
        LabQuestion::Exec(args) => return exec::exec(args, context),
        LabQuestion::List => running::list()?,
        LabQuestion::Show(args) => show::show(&args, context)?,
        LabQuestion::Graph(args) => graph::graph(&args)?,
        LabQuestion::Import(args) => import::import(&args, context)?,
        LabQuestion::Adopt(args) => adopt::adopt(&args, context)?,
    };
    Ok(Answer::Lab(Box::new(answer)))
}
