//! Addresses and ends of links: parse and print only.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    net::IpAddr,
    os::unix::ffi::{OsStrExt, OsStringExt},
    str::FromStr,
};

use ipnetwork::{IpNetwork, IpNetworkError};
use serde::{Serialize, Serializer};

use crate::{
    error::{Error, Result},
    name::{IfName, NsRef, escaped, quoted},
};

/// An address with the length of its prefix, as an interface carries it: `10.0.0.1/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfAddr(IpNetwork);

impl IfAddr {
    /// The address itself.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        self.0.ip()
    }

    /// The length of the prefix, in bits.
    #[must_use]
    pub fn prefix_len(self) -> u8 {
        self.0.prefix()
    }
}

impl From<IpNetwork> for IfAddr {
    fn from(network: IpNetwork) -> Self {
        Self(network)
    }
}

impl FromStr for IfAddr {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let invalid = |reason: String| Error::invalid("use address", quoted(OsStr::new(text)), reason);
        let (ip, len) = text.split_once('/').map_or((text, None), |(ip, len)| (ip, Some(len)));
        let ip: IpAddr = ip.parse().map_err(|_| invalid("it does not begin with an address".into()))?;
        let Some(len) = len else {
            let usual = if ip.is_ipv4() { 24 } else { 64 };
            return Err(invalid(format!("the length of the prefix is missing, as in '{ip}/{usual}'")));
        };
        if len.parse().is_ok_and(|len: u32| len > Family::of(ip).bits().into()) {
            return Err(invalid("the address has fewer bits".into()));
        }
        let network: IpNetwork =
            text.parse().map_err(|e: IpNetworkError| invalid(escaped(e.to_string().as_bytes())))?;
        match network.ip() {
            ip if ip.is_unspecified() => Err(invalid("it is the unspecified address".into())),
            ip if ip.is_multicast() => Err(invalid("it is a multicast address".into())),
            _ => Ok(Self(network)),
        }
    }
}

impl Serialize for IfAddr {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl fmt::Display for IfAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::Inet } else { Self::Inet6 }
    }

    /// ip's word for it: `inet` or `inet6`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Inet6 => "inet6",
        }
    }

    /// The length of an address, in bits.
    #[must_use]
    pub fn bits(self) -> u8 {
        match self {
            Self::Inet => 32,
            Self::Inet6 => 128,
        }
    }

    /// The address of no host: `0.0.0.0` or `::`.
    #[must_use]
    pub fn unspecified(self) -> IpAddr {
        match self {
            Self::Inet => std::net::Ipv4Addr::UNSPECIFIED.into(),
            Self::Inet6 => std::net::Ipv6Addr::UNSPECIFIED.into(),
        }
    }
}

/// A set of addresses: those that begin with the same bits. Bits beyond the length are kept as they
/// were given, because the kernel refuses them in a route, with its own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    ip: IpAddr,
    len: u8,
}

impl Prefix {
    /// A prefix of this many bits.
    ///
    /// # Errors
    ///
    /// `Invalid` where the address has fewer bits.
    pub fn new(ip: IpAddr, len: u8) -> Result<Self> {
        if len > Family::of(ip).bits() {
            return Err(Error::invalid("use prefix", format!("'{ip}/{len}'"), "the address has fewer bits"));
        }
        Ok(Self { ip, len })
    }

    /// One address.
    #[must_use]
    pub fn host(ip: IpAddr) -> Self {
        Self { ip, len: Family::of(ip).bits() }
    }

    /// All addresses of a family: `default`.
    #[must_use]
    pub fn all(family: Family) -> Self {
        Self { ip: family.unspecified(), len: 0 }
    }

