//! `lab adopt`: a lab of namespaces that are there.

use nsnet::lab;

use super::super::{Context, Failure};
use crate::{args::LabAdopt, render::LabAnswer};

pub fn adopt(args: &LabAdopt, context: &mut Context<'_>) -> Result<LabAnswer, Failure> {
    let adopted = lab::adopt(args.name.as_ref(), &args.patterns, args.dry_run)?;
    for what in adopted.left_out {
        context.warn(what);
    }
    for (old, new) in adopted.renamed {
        let words = if args.dry_run { ["would be called", ""] } else { ["is called", " now"] };
        context.warn(format!("{old} {} {new}{}", words[0], words[1]));
    }
    let toml = adopted.spec.to_toml()?;
    Ok(LabAnswer::Imported { spec: Box::new(adopted.spec), toml })
}
