//! What reaches the user: buffered stdout, warnings, tables, templates, times and sizes.

pub mod escape;
pub mod human;
pub mod json;
pub mod table;
pub mod template;

use std::fmt;
use std::io::{self, IsTerminal, Write};

use crate::error::{Error, Result};

use super::exit;

/// Stdout, written when the command ends, or by [`Printer::flush`].
///
/// Once nobody reads any more, every call fails with an error that ends the program without a word. On a terminal
/// control characters of texts are shown escaped: names, labels and commands come from images and other people.
pub struct Printer {
    sink: Box<dyn Write>,
    buffer: Vec<u8>,
    terminal: bool,
}

const BUFFER: usize = 16 * 1024;

impl Printer {
    pub fn stdout() -> Self {
        let stdout = io::stdout();
        Self {
            terminal: stdout.is_terminal(),
            // Its own buffer of lines would write each one apart.
            sink: Box::new(RawStdout),
            buffer: Vec::new(),
        }
    }

    /// Tells whether stdout is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Writes `text` and a newline.
    pub fn line(&mut self, text: &str) -> Result<()> {
        self.text(text)?;
        self.raw(b"\n")
    }

    /// Writes `text`; newlines and tabs are kept.
    pub fn text(&mut self, text: &str) -> Result<()> {
        if self.terminal {
            self.raw(escape::text(text).as_bytes())
        } else {
            self.raw(text.as_bytes())
        }
    }

    /// Writes bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER {
            self.flush()?;
        }
        Ok(())
    }

    /// Stdout itself, for bytes that must not wait: logs. Nothing is escaped.
    pub fn sink(&mut self) -> Result<&mut dyn Write> {
        self.flush()?;
        Ok(&mut *self.sink)
    }

    pub fn flush(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let result = self.sink.write_all(&self.buffer);
        self.buffer.clear();
        result.map_err(|err| match err.kind() {
            io::ErrorKind::BrokenPipe => exit::broken_pipe(),
            _ => Error::io(&err, "write to stdout"),
        })
    }
}

impl fmt::Debug for Printer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Printer")
            .field("terminal", &self.terminal)
            .finish_non_exhaustive()
    }
}

struct RawStdout;

impl Write for RawStdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(nix::unistd::write(io::stdout(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Podman's word for a network mode, as `inspect` and filters have it.
pub fn network_word(mode: &crate::net::NetworkMode) -> &'static str {
    use crate::net::NetworkMode;
    match mode {
        NetworkMode::Pasta { .. } => "pasta",
        NetworkMode::Slirp4netns { .. } => "slirp4netns",
        NetworkMode::None => "none",
        NetworkMode::Host => "host",
        NetworkMode::Path { .. } => "ns",
        NetworkMode::Container { .. } => "container",
    }
}

/// Writes a warning to stderr the way Podman's log does: for people on a terminal, else for programs.
pub fn warn(message: &str) {
    let mut stderr = io::stderr().lock();
    let _ = if stderr.is_terminal() {
        writeln!(stderr, "WARN[0000] {}", escape::line(message))
    } else {
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
        writeln!(
            stderr,
            "time=\"{now}\" level=warning msg={}",
            escape::quoted(message)
        )
    };
}
