//! What there is of a lab: from the kernel, by marks only.
//!
//! A namespace is the lab's if the alias of its `lo` says so and its name agrees. In it, a link is the
//! lab's by its group, a route by its protocol, a setting by an altname of `lo`. In the starting namespace a
//! link is the lab's if its other end is.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    path::PathBuf,
    thread,
};

use super::{
    files, mark, runs,
    site::{self, Inside, Site, Sites},
    state::{LinkState, LinkWhat, Place, RouteState, Space, State},
    step::{At, word_of},
};
use crate::{
    addr::{Family, IfAddr},
    error::{Error, ErrorKind, Result},
    name::{IfName, LabName, NsName},
    netlink::{
        addr::{Addr, AddrFlags},
        kind::Kind,
        link::{LOOPBACK_INDEX, Link, Lower},
        observer::Observer,
        raw::{Refusal, Socket},
        route::{MetricValue, Route, TABLE_MAIN},
        seen::SeenLink,
    },
    netns::{self, Netns, NetnsId, Standing},
};

/// What the kernel chooses for an IPv6 route that no metric was given; for IPv4 it is 0.
const USUAL_METRIC_V6: u32 = 1024;
/// What the kernel says of a namespace that has no id because it is gone (`NETNSA_NSID_NOT_ASSIGNED`).
const NSID_NONE: i32 = -1;
/// The MTU among what a route tells TCP and others.
const RTAX_MTU: u16 = 2;

/// A lab as it was found, with what is needed to change it.
#[derive(Default)]
pub(super) struct Observed {
    pub state: State,
    pub sites: Sites,
    /// From where it was looked, if it was looked into a namespace. When it goes, the kernel clears it away for tens of
    /// milliseconds in which nobody can change much else.
    pub observer: Option<Observer>,
    /// Names that would be the lab's and have no mark of it, or are no namespaces.
    pub strangers: Vec<Stranger>,
    /// Names that would be the lab's, behind which nothing is.
    pub dead: Vec<NsName>,
    /// Links that are not the lab's, wherever it has something, and in the starting namespace.
    pub others: BTreeSet<At>,
    /// Files that lie where the lab's would, without a mark of it.
    pub foreign_files: Vec<(Place, PathBuf)>,
    /// Files of nodes that have no namespace.
    pub stray_files: BTreeMap<Place, files::Files>,
    /// Whether commands of the lab run in what is no node any more, because somebody took its name.
    pub stray_runs: bool,
    /// Ends of pairs in the starting namespace that were a lab's and are about to go, because the other one
    /// has gone: by their names, with their indices.
    pub dying: BTreeMap<IfName, u32>,
    /// Links that carry packets.
    pub operational: BTreeSet<At>,
    /// The ends in the starting namespace of all pairs that lead into the lab, also of those that somebody
    /// else made, by where they lead.
    pub ends_here: BTreeMap<Place, Vec<u32>>,
    /// Namespaces that have a pair whose other end is neither in the lab nor in the starting namespace.
    pub leading_out: BTreeSet<Place>,
}

/// A name that is not the lab's, though it looks so.
pub(super) struct Stranger {
    pub place: Place,
    pub name: NsName,
    pub why: String,
    /// Whether it has a mark of the lab, and another name than that says.
    pub is_renamed: bool,
}

