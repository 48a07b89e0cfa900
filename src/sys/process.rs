//! Processes: made by clone3, named by a pidfd, replaced by a program.

use std::{
    ffi::{CStr, CString, OsStr, OsString, c_char, c_int},
    marker::PhantomData,
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
    path::{Path, PathBuf},
    ptr,
};

use rustix::{
    io,
    thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space},
};

use super::last_error;

/// A child of this process.
pub(crate) struct Child {
    pub pid: u32,
    /// Means this process and no later one of the same number.
    pub pidfd: OwnedFd,
}

impl Child {
    /// Its number in the `/proc` that is mounted here, which may be that of another pid namespace, where the child's own number
    /// means somebody else. `None` where it does not show there.
    pub(crate) fn number_in_proc(&self) -> Option<u32> {
        let path = format!("/proc/self/fdinfo/{}", self.pidfd.as_raw_fd());
        let text = std::fs::read_to_string(path).ok()?;
        let number = text.lines().find_map(|line| line.strip_prefix("Pid:"))?;
        number.trim().parse().ok().filter(|&pid| pid > 0)
    }
}

/// Of `linux/sched.h`: handlers of the caller's are none of the child's (Linux 5.5).
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;

/// Ends the process where it is dropped: what is unwound in a child must not run on as its parent.
pub(crate) struct EndsHere;

impl Drop for EndsHere {
    fn drop(&mut self) {
        end(125);
    }
}

/// Makes a child in new namespaces, named by `CLONE_NEW*` flags; `None` in the child.
///
/// Linux 5.5. The child is a copy of the calling thread alone. Where the process has other threads, one of
/// them may hold a lock of the allocator for ever: the child must make system calls only.
pub(crate) fn clone3(namespaces: i32) -> io::Result<Option<Child>> {
    let mut pidfd: RawFd = -1;
    let flags = u64::from((namespaces | libc::CLONE_PIDFD).cast_unsigned()) | CLONE_CLEAR_SIGHAND;
    let args = libc::clone_args {
        flags,
        pidfd: (&raw mut pidfd).addr() as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: libc::SIGCHLD.cast_unsigned().into(),
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: 0,
    };
    // SAFETY: without CLONE_VM the child has a copy of all memory and its own descriptors, so nothing
    // of the parent's is shared; `args` is as large as said, and the kernel writes the pidfd only.
    match unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) } {
        -1 => Err(last_error()),
        0 => Ok(None),
        // SAFETY: the kernel made the descriptor for this process, and nobody else knows it.
        pid => Ok(Some(Child { pid: u32::try_from(pid).unwrap_or(0), pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })),
    }
}

/// Makes a copy of the calling thread as a process; 0 in the copy, which makes system calls only until it becomes
/// a program.
pub(crate) fn fork() -> io::Result<u32> {
    // SAFETY: nothing of the parent's is shared; what the copy may do is said above. The raw call runs no
    // handlers of the C library, which could wait for locks that nobody is left to open.
    match unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } {
        -1 => Err(last_error()),
        pid => Ok(u32::try_from(pid).unwrap_or(0)),
    }
}

/// Makes a command end at the latest when the thread that starts it does, also where this process is killed.
pub(crate) fn ends_with_this_thread(command: &mut std::process::Command) {
    use rustix::process::{Signal, set_parent_process_death_signal};
    use std::os::unix::process::CommandExt;
    // SAFETY: between the fork and the program, this makes one system call.
    unsafe { command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?)) };
}

/// Ends the process at once: nothing is flushed, nothing dropped.
pub(crate) fn end(code: c_int) -> ! {
    // SAFETY: _exit does not return, and runs none of this process's code.
    unsafe { libc::_exit(code) }
}

/// C strings as `execve` takes them, borrowed.
pub(crate) struct Pointers<'a>(Vec<*const c_char>, PhantomData<&'a CStr>);

impl<'a> Pointers<'a> {
    pub(crate) fn new(strings: impl IntoIterator<Item = &'a CStr>) -> Self {
        Self(strings.into_iter().map(CStr::as_ptr).chain([ptr::null()]).collect(), PhantomData)
    }

    /// The environment of this process to the letter, also what is no `KEY=VALUE`.
    fn inherited() -> Self {
        unsafe extern "C" {
            static environ: *const *const c_char;
        }
        let mut list = Vec::new();
        // SAFETY: the C library keeps a list there that ends with a null pointer, or none; whoever changes it while others
        // read it must not (`std::env::set_var`).
        unsafe {
            let mut at = environ;
            while !at.is_null() && !(*at).is_null() {
                list.push(*at);
                at = at.add(1);
            }
        }
        list.push(ptr::null());
        Self(list, PhantomData)
    }

