//! Objects as ip shows them, a file each.

pub mod addr;
mod counters;
mod details;
mod kinds;
pub mod link;
pub mod neigh;
pub mod route;
pub mod rule;
mod tunnels;
