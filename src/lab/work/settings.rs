//! Settings below `/proc/sys`.

use std::{collections::BTreeMap, io};

use rustix::io::Errno;

use super::Worker;
use crate::{
    error::{Error, Result},
    lab::{
        site::{self, Site},
        state::Place,
        step::Step,
        sysctl::{self, Settings},
    },
    name::LabName,
    netlink::{link::LOOPBACK_INDEX, link_change},
    netns::Netns,
};

impl Worker<'_> {
    /// All settings on one thread, which goes from one namespace to the next.
    pub(super) fn change_sysctls(&mut self, steps: &[Step]) -> Result<()> {
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
pub(super) struct Promotion {
    before: String,
}

const PROMOTE: &str = "net.ipv4.conf.all.promote_secondaries";

pub(super) fn promote_secondaries(site: &Site, steps: &[Step]) -> Result<Option<Promotion>> {
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
    pub(super) fn restore(self, site: &Site) -> Result<()> {
        let ns = site.open()?;
        ns.run(|| sysctl::write(PROMOTE, &self.before))?
            .map_err(|e| Error::os("set", format!("'{PROMOTE}' in {ns}"), e))
    }
}
