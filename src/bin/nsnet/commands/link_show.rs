//! `link show`: links, and where their other ends are.

use nsnet::{Link, Netlink, NsRef, inspect};

use super::{Context, Failure, session::Place};
use crate::{
    render::{Answer, LinkRow},
    words::link_show::{Filter, Master},
};

pub fn show(filter: &Filter, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let place = context.connect(place)?;
    let rows = rows(&place, filter, context.globals.statistics > 0);
    Ok(Answer::Links(context.session.block_on(rows)?))
}

/// The links that fit, with where their other ends are.
pub async fn rows(place: &Place, filter: &Filter, counted: bool) -> Result<Vec<LinkRow>, Failure> {
    let links = links(&place.netlink, filter, counted).await?;
    let peers = inspect::peers(&place.ns, &links).await?;
    Ok(links.into_iter().zip(peers).map(|(link, peer)| LinkRow { link, peer }).collect())
}

/// The links that fit.
pub async fn links(netlink: &Netlink, filter: &Filter, counted: bool) -> Result<Vec<Link>, Failure> {
    let master = master(netlink, filter).await?;
    let mut links = match &filter.device {
        Some(name) => vec![netlink.link(name).await?],
        None if counted => netlink.links_counted().await?,
        None => netlink.links().await?,
    };
    links.retain(|link| master.is_none_or(|master| link.master_index() == master) && fits(link, filter));
    Ok(links)
}

/// The index of the master that is wanted, or that there is none.
async fn master(netlink: &Netlink, filter: &Filter) -> Result<Option<Option<u32>>, Failure> {
    match &filter.master {
        None => Ok(None),
        Some(Master::Nobody) => Ok(Some(None)),
        Some(Master::Of(name)) => Ok(Some(Some(netlink.index_of(name).await?))),
        Some(Master::OfVrf(name)) => {
            let link = netlink.link(name).await?;
            match link.kind.as_deref() {
                Some("vrf") => Ok(Some(Some(link.index))),
                _ => Err(Failure::Usage(format!("'vrf {name}' is wrong: the link is not a VRF"))),
            }
        }
    }
}

fn fits(link: &Link, filter: &Filter) -> bool {
    fn same<T: PartialEq>(wanted: Option<&T>, own: Option<&T>) -> bool {
        wanted.is_none() || wanted == own
    }
    (!filter.up || link.is_up())
        && same(filter.group.as_ref(), link.group.as_ref())
        && same(filter.kind.as_ref(), link.kind.as_ref())
        && same(filter.port_kind.as_ref(), link.port_kind.as_ref())
}
