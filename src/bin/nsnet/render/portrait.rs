//! All about one namespace: for people, at most 80 columns wide; as JSON, one object.

use std::io::{self, Write};

use nsnet::{
    Addr, Link,
    inspect::{Namespace, Port},
    netns::{Hold, Holder},
};
use serde::Serialize;
use serde_json::Value;

use super::{
    Format, Portrait, RouteRows, View, draw, ip,
    json::{self, HeldBy},
    map, sheet,
};

const COLUMNS: usize = 80;

pub fn write(out: &mut impl Write, format: Format, view: View<'_>, portrait: &Portrait) -> io::Result<()> {
    if format.json {
        return json::one(out, format.pretty, &Document::of(view, portrait));
    }
    let text = Text { view, portrait, lines: Vec::new() }.lines();
    text.iter().try_for_each(|line| writeln!(out, "{line}"))
}

impl Portrait {
    fn namespace(&self) -> &Namespace {
        &self.map.namespaces[self.at]
    }

    /// Where the link at this position leads: the kind of connection, and its far end.
    fn far_ends(&self, link: usize) -> impl Iterator<Item = (&'static str, Port)> {
        let here = Port { namespace: self.at, link: Some(link) };
        self.map.wires.iter().filter(move |wire| wire.ends.contains(&here)).map(move |wire| {
            let far = wire.ends[usize::from(wire.ends[0] == here)];
            (map::kind_of_wire(&self.map, wire.kind, wire.ends[0]), far)
        })
    }

    fn title(&self, at: usize) -> String {
        map::title(&self.map, at)
    }

    fn user(&self, pid: u32) -> &str {
        self.users.get(&pid).map_or("?", String::as_str)
    }
}

struct Text<'a> {
    view: View<'a>,
    portrait: &'a Portrait,
    lines: Vec<String>,
}

impl Text<'_> {
    fn lines(mut self) -> Vec<String> {
        self.head();
        self.links();
        if let Some(routing) = &self.portrait.routing {
            let RouteRows { routes, .. } = &routing.routes;
            let fill = |sheet: &mut _, route: &_| ip::route::fill(sheet, route, &routing.routes);
            self.list("ROUTES", sheet::texts(self.view, routes, fill));
            self.list("RULES", sheet::texts(self.view, &routing.rules, ip::rule::fill));
        }
        self.processes();
        let namespace = self.portrait.namespace();
        let others = namespace.holders.iter().filter(|holder| holder.hold != Hold::Process);
        let held = others.chain(&self.portrait.sockets).map(held_by).collect();
        self.list("HELD BY", held);
        self.lines
    }

    fn head(&mut self) {
        let namespace = self.portrait.namespace();
        let id = namespace.id.map(|id| id.to_string());
        let nsid = self.portrait.nsid.map(|nsid| format!("id {nsid}"));
        let current = namespace.current.then(|| "this namespace".to_owned());
        let also = namespace.names.iter().skip(1);
        let also = also.map(|name| format!("also {}", draw::plain(name.as_os_str().as_encoded_bytes())));
        let unread = namespace.unread.iter().cloned();
        let facts: Vec<_> = id.into_iter().chain(nsid).chain(current).chain(also).chain(unread).collect();
        let title = self.portrait.title(self.portrait.at);
        self.wrap(0, &format!("{title}  {}", facts.join(", ")));
    }

    fn heading(&mut self, words: &str) {
        self.lines.push(String::new());
        self.lines.push(self.view.style.bold(words));
    }

    fn list(&mut self, heading: &str, items: Vec<String>) {
        if !items.is_empty() {
            self.heading(heading);
        }
        for item in items {
            // ip puts a tab behind the number of a rule.
            self.wrap(2, &item.trim_end().replace('\t', "  "));
        }
    }

    fn links(&mut self) {
        let links = &self.portrait.namespace().links;
        if !links.is_empty() {
            self.heading("LINKS");
        }
        for (at, (link, addrs)) in links.iter().enumerate() {
            self.link(at, link, addrs);
        }
    }

    fn link(&mut self, at: usize, link: &Link, addrs: &[Addr]) {
        let name = draw::plain(link.name.as_bytes());
        let kind = link.kind.as_deref().unwrap_or(&link.layer);
        let mtu = link.mtu_bytes.map_or_else(String::new, |mtu| format!("mtu {mtu}"));
        let facts = [format!("{name:<15}"), format!("{kind:<8}"), format!("{:<8}", state(link)), mtu].join(" ");
        self.wrap(2, facts.trim_end());
        let mut more: Vec<String> = addrs.iter().map(map::prefix).collect();
        more.extend(link.master.iter().map(|master| format!("port of {}", draw::plain(master.as_bytes()))));
        more.extend(lower(link).map(|lower| format!("on {}", draw::plain(lower.as_bytes()))));
        more.extend(self.portrait.far_ends(at).map(|(kind, far)| self.far_end(kind, far)));
        more.extend(link.alias.iter().map(|alias| format!("alias {}", draw::plain(alias.as_bytes()))));
        for line in more {
            self.wrap(6, &line);
        }
    }

    fn far_end(&self, kind: &str, far: Port) -> String {
        let namespace = &self.portrait.map.namespaces[far.namespace];
        let title = self.portrait.title(far.namespace);
        let arrow = if kind.is_empty() { "──".to_owned() } else { format!("── {kind}") };
        match far.link {
            Some(link) => format!("{arrow} {title}:{}", draw::plain(namespace.links[link].0.name.as_bytes())),
            None => format!("{arrow} {title}"),
        }
    }

    fn processes(&mut self) {
        let processes: Vec<_> = self.portrait.namespace().processes().collect();
        if processes.is_empty() {
            return;
        }
        self.heading("PROCESSES");
        for process in processes {
            let user = draw::plain(self.portrait.user(process.pid).as_bytes());
            let command = draw::plain(process.command.as_bytes());
            self.wrap(2, &format!("{:<7} {user:<12} {command}", process.pid));
        }
    }

    /// Adds a line, or several where it is too long: broken between words, else anywhere.
    fn wrap(&mut self, indent: usize, text: &str) {
        let mut line = " ".repeat(indent);
        let mut rest = text;
        while columns(&line) + columns(rest) > COLUMNS {
            let room = COLUMNS - columns(&line);
            let end = rest.char_indices().nth(room).map_or(rest.len(), |(at, _)| at);
            let cut = rest[..end].rfind(' ').filter(|&at| at > 0).unwrap_or(end);
            line.push_str(&rest[..cut]);
            self.lines.push(line.trim_end().to_owned());
            rest = rest[cut..].trim_start();
            line = " ".repeat(indent + 4);
        }
        self.lines.push(line + rest);
    }
}

