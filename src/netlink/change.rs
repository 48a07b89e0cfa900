//! Changes: requests that are carried out or refused, and tell nothing else.

use std::sync::PoisonError;

use netlink_packet_route::RouteNetlinkMessage;

use super::{
    Netlink,
    raw::{Refusal, Socket},
};
use crate::error::Result;

/// One change to what a namespace holds: a link, an address, a route, a neighbour or a rule.
///
/// It is a value, made by the functions of the other modules of this one and carried out by
/// [`Netlink::apply`].
#[derive(Debug, Clone)]
pub struct Change {
    message: RouteNetlinkMessage,
    /// `NLM_F_CREATE` and so on.
    flags: u16,
    /// What is tried, as in "cannot …".
    op: &'static str,
    subject: String,
}

impl Change {
    pub(super) fn new(
        message: RouteNetlinkMessage,
        flags: u16,
        op: &'static str,
        subject: impl std::fmt::Display,
    ) -> Self {
        Self { message, flags, op, subject: subject.to_string() }
    }

    /// The same change; a failure also names this link.
    #[must_use]
    pub fn on(mut self, link: &str) -> Self {
        let space = if self.subject.is_empty() { "" } else { " " };
        self.subject = format!("{}{space}on {}", self.subject, crate::name::quoted(link.as_ref()));
        self
    }
}

impl Change {
    /// The same change; a failure also says that it was in this place.
    #[must_use]
    pub(crate) fn within(mut self, place: &str) -> Self {
        self.subject = format!("{} in {place}", self.subject);
        self
    }
}

impl Socket {
    /// Carries out many changes in their order, dozens at a time; what came of each. One that fails does
    /// not keep the others from being carried out.
    pub(crate) fn apply_each(&mut self, changes: Vec<Change>) -> Vec<Result<()>> {
        let apart = |change: Change| ((change.message, change.flags), (change.op, change.subject));
        let (requests, tried): (Vec<_>, Vec<_>) = changes.into_iter().map(apart).unzip();
        let answers = self.request_each(requests);
        let refused = |((op, subject), answer): (_, std::result::Result<(), Refusal>)| {
            answer.map_err(|refusal| refusal.into_error(op, subject))
        };
        tried.into_iter().zip(answers).map(refused).collect()
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
        let Change { message, flags, op, subject } = change;
        // The kernel does it before `send` returns, and its answer is there: nothing is waited for.
        let mut socket = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        socket.request(message, flags).map_err(|refusal| refusal.into_error(op, subject))
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
