//! Failure into words and an exit code; the only place that writes to stderr.

use std::{
    io::{self, Write},
    panic::PanicHookInfo,
};

use nsnet::{Error, ErrorKind, exec::ExecError, name::escaped};
use serde::Serialize;

use crate::{
    commands::{Failure, Note},
    render::{BadLab, Style, lab::problems},
};

const FAILED: u8 = 1;
const USAGE: u8 = 2;
/// As `diff` has it.
const UNKNOWN: u8 = 2;
/// nsnet itself failed where a command should have run.
const NOT_PREPARED: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// How to report.
pub struct Report<'a> {
    pub json: bool,
    pub quiet: bool,
    pub style: Style,
    /// The line of a batch that is at work.
    pub place: Option<&'a Place>,
}

/// A line of a batch.
pub struct Place {
    /// `-` for stdin.
    pub file: String,
    pub line: usize,
}

#[derive(Serialize, Clone)]
struct Said<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    op: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

const EMPTY: Said<'static> = Said {
    error: None,
    warning: None,
    note: None,
    kind: None,
    op: None,
    subject: None,
    reason: None,
    errno: None,
    hint: None,
    file: None,
    line: None,
    column: None,
};

/// The exit code where a command should have run.
pub fn code_of(error: &ExecError) -> u8 {
    match error {
        ExecError::NotFound(_) => NOT_FOUND,
        ExecError::NotExecutable(_) => NOT_EXECUTABLE,
        _ => NOT_PREPARED,
    }
}

impl Report<'_> {
    /// Says what went on beside the answer.
    pub fn note(&self, note: &Note) {
        match note {
            Note::Warning(_) | Note::Detail(_) if self.quiet => {}
            Note::Warning(text) => self.line("warning", text, None, &Said { warning: Some(text.clone()), ..EMPTY }),
            Note::Detail(text) => self.line("", text, None, &Said { note: Some(text.clone()), ..EMPTY }),
            Note::Error(error) => self.error(error),
            Note::Progress(text) => self.progress(text.as_deref()),
        }
    }

    /// On a terminal only, where it can be wiped out again: on one line, however narrow that is.
    fn progress(&self, text: Option<&str>) {
        if self.style.escape && !self.json && !self.quiet {
            let text = text.map(|text| format!("\x1b[?7l{text}\x1b[?7h")).unwrap_or_default();
            // At once, lest the terminal be left without its wrapping. Nobody is left to hear that stderr is closed.
            let _ = io::stderr().write_all(format!("\r\x1b[K{text}").as_bytes());
        }
    }

    /// Says what failed; returns the exit code for it.
    pub fn failure(&self, failure: Failure) -> u8 {
        let (error, code) = match failure {
            // The reader left; it has what it wanted.
            Failure::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => return 0,
            Failure::Output(e) => return self.own("write the answer", &e),
            Failure::Setup(what, e) => return self.own(what, &e),
            Failure::Usage(text) => return self.misuse(&text),
            Failure::Work(e) if e.kind() == ErrorKind::Invalid => (e, USAGE),
            Failure::Work(e) => (e, FAILED),
            Failure::Unknown(failure) => {
                self.failure(*failure);
                return UNKNOWN;
            }
            Failure::Failed(text) => {
                self.line("error", &text, None, &Said { error: Some(text.clone()), kind: Some("failed"), ..EMPTY });
                return FAILED;
            }
            Failure::BadLab(bad) => return self.bad_lab(&bad),
            Failure::Exec(e) => {
                let code = code_of(&e);
                match e {
                    ExecError::NotFound(e) | ExecError::NotExecutable(e) => return self.not_run(&e, code),
                    ExecError::Prepare(e) => (e, code),
                    _ => return code,
                }
            }
            Failure::Interrupted(signal) => return 128 + signal,
        };
        self.error(&error);
        code
    }

    /// All that is wrong with a lab file.
    fn bad_lab(&self, bad: &BadLab) -> u8 {
        let mut err = io::stderr().lock();
        if !self.json {
            // Nobody is left to hear that stderr is closed.
            let _ = err.write_all(problems::text(bad, self.style).as_bytes());
            return FAILED;
        }
        for problem in &bad.problems {
            let _ = write_json(
                &mut err,
                &Said {
                    error: Some(problem.message.clone()),
                    kind: Some(ErrorKind::Invalid.as_str()),
                    hint: problem.hint.as_deref(),
                    file: Some(&bad.file),
                    line: Some(problem.line),
                    column: Some(problem.column),
                    ..EMPTY
                },
            );
        }
        FAILED
    }

    /// A command line that cannot be understood.
    pub fn misuse(&self, text: &str) -> u8 {
        let line = Said { error: Some(text.to_owned()), kind: Some("usage"), ..EMPTY };
        self.line("", text, None, &line);
        USAGE
    }

    /// A program that may not be executed lacks a permission bit; privilege would not help.
    fn not_run(&self, error: &Error, code: u8) -> u8 {
        self.error_with(error, None);
        code
    }

    /// What failed is nsnet's own, not the work.
    fn own(&self, what: &str, e: &io::Error) -> u8 {
        let text = format!("cannot {what}: {e}");
        let kind = Some(ErrorKind::Os.as_str());
        let line = Said { error: Some(text.clone()), kind, errno: e.raw_os_error(), ..EMPTY };
        self.line("error", &text, None, &line);
        FAILED
    }

    fn error(&self, error: &Error) {
        self.error_with(error, hint(error));
    }

    fn error_with(&self, error: &Error, hint: Option<&'static str>) {
        let line = Said {
            error: Some(error.to_string()),
            kind: Some(error.kind().as_str()),
            op: Some(error.op()),
            subject: Some(error.subject()).filter(|subject| !subject.is_empty()),
            reason: error.reason(),
            errno: error.errno(),
            hint,
            ..EMPTY
        };
        self.line("error", &error.to_string(), line.hint, &line);
    }

    fn line(&self, label: &str, text: &str, hint: Option<&str>, line: &Said<'_>) {
        let (file, number) = (self.place.map(|place| &*place.file), self.place.map(|place| place.line));
        let placed = Said { file, line: number, ..line.clone() };
        let mut err = io::stderr().lock();
        // Nobody is left to hear that stderr is closed.
        let _ = if self.json { write_json(&mut err, &placed) } else { self.write_text(&mut err, label, text, hint) };
    }

    fn write_text(&self, err: &mut impl Write, label: &str, text: &str, hint: Option<&str>) -> io::Result<()> {
        let place = self
            .place
            .map_or_else(String::new, |Place { file, line }| format!("{}:{line}: ", escaped(file.as_bytes())));
        match label {
            "" => writeln!(err, "nsnet: {place}{text}")?,
            "error" => writeln!(err, "nsnet: {place}{}", self.style.red(text))?,
            label => writeln!(err, "nsnet: {place}{}: {text}", self.style.yellow(label))?,
        }
        hint.map_or(Ok(()), |hint| writeln!(err, "  {hint}"))
    }
}

