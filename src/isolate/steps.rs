//! From wishes to the steps of the child, in the one order in which they work.

use std::{
    fmt::Write as _,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use rustix::{fs::statfs, mount::MountPropagationFlags};

use super::{
    ClockOffset, Isolation, Propagation,
    child::{Act, Step},
    idmap::Maps,
};
use crate::{
    error::{Error, Result},
    exec::view::{self, SysView},
    inspect::NsKind,
    name::quoted,
    sys::process::c_string,
};

/// `MQUEUE_MAGIC` of the kernel's `ipc/mqueue.c`.
const MQUEUE: u64 = 0x1980_0202;

/// Where there is something else inside than outside.
const COVERED: [&str; 3] = ["/proc", "/sys", "/dev/mqueue"];

/// Steps under construction.
struct Plan<'a> {
    wishes: &'a Isolation,
    maps: &'a Maps,
    steps: Vec<Step>,
}

/// All steps of the child; `terminal` is its own, where it has one.
pub(super) fn plan(wishes: &Isolation, maps: &Maps, terminal: Option<OwnedFd>) -> Result<Vec<Step>> {
    let mut plan = Plan { wishes, maps, steps: Vec::new() };
    plan.parent();
    plan.user();
    plan.time();
    plan.session(terminal);
    // Before the root changes: it is set below the old /proc.
    plan.network();
    if wishes.has(NsKind::Mnt) {
        plan.mounts()?;
    } else if let Some(root) = &wishes.root {
        plan.must("use root", quoted(root.as_os_str()), None, Act::Chroot(c_string(root)));
    }
    plan.names();
    plan.directory()?;
    plan.privileges();
    // Whatever changed the credentials took the signal away.
    plan.parent();
    if wishes.close_fds {
        plan.must("close", "the files of the caller".into(), None, Act::CloseOnExec);
    }
    plan.must("wait for", "the parent".into(), None, Act::Ready);
    Ok(plan.steps)
}

