//! Steps carried out: many requests in one go for each namespace, and a note of what was done, so that it
//! can be taken back.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use rustix::io::Errno;

use super::{
    files::{self, Files},
    mark,
    observe::{Observed, observe},
    runs,
    site::{self, Site, Sites},
    state::{LinkState, LinkWhat, Place, RouteState, State},
    step::{At, LinkEdit, PlannedLink, Step, word_of},
    sysctl::{self, Settings},
};
use crate::{
    error::{Error, Result},
    name::{LabName, NsName},
    netlink::{
        addr,
        birth::{self, End, Ties},
        change::Change,
        kind::Kind,
        link::{self, LOOPBACK_INDEX},
        link_change::{self, LinkChange},
        observer::Observer,
        raw::Socket,
        route::{Beside, Hop, Metric, MetricValue, Route, RouteKind, TABLE_MAIN},
        tun,
    },
    netns::{self, Doomed, Netns},
};

/// How many steps are done between two looks whether a signal came.
const PART: usize = 256;

/// The same of namespaces: those of a part share what [`Settings::of_many`] says gets slower with each.
const PART_OF_SPACES: usize = 64;

/// The MTU among what a route tells TCP and others.
const RTAX_MTU: u16 = 2;

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

    /// Makes namespaces, with their settings: whoever makes one is inside.
    fn create_spaces(&mut self, steps: &[Step], settings: &ByPlace<'_>) -> Result<()> {
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

    /// All settings on one thread, which goes from one namespace to the next.
    fn change_sysctls(&mut self, steps: &[Step]) -> Result<()> {
        let defaults = Defaults::of(steps)?;
        let (sites, lab, found) = (&mut self.sites, self.lab, &mut self.found);
        let mut done = Vec::new();
        let result = site::on_a_thread(|| {
            for run in steps.chunk_by(|one, next| one.place() == next.place()) {
                let place = run[0].place();
                let missing = || Error::os("find", site::shown(lab, place), Errno::NOENT);
                let site = sites.get_mut(place).ok_or_else(missing)?;
                site.open()?.enter()?;
                for step in run {
                    let setting = setting_of(step);
                    let before = setting.as_ref().and_then(|setting| found.remove(setting));
                    let was = change_sysctl(site, lab, step, (before, &defaults))?;
                    found.extend(setting.zip(was));
                    done.push(step.clone());
                }
            }
            Ok(())
        });
        self.done.extend(done);
        result
    }

    fn create_links(&mut self, steps: &[Step]) -> Result<()> {
        let links: Vec<&PlannedLink> = steps
            .iter()
            .filter_map(|step| match step {
                Step::CreateLink(new) => Some(&**new),
                _ => None,
            })
            .collect();
        // What others stand on comes first, and what is sent together must not need each other.
        for run in links.chunk_by(|one, next| one.at.place == next.at.place && is_pair(one) == is_pair(next)) {
            if is_pair(run[0]) {
                self.create_pairs(run)?;
            } else {
                run.iter().try_for_each(|new| self.create_single(new))?;
            }
        }
        Ok(())
    }

    fn create_pairs(&mut self, links: &[&PlannedLink]) -> Result<()> {
        let Some(first) = links.first() else { return Ok(()) };
        let mut far_homes: BTreeMap<&Place, Netns> = BTreeMap::new();
        for (far, _) in links.iter().filter_map(|new| new.peer.as_ref()) {
            if !far_homes.contains_key(&far.place) {
                far_homes.insert(&far.place, self.site(&far.place)?.open()?);
            }
        }
        let mut births = Vec::new();
        let mut indices = Vec::new();
        for new in links {
            let Some((far, far_link)) = &new.peer else { continue };
            let index = self.site(&new.at.place)?.reserve_index();
            let far_index = self.site(&far.place)?.reserve_index();
            let master = self.master_of(&new.at, &new.link)?;
            let ends = [end(&new.at, &new.link, index), end(far, far_link, far_index)];
            let there = std::os::fd::AsFd::as_fd(&far_homes[&far.place]);
            births.push(birth::pair(&ends[0], master, &ends[1], there, self.pair_shown(new, far)));
            indices.push((new, far, [index, far_index]));
        }
        let answers = self.site(&first.at.place)?.socket.apply_each(births);
        let mut result = Ok(());
        for ((new, far, [index, far_index]), answer) in indices.into_iter().zip(answers) {
            match answer {
                Ok(()) => {
                    self.done.push(Step::CreateLink(Box::new(PlannedLink::clone(new))));
                    result = result.and(self.note_pair(&new.at, far, [index, far_index]));
                }
                Err(error) => result = result.and(Err(error)),
            }
        }
        result
    }

    /// Where an end is not found, it is not known whether one of the starting namespace is to be waited for: all are.
    fn note_pair(&mut self, one: &At, other: &At, indices: [Option<u32>; 2]) -> Result<()> {
        let noted = self
            .note_index(one, indices[0])
            .and_then(|()| self.note_index(other, indices[1]))
            .and_then(|()| self.note_end_here(one, other));
        if noted.is_err() {
            self.leading_out.extend([one.place.clone(), other.place.clone()]);
        }
        noted
    }

    fn pair_shown(&self, new: &PlannedLink, far: &At) -> String {
        let end = |at: &At| format!("{} in {}", at.name, site::shown(self.lab, &at.place));
        format!("{} with peer {}", end(&new.at), end(far))
    }

    /// Where an index could not be chosen, it is asked for.
    fn note_index(&mut self, at: &At, index: Option<u32>) -> Result<()> {
        let site = self.site(&at.place)?;
        let index = match index {
            Some(index) => Some(index),
            None => {
                let asked = site.socket.indices_of(&[&at.name]);
                asked.map_err(|e| Error::os("find", format!("'{at}'"), e))?.pop().flatten()
            }
        };
        let index = index.ok_or_else(|| Error::os("find the new link", format!("'{at}'"), Errno::NODEV))?;
        site.note_link(at.name.clone(), index);
        Ok(())
    }

    /// An end in the starting namespace goes with the namespace of the other.
    fn note_end_here(&mut self, one: &At, other: &At) -> Result<()> {
        for (end, far) in [(one, other), (other, one)] {
            if end.place == Place::Here {
                let index = self.site(&Place::Here)?.index(end)?;
                self.ends_here.entry(far.place.clone()).or_default().push(index);
            }
        }
        Ok(())
    }

    fn create_single(&mut self, new: &PlannedLink) -> Result<()> {
        let LinkWhat::Kind { kind, lower } = &new.link.what else { return Ok(()) };
        let place = new.at.place.clone();
        let shown = format!("{} in {}", new.at.name, site::shown(self.lab, &place));
        let ties = Ties {
            master: self.master_of(&new.at, &new.link)?,
            lower: lower
                .clone()
                .map(|name| self.site(&place)?.index(&At { place: place.clone(), name }))
                .transpose()?,
        };
        if let Kind::Tun(_) | Kind::Tap(_) = **kind {
            self.open_tun(new, kind, ties.master)?;
        } else {
            let site = self.site(&place)?;
            let index = site.reserve_index();
            let birth = birth::single(&end(&new.at, &new.link, index), kind, ties, shown);
            site.socket.apply_each(vec![birth]).pop().unwrap_or(Ok(()))?;
            self.done.push(Step::CreateLink(Box::new(new.clone())));
            return self.note_index(&new.at, index);
        }
        self.done.push(Step::CreateLink(Box::new(new.clone())));
        Ok(())
    }

    /// Until it is marked, it is bound to a descriptor, and goes with it.
    fn open_tun(&mut self, new: &PlannedLink, kind: &Kind, master: Option<u32>) -> Result<()> {
        let site = self.site(&new.at.place)?;
        let ns = site.open()?;
        let device = ns.run(|| tun::open_kind(&new.at.name, kind))??;
        let asked = site.socket.indices_of(&[&new.at.name]);
        let index = asked.map_err(|e| Error::os("find", format!("'{}'", new.at), e))?.pop().flatten();
        let index = index.ok_or_else(|| Error::os("find the new link", format!("'{}'", new.at), Errno::NODEV))?;
        let mtu_bytes = new.link.mtu_bytes;
        let address = new.link.mac;
        let change = LinkChange { group: Some(mark::LINK_GROUP), mtu_bytes, address, master, ..LinkChange::default() };
        let marked = site.socket.apply_each(vec![change.of_link(index, &new.at.to_string())]).pop();
        marked.unwrap_or(Ok(()))?;
        site.note_link(new.at.name.clone(), index);
        tun::persist(&device).map_err(|e| Error::os("keep", format!("'{}'", new.at), e))
    }

    fn master_of(&mut self, at: &At, link: &LinkState) -> Result<Option<u32>> {
        let Some(name) = link.master.clone() else { return Ok(None) };
        let master = At { place: at.place.clone(), name };
        self.site(&at.place)?.index(&master).map(Some)
    }

    /// One by one each takes as long as dozens take together, so those of one namespace go as a group.
    fn delete_links(&mut self, steps: &[Step]) -> Result<()> {
        for run in steps.chunk_by(|one, next| one.place() == next.place()) {
            let olds = run.iter().filter_map(|step| match step {
                Step::DeleteLink(old) => Some(&**old),
                _ => None,
            });
            let olds: Vec<&PlannedLink> = olds.collect();
            let indices = olds.iter().map(|old| self.index(&old.at)).collect::<Result<Vec<_>>>()?;
            self.site(run[0].place())?.delete_links(&indices)?;
            for old in olds {
                for at in std::iter::once(&old.at).chain(old.peer.as_ref().map(|(far, _)| far)) {
                    self.site(&at.place)?.indices.remove(&at.name);
                }
            }
            self.done.extend(run.iter().cloned());
        }
        Ok(())
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

    fn delete_spaces(&mut self, steps: &[Step]) -> Result<()> {
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

    /// Each namespace is sent all that is to be changed in it before its answers are read.
    fn change(&mut self, steps: &[Step]) -> Result<()> {
        let mut result = Ok(());
        for run in steps.chunk_by(|one, next| one.place() == next.place()) {
            let place = run[0].place();
            let lab = self.lab;
            let site = self.site(place)?;
            let changes = run.iter().map(|step| change_of(step, site, lab)).collect::<Result<Vec<_>>>()?;
            let before = promote_secondaries(site, run)?;
            let answers = site.socket.apply_each(changes);
            before.map_or(Ok(()), |before| before.restore(site))?;
            for (step, answer) in run.iter().zip(answers) {
                let answer = answer.or_else(|error| forgive(step, error));
                match answer.or_else(|error| self.rename_while_down(step, error)) {
                    Ok(()) => self.note(step)?,
                    Err(error) => result = result.and(Err(error)),
                }
            }
            if result.is_err() {
                break;
            }
        }
        result
    }

    /// Before Linux 6.2 only a link that is down gets another name. It is about to go; where it comes to an undo instead,
    /// what the link lost by this is made again.
    fn rename_while_down(&mut self, step: &Step, refused: Error) -> Result<()> {
        let Step::RenameLink { at, .. } = step else { return Err(refused) };
        if refused.errno() != Some(Errno::BUSY.raw_os_error()) {
            return Err(refused);
        }
        self.change(&[Step::ChangeLink { at: at.clone(), change: LinkEdit::Up { new: false } }])?;
        let lab = self.lab;
        let site = self.site(&at.place)?;
        let rename = change_of(step, site, lab)?;
        site.socket.apply_each(vec![rename]).pop().unwrap_or(Ok(()))
    }

    fn note(&mut self, step: &Step) -> Result<()> {
        if let Step::RenameLink { at, to } = step {
            let indices = &mut self.site(&at.place)?.indices;
            if let Some(index) = indices.remove(&at.name) {
                indices.insert(to.clone(), index);
            }
        }
        self.done.push(step.clone());
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

/// Steps, by what they are done in.
type ByPlace<'a> = BTreeMap<&'a Place, Vec<&'a Step>>;

fn by_place(steps: &[Step]) -> ByPlace<'_> {
    let mut by_place = ByPlace::new();
    for step in steps {
        by_place.entry(step.place()).or_default().push(step);
    }
    by_place
}

/// The settings of namespaces that are not among those that were made.
fn elsewhere(settings: &[Step], made: &[Step]) -> Vec<Step> {
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

fn is_pair(new: &PlannedLink) -> bool {
    new.peer.is_some()
}

fn end<'a>(at: &'a At, link: &LinkState, index: Option<u32>) -> End<'a> {
    End { name: &at.name, index, mac: link.mac, mtu_bytes: link.mtu_bytes, group: mark::link_group(&at.place) }
}

/// What settings are in a new namespace.
#[derive(Default)]
struct Defaults(BTreeMap<String, String>);

impl Defaults {
    /// Asks a namespace that is made for it, of those that are to be reset.
    fn of(steps: &[Step]) -> Result<Self> {
        let keys: Vec<&String> = steps
            .iter()
            .filter_map(|step| match step {
                Step::ResetSysctl { key, .. } if sysctl::default_of(key).is_none() => Some(key),
                _ => None,
            })
            .collect();
        if keys.is_empty() {
            return Ok(Self::default());
        }
        let fresh = Netns::unnamed_for("the usual values of settings")?;
        let node = steps.first().map_or(Place::Switches, |step| step.place().clone());
        let read = |key: &&String| {
            let value = sysctl::read(key).map_err(|e| Error::os("read", format!("'{key}' in a new namespace"), e));
            Ok(((*key).clone(), value?))
        };
        fresh
            .run(|| {
                Settings::default().prepare(&node).map_err(|e| Error::os("prepare IPv6 in", "a new namespace", e))?;
                keys.iter().map(read).collect::<Result<_>>()
            })?
            .map(Self)
    }
}

fn setting_of(step: &Step) -> Option<(Place, String)> {
    match step {
        Step::SetSysctl { place, key, .. } | Step::ResetSysctl { place, key, .. } => Some((place.clone(), key.clone())),
        _ => None,
    }
}

/// On a thread that is inside. The mark comes before the value, and goes after it. Returns what was there where nobody of
/// the lab had set it; what is reset goes back to what was `before`, where that is known.
fn change_sysctl(
    site: &mut Site,
    lab: &LabName,
    step: &Step,
    (before, defaults): (Option<String>, &Defaults),
) -> Result<Option<String>> {
    let shown = |key: &str| format!("'{key}' in {}", site::shown(lab, step.place()));
    match step {
        Step::SetSysctl { key, old, new, .. } => {
            let found = old.is_none().then(|| sysctl::read(key).ok()).flatten();
            if old.is_none() {
                mark_sysctl(site, key, true)?;
            }
            // Back to what it was before: marked, and of a link that had gone.
            let set = if new.is_empty() { Ok(()) } else { sysctl::write(key, new) };
            if set.is_err() && old.is_none() {
                // The refusal is what gets reported.
                let _ = mark_sysctl(site, key, false);
            }
            set.map_err(|e| Error::os("set", shown(key), e).because(format!("to {new}")))?;
            Ok(found)
        }
        Step::ResetSysctl { key, .. } => {
            let usual = match (before, sysctl::default_of(key)) {
                (Some(before), _) => Some(before),
                (None, Some(usual)) => Some(sysctl::read(&usual).map_err(|e| Error::os("read", shown(&usual), e))?),
                (None, None) => defaults.0.get(key).cloned(),
            };
            match usual.map_or(Ok(()), |usual| sysctl::write(key, &usual)) {
                // It went with its link.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                done => done.map_err(|e| Error::os("reset", shown(key), e))?,
            }
            mark_sysctl(site, key, false).map(|()| None)
        }
        _ => Ok(None),
    }
}

/// Notes on `lo` that a setting is the lab's, or that it is not any more; it may have been noted before.
fn mark_sysctl(site: &mut Site, key: &str, on: bool) -> Result<()> {
    let name = [sysctl::alt_name(key)];
    let change =
        if on { link_change::add_alt_names } else { link_change::delete_alt_names }(LOOPBACK_INDEX, "lo", &name);
    match site.socket.apply_each(vec![change]).pop().unwrap_or(Ok(())) {
        Err(e) if on && e.errno() == Some(Errno::EXIST.raw_os_error()) => Ok(()),
        Err(e) if !on && e.errno() == Some(Errno::NOENT.raw_os_error()) => Ok(()),
        done => done,
    }
}

/// While an IPv4 address is deleted, others of its subnet stay only if the kernel is told so.
struct Promotion {
    before: String,
}

const PROMOTE: &str = "net.ipv4.conf.all.promote_secondaries";

fn promote_secondaries(site: &Site, steps: &[Step]) -> Result<Option<Promotion>> {
    let v4 = |step: &Step| matches!(step, Step::DeleteAddr { addr, .. } if addr.ip().is_ipv4());
    if site.name.is_none() || !steps.iter().any(v4) {
        return Ok(None);
    }
    let ns = site.open()?;
    let told = ns.run(|| {
        let before = sysctl::read(PROMOTE)?;
        sysctl::write(PROMOTE, "1").map(|()| before)
    })?;
    let before = told.map_err(|e| Error::os("set", format!("'{PROMOTE}' in {ns}"), e))?;
    Ok(Some(Promotion { before }))
}

impl Promotion {
    fn restore(self, site: &Site) -> Result<()> {
        let ns = site.open()?;
        ns.run(|| sysctl::write(PROMOTE, &self.before))?
            .map_err(|e| Error::os("set", format!("'{PROMOTE}' in {ns}"), e))
    }
}

/// What is to go and is not there is as wanted: the kernel takes routes with the address or the link that
/// they need, and the end of a pair a little later than the namespace of the other.
fn forgive(step: &Step, error: Error) -> Result<()> {
    let gone = [Errno::SRCH, Errno::ADDRNOTAVAIL, Errno::NODEV, Errno::NOENT].map(|errno| Some(errno.raw_os_error()));
    let goes = matches!(
        step,
        Step::DeleteRoute { .. } | Step::DeleteAddr { .. } | Step::DeleteLink(_) | Step::RenameLink { .. }
    );
    if goes && gone.contains(&error.errno()) { Ok(()) } else { Err(error) }
}

/// The request for a step of a link, an address or a route.
fn change_of(step: &Step, site: &Site, lab: &LabName) -> Result<Change> {
    let within = |place: &Place, change: Change| change.within(&site::shown(lab, place));
    let of_link =
        |at: &At, change: LinkChange| Ok(within(&at.place, change.of_link(site.index(at)?, at.name.as_str())));
    match step {
        Step::RenameLink { at, to } => of_link(at, LinkChange { name: Some(to.clone()), ..LinkChange::default() }),
        Step::ChangeLink { at, change } => of_link(at, link_change_of(at, change, site)?),
        Step::AddAddr { at, addr } => {
            // Where there is one already, it is about to go by itself.
            let change = addr::ready(site.index(at)?, *addr).replace().on(at.name.as_str());
            Ok(within(&at.place, change))
        }
        Step::DeleteAddr { at, addr } => {
            let change = addr::ready(site.index(at)?, *addr).delete().on(at.name.as_str());
            Ok(within(&at.place, change))
        }
        Step::AddRoute { place, route } => Ok(within(place, route_of(place, route, site)?.put(Beside::Nothing))),
        Step::ChangeRoute { place, new, .. } => Ok(within(place, route_of(place, new, site)?.put(Beside::Replace))),
        Step::DeleteRoute { place, route } => Ok(within(place, route_of(place, route, site)?.delete())),
        _ => Err(Error::invalid("carry out", step, "it is no change")),
    }
}

fn link_change_of(at: &At, change: &LinkEdit, site: &Site) -> Result<LinkChange> {
    let mut asked = LinkChange::default();
    match change {
        LinkEdit::Mtu { new, .. } => asked.mtu_bytes = Some(*new),
        LinkEdit::Mac { new, .. } => asked.address = Some(*new),
        LinkEdit::Master { new: None, .. } => asked.master = Some(0),
        LinkEdit::Master { new: Some(name), .. } => {
            asked.master = Some(site.index(&At { place: at.place.clone(), name: name.clone() })?);
        }
        LinkEdit::Up { new } => asked.switches.up = Some(*new),
        LinkEdit::Kind { old, new } => asked.kind = Some(new.beyond(old)),
    }
    Ok(asked)
}

fn route_of(place: &Place, state: &RouteState, site: &Site) -> Result<Route> {
    let mut route = Route::new(state.dst);
    route.kind = RouteKind::named(&state.kind);
    route.protocol = Some(mark::ROUTE_PROTOCOL);
    route.table = (state.table != TABLE_MAIN).then_some(state.table);
    let device = state.dev.clone().map(|name| site.index(&At { place: place.clone(), name }));
    route.hop = Hop { via: state.via, onlink: state.onlink, device: device.transpose()?.unwrap_or(0) };
    route.prefsrc = state.src;
    route.metric = (state.metric != 0).then_some(state.metric);
    let mtu = |bytes| Metric { number: RTAX_MTU, value: MetricValue::Number(bytes), locked: false };
    route.metrics = state.mtu_bytes.map(mtu).into_iter().collect();
    Ok(route)
}

/// Which places a state has.
pub(super) fn spaces_of(state: &State) -> usize {
    state.spaces.keys().filter(|place| **place != Place::Here).count()
}
