//! Objects as ip shows them, a file each.

pub mod rule;
