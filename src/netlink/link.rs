//! Links: what there is, and bringing them up.

use std::collections::{BTreeMap, BTreeSet};

use netlink_packet_core::DefaultNla;
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{
        InfoKind, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, LinkMode, Prop, State,
    },
};
use rtnetlink::LinkUnspec;

use super::{
    Change, Netlink,
    change::Subject,
    counters::Counters,
    details::Details,
    link_change,
    raw::{Refusal, Socket},
};
use crate::{
    error::{Error, Result},
    netns::Netns,
};

/// `IFLA_ALT_IFNAME` of `linux/if_link.h`.
const IFLA_ALT_IFNAME: u16 = 53;
const IFLA_IFALIAS: u16 = 20;
pub(crate) const LOOPBACK_INDEX: u32 = 1;

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Link {
    /// The number that the kernel knows it by in its namespace.
    pub index: u32,
    /// What it stands on, or is paired with.
    pub lower: Option<Lower>,
    /// Its name.
    pub name: String,
    /// `UP`, `BROADCAST` and so on, as ip shows them; `NO-CARRIER` first.
    pub flags: Vec<String>,
    /// The largest packet, in bytes.
    pub mtu_bytes: Option<u32>,
    /// The queueing discipline.
    pub qdisc: Option<String>,
    /// The bridge or bond that it is a port of.
    pub master: Option<String>,
    /// `UP`, `DOWN`, `LOWERLAYERDOWN`, `UNKNOWN` and so on.
    pub operstate: &'static str,
    /// `DEFAULT`, `DORMANT` or `TESTING`.
    pub linkmode: Option<&'static str>,
    /// The number of its group; 0 for most links.
    pub group: Option<u32>,
    /// The length of the transmit queue, in packets.
    pub tx_queue_packets: Option<u32>,
    /// The kind of hardware, as ip names it: `ether`, `loopback`, `none`.
    pub layer: String,
    /// The same by number: `ARPHRD_ETHER` is 1.
    pub layer_number: u16,
    /// The hardware address.
    pub address: Option<String>,
    /// The hardware address of all, or of the other end where there are only two.
    pub broadcast: Option<String>,
    /// The hardware address that it was made with, where it has another one now.
    pub permanent_address: Option<String>,
    /// Whether there are only two ends, and `broadcast` is the other one's.
    pub point_to_point: bool,
    /// The id of the namespace that `lower` lives in; `None` if it is this one. -1 if it has no id.
    pub lower_nsid: Option<i32>,
    /// Whether a protocol holds it down.
    pub protocol_down: bool,
    /// A note that somebody put on it.
    pub alias: Option<String>,
    /// Further names.
    pub alt_names: Vec<String>,
    /// The driver: `veth`, `bridge` and so on; `None` for hardware and `lo`.
    pub kind: Option<String>,
    /// The driver of its master, where it is a port: `bridge`, `bond` and so on.
    pub port_kind: Option<String>,
    /// What else the kernel says of it.
    pub details: Details,
    /// What it counted, where that was asked for.
    pub counters: Option<Counters>,
    pub(super) refers: Refers,
}

/// What a link stands on, or is paired with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lower {
    /// A link of the same namespace, by name; `None` if there is none.
    Here(Option<String>),
    /// A link of another namespace, by its index there.
    Elsewhere(u32),
}

/// The links it mentions by index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Refers {
    pub lower: Option<u32>,
    master: Option<u32>,
}

/// What is known of a link that others refer to.
struct Named {
    name: String,
    up: bool,
}

impl Link {
    pub(super) fn of(message: &LinkMessage) -> Self {
        let header = &message.header;
        let mut link = Self {
            index: header.index,
            lower: None,
            name: String::new(),
            flags: flag_names(header.flags),
            mtu_bytes: None,
            qdisc: None,
            master: None,
            operstate: "UNKNOWN",
            linkmode: None,
            group: None,
            tx_queue_packets: None,
            layer: layer_name(header.link_layer_type),
            layer_number: header.link_layer_type.into(),
            address: None,
            broadcast: None,
            permanent_address: None,
            point_to_point: header.flags.contains(LinkFlags::Pointopoint),
            lower_nsid: None,
            protocol_down: false,
            alias: None,
            alt_names: Vec::new(),
            kind: None,
            port_kind: None,
            details: Details::default(),
            counters: None,
            refers: Refers::default(),
        };
        message.attributes.iter().for_each(|attribute| link.take(attribute, header.link_layer_type));
        link.point_to_point &= link.broadcast.is_some();
        link.permanent_address = link.permanent_address.take().filter(|was| Some(was) != link.address.as_ref());
        link.counters =
            link.counters.map(|counters| Counters { carrier_changes: carrier_changes(message), ..counters });
        link
    }

