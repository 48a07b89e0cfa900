//! A connection of TCP.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use rustix::{
    event::PollFlags,
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, connect as connect_socket, socket_with, sockopt},
};

use super::{Limit, PAUSE, Tried, Woken};
use crate::error::{Error, Result};

/// Connects, and hangs up. In the namespace of the calling thread.
pub(super) fn connect(to: SocketAddr, limit: &Limit<'_>) -> Result<Tried> {
    let mut last = None;
    loop {
        let failed = |e: io::Error| Error::os("connect to", to, e);
        match once(to, limit).map_err(failed)? {
            Once::Made => return Ok(Tried::Yes),
            Once::Broken(Woken::Stopped) => return Ok(Tried::Stopped),
            Once::Broken(_) => return Ok(over(limit, last.as_ref())),
            Once::Refused(e) if !limit.patient => return Ok(Tried::No(e.to_string())),
            Once::Refused(e) => last = Some(e),
        }
        match limit.wait(&[], PAUSE).map_err(failed)? {
            Woken::Stopped => return Ok(Tried::Stopped),
            Woken::Over => return Ok(over(limit, last.as_ref())),
            Woken::Ready | Woken::Later => {}
        }
    }
}

/// A refusal is an answer.
fn over(limit: &Limit<'_>, last: Option<&io::Error>) -> Tried {
    match last {
        Some(e) if e.kind() == io::ErrorKind::ConnectionRefused => Tried::No("refused".into()),
        last => limit.over(last),
    }
}

enum Once {
    Made,
    Refused(io::Error),
    Broken(Woken),
}

fn once(to: SocketAddr, limit: &Limit<'_>) -> io::Result<Once> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket: OwnedFd = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    match connect_socket(&socket, &to) {
        Ok(()) => return Ok(Once::Made),
        Err(Errno::INPROGRESS) => {}
        Err(e) => return Ok(Once::Refused(e.into())),
    }
    match limit.wait(&[(socket.as_fd(), PollFlags::OUT)], Duration::MAX)? {
        Woken::Ready => Ok(sockopt::socket_error(&socket)?.map_or_else(|e| Once::Refused(e.into()), |()| Once::Made)),
        woken => Ok(Once::Broken(woken)),
    }
}
