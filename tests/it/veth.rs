//! veth: a pair in one line, or nothing.
