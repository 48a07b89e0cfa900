//! How a lab differs from its file, in words: what a plan would do, told as what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    state::Place,
    step::{At, LinkEdit, Step, shown_route, word_of},
};
use crate::{name::IfName, name::escaped};

/// One thing that is not as written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// Where.
    pub place: Place,
    /// What is wrong, with the place before it: `h1:eth0: it is down`.
    pub text: String,
}

/// What is not as written, by the steps that would make it so. What is missing because something else is
/// missing is not told apart from that.
#[must_use]
pub fn differences(steps: &[Step]) -> Vec<Difference> {
    let new: BTreeSet<&Place> = steps
        .iter()
        .filter_map(|step| match step {
            Step::CreateSpace(place) => Some(place),
            _ => None,
        })
        .collect();
    let born: BTreeSet<&At> = steps.iter().flat_map(ends_of).collect();
    let told = |step: &&Step| match step {
        Step::CreateSpace(_) => true,
        Step::CreateLink(_) => ends_of(step).iter().all(|at| !new.contains(&at.place)),
        Step::ChangeLink { at, .. } | Step::AddAddr { at, .. } => !born.contains(at) && !new.contains(&at.place),
        // The old link is told as the one that is not in the file.
        Step::RenameLink { .. } => false,
        step => !new.contains(step.place()),
    };
    let renamed = steps.iter().filter_map(|step| match step {
        Step::RenameLink { at, to } => Some((At { place: at.place.clone(), name: to.clone() }, at.name.clone())),
        _ => None,
    });
    let renamed: BTreeMap<At, IfName> = renamed.collect();
    let now = steps.iter().filter(told).map(|step| in_names_of_now(step, &renamed));
    // What leads through a link that is to be another one.
    let now = now.filter(|step| !matches!(step, Step::ChangeRoute { old, new, .. } if old == new));
    now.map(|step| Difference { place: step.place().clone(), text: text(&step) }).collect()
}

/// A step in the names that links have before some are renamed out of the way.
fn in_names_of_now(step: &Step, renamed: &BTreeMap<At, IfName>) -> Step {
    let mut step = step.clone();
    let end = |at: &mut At| {
        if let Some(name) = renamed.get(at) {
            at.name = name.clone();
        }
    };
    let link = |place: &Place, name: &mut Option<IfName>| {
        if let Some(name) = name {
            let mut at = At { place: place.clone(), name: name.clone() };
            end(&mut at);
            *name = at.name;
        }
    };
    match &mut step {
        Step::DeleteLink(old) => {
            end(&mut old.at);
            old.peer.iter_mut().for_each(|(at, _)| end(at));
        }
        Step::DeleteRoute { place, route: old } | Step::ChangeRoute { place, old, .. } => link(place, &mut old.dev),
        Step::ChangeLink { at, change: LinkEdit::Master { old, .. } } => link(&at.place, old),
        _ => {}
    }
    step
}

fn ends_of(step: &Step) -> Vec<&At> {
    match step {
        Step::CreateLink(new) => std::iter::once(&new.at).chain(new.peer.as_ref().map(|(at, _)| at)).collect(),
        _ => Vec::new(),
    }
}

fn text(step: &Step) -> String {
    let of = |place: &Place| word_of(place).to_owned();
    let name = |name: &str| escaped(name.as_bytes());
    match step {
        Step::CreateSpace(place) => format!("{}: the namespace is missing", of(place)),
        Step::DeleteSpace(place) => format!("{}: it is not in the file", of(place)),
        Step::CreateLink(new) => format!("{new}: it is missing"),
        Step::DeleteLink(old) => format!("{old}: it is not in the file"),
        Step::RenameLink { at, .. } => format!("{at}: it is another link"),
        Step::ChangeLink { at, change } => format!("{at}: {}", edit(change)),
        Step::AddAddr { at, addr } => format!("{at}: the address {addr} is missing"),
        Step::DeleteAddr { at, addr } => format!("{at}: the address {addr} is not in the file"),
        Step::AddRoute { place, route } => format!("{}: the route {} is missing", of(place), shown_route(route)),
        Step::ChangeRoute { place, old, new } => {
            format!("{}: the route is {}, not {}", of(place), shown_route(old), shown_route(new))
        }
        Step::DeleteRoute { place, route } => {
            format!("{}: the route {} is not in the file", of(place), shown_route(route))
        }
        Step::SetSysctl { place, key, old: Some(old), new } => format!("{}: {key} is {old}, not {new}", of(place)),
        Step::SetSysctl { place, key, new, .. } => format!("{}: {key} is not set to {new}", of(place)),
        Step::ResetSysctl { place, key, .. } => format!("{}: {key} is set, and not in the file", of(place)),
        Step::WriteFile { place, name: file, old: None, .. } => {
            format!("{}: the file {} is missing", of(place), name(file))
        }
        Step::WriteFile { place, name: file, .. } => format!("{}: the file {} differs", of(place), name(file)),
        Step::StartRun { place, run } => format!("{}: {} does not run", of(place), name(&run.name)),
        Step::RestartRun { place, new, .. } => format!("{}: {} runs with other words", of(place), name(&new.name)),
        Step::StopRun { place, run } => format!("{}: {} runs, and is not in the file", of(place), name(&run.name)),
        Step::DeleteFile { place, name: file, .. } => {
            format!("{}: the file {} is not in the lab file", of(place), name(file))
        }
    }
}

fn edit(change: &LinkEdit) -> String {
    let name = |name: &Option<IfName>| {
        name.as_ref().map_or_else(|| "none".to_owned(), |name| escaped(name.as_str().as_bytes()))
    };
    match change {
        LinkEdit::Mtu { old: Some(old), new } => format!("its mtu is {old}, not {new}"),
        LinkEdit::Mtu { old: None, new } => format!("its mtu is not {new}"),
        LinkEdit::Mac { old: Some(old), new } => format!("its hardware address is {old}, not {new}"),
        LinkEdit::Mac { old: None, new } => format!("its hardware address is not {new}"),
        LinkEdit::Master { old, new } => format!("it belongs to {}, not to {}", name(old), name(new)),
        LinkEdit::Up { new: true } => "it is down".into(),
        LinkEdit::Up { new: false } => "it is up".into(),
        LinkEdit::Kind { new, .. } => format!("options of the {} differ", new.word()),
    }
}
