//! `link`: links made, changed, deleted and shown.

use std::rc::Rc;

use nsnet::{
    Device, LinkChange, Move, NewEnd, NewLink, NsRef, Site,
    name::escaped,
    netlink::{
        kind::{Kind, Vxlan},
        link_change,
        link_move::Lost,
    },
    netns::Entry,
};

use super::{Context, Failure, link_show, session::Place};
use crate::{
    render::Answer,
    words::{
        link::Request,
        link_add::Words,
        link_set::{Delete, Property, Set},
    },
};

pub fn link(request: Request, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let done = match request {
        Request::Show(filter) => return link_show::show(&filter, place, context),
        Request::Add(words) => add(*words, place, context),
        Request::Set(set) => self::set(&set, place, context),
        Request::Delete(delete) => self::delete(&delete, place, context),
        Request::AddNames(names) => property(&names, place, context, link_change::add_alt_names),
        Request::DeleteNames(names) => property(&names, place, context, link_change::delete_alt_names),
    };
    context.session.forget_links();
    done.map(|()| Answer::Nothing)
}

fn add(mut words: Words, from: Option<NsRef>, context: &mut Context<'_>) -> Result<(), Failure> {
    let Some(given) = words.kind.take() else { return Err(Failure::Usage("'link add' needs 'type KIND'".into())) };
    let from = context.connect(from)?;
    let born = birthplace(&words, context)?;
    let peer = given.peer.map(|peer| Ok::<_, Failure>((birthplace(&peer, context)?, peer))).transpose()?;
    if matches!(&given.kind, Kind::Vxlan(Vxlan { dst_port: None, .. })) {
        context.warn(
            "without 'dstport', the kernel takes port 8472; the standard's is 4789 ('dstport 0' says that 8472 is meant)"
                .into(),
        );
    }
    context.session.block_on(async {
        let mut new = NewLink::new(given.kind, site(&from), end(&born, &words).await?);
        if let Some(name) = &words.link {
            new.link = Some(from.index_of(name).await?);
        }
        if let Some(name) = &given.device {
            new.kind.bind_to(from.index_of(name).await?);
        }
        if let Some((place, words)) = &peer {
            new.peer = Some(end(place, words).await?);
        }
        Ok(new.create().await?)
    })
}

fn site(place: &Place) -> Site<'_> {
    Site { ns: &place.ns, netlink: &place.netlink }
}

/// Where a link is born: where its name says, or `netns`, or where the command is.
fn birthplace(words: &Words, context: &mut Context<'_>) -> Result<Rc<Place>, Failure> {
    let netns = words.netns.clone().map(process_or_name).transpose()?;
    if let (Some(placed), Some(netns)) = (&words.placed, &netns)
        && placed != netns
    {
        return Err(Failure::Usage(format!("the link is placed twice: in {placed} and in {netns}")));
    }
    context.connect(words.placed.clone().or(netns))
}

/// After `netns`, a bare number is a process, unless it is a name.
fn process_or_name(netns: NsRef) -> nsnet::Result<NsRef> {
    let number = netns.name().and_then(|name| name.as_os_str().to_str()?.parse().ok());
    match (number, netns.name()) {
        (Some(pid), Some(name)) if Entry::look(name.clone())?.is_none() => Ok(NsRef::Pid(pid)),
        _ => Ok(netns),
    }
}

async fn end<'a>(place: &'a Place, words: &Words) -> Result<NewEnd<'a>, Failure> {
    let mut end = NewEnd::new(site(place));
    end.master = master(place, words.master.as_ref()).await?;
    end.name = words.name.clone();
    end.index = words.index;
    end.switches = words.switches;
    end.mtu_bytes = words.mtu;
    end.address = words.address;
    end.tx_queue_packets = words.txqueuelen;
    end.tx_queues = words.numtxqueues;
    end.rx_queues = words.numrxqueues;
    end.group = words.group;
    end.alias = words.alias.clone();
    Ok(end)
}

