//! Veth pairs: both ends born where they belong, addressed and up, or nothing at all.

use std::{
    fmt, io,
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

use futures::StreamExt;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NetlinkPayload};
use netlink_packet_route::{
    RouteNetlinkMessage,
    address::AddressAttribute,
    link::{InfoData, InfoVeth, LinkAttribute, LinkFlags, LinkMessage, State},
};
use rtnetlink::{LinkUnspec, LinkVeth, MulticastGroup};
use rustix::io::Errno;

use super::{
    Heard, Netlink, link,
    raw::{Refusal, Socket},
};
use crate::{
    addr::{IfAddr, Mac},
    error::{Error, ErrorKind, Result},
    name::IfName,
    netns::Netns,
};

/// The kernel needs well under a millisecond; a machine under load a little more.
const READY_TIMEOUT: Duration = Duration::from_secs(5);

/// What the kernel takes for a veth (`is_valid_veth_mtu`).
const MTU_BYTES: std::ops::RangeInclusive<u32> = 68..=65535;

/// One end of a pair to be made.
#[derive(Debug, Clone)]
pub struct VethEnd<'a> {
    ns: &'a Netns,
    name: &'a IfName,
    addrs: &'a [IfAddr],
}

impl<'a> VethEnd<'a> {
    /// An end called `name`, in the namespace `ns`, without addresses.
    #[must_use]
    pub fn new(ns: &'a Netns, name: &'a IfName) -> Self {
        Self { ns, name, addrs: &[] }
    }

    /// Gives it addresses, in this order.
    #[must_use]
    pub fn addrs(mut self, addrs: &'a [IfAddr]) -> Self {
        self.addrs = addrs;
        self
    }
}

impl fmt::Display for VethEnd<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.name, self.ns)
    }
}

/// How a pair is made.
#[derive(Debug, Clone)]
pub struct VethOptions {
    mtu_bytes: Option<u32>,
    macs: Option<[Mac; 2]>,
    queues: u32,
    up: bool,
    wait: bool,
}

impl Default for VethOptions {
    fn default() -> Self {
        Self { mtu_bytes: None, macs: None, queues: 1, up: true, wait: true }
    }
}

impl VethOptions {
    /// The largest packet of both ends, in bytes; 1500 unless set.
    #[must_use]
    pub fn mtu_bytes(mut self, mtu: Option<u32>) -> Self {
        self.mtu_bytes = mtu;
        self
    }

    /// The hardware addresses, in the order of the ends; random ones unless set.
    #[must_use]
    pub fn macs(mut self, macs: Option<[Mac; 2]>) -> Self {
        self.macs = macs;
        self
    }

    /// Transmit and receive queues of each end. One unless set: the kernel's own default of one per
    /// processor costs time and memory that a pair rarely earns back.
    #[must_use]
    pub fn queues(mut self, queues: u32) -> Self {
        self.queues = queues;
        self
    }

    /// Whether both ends are brought up; they are unless set.
    #[must_use]
    pub fn up(mut self, up: bool) -> Self {
        self.up = up;
        self
    }

    /// Whether to return only when the first packet gets through; so it is unless set.
    #[must_use]
    pub fn wait(mut self, wait: bool) -> Self {
        self.wait = wait;
        self
    }
}

/// One end of a pair that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VethMade {
    /// The index in its namespace.
    pub index: u32,
    /// The hardware address.
    pub mac: Mac,
    /// The largest packet, in bytes.
    pub mtu_bytes: u32,
}