/// Looks at a lab. `desired` tells which options of links are compared; `known` are connections that are
/// open already, which are taken over unless this fails. An observer that there is goes where this fails: what it was told
/// and did not read would be in the way.
pub(super) fn observe(
    lab: &LabName,
    desired: &State,
    known: &mut Sites,
    mut from: Option<Observer>,
) -> Result<Observed> {
    let here = Netns::current()?;
    let mut names = Names::find(lab)?;
    if let Some(named) = names.alive.iter().find(|named| named.ns.id() == here.id()) {
        let why = format!("the current namespace is {}, one of its own: do it outside of the lab", named.name);
        return Err(Error::of_kind(ErrorKind::Os, "look at lab", lab, why));
    }
    // What is seen from outside and what is found inside need not wait for each other.
    let (sight, visits) = thread::scope(|scope| {
        let visit = || visit_all(&here, &names.alive, known, None);
        let visits =
            thread::Builder::new().spawn_scoped(scope, visit).map_err(|e| Error::os("start", "a thread", e))?;
        let sight = Sight::of(&here, &names.alive, &mut from, Depth::LinksAndAddrs);
        let visits = visits.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok::<_, Error>((sight?, visits))
    })?;
    let mut sight = sight;
    names.keep_marked(lab, &mut sight);
    let mut observed = Observed { strangers: names.strangers, dead: names.dead, ..Observed::default() };
    observed.add_files(lab, files::texts_of(desired))?;
    let homes = visits.iter().map(|visit| (visit.id, visit.place.clone())).collect();
    let (running, strays) = runs::running(lab, &homes)?;
    observed.stray_runs = strays;
    // From here on nothing fails: whoever looked has the connections still if it did.
    observed.observer = from;
    let ends = Ends::of(&sight);
    for Visit { place, name, id, opened, inside } in visits {
        let socket = opened.or_else(|| known.remove(&place).map(|site| site.socket));
        if let Some(socket) = socket {
            observed.add(desired, &ends, (place, Site::new(name, id, socket)), inside);
        }
    }
    observed.share_files();
    for (place, runs) in running {
        if let Some(space) = observed.state.spaces.get_mut(&place) {
            space.runs = runs;
        }
    }
    Ok(observed)
}

/// What of a lab has to be known to remove it: where its pairs lead, and its files. Nothing is entered for
/// it. Returns the namespaces too.
pub(super) fn outline(lab: &LabName) -> Result<(Observed, Vec<Named>)> {
    let mut names = Names::find(lab)?;
    let mut from = None;
    let mut sight = Sight::of(&Netns::current()?, &names.alive, &mut from, Depth::Links)?;
    names.keep_marked(lab, &mut sight);
    let mut observed = Observed { strangers: names.strangers, dead: names.dead, observer: from, ..Observed::default() };
    observed.add_files(lab, files::Texts::default())?;
    let ends = Ends::of(&sight);
    for (place, view) in &sight.views {
        view.links.iter().for_each(|seen| observed.note_way_out(&ends, place, &seen.link));
    }
    let here = sight.views.get(&Place::Here).into_iter().flat_map(|view| &view.links);
    observed.dying.extend(here.filter_map(|seen| dying(&seen.link)));
    Ok((observed, names.alive))
}

/// Namespaces that are no lab's, seen as if everything in them were one's.
pub(super) struct Survey {
    pub observed: Observed,
    /// All links of each place, and their addresses.
    pub raw: BTreeMap<Place, (Vec<Link>, Vec<Addr>)>,
    /// Their routes, with what a lab file could say of each.
    pub routes: BTreeMap<Place, Vec<(Route, Option<RouteState>)>>,
    /// How many rules and neighbours somebody gave each place; a lab file has none.
    pub untold: BTreeMap<Place, Untold>,
}

/// What a lab file cannot say of a namespace.
pub(super) struct Untold {
    pub rules: usize,
    pub neighbours: usize,
}

/// Looks at namespaces, and at the ends of their links in the starting one. Of settings, those of `keys`.
pub(super) fn survey(named: &[Named], keys: &BTreeSet<String>) -> Result<Survey> {
    let here = Netns::current()?;
    let sight = Sight::of(&here, named, &mut None, Depth::LinksAndAddrs)?;
    let visits = site::on_a_thread(|| visit_all(&here, named, &mut Sites::new(), Some(keys)))?;
    let ends = Ends { all: true, ..Ends::of(&sight) };
    let mut survey = Survey {
        observed: Observed::default(),
        raw: BTreeMap::new(),
        routes: BTreeMap::new(),
        untold: BTreeMap::new(),
    };
    for Visit { place, name, id, opened, inside } in visits {
        let (Some(mut socket), Some(view)) = (opened, sight.views.get(&place)) else { continue };
        if place != Place::Here {
            let failed = |e: Refusal| e.into_error("look into", site::word_of_name(name.as_ref()));
            let rules = socket.count_rules().map_err(failed)?;
            let neighbours = socket.count_permanent_neighbours().map_err(failed)?;
            survey.untold.insert(place.clone(), Untold { rules, neighbours });
            let routes = socket.all_routes().map_err(failed)?;
            let told = routes.into_iter().map(|route| {
                let told = route_state(&route, view);
                (route, told)
            });
            survey.routes.insert(place.clone(), told.collect());
        }
        let links = view.links.iter().map(|seen| seen.link.clone()).collect();
        survey.raw.insert(place.clone(), (links, view.addrs.clone()));
        survey.observed.add(&State::default(), &ends, (place, Site::new(name, id, socket)), inside);
    }
    Ok(survey)
}

