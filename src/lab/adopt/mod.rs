//! Namespaces that somebody built by a script become a lab: its file, and the marks by which a lab is known.
//!
//! Everything stays as it is but for what marks it: the names of the namespaces, the notes on their `lo`, the
//! groups of links and the protocol of routes.

mod glob;
mod write;

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use super::{
    Lab,
    check::FORWARDING,
    files, list,
    lock::Lock,
    mark,
    observe::{Named, Survey, marks_of, survey},
    plan::plan,
    site, spec,
    state::{Place, State},
    step::{At, Step, word_of},
    sysctl,
};
use crate::{
    error::{Error, ErrorKind, Result},
    exec::ETC_DIRS,
    name::{LabName, NodeName, NsName, quoted},
    netlink::{
        change::Change,
        link::LOOPBACK_INDEX,
        link_change::{self, LinkChange},
        route::Beside,
    },
    netns::{self, Netns, NetnsId, Standing},
    sys::signal::Held,
};

/// A lab that namespaces became, or would become.
#[derive(Debug)]
#[non_exhaustive]
pub struct Adopted {
    /// Its file.
    pub spec: spec::Spec,
    /// The namespaces that have other names now, each with its old one.
    pub renamed: Vec<(NsName, NsName)>,
    /// What is not in the file, and why; and what else the user should know.
    pub left_out: Vec<String>,
}

/// Makes a lab of the namespaces whose names are like one of these patterns: its file, and the marks. Each
/// gets the name `LAB.NODE`, where `NODE` is the name that it had, without `LAB.` where it began so. Without
/// a name, the lab is called as all of them begin.
///
/// After it, [`up`](super::up) of the file has nothing to do but to write the `hosts` files. Where `dry`,
/// nothing is touched. On any failure everything is as it was; `kill -9` may leave some of the namespaces
/// adopted, and the same call again adopts the others.
///
/// # Errors
///
/// `NotFound` where a pattern is like no name; `Invalid` where a name can be none of a node, or none was given;
/// `Exists` where a lab of that name has other nodes, where one of them is of another lab, or a name is taken;
/// `Denied` without `CAP_SYS_ADMIN` and `CAP_NET_ADMIN`.
pub fn adopt(lab: Option<&LabName>, patterns: &[String], dry: bool) -> Result<Adopted> {
    let names = select(patterns)?;
    let lab = &lab.cloned().map_or_else(|| common_lab(&names), Ok)?;
    let _lock = (!dry).then(|| Lock::take(lab)).transpose()?;
    let (places, mut notes) = places_of(lab, names)?;
    let old_names: BTreeMap<Place, NsName> = places.iter().map(|it| (it.place.clone(), it.name.clone())).collect();
    refuse_others(lab, &places)?;
    let mut survey = survey(&places, &FORWARDING.map(str::to_owned).into())?;
    let written = write::write(lab, &survey);
    notes.extend(written.left_out);
    let checked = Lab::of(written.spec).map_err(|problems| failed(lab, &problems))?;
    notes.extend(differences(&checked, &written.state));
    for (place, old) in &old_names {
        notes.extend(files_of(lab, place, old)?);
    }
    let renamed = old_names.into_iter().filter_map(|(place, old)| Some((old, mark::ns_name(lab, &place)?)));
    let renamed: Vec<_> = renamed.filter(|(old, new)| old != new).collect();
    if !dry {
        let _signals = Held::hold();
        Taker { lab, survey: &mut survey, undo: Vec::new(), renamed: Vec::new() }.take(&written.state, &renamed)?;
    }
    Ok(Adopted { spec: checked.spec, renamed, left_out: notes })
}

/// The names that are like one of these patterns, in their order.
fn select(patterns: &[String]) -> Result<Vec<NsName>> {
    let all = netns::list()?;
    let fits = |pattern: &String, name: &NsName| glob::fits(pattern.as_bytes(), name.as_os_str().as_bytes());
    if let Some(pattern) = patterns.iter().find(|pattern| !all.iter().any(|name| fits(pattern, name))) {
        let why = "no namespace is called like this; 'nsnet list' lists them";
        return Err(Error::of_kind(ErrorKind::NotFound, "adopt", quoted(pattern.as_ref()), why));
    }
    Ok(all.into_iter().filter(|name| patterns.iter().any(|pattern| fits(pattern, name))).collect())
}

/// The lab that all names say they are of.
fn common_lab(names: &[NsName]) -> Result<LabName> {
    let labs: Option<BTreeSet<LabName>> = names.iter().map(|name| Some(mark::read_name(name.as_os_str())?.0)).collect();
    match labs.map(|labs| labs.into_iter().collect::<Vec<_>>()).as_deref() {
        Some([lab]) => Ok(lab.clone()),
        _ => Err(Error::invalid("adopt", "these namespaces", "say what the lab is to be called, by --name")),
    }
}

