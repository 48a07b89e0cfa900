//! Labs: a file that becomes a network, stays one, and goes away.

mod adopt;
mod apply;
mod check;
#[cfg(feature = "clab")]
pub mod clab;
mod drift;
mod files;
mod lock;
mod mark;
mod model;
mod node;
mod observe;
mod plan;
mod preflight;
mod probe;
mod problem;
mod range;
mod running;
mod runs;
mod silence;
mod site;
pub mod spec;
mod state;
mod step;
mod sysctl;
mod trial;
mod work;

pub use adopt::{Adopted, adopt};
pub use apply::{Found, Lowered, OnProgress, Progress, Raised, down, list, lives_on, look, nodes_of, plan_now, up};
pub use drift::{Difference, differences};
pub use mark::ROUTE_PROTOCOL;
pub use model::{Check, Lab, LabNode, Probe, Ready, Run};
pub use node::{hostname, nodes};
pub use plan::plan;
pub use problem::Problem;
pub use running::Running;
pub use spec::Spec;
pub use state::{LinkState, LinkWhat, Place, RouteState, Space, State};
pub use step::{At, LinkEdit, PlannedLink, Step, word_of};
pub use trial::{Tested, Trial, Verdict, test, test_up};
