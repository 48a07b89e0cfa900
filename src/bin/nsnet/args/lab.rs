//! `lab`: what can be asked of a lab, each with its options.

use std::ffi::{OsStr, OsString};

use clap::{
    Args, Subcommand,
    builder::{OsStringValueParser, TypedValueParser},
};
use nsnet::{LabName, NodeName};

use super::Picture;

#[derive(Debug, Args)]
pub struct Lab {
    #[command(subcommand)]
    pub question: LabQuestion,
}

#[derive(Debug, Subcommand)]
pub enum LabQuestion {
    /// Tell whether a lab file is good: exit 0, or 1 with all that is wrong with it.
    Check(LabFile),
    /// Print what 'up' would do, step by step.
    Plan(LabFile),
    /// Make the lab what the file says: all of it, or nothing of what was not there before.
    Up(LabFile),
    /// Tell how a lab differs from its file: exit 0 if it is as written, 1 if not, 2 if it cannot be told.
    /// Of a LAB without a file, tell what runs.
    Status(LabStatus),
    /// Remove all of a lab, and wait until it is gone.
    Down(LabTarget),
    /// Try the checks of a lab: exit 0 if all hold, 1 if some do not, 2 if it cannot be told.
    Test(LabTest),
    /// Run a command in a node, by becoming it; with --all, in each at once.
    Exec(LabExec),
    /// List the labs that are there.
    List,
    /// Show what a file means: interfaces, where they lead, addresses, routes. With --json, the file itself.
    /// Of a LAB without a file, show what runs.
    Show(LabShow),
    /// Draw what a file means, or a LAB that runs.
    Graph(LabGraph),
    /// Print a topology of containerlab as a lab file.
    Import(LabImport),
    /// Make a lab of namespaces that are there: print its file, and rename and mark them.
    Adopt(LabAdopt),
}

#[derive(Debug, Args)]
pub struct LabFile {
    /// The lab, TOML or JSON; '-' is stdin.
    #[arg(value_name = "FILE|-")]
    pub file: OsString,
}

#[derive(Debug, Args)]
pub struct LabTest {
    /// The lab, TOML or JSON; '-' is stdin.
    #[arg(value_name = "FILE|-")]
    pub file: OsString,
    /// Bring the lab up before, and take it down after, whatever comes of the checks.
    #[arg(long)]
    pub up: bool,
    /// Write what came of the checks into this file, too, as XML for services that read that of junit; '-' is stdout,
    /// in place of the table.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<OsString>,
}

#[derive(Debug, Args)]
pub struct LabTarget {
    /// The lab by its name, or its file; that of a file has a '.' or a '/' in it, and '-' is stdin.
    #[arg(value_name = "LAB|FILE|-", value_parser = target())]
    pub target: Target,
}

#[derive(Debug, Args)]
pub struct LabStatus {
    /// The lab by its name, or its file, where '-' is stdin; without one, the labs are listed.
    #[arg(value_name = "LAB|FILE|-", value_parser = target())]
    pub target: Option<Target>,
}

/// Which lab is meant.
#[derive(Debug, Clone)]
pub enum Target {
    Name(LabName),
    File(OsString),
}

fn target() -> impl TypedValueParser<Value = Target> {
    OsStringValueParser::new().map(|word| match word.to_str().and_then(|text| text.parse().ok()) {
        Some(name) => Target::Name(name),
        None => Target::File(word),
    })
}

#[derive(Debug, Args)]
#[command(override_usage = "nsnet lab exec LAB/NODE [CMD...]\n       nsnet lab exec LAB --all CMD...")]
pub struct LabExec {
    /// The node, or the lab with --all.
    #[arg(value_name = "LAB[/NODE]", value_parser = OsStringValueParser::new().try_map(|word| Nodes::of(&word)))]
    pub nodes: Nodes,
    /// The command with its own options; $SHELL without one.
    #[arg(value_name = "CMD", trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}

/// Where a command is to be run.
#[derive(Debug, Clone)]
pub enum Nodes {
    One(LabName, NodeName),
    All(LabName),
}

impl Nodes {
    fn of(word: &OsStr) -> Result<Self, String> {
        let text = word.to_str().ok_or("it is not UTF-8")?;
        let said = |e: nsnet::Error| e.to_string();
        match text.split_once('/') {
            Some((lab, node)) => Ok(Self::One(lab.parse().map_err(said)?, node.parse().map_err(said)?)),
            None => text.parse().map(Self::All).map_err(|e| meant(text).unwrap_or_else(|| said(e))),
        }
    }
}

/// Namespaces are called LAB.NODE.
fn meant(text: &str) -> Option<String> {
    let (lab, node) = text.split_once('.')?;
    let is_node = lab.parse::<LabName>().is_ok() && node.parse::<NodeName>().is_ok();
    is_node.then(|| format!("write a node of a lab as '{lab}/{node}'"))
}

#[derive(Debug, Args)]
pub struct LabShow {
    /// The lab by its name, or its file, TOML or JSON; '-' is stdin.
    #[arg(value_name = "LAB|FILE|-", value_parser = target())]
    pub target: Target,
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
pub struct LabAdopt {
    /// The name of the lab; not needed where all namespaces are called LAB.NODE already.
    #[arg(long, value_name = "LAB")]
    pub name: Option<LabName>,
    /// Only print the file; touch nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Names of namespaces, as patterns of a shell.
    #[arg(value_name = "PATTERN", required = true)]
    pub patterns: Vec<String>,
}

#[derive(Debug, Args)]
pub struct LabGraph {
    /// The lab by its name, or its file, TOML or JSON; '-' is stdin.
    #[arg(value_name = "LAB|FILE|-", value_parser = target())]
    pub target: Target,
    /// Draw what runs of the file's lab, and mark what is missing (-), not in the file (+) or different (~).
    #[arg(long)]
    pub running: bool,
    #[command(flatten)]
    pub picture: Picture,
}
