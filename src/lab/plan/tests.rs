//! Plans of small labs, and of any two.

use proptest::{collection::vec, prelude::*, sample::select};

use super::{kept::rename, links::wanted_mtu, routes::key_of, *};
use crate::{
    lab::{Run, state::RouteState, step::LinkEdit},
    netlink::kind::{Bridge, Kind, Vlan},
};

fn name(text: &str) -> IfName {
    text.parse().unwrap()
}

fn node(text: &str) -> Place {
    Place::Node(text.parse().unwrap())
}

fn at(place: &Place, text: &str) -> At {
    At { place: place.clone(), name: name(text) }
}

fn plain(what: LinkWhat) -> LinkState {
    LinkState { what, mac: None, mtu_bytes: None, up: true, master: None, addrs: BTreeSet::new() }
}

fn space<'a>(state: &'a mut State, place: &Place) -> &'a mut Space {
    state.spaces.entry(place.clone()).or_default()
}

fn wire(state: &mut State, one: &At, other: &At) {
    for (end, far) in [(one, other), (other, one)] {
        let peer = (far.place.clone(), far.name.clone());
        space(state, &end.place).links.insert(end.name.clone(), plain(LinkWhat::Veth { peer }));
    }
}

fn bridge(state: &mut State, text: &str) {
    let what = LinkWhat::Kind { kind: Box::new(Kind::Bridge(Bridge::default())), lower: None };
    space(state, &Place::Switches).links.insert(name(text), plain(what));
}

fn link_mut<'a>(state: &'a mut State, place: &Place, text: &str) -> &'a mut LinkState {
    state.spaces.get_mut(place).unwrap().links.get_mut(&name(text)).unwrap()
}

/// A switch `lan` with two nodes on it.
fn lan() -> State {
    let mut state = State::default();
    bridge(&mut state, "lan");
    for (text, addr) in [("a", "10.0.0.1/24"), ("b", "10.0.0.2/24")] {
        wire(&mut state, &at(&node(text), "eth0"), &at(&Place::Switches, text));
        link_mut(&mut state, &Place::Switches, text).master = Some(name("lan"));
        link_mut(&mut state, &node(text), "eth0").addrs.insert(addr.parse().unwrap());
    }
    state
}

fn command(name: &str, word: &str) -> Run {
    Run { name: name.into(), argv: vec![word.into()], ready: None, within: std::time::Duration::ZERO }
}

fn shown(steps: &[Step]) -> Vec<String> {
    steps.iter().map(ToString::to_string).collect()
}

/// What a step does to a state, as the kernel does it.
fn apply(state: &mut State, step: &Step) {
    let place = step.place().clone();
    match step.clone() {
        Step::CreateSpace(_) => assert!(state.spaces.insert(place, Space::default()).is_none(), "{step}"),
        Step::DeleteSpace(_) => delete_space(state, &place),
        Step::CreateLink(new) => {
            for (at, link) in std::iter::once((new.at, new.link)).chain(new.peer) {
                let space = state.spaces.entry(at.place).or_default();
                if let Some(master) = &link.master {
                    assert!(space.links.contains_key(master), "{step}");
                }
                assert!(space.links.insert(at.name, link).is_none(), "{step}");
            }
        }
        Step::DeleteLink(old) => {
            for (at, _) in std::iter::once((old.at, old.link)).chain(old.peer) {
                let space = state.spaces.get_mut(&at.place).unwrap();
                assert!(space.links.remove(&at.name).is_some(), "{step}");
                space.routes.retain(|route| route.dev.as_ref() != Some(&at.name));
            }
        }
        Step::RenameLink { at, to } => rename(state, &at, &to),
        Step::ChangeLink { at, change } => edit(link_mut(state, &place, at.name.as_str()), change),
        Step::AddAddr { at, addr } => {
            assert!(link_mut(state, &place, at.name.as_str()).addrs.insert(addr), "{step}");
        }
        Step::DeleteAddr { at, addr } => {
            assert!(link_mut(state, &place, at.name.as_str()).addrs.remove(&addr), "{step}");
        }
        _ => apply_to_space(state.spaces.get_mut(&place).unwrap(), step),
    }
}

fn delete_space(state: &mut State, place: &Place) {
    assert!(state.spaces.remove(place).is_some());
    for space in state.spaces.values_mut() {
        let gone: Vec<_> = space
            .links
            .iter()
            .filter(|(_, link)| matches!(&link.what, LinkWhat::Veth { peer } if peer.0 == *place))
            .map(|(name, _)| name.clone())
            .collect();
        space.links.retain(|name, _| !gone.contains(name));
        space.routes.retain(|route| route.dev.as_ref().is_none_or(|dev| !gone.contains(dev)));
    }
}