fn columns(text: &str) -> usize {
    text.chars().count()
}

fn state(link: &Link) -> &'static str {
    match (link.is_up(), link.flags.iter().any(|flag| flag == "NO-CARRIER")) {
        (false, _) => "down",
        (true, true) => "no carrier",
        (true, false) => "up",
    }
}

/// What it stands on in the same namespace.
fn lower(link: &Link) -> Option<&str> {
    match &link.lower {
        Some(nsnet::netlink::link::Lower::Here(Some(name))) if !link.is_pair() => Some(name),
        _ => None,
    }
}

fn held_by(holder: &Holder) -> String {
    let who = format!("{} {}", holder.pid, draw::plain(holder.command.as_bytes()));
    match &holder.hold {
        Hold::Thread(tid) => format!("{who}: thread {tid}"),
        Hold::File(fd) => format!("{who}: open file {fd}"),
        Hold::Socket(fd) => format!("{who}: socket {fd}"),
        Hold::Mount(point) => format!("mount {}, seen by {who}", draw::plain(point.as_os_str().as_encoded_bytes())),
        _ => who,
    }
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    namespace: map::OneNamespace<'a>,
    nsid: Option<u32>,
    far_ends: Vec<FarEnd<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    routes: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<Vec<Value>>,
    users: Vec<User<'a>>,
}

/// Where a link leads.
#[derive(Serialize)]
struct FarEnd<'a> {
    ifname: &'a str,
    namespace: Option<String>,
    namespace_inode: Option<u64>,
    far_ifname: Option<&'a str>,
}

#[derive(Serialize)]
struct User<'a> {
    pid: u32,
    user: &'a str,
}

impl<'a> Document<'a> {
    fn of(view: View<'_>, portrait: &'a Portrait) -> Self {
        let mut namespace = map::OneNamespace::of(portrait.namespace());
        namespace.held_by.extend(portrait.sockets.iter().map(HeldBy::of));
        let routing = portrait.routing.as_ref();
        let routes = routing.map(|routing| {
            let fill = |sheet: &mut _, route: &_| ip::route::fill(sheet, route, &routing.routes);
            sheet::values(view, &routing.routes.routes, fill)
        });
        Self {
            namespace,
            nsid: portrait.nsid,
            far_ends: (0..portrait.namespace().links.len()).flat_map(|at| far_ends(portrait, at)).collect(),
            routes,
            rules: routing.map(|routing| sheet::values(view, &routing.rules, ip::rule::fill)),
            users: portrait.users.iter().map(|(&pid, user)| User { pid, user }).collect(),
        }
    }
}

fn far_ends(portrait: &Portrait, at: usize) -> impl Iterator<Item = FarEnd<'_>> {
    portrait.far_ends(at).map(move |(_, far)| {
        let namespace = &portrait.map.namespaces[far.namespace];
        FarEnd {
            ifname: &portrait.namespace().links[at].0.name,
            namespace: map::written(namespace),
            namespace_inode: namespace.id.map(|id| id.inode),
            far_ifname: far.link.map(|link| namespace.links[link].0.name.as_str()),
        }
    })
}