    /// Its address, as it was given.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        self.ip
    }

    /// The number of bits that count.
    #[must_use]
    pub fn prefix_len(self) -> u8 {
        self.len
    }

    /// Whether no bit counts, so that it holds every address.
    #[must_use]
    pub fn is_all(self) -> bool {
        self.len == 0
    }

    /// Whether all addresses of another prefix are in this one.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        let network = |ip: IpAddr| IpNetwork::new(ip, self.len).map(|network| network.network());
        self.len <= other.len && self.family() == other.family() && network(self.ip) == network(other.ip)
    }

    /// Whether every bit counts.
    #[must_use]
    pub fn is_host(self) -> bool {
        self.len == self.family().bits()
    }

    /// The family of its addresses.
    #[must_use]
    pub fn family(self) -> Family {
        Family::of(self.ip)
    }
}

impl Serialize for Prefix {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.len)
    }
}

/// The hardware address of an Ethernet interface: `02:00:00:00:00:01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mac([u8; 6]);

impl Mac {
    /// The six bytes, first on the wire first.
    #[must_use]
    pub fn octets(self) -> [u8; 6] {
        self.0
    }

    /// Makes a locally administered unicast address of random bytes, as the kernel does.
    #[must_use]
    pub(crate) fn from_random(mut bytes: [u8; 6]) -> Self {
        bytes[0] = (bytes[0] & 0xfe) | 0x02;
        Self(bytes)
    }
}

impl From<[u8; 6]> for Mac {
    fn from(octets: [u8; 6]) -> Self {
        Self(octets)
    }
}

impl FromStr for Mac {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let invalid = |reason: &'static str| Error::invalid("use MAC address", quoted(OsStr::new(text)), reason);
        let mut octets = [0; 6];
        let mut groups = text.split(':');
        for octet in &mut octets {
            let group = groups.next().filter(|g| (1..=2).contains(&g.len()) && !g.starts_with('+'));
            *octet = group
                .and_then(|g| u8::from_str_radix(g, 16).ok())
                .ok_or_else(|| invalid("it is not six hexadecimal bytes, as in '02:00:00:00:00:01'"))?;
        }
        match (groups.next(), octets) {
            (Some(_), _) => Err(invalid("it is longer than six bytes")),
            (None, [0, 0, 0, 0, 0, 0]) => Err(invalid("it is all zeros")),
            (None, [first, ..]) if first & 1 == 1 => Err(invalid("it is a multicast address")),
            _ => Ok(Self(octets)),
        }
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// One end of a link: `[NS:]IF[=ADDR/LEN[,ADDR/LEN…]]`.
///
/// Interface names cannot contain `:`, so the last one before the first `=` separates. A namespace
/// or an interface whose name holds `=` cannot be written so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Where the end lives; `None` where it was not said.
    pub ns: Option<NsRef>,
    /// What the interface is called there.
    pub ifname: IfName,
    /// The addresses it carries, in order.
    pub addrs: Vec<IfAddr>,
}

impl End {
    /// Parses an end; the namespace's name may hold bytes that are not UTF-8.
    ///
    /// # Errors
    ///
    /// `Invalid`, with the part that is wrong.
    pub fn new(text: impl AsRef<OsStr>) -> Result<Self> {
        let bytes = text.as_ref().as_bytes();
        let (place, addrs) = match bytes.iter().position(|&b| b == b'=') {
            Some(at) => (&bytes[..at], Some(&bytes[at + 1..])),
            None => (bytes, None),
        };
        let (ns, ifname) = split_place(place)?;
        let ifname = ifname.parse()?;
        let addrs =
            addrs.map_or(Ok(Vec::new()), |list| utf8(list, "use address")?.split(',').map(str::parse).collect())?;
        Ok(Self { ns, ifname, addrs })
    }
}

/// A link to look for: `[NS:]IF`, wherever ip takes a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Where it lives; `None` where it was not said.
    pub ns: Option<NsRef>,
    /// Its name, or an altname: up to 127 bytes.
    pub name: String,
}

