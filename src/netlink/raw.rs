//! The layer below rtnetlink's transport: what the kernel refused and in which words, the end of a
//! dump, and a blocking socket for work that has no runtime.
//!
//! rtnetlink shows of an error only its number, drops the error that ends a dump, and does not
//! tell when a dump was interrupted by a change. Everything that sees replies goes through
//! [`Reply`], whichever socket they came from.

use std::{cell::RefCell, io, num::NonZeroI32, os::fd::AsFd, time::Instant};

use futures::channel::mpsc::UnboundedReceiver;
use netlink_packet_core::{
    DoneMessage, ErrorMessage, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkDeserializable,
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable, NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_proto::{Connection, ConnectionHandle};
use netlink_sys::{AsyncSocket, SocketAddr, TokioSocket, protocols::NETLINK_ROUTE};
use rtnetlink::MulticastGroup;
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
};

use super::codec::{self, Codec, LinkParts};
use crate::error::{Error, ErrorKind};

/// How often a dump that a change interrupted is asked again before its last answer is an error.
pub(super) const DUMP_TRIES: usize = 16;

/// A "no", with the kernel's own sentence where it gave one.
#[derive(Debug)]
pub(crate) struct Refusal {
    source: io::Error,
    text: Option<String>,
    from_kernel: bool,
}

impl Refusal {
    pub(crate) fn errno(&self) -> Option<Errno> {
        Errno::from_io_error(&self.source)
    }

    /// Whether the kernel said it. If not, the answer was lost, and what was asked may have been done.
    pub(super) fn is_from_kernel(&self) -> bool {
        self.from_kernel
    }

    pub(crate) fn into_error(self, op: &'static str, subject: impl std::fmt::Display) -> Error {
        let mut error = Error::os(op, subject, self.source);
        // rtnetlink denies with EPERM; with EACCES it speaks of the state of things (IPv6 is disabled).
        if self.from_kernel && error.errno() == Some(Errno::ACCESS.raw_os_error()) {
            error = error.with_kind(ErrorKind::Os);
        }
        match self.text {
            Some(text) => error.because(text),
            None => error,
        }
    }

    fn new(code: NonZeroI32, tlvs: &[u8]) -> Self {
        let source = io::Error::from_raw_os_error(code.get().saturating_abs());
        Self { source, text: sentence(tlvs), from_kernel: true }
    }
}

impl From<io::Error> for Refusal {
    fn from(source: io::Error) -> Self {
        Self { source, text: None, from_kernel: false }
    }
}

/// `NLM_F_CAPPED` of `linux/netlink.h`: the error echoes only the header of the request.
const NLM_F_CAPPED: u16 = 0x100;
const NLMSG_HEADER_BYTES: usize = 16;
const NLMSGERR_ATTR_MSG: u16 = 1;

/// One message of an answer.
pub(super) enum Reply<T = RouteNetlinkMessage> {
    Object(T),
    /// Ends the answer well.
    End,
    /// Ends the answer; what came before is all there is.
    Refused(Refusal),
    /// The answer has gaps: what it lists changed meanwhile.
    Interrupted,
}

impl<T> Reply<T> {
    pub(super) fn of(message: NetlinkMessage<T>) -> Self {
        let (header, payload) = message.into_parts();
        match payload {
            NetlinkPayload::Done(done) => Self::of_done(&header, &done),
            NetlinkPayload::Error(error) => Self::of_error(&header, &error),
            _ if header.flags & NLM_F_DUMP_INTR != 0 => Self::Interrupted,
            NetlinkPayload::InnerMessage(object) => Self::Object(object),
            NetlinkPayload::Overrun(_) => Self::Refused(io::Error::from(Errno::NOBUFS).into()),
            _ => Self::End,
        }
    }

    fn of_error(header: &NetlinkHeader, error: &ErrorMessage) -> Self {
        match error.code {
            None => Self::End,
            Some(code) => Self::Refused(Refusal::new(code, error_tlvs(header.flags, &error.header))),
        }
    }