/// One write a line, so that lines of processes that share stderr do not mix.
fn write_json(err: &mut impl Write, line: &Said<'_>) -> io::Result<()> {
    let mut bytes = serde_json::to_vec(line)?;
    bytes.push(b'\n');
    err.write_all(&bytes)
}

fn hint(error: &Error) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::Denied if rustix::process::geteuid().is_root() => {
            Some("root is not enough here: a capability is missing, or a container or security module denies it")
        }
        ErrorKind::Denied => Some(
            "this needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN): use sudo, or be root of namespaces of your own:\n  \
             unshare --user --map-root-user --net --mount sh -c 'mount -t tmpfs tmpfs /run && exec \"$SHELL\"'",
        ),
        _ => None,
    }
}

/// A command line that cannot be understood, before it is known how to report.
pub fn misuse(text: &str, json: bool) -> u8 {
    plain(json).misuse(text)
}

pub const fn plain(json: bool) -> Report<'static> {
    Report { json, quiet: false, style: Style { escape: false, color: false }, place: None }
}

/// A fault of nsnet, or of what it stands on: in one line, as any other failure.
pub fn fault(fault: &PanicHookInfo<'_>, json: bool) {
    let what = fault.payload_as_str().unwrap_or("panic");
    let place = fault.location().map_or_else(String::new, |place| format!(" ({place})"));
    let text = format!("a fault of nsnet itself, please report it: {what}{place}");
    let mut err = io::stderr().lock();
    let line = Said { error: Some(text.clone()), kind: Some("fault"), ..EMPTY };
    // Nobody is left to hear that stderr is closed.
    let _ = if json { write_json(&mut err, &line) } else { writeln!(err, "nsnet: {text}") };
}

/// The exit code after a fault.
pub fn faulty<T>(_: T) -> u8 {
    FAILED
}

/// What clap has against a command line.
pub fn usage_text(error: &clap::Error) -> String {
    let text = error.render().to_string();
    text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned()
}

/// What clap has to say: an error, or help and version, which are answers.
pub fn usage(error: &clap::Error, json: bool) -> u8 {
    if json && error.use_stderr() {
        return misuse(&usage_text(error), json);
    }
    let printed = error.print();
    if error.use_stderr() {
        // Nobody is left to hear that stderr is closed.
        return USAGE;
    }
    // Help and version are answers like any other.
    printed.map_or_else(|e| plain(json).failure(Failure::Output(e)), |()| 0)
}