    fn take(&mut self, attribute: &LinkAttribute, layer: LinkLayerType) {
        match attribute {
            LinkAttribute::IfName(name) => self.name.clone_from(name),
            LinkAttribute::Mtu(bytes) => self.mtu_bytes = Some(*bytes),
            LinkAttribute::Qdisc(name) => self.qdisc = Some(name.clone()),
            LinkAttribute::OperState(state) => self.operstate = state_name(*state),
            LinkAttribute::Mode(mode) => self.linkmode = Some(mode_name(*mode)),
            LinkAttribute::Group(group) => self.group = Some(*group),
            LinkAttribute::TxQueueLen(packets) => self.tx_queue_packets = Some(*packets).filter(|&n| n > 0),
            LinkAttribute::Address(bytes) => self.address = hardware_address(bytes, layer),
            LinkAttribute::Broadcast(bytes) => self.broadcast = hardware_address(bytes, layer),
            LinkAttribute::PermAddress(bytes) => self.permanent_address = hardware_address(bytes, layer),
            LinkAttribute::ProtoDown(down) => self.protocol_down = *down != 0,
            LinkAttribute::Stats64(stats) => self.counters = Some(Counters::of(stats)),
            LinkAttribute::LinkNetNsId(id) => self.lower_nsid = Some(*id),
            LinkAttribute::IfAlias(text) => self.alias = Some(text.clone()),
            LinkAttribute::Link(index) => self.refers.lower = Some(*index),
            LinkAttribute::Controller(index) => self.refers.master = Some(*index),
            LinkAttribute::PropList(props) => self.alt_names = props.iter().filter_map(alt_name).collect(),
            LinkAttribute::LinkInfo(infos) => {
                self.kind = infos.iter().find_map(kind_name);
                self.port_kind = infos.iter().find_map(port_kind_name);
                self.details.take_info(infos);
            }
            other => self.details.take(other),
        }
    }

    /// Puts names to what it mentions by index.
    fn resolve(&mut self, named: &BTreeMap<u32, Named>) {
        self.master = self.refers.master.map(|index| name_of(named, index));
        self.details.resolve(|index| name_of(named, index));
        self.lower = match self.refers.lower {
            None => None,
            Some(0) => Some(Lower::Here(None)),
            Some(index) if self.lower_nsid.is_some() => Some(Lower::Elsewhere(index)),
            Some(index) => {
                if named.get(&index).is_some_and(|lower| !lower.up) {
                    self.flags.push("M-DOWN".into());
                }
                Some(Lower::Here(Some(name_of(named, index))))
            }
        };
    }

    /// The index of what it stands on or is paired with, in the namespace where that is; 0 if nowhere.
    #[must_use]
    pub fn lower_index(&self) -> Option<u32> {
        // Kernels before 5.16 do not say an index that is the same in both namespaces.
        self.refers.lower.or_else(|| self.lower_nsid.map(|_| self.index))
    }

    /// The index of the bridge or bond that it is a port of.
    #[must_use]
    pub fn master_index(&self) -> Option<u32> {
        self.refers.master
    }

    /// Whether it is up, by what was asked of it.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.flags.iter().any(|flag| flag == "UP")
    }

    /// Whether its other end ends with it: true for veth and netkit.
    #[must_use]
    pub fn is_pair(&self) -> bool {
        matches!(self.kind.as_deref(), Some("veth" | "netkit"))
    }

    /// Of the other end in another namespace: the id of that, and the index there.
    pub(crate) fn peer_elsewhere(&self) -> Option<(u32, u32)> {
        let nsid = u32::try_from(self.lower_nsid?).ok()?;
        self.is_pair().then_some((nsid, self.lower_index()?))
    }
}