    fn of_done(header: &NetlinkHeader, done: &DoneMessage) -> Self {
        match NonZeroI32::new(done.code) {
            Some(code) if code.get() < 0 => Self::Refused(Refusal::new(code, &done.extended_ack)),
            _ if header.flags & NLM_F_DUMP_INTR != 0 => Self::Refused(io::Error::from(Errno::INTR).into()),
            _ => Self::End,
        }
    }
}

/// The attributes behind the echo of the request, which is whole on kernels that cannot cap it.
pub(crate) fn error_tlvs(flags: u16, echo: &[u8]) -> &[u8] {
    let capped = flags & NLM_F_CAPPED != 0;
    let Some(&length) = echo.first_chunk() else { return &[] };
    let whole = (u32::from_ne_bytes(length) as usize).next_multiple_of(4);
    let echoed = if capped { NLMSG_HEADER_BYTES } else { whole.max(NLMSG_HEADER_BYTES) };
    echo.get(echoed..).unwrap_or_default()
}

/// The kernel's sentence among the attributes of an extended ack.
pub(crate) fn sentence(tlvs: &[u8]) -> Option<String> {
    let message = NlasIterator::new(tlvs).map_while(Result::ok).find(|nla| nla.kind() == NLMSGERR_ATTR_MSG)?;
    let text = message.value().split(|&b| b == 0).next()?;
    Some(String::from_utf8_lossy(text).trim_end_matches('.').to_owned())
}

/// An async connection: the task that drives it, a handle for requests, and what is heard.
type Connected = (Connection<RouteNetlinkMessage, TokioSocket, Codec>, ConnectionHandle<RouteNetlinkMessage>, Heard);

/// What a listening connection hears.
pub(super) type Heard = UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>;

/// Opens an async connection in the namespace of the calling thread.
pub(super) fn connect(groups: &[MulticastGroup]) -> io::Result<Connected> {
    let (mut connection, handle, heard): Connected = netlink_proto::new_connection_with_codec(NETLINK_ROUTE)?;
    prepare(connection.socket_mut().socket_mut(), groups)?;
    // Or the error that ends a dump is dropped.
    connection.set_forward_done(true);
    // Or an ack cannot be told from the end of the connection.
    connection.set_forward_ack(true);
    Ok((connection, handle, heard))
}

/// A blocking rtnetlink socket; it stays in the namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct Socket {
    to_kernel: netlink_sys::Socket,
    sequence: u32,
    link_parts: LinkParts,
}

/// A dump fills at most 32 KiB; a little more leaves no doubt.
const BUFFER_BYTES: usize = 64 * 1024;

thread_local! {
    /// What is read goes through here: one for each thread, since there may be a thousand sockets.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(BUFFER_BYTES));
}

/// So many requests go out before the answers are read. A default receive buffer holds 256 acks.
const BATCH: usize = 64;

impl Socket {
    /// Opens a socket in the namespace of the calling thread.
    pub(crate) fn open() -> io::Result<Self> {
        Self::listening(&[])
    }

    /// Opens a socket that hears what changes in the namespace of the calling thread.
    pub(crate) fn listening(groups: &[MulticastGroup]) -> io::Result<Self> {
        let mut socket = netlink_sys::Socket::new(NETLINK_ROUTE)?;
        prepare(&mut socket, groups)?;
        Ok(Self { to_kernel: socket, sequence: 0, link_parts: LinkParts::default() })
    }

    /// The same socket, for certain with strict checks of what is asked (Linux 4.20).
    pub(crate) fn strict(self) -> io::Result<Self> {
        self.to_kernel.set_netlink_get_strict_chk(true)?;
        Ok(self)
    }

