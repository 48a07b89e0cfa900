//! Steps: what a plan is made of, how each reads, and what takes it back.

use std::{fmt, sync::Arc};

use crate::{
    addr::{IfAddr, Mac},
    lab::{
        model::Run,
        state::{LinkState, LinkWhat, Place, RouteState},
    },
    name::IfName,
    netlink::kind::Kind,
};

/// One end of a link, or a link without another end: where it is and what it is called there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    /// Where.
    pub place: Place,
    /// Its name there.
    pub name: IfName,
}

/// A link to be made or deleted, as it is born: down, without addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedLink {
    /// Where the request is sent, and what is made there.
    pub at: At,
    /// What it is.
    pub link: LinkState,
    /// The other end of a pair, which can have no master yet.
    pub peer: Option<(At, LinkState)>,
}

/// One thing to be done to a lab.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Makes a namespace, with `lo` up and marked.
    CreateSpace(Place),
    /// Makes a link, or a pair.
    CreateLink(Box<PlannedLink>),
    /// Gives a link that is to go another name, because its name is wanted.
    RenameLink {
        /// The link.
        at: At,
        /// Its name from now on.
        to: IfName,
    },
    /// Changes something of a link that stays.
    ChangeLink {
        /// The link.
        at: At,
        /// What of it.
        change: LinkEdit,
    },
    /// Gives a link an address.
    AddAddr {
        /// The link.
        at: At,
        /// The address.
        addr: IfAddr,
    },
    /// Makes a route.
    AddRoute {
        /// Where.
        place: Place,
        /// The route.
        route: Box<RouteState>,
    },
    /// Puts a route in the place of another one to the same destination.
    ChangeRoute {
        /// Where.
        place: Place,
        /// The one that is there.
        old: Box<RouteState>,
        /// The one to be.
        new: Box<RouteState>,
    },
    /// Sets a value below `/proc/sys`.
    SetSysctl {
        /// Where.
        place: Place,
        /// Its dotted name.
        key: String,
        /// What nsnet set it to before, if it did.
        old: Option<String>,
        /// The value to be.
        new: String,
    },
    /// Gives back to a value below `/proc/sys` what it is in a new namespace.
    ResetSysctl {
        /// Where.
        place: Place,
        /// Its dotted name.
        key: String,
        /// Its value now.
        old: String,
    },
    /// Writes a file that lies over one of `/etc`.
    WriteFile {
        /// Where.
        place: Place,
        /// Its name in `/etc`.
        name: String,
        /// What it holds now, if it is there.
        old: Option<Arc<str>>,
        /// What it is to hold.
        new: Arc<str>,
    },
    /// Stops a command, and starts another one of its name.
    RestartRun {
        /// The node.
        place: Place,
        /// The one that runs.
        old: Box<Run>,
        /// The one to be.
        new: Box<Run>,
    },
    /// Starts a command, and waits until it is ready.
    StartRun {
        /// The node.
        place: Place,
        /// The command.
        run: Box<Run>,
    },
    /// Stops a command for good.
    StopRun {
        /// The node.
        place: Place,
        /// The command.
        run: Box<Run>,
    },
    /// Deletes a route.
    DeleteRoute {
        /// Where.
        place: Place,
        /// The route.
        route: Box<RouteState>,
    },
    /// Takes an address from a link.
    DeleteAddr {
        /// The link.
        at: At,
        /// The address.
        addr: IfAddr,
    },
    /// Deletes a link, and the other end of a pair with it.
    DeleteLink(Box<PlannedLink>),
    /// Deletes a file that lies over one of `/etc`.
    DeleteFile {
        /// Where.
        place: Place,
        /// Its name in `/etc`.
        name: String,
        /// What it holds.
        old: Arc<str>,
    },
    /// Deletes a namespace with all that is in it, and the far ends of its pairs.
    DeleteSpace(Place),
}

/// What is changed of a link that stays, with what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEdit {
    /// The largest packet, in bytes.
    Mtu {
        /// As it is; unknown where `None`.
        old: Option<u32>,
        /// As it is to be.
        new: u32,
    },
    /// The hardware address.
    Mac {
        /// As it is.
        old: Option<Mac>,
        /// As it is to be.
        new: Mac,
    },
    /// The bridge, bond or VRF that it belongs to.
    Master {
        /// As it is.
        old: Option<IfName>,
        /// As it is to be.
        new: Option<IfName>,
    },
    /// Whether it is up.
    Up {
        /// As it is to be.
        new: bool,
    },
    /// What its kind was told, where that can be changed.
    Kind {
        /// As it is.
        old: Box<Kind>,
        /// As it is to be.
        new: Box<Kind>,
    },
}