impl Device {
    /// Parses a device; the namespace's name may hold bytes that are not UTF-8.
    ///
    /// # Errors
    ///
    /// `Invalid`, with the part that is wrong.
    pub fn new(text: impl AsRef<OsStr>) -> Result<Self> {
        let (ns, name) = split_place(text.as_ref().as_bytes())?;
        let bad = |c: char| c == '/' || c == '\0' || c.is_whitespace();
        if name.is_empty() || name.len() > 127 || name.contains(bad) {
            return Err(Error::invalid("use interface name", quoted(OsStr::new(name)), "no link can have this name"));
        }
        Ok(Self { ns, name: name.to_owned() })
    }
}

fn split_place(place: &[u8]) -> Result<(Option<NsRef>, &str)> {
    let (ns, ifname) = match place.iter().rposition(|&b| b == b':') {
        Some(at) => (Some(&place[..at]), &place[at + 1..]),
        None => (None, place),
    };
    let ns = ns.map(|bytes| NsRef::new(OsString::from_vec(bytes.to_vec()))).transpose()?;
    Ok((ns, utf8(ifname, "use interface name")?))
}

fn utf8<'a>(bytes: &'a [u8], op: &'static str) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|_| Error::invalid(op, quoted(OsStr::from_bytes(bytes)), "it is not UTF-8"))
}

impl FromStr for End {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arbitrary::{bytes, if_addrs, if_names, is_plain, ns_refs, text, written};

    fn end(text: &str) -> End {
        text.parse().unwrap()
    }

    #[test]
    fn an_end_is_a_namespace_an_interface_and_addresses() {
        let full = end("red:eth0=10.0.0.1/24,fd00::1/64");
        assert_eq!(full.ns, Some("red".parse().unwrap()));
        assert_eq!(full.ifname.as_str(), "eth0");
        assert_eq!(full.addrs.iter().map(IfAddr::to_string).collect::<Vec<_>>(), ["10.0.0.1/24", "fd00::1/64"]);
        assert_eq!(end("eth0"), End { ns: None, ifname: "eth0".parse().unwrap(), addrs: vec![] });
    }

    #[test]
    fn the_last_colon_before_the_first_equals_sign_separates() {
        assert_eq!(end("a:b:eth0").ns, Some("a:b".parse().unwrap()));
        assert_eq!(end("pid:7:eth0=fd00::1/64").ns, Some(NsRef::Pid(7)));
        assert_eq!(end("/proc/1/ns/net:eth0").ns, Some(NsRef::Path("/proc/1/ns/net".into())));
        assert_eq!(end(".:eth0").ns, Some(NsRef::Current));
    }

    #[test]
    fn bad_ends_are_refused_with_the_part_that_is_wrong() {
        for (bad, part) in [
            ("", "interface name"),
            ("red:", "interface name"),
            (":eth0", "namespace name"),
            ("eth0=", "address"),
            ("eth0=10.0.0.1", "as in '10.0.0.1/24'"),
            ("eth0=10.0.0.1/33", "address"),
            ("eth0=10.0.0.1/24,", "address"),
            ("eth0=224.0.0.1/24", "multicast"),
            ("eth0=::/64", "unspecified"),
            ("a/b/c:eth0", "namespace name"),
        ] {
            let error = bad.parse::<End>().unwrap_err().to_string();
            assert!(error.contains(part), "{bad}: {error}");
        }
    }