    /// Puts another string in a place. Allocates nothing.
    pub(crate) fn replace(&mut self, at: usize, string: &'a CStr) {
        // The null pointer at the end stays there.
        if at + 1 < self.0.len() {
            self.0[at] = string.as_ptr();
        }
    }
}

/// Becomes a program; returns only if that failed. Allocates nothing.
fn execve(path: &CStr, words: &Pointers<'_>, env: &Pointers<'_>) -> io::Errno {
    // SAFETY: both lists end with a null pointer (`Pointers::new`), and what they point to is borrowed for as
    // long as they live.
    unsafe { libc::execve(path.as_ptr(), words.0.as_ptr(), env.0.as_ptr()) };
    last_error()
}

/// A program to become, looked for as glibc does it, whatever the C library is.
pub(crate) struct Program<'a> {
    candidates: &'a [CString],
    words: Pointers<'a>,
    /// For a script without a first line of its own: `/bin/sh`, the script, its words.
    script_words: Pointers<'a>,
    env: Pointers<'a>,
}

impl<'a> Program<'a> {
    /// One of [`candidates`], with its words.
    pub(crate) fn new(candidates: &'a [CString], words: &'a [CString], env: Pointers<'a>) -> Self {
        let words = || words.iter().map(|word| &**word);
        let script_words = Pointers::new([c"/bin/sh", c""].into_iter().chain(words().skip(1)));
        Self { candidates, words: Pointers::new(words()), script_words, env }
    }

    /// Becomes it; returns why none of the candidates could be run. Allocates nothing.
    pub(crate) fn run(&mut self) -> io::Errno {
        let mut refused = None;
        let candidates = self.candidates;
        for path in candidates {
            match execve(path, &self.words, &self.env) {
                io::Errno::NOENT | io::Errno::NOTDIR => {}
                io::Errno::ACCESS => refused = Some(io::Errno::ACCESS),
                io::Errno::NOEXEC => {
                    self.script_words.replace(1, path);
                    return execve(c"/bin/sh", &self.script_words, &self.env);
                }
                other => return other,
            }
        }
        refused.unwrap_or(io::Errno::NOENT)
    }
}

/// Becomes a program, looked for in `PATH`; returns only if that failed.
///
/// Unlike [`std::process::Command`], it leaves the signal mask as it was inherited.
pub(crate) fn become_program(words: &[OsString]) -> io::Errno {
    let words: Result<Vec<CString>, _> = words.iter().map(|word| CString::new(word.as_bytes())).collect();
    let Ok(words) = words else { return io::Errno::INVAL };
    let program = words.first().map_or(OsStr::new(""), |word| OsStr::from_bytes(word.to_bytes()));
    let candidates = candidates(program, std::env::var_os("PATH").as_deref());
    super::signal::restore_sigpipe();
    Program::new(&candidates, &words, Pointers::inherited()).run()
}

/// Sends a signal, also one without a name.
pub(crate) fn send_signal(pidfd: impl AsFd, number: i32) -> io::Result<()> {
    let pidfd = pidfd.as_fd().as_raw_fd();
    // SAFETY: the kernel reads nothing through the null pointer: it stands for the usual information.
    let done = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, number, ptr::null::<libc::siginfo_t>(), 0) };
    if done == 0 { Ok(()) } else { Err(last_error()) }
}

/// Sends a signal to a process by its number: one's own child, not reaped yet, or oneself.
pub(crate) fn kill(pid: u32, number: i32) {
    // SAFETY: a call without memory.
    unsafe { libc::kill(pid.cast_signed(), number) };
}

/// Makes all descriptors from this one on close when the process becomes a program (Linux 5.11).
pub(crate) fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: with this flag nothing is closed now.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if done == 0 { Ok(()) } else { Err(last_error()) }
}

/// Closes every descriptor of this process but these, which must be in order.
///
/// Only for a process that does nothing with any other: whoever owns one finds it closed.
pub(crate) fn close_all_but(kept: &[RawFd]) {
    let mut first = 0;
    for &fd in kept {
        close_range(first, fd - 1);
        first = fd + 1;
    }
    close_range(first, RawFd::MAX);
}

fn close_range(first: RawFd, last: RawFd) {
    if first <= last {
        // SAFETY: the caller of `close_all_but` says that nobody uses them any more.
        unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    }
}

