//! `route`: ip's words for routes.

use std::{ffi::OsString, net::IpAddr};

use nsnet::{
    Family, Prefix, Route,
    netlink::route::{Beside, Hop, Metric, MetricValue, NextHop, RouteKind, TABLE_MAIN},
};

use super::{
    Asked, Misuse,
    grammar::{Bare, Cursor, Keyword, Summary, Table, asks_for_help, command, full, help, short},
};
use crate::iproute2::{Names, Space};

/// What is asked of routes.
#[derive(Debug)]
pub enum Request {
    Show(Filter),
    Put(Draft, Beside),
    Delete(Draft),
    Get(Draft),
    Flush(Filter),
}

/// A route, on links that are yet to be found.
#[derive(Debug)]
pub struct Draft {
    pub route: Route,
    pub device: Option<String>,
    pub iif: Option<String>,
    /// The link of each of the route's next hops.
    pub hop_devices: Vec<Option<String>>,
    /// With `get`: the route as it is in its table.
    pub whole: bool,
    family: Option<Family>,
    dst: Option<Destination>,
}

#[derive(Debug, Clone, Copy)]
enum Destination {
    /// Of the family that the other words tell.
    Default,
    Prefix(Prefix),
}

/// The routes that are wanted.
#[derive(Debug)]
pub struct Filter {
    pub family: Option<Family>,
    /// 0 is any.
    pub table: u32,
    pub device: Option<String>,
    pub iif: Option<String>,
    pub via: Option<Prefix>,
    pub src: Option<Prefix>,
    /// Those inside it.
    pub root: Option<Prefix>,
    /// Those around it.
    pub around: Option<Prefix>,
    pub tos: Option<u8>,
    pub protocol: Option<u8>,
    pub scope: Option<u8>,
    pub kind: Option<RouteKind>,
    pub metric: Option<u32>,
}

#[derive(Clone, Copy)]
enum Verb {
    Put(Beside),
    Delete,
    Get,
    Show,
    Flush,
    Help,
}

/// In ip's order.
const VERBS: &[(&str, Verb)] = &[
    ("add", Verb::Put(Beside::Nothing)),
    ("change", Verb::Put(Beside::Change)),
    ("chg", Verb::Put(Beside::Change)),
    ("replace", Verb::Put(Beside::Replace)),
    ("prepend", Verb::Put(Beside::Before)),
    ("append", Verb::Put(Beside::Behind)),
    ("delete", Verb::Delete),
    ("list", Verb::Show),
    ("show", Verb::Show),
    ("lst", Verb::Show),
    ("get", Verb::Get),
    ("flush", Verb::Flush),
    ("help", Verb::Help),
];

/// ip's names of metrics with their numbers; times are kept in eighths and quarters.
pub const METRICS: [(u16, &str); 16] = [
    (2, "mtu"),
    (3, "window"),
    (4, "rtt"),
    (5, "rttvar"),
    (6, "ssthresh"),
    (7, "cwnd"),
    (8, "advmss"),
    (9, "reordering"),
    (10, "hoplimit"),
    (11, "initcwnd"),
    (12, "features"),
    (13, "rto_min"),
    (14, "initrwnd"),
    (15, "quickack"),
    (16, "congctl"),
    (17, "fastopen_no_cookie"),
];