fn edit(link: &mut LinkState, change: LinkEdit) {
    match change {
        LinkEdit::Mtu { new, .. } => link.mtu_bytes = Some(new),
        LinkEdit::Mac { new, .. } => link.mac = Some(new),
        LinkEdit::Master { new, .. } => link.master = new,
        LinkEdit::Up { new } => link.up = new,
        LinkEdit::Kind { new, .. } => {
            if let LinkWhat::Kind { kind, .. } = &mut link.what {
                *kind = new;
            }
        }
    }
}

fn apply_to_space(space: &mut Space, step: &Step) {
    match step.clone() {
        Step::AddRoute { route, .. } => {
            assert!(!space.routes.iter().any(|other| key_of(other) == key_of(&route)), "{step}");
            assert!(route.dev.as_ref().is_none_or(|dev| space.links.contains_key(dev)), "{step}");
            space.routes.insert(*route);
        }
        Step::ChangeRoute { old, new, .. } => {
            assert!(space.routes.remove(&*old), "{step}");
            space.routes.insert(*new);
        }
        Step::DeleteRoute { route, .. } => assert!(space.routes.remove(&*route), "{step}"),
        Step::SetSysctl { key, new, .. } => drop(space.sysctls.insert(key, new)),
        Step::ResetSysctl { key, .. } => assert!(space.sysctls.remove(&key).is_some(), "{step}"),
        Step::WriteFile { name, new, .. } => drop(space.files.insert(name, new)),
        Step::DeleteFile { name, .. } => assert!(space.files.remove(&name).is_some(), "{step}"),
        Step::StartRun { run, .. } => {
            assert!(space.runs.iter().all(|old| old.name != run.name), "{step}");
            space.runs.push(*run);
            space.runs.sort_by(|one, other| one.name.cmp(&other.name));
        }
        Step::RestartRun { old, new, .. } => {
            let at = space.runs.iter().position(|run| *run == *old);
            space.runs[at.unwrap_or_else(|| panic!("{step}"))] = *new;
        }
        Step::StopRun { run, .. } => {
            assert!(space.runs.contains(&run), "{step}");
            space.runs.retain(|old| *old != *run);
        }
        _ => unreachable!("{step}"),
    }
}

/// The MTU that a link has anyway, the MAC address that is whatever the kernel made it, and an empty
/// place make no difference.
fn normal(state: &State, wanted: &State) -> State {
    let mut normal = state.clone();
    for (at, _) in links(state) {
        let link = normal.spaces.get_mut(&at.place).unwrap().links.get_mut(&at.name).unwrap();
        link.mtu_bytes = wanted_mtu(state, &at);
        if super::link(wanted, &at).is_some_and(|wanted| wanted.mac.is_none()) {
            link.mac = None;
        }
    }
    normal.spaces.retain(|place, space| *place != Place::Here || *space != Space::default());
    normal
}

#[test]
fn a_lab_that_is_as_written_needs_no_steps() {
    assert_eq!(plan(&lan(), &lan()), []);
}

#[test]
fn a_new_lab_is_made_from_the_namespaces_up_and_its_ports_come_up_last() {
    let steps = shown(&plan(&lan(), &State::default()));
    let expected = [
        "create namespace ~sw",
        "create namespace a",
        "create namespace b",
        "create bridge ~sw:lan",
        "create veth ~sw:a - a:eth0",
        "create veth ~sw:b - b:eth0",
        "bring up ~sw:lan",
        "add address 10.0.0.1/24 to a:eth0",
        "bring up a:eth0",
        "add address 10.0.0.2/24 to b:eth0",
        "bring up b:eth0",
        "bring up ~sw:a",
        "bring up ~sw:b",
    ];
    assert_eq!(steps, expected);
}

