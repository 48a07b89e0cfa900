//! Routes: where packets go.

use std::net::IpAddr;

use netlink_packet_core::{DefaultNla, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, Nla};
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    route::{
        RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteMetric, RouteNextHop, RouteNextHopFlags,
        RoutePreference, RouteProtocol, RouteScope, RouteType, RouteVia,
    },
};
use rustix::io::Errno;

use super::{
    Change, Netlink,
    change::Subject,
    family_of, kernel_family,
    raw::{Refusal, Socket},
};
use crate::{
    addr::{Family, Prefix},
    error::{Error, ErrorKind, Result},
};

/// Of `linux/rtnetlink.h`.
const RT_TABLE_LOCAL: u8 = 255;
/// The table that is meant unless another is named.
pub const TABLE_MAIN: u32 = 254;
const TABLE_LOCAL: u32 = 255;
const SCOPE_UNIVERSE: u8 = 0;
const SCOPE_LINK: u8 = 253;
const SCOPE_HOST: u8 = 254;
const SCOPE_NOWHERE: u8 = 255;
const PROTOCOL_BOOT: u8 = 3;
const RTAX_LOCK: u16 = 1;

/// A route, as `ip route` shows and takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// Where the packets go that it is for.
    pub dst: Prefix,
    /// Where they come from; IPv6 only, and for [`Netlink::route_to`].
    pub from: Option<Prefix>,
    /// What it does; `unicast` in a new route, any in one to delete, where it is `None`.
    pub kind: Option<RouteKind>,
    /// The type of service.
    pub tos: u8,
    /// The number of its table; `main`, or `local` for kinds that the kernel makes, where it is `None`.
    pub table: Option<u32>,
    /// Who made it; `boot` in a new route, anybody in one to delete, where it is `None`.
    pub protocol: Option<u8>,
    /// How far away what it leads to is; by its kind and gateway where it is `None`.
    pub scope: Option<u8>,
    /// The next router, and the link to it.
    pub hop: Hop,
    /// Next routers with weights, in place of `hop`.
    pub hops: Vec<NextHop>,
    /// The link that packets come from, for [`Netlink::route_to`].
    pub iif: u32,
    /// The address of this host that packets get.
    pub prefsrc: Option<IpAddr>,
    /// Of several routes, the one with the lowest is taken. The kernel chooses where it is `None`.
    pub metric: Option<u32>,
    /// What TCP and others are told.
    pub metrics: Vec<Metric>,
    /// The preference of RFC 4191: 0 medium, 1 high, 3 low. IPv6 only.
    pub preference: Option<u8>,
    /// After so many seconds it goes. IPv6 only.
    pub expires: Option<u32>,
    /// The number of a nexthop object.
    pub nexthop_id: Option<u32>,
    /// The mark of a packet, for [`Netlink::route_to`].
    pub mark: Option<u32>,
    /// The user that sends it, for [`Netlink::route_to`].
    pub uid: Option<u32>,
    /// What the kernel says of it: `RTNH_F_*` and `RTM_F_*` of `linux/rtnetlink.h`, as bits.
    pub flags: u32,
    /// What the kernel counted.
    pub cache: Option<RouteCache>,
    as_seen: Option<Box<RouteMessage>>,
}

/// A next router.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Hop {
    /// Its address, of whatever family.
    pub via: Option<IpAddr>,
    /// The index of the link; 0 for none.
    pub device: u32,
    /// Whether the router is on the link even where no address says so.
    pub onlink: bool,
}

/// One of several next routers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NextHop {
    /// The router.
    pub hop: Hop,
    /// Its share, 1 to 256.
    pub weight: u16,
    /// What the kernel says of it: `RTNH_F_*`, as bits.
    pub flags: u32,
}

impl NextHop {
    /// A next router with a share.
    #[must_use]
    pub fn new(hop: Hop, weight: u16) -> Self {
        Self { hop, weight, flags: 0 }
    }
}

/// A number that TCP and others are told, `RTAX_*` of `linux/rtnetlink.h`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// Which: 2 is the MTU.
    pub number: u16,
    /// Its value.
    pub value: MetricValue,
    /// Whether nothing else may change it.
    pub locked: bool,
}

/// The value of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricValue {
    /// A number, in the metric's own unit.
    Number(u32),
    /// The name of a congestion control.
    Text(String),
}

