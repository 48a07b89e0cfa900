//! Objects as ip shows them, a file each.

pub mod neigh;
pub mod rule;
