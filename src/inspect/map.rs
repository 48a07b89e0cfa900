//! The map: every namespace that can be found and every link between them, as a graph.

use std::collections::{BTreeMap, BTreeSet};

use rustix::io::Errno;

use crate::{
    error::{Error, ErrorKind, Result},
    name::NsName,
    netlink::{
        addr::Addr,
        link::Link,
        observer::{self, Listener, Observer},
    },
    netns::{self, Entry, Hold, Holder, Netns, NetnsId, State, Watch},
};

/// What there is, at one moment.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Map {
    /// The current namespace first, then those with names, by name, then the others.
    pub namespaces: Vec<Namespace>,
    /// The connections between links that are not within one namespace, and pairs also there; each once.
    pub wires: Vec<Wire>,
    /// How many processes could not be looked at, for want of privilege.
    pub unreadable: usize,
}

/// One namespace.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Namespace {
    /// `None` where nobody is known to hold it: it is there because a link leads to it.
    pub id: Option<NetnsId>,
    /// Its names in `/run/netns`, sorted.
    pub names: Vec<NsName>,
    /// Whether it is the one that was asked from.
    pub current: bool,
    /// Who holds it, except by a name in `/run/netns`, and except this process.
    pub holders: Vec<Holder>,
    /// Its links, by index, each with its addresses.
    pub links: Vec<(Link, Vec<Addr>)>,
    /// Why its links could not be read.
    pub unread: Option<String>,
}

/// A link of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// The position of the namespace in the map.
    pub namespace: usize,
    /// The position of the link there; `None` where the links there could not be read.
    pub link: Option<usize>,
}

/// How two links are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum WireKind {
    /// Both ends of a pair: veth, netkit.
    Pair,
    /// The first stands on the second: vlan, macvlan, ipvlan and so on.
    Lower,
    /// Two VXLAN ends that name each other's address.
    Vxlan,
}

/// A connection between links of different namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wire {
    /// Its ends.
    pub ends: [Port; 2],
    /// How they are connected.
    pub kind: WireKind,
    /// Whether both ends are up and have a carrier, as far as they could be read.
    pub live: bool,
}

/// Draws maps, and hears when one is outdated.
///
/// It looks from a namespace of its own, which takes the right to make one (`CAP_SYS_ADMIN`).
#[derive(Debug)]
pub struct Mapper {
    observer: Observer,
    changes: Listener,
}

const MORE_RIGHTS: &str = "it takes more rights to look into it";

/// Namespaces are held open while they are given ids, so many at a time.
const PART: usize = 64;

impl Mapper {
    /// Makes the place to look from.
    ///
    /// # Errors
    ///
    /// `Denied` without `CAP_SYS_ADMIN`; `Os` (`ENOSPC`) when `user.max_net_namespaces` is reached.
    pub fn new() -> Result<Self> {
        let observer = Observer::new()?;
        let changes = observer.listen()?;
        Ok(Self { observer, changes })
    }

    /// Looks at everything. A namespace that vanishes meanwhile is left out.
    ///
    /// # Errors
    ///
    /// `Os` if `/proc` or the kernel cannot be asked.
    pub fn map(&mut self) -> Result<Map> {
        let (mut found, unreadable) = find()?;
        let ids = self.meet(&found)?;
        let mut reading = Reading::default();
        for (namespace, id) in found.drain(..).zip(ids) {
            // One that could be opened a moment ago and has no id now has vanished.
            if let Some(id) = id {
                reading.wanted.push((id, namespace));
            }
        }
        reading.read(&mut self.observer)?;
        Ok(Map { unreadable, ..reading.into_map() })
    }

    /// Waits until a new map may look different: a link or an address changed in a namespace of the
    /// last map, one of them went, or a name came or went. A process that comes or goes is not heard.
    ///
    /// # Errors
    ///
    /// `NotFound` if `/run/netns` is removed; `Os` if the kernel cannot be asked.
    pub fn wait(&mut self, names: &mut Watch) -> Result<()> {
        loop {
            let renamed = names.wait_beside(&self.changes)?;
            if self.changes.heard_a_change()? || renamed {
                return Ok(());
            }
        }
    }

