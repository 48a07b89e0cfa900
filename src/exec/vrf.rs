//! Leaving a VRF: its cgroup binds every socket to a device that another namespace does not have.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    error::{Error, Result},
    name::quoted,
    sys::mountinfo,
};

/// Moves this process out of a cgroup that `ip vrf exec` made, as ip does before it enters a
/// namespace; does nothing in any other cgroup.
pub(super) fn leave() -> Result<()> {
    let Ok(cgroups) = fs::read_to_string("/proc/self/cgroup") else { return Ok(()) };
    let Some(outer) = outside_of_vrf(&cgroups) else { return Ok(()) };
    let failed = |e| Error::os("leave the VRF of cgroup", quoted(outer.as_ref()), e);
    let mounts = mountinfo::of_this_thread().map_err(failed)?;
    let Some(mount) = mounts.into_iter().find(|mount| mount.fs_type == "cgroup2") else { return Ok(()) };
    let procs = procs_of(&mount.point, outer);
    fs::write(procs, std::process::id().to_string()).map_err(failed)
}

/// The cgroup that a VRF's one lies in: `/a` of `0::/a/vrf/red`.
pub(crate) fn outside_of_vrf(cgroups: &str) -> Option<&str> {
    let own = cgroups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let (outer, name) = own.rsplit_once("/vrf/")?;
    (!name.is_empty()).then_some(outer)
}

fn procs_of(mount: &Path, cgroup: &str) -> PathBuf {
    mount.join(cgroup.trim_start_matches('/')).join("cgroup.procs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_cgroup_of_a_vrf_is_left() {
        assert_eq!(outside_of_vrf("3:cpu:/x/vrf/red\n0::/user.slice/vrf/red\n"), Some("/user.slice"));
        assert_eq!(outside_of_vrf("0::/vrf/red\n"), Some(""));
        assert_eq!(outside_of_vrf("0::/user.slice\n"), None);
        assert_eq!(outside_of_vrf("0::/vrf/\n"), None);
        assert_eq!(outside_of_vrf("3:cpu:/vrf/red\n"), None);
    }

    #[test]
    fn the_process_is_written_to_the_outer_cgroup() {
        assert_eq!(procs_of(Path::new("/sys/fs/cgroup"), ""), Path::new("/sys/fs/cgroup/cgroup.procs"));
        assert_eq!(procs_of(Path::new("/cg"), "/a"), Path::new("/cg/a/cgroup.procs"));
    }
}
