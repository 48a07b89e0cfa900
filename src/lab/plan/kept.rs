//! Which links stay, and how those that do not are kept out of the way of the new ones.

use std::{borrow::Cow, collections::BTreeSet};

use super::{link, link_of, links, peer_of};
use crate::{
    addr::IfAddr,
    lab::{
        state::{LinkState, LinkWhat, Place, State},
        step::{At, Step},
    },
    name::IfName,
    netlink::kind::Shared,
};

/// The links that stay, by the end that is looked at: of a pair both are in it.
pub(super) fn kept_links(desired: &State, observed: &State) -> BTreeSet<At> {
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
pub(super) fn without_excluded(desired: &State, observed: &State, kept: &BTreeSet<At>) -> Option<State> {
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

/// Whether a link that is there can become the wanted one.
fn fits(wanted: &LinkWhat, seen: &LinkWhat) -> bool {
    match (wanted, seen) {
        (LinkWhat::Kind { kind: wanted, lower: on }, LinkWhat::Kind { kind: seen, lower }) => {
            on == lower && (wanted == seen || seen.changed_in_place(wanted).is_some())
        }
        _ => wanted == seen,
    }
}

/// Renames what is there and is to go, where its name is wanted for a new link; returns what is there
/// then.
pub(super) fn move_aside<'s>(desired: &State, observed: &'s State, kept: &BTreeSet<At>) -> (Cow<'s, State>, Vec<Step>) {
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
