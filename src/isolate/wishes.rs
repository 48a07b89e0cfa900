//! What cannot be wished for together, found before anything is made.

use std::os::unix::ffi::OsStrExt;

use rustix::process::Signal;

use super::{Isolation, Propagation};
use crate::{
    error::{Error, Result},
    inspect::NsKind,
    name::quoted,
};

/// `__NEW_UTS_LEN` of `linux/utsname.h`.
const MAX_NAME_BYTES: usize = 64;

pub(super) fn refuse_contradictions(wishes: &Isolation) -> Result<()> {
    if wishes.join.is_some() && wishes.name.is_some() {
        return Err(Error::invalid("isolate with", "'--name'", "a namespace that is joined has a name of its own"));
    }
    if wishes.death_signal != Signal::KILL && wishes.has(NsKind::Pid) && !wishes.init {
        let reason = "process 1 would ignore any signal but KILL; '--init' passes it on";
        return Err(Error::invalid("isolate with", "'--kill-child'", reason));
    }
    if wishes.command.is_empty() {
        return Err(Error::invalid("isolate", "''", "there is no command"));
    }
    needs(wishes)?;
    names(wishes)?;
    mounts(wishes)?;
    wishes.maps.check()?;
    for [_, inside] in &wishes.veths {
        if inside.ns.is_some() {
            let reason = "it is the end inside, which cannot be in another namespace; write IF=ADDR/LEN";
            return Err(Error::invalid("isolate with the end", &inside.ifname, reason));
        }
    }
    match wishes.command.iter().find(|word| word.as_bytes().contains(&0)) {
        Some(word) => Err(Error::invalid("execute", quoted(word), "a word of a command holds no NUL byte")),
        None => Ok(()),
    }
}

/// What a wish is called on the command line, and the kind of namespace that it needs.
fn needs(wishes: &Isolation) -> Result<()> {
    let net = wishes.has(NsKind::Net);
    let options = [
        ("--hostname", wishes.hostname.is_some(), NsKind::Uts),
        ("--domainname", wishes.domainname.is_some(), NsKind::Uts),
        ("--boottime", wishes.boottime.is_some(), NsKind::Time),
        ("--monotonic", wishes.monotonic.is_some(), NsKind::Time),
        ("--init", wishes.init, NsKind::Pid),
        ("--dns", !wishes.dns.is_empty(), NsKind::Mnt),
        ("--propagation", wishes.propagation != Propagation::Private, NsKind::Mnt),
        ("--name", wishes.name.is_some(), NsKind::Net),
    ];
    for (option, is_wished, kind) in options {
        if is_wished && !wishes.has(kind) {
            return Err(without(option, kind));
        }
    }
    let inside = [("--veth", !wishes.veths.is_empty()), ("--route", !wishes.routes.is_empty())];
    match inside.into_iter().find(|(_, is_wished)| *is_wished && !net && wishes.join.is_none()) {
        Some((option, _)) => Err(without(option, NsKind::Net)),
        None => Ok(()),
    }
}

fn without(option: &str, kind: NsKind) -> Error {
    let word = if kind == NsKind::Mnt { "mount" } else { kind.as_str() };
    Error::invalid(
        "isolate with",
        format!("'{option}'"),
        format!("it needs a {word} namespace of its own: add '--{word}'"),
    )
}

fn names(wishes: &Isolation) -> Result<()> {
    let both = [("set the host name", &wishes.hostname), ("set the domain name", &wishes.domainname)];
    for (op, name) in both {
        let Some(name) = name else { continue };
        if name.len() > MAX_NAME_BYTES {
            return Err(Error::invalid(op, quoted(name), format!("it is longer than {MAX_NAME_BYTES} bytes")));
        }
        if name.as_bytes().contains(&0) {
            return Err(Error::invalid(op, quoted(name), "it holds a NUL byte"));
        }
    }
    Ok(())
}

/// What is put over something of the old view would be seen outside too.
fn mounts(wishes: &Isolation) -> Result<()> {
    if !wishes.has(NsKind::Mnt) || !wishes.propagation.reaches_outside() {
        return Ok(());
    }
    let reason = "it needs private or slave mounts, or it would be seen outside";
    match &wishes.root {
        Some(root) => Err(Error::invalid("use root", quoted(root.as_os_str()), reason)),
        None if !wishes.dns.is_empty() => Err(Error::invalid("isolate with", "'--dns'", reason)),
        None => Ok(()),
    }
}