/// What the kernel counted of a route, in ticks of a hundredth of a second where it is a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteCache {
    /// When it goes; 0 is never, and below 0 it has gone.
    pub expires: i32,
    /// Why it does not work, as errno.
    pub error: u32,
    /// How many use it.
    pub users: u32,
    /// How often it was used.
    pub used: u32,
    /// How long ago it was used.
    pub last_used: u32,
}

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RouteKind {
    /// Leads to a host or a router.
    Unicast,
    /// Leads to this host.
    Local,
    /// Leads to all on a link.
    Broadcast,
    /// Leads to the nearest of many.
    Anycast,
    /// Leads to a group.
    Multicast,
    /// Drops packets without a word.
    Blackhole,
    /// Drops packets and says that the host is unreachable.
    Unreachable,
    /// Drops packets and says that it is prohibited.
    Prohibit,
    /// Goes on with the next rule.
    Throw,
    /// One that nsnet does not know, by number.
    Other(u8),
}

/// In the order of their numbers, from 1.
const KINDS: [(RouteKind, &str); 9] = [
    (RouteKind::Unicast, "unicast"),
    (RouteKind::Local, "local"),
    (RouteKind::Broadcast, "broadcast"),
    (RouteKind::Anycast, "anycast"),
    (RouteKind::Multicast, "multicast"),
    (RouteKind::Blackhole, "blackhole"),
    (RouteKind::Unreachable, "unreachable"),
    (RouteKind::Prohibit, "prohibit"),
    (RouteKind::Throw, "throw"),
];

impl RouteKind {
    /// The kind that ip calls so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        KINDS.into_iter().find(|(_, own)| *own == name).map(|(kind, _)| kind)
    }

    /// ip's word for it; its number where there is none.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Other(number) => number.to_string(),
            _ => KINDS.into_iter().find(|(kind, _)| *kind == self).map_or_else(String::new, |(_, name)| name.into()),
        }
    }

    /// The number of `linux/rtnetlink.h`.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Other(number) => number,
            _ => (1..).zip(KINDS).find(|(_, (kind, _))| *kind == self).map_or(0, |(number, _)| number),
        }
    }

    fn of(kind: RouteType) -> Self {
        let number = u8::from(kind);
        usize::from(number).checked_sub(1).and_then(|at| KINDS.get(at)).map_or(Self::Other(number), |&(kind, _)| kind)
    }
}

/// What a route to be made may meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// There must be none like it.
    Nothing,
    /// One like it is replaced.
    Replace,
    /// There must be one like it, which is changed.
    Change,
    /// It comes behind those like it.
    Behind,
    /// It comes before those like it.
    Before,
}

impl Route {
    /// A route to this prefix, of which nothing else is said.
    #[must_use]
    pub fn new(dst: Prefix) -> Self {
        Self {
            dst,
            from: None,
            kind: None,
            tos: 0,
            table: None,
            protocol: None,
            scope: None,
            hop: Hop::default(),
            hops: Vec::new(),
            iif: 0,
            prefsrc: None,
            metric: None,
            metrics: Vec::new(),
            preference: None,
            expires: None,
            nexthop_id: None,
            mark: None,
            uid: None,
            flags: 0,
            cache: None,
            as_seen: None,
        }
    }

    /// The family of its packets.
    #[must_use]
    pub fn family(&self) -> Family {
        self.dst.family()
    }

    /// Makes it; like `ip route add`, `replace`, `change`, `append` and `prepend`.
    #[must_use]
    pub fn put(&self, beside: Beside) -> Change {
        let (op, flags) = match beside {
            Beside::Nothing => ("add route", NLM_F_CREATE | NLM_F_EXCL),
            Beside::Replace => ("replace route", NLM_F_CREATE | NLM_F_REPLACE),
            Beside::Change => ("change route", NLM_F_REPLACE),
            Beside::Behind => ("append route", NLM_F_CREATE | NLM_F_APPEND),
            Beside::Before => ("prepend route", NLM_F_CREATE),
        };
        let whole = Self {
            kind: self.kind.or(Some(RouteKind::Unicast)),
            protocol: self.protocol.or(Some(PROTOCOL_BOOT)),
            scope: self.scope.or_else(|| Some(self.usual_scope())),
            ..self.clone()
        };
        Change::new(RouteNetlinkMessage::NewRoute(whole.message()), flags, op, self.subject())
    }

