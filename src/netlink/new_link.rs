//! New links: made in one request, with all that they can be born with, or not at all.

use std::{
    fmt,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoData, InfoNetkit, InfoVeth, LinkAttribute, LinkInfo, LinkMessage},
};
use rustix::io::Errno;

use super::{
    Netlink,
    kind::{Kind, Tun},
    link,
    link_change::{self, LinkChange, Switches},
    raw::Refusal,
    tun,
};
use crate::{
    addr::Mac,
    error::{Error, ErrorKind, Result},
    name::IfName,
    netns::Netns,
};

/// A namespace and a connection to it.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// The namespace.
    pub ns: &'a Netns,
    /// A connection that was opened in it.
    pub netlink: &'a Netlink,
}

impl fmt::Display for Site<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ns.fmt(f)
    }
}

/// A link to be made, or one end of a pair. What is `None` is left to the kernel.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewEnd<'a> {
    /// Where it is born.
    pub site: Site<'a>,
    /// What it is called; the kernel numbers those without a name: `veth0`.
    pub name: Option<IfName>,
    /// Its index; taken by another, the link is not made.
    pub index: Option<u32>,
    /// What it has switched on; everything else than `up` only of a link that is no other end.
    pub switches: Switches,
    /// The largest packet, in bytes.
    pub mtu_bytes: Option<u32>,
    /// The hardware address.
    pub address: Option<Mac>,
    /// The length of the transmit queue, in packets.
    pub tx_queue_packets: Option<u32>,
    /// How many transmit queues it has.
    pub tx_queues: Option<u32>,
    /// How many receive queues it has.
    pub rx_queues: Option<u32>,
    /// The number of its group.
    pub group: Option<u32>,
    /// The index, where it is born, of the bridge, bond or VRF that it belongs to.
    pub master: Option<u32>,
    /// A note.
    pub alias: Option<String>,
}

impl<'a> NewEnd<'a> {
    /// An end in this namespace, with everything left to the kernel.
    #[must_use]
    pub fn new(site: Site<'a>) -> Self {
        Self {
            site,
            name: None,
            index: None,
            switches: Switches::default(),
            mtu_bytes: None,
            address: None,
            tx_queue_packets: None,
            tx_queues: None,
            rx_queues: None,
            group: None,
            master: None,
            alias: None,
        }
    }

    /// The request for it, without a kind. `from` is where the request is sent.
    fn message(&self, from: &Netns) -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = self.index.unwrap_or(0);
        let elsewhere = from.id() != self.site.ns.id();
        let attributes = [
            self.name.as_ref().map(|name| LinkAttribute::IfName(name.as_str().to_owned())),
            elsewhere.then(|| LinkAttribute::NetNsFd(self.site.ns.as_fd().as_raw_fd())),
            self.mtu_bytes.map(LinkAttribute::Mtu),
            self.address.map(|mac| LinkAttribute::Address(mac.octets().to_vec())),
            self.tx_queue_packets.map(LinkAttribute::TxQueueLen),
            self.tx_queues.map(LinkAttribute::NumTxQueues),
            self.rx_queues.map(LinkAttribute::NumRxQueues),
            self.group.map(LinkAttribute::Group),
        ];
        message.attributes = attributes.into_iter().flatten().collect();
        message
    }

    /// What the kernel ignores in the request that makes it: an alias.
    fn later(&self) -> LinkChange {
        LinkChange { alias: self.alias.clone().filter(|alias| !alias.is_empty()), ..LinkChange::default() }
    }

    /// The same of the other end: it can neither be opened before it is linked (`ENOTCONN`), nor have
    /// a master.
    fn later_as_peer(&self) -> LinkChange {
        LinkChange { switches: self.switches, master: self.master, ..self.later() }
    }
}

/// `'eth0' in 'red'`.
impl fmt::Display for NewEnd<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} in {}", self.site),
            None => write!(f, "a link in {}", self.site),
        }
    }
}

/// A link to be made, with its other end where it is a pair.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewLink<'a> {
    /// What it is.
    pub kind: Kind,
    /// The link.
    pub end: NewEnd<'a>,
    /// The other end of a pair; the kernel chooses everything where it is `None`.
    pub peer: Option<NewEnd<'a>>,
    /// Where its packets travel, and where `link` is: the sender of the request.
    pub from: Site<'a>,
    /// The index, in `from`, of the link that it stands on.
    pub link: Option<u32>,
}