const ROUTE: [Keyword<Draft>; 32] = [
    full("src", "ADDR", "the address of this host that packets get", |draft, c| {
        let address = draft.address(c.value()?)?;
        draft.route.prefsrc = Some(address);
        Ok(())
    }),
    full("via", "[inet6] ADDR", "the next router", |draft, c| {
        let via = draft.router(c)?;
        draft.route.hop.via = Some(via);
        Ok(())
    }),
    full("from", "PREFIX", "where packets come from (IPv6)", |draft, c| {
        draft.route.from = draft.prefix(c.value()?)?;
        Ok(())
    }),
    full("tos", "N", "packets of this type of service", tos),
    short("dsfield", "N", "", tos),
    full("expires", "SECONDS", "after so long it goes (IPv6)", |draft, c| {
        draft.route.expires = Some(c.value()?.number()?);
        Ok(())
    }),
    short("metric", "N", "of several routes, the lowest is taken", metric),
    short("priority", "N", "", metric),
    full("preference", "N", "", metric),
    full("scope", "SCOPE", "how far away what it leads to is: a name or a number", |draft, c| {
        draft.route.scope = Some(c.value()?.named(Space::Scope)?);
        Ok(())
    }),
    full("mtu", "[lock] BYTES", "the largest packet", |draft, c| draft.metric(2, c)),
    full("hoplimit", "N", "how many routers packets may pass", |draft, c| draft.metric(10, c)),
    full("advmss", "BYTES", "the segment size that TCP says", |draft, c| draft.metric(8, c)),
    short("reordering", "N", "how much reordering TCP expects", |draft, c| draft.metric(9, c)),
    full("rtt", "TIME", "the round-trip time that TCP begins with, as in 30ms", |draft, c| draft.time(4, 8, c)),
    full("rto_min", "TIME", "the least time until TCP sends again", |draft, c| draft.time(13, 1, c)),
    short("window", "BYTES", "the largest window of TCP", |draft, c| draft.metric(3, c)),
    short("cwnd", "N", "the congestion window, with lock", |draft, c| draft.metric(7, c)),
    short("initcwnd", "N", "the congestion window that TCP begins with", |draft, c| draft.metric(11, c)),
    short("initrwnd", "N", "the receive window that TCP begins with", |draft, c| draft.metric(14, c)),
    short("quickack", "0|1", "whether TCP acknowledges at once", |draft, c| draft.metric(15, c)),
    short("congctl", "[lock] NAME", "the congestion control of TCP", |draft, c| {
        let locked = lock(c)?;
        let value = MetricValue::Text(c.text()?.to_owned());
        draft.route.metrics.push(Metric { number: 16, value, locked });
        Ok(())
    }),
    short("rttvar", "TIME", "how much the round-trip time varies", |draft, c| draft.time(5, 4, c)),
    short("ssthresh", "N", "where TCP's slow start ends", |draft, c| draft.metric(6, c)),
    full("onlink", "", "the router is on the link, whatever the addresses say", |draft, _| {
        draft.route.hop.onlink = true;
        Ok(())
    }),
    full(
        "nexthop",
        "[via [inet6] ADDR] [dev [NS:]IF] [weight N] [onlink]",
        "one of several routers, again and again",
        nexthop,
    )
    .many(),
    full("nhid", "ID", "a nexthop object", |draft, c| {
        draft.route.nexthop_id = Some(c.value()?.number()?);
        Ok(())
    }),
    short("protocol", "PROTO", "who made it: a name or number of a routing protocol", |draft, c| {
        draft.route.protocol = Some(c.value()?.named(Space::Protocol)?);
        Ok(())
    }),
    short("table", "TABLE", "a table: a name or a number", |draft, c| {
        draft.route.table = Some(c.value()?.named(Space::Table)?);
        Ok(())
    }),
    full("dev", "[NS:]IF", "the link", device),
    full("oif", "[NS:]IF", "", device),
    short("pref", "low|medium|high", "the preference of RFC 4191 (IPv6)", |draft, c| {
        draft.route.preference = Some(match c.value()?.word().to_str() {
            Some("low") => 3,
            Some("medium") => 0,
            Some("high") => 1,
            _ => c.number()?,
        });
        Ok(())
    }),
];

const fn table(command: &'static str, about: &'static str) -> Table<Draft> {
    let bare = Bare {
        value: "[KIND] PREFIX",
        help: "where the packets go: 'default', a prefix or an address; KIND is unicast (the usual), blackhole, \
               unreachable, prohibit, throw, local, broadcast, anycast or multicast",
        first: false,
        read: destination,
    };
    Table { command, about, bare: Some(bare), keywords: &ROUTE }
}

const ADD: Table<Draft> = table("route add", "Make a route; there must be none like it.");
const REPLACE: Table<Draft> = table("route replace", "Make a route, or replace the one like it.");
const CHANGE: Table<Draft> = table("route change", "Change a route.");
const APPEND: Table<Draft> = table("route append", "Make a route behind those like it.");
const PREPEND: Table<Draft> = table("route prepend", "Make a route before those like it.");
const DELETE: Table<Draft> = table("route del", "Delete the first route that has all of this.");

