//! What is kept about a command while it runs, since it may overwrite its environment, as those do that change their
//! title: which process leads its session, and the mark. It is believed only of the process that it was written for.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, DirBuilder},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
};

use super::{
    mark::{self, Mark},
    spawn::Home,
};
use crate::{
    error::{Error, Result},
    lab::{Place, Run},
    name::{LabName, quoted},
    netns::rundir,
};

/// Of `/proc/PID/stat`, behind the name: the fields of the session, and of when the process started, in ticks since the
/// machine did.
const SESSION_AT: usize = 3;
const STARTED_AT: usize = 19;

/// Which process leads each session that was written down, with when that started.
pub(super) struct Records(BTreeMap<u32, (u64, Mark)>);

impl Records {
    /// Those of a lab. What cannot be read counts as not there.
    pub(super) fn of(lab: &LabName) -> Self {
        let paths = fs::read_dir(dir()).into_iter().flatten().flatten().map(|entry| entry.path());
        let texts = paths.filter_map(|path| fs::read(path).ok());
        let records = texts.filter_map(|text| parse(&text)).filter(|(_, (_, mark))| mark.lab == lab.as_str());
        Self(records.collect())
    }

    /// The mark of the command that a process is, or belongs to by its session.
    pub(super) fn mark_of(&self, pid: u32) -> Option<Mark> {
        if self.0.is_empty() {
            return None;
        }
        let leader = stat(pid)?.session;
        let (started, mark) = self.0.get(&leader)?;
        // While it has members, no process gets the number of a session whose leader has ended.
        stat(leader).is_none_or(|is| is.started == *started).then(|| mark.clone())
    }
}

/// Whether there is one of a lab, though its process may have ended.
pub(super) fn are_of(lab: &LabName) -> bool {
    let is_of = |name: OsString| Some(name.to_str()?.strip_prefix(lab.as_str())?.starts_with('.'));
    fs::read_dir(dir()).into_iter().flatten().flatten().any(|entry| is_of(entry.file_name()) == Some(true))
}

fn dir() -> PathBuf {
    PathBuf::from(rundir::NSNET_DIR).join("run")
}

fn path(lab: &str, node: &str, name: &str) -> PathBuf {
    dir().join(format!("{lab}.{node}.{name}"))
}

/// What the kernel says of a process.
struct Stat {
    session: u32,
    started: u64,
}

/// `None` where it has ended.
fn stat(pid: u32) -> Option<Stat> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let behind_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let fields: Vec<&str> = std::str::from_utf8(&stat[behind_name..]).ok()?.split_ascii_whitespace().collect();
    Some(Stat { session: fields.get(SESSION_AT)?.parse().ok()?, started: fields.get(STARTED_AT)?.parse().ok()? })
}

/// Writes down a command that was started; false where it has ended.
pub(super) fn write(home: &Home<'_>, run: &Run, pid: u32) -> Result<bool> {
    let Some(Stat { started, .. }) = stat(pid) else { return Ok(false) };
    let path = path(home.lab.as_str(), home.node.as_str(), &run.name);
    let failed = |e| Error::os("write", quoted(path.as_os_str()), e);
    rundir::make_nsnet_dir()?;
    DirBuilder::new().recursive(true).mode(0o755).create(dir()).map_err(failed)?;
    // One that is there is of a command that has ended.
    remove(home.lab.as_str(), home.node.as_str(), &run.name)?;
    let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
    let mut text = format!("{pid} {started}\n").into_bytes();
    for (key, value) in mark::entries(home.lab, home.node, run) {
        text.extend([key.as_bytes(), b"=", value.as_bytes(), b"\0"].concat());
    }
    file.write_all(&text).map_err(failed)?;
    Ok(true)
}

fn parse(text: &[u8]) -> Option<(u32, (u64, Mark))> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let (pid, started) = std::str::from_utf8(&text[..end]).ok()?.split_once(' ')?;
    Some((pid.parse().ok()?, (started.parse().ok()?, mark::read(&text[end + 1..])?)))
}

/// Forgets those commands of a lab.
pub(super) fn forget(lab: &LabName, which: &dyn Fn(&Place, &str) -> bool) -> Result<()> {
    for (_, Mark { node, name, .. }) in Records::of(lab).0.into_values() {
        let place = node.parse().map(Place::Node);
        if place.is_ok_and(|place| which(&place, &name)) {
            remove(lab.as_str(), &node, &name)?;
        }
    }
    // Others may have theirs there.
    let _ = fs::remove_dir(dir());
    Ok(())
}

fn remove(lab: &str, node: &str, name: &str) -> Result<()> {
    let path = path(lab, node, name);
    match fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::os("remove", quoted(path.as_os_str()), e)),
        _ => Ok(()),
    }
}

/// Forgets all commands of a lab.
pub(super) fn remove_all(lab: &LabName) -> Result<()> {
    super::spawn::remove_files_of(lab, &dir())
}