/// A namespace that was found by its name.
pub(super) struct Named {
    pub place: Place,
    pub name: NsName,
    pub ns: Netns,
}

/// What the names in `/run/netns` say of a lab.
struct Names {
    alive: Vec<Named>,
    strangers: Vec<Stranger>,
    dead: Vec<NsName>,
}

impl Names {
    fn find(lab: &LabName) -> Result<Self> {
        let mut found = Self { alive: Vec::new(), strangers: Vec::new(), dead: Vec::new() };
        for name in netns::list()? {
            if let Some(place) = mark::place_in(lab, name.as_os_str()) {
                found.look(name, place)?;
            }
        }
        Ok(found)
    }

    fn look(&mut self, name: NsName, place: Place) -> Result<()> {
        match Standing::of(&name)? {
            Some(Standing::Alive(ns)) => self.alive.push(Named { place, name, ns }),
            Some(Standing::Dead) => self.dead.push(name),
            Some(Standing::Foreign(why)) => {
                self.strangers.push(Stranger { place, name, why, is_renamed: false });
            }
            // It went meanwhile.
            None => {}
        }
        Ok(())
    }

    /// A name is believed only where the mark agrees.
    fn keep_marked(&mut self, lab: &LabName, sight: &mut Sight) {
        let is_marked = |named: &Named| sight.views.get(&named.place).is_some_and(|view| view.is_of(lab, &named.place));
        let (alive, strangers) = std::mem::take(&mut self.alive).into_iter().partition(is_marked);
        self.alive = alive;
        for Named { place, name, .. } in strangers {
            let mark = sight.views.remove(&place).and_then(|view| mark::read_note(view.loopback()?.alias.as_deref()?));
            let is_renamed = mark.as_ref().is_some_and(|(of, _)| of == lab);
            let why = match mark.filter(|_| is_renamed) {
                Some((_, was)) => format!("by its mark it is '{}' of lab {lab}, and was renamed", word_of(&was)),
                None => format!("it is no namespace of the lab {lab}: its 'lo' has no mark of it"),
            };
            self.strangers.push(Stranger { place, name, why, is_renamed });
        }
    }
}

/// Whether a namespace has the mark of a lab and a place.
pub(super) fn marks_of(namespaces: &[Named]) -> Result<Vec<Option<(LabName, Place)>>> {
    let sockets = site::on_a_thread(|| {
        let open = |named: &Named| {
            named.ns.enter()?;
            let mut socket = Socket::open().map_err(|e| Error::os("open a netlink socket in", &named.ns, e))?;
            socket.note_of_loopback().map_err(|e| e.into_error("look at 'lo' in", &named.ns))
        };
        namespaces.iter().map(open).collect::<Result<Vec<_>>>()
    })?;
    Ok(sockets.into_iter().map(|note| mark::read_note(&note?)).collect())
}

/// All namespaces of a lab and the starting one, seen from a place where each has the same id whoever
/// mentions it.
struct Sight {
    views: BTreeMap<Place, View>,
}

/// One namespace, as it is seen from outside.
struct View {
    /// Its id for the observer; none where there is no observer, because nothing leads anywhere.
    nsid: Option<u32>,
    links: Vec<SeenLink>,
    addrs: Vec<Addr>,
}

/// What each namespace is asked for.
#[derive(Clone, Copy)]
enum Depth {
    Links,
    LinksAndAddrs,
}

