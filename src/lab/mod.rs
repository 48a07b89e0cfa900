//! Labs: a file that becomes a network, stays one, and goes away.

mod state;

pub use state::{LinkState, LinkWhat, Place, RouteState, Space, State};