    /// Deletes the first one that has all of this; like `ip route del`. A route that was listed is
    /// deleted as it was seen.
    #[must_use]
    pub fn delete(&self) -> Change {
        let message = match &self.as_seen {
            Some(seen) => RouteMessage::clone(seen),
            None => {
                let any = matches!(self.kind, None | Some(RouteKind::Unicast)) && self.family() == Family::Inet;
                let scope = if any { SCOPE_NOWHERE } else { self.usual_scope() };
                Self { scope: self.scope.or(Some(scope)), ..self.clone() }.message()
            }
        };
        Change::new(RouteNetlinkMessage::DelRoute(message), 0, "delete route", self.subject())
    }

    fn subject(&self) -> Subject {
        if self.dst.is_all() {
            Subject::Words("'default'".into())
        } else {
            Subject::Prefix(self.dst.ip(), self.dst.prefix_len())
        }
    }

    fn usual_scope(&self) -> u8 {
        let direct = self.hop.via.is_none() && self.hops.is_empty() && self.nexthop_id.is_none();
        match (self.family(), self.kind) {
            (Family::Inet6, _) => SCOPE_UNIVERSE,
            (_, Some(RouteKind::Local)) => SCOPE_HOST,
            (_, Some(RouteKind::Broadcast | RouteKind::Multicast | RouteKind::Anycast)) => SCOPE_LINK,
            (_, None | Some(RouteKind::Unicast)) if direct => SCOPE_LINK,
            _ => SCOPE_UNIVERSE,
        }
    }

    fn usual_table(&self) -> u32 {
        match self.kind {
            Some(RouteKind::Local | RouteKind::Broadcast | RouteKind::Anycast) => TABLE_LOCAL,
            _ => TABLE_MAIN,
        }
    }

    fn message(&self) -> RouteMessage {
        let mut message = RouteMessage::default();
        let header = &mut message.header;
        header.address_family = kernel_family(self.family());
        header.destination_prefix_length = self.dst.prefix_len();
        header.source_prefix_length = self.from.map_or(0, Prefix::prefix_len);
        header.tos = self.tos;
        header.kind = RouteType::from(self.kind.map_or(0, RouteKind::number));
        header.protocol = RouteProtocol::from(self.protocol.unwrap_or(0));
        header.scope = RouteScope::from(self.scope.unwrap_or(SCOPE_UNIVERSE));
        // All others are the kernel's to say; it refuses a route that says that it is dead or has no carrier.
        header.flags.set(RouteFlags::Onlink, self.hop.onlink);
        let table = self.table.unwrap_or_else(|| self.usual_table());
        header.table = u8::try_from(table).unwrap_or(0);
        message.attributes = self.attributes(table);
        message
    }

    fn attributes(&self, table: u32) -> Vec<RouteAttribute> {
        let address = |prefix: Prefix| (!prefix.is_all()).then(|| RouteAddress::from(prefix.ip()));
        let index = |index: u32| Some(index).filter(|&index| index != 0);
        let hops: Vec<_> = self.hops.iter().map(|hop| self.kernel_hop(hop)).collect();
        let all = [
            address(self.dst).map(RouteAttribute::Destination),
            self.from.and_then(address).map(RouteAttribute::Source),
            self.hop.via.map(|via| gateway(self.family(), via)),
            index(self.hop.device).map(RouteAttribute::Oif),
            index(self.iif).map(RouteAttribute::Iif),
            (table > 255).then_some(RouteAttribute::Table(table)),
            self.prefsrc.map(|ip| RouteAttribute::PrefSource(ip.into())),
            self.metric.map(RouteAttribute::Priority),
            (!self.metrics.is_empty()).then(|| RouteAttribute::Metrics(kernel_metrics(&self.metrics))),
            self.preference.map(|preference| RouteAttribute::Preference(RoutePreference::from(preference))),
            self.expires.map(RouteAttribute::Expires),
            self.nexthop_id.map(RouteAttribute::NhId),
            self.mark.map(RouteAttribute::Mark),
            self.uid.map(RouteAttribute::Uid),
            (!hops.is_empty()).then_some(RouteAttribute::MultiPath(hops)),
        ];
        all.into_iter().flatten().collect()
    }

