//! `rule`: the routing policy.

use nsnet::{Change, Family, NsRef, Prefix, Rule};

use super::{Context, Failure};
use crate::{render::Answer, words::rule::Request};

pub fn rule(request: Request, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    match request {
        Request::Show(wanted) => show(&wanted, place, context),
        Request::Flush(wanted) => flush(&wanted, place, context),
        Request::Add(rule) => change(rule.add(), place, context),
        Request::Delete(rule) => change(rule.delete(), place, context),
    }
}

fn change(change: Change, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let place = context.connect_to_change(place)?;
    context.session.apply(&place, change).map(|()| Answer::Nothing)
}

fn show(wanted: &Rule, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let place = context.connect(place)?;
    let listed = place.netlink.rules(wanted.family.unwrap_or(Family::Inet));
    let mut rules = context.session.block_on(async { Ok(listed.await?) })?;
    rules.retain(|rule| fits(rule, wanted));
    Ok(Answer::Rules(rules))
}

fn flush(wanted: &Rule, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let place = context.connect(place)?;
    let netlink = &place.netlink;
    context.session.block_on(async {
        for rule in netlink.rules(wanted.family.unwrap_or(Family::Inet)).await? {
            // As ip does: without the rule for local addresses, the host would be deaf.
            if rule.priority.is_some_and(|priority| priority > 0) && fits(&rule, wanted) {
                netlink.apply(rule.delete()).await?;
            }
        }
        Ok(Answer::Nothing)
    })
}

/// Whether a rule has all that is wanted; prefixes may be longer ones inside.
fn fits(rule: &Rule, wanted: &Rule) -> bool {
    fn same<T: PartialEq>(wanted: Option<&T>, own: Option<&T>) -> bool {
        wanted.is_none() || wanted == own
    }
    let within = |wanted: Option<Prefix>, own: Option<Prefix>| {
        wanted.is_none_or(|wanted| own.is_some_and(|own| wanted.contains(own)))
    };
    // As ip does, by the mark alone where no mask is given.
    let marked = |wanted: Option<(u32, u32)>, own: Option<(u32, u32)>| {
        wanted.is_none_or(|(mark, mask)| own.is_some_and(|own| own.0 == mark && (mask == u32::MAX || own.1 == mask)))
    };
    (!wanted.not || rule.not)
        && (!wanted.l3mdev || rule.l3mdev)
        && within(wanted.from, rule.from)
        && within(wanted.to, rule.to)
        && same(wanted.priority.as_ref(), rule.priority.as_ref())
        && same(wanted.tos.as_ref(), rule.tos.as_ref())
        && marked(wanted.fwmark, rule.fwmark)
        && same(wanted.iif.as_ref(), rule.iif.as_ref())
        && same(wanted.oif.as_ref(), rule.oif.as_ref())
        && same(wanted.uids.as_ref(), rule.uids.as_ref())
        && same(wanted.ip_protocol.as_ref(), rule.ip_protocol.as_ref())
        && same(wanted.sport.as_ref(), rule.sport.as_ref())
        && same(wanted.dport.as_ref(), rule.dport.as_ref())
        && same(wanted.protocol.as_ref(), rule.protocol.as_ref())
        && same(wanted.action.as_ref(), rule.action.as_ref())
}