impl Step {
    /// What takes it back: `None` where it deletes, which nothing takes back.
    #[must_use]
    pub fn inverse(&self) -> Option<Self> {
        Some(match self.clone() {
            Self::CreateSpace(place) => Self::DeleteSpace(place),
            Self::CreateLink(new) => Self::DeleteLink(new),
            Self::RenameLink { at: At { place, name }, to } => {
                Self::RenameLink { at: At { place, name: to }, to: name }
            }
            Self::ChangeLink { at, change } => Self::ChangeLink { at, change: change.inverse()? },
            Self::AddAddr { at, addr } => Self::DeleteAddr { at, addr },
            Self::AddRoute { place, route } => Self::DeleteRoute { place, route },
            Self::ChangeRoute { place, old, new } => Self::ChangeRoute { place, old: new, new: old },
            Self::SetSysctl { place, key, old: None, new } => Self::ResetSysctl { place, key, old: new },
            Self::SetSysctl { place, key, old: Some(old), new } => {
                Self::SetSysctl { place, key, old: Some(new), new: old }
            }
            Self::ResetSysctl { place, key, old } => Self::SetSysctl { place, key, old: None, new: old },
            Self::WriteFile { place, name, old: None, new } => Self::DeleteFile { place, name, old: new },
            Self::WriteFile { place, name, old: Some(old), new } => {
                Self::WriteFile { place, name, old: Some(new), new: old }
            }
            Self::RestartRun { place, old, new } => Self::RestartRun { place, old: new, new: old },
            Self::StartRun { place, run } => Self::StopRun { place, run },
            Self::StopRun { .. }
            | Self::DeleteRoute { .. }
            | Self::DeleteAddr { .. }
            | Self::DeleteLink(_)
            | Self::DeleteFile { .. }
            | Self::DeleteSpace(_) => return None,
        })
    }

    /// Whether it takes something away for good. From the first such step on there is no way back.
    #[must_use]
    pub fn deletes(&self) -> bool {
        matches!(
            self,
            Self::StopRun { .. }
                | Self::DeleteRoute { .. }
                | Self::DeleteAddr { .. }
                | Self::DeleteLink(_)
                | Self::DeleteFile { .. }
                | Self::DeleteSpace(_)
        )
    }

    /// Whether packets of something that stays may be lost through it.
    #[must_use]
    pub fn interrupts(&self) -> bool {
        match self {
            // Before Linux 6.2, a link that is up has to go down for it.
            Self::RenameLink { .. } | Self::RestartRun { .. } => true,
            Self::ChangeLink { change, .. } => match change {
                LinkEdit::Mac { .. } | LinkEdit::Up { new: false } | LinkEdit::Master { old: Some(_), .. } => true,
                LinkEdit::Mtu { .. } | LinkEdit::Up { new: true } | LinkEdit::Master { .. } | LinkEdit::Kind { .. } => {
                    false
                }
            },
            _ => false,
        }
    }

    /// Where it is done: of a pair, where the request is sent.
    #[must_use]
    pub fn place(&self) -> &Place {
        match self {
            Self::CreateSpace(place)
            | Self::DeleteSpace(place)
            | Self::AddRoute { place, .. }
            | Self::ChangeRoute { place, .. }
            | Self::SetSysctl { place, .. }
            | Self::ResetSysctl { place, .. }
            | Self::WriteFile { place, .. }
            | Self::RestartRun { place, .. }
            | Self::StartRun { place, .. }
            | Self::StopRun { place, .. }
            | Self::DeleteRoute { place, .. }
            | Self::DeleteFile { place, .. } => place,
            Self::CreateLink(new) | Self::DeleteLink(new) => &new.at.place,
            Self::RenameLink { at, .. }
            | Self::ChangeLink { at, .. }
            | Self::AddAddr { at, .. }
            | Self::DeleteAddr { at, .. } => &at.place,
        }
    }

    /// The word for it in machine-readable output.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::CreateSpace(_) => "create_namespace",
            Self::CreateLink(_) => "create_link",
            Self::RenameLink { .. } => "rename_link",
            Self::ChangeLink { .. } => "change_link",
            Self::AddAddr { .. } => "add_address",
            Self::AddRoute { .. } => "add_route",
            Self::ChangeRoute { .. } => "change_route",
            Self::SetSysctl { .. } => "set_sysctl",
            Self::ResetSysctl { .. } => "reset_sysctl",
            Self::WriteFile { .. } => "write_file",
            Self::RestartRun { .. } => "restart_command",
            Self::StartRun { .. } => "start_command",
            Self::StopRun { .. } => "stop_command",
            Self::DeleteRoute { .. } => "delete_route",
            Self::DeleteAddr { .. } => "delete_address",
            Self::DeleteLink(_) => "delete_link",
            Self::DeleteFile { .. } => "delete_file",
            Self::DeleteSpace(_) => "delete_namespace",
        }
    }
}

impl LinkEdit {
    fn inverse(self) -> Option<Self> {
        Some(match self {
            Self::Mtu { old, new } => Self::Mtu { old: Some(new), new: old? },
            Self::Mac { old, new } => Self::Mac { old: Some(new), new: old? },
            Self::Master { old, new } => Self::Master { old: new, new: old },
            Self::Up { new } => Self::Up { new: !new },
            Self::Kind { old, new } => Self::Kind { old: new, new: old },
        })
    }
}

/// The word for a place in steps and errors: `.`, `~sw` or the node's name.
#[must_use]
pub fn word_of(place: &Place) -> &str {
    match place {
        Place::Here => ".",
        Place::Switches => "~sw",
        Place::Node(node) => node.as_str(),
    }
}