    fn kernel_hop(&self, NextHop { hop, weight, .. }: &NextHop) -> RouteNextHop {
        let mut next = RouteNextHop::default();
        next.interface_index = hop.device;
        next.hops = u8::try_from(weight.saturating_sub(1)).unwrap_or(u8::MAX);
        next.flags.set(RouteNextHopFlags::Onlink, hop.onlink);
        next.attributes = hop.via.map(|via| gateway(self.family(), via)).into_iter().collect();
        next
    }

    pub(super) fn of_object(object: &RouteNetlinkMessage) -> Option<Self> {
        route_of(object)
    }

    fn of(message: &RouteMessage) -> Option<Self> {
        let header = &message.header;
        let family = family_of(header.address_family)?;
        let address = |len| Prefix::new(family.unspecified(), len).ok();
        let mut route = Self {
            from: (header.source_prefix_length > 0).then(|| address(header.source_prefix_length)).flatten(),
            kind: Some(RouteKind::of(header.kind)),
            tos: header.tos,
            table: Some(header.table.into()),
            protocol: Some(header.protocol.into()),
            scope: Some(header.scope.into()),
            flags: header.flags.bits(),
            as_seen: Some(message.clone().into()),
            ..Self::new(address(header.destination_prefix_length)?)
        };
        route.hop.onlink = header.flags.contains(RouteFlags::Onlink);
        message.attributes.iter().for_each(|attribute| route.take(attribute, message));
        Some(route)
    }

    fn take(&mut self, attribute: &RouteAttribute, message: &RouteMessage) {
        let header = &message.header;
        let prefix = |address: &RouteAddress, len| Prefix::new(ip_of(address)?, len).ok();
        match attribute {
            RouteAttribute::Destination(address) => {
                self.dst = prefix(address, header.destination_prefix_length).unwrap_or(self.dst);
            }
            RouteAttribute::Source(address) => self.from = prefix(address, header.source_prefix_length),
            RouteAttribute::Gateway(_) | RouteAttribute::Via(_) => self.hop.via = via_of(attribute),
            RouteAttribute::Oif(index) => self.hop.device = *index,
            RouteAttribute::Iif(index) => self.iif = *index,
            RouteAttribute::Table(table) => self.table = Some(*table),
            RouteAttribute::PrefSource(address) => self.prefsrc = ip_of(address),
            RouteAttribute::Priority(metric) => self.metric = Some(*metric),
            RouteAttribute::Metrics(metrics) => self.metrics = metrics_of(metrics),
            RouteAttribute::Preference(preference) => self.preference = Some((*preference).into()),
            RouteAttribute::Expires(seconds) => self.expires = Some(*seconds),
            RouteAttribute::NhId(id) => self.nexthop_id = Some(*id),
            RouteAttribute::Mark(mark) => self.mark = Some(*mark),
            RouteAttribute::Uid(uid) => self.uid = Some(*uid),
            RouteAttribute::MultiPath(hops) => self.hops = hops.iter().map(hop_of).collect(),
            RouteAttribute::CacheInfo(info) => {
                self.cache = Some(RouteCache {
                    expires: info.expires.cast_signed(),
                    error: info.error,
                    users: info.clntref,
                    used: info.used,
                    last_used: info.last_use,
                });
            }
            _ => {}
        }
    }
}

/// A router of another family than the route's is put another way. Linux 5.2.
fn gateway(family: Family, via: IpAddr) -> RouteAttribute {
    match via {
        via if Family::of(via) == family => RouteAttribute::Gateway(via.into()),
        IpAddr::V4(via) => RouteAttribute::Via(RouteVia::Inet(via)),
        IpAddr::V6(via) => RouteAttribute::Via(RouteVia::Inet6(via)),
    }
}

fn via_of(attribute: &RouteAttribute) -> Option<IpAddr> {
    match attribute {
        RouteAttribute::Gateway(address) => ip_of(address),
        RouteAttribute::Via(RouteVia::Inet(ip)) => Some((*ip).into()),
        RouteAttribute::Via(RouteVia::Inet6(ip)) => Some((*ip).into()),
        _ => None,
    }
}

