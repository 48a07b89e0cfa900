//! Labs: a file that becomes a network, stays one, and goes away.

mod plan;
mod problem;
pub mod spec;
mod state;
mod step;

pub use plan::plan;
pub use problem::Problem;
pub use spec::Spec;
pub use state::{LinkState, LinkWhat, Place, RouteState, Space, State};
pub use step::{At, LinkEdit, PlannedLink, Step, word_of};
