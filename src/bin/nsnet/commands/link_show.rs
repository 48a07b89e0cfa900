//! `link show`: links, and where their other ends are.

use nsnet::{Netlink, Netns, NsRef, inspect};

use super::{Context, Failure};
use crate::{
    render::{Answer, LinkRow},
    words::link_show::Filter,
};

pub fn show(filter: &Filter, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let place = context.connect(place)?;
    let rows = rows(&place.ns, &place.netlink, filter);
    let rows = context.session.block_on(async { Ok(rows.await?) })?;
    Ok(Answer::Links { rows, brief: context.globals.brief })
}

async fn rows(ns: &Netns, netlink: &Netlink, filter: &Filter) -> nsnet::Result<Vec<LinkRow>> {
    let links = match &filter.device {
        Some(name) => vec![netlink.link(name).await?],
        None => netlink.links().await?,
    };
    let peers = inspect::peers(ns, &links).await?;
    Ok(links.into_iter().zip(peers).map(|(link, peer)| LinkRow { link, peer }).collect())
}
