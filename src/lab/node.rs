//! A node of a lab that is up, to run commands in.

use super::{
    files::{self, Texts},
    state::Place,
};
use crate::{
    error::{Error, ErrorKind, Result},
    name::{LabName, NodeName},
};

/// The nodes of a lab that are there, sorted; told by their marks.
///
/// # Errors
///
/// `NotFound` where there is none; `Denied` without `CAP_SYS_ADMIN`.
pub fn nodes(lab: &LabName) -> Result<Vec<NodeName>> {
    let labs = super::list()?;
    let places = labs.into_iter().find(|found| found.name == *lab).map(|found| found.places).unwrap_or_default();
    let nodes: Vec<NodeName> = places
        .into_iter()
        .filter_map(|place| match place {
            Place::Node(node) => Some(node),
            _ => None,
        })
        .collect();
    if nodes.is_empty() {
        let why = "nothing of it is there; 'nsnet lab list' lists labs";
        return Err(Error::of_kind(ErrorKind::NotFound, "find lab", lab, why));
    }
    Ok(nodes)
}

/// What commands in a node see as the name of the host: what its `hosts` has behind its own name, or that.
#[must_use]
pub fn hostname(lab: &LabName, node: &NodeName) -> String {
    let found = files::read(lab, &Place::Node(node.clone()), &mut Texts::default()).ok();
    let hosts = found.and_then(|found| found.files.get("hosts").cloned());
    let own = hosts
        .iter()
        .flat_map(|hosts| hosts.lines())
        .map(|line| line.split_ascii_whitespace().skip(1))
        .find_map(|mut names| (names.next()? == node.as_str()).then(|| names.next().map(str::to_owned)));
    own.flatten().unwrap_or_else(|| node.as_str().to_owned())
}
