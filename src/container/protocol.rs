//! Frames between a monitor and its clients, over a socket pair (the cli that started it) or `$RUNROOT/<id>/attach`.
//!
//! A frame is one byte of kind, three bytes of length (little endian), then the payload. Client to monitor:
//! `Hello`, `Stdin`, `StdinEnd`, `Resize`, `Go`, `Broken`, `Stop`, `Reload`. Monitor to client: `Started`, `Failed`, `Stdout`, `Stderr`, `Exit`.
//! Nobody trusts the other side's lengths: a frame longer than [`MAX_PAYLOAD`] ends the connection.

use crate::error::{Error, Kind, Result};

pub const HEADER: usize = 4;
pub const MAX_PAYLOAD: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// First frame of a client that connects: one byte of [`Wants`].
    Hello = 1,
    Stdin = 2,
    /// End of the client's standard input.
    StdinEnd = 3,
    /// Rows and columns, two bytes each, little endian.
    Resize = 4,
    /// The starter may go on: the container's record is in place.
    Go = 5,
    /// The client cannot pass on one stream any more (its reader is gone). Payload: 1 stdout, 2 stderr.
    Broken = 6,
    /// A command wants the container to end and not to run again. Payload: the signal for its first process.
    Stop = 7,
    /// The record on disk is a new one.
    Reload = 8,
    /// Make a health check now, and tell how it came out.
    Check = 9,
    /// The program was executed. Payload: host pid of the container's first process (four bytes) and of its monitor.
    Started = 16,
    /// It was not: see [`encode_error`].
    Failed = 17,
    Stdout = 18,
    Stderr = 19,
    /// Exit status, four bytes; nothing follows.
    Exit = 20,
    /// How the check came out: one byte, an `Outcome` of the monitor.
    Checked = 21,
}

impl FrameKind {
    pub fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Hello,
            2 => Self::Stdin,
            3 => Self::StdinEnd,
            4 => Self::Resize,
            5 => Self::Go,
            6 => Self::Broken,
            7 => Self::Stop,
            8 => Self::Reload,
            9 => Self::Check,
            16 => Self::Started,
            17 => Self::Failed,
            18 => Self::Stdout,
            19 => Self::Stderr,
            20 => Self::Exit,
            21 => Self::Checked,
            _ => return None,
        })
    }
}

/// What a client that connects to the attach socket asks for; bits of the `Hello` payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wants {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
}

impl Wants {
    pub fn to_byte(self) -> u8 {
        u8::from(self.stdin) | u8::from(self.stdout) << 1 | u8::from(self.stderr) << 2
    }

    pub fn from_byte(byte: u8) -> Self {
        Self {
            stdin: byte & 1 != 0,
            stdout: byte & 2 != 0,
            stderr: byte & 4 != 0,
        }
    }
}

/// Header of a frame of `len` payload bytes (at most [`MAX_PAYLOAD`]).
pub fn header(kind: FrameKind, len: usize) -> [u8; HEADER] {
    debug_assert!(len <= MAX_PAYLOAD);
    let len = (len as u32).to_le_bytes();
    [kind as u8, len[0], len[1], len[2]]
}

/// Appends one frame to `out`.
pub fn push(out: &mut Vec<u8>, kind: FrameKind, payload: &[u8]) {
    out.extend_from_slice(&header(kind, payload.len()));
    out.extend_from_slice(payload);
}

/// The first whole frame in `buf` and the number of bytes it takes; `None`: more bytes are needed.
pub fn parse(buf: &[u8]) -> Result<Option<(FrameKind, &[u8], usize)>> {
    let Some(head) = buf.get(..HEADER) else {
        return Ok(None);
    };
    let len = u32::from_le_bytes([head[1], head[2], head[3], 0]) as usize;
    let kind = FrameKind::from_byte(head[0]).filter(|_| len <= MAX_PAYLOAD);
    let Some(kind) = kind else {
        return Err(Error::new(
            Kind::Corrupt,
            "read from attach socket: not a frame",
        ));
    };
    Ok(buf
        .get(HEADER..HEADER + len)
        .map(|payload| (kind, payload, HEADER + len)))
}

/// Four bytes of a payload as a number.
pub fn number(payload: &[u8], index: usize) -> Option<i32> {
    let bytes = payload.get(index * 4..index * 4 + 4)?;
    bytes.try_into().ok().map(i32::from_le_bytes)
}

/// An error as the payload of `Failed`.
pub fn encode_error(err: &Error) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(err).unwrap_or_default();
    bytes.truncate(MAX_PAYLOAD);
    bytes
}

pub fn decode_error(payload: &[u8]) -> Error {
    serde_json::from_slice(payload).unwrap_or_else(|_| {
        Error::new(
            Kind::System,
            "start the container: its monitor did not say why it failed",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_whole_and_only_when_whole() {
        let mut buf = Vec::new();
        push(&mut buf, FrameKind::Stdout, b"hello");
        push(&mut buf, FrameKind::StdinEnd, b"");
        for cut in 0..HEADER + 5 {
            assert_eq!(parse(&buf[..cut]).ok(), Some(None), "{cut}");
        }
        let (kind, payload, used) = parse(&buf).ok().flatten().expect("a frame");
        assert_eq!((kind, payload, used), (FrameKind::Stdout, &b"hello"[..], 9));
        let (kind, payload, used) = parse(&buf[9..]).ok().flatten().expect("a frame");
        assert_eq!((kind, payload, used), (FrameKind::StdinEnd, &b""[..], 4));
    }

    #[test]
    fn an_unknown_kind_or_an_endless_frame_is_refused() {
        assert!(parse(&[99, 0, 0, 0]).is_err());
        assert!(parse(&[2, 0xff, 0xff, 0xff]).is_err());
    }

    #[test]
    fn an_error_survives_the_trip() {
        let sent = Error::new(Kind::CommandNotFound, "exec \"x\"").hint("install it");
        let got = decode_error(&encode_error(&sent));
        assert_eq!(got.kind(), Kind::CommandNotFound);
        assert_eq!(got.to_string(), "exec \"x\"");
        assert_eq!(got.remedy(), Some("install it"));
    }

    #[test]
    fn wants_round_trip() {
        for byte in 0..8 {
            assert_eq!(Wants::from_byte(byte).to_byte(), byte);
        }
    }
}