    #[test]
    fn a_device_is_looked_up_by_names_longer_than_can_be_given() {
        let device = Device::new("red:an-altname-of-many-bytes").unwrap();
        assert_eq!((device.ns, device.name.as_str()), (Some("red".parse().unwrap()), "an-altname-of-many-bytes"));
        for bad in ["", "red:", "a b", "a/b", &"x".repeat(128)] {
            assert!(Device::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_mac_address_is_six_unicast_bytes() {
        assert_eq!("2:0:0:0:0:1f".parse::<Mac>().unwrap().to_string(), "02:00:00:00:00:1f");
        for bad in [
            "",
            "02:00:00:00:00",
            "02:00:00:00:00:01:02",
            "0g:00:00:00:00:01",
            "01:00:00:00:00:01",
            "0:0:0:0:0:0",
            "+2:0:0:0:0:1",
        ] {
            assert!(bad.parse::<Mac>().is_err(), "{bad:?}");
        }
        assert_eq!(Mac::from_random([0xff; 6]).to_string(), "fe:ff:ff:ff:ff:ff");
    }

    /// `[NS:]IF[=ADDR/LEN…]`, as a user writes it.
    fn end_as_written(End { ns, ifname, addrs }: &End) -> OsString {
        let mut bytes = ns.as_ref().map(|ns| [&written(ns)[..], b":"].concat()).unwrap_or_default();
        bytes.extend(ifname.as_str().as_bytes());
        for (at, addr) in addrs.iter().enumerate() {
            bytes.push(if at == 0 { b'=' } else { b',' });
            bytes.extend(addr.to_string().as_bytes());
        }
        OsString::from_vec(bytes)
    }

    fn ends() -> impl Strategy<Value = End> {
        let addrs = prop::collection::vec(if_addrs(), 0..4);
        let any = (prop::option::of(ns_refs()), if_names(), addrs);
        let any = any.prop_map(|(ns, ifname, addrs)| End { ns, ifname, addrs });
        any.prop_filter("what holds '=' cannot be written", |end| {
            let place = End { addrs: Vec::new(), ..end.clone() };
            !end_as_written(&place).as_bytes().contains(&b'=')
        })
    }

    /// What is written correctly but for one byte, and what is not written at all.
    fn near_ends() -> impl Strategy<Value = Vec<u8>> {
        let changed = (ends(), any::<prop::sample::Index>(), bytes()).prop_map(|(end, at, other)| {
            let mut bytes = end_as_written(&end).into_vec();
            let at = at.index(bytes.len());
            bytes.splice(at..=at, other.into_iter().take(1));
            bytes
        });
        prop_oneof![changed, bytes()]
    }

    proptest! {
        #[test]
        fn an_end_reads_back_as_it_was_written(end in ends()) {
            prop_assert_eq!(End::new(end_as_written(&end)).unwrap(), end);
        }

        #[test]
        fn a_device_reads_back_as_it_was_written(ns in prop::option::of(ns_refs()), ifname in if_names()) {
            let place = End { ns, ifname, addrs: Vec::new() };
            let device = Device::new(end_as_written(&place)).unwrap();
            prop_assert_eq!((device.ns, device.name.as_str()), (place.ns, place.ifname.as_str()));
        }

        #[test]
        fn what_is_no_end_and_no_device_is_refused_in_plain_text(bytes in near_ends()) {
            let text = OsString::from_vec(bytes);
            for error in [End::new(&text).err(), Device::new(&text).err()].into_iter().flatten() {
                prop_assert!(is_plain(&error), "{error:?}");
            }
        }

        #[test]
        fn an_address_reads_back_as_it_prints_or_is_refused_in_plain_text(bytes in near_ends()) {
            let text = String::from_utf8_lossy(&bytes);
            match text.split('=').next_back().unwrap().parse::<IfAddr>() {
                Ok(addr) => prop_assert_eq!(addr.to_string().parse::<IfAddr>().unwrap(), addr),
                Err(error) => prop_assert!(is_plain(&error), "{error:?}"),
            }
        }

        #[test]
        fn a_mac_address_reads_back_as_it_prints(octets in any::<[u8; 6]>()) {
            let mac = Mac::from_random(octets);
            prop_assert_eq!(mac.to_string().parse::<Mac>().unwrap(), mac);
        }

        #[test]
        fn what_is_no_mac_address_is_refused_in_plain_text(text in text()) {
            match text.parse::<Mac>() {
                Ok(mac) => prop_assert_eq!(mac.to_string().parse::<Mac>().unwrap(), mac),
                Err(error) => prop_assert!(is_plain(&error), "{error:?}"),
            }
        }
    }
}
