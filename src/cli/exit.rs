//! From failures to one line on stderr and one exit status. The only place that maps kinds to statuses.

use std::io::Write;
use std::process::ExitCode;

use nix::errno::Errno;

use crate::error::{Error, Failures, Kind};

use super::output::escape;

/// `pod` itself failed.
const FAILED: u8 = 125;
/// The container's command exists and cannot be executed.
const NOT_EXECUTABLE: u8 = 126;
/// The container's command does not exist.
const NOT_FOUND: u8 = 127;
/// What the shell reports of a process that SIGPIPE ended: the reader of our output went away.
const READER_GONE: u8 = 128 + 13;

/// An exit status other than failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(u8);

impl Status {
    pub const SUCCESS: Status = Status(0);
    /// `exists` of something absent.
    pub const ABSENT: Status = Status(1);

    /// A container's own status, modulo 256 as the kernel has it.
    pub fn of_container(code: i32) -> Self {
        Status(code.rem_euclid(256) as u8)
    }
}

/// What a command comes to.
pub type Outcome = Result<Status, Failed>;

/// One or more failures, and the status they end the process with.
#[derive(Debug)]
pub struct Failed {
    errors: Vec<Error>,
    status: u8,
    /// A second line after the error (`See 'pod run --help'`).
    note: Option<String>,
}

impl Failed {
    /// Ends with `status` whatever the kind.
    pub fn with_status(err: Error, status: u8) -> Self {
        Self {
            errors: vec![err],
            status,
            note: None,
        }
    }

    /// Adds a second line, for mistakes on the command line.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

impl From<Error> for Failed {
    fn from(err: Error) -> Self {
        Self {
            status: status_of(err.kind()),
            errors: vec![err],
            note: None,
        }
    }
}

fn status_of(kind: Kind) -> u8 {
    match kind {
        Kind::CommandNotFound => NOT_FOUND,
        Kind::NotExecutable => NOT_EXECUTABLE,
        _ => FAILED,
    }
}

/// Success, or all that failed, with 125.
pub fn all(failures: Failures) -> Outcome {
    settle(failures, |_| FAILED)
}

/// As [`all`], with the statuses of `rm` and `rmi`: 2 in use, else 1 nothing of that name, else 125.
pub fn removal(failures: Failures) -> Outcome {
    settle(failures, |errors| {
        let any = |wanted: &[Kind]| errors.iter().any(|err| wanted.contains(&err.kind()));
        let only = |wanted: &[Kind]| errors.iter().all(|err| wanted.contains(&err.kind()));
        if !only(&[Kind::NotFound, Kind::InUse, Kind::State]) {
            FAILED
        } else if any(&[Kind::InUse, Kind::State]) {
            2
        } else {
            1
        }
    })
}

fn settle(failures: Failures, status: fn(&[Error]) -> u8) -> Outcome {
    let errors = failures.into_vec();
    if errors.is_empty() {
        return Ok(Status::SUCCESS);
    }
    Err(Failed {
        status: status(&errors),
        errors,
        note: None,
    })
}

/// Prints what failed and hands out the status of the process.
pub fn finish(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(Status(code)) => ExitCode::from(code),
        Err(failed) if failed.errors.iter().any(reader_gone) => ExitCode::from(READER_GONE),
        Err(failed) => {
            report(&failed, &mut std::io::stderr().lock());
            ExitCode::from(failed.status)
        }
    }
}

/// The error [`super::output::Printer`] gives when nobody reads its output any more.
pub fn broken_pipe() -> Error {
    Error::os(Errno::EPIPE, "write to stdout")
}

fn reader_gone(err: &Error) -> bool {
    err.errno() == Some(Errno::EPIPE) && err.to_string() == broken_pipe().to_string()
}

fn report(failed: &Failed, stderr: &mut dyn Write) {
    let mut text = String::new();
    for err in &failed.errors {
        text.push_str("Error: ");
        text.push_str(&escape::line(&err.to_string()));
        if let Some(remedy) = err.remedy() {
            text.push_str("; hint: ");
            text.push_str(&escape::line(remedy));
        }
        text.push('\n');
    }
    if let Some(note) = &failed.note {
        text.push_str(note);
        text.push('\n');
    }
    let _ = stderr.write_all(text.as_bytes()); // nowhere is left to complain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(kinds: &[Kind]) -> Failures {
        let mut all = Failures::default();
        for &kind in kinds {
            all.push(Error::new(kind, "x"));
        }
        all
    }

    #[test]
    fn statuses_of_a_removal() {
        let table: [(&[Kind], Option<u8>); 6] = [
            (&[], None),
            (&[Kind::NotFound], Some(1)),
            (&[Kind::InUse], Some(2)),
            (&[Kind::NotFound, Kind::State], Some(2)),
            (&[Kind::System], Some(125)),
            (&[Kind::NotFound, Kind::System], Some(125)),
        ];
        for (kinds, want) in table {
            let got = removal(failures(kinds)).err().map(|failed| failed.status);
            assert_eq!(got, want, "{kinds:?}");
        }
    }

    #[test]
    fn a_failure_is_one_line_whatever_it_quotes() {
        let err = Error::os(Errno::ENOENT, "open \"a\u{1b}[31m\nb\"").hint("make it");
        let mut text = Vec::new();
        report(&Failed::from(err), &mut text);
        assert_eq!(
            String::from_utf8_lossy(&text),
            "Error: open \"a\\x1b[31m\\nb\": No such file or directory; hint: make it\n"
        );
    }

    #[test]
    fn container_statuses_wrap() {
        assert_eq!(Status::of_container(300), Status(44));
        assert_eq!(Status::of_container(-1), Status(255));
    }
}
