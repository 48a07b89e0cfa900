//! `lab import`: a topology of containerlab as a lab file.

use nsnet::lab::clab;

use super::{
    super::{Context, Failure},
    file::File,
};
use crate::{args::LabImport, render::LabAnswer};

pub fn import(args: &LabImport, context: &mut Context<'_>) -> Result<LabAnswer, Failure> {
    let file = File::read(&args.file)?;
    match clab::read(&file.text) {
        Ok(imported) => {
            for what in &imported.left_out {
                context.warn(format!("{}:{}: {}", file.name, what.line, what.message));
            }
            let toml = clab::to_toml(&imported.spec)?;
            Ok(LabAnswer::Imported { spec: Box::new(imported.spec), toml })
        }
        Err(problems) => Err(Failure::BadLab(Box::new(file.with(problems)))),
    }
}
