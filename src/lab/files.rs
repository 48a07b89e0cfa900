//! Files that lie over those of `/etc` in a node. They are in `/etc/netns/LAB.NODE`, where `ip netns exec`
//! finds them too, or, where that cannot be written, in `/run/nsnet/etc/LAB.NODE`.
//!
//! The first line of `hosts` says whose they are, its second which of the others are. A directory without
//! it is somebody else's.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    mark,
    state::{Place, State},
};
use crate::{
    error::{Error, Result},
    exec::ETC_DIRS,
    name::{LabName, NsName, quoted},
};

/// The file that carries the mark.
const HOSTS: &str = "hosts";
/// How the line begins that says what the other files are.
const LIST: &str = "# nsnet:files=";
/// Where a file is written before it takes its name.
const DRAFT: &str = ".nsnet-draft";

/// The files of one node, by name; `hosts` without the lines that say whose it is.
pub(super) type Files = BTreeMap<String, Arc<str>>;

/// What was read, each text once: of a thousand nodes, all have the same `hosts`.
#[derive(Default)]
pub(super) struct Texts {
    all: BTreeSet<Arc<str>>,
    /// Mostly the next one is the same.
    last: Option<Arc<str>>,
}

/// What lies in the directories of a node.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What is the lab's.
    pub files: Files,
    /// A directory that has something else in it, and no mark.
    pub foreign: Option<PathBuf>,
}

/// The first line of `hosts`.
fn first_line(lab: &LabName, place: &Place) -> String {
    format!("# {}\n", mark::note(lab, place))
}

/// A text of `hosts` behind two lines, that say whose it is and what the other files are.
fn listing(lab: &LabName, place: &Place, files: &Files, hosts: &str) -> String {
    let others: Vec<&str> = files.keys().map(String::as_str).filter(|name| *name != HOSTS).collect();
    format!("{}{LIST}{}\n{hosts}", first_line(lab, place), others.join("/"))
}

/// The names of the other files, and the text behind those lines, where it is this lab's.
fn read_listing<'t>(text: &'t str, lab: &LabName, place: &Place) -> Option<(Vec<&'t str>, &'t str)> {
    let (others, hosts) = text.strip_prefix(&first_line(lab, place))?.strip_prefix(LIST)?.split_once('\n')?;
    Some((others.split('/').filter(|name| !name.is_empty()).collect(), hosts))
}

/// The texts of the files that are wanted: what is read and is the same need not be compared again.
pub(super) fn texts_of(desired: &State) -> Texts {
    let all = desired.spaces.values().flat_map(|space| space.files.values());
    let by_place: BTreeMap<*const u8, &Arc<str>> = all.map(|text| (text.as_ptr(), text)).collect();
    Texts { all: by_place.into_values().cloned().collect(), last: None }
}

/// The same text as often as it is read.
fn shared(text: &str, texts: &mut Texts) -> Arc<str> {
    if let Some(last) = texts.last.as_ref().filter(|last| is_same(last, text)) {
        return last.clone();
    }
    let known = texts.all.get(text).cloned();
    let shared = known.unwrap_or_else(|| {
        let new: Arc<str> = text.into();
        texts.all.insert(new.clone());
        new
    });
    texts.last = Some(shared.clone());
    shared
}

/// By 64 bytes at once. musl compares one by one, and the `hosts` of a thousand nodes are thirty million.
fn is_same(one: &str, other: &str) -> bool {
    let (chunks, rest) = one.as_bytes().as_chunks::<64>();
    let (other_chunks, other_rest) = other.as_bytes().as_chunks::<64>();
    rest == other_rest && chunks == other_chunks
}

/// Reads the files of a node.
pub(super) fn read(lab: &LabName, place: &Place, texts: &mut Texts) -> Result<Found> {
    let mut found = Found::default();
    let Some(name) = mark::ns_name(lab, place) else { return Ok(found) };
    for dir in ETC_DIRS.map(|dir| Path::new(dir).join(name.as_os_str())) {
        let failed = |e: io::Error| Error::os("read the files in", quoted(dir.as_os_str()), e);
        match fs::read_to_string(dir.join(HOSTS)) {
            Ok(text) => match read_listing(&text, lab, place) {
                Some((others, hosts)) => {
                    found.files.insert(HOSTS.into(), shared(hosts, texts));
                    for other in others {
                        if let Ok(text) = fs::read_to_string(dir.join(other)) {
                            found.files.insert(other.into(), shared(&text, texts));
                        }
                    }
                }
                None => found.foreign = Some(dir.join(HOSTS)),
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                found.foreign = found.foreign.or(stranger_in(&dir).map_err(failed)?);
            }
            Err(e) if e.kind() == io::ErrorKind::InvalidData => found.foreign = Some(dir.join(HOSTS)),
            Err(e) if e.kind() == io::ErrorKind::NotADirectory => found.foreign = Some(dir),
            Err(e) => return Err(failed(e)),
        }
    }
    Ok(found)
}