impl<'a> NewLink<'a> {
    /// A link of this kind.
    #[must_use]
    pub fn new(kind: Kind, from: Site<'a>, end: NewEnd<'a>) -> Self {
        Self { kind, end, peer: None, from, link: None }
    }

    /// Makes it; like `ip link add`. On a failure nothing remains.
    ///
    /// # Errors
    ///
    /// `Exists` if a name is taken, and where; `Unsupported` if the kernel lacks the kind, with the
    /// module that has it; `Invalid` where the request can never work.
    ///
    /// ```
    /// use nsnet::{Kind, Netlink, Netns, NewEnd, NewLink, Site};
    /// # fn main() -> nsnet::Result<()> {
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let ns = Netns::unnamed()?;
    /// let netlink = Netlink::open(&ns)?;
    /// let site = Site { ns: &ns, netlink: &netlink };
    ///
    /// let mut end = NewEnd::new(site);
    /// end.name = Some("br0".parse()?);
    /// end.mtu_bytes = Some(1400);
    /// NewLink::new(Kind::Bridge(Default::default()), site, end).create().await?;
    /// assert_eq!(netlink.link("br0").await?.mtu_bytes, Some(1400));
    /// # Ok(()) })
    /// # }
    /// ```
    pub async fn create(&self) -> Result<()> {
        self.refuse_nonsense()?;
        match &self.kind {
            Kind::Tun(tun) => self.open_tun(tun::Layer::Packets, tun).await,
            Kind::Tap(tun) => self.open_tun(tun::Layer::Frames, tun).await,
            _ => self.request().await,
        }
    }

    fn invalid(&self, reason: &'static str) -> Error {
        Error::invalid(self.kind.op(), self, reason)
    }

    fn refuse_nonsense(&self) -> Result<()> {
        let named_peer = self.peer.as_ref().is_none_or(|peer| peer.name.is_some());
        let peer_waits = self.peer.as_ref().is_some_and(|peer| peer.later_as_peer() != LinkChange::default());
        let is_tun = matches!(self.kind, Kind::Tun(_) | Kind::Tap(_));
        if self.peer.is_some() && !self.kind.is_pair() {
            return Err(self.invalid("links of this kind have no other end"));
        }
        if is_tun && (self.link.is_some() || self.end.index.is_some() || self.queues()) {
            return Err(self.invalid("it can have neither a chosen index, nor a number of queues, nor a link below"));
        }
        if !is_tun && self.end.name.is_none() && self.end.later() != LinkChange::default() {
            return Err(self.invalid("a link without a name can have no alias"));
        }
        if peer_waits && !named_peer {
            return Err(self.invalid("the other end needs a name to be brought up, or to have a master or an alias"));
        }
        match &self.peer {
            Some(peer)
                if peer.name.is_some() && peer.name == self.end.name && peer.site.ns.id() == self.end.site.ns.id() =>
            {
                Err(self.invalid("both ends have the same name in the same namespace"))
            }
            _ => Ok(()),
        }
    }

    fn queues(&self) -> bool {
        self.end.tx_queues.is_some() || self.end.rx_queues.is_some()
    }