/// The node that each is to be; what is worth a word.
fn places_of(lab: &LabName, names: Vec<NsName>) -> Result<(Vec<Named>, Vec<String>)> {
    let here = Netns::current()?.id();
    let mut seen: BTreeMap<NetnsId, NsName> = BTreeMap::new();
    let (mut places, mut notes) = (Vec::new(), Vec::new());
    for name in names {
        let ns = match Standing::of(&name)? {
            Some(Standing::Alive(ns)) => ns,
            Some(Standing::Dead) => {
                notes.push(format!("{name} is dead, and is left out"));
                continue;
            }
            Some(Standing::Foreign(why)) => {
                notes.push(format!("{name} is left out: {why}"));
                continue;
            }
            None => continue,
        };
        if ns.id() == here {
            let why = "it is the namespace that this was started in";
            return Err(Error::invalid("adopt", name, why));
        }
        if let Some(other) = seen.insert(ns.id(), name.clone()) {
            notes.push(format!("{name} is another name of {other}, and is left as it is"));
            seen.insert(ns.id(), other);
            continue;
        }
        let place = match node_of(lab, &name) {
            Ok(node) => Place::Node(node),
            Err(e) => return Err(why_not(Named { place: Place::Switches, name, ns }, e)),
        };
        if let Some(Named { name: other, .. }) = places.iter().find(|other: &&Named| other.place == place) {
            let why = format!("it would be the same node as {other}; rename one of them");
            return Err(Error::of_kind(ErrorKind::Exists, "adopt", name, why));
        }
        places.push(Named { place, name, ns });
    }
    Ok((places, notes))
}

/// Why something whose name is none of a node is not adopted: that of the switches is renamed by nobody.
fn why_not(named: Named, because: Error) -> Error {
    let name = named.name.clone();
    match marks_of(&[named]).map(|mut marks| marks.pop().flatten()) {
        Ok(Some((of, Place::Switches))) => {
            let of = of.as_str();
            let why = format!(
                "it holds the networks of lab '{of}', which has its file already; 'nsnet lab show {of}' shows what runs"
            );
            Error::of_kind(ErrorKind::Exists, "adopt", name, why)
        }
        _ => because,
    }
}

fn node_of(lab: &LabName, name: &NsName) -> Result<NodeName> {
    let text = name.as_os_str().to_string_lossy();
    let node = text.strip_prefix(&format!("{}.", lab.as_str())).unwrap_or(&text);
    node.parse().map_err(|error: Error| {
        let why = format!("no node can be called so: {}; rename it first", error.reason().unwrap_or_default());
        Error::invalid("adopt", name, why)
    })
}

/// What is of a lab already stays so, and a lab of this name has no other nodes, which `up` would delete.
fn refuse_others(lab: &LabName, places: &[Named]) -> Result<()> {
    for (named, mark) in places.iter().zip(marks_of(places)?) {
        if let Some((other, place)) = mark.filter(|mark| *mark != (lab.clone(), named.place.clone())) {
            let why = format!("it is a node of a lab already: {}/{}", other.as_str(), word_of(&place));
            return Err(Error::of_kind(ErrorKind::Exists, "adopt", &named.name, why));
        }
    }
    let ours: BTreeSet<&Place> = places.iter().map(|named| &named.place).collect();
    let found = list()?.into_iter().find(|found| found.name == *lab);
    match found.and_then(|found| found.places.into_iter().find(|place| !ours.contains(place))) {
        Some(place) => {
            let why = format!("there is a lab of this name, with {}; choose another by --name", word_of(&place));
            Err(Error::of_kind(ErrorKind::Exists, "make lab", lab, why))
        }
        None => Ok(()),
    }
}

fn failed(lab: &LabName, problems: &[super::Problem]) -> Error {
    let why = problems.first().map_or_else(String::new, |problem| problem.message.clone());
    Error::invalid("write the file of lab", lab, why)
}

/// What `up` of the file would change, beside the marks.
fn differences(lab: &Lab, found: &State) -> Vec<String> {
    let steps = plan(&lab.state, found);
    let changes = steps.into_iter().filter(|step| !matches!(step, Step::WriteFile { .. }));
    changes.map(|step| format!("'lab up' of the file would change something: {step}")).collect()
}

/// What lies over `/etc` is in the way of the lab's own, or stays behind.
fn files_of(lab: &LabName, place: &Place, old: &NsName) -> Result<Option<String>> {
    let Some(new) = mark::ns_name(lab, place) else { return Ok(None) };
    if new == *old && files::read(lab, place, &mut files::Texts::default())?.foreign.is_none() {
        return Ok(None);
    }
    let dirs = ETC_DIRS.map(|dir| Path::new(dir).join(old.as_os_str()));
    let Some(dir) = dirs.into_iter().find(|dir| dir.exists()) else { return Ok(None) };
    let dir = quoted(dir.as_os_str());
    Ok(Some(if new == *old {
        format!("{dir} is not the lab's: 'lab up' asks for it to be moved away; 'files' of the node can say it")
    } else {
        format!("{dir} is left as it is, and no longer seen by commands in {new}; 'files' of the node can say it")
    }))
}