fn name_of(named: &BTreeMap<u32, Named>, index: u32) -> String {
    named.get(&index).map_or_else(|| format!("if{index}"), |link| link.name.clone())
}

fn alt_name(prop: &Prop) -> Option<String> {
    match prop {
        Prop::AltIfName(name) => Some(name.clone()),
        _ => None,
    }
}

pub(super) fn kind_name(info: &LinkInfo) -> Option<String> {
    match info {
        LinkInfo::Kind(InfoKind::Veth) => Some("veth".into()),
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    }
}

fn port_kind_name(info: &LinkInfo) -> Option<String> {
    match info {
        LinkInfo::PortKind(kind) => Some(kind.to_string()),
        _ => None,
    }
}

fn carrier_changes(message: &LinkMessage) -> Option<u32> {
    message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::CarrierChanges(changes) => Some(*changes),
        _ => None,
    })
}

/// In ip's order.
fn flag_names(flags: LinkFlags) -> Vec<String> {
    const NAMES: [(LinkFlags, &str); 18] = [
        (LinkFlags::Loopback, "LOOPBACK"),
        (LinkFlags::Broadcast, "BROADCAST"),
        (LinkFlags::Pointopoint, "POINTOPOINT"),
        (LinkFlags::Multicast, "MULTICAST"),
        (LinkFlags::Noarp, "NOARP"),
        (LinkFlags::Allmulti, "ALLMULTI"),
        (LinkFlags::Promisc, "PROMISC"),
        (LinkFlags::Controller, "MASTER"),
        (LinkFlags::Port, "SLAVE"),
        (LinkFlags::Debug, "DEBUG"),
        (LinkFlags::Dynamic, "DYNAMIC"),
        (LinkFlags::Automedia, "AUTOMEDIA"),
        (LinkFlags::Portsel, "PORTSEL"),
        (LinkFlags::Notrailers, "NOTRAILERS"),
        (LinkFlags::Up, "UP"),
        (LinkFlags::LowerUp, "LOWER_UP"),
        (LinkFlags::Dormant, "DORMANT"),
        (LinkFlags::Echo, "ECHO"),
    ];
    let mut left = flags - LinkFlags::Running;
    let no_carrier = flags.contains(LinkFlags::Up) && !flags.contains(LinkFlags::Running);
    let mut names: Vec<String> = no_carrier.then(|| "NO-CARRIER".into()).into_iter().collect();
    for (flag, name) in NAMES {
        if flags.contains(flag) {
            names.push(name.into());
            left -= flag;
        }
    }
    if !left.is_empty() {
        names.push(format!("{:x}", left.bits()));
    }
    names
}

fn state_name(state: State) -> &'static str {
    match state {
        State::NotPresent => "NOTPRESENT",
        State::Down => "DOWN",
        State::LowerLayerDown => "LOWERLAYERDOWN",
        State::Testing => "TESTING",
        State::Dormant => "DORMANT",
        State::Up => "UP",
        _ => "UNKNOWN",
    }
}

fn mode_name(mode: LinkMode) -> &'static str {
    match mode {
        LinkMode::Dormant => "DORMANT",
        LinkMode::Testing => "TESTING",
        _ => "DEFAULT",
    }
}

/// As ip names the `ARPHRD_*` constants of the links that Linux makes by itself or by netlink.
fn layer_name(layer: LinkLayerType) -> String {
    match layer {
        LinkLayerType::Ether => "ether".into(),
        LinkLayerType::Loopback => "loopback".into(),
        LinkLayerType::None => "none".into(),
        LinkLayerType::Void => "void".into(),
        LinkLayerType::Ppp => "ppp".into(),
        LinkLayerType::Tunnel => "ipip".into(),
        LinkLayerType::Tunnel6 => "tunnel6".into(),
        LinkLayerType::Sit => "sit".into(),
        LinkLayerType::Ipgre => "gre".into(),
        LinkLayerType::Ip6gre => "gre6".into(),
        LinkLayerType::Infiniband => "infiniband".into(),
        LinkLayerType::Netlink => "netlink".into(),
        other => format!("[{}]", u16::from(other)),
    }
}

