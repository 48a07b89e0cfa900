//! From bytes to messages, and none is lost on the way.

use std::{borrow::Cow, fmt::Debug, io, num::NonZeroI32};

use bytes::BytesMut;
use netlink_packet_core::{
    DefaultNla, Emitable, ErrorMessage, NetlinkBuffer, NetlinkDeserializable, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable, NlaBuffer, NlasIterator, Parseable, ParseableParametrized,
};
use netlink_packet_route::{AddressFamily, address::AddressAttribute, link::LinkAttribute};
use netlink_proto::{NetlinkCodec, NetlinkMessageCodec};
use rustix::io::Errno;

/// Of `linux/rtnetlink.h`, and what comes before the attributes of a link and of an address.
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const NETLINK_HEADER_BYTES: usize = 16;
const LINK_HEADER_BYTES: usize = 16;
const ADDRESS_HEADER_BYTES: usize = 8;
/// Of `linux/if_link.h`: what of a link is other people's text.
const IFLA_IFNAME: u16 = 3;
const IFLA_IFALIAS: u16 = 20;
const IFLA_PROP_LIST: u16 = 52;
/// What each family of addresses has for the link.
const IFLA_AF_SPEC: u16 = 26;
/// What its driver says.
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
/// `IFLA_ADDRESS`, `IFLA_MTU`, `IFLA_LINK`, `IFLA_MASTER`, `IFLA_OPERSTATE`, `IFLA_GROUP` and `IFLA_LINK_NETNSID`.
const COMPARED: [u16; 10] = [IFLA_IFNAME, IFLA_IFALIAS, IFLA_PROP_LIST, 1, 4, 5, 10, 16, 27, 37];
/// Of `linux/if_addr.h`: an address is labelled with the name of its link.
const IFA_LABEL: u16 = 3;

/// netlink-proto's codec drops a message that it cannot decode, so that a link is missing from a
/// list, or an answer never ends. With this one it is made decodable, or the answer is an error.
pub(super) struct Codec;

impl NetlinkMessageCodec for Codec {
    fn decode<T: NetlinkDeserializable + Debug>(bytes: &mut BytesMut) -> io::Result<Option<NetlinkMessage<T>>> {
        let message = next_message(bytes, LinkParts::All);
        let _ = bytes.split_to(message.as_ref().map_or(bytes.len(), |(_, length)| *length));
        Ok(message.map(|(message, _)| message))
    }

    fn encode<T: NetlinkSerializable + Debug>(message: NetlinkMessage<T>, to: &mut BytesMut) -> io::Result<()> {
        NetlinkCodec::encode(message, to)
    }
}

/// What of a link is decoded. All of it is more than fifty attributes, and few ask for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum LinkParts {
    All,
    /// All but what the kernel says of IPv4 and IPv6 on it, which is a third and shown by `link show -d` alone.
    #[default]
    ButFamilies,
    /// What a lab is compared by.
    Compared,
}

impl LinkParts {
    /// A link that has no more than these; anything else is as it was.
    fn of(self, message: &[u8]) -> Cow<'_, [u8]> {
        let header = NETLINK_HEADER_BYTES + LINK_HEADER_BYTES;
        let is_link = matches!(NetlinkBuffer::new(message).message_type(), RTM_NEWLINK | RTM_DELLINK);
        if !is_link || self == Self::All || message.len() < header {
            return message.into();
        }
        let attributes = &message[header..];
        let short = match self {
            Self::All => None,
            Self::ButFamilies => copied(attributes, |kind| kind != IFLA_AF_SPEC),
            Self::Compared => compared(attributes),
        };
        // What is broken is told by whoever decodes it.
        let Some(short) = short else { return message.into() };
        let mut message = [&message[..header], &short].concat();
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        NetlinkBuffer::new(&mut message).set_length(length);
        message.into()
    }
}

/// These of the attributes, as they are; none where one is broken.
fn copied(attributes: &[u8], is_kept: impl Fn(u16) -> bool) -> Option<Vec<u8>> {
    let mut kept = Vec::with_capacity(attributes.len());
    let mut at = 0;
    for nla in NlasIterator::new(attributes) {
        let nla = nla.ok()?;
        let end = (at + usize::from(nla.length())).next_multiple_of(4).min(attributes.len());
        if is_kept(nla.kind()) {
            kept.extend(&attributes[at..end]);
        }
        at = end;
    }
    Some(kept)
}

/// Of what the driver says, what it says of the link as a port of another is left out too.
fn compared(attributes: &[u8]) -> Option<Vec<u8>> {
    let mut kept = copied(attributes, |kind| COMPARED.contains(&kind))?;
    let own = NlasIterator::new(attributes).find_map(|nla| nla.ok().filter(|nla| nla.kind() == IFLA_LINKINFO));
    if let Some(own) = own {
        let own = copied(own.value(), |kind| matches!(kind, IFLA_INFO_KIND | IFLA_INFO_DATA))?;
        kept.extend(emitted(IFLA_LINKINFO, own));
    }
    Some(kept)
}

