//! The plan: what makes a lab that was observed the one that is wanted. Pure: nothing here asks or
//! touches the kernel.
//!
//! Order: create, change, delete. What fits stays as it is. A link that is another one than wanted is
//! renamed out of the way, so that the new one is there before the old one goes. Of some kinds the kernel refuses
//! both at once; such a new one comes behind the deletions.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    state::{LinkState, LinkWhat, Place, RouteState, Space, State},
    step::{At, LinkEdit, PlannedLink, Step},
};
use crate::{
    addr::IfAddr,
    name::IfName,
    netlink::kind::{Kind, Shared},
};

/// What an Ethernet link takes unless it is told otherwise, in bytes.
const USUAL_MTU_BYTES: u32 = 1500;

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

/// The links that stay, by the end that is looked at: of a pair both are in it.
fn kept_links(desired: &State, observed: &State) -> BTreeSet<At> {
    let mut kept = BTreeSet::new();
    for (at, wanted) in links(desired) {
        let seen = link(observed, &at);
        let stays = seen.is_some_and(|seen| fits(&wanted.what, &seen.what)) && pair_stays(desired, observed, &at);
        if stays {
            kept.insert(at);
        }
    }
    kept
}

/// What can be there before anything is deleted, where that is not all: a link that the kernel refuses beside one that is
/// to go waits for that, and what stands on it with it.
fn without_excluded(desired: &State, observed: &State, kept: &BTreeSet<At>) -> Option<State> {
    let going: Vec<_> = links(observed).filter(|(at, _)| !kept.contains(at)).collect();
    let excludes = |new: &At, wanted: &LinkState, (old, seen): &(At, &LinkState)| {
        let is_kept = |lower: &IfName| kept.contains(&At { place: new.place.clone(), name: lower.clone() });
        new.place == old.place && excludes(wanted, seen, is_kept)
    };
    let waits = |at: &At, wanted: &LinkState| !kept.contains(at) && going.iter().any(|old| excludes(at, wanted, old));
    let waiting: Vec<At> = links(desired).filter(|(at, wanted)| waits(at, wanted)).map(|(at, _)| at).collect();
    let lengthened: Vec<(At, IfAddr)> = kept.iter().flat_map(|at| other_lengths(desired, observed, at)).collect();
    if waiting.is_empty() && lengthened.is_empty() {
        return None;
    }
    let mut first = desired.clone();
    for (at, addr) in &lengthened {
        let link = first.spaces.get_mut(&at.place).and_then(|space| space.links.get_mut(&at.name));
        if let Some(link) = link {
            link.addrs.remove(addr);
        }
    }
    for at in &waiting {
        remove(&mut first, at);
    }
    Some(first)
}

/// New IPv6 addresses that differ from one that is there in the length of the prefix alone: a link has each once.
fn other_lengths(desired: &State, observed: &State, at: &At) -> Vec<(At, IfAddr)> {
    let (Some(wanted), Some(seen)) = (link(desired, at), link(observed, at)) else { return Vec::new() };
    let is_there = |addr: &&IfAddr| addr.ip().is_ipv6() && seen.addrs.iter().any(|other| other.ip() == addr.ip());
    wanted.addrs.difference(&seen.addrs).filter(is_there).map(|addr| (at.clone(), *addr)).collect()
}

/// Whether the kernel refuses one beside the other.
fn excludes(wanted: &LinkState, seen: &LinkState, is_kept: impl Fn(&IfName) -> bool) -> bool {
    match (&wanted.what, &seen.what) {
        (LinkWhat::Kind { kind, lower }, LinkWhat::Kind { kind: other, lower: on }) => {
            let lower = lower == on && lower.as_ref().is_some_and(is_kept);
            kind.excludes(other, Shared { lower, mac: wanted.mac.is_some() && wanted.mac == seen.mac })
        }
        _ => false,
    }
}