/// Makes a veth pair: each end in its namespace with its final name, addressed, up, and ready for
/// the first packet when this returns.
///
/// On any failure nothing remains, also when the future is dropped half-way: the one request that
/// makes the pair is carried out without yielding, which takes a fraction of a millisecond, and the
/// drop is what removes it. IPv6 addresses are not checked for duplicates. Each namespace is left as it was but for the pair.
///
/// # Errors
///
/// `Exists` if a name is taken, and where; `Invalid` if both ends are the same; `Denied` without
/// `CAP_NET_ADMIN` over both namespaces; `Unsupported` if the kernel has no veth; `TimedOut` if the
/// pair does not come up within five seconds.
///
/// # Panics
///
/// Outside of a tokio runtime.
///
/// ```no_run
/// use nsnet::{Netns, VethEnd, VethOptions, netlink::veth};
/// # async fn example() -> nsnet::Result<()> {
/// let (here, red) = (Netns::current()?, Netns::open(&"red".parse()?)?);
/// let (outer, inner) = ("veth0".parse()?, "eth0".parse()?);
/// let (left, right) = (["10.0.0.1/24".parse()?], ["10.0.0.2/24".parse()?]);
/// let ends = [VethEnd::new(&here, &outer).addrs(&left), VethEnd::new(&red, &inner).addrs(&right)];
/// veth::create(&ends, &VethOptions::default()).await?;
/// # Ok(()) }
/// ```
pub async fn create(ends: &[VethEnd<'_>; 2], options: &VethOptions) -> Result<[VethMade; 2]> {
    let (made, mut undo) = lend(ends, options).await?;
    undo.needed = false;
    Ok(made)
}

/// As [`create`], for a pair that is there only as long as what comes with it.
pub(crate) async fn lend(ends: &[VethEnd<'_>; 2], options: &VethOptions) -> Result<([VethMade; 2], Undo)> {
    refuse_same_end(ends)?;
    let kernel = [Side::open(&ends[0], options)?, Side::open(&ends[1], options)?];
    if options.macs.is_some() {
        // A link with an address that the caller chose may be one made before.
        refuse_taken(ends, &kernel).await?;
    }
    let macs = options.macs.map_or_else(random_macs, Ok)?;
    let mut undo = Undo::prepare(&ends[0], macs[0])?;
    // On the blocking socket, without an await: a request that waits in a connection's queue is sent
    // even after this future, and the undoing, are gone.
    let request = RouteNetlinkMessage::NewLink(request(ends, macs, options));
    match undo.socket.request(request, NLM_F_CREATE | NLM_F_EXCL) {
        Ok(()) => {}
        Err(refusal) => {
            // Where only the answer was lost, the pair may be there.
            undo.needed = !refusal.is_from_kernel();
            return Err(not_created(refusal, ends, &kernel, options).await);
        }
    }
    let indices = find(&ends[0], &kernel[0], macs[0]).await?;
    let mtus = configure(ends, kernel, indices, options).await?;
    let made = |end: usize| VethMade { index: indices[end], mac: macs[end], mtu_bytes: mtus[end] };
    Ok(([made(0), made(1)], undo))
}

/// The connection to one end's namespace, and what is heard there, where that is awaited.
struct Side {
    netlink: Netlink,
    heard: Option<Heard>,
}

impl Side {
    fn open(end: &VethEnd<'_>, options: &VethOptions) -> Result<Self> {
        if !(options.up && options.wait) {
            return Ok(Self { netlink: Netlink::open(end.ns)?, heard: None });
        }
        let (netlink, heard) = Netlink::listening(end.ns, &[MulticastGroup::Link, MulticastGroup::Ipv6Ifaddr])?;
        Ok(Self { netlink, heard: Some(heard) })
    }
}

/// Removes a pair when dropped, on a socket that is open already: whatever failed, this needs nothing
/// new, and no runtime. When it returns, both names are free.
#[derive(Debug)]
pub(crate) struct Undo {
    socket: Socket,
    name: String,
    mac: Mac,
    needed: bool,
}

impl Undo {
    fn prepare(end: &VethEnd<'_>, mac: Mac) -> Result<Self> {
        let socket = end.ns.inside(Socket::open)?.map_err(|e| Error::os("open a netlink socket in", end.ns, e))?;
        Ok(Self { socket, name: end.name.as_str().to_owned(), mac, needed: true })
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if self.needed {
            // Best effort: the cause is what gets reported.
            let _ = self.socket.delete_link_with(&self.name, self.mac);
        }
    }
}

impl Socket {
    /// Deletes a link, if it has this hardware address; another one of the same name is not ours.
    fn delete_link_with(&mut self, name: &str, mac: Mac) -> std::result::Result<(), Refusal> {
        let found = self.ask_each([RouteNetlinkMessage::GetLink(link::by_name(name))])?.pop();
        match found {
            Some(Ok(RouteNetlinkMessage::NewLink(link))) if mac_of(&link) == Some(mac) => {
                let this = LinkUnspec::new_with_index(link.header.index).build();
                self.request(RouteNetlinkMessage::DelLink(this), 0)
            }
            _ => Ok(()),
        }
    }
}

fn mac_of(link: &LinkMessage) -> Option<Mac> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Address(bytes) => Some(Mac::from(<[u8; 6]>::try_from(&bytes[..]).ok()?)),
        _ => None,
    })
}

