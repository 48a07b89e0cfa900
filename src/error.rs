//! The one error that crosses a public function.

use std::{borrow::Cow, fmt, io};

/// A result whose error says what was tried, on what, and why it failed.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure it was, for programs that act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller's input can never work; nothing was touched.
    Invalid,
    /// Something that was named is not there (`ENOENT`, `ENODEV`, `ESRCH`).
    NotFound,
    /// A name is taken (`EEXIST`).
    Exists,
    /// A name is there, but no network namespace stands behind it.
    NotANamespace,
    /// Privilege is missing (`EPERM`, `EACCES`).
    Denied,
    /// The kernel lacks what is needed (`EOPNOTSUPP`, `ENOSYS`).
    Unsupported,
    /// It did not happen in time.
    TimedOut,
    /// Anything else that the kernel or the C library said.
    Os,
}

impl ErrorKind {
    /// The word for it in machine-readable output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NotFound => "not_found",
            Self::Exists => "exists",
            Self::NotANamespace => "not_a_namespace",
            Self::Denied => "denied",
            Self::Unsupported => "unsupported",
            Self::TimedOut => "timed_out",
            Self::Os => "os",
        }
    }

    fn of(source: &io::Error) -> Self {
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Self::Denied,
            Some(libc::ENOENT | libc::ENODEV | libc::ESRCH) => Self::NotFound,
            Some(libc::EEXIST) => Self::Exists,
            Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EAFNOSUPPORT) => Self::Unsupported,
            Some(libc::ETIMEDOUT) => Self::TimedOut,
            _ => Self::Os,
        }
    }
}

/// Why something could not be done.
///
/// Shown as `cannot OP SUBJECT: REASON: SOURCE`, for example
/// `cannot create veth 'eth0' in 'red': name is taken in 'red': File exists (os error 17)`.
#[derive(Debug)]
pub struct Error(Box<Parts>);

// Boxed: errors are rare, and every Result would otherwise carry this size.
#[derive(Debug)]
struct Parts {
    kind: ErrorKind,
    op: &'static str,
    subject: String,
    reason: Option<Cow<'static, str>>,
    source: Option<io::Error>,
}

impl Error {
    fn new(kind: ErrorKind, op: &'static str, subject: impl fmt::Display) -> Self {
        Self(Box::new(Parts { kind, op, subject: subject.to_string(), reason: None, source: None }))
    }

    /// A system call or the kernel said no.
    pub(crate) fn os(op: &'static str, subject: impl fmt::Display, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let mut error = Self::new(ErrorKind::of(&source), op, subject);
        error.0.source = Some(source);
        error
    }

    /// The input cannot work, whatever the state of the kernel.
    pub(crate) fn invalid(op: &'static str, subject: impl fmt::Display, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::of_kind(ErrorKind::Invalid, op, subject, reason)
    }

    /// A failure that no system call reported.
    pub(crate) fn of_kind(
        kind: ErrorKind,
        op: &'static str,
        subject: impl fmt::Display,
        reason: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(kind, op, subject).because(reason)
    }

    /// Adds the words that errno lacks: the kernel's own sentence, or which end it was.
    #[must_use]
    pub(crate) fn because(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.0.reason = Some(reason.into());
        self
    }

    /// Says what an errno means here, where it means something else elsewhere.
    #[must_use]
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was tried, as in "cannot …".
    #[must_use]
    pub fn op(&self) -> &str {
        self.0.op
    }

    /// What it was tried on, names in quotes.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// Why it failed, beyond what the errno says: the kernel's own sentence where there is one.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The errno, where a system call or the kernel reported one.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        self.0.source.as_ref().and_then(io::Error::raw_os_error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { op, subject, reason, source, .. } = &*self.0;
        write!(f, "cannot {op}")?;
        if !subject.is_empty() {
            write!(f, " {subject}")?;
        }
        if let Some(reason) = reason {
            write!(f, ": {reason}")?;
        }
        if let Some(source) = source {
            write!(f, ": {}", Shown(source))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|e| e as _)
    }
}

/// Words of glibc, and so of ip, where musl has others: whatever nsnet is built with, it says the same.
const WORDS: &[(i32, &str)] = &[
    (libc::EIO, "Input/output error"),
    (libc::ECHILD, "No child processes"),
    (libc::ENOMEM, "Cannot allocate memory"),
    (libc::EBUSY, "Device or resource busy"),
    (libc::EXDEV, "Invalid cross-device link"),
    (libc::EMFILE, "Too many open files"),
    (libc::ENOTTY, "Inappropriate ioctl for device"),
    (libc::ESPIPE, "Illegal seek"),
    (libc::ERANGE, "Numerical result out of range"),
    (libc::EDEADLOCK, "Resource deadlock avoided"),
    (libc::ENAMETOOLONG, "File name too long"),
    (libc::ELOOP, "Too many levels of symbolic links"),
    (libc::ETIME, "Timer expired"),
    (libc::EOVERFLOW, "Value too large for defined data type"),
    (libc::EILSEQ, "Invalid or incomplete multibyte or wide character"),
    (libc::ENOTSOCK, "Socket operation on non-socket"),
    (libc::EMSGSIZE, "Message too long"),
    (libc::ENOTSUP, "Operation not supported"),
    (libc::EADDRINUSE, "Address already in use"),
    (libc::EADDRNOTAVAIL, "Cannot assign requested address"),
    (libc::ENETUNREACH, "Network is unreachable"),
    (libc::ENETRESET, "Network dropped connection on reset"),
    (libc::ECONNABORTED, "Software caused connection abort"),
    (libc::EISCONN, "Transport endpoint is already connected"),
    (libc::ENOTCONN, "Transport endpoint is not connected"),
    (libc::ESHUTDOWN, "Cannot send after transport endpoint shutdown"),
    (libc::ETIMEDOUT, "Connection timed out"),
    (libc::EHOSTUNREACH, "No route to host"),
    (libc::EINPROGRESS, "Operation now in progress"),
    (libc::EUCLEAN, "Structure needs cleaning"),
    (libc::EDQUOT, "Disk quota exceeded"),
    (libc::ERFKILL, "Operation not possible due to RF-kill"),
];

/// An error of the system as nsnet shows it.
pub(crate) struct Shown<'a>(pub(crate) &'a io::Error);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |number| Some(WORDS.iter().find(|(known, _)| *known == number)?.1);
        match self.0.raw_os_error().and_then(|number| Some((words(number)?, number))) {
            Some((words, number)) => write!(f, "{words} (os error {number})"),
            None => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_one_sentence() {
        let error = Error::os("create veth", "'eth0' in 'red'", io::Error::from_raw_os_error(libc::EEXIST))
            .because("name is taken in 'red'");
        assert_eq!(
            error.to_string(),
            "cannot create veth 'eth0' in 'red': name is taken in 'red': File exists (os error 17)"
        );
        assert_eq!(error.kind(), ErrorKind::Exists);
        assert_eq!(error.errno(), Some(17));
    }

    fn shown(error: &io::Error) -> String {
        Shown(error).to_string()
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn the_words_are_those_of_glibc() {
        for number in 1..=133 {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(shown(&error), error.to_string());
        }
    }

    #[test]
    fn what_musl_calls_otherwise_reads_as_with_ip() {
        assert_eq!(shown(&rustix::io::Errno::NETUNREACH.into()), "Network is unreachable (os error 101)");
        assert_eq!(shown(&io::Error::other("no number")), "no number");
    }
}
