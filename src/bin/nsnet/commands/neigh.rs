//! `neigh`: the neighbour table.

use nsnet::{
    Change, Family, Netlink, NsRef, Prefix,
    netlink::neigh::{Neigh, nud},
};

use super::{Context, Failure, session::Place};
use crate::{
    render::{Answer, NeighRow, NeighRows},
    words::neigh::{Entry, Filter, Master, NO_STATE, Request},
};

pub fn neigh(request: Request, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    match request {
        Request::Show(filter) => show(&filter, place, context),
        Request::Flush(filter) => flush(&filter, place, context),
        Request::Get(entry) => get(entry, place, context),
        Request::Put(entry, meet) => change(entry, |neigh| neigh.put(meet), place, context),
        Request::Delete(entry) => change(entry, Neigh::delete, place, context),
    }
}

fn change(
    entry: Entry,
    change: impl FnOnce(&Neigh) -> Change,
    place: Option<NsRef>,
    context: &mut Context<'_>,
) -> Result<Answer, Failure> {
    let place = context.connect_to_change(place)?;
    let neigh = context.session.block_on(async { Ok(found(&place, entry).await?) })?;
    context.session.apply(&place, change(&neigh)).map(|()| Answer::Nothing)
}

fn show(filter: &Filter, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    const USUAL: u16 = 0xff & !nud::NOARP;
    let place = context.connect(place)?;
    context.session.block_on(async {
        let neighs = matching(&place, filter, USUAL).await?;
        rows(&place.netlink, neighs, filter.device.is_some()).await
    })
}

fn get(entry: Entry, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let place = context.connect(place)?;
    context.session.block_on(async {
        let found = place.netlink.neighbour(&found(&place, entry).await?).await?;
        rows(&place.netlink, vec![found], false).await
    })
}

fn flush(filter: &Filter, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    const USUAL: u16 = !(nud::PERMANENT | nud::NOARP);
    let place = context.connect(place)?;
    context.session.block_on(async {
        for neigh in matching(&place, filter, USUAL).await? {
            place.netlink.apply(neigh.delete()).await?;
        }
        Ok(Answer::Nothing)
    })
}

/// The entry with the link that it is on.
async fn found(place: &Place, Entry { mut neigh, device }: Entry) -> nsnet::Result<Neigh> {
    if let Some(name) = device {
        neigh.device = place.index_of(&name).await?;
    }
    Ok(neigh)
}

async fn matching(place: &Place, filter: &Filter, usual: u16) -> nsnet::Result<Vec<Neigh>> {
    let netlink = &place.netlink;
    let device = match &filter.device {
        Some(name) => place.index_of(name).await?,
        None => 0,
    };
    let ports = match &filter.master {
        Some(Master::Named(name)) => Some(netlink.ports_of(place.index_of(name).await?).await?),
        Some(Master::None) => Some(netlink.ports_of(0).await?),
        None => None,
    };
    let states = filter.states.unwrap_or(usual);
    let in_state = |neigh: &Neigh| {
        neigh.proxy || neigh.extern_learn || states & neigh.state != 0 || (neigh.state == 0 && states & NO_STATE != 0)
    };
    let mut neighs = netlink.neighbours(filter.family, device, filter.proxy).await?;
    neighs.retain(|neigh| {
        in_state(neigh)
            && filter.family.is_none_or(|family| family == Family::of(neigh.ip))
            && (device == 0 || device == neigh.device)
            && ports.as_ref().is_none_or(|ports| ports.contains(&neigh.device))
            && filter.to.is_none_or(|to| to.contains(Prefix::host(neigh.ip)))
            && filter.protocol.is_none_or(|protocol| protocol == neigh.protocol)
            && !(filter.unused && neigh.usage.is_some_and(|usage| usage.references > 0))
    });
    Ok(neighs)
}

async fn rows(netlink: &Netlink, neighs: Vec<Neigh>, of_one_device: bool) -> Result<Answer, Failure> {
    let names = netlink.link_names().await?;
    let row = |neigh: Neigh| {
        let device = names.get(&neigh.device).cloned();
        let lladdr = neigh.lladdr.as_deref().map(hardware_address);
        NeighRow { neigh, device, lladdr }
    };
    Ok(Answer::Neighs(NeighRows { rows: neighs.into_iter().map(row).collect(), of_one_device }))
}

fn hardware_address(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}