impl Plan<'_> {
    fn must(&mut self, op: &'static str, subject: String, hint: Option<&'static str>, act: Act) {
        self.steps.push(Step { op, subject, hint, optional: false, act });
    }

    fn may(&mut self, op: &'static str, subject: String, hint: Option<&'static str>, act: Act) {
        self.steps.push(Step { op, subject, hint, optional: true, act });
    }

    fn parent(&mut self) {
        let act = Act::DieWithParent(self.wishes.death_signal);
        self.must("be ended with", "the parent".into(), None, act);
    }

    fn user(&mut self) {
        if !self.wishes.has(NsKind::User) {
            return;
        }
        self.must("wait for", "the id maps".into(), None, Act::Gate);
        if self.maps.leave_root_to_be_taken() {
            let groups = self.maps.allow_setgroups();
            self.must("become", "user 0 of the new namespace".into(), None, Act::BecomeRoot { groups });
        }
    }

    fn time(&mut self) {
        if self.wishes.has(NsKind::Time) {
            let offsets = offsets(self.wishes.monotonic, self.wishes.boottime);
            let hint = "the kernel keeps clocks from going below 0, and needs CAP_SYS_TIME";
            self.must("set the clocks of", "the new time namespace".into(), Some(hint), Act::EnterNewTime(offsets));
        }
    }

    fn session(&mut self, terminal: Option<OwnedFd>) {
        if let Some(terminal) = terminal {
            self.must("take", "the new terminal".into(), None, Act::OwnTerminal(terminal));
        } else if self.wishes.new_session {
            // A leader of a group cannot; a child never is one.
            self.must("start", "a session".into(), None, Act::NewSession);
        }
    }

    /// Propagation first: until it is cut, every mount would be seen outside.
    fn mounts(&mut self) -> Result<()> {
        self.propagation();
        let root = self.wishes.root.as_deref();
        if let Some(root) = root {
            self.must("bind root", quoted(root.as_os_str()), None, Act::BindOnItself(c_string(root)));
        }
        self.proc();
        self.sys()?;
        self.message_queues();
        self.etc()?;
        if let Some(root) = root {
            let hint = "the root that is left must be a mount other than the first one of the system";
            self.must("use root", quoted(root.as_os_str()), Some(hint), Act::PivotInto(c_string(root)));
        }
        self.resolv_conf();
        Ok(())
    }

    fn propagation(&mut self) {
        let flags = match self.wishes.propagation {
            Propagation::Private => MountPropagationFlags::PRIVATE,
            Propagation::Slave => MountPropagationFlags::DOWNSTREAM,
            Propagation::Shared => MountPropagationFlags::SHARED,
            Propagation::Unchanged => return,
        };
        let hint = "'/' is no mount point, as in a chroot: bind the directory on itself before, or use '--propagation unchanged' \
                    where nothing above it is shared";
        self.must("separate", "the mounts below '/'".into(), Some(hint), Act::Propagation(flags));
    }

    fn below_root(&self, path: &str) -> PathBuf {
        match &self.wishes.root {
            Some(root) => root.join(path.trim_start_matches('/')),
            None => path.into(),
        }
    }

    /// What is mounted here from now on stays inside, whatever holds for other places. Where nothing is mounted yet, only
    /// what is above counts.
    fn keep_apart(&mut self, target: &Path) {
        if self.wishes.propagation.reaches_outside() {
            self.must(
                "separate",
                quoted(target.as_os_str()),
                Some("it must be a mount point for that"),
                Act::KeepApart(c_string(target)),
            );
        }
    }

    fn proc(&mut self) {
        if !(self.wishes.proc && self.wishes.has(NsKind::Pid)) {
            return;
        }
        let target = self.below_root("/proc");
        let user = self.wishes.has(NsKind::User);
        let hint = match (&self.wishes.root, user) {
            (Some(_), _) => "the directory must be there; '--no-proc' does without",
            (None, true) => {
                "a '/proc' of which parts are covered, as in a container, allows no new one; '--no-proc' does without"
            }
            (None, false) => "'--no-proc' does without",
        };
        let detach = !user && self.wishes.root.is_none() && !self.wishes.propagation.reaches_outside();
        self.keep_apart(&target);
        let act = Act::Proc { target: c_string(&target), detach };
        self.must("mount", quoted(target.as_os_str()), Some(hint), act);
    }

    fn sys(&mut self) -> Result<()> {
        let joined = self.wishes.join.is_some();
        if !(self.wishes.sys && (joined || self.wishes.has(NsKind::Net))) {
            return Ok(());
        }
        let target = self.below_root("/sys");
        let view = match &self.wishes.root {
            Some(_) => SysView::plain(c_string(&target)),
            None => SysView::prepare()?.keep_old(self.wishes.propagation.reaches_outside()),
        };
        self.keep_apart(&target);
        let hint = "it shows the interfaces of outside; '--no-sys' leaves it so without a word";
        self.may("mount", quoted(target.as_os_str()), Some(hint), Act::Sys(view));
        Ok(())
    }

    /// Where there are some outside, those of the new namespace are put over them.
    fn message_queues(&mut self) {
        let target = self.below_root("/dev/mqueue");
        let is_there = statfs(&target).is_ok_and(|file| u64::try_from(file.f_type) == Ok(MQUEUE));
        if self.wishes.has(NsKind::Ipc) && is_there {
            self.keep_apart(&target);
            self.may("mount", quoted(target.as_os_str()), None, Act::MessageQueues(c_string(&target)));
        }
    }

    fn etc(&mut self) -> Result<()> {
        let Some(name) = &self.wishes.etc else { return Ok(()) };
        for (from, over) in view::etc_of(name)? {
            if self.wishes.propagation.reaches_outside() {
                let reason = "it needs private or slave mounts, or it would be seen outside";
                return Err(Error::invalid("bind", quoted(from.as_os_str()), reason));
            }
            let over = self.below_root(&over.to_string_lossy());
            let subject = format!("{} over {}", quoted(from.as_os_str()), quoted(over.as_os_str()));
            let act = Act::Bind { from: c_string(&from), over: c_string(&over) };
            self.may("bind", subject, Some("both must exist for that"), act);
        }
        Ok(())
    }

    fn resolv_conf(&mut self) {
        if self.wishes.dns.is_empty() {
            return;
        }
        let mut text = String::new();
        for server in &self.wishes.dns {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "nameserver {server}");
        }
        let hint = "'/etc/resolv.conf' and '/proc' must exist for that";
        self.must("give it", "an '/etc/resolv.conf' of its own".into(), Some(hint), Act::ResolvConf(text.into_bytes()));
    }

    fn names(&mut self) {
        if let Some(name) = &self.wishes.hostname {
            self.must("set the host name", quoted(name), None, Act::HostName(name.as_bytes().to_vec()));
        }
        if let Some(name) = &self.wishes.domainname {
            self.must("set the domain name", quoted(name), None, Act::DomainName(name.as_bytes().to_vec()));
        }
    }

    fn network(&mut self) {
        if !self.wishes.has(NsKind::Net) {
            return;
        }
        self.must("bring up", "'lo'".into(), None, Act::RaiseLoopback);
        let hint = "only a privileged user can ping inside";
        self.may("write", "'net.ipv4.ping_group_range'".into(), Some(hint), Act::OpenPing);
    }

    fn directory(&mut self) -> Result<()> {
        if let Some(dir) = &self.wishes.directory {
            self.must("change to", quoted(dir.as_os_str()), None, Act::ChangeDir(c_string(dir)));
        } else if self.wishes.has(NsKind::Mnt) && self.wishes.root.is_none() {
            // Below what is covered now, the caller's directory is still that of outside.
            let here = rustix::process::getcwd(Vec::new()).map_err(|e| Error::os("look up", "the directory", e))?;
            if COVERED.iter().any(|dir| here.to_bytes().starts_with(dir.as_bytes())) {
                self.must("change to", "the directory".into(), None, Act::ChangeDirOrRoot(here));
            }
        }
        Ok(())
    }

    fn privileges(&mut self) {
        if !self.wishes.dropped.is_empty() {
            let act = Act::DropCapabilities(self.wishes.dropped.set());
            self.must("drop", "capabilities".into(), None, act);
        }
        if self.wishes.no_new_privileges {
            self.must("set", "no_new_privs".into(), None, Act::NoNewPrivileges);
        }
    }
}

fn offsets(monotonic: Option<ClockOffset>, boottime: Option<ClockOffset>) -> Vec<u8> {
    let mut text = String::new();
    for (clock, offset) in [("monotonic", monotonic), ("boottime", boottime)] {
        if let Some(ClockOffset { seconds, nanoseconds }) = offset {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{clock} {seconds} {nanoseconds}");
        }
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_written_as_the_kernel_reads_them() {
        let offset = |seconds, nanoseconds| Some(ClockOffset { seconds, nanoseconds });
        assert_eq!(offsets(offset(-5, 0), offset(1_000_000, 7)), b"monotonic -5 0\nboottime 1000000 7\n");
        assert_eq!(offsets(None, None), b"");
    }
}
