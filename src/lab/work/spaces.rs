//! Namespaces that are made with their settings, and that go.

use std::collections::{BTreeMap, BTreeSet};

use super::Worker;
use crate::{
    error::{Error, Result},
    lab::{
        mark,
        site::Site,
        state::Place,
        step::Step,
        sysctl::{self, Settings},
    },
    name::{LabName, NsName},
    netlink::{link, raw::Socket},
    netns::{self, Doomed},
};

/// Steps, by what they are done in.
pub(super) type ByPlace<'a> = BTreeMap<&'a Place, Vec<&'a Step>>;

pub(super) fn by_place(steps: &[Step]) -> ByPlace<'_> {
    let mut by_place = ByPlace::new();
    for step in steps {
        by_place.entry(step.place()).or_default().push(step);
    }
    by_place
}

/// The settings of namespaces that are not among those that were made.
pub(super) fn elsewhere(settings: &[Step], made: &[Step]) -> Vec<Step> {
    let made: BTreeSet<&Place> = made.iter().map(Step::place).collect();
    settings.iter().filter(|step| !made.contains(step.place())).cloned().collect()
}

/// A namespace to be made.
struct NewSpace<'a> {
    place: &'a Place,
    settings: &'a [&'a Step],
}

impl NewSpace<'_> {
    /// Everything that must be so before its name appears, or that is cheaper by the thread that is inside.
    /// Returns a connection into it, and the highest index there: where modules of tunnels are loaded, each namespace is
    /// born with some of them.
    fn prepare(&self, lab: &LabName, name: &NsName, inside: &Settings) -> Result<(Socket, u32)> {
        inside.prepare(self.place).map_err(|e| Error::os("prepare IPv6 in", name, e))?;
        let set = self.settings.iter().filter_map(|step| match step {
            Step::SetSysctl { key, new, .. } => Some((key, new)),
            _ => None,
        });
        let names: Vec<String> = set.clone().map(|(key, _)| sysctl::alt_name(key)).collect();
        let mut socket = link::raise_loopback_noted(&mark::note(lab, self.place), &names, name)?;
        let keys: Vec<&str> = set.clone().map(|(key, _)| key.as_str()).collect();
        let told = socket.told_settings(&keys).map_err(|e| Error::os("ask for the settings of", name, e))?;
        // Mostly they are so already. Where one is not, setting it may change others.
        let as_wanted = set.clone().all(|(key, value)| told.get(key).is_none_or(|is| is == value));
        for (key, value) in set.filter(|(key, _)| !as_wanted || !told.contains_key(*key)) {
            let why = || format!("to {value}");
            inside.write(key, value).map_err(|e| Error::os("set", format!("'{key}' in {name}"), e).because(why()))?;
        }
        let highest = link::highest_index(&mut socket, name)?;
        Ok((socket, highest))
    }
}

impl Worker<'_> {
    /// Makes namespaces, with their settings: whoever makes one is inside.
    pub(super) fn create_spaces(&mut self, steps: &[Step], settings: &ByPlace<'_>) -> Result<()> {
        let mut plans: BTreeMap<NsName, NewSpace<'_>> = BTreeMap::new();
        for step in steps {
            let place = step.place();
            let settings = settings.get(place).map_or(&[][..], Vec::as_slice);
            plans.extend(mark::ns_name(self.lab, place).map(|name| (name, NewSpace { place, settings })));
        }
        let names: Vec<NsName> = plans.keys().cloned().collect();
        let (lab, sites) = (self.lab, &mut self.sites);
        let inside = Settings::of_many();
        let prepare = |name: &NsName| match plans.get(name) {
            Some(plan) => plan.prepare(lab, name, &inside),
            None => Err(Error::invalid("make", name, "nobody asked for it")),
        };
        netns::create_prepared(&names, &prepare, &mut |name, ns, (socket, highest)| {
            if let Some(plan) = plans.get(name) {
                let site = Site::new(Some(name.clone()), ns.id(), socket);
                sites.insert(plan.place.clone(), Site { next_index: highest + 1, ..site });
            }
        })?;
        let settings = plans.values().flat_map(|plan| plan.settings).map(|step| (*step).clone());
        self.done.extend(steps.iter().cloned().chain(settings));
        Ok(())
    }

    pub(super) fn delete_spaces(&mut self, steps: &[Step]) -> Result<()> {
        let doomed: Vec<Doomed> = steps.iter().filter_map(|step| self.doomed(step.place())).collect();
        // A connection keeps its namespace alive.
        let held: Vec<Option<Site>> = steps.iter().map(|step| self.sites.remove(step.place())).collect();
        for deletion in netns::delete_known(&doomed, held)? {
            deletion.result?;
        }
        self.done.extend(steps.iter().cloned());
        Ok(())
    }

    /// A namespace that is to go, with the ends of its pairs in the starting one.
    fn doomed(&self, place: &Place) -> Option<Doomed> {
        let name = mark::ns_name(self.lab, place)?;
        let ends = || self.ends_here.get(place).cloned().unwrap_or_default();
        let ends_here = (!self.leading_out.contains(place)).then(ends);
        Some(Doomed { name, ends_here })
    }
}
