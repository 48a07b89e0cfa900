//! `neigh`: the neighbour table.

use nsnet::{
    Family, Netlink, NsRef, Prefix,
    netlink::neigh::{Neigh, nud},
};

use super::{Context, Failure, session::Place};
use crate::{
    render::{Answer, NeighRow, NeighRows},
    words::neigh::{Entry, Filter, Master, NO_STATE, Request},
};

pub fn neigh(request: Request, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let place = &*context.connect(place)?;
    let netlink = &place.netlink;
    context.session.block_on(async {
        match request {
            Request::Show(filter) => {
                let usual = 0xff & !nud::NOARP;
                let neighs = matching(place, &filter, usual).await?;
                return rows(netlink, neighs, filter.device.is_some()).await;
            }
            Request::Get(entry) => {
                let found = netlink.neighbour(&found(place, entry).await?).await?;
                return rows(netlink, vec![found], false).await;
            }
            Request::Put(entry, meet) => netlink.apply(found(place, entry).await?.put(meet)).await?,
            Request::Delete(entry) => netlink.apply(found(place, entry).await?.delete()).await?,
            Request::Flush(filter) => {
                let usual = !(nud::PERMANENT | nud::NOARP);
                for neigh in matching(place, &filter, usual).await? {
                    netlink.apply(neigh.delete()).await?;
                }
            }
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
