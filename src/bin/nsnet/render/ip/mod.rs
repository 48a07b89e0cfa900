//! Objects as ip shows them, a file each.

pub mod neigh;
pub mod route;
pub mod rule;
