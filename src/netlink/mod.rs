//! Links, addresses, routes, rules and namespace ids: the only room that knows netlink.

pub mod addr;
pub(crate) mod awaited;
pub(crate) mod birth;
mod carry;
pub mod change;
mod codec;
pub mod counters;
pub mod details;
pub(crate) mod farewell;
pub mod kind;
pub mod link;
pub mod link_change;
pub mod link_move;
pub mod neigh;
pub(crate) mod netconf;
pub mod new_link;
pub(crate) mod nsid;
pub(crate) mod observer;
pub(crate) mod raw;
pub mod route;
pub mod rule;
pub(crate) mod seen;
pub(crate) mod tun;
pub mod veth;

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt;
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_proto::ConnectionHandle;
use netlink_sys::SocketAddr;
use rtnetlink::MulticastGroup;
use rustix::io::Errno;

use crate::{
    addr::Family,
    error::{Error, Result},
    netns::Netns,
};
use change::Change;
use raw::{Heard, Refusal, Reply};

/// An answer that was lost never comes. Any other comes at once, or after the seconds that the
/// kernel takes to end hundreds of namespaces.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// A connection to the kernel's routing tables in one namespace.
///
/// It stays in the namespace it was opened in, whatever thread uses it. Cloning is cheap and
/// shares the connection. It works for as long as the tokio runtime it was opened on, which needs
/// its I/O and time drivers.
#[derive(Debug, Clone)]
pub struct Netlink {
    handle: ConnectionHandle<RouteNetlinkMessage>,
    changes: Arc<Mutex<raw::Socket>>,
}

impl Netlink {
    /// Opens a connection in a namespace, driven by the calling task's runtime.
    ///
    /// # Errors
    ///
    /// `Denied` without `CAP_SYS_ADMIN` over the namespace, unless it is the caller's own;
    /// `Os` (`EMFILE`) when no descriptor is left.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn open(ns: &Netns) -> Result<Self> {
        let ((connection, handle, _), changes) = connected(ns, || Ok((raw::connect(&[])?, raw::Socket::open()?)))?;
        tokio::spawn(connection);
        Ok(Self { handle, changes: Arc::new(Mutex::new(changes)) })
    }

    /// As [`open`](Self::open), with what changes in the namespace. That comes by a socket of its own:
    /// when more changes than can be read, no answer is lost.
    fn listening(ns: &Netns, groups: &[MulticastGroup]) -> Result<(Self, Heard)> {
        let all = connected(ns, || Ok((raw::connect(&[])?, raw::Socket::open()?, raw::connect(groups)?)))?;
        let ((connection, handle, _), changes, (listener, _, heard)) = all;
        tokio::spawn(connection);
        tokio::spawn(listener);
        Ok((Self { handle, changes: Arc::new(Mutex::new(changes)) }, heard))
    }

    /// Carries out one request.
    async fn request(&self, message: RouteNetlinkMessage, flags: u16) -> std::result::Result<(), Refusal> {
        self.exchange(message, flags | NLM_F_ACK).await.map(drop)
    }

    /// Asks for one object.
    async fn get(&self, message: RouteNetlinkMessage) -> std::result::Result<RouteNetlinkMessage, Refusal> {
        let mut objects = self.exchange(message, 0).await?;
        objects.pop().ok_or_else(|| io::Error::from(Errno::NODATA).into())
    }

    /// Asks for everything of a kind; asks again while changes leave gaps in the answer.
    async fn dump(&self, message: RouteNetlinkMessage) -> std::result::Result<Vec<RouteNetlinkMessage>, Refusal> {
        for _ in 1..raw::DUMP_TRIES {
            match self.exchange(message.clone(), NLM_F_DUMP).await {
                Err(refusal) if refusal.errno() == Some(Errno::INTR) => {}
                done => return done,
            }
        }
        self.exchange(message, NLM_F_DUMP).await
    }

    async fn exchange(
        &self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> std::result::Result<Vec<RouteNetlinkMessage>, Refusal> {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = flags | NLM_F_REQUEST;
        let answer = self.answer(request);
        match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(io::Error::from(Errno::TIMEDOUT).into()),
        }
    }

    async fn answer(
        &self,
        request: NetlinkMessage<RouteNetlinkMessage>,
    ) -> std::result::Result<Vec<RouteNetlinkMessage>, Refusal> {
        let acked = request.header.flags & (NLM_F_ACK | NLM_F_DUMP) != 0;
        let mut objects = Vec::new();
        let mut interrupted = false;
        let mut replies = self.handle.request(request, SocketAddr::new(0, 0)).map_err(|_| connection_lost())?;
        while let Some(reply) = replies.next().await {
            match Reply::of(reply) {
                Reply::Object(object) => objects.push(object),
                Reply::End if interrupted => return Err(io::Error::from(Errno::INTR).into()),
                Reply::End => return Ok(objects),
                Reply::Refused(refusal) => return Err(refusal),
                Reply::Interrupted => interrupted = true,
            }
        }
        // Only a question without an ack ends by its one answer.
        if acked || objects.is_empty() { Err(connection_lost()) } else { Ok(objects) }
    }
}

/// Carries out async work to its end, for callers that have no runtime, or are inside of one that must not wait: on a
/// thread of its own, with a runtime of its own.
pub(crate) fn to_the_end<T: Send>(work: impl AsyncFnOnce() -> Result<T> + Send) -> Result<T> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|e| Error::os("start", "a runtime", e))?.block_on(work())
    };
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().spawn_scoped(scope, run);
        let worker = worker.map_err(|e| Error::os("start", "a thread", e))?;
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Opens connections in a namespace, for the runtime of the calling task.
fn connected<T: Send>(ns: &Netns, open: impl FnOnce() -> io::Result<T> + Send) -> Result<T> {
    let runtime = tokio::runtime::Handle::current();
    let opened = ns.inside(|| {
        let _inside = runtime.enter();
        open()
    })?;
    opened.map_err(|e| Error::os("open a netlink socket in", ns, e))
}

fn kernel_family(family: Family) -> AddressFamily {
    match family {
        Family::Inet => AddressFamily::Inet,
        Family::Inet6 => AddressFamily::Inet6,
    }
}

fn family_of(family: AddressFamily) -> Option<Family> {
    match family {
        AddressFamily::Inet => Some(Family::Inet),
        AddressFamily::Inet6 => Some(Family::Inet6),
        _ => None,
    }
}

fn connection_lost() -> Refusal {
    io::Error::from(Errno::CONNABORTED).into()
}
