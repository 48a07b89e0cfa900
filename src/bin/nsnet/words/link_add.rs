//! `link add`: a new link, and the other end of a pair.

use nsnet::{IfName, Kind, Mac, NsRef, netlink::link_change::Switches};

use super::{
    Misuse,
    grammar::{Bare, Cursor, Keyword, Table, full, short},
    kind::{self, Given},
};
use crate::iproute2::Space;

/// What is wanted of a link, or of an end.
#[derive(Debug, Default)]
pub struct Words {
    pub name: Option<IfName>,
    /// Where its name places it.
    pub placed: Option<NsRef>,
    /// The word behind `netns`: what looks like a name and a number may be a process.
    pub netns: Option<NsRef>,
    pub index: Option<u32>,
    pub switches: Switches,
    pub mtu: Option<u32>,
    pub address: Option<Mac>,
    pub txqueuelen: Option<u32>,
    pub numtxqueues: Option<u32>,
    pub numrxqueues: Option<u32>,
    pub group: Option<u32>,
    /// A link of the namespace that this one is born in.
    pub master: Option<nsnet::Device>,
    /// A link of the namespace that the command is about.
    pub link: Option<String>,
    pub alias: Option<String>,
    pub kind: Option<Given>,
}

pub const ADD: Table<Words> = Table {
    command: "link add",
    about: "Make a link, born with all that is said of it.\n\
            A name may come with the namespace that the link is born in: red:eth0.\n\
            'nsnet link help KIND' lists what can be said behind 'type KIND'.",
    bare: NAME,
    keywords: &WORDS,
};

/// The same words, for the other end.
const PEER: Table<Words> =
    Table { command: "link add", about: "The other end of a pair.", bare: NAME, keywords: &WORDS };

const NAME: Option<Bare<Words>> = Some(Bare {
    value: "[NS:]NAME",
    help: "what it is called, and where it is born; the kernel numbers those without a name",
    first: true,
    read: |words, c| name(words, c),
});

const WORDS: [Keyword<Words>; 24] = [
    full("name", "[NS:]NAME", "", |words, c| name(words, c.value()?)),
    full("dev", "[NS:]NAME", "", |words, c| name(words, c.value()?)),
    full("up", "", "bring it up", |words, _| {
        words.switches.up = Some(true);
        Ok(())
    }),
    full("down", "", "leave it down, as it is unless told", |words, _| {
        words.switches.up = Some(false);
        Ok(())
    }),
    full("index", "N", "its index", |words, c| {
        words.index = Some(index(c.value()?)?);
        Ok(())
    }),
    short("link", "[NS:]IF", "the link that it stands on", |words, c| {
        words.link = Some(c.value()?.device()?);
        Ok(())
    }),
    short("address", "MAC", "its hardware address", |words, c| {
        words.address = Some(mac(c.value()?)?);
        Ok(())
    }),
    short("txqueuelen", "N", "the length of its transmit queue, in packets", txqueuelen),
    full("qlen", "N", "", txqueuelen),
    short("txqlen", "N", "", txqueuelen),
    full("mtu", "BYTES", "its largest packet", |words, c| {
        words.mtu = Some(c.value()?.number()?);
        Ok(())
    }),
    full("netns", "NS|PID|PATH", "where it is born", |words, c| {
        words.netns = Some(netns(c.value()?)?);
        Ok(())
    }),
    full("multicast", "on|off", "whether it does multicast", |words, c| {
        words.switches.multicast = Some(c.value()?.switch()?);
        Ok(())
    }),
    full("allmulticast", "on|off", "whether it takes all multicast packets", |words, c| {
        words.switches.allmulticast = Some(c.value()?.switch()?);
        Ok(())
    }),
    full("promisc", "on|off", "whether it takes packets for anybody", |words, c| {
        words.switches.promisc = Some(c.value()?.switch()?);
        Ok(())
    }),
    full("arp", "on|off", "whether it speaks ARP", |words, c| {
        words.switches.arp = Some(c.value()?.switch()?);
        Ok(())
    }),
    short("master", "[NS:]IF", "the bridge, bond or VRF that it joins where it is born", master),
    full("vrf", "[NS:]IF", "", master),
    short("nomaster", "", "", |_, _| Ok(())),
    short("type", "KIND …", "what it is, and what is peculiar to that; the last word", |words, c| {
        words.kind = Some(kind::of_new(c.value()?)?);
        Ok(())
    }),
    short("alias", "TEXT", "a note", |words, c| {
        words.alias = Some(alias(c.value()?)?);
        Ok(())
    }),
    full("group", "GROUP", "its group: a name or a number", |words, c| {
        words.group = Some(c.value()?.named(Space::Group)?);
        Ok(())
    }),
    short("numtxqueues", "N", "how many transmit queues it has", |words, c| {
        words.numtxqueues = Some(c.value()?.number()?);
        Ok(())
    }),
    short("numrxqueues", "N", "how many receive queues it has", |words, c| {
        words.numrxqueues = Some(c.value()?.number()?);
        Ok(())
    }),
];

/// Reads the words behind `link add`.
pub fn read(c: &mut Cursor<'_>) -> Result<Words, Misuse> {
    let mut words = Words::default();
    ADD.read(&mut words, c)?;
    if words.kind.is_none() {
        return Err(c.misuse(format!("'type KIND' is missing; KIND is one of {}", Kind::WORDS.join(", "))));
    }
    Ok(words)
}

/// Reads the words behind `peer`.
pub fn peer(c: &mut Cursor<'_>) -> Result<Words, Misuse> {
    let mut words = Words::default();
    PEER.read(&mut words, c)?;
    match (&words.kind, &words.link) {
        (Some(_), _) => Err(c.misuse("the other end is of the same kind: 'type' stands before 'peer' only")),
        (None, Some(_)) => Err(c.misuse("the other end stands on no link")),
        (None, None) => Ok(words),
    }
}

fn name(words: &mut Words, c: &Cursor<'_>) -> Result<(), Misuse> {
    let device = c.far_device()?;
    if words.name.is_some() {
        return Err(c.misuse("the name is given twice"));
    }
    words.name = Some(if_name(&device.name, c)?);
    words.placed = device.ns;
    Ok(())
}

/// A name that a link can be given.
pub fn if_name(name: &str, c: &Cursor<'_>) -> Result<IfName, Misuse> {
    name.parse().map_err(|e: nsnet::Error| c.wrong(e.reason().unwrap_or_default()))
}

/// The word behind `netns`.
pub fn netns(c: &Cursor<'_>) -> Result<NsRef, Misuse> {
    NsRef::new(c.word()).map_err(|e| c.wrong(e.reason().unwrap_or_default()))
}

pub fn mac(c: &Cursor<'_>) -> Result<Mac, Misuse> {
    c.text()?.parse().map_err(|e: nsnet::Error| c.wrong(e.reason().unwrap_or_default()))
}

pub fn index(c: &Cursor<'_>) -> Result<u32, Misuse> {
    match c.number()? {
        0 => Err(c.wrong("the smallest index is 1")),
        index if i32::try_from(index).is_err() => Err(c.wrong("it is not a number that fits")),
        index => Ok(index),
    }
}

pub fn alias(c: &Cursor<'_>) -> Result<String, Misuse> {
    match c.text()? {
        long if long.len() > 255 => Err(c.wrong("it is longer than 255 bytes")),
        text => Ok(text.to_owned()),
    }
}

fn txqueuelen(words: &mut Words, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    words.txqueuelen = Some(c.value()?.number()?);
    Ok(())
}

fn master(words: &mut Words, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    words.master = Some(c.value()?.far_device()?);
    Ok(())
}
