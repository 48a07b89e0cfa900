//! Many at once, and killed at any point.
