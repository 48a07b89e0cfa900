//! Rules: which table a packet is routed by.

use std::ops::RangeInclusive;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::{
    IpProtocol, RouteNetlinkMessage,
    route::RouteProtocol,
    rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage, RulePortRange, RuleUidRange},
};

use super::{Change, Netlink, change::Subject, family_of, kernel_family};
use crate::{
    addr::{Family, Prefix},
    error::Result,
};

/// `FR_ACT_TO_TBL` of `linux/fib_rules.h` and its table `main`.
const TABLE_MAIN: u32 = 254;
/// What the kernel says for "does not suppress".
const NONE: u32 = u32::MAX;

/// A rule of the routing policy, as `ip rule` shows and takes it. What is `None` is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Rule {
    /// Whose packets; told by the prefixes where it is `None`, else IPv4.
    pub family: Option<Family>,
    /// Rules are looked at from 0 upwards. The kernel chooses where it is `None`.
    pub priority: Option<u32>,
    /// Whether it holds for the packets that do not fit.
    pub not: bool,
    /// Where packets come from.
    pub from: Option<Prefix>,
    /// Where packets go to.
    pub to: Option<Prefix>,
    /// The type of service (IPv4) or traffic class (IPv6).
    pub tos: Option<u8>,
    /// The mark of a packet, and the bits of it that count.
    pub fwmark: Option<(u32, u32)>,
    /// The interface that a packet came in by.
    pub iif: Option<String>,
    /// The interface that a packet of this host was bound to.
    pub oif: Option<String>,
    /// The users whose sockets sent a packet.
    pub uids: Option<RangeInclusive<u32>>,
    /// The protocol above IP, by number.
    pub ip_protocol: Option<u8>,
    /// The ports that packets come from.
    pub sport: Option<RangeInclusive<u16>>,
    /// The ports that packets go to.
    pub dport: Option<RangeInclusive<u16>>,
    /// Whether the table is that of the VRF which the packet belongs to.
    pub l3mdev: bool,
    /// What is done with a packet that fits; none stands for [`Action::Table`] `main` in a new rule,
    /// for any in one to delete.
    pub action: Option<Action>,
    /// Routes of this prefix length or shorter are ignored.
    pub suppress_prefix_len: Option<u32>,
    /// Routes through links of this group are ignored.
    pub suppress_group: Option<u32>,
    /// Who made it, by the numbers of routing protocols.
    pub protocol: Option<u8>,
    /// What the kernel says of it.
    pub state: RuleState,
}

/// What a rule does with a packet that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Looks into the table of this number.
    Table(u32),
    /// Goes on with the rule of this priority; `None` if the kernel does not say which.
    Goto(Option<u32>),
    /// Goes on with the next rule.
    Nop,
    /// Drops it without a word.
    Blackhole,
    /// Drops it and says that the network is unreachable.
    Unreachable,
    /// Drops it and says that it is prohibited.
    Prohibit,
    /// One that nsnet does not know, by number.
    Other(u8),
}

/// What only the kernel says of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RuleState {
    /// There is no rule to go on with.
    pub unresolved: bool,
    /// There is no interface `iif`.
    pub iif_detached: bool,
    /// There is no interface `oif`.
    pub oif_detached: bool,
}

impl Rule {
    /// The family of the packets that it is for.
    #[must_use]
    pub fn family(&self) -> Family {
        let prefixes = [self.from, self.to].into_iter().flatten();
        self.family.or_else(|| prefixes.map(Prefix::family).next()).unwrap_or(Family::Inet)
    }

    /// The number of the table that it looks into.
    #[must_use]
    pub fn table(&self) -> Option<u32> {
        match self.action {
            Some(Action::Table(table)) => Some(table),
            _ => None,
        }
    }

    /// Makes it; like `ip rule add`.
    #[must_use]
    pub fn add(&self) -> Change {
        let action = (!self.l3mdev).then_some(Action::Table(TABLE_MAIN));
        let whole = Self { action: self.action.or(action), ..self.clone() };
        let message = RouteNetlinkMessage::NewRule(whole.message());
        Change::new(message, NLM_F_CREATE | NLM_F_EXCL, "add rule", Subject::Words(self.subject()))
    }

    /// Deletes the first one that has all of this; like `ip rule del`.
    #[must_use]
    pub fn delete(&self) -> Change {
        Change::new(RouteNetlinkMessage::DelRule(self.message()), 0, "delete rule", Subject::Words(self.subject()))
    }

