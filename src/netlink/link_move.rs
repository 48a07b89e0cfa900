//! Moving a link to another namespace, with what it has or without.

use std::os::fd::{AsFd, AsRawFd};

use netlink_packet_route::{RouteNetlinkMessage, link::LinkAttribute};

use super::{carry::Luggage, link, link_change::LinkChange, new_link::Site};
use crate::{
    error::Result,
    name::{IfName, quoted},
};

/// A link that moves to another namespace.
#[derive(Debug, Clone)]
pub struct Move<'a> {
    /// Where it is.
    pub from: Site<'a>,
    /// Where it goes.
    pub to: Site<'a>,
    /// The link, by its name or an altname.
    pub name: &'a str,
    /// What else is changed of it; its `master` is a link of where it goes.
    pub change: &'a LinkChange,
    /// Whether its addresses, the routes through it and its being up go with it.
    pub keep: bool,
}

/// What a link had that it has no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Lost {
    /// Addresses that somebody gave it.
    pub addresses: usize,
    /// Routes through it that somebody made. Kept, only those that need other links too.
    pub routes: usize,
}

/// A link as it was found.
struct Found {
    index: u32,
    name: String,
    up: bool,
}

impl Move<'_> {
    /// Moves it; like `ip link set netns`. Where its addresses and routes were to go with it and
    /// cannot, it is put back with all of them.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such link; what the kernel said: a link of the same name is there,
    /// or it is one that cannot be moved.
    pub async fn run(&self) -> Result<Lost> {
        let found = self.find().await?;
        if self.from.ns.id() == self.to.ns.id() {
            self.from.netlink.apply(self.change.of_link(found.index, &found.name)).await?;
            return Ok(Lost::default());
        }
        let luggage = Luggage::of(self.from.netlink, found.index, &found.name, found.up).await?;
        if !self.keep {
            self.send(self.change, &found).await?;
            return Ok(Lost { addresses: luggage.addresses(), routes: luggage.routes() });
        }
        let place =
            LinkChange { name: self.change.name.clone(), new_index: self.change.new_index, ..LinkChange::default() };
        self.send(&place, &found).await?;
        if let Err(error) = self.settle(&luggage, &found).await {
            return Err(match self.put_back(&luggage, &found).await {
                Ok(()) => error,
                Err(second) => error.because(format!("and it could not be put back ({second})")),
            });
        }
        Ok(Lost { addresses: 0, routes: luggage.stranded })
    }

    async fn find(&self) -> Result<Found> {
        let found = self.from.netlink.get_link(link::by_name(self.name)).await;
        let link = found.map_err(|e| e.into_error("find device", quoted(self.name.as_ref())))?;
        let up = link.flags.iter().any(|flag| flag == "UP");
        Ok(Found { index: link.index, name: link.name, up })
    }

    async fn send(&self, change: &LinkChange, found: &Found) -> Result<()> {
        relocate(self.from, self.to, change, found.index)
            .await
            .map_err(|e| e.into_error("move link", format!("{} to {}", quoted(found.name.as_ref()), self.to)))
    }

    /// What it is called where it goes.
    fn new_name<'b>(&'b self, found: &'b Found) -> &'b str {
        self.change.name.as_ref().map_or(&found.name, IfName::as_str)
    }

    async fn settle(&self, luggage: &Luggage, found: &Found) -> Result<()> {
        let (netlink, name) = (self.to.netlink, self.new_name(found));
        let index = netlink.index_of(name).await?;
        luggage.unpack(netlink, index, name).await?;
        let rest = LinkChange { name: None, new_index: None, ..self.change.clone() };
        if rest == LinkChange::default() { Ok(()) } else { netlink.apply(rest.of_link(index, name)).await }
    }

    async fn put_back(&self, luggage: &Luggage, found: &Found) -> Result<()> {
        let index = self.to.netlink.index_of(self.new_name(found)).await?;
        let place = LinkChange { name: found.name.parse().ok(), new_index: Some(found.index), ..LinkChange::default() };
        let back = relocate(self.to, self.from, &place, index).await;
        back.map_err(|e| e.into_error("move back link", quoted(found.name.as_ref())))?;
        luggage.unpack(self.from.netlink, found.index, &found.name).await
    }
}

async fn relocate(
    from: Site<'_>,
    to: Site<'_>,
    change: &LinkChange,
    index: u32,
) -> std::result::Result<(), super::raw::Refusal> {
    let mut message = change.message();
    message.header.index = index;
    message.attributes.push(LinkAttribute::NetNsFd(to.ns.as_fd().as_raw_fd()));
    message.attributes.extend(change.group.map(LinkAttribute::Group));
    from.netlink.request(RouteNetlinkMessage::NewLink(message), 0).await
}