    /// Sends one request and waits until the kernel has carried it out or refused it.
    pub(crate) fn request(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<(), Refusal> {
        self.send([(message, flags | NLM_F_ACK)])?;
        self.receive(|_| ())
    }

    /// Sends many requests, dozens at a time, and reads what became of each, in their order.
    pub(crate) fn request_each(
        &mut self,
        messages: impl IntoIterator<Item = (RouteNetlinkMessage, u16)>,
    ) -> Vec<Result<(), Refusal>> {
        let mut messages = messages.into_iter().map(|(message, flags)| (message, flags | NLM_F_ACK)).peekable();
        let mut answers = Vec::new();
        while messages.peek().is_some() {
            let before = self.sequence;
            let sent = self.send(messages.by_ref().take(BATCH));
            let mut batch = match sent {
                Ok(count) => self.acks(before, count),
                Err(e) => vec![Err(e.into())],
            };
            // Where an answer is lost, it is not known what became of the others.
            while batch.len() < (self.sequence - before) as usize {
                batch.push(Err(io::Error::from(Errno::CONNABORTED).into()));
            }
            answers.append(&mut batch);
        }
        answers
    }

    /// Reads the acks of the requests behind this sequence number, each in its place.
    ///
    /// The kernel carries requests out before `send` returns, so all acks are there: one that is not has
    /// been lost. Everything is read, also behind an error: as long as something is left in a full queue, the
    /// kernel drops what comes next without a word.
    fn acks(&mut self, before: u32, count: usize) -> Vec<Result<(), Refusal>> {
        let lost = || Err(io::Error::from(Errno::NOBUFS).into());
        let mut acks: Vec<_> = std::iter::repeat_with(lost).take(count).collect();
        let mut failures = 0;
        while failures <= count {
            match self.replies_now() {
                Ok(replies) => {
                    for (sequence, reply) in replies {
                        let place = sequence.checked_sub(before + 1).and_then(|at| acks.get_mut(at as usize));
                        match (place, reply) {
                            (Some(ack), Reply::End) => *ack = Ok(()),
                            (Some(ack), Reply::Refused(refusal)) => *ack = Err(refusal),
                            _ => {}
                        }
                    }
                }
                Err(e) if Errno::from_io_error(&e) == Some(Errno::AGAIN) => break,
                // An overrun is told once, before what there is.
                Err(_) => failures += 1,
            }
        }
        acks
    }

    /// Asks for everything of a kind.
    pub(crate) fn dump(&mut self, message: &RouteNetlinkMessage) -> Result<Vec<RouteNetlinkMessage>, Refusal> {
        self.dump_of(message, Some)
    }

    /// The same, of which only this is kept: decoded, a link takes more than ten thousand bytes. Asks again while changes
    /// leave gaps in the answer.
    pub(super) fn dump_of<T>(
        &mut self,
        message: &RouteNetlinkMessage,
        kept: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Vec<T>, Refusal> {
        let mut tries = 0;
        loop {
            let mut all = Vec::new();
            self.send([(message.clone(), NLM_F_DUMP)])?;
            tries += 1;
            match self.receive(|object| all.extend(kept(object))) {
                Ok(()) => return Ok(all),
                Err(refusal) if refusal.errno() == Some(Errno::INTR) && tries < DUMP_TRIES => {}
                Err(refusal) => return Err(refusal),
            }
        }
    }

    /// The same of links, of which no more than these parts are decoded.
    pub(super) fn dump_of_links<T>(
        &mut self,
        parts: LinkParts,
        message: &RouteNetlinkMessage,
        kept: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Vec<T>, Refusal> {
        let usual = std::mem::replace(&mut self.link_parts, parts);
        let links = self.dump_of(message, kept);
        self.link_parts = usual;
        links
    }

    /// Asks many questions that have one answer each; the answers come in the order of the questions.
    pub(super) fn ask_each<T: NetlinkSerializable + NetlinkDeserializable>(
        &mut self,
        questions: impl IntoIterator<Item = T>,
    ) -> io::Result<Vec<Result<T, Refusal>>> {
        let mut answers = Vec::new();
        let before = self.sequence;
        let mut questions = questions.into_iter().map(|question| (question, 0)).peekable();
        while questions.peek().is_some() {
            let asked = self.send(questions.by_ref().take(BATCH))?;
            let expected = answers.len() + asked;
            while answers.len() < expected {
                for (sequence, reply) in self.replies()? {
                    match reply {
                        _ if sequence <= before => {}
                        Reply::Object(object) => answers.push(Ok(object)),
                        Reply::Refused(refusal) => answers.push(Err(refusal)),
                        Reply::End | Reply::Interrupted => {}
                    }
                }
            }
        }
        Ok(answers)
    }

    /// Hears also what changes in other namespaces that have an id in this one (Linux 4.2).
    pub(crate) fn hear_all_namespaces(&self) -> io::Result<()> {
        self.to_kernel.set_listen_all_namespaces(true)
    }

    /// Reads one datagram of what is heard; `None` where there is none yet.
    pub(crate) fn replies_at_once(&mut self) -> io::Result<Option<Vec<RouteNetlinkMessage>>> {
        if wait_readable(&[self], Instant::now())?.is_empty() {
            return Ok(None);
        }
        let objects = self.replies()?.into_iter().filter_map(|(_, reply)| match reply {
            Reply::Object(object) => Some(object),
            _ => None,
        });
        Ok(Some(objects.collect()))
    }

    fn send<T: NetlinkSerializable>(&mut self, messages: impl IntoIterator<Item = (T, u16)>) -> io::Result<usize> {
        let mut bytes = Vec::new();
        let mut count = 0;
        for (message, flags) in messages {
            self.sequence += 1;
            count += 1;
            append(&mut bytes, message, flags | NLM_F_REQUEST, self.sequence);
        }
        retry(|| self.to_kernel.send_to(&bytes, &SocketAddr::new(0, 0), 0))?;
        Ok(count)
    }

    /// Reads one answer to its end.
    fn receive(&mut self, mut each: impl FnMut(RouteNetlinkMessage)) -> Result<(), Refusal> {
        let mut interrupted = false;
        loop {
            for (sequence, reply) in self.replies()? {
                match reply {
                    // What is left of an answer that was given up.
                    _ if sequence != self.sequence => {}
                    Reply::Object(object) => each(object),
                    Reply::End if interrupted => return Err(io::Error::from(Errno::INTR).into()),
                    Reply::End => return Ok(()),
                    Reply::Refused(refusal) => return Err(refusal),
                    Reply::Interrupted => interrupted = true,
                }
            }
        }
    }

    /// Reads one datagram and what it holds, each with the number of the request that it answers; one
    /// that the kernel did not send is dropped.
    fn replies<T: NetlinkDeserializable>(&mut self) -> io::Result<Vec<(u32, Reply<T>)>> {
        self.replies_by(0)
    }

    /// The same, without waiting: `EAGAIN` where there is none.
    fn replies_now(&mut self) -> io::Result<Vec<(u32, Reply)>> {
        self.replies_by(libc::MSG_DONTWAIT)
    }

    fn replies_by<T: NetlinkDeserializable>(&mut self, flags: i32) -> io::Result<Vec<(u32, Reply<T>)>> {
        let parts = self.link_parts;
        BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            let (_, sender) = retry(|| self.to_kernel.recv_from(buffer, flags))?;
            match sender.port_number() {
                0 => Ok(split(buffer, parts)
                    .map(|message| (message.header.sequence_number, Reply::of(message)))
                    .collect()),
                _ => Ok(Vec::new()),
            }
        })
    }
}

/// What is heard next on any of these sockets, with the position of the socket; nothing when the
/// time is up.
///
/// # Errors
///
/// `ENOBUFS` means that something was missed: look at the state instead.
pub(super) fn next_events<'a>(
    sockets: impl IntoIterator<Item = &'a mut Socket>,
    until: Instant,
) -> io::Result<Vec<(usize, RouteNetlinkMessage)>> {
    let mut sockets: Vec<_> = sockets.into_iter().collect();
    let mut events = Vec::new();
    while events.is_empty() {
        let ready = wait_readable(&sockets, until)?;
        if ready.is_empty() {
            break;
        }
        for at in ready {
            for (_, reply) in sockets[at].replies()? {
                if let Reply::Object(object) = reply {
                    events.push((at, object));
                }
            }
        }
    }
    Ok(events)
}