impl Sight {
    fn of(here: &Netns, named: &[Named], observer: &mut Option<Observer>, depth: Depth) -> Result<Self> {
        if named.is_empty() {
            // This takes no privilege.
            let mut socket = Socket::open().map_err(|e| Error::os("open a netlink socket in", here, e))?;
            let links = socket.seen_links().map_err(|e| e.into_error("list links in", here))?;
            return Ok(Self { views: [(Place::Here, View { nsid: None, links, addrs: Vec::new() })].into() });
        }
        let observer = the_one(observer)?;
        let places = std::iter::once(&Place::Here).chain(named.iter().map(|named| &named.place));
        let namespaces: Vec<&Netns> = std::iter::once(here).chain(named.iter().map(|named| &named.ns)).collect();
        let ids = observer.meet(&namespaces)?;
        let mut views = BTreeMap::new();
        for ((place, ns), id) in places.zip(&namespaces).zip(ids) {
            let failed = |e: Refusal| e.into_error("look into", ns);
            let id = id.map_err(failed)?;
            let links = observer.seen_links(id).map_err(failed)?;
            let addrs = match depth {
                Depth::Links => Vec::new(),
                Depth::LinksAndAddrs => observer.addrs(id).map_err(failed)?,
            };
            views.insert(place.clone(), View { nsid: Some(id), links, addrs });
        }
        Ok(Self { views })
    }
}

impl View {
    fn loopback(&self) -> Option<&Link> {
        self.links.iter().map(|seen| &seen.link).find(|link| link.index == LOOPBACK_INDEX)
    }

    fn is_of(&self, lab: &LabName, place: &Place) -> bool {
        let note = self.loopback().and_then(|lo| lo.alias.as_deref());
        note == Some(&mark::note(lab, place))
    }
}

/// What was found inside of a namespace.
struct Visit {
    place: Place,
    name: Option<NsName>,
    id: NetnsId,
    /// The connection, where none was known.
    opened: Option<Socket>,
    inside: Inside,
}

/// Opens what is not open yet, and looks around inside of each; of settings, at `keys`, or those that are marked. The
/// calling thread must be about to end.
fn visit_all(here: &Netns, named: &[Named], known: &mut Sites, keys: Option<&BTreeSet<String>>) -> Result<Vec<Visit>> {
    let here = (&Place::Here, None, here);
    let all = std::iter::once(here).chain(named.iter().map(|named| (&named.place, Some(&named.name), &named.ns)));
    let visit = |(place, name, ns): (&Place, Option<&NsName>, &Netns)| {
        let known = known.get_mut(place).filter(|site| site.id == ns.id()).map(|site| &mut site.socket);
        let (opened, inside) = site::look_inside(ns, known, keys.filter(|_| name.is_some()))?;
        Ok(Visit { place: place.clone(), name: name.cloned(), id: ns.id(), opened, inside })
    };
    all.map(visit).collect()
}

/// Makes one where there is none.
fn the_one(observer: &mut Option<Observer>) -> Result<&mut Observer> {
    match observer {
        Some(observer) => Ok(observer),
        None => Ok(observer.insert(Observer::new()?)),
    }
}

impl Observed {
    /// The observer, which is made where nothing was there to be looked into.
    pub(super) fn observer(&mut self) -> Result<&Observer> {
        the_one(&mut self.observer).map(|observer| &*observer)
    }

    fn add(&mut self, desired: &State, ends: &Ends<'_>, (place, mut site): (Place, Site), inside: Inside) {
        let Some(view) = ends.views.get(&place) else { return };
        let sysctls = if place == Place::Here { BTreeMap::new() } else { inside.sysctls };
        let mut space = Space { sysctls, ..Space::default() };
        for seen in &view.links {
            site.next_index = site.next_index.max(seen.link.index + 1);
            self.note_way_out(ends, &place, &seen.link);
            let Ok(name) = seen.link.name.parse::<IfName>() else { continue };
            site.note_link(name.clone(), seen.link.index);
            let at = At { place: place.clone(), name };
            if seen.link.index == LOOPBACK_INDEX {
                space.links.extend(lo_that_is_down(&seen.link, &at));
            } else if ends.is_ours(&place, &seen.link) {
                let wanted = desired.spaces.get(&place).and_then(|space| space.links.get(&at.name));
                space.links.insert(at.name.clone(), ends.state_of(&at, seen, view, wanted));
                self.operational.extend((seen.link.operstate == "UP").then_some(at));
            } else {
                if place == Place::Here && is_marked_here(&seen.link) && ends.peer(&place, &seen.link).is_none() {
                    self.dying.insert(at.name.clone(), seen.link.index);
                }
                self.others.insert(at);
            }
        }
        space.routes = inside.routes.iter().filter_map(|route| route_state(route, view)).collect();
        // Those of other labs lead through other links, also where this is the starting namespace of one.
        space.routes.retain(|route| match &route.dev {
            Some(dev) => space.links.contains_key(dev) || (*dev == lo() && place != Place::Here),
            None => place != Place::Here,
        });
        if place == Place::Here {
            space.links.remove(&lo());
        }
        self.sites.insert(place.clone(), site);
        if place != Place::Here || !space.links.is_empty() {
            self.state.spaces.insert(place, space);
        }
    }