fn ip_of(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(ip) => Some((*ip).into()),
        RouteAddress::Inet6(ip) => Some((*ip).into()),
        _ => None,
    }
}

fn hop_of(next: &RouteNextHop) -> NextHop {
    let via = next.attributes.iter().find_map(via_of);
    let onlink = next.flags.contains(RouteNextHopFlags::Onlink);
    NextHop {
        hop: Hop { via, device: next.interface_index, onlink },
        weight: u16::from(next.hops) + 1,
        flags: next.flags.bits().into(),
    }
}

fn kernel_metrics(metrics: &[Metric]) -> Vec<RouteMetric> {
    let locks = metrics.iter().filter(|metric| metric.locked).fold(0u32, |locks, metric| locks | 1 << metric.number);
    let put = |number: u16, bytes: &[u8]| RouteMetric::Other(DefaultNla::new(number, bytes.to_vec()));
    let own = metrics.iter().map(|metric| match &metric.value {
        MetricValue::Number(value) => put(metric.number, &value.to_ne_bytes()),
        MetricValue::Text(text) => put(metric.number, &[text.as_bytes(), b"\0"].concat()),
    });
    own.chain((locks != 0).then(|| put(RTAX_LOCK, &locks.to_ne_bytes()))).collect()
}

fn metrics_of(metrics: &[RouteMetric]) -> Vec<Metric> {
    const RTAX_CC_ALGO: u16 = 16;
    let bytes = |metric: &RouteMetric| {
        let mut bytes = vec![0; metric.value_len()];
        metric.emit_value(&mut bytes);
        bytes
    };
    let number = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
    let all: Vec<(u16, Vec<u8>)> = metrics.iter().map(|metric| (metric.kind(), bytes(metric))).collect();
    let locks = all.iter().find(|(kind, _)| *kind == RTAX_LOCK).map_or(0, |(_, bytes)| number(bytes));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned();
    let metric = |(number_of, bytes): &(u16, Vec<u8>)| Metric {
        number: *number_of,
        value: match *number_of {
            RTAX_CC_ALGO => MetricValue::Text(text(bytes)),
            _ => MetricValue::Number(number(bytes)),
        },
        locked: locks.checked_shr(u32::from(*number_of)).unwrap_or(0) & 1 == 1,
    };
    let mut metrics: Vec<_> = all.iter().filter(|(kind, _)| *kind != RTAX_LOCK).map(metric).collect();
    metrics.sort_by_key(|metric| metric.number);
    metrics
}

impl Netlink {
    /// The routes of a family, or of both, in one table, or in all where it is 0, and through one
    /// link, or any where it is 0.
    ///
    /// # Errors
    ///
    /// `NotFound` where there is no such table.
    pub async fn routes(&self, family: Option<Family>, table: u32, device: u32) -> Result<Vec<Route>> {
        let mut question = RouteMessage::default();
        question.header.address_family = family.map_or(AddressFamily::Unspec, kernel_family);
        if table != 0 {
            question.attributes.push(RouteAttribute::Table(table));
        }
        if device != 0 {
            question.attributes.push(RouteAttribute::Oif(device));
        }
        match self.dump(RouteNetlinkMessage::GetRoute(question)).await {
            Ok(objects) => Ok(objects.iter().filter_map(route_of).collect()),
            // There is always a main table, empty as it may be.
            Err(refusal) if table == TABLE_MAIN && refusal.errno() == Some(Errno::NOENT) => Ok(Vec::new()),
            Err(refusal) => Err(refusal.into_error("list routes", "")),
        }
    }

    /// The route that a packet takes to an address; `question` says what else is known of the packet.
    /// With `whole`, the route as it is in the table.
    ///
    /// # Errors
    ///
    /// What the kernel said: `ENETUNREACH` where there is none.
    pub async fn route_to(&self, question: &Route, whole: bool) -> Result<Route> {
        let mut message = Route { table: Some(0), ..question.clone() }.message();
        message.header.kind = RouteType::Unspec;
        // Only IPv4 can tell the table.
        message.header.flags.set(RouteFlags::LookupTable, question.family() == Family::Inet);
        message.header.flags.set(RouteFlags::FibMatch, whole);
        let found = self.get(RouteNetlinkMessage::GetRoute(message)).await;
        let subject = || format!("'{}'", question.dst.ip());
        let found = found.map_err(|refusal| refusal.into_error("find the route to", subject()))?;
        let other = || Error::of_kind(ErrorKind::NotFound, "find the route to", subject(), "the answer is no route");
        route_of(&found).ok_or_else(other)
    }