#[test]
fn drift_of_each_sort_is_one_step() {
    type Drift = (fn(&mut State), &'static str);
    let drifts: [Drift; 6] = [
        (|seen| link_mut(seen, &node("a"), "eth0").addrs.clear(), "add address 10.0.0.1/24 to a:eth0"),
        (|seen| link_mut(seen, &node("a"), "eth0").up = false, "bring up a:eth0"),
        (|seen| link_mut(seen, &node("a"), "eth0").mtu_bytes = Some(1400), "set mtu of a:eth0 from 1400 to 1500"),
        (|seen| link_mut(seen, &Place::Switches, "a").master = None, "set master of ~sw:a from none to lan"),
        (|seen| *space(seen, &node("c")) = Space::default(), "delete namespace c"),
        (
            |seen| {
                let lo = plain(LinkWhat::Kind { kind: Box::new(Kind::Dummy), lower: None });
                space(seen, &node("a")).links.insert(name("lo"), LinkState { up: false, ..lo });
            },
            "bring up a:lo",
        ),
    ];
    for (drift, expected) in drifts {
        let mut seen = lan();
        drift(&mut seen);
        assert_eq!(shown(&plan(&lan(), &seen)), [expected]);
    }
}

#[test]
fn commands_start_last_and_in_the_order_of_the_file_and_stop_first() {
    let mut wanted = lan();
    space(&mut wanted, &node("a")).runs = vec![command("web", "x"), command("dns", "x"), command("log", "x")];
    let mut seen = lan();
    space(&mut seen, &node("a")).runs = vec![command("dns", "y"), command("log", "x"), command("old", "x")];
    space(&mut seen, &node("c")).runs = vec![command("old", "x")];
    link_mut(&mut seen, &node("a"), "eth0").up = false;
    let expected = [
        "bring up a:eth0",
        "start web in a",
        "restart dns in a",
        "stop old in a",
        "stop old in c",
        "delete namespace c",
    ];
    assert_eq!(shown(&plan(&wanted, &seen)), expected);
}

#[test]
fn a_pair_that_leads_elsewhere_is_renamed_away_until_the_new_one_is_there() {
    let mut wanted = State::default();
    wire(&mut wanted, &at(&node("a"), "eth0"), &at(&node("b"), "eth0"));
    space(&mut wanted, &node("c"));
    let mut seen = State::default();
    wire(&mut seen, &at(&node("a"), "eth0"), &at(&node("c"), "eth0"));
    space(&mut seen, &node("b"));
    let steps = plan(&wanted, &seen);
    let expected = [
        "rename a:eth0 to nsnet~0",
        "create veth a:eth0 - b:eth0",
        "bring up a:eth0",
        "bring up b:eth0",
        "delete veth a:nsnet~0 - c:eth0",
    ];
    assert_eq!(shown(&steps), expected);
    assert_eq!(steps.iter().map(Step::interrupts).collect::<Vec<_>>(), [true, false, false, false, false]);
}

#[test]
fn a_vlan_of_a_number_that_is_taken_waits_and_one_of_another_does_not() {
    let with_vlan = |text: &str, id| {
        let mut state = lan();
        let what = LinkWhat::Kind {
            kind: Kind::Vlan(Vlan { id: Some(id), ..Vlan::default() }).into(),
            lower: Some(name("eth0")),
        };
        space(&mut state, &node("a")).links.insert(name(text), plain(what));
        state
    };
    let (seven, same, eight) = (with_vlan("old", 7), with_vlan("new", 7), with_vlan("new", 8));
    assert_eq!(shown(&plan(&same, &seven)), ["delete vlan a:old", "create vlan a:new", "bring up a:new"]);
    assert_eq!(shown(&plan(&eight, &seven)), ["create vlan a:new", "bring up a:new", "delete vlan a:old"]);
    assert_eq!(shown(&plan(&seven, &with_vlan("old", 8)))[0], "rename a:old to nsnet~0");
}

#[test]
fn options_of_a_bridge_change_in_place() {
    let mut wanted = lan();
    let stp = Bridge { stp: Some(true), ..Bridge::default() };
    link_mut(&mut wanted, &Place::Switches, "lan").what =
        LinkWhat::Kind { kind: Box::new(Kind::Bridge(stp)), lower: None };
    assert_eq!(shown(&plan(&wanted, &lan())), ["change options of bridge ~sw:lan"]);
}

#[test]
fn the_link_of_a_setting_is_told_by_its_name() {
    assert_eq!(link_of("net.ipv4.conf.eth0/5.rp_filter"), Some(name("eth0.5")));
    assert_eq!(link_of("net.ipv6.neigh.eth0.gc_stale_time"), Some(name("eth0")));
    for general in ["net.ipv4.conf.all.rp_filter", "net.ipv4.ip_forward", "net.ipv6.conf.default.mtu"] {
        assert_eq!(link_of(general), None);
    }
}

// Any lab from any other.

/// A pair by the numbers of its ends' places and names, and what it is like.
type Pair = (usize, usize, usize, usize, bool, u8);

const NODES: [&str; 3] = ["a", "b", "c"];

fn place_of(number: usize) -> Place {
    if number < NODES.len() { node(NODES[number]) } else { Place::Here }
}

fn add_pair(state: &mut State, &(one, far, first, second, switched, like): &Pair) {
    let one = at(&place_of(one), ["eth0", "eth1"][first]);
    let far = if switched {
        at(&Place::Switches, ["p0", "p1", "p2"][far % 3])
    } else {
        at(&place_of(far), ["eth0", "eth1"][second])
    };
    if one == far || link(state, &one).is_some() || link(state, &far).is_some() {
        return;
    }
    if switched {
        bridge(state, "lan");
    }
    wire(state, &one, &far);
    let end = link_mut(state, &one.place, one.name.as_str());
    end.up = like & 1 == 0;
    end.mtu_bytes = (like & 2 == 0).then_some(1400);
    end.mac = (like & 4 == 0).then(|| [2, 0, 0, 0, 0, like].into());
    end.addrs = [format!("10.0.{}.1/24", like % 4), format!("fd00::{}/64", like % 3)]
        .iter()
        .map(|addr| addr.parse().unwrap())
        .collect();
    link_mut(state, &far.place, far.name.as_str()).master = switched.then(|| name("lan"));
    if like & 8 == 0 {
        let via = format!("10.0.{}.9", like % 4).parse().unwrap();
        let route = RouteState {
            dst: crate::addr::Prefix::all(crate::addr::Family::Inet),
            kind: "unicast".into(),
            via: Some(via),
            dev: Some(one.name.clone()),
            metric: 0,
            table: 254,
            src: None,
            mtu_bytes: None,
            onlink: false,
        };
        let routes = &mut space(state, &one.place).routes;
        if !routes.iter().any(|other| key_of(other) == key_of(&route)) {
            routes.insert(route);
        }
    }
}

fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    vec((0..4usize, 0..4usize, 0..2usize, 0..2usize, any::<bool>(), any::<u8>()), 0..6)
}