/// Takes a link out of a state, with what stands on it or leads through it.
fn remove(state: &mut State, At { place, name }: &At) {
    let Some(space) = state.spaces.get_mut(place) else { return };
    space.links.remove(name);
    space.routes.retain(|route| route.dev.as_ref() != Some(name));
    space.sysctls.retain(|key, _| link_of(key).as_ref() != Some(name));
    let stands_on_it = |link: &LinkState| matches!(&link.what, LinkWhat::Kind { lower: Some(on), .. } if on == name);
    let on_it: Vec<IfName> =
        space.links.iter().filter(|(_, link)| stands_on_it(link)).map(|(name, _)| name.clone()).collect();
    for name in on_it {
        remove(state, &At { place: place.clone(), name });
    }
}

/// Whether the other end, if there is one, is what it should be too.
fn pair_stays(desired: &State, observed: &State, at: &At) -> bool {
    let Some(peer) = peer_of(desired, at) else { return true };
    let points_back = |state: &State| peer_of(state, &peer).as_ref() == Some(at);
    points_back(desired) && points_back(observed)
}

fn peer_of(state: &State, at: &At) -> Option<At> {
    match &link(state, at)?.what {
        LinkWhat::Veth { peer: (place, name) } => Some(At { place: place.clone(), name: name.clone() }),
        LinkWhat::Kind { .. } => None,
    }
}

