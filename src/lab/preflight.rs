//! What the kernel must have and allow for exactly this lab, looked at before anything is touched.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use rustix::{
    io::fcntl_dupfd_cloexec,
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

use super::{
    mark,
    observe::{Observed, Stranger, metric_of},
    site,
    state::{LinkWhat, Place, RouteState, State},
    step::{At, Step},
    sysctl, work,
};
use crate::{
    addr::Family,
    error::{Error, ErrorKind, Result},
    name::{IfName, LabName, escaped},
    netlink::{
        birth::{self, End, Ties},
        kind::Kind,
        raw::Socket,
        route::{Route, TABLE_MAIN},
    },
    netns::{self, Netns},
};

/// The kernel numbers the ports of a bridge with ten bits, from 1 (`BR_MAX_PORTS`).
const MOST_PORTS: usize = 1023;
/// What a process has open beside a connection for each namespace, and more.
const OTHER_FILES: u64 = 64;

/// Makes room for as many open files as a lab needs.
pub(super) fn make_room(lab: &LabName, spaces: usize) -> Result<()> {
    // Each is open for a moment by its file too, while it is looked for.
    let needed = 2 * spaces as u64 + OTHER_FILES;
    raise_limit(lab, needed)?;
    grow_table(needed, &Netns::current()?);
    Ok(())
}

/// The table of open files grows by itself too. But where threads share it, whoever makes it grow waits until every
/// processor has done something else, 15 ms or more each time that it doubles.
fn grow_table(needed: u64, any: &Netns) {
    let last = i32::try_from(needed).unwrap_or(i32::MAX) - 1;
    // Where that number is taken, it is as large as that already.
    let _ = fcntl_dupfd_cloexec(any, last);
}

fn raise_limit(lab: &LabName, needed: u64) -> Result<()> {
    let now = getrlimit(Resource::Nofile);
    let most = now.maximum.unwrap_or(u64::MAX);
    if now.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if most < needed {
        let why = format!(
            "it needs {needed} open files, and the hard limit is {most}; raise it: 'ulimit -Hn', LimitNOFILE= of systemd"
        );
        return Err(Error::of_kind(ErrorKind::Unsupported, "look into lab", lab, why));
    }
    let raised = Rlimit { current: now.maximum, maximum: now.maximum };
    setrlimit(Resource::Nofile, raised).map_err(|e| Error::os("raise the limit of open files for lab", lab, e))
}

/// Refuses what cannot work.
pub(super) fn check(lab: &LabName, desired: &State, observed: &mut Observed, steps: &[Step]) -> Result<()> {
    refuse_strangers(lab, desired, observed)?;
    if steps.is_empty() {
        return Ok(());
    }
    refuse_in_starting_namespace(lab, desired)?;
    refuse_taken(lab, observed, steps)?;
    refuse_taken_routes(lab, observed, steps)?;
    refuse_too_many_ports(lab, desired)?;
    refuse_too_many_namespaces(lab, steps)?;
    probe(lab, observed, steps)
}

fn refuse(lab: &LabName, kind: ErrorKind, why: String) -> Result<()> {
    Err(Error::of_kind(kind, "bring up lab", lab, why))
}

/// Names and files that nobody wants are in nobody's way.
fn refuse_strangers(lab: &LabName, desired: &State, observed: &Observed) -> Result<()> {
    let wanted = |place: &Place| desired.spaces.contains_key(place);
    if let Some(Stranger { name, why, .. }) = observed.strangers.iter().find(|stranger| wanted(&stranger.place)) {
        return refuse(lab, ErrorKind::Exists, format!("the name {name} is taken: {why}; rename or delete it"));
    }
    if let Some((_, path)) = observed.foreign_files.iter().find(|(place, _)| wanted(place)) {
        let path = crate::name::quoted(path.as_os_str());
        let why = format!("{path} is not the lab's: its first line has no mark of it; move it away");
        return refuse(lab, ErrorKind::Exists, why);
    }
    Ok(())
}

