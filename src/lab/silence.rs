//! Switches of a lab that copy nothing any more, because it is about to go.

use super::{mark, runs, state::Place};
use crate::{
    error::{Error, Result},
    name::{LabName, NsName},
    netlink::{
        link::Link,
        link_change::{LinkChange, Switches},
        raw::{Refusal, Socket},
    },
    netns::Netns,
};

/// With fewer nodes, it takes longer to take a switch down than to let it copy.
const LOUD: usize = 150;

/// Bridges that were taken down. They come up again when this is dropped, unless it is for good.
#[derive(Default)]
pub(super) struct Silence {
    taken: Option<(Socket, Vec<Link>)>,
}

impl Silence {
    /// Takes the bridges of a lab down: what many nodes have to say when they have just come up is copied from each port to
    /// all others, which keeps the processors from everything else for seconds.
    ///
    /// A small lab is not loud, and one whose commands were started keeps its network until they have ended. What cannot be
    /// taken down takes longer to go, and goes all the same.
    pub(super) fn of_the_loud(lab: &LabName, names: &[NsName]) -> Self {
        let nodes = names.iter().filter(|name| mark::place_in(lab, name.as_os_str()).is_some()).count();
        if nodes < LOUD || runs::are_known(lab) {
            return Self::default();
        }
        let taken = bridges_of(lab).ok().flatten();
        let mut silence = Self { taken };
        silence.set_up(false);
        silence
    }

    /// They stay down.
    pub(super) fn for_good(mut self) {
        self.taken = None;
    }

    fn set_up(&mut self, up: bool) {
        let Some((socket, bridges)) = &mut self.taken else { return };
        let switches = Switches { up: Some(up), ..Switches::default() };
        let change = LinkChange { switches, ..LinkChange::default() };
        // Best effort, as said above.
        socket.apply_each(bridges.iter().map(|bridge| change.of_link(bridge.index, &bridge.name)).collect());
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        self.set_up(true);
    }
}

/// The lab's bridges that are up, with a connection to where they are.
fn bridges_of(lab: &LabName) -> Result<Option<(Socket, Vec<Link>)>> {
    let name = mark::ns_name(lab, &Place::Switches);
    let Some(ns) = name.and_then(|name| Netns::living(&name)) else { return Ok(None) };
    let mut socket = ns.inside(Socket::open)?.map_err(|e| Error::os("open a netlink socket in", &ns, e))?;
    let refused = |e: Refusal| e.into_error("look into", &ns);
    if socket.note_of_loopback().map_err(refused)? != Some(mark::note(lab, &Place::Switches)) {
        return Ok(None);
    }
    let mut bridges = socket.bridges().map_err(refused)?;
    bridges.retain(|bridge| bridge.group == Some(mark::LINK_GROUP) && bridge.is_up());
    Ok(Some((socket, bridges)))
}
