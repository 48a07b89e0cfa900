//! `lab`: what can be asked of a lab, each with its options.

use std::ffi::OsString;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct Lab {
    #[command(subcommand)]
    pub question: LabQuestion,
}

#[derive(Debug, Subcommand)]
pub enum LabQuestion {
    /// Tell whether a lab file is good: exit 0, or 1 with all that is wrong with it.
    Check(LabFile),
}

#[derive(Debug, Args)]
pub struct LabFile {
    /// The lab, TOML or JSON; '-' is stdin.
    #[arg(value_name = "FILE|-")]
    pub file: OsString,
}