/// Reads the first message and how long it is; none where there are not even lengths.
pub(super) fn next_message<T: NetlinkDeserializable>(
    bytes: &[u8],
    parts: LinkParts,
) -> Option<(NetlinkMessage<T>, usize)> {
    // After the last one there is nothing, which is no reason to have an error worded.
    if bytes.is_empty() {
        return None;
    }
    let length = NetlinkBuffer::new_checked(bytes).ok()?.length() as usize;
    let short = parts.of(&bytes[..length]);
    let message = NetlinkMessage::deserialize(&short)
        .or_else(|_| NetlinkMessage::deserialize(&readable(&short)))
        .unwrap_or_else(|_| unreadable(&short));
    Some((message, length.next_multiple_of(4).min(bytes.len())))
}

/// What to read in place of an attribute.
type Mend = fn(&NlaBuffer<&[u8]>) -> Option<Vec<u8>>;

/// The same link or address with U+FFFD for what is not UTF-8 in its names, and without anything
/// else that cannot be decoded. Any other message stays as it is.
fn readable(message: &[u8]) -> Vec<u8> {
    let (header, attribute): (_, Mend) = match NetlinkBuffer::new(message).message_type() {
        RTM_NEWLINK | RTM_DELLINK => (NETLINK_HEADER_BYTES + LINK_HEADER_BYTES, link_attribute),
        RTM_NEWADDR | RTM_DELADDR => (NETLINK_HEADER_BYTES + ADDRESS_HEADER_BYTES, address_attribute),
        _ => return message.to_vec(),
    };
    if message.len() < header {
        return message.to_vec();
    }
    let mut readable = message[..header].to_vec();
    for nla in NlasIterator::new(&message[header..]).map_while(Result::ok) {
        if let Some(value) = attribute(&nla) {
            readable.extend(emitted(nla.kind(), value));
        }
    }
    let length = u32::try_from(readable.len()).unwrap_or(u32::MAX);
    NetlinkBuffer::new(&mut readable).set_length(length);
    readable
}

fn text(nla: &NlaBuffer<&[u8]>) -> Vec<u8> {
    String::from_utf8_lossy(nla.value()).into_owned().into_bytes()
}

fn link_attribute(nla: &NlaBuffer<&[u8]>) -> Option<Vec<u8>> {
    match nla.kind() {
        _ if LinkAttribute::parse_with_param(nla, AddressFamily::Unspec).is_ok() => Some(nla.value().to_vec()),
        IFLA_IFNAME | IFLA_IFALIAS => Some(text(nla)),
        IFLA_PROP_LIST => {
            let names = NlasIterator::new(nla.value()).map_while(Result::ok);
            Some(names.flat_map(|name| emitted(name.kind(), text(&name))).collect())
        }
        _ => None,
    }
}

fn address_attribute(nla: &NlaBuffer<&[u8]>) -> Option<Vec<u8>> {
    match nla.kind() {
        _ if AddressAttribute::parse(nla).is_ok() => Some(nla.value().to_vec()),
        IFA_LABEL => Some(text(nla)),
        _ => None,
    }
}

fn emitted(kind: u16, value: Vec<u8>) -> Vec<u8> {
    let nla = DefaultNla::new(kind, value);
    let mut bytes = vec![0; nla.buffer_len()];
    nla.emit(&mut bytes);
    bytes
}

