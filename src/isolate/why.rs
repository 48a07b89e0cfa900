//! Why a namespace was denied, where the kernel says no more than a number.

use std::fs;

use rustix::io::Errno;

use crate::{
    error::{Error, ErrorKind},
    inspect::NsKind,
};

fn setting(name: &str) -> Option<String> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// Of a clone that makes these kinds.
pub(super) fn clone_refused(kinds: &[NsKind], errno: Errno) -> Error {
    let error = Error::os("make namespaces for", "the command", errno);
    match errno {
        Errno::NOSPC => error.because(full(kinds)),
        Errno::PERM => match user_namespaces_denied() {
            Some(reason) if kinds.contains(&NsKind::User) => error.because(reason),
            _ if kinds.contains(&NsKind::User) => error,
            _ => error.because("only root may do so without a user namespace; '--map-root' makes one"),
        },
        Errno::INVAL => error.because("this kernel lacks one of them").with_kind(ErrorKind::Unsupported),
        Errno::NOSYS => error.because("this kernel has no clone3 (Linux 5.5), or a filter of system calls hides it"),
        _ => error,
    }
}

/// The limit that is used up; one of 0 is surely meant.
pub(super) fn full(kinds: &[NsKind]) -> String {
    let limit = |kind: &NsKind| format!("user.max_{}_namespaces", kind.as_str());
    let limits: Vec<_> = kinds.iter().map(limit).collect();
    let zero = limits.iter().find(|name| setting(name).as_deref() == Some("0"));
    match zero {
        Some(name) => format!("the limit {name} is 0"),
        None => format!("a limit is reached, here or further out: one of {}", limits.join(", ")),
    }
}

/// The switches that distributions have for it.
fn user_namespaces_denied() -> Option<&'static str> {
    if setting("kernel.unprivileged_userns_clone").as_deref() == Some("0") {
        return Some("kernel.unprivileged_userns_clone is 0; as root: sysctl kernel.unprivileged_userns_clone=1");
    }
    apparmor_restricts()
}

fn apparmor_restricts() -> Option<&'static str> {
    let restricts = setting("kernel.apparmor_restrict_unprivileged_userns").as_deref() == Some("1");
    restricts.then_some(
        "kernel.apparmor_restrict_unprivileged_userns is 1: AppArmor lets user namespaces of ordinary users do \
         nothing; as root: sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    )
}

/// Of an id map.
pub(super) fn map_refused(error: Error) -> Error {
    match (error.kind(), apparmor_restricts()) {
        (ErrorKind::Denied, Some(reason)) => error.because(reason),
        (ErrorKind::Denied, None) => error.because("the kernel lets a user map only ids of their own, each once"),
        _ => error,
    }
}