    fn subject(&self) -> String {
        let words = [
            self.priority.map(|priority| format!("'priority {priority}'")),
            self.from.map(|prefix| format!("'from {prefix}'")),
            self.to.map(|prefix| format!("'to {prefix}'")),
        ];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    fn message(&self) -> RuleMessage {
        let mut message = RuleMessage::default();
        message.header.family = kernel_family(self.family());
        message.header.src_len = self.from.map_or(0, Prefix::prefix_len);
        message.header.dst_len = self.to.map_or(0, Prefix::prefix_len);
        message.header.tos = self.tos.unwrap_or(0);
        message.header.flags.set(RuleFlags::Invert, self.not);
        message.header.action = match self.action {
            Some(action) => kernel_action(action),
            None if self.l3mdev => RuleAction::ToTable,
            None => RuleAction::Unspec,
        };
        message.attributes = self.attributes().into_iter().flatten().collect();
        message
    }

    fn attributes(&self) -> [Option<RuleAttribute>; 16] {
        let address = |prefix: Option<Prefix>| prefix.filter(|prefix| !prefix.is_all()).map(Prefix::ip);
        let ports = |range: &RangeInclusive<u16>| RulePortRange { start: *range.start(), end: *range.end() };
        let uids = |range: &RangeInclusive<u32>| RuleUidRange { start: *range.start(), end: *range.end() };
        let target = match self.action {
            Some(Action::Goto(target)) => target,
            _ => None,
        };
        [
            address(self.from).map(RuleAttribute::Source),
            address(self.to).map(RuleAttribute::Destination),
            self.priority.map(RuleAttribute::Priority),
            self.fwmark.map(|(mark, _)| RuleAttribute::FwMark(mark)),
            self.fwmark.filter(|&(_, mask)| mask != u32::MAX).map(|(_, mask)| RuleAttribute::FwMask(mask)),
            self.iif.clone().map(RuleAttribute::Iifname),
            self.oif.clone().map(RuleAttribute::Oifname),
            self.uids.as_ref().map(uids).map(RuleAttribute::UidRange),
            self.ip_protocol.map(|number| RuleAttribute::IpProtocol(IpProtocol::from(number))),
            self.sport.as_ref().map(ports).map(RuleAttribute::SourcePortRange),
            self.dport.as_ref().map(ports).map(RuleAttribute::DestinationPortRange),
            self.l3mdev.then_some(RuleAttribute::L3MDev(true)),
            self.table().map(RuleAttribute::Table).or(target.map(RuleAttribute::Goto)),
            self.suppress_prefix_len.map(RuleAttribute::SuppressPrefixLen),
            self.suppress_group.map(RuleAttribute::SuppressIfGroup),
            self.protocol.map(|number| RuleAttribute::Protocol(RouteProtocol::from(number))),
        ]
    }

    fn of(message: &RuleMessage) -> Option<Self> {
        let header = &message.header;
        let family = family_of(header.family)?;
        let mut rule = Self {
            family: Some(family),
            not: header.flags.contains(RuleFlags::Invert),
            tos: Some(header.tos).filter(|&tos| tos != 0),
            from: (header.src_len > 0).then(|| unknown(family, header.src_len)),
            to: (header.dst_len > 0).then(|| unknown(family, header.dst_len)),
            state: RuleState {
                unresolved: header.flags.contains(RuleFlags::Unresolved),
                iif_detached: header.flags.contains(RuleFlags::IifDetached),
                oif_detached: header.flags.contains(RuleFlags::OifDetached),
            },
            priority: Some(0),
            action: Some(action_of(header.action, header.table)),
            ..Self::default()
        };
        message.attributes.iter().for_each(|attribute| rule.take(attribute, message));
        Some(rule)
    }

    fn take(&mut self, attribute: &RuleAttribute, message: &RuleMessage) {
        let header = &message.header;
        match attribute {
            RuleAttribute::Source(ip) => self.from = Prefix::new(*ip, header.src_len).ok(),
            RuleAttribute::Destination(ip) => self.to = Prefix::new(*ip, header.dst_len).ok(),
            RuleAttribute::Priority(priority) => self.priority = Some(*priority),
            RuleAttribute::FwMark(mark) => self.fwmark = Some((*mark, self.fwmark.map_or(u32::MAX, |(_, mask)| mask))),
            RuleAttribute::FwMask(mask) => self.fwmark = Some((self.fwmark.map_or(0, |(mark, _)| mark), *mask)),
            RuleAttribute::Iifname(name) => self.iif = Some(name.clone()),
            RuleAttribute::Oifname(name) => self.oif = Some(name.clone()),
            RuleAttribute::UidRange(range) => self.uids = Some(range.start..=range.end),
            RuleAttribute::IpProtocol(protocol) => self.ip_protocol = Some(u8::from(*protocol)),
            RuleAttribute::SourcePortRange(range) => self.sport = Some(range.start..=range.end),
            RuleAttribute::DestinationPortRange(range) => self.dport = Some(range.start..=range.end),
            RuleAttribute::L3MDev(l3mdev) => self.l3mdev = *l3mdev,
            RuleAttribute::Table(table) if header.action == RuleAction::ToTable => {
                self.action = Some(Action::Table(*table));
            }
            RuleAttribute::Goto(target) => self.action = Some(Action::Goto(Some(*target))),
            RuleAttribute::SuppressPrefixLen(len) => self.suppress_prefix_len = Some(*len).filter(|&len| len != NONE),
            RuleAttribute::SuppressIfGroup(group) => self.suppress_group = Some(*group).filter(|&group| group != NONE),
            RuleAttribute::Protocol(protocol) => self.protocol = Some(u8::from(*protocol)),
            _ => {}
        }
    }
}

/// A length without an address, which the kernel gives for none.
fn unknown(family: Family, len: u8) -> Prefix {
    Prefix::new(family.unspecified(), len).unwrap_or(Prefix::all(family))
}

fn kernel_action(action: Action) -> RuleAction {
    match action {
        Action::Table(_) => RuleAction::ToTable,
        Action::Goto(_) => RuleAction::Goto,
        Action::Nop => RuleAction::Nop,
        Action::Blackhole => RuleAction::Blackhole,
        Action::Unreachable => RuleAction::Unreachable,
        Action::Prohibit => RuleAction::Prohibit,
        Action::Other(number) => RuleAction::from(number),
    }
}

fn action_of(action: RuleAction, table: u8) -> Action {
    match action {
        RuleAction::ToTable => Action::Table(table.into()),
        RuleAction::Goto => Action::Goto(None),
        RuleAction::Nop => Action::Nop,
        RuleAction::Blackhole => Action::Blackhole,
        RuleAction::Unreachable => Action::Unreachable,
        RuleAction::Prohibit => Action::Prohibit,
        other => Action::Other(other.into()),
    }
}

impl Netlink {
    /// The rules of a family, in the order in which they are looked at.
    ///
    /// # Errors
    ///
    /// What the kernel said; `Unsupported` where it has no rules or no such family.
    pub async fn rules(&self, family: Family) -> Result<Vec<Rule>> {
        let mut question = RuleMessage::default();
        question.header.family = kernel_family(family);
        let objects = self.dump(RouteNetlinkMessage::GetRule(question)).await;
        let objects = objects.map_err(|refusal| refusal.into_error("list rules", ""))?;
        Ok(objects.iter().filter_map(rule_of).collect())
    }
}

pub(super) fn rule_of(object: &RouteNetlinkMessage) -> Option<Rule> {
    match object {
        RouteNetlinkMessage::NewRule(message) => Rule::of(message),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::AddressFamily;

    use super::*;

    #[test]
    fn a_rule_reads_back_as_it_was_asked_for() {
        let rule = Rule {
            family: Some(Family::Inet),
            priority: Some(7),
            not: true,
            from: Some(Prefix::new("10.0.0.0".parse().unwrap(), 8).unwrap()),
            to: Some(Prefix::host("10.9.9.9".parse().unwrap())),
            tos: Some(0x10),
            fwmark: Some((1, 0xff)),
            iif: Some("eth0".into()),
            oif: Some("eth1".into()),
            uids: Some(1..=2),
            ip_protocol: Some(6),
            sport: Some(1..=1),
            dport: Some(80..=90),
            l3mdev: false,
            action: Some(Action::Table(1000)),
            suppress_prefix_len: Some(0),
            suppress_group: Some(3),
            protocol: Some(4),
            state: RuleState::default(),
        };
        assert_eq!(Rule::of(&rule.message()), Some(rule));
    }

    #[test]
    fn what_is_not_asked_for_is_not_in_the_request() {
        let message = Rule::default().message();
        assert_eq!((message.attributes.len(), message.header.action), (0, RuleAction::Unspec));
        assert_eq!(message.header.family, AddressFamily::Inet);
    }
}