/// In place of a message that cannot be decoded: the answer ends here, with an error.
fn unreadable<T>(message: &[u8]) -> NetlinkMessage<T> {
    let mut header = NetlinkHeader::default();
    header.sequence_number = NetlinkBuffer::new(message).sequence_number();
    header.port_number = NetlinkBuffer::new(message).port_number();
    let mut error = ErrorMessage::default();
    error.code = NonZeroI32::new(-Errno::BADMSG.raw_os_error());
    NetlinkMessage::new(header, NetlinkPayload::Error(error))
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::{RouteNetlinkMessage, link::Prop};

    use super::*;

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; NETLINK_HEADER_BYTES + payload.len()];
        let mut header = NetlinkBuffer::new(&mut bytes);
        header.set_length(u32::try_from(NETLINK_HEADER_BYTES + payload.len()).unwrap());
        header.set_message_type(kind);
        header.set_sequence_number(7);
        bytes[NETLINK_HEADER_BYTES..].copy_from_slice(payload);
        bytes
    }

    fn first(bytes: &[u8]) -> NetlinkMessage<RouteNetlinkMessage> {
        next_message(bytes, LinkParts::All).unwrap().0
    }

    #[test]
    fn names_that_are_not_text_are_shown_lossily_and_what_else_is_broken_is_left_out() {
        const IFLA_MTU: u16 = 4;
        let link = [
            vec![0; LINK_HEADER_BYTES],
            emitted(IFLA_IFNAME, b"\xffx\0".to_vec()),
            emitted(IFLA_MTU, vec![1, 2]),
            emitted(IFLA_IFALIAS, b"a\xfe".to_vec()),
            emitted(IFLA_PROP_LIST, emitted(53, b"\xfd\0".to_vec())),
        ];
        let decoded = first(&message(RTM_NEWLINK, &link.concat()));
        assert_eq!(decoded.header.sequence_number, 7);
        let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) = decoded.payload else {
            panic!("{decoded:?}");
        };
        let expected = [
            LinkAttribute::IfName("\u{fffd}x".into()),
            LinkAttribute::IfAlias("a\u{fffd}".into()),
            LinkAttribute::PropList(vec![Prop::AltIfName("\u{fffd}".into())]),
        ];
        assert_eq!(link.attributes, expected);
    }

    #[test]
    fn a_link_is_short_without_what_its_families_have_for_it_wherever_that_stands() {
        let families = emitted(IFLA_AF_SPEC, emitted(2, emitted(1, vec![1; 132])));
        let name = emitted(IFLA_IFNAME, b"eth0\0".to_vec());
        let alias = emitted(IFLA_IFALIAS, b"a".to_vec());
        let of = |attributes: &[&Vec<u8>]| {
            let all =
                attributes.iter().copied().fold(vec![0; LINK_HEADER_BYTES], |all, one| [all, one.clone()].concat());
            message(RTM_NEWLINK, &all)
        };
        let short = |bytes: &[u8]| {
            let (message, length) = next_message::<RouteNetlinkMessage>(bytes, LinkParts::ButFamilies).unwrap();
            assert_eq!(length, bytes.len());
            message.payload
        };
        let expected = first(&of(&[&name, &alias])).payload;
        for with in [[&families, &name, &alias], [&name, &families, &alias], [&name, &alias, &families]] {
            assert_eq!(short(&of(&with)), expected);
            assert_ne!(first(&of(&with)).payload, expected);
        }
        assert_eq!(short(&of(&[&name, &alias])), expected);
        for cut in [message(RTM_NEWLINK, &[0; 3]), message(RTM_NEWADDR, &families)] {
            assert_eq!(short(&cut), first(&cut).payload);
        }
    }

    #[test]
    fn of_a_link_that_is_compared_neither_its_port_nor_what_a_list_shows_is_decoded() {
        const IFLA_TXQLEN: u16 = 13;
        const IFLA_INFO_SLAVE_KIND: u16 = 4;
        let of =
            |attributes: &[Vec<u8>]| message(RTM_NEWLINK, &[&[0; LINK_HEADER_BYTES], &*attributes.concat()].concat());
        let decoded = |bytes: &[u8], parts| next_message::<RouteNetlinkMessage>(bytes, parts).unwrap().0.payload;
        let name = emitted(IFLA_IFNAME, b"p0\0".to_vec());
        let group = emitted(27, vec![7, 0, 0, 0]);
        let queue = emitted(IFLA_TXQLEN, vec![1, 0, 0, 0]);
        let kind = emitted(IFLA_INFO_KIND, b"bridge\0".to_vec());
        let data = emitted(IFLA_INFO_DATA, emitted(1, vec![9, 0, 0, 0]));
        let port = emitted(IFLA_INFO_SLAVE_KIND, b"bridge\0".to_vec());
        let whole = of(&[
            queue.clone(),
            emitted(IFLA_LINKINFO, [&port[..], &kind, &data].concat()),
            name.clone(),
            emitted(IFLA_AF_SPEC, emitted(2, Vec::new())),
            group.clone(),
        ]);
        let short = of(&[name.clone(), group, emitted(IFLA_LINKINFO, [kind, data].concat())]);
        assert_eq!(decoded(&whole, LinkParts::Compared), decoded(&short, LinkParts::All));
        let mut broken = of(&[queue, name]);
        let last = broken.len() - 8;
        broken[last] = 255;
        assert_eq!(decoded(&broken, LinkParts::Compared), decoded(&broken, LinkParts::All));
    }

    #[test]
    fn an_address_whose_label_is_not_text_is_still_an_address() {
        let address = [vec![0; ADDRESS_HEADER_BYTES], emitted(2, vec![10, 0, 0, 1]), emitted(3, b"\xffx\0".to_vec())];
        let decoded = first(&message(RTM_NEWADDR, &address.concat()));
        let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewAddress(address)) = decoded.payload else {
            panic!("{decoded:?}");
        };
        let ip = std::net::Ipv4Addr::new(10, 0, 0, 1).into();
        let expected = [AddressAttribute::Local(ip), AddressAttribute::Label("\u{fffd}x".into())];
        assert_eq!(address.attributes, expected);
    }

    #[test]
    fn what_cannot_be_decoded_is_an_error_of_its_request_and_the_next_is_read() {
        let two = [message(RTM_NEWLINK, &[0; 3]), vec![0], message(RTM_NEWLINK, &[0; LINK_HEADER_BYTES])].concat();
        let (broken, length) = next_message::<RouteNetlinkMessage>(&two, LinkParts::All).unwrap();
        let NetlinkPayload::Error(error) = &broken.payload else { panic!("{broken:?}") };
        assert_eq!((broken.header.sequence_number, error.code), (7, NonZeroI32::new(-libc::EBADMSG)));
        assert!(matches!(first(&two[length..]).payload, NetlinkPayload::InnerMessage(_)));
        assert!(next_message::<RouteNetlinkMessage>(&[0; 20], LinkParts::All).is_none());
    }
}
