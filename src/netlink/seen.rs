//! Everything of a namespace that can be told apart from what is wanted: links with what their drivers
//! say, addresses, routes; and that there are rules and neighbours.

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{InfoData, InfoKind, InfoVxlan, LinkAttribute, LinkInfo, LinkMessage},
    neighbour::NeighbourMessage,
    route::{RouteMessage, RouteProtocol},
    rule::RuleMessage,
};
use rtnetlink::LinkUnspec;

use super::{
    codec::LinkParts,
    kind::Kind,
    link::{self, Link, Lower},
    neigh::{self, Neigh, nud},
    raw::{Refusal, Socket},
    route::Route,
    rule::{self, Rule},
};

/// Redirects, what the kernel makes itself, and what routers tell it: `RTPROT_REDIRECT`, `RTPROT_KERNEL`,
/// `RTPROT_RA`.
const KERNEL_PROTOCOLS: [u8; 3] = [1, 2, 9];

/// A link that is there.
#[derive(Debug, Clone)]
pub(crate) struct SeenLink {
    /// As it is compared: without most of what only a list shows.
    pub link: Link,
    /// What its driver says.
    infos: Vec<LinkInfo>,
}

impl SeenLink {
    /// What kind it is: the wanted one, where it was told all of that; one that nobody knows is `None`. Of some others no
    /// more than the word can be told.
    pub(crate) fn kind_like(&self, wanted: Option<&Kind>) -> Option<Kind> {
        if let Some(bridge) = Kind::of_bridge(&self.infos) {
            return Some(bridge);
        }
        match wanted {
            Some(kind) if kind.is_told_by(&self.infos) => Some(kind.clone()),
            _ => self.kind_told().or_else(|| Kind::named(self.link.kind.as_deref()?)),
        }
    }
}

impl SeenLink {
    /// What kind it is, with what is unusual of its options; `None` where that cannot be told.
    pub(crate) fn kind_told(&self) -> Option<Kind> {
        let told = Kind::told(self.link.kind.as_deref()?, &self.infos)?;
        // A bridge is compared by what is usual, all others by what was told.
        (matches!(told, Kind::Bridge(_)) || told.is_told_by(&self.infos)).then_some(told)
    }
}

impl SeenLink {
    /// The index of the link of this namespace that a VXLAN sends by. The kernel says it among what the driver was told,
    /// and not where it says what other links stand on.
    fn bound_to(&self) -> Option<u32> {
        if self.link.lower_nsid.is_some() {
            return None;
        }
        self.infos.iter().find_map(|info| match info {
            LinkInfo::Data(InfoData::Vxlan(told)) => told.iter().find_map(|told| match told {
                InfoVxlan::Link(index) if *index != 0 => Some(*index),
                _ => None,
            }),
            _ => None,
        })
    }
}

/// The links of a whole answer.
pub(super) fn links(socket: &mut Socket, question: &RouteNetlinkMessage) -> Result<Vec<SeenLink>, Refusal> {
    let mut all = socket.dump_of_links(LinkParts::Compared, question, link_of)?;
    link::resolve(&mut all.iter_mut().map(|seen| &mut seen.link).collect::<Vec<_>>());
    let bound = all.iter().enumerate().filter_map(|(at, seen)| Some((at, name_of(&all, seen.bound_to()?)?)));
    for (at, name) in bound.collect::<Vec<_>>() {
        all[at].link.lower = Some(Lower::Here(Some(name)));
    }
    Ok(all)
}

fn name_of(links: &[SeenLink], index: u32) -> Option<String> {
    links.iter().find(|seen| seen.link.index == index).map(|seen| seen.link.name.clone())
}

fn link_of(object: RouteNetlinkMessage) -> Option<SeenLink> {
    let RouteNetlinkMessage::NewLink(mut message) = object else { return None };
    let infos = message.attributes.iter_mut().find_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => Some(std::mem::take(infos)),
        _ => None,
    });
    let infos = infos.unwrap_or_default();
    let kind = infos.iter().find_map(link::kind_name);
    Some(SeenLink { link: Link { kind, ..Link::of(&message) }, infos })
}

impl Socket {
    /// The routes that somebody made who says to be of this number.
    pub(crate) fn routes_by(&mut self, protocol: u8) -> Result<Vec<Route>, Refusal> {
        let mut question = RouteMessage::default();
        question.header.protocol = RouteProtocol::from(protocol);
        // A kernel that does not filter tells all.
        let by_it = |route: &Route| route.protocol == Some(protocol);
        self.dump_of(&RouteNetlinkMessage::GetRoute(question), |object| Route::of_object(&object).filter(by_it))
    }

    /// All routes of the socket's namespace but those that the kernel made.
    pub(crate) fn all_routes(&mut self) -> Result<Vec<Route>, Refusal> {
        let made = |route: &Route| !route.protocol.is_some_and(|of| KERNEL_PROTOCOLS.contains(&of));
        let all = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        self.dump_of(&all, |object| Route::of_object(&object).filter(made))
    }

    /// How many rules the socket's namespace has beside those that the kernel made.
    pub(crate) fn count_rules(&mut self) -> Result<usize, Refusal> {
        let made = |rule: &Rule| !rule.protocol.is_some_and(|of| KERNEL_PROTOCOLS.contains(&of));
        let all = RouteNetlinkMessage::GetRule(RuleMessage::default());
        Ok(self.dump_of(&all, |object| rule::rule_of(&object).filter(made))?.len())
    }

    /// How many neighbours somebody told the socket's namespace for good.
    pub(crate) fn count_permanent_neighbours(&mut self) -> Result<usize, Refusal> {
        let told = |neigh: &Neigh| neigh.state & nud::PERMANENT != 0;
        let all = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
        Ok(self.dump_of(&all, |object| neigh::neigh_of(&object).filter(told))?.len())
    }

    /// The note on `lo` of the socket's namespace.
    pub(crate) fn note_of_loopback(&mut self) -> Result<Option<String>, Refusal> {
        Ok(self.loopback()?.and_then(|lo| lo.alias))
    }

    /// `lo` of the socket's namespace.
    pub(crate) fn loopback(&mut self) -> Result<Option<Link>, Refusal> {
        let question = link::without_counters(LinkUnspec::new_with_index(link::LOOPBACK_INDEX).build());
        let question = RouteNetlinkMessage::GetLink(question);
        let answer = self.ask_each([question])?.pop().transpose()?;
        Ok(answer.and_then(|object| link::links_of(&[object]).pop()))
    }

    /// The bridges of the socket's namespace. The kernel leaves all others out, of which they may have a thousand.
    pub(crate) fn bridges(&mut self) -> Result<Vec<Link>, Refusal> {
        let mut question = link::without_counters(LinkMessage::default());
        question.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]));
        let links = link::all(self, &RouteNetlinkMessage::GetLink(question))?;
        // A kernel that does not filter tells all.
        Ok(links.into_iter().filter(|link| link.kind.as_deref() == Some("bridge")).collect())
    }

    /// All links of the socket's namespace.
    pub(crate) fn seen_links(&mut self) -> Result<Vec<SeenLink>, Refusal> {
        links(self, &link::dump_request())
    }
}