/// The index of a master, which is in the namespace of the link that joins it.
async fn master(place: &Place, master: Option<&Device>) -> Result<Option<u32>, Failure> {
    let Some(Device { ns, name, .. }) = master else { return Ok(None) };
    if let Some(ns) = ns
        && nsnet::Netns::open(ns)?.id() != place.ns.id()
    {
        let (ns, name) = (ns.to_string(), escaped(name.as_bytes()));
        return Err(Failure::Usage(format!("a link joins a master in its own namespace; '{name}' is in {ns}")));
    }
    Ok(Some(place.index_of(name).await?))
}

fn set(set: &Set, place: Option<NsRef>, context: &mut Context<'_>) -> Result<(), Failure> {
    let from = context.connect(place)?;
    let netns = set.netns.clone().map(process_or_name).transpose()?;
    let to = netns.map(|netns| context.connect(Some(netns))).transpose()?;
    let lost = context.session.block_on(change(set, &from, to.as_deref()))?;
    if let (Some(name), Some(to)) = (&set.device, &to) {
        warn_of(lost, set.keep_addresses, name, to, context);
    }
    Ok(())
}

async fn change(set: &Set, from: &Place, to: Option<&Place>) -> Result<Lost, Failure> {
    let mut change = set.change.clone();
    if let Some(master) = master(to.unwrap_or(from), set.master.as_ref()).await? {
        change.master = Some(master);
    }
    let mut lost = Lost::default();
    match (&set.device, to) {
        (Some(name), Some(to)) => {
            let (from, to) = (site(from), site(to));
            lost = Move { from, to, name, change: &change, keep: set.keep_addresses }.run().await?;
        }
        (Some(name), None) => {
            let index = from.index_of(name).await?;
            if change != LinkChange::default() || set.alt_names.is_empty() {
                from.netlink.apply(change.of_link(index, name)).await?;
            }
        }
        (None, _) => {
            let group = change.group.take().unwrap_or_default();
            from.netlink.apply(change.of_group(group)).await?;
        }
    }
    if let (Some(name), false) = (&set.device, set.alt_names.is_empty()) {
        let place = to.unwrap_or(from);
        let name = change.name.as_ref().map_or(name.as_str(), |name| name.as_str());
        let index = place.netlink.index_of(name).await?;
        place.netlink.apply(link_change::add_alt_names(index, name, &set.alt_names)).await?;
    }
    Ok(lost)
}

fn warn_of(lost: Lost, kept: bool, name: &str, to: &Place, context: &mut Context<'_>) {
    let count = |number: usize, one: &str, more: &str| match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        number => Some(format!("{number} {more}")),
    };
    let parts = [count(lost.addresses, "address", "addresses"), count(lost.routes, "route", "routes")];
    let lost = parts.into_iter().flatten().collect::<Vec<_>>().join(" and ");
    if lost.is_empty() {
        return;
    }
    let name = escaped(name.as_bytes());
    let why = if kept { "because of other links that they need" } else { "which '--keep-addresses' brings along" };
    context.warn(format!("'{name}' moved to {} without {lost}, {why}", to.ns));
}

fn delete(delete: &Delete, place: Option<NsRef>, context: &mut Context<'_>) -> Result<(), Failure> {
    let place = context.connect(place)?;
    context.session.block_on(async {
        let change = match (&delete.device, delete.group) {
            (Some(name), _) => link_change::delete(place.index_of(name).await?, name),
            (None, group) => link_change::delete_group(group.unwrap_or_default()),
        };
        Ok(place.netlink.apply(change).await?)
    })
}

fn property(
    property: &Property,
    place: Option<NsRef>,
    context: &mut Context<'_>,
    change: fn(u32, &str, &[String]) -> nsnet::Change,
) -> Result<(), Failure> {
    let place = context.connect(place)?;
    let name = property.device.as_deref().unwrap_or_default();
    context.session.block_on(async {
        let index = place.index_of(name).await?;
        Ok(place.netlink.apply(change(index, name, &property.alt_names)).await?)
    })
}
