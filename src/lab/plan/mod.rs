//! The plan: what makes a lab that was observed the one that is wanted. Pure: nothing here asks or
//! touches the kernel.
//!
//! Order: create, change, delete. What fits stays as it is. A link that is another one than wanted is
//! renamed out of the way, so that the new one is there before the old one goes. Of some kinds the kernel refuses
//! both at once; such a new one comes behind the deletions.

mod kept;
mod links;
mod routes;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    state::{LinkState, LinkWhat, Place, Space, State},
    step::{At, Step},
};
use crate::name::IfName;
use kept::{kept_links, move_aside, without_excluded};
use links::depth;

/// The steps from `observed` to `desired`, in the order in which they are to be done; none where the
/// lab is as written.
///
/// A MAC address or an option that is `None` in `desired` is left as it is; an MTU that is `None` is the
/// usual one of the kind, where there is one.
#[must_use]
pub fn plan(desired: &State, observed: &State) -> Vec<Step> {
    let kept = kept_links(desired, observed);
    match without_excluded(desired, observed, &kept) {
        None => straight(desired, observed, &kept),
        Some(first) => {
            let mut steps = straight(&first, observed, &kept_links(&first, observed));
            steps.extend(straight(desired, &first, &kept_links(desired, &first)));
            steps
        }
    }
}

/// The steps where all that is new can be there before the old one goes.
fn straight(desired: &State, observed: &State, kept: &BTreeSet<At>) -> Vec<Step> {
    let (aside, renames) = move_aside(desired, observed, kept);
    let plan = Plan { desired, observed: &aside, kept };
    let mut steps = plan.create_spaces();
    steps.extend(plan.sysctls(|key| link_of(key).is_none()));
    steps.extend(renames);
    steps.extend(plan.create_links());
    for place in desired.spaces.keys() {
        steps.extend(plan.change_space(place));
    }
    steps.extend(plan.sysctls(|key| link_of(key).is_some()));
    steps.extend(plan.write_files());
    steps.extend(plan.raise_ports());
    steps.extend(plan.start_runs());
    steps.extend(plan.delete());
    steps
}

/// What is known while a plan is made.
struct Plan<'a> {
    desired: &'a State,
    /// What there is once names are free.
    observed: &'a State,
    kept: &'a BTreeSet<At>,
}

