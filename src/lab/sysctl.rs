//! Settings below `/proc/sys/net`, read and written by a thread that is inside, and how it is known which
//! of them are the lab's: each is an altname of `lo`.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags},
    mount::MountAttrFlags,
};

use super::state::Place;
use crate::sys;

/// What an altname that stands for a setting begins with.
const PREFIX: &str = "nsnet:";

/// An altname has room for so many bytes.
const MOST_BYTES: usize = 127;

/// The altname of `lo` that tells of a setting.
pub(super) fn alt_name(key: &str) -> String {
    format!("{PREFIX}{key}")
}

/// The setting that an altname tells of.
pub(super) fn key_of(alt_name: &str) -> Option<&str> {
    alt_name.strip_prefix(PREFIX).filter(|key| key.starts_with("net."))
}

/// What a setting is called where it has two names.
pub(super) fn usual_name(key: &str) -> &str {
    match key {
        "net.ipv4.conf.all.forwarding" => "net.ipv4.ip_forward",
        key => key,
    }
}

/// What is wrong with a name of a setting, before the kernel is asked.
pub(super) fn problem(key: &str) -> Option<&'static str> {
    let mut words = key.split('.');
    if words.next() != Some("net") {
        return Some("only settings of the network (net.*) belong to a namespace");
    }
    if alt_name(key).len() > MOST_BYTES {
        return Some("its name is longer than 121 bytes");
    }
    let bad = |word: &str| {
        word.is_empty() || matches!(word, "/" | "//") || word.contains(|c: char| c.is_whitespace() || c == '\0')
    };
    if words.any(bad) {
        return Some("it is no name of a setting");
    }
    None
}

/// The file of a setting: its words are directories, and a `/` in one is a dot.
pub(super) fn path(key: &str) -> PathBuf {
    Path::new("/proc").join(path_in_proc(key))
}

fn path_in_proc(key: &str) -> PathBuf {
    let words = key.split('.').map(|word| word.replace('/', "."));
    let mut path = PathBuf::from("sys");
    path.extend(words.filter(|word| word != ".."));
    path
}

/// What IPv6 is told in a new node, before it has links: addresses are used at once. Until a router has
/// a link-local address that it may use, it asks for no neighbour, and what it is to forward is lost;
/// and in a lab no two have the same.
const IN_A_NODE: &[(&str, &str)] = &[("net.ipv6.conf.default.accept_dad", "0")];

/// Switches carry frames and have no addresses. With IPv6 on, each port would talk to all others while they
/// come up.
const IN_THE_SWITCHES: &[(&str, &str)] =
    &[("net.ipv6.conf.all.disable_ipv6", "1"), ("net.ipv6.conf.default.disable_ipv6", "1")];

/// As proc is mounted everywhere.
const PLAIN: MountAttrFlags =
    MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NODEV).union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

/// Where settings are written. Each is that of the namespace of the calling thread.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// Instead of `/proc`.
    proc: Option<OwnedFd>,
}

impl Settings {
    /// For namespaces that may be many. The kernel remembers the directories of all of them side by side, by the same name,
    /// and steps over each on the way to a setting, which is slow where there are hundreds. A mount of proc that nobody else
    /// sees begins with none; where none may be made, as in most containers, `/proc` does.
    pub(super) fn of_many() -> Self {
        Self { proc: sys::detached_mount(c"proc", PLAIN).ok() }
    }

    /// Makes the new namespace of the calling thread ready for links.
    pub(super) fn prepare(&self, place: &Place) -> io::Result<()> {
        let settings = if *place == Place::Switches { IN_THE_SWITCHES } else { IN_A_NODE };
        for (key, value) in settings {
            match self.write(key, value) {
                // A kernel without IPv6.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                done => done?,
            }
        }
        Ok(())
    }

    /// Sets the value in the namespace of the calling thread.
    pub(super) fn write(&self, key: &str, value: &str) -> io::Result<()> {
        let Some(proc) = &self.proc else { return write(key, value) };
        let file = rustix::fs::openat(proc, path_in_proc(key), OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        File::from(file).write_all(value.as_bytes())
    }
}

/// The value in the namespace of the calling thread, its words parted by single spaces.
pub(super) fn read(key: &str) -> io::Result<String> {
    fs::read_to_string(path(key)).map(|text| normal(&text))
}

/// Sets the value in the namespace of the calling thread.
pub(super) fn write(key: &str, value: &str) -> io::Result<()> {
    fs::write(path(key), value)
}

/// A value with its words parted by single spaces.
pub(super) fn normal(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// The setting that a new link takes the value of a setting of its own from.
pub(super) fn default_of(key: &str) -> Option<String> {
    super::plan::link_of(key)?;
    let mut words: Vec<&str> = key.split('.').collect();
    words[3] = "default";
    Some(words.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_for_many_is_a_setting_of_the_namespace_of_whoever_sets_it() {
        // As root, by a mount of proc of its own; otherwise as the next one.
        for settings in [Settings::of_many(), Settings::default()] {
            let inside = std::thread::spawn(move || {
                crate::sys::unshare_net().unwrap();
                settings.prepare(&Place::Switches).unwrap();
                let first = read(IN_THE_SWITCHES[0].0).unwrap();
                crate::sys::unshare_net().unwrap();
                let missing = settings.write("net.ipv4.no_such_setting", "1").unwrap_err();
                [first, read(IN_THE_SWITCHES[0].0).unwrap(), format!("{:?}", missing.kind())]
            });
            assert_eq!(inside.join().unwrap(), ["1", "0", "NotFound"]);
        }
    }

    #[test]
    fn a_setting_is_a_file_and_an_altname() {
        assert_eq!(path("net.ipv4.conf.eth0/5.rp_filter"), PathBuf::from("/proc/sys/net/ipv4/conf/eth0.5/rp_filter"));
        assert_eq!(path("net.////.x"), PathBuf::from("/proc/sys/net/..../x"));
        assert_eq!(key_of(&alt_name("net.ipv4.ip_forward")), Some("net.ipv4.ip_forward"));
        assert_eq!(key_of("uplink"), None);
        assert_eq!(default_of("net.ipv6.conf.eth0.mtu").as_deref(), Some("net.ipv6.conf.default.mtu"));
        assert_eq!(default_of("net.ipv4.ip_forward"), None);
        assert_eq!(normal("4096\t131072\t6291456\n"), "4096 131072 6291456");
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for bad in ["kernel.hostname", "net", "net.", "net..x", "net.//.x", "net./.x", "net.a b"] {
            assert!(problem(bad).is_some() || bad == "net", "{bad}");
        }
        assert_eq!(problem("net.ipv4.ip_forward"), None);
        assert!(problem(&format!("net.{}", "x".repeat(130))).is_some());
    }
}