/// What takes namespaces over, and can take that back.
struct Taker<'a> {
    lab: &'a LabName,
    survey: &'a mut Survey,
    undo: Vec<(Place, Change)>,
    renamed: Vec<(NsName, NsName)>,
}

impl Taker<'_> {
    fn take(mut self, state: &State, renames: &[(NsName, NsName)]) -> Result<()> {
        let taken = self.mark_all(state).and_then(|()| self.rename_all(renames));
        taken.inspect_err(|_| self.take_back())
    }

    fn mark_all(&mut self, state: &State) -> Result<()> {
        for (place, space) in &state.spaces {
            for name in space.links.keys() {
                self.mark_link(&At { place: place.clone(), name: name.clone() })?;
            }
            if *place == Place::Here {
                continue;
            }
            self.mark_routes(place, state)?;
            self.mark_sysctls(place, space.sysctls.keys())?;
            self.mark_lo(place)?;
        }
        Ok(())
    }

    /// Changes something, with what takes it back.
    fn change(&mut self, place: &Place, change: Change, back: Change) -> Result<()> {
        let shown = site::shown(self.lab, place);
        let missing = || Error::os("find", &shown, rustix::io::Errno::NOENT);
        let site = self.survey.observed.sites.get_mut(place).ok_or_else(missing)?;
        site.socket.apply_each(vec![change.within(&shown)]).pop().unwrap_or(Ok(()))?;
        self.undo.push((place.clone(), back));
        Ok(())
    }

    fn mark_link(&mut self, at: &At) -> Result<()> {
        let links = self.survey.raw.get(&at.place).map_or(&[][..], |(links, _)| links);
        let Some(link) = links.iter().find(|link| link.name == at.name.as_str()) else { return Ok(()) };
        let (index, old) = (link.index, link.group.unwrap_or(0));
        let group = |group| LinkChange { group: Some(group), ..LinkChange::default() };
        let shown = at.name.as_str();
        let (new, back) = (group(mark::link_group(&at.place)).of_link(index, shown), group(old).of_link(index, shown));
        self.change(&at.place, new, back)
    }

    fn mark_routes(&mut self, place: &Place, state: &State) -> Result<()> {
        let Some(kept) = state.spaces.get(place).map(|space| &space.routes) else { return Ok(()) };
        let found = self.survey.routes.get(place).cloned().unwrap_or_default();
        for (route, _) in found.into_iter().filter(|(_, told)| told.as_ref().is_some_and(|told| kept.contains(told))) {
            let mut ours = route.clone();
            ours.protocol = Some(mark::ROUTE_PROTOCOL);
            self.change(place, ours.put(Beside::Replace), route.put(Beside::Replace))?;
        }
        Ok(())
    }

    fn mark_sysctls<'k>(&mut self, place: &Place, keys: impl Iterator<Item = &'k String>) -> Result<()> {
        let there = self.loopback(place).map(|lo| lo.alt_names.clone()).unwrap_or_default();
        for name in keys.map(|key| sysctl::alt_name(key)).filter(|name| !there.contains(name)) {
            let name = [name];
            let add = link_change::add_alt_names(LOOPBACK_INDEX, "lo", &name);
            self.change(place, add, link_change::delete_alt_names(LOOPBACK_INDEX, "lo", &name))?;
        }
        Ok(())
    }

    fn loopback(&self, place: &Place) -> Option<&crate::netlink::link::Link> {
        self.survey.raw.get(place)?.0.iter().find(|link| link.index == LOOPBACK_INDEX)
    }

    fn mark_lo(&mut self, place: &Place) -> Result<()> {
        let old = self.loopback(place).and_then(|lo| lo.alias.clone()).unwrap_or_default();
        let note = |alias: String| LinkChange { alias: Some(alias), ..LinkChange::default() };
        let (new, back) = (note(mark::note(self.lab, place)), note(old));
        self.change(place, new.of_link(LOOPBACK_INDEX, "lo"), back.of_link(LOOPBACK_INDEX, "lo"))
    }

    /// Last: only what is marked may have the name.
    fn rename_all(&mut self, renames: &[(NsName, NsName)]) -> Result<()> {
        for (old, new) in renames {
            netns::rename(old, new)?;
            self.renamed.push((old.clone(), new.clone()));
        }
        Ok(())
    }

    fn take_back(&mut self) {
        // The first failure is what gets reported.
        for (old, new) in self.renamed.drain(..).rev() {
            let _ = netns::rename(&new, &old);
        }
        for (place, change) in self.undo.drain(..).rev() {
            if let Some(site) = self.survey.observed.sites.get_mut(&place) {
                let _ = site.socket.apply_each(vec![change]);
            }
        }
    }
}