    fn meet(&mut self, found: &[Namespace]) -> Result<Vec<Option<u32>>> {
        let mut ids = Vec::with_capacity(found.len());
        for part in found.chunks(PART) {
            let opened: Vec<_> = part.iter().map(Namespace::open).collect();
            let living: Vec<_> = opened.iter().flatten().collect();
            let mut met = self.observer.meet(&living)?.into_iter();
            ids.extend(opened.iter().map(|ns| ns.as_ref().and_then(|_| met.next()?.ok())));
        }
        Ok(ids)
    }
}

impl Map {
    /// What is connected with these namespaces in whatever way, and they themselves.
    #[must_use]
    pub fn around(mut self, ids: &BTreeSet<NetnsId>) -> Self {
        let mut kept: Vec<bool> =
            self.namespaces.iter().map(|namespace| namespace.id.is_some_and(|id| ids.contains(&id))).collect();
        loop {
            let reaches = |wire: &&Wire| kept[wire.ends[0].namespace] != kept[wire.ends[1].namespace];
            let Some(wire) = self.wires.iter().find(reaches) else { break };
            wire.ends.iter().for_each(|end| kept[end.namespace] = true);
        }
        let positions: Vec<_> = kept
            .iter()
            .scan(0, |next, &kept| {
                *next += usize::from(kept);
                Some(*next - usize::from(kept))
            })
            .collect();
        self.wires.retain(|wire| kept[wire.ends[0].namespace]);
        for end in self.wires.iter_mut().flat_map(|wire| &mut wire.ends) {
            end.namespace = positions[end.namespace];
        }
        let mut keep = kept.into_iter();
        self.namespaces.retain(|_| keep.next().unwrap_or(false));
        self
    }

    /// What can be seen without the right to make a namespace: who is there, as far as that can be
    /// read, and of the current namespace the links, and where the names stand that they lead to.
    ///
    /// # Errors
    ///
    /// `Os` if `/proc` or the kernel cannot be asked.
    pub fn of_the_unprivileged() -> Result<Self> {
        let here = Netns::current()?;
        let (found, unreadable) = find()?;
        let mut reading = Reading::default();
        // Ids are those of the current namespace; what has none gets one that the kernel never gives.
        let mut own_ids = u32::MAX..;
        own_ids.start -= u32::try_from(found.len()).unwrap_or(u32::MAX / 2);
        for mut namespace in found {
            let opened: Vec<_> = namespace.open().into_iter().collect();
            let nsid = netns::nsids_of(&here, &opened)?.into_iter().flatten().next();
            if namespace.current {
                namespace.links = with_addrs(observer::own_links(&here)?);
            } else {
                namespace.unread = Some(MORE_RIGHTS.into());
            }
            reading.wanted.push((nsid.or_else(|| own_ids.next()).unwrap_or(u32::MAX), namespace));
        }
        reading.add_strangers("it takes more rights to look for it");
        Ok(Self { unreadable, ..reading.into_map() })
    }
}

impl Namespace {
    fn open(&self) -> Option<Netns> {
        let id = self.id?;
        let by_name = self.names.iter().filter_map(Netns::living).find(|ns| ns.id() == id);
        let current = || self.current.then(|| Netns::current().ok()).flatten();
        by_name.or_else(current).or_else(|| self.holders.iter().find_map(|holder| holder.open(id)))
    }

    /// The processes that live in it.
    pub fn processes(&self) -> impl Iterator<Item = &Holder> {
        self.holders.iter().filter(|holder| holder.hold == Hold::Process)
    }
}

