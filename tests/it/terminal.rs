//! A terminal for a program of a test.

use std::{
    io::{Read, Write},
    process::{Child, Command},
    thread,
};

use rustix::{
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use super::support::World;

/// A terminal with a program that has it for its own.
pub struct Terminal {
    master: Option<std::fs::File>,
    program: Child,
    seen: String,
}

impl Terminal {
    /// Starts an interactive shell of a world on it; the prompt is `$ `.
    pub fn shell(world: &World) -> Self {
        let mut this = Self::leader(world, &["bash", "--norc", "--noprofile", "-i"]);
        // What is typed is not shown: only what programs say counts.
        this.types("bind 'set enable-bracketed-paste off'; stty -echo; echo rea''dy\n");
        this.waits_for("ready\r\n");
        this
    }

    /// Starts a program of a world that leads the session of the terminal.
    pub fn leader(world: &World, words: &[&str]) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
        let mut inside = world.command(words[0]);
        inside.args(&words[1..]);
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait"]).arg(inside.get_program()).args(inside.get_args());
        command
            .env("NSNET", super::support::nsnet())
            .env("PS1", "$ ")
            .env("TERM", "dumb")
            .env_remove("SHELL")
            .env("INPUTRC", "/dev/null");
        let stream = || slave.try_clone().unwrap();
        let program = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
        Self { master: Some(master.into()), program, seen: String::new() }
    }

    /// Types keys.
    pub fn types(&mut self, keys: &str) {
        self.master.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// Reads on until a text comes; returns what came before it.
    #[track_caller]
    pub fn waits_for(&mut self, text: &str) -> String {
        let mut bytes = [0; 4096];
        loop {
            if let Some(at) = self.seen.find(text) {
                let before = self.seen[..at].to_owned();
                self.seen.drain(..at + text.len());
                return before;
            }
            let count = self.master.as_mut().unwrap().read(&mut bytes).unwrap_or(0);
            assert!(count > 0, "waiting for {text:?}, there is: {:?}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    }

    /// Goes away, as when its window is closed; returns when the program has ended.
    pub fn hangs_up(&mut self) {
        drop(self.master.take());
        self.program.wait().unwrap();
    }

    pub fn has_size(&self, rows: u16, columns: u16) {
        tcsetwinsize(
            self.master.as_ref().unwrap(),
            Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 },
        )
        .unwrap();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
        // A reader that still waits would keep the test.
        if thread::panicking() {
            eprintln!("--- seen: {:?}", self.seen);
        }
    }
}