/// Moves the calling process, which has one thread, into a new time namespace with these offsets, as
/// `/proc/PID/timens_offsets` takes them (Linux 5.6).
pub(crate) fn enter_new_time(offsets: &[u8]) -> io::Result<()> {
    use rustix::fs::{Mode, OFlags, open};
    // SAFETY: of all flags only CLONE_FILES can break I/O safety, and it is not passed.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWTIME)? };
    let file = open(c"/proc/self/timens_offsets", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    if !offsets.is_empty() {
        rustix::io::write(&file, offsets)?;
    }
    // Until now only its children would be in there.
    let new = open(c"/proc/self/ns/time_for_children", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    move_into_link_name_space(new.as_fd(), Some(LinkNameSpaceType::Time))
}

/// Takes over a descriptor that this process was started with, by its number; programs that it becomes do
/// not get it any more.
pub(crate) fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: a number that is not open is only refused (EBADF); what it stands for is duplicated, so its
    // owner, if there is one, keeps it.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        return Err(last_error());
    }
    // The standard streams are the program's, whatever else they are for.
    if number > 2 {
        // SAFETY: marks a descriptor; nothing is closed.
        unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    // SAFETY: the kernel just made it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Makes three descriptors of this process (0, 1 and 2) stand for another.
pub(crate) fn become_stdio(fd: impl AsFd) -> io::Result<()> {
    let fd = fd.as_fd();
    rustix::stdio::dup2_stdin(fd)?;
    rustix::stdio::dup2_stdout(fd)?;
    rustix::stdio::dup2_stderr(fd)
}

/// Brings `lo` up in the namespace of the calling thread, by the one call that needs no netlink.
pub(crate) fn raise_loopback() -> io::Result<()> {
    use rustix::{
        ioctl::{Opcode, Setter, ioctl},
        net::{AddressFamily, SocketFlags, SocketType, socket_with},
    };
    /// `SIOCSIFFLAGS` of `linux/sockios.h`.
    const SET_FLAGS: Opcode = 0x8914;
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: all zeros is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(b"lo") {
        *place = byte.cast_signed();
    }
    request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP).unwrap_or(1);
    // SAFETY: SIOCSIFFLAGS reads one `ifreq`.
    unsafe { ioctl(socket, Setter::<SET_FLAGS, libc::ifreq>::new(request)) }
}

/// What holds a NUL byte names nothing: cut there, it would name something else.
pub(crate) fn c_string(text: impl AsRef<OsStr>) -> CString {
    CString::new(text.as_ref().as_bytes()).unwrap_or_default()
}

/// Where a program may lie, in the order of a `PATH`; a name with a slash is no name but a path.
pub(crate) fn candidates(program: &OsStr, path: Option<&OsStr>) -> Vec<CString> {
    if program.as_bytes().contains(&b'/') || program.is_empty() {
        return vec![c_string(program)];
    }
    // What the C library falls back to.
    let path = path.unwrap_or(OsStr::new("/bin:/usr/bin"));
    let dirs = path.as_bytes().split(|&b| b == b':').map(|dir| if dir.is_empty() { b"." } else { dir });
    dirs.map(|dir| c_string(Path::new(OsStr::from_bytes(dir)).join(program))).collect()
}

/// The file that a program is, where there is one that may be run.
pub(crate) fn find(program: &OsStr) -> Option<PathBuf> {
    use rustix::fs::{Access, access};
    let path = std::env::var_os("PATH");
    let found = candidates(program, path.as_deref()).into_iter().find(|file| access(file, Access::EXEC_OK).is_ok());
    found.map(|file| OsString::from_vec(file.into_bytes()).into())
}

/// `KEY=VALUE`, as a process gets them.
pub(crate) fn variables(env: &[(OsString, OsString)]) -> Vec<CString> {
    let joined = |(key, value): &(OsString, OsString)| {
        let text = [key.as_os_str(), OsStr::new("="), value].into_iter().collect::<OsString>();
        c_string(OsString::from_vec(text.into_vec()))
    };
    env.iter().map(joined).collect()
}

/// The environment that this process was started with, or has now.
pub(crate) fn environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_as_a_shell_does() {
        let found = |program: &str, path: Option<&str>| {
            let found = candidates(program.as_ref(), path.map(OsStr::new));
            found.into_iter().map(|path| path.into_string().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(found("sh", Some("/a:/b")), ["/a/sh", "/b/sh"]);
        assert_eq!(found("sh", Some(":/b")), ["./sh", "/b/sh"]);
        assert_eq!(found("./sh", Some("/a")), ["./sh"]);
        assert_eq!(found("sh", None), ["/bin/sh", "/usr/bin/sh"]);
        assert_eq!(found("", Some("/a")), [""]);
    }
}
