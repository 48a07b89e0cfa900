//! An echo of ICMP, without the program.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use rustix::{
    event::PollFlags,
    io::Errno,
    net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, recv, sendto, socket_with},
    rand::{GetRandomFlags, getrandom},
};

use super::{Limit, Tried, Woken};
use crate::error::{Error, Result};

/// An echo that got lost is followed by another so soon.
const AGAIN: Duration = Duration::from_millis(200);
const HEADER_BYTES: usize = 8;
const TOKEN_BYTES: usize = 16;

/// Pings until there is an answer. In the namespace of the calling thread.
pub(super) fn ping(to: IpAddr, limit: &Limit<'_>) -> Result<Tried> {
    let failed = |e: io::Error| Error::os("ping", to, e);
    let socket = Socket::open(to).map_err(failed)?;
    let mut echo = Echo::new(to).map_err(failed)?;
    loop {
        let last = match socket.send(&echo, to) {
            Ok(()) => None,
            Err(e) if !limit.patient => return Ok(Tried::No(e.to_string())),
            Err(e) => Some(e),
        };
        match socket.await_reply(&echo, limit).map_err(failed)? {
            Woken::Ready => return Ok(Tried::Yes),
            Woken::Stopped => return Ok(Tried::Stopped),
            Woken::Over => return Ok(limit.over(last.as_ref())),
            Woken::Later => echo.next(),
        }
    }
}

/// A socket for echoes: one of those that `net.ipv4.ping_group_range` allows to groups, else one for all of
/// ICMP, which needs a capability in the node's namespace that whoever entered it has.
struct Socket {
    fd: OwnedFd,
    /// Whether packets come with the header of IP before them.
    has_ip_header: bool,
}

impl Socket {
    fn open(to: IpAddr) -> io::Result<Self> {
        let (family, protocol) = match to {
            IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
            IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
        };
        match open(family, SocketType::DGRAM, protocol) {
            Err(Errno::ACCESS | Errno::PERM | Errno::PROTONOSUPPORT) => {
                let fd = open(family, SocketType::RAW, protocol)?;
                Ok(Self { fd, has_ip_header: to.is_ipv4() })
            }
            fd => Ok(Self { fd: fd?, has_ip_header: false }),
        }
    }

    fn send(&self, echo: &Echo, to: IpAddr) -> io::Result<()> {
        sendto(&self.fd, &echo.packet, SendFlags::empty(), &SocketAddr::new(to, 0))?;
        Ok(())
    }

    /// Ready, where the answer is there.
    fn await_reply(&self, echo: &Echo, limit: &Limit<'_>) -> io::Result<Woken> {
        loop {
            let woken = limit.wait(&[(self.fd.as_fd(), PollFlags::IN)], AGAIN)?;
            if woken != Woken::Ready || self.has_reply(echo) {
                return Ok(woken);
            }
        }
    }

    /// Whether the answer is among what has come.
    fn has_reply(&self, echo: &Echo) -> bool {
        let mut buffer = [0; 2048];
        // An error is news of a packet that could not be delivered: no answer.
        while let Ok((bytes, _)) = recv(&self.fd, &mut buffer, RecvFlags::DONTWAIT) {
            if echo.is_answered_by(&buffer[..bytes], self.has_ip_header) {
                return true;
            }
        }
        false
    }
}

fn open(family: AddressFamily, kind: SocketType, protocol: Protocol) -> rustix::io::Result<OwnedFd> {
    socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol))
}

/// A request, told from all others by what it carries.
struct Echo {
    packet: [u8; HEADER_BYTES + TOKEN_BYTES],
    reply: u8,
}

impl Echo {
    fn new(to: IpAddr) -> io::Result<Self> {
        let (request, reply) = if to.is_ipv4() { (8, 0) } else { (128, 129) };
        let mut packet = [0; HEADER_BYTES + TOKEN_BYTES];
        getrandom(&mut packet[HEADER_BYTES..], GetRandomFlags::empty())?;
        packet[0] = request;
        // Where the kernel gives no number of its own, it is a part of what makes this one special.
        packet.copy_within(HEADER_BYTES..HEADER_BYTES + 2, 4);
        let mut echo = Self { packet, reply };
        echo.number(1);
        Ok(echo)
    }

    fn next(&mut self) {
        self.number(u16::from_be_bytes([self.packet[6], self.packet[7]]).wrapping_add(1));
    }

    fn number(&mut self, number: u16) {
        self.packet[6..8].copy_from_slice(&number.to_be_bytes());
        self.packet[2..4].fill(0);
        let sum = checksum(&self.packet);
        // Of ICMPv6, the kernel computes it: addresses are in it.
        self.packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }

    fn is_answered_by(&self, packet: &[u8], has_ip_header: bool) -> bool {
        let header_bytes = match packet.first() {
            Some(first) if has_ip_header => usize::from(first & 0xf) * 4,
            _ => 0,
        };
        let Some(message) = packet.get(header_bytes..) else { return false };
        message.first() == Some(&self.reply) && message.get(HEADER_BYTES..) == Some(&self.packet[HEADER_BYTES..])
    }
}

/// As IPv4 sums up, of RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_with_its_sum_sums_up_to_nothing() {
        let mut echo = Echo::new([127, 0, 0, 1].into()).unwrap();
        assert_eq!(checksum(&echo.packet), 0);
        echo.next();
        assert_eq!((checksum(&echo.packet), &echo.packet[6..8]), (0, &[0, 2][..]));
    }

    #[test]
    fn only_the_answer_to_this_very_echo_counts() {
        let (echo, other) = (Echo::new([127, 0, 0, 1].into()).unwrap(), Echo::new([127, 0, 0, 1].into()).unwrap());
        let answer = |echo: &Echo| {
            let mut packet = echo.packet;
            packet[0] = 0;
            packet
        };
        assert!(echo.is_answered_by(&answer(&echo), false));
        assert!(!echo.is_answered_by(&echo.packet, false), "the request itself, seen on lo");
        assert!(!echo.is_answered_by(&answer(&other), false));
        let with_header = [&[0x46; 24][..], &answer(&echo)].concat();
        assert!(echo.is_answered_by(&with_header, true) && !echo.is_answered_by(&[0x4f], true));
    }
}