const GET: Table<Draft> = Table {
    command: "route get",
    about: "Show the route that a packet takes.",
    bare: Some(Bare {
        value: "ADDR",
        help: "where the packet goes",
        first: false,
        read: |draft, c| {
            c.takes_to()?;
            draft.put_dst(c)
        },
    }),
    keywords: &[
        full("tos", "N", "the packet's type of service", tos),
        short("dsfield", "N", "", tos),
        short("from", "ADDR", "where it comes from", |draft, c| {
            draft.route.from = draft.prefix(c.value()?)?;
            Ok(())
        }),
        short("iif", "[NS:]IF", "the link that it came in by", |draft, c| {
            draft.iif = Some(c.value()?.device()?);
            Ok(())
        }),
        short("mark", "N", "its mark", |draft, c| {
            draft.route.mark = Some(c.value()?.number()?).filter(|&mark| mark != 0);
            Ok(())
        }),
        short("oif", "[NS:]IF", "the link that its socket is bound to", device),
        full("dev", "[NS:]IF", "", device),
        short("uid", "UID", "the user that sends it", |draft, c| {
            draft.route.uid = Some(c.value()?.number()?);
            Ok(())
        }),
        short("fibmatch", "", "show the route as it is in its table", |draft, _| {
            draft.whole = true;
            Ok(())
        }),
    ],
};

const FILTER: [Keyword<Filter>; 15] = [
    short("table", "TABLE", "of this table; 'all' for any; main otherwise", |filter, c| {
        filter.table = if c.value()?.word() == "all" { 0 } else { c.named(Space::Table)? };
        Ok(())
    }),
    full("tos", "N", "of this type of service", filter_tos),
    short("dsfield", "N", "", filter_tos),
    short("protocol", "PROTO", "made by this routing protocol", |filter, c| {
        filter.protocol = if c.value()?.word() == "all" { None } else { Some(c.named(Space::Protocol)?) };
        Ok(())
    }),
    short("scope", "SCOPE", "of this scope", |filter, c| {
        filter.scope = if c.value()?.word() == "all" { None } else { Some(c.named(Space::Scope)?) };
        Ok(())
    }),
    short("type", "KIND", "of this kind", |filter, c| {
        filter.kind = Some(kind(c.value()?).ok_or_else(|| c.wrong("it is no kind of route"))?);
        Ok(())
    }),
    full("dev", "[NS:]IF", "through this link", filter_device),
    full("oif", "[NS:]IF", "", filter_device),
    full("iif", "[NS:]IF", "for packets that come by this link", |filter, c| {
        filter.iif = Some(c.value()?.device()?);
        Ok(())
    }),
    short("metric", "N", "of this metric", filter_metric),
    short("priority", "N", "", filter_metric),
    full("preference", "N", "", filter_metric),
    full("via", "[inet6] PREFIX", "through a router in this prefix", |filter, c| {
        filter.via = Some(c.value_of_family()?.prefix()?);
        Ok(())
    }),
    full("src", "PREFIX", "with a source address in this prefix", |filter, c| {
        filter.src = Some(c.value()?.prefix()?);
        Ok(())
    }),
    short("from", "", "", |_, c| Err(c.wrong("nsnet does not select routes by where packets come from"))),
];

const WHERE: Option<Bare<Filter>> = Some(Bare {
    value: "[exact|root|match] PREFIX",
    help: "to exactly this prefix; with root to those inside it, with match to those around it",
    first: false,
    read: within,
});

const SHOW: Table<Filter> = Table {
    command: "route show",
    about: "List the routes of the main table, or those that fit.",
    bare: WHERE,
    keywords: &FILTER,
};

const FLUSH: Table<Filter> =
    Table { command: "route flush", about: "Delete the routes that fit.", bare: WHERE, keywords: &FILTER };

/// All that can be said.
pub fn summaries() -> Vec<Summary> {
    let changes = [&ADD, &REPLACE, &CHANGE, &APPEND, &PREPEND, &DELETE, &GET].map(Table::summary);
    [SHOW.summary()].into_iter().chain(changes).chain([FLUSH.summary()]).collect()
}