/// Everything that somebody holds; in the order of the map.
fn find() -> Result<(Vec<Namespace>, usize)> {
    let current = Netns::current()?.id();
    let mut found: BTreeMap<NetnsId, Namespace> = BTreeMap::new();
    found.entry(current).or_default().current = true;
    for name in netns::list()? {
        if let Some(Entry { name, state: State::Alive(id), .. }) = Entry::look(name)? {
            found.entry(id).or_default().names.push(name);
        }
    }
    let holders = netns::all_holders()?;
    for (id, holder) in holders.found {
        if holder.pid != std::process::id() {
            let namespace = found.entry(id).or_default();
            // Its name says that already, unless it is one of another mount namespace.
            let is_name = matches!(&holder.hold, Hold::Mount(point) if point.starts_with(netns::RUN_DIR));
            if !is_name || namespace.names.is_empty() {
                namespace.holders.push(holder);
            }
        }
    }
    let mut found: Vec<_> = found.into_iter().map(|(id, namespace)| Namespace { id: Some(id), ..namespace }).collect();
    found.retain(|namespace| namespace.current || !namespace.names.is_empty() || !namespace.holders.is_empty());
    found.sort_by(|a, b| {
        let rank = |n: &Namespace| (!n.current, n.names.is_empty());
        let first_pid = |n: &Namespace| n.holders.iter().map(|holder| holder.pid).min();
        rank(a).cmp(&rank(b)).then_with(|| a.names.cmp(&b.names)).then_with(|| first_pid(a).cmp(&first_pid(b)))
    });
    Ok((found, holders.unreadable))
}

/// Namespaces by their ids at the observer, as they are read.
#[derive(Default)]
struct Reading {
    wanted: Vec<(u32, Namespace)>,
}

impl Reading {
    /// Reads the links of all, and of those that links lead to.
    ///
    /// # Errors
    ///
    /// `Denied` where not even the current one may be read so.
    fn read(&mut self, observer: &mut Observer) -> Result<()> {
        let mut known: BTreeSet<u32> = self.wanted.iter().map(|(id, _)| *id).collect();
        let mut at = 0;
        while let Some((id, namespace)) = self.wanted.get_mut(at) {
            match observer.links_and_addrs(*id) {
                Ok(read) => namespace.links = with_addrs(read),
                Err(refusal) if matches!(refusal.errno(), Some(Errno::INVAL)) => {
                    // It vanished; so did the links that led to it.
                    self.wanted.remove(at);
                    continue;
                }
                Err(refusal) if matches!(refusal.errno(), Some(Errno::ACCESS | Errno::PERM)) => {
                    if namespace.current {
                        return Err(Error::of_kind(
                            ErrorKind::Denied,
                            "look into",
                            "the current namespace",
                            MORE_RIGHTS,
                        ));
                    }
                    namespace.unread = Some(MORE_RIGHTS.into());
                }
                Err(refusal) => {
                    namespace.unread = Some(refusal.into_error("look into", "the namespace").to_string());
                }
            }
            let far = namespace.links.iter().filter_map(|(link, _)| far_id(link));
            let strangers: Vec<_> = far.filter(|id| known.insert(*id)).collect();
            self.wanted.extend(strangers.into_iter().map(|id| (id, Namespace::default())));
            at += 1;
        }
        Ok(())
    }

    /// Links may lead to what was not found.
    fn add_strangers(&mut self, unread: &str) {
        let mut known: BTreeSet<u32> = self.wanted.iter().map(|(id, _)| *id).collect();
        let links = self.wanted.iter().flat_map(|(_, namespace)| &namespace.links);
        let strangers: Vec<_> = links.filter_map(|(link, _)| far_id(link)).filter(|id| known.insert(*id)).collect();
        let stranger = |id| (id, Namespace { unread: Some(unread.to_owned()), ..Namespace::default() });
        self.wanted.extend(strangers.into_iter().map(stranger));
    }

    fn into_map(self) -> Map {
        let positions: BTreeMap<u32, usize> = self.wanted.iter().zip(0..).map(|((id, _), at)| (*id, at)).collect();
        let namespaces: Vec<Namespace> = self.wanted.into_iter().map(|(_, namespace)| namespace).collect();
        let mut wires = Vec::new();
        for (namespace, here) in namespaces.iter().zip(0..) {
            for (at, (link, _)) in namespace.links.iter().enumerate() {
                let port = Port { namespace: here, link: Some(at) };
                let there = match far_id(link) {
                    Some(id) => positions.get(&id).copied(),
                    None => (link.is_pair() && link.lower_nsid.is_none()).then_some(here),
                };
                wires.extend(there.and_then(|there| wire(&namespaces, port, there)));
            }
        }
        wires.extend(vxlan::wires(&namespaces));
        Map { namespaces, wires, unreadable: 0 }
    }
}

