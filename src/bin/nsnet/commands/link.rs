//! `link show`: links, and where their other ends are.

use nsnet::{Device, Netlink, Netns, inspect};

use super::{Context, Failure, block_on};
use crate::{
    args,
    render::{Answer, LinkRow},
};

pub fn show(args: args::LinkShow, context: &Context<'_>) -> Result<Answer, Failure> {
    let (ns, name) = match args.device {
        Some(Device { ns: Some(ns), name }) => (Netns::open(&ns)?, Some(name)),
        Some(Device { ns: None, name }) => (context.place()?, Some(name)),
        None => (context.place()?, None),
    };
    let rows = block_on(async { Ok(rows(&ns, name.as_deref()).await?) })?;
    Ok(Answer::Links { rows, brief: context.globals.brief })
}

async fn rows(ns: &Netns, name: Option<&str>) -> nsnet::Result<Vec<LinkRow>> {
    let netlink = Netlink::open(ns)?;
    let links = match name {
        Some(name) => vec![netlink.link(name).await?],
        None => netlink.links().await?,
    };
    let peers = inspect::peers(ns, &links).await?;
    Ok(links.into_iter().zip(peers).map(|(link, peer)| LinkRow { link, peer }).collect())
}