/// Reads the words behind `route`.
pub fn read(words: &[OsString], names: &Names, family: Option<Family>) -> Result<Asked<Request>, Misuse> {
    if asks_for_help(words) {
        return Ok(Asked::Help(help(&summaries())));
    }
    let (verb, taken) = command("route", VERBS, Verb::Show, words)?;
    let words = &words[taken..];
    let cursor = |command| Cursor::new(command, words, names, family);
    match verb {
        Verb::Help => Ok(Asked::Help(help(&summaries()))),
        Verb::Show => filter(&SHOW, cursor(SHOW.command), Request::Show),
        Verb::Flush if words.is_empty() => {
            Err(cursor(FLUSH.command).misuse("it needs at least one word; 'nsnet route help' lists them"))
        }
        Verb::Flush => filter(&FLUSH, cursor(FLUSH.command), Request::Flush),
        Verb::Delete => draft(&DELETE, cursor(DELETE.command), Request::Delete),
        Verb::Get => draft(&GET, cursor(GET.command), Request::Get),
        Verb::Put(beside) => {
            let table = match beside {
                Beside::Nothing => &ADD,
                Beside::Replace => &REPLACE,
                Beside::Change => &CHANGE,
                Beside::Behind => &APPEND,
                Beside::Before => &PREPEND,
            };
            draft(table, cursor(table.command), |draft| Request::Put(draft, beside))
        }
    }
}

fn filter(
    table: &Table<Filter>,
    mut cursor: Cursor<'_>,
    request: impl FnOnce(Filter) -> Request,
) -> Result<Asked<Request>, Misuse> {
    if cursor.asks_for_help() {
        return Ok(Asked::Help(table.summary().to_string()));
    }
    let mut filter = Filter {
        family: cursor.family,
        table: TABLE_MAIN,
        device: None,
        iif: None,
        via: None,
        src: None,
        root: None,
        around: None,
        tos: None,
        protocol: None,
        scope: None,
        kind: None,
        metric: None,
    };
    table.read(&mut filter, &mut cursor)?;
    // As ip: only all tables are those of both families.
    let inet = (filter.table != 0).then_some(Family::Inet);
    filter.family = filter.family.or(inet);
    Ok(Asked::For { request: request(filter), place: cursor.place })
}

fn draft(
    table: &Table<Draft>,
    mut cursor: Cursor<'_>,
    request: impl FnOnce(Draft) -> Request,
) -> Result<Asked<Request>, Misuse> {
    if cursor.asks_for_help() {
        return Ok(Asked::Help(table.summary().to_string()));
    }
    let mut draft = Draft {
        route: Route::new(Prefix::all(Family::Inet)),
        device: None,
        iif: None,
        hop_devices: Vec::new(),
        whole: false,
        family: cursor.family,
        dst: None,
    };
    table.read(&mut draft, &mut cursor)?;
    draft.route.dst = match draft.dst {
        None => return Err(cursor.misuse("the destination is missing")),
        Some(Destination::Prefix(prefix)) => prefix,
        Some(Destination::Default) => Prefix::all(draft.family.unwrap_or(Family::Inet)),
    };
    Ok(Asked::For { request: request(draft), place: cursor.place })
}

impl Draft {
    /// The first address tells the family of all.
    fn told<V>(&mut self, c: &Cursor<'_>, family: Family, value: V) -> Result<V, Misuse> {
        match self.family.replace(family) {
            Some(known) if known != family => Err(c.wrong(&format!("the route is one of {}", known.as_str()))),
            _ => Ok(value),
        }
    }

    fn address(&mut self, c: &Cursor<'_>) -> Result<IpAddr, Misuse> {
        let address = c.address()?;
        self.told(c, Family::of(address), address)
    }

    /// `None` for all addresses of whatever family.
    fn prefix(&mut self, c: &Cursor<'_>) -> Result<Option<Prefix>, Misuse> {
        let prefix = c.prefix()?;
        if prefix.is_all() && ["default", "any", "all"].iter().any(|word| c.word() == *word) {
            return Ok(None);
        }
        self.told(c, prefix.family(), Some(prefix))
    }

    /// The family of a router may be another one, where it is said.
    fn router(&mut self, c: &mut Cursor<'_>) -> Result<IpAddr, Misuse> {
        let before = c.peek();
        let address = c.value_of_family()?.any_address()?;
        let said = before.is_some_and(|word| word == "inet" || word == "inet6");
        if said && self.family.is_some() {
            return Ok(address);
        }
        self.told(c, Family::of(address), address)
    }

