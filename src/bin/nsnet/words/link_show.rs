//! `link show`: which links to show.

use super::grammar::{Bare, Keyword, Table, full};
use crate::iproute2::Space;

/// The links that are wanted.
#[derive(Debug, Default)]
pub struct Filter {
    /// One, by a name or an altname; all where it is `None`.
    pub device: Option<String>,
    /// Those that are up.
    pub up: bool,
    /// Those of this group.
    pub group: Option<u32>,
    pub master: Option<Master>,
    /// Those of this driver.
    pub kind: Option<String>,
    /// The ports of links of this driver.
    pub port_kind: Option<String>,
}

/// Whose ports are wanted.
#[derive(Debug)]
pub enum Master {
    /// Those of this link.
    Of(String),
    /// Those of this VRF.
    OfVrf(String),
    /// Those that are nobody's.
    Nobody,
}

/// One that has such a filter.
pub trait Filters {
    fn links(&mut self) -> &mut Filter;
}

impl Filters for Filter {
    fn links(&mut self) -> &mut Filter {
        self
    }
}

pub const SHOW: Table<Filter> = Table {
    command: "link show",
    about: "Show one link, or those that fit.",
    bare: Some(device()),
    keywords: &keywords::<Filter>(),
};

pub const fn device<F: Filters>() -> Bare<F> {
    Bare {
        value: "[NS:]IF",
        help: "the link, by its name or an altname, and where it lives",
        first: true,
        read: |filter, c| {
            filter.links().device = Some(c.device()?);
            Ok(())
        },
    }
}

/// What links are chosen by.
pub const fn keywords<F: Filters>() -> [Keyword<F>; 7] {
    [
        full("dev", "[NS:]IF", "", |filter: &mut F, c| {
            let device = c.value()?.device()?;
            if filter.links().device.replace(device).is_some() {
                return Err(c.misuse("the link is given twice"));
            }
            Ok(())
        }),
        full("up", "", "links that are up", |filter, _| {
            filter.links().up = true;
            Ok(())
        }),
        full("group", "GROUP", "links of this group: a name or a number", |filter, c| {
            filter.links().group = Some(c.value()?.named(Space::Group)?);
            Ok(())
        }),
        full("master", "[NS:]IF", "the ports of this bridge or bond", |filter, c| {
            filter.links().master = Some(Master::Of(c.value()?.device()?));
            Ok(())
        }),
        full("vrf", "[NS:]IF", "links in this VRF", |filter, c| {
            filter.links().master = Some(Master::OfVrf(c.value()?.device()?));
            Ok(())
        }),
        full("nomaster", "", "links that are nobody's ports", |filter, _| {
            filter.links().master = Some(Master::Nobody);
            Ok(())
        }),
        full("type", "KIND", "links of this driver; KIND_slave: the ports of such ones", |filter, c| {
            let kind = c.value()?.text()?;
            match kind.strip_suffix("_slave") {
                Some(kind) => filter.links().port_kind = Some(kind.to_owned()),
                None => filter.links().kind = Some(kind.to_owned()),
            }
            Ok(())
        }),
    ]
}
