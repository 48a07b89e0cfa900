//! Addresses on links.

use std::{
    net::{IpAddr, Ipv4Addr},
    ops::BitOr,
};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::{
    RouteNetlinkMessage,
    address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope, CacheInfo},
};

use rustix::io::Errno;

use super::{
    Change, Netlink,
    change::Subject,
    kernel_family,
    raw::{Refusal, Socket},
};
use crate::{
    addr::{Family, IfAddr, Prefix},
    error::{Error, Result},
};

/// As many as ip.
const FLUSH_ROUNDS: usize = 10;

/// What the kernel says for "without an end", in seconds.
const FOREVER: u32 = u32::MAX;

/// An address of a link, as `ip address` shows and takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Addr {
    /// The index of its link.
    pub link_index: u32,
    /// The address itself.
    pub local: IpAddr,
    /// The address of the other end, where there are only two.
    pub peer: Option<IpAddr>,
    /// How many bits the addresses that are reached through it share, with `peer` where there is one.
    pub prefix_len: u8,
    /// The address of all; IPv4 only.
    pub broadcast: Option<Ipv4Addr>,
    /// The name of the link, and more behind a colon; IPv4 only.
    pub label: Option<String>,
    /// How far it is valid, by the numbers of scopes: 0 is global, 253 link, 254 host. The kernel finds
    /// it out for IPv6.
    pub scope: u8,
    /// What it is for, and what became of it.
    pub flags: AddrFlags,
    /// How long it stays.
    pub lifetime: Lifetime,
    /// The metric of the route to its prefix; the kernel's usual one where it is `None`.
    pub metric: Option<u32>,
}

/// How long an address stays, in seconds from when it was asked; `None` is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Lifetime {
    /// Until it is removed.
    pub valid_s: Option<u32>,
    /// Until nothing new is begun with it.
    pub preferred_s: Option<u32>,
}

impl Lifetime {
    /// This long.
    #[must_use]
    pub fn new(valid_s: Option<u32>, preferred_s: Option<u32>) -> Self {
        Self { valid_s, preferred_s }
    }

    fn of(info: &CacheInfo) -> Self {
        let [valid_s, preferred_s] = [info.ifa_valid, info.ifa_preferred].map(|s| Some(s).filter(|&s| s != FOREVER));
        Self { valid_s, preferred_s }
    }

    fn kernel(self) -> CacheInfo {
        let mut info = CacheInfo::default();
        info.ifa_valid = self.valid_s.unwrap_or(FOREVER);
        info.ifa_preferred = self.preferred_s.unwrap_or(FOREVER);
        info
    }
}

/// A set of the flags of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AddrFlags(u32);

impl AddrFlags {
    /// Of an IPv4 address: another one of its prefix was there before. Of an IPv6 one: temporary.
    pub const SECONDARY: Self = Self(0x1);
    /// Used at once, without asking whether another host has it.
    pub const NODAD: Self = Self(0x2);
    /// Used already while others are asked whether they have it.
    pub const OPTIMISTIC: Self = Self(0x4);
    /// Another host has it.
    pub const DADFAILED: Self = Self(0x8);
    /// The address that a mobile host has at home.
    pub const HOME: Self = Self(0x10);
    /// Nothing new is begun with it.
    pub const DEPRECATED: Self = Self(0x20);
    /// Not used yet: others are asked whether they have it.
    pub const TENTATIVE: Self = Self(0x40);
    /// Without an end; the others are dynamic.
    pub const PERMANENT: Self = Self(0x80);
    /// Temporary addresses are made from it.
    pub const MNGTMPADDR: Self = Self(0x100);
    /// Without a route to its prefix.
    pub const NOPREFIXROUTE: Self = Self(0x200);
    /// A multicast address that the link joins.
    pub const AUTOJOIN: Self = Self(0x400);
    /// Made from a secret, and always the same in one network.
    pub const STABLE_PRIVACY: Self = Self(0x800);

