//! Capabilities that a command does without.

use std::{fmt, str::FromStr};

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities,
};

use crate::{
    error::{Error, Result},
    name::escaped,
};

/// A set of capabilities, written as `net_raw`, `CAP_NET_RAW` or `all`, with commas between several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities(CapabilitySet);

/// None.
impl Default for Capabilities {
    fn default() -> Self {
        Self(CapabilitySet::empty())
    }
}

impl Capabilities {
    /// Every one that the kernel has, also those without a name here.
    #[must_use]
    pub fn all() -> Self {
        // The kernel keeps them in 64 bits, and ignores those it has no use for.
        Self(CapabilitySet::from_bits_retain(u64::MAX))
    }

    /// These and those.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn set(self) -> CapabilitySet {
        self.0
    }
}

impl FromStr for Capabilities {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        text.split(',').try_fold(Self::default(), |set, word| Ok(set.and(named(word)?)))
    }
}

fn named(word: &str) -> Result<Capabilities> {
    let upper = word.to_ascii_uppercase();
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    if name == "ALL" {
        return Ok(Capabilities::all());
    }
    let unknown = || {
        let shown = escaped(word.as_bytes());
        Error::invalid(
            "drop capability",
            format!("'{shown}'"),
            "there is none of this name; capabilities(7) lists them",
        )
    };
    CapabilitySet::from_name(name).map(Capabilities).ok_or_else(unknown)
}

/// As they are written.
impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::all() {
            return f.write_str("all");
        }
        let names: Vec<_> = self.0.iter_names().map(|(name, _)| name.to_ascii_lowercase()).collect();
        f.write_str(&names.join(","))
    }
}

/// Gives them up in every set, so that no program gets them back. Allocates nothing.
pub(super) fn drop(dropped: CapabilitySet) -> rustix::io::Result<()> {
    for bit in 0..u64::BITS {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        // The kernel knows fewer than there are bits, and refuses to be asked of others.
        if dropped.contains(one) && matches!(capability_is_in_bounding_set(one), Ok(true)) {
            remove_capability_from_bounding_set(one)?;
        }
    }
    clear_ambient_capability_set()?;
    let CapabilitySets { effective, permitted, inheritable } = capabilities(None)?;
    let rest = |set: CapabilitySet| set.difference(dropped);
    let sets =
        CapabilitySets { effective: rest(effective), permitted: rest(permitted), inheritable: rest(inheritable) };
    set_capabilities(None, sets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_as_people_write_them() {
        let both: Capabilities = "CAP_NET_RAW,sys_admin".parse().unwrap();
        assert_eq!(both.set(), CapabilitySet::NET_RAW | CapabilitySet::SYS_ADMIN);
        assert_eq!(both.to_string(), "net_raw,sys_admin");
        assert_eq!("all".parse::<Capabilities>().unwrap(), Capabilities::all());
        for bad in ["", "net", "cap_", "net_raw,", "4"] {
            assert!(bad.parse::<Capabilities>().is_err(), "{bad:?}");
        }
    }
}
