//! A lab that was checked: what a file means.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use serde::{Serialize, Serializer};

use super::{
    check,
    problem::Problem,
    spec::Spec,
    state::{Place, State},
};
use crate::name::{LabName, NodeName};

/// A lab without problems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Lab {
    /// Its name.
    pub name: LabName,
    /// Its nodes, in the order of the file.
    pub nodes: Vec<LabNode>,
    /// What must hold when it is up, in the order of the file.
    pub checks: Vec<Check>,
    /// What it is to the kernel.
    pub state: State,
    /// What the file says.
    #[serde(skip)]
    pub spec: Spec,
}

/// A node, beyond what it is to the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LabNode {
    /// Its name.
    pub name: NodeName,
    /// What commands in it see as the name of the host.
    pub hostname: String,
    /// What is started in it, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Run>,
}

/// A command that runs in a node as long as the lab is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Run {
    /// What it is called in reports.
    pub name: String,
    /// Its words.
    pub argv: Vec<String>,
    /// What tells that it is ready; `None` once it is started. Of one that was found, nothing is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
    /// How long it may take to be ready; zero of one that was found.
    #[serde(rename = "within_ms", serialize_with = "as_millis", skip_serializing_if = "Duration::is_zero")]
    pub within: Duration,
}

/// What tells that a command is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Ready {
    /// This TCP port is open in the node.
    Tcp(u16),
    /// This file is there.
    File(PathBuf),
    /// This command succeeds in the node.
    Command(Vec<String>),
}

/// Something that must hold when the lab is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// What it is called in reports.
    pub name: String,
    /// Where it is tried from.
    pub from: Place,
    /// What is tried.
    pub probe: Probe,
    /// False where it must not work.
    pub reachable: bool,
    /// How long it may take.
    #[serde(rename = "within_ms", serialize_with = "as_millis")]
    pub within: Duration,
}

/// What a check tries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Probe {
    /// An echo of ICMP.
    Ping {
        /// Who is to answer.
        to: IpAddr,
    },
    /// A connection of TCP.
    Tcp {
        /// Who is to take it.
        to: IpAddr,
        /// At this port.
        port: u16,
    },
    /// A command that is to succeed.
    Command {
        /// Its words.
        argv: Vec<String>,
        /// What it is to print, but for blanks at both ends.
        output: Option<String>,
    },
}

fn as_millis<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).serialize(to)
}

impl Run {
    /// Whether this is another one of the same: ready or not, it needs no new start.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.name, &self.argv) == (&other.name, &other.argv)
    }
}

impl Lab {
    /// Reads a file, TOML or JSON, and checks it.
    ///
    /// # Errors
    ///
    /// All that is wrong with it.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        check::lab_of_text(text)
    }

    /// Checks what was built in code.
    ///
    /// # Errors
    ///
    /// All that is wrong with it; places mean nothing.
    pub fn of(spec: Spec) -> Result<Self, Vec<Problem>> {
        check::lab_of_spec(spec)
    }
}