impl Plan<'_> {
    fn seen_space(&self, place: &Place) -> Option<&Space> {
        self.observed.spaces.get(place)
    }

    fn create_spaces(&self) -> Vec<Step> {
        let missing = |place: &&Place| **place != Place::Here && self.seen_space(place).is_none();
        self.desired.spaces.keys().filter(missing).cloned().map(Step::CreateSpace).collect()
    }

    fn sysctls(&self, belongs: impl Fn(&str) -> bool) -> Vec<Step> {
        let mut steps = Vec::new();
        let none = BTreeMap::new();
        for (place, space) in &self.desired.spaces {
            let seen = self.seen_space(place).map_or(&none, |space| &space.sysctls);
            let unwanted = seen.iter().filter(|(key, _)| belongs(key) && !space.sysctls.contains_key(*key));
            for (key, old) in unwanted {
                steps.push(Step::ResetSysctl { place: place.clone(), key: key.clone(), old: old.clone() });
            }
            for (key, new) in space.sysctls.iter().filter(|(key, _)| belongs(key)) {
                let old = seen.get(key).filter(|_| self.is_there_to_stay(place, key)).cloned();
                if old.as_ref() != Some(new) {
                    steps.push(Step::SetSysctl { place: place.clone(), key: key.clone(), old, new: new.clone() });
                }
            }
        }
        steps
    }

    /// A setting of a link that is made anew is what it is for every new link.
    fn is_there_to_stay(&self, place: &Place, key: &str) -> bool {
        let at = link_of(key).map(|name| At { place: place.clone(), name });
        at.is_none_or(|at| self.kept.contains(&at) || link(self.desired, &at).is_none())
    }

    /// What changes of the links, addresses and routes of one namespace.
    fn change_space(&self, place: &Place) -> Vec<Step> {
        let mut steps = Vec::new();
        let Some(space) = self.desired.spaces.get(place) else { return steps };
        // A link can be no larger than the one that it stands on.
        let mut from_below: Vec<_> = space.links.iter().collect();
        from_below.sort_by_key(|(name, _)| depth(space, name));
        for (name, wanted) in from_below {
            let at = At { place: place.clone(), name: name.clone() };
            steps.extend(self.edit_link(&at, wanted));
        }
        steps.extend(self.raise_lo(place));
        steps.extend(self.raise(place, space));
        steps.extend(self.change_routes(place, space));
        steps
    }

    fn write_files(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (place, space) in &self.desired.spaces {
            for (name, new) in &space.files {
                let old = self.seen_space(place).and_then(|seen| seen.files.get(name)).cloned();
                // What is the same text is one text mostly.
                if !old.as_ref().is_some_and(|old| Arc::ptr_eq(old, new) || old == new) {
                    steps.push(Step::WriteFile { place: place.clone(), name: name.clone(), old, new: new.clone() });
                }
            }
        }
        steps
    }

    /// In the order of the file.
    fn start_runs(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (place, space) in &self.desired.spaces {
            let seen = self.seen_space(place).map_or(&[][..], |seen| &seen.runs);
            for run in &space.runs {
                let (place, wanted) = (place.clone(), Box::new(run.clone()));
                match seen.iter().find(|old| old.name == run.name) {
                    None => steps.push(Step::StartRun { place, run: wanted }),
                    Some(old) if old.is_same(run) => {}
                    Some(old) => steps.push(Step::RestartRun { place, old: old.clone().into(), new: wanted }),
                }
            }
        }
        steps
    }

    fn stop_runs(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (place, seen) in &self.observed.spaces {
            let wanted = self.desired.spaces.get(place).map_or(&[][..], |space| &space.runs);
            let gone = seen.runs.iter().filter(|old| wanted.iter().all(|run| run.name != old.name));
            steps.extend(gone.map(|run| Step::StopRun { place: place.clone(), run: run.clone().into() }));
        }
        steps
    }

    fn delete(&self) -> Vec<Step> {
        let mut steps = self.stop_runs();
        for (place, space) in &self.desired.spaces {
            steps.extend(self.delete_routes(place, space));
            steps.extend(self.delete_addrs(place, space));
        }
        steps.extend(self.delete_links());
        steps.extend(self.delete_files());
        let gone = self.observed.spaces.keys().filter(|place| !self.desired.spaces.contains_key(place));
        steps.extend(gone.filter(|place| **place != Place::Here).cloned().map(Step::DeleteSpace));
        steps
    }

    fn delete_files(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (place, seen) in &self.observed.spaces {
            let wanted = self.desired.spaces.get(place);
            for (name, old) in &seen.files {
                if !wanted.is_some_and(|space| space.files.contains_key(name)) {
                    let (place, name, old) = (place.clone(), name.clone(), old.clone());
                    steps.push(Step::DeleteFile { place, name, old });
                }
            }
        }
        steps
    }
}

fn links(state: &State) -> impl Iterator<Item = (At, &LinkState)> {
    state.spaces.iter().flat_map(|(place, space)| {
        space.links.iter().map(|(name, link)| (At { place: place.clone(), name: name.clone() }, link))
    })
}

fn link<'a>(state: &'a State, At { place, name }: &At) -> Option<&'a LinkState> {
    state.spaces.get(place)?.links.get(name)
}

fn peer_of(state: &State, at: &At) -> Option<At> {
    match &link(state, at)?.what {
        LinkWhat::Veth { peer: (place, name) } => Some(At { place: place.clone(), name: name.clone() }),
        LinkWhat::Kind { .. } => None,
    }
}

/// `lo` is in a state only where it is down, which it never should be.
fn is_lo(name: &IfName) -> bool {
    name.as_str() == "lo"
}

/// The link that a setting belongs to: the kernel makes it with the link, and it goes with it. A dot of
/// the link's name is a `/` in that of the setting.
pub(super) fn link_of(key: &str) -> Option<IfName> {
    let words: Vec<&str> = key.split('.').collect();
    match words[..] {
        ["net", "ipv4" | "ipv6", "conf" | "neigh", "all" | "default", ..] => None,
        ["net", "ipv4" | "ipv6", "conf" | "neigh", link, ..] => link.replace('/', ".").parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
