//! `veth`: a pair in one line.

use futures::future::{Either, select};
use nsnet::{End, Mac, Netns, NsRef, VethEnd, VethOptions, netlink::veth};

use super::{Context, Failure, block_on, interrupts::Interrupts};
use crate::{
    args,
    render::{Answer, VethRow},
};

pub fn veth(args: &args::Veth, context: &Context<'_>) -> Result<Answer, Failure> {
    let [first, second] = &args.ends[..] else { return Err(Failure::Usage("'veth' needs two ENDs".into())) };
    let options = VethOptions::default()
        .mtu_bytes(args.mtu)
        .macs(args.mac.as_ref().and_then(|macs| <[Mac; 2]>::try_from(macs.as_slice()).ok()))
        .queues(args.queues)
        .up(!args.down)
        .wait(!args.no_wait);
    let namespaces = [Netns::open(&place(first, context))?, Netns::open(&place(second, context))?];
    let ends = [wanted(first, &namespaces[0]), wanted(second, &namespaces[1])];
    let made = block_on(until_interrupted(veth::create(&ends, &options)))?;
    let rows = made.into_iter().zip([first, second]).map(|(made, end)| VethRow {
        netns: place(end, context),
        ifname: end.ifname.clone(),
        addrs: end.addrs.clone(),
        made,
    });
    Ok(Answer::Veth(rows.collect()))
}

/// Where an end lives: where it says, where `-n` says, or here.
fn place(end: &End, context: &Context<'_>) -> NsRef {
    end.ns.clone().or_else(|| context.globals.netns.clone()).unwrap_or(NsRef::Current)
}

fn wanted<'a>(end: &'a End, ns: &'a Netns) -> VethEnd<'a> {
    VethEnd::new(ns, &end.ifname).addrs(&end.addrs)
}

/// Work that undoes itself when dropped half-way is dropped on INT, TERM and HUP.
async fn until_interrupted<T>(work: impl Future<Output = nsnet::Result<T>>) -> Result<T, Failure> {
    let mut interrupts = Interrupts::watch()?;
    match select(std::pin::pin!(work), std::pin::pin!(interrupts.next())).await {
        Either::Left((done, _)) => Ok(done?),
        Either::Right((number, _)) => Err(Failure::Interrupted(number)),
    }
}