/// Tunnels have IP addresses for hardware addresses; a link without one has no bytes.
fn hardware_address(bytes: &[u8], layer: LinkLayerType) -> Option<String> {
    let v4 = matches!(layer, LinkLayerType::Tunnel | LinkLayerType::Sit | LinkLayerType::Ipgre);
    let v6 = matches!(layer, LinkLayerType::Tunnel6 | LinkLayerType::Ip6gre);
    if let (true, Ok(octets)) = (v4, <[u8; 4]>::try_from(bytes)) {
        return Some(std::net::Ipv4Addr::from(octets).to_string());
    }
    if let (true, Ok(octets)) = (v6, <[u8; 16]>::try_from(bytes)) {
        return Some(std::net::Ipv6Addr::from(octets).to_string());
    }
    // Every link has two of them, and the words of `format!` take as long as all else of it.
    let digits =
        |byte: &u8| [byte >> 4, byte & 0xf].map(|digit| char::from_digit(digit.into(), 16).unwrap_or_default());
    let mut text = String::with_capacity(3 * bytes.len());
    for byte in bytes {
        if !text.is_empty() {
            text.push(':');
        }
        text.extend(digits(byte));
    }
    (!text.is_empty()).then_some(text)
}

/// Asks for all links, with their counters.
fn dump_request_counted() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetLink(LinkMessage::default())
}

/// Asks for all links, without the counters that nobody reads here.
pub(super) fn dump_request() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetLink(without_counters(LinkMessage::default()))
}

/// The same question, whose answer has no counters.
pub(super) fn without_counters(mut question: LinkMessage) -> LinkMessage {
    question.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    question
}

pub(super) fn by_name(name: &str) -> LinkMessage {
    // The kernel takes altnames here too, where they are short enough.
    if name.len() <= crate::name::IfName::MAX_BYTES {
        return LinkUnspec::new_with_name(name).build();
    }
    let text = [name.as_bytes(), b"\0"].concat();
    LinkUnspec::new_with_index(0)
        .append_extra_attribute(LinkAttribute::Other(DefaultNla::new(IFLA_ALT_IFNAME, text)))
        .build()
}

pub(super) fn link_of(object: &RouteNetlinkMessage) -> Option<Link> {
    match object {
        RouteNetlinkMessage::NewLink(message) => Some(Link::of(message)),
        _ => None,
    }
}

impl Netlink {
    /// All links of the namespace, by index.
    ///
    /// # Errors
    ///
    /// `Os` if the kernel cannot be asked, or the links change faster than they can be read.
    pub async fn links(&self) -> Result<Vec<Link>> {
        self.links_of(dump_request()).await
    }

    /// The same, with what they count.
    ///
    /// # Errors
    ///
    /// As [`links`](Self::links).
    pub async fn links_counted(&self) -> Result<Vec<Link>> {
        self.links_of(dump_request_counted()).await
    }

    async fn links_of(&self, question: RouteNetlinkMessage) -> Result<Vec<Link>> {
        let objects = self.dump(question).await.map_err(|e| e.into_error("list links", ""))?;
        Ok(links_of(&objects))
    }

    /// The index of the link of this name or altname.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none.
    pub async fn index_of(&self, name: &str) -> Result<u32> {
        let shown = crate::name::quoted(name.as_ref());
        let link = self.get_link(by_name(name)).await.map_err(|e| e.into_error("find device", shown))?;
        Ok(link.index)
    }

    /// The link of this name or altname, with what it counts.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none.
    pub async fn link(&self, name: &str) -> Result<Link> {
        let shown = crate::name::quoted(name.as_ref());
        let mut link = self.get_link(by_name(name)).await.map_err(|e| e.into_error("find link", shown))?;
        let mut known = BTreeMap::new();
        let lower_here = link.refers.lower.filter(|_| link.lower_nsid.is_none());
        let refers = [lower_here, link.refers.master].into_iter().flatten().filter(|&index| index > 0);
        for index in refers.chain(link.details.links()) {
            // One that went meanwhile is shown by its index.
            if let Ok(other) = self.get_link(LinkUnspec::new_with_index(index).build()).await {
                known.insert(index, named(&other));
            }
        }
        link.resolve(&known);
        Ok(link)
    }