/// What nothing there would tell to be the lab's could not be taken away again.
fn refuse_in_starting_namespace(lab: &LabName, desired: &State) -> Result<()> {
    let Some(here) = desired.spaces.get(&Place::Here) else { return Ok(()) };
    let of_kind = here.links.iter().find_map(|(name, link)| match &link.what {
        LinkWhat::Kind { kind, .. } => Some((name, kind)),
        LinkWhat::Veth { .. } => None,
    });
    if let Some((name, kind)) = of_kind {
        let why =
            format!("{name} of '.' is a {}; in the starting namespace, a lab has only ends of its links", kind.word());
        return refuse(lab, ErrorKind::Invalid, why);
    }
    if !here.sysctls.is_empty() || !here.files.is_empty() {
        return refuse(lab, ErrorKind::Invalid, "settings and files of '.' are the host's".into());
    }
    if let Some(route) =
        here.routes.iter().find(|route| !route.dev.as_ref().is_some_and(|dev| here.links.contains_key(dev)))
    {
        let why = format!("the route to '{}' of '.' leads through no link of the lab", route.dst);
        return refuse(lab, ErrorKind::Invalid, why);
    }
    Ok(())
}

/// The indices of what takes a name that is wanted, and is about to go by itself.
pub(super) fn in_the_way(observed: &Observed, steps: &[Step]) -> Vec<u32> {
    let ends = new_ends(steps).filter(|at| at.place == Place::Here);
    ends.filter_map(|at| observed.dying.get(&at.name).copied()).collect()
}

fn new_ends(steps: &[Step]) -> impl Iterator<Item = &At> {
    let new = steps.iter().filter_map(|step| match step {
        Step::CreateLink(new) => Some(new),
        _ => None,
    });
    new.flat_map(|new| std::iter::once(&new.at).chain(new.peer.as_ref().map(|(at, _)| at)))
}

fn refuse_taken(lab: &LabName, observed: &Observed, steps: &[Step]) -> Result<()> {
    let mut taken = new_ends(steps).filter(|at| observed.others.contains(at));
    if let Some(At { place, name }) = taken.next() {
        let place = site::shown(lab, place);
        let why = format!("the name {name} is taken in {place} by a link that is not the lab's");
        return refuse(lab, ErrorKind::Exists, why);
    }
    Ok(())
}

/// Of two routes that differ neither in destination nor in metric, a table holds one.
fn refuse_taken_routes(lab: &LabName, observed: &mut Observed, steps: &[Step]) -> Result<()> {
    let new = steps.iter().filter_map(|step| match step {
        Step::AddRoute { place, route } => Some((place, &**route)),
        _ => None,
    });
    let mut known: Option<(&Place, Vec<Route>)> = None;
    for (place, wanted) in new {
        if known.as_ref().is_none_or(|(of, _)| *of != place) {
            let Some(site) = observed.sites.get_mut(place) else { continue };
            let there = site.socket.all_routes();
            let there = there.map_err(|e| e.into_error("list routes in", site::shown(lab, place)))?;
            known = Some((place, there));
        }
        let taken = known.iter().flat_map(|(_, there)| there).find(|there| excludes(there, wanted));
        if let Some(other) = taken {
            let via = other.hop.via.map_or_else(String::new, |via| format!(" via {via}"));
            let why = format!(
                "the place of the route to {} in {} is taken by one{via} that is not the lab's: delete that",
                wanted.dst,
                site::shown(lab, place)
            );
            return refuse(lab, ErrorKind::Exists, why);
        }
    }
    Ok(())
}

/// Whether a route that somebody else made is in the place of a wanted one.
fn excludes(there: &Route, wanted: &RouteState) -> bool {
    there.dst == wanted.dst
        && there.protocol != Some(mark::ROUTE_PROTOCOL)
        && there.table.unwrap_or(TABLE_MAIN) == wanted.table
        && metric_of(there) == wanted.metric
}

fn refuse_too_many_ports(lab: &LabName, desired: &State) -> Result<()> {
    for (place, space) in &desired.spaces {
        let mut ports: BTreeMap<&IfName, usize> = BTreeMap::new();
        for master in space.links.values().filter_map(|link| link.master.as_ref()) {
            *ports.entry(master).or_default() += 1;
        }
        let is_bridge = |name: &IfName| {
            space.links.get(name).is_some_and(
                |link| matches!(&link.what, LinkWhat::Kind { kind, .. } if matches!(**kind, Kind::Bridge(_))),
            )
        };
        if let Some((name, count)) = ports.into_iter().find(|(name, count)| *count > MOST_PORTS && is_bridge(name)) {
            let at = At { place: place.clone(), name: name.clone() };
            let why = format!("the bridge '{at}' would have {count} ports, and the kernel allows {MOST_PORTS}");
            return refuse(lab, ErrorKind::Unsupported, why);
        }
    }
    Ok(())
}

