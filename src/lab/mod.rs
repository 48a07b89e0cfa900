//! Labs: a file that becomes a network, stays one, and goes away.

mod problem;
pub mod spec;
mod state;

pub use problem::Problem;
pub use spec::Spec;
pub use state::{LinkState, LinkWhat, Place, RouteState, Space, State};
