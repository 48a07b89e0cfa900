//! `link show`: which links to show.

use super::grammar::{Bare, Table, full};

/// The links that are wanted.
#[derive(Debug, Default)]
pub struct Filter {
    /// One, by a name or an altname; all where it is `None`.
    pub device: Option<String>,
}

pub const SHOW: Table<Filter> = Table {
    command: "link show",
    about: "Show one link, or those that fit.",
    bare: Some(Bare {
        value: "[NS:]IF",
        help: "the link, by its name or an altname, and where it lives",
        first: true,
        read: |filter, c| {
            filter.device = Some(c.device()?);
            Ok(())
        },
    }),
    keywords: &[full("dev", "[NS:]IF", "", |filter, c| {
        filter.device = Some(c.value()?.device()?);
        Ok(())
    })],
};
