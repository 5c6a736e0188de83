//! Runs in: monitor. The journald log: one datagram in the journal's own format for each line of the container
//! (systemd.io, "Native Journal Protocol"), with the fields that conmon writes.
//!
//! The journal takes as much as it can; what its socket does not take at once is lost to the log, never to the
//! container, which must not wait for it.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, send, socket_with,
};

use crate::error::{Error, Kind, Result, Tried};

use super::super::record::Record;
use super::log::Stream;

/// Where journald listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// An entry is no longer than that: a datagram must fit into the socket's buffer.
const LONGEST: usize = 32 * 1024;

/// The connection of one container to the journal.
#[derive(Debug)]
pub struct Journal {
    sock: OwnedFd,
    /// The fields that all entries share.
    fields: Vec<u8>,
    datagram: Vec<u8>,
    /// A line of this stream is not at its end.
    inside: [bool; 2],
}

/// There is a journal to write to.
pub fn check() -> Result<()> {
    connected().map(drop)
}

fn connected() -> Result<OwnedFd> {
    let absent = |errno| {
        Error::os(errno, format!("initialize journal {SOCKET}"))
            .with_kind(Kind::Unsupported)
            .hint("journald does not run here; use --log-driver k8s-file")
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let sock = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)
        .tried(|| "make a socket for the journal")?;
    let address = SocketAddrUnix::new(SOCKET).tried(|| "name the journal's socket")?;
    connect(&sock, &address)
        .map_err(|errno| absent(nix::errno::Errno::from_raw(errno.raw_os_error())))?;
    Ok(sock)
}

impl Journal {
    pub fn open(record: &Record) -> Result<Self> {
        let mut fields = Vec::new();
        let log = &record.request.log;
        let tag = log.tag.as_deref().filter(|tag| !tag.is_empty());
        push(&mut fields, "CONTAINER_ID_FULL", record.id.as_bytes());
        push(&mut fields, "CONTAINER_ID", &record.id.as_bytes()[..12]);
        push(&mut fields, "CONTAINER_NAME", record.name.as_bytes());
        if let Some(tag) = tag {
            push(&mut fields, "CONTAINER_TAG", tag.as_bytes());
        }
        let identifier = tag.unwrap_or(&record.id[..12]);
        push(&mut fields, "SYSLOG_IDENTIFIER", identifier.as_bytes());
        for (name, value) in &log.labels {
            push(&mut fields, name, value.as_bytes());
        }
        Ok(Self {
            sock: connected()?,
            fields,
            datagram: Vec::new(),
            inside: [false; 2],
        })
    }

    /// Number of the descriptor.
    pub fn number(&self) -> i32 {
        self.sock.as_raw_fd()
    }

    /// Logs what the container wrote.
    pub fn write(&mut self, stream: Stream, data: &[u8]) {
        for line in data.split_inclusive(|&byte| byte == b'\n') {
            for piece in line.chunks(LONGEST) {
                self.entry(stream, piece);
            }
        }
        self.datagram = Vec::new();
    }

    fn entry(&mut self, stream: Stream, piece: &[u8]) {
        let (text, full) = match piece.strip_suffix(b"\n") {
            Some(text) => (text, true),
            None => (piece, false),
        };
        let index = usize::from(stream == Stream::Stderr);
        let ends = std::mem::replace(&mut self.inside[index], !full);
        if text.is_empty() && ends {
            return; // the newline of a line that was logged in pieces
        }
        self.datagram.clear();
        push(&mut self.datagram, "MESSAGE", text);
        let priority = match stream {
            Stream::Stdout => b"6",
            Stream::Stderr => b"3",
        };
        push(&mut self.datagram, "PRIORITY", priority);
        if !full {
            push(&mut self.datagram, "CONTAINER_PARTIAL_MESSAGE", b"true");
        }
        self.datagram.extend_from_slice(&self.fields);
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let _ = send(&self.sock, &self.datagram, flags); // see the module's header
    }
}

/// One field. A value with a newline has its length before it.
fn push(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// A name that a field may have: capitals, digits and underscores, no underscore first.
pub fn is_field(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_uppercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let mut out = Vec::new();
        push(&mut out, "A", b"1");
        push(&mut out, "B", b"x\ny");
        assert_eq!(out, b"A=1\nB\n\x03\0\0\0\0\0\0\0x\ny\n");
        for (name, good) in [
            ("A_1", true),
            ("_A", false),
            ("a", false),
            ("", false),
            ("1", false),
        ] {
            assert_eq!(is_field(name), good, "{name}");
        }
    }
}