    /// The flags as the kernel numbers them.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of these are among them.
    #[must_use]
    pub fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether any of these is among them.
    #[must_use]
    pub fn intersects(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Those that are not among these.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

impl BitOr for AddrFlags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Addr {
    /// An address for a link, without anything that is not asked for.
    #[must_use]
    pub fn new(link_index: u32, prefix: Prefix) -> Self {
        Self {
            link_index,
            local: prefix.ip(),
            peer: None,
            prefix_len: prefix.prefix_len(),
            broadcast: None,
            label: None,
            scope: 0,
            flags: AddrFlags::default(),
            lifetime: Lifetime::default(),
            metric: None,
        }
    }

    /// Its family.
    #[must_use]
    pub fn family(&self) -> Family {
        Family::of(self.local)
    }

    /// Makes it; like `ip address add`.
    #[must_use]
    pub fn add(&self) -> Change {
        self.new_with(NLM_F_CREATE | NLM_F_EXCL, "add address")
    }

    /// Makes it, or changes the one that is there; like `ip address replace`.
    #[must_use]
    pub fn replace(&self) -> Change {
        self.new_with(NLM_F_CREATE | NLM_F_REPLACE, "replace address")
    }

    /// Changes the one that is there; like `ip address change`, with which the kernel also makes one
    /// that is not there.
    #[must_use]
    pub fn change(&self) -> Change {
        self.new_with(NLM_F_REPLACE, "change address")
    }

    /// Deletes it; like `ip address del`.
    #[must_use]
    pub fn delete(&self) -> Change {
        Change::new(RouteNetlinkMessage::DelAddress(self.message()), 0, "delete address", self.subject())
    }

    /// Deletes the first one of the link that is this one, whatever the length of its prefix; like
    /// `ip address del` without a length, which is for IPv4 only.
    #[must_use]
    pub fn delete_of_any_length(&self) -> Change {
        let mut message = self.message();
        message.attributes.retain(|attribute| !matches!(attribute, AddressAttribute::Address(_)));
        Change::new(RouteNetlinkMessage::DelAddress(message), 0, "delete address", Subject::Ip(self.local))
    }

    fn new_with(&self, flags: u16, op: &'static str) -> Change {
        Change::new(RouteNetlinkMessage::NewAddress(self.message()), flags, op, self.subject())
    }

    fn subject(&self) -> Subject {
        Subject::Prefix(self.local, self.prefix_len)
    }

    fn message(&self) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.family = kernel_family(self.family());
        message.header.prefix_len = self.prefix_len;
        message.header.scope = AddressScope::from(self.scope);
        message.header.index = self.link_index;
        let bits = self.flags.bits();
        // Those that have no room in the header have an attribute.
        let wide = match u8::try_from(bits) {
            Ok(bits) => {
                message.header.flags = AddressHeaderFlags::from_bits_retain(bits);
                None
            }
            Err(_) => Some(AddressAttribute::Flags(AddressFlags::from_bits_retain(bits))),
        };
        let attributes = [
            Some(AddressAttribute::Local(self.local)),
            Some(AddressAttribute::Address(self.peer.unwrap_or(self.local))),
            self.broadcast.map(AddressAttribute::Broadcast),
            self.label.clone().map(AddressAttribute::Label),
            self.metric.map(AddressAttribute::RoutePriority),
            wide,
            (self.lifetime != Lifetime::default()).then(|| AddressAttribute::CacheInfo(self.lifetime.kernel())),
        ];
        message.attributes = attributes.into_iter().flatten().collect();
        message
    }

    fn of(message: &AddressMessage) -> Option<Self> {
        let header = &message.header;
        let address = message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Address(ip) => Some(*ip),
            _ => None,
        });
        let local = message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Local(ip) => Some(*ip),
            _ => None,
        });
        let mut addr = Self::new(header.index, Prefix::host(local.or(address)?));
        addr.prefix_len = header.prefix_len;
        addr.peer = address.filter(|&ip| ip != addr.local);
        addr.scope = header.scope.into();
        addr.flags = AddrFlags(header.flags.bits().into());
        message.attributes.iter().for_each(|attribute| addr.take(attribute));
        Some(addr)
    }

    fn take(&mut self, attribute: &AddressAttribute) {
        match attribute {
            AddressAttribute::Broadcast(ip) => self.broadcast = Some(*ip),
            AddressAttribute::Label(text) => self.label = Some(text.clone()),
            AddressAttribute::Flags(flags) => self.flags = AddrFlags(flags.bits()),
            AddressAttribute::CacheInfo(info) => self.lifetime = Lifetime::of(info),
            AddressAttribute::RoutePriority(metric) => self.metric = Some(*metric),
            _ => {}
        }
    }
}

/// As `ip address add` makes it: no broadcast address unless asked for. An IPv6 address is usable
/// at once, because the duplicate that it would wait a second for cannot be on a new pair.
pub(crate) fn ready(link_index: u32, addr: IfAddr) -> Addr {
    let flags = if addr.ip().is_ipv6() { AddrFlags::NODAD } else { AddrFlags::default() };
    let mut prefix = Addr::new(link_index, Prefix::host(addr.ip()));
    prefix.prefix_len = addr.prefix_len();
    Addr { flags, ..prefix }
}