    /// The names of all links, by index.
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub async fn link_names(&self) -> Result<BTreeMap<u32, String>> {
        let objects = self.dump(dump_request()).await.map_err(|e| e.into_error("list links", ""))?;
        Ok(objects.iter().filter_map(link_of).map(|link| (link.index, link.name)).collect())
    }

    /// The indices of the ports of a link; with 0, of all links that are no port.
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub async fn ports_of(&self, master: u32) -> Result<BTreeSet<u32>> {
        let objects = self.dump(dump_request()).await.map_err(|e| e.into_error("list links", ""))?;
        let ports = objects.iter().filter_map(link_of).filter(|link| link.refers.master.unwrap_or(0) == master);
        Ok(ports.map(|link| link.index).collect())
    }

    /// The link of this index.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none.
    pub async fn link_at(&self, index: u32) -> Result<Link> {
        let question = LinkUnspec::new_with_index(index).build();
        self.get_link(question).await.map_err(|e| e.into_error("find the link of index", index))
    }

    pub(super) async fn get_link(&self, question: LinkMessage) -> std::result::Result<Link, Refusal> {
        let object = self.get(RouteNetlinkMessage::GetLink(question)).await?;
        link_of(&object).ok_or_else(|| std::io::Error::from(rustix::io::Errno::NODATA).into())
    }
}

/// The links of a whole answer.
pub(super) fn links_of(objects: &[RouteNetlinkMessage]) -> Vec<Link> {
    let mut links: Vec<Link> = objects.iter().filter_map(link_of).collect();
    resolve(&mut links.iter_mut().collect::<Vec<_>>());
    links
}

/// All links of an answer.
pub(super) fn all(socket: &mut Socket, question: &RouteNetlinkMessage) -> std::result::Result<Vec<Link>, Refusal> {
    let mut links = socket.dump_of(question, |object| link_of(&object))?;
    resolve(&mut links.iter_mut().collect::<Vec<_>>());
    Ok(links)
}

/// Puts names to what links mention by index, where those are of one namespace and all that there are.
pub(super) fn resolve(links: &mut [&mut Link]) {
    let named = links.iter().map(|link| (link.index, named(link))).collect();
    for link in links {
        link.resolve(&named);
    }
}

fn named(link: &Link) -> Named {
    Named { name: link.name.clone(), up: link.is_up() }
}

/// Brings up `lo` in the namespace of the calling thread, with a note on it, and with further names; returns
/// the socket that did.
pub(crate) fn raise_loopback_noted(note: &str, names: &[String], subject: impl std::fmt::Display) -> Result<Socket> {
    let mut message = LinkUnspec::new_with_index(LOOPBACK_INDEX).up().build();
    message.attributes.push(LinkAttribute::Other(DefaultNla::new(IFLA_IFALIAS, note.as_bytes().to_vec())));
    let mut socket = Socket::open().map_err(|e| Error::os("open a netlink socket in", &subject, e))?;
    let raise =
        Change::new(RouteNetlinkMessage::NewLink(message), 0, "bring up 'lo' in", Subject::Words(subject.to_string()));
    let further = (!names.is_empty()).then(|| link_change::add_alt_names(LOOPBACK_INDEX, "lo", names));
    let done = socket.apply_each(std::iter::once(raise).chain(further).collect());
    done.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(socket)
}

/// The highest index that a link of the socket's namespace has.
pub(crate) fn highest_index(socket: &mut Socket, subject: impl std::fmt::Display) -> Result<u32> {
    let all = indices(socket).map_err(|e| e.into_error("list links in", subject))?;
    Ok(all.last().copied().unwrap_or(LOOPBACK_INDEX))
}

/// Brings up `lo` in the namespace of the calling thread.
pub(crate) fn raise_loopback(subject: impl std::fmt::Display) -> Result<()> {
    let up = LinkUnspec::new_with_index(LOOPBACK_INDEX).up().build();
    let mut socket = Socket::open().map_err(|e| Error::os("open a netlink socket in", &subject, e))?;
    socket.request(RouteNetlinkMessage::NewLink(up), 0).map_err(|e| e.into_error("bring up 'lo' in", subject))
}