/// Something in a directory that is no draft of nsnet's.
fn stranger_in(dir: &Path) -> io::Result<Option<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if !path.ends_with(DRAFT) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Makes the files of a node what they should be; none at all where there are to be none.
pub(super) fn put(lab: &LabName, place: &Place, old: &Files, new: &Files) -> Result<()> {
    let Some(name) = mark::ns_name(lab, place) else { return Ok(()) };
    if new.is_empty() {
        return remove(&name, old);
    }
    // First the mark, of the files that were and of those that will be: what is cut off here is known.
    let both: Files = old.iter().chain(new).map(|(name, text)| (name.clone(), text.clone())).collect();
    let hosts = new.get(HOSTS).map_or("", |text| text);
    let whole = both.keys().all(|name| new.contains_key(name));
    let has_listing =
        |dir: &Path| fs::read_to_string(dir.join(HOSTS)).is_ok_and(|text| read_listing(&text, lab, place).is_some());
    // Where there were no files, there is no mark to be looked for.
    let is_marked = |dir: &Path| !old.is_empty() && has_listing(dir);
    let dir = write_mark(&name, &listing(lab, place, &both, hosts), is_marked)?;
    for (name, text) in new.iter().filter(|(name, text)| *name != HOSTS && old.get(*name) != Some(*text)) {
        write(&dir, name, text)?;
    }
    for name in old.keys().filter(|name| !new.contains_key(*name) && *name != HOSTS) {
        remove_file(&dir.join(name))?;
    }
    if whole { Ok(()) } else { write(&dir, HOSTS, &listing(lab, place, new, hosts)) }
}

/// Writes the file with the mark: where there is one, or else where there is none yet; not in `/etc` where that cannot
/// be written. Returns where.
fn write_mark(name: &NsName, text: &str, is_marked: impl Fn(&Path) -> bool) -> Result<PathBuf> {
    let mut refused = None;
    let mut dirs = ETC_DIRS.map(|parent| Path::new(parent).join(name.as_os_str()));
    // What could not be written once may be now.
    dirs.sort_by_key(|dir| !is_marked(dir));
    for dir in dirs {
        let unwritable =
            |e: &io::Error| matches!(e.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem);
        match fs::create_dir_all(&dir).and_then(|()| replace(&dir, HOSTS, text)) {
            Ok(()) => return Ok(dir),
            Err(e) if unwritable(&e) => refused = Some(Error::os("write in directory", quoted(dir.as_os_str()), e)),
            Err(e) => return Err(Error::os("write in directory", quoted(dir.as_os_str()), e)),
        }
    }
    Err(refused.expect("there are directories to try"))
}

fn write(dir: &Path, name: &str, text: &str) -> Result<()> {
    replace(dir, name, text).map_err(|e| Error::os("write", quoted(dir.join(name).as_os_str()), e))
}

/// Whoever reads it reads all of it, before or after.
fn replace(dir: &Path, name: &str, text: &str) -> io::Result<()> {
    let draft = dir.join(DRAFT);
    fs::write(&draft, text).and_then(|()| fs::rename(&draft, dir.join(name)))
}

fn remove(name: &NsName, files: &Files) -> Result<()> {
    for dir in ETC_DIRS.map(|dir| Path::new(dir).join(name.as_os_str())).iter().filter(|dir| dir.exists()) {
        // The mark goes last.
        let others = files.keys().filter(|name| *name != HOSTS).map(String::as_str);
        for file in others.chain([DRAFT, HOSTS]) {
            if file != HOSTS || !files.is_empty() {
                remove_file(&dir.join(file))?;
            }
        }
        remove_dir(dir)?;
    }
    Ok(())
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(()),
        done => done.map_err(|e| Error::os("remove", quoted(path.as_os_str()), e)),
    }
}

/// What others put there keeps it.
fn remove_dir(path: &Path) -> Result<()> {
    match fs::remove_dir(path) {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => Ok(()),
        done => done.map_err(|e| Error::os("remove", quoted(path.as_os_str()), e)),
    }
}

/// The places of a lab that have a directory, or whatever lies where it would.
pub(super) fn places(lab: &LabName) -> Result<BTreeSet<Place>> {
    let mut places = BTreeSet::new();
    for parent in ETC_DIRS {
        let failed = |e: io::Error| Error::os("read", quoted(parent.as_ref()), e);
        let entries = match fs::read_dir(parent) {
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            places.extend(mark::place_in(lab, &entry.map_err(failed)?.file_name()));
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_of_many_nodes_is_there_once() {
        let mut texts = Texts::default();
        let long = "10.0.0.1 a\n".repeat(20);
        let first = shared(&long, &mut texts);
        assert!(Arc::ptr_eq(&first, &shared(&long, &mut texts)));
        for (at, end) in [(3, "x"), (64, "x"), (219, "x"), (219, ""), (220, "\n")] {
            let other = format!("{}{end}{}", &long[..at], long.get(at + 1..).unwrap_or_default());
            assert_eq!(*shared(&other, &mut texts), other);
        }
        assert!(Arc::ptr_eq(&first, &shared(&long, &mut texts)), "also behind others");
    }
}
