//! Checks: what must hold when the lab is up.

use std::{net::IpAddr, time::Duration};

use super::{
    draft::Draft,
    nodes::{check_command, check_label},
};
use crate::{
    addr::{Family, IfAddr},
    lab::{
        Check, Probe,
        problem::Faults,
        range::expand,
        spec::{self, Placed, Spec},
    },
    name::{NodeName, escaped},
};

pub(super) fn read(spec: &Spec, draft: &Draft, faults: &mut Faults) -> Vec<Check> {
    spec.checks.iter().flat_map(|check| of(check, draft, faults)).collect()
}

/// The checks that one stands for: with ranges in `from` and `to`, several.
fn of(check: &Placed<spec::Check>, draft: &Draft, faults: &mut Faults) -> Vec<Check> {
    let said = check.get_ref();
    check_form(check, faults);
    let from = words(&said.from, faults);
    let to = said.to.as_ref().map(|to| words(to, faults)).transpose();
    let (Ok(from), Ok(to)) = (from, to) else { return Vec::new() };
    let count = from.len().max(to.as_ref().map_or(1, Vec::len));
    let fits = |words: &Vec<String>| words.len() == count || words.len() == 1;
    if !fits(&from) || !to.as_ref().is_none_or(fits) {
        let hint = "they are equally long, or one of them is none";
        faults.advise(check.span(), "the ranges of 'from' and 'to' do not fit together", hint);
        return Vec::new();
    }
    let pick = |words: &Vec<String>, at: usize| words[at.min(words.len() - 1)].clone();
    let each =
        (0..count).map_while(|at| one(said, &pick(&from, at), to.as_ref().map(|to| pick(to, at)), draft, faults));
    each.collect()
}

fn words(word: &Placed<String>, faults: &mut Faults) -> Result<Vec<String>, ()> {
    let refused = |why: String| format!("cannot use '{}': {why}", escaped(word.get_ref().as_bytes()));
    expand(word.get_ref()).map_err(|why| faults.add(word.span(), refused(why)))
}

/// What goes together.
fn check_form(check: &Placed<spec::Check>, faults: &mut Faults) {
    let said = check.get_ref();
    match (&said.command, &said.to) {
        (Some(command), Some(_)) => {
            faults.advise(
                command.span(),
                "a check has 'to' or 'command', not both",
                "a command names its target itself",
            );
        }
        (None, None) => {
            faults.advise(check.span(), "a check needs 'to' or 'command'", "'to' is a node or an address to ping");
        }
        (Some(command), None) => check_command(command, faults),
        (None, Some(_)) => {}
    }
    if let (None, Some(output)) = (&said.command, &said.output) {
        faults.add(output.span(), "'output' is of a check with a 'command'");
    }
    if let (Some(_), Some(reachable)) = (&said.command, &said.reachable) {
        faults.add(reachable.span(), "'reachable' is of a check with 'to'");
    }
    match (&said.tcp, &said.command) {
        (Some(tcp), Some(_)) => faults.add(tcp.span(), "'tcp' is of a check with 'to'"),
        (Some(tcp), None) if *tcp.get_ref() == 0 => faults.add(tcp.span(), "there is no port 0"),
        _ => {}
    }
    if let Some(name) = &said.name {
        check_label(name, faults);
    }
}

fn one(said: &spec::Check, from: &str, to: Option<String>, draft: &Draft, faults: &mut Faults) -> Option<Check> {
    let node = draft.known(from, &said.from.span(), faults)?;
    let (probe, title) = match (&said.command, to) {
        (Some(command), _) => {
            let output = said.output.as_ref().map(|output| output.get_ref().trim().to_owned());
            let argv = command.get_ref().argv();
            let title = format!("{from}: {}", shown(command.get_ref()));
            (Probe::Command { argv, output }, title)
        }
        (None, Some(to)) => {
            let ip = address(&to, node, said, draft, faults)?;
            let not = if said.reachable.as_ref().is_some_and(|reachable| !reachable.get_ref()) { " not" } else { "" };
            match &said.tcp {
                Some(port) => {
                    let port = *port.get_ref();
                    (Probe::Tcp { to: ip, port }, format!("{from}:{not} tcp {to} port {port}"))
                }
                None => (Probe::Ping { to: ip }, format!("{from}:{not} ping {to}")),
            }
        }
        (None, None) => return None,
    };
    Some(Check {
        name: said.name.as_ref().map_or(title, |name| name.get_ref().clone()),
        from: draft.nodes[node].place.clone(),
        probe,
        reachable: said.reachable.as_ref().is_none_or(|reachable| *reachable.get_ref()),
        within: said.within.as_ref().map_or(Duration::from_secs(5), |wait| wait.get_ref().0),
    })
}

fn shown(words: &spec::Words) -> String {
    match words {
        spec::Words::Line(line) => escaped(line.as_bytes()),
        spec::Words::Each(words) => escaped(words.join(" ").as_bytes()),
    }
}

/// An address, or that of a node: on the shared network, else its first.
fn address(to: &str, from: usize, said: &spec::Check, draft: &Draft, faults: &mut Faults) -> Option<IpAddr> {
    if let Ok(ip) = to.parse() {
        return Some(ip);
    }
    let span = said.to.as_ref().map_or_else(|| said.from.span(), Placed::span);
    if to != "." && draft.find(to).is_none() && to.parse::<NodeName>().is_err() {
        faults.add(span, format!("'{}' is neither an address nor a node", escaped(to.as_bytes())));
        return None;
    }
    let node = draft.known(to, &span, faults)?;
    let near = [Family::Inet, Family::Inet6].into_iter().find_map(|family| draft.neighbour(from, node, family));
    let found = near.map(|(ip, _)| ip).or_else(|| draft.nodes[node].addrs().next().map(IfAddr::ip));
    if found.is_none() {
        faults.add(span, format!("'{to}' has no address"));
    }
    found
}
