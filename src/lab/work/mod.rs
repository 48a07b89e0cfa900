//! Steps carried out: many requests in one go for each namespace, and a note of what was done, so that it
//! can be taken back.

mod changes;
mod links;
mod settings;
mod spaces;

use std::collections::{BTreeMap, BTreeSet};

use rustix::io::Errno;

use super::{
    files::{self, Files},
    observe::{Observed, observe},
    runs,
    site::{self, Site, Sites},
    state::{Place, State},
    step::{At, Step, word_of},
};
use crate::{
    error::{Error, Result},
    name::LabName,
    netlink::observer::Observer,
};
use spaces::{ByPlace, by_place, elsewhere};

/// How many steps are done between two looks whether a signal came.
const PART: usize = 256;

/// The same of namespaces: those of a part share what `sysctl::Settings::of_many` says gets slower with each.
const PART_OF_SPACES: usize = 64;

/// What carries steps out.
pub(super) struct Worker<'a> {
    pub lab: &'a LabName,
    pub sites: Sites,
    observer: Option<Observer>,
    /// The files of nodes as they are now.
    pub files: BTreeMap<Place, Files>,
    /// What was done, in order.
    pub done: Vec<Step>,
    /// Namespaces of which it is not known where all their pairs lead.
    pub leading_out: BTreeSet<Place>,
    /// The ends in the starting namespace of the pairs of each.
    pub ends_here: BTreeMap<Place, Vec<u32>>,
    /// Links that carried packets at the last look.
    pub operational: BTreeSet<At>,
    /// What settings were, as nobody of the lab had set them, before this set them.
    found: Found,
}

/// The values of settings, by place and name.
type Found = BTreeMap<(Place, String), String>;

/// How a run of steps is carried out.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Way {
    Spaces,
    Sysctls,
    Births,
    Deaths,
    Files,
    Ends,
    Runs,
    /// By changes through the connection of a place.
    Changes,
}

fn way(step: &Step) -> Way {
    match step {
        Step::CreateSpace(_) => Way::Spaces,
        Step::SetSysctl { .. } | Step::ResetSysctl { .. } => Way::Sysctls,
        Step::CreateLink(_) => Way::Births,
        Step::DeleteLink(_) => Way::Deaths,
        Step::WriteFile { .. } | Step::DeleteFile { .. } => Way::Files,
        Step::DeleteSpace(_) => Way::Ends,
        Step::StartRun { .. } | Step::RestartRun { .. } | Step::StopRun { .. } => Way::Runs,
        _ => Way::Changes,
    }
}

impl<'a> Worker<'a> {
    /// One that knows what was seen.
    pub(super) fn new(lab: &'a LabName, observed: Observed) -> Self {
        let mut worker = Self {
            lab,
            sites: Sites::new(),
            observer: None,
            files: BTreeMap::new(),
            done: Vec::new(),
            leading_out: BTreeSet::new(),
            ends_here: BTreeMap::new(),
            operational: BTreeSet::new(),
            found: Found::new(),
        };
        worker.adopt(observed);
        worker
    }

    /// Looks again; returns what is there.
    pub(super) fn look(&mut self, desired: &State) -> Result<State> {
        let observed = observe(self.lab, desired, &mut self.sites, self.observer.take())?;
        Ok(self.adopt(observed))
    }

    fn adopt(&mut self, observed: Observed) -> State {
        self.ends_here = observed.ends_here;
        self.sites = observed.sites;
        self.observer = observed.observer;
        self.leading_out = observed.leading_out;
        self.operational = observed.operational;
        let files = observed.state.spaces.iter().map(|(place, space)| (place.clone(), space.files.clone()));
        self.files = observed.stray_files.into_iter().chain(files).collect();
        observed.state
    }

    /// Carries out steps in their order, until one fails. `go_on` is asked between parts of them.
    pub(super) fn perform(&mut self, steps: &[Step], go_on: &mut dyn FnMut(usize) -> Result<()>) -> Result<()> {
        let mut runs = steps.chunk_by(|one, next| way(one) == way(next)).peekable();
        while let Some(run) = runs.next() {
            let settings = runs.next_if(|next| way(&run[0]) == Way::Spaces && way(&next[0]) == Way::Sysctls);
            let of_place = by_place(settings.unwrap_or_default());
            let most = if way(&run[0]) == Way::Spaces { PART_OF_SPACES } else { PART };
            for part in run.chunks(most) {
                go_on(self.done.len())?;
                match settings {
                    Some(_) => self.create_spaces(part, &of_place)?,
                    None => self.perform_alike(part, go_on)?,
                }
            }
            let left = elsewhere(settings.unwrap_or_default(), run);
            for part in left.chunks(PART) {
                go_on(self.done.len())?;
                self.perform_alike(part, go_on)?;
            }
        }
        Ok(())
    }