    /// Where the request is sent. Kernels before 6.13 look for a taken name there, so it is where the
    /// link is born, unless that means something.
    fn sender(&self) -> Site<'a> {
        let elsewhere = self.link.is_some() || self.kind.has_underlay();
        if elsewhere { self.from } else { self.end.site }
    }

    fn message(&self, from: &Netns) -> LinkMessage {
        let mut message = self.end.message(from);
        self.end.switches.set(&mut message.header);
        message.attributes.extend(self.link.map(LinkAttribute::Link));
        message.attributes.extend(self.end.master.map(LinkAttribute::Controller));
        let mut infos = self.kind.infos();
        if let Some(peer) = &self.peer {
            add_peer(&mut infos, &self.kind, peer.message(from));
        }
        message.attributes.push(LinkAttribute::LinkInfo(infos));
        message
    }

    async fn request(&self) -> Result<()> {
        let sender = self.sender();
        let message = RouteNetlinkMessage::NewLink(self.message(sender.ns));
        match sender.netlink.request(message, NLM_F_CREATE | NLM_F_EXCL).await {
            Ok(()) => self.finish().await,
            Err(refusal) => Err(self.not_created(refusal, sender).await),
        }
    }

    /// Does what the request itself cannot; undoes the link if that fails.
    async fn finish(&self) -> Result<()> {
        let later = [(Some(&self.end), self.end.later())];
        let later = later.into_iter().chain(self.peer.as_ref().map(|peer| (Some(peer), peer.later_as_peer())));
        for (end, change) in later {
            let Some((end, name)) = end.and_then(|end| Some((end, end.name.as_ref()?))) else { continue };
            if change == LinkChange::default() {
                continue;
            }
            let index = end.site.netlink.index_of(name.as_str()).await?;
            if let Err(error) = end.site.netlink.apply(change.of_link(index, name.as_str())).await {
                // Best effort: the cause is what gets reported.
                let _ = end.site.netlink.apply(link_change::delete(index, name.as_str())).await;
                return Err(error);
            }
        }
        Ok(())
    }

    /// The kernel does not say at which end a name was taken, nor which kind it lacks.
    async fn not_created(&self, refusal: Refusal, sender: Site<'_>) -> Error {
        let exists = refusal.errno() == Some(Errno::EXIST);
        let error = refusal.into_error(self.kind.op(), self);
        if error.kind() == ErrorKind::Unsupported && error.reason() == Some(UNKNOWN_KIND) {
            let how = match self.kind.module() {
                Some(module) => format!("'modprobe {module}' loads them where they are a module"),
                None => "they are built in or missing (Linux 6.7)".to_owned(),
            };
            return error.because(format!("this kernel has no links of kind {}; {how}", self.kind.word()));
        }
        if !exists {
            return error;
        }
        let born = [Some(&self.end), self.peer.as_ref()].into_iter().flatten().map(|end| (&end.name, end.site));
        for (name, site) in born.chain([(&self.end.name, sender)]) {
            let Some(name) = name else { continue };
            if site.netlink.get_link(link::by_name(name.as_str())).await.is_ok() {
                return error.because(format!("the name {name} is taken in {site}"));
            }
        }
        match error.reason() {
            None if self.kind.has_underlay() => error.because("one with the same ends is there already"),
            _ => error,
        }
    }

    /// Until it is all set up, the link is bound to a descriptor, and goes with it.
    async fn open_tun(&self, layer: tun::Layer, tun: &Tun) -> Result<()> {
        let end = &self.end;
        let opened = end.site.ns.inside(|| tun::open(end.name.as_ref(), layer, tun))?;
        let (device, name): (OwnedFd, String) = opened.map_err(|e| tun::refused(e, self.kind.op(), self))?;
        let change = LinkChange {
            switches: end.switches,
            mtu_bytes: end.mtu_bytes,
            address: end.address,
            tx_queue_packets: end.tx_queue_packets,
            group: end.group,
            master: end.master,
            ..end.later()
        };
        if change != LinkChange::default() {
            let index = end.site.netlink.index_of(&name).await?;
            end.site.netlink.apply(change.of_link(index, &name)).await?;
        }
        tun::persist(&device).map_err(|e| Error::os(self.kind.op(), self, e))
    }
}

/// What the kernel says of a kind that it lacks.
const UNKNOWN_KIND: &str = "Unknown device type";

fn add_peer(infos: &mut Vec<LinkInfo>, kind: &Kind, peer: LinkMessage) {
    match (kind, infos.last_mut()) {
        (Kind::Netkit(_), Some(LinkInfo::Data(InfoData::Netkit(data)))) => data.push(InfoNetkit::Peer(peer)),
        (Kind::Netkit(_), _) => infos.push(LinkInfo::Data(InfoData::Netkit(vec![InfoNetkit::Peer(peer)]))),
        _ => infos.push(LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer)))),
    }
}

/// `'eth0' in 'red' with peer 'q0' in 'blue'`.
impl fmt::Display for NewLink<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.peer {
            Some(peer) => write!(f, "{} with peer {peer}", self.end),
            None => self.end.fmt(f),
        }
    }
}