fn refuse_same_end([first, second]: &[VethEnd<'_>; 2]) -> Result<()> {
    if first.name == second.name && first.ns.id() == second.ns.id() {
        return Err(Error::invalid("create veth", first, "both ends have the same name in the same namespace"));
    }
    Ok(())
}

async fn refuse_taken(ends: &[VethEnd<'_>; 2], kernel: &[Side; 2]) -> Result<()> {
    for (end, side) in ends.iter().zip(kernel) {
        if side.has(end.name).await {
            return Err(Error::os("create veth", shown(ends), Errno::EXIST).because(taken(end)));
        }
    }
    Ok(())
}

impl Side {
    async fn has(&self, name: &IfName) -> bool {
        self.netlink.get_link(link::by_name(name.as_str())).await.is_ok()
    }
}

fn shown([first, second]: &[VethEnd<'_>; 2]) -> String {
    format!("{first} with peer {second}")
}

fn taken(end: &VethEnd<'_>) -> String {
    format!("the name {} is taken in {}", end.name, end.ns)
}

/// The kernel does not say at which end a name was taken, and nothing at all about an MTU.
async fn not_created(refusal: Refusal, ends: &[VethEnd<'_>; 2], kernel: &[Side; 2], options: &VethOptions) -> Error {
    let exists = refusal.errno() == Some(Errno::EXIST);
    let invalid = refusal.errno() == Some(Errno::INVAL);
    let error = refusal.into_error("create veth", shown(ends));
    if error.kind() == ErrorKind::Unsupported {
        return error.because("this kernel has no veth; 'modprobe veth' loads it where it is a module");
    }
    if let (true, Some(mtu)) = (invalid, options.mtu_bytes.filter(|mtu| !MTU_BYTES.contains(mtu))) {
        let (least, most) = (MTU_BYTES.start(), MTU_BYTES.end());
        return error.because(format!("an MTU of {mtu} is not within {least} to {most} bytes"));
    }
    if !exists {
        return error;
    }
    for (end, side) in ends.iter().zip(kernel) {
        if side.has(end.name).await {
            return error.because(taken(end));
        }
    }
    error
}

fn random_macs() -> Result<[Mac; 2]> {
    let failed = |e: Errno| Error::os("make", "random MAC addresses", e);
    let mut bytes = [0; 12];
    rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty()).map_err(failed)?;
    let (first, second) = bytes.split_at(6);
    Ok([first, second].map(|half| Mac::from_random(half.try_into().expect("twelve bytes have two halves of six"))))
}

/// One request for both ends. The peer must not be up yet (`ENOTCONN`): it is opened before it is
/// linked. The request goes out in the first end's namespace, so only the peer is foreign: kernels
/// before 6.13 look for a taken name in the sender's namespace.
fn request(ends: &[VethEnd<'_>; 2], macs: [Mac; 2], options: &VethOptions) -> LinkMessage {
    let [mut first, mut second] = [0, 1].map(|at| {
        LinkUnspec::new_with_name(ends[at].name.as_str())
            .address(macs[at].octets().to_vec())
            .append_extra_attribute(LinkAttribute::NumTxQueues(options.queues))
            .append_extra_attribute(LinkAttribute::NumRxQueues(options.queues))
    });
    if let Some(mtu) = options.mtu_bytes {
        [first, second] = [first, second].map(|end| end.mtu(mtu));
    }
    let peer = second.setns_by_fd(ends[1].ns.as_fd().as_raw_fd()).build();
    let mut message =
        LinkVeth::new(ends[0].name.as_str(), "").set_info_data(InfoData::Veth(InfoVeth::Peer(peer))).build();
    // The name stands in both builders.
    message.attributes.retain(|attribute| !matches!(attribute, LinkAttribute::IfName(_)));
    message.attributes.extend(first.build().attributes);
    message
}

/// The indices of both ends, from the first end alone; only of a pair that is ours.
async fn find(end: &VethEnd<'_>, side: &Side, mac: Mac) -> Result<[u32; 2]> {
    let question = RouteNetlinkMessage::GetLink(link::by_name(end.name.as_str()));
    let found = side.netlink.get(question).await.map_err(|e| e.into_error("find the new veth", end))?;
    let RouteNetlinkMessage::NewLink(link) = found else {
        return Err(Error::os("find the new veth", end, Errno::NODATA));
    };
    let peer = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Link(index) => Some(*index),
        _ => None,
    });
    if mac_of(&link) != Some(mac) {
        return Err(Error::os("find the new veth", end, Errno::NODEV).because("somebody replaced it"));
    }
    // Kernels before 5.16 do not say an index that is the same in both namespaces.
    Ok([link.header.index, peer.unwrap_or(link.header.index)])
}

async fn configure(
    ends: &[VethEnd<'_>; 2],
    kernel: [Side; 2],
    indices: [u32; 2],
    options: &VethOptions,
) -> Result<[u32; 2]> {
    for ((end, side), index) in ends.iter().zip(&kernel).zip(indices) {
        for &addr in end.addrs {
            let subject = || format!("{addr} to {end}");
            side.netlink.add_addr(index, addr).await.map_err(|e| e.into_error("add address", subject()))?;
        }
    }
    if options.up {
        for ((end, side), index) in ends.iter().zip(&kernel).zip(indices) {
            let up = RouteNetlinkMessage::NewLink(LinkUnspec::new_with_index(index).up().build());
            side.netlink.request(up, 0).await.map_err(|e| e.into_error("bring up", end))?;
        }
    }
    let mut mtus = [0; 2];
    for (((end, side), index), mtu) in ends.iter().zip(&kernel).zip(indices).zip(&mut mtus) {
        let question = LinkUnspec::new_with_index(index).build();
        let link = side.netlink.get_link(question).await.map_err(|e| e.into_error("look at", end))?;
        *mtu = link.mtu_bytes.unwrap_or_default();
    }
    if options.up && options.wait {
        ready(ends, kernel, indices).await?;
    }
    Ok(mtus)
}

/// Waits until the first packet gets through: the first-opened end must be operational, and every
/// IPv6 address announced, because only then it has its routes.
async fn ready(ends: &[VethEnd<'_>; 2], kernel: [Side; 2], indices: [u32; 2]) -> Result<()> {
    let [first, second] = kernel;
    let operational = first.netlink.get_link(LinkUnspec::new_with_index(indices[0]).build()).await;
    let operational = operational.is_ok_and(|link| link.operstate == "UP");
    let waits = futures::future::try_join(
        Expected::new(&ends[0], first.netlink, indices[0], !operational).met(first.heard),
        Expected::new(&ends[1], second.netlink, indices[1], false).met(second.heard),
    );
    match tokio::time::timeout(READY_TIMEOUT, waits).await {
        Ok(done) => done.map(drop),
        Err(_) => Err(Error::os("bring up", shown(ends), Errno::TIMEDOUT).because("not operational after 5 seconds")),
    }
}

/// What one end has yet to show.
struct Expected<'a> {
    end: &'a VethEnd<'a>,
    netlink: Netlink,
    index: u32,
    operational: bool,
    addrs: Vec<std::net::IpAddr>,
}

impl<'a> Expected<'a> {
    fn new(end: &'a VethEnd<'a>, netlink: Netlink, index: u32, operational: bool) -> Self {
        let addrs = end.addrs.iter().map(|addr| addr.ip()).filter(std::net::IpAddr::is_ipv6).collect();
        Self { end, netlink, index, operational, addrs }
    }

    async fn met(mut self, heard: Option<Heard>) -> Result<()> {
        let Some(mut heard) = heard else { return Ok(()) };
        while self.operational || !self.addrs.is_empty() {
            let lost = || Error::os("hear of", self.end, io::Error::from(Errno::CONNABORTED));
            let (message, _) = heard.next().await.ok_or_else(lost)?;
            match message.payload {
                NetlinkPayload::InnerMessage(event) => self.hear(&event)?,
                NetlinkPayload::Overrun(_) => self.look().await.map_err(|e| e.into_error("bring up", self.end))?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Events were lost: asks for what they would have told.
    async fn look(&mut self) -> std::result::Result<(), Refusal> {
        let link = self.netlink.get_link(LinkUnspec::new_with_index(self.index).build()).await?;
        self.operational &= link.operstate != "UP";
        if !self.addrs.is_empty() {
            let working = self.netlink.local_ipv6(self.index).await?;
            self.addrs.retain(|addr| !working.contains(addr));
        }
        Ok(())
    }

    fn hear(&mut self, event: &RouteNetlinkMessage) -> Result<()> {
        match event {
            RouteNetlinkMessage::NewLink(link) if link.header.index == self.index => {
                let state = |attribute: &LinkAttribute| matches!(attribute, LinkAttribute::OperState(State::Up));
                if link.attributes.iter().any(state) && link.header.flags.contains(LinkFlags::Up) {
                    self.operational = false;
                }
            }
            RouteNetlinkMessage::DelLink(link) if link.header.index == self.index => {
                return Err(Error::os("bring up", self.end, Errno::NODEV).because("somebody removed it"));
            }
            RouteNetlinkMessage::NewAddress(addr) if addr.header.index == self.index => {
                let address = |attribute: &AddressAttribute| match attribute {
                    AddressAttribute::Address(ip) => Some(*ip),
                    _ => None,
                };
                let announced: Vec<_> = addr.attributes.iter().filter_map(address).collect();
                self.addrs.retain(|addr| !announced.contains(addr));
            }
            _ => {}
        }
        Ok(())
    }
}
