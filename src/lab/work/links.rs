//! Links that are made and that go, many in one go.

use std::{collections::BTreeMap, os::fd::AsFd};

use rustix::io::Errno;

use super::Worker;
use crate::{
    error::{Error, Result},
    lab::{
        mark, site,
        state::{LinkState, LinkWhat, Place},
        step::{At, PlannedLink, Step},
    },
    netlink::{
        birth::{self, End, Ties},
        kind::Kind,
        link_change::LinkChange,
        tun,
    },
    netns::Netns,
};

impl Worker<'_> {
    pub(super) fn create_links(&mut self, steps: &[Step]) -> Result<()> {
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
            let there = far_homes[&far.place].as_fd();
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
    pub(super) fn delete_links(&mut self, steps: &[Step]) -> Result<()> {
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
}

fn is_pair(new: &PlannedLink) -> bool {
    new.peer.is_some()
}

fn end<'a>(at: &'a At, link: &LinkState, index: Option<u32>) -> End<'a> {
    End { name: &at.name, index, mac: link.mac, mtu_bytes: link.mtu_bytes, group: mark::link_group(&at.place) }
}
