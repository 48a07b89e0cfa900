//! Ids of namespaces (`nsid`): what `RTM_NEWNSID` and `RTM_GETNSID` say.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

use netlink_packet_route::{
    RouteNetlinkMessage,
    nsid::{NsidAttribute, NsidMessage},
};
use rustix::io::Errno;

use super::raw::{Refusal, Socket};

/// One answer: an id, and the ids it has elsewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ids {
    /// In the namespace that was asked about.
    pub nsid: Option<u32>,
    /// In the namespace that was asked, where that is another one.
    pub current: Option<u32>,
}

impl Ids {
    fn of(message: &NsidMessage) -> Self {
        // -1 says that none is assigned.
        let id = |wanted: fn(&NsidAttribute) -> Option<i32>| {
            message.attributes.iter().find_map(wanted).and_then(|id| u32::try_from(id).ok())
        };
        Self {
            nsid: id(|a| if let NsidAttribute::Id(id) = a { Some(*id) } else { None }),
            current: id(|a| if let NsidAttribute::CurrentNsid(id) = a { Some(*id) } else { None }),
        }
    }

    pub(super) fn of_object(object: &RouteNetlinkMessage) -> Option<Self> {
        match object {
            RouteNetlinkMessage::NewNsId(message) | RouteNetlinkMessage::DelNsId(message) => Some(Self::of(message)),
            _ => None,
        }
    }
}

/// Ids are `i32` to the kernel; a larger one cannot be.
fn attribute(id: u32) -> Result<i32, Refusal> {
    i32::try_from(id).map_err(|_| io::Error::from(Errno::INVAL).into())
}

fn message(attributes: impl IntoIterator<Item = NsidAttribute>) -> NsidMessage {
    let mut message = NsidMessage::default();
    message.attributes.extend(attributes);
    message
}

fn by_fd(ns: impl AsFd) -> NsidAttribute {
    NsidAttribute::Fd(ns.as_fd().as_raw_fd().cast_unsigned())
}

impl Socket {
    /// The ids that open namespaces have in this socket's namespace; an error where one is refused.
    pub(crate) fn nsids_of<F: AsFd>(&mut self, namespaces: &[F]) -> io::Result<Vec<Result<Option<u32>, Refusal>>> {
        let questions = namespaces.iter().map(|ns| RouteNetlinkMessage::GetNsId(message([by_fd(ns)])));
        let answers = self.ask_each(questions)?;
        Ok(answers.into_iter().map(|answer| answer.map(|object| only(&object).nsid)).collect())
    }

    /// The id that an open namespace has in this socket's namespace.
    pub(crate) fn nsid_of(&mut self, ns: impl AsFd) -> Result<Option<u32>, Refusal> {
        self.nsids_of(&[ns])?.pop().unwrap_or(Ok(None))
    }

    /// Gives an open namespace an id in this socket's namespace, or any that is free.
    pub(crate) fn assign_nsid(&mut self, ns: impl AsFd, id: Option<u32>) -> Result<(), Refusal> {
        let id = id.map_or(Ok(-1), attribute)?;
        self.request(RouteNetlinkMessage::NewNsId(message([by_fd(ns), NsidAttribute::Id(id)])), 0)
    }

    /// Gives each open namespace any id that is free in this socket's namespace.
    pub(crate) fn assign_nsids(&mut self, namespaces: impl IntoIterator<Item: AsFd>) -> Vec<Result<(), Refusal>> {
        let requests = namespaces.into_iter().map(|ns| message([by_fd(ns), NsidAttribute::Id(-1)]));
        self.request_each(requests.map(|message| (RouteNetlinkMessage::NewNsId(message), 0)))
    }

    /// All ids in this socket's namespace, or in the one it knows as `target`.
    pub(crate) fn all_nsids(&mut self, target: Option<u32>) -> Result<Vec<Ids>, Refusal> {
        let target = target.map(attribute).transpose()?.map(NsidAttribute::TargetNsid);
        let objects = self.dump(&RouteNetlinkMessage::GetNsId(message(target)))?;
        Ok(objects.iter().filter_map(Ids::of_object).collect())
    }

    /// What is known of one id in this socket's namespace, or in the one it knows as `target`.
    pub(crate) fn one_nsid(&mut self, id: u32, target: Option<u32>) -> Result<Ids, Refusal> {
        let target = target.map(attribute).transpose()?.map(NsidAttribute::TargetNsid);
        let question = message(std::iter::once(NsidAttribute::Id(attribute(id)?)).chain(target));
        let mut answers = self.ask_each([RouteNetlinkMessage::GetNsId(question)])?;
        answers.pop().unwrap_or_else(|| Err(io::Error::from(Errno::NODATA).into())).map(|object| only(&object))
    }
}

fn only(object: &RouteNetlinkMessage) -> Ids {
    Ids::of_object(object).unwrap_or_default()
}