    /// Where a pair leads that goes with its namespace.
    fn note_way_out(&mut self, ends: &Ends<'_>, place: &Place, link: &Link) {
        match ends.peer(place, link) {
            Some((far, _)) if *place == Place::Here && *far != Place::Here => {
                self.ends_here.entry(far.clone()).or_default().push(link.index);
            }
            None if link.is_pair() && *place != Place::Here => drop(self.leading_out.insert(place.clone())),
            _ => {}
        }
    }

    /// Files outlive their namespace where something was cut off.
    fn add_files(&mut self, lab: &LabName, mut texts: files::Texts) -> Result<()> {
        for place in files::places(lab)? {
            let found = files::read(lab, &place, &mut texts)?;
            self.foreign_files.extend(found.foreign.map(|path| (place.clone(), path)));
            self.stray_files.insert(place, found.files);
        }
        Ok(())
    }

    /// Gives files to the namespaces that they are of.
    fn share_files(&mut self) {
        for (place, space) in &mut self.state.spaces {
            space.files = self.stray_files.remove(place).unwrap_or_default();
        }
        // Nothing where there is nothing is not astray.
        let foreign: BTreeSet<&Place> = self.foreign_files.iter().map(|(place, _)| place).collect();
        self.stray_files.retain(|place, files| !files.is_empty() || !foreign.contains(place));
    }
}

fn lo() -> IfName {
    "lo".parse().expect("it is a name")
}

/// `lo` is told of only where it is not what it always should be.
fn lo_that_is_down(link: &Link, at: &At) -> Option<(IfName, LinkState)> {
    let what = LinkWhat::Kind { kind: Box::new(Kind::Dummy), lower: None };
    let down = LinkState { what, mac: None, mtu_bytes: None, up: false, master: None, addrs: BTreeSet::new() };
    (!link.is_up()).then(|| (at.name.clone(), down))
}

/// Which links belong together.
struct Ends<'a> {
    views: &'a BTreeMap<Place, View>,
    /// Whether what has no mark counts too.
    all: bool,
    /// By the ids of their namespaces and their indices.
    by_index: HashMap<(u32, u32), (&'a Place, &'a Link)>,
}

impl<'a> Ends<'a> {
    fn of(sight: &'a Sight) -> Self {
        let mut by_index = HashMap::new();
        for (place, view) in &sight.views {
            let Some(nsid) = view.nsid else { continue };
            by_index.extend(view.links.iter().map(|seen| ((nsid, seen.link.index), (place, &seen.link))));
        }
        Self { views: &sight.views, all: false, by_index }
    }

    /// The other end of a pair, where it is in one of the places that are seen.
    fn peer(&self, place: &Place, link: &Link) -> Option<(&Place, &Link)> {
        let own = self.views.get(place)?.nsid?;
        let nsid = link.lower_nsid.map_or(Some(own), |id| u32::try_from(id).ok())?;
        let found = self.by_index.get(&(nsid, link.lower_index()?)).filter(|_| link.is_pair());
        found.map(|(place, link)| (*place, *link))
    }

    fn is_ours(&self, place: &Place, link: &Link) -> bool {
        match place {
            Place::Here => self.peer(place, link).is_some_and(|(far, link)| *far != Place::Here && self.counts(link)),
            _ => self.counts(link),
        }
    }

    fn counts(&self, link: &Link) -> bool {
        self.all || has_mark(link)
    }