/// How many there are already cannot be asked: as many as have names are known.
fn refuse_too_many_namespaces(lab: &LabName, steps: &[Step]) -> Result<()> {
    let new = steps.iter().filter(|step| matches!(step, Step::CreateSpace(_))).count();
    let limit =
        fs::read_to_string("/proc/sys/user/max_net_namespaces").ok().and_then(|text| text.trim().parse::<usize>().ok());
    let (Some(limit), true) = (limit, new > 0) else { return Ok(()) };
    let named = netns::list()?.len();
    if named + new + 1 > limit {
        let why = format!(
            "it needs {new} more network namespaces and one to look from, {named} have names, and user.max_net_namespaces is \
             {limit}; raise that"
        );
        return refuse(lab, ErrorKind::Unsupported, why);
    }
    Ok(())
}

/// What does not keep a lab from working, but may be a surprise.
pub(super) fn warnings(desired: &State) -> Vec<String> {
    let mut warnings = crowded(desired);
    warnings.extend(unseen_files(desired));
    warnings
}

/// Warns of each name of a file that commands in nodes do not find: it lies over one of that name.
fn unseen_files(desired: &State) -> Vec<String> {
    let names: BTreeSet<&String> = desired.spaces.values().flat_map(|space| space.files.keys()).collect();
    let unseen = names.into_iter().map(|name| Path::new("/etc").join(name)).filter(|path| !path.exists());
    let warning = |path: PathBuf| {
        let shown = escaped(path.as_os_str().as_bytes());
        format!(
            "no node sees its file '{shown}' there: it lies over the one of this machine, which must exist; an empty one will do"
        )
    };
    unseen.map(warning).collect()
}

/// Warns of each family whose neighbours are more than the kernel keeps, for all namespaces together. The lab works all
/// the same: what was not used for a while makes room for others.
fn crowded(desired: &State) -> Vec<String> {
    let crowded = |family: Family| {
        let key = format!("net.{}.neigh.default.gc_thresh3", if family == Family::Inet { "ipv4" } else { "ipv6" });
        // Only the namespace that the machine started with has it.
        let limit = sysctl::read(&key).ok()?.parse::<usize>().ok()?;
        let needed = neighbours(desired, family);
        (needed > limit).then(|| {
            format!(
                "all namespaces together have room for {limit} neighbours ({key}), and {needed} are needed when each member \
                 of a network speaks with the same one within half a minute: some get 'No buffer space available' until \
                 others have been silent; raise it"
            )
        })
    };
    [Family::Inet, Family::Inet6].into_iter().filter_map(crowded).collect()
}

/// How many there are when the ends of each link, and each member of a network with one and the same, have spoken: either
/// knows the other.
fn neighbours(desired: &State, family: Family) -> usize {
    let links = desired.spaces.values().flat_map(|space| space.links.values());
    let ends = links.filter(|link| link.addrs.iter().any(|addr| addr.ip().is_ipv4() == (family == Family::Inet)));
    ends.map(|end| if matches!(end.what, LinkWhat::Veth { peer: (Place::Switches, _) }) { 2 } else { 1 }).sum()
}

/// Tries in a namespace of its own what the lab needs: each kind of link, each setting.
fn probe(lab: &LabName, observed: &mut Observed, steps: &[Step]) -> Result<()> {
    let kinds = kinds_of(steps);
    let settings: Vec<_> = steps
        .iter()
        .filter_map(|step| match step {
            Step::SetSysctl { key, new, .. } => Some((key.as_str(), new.as_str())),
            _ => None,
        })
        .collect();
    let needs_namespaces = steps.iter().any(|step| matches!(step, Step::CreateSpace(_)));
    if kinds.is_empty() && settings.is_empty() && !needs_namespaces {
        return Ok(());
    }
    let ground = observed.observer()?.place();
    ground.run(|| {
        let mut socket = Socket::open().map_err(|e| Error::os("open a netlink socket in", ground, e))?;
        probe_kinds(lab, &mut socket, ground, &kinds)?;
        let mut tried = std::collections::BTreeSet::new();
        settings
            .into_iter()
            .filter(|setting| tried.insert(*setting))
            .try_for_each(|(key, value)| probe_setting(lab, key, value))
    })?
}

/// One of each kind that is to be made, with what it is told first.
fn kinds_of(steps: &[Step]) -> BTreeMap<&'static str, (&Kind, bool)> {
    let mut kinds = BTreeMap::new();
    for step in steps {
        let Step::CreateLink(new) = step else { continue };
        match &new.link.what {
            LinkWhat::Veth { .. } => kinds.entry("veth").or_insert((&Kind::Veth, false)),
            LinkWhat::Kind { kind, lower } => kinds.entry(kind.word()).or_insert((kind, lower.is_some())),
        };
    }
    kinds
}

