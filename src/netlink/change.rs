//! Changes: requests that are carried out or refused, and tell nothing else.

use std::{fmt, net::IpAddr, sync::PoisonError};

use netlink_packet_route::RouteNetlinkMessage;

use super::{
    Netlink,
    raw::{Refusal, Socket},
};
use crate::{
    error::{Error, Result},
    name::quoted,
};

/// One change to what a namespace holds: a link, an address, a route, a neighbour or a rule.
///
/// It is a value, made by the functions of the other modules of this one and carried out by
/// [`Netlink::apply`].
#[derive(Debug, Clone)]
pub struct Change {
    message: RouteNetlinkMessage,
    /// `NLM_F_CREATE` and so on.
    flags: u16,
    tried: Tried,
}

/// What a failure names. It is worded only then: of thousands of changes, few fail.
#[derive(Debug, Clone)]
struct Tried {
    /// As in "cannot …".
    op: &'static str,
    subject: Subject,
    /// The name of the link.
    on: Option<String>,
    within: Option<String>,
}

/// What is changed.
#[derive(Debug, Clone)]
pub(super) enum Subject {
    Ip(IpAddr),
    /// An address with the length of its prefix.
    Prefix(IpAddr, u8),
    /// By its name.
    Link(String),
    /// In words; none where it is what the operation says.
    Words(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => write!(f, "'{ip}'"),
            Self::Prefix(ip, len) => write!(f, "'{ip}/{len}'"),
            Self::Link(name) => f.write_str(&quoted(name.as_ref())),
            Self::Words(words) => f.write_str(words),
        }
    }
}

impl Tried {
    fn refused(self, refusal: Refusal) -> Error {
        let on = self.on.map(|link| format!("on {}", quoted(link.as_ref())));
        let within = self.within.map(|place| format!("in {place}"));
        let words = [Some(self.subject.to_string()), on, within].into_iter().flatten();
        let words: Vec<String> = words.filter(|words| !words.is_empty()).collect();
        refusal.into_error(self.op, words.join(" "))
    }
}

impl Change {
    pub(super) fn new(message: RouteNetlinkMessage, flags: u16, op: &'static str, subject: Subject) -> Self {
        Self { message, flags, tried: Tried { op, subject, on: None, within: None } }
    }

    /// The same change; a failure also names this link.
    #[must_use]
    pub fn on(mut self, link: &str) -> Self {
        self.tried.on = Some(link.to_owned());
        self
    }

    /// The same change; a failure also says that it was in this place.
    #[must_use]
    pub(crate) fn within(mut self, place: &str) -> Self {
        self.tried.within = Some(place.to_owned());
        self
    }
}

impl Socket {
    /// Carries out many changes in their order, dozens at a time; what came of each. One that fails does
    /// not keep the others from being carried out.
    pub(crate) fn apply_each(&mut self, changes: Vec<Change>) -> Vec<Result<()>> {
        let apart = |change: Change| ((change.message, change.flags), change.tried);
        let (requests, tried): (Vec<_>, Vec<_>) = changes.into_iter().map(apart).unzip();
        let answers = self.request_each(requests);
        let told = |(tried, answer): (Tried, std::result::Result<(), Refusal>)| answer.map_err(|no| tried.refused(no));
        tried.into_iter().zip(answers).map(told).collect()
    }
}

impl Netlink {
    /// Carries out one change.
    ///
    /// # Errors
    ///
    /// What the kernel said, with its own sentence where it has one.
    #[expect(clippy::unused_async, reason = "the other functions of a connection are async")]
    pub async fn apply(&self, change: Change) -> Result<()> {
        let Change { message, flags, tried } = change;
        // The kernel does it before `send` returns, and its answer is there: nothing is waited for.
        let mut socket = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        socket.request(message, flags).map_err(|refusal| tried.refused(refusal))
    }

    /// Carries out many changes, one after the other in the order given, and waits for the kernel once
    /// for dozens of them. One that fails does not keep the others from being carried out.
    ///
    /// # Errors
    ///
    /// What the kernel said of each, in the order of the changes.
    #[expect(clippy::unused_async, reason = "the other functions of a connection are async")]
    pub async fn apply_all(&self, changes: Vec<Change>) -> Vec<Result<()>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).apply_each(changes)
    }
}