    fn state_of(&self, at: &At, seen: &SeenLink, view: &View, wanted: Option<&LinkState>) -> LinkState {
        let link = &seen.link;
        let wanted_kind = wanted.and_then(|wanted| match &wanted.what {
            LinkWhat::Kind { kind, .. } => Some(&**kind),
            LinkWhat::Veth { .. } => None,
        });
        let peer = self.peer(&at.place, link).filter(|(place, link)| self.is_ours(place, link));
        let peer = peer.and_then(|(place, link)| Some((place.clone(), link.name.parse().ok()?)));
        let what = match peer {
            Some(peer) => LinkWhat::Veth { peer },
            None => LinkWhat::Kind {
                kind: Box::new(
                    if self.all { seen.kind_told() } else { seen.kind_like(wanted_kind) }.unwrap_or(Kind::Veth),
                ),
                lower: lower_of(link),
            },
        };
        let none = BTreeSet::new();
        let wanted_addrs = wanted.map_or(&none, |wanted| &wanted.addrs);
        let own = view.addrs.iter().filter(|addr| addr.link_index == link.index);
        LinkState {
            what,
            mac: link.address.as_deref().and_then(|mac| mac.parse().ok()),
            mtu_bytes: link.mtu_bytes,
            up: link.is_up(),
            master: link.master.as_deref().and_then(|name| name.parse().ok()),
            addrs: own.filter_map(|addr| managed(addr, wanted_addrs)).collect(),
        }
    }
}

fn has_mark(link: &Link) -> bool {
    matches!(link.group, Some(mark::LINK_GROUP | mark::DOOMED_GROUP))
}

/// The same of an end in the starting namespace, which is a lab's for certain only where its other end is.
fn is_marked_here(link: &Link) -> bool {
    link.group == Some(mark::HERE_GROUP)
}

/// A lab's end of a pair whose other end was in a namespace that has gone: it goes as soon as the kernel comes to it.
fn dying(link: &Link) -> Option<(IfName, u32)> {
    let is_dying = is_marked_here(link) && link.is_pair() && link.lower_nsid == Some(NSID_NONE);
    is_dying.then(|| Some((link.name.parse().ok()?, link.index)))?
}

fn lower_of(link: &Link) -> Option<IfName> {
    match &link.lower {
        Some(Lower::Here(Some(name))) => name.parse().ok(),
        _ => None,
    }
}

/// An address, unless it is the kernel's own affair: link-local ones that nobody asked for, and those that
/// go by themselves, in whose place one that stays can be put.
fn managed(addr: &Addr, wanted: &BTreeSet<IfAddr>) -> Option<IfAddr> {
    let network = ipnetwork::IpNetwork::new(addr.local, addr.prefix_len).ok()?;
    let it = IfAddr::from(network);
    let link_local = matches!(addr.local, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let lasts = addr.flags.contains(AddrFlags::PERMANENT);
    (lasts && (!link_local || wanted.contains(&it))).then_some(it)
}

/// The metric that a route was given; 0 where it was given none.
pub(super) fn metric_of(route: &Route) -> u32 {
    let usual = if route.family() == Family::Inet6 { USUAL_METRIC_V6 } else { 0 };
    route.metric.filter(|&metric| metric != usual).unwrap_or(0)
}

fn route_state(route: &Route, view: &View) -> Option<RouteState> {
    let name = |index| view.links.iter().find(|seen| seen.link.index == index).map(|seen| seen.link.name.parse());
    let dev = if route.hop.device == 0 { None } else { Some(name(route.hop.device)?.ok()?) };
    let mtu = route.metrics.iter().find(|metric| metric.number == RTAX_MTU).and_then(|metric| match metric.value {
        MetricValue::Number(bytes) => Some(bytes),
        MetricValue::Text(_) => None,
    });
    let kind = route.kind?;
    Some(RouteState {
        dst: route.dst,
        kind: kind.name(),
        via: route.hop.via,
        // The kernel binds those that lead nowhere to `lo`.
        dev: dev.filter(|_| kind == crate::netlink::route::RouteKind::Unicast),
        metric: metric_of(route),
        table: route.table.unwrap_or(TABLE_MAIN),
        src: route.prefsrc,
        mtu_bytes: mtu,
        onlink: route.hop.onlink,
    })
}
