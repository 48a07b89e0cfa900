//! Links that are born by one request on a blocking socket: many of them in one go, each with its index,
//! its group and its master.

use std::{
    collections::BTreeSet,
    os::fd::{AsRawFd, BorrowedFd},
};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoData, InfoVeth, LinkAttribute, LinkInfo, LinkMessage},
};
use rustix::io::Errno;

use super::{
    Change,
    change::Subject,
    kind::Kind,
    link,
    link_change::{self, LinkChange},
    raw::{Refusal, Socket},
};
use crate::{
    addr::Mac,
    error::{Error, Result},
    name::IfName,
};

/// A link, or one end of a pair. What is `None` is left to the kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End<'a> {
    pub name: &'a IfName,
    pub index: Option<u32>,
    pub mac: Option<Mac>,
    pub mtu_bytes: Option<u32>,
    pub group: u32,
}

/// What is told of a link that has no other end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ties {
    /// The index of the bridge, bond or VRF that it belongs to.
    pub master: Option<u32>,
    /// The index of the link that it stands on, or that a tunnel is bound to.
    pub lower: Option<u32>,
}

impl End<'_> {
    fn attributes(&self) -> Vec<LinkAttribute> {
        let attributes = [
            Some(LinkAttribute::IfName(self.name.as_str().to_owned())),
            self.mac.map(|mac| LinkAttribute::Address(mac.octets().to_vec())),
            self.mtu_bytes.map(LinkAttribute::Mtu),
            Some(LinkAttribute::Group(self.group)),
        ];
        attributes.into_iter().flatten().collect()
    }

    /// One queue a direction: the kernel's usual number of one for each processor costs time and memory.
    fn message_of_pair(&self) -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = self.index.unwrap_or(0);
        message.attributes = self.attributes();
        message.attributes.extend([LinkAttribute::NumTxQueues(1), LinkAttribute::NumRxQueues(1)]);
        message
    }
}

/// Makes a veth pair, one end where the request is sent, the other in the namespace of a descriptor, which
/// must stay open until it is carried out.
pub(crate) fn pair(end: &End<'_>, master: Option<u32>, peer: &End<'_>, there: BorrowedFd<'_>, shown: String) -> Change {
    let mut far = peer.message_of_pair();
    far.attributes.push(LinkAttribute::NetNsFd(there.as_raw_fd()));
    let mut message = end.message_of_pair();
    message.attributes.extend(master.map(LinkAttribute::Controller));
    let mut infos = Kind::Veth.infos();
    infos.push(LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(far))));
    message.attributes.push(LinkAttribute::LinkInfo(infos));
    Change::new(
        RouteNetlinkMessage::NewLink(message),
        NLM_F_CREATE | NLM_F_EXCL,
        Kind::Veth.op(),
        Subject::Words(shown),
    )
}

/// Makes a link of any kind that is neither a pair nor made through `/dev/net/tun`.
pub(crate) fn single(end: &End<'_>, kind: &Kind, ties: Ties, shown: String) -> Change {
    let mut kind = kind.clone();
    let bound = ties.lower.is_some_and(|index| kind.bind_to(index));
    let mut message = LinkMessage::default();
    message.header.index = end.index.unwrap_or(0);
    message.attributes = end.attributes();
    message.attributes.extend(ties.lower.filter(|_| !bound).map(LinkAttribute::Link));
    message.attributes.extend(ties.master.map(LinkAttribute::Controller));
    message.attributes.push(LinkAttribute::LinkInfo(kind.infos()));
    Change::new(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL, kind.op(), Subject::Words(shown))
}

impl Socket {
    /// Deletes links of this namespace at once, by a group: one that nothing else is in, where none is
    /// given. One by one each takes as long as dozens take together. One that has gone already is no failure.
    pub(crate) fn delete_links_together(&mut self, indices: &[u32], group: Option<u32>) -> Result<()> {
        let shown = |index: u32| format!("link {index}");
        let changes = match indices {
            [one] => vec![link_change::delete(*one, &shown(*one))],
            many => {
                let group = group.map_or_else(|| self.free_group(), Ok)?;
                let change = LinkChange { group: Some(group), ..LinkChange::default() };
                let grouped = many.iter().map(|&index| change.of_link(index, &shown(index)));
                grouped.chain([link_change::delete_group(group)]).collect()
            }
        };
        let is_gone = |e: &Error| e.errno() == Some(Errno::NODEV.raw_os_error());
        let failed = self.apply_each(changes).into_iter().filter_map(Result::err).find(|e| !is_gone(e));
        failed.map_or(Ok(()), Err)
    }

    /// The number of a group that no link of this namespace is in.
    fn free_group(&mut self) -> Result<u32> {
        let links = self.seen_links().map_err(|e| e.into_error("list links", ""))?;
        let taken: BTreeSet<u32> = links.iter().filter_map(|seen| seen.link.group).collect();
        let free = (1 << 30..u32::MAX).find(|group| !taken.contains(group));
        free.ok_or_else(|| Error::os("find a free group of links", "", Errno::NOSPC))
    }

    /// The indices of the links of these names, in their order; `None` where there is none.
    pub(crate) fn indices_of(&mut self, names: &[&IfName]) -> std::io::Result<Vec<Option<u32>>> {
        let questions = names.iter().map(|name| RouteNetlinkMessage::GetLink(link::by_name(name.as_str())));
        let answers = self.ask_each(questions)?;
        let index = |answer: std::result::Result<RouteNetlinkMessage, Refusal>| match answer {
            Ok(RouteNetlinkMessage::NewLink(link)) => Ok(Some(link.header.index)),
            Ok(_) => Ok(None),
            Err(refusal) if refusal.errno() == Some(Errno::NODEV) => Ok(None),
            Err(refusal) => Err(std::io::Error::from(refusal.errno().unwrap_or(Errno::IO))),
        };
        answers.into_iter().map(index).collect()
    }
}
