//! What runs of a lab as a picture, and how it differs from a file.

use std::collections::{BTreeMap, BTreeSet};

use nsnet::{
    IfName,
    lab::{At, LinkState, LinkWhat, Place, Space, State, Step, plan, word_of},
    netlink::kind::Kind,
};

use super::super::draw::{self, Box, Drift, End, Line, Picture, Row};

/// Namespaces first, then networks, by their names.
pub fn picture(desired: Option<&State>, seen: &State) -> Picture {
    let compared = Compared::of(desired, seen);
    let mut picture = Picture::default();
    let mut ends: BTreeMap<At, End> = BTreeMap::new();
    for place in compared.places().into_iter().filter(|place| **place != Place::Switches) {
        let at = picture.boxes.len();
        picture.boxes.push(compared.space(place));
        let rows = compared.links(place).into_iter().enumerate();
        ends.extend(rows.map(|(row, name)| (at_of(place, name), End { at, row: Some(row) })));
    }
    for name in compared.links(&Place::Switches) {
        let at = at_of(&Place::Switches, name);
        if compared.shown(&at).is_some_and(is_bridge) {
            ends.insert(at.clone(), End { at: picture.boxes.len(), row: None });
            let title = draw::plain(name.as_str().as_bytes());
            picture.boxes.push(Box { title, is_switch: true, drift: compared.drift(&at), ..Box::default() });
        }
    }
    picture.lines = compared.lines(&ends);
    picture
}

fn at_of(place: &Place, name: &IfName) -> At {
    At { place: place.clone(), name: name.clone() }
}

fn is_bridge(link: &LinkState) -> bool {
    matches!(&link.what, LinkWhat::Kind { kind, .. } if matches!(**kind, Kind::Bridge(_)))
}

fn link<'a>(state: &'a State, at: &At) -> Option<&'a LinkState> {
    state.spaces.get(&at.place)?.links.get(&at.name)
}

/// What is wanted and what is there; where nothing is wanted, only what is there.
struct Compared<'a> {
    desired: &'a State,
    seen: &'a State,
    links: BTreeMap<At, Drift>,
    spaces: BTreeMap<Place, Drift>,
}

impl<'a> Compared<'a> {
    fn of(desired: Option<&'a State>, seen: &'a State) -> Self {
        let steps = desired.map(|desired| plan(desired, seen)).unwrap_or_default();
        let mut this = Self { desired: desired.unwrap_or(seen), seen, links: BTreeMap::new(), spaces: BTreeMap::new() };
        for step in &steps {
            this.take(step);
        }
        this
    }

    /// What a step would change is not as written.
    fn take(&mut self, step: &Step) {
        match step {
            Step::CreateSpace(place) => drop(self.spaces.insert(place.clone(), Drift::Missing)),
            Step::DeleteSpace(place) => drop(self.spaces.insert(place.clone(), Drift::Extra)),
            Step::CreateLink(new) | Step::DeleteLink(new) => {
                for at in std::iter::once(&new.at).chain(new.peer.as_ref().map(|(at, _)| at)) {
                    let drift = self.presence(at);
                    self.links.entry(at.clone()).or_insert(drift);
                }
            }
            Step::RenameLink { at, .. }
            | Step::ChangeLink { at, .. }
            | Step::AddAddr { at, .. }
            | Step::DeleteAddr { at, .. } => drop(self.links.entry(at.clone()).or_insert(Drift::Changed)),
            step => drop(self.spaces.entry(step.place().clone()).or_insert(Drift::Changed)),
        }
    }

    /// Of what is both wanted and there, it is another one.
    fn presence(&self, at: &At) -> Drift {
        match (link(self.desired, at), link(self.seen, at)) {
            (Some(_), None) => Drift::Missing,
            (None, Some(_)) => Drift::Extra,
            _ => Drift::Changed,
        }
    }

    fn drift(&self, at: &At) -> Drift {
        let found = self.links.get(at).copied();
        found.unwrap_or(match self.presence(at) {
            Drift::Changed => Drift::None,
            presence => presence,
        })
    }