/// `h1:eth0`.
impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", word_of(&self.place), crate::name::escaped(self.name.as_str().as_bytes()))
    }
}

/// `eth0 of h1 with peer p1 of ~sw`, as `h1:eth0 - ~sw:p1`; of other kinds, `bridge ~sw:lan`.
impl fmt::Display for PlannedLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.link.what, &self.peer) {
            (_, Some((peer, _))) => write!(f, "veth {} - {peer}", self.at),
            (LinkWhat::Kind { kind, .. }, None) => write!(f, "{} {}", kind.word(), self.at),
            (LinkWhat::Veth { .. }, None) => write!(f, "veth {}", self.at),
        }
    }
}

/// `default via 10.0.0.1 dev 'eth0'`, near enough to what `ip route` says.
pub(super) fn shown_route(route: &RouteState) -> String {
    let mut text = match route.kind.as_str() {
        "unicast" => String::new(),
        kind => format!("{kind} "),
    };
    text += &if route.dst.is_all() { "default".to_owned() } else { route.dst.to_string() };
    let name = |name: &IfName| crate::name::escaped(name.as_str().as_bytes());
    let parts = [
        route.via.map(|via| format!(" via {via}")),
        route.dev.as_ref().map(|dev| format!(" dev {}", name(dev))),
        (route.table != 254).then(|| format!(" table {}", route.table)),
        (route.metric != 0).then(|| format!(" metric {}", route.metric)),
        route.src.map(|src| format!(" src {src}")),
        route.mtu_bytes.map(|mtu| format!(" mtu {mtu}")),
        route.onlink.then(|| " onlink".to_owned()),
    ];
    parts.into_iter().flatten().fold(text, |text, part| text + &part)
}

/// What is to be done, as `lab plan` prints it.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |place| word_of(place);
        let file = |name: &str| crate::name::escaped(name.as_bytes());
        match self {
            Self::CreateSpace(place) => write!(f, "create namespace {}", of(place)),
            Self::CreateLink(new) => write!(f, "create {new}"),
            Self::RenameLink { at, to } => write!(f, "rename {at} to {}", file(to.as_str())),
            Self::ChangeLink { at, change } => change.show(f, at),
            Self::AddAddr { at, addr } => write!(f, "add address {addr} to {at}"),
            Self::AddRoute { place, route } => write!(f, "add route {} in {}", shown_route(route), of(place)),
            Self::ChangeRoute { place, old, new } => {
                write!(f, "change route {} in {} to {}", shown_route(old), of(place), shown_route(new))
            }
            Self::SetSysctl { place, key, old: Some(old), new } => {
                write!(f, "set {key} in {} from {old} to {new}", of(place))
            }
            Self::SetSysctl { place, key, old: None, new } => write!(f, "set {key} in {} to {new}", of(place)),
            Self::ResetSysctl { place, key, old } => {
                write!(f, "set {key} in {} from {old} to what it is in a new namespace", of(place))
            }
            Self::WriteFile { place, name, old: None, .. } => write!(f, "write file {} of {}", file(name), of(place)),
            Self::WriteFile { place, name, .. } => write!(f, "rewrite file {} of {}", file(name), of(place)),
            Self::RestartRun { place, new, .. } => write!(f, "restart {} in {}", file(&new.name), of(place)),
            Self::StartRun { place, run } => write!(f, "start {} in {}", file(&run.name), of(place)),
            Self::StopRun { place, run } => write!(f, "stop {} in {}", file(&run.name), of(place)),
            Self::DeleteRoute { place, route } => write!(f, "delete route {} in {}", shown_route(route), of(place)),
            Self::DeleteAddr { at, addr } => write!(f, "delete address {addr} from {at}"),
            Self::DeleteLink(old) => write!(f, "delete {old}"),
            Self::DeleteFile { place, name, .. } => write!(f, "delete file {} of {}", file(name), of(place)),
            Self::DeleteSpace(place) => write!(f, "delete namespace {}", of(place)),
        }
    }
}

impl LinkEdit {
    fn show(&self, f: &mut fmt::Formatter<'_>, at: &At) -> fmt::Result {
        let name = |name: &Option<IfName>| {
            name.as_ref().map_or_else(|| "none".to_owned(), |name| crate::name::escaped(name.as_str().as_bytes()))
        };
        match self {
            Self::Mtu { old: Some(old), new } => write!(f, "set mtu of {at} from {old} to {new}"),
            Self::Mtu { old: None, new } => write!(f, "set mtu of {at} to {new}"),
            Self::Mac { old: Some(old), new } => write!(f, "set address of {at} from {old} to {new}"),
            Self::Mac { old: None, new } => write!(f, "set address of {at} to {new}"),
            Self::Master { old, new } => write!(f, "set master of {at} from {} to {}", name(old), name(new)),
            Self::Up { new: true } => write!(f, "bring up {at}"),
            Self::Up { new: false } => write!(f, "bring down {at}"),
            Self::Kind { new, .. } => write!(f, "change options of {} {at}", new.word()),
        }
    }
}
