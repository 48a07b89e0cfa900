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
    /// Show what a file means: interfaces, where they lead, addresses, routes. With --json, the file itself.
    Show(LabShow),
    /// Draw what a file means.
    Graph(LabGraph),
    /// Print a topology of containerlab as a lab file.
    Import(LabImport),
}

#[derive(Debug, Args)]
pub struct LabFile {
    /// The lab, TOML or JSON; '-' is stdin.
    #[arg(value_name = "FILE|-")]
    pub file: OsString,
}

#[derive(Debug, Args)]
pub struct LabShow {
    /// The lab, TOML or JSON; '-' is stdin.
    #[arg(value_name = "FILE|-")]
    pub file: OsString,
    /// Print it as a topology of containerlab, in YAML.
    #[arg(long)]
    pub clab: bool,
}

#[derive(Debug, Args)]
pub struct LabImport {
    /// The topology, in YAML; '-' is stdin.
    #[arg(value_name = "FILE|-")]
    pub file: OsString,
}

#[derive(Debug, Args)]
pub struct LabGraph {
    /// The lab, TOML or JSON; '-' is stdin.
    #[arg(value_name = "FILE|-")]
    pub file: OsString,
    /// Draw it for Graphviz.
    #[arg(long, group = "form")]
    pub dot: bool,
    /// Draw it for Mermaid.
    #[arg(long, group = "form")]
    pub mermaid: bool,
    /// Draw it as an SVG picture, into this file; '-' is stdout.
    #[arg(long, group = "form", value_name = "FILE|-")]
    pub svg: Option<OsString>,
}