fn with_addrs((links, addrs): (Vec<Link>, Vec<Addr>)) -> Vec<(Link, Vec<Addr>)> {
    let mut by_index: BTreeMap<u32, Vec<Addr>> = BTreeMap::new();
    for addr in addrs {
        by_index.entry(addr.link_index).or_default().push(addr);
    }
    let with_own = |link: Link| {
        let own = by_index.remove(&link.index).unwrap_or_default();
        (link, own)
    };
    links.into_iter().map(with_own).collect()
}

fn far_id(link: &Link) -> Option<u32> {
    u32::try_from(link.lower_nsid?).ok()
}

/// The connection of a link to another namespace; nothing from the second end of a pair.
fn wire(namespaces: &[Namespace], port: Port, there: usize) -> Option<Wire> {
    let (link, _) = &namespaces[port.namespace].links[port.link?];
    let index = link.lower_index()?;
    let far = &namespaces[there];
    let at = far.links.iter().position(|(link, _)| link.index == index);
    if at.is_none() && far.unread.is_none() {
        // It went between two looks.
        return None;
    }
    let far_port = Port { namespace: there, link: at };
    let second = link.is_pair() && at.is_some() && far_port < port;
    let kind = if link.is_pair() { WireKind::Pair } else { WireKind::Lower };
    let live = is_live(link) && at.is_none_or(|at| is_live(&far.links[at].0));
    (!second).then_some(Wire { ends: [port, far_port], kind, live })
}

fn is_live(link: &Link) -> bool {
    link.is_up() && !link.flags.iter().any(|flag| flag == "NO-CARRIER")
}

/// VXLAN ends find each other by addresses, not by a link of the kernel's.
mod vxlan {
    use std::net::IpAddr;

    use super::{Namespace, Port, Wire, WireKind, is_live};
    use crate::netlink::{details::DetailValue, link::Link};

    struct End {
        port: Port,
        id: u64,
        remote: IpAddr,
        live: bool,
    }

    pub(super) fn wires(namespaces: &[Namespace]) -> Vec<Wire> {
        let ends: Vec<_> = namespaces.iter().zip(0..).flat_map(|(namespace, at)| ends(namespace, at)).collect();
        let mut wires = Vec::new();
        for (at, a) in ends.iter().enumerate() {
            let others = ends[at + 1..].iter().filter(|b| b.port.namespace != a.port.namespace && b.id == a.id);
            let meet = others.filter(|b| has(namespaces, b.port, a.remote) && has(namespaces, a.port, b.remote));
            wires.extend(meet.map(|b| Wire { ends: [a.port, b.port], kind: WireKind::Vxlan, live: a.live && b.live }));
        }
        wires
    }

    fn ends(namespace: &Namespace, at: usize) -> Vec<End> {
        let end = |(link, (device, _)): (usize, &(Link, Vec<_>))| {
            let number = |name| match detail(device, name)? {
                DetailValue::Number(number) => Some(*number),
                _ => None,
            };
            let remote = ["group", "remote"].iter().find_map(|name| match detail(device, name)? {
                DetailValue::Ip(ip) if !ip.is_multicast() => Some(*ip),
                _ => None,
            })?;
            let id = number("id").filter(|_| device.kind.as_deref() == Some("vxlan"))?;
            Some(End { port: Port { namespace: at, link: Some(link) }, id, remote, live: is_live(device) })
        };
        namespace.links.iter().enumerate().filter_map(end).collect()
    }

    fn detail<'a>(link: &'a Link, name: &str) -> Option<&'a DetailValue> {
        link.details.of_kind.as_ref()?.iter().find(|detail| detail.name == name).map(|detail| &detail.value)
    }

    fn has(namespaces: &[Namespace], port: Port, ip: IpAddr) -> bool {
        namespaces[port.namespace].links.iter().flat_map(|(_, addrs)| addrs).any(|addr| addr.local == ip)
    }
}
