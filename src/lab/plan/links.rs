//! Links that are made, changed, brought up and deleted, with their addresses.

use std::collections::BTreeSet;

use super::{Plan, is_lo, link, links, peer_of};
use crate::{
    lab::{
        state::{LinkState, LinkWhat, Place, Space, State},
        step::{At, LinkEdit, PlannedLink, Step},
    },
    name::IfName,
    netlink::kind::Kind,
};

/// What an Ethernet link takes unless it is told otherwise, in bytes.
const USUAL_MTU_BYTES: u32 = 1500;

impl Plan<'_> {
    /// New links, each behind what it stands on and belongs to.
    pub(super) fn create_links(&self) -> Vec<Step> {
        let mut waiting: Vec<PlannedLink> = self.new_links();
        let mut there: BTreeSet<At> = self.kept.clone();
        let mut steps = Vec::new();
        while !waiting.is_empty() {
            let (ready, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|new| is_ready(new, &there));
            if ready.is_empty() {
                // They wait for each other, or for what nobody wants: the kernel says what is missing.
                steps.extend(later.into_iter().map(|new| Step::CreateLink(Box::new(new))));
                break;
            }
            there.extend(
                ready.iter().flat_map(|new| [Some(&new.at), new.peer.as_ref().map(|(at, _)| at)]).flatten().cloned(),
            );
            steps.extend(ready.into_iter().map(|new| Step::CreateLink(Box::new(new))));
            waiting = later;
        }
        steps
    }

    fn new_links(&self) -> Vec<PlannedLink> {
        let mut done = BTreeSet::new();
        let mut new = Vec::new();
        for (at, wanted) in links(self.desired).filter(|(at, _)| !self.kept.contains(at) && !is_lo(&at.name)) {
            if done.contains(&at) {
                continue;
            }
            let peer = peer_of(self.desired, &at);
            let far = peer.and_then(|peer| Some((peer.clone(), link(self.desired, &peer)?)));
            done.insert(at.clone());
            done.extend(far.as_ref().map(|(far, _)| far.clone()));
            new.push(planned((at, wanted), far));
        }
        new
    }

    pub(super) fn edit_link(&self, at: &At, wanted: &LinkState) -> Vec<Step> {
        let change = |change| Step::ChangeLink { at: at.clone(), change };
        let mut steps = Vec::new();
        let born = self.born(at, wanted);
        let seen = link(self.observed, at).filter(|_| self.kept.contains(at)).unwrap_or(&born);
        if seen.master != wanted.master {
            let (old, new) = (seen.master.clone(), wanted.master.clone());
            steps.push(change(LinkEdit::Master { old, new }));
        }
        if let (LinkWhat::Kind { kind: wanted, .. }, LinkWhat::Kind { kind: old, .. }) = (&wanted.what, &seen.what)
            && wanted != old
            && let Some(new) = old.changed_in_place(wanted).filter(|new| new != &**old)
        {
            steps.push(change(LinkEdit::Kind { old: old.clone(), new: new.into() }));
        }
        if let Some(new) = wanted_mtu(self.desired, at).filter(|new| self.seen_mtu(at).unwrap_or(*new) != *new) {
            steps.push(change(LinkEdit::Mtu { old: seen.mtu_bytes, new }));
        }
        if let Some(new) = wanted.mac.filter(|new| seen.mac != Some(*new)) {
            steps.push(change(LinkEdit::Mac { old: seen.mac, new }));
        }
        if seen.up && !wanted.up {
            steps.push(change(LinkEdit::Up { new: false }));
        }
        let missing = wanted.addrs.difference(&seen.addrs);
        steps.extend(missing.map(|&addr| Step::AddAddr { at: at.clone(), addr }));
        steps
    }

    /// `None` of a link that is made with the wanted one.
    fn seen_mtu(&self, at: &At) -> Option<u32> {
        self.kept.contains(at).then(|| wanted_mtu(self.observed, at)).flatten()
    }

    /// A link as it is when it was just made, so that nothing is changed of it that it was born with.
    fn born(&self, at: &At, wanted: &LinkState) -> LinkState {
        let peer = peer_of(self.desired, at).and_then(|peer| Some((peer.clone(), link(self.desired, &peer)?)));
        let new = planned((at.clone(), wanted), peer);
        if new.at == *at { new.link } else { new.peer.map_or(new.link, |(_, link)| link) }
    }

    pub(super) fn raise_lo(&self, place: &Place) -> Option<Step> {
        // Where it was down before, an undo leaves it so.
        let (name, _) = self.seen_space(place)?.links.iter().find(|(name, link)| is_lo(name) && !link.up)?;
        if self.desired.spaces.get(place).is_some_and(|space| space.links.contains_key(name)) {
            return None;
        }
        let at = At { place: place.clone(), name: name.clone() };
        Some(Step::ChangeLink { at, change: LinkEdit::Up { new: true } })
    }

    /// Brings up what is down, what others stand on first.
    pub(super) fn raise(&self, place: &Place, space: &Space) -> Vec<Step> {
        let mut down: Vec<_> = space
            .links
            .iter()
            .filter(|(name, link)| !is_late_port(place, link) && self.is_to_rise(place, name, link))
            .collect();
        down.sort_by_key(|(name, _)| depth(space, name));
        down.into_iter().map(|(name, _)| raise(place, name)).collect()
    }

    fn is_to_rise(&self, place: &Place, name: &IfName, wanted: &LinkState) -> bool {
        let at = At { place: place.clone(), name: name.clone() };
        let is_up = self.kept.contains(&at) && link(self.observed, &at).is_some_and(|seen| seen.up);
        wanted.up && !is_up
    }

    pub(super) fn raise_ports(&self) -> Vec<Step> {
        let place = Place::Switches;
        let Some(space) = self.desired.spaces.get(&place) else { return Vec::new() };
        let late =
            space.links.iter().filter(|(name, link)| is_late_port(&place, link) && self.is_to_rise(&place, name, link));
        late.map(|(name, _)| raise(&place, name)).collect()
    }

    /// Pairs go at either end, and with a namespace that goes.
    pub(super) fn delete_links(&self) -> Vec<Step> {
        let stays = |place: &Place| *place == Place::Here || self.desired.spaces.contains_key(place);
        let mut done = BTreeSet::new();
        let mut steps = Vec::new();
        for (at, seen) in links(self.observed).filter(|(at, _)| !self.kept.contains(at) && !is_lo(&at.name)) {
            let far = peer_of(self.observed, &at).and_then(|far| Some((far.clone(), link(self.observed, &far)?)));
            let goes_anyway = !stays(&at.place) || far.as_ref().is_some_and(|(far, _)| !stays(&far.place));
            if goes_anyway || done.contains(&at) {
                continue;
            }
            done.extend(far.as_ref().map(|(far, _)| far.clone()));
            let (one, other) = match far {
                // In a namespace of the lab, many can go at once.
                Some(far) if at.place == Place::Here => (far, Some((at, seen))),
                far => ((at, seen), far),
            };
            let peer = other.map(|(far, link)| (far, link.clone()));
            steps.push(Step::DeleteLink(Box::new(PlannedLink { at: one.0, link: one.1.clone(), peer })));
        }
        steps
    }

    pub(super) fn delete_addrs(&self, place: &Place, space: &Space) -> Vec<Step> {
        let mut steps = Vec::new();
        for (name, wanted) in &space.links {
            let at = At { place: place.clone(), name: name.clone() };
            let Some(seen) = link(self.observed, &at).filter(|_| self.kept.contains(&at)) else { continue };
            let gone = seen.addrs.difference(&wanted.addrs);
            steps.extend(gone.map(|&addr| Step::DeleteAddr { at: at.clone(), addr }));
        }
        steps
    }
}