fn probe_kinds(
    lab: &LabName,
    socket: &mut Socket,
    ground: &Netns,
    kinds: &BTreeMap<&'static str, (&Kind, bool)>,
) -> Result<()> {
    let [below, far, it] = ["nsnet0", "nsnet1", "nsnet2"].map(str::parse::<IfName>);
    let (below, far, it) = (below?, far?, it?);
    if !kinds.is_empty() {
        let here = std::os::fd::AsFd::as_fd(ground);
        let pair = birth::pair(&end(&below, 10), None, &end(&far, 11), here, "a pair to try".into());
        let made = socket.apply_each(vec![pair]).pop().unwrap_or(Ok(()));
        made.map_err(|e| lacks(lab, &e, &Kind::Veth))?;
    }
    let others = kinds.values().filter(|(kind, _)| !matches!(kind, Kind::Veth | Kind::Tun(_) | Kind::Tap(_)));
    for (index, (kind, has_lower)) in (12..).zip(others) {
        let name = format!("{}-{index}", it.as_str()).parse::<IfName>()?;
        let ties = Ties { master: None, lower: has_lower.then_some(10) };
        let single = birth::single(&end(&name, index), kind, ties, "one to try".into());
        socket.apply_each(vec![single]).pop().unwrap_or(Ok(())).map_err(|e| lacks(lab, &e, kind))?;
    }
    let needs_tun = kinds.contains_key("tun") || kinds.contains_key("tap");
    if needs_tun && fs::metadata("/dev/net/tun").is_err() {
        let why = "there is no '/dev/net/tun'; 'modprobe tun' makes it where tun is a module";
        return refuse(lab, ErrorKind::Unsupported, why.into());
    }
    Ok(())
}

fn end(name: &IfName, index: u32) -> End<'_> {
    End { name, index: Some(index), mac: None, mtu_bytes: None, group: 0 }
}

fn lacks(lab: &LabName, error: &Error, kind: &Kind) -> Error {
    let word = kind.word();
    if error.kind() != ErrorKind::Unsupported {
        let why = format!("a {word} as it needs one cannot be made: {error}");
        return Error::of_kind(error.kind(), "bring up lab", lab, why);
    }
    let how = match kind.module() {
        Some(module) => format!("'modprobe {module}' loads them where they are a module"),
        None => "they are built in or missing".to_owned(),
    };
    let said = error.reason().map_or_else(String::new, |reason| format!(" ({reason})"));
    Error::of_kind(
        ErrorKind::Unsupported,
        "bring up lab",
        lab,
        format!("this kernel has no links of kind {word}{said}; {how}"),
    )
}

/// A setting of a link is tried on `lo`.
fn probe_setting(lab: &LabName, key: &str, value: &str) -> Result<()> {
    if let Some(problem) = sysctl::problem(key) {
        return refuse(lab, ErrorKind::Invalid, format!("'{key}' cannot be set: {problem}"));
    }
    let tried = match sysctl::default_of(key) {
        Some(usual) => usual.replacen(".default.", ".lo.", 1),
        None => key.to_owned(),
    };
    sysctl::write(&tried, value).map_err(|e| {
        Error::os("bring up lab", lab, e).because(format!("'{key}' cannot be set to '{value}' in a new namespace"))
    })?;
    match sysctl::read(&tried) {
        // What reads otherwise would differ from the file for ever.
        Ok(read) if read != value => {
            refuse(lab, ErrorKind::Invalid, format!("'{key}' reads '{read}' when it was set to '{value}': write it so"))
        }
        _ => Ok(()),
    }
}

/// How many namespaces a lab has or is to have, whichever is more.
pub(super) fn most_spaces(desired: &State, names: usize) -> usize {
    work::spaces_of(desired).max(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Lab;

    #[test]
    fn of_a_network_either_knows_the_other_and_of_a_link_each_end() {
        let text = r#"
            name = "x"
            nodes = { gw = {}, isp = {}, "h[1-600]" = {} }
            networks = { lan = { subnet = "10.0.0.0/16", members = ["gw", "h[1-600]"] } }
            [[links]]
            ends = ["gw:up", "isp:down"]
            subnet = ["192.0.2.0/30", "fd00::/64"]
        "#;
        let lab = Lab::read(text).unwrap();
        assert_eq!(neighbours(&lab.state, Family::Inet), 1204);
        assert_eq!(neighbours(&lab.state, Family::Inet6), 2);
    }
}