/// The addresses of a whole answer.
pub(super) fn addrs_of(objects: &[RouteNetlinkMessage]) -> Vec<Addr> {
    objects.iter().filter_map(addr_of).collect()
}

/// All addresses of an answer.
pub(super) fn all(socket: &mut Socket, question: &RouteNetlinkMessage) -> std::result::Result<Vec<Addr>, Refusal> {
    socket.dump_of(question, |object| addr_of(&object))
}

impl Netlink {
    /// The addresses of all links of the namespace, IPv4 first.
    ///
    /// # Errors
    ///
    /// `Os` if the kernel cannot be asked, or they change faster than they can be read.
    pub async fn addrs(&self) -> Result<Vec<Addr>> {
        let question = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let objects = self.dump(question).await.map_err(|refusal| refusal.into_error("list addresses", ""))?;
        Ok(addrs_of(&objects))
    }

    /// Deletes addresses, and those that come to light when the ones before them are gone; like `ip
    /// address flush`. With `once`, only those that are there now.
    ///
    /// Returns how many there were in each round.
    ///
    /// # Errors
    ///
    /// What the kernel said; `Os` (`EBUSY`) if there are still some after ten rounds.
    pub async fn flush_addrs(&self, once: bool, unwanted: impl Fn(&Addr) -> bool) -> Result<Vec<usize>> {
        let mut rounds = Vec::new();
        loop {
            let mut addrs = self.addrs().await?;
            addrs.retain(&unwanted);
            if addrs.is_empty() || (once && !rounds.is_empty()) {
                return Ok(rounds);
            }
            if rounds.len() == FLUSH_ROUNDS {
                return Err(Error::os("flush addresses", "", Errno::BUSY).because("new ones come as fast as they go"));
            }
            for addr in &addrs {
                self.delete_addr_if_there(addr).await?;
            }
            rounds.push(addrs.len());
        }
    }

    /// The kernel deletes the secondary ones of a prefix with the first.
    async fn delete_addr_if_there(&self, addr: &Addr) -> Result<()> {
        match self.apply(addr.delete()).await {
            Err(e) if e.errno() == Some(Errno::ADDRNOTAVAIL.raw_os_error()) => Ok(()),
            done => done,
        }
    }

    pub(super) async fn add_addr(&self, index: u32, addr: IfAddr) -> std::result::Result<(), Refusal> {
        let message = RouteNetlinkMessage::NewAddress(ready(index, addr).message());
        self.request(message, NLM_F_CREATE | NLM_F_EXCL).await
    }
}

fn addr_of(object: &RouteNetlinkMessage) -> Option<Addr> {
    match object {
        RouteNetlinkMessage::NewAddress(message) => Addr::of(message),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_broadcast_and_an_ipv6_one_waits_for_nobody() {
        let v4 = ready(7, "10.0.0.1/24".parse().unwrap()).message();
        assert_eq!((v4.header.index, v4.header.prefix_len), (7, 24));
        assert!(!v4.attributes.iter().any(|a| matches!(a, AddressAttribute::Broadcast(_))));
        let v6 = ready(7, "fd00::1/64".parse().unwrap()).message();
        assert_eq!(v6.header.flags, AddressHeaderFlags::Nodad);
    }

    #[test]
    fn an_address_reads_back_as_it_was_asked_for() {
        let plain = Addr::new(7, Prefix::new("10.0.0.1".parse().unwrap(), 24).unwrap());
        let whole = Addr {
            peer: Some("10.0.0.2".parse().unwrap()),
            broadcast: Some(Ipv4Addr::new(10, 0, 0, 255)),
            label: Some("eth0:1".into()),
            scope: 253,
            flags: AddrFlags::NODAD | AddrFlags::NOPREFIXROUTE,
            lifetime: Lifetime::new(Some(100), None),
            metric: Some(5),
            ..plain.clone()
        };
        for addr in [plain, whole] {
            assert_eq!(Addr::of(&addr.message()), Some(addr));
        }
    }

    #[test]
    fn a_deletion_of_any_length_does_not_say_one() {
        let addr = Addr::new(7, Prefix::host("10.0.0.1".parse().unwrap()));
        let change = format!("{:?}", addr.delete_of_any_length());
        assert!(change.contains("Local(10.0.0.1)") && !change.contains("Address(10.0.0.1)"), "{change}");
    }
}
