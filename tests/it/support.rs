//! A world for each test: namespaces of its own, gone when the test ends, however it ends.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fmt::Write as _,
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    net::UdpSocket,
    os::{
        fd::AsFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::PathBuf,
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A mount namespace with its own `/run`, and a network namespace with `lo` up.
///
/// A process of its own holds it. It ends when its stdin does, so also when the test is killed.
pub struct World {
    holder: Child,
}

/// What a command came to.
pub struct Ran {
    pub line: String,
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

/// Where an ordinary user may look, too.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const PRIVATE: &str = "mount -t tmpfs tmpfs /run";
/// A file system of its own, because what was locked of a mount cannot be changed in a user namespace.
const OWN_ETC: &str = "mount -t tmpfs tmpfs /mnt; cp -r /etc/passwd /etc/group /etc/hosts /etc/nsswitch.conf /mnt; \
                       mount --move /mnt /etc";
const READ_ONLY_ETC: &str = "mount -t tmpfs tmpfs /mnt; cp -r /etc/passwd /etc/group /etc/hosts /etc/nsswitch.conf /mnt; \
                             mount -o remount,bind,ro /mnt; mount --move /mnt /etc";
/// As systemd leaves it: `/` and `/run` are shared, each with its own peer group.
const SHARED: &str = "mount --make-rshared /; mount -t tmpfs tmpfs /run; mount --make-shared /run";

impl World {
    /// A world with a private `/run`.
    pub fn new() -> Self {
        Self::prepared(PRIVATE)
    }

    /// A world in which everything is a shared mount.
    pub fn shared() -> Self {
        Self::prepared(SHARED)
    }

    /// A world with a private `/run`, in which `/etc` cannot be written: labs keep their files in `/run`.
    pub fn for_labs() -> Self {
        Self::prepared(&format!("{PRIVATE}; {READ_ONLY_ETC}"))
    }

    /// The same, with an `/etc` that is the world's own.
    pub fn with_own_etc() -> Self {
        Self::prepared(&format!("{PRIVATE}; {OWN_ETC}"))
    }

    fn prepared(mounts: &str) -> Self {
        let script = format!("set -e; {mounts}; ip link set lo up; exec cat");
        let mut holder = Command::new("unshare")
            .args(["--mount", "--net", "--propagation", "private", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare of util-linux makes the test's world");
        // It is ready, and cat, when cat says it.
        let _ = writeln!(holder.stdin.as_mut().unwrap(), "ready");
        let mut line = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "no namespaces: run tests through scripts/in-userns");
        Self { holder }
    }

    /// The process that holds the world.
    pub fn pid(&self) -> u32 {
        self.holder.id()
    }

    /// A program inside; the path of nsnet is in `$NSNET`.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid().to_string(), "--mount", "--net", "--"]).arg(program);
        command.env("NSNET", nsnet()).env("PATH", PATH).env_remove("NO_COLOR").stdin(Stdio::null());
        command
    }

    /// nsnet inside.
    pub fn nsnet<I: IntoIterator<Item: AsRef<OsStr>>>(&self, args: I) -> Ran {
        let mut command = self.command(nsnet());
        command.args(args);
        run(command)
    }

    /// nsnet inside with words as on a command line; it must succeed. Returns its stdout.
    #[track_caller]
    pub fn ok(&self, line: &str) -> String {
        self.nsnet(line.split_ascii_whitespace()).ok()
    }

    /// nsnet inside with words as on a command line; it must exit with this code. Returns its stderr.
    #[track_caller]
    pub fn fails(&self, code: i32, line: &str) -> String {
        self.nsnet(line.split_ascii_whitespace()).fails(code)
    }

    /// A shell script inside, whatever it comes to.
    pub fn shell(&self, script: &str) -> Ran {
        let mut command = self.command("sh");
        command.args(["-euc", script]);
        run(command)
    }

    /// A shell script inside; it must succeed. Returns its stdout.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        self.shell(script).ok()
    }

    /// Starts a shell script inside that goes on until dropped, and waits for its first line.
    pub fn start(&self, script: &str) -> Background {
        let mut command = self.command("sh");
        command.args(["-euc", script]);
        Background::start(command)
    }

    /// What `ip` says in JSON.
    #[track_caller]
    pub fn ip_json(&self, args: &str) -> serde_json::Value {
        json(&self.sh(&format!("ip -json {args}")))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A process group that ends with the test.
pub struct Background {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Background {
    /// Starts a command; it must print a line when it is ready.
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        let mut child = command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut this = Self { child, out };
        assert!(!this.line().is_empty(), "it ended before it was ready");
        this
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its next line; empty when it ended.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    /// Writes to its stdin.
    pub fn say(&mut self, text: &str) {
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Ran {
    /// It must have succeeded; returns stdout.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.status.success(), "{self}");
        self.out
    }

    /// It must have exited with this code; returns stderr.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self.err
    }

    /// The signal that ended it, if one did.
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, status, out, err } = self;
        write!(f, "{line}\n{status}\n--- stdout\n{out}--- stderr\n{err}")
    }
}

/// Runs a command to its end.
pub fn run(mut command: Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let mut line = String::new();
    write!(line, "{command:?}").unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { line, status, out: text(stdout), err: text(stderr) }
}

/// Runs all at once; returns what each came to.
pub fn run_together(commands: impl IntoIterator<Item = Command>) -> Vec<Ran> {
    let started: Vec<_> = commands
        .into_iter()
        .map(|mut command| {
            let line = format!("{command:?}");
            (line, command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        })
        .collect();
    let finish = |(line, mut child): (String, Child)| {
        let (mut out, mut err) = (String::new(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Ran { line, status: child.wait().unwrap(), out, err }
    };
    started.into_iter().map(finish).collect()
}

/// The built binary.
pub fn nsnet() -> PathBuf {
    std::env::var_os("NSNET_BIN").map_or_else(|| env!("CARGO_BIN_EXE_nsnet").into(), PathBuf::from)
}

/// Whether the tests run as the host's root rather than root of a user namespace.
pub fn is_real_root() -> bool {
    std::fs::read_to_string("/proc/self/uid_map").unwrap().split_whitespace().nth(2) == Some("4294967295")
}

/// Parses JSON that must be valid.
#[track_caller]
pub fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

impl World {
    /// The lines of mountinfo below the world's own `/run`; what it covers is the machine's.
    pub fn mounts(&self) -> Vec<String> {
        let text = std::fs::read_to_string(format!("/proc/{}/mountinfo", self.pid())).unwrap();
        let field = |line: &str, at| line.split(' ').nth(at).unwrap().to_owned();
        let run = field(text.lines().rfind(|line| field(line, 4) == "/run").unwrap(), 0);
        let parents: HashMap<_, _> = text.lines().map(|line| (field(line, 0), field(line, 1))).collect();
        let is_below = |line: &&str| {
            let parent = |id: &String| parents.get(id).filter(|parent| *parent != id).cloned();
            std::iter::successors(Some(field(line, 1)), parent).any(|id| id == run)
        };
        text.lines().filter(is_below).map(str::to_owned).collect()
    }

    /// How many namespaces are mounted below `/run`.
    pub fn namespace_mounts(&self) -> usize {
        self.mounts().iter().filter(|line| line.contains(" - nsfs ")).count()
    }
}

/// What a command came to whose output is at hand.
pub fn ran(line: String, output: Output) -> Ran {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { line, status: output.status, out: text(output.stdout), err: text(output.stderr) }
}

impl World {
    /// `nsnet OPTIONS monitor`, once it watches; its stderr goes to `/run/monitor.err`.
    pub fn monitor(&self, options: &str) -> Background {
        // The line that strace writes when the watch stands is the first.
        let watching = "strace -D -qq -o /dev/stdout -e signal=none -e trace=inotify_add_watch";
        self.start(&format!("exec {watching} $NSNET {options} monitor 2>/run/monitor.err"))
    }
}

impl Background {
    /// Closes its stdout at this end, as a reader does that leaves.
    pub fn hang_up(&mut self) {
        let (nothing, _) = std::io::pipe().unwrap();
        self.out = BufReader::new(std::os::fd::OwnedFd::from(nothing).into());
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

/// A socket of this process in a named namespace of a world.
pub fn socket_in(world: &World, name: &str) -> UdpSocket {
    let path = format!("/proc/{}/root/run/netns/{name}", world.pid());
    let bind = || {
        move_into_link_name_space(File::open(&path).unwrap().as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        UdpSocket::bind("0.0.0.0:0").unwrap()
    };
    // Only this thread goes there, and it ends: the socket stays.
    thread::scope(|scope| scope.spawn(bind).join().unwrap())
}

/// They must be the same; says where they are not.
#[track_caller]
pub fn same(what: &str, ours: &str, ips: &str) {
    let at = ours.bytes().zip(ips.bytes()).take_while(|(a, b)| a == b).count();
    let near = |text: &str| text.chars().skip(at.saturating_sub(200)).take(400).collect::<String>();
    assert!(ours == ips, "{what}\n--- nsnet\n{}\n--- ip\n{}", near(ours), near(ips));
}
