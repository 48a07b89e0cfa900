//! Doors for the targets in `fuzz/`: they are crates of their own, and what they test is private.
//! No part of what the library promises.
#![allow(missing_docs)]

use std::path::PathBuf;

use crate::{exec, netlink, sys};

/// Reads a datagram of netlink as if the kernel had sent it; returns how many messages it held.
pub fn replies(datagram: &[u8]) -> usize {
    netlink::raw::count_replies(datagram)
}

/// The sentence behind the echo of a refused request.
pub fn sentence(flags: u16, echo: &[u8]) -> Option<String> {
    netlink::raw::sentence(netlink::raw::error_tlvs(flags, echo))
}

pub fn mount_points(mountinfo: &[u8]) -> Vec<PathBuf> {
    sys::mountinfo::parse(mountinfo).map(|mount| mount.point).collect()
}

pub fn flock_holder(locks: &str, device: u64, inode: u64) -> Option<u32> {
    sys::locks::parse_holder(locks, device, inode)
}

pub fn outside_of_vrf(cgroups: &str) -> Option<&str> {
    exec::vrf::outside_of_vrf(cgroups)
}