    /// The IPv6 addresses that packets for this host may have on a link: those that work already.
    pub(super) async fn local_ipv6(&self, index: u32) -> std::result::Result<Vec<IpAddr>, Refusal> {
        let mut question = local_ipv6();
        question.attributes.push(RouteAttribute::Oif(index));
        let objects = self.dump(RouteNetlinkMessage::GetRoute(question)).await?;
        Ok(objects.iter().filter_map(destination).collect())
    }
}

/// Asks for the IPv6 addresses that packets for this host may have.
fn local_ipv6() -> RouteMessage {
    let mut question = RouteMessage::default();
    question.header.address_family = AddressFamily::Inet6;
    question.header.table = RT_TABLE_LOCAL;
    question
}

/// The IPv6 addresses that packets for the host of a socket's namespace may have: those that work already.
pub(super) fn local_ipv6_of(socket: &mut Socket) -> std::result::Result<Vec<IpAddr>, Refusal> {
    let objects = socket.dump(&RouteNetlinkMessage::GetRoute(local_ipv6()))?;
    Ok(objects.iter().filter_map(destination).collect())
}

fn route_of(object: &RouteNetlinkMessage) -> Option<Route> {
    match object {
        RouteNetlinkMessage::NewRoute(message) => Route::of(message),
        _ => None,
    }
}

fn destination(object: &RouteNetlinkMessage) -> Option<IpAddr> {
    let RouteNetlinkMessage::NewRoute(route) = object else { return None };
    route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet6(ip)) => Some((*ip).into()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str, len: u8) -> Prefix {
        Prefix::new(text.parse().unwrap(), len).unwrap()
    }

    #[test]
    fn a_route_reads_back_as_it_was_asked_for() {
        let hop = |via: &str| Hop { via: Some(via.parse().unwrap()), device: 3, onlink: true };
        let metric = |number, value, locked| Metric { number, value: MetricValue::Number(value), locked };
        let route = Route {
            kind: Some(RouteKind::Unicast),
            tos: 8,
            table: Some(70_000),
            protocol: Some(4),
            scope: Some(0),
            prefsrc: Some("10.0.0.1".parse().unwrap()),
            metric: Some(9),
            metrics: vec![metric(2, 1300, true), metric(10, 9, false)],
            hops: vec![NextHop::new(hop("10.0.0.2"), 256), NextHop::new(hop("fd00::1"), 1)],
            ..Route::new(prefix("10.1.0.0", 16))
        };
        let mut seen = Route::of(&route.message()).unwrap();
        seen.as_seen = None;
        seen.hops.iter_mut().for_each(|hop| hop.flags = 0);
        // A table above 255 is in the attribute only.
        assert_eq!(seen, route);
    }

    #[test]
    fn scope_and_table_are_the_usual_ones_of_the_kind() {
        let direct = Route::new(prefix("10.1.0.0", 16));
        assert_eq!((direct.usual_scope(), direct.usual_table()), (SCOPE_LINK, TABLE_MAIN));
        let via = Route { hop: Hop { via: Some("10.0.0.1".parse().unwrap()), ..Hop::default() }, ..direct.clone() };
        assert_eq!(via.usual_scope(), SCOPE_UNIVERSE);
        let local = Route { kind: Some(RouteKind::Local), ..direct };
        assert_eq!((local.usual_scope(), local.usual_table()), (SCOPE_HOST, TABLE_LOCAL));
        assert_eq!(Route::new(prefix("fd00::", 64)).usual_scope(), SCOPE_UNIVERSE);
    }

    #[test]
    fn kinds_have_the_kernels_numbers_and_ips_names() {
        assert_eq!((RouteKind::Unicast.number(), RouteKind::Throw.number()), (1, 9));
        assert_eq!(RouteKind::of(RouteType::from(6)), RouteKind::Blackhole);
        assert_eq!(RouteKind::of(RouteType::from(0)), RouteKind::Other(0));
        assert_eq!(RouteKind::named("prohibit").map(RouteKind::name).as_deref(), Some("prohibit"));
    }
}
