//! What is there: namespaces, who holds them, and what is connected to what. Nothing here changes
//! anything that others see.

mod kinds;
mod map;
mod peers;

pub use kinds::{Compared, Known, Listed, Ns, NsDetails, NsId, NsKind, compare, list, namespaces_of};
pub use map::{Map, Mapper, Namespace, Port, Wire, WireKind};
pub use peers::{Peer, peers};