    fn places(&self) -> BTreeSet<&'a Place> {
        self.desired.spaces.keys().chain(self.seen.spaces.keys()).collect()
    }

    fn links(&self, place: &Place) -> BTreeSet<&'a IfName> {
        let names = |state: &'a State| state.spaces.get(place).into_iter().flat_map(|space| space.links.keys());
        names(self.desired).chain(names(self.seen)).collect()
    }

    /// A link as it is there, or as it is wanted.
    fn shown(&self, at: &At) -> Option<&'a LinkState> {
        link(self.seen, at).or_else(|| link(self.desired, at))
    }

    fn space(&self, place: &Place) -> Box {
        let names: Vec<&IfName> = self.links(place).into_iter().collect();
        let rows = names.iter().filter_map(|name| self.row(place, name, &names)).collect();
        let here = (*place == Place::Here).then(|| "the starting namespace".to_owned());
        let runs = |space: &Space| space.runs.iter().map(|run| draw::plain(run.name.as_bytes())).collect::<Vec<_>>();
        let runs = self.seen.spaces.get(place).map(runs).filter(|runs| !runs.is_empty());
        let runs = runs.map(|runs| format!("runs {}", runs.join(", ")));
        Box {
            title: word_of(place).to_owned(),
            note: here.or(runs).unwrap_or_default(),
            rows,
            is_switch: false,
            drift: self.spaces.get(place).copied().unwrap_or_default(),
        }
    }

    fn row(&self, place: &Place, name: &IfName, names: &[&IfName]) -> Option<Row> {
        let at = at_of(place, name);
        let link = self.shown(&at)?;
        let (kind, lower) = match &link.what {
            LinkWhat::Veth { .. } => (String::new(), None),
            LinkWhat::Kind { kind, lower } => (kind.word().to_owned(), lower.as_ref()),
        };
        let parent = link.master.as_ref().or(lower);
        Some(Row {
            name: draw::plain(name.as_str().as_bytes()),
            kind: if name.as_str() == "lo" { String::new() } else { kind },
            addrs: self.addrs(&at),
            parent: parent.and_then(|parent| names.iter().position(|other| *other == parent)),
            is_switch: is_bridge(link),
            is_down: !link.up,
            drift: self.drift(&at),
        })
    }

    /// Those that are not as written have a sign.
    fn addrs(&self, at: &At) -> Vec<String> {
        let (Some(wanted), Some(seen)) = (link(self.desired, at), link(self.seen, at)) else {
            return self.shown(at).map(|link| link.addrs.iter().map(ToString::to_string).collect()).unwrap_or_default();
        };
        let sign = |addr| match (wanted.addrs.contains(addr), seen.addrs.contains(addr)) {
            (true, false) => Drift::Missing.sign(),
            (false, true) => Drift::Extra.sign(),
            _ => "",
        };
        wanted.addrs.union(&seen.addrs).map(|addr| format!("{}{addr}", sign(addr))).collect()
    }

    fn lines(&self, ends: &BTreeMap<At, End>) -> Vec<Line> {
        let (wanted, seen) = (pairs(self.desired), pairs(self.seen));
        let drawn = wanted.union(&seen).filter_map(|pair| {
            let [one, far] = [&pair.0, &pair.1].map(|at| self.end(at, ends));
            let of_ends = [&pair.0, &pair.1].map(|at| self.drift(at));
            let drift = match (wanted.contains(pair), seen.contains(pair)) {
                (true, false) => Drift::Missing,
                (false, true) => Drift::Extra,
                _ if of_ends == [Drift::None; 2] => Drift::None,
                _ => Drift::Changed,
            };
            let is_live = [&pair.0, &pair.1].iter().all(|at| self.shown(at).is_some_and(|link| link.up));
            Some(Line { ends: [one?, far?], kind: "", is_live, drift })
        });
        drawn.collect()
    }

    /// A port of a switch is drawn as the switch.
    fn end(&self, at: &At, ends: &BTreeMap<At, End>) -> Option<End> {
        if at.place != Place::Switches {
            return ends.get(at).copied();
        }
        let master = |state| link(state, at).and_then(|port| port.master.as_ref());
        let bridge = master(self.seen).or_else(|| master(self.desired))?;
        ends.get(&at_of(&Place::Switches, bridge)).copied()
    }
}

/// Both ends of each pair, the switch's last.
fn pairs(state: &State) -> BTreeSet<(At, At)> {
    let mut pairs = BTreeSet::new();
    for (place, space) in &state.spaces {
        for (name, link) in &space.links {
            let LinkWhat::Veth { peer: (far_place, far_name) } = &link.what else { continue };
            let (one, far) = (at_of(place, name), at_of(far_place, far_name));
            let in_order = match (*place == Place::Switches, *far_place == Place::Switches) {
                (true, false) => false,
                (false, true) => true,
                _ => one < far,
            };
            pairs.insert(if in_order { (one, far) } else { (far, one) });
        }
    }
    pairs
}