/// Counts the links of a namespace, `lo` included. It needs no runtime.
///
/// # Errors
///
/// `Denied` without `CAP_SYS_ADMIN` over the namespace.
pub fn count(ns: &Netns) -> Result<usize> {
    names(ns).map(|names| names.len())
}

/// The names of the links of a namespace, `lo` included, by index. It needs no runtime.
///
/// # Errors
///
/// As [`count`].
pub fn names(ns: &Netns) -> Result<Vec<String>> {
    let mut socket = ns.inside(Socket::open)?.map_err(|e| Error::os("open a netlink socket in", ns, e))?;
    let name = |object| link_of(&object).map(|link| link.name);
    socket.dump_of(&dump_request(), name).map_err(|e| e.into_error("list links in", ns))
}

/// Indices of links, by the id that a socket's namespace has for another one.
type ByNsid = BTreeMap<u32, Vec<u32>>;

/// The other ends, in other namespaces, of the pairs of a socket's namespace, by their indices there.
pub(super) fn peers_by_nsid(socket: &mut Socket) -> std::result::Result<ByNsid, Refusal> {
    pairs_by_nsid(socket, |_, peer| peer)
}

/// The own ends of these pairs.
pub(super) fn ends_by_nsid(socket: &mut Socket) -> std::result::Result<ByNsid, Refusal> {
    pairs_by_nsid(socket, |own, _| own)
}

/// Of each pair that leads elsewhere, the one of both indices that is chosen.
fn pairs_by_nsid(socket: &mut Socket, choose: fn(u32, u32) -> u32) -> std::result::Result<ByNsid, Refusal> {
    let pair = |object| {
        let link = link_of(&object)?;
        link.peer_elsewhere().map(|(nsid, peer)| (nsid, choose(link.index, peer)))
    };
    let mut pairs = ByNsid::new();
    for (nsid, index) in socket.dump_of(&dump_request(), pair)? {
        pairs.entry(nsid).or_default().push(index);
    }
    Ok(pairs)
}

/// Which of these indices a socket's namespace has.
pub(super) fn exist(socket: &mut Socket, indices: &[u32]) -> std::io::Result<Vec<bool>> {
    let questions = indices.iter().map(|&index| LinkUnspec::new_with_index(index).build());
    let answers = socket.ask_each(questions.map(RouteNetlinkMessage::GetLink))?;
    Ok(answers.iter().map(std::result::Result::is_ok).collect())
}

/// The indices of all links of a socket's namespace.
pub(super) fn indices(socket: &mut Socket) -> std::result::Result<BTreeSet<u32>, Refusal> {
    let index = |object| match object {
        RouteNetlinkMessage::NewLink(message) => Some(message.header.index),
        _ => None,
    };
    Ok(socket.dump_of(&dump_request(), index)?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_named_in_ips_order_and_unknown_ones_by_number() {
        let flags = LinkFlags::Up | LinkFlags::Broadcast | LinkFlags::Multicast;
        assert_eq!(flag_names(flags), ["NO-CARRIER", "BROADCAST", "MULTICAST", "UP"]);
        assert_eq!(flag_names(flags | LinkFlags::Running | LinkFlags::LowerUp)[3], "LOWER_UP");
        assert_eq!(flag_names(LinkFlags::from_bits_retain(1 << 20)), ["100000"]);
    }

    #[test]
    fn tunnels_show_ip_addresses_and_links_without_address_none() {
        assert_eq!(hardware_address(&[10, 0, 0, 1], LinkLayerType::Sit).as_deref(), Some("10.0.0.1"));
        assert_eq!(hardware_address(&[2, 0, 0, 0, 0, 1], LinkLayerType::Ether).as_deref(), Some("02:00:00:00:00:01"));
        assert_eq!(hardware_address(&[], LinkLayerType::None), None);
    }

    #[test]
    fn a_link_with_a_long_name_is_asked_for_by_altname() {
        let message = by_name("a-name-of-more-than-fifteen");
        assert!(
            matches!(&message.attributes[0], LinkAttribute::Other(nla) if netlink_packet_core::Nla::kind(nla) == 53)
        );
    }
}
