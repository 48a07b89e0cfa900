//! Switches that copy nothing any more.

use super::{mark, state::Place};
use crate::{
    error::{Error, Result},
    name::LabName,
    netlink::{
        link_change::{LinkChange, Switches},
        raw::{Refusal, Socket},
    },
    netns::Netns,
};

/// Takes the switches of a lab down. What its nodes have to say when they have just come up, of a large lab, is copied from
/// each port to all others, which keeps the processors from everything else for seconds.
pub(super) fn silence(lab: &LabName) -> Result<()> {
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
