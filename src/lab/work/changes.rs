//! Changes of links, addresses and routes.

use rustix::io::Errno;

use super::{Worker, settings::promote_secondaries};
use crate::{
    error::{Error, Result},
    lab::{
        mark,
        site::{self, Site},
        state::{Place, RouteState},
        step::{At, LinkEdit, Step},
    },
    name::LabName,
    netlink::{
        addr,
        change::Change,
        link_change::LinkChange,
        route::{Beside, Hop, Metric, MetricValue, Route, RouteKind, TABLE_MAIN},
    },
};

/// The MTU among what a route tells TCP and others.
const RTAX_MTU: u16 = 2;

impl Worker<'_> {
    /// Each namespace is sent all that is to be changed in it before its answers are read.
    pub(super) fn change(&mut self, steps: &[Step]) -> Result<()> {
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
