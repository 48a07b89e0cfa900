//! From what a file says to what it means: everything that is wrong with it, all at once, and the lab
//! where nothing is. Pure: nothing here asks the kernel.
//!
//! A [`Draft`] is filled step by step, each step in a file of its own; what cannot be understood
//! becomes a problem and is left out, so that the steps behind it go on.

mod addresses;
mod checks;
mod draft;
mod interfaces;
mod links;
mod mac;
mod nodes;
mod ports;
mod routes;
mod state;

use super::{
    Lab,
    problem::{Faults, Problem},
    spec::Spec,
};
use draft::Draft;

pub(super) use nodes::FORWARDING;

/// Whether an interface can be called so.
pub(super) fn is_interface_name(text: &str) -> bool {
    ports::interface_name(text).is_ok()
}

/// Whether an interface can have this address.
pub(super) fn is_address(text: &str) -> bool {
    ports::address(text).is_ok()
}

/// What a file means, from its text.
pub(super) fn lab_of_text(text: &str) -> Result<Lab, Vec<Problem>> {
    let mut faults = Faults::default();
    let lab = match Spec::read_what_can_be(text, &mut faults) {
        // What could not be read would be missed everywhere else.
        (Some(spec), true) => lab_of(spec, &mut faults),
        _ => None,
    };
    match lab {
        Some(lab) if faults.is_empty() => Ok(lab),
        _ => Err(faults.into_problems(text)),
    }
}

/// What a file means; without a text that its problems could be shown in.
pub(super) fn lab_of_spec(spec: Spec) -> Result<Lab, Vec<Problem>> {
    let mut faults = Faults::default();
    match lab_of(spec, &mut faults) {
        Some(lab) if faults.is_empty() => Ok(lab),
        _ => Err(faults.into_problems("")),
    }
}

/// Goes on after problems, as far as it can.
pub(super) fn lab_of(spec: Spec, faults: &mut Faults) -> Option<Lab> {
    let name = faults.keep(spec.name.span(), spec.name.get_ref().parse());
    let mut draft = Draft::default();
    nodes::read(&spec, &mut draft, faults);
    links::read(&spec, &mut draft, faults);
    interfaces::name_ports(&spec, &mut draft, faults);
    interfaces::read(&spec, &mut draft, faults);
    addresses::deal(&mut draft, faults);
    interfaces::check(&draft, faults);
    let routes = routes::read(&spec, &draft, faults);
    let checks = checks::read(&spec, &draft, faults);
    let name = name.filter(|_| faults.is_empty())?;
    let nodes = nodes::meant(&draft, &spec);
    let state = state::of(&name, &draft, &spec, &nodes, routes);
    Some(Lab { name, nodes, checks, state, spec })
}

#[cfg(test)]
mod tests;
