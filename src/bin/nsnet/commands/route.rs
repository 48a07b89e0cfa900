//! `route`: where packets go.

use std::collections::BTreeMap;

use nsnet::{
    Change, Family, NsRef, Prefix, Route,
    netlink::route::{Hop, RouteKind},
};

use super::{Context, Failure, session::Place};
use crate::{
    render::{Answer, RouteRows, RoutesHide},
    words::route::{Draft, Filter, Request},
};

/// `RTM_F_CLONED` of `linux/rtnetlink.h`: what was found once, not what is in a table.
const CLONED: u32 = 0x200;

pub fn route(request: Request, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    match request {
        Request::Show(filter) => show(&filter, place, context),
        Request::Flush(filter) => flush(&filter, place, context),
        Request::Get(draft) => get(draft, place, context),
        Request::Put(draft, beside) => change(draft, |route| route.put(beside), place, context),
        Request::Delete(draft) => change(draft, Route::delete, place, context),
    }
}

fn change(
    draft: Draft,
    change: impl FnOnce(&Route) -> Change,
    place: Option<NsRef>,
    context: &mut Context<'_>,
) -> Result<Answer, Failure> {
    let place = context.connect_to_change(place)?;
    let route = context.session.block_on(async { Ok(found(&place, draft).await?) })?;
    context.session.apply(&place, change(&route)).map(|()| Answer::Nothing)
}

fn show(filter: &Filter, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let place = context.connect(place)?;
    context.session.block_on(async {
        let routes = matching(&place, filter).await?;
        Ok(Answer::Routes(RouteRows { links: links(&place).await?, routes, hide: hidden(filter) }))
    })
}

fn get(draft: Draft, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let place = context.connect(place)?;
    let whole = draft.whole;
    context.session.block_on(async {
        let found = place.netlink.route_to(&found(&place, draft).await?, whole).await?;
        let hide = RoutesHide::default();
        Ok(Answer::Routes(RouteRows { links: links(&place).await?, routes: vec![found], hide }))
    })
}

fn flush(filter: &Filter, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let place = context.connect(place)?;
    context.session.block_on(async {
        for route in matching(&place, filter).await?.iter().filter(|route| !is_of_the_kernel(route)) {
            place.netlink.apply(route.delete()).await?;
        }
        Ok(Answer::Nothing)
    })
}

/// The route with the links that it names.
async fn found(place: &Place, draft: Draft) -> nsnet::Result<Route> {
    let Draft { mut route, device, iif, hop_devices, .. } = draft;
    if let Some(name) = device {
        route.hop.device = place.index_of(&name).await?;
    }
    if let Some(name) = iif {
        route.iif = place.index_of(&name).await?;
    }
    for (hop, device) in route.hops.iter_mut().zip(hop_devices) {
        if let Some(name) = device {
            hop.hop.device = place.index_of(&name).await?;
        }
    }
    Ok(route)
}

/// What was said of the routes need not be shown of each.
fn hidden(filter: &Filter) -> RoutesHide {
    RoutesHide {
        table: filter.table != 0,
        device: filter.device.is_some(),
        iif: filter.iif.is_some(),
        via: filter.via.is_some_and(Prefix::is_host),
        src: filter.src.is_some_and(Prefix::is_host),
        tos: filter.tos.is_some(),
        protocol: filter.protocol.is_some(),
        scope: filter.scope.is_some(),
        metric: filter.metric.is_some(),
    }
}

async fn links(place: &Place) -> nsnet::Result<BTreeMap<u32, String>> {
    place.netlink.link_names().await
}

async fn matching(place: &Place, filter: &Filter) -> nsnet::Result<Vec<Route>> {
    let index = async |name: &Option<String>| match name {
        Some(name) => place.index_of(name).await,
        None => Ok(0),
    };
    let (device, iif) = (index(&filter.device).await?, index(&filter.iif).await?);
    let mut routes = place.netlink.routes(filter.family, filter.table, device).await?;
    routes.retain(|route| fits(route, filter, device, iif));
    Ok(routes)
}

fn fits(route: &Route, filter: &Filter, device: u32, iif: u32) -> bool {
    let inside = |wanted: Option<Prefix>, ip: Option<std::net::IpAddr>| {
        wanted.is_none_or(|wanted| ip.is_some_and(|ip| wanted.contains(Prefix::host(ip))))
    };
    let table = filter.table == 0 || route.table == Some(filter.table);
    table
        && route.flags & CLONED == 0
        && filter.family.is_none_or(|family| family == route.family())
        && (device == 0 || route.hop.device == device)
        && (iif == 0 || route.iif == iif)
        && inside(filter.via, route.hop.via)
        && inside(filter.src, route.prefsrc)
        && filter.root.is_none_or(|root| root.contains(route.dst))
        && filter.around.is_none_or(|around| route.dst.contains(around))
        && filter.tos.is_none_or(|tos| tos == route.tos)
        && filter.protocol.is_none_or(|protocol| Some(protocol) == route.protocol)
        && filter.scope.is_none_or(|scope| Some(scope) == route.scope)
        && filter.kind.is_none_or(|kind| Some(kind) == route.kind)
        && filter.metric.is_none_or(|metric| metric == route.metric.unwrap_or(0))
}

/// The one that IPv6 keeps for what has no route; it cannot be deleted.
fn is_of_the_kernel(route: &Route) -> bool {
    route.family() == Family::Inet6
        && route.dst.is_all()
        && route.kind == Some(RouteKind::Unreachable)
        && route.metric == Some(u32::MAX)
        && route.hop != Hop::default()
}