/// Whether a link that is there can become the wanted one.
fn fits(wanted: &LinkWhat, seen: &LinkWhat) -> bool {
    match (wanted, seen) {
        (LinkWhat::Kind { kind: wanted, lower: on }, LinkWhat::Kind { kind: seen, lower }) => {
            on == lower && (wanted == seen || seen.changed_in_place(wanted).is_some())
        }
        _ => wanted == seen,
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

/// `lo` is in a state only where it is down, which it never should be.
fn is_lo(name: &IfName) -> bool {
    name.as_str() == "lo"
}

/// Renames what is there and is to go, where its name is wanted for a new link; returns what is there
/// then.
fn move_aside<'s>(desired: &State, observed: &'s State, kept: &BTreeSet<At>) -> (Cow<'s, State>, Vec<Step>) {
    let mut aside = Cow::Borrowed(observed);
    let mut steps = Vec::new();
    for (at, _) in links(observed).filter(|(at, _)| !kept.contains(at) && link(desired, at).is_some()) {
        let to = free_name(desired, &aside, &at.place);
        rename(aside.to_mut(), &at, &to);
        steps.push(Step::RenameLink { at, to });
    }
    (aside, steps)
}

fn free_name(desired: &State, observed: &State, place: &Place) -> IfName {
    let taken = |name: &IfName| {
        let has = |state: &State| state.spaces.get(place).is_some_and(|space| space.links.contains_key(name));
        has(desired) || has(observed)
    };
    let names = (0u32..).map(|n| format!("nsnet~{n}").parse::<IfName>());
    let free = names.flatten().find(|name| !taken(name));
    free.expect("of all numbers one is free")
}

/// Renames a link of a state, and wherever it is mentioned.
pub(super) fn rename(state: &mut State, At { place, name }: &At, to: &IfName) {
    let peer = peer_of(state, &At { place: place.clone(), name: name.clone() });
    if let Some(far) = peer.and_then(|far| state.spaces.get_mut(&far.place)?.links.get_mut(&far.name)) {
        far.what = LinkWhat::Veth { peer: (place.clone(), to.clone()) };
    }
    let Some(space) = state.spaces.get_mut(place) else { return };
    let renamed = |mentioned: &mut Option<IfName>| {
        if mentioned.as_ref() == Some(name) {
            *mentioned = Some(to.clone());
        }
    };
    for link in space.links.values_mut() {
        renamed(&mut link.master);
        if let LinkWhat::Kind { lower, .. } = &mut link.what {
            renamed(lower);
        }
    }
    if let Some(link) = space.links.remove(name) {
        space.links.insert(to.clone(), link);
    }
    space.routes = std::mem::take(&mut space.routes)
        .into_iter()
        .map(|mut route| {
            renamed(&mut route.dev);
            route
        })
        .collect();
}

/// The largest packet of a link that is wanted, where nothing but the file decides it: the kernel's
/// usual one for a veth, the smallest of its ports for a bridge, that of the link below for one that only stands on it.
fn wanted_mtu(state: &State, at: &At) -> Option<u32> {
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

/// A switch-side port, which comes up last: until then, what other ports send is not copied to it.
fn is_late_port(place: &Place, link: &LinkState) -> bool {
    *place == Place::Switches && link.master.is_some()
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

    /// New links, each behind what it stands on and belongs to.
    fn create_links(&self) -> Vec<Step> {
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

    fn edit_link(&self, at: &At, wanted: &LinkState) -> Vec<Step> {
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

    fn raise_lo(&self, place: &Place) -> Option<Step> {
        // Where it was down before, an undo leaves it so.
        let (name, _) = self.seen_space(place)?.links.iter().find(|(name, link)| is_lo(name) && !link.up)?;
        if self.desired.spaces.get(place).is_some_and(|space| space.links.contains_key(name)) {
            return None;
        }
        let at = At { place: place.clone(), name: name.clone() };
        Some(Step::ChangeLink { at, change: LinkEdit::Up { new: true } })
    }

    /// Brings up what is down, what others stand on first.
    fn raise(&self, place: &Place, space: &Space) -> Vec<Step> {
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

    fn raise_ports(&self) -> Vec<Step> {
        let place = Place::Switches;
        let Some(space) = self.desired.spaces.get(&place) else { return Vec::new() };
        let late =
            space.links.iter().filter(|(name, link)| is_late_port(&place, link) && self.is_to_rise(&place, name, link));
        late.map(|(name, _)| raise(&place, name)).collect()
    }

    /// Routes that lead straight to a link come before those by a router that is reached through them.
    fn change_routes(&self, place: &Place, space: &Space) -> Vec<Step> {
        let mut seen = self.routes_by_key(place);
        let mut new: Vec<_> = space.routes.iter().collect();
        new.sort_by_key(|route| route.via.is_some());
        let mut steps = Vec::new();
        for wanted in new {
            match seen.remove(&key_of(wanted)) {
                Some(old) if old == wanted => {}
                Some(old) => {
                    let (old, new) = (old.clone().into(), wanted.clone().into());
                    steps.push(Step::ChangeRoute { place: place.clone(), old, new });
                }
                None => steps.push(Step::AddRoute { place: place.clone(), route: wanted.clone().into() }),
            }
        }
        steps
    }

    /// Of several that differ in their router alone, the wanted one if it is there.
    fn routes_by_key(&self, place: &Place) -> BTreeMap<RouteKey, &RouteState> {
        let wanted = self.desired.spaces.get(place).map(|space| &space.routes);
        let mut by_key = BTreeMap::new();
        for route in self.seen_space(place).into_iter().flat_map(|space| &space.routes) {
            let is_wanted = wanted.is_some_and(|wanted| wanted.contains(route));
            by_key
                .entry(key_of(route))
                .and_modify(|known| {
                    if is_wanted {
                        *known = route;
                    }
                })
                .or_insert(route);
        }
        by_key
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

    /// Those that were put in the place of another are gone already, and those of a link that goes go
    /// with it.
    fn delete_routes(&self, place: &Place, space: &Space) -> Vec<Step> {
        let known = self.routes_by_key(place);
        let wanted: BTreeSet<_> = space.routes.iter().map(key_of).collect();
        let seen = self.seen_space(place).into_iter().flat_map(|seen| &seen.routes);
        let replaced = |route: &&RouteState| {
            let key = key_of(route);
            wanted.contains(&key) && known.get(&key) == Some(route)
        };
        let gone = seen.filter(|route| !space.routes.contains(route) && !replaced(route));
        gone.map(|route| Step::DeleteRoute { place: place.clone(), route: route.clone().into() }).collect()
    }

    fn delete_addrs(&self, place: &Place, space: &Space) -> Vec<Step> {
        let mut steps = Vec::new();
        for (name, wanted) in &space.links {
            let at = At { place: place.clone(), name: name.clone() };
            let Some(seen) = link(self.observed, &at).filter(|_| self.kept.contains(&at)) else { continue };
            let gone = seen.addrs.difference(&wanted.addrs);
            steps.extend(gone.map(|&addr| Step::DeleteAddr { at: at.clone(), addr }));
        }
        steps
    }

    /// Pairs go at either end, and with a namespace that goes.
    fn delete_links(&self) -> Vec<Step> {
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

fn raise(place: &Place, name: &IfName) -> Step {
    let at = At { place: place.clone(), name: name.clone() };
    Step::ChangeLink { at, change: LinkEdit::Up { new: true } }
}

/// How many links a link stands on, one on the other. The kernel refuses circles; so does the count.
fn depth(space: &Space, name: &IfName) -> usize {
    let below = |name: &IfName| match &space.links.get(name)?.what {
        LinkWhat::Kind { lower, .. } => lower.clone(),
        LinkWhat::Veth { .. } => None,
    };
    std::iter::successors(below(name), |name| below(name)).take(space.links.len()).count()
}

/// What makes two routes exclude each other.
type RouteKey = (crate::addr::Prefix, u32, u32);

fn key_of(route: &RouteState) -> RouteKey {
    (route.dst, route.table, route.metric)
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

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;
    use crate::{
        lab::Run,
        netlink::kind::{Bridge, Vlan},
    };

    fn name(text: &str) -> IfName {
        text.parse().unwrap()
    }

    fn node(text: &str) -> Place {
        Place::Node(text.parse().unwrap())
    }

    fn at(place: &Place, text: &str) -> At {
        At { place: place.clone(), name: name(text) }
    }

    fn plain(what: LinkWhat) -> LinkState {
        LinkState { what, mac: None, mtu_bytes: None, up: true, master: None, addrs: BTreeSet::new() }
    }

    fn space<'a>(state: &'a mut State, place: &Place) -> &'a mut Space {
        state.spaces.entry(place.clone()).or_default()
    }

    fn wire(state: &mut State, one: &At, other: &At) {
        for (end, far) in [(one, other), (other, one)] {
            let peer = (far.place.clone(), far.name.clone());
            space(state, &end.place).links.insert(end.name.clone(), plain(LinkWhat::Veth { peer }));
        }
    }

    fn bridge(state: &mut State, text: &str) {
        let what = LinkWhat::Kind { kind: Box::new(Kind::Bridge(Bridge::default())), lower: None };
        space(state, &Place::Switches).links.insert(name(text), plain(what));
    }

    fn link_mut<'a>(state: &'a mut State, place: &Place, text: &str) -> &'a mut LinkState {
        state.spaces.get_mut(place).unwrap().links.get_mut(&name(text)).unwrap()
    }

    /// A switch `lan` with two nodes on it.
    fn lan() -> State {
        let mut state = State::default();
        bridge(&mut state, "lan");
        for (text, addr) in [("a", "10.0.0.1/24"), ("b", "10.0.0.2/24")] {
            wire(&mut state, &at(&node(text), "eth0"), &at(&Place::Switches, text));
            link_mut(&mut state, &Place::Switches, text).master = Some(name("lan"));
            link_mut(&mut state, &node(text), "eth0").addrs.insert(addr.parse().unwrap());
        }
        state
    }

    fn command(name: &str, word: &str) -> Run {
        Run { name: name.into(), argv: vec![word.into()], ready: None, within: std::time::Duration::ZERO }
    }

    fn shown(steps: &[Step]) -> Vec<String> {
        steps.iter().map(ToString::to_string).collect()
    }

    /// What a step does to a state, as the kernel does it.
    fn apply(state: &mut State, step: &Step) {
        let place = step.place().clone();
        match step.clone() {
            Step::CreateSpace(_) => assert!(state.spaces.insert(place, Space::default()).is_none(), "{step}"),
            Step::DeleteSpace(_) => delete_space(state, &place),
            Step::CreateLink(new) => {
                for (at, link) in std::iter::once((new.at, new.link)).chain(new.peer) {
                    let space = state.spaces.entry(at.place).or_default();
                    if let Some(master) = &link.master {
                        assert!(space.links.contains_key(master), "{step}");
                    }
                    assert!(space.links.insert(at.name, link).is_none(), "{step}");
                }
            }
            Step::DeleteLink(old) => {
                for (at, _) in std::iter::once((old.at, old.link)).chain(old.peer) {
                    let space = state.spaces.get_mut(&at.place).unwrap();
                    assert!(space.links.remove(&at.name).is_some(), "{step}");
                    space.routes.retain(|route| route.dev.as_ref() != Some(&at.name));
                }
            }
            Step::RenameLink { at, to } => rename(state, &at, &to),
            Step::ChangeLink { at, change } => edit(link_mut(state, &place, at.name.as_str()), change),
            Step::AddAddr { at, addr } => {
                assert!(link_mut(state, &place, at.name.as_str()).addrs.insert(addr), "{step}");
            }
            Step::DeleteAddr { at, addr } => {
                assert!(link_mut(state, &place, at.name.as_str()).addrs.remove(&addr), "{step}");
            }
            _ => apply_to_space(state.spaces.get_mut(&place).unwrap(), step),
        }
    }

    fn delete_space(state: &mut State, place: &Place) {
        assert!(state.spaces.remove(place).is_some());
        for space in state.spaces.values_mut() {
            let gone: Vec<_> = space
                .links
                .iter()
                .filter(|(_, link)| matches!(&link.what, LinkWhat::Veth { peer } if peer.0 == *place))
                .map(|(name, _)| name.clone())
                .collect();
            space.links.retain(|name, _| !gone.contains(name));
            space.routes.retain(|route| route.dev.as_ref().is_none_or(|dev| !gone.contains(dev)));
        }
    }

    fn edit(link: &mut LinkState, change: LinkEdit) {
        match change {
            LinkEdit::Mtu { new, .. } => link.mtu_bytes = Some(new),
            LinkEdit::Mac { new, .. } => link.mac = Some(new),
            LinkEdit::Master { new, .. } => link.master = new,
            LinkEdit::Up { new } => link.up = new,
            LinkEdit::Kind { new, .. } => {
                if let LinkWhat::Kind { kind, .. } = &mut link.what {
                    *kind = new;
                }
            }
        }
    }

    fn apply_to_space(space: &mut Space, step: &Step) {
        match step.clone() {
            Step::AddRoute { route, .. } => {
                assert!(!space.routes.iter().any(|other| key_of(other) == key_of(&route)), "{step}");
                assert!(route.dev.as_ref().is_none_or(|dev| space.links.contains_key(dev)), "{step}");
                space.routes.insert(*route);
            }
            Step::ChangeRoute { old, new, .. } => {
                assert!(space.routes.remove(&*old), "{step}");
                space.routes.insert(*new);
            }
            Step::DeleteRoute { route, .. } => assert!(space.routes.remove(&*route), "{step}"),
            Step::SetSysctl { key, new, .. } => drop(space.sysctls.insert(key, new)),
            Step::ResetSysctl { key, .. } => assert!(space.sysctls.remove(&key).is_some(), "{step}"),
            Step::WriteFile { name, new, .. } => drop(space.files.insert(name, new)),
            Step::DeleteFile { name, .. } => assert!(space.files.remove(&name).is_some(), "{step}"),
            Step::StartRun { run, .. } => {
                assert!(space.runs.iter().all(|old| old.name != run.name), "{step}");
                space.runs.push(*run);
                space.runs.sort_by(|one, other| one.name.cmp(&other.name));
            }
            Step::RestartRun { old, new, .. } => {
                let at = space.runs.iter().position(|run| *run == *old);
                space.runs[at.unwrap_or_else(|| panic!("{step}"))] = *new;
            }
            Step::StopRun { run, .. } => {
                assert!(space.runs.contains(&run), "{step}");
                space.runs.retain(|old| *old != *run);
            }
            _ => unreachable!("{step}"),
        }
    }

    /// The MTU that a link has anyway, the MAC address that is whatever the kernel made it, and an empty
    /// place make no difference.
    fn normal(state: &State, wanted: &State) -> State {
        let mut normal = state.clone();
        for (at, _) in links(state) {
            let link = normal.spaces.get_mut(&at.place).unwrap().links.get_mut(&at.name).unwrap();
            link.mtu_bytes = wanted_mtu(state, &at);
            if super::link(wanted, &at).is_some_and(|wanted| wanted.mac.is_none()) {
                link.mac = None;
            }
        }
        normal.spaces.retain(|place, space| *place != Place::Here || *space != Space::default());
        normal
    }

    #[test]
    fn a_lab_that_is_as_written_needs_no_steps() {
        assert_eq!(plan(&lan(), &lan()), []);
    }

    #[test]
    fn a_new_lab_is_made_from_the_namespaces_up_and_its_ports_come_up_last() {
        let steps = shown(&plan(&lan(), &State::default()));
        let expected = [
            "create namespace ~sw",
            "create namespace a",
            "create namespace b",
            "create bridge ~sw:lan",
            "create veth ~sw:a - a:eth0",
            "create veth ~sw:b - b:eth0",
            "bring up ~sw:lan",
            "add address 10.0.0.1/24 to a:eth0",
            "bring up a:eth0",
            "add address 10.0.0.2/24 to b:eth0",
            "bring up b:eth0",
            "bring up ~sw:a",
            "bring up ~sw:b",
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn drift_of_each_sort_is_one_step() {
        type Drift = (fn(&mut State), &'static str);
        let drifts: [Drift; 6] = [
            (|seen| link_mut(seen, &node("a"), "eth0").addrs.clear(), "add address 10.0.0.1/24 to a:eth0"),
            (|seen| link_mut(seen, &node("a"), "eth0").up = false, "bring up a:eth0"),
            (|seen| link_mut(seen, &node("a"), "eth0").mtu_bytes = Some(1400), "set mtu of a:eth0 from 1400 to 1500"),
            (|seen| link_mut(seen, &Place::Switches, "a").master = None, "set master of ~sw:a from none to lan"),
            (|seen| *space(seen, &node("c")) = Space::default(), "delete namespace c"),
            (
                |seen| {
                    let lo = plain(LinkWhat::Kind { kind: Box::new(Kind::Dummy), lower: None });
                    space(seen, &node("a")).links.insert(name("lo"), LinkState { up: false, ..lo });
                },
                "bring up a:lo",
            ),
        ];
        for (drift, expected) in drifts {
            let mut seen = lan();
            drift(&mut seen);
            assert_eq!(shown(&plan(&lan(), &seen)), [expected]);
        }
    }

    #[test]
    fn commands_start_last_and_in_the_order_of_the_file_and_stop_first() {
        let mut wanted = lan();
        space(&mut wanted, &node("a")).runs = vec![command("web", "x"), command("dns", "x"), command("log", "x")];
        let mut seen = lan();
        space(&mut seen, &node("a")).runs = vec![command("dns", "y"), command("log", "x"), command("old", "x")];
        space(&mut seen, &node("c")).runs = vec![command("old", "x")];
        link_mut(&mut seen, &node("a"), "eth0").up = false;
        let expected = [
            "bring up a:eth0",
            "start web in a",
            "restart dns in a",
            "stop old in a",
            "stop old in c",
            "delete namespace c",
        ];
        assert_eq!(shown(&plan(&wanted, &seen)), expected);
    }

    #[test]
    fn a_pair_that_leads_elsewhere_is_renamed_away_until_the_new_one_is_there() {
        let mut wanted = State::default();
        wire(&mut wanted, &at(&node("a"), "eth0"), &at(&node("b"), "eth0"));
        space(&mut wanted, &node("c"));
        let mut seen = State::default();
        wire(&mut seen, &at(&node("a"), "eth0"), &at(&node("c"), "eth0"));
        space(&mut seen, &node("b"));
        let steps = plan(&wanted, &seen);
        let expected = [
            "rename a:eth0 to nsnet~0",
            "create veth a:eth0 - b:eth0",
            "bring up a:eth0",
            "bring up b:eth0",
            "delete veth a:nsnet~0 - c:eth0",
        ];
        assert_eq!(shown(&steps), expected);
        assert_eq!(steps.iter().map(Step::interrupts).collect::<Vec<_>>(), [true, false, false, false, false]);
    }

    #[test]
    fn a_vlan_of_a_number_that_is_taken_waits_and_one_of_another_does_not() {
        let with_vlan = |text: &str, id| {
            let mut state = lan();
            let what = LinkWhat::Kind {
                kind: Kind::Vlan(Vlan { id: Some(id), ..Vlan::default() }).into(),
                lower: Some(name("eth0")),
            };
            space(&mut state, &node("a")).links.insert(name(text), plain(what));
            state
        };
        let (seven, same, eight) = (with_vlan("old", 7), with_vlan("new", 7), with_vlan("new", 8));
        assert_eq!(shown(&plan(&same, &seven)), ["delete vlan a:old", "create vlan a:new", "bring up a:new"]);
        assert_eq!(shown(&plan(&eight, &seven)), ["create vlan a:new", "bring up a:new", "delete vlan a:old"]);
        assert_eq!(shown(&plan(&seven, &with_vlan("old", 8)))[0], "rename a:old to nsnet~0");
    }

    #[test]
    fn options_of_a_bridge_change_in_place() {
        let mut wanted = lan();
        let stp = Bridge { stp: Some(true), ..Bridge::default() };
        link_mut(&mut wanted, &Place::Switches, "lan").what =
            LinkWhat::Kind { kind: Box::new(Kind::Bridge(stp)), lower: None };
        assert_eq!(shown(&plan(&wanted, &lan())), ["change options of bridge ~sw:lan"]);
    }

    #[test]
    fn the_link_of_a_setting_is_told_by_its_name() {
        assert_eq!(link_of("net.ipv4.conf.eth0/5.rp_filter"), Some(name("eth0.5")));
        assert_eq!(link_of("net.ipv6.neigh.eth0.gc_stale_time"), Some(name("eth0")));
        for general in ["net.ipv4.conf.all.rp_filter", "net.ipv4.ip_forward", "net.ipv6.conf.default.mtu"] {
            assert_eq!(link_of(general), None);
        }
    }

    // Any lab from any other.

    /// A pair by the numbers of its ends' places and names, and what it is like.
    type Pair = (usize, usize, usize, usize, bool, u8);

    const NODES: [&str; 3] = ["a", "b", "c"];

    fn place_of(number: usize) -> Place {
        if number < NODES.len() { node(NODES[number]) } else { Place::Here }
    }

    fn add_pair(state: &mut State, &(one, far, first, second, switched, like): &Pair) {
        let one = at(&place_of(one), ["eth0", "eth1"][first]);
        let far = if switched {
            at(&Place::Switches, ["p0", "p1", "p2"][far % 3])
        } else {
            at(&place_of(far), ["eth0", "eth1"][second])
        };
        if one == far || link(state, &one).is_some() || link(state, &far).is_some() {
            return;
        }
        if switched {
            bridge(state, "lan");
        }
        wire(state, &one, &far);
        let end = link_mut(state, &one.place, one.name.as_str());
        end.up = like & 1 == 0;
        end.mtu_bytes = (like & 2 == 0).then_some(1400);
        end.mac = (like & 4 == 0).then(|| [2, 0, 0, 0, 0, like].into());
        end.addrs = [format!("10.0.{}.1/24", like % 4), format!("fd00::{}/64", like % 3)]
            .iter()
            .map(|addr| addr.parse().unwrap())
            .collect();
        link_mut(state, &far.place, far.name.as_str()).master = switched.then(|| name("lan"));
        if like & 8 == 0 {
            let via = format!("10.0.{}.9", like % 4).parse().unwrap();
            let route = RouteState {
                dst: crate::addr::Prefix::all(crate::addr::Family::Inet),
                kind: "unicast".into(),
                via: Some(via),
                dev: Some(one.name.clone()),
                metric: 0,
                table: 254,
                src: None,
                mtu_bytes: None,
                onlink: false,
            };
            let routes = &mut space(state, &one.place).routes;
            if !routes.iter().any(|other| key_of(other) == key_of(&route)) {
                routes.insert(route);
            }
        }
    }

    fn pairs() -> impl Strategy<Value = Vec<Pair>> {
        vec((0..4usize, 0..4usize, 0..2usize, 0..2usize, any::<bool>(), any::<u8>()), 0..6)
    }

    fn states() -> impl Strategy<Value = State> {
        let sysctls =
            vec((0..3usize, select(vec!["net.ipv4.ip_forward", "net.ipv4.conf.eth0.rp_filter"]), 0..2u8), 0..3);
        let files = vec((0..3usize, select(vec!["hosts", "resolv.conf"]), select(vec!["x", "y"])), 0..3);
        let runs = vec((0..3usize, select(vec!["web", "dns"]), select(vec!["x", "y"])), 0..3);
        (pairs(), vec(0..3usize, 0..3), sysctls, files, runs).prop_map(|(pairs, nodes, sysctls, files, runs)| {
            let mut state = State::default();
            for pair in &pairs {
                add_pair(&mut state, pair);
            }
            for at in nodes {
                space(&mut state, &place_of(at));
            }
            for (at, key, value) in sysctls {
                space(&mut state, &place_of(at)).sysctls.insert(key.into(), value.to_string());
            }
            for (at, file, text) in files {
                space(&mut state, &place_of(at)).files.insert(file.into(), text.into());
            }
            for (at, run, word) in runs {
                let runs = &mut space(&mut state, &place_of(at)).runs;
                if runs.iter().all(|other| other.name != run) {
                    runs.push(command(run, word));
                    runs.sort_by(|one, other| one.name.cmp(&other.name));
                }
            }
            state
        })
    }

    proptest! {
        #[test]
        fn the_plan_leads_from_any_lab_to_any_other(desired in states(), observed in states()) {
            let mut state = observed.clone();
            let steps = plan(&desired, &observed);
            for step in &steps {
                apply(&mut state, step);
            }
            prop_assert_eq!(normal(&state, &desired), normal(&desired, &desired));
            prop_assert_eq!(plan(&desired, &state), []);
        }

        #[test]
        fn what_is_as_written_needs_nothing(desired in states()) {
            prop_assert_eq!(plan(&desired, &desired), []);
        }

        #[test]
        fn a_plan_deletes_last_and_everything_before_can_be_taken_back(desired in states(), observed in states()) {
            let steps = plan(&desired, &observed);
            let first = steps.iter().position(Step::deletes).unwrap_or(steps.len());
            prop_assert!(steps[first..].iter().all(Step::deletes));
            let mut state = normal(&observed, &observed);
            for step in &plan(&desired, &state) {
                if step.deletes() {
                    break;
                }
                let before = state.clone();
                apply(&mut state, step);
                // A setting of a new link was that of the old one.
                let of_a_link = matches!(step, Step::SetSysctl { key, .. } if link_of(key).is_some());
                if let Some(inverse) = step.inverse().filter(|_| !of_a_link) {
                    let mut back = state.clone();
                    apply(&mut back, &inverse);
                    prop_assert_eq!(&without_nothing(&back), &without_nothing(&before), "{}", step);
                }
            }
        }

        #[test]
        fn what_both_have_is_not_touched(desired in states(), observed in states()) {
            let kept = kept_links(&desired, &observed);
            for step in plan(&desired, &observed) {
                match step {
                    Step::CreateLink(new) | Step::DeleteLink(new) => prop_assert!(!kept.contains(&new.at)),
                    Step::RenameLink { at, .. } => prop_assert!(!kept.contains(&at)),
                    Step::CreateSpace(place) | Step::DeleteSpace(place) => {
                        prop_assert!(!(desired.spaces.contains_key(&place) && observed.spaces.contains_key(&place)));
                    }
                    _ => {}
                }
            }
        }
    }

    fn without_nothing(state: &State) -> State {
        let mut state = state.clone();
        state.spaces.retain(|place, space| *place != Place::Here || *space != Space::default());
        state
    }
}
