//! The one error type of the program.
//!
//! A message says what was tried and on which object, then comes the kernel's (or a library's) answer, then the
//! remedy. Callers branch on [`Kind`], never on text. Only `cli` prints errors and maps kinds to exit statuses.

use std::fmt;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure this is: the only thing callers may branch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The command line or a value in it is malformed.
    Usage,
    /// No container, image, volume or network of that name.
    NotFound,
    /// The name, port or object is taken, or used by something else.
    InUse,
    /// The object is in a state that does not allow this (`container state improper`).
    State,
    /// The container's command does not exist in its root file system (exit status 127).
    CommandNotFound,
    /// The container's command exists and cannot be executed (exit status 126).
    NotExecutable,
    /// A protection, limit or feature this host, kernel or version cannot give.
    Unsupported,
    /// Content that is not what its digest, size or media type promised.
    Corrupt,
    /// A registry answered with an error or did not answer.
    Registry,
    /// A registry wants credentials, or refused those it got.
    Unauthorized,
    /// No space, inodes or quota left.
    NoSpace,
    /// Any other failing system call or library call.
    System,
}

/// A failure, ready to be shown on one line. Travels whole from a worker or monitor to the process that shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Error {
    kind: Kind,
    message: String,
    #[serde(with = "errno_as_number")]
    errno: Option<Errno>,
    hint: Option<String>,
}

impl Error {
    /// A failure that no system call reported. `message`: lower case, verb first, no full stop.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            errno: None,
            hint: None,
        }
    }

    /// A malformed command line or value.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A failing system call: `tried` says what was tried and on which object.
    ///
    /// `ENOSPC` and `EDQUOT` become [`Kind::NoSpace`], everything else [`Kind::System`].
    pub fn os(errno: Errno, tried: impl Into<String>) -> Self {
        let kind = match errno {
            Errno::ENOSPC | Errno::EDQUOT => Kind::NoSpace,
            _ => Kind::System,
        };
        Self {
            kind,
            message: tried.into(),
            errno: Some(errno),
            hint: None,
        }
    }

    /// A failing call of the standard library; keeps its errno when it has one.
    pub fn io(err: &std::io::Error, tried: impl Into<String>) -> Self {
        match err.raw_os_error() {
            Some(code) => Self::os(Errno::from_raw(code), tried),
            None => Self::new(Kind::System, format!("{}: {err}", tried.into())),
        }
    }

    /// Adds the remedy, shown after the cause.
    #[must_use]
    pub fn hint(mut self, remedy: impl Into<String>) -> Self {
        self.hint = Some(remedy.into());
        self
    }

    /// Replaces the kind, where the caller knows better what a failing call means.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Puts what the caller tried in front of the message.
    #[must_use]
    pub fn context(mut self, tried: impl fmt::Display) -> Self {
        self.message = format!("{tried}: {}", self.message);
        self
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn errno(&self) -> Option<Errno> {
        self.errno
    }

    pub fn remedy(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// `message: kernel's answer`; the remedy is not part of it, see [`Error::remedy`].
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.errno {
            Some(errno) => write!(f, ": {}", errno.desc()),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

mod errno_as_number {
    use nix::errno::Errno;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(errno: &Option<Errno>, to: S) -> Result<S::Ok, S::Error> {
        errno.map(|errno| errno as i32).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Errno>, D::Error> {
        Option::<i32>::deserialize(from).map(|number| number.map(Errno::from_raw))
    }
}

/// Attaches what was tried to the bare errno or `io::Error` of a call.
pub trait Tried<T> {
    /// `tried` runs only on failure.
    fn tried<S: Into<String>>(self, tried: impl FnOnce() -> S) -> Result<T>;
}

impl<T> Tried<T> for std::result::Result<T, Errno> {
    fn tried<S: Into<String>>(self, tried: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|errno| Error::os(errno, tried()))
    }
}

impl<T> Tried<T> for std::result::Result<T, rustix::io::Errno> {
    fn tried<S: Into<String>>(self, tried: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|errno| Error::os(Errno::from_raw(errno.raw_os_error()), tried()))
    }
}

impl<T> Tried<T> for std::io::Result<T> {
    fn tried<S: Into<String>>(self, tried: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|err| Error::io(&err, tried()))
    }
}

/// Failures of a command that goes on with its other objects, or of an undo that runs to its end.
#[derive(Debug, Default)]
pub struct Failures(Vec<Error>);

impl Failures {
    pub fn push(&mut self, err: Error) {
        self.0.push(err);
    }

    /// Keeps the failure of `result`, if it is one, and hands out its value.
    pub fn keep<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|err| self.push(err)).ok()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn into_vec(self) -> Vec<Error> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_as_object_then_cause() {
        let err = Error::os(Errno::ENOENT, "open bind source \"/nosuch\"").hint("create it first");
        assert_eq!(
            err.to_string(),
            "open bind source \"/nosuch\": No such file or directory"
        );
        assert_eq!(err.remedy(), Some("create it first"));
        assert_eq!(err.kind(), Kind::System);
    }

    #[test]
    fn a_full_disk_has_its_own_kind() {
        assert_eq!(Error::os(Errno::EDQUOT, "write").kind(), Kind::NoSpace);
    }
}