fn wait_readable(sockets: &[&mut Socket], until: Instant) -> io::Result<Vec<usize>> {
    let mut fds: Vec<_> = sockets.iter().map(|socket| PollFd::new(&**socket, PollFlags::IN)).collect();
    retry(|| {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).expect("a wait is shorter than 292 years");
        rustix::event::poll(&mut fds, Some(&timeout)).map_err(io::Error::from)
    })?;
    let ready = fds.iter().enumerate().filter(|(_, fd)| !fd.revents().is_empty());
    Ok(ready.map(|(at, _)| at).collect())
}

impl AsFd for Socket {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.to_kernel.as_fd()
    }
}

/// Asks the kernel for its own sentences, without an echo of the request, and for strict checks;
/// then for what changes.
fn prepare(socket: &mut netlink_sys::Socket, groups: &[MulticastGroup]) -> io::Result<()> {
    // A kernel too old for one of these says so and goes on as before.
    let _ = socket.set_ext_ack(true);
    let _ = socket.set_cap_ack(true);
    let _ = socket.set_netlink_get_strict_chk(true);
    let mask = groups.iter().fold(0, |mask, &group| mask | 1 << (group as u32 - 1));
    socket.bind(&SocketAddr::new(0, mask))
}

fn append<T: NetlinkSerializable>(bytes: &mut Vec<u8>, message: T, flags: u16, sequence: u32) {
    let mut message = NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::InnerMessage(message));
    message.header.flags = flags;
    message.header.sequence_number = sequence;
    message.finalize();
    let start = bytes.len();
    bytes.resize((start + message.buffer_len()).next_multiple_of(4), 0);
    message.serialize(&mut bytes[start..]);
}

