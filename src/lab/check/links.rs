//! Networks and links: who meets whom.

use std::{collections::HashSet, ops::Range};

use super::{
    draft::{Draft, Port, Segment, Turn},
    ports,
};
use crate::{
    addr::Prefix,
    error::{Error, Result},
    lab::{
        problem::Faults,
        range::expand,
        spec::{Link, Network, Placed, Spec},
        state::Place,
    },
    name::{IfName, escaped, quoted},
};

/// So many ports a bridge of the kernel has at most.
const MOST_MEMBERS: usize = 1_023;

pub(super) fn read(spec: &Spec, draft: &mut Draft, faults: &mut Faults) {
    for (key, network) in spec.networks.iter() {
        read_network(key, network, draft, faults);
    }
    for link in &spec.links {
        read_link(link, draft, faults);
    }
}

fn read_network(key: &Placed<String>, network: &Network, draft: &mut Draft, faults: &mut Faults) {
    let name = faults.keep(key.span(), network_name(key.get_ref()));
    let mut members = Vec::new();
    for member in &network.members {
        members.extend(each(member, draft, faults));
    }
    let shown = escaped(key.get_ref().as_bytes());
    check_members(&shown, key.span(), &members, draft, faults);
    check_options(key.span(), network, faults);
    let subnets = subnets(network.subnets(), Turn::ONLY, faults);
    let gateway = network.gateway.as_ref().map(|gateway| (gateway.get_ref().clone(), gateway.span()));
    let mtu = mtu(network.mtu.as_ref(), faults);
    let Some(name) = name else { return };
    draft.segments.push(Segment {
        network: Some((name, network.bridge.clone())),
        subnets,
        mtu,
        gateway,
        ports: members,
    });
}

/// A network is a bridge of its name.
fn network_name(text: &str) -> Result<IfName> {
    if text.contains(['[', ']']) {
        return Err(Error::invalid("use network name", quoted(text.as_ref()), "networks have no ranges"));
    }
    ports::interface_name(text)
}

fn check_members(name: &str, span: Range<usize>, members: &[Port], draft: &Draft, faults: &mut Faults) {
    if members.len() > MOST_MEMBERS {
        let (count, hint) = (members.len(), format!("a bridge of the kernel has {MOST_MEMBERS} ports at most"));
        faults.advise(span, format!("network '{name}' has {count} members"), hint);
    }
    let mut seen = HashSet::new();
    for member in members.iter().filter(|member| member.named.is_none()) {
        if !seen.insert(member.node) {
            let node = &draft.nodes[member.node].name;
            let hint = format!("name the interface, as in '{node}:eth1', if it is meant to be");
            faults.advise(member.span.clone(), format!("'{node}' is a member of '{name}' twice"), hint);
        }
    }
}

/// What the kernel would refuse.
fn check_options(span: Range<usize>, network: &Network, faults: &mut Faults) {
    let bridge = &network.bridge;
    if bridge.mcast_router.is_some_and(|router| router > 2) {
        faults.add(span.clone(), "'mcast_router' is 0, 1 or 2");
    }
    if bridge.vlan_default_pvid.is_some_and(|vlan| vlan > 4_094) {
        faults.add(span, "'vlan_default_pvid' is a VLAN from 0 to 4094");
    }
}

fn read_link(link: &Placed<Link>, draft: &mut Draft, faults: &mut Faults) {
    let said = link.get_ref();
    let [left, right] = said.ends.each_ref().map(|end| words(end, faults));
    let macs = said.macs.as_ref().map(|macs| macs.each_ref().map(|mac| faults.keep(mac.span(), mac.get_ref().parse())));
    let mtu = mtu(said.mtu.as_ref(), faults);
    let (Some(left), Some(right)) = (left, right) else { return };
    let count = left.len().max(right.len());
    if [&left, &right].iter().any(|words| words.len() != count && words.len() != 1) {
        let message = format!("the ends stand for {} and {} interfaces", left.len(), right.len());
        faults.advise(said.ends[1].span(), message, "ranges of a link are equally long, or one end has none");
        return;
    }
    if count > 1 && said.macs.is_some() {
        faults.add(link.span(), "'macs' are of one link, and these are several");
    }
    for at in 0..count {
        let ends = [(&left, &said.ends[0]), (&right, &said.ends[1])];
        let ports = ends.map(|(words, end)| ports::read(&words[at.min(words.len() - 1)], &end.span(), draft, faults));
        let subnets = subnets(said.subnets(), Turn { at, of: count }, faults);
        let [Some(mut first), Some(mut second)] = ports else { break };
        [first.mac, second.mac] = macs.unwrap_or_default();
        if !check_ends(&first, &second, draft, faults) {
            break;
        }
        let ports = vec![first, second];
        draft.segments.push(Segment { network: None, subnets, mtu: mtu.clone(), gateway: None, ports });
    }
}

