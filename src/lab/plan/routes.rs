//! Routes that are added, changed and deleted.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;
use crate::{
    addr::Prefix,
    lab::{
        state::{Place, RouteState, Space},
        step::Step,
    },
};

/// What makes two routes exclude each other.
type RouteKey = (Prefix, u32, u32);

pub(super) fn key_of(route: &RouteState) -> RouteKey {
    (route.dst, route.table, route.metric)
}

impl Plan<'_> {
    /// Routes that lead straight to a link come before those by a router that is reached through them.
    pub(super) fn change_routes(&self, place: &Place, space: &Space) -> Vec<Step> {
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

    /// Those that were put in the place of another are gone already, and those of a link that goes go
    /// with it.
    pub(super) fn delete_routes(&self, place: &Place, space: &Space) -> Vec<Step> {
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
}