fn split<T: NetlinkDeserializable>(mut bytes: &[u8], parts: LinkParts) -> impl Iterator<Item = NetlinkMessage<T>> {
    std::iter::from_fn(move || {
        let (message, length) = codec::next_message(bytes, parts)?;
        bytes = &bytes[length..];
        Some(message)
    })
}

/// How many answers a datagram holds.
#[cfg(feature = "fuzzing")]
pub(crate) fn count_replies(datagram: &[u8]) -> usize {
    split::<RouteNetlinkMessage>(datagram, LinkParts::default()).map(Reply::of).count()
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(4 + value.len()).unwrap();
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn the_sentence_is_found_among_other_attributes() {
        let tlvs = [tlv(2, &[1, 0, 0, 0]), tlv(1, b"mtu less than device minimum\0")].concat();
        assert_eq!(sentence(&tlvs).as_deref(), Some("mtu less than device minimum"));
        assert_eq!(sentence(&tlv(1, b"no end")).as_deref(), Some("no end"));
        assert_eq!(sentence(&tlv(2, &[0; 4])), None);
    }

    #[test]
    fn broken_attributes_are_no_sentence_and_no_panic() {
        for bytes in [&[][..], &[1], &[0; 4], &[255, 255, 1, 0], &[3, 0, 1, 0]] {
            assert_eq!(sentence(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn the_echo_of_the_request_is_stepped_over_whether_whole_or_capped() {
        let mut echo = 21u32.to_ne_bytes().to_vec();
        echo.resize(24, 0xee);
        let tail = tlv(1, b"x\0");
        let whole = [&echo[..], &tail].concat();
        assert_eq!(error_tlvs(0, &whole), tail);
        let capped = [&echo[..16], &tail].concat();
        assert_eq!(error_tlvs(NLM_F_CAPPED, &capped), tail);
        assert_eq!(error_tlvs(0, &[1, 2]), [0u8; 0]);
    }
}