    fn perform_alike(&mut self, steps: &[Step], go_on: &mut dyn FnMut(usize) -> Result<()>) -> Result<()> {
        match way(&steps[0]) {
            Way::Spaces => self.create_spaces(steps, &ByPlace::new()),
            Way::Sysctls => self.change_sysctls(steps),
            Way::Births => self.create_links(steps),
            Way::Deaths => self.delete_links(steps),
            Way::Files => self.change_files(steps),
            Way::Ends => self.delete_spaces(steps),
            Way::Runs => self.change_runs(steps, go_on),
            Way::Changes => self.change(steps),
        }
    }

    pub(super) fn index(&self, at: &At) -> Result<u32> {
        let missing = || Error::os("find", format!("'{at}'"), Errno::NODEV);
        self.sites.get(&at.place).ok_or_else(missing)?.index(at)
    }

    fn site(&mut self, place: &Place) -> Result<&mut Site> {
        let lab = self.lab;
        let missing = || Error::os("find", format!("'{}' of lab {lab}", word_of(place)), Errno::NOENT);
        self.sites.get_mut(place).ok_or_else(missing)
    }

    /// All files of a node at once: one of them tells which the others are.
    fn change_files(&mut self, steps: &[Step]) -> Result<()> {
        for run in steps.chunk_by(|one, next| one.place() == next.place()) {
            let place = run[0].place();
            let old = self.files.get(place).cloned().unwrap_or_default();
            let mut new = old.clone();
            for step in run {
                match step {
                    Step::WriteFile { name, new: text, .. } => drop(new.insert(name.clone(), text.clone())),
                    Step::DeleteFile { name, .. } => drop(new.remove(name)),
                    _ => {}
                }
            }
            // Said first: what is cut off half-way is taken back too.
            self.done.extend(run.iter().cloned());
            self.files.insert(place.clone(), new.clone());
            files::put(self.lab, place, &old, &new)?;
        }
        Ok(())
    }

    /// All that are to be stopped at once; those that are to be started one after the other.
    fn change_runs(&mut self, steps: &[Step], go_on: &mut dyn FnMut(usize) -> Result<()>) -> Result<()> {
        for run in steps.chunk_by(|one, next| stops(one) && stops(next)) {
            // Said first: what has begun to start is taken back too.
            self.done.extend(run.iter().cloned());
            let old = |place: &Place, name: &str| run.iter().any(|step| old_run(step) == Some((place, name)));
            if run.iter().any(|step| old_run(step).is_some()) {
                runs::stop(self.lab, &site::homes(&self.sites), &old)?;
            }
            if let [
                Step::StartRun { place: Place::Node(node), run }
                | Step::RestartRun { place: Place::Node(node), new: run, .. },
            ] = run
            {
                let done = self.done.len();
                let ns = self.site(&Place::Node(node.clone()))?.open()?;
                runs::start((self.lab, node), &ns, run, &mut || go_on(done))?;
            }
        }
        Ok(())
    }

    /// Takes back what was done, the last first; returns the first failure. One that fails does not keep the
    /// others from being tried.
    pub(super) fn take_back(&mut self) -> Option<Error> {
        let mut failed = None;
        let way_back = self.way_back();
        for run in way_back.chunk_by(|one, next| way(one) == way(next)) {
            if self.perform(run, &mut |_| Ok(())).is_err() {
                for step in run {
                    failed = failed.or(self.perform(std::slice::from_ref(step), &mut |_| Ok(())).err());
                }
            }
        }
        failed
    }

    /// What is to be done to come back to where it began. What is in namespaces that were just made goes
    /// with them.
    fn way_back(&self) -> Vec<Step> {
        let made = self.done.iter().filter_map(|step| match step {
            Step::CreateSpace(place) => Some(place),
            _ => None,
        });
        let made: BTreeSet<&Place> = made.collect();
        let goes_anyway = |step: &Step| match step {
            // The name of an end elsewhere may be wanted before the kernel is done with the namespace.
            Step::DeleteLink(old) => {
                let far = old.peer.as_ref().map(|(far, _)| &far.place);
                made.contains(&old.at.place) && far.is_none_or(|far| made.contains(far))
            }
            Step::DeleteSpace(_) | Step::DeleteFile { .. } | Step::WriteFile { .. } | Step::StopRun { .. } => false,
            step => made.contains(step.place()),
        };
        self.done.iter().rev().filter_map(Step::inverse).filter(|step| !goes_anyway(step)).collect()
    }
}

fn stops(step: &Step) -> bool {
    matches!(step, Step::StopRun { .. })
}

/// The command that a step stops.
fn old_run(step: &Step) -> Option<(&Place, &str)> {
    match step {
        Step::StopRun { place, run } | Step::RestartRun { place, old: run, .. } => Some((place, &run.name)),
        _ => None,
    }
}

/// Which places a state has.
pub(super) fn spaces_of(state: &State) -> usize {
    state.spaces.keys().filter(|place| **place != Place::Here).count()
}
