//! Labs: a file that becomes a network, stays one, and goes away.

mod check;
#[cfg(feature = "clab")]
pub mod clab;
mod model;
mod problem;
mod range;
pub mod spec;
mod state;

pub use model::{Check, Lab, LabNode, Probe, Ready, Run};
pub use problem::Problem;
pub use spec::Spec;
pub use state::{LinkState, LinkWhat, Place, RouteState, Space, State};
