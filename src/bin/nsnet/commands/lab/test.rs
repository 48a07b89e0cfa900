//! `lab test`: whether what must hold does.

use nsnet::lab::{self, Lab, Tested};

use super::{
    super::{Context, Failure},
    file::File,
    up::tell,
};
use crate::{args::LabTest, render::LabAnswer};

pub fn test(args: LabTest, context: &mut Context<'_>) -> Result<LabAnswer, Failure> {
    if context.globals.json && args.junit.as_deref() == Some("-".as_ref()) {
        return Err(Failure::Usage("JSON and '--junit -' both go to standard output: give '--junit' a file".into()));
    }
    let up = args.up;
    let told = File::read(&args.file).and_then(File::lab).and_then(|lab| {
        let (tested, is_left) = if up { up_and_down(&lab, context)? } else { (lab::test(&lab)?, false) };
        Ok(LabAnswer::Tested { name: lab.name, tested, is_left, junit: args.junit.map(Into::into) })
    });
    told.map_err(|failure| Failure::Unknown(Box::new(failure)))
}

/// What came of the checks, and whether something of the lab is left.
fn up_and_down(lab: &Lab, context: &mut Context<'_>) -> Result<(Vec<Tested>, bool), Failure> {
    let trial = lab::test_up(lab, &mut tell(lab, context))?;
    for warning in trial.warnings {
        context.warn(warning);
    }
    let mut is_left = false;
    let lowered = trial.lowered.map(|lowered| lowered.namespaces).map_err(|e| context.error(e));
    is_left |= lowered.is_err();
    for deletion in lowered.unwrap_or_default() {
        if let Err(e) = deletion.result {
            is_left = true;
            context.error(e);
        }
    }
    Ok((trial.tested, is_left))
}