/// The largest packet of a link that is wanted, where nothing but the file decides it: the kernel's
/// usual one for a veth, the smallest of its ports for a bridge, that of the link below for one that only stands on it.
pub(super) fn wanted_mtu(state: &State, at: &At) -> Option<u32> {
    let link = link(state, at)?;
    link.mtu_bytes.or_else(|| match &link.what {
        LinkWhat::Veth { .. } => Some(USUAL_MTU_BYTES),
        LinkWhat::Kind { kind, .. } if matches!(**kind, Kind::Bridge(_)) => {
            let space = state.spaces.get(&at.place)?;
            let ports = space.links.iter().filter(|(_, port)| port.master.as_ref() == Some(&at.name));
            let mtus = ports.map(|(_, port)| port.mtu_bytes.unwrap_or(USUAL_MTU_BYTES));
            Some(mtus.min().unwrap_or(USUAL_MTU_BYTES))
        }
        LinkWhat::Kind { kind, lower: Some(lower) } if kind.is_as_large_as_lower() => {
            wanted_mtu(state, &At { place: at.place.clone(), name: lower.clone() })
        }
        LinkWhat::Kind { .. } => None,
    })
}

/// A switch-side port, which comes up last: until then, what other ports send is not copied to it.
fn is_late_port(place: &Place, link: &LinkState) -> bool {
    *place == Place::Switches && link.master.is_some()
}

fn raise(place: &Place, name: &IfName) -> Step {
    let at = At { place: place.clone(), name: name.clone() };
    Step::ChangeLink { at, change: LinkEdit::Up { new: true } }
}

/// How many links a link stands on, one on the other. The kernel refuses circles; so does the count.
pub(super) fn depth(space: &Space, name: &IfName) -> usize {
    let below = |name: &IfName| match &space.links.get(name)?.what {
        LinkWhat::Kind { lower, .. } => lower.clone(),
        LinkWhat::Veth { .. } => None,
    };
    std::iter::successors(below(name), |name| below(name)).take(space.links.len()).count()
}

/// A link as it is to be made. The request goes out where it can say most: at the end that has a
/// master, and not in the starting namespace, where an index cannot be chosen.
fn planned(one: (At, &LinkState), other: Option<(At, &LinkState)>) -> PlannedLink {
    let Some(other) = other else { return PlannedLink { link: born(one.1, true), at: one.0, peer: None } };
    let rank = |(at, link): &(At, &LinkState)| (at.place == Place::Here, link.master.is_none());
    let (first, second) = if rank(&other) < rank(&one) { (other, one) } else { (one, other) };
    let peer = (second.0, born(second.1, false));
    PlannedLink { link: born(first.1, true), at: first.0, peer: Some(peer) }
}

fn born(wanted: &LinkState, with_master: bool) -> LinkState {
    let master = wanted.master.clone().filter(|_| with_master);
    LinkState { up: false, addrs: BTreeSet::new(), master, ..wanted.clone() }
}

fn is_ready(new: &PlannedLink, there: &BTreeSet<At>) -> bool {
    let needs = |at: &At, link: &LinkState| {
        let lower = match &link.what {
            LinkWhat::Kind { lower, .. } => lower.clone(),
            LinkWhat::Veth { .. } => None,
        };
        let named = [lower, link.master.clone()];
        named.into_iter().flatten().all(|name| there.contains(&At { place: at.place.clone(), name }))
    };
    needs(&new.at, &new.link) && new.peer.as_ref().is_none_or(|(at, link)| needs(at, link))
}
