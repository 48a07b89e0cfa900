//! What is there: which namespace holds the other end of a link. Nothing here changes anything.

mod peers;

pub use peers::{Peer, peers};
