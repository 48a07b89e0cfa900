//! `show`: all about one namespace.

use std::collections::BTreeMap;

use nsnet::{
    ErrorKind, Netlink, Netns, NsRef, Rule,
    addr::Family,
    netns::{self, NetnsId},
};

use super::{Context, Failure, map};
use crate::{
    args,
    render::{Answer, Portrait, RouteRows, RoutesHide, Routing},
};

pub fn show(args: &args::Show, context: &mut Context<'_>) -> Result<Answer, Failure> {
    if context.globals.quiet {
        return exists(&args.ns);
    }
    let ns = Netns::open(&args.ns)?;
    let nsid = netns::nsid_in(&context.place()?, &ns)?;
    let map = map::everything(context)?;
    let sockets = netns::socket_holders(&ns)?;
    // Not before: what this process opens inside would be a holder of it.
    let routing = match context.session.block_on(routing(&ns)) {
        Err(Failure::Work(e)) if e.kind() == ErrorKind::Denied => {
            context.warn(format!("links, routes and rules are not seen: {e}"));
            None
        }
        routing => Some(routing?),
    };
    let vanished = || Failure::Failed(format!("cannot show {ns}: it vanished meanwhile"));
    let at = position(&map, ns.id()).ok_or_else(vanished)?;
    let users = users(map.namespaces[at].holders.iter().map(|holder| holder.pid));
    Ok(Answer::Portrait(Box::new(Portrait { map, at, nsid, routing, sockets, users })))
}

fn exists(ns: &NsRef) -> Result<Answer, Failure> {
    match Netns::open(ns) {
        Ok(_) => Ok(Answer::Verdict(0)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotANamespace) => Ok(Answer::Verdict(1)),
        Err(e) => Err(e.into()),
    }
}

fn position(map: &nsnet::inspect::Map, id: NetnsId) -> Option<usize> {
    map.namespaces.iter().position(|namespace| namespace.id == Some(id))
}

async fn routing(ns: &Netns) -> Result<Routing, Failure> {
    const ALL_TABLES: u32 = 0;
    const LOCAL: u32 = 255;
    let netlink = Netlink::open(ns)?;
    let mut routes = netlink.routes(None, ALL_TABLES, 0).await?;
    // The kernel keeps those of the table local by itself, and these two of every link.
    routes.retain(|route| route.table != Some(LOCAL) && !route.dst.to_string().starts_with("fe80::/"));
    let mut rules = Vec::new();
    for family in [Family::Inet, Family::Inet6] {
        rules.extend(netlink.rules(family).await?.into_iter().filter(|rule| !is_default(rule)));
    }
    let routes = RouteRows { routes, links: netlink.link_names().await?, hide: RoutesHide::default() };
    Ok(Routing { routes, rules })
}

/// One of the three that every namespace begins with.
fn is_default(rule: &Rule) -> bool {
    const OF_EVERY_NAMESPACE: [(u32, u32); 3] = [(0, 255), (32766, 254), (32767, 253)];
    let place = (rule.priority.unwrap_or(0), rule.table().unwrap_or(0));
    let chooses = rule.from.is_some() || rule.to.is_some() || rule.fwmark.is_some() || rule.iif.is_some();
    OF_EVERY_NAMESPACE.contains(&place) && !chooses && rule.oif.is_none() && !rule.not
}

/// Whose processes these are, by name where `/etc/passwd` has one.
fn users(pids: impl Iterator<Item = u32>) -> BTreeMap<u32, String> {
    let passwd = std::fs::read("/etc/passwd").unwrap_or_default();
    let passwd = String::from_utf8_lossy(&passwd);
    let named: BTreeMap<u32, &str> = passwd
        .lines()
        .rev()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            Some((fields.nth(1)?.parse().ok()?, name))
        })
        .collect();
    let user = |pid: u32| {
        let uid = netns::uid_of(pid)?;
        Some((pid, named.get(&uid).map_or_else(|| uid.to_string(), |name| (*name).to_owned())))
    };
    pids.filter_map(user).collect()
}
