//! Switches that copy nothing any more.

use super::{mark, runs, state::Place};
use crate::{
    error::{Error, Result},
    name::{LabName, NsName},
    netlink::{
        link_change::{LinkChange, Switches},
        raw::{Refusal, Socket},
    },
    netns::Netns,
};

/// With fewer nodes, it takes longer to take a switch down than to let it copy.
const LOUD: usize = 150;

/// Takes the switches of a lab down, unless it is small or its commands may still need them. What is not silenced takes
/// longer to go, and goes all the same.
pub(super) fn silence_if_loud(lab: &LabName, names: &[NsName]) {
    let nodes = names.iter().filter(|name| mark::place_in(lab, name.as_os_str()).is_some()).count();
    if nodes >= LOUD && !runs::are_known(lab) {
        let _ = silence(lab);
    }
}

/// Takes its bridges down: what many nodes have to say when they have just come up is copied from each port to all others,
/// which keeps the processors from everything else for seconds.
fn silence(lab: &LabName) -> Result<()> {
    let name = mark::ns_name(lab, &Place::Switches);
    let Some(ns) = name.and_then(|name| Netns::living(&name)) else { return Ok(()) };
    let mut socket = ns.inside(Socket::open)?.map_err(|e| Error::os("open a netlink socket in", &ns, e))?;
    let refused = |e: Refusal| e.into_error("look into", &ns);
    if socket.note_of_loopback().map_err(refused)? != Some(mark::note(lab, &Place::Switches)) {
        return Ok(());
    }
    let down = LinkChange { switches: Switches { up: Some(false), ..Switches::default() }, ..LinkChange::default() };
    let bridges = socket.bridges().map_err(refused)?;
    let own = bridges.iter().filter(|bridge| bridge.group == Some(mark::LINK_GROUP));
    let changes = own.map(|bridge| down.of_link(bridge.index, &bridge.name)).collect();
    socket.apply_each(changes).into_iter().collect()
}
