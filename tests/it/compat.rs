//! The same words to `ip netns` and to nsnet leave the same state behind.