    fn put_dst(&mut self, c: &Cursor<'_>) -> Result<(), Misuse> {
        let dst = self.prefix(c)?.map_or(Destination::Default, Destination::Prefix);
        match self.dst.replace(dst) {
            Some(_) => Err(c.wrong("there is a destination already")),
            None => Ok(()),
        }
    }

    fn metric(&mut self, number: u16, c: &mut Cursor<'_>) -> Result<(), Misuse> {
        let locked = lock(c)?;
        self.route.metrics.push(Metric { number, value: MetricValue::Number(c.number()?), locked });
        Ok(())
    }

    /// A time in milliseconds, of which the kernel keeps parts; a bare number is what it keeps.
    fn time(&mut self, number: u16, parts: u32, c: &mut Cursor<'_>) -> Result<(), Misuse> {
        const RTO_MIN: u16 = 13;
        let locked = lock(c)? || number == RTO_MIN;
        let text = c.text()?;
        let wrong = || c.wrong("it is not a time, as in 30ms");
        let value = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
            (Some(ms), _) => ms.parse::<u32>().ok().and_then(|ms| ms.checked_mul(parts)),
            (None, Some(s)) => s.parse::<u32>().ok().and_then(|s| s.checked_mul(1000)?.checked_mul(parts)),
            (None, None) => c.number().ok(),
        };
        let value = MetricValue::Number(value.ok_or_else(wrong)?);
        self.route.metrics.push(Metric { number, value, locked });
        Ok(())
    }
}

/// `lock` before a value, and the value.
fn lock(c: &mut Cursor<'_>) -> Result<bool, Misuse> {
    let locked = c.value()?.word() == "lock";
    if locked {
        c.value()?;
    }
    Ok(locked)
}

fn tos(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    draft.route.tos = c.value()?.tos()?;
    Ok(())
}

fn metric(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    draft.route.metric = Some(c.value()?.number()?);
    Ok(())
}

fn device(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    draft.device = Some(c.value()?.device()?);
    Ok(())
}

/// `[to] [KIND] PREFIX`.
fn destination(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    c.takes_to()?;
    if let Some(kind) = kind(c) {
        draft.route.kind = Some(kind);
        c.value()?;
    }
    draft.put_dst(c)
}

fn kind(c: &Cursor<'_>) -> Option<RouteKind> {
    RouteKind::named(c.word().to_str()?)
}

fn nexthop(draft: &mut Draft, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    let (mut hop, mut weight, mut device) = (Hop::default(), 1u16, None);
    let mut words = 0;
    loop {
        if c.takes("via") {
            hop.via = Some(draft.router(c)?);
        } else if c.takes("dev") {
            device = Some(c.value()?.device()?);
        } else if c.takes("weight") {
            let given = c.value()?.number().ok().filter(|weight| (1..=256).contains(weight));
            weight = given.ok_or_else(|| c.wrong("a weight is a number from 1 to 256"))?;
        } else if c.takes("onlink") {
            hop.onlink = true;
        } else {
            break;
        }
        words += 1;
    }
    if words == 0 {
        return Err(c.misuse("'nexthop' needs a router or a link behind it"));
    }
    draft.route.hops.push(NextHop::new(hop, weight));
    draft.hop_devices.push(device);
    Ok(())
}

fn filter_tos(filter: &mut Filter, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    filter.tos = Some(c.value()?.tos()?);
    Ok(())
}

fn filter_metric(filter: &mut Filter, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    filter.metric = Some(c.value()?.number()?);
    Ok(())
}

fn filter_device(filter: &mut Filter, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    filter.device = Some(c.value()?.device()?);
    Ok(())
}

/// `[to] [exact|root|match] PREFIX`.
fn within(filter: &mut Filter, c: &mut Cursor<'_>) -> Result<(), Misuse> {
    c.takes_to()?;
    let begins = |whole: &str| c.word().to_str().is_some_and(|word| !word.is_empty() && whole.starts_with(word));
    let (root, around) = (begins("root"), begins("match"));
    if root || around || begins("exact") {
        c.value()?;
    }
    let prefix = Some(c.prefix()?);
    filter.root = if around { None } else { prefix };
    filter.around = if root { None } else { prefix };
    Ok(())
}