/// Whether these are two, and one of them is the lab's.
fn check_ends(first: &Port, second: &Port, draft: &Draft, faults: &mut Faults) -> bool {
    if [first, second].iter().all(|port| draft.nodes[port.node].place == Place::Here) {
        faults.add(second.span.clone(), "both ends are in the starting namespace: a link of a lab has one in a node");
        return false;
    }
    if first.node == second.node && first.named.is_some() && first.named == second.named {
        faults.add(second.span.clone(), "both ends are the same interface");
        return false;
    }
    true
}

/// The words that one stands for.
fn words(word: &Placed<String>, faults: &mut Faults) -> Option<Vec<String>> {
    let refused = |why| format!("cannot use '{}': {why}", escaped(word.get_ref().as_bytes()));
    expand(word.get_ref()).map_err(|why| faults.add(word.span(), refused(why))).ok()
}

/// The ports that a word stands for; of a range, only the first problem is told.
fn each(word: &Placed<String>, draft: &mut Draft, faults: &mut Faults) -> Vec<Port> {
    let words = words(word, faults).unwrap_or_default();
    words.iter().map_while(|text| ports::read(text, &word.span(), draft, faults)).collect()
}

/// The subnets of a segment. Of several links, each has its own.
fn subnets<'a>(
    texts: impl Iterator<Item = (&'a str, Range<usize>)>,
    turn: Turn,
    faults: &mut Faults,
) -> Vec<(Prefix, Range<usize>)> {
    let mut found = Vec::new();
    for (text, span) in texts {
        match expand(text) {
            Ok(each) if each.len() != turn.of && turn.of == 1 => {
                faults.advise(span, "a range of subnets for one network or link", "write several subnets as a list");
            }
            Ok(each) if each.len() != turn.of => {
                let hint = "write a range that is as long, as in '10.0.[1-3].0/30'";
                let message = match each.len() {
                    1 => format!("each of {} links needs a subnet, and here is 1", turn.of),
                    count => format!("each of {} links needs a subnet, and here are {count}", turn.of),
                };
                faults.advise(span, message, hint);
            }
            Ok(each) => found.extend(subnet(&each[turn.at], &span, faults).map(|subnet| (subnet, span))),
            Err(why) => faults.add(span, format!("cannot use subnet '{}': {why}", escaped(text.as_bytes()))),
        }
    }
    found
}

fn subnet(text: &str, span: &Range<usize>, faults: &mut Faults) -> Option<Prefix> {
    let subnet = faults.keep(span.clone(), prefix(text))?;
    let (first, _) = ports::bounds(subnet);
    if first != ports::number(subnet.ip()) {
        let meant = format!("{}/{}", ports::ip(subnet.family(), first), subnet.prefix_len());
        faults.advise(
            span.clone(),
            format!("'{subnet}' is an address in a subnet"),
            format!("did you mean '{meant}'?"),
        );
        return None;
    }
    let unusable = subnet.ip().is_multicast() || subnet.ip().is_loopback() || subnet.prefix_len() == 0;
    if unusable {
        faults.add(span.clone(), format!("'{subnet}' is no subnet that hosts can be in"));
    }
    (!unusable).then_some(subnet)
}

/// An address and a length.
pub(super) fn prefix(text: &str) -> Result<Prefix> {
    let invalid = |reason: &'static str| Error::invalid("use subnet", quoted(text.as_ref()), reason);
    let (ip, len) = text.split_once('/').map_or((text, None), |(ip, len)| (ip, Some(len)));
    let ip = ip.parse().map_err(|_| invalid("it does not begin with an address"))?;
    let len = len.ok_or_else(|| invalid("the length is missing, as in '10.0.0.0/24'"))?;
    let digits = !len.is_empty() && len.bytes().all(|byte| byte.is_ascii_digit());
    let len = digits.then(|| len.parse().ok()).flatten().ok_or_else(|| invalid("its length is no number"))?;
    Prefix::new(ip, len)
}

/// What fits into a packet of Ethernet that the kernel makes room for.
pub(super) fn mtu(said: Option<&Placed<u32>>, faults: &mut Faults) -> Option<(u32, Range<usize>)> {
    let said = said?;
    let mtu = *said.get_ref();
    if !(68..=65_535).contains(&mtu) {
        faults.advise(said.span(), format!("no interface has an mtu of {mtu}"), "it is from 68 to 65535 bytes");
        return None;
    }
    Some((mtu, said.span()))
}