fn states() -> impl Strategy<Value = State> {
    let sysctls = vec((0..3usize, select(vec!["net.ipv4.ip_forward", "net.ipv4.conf.eth0.rp_filter"]), 0..2u8), 0..3);
    let files = vec((0..3usize, select(vec!["hosts", "resolv.conf"]), select(vec!["x", "y"])), 0..3);
    let runs = vec((0..3usize, select(vec!["web", "dns"]), select(vec!["x", "y"])), 0..3);
    (pairs(), vec(0..3usize, 0..3), sysctls, files, runs).prop_map(|(pairs, nodes, sysctls, files, runs)| {
        let mut state = State::default();
        for pair in &pairs {
            add_pair(&mut state, pair);
        }
        for at in nodes {
            space(&mut state, &place_of(at));
        }
        for (at, key, value) in sysctls {
            space(&mut state, &place_of(at)).sysctls.insert(key.into(), value.to_string());
        }
        for (at, file, text) in files {
            space(&mut state, &place_of(at)).files.insert(file.into(), text.into());
        }
        for (at, run, word) in runs {
            let runs = &mut space(&mut state, &place_of(at)).runs;
            if runs.iter().all(|other| other.name != run) {
                runs.push(command(run, word));
                runs.sort_by(|one, other| one.name.cmp(&other.name));
            }
        }
        state
    })
}

proptest! {
    #[test]
    fn the_plan_leads_from_any_lab_to_any_other(desired in states(), observed in states()) {
        let mut state = observed.clone();
        let steps = plan(&desired, &observed);
        for step in &steps {
            apply(&mut state, step);
        }
        prop_assert_eq!(normal(&state, &desired), normal(&desired, &desired));
        prop_assert_eq!(plan(&desired, &state), []);
    }

    #[test]
    fn what_is_as_written_needs_nothing(desired in states()) {
        prop_assert_eq!(plan(&desired, &desired), []);
    }

    #[test]
    fn a_plan_deletes_last_and_everything_before_can_be_taken_back(desired in states(), observed in states()) {
        let steps = plan(&desired, &observed);
        let first = steps.iter().position(Step::deletes).unwrap_or(steps.len());
        prop_assert!(steps[first..].iter().all(Step::deletes));
        let mut state = normal(&observed, &observed);
        for step in &plan(&desired, &state) {
            if step.deletes() {
                break;
            }
            let before = state.clone();
            apply(&mut state, step);
            // A setting of a new link was that of the old one.
            let of_a_link = matches!(step, Step::SetSysctl { key, .. } if link_of(key).is_some());
            if let Some(inverse) = step.inverse().filter(|_| !of_a_link) {
                let mut back = state.clone();
                apply(&mut back, &inverse);
                prop_assert_eq!(&without_nothing(&back), &without_nothing(&before), "{}", step);
            }
        }
    }

    #[test]
    fn what_both_have_is_not_touched(desired in states(), observed in states()) {
        let kept = kept_links(&desired, &observed);
        for step in plan(&desired, &observed) {
            match step {
                Step::CreateLink(new) | Step::DeleteLink(new) => prop_assert!(!kept.contains(&new.at)),
                Step::RenameLink { at, .. } => prop_assert!(!kept.contains(&at)),
                Step::CreateSpace(place) | Step::DeleteSpace(place) => {
                    prop_assert!(!(desired.spaces.contains_key(&place) && observed.spaces.contains_key(&place)));
                }
                _ => {}
            }
        }
    }
}

fn without_nothing(state: &State) -> State {
    let mut state = state.clone();
    state.spaces.retain(|place, space| *place != Place::Here || *space != Space::default());
    state
}
