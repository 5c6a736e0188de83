//! Runs in: monitor. The other ends of attach sockets: whoever reads the container's output or types its input.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use super::super::pending;
use super::super::protocol::{self, FrameKind, HEADER, MAX_PAYLOAD, Wants};

/// A client that connected by itself and takes nothing for so long is dropped: it must not hold up the container.
/// The one that started it is the container's terminal or pipe, and may make it wait as any pipe would.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a client sent.
#[derive(Debug)]
pub enum Input<'a> {
    Stdin(&'a [u8]),
    StdinEnd,
    Resize {
        rows: u16,
        cols: u16,
    },
    Broken(FrameKind),
    Go,
    /// A command wants the end; the signal that asks the program for it.
    Stop(i32),
    /// Wants a health check.
    Check,
    /// The record was written anew.
    Reload,
}

#[derive(Debug)]
pub struct Client {
    sock: OwnedFd,
    /// `None` until its `Hello`.
    wants: Option<Wants>,
    is_starter: bool,
    /// Is told how the next health check comes out.
    pub awaits_check: bool,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    stuck_since: Option<Instant>,
    gone: bool,
}

impl Client {
    /// A client that connected to the socket: silent until it says what it wants.
    pub fn connected(sock: OwnedFd) -> Self {
        Self::new(sock, None, false)
    }

    /// The cli that started the container.
    pub fn starter(sock: OwnedFd, wants: Wants) -> Self {
        Self::new(sock, Some(wants), true)
    }

    fn new(sock: OwnedFd, wants: Option<Wants>, is_starter: bool) -> Self {
        Self {
            sock,
            wants,
            is_starter,
            awaits_check: false,
            inbox: Vec::new(),
            outbox: Vec::new(),
            stuck_since: None,
            gone: false,
        }
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.sock.as_fd()
    }

    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// Has asked for output.
    pub fn is_attached(&self) -> bool {
        self.wants.is_some_and(|wants| wants.stdout || wants.stderr)
    }

    /// Has bytes to send that the socket did not take.
    pub fn is_behind(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// When it is dropped unless it reads.
    pub fn deadline(&self) -> Option<Instant> {
        self.stuck_since
            .filter(|_| !self.is_starter)
            .map(|since| since + PATIENCE)
    }

    pub fn drop_if_stuck(&mut self, now: Instant) {
        if self.deadline().is_some_and(|limit| now >= limit) {
            self.gone = true;
        }
    }

    /// Queues output it asked for, or a message (`Exit`, `Started`, `Failed`).
    pub fn send(&mut self, kind: FrameKind, payload: &[u8]) {
        let wanted = match kind {
            FrameKind::Stdout => self.wants.is_some_and(|w| w.stdout),
            FrameKind::Stderr => self.wants.is_some_and(|w| w.stderr),
            _ => true,
        };
        if !wanted || self.gone {
            return;
        }
        for piece in pieces(payload) {
            protocol::push(&mut self.outbox, kind, piece);
        }
        self.flush();
    }

    /// Sends what the socket takes without waiting.
    pub fn flush(&mut self) {
        let before = self.outbox.len();
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        if pending::drain(&mut self.outbox, |bytes| send(&self.sock, bytes, flags)).is_err() {
            self.gone = true;
        }
        if self.gone || self.outbox.is_empty() {
            self.outbox = Vec::new();
            self.stuck_since = None;
        } else if self.outbox.len() < before || self.stuck_since.is_none() {
            self.stuck_since = Some(Instant::now());
        }
    }

    /// Reads once and hands each whole frame to `each`. End-of-file or nonsense ends the client.
    pub fn receive(&mut self, each: &mut dyn FnMut(Input<'_>)) {
        self.inbox.reserve(8192);
        match rustix::io::read(&self.sock, spare_capacity(&mut self.inbox)) {
            Ok(0) => self.gone = true,
            Ok(_) => {}
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => self.gone = true,
        }
        let mut used = 0;
        loop {
            match protocol::parse(&self.inbox[used..]) {
                Ok(Some((kind, payload, len))) => {
                    if kind == FrameKind::Hello {
                        self.wants = payload.first().map(|&byte| Wants::from_byte(byte));
                    } else if let Some(input) = input(kind, payload) {
                        let may = self.wants.is_some_and(|w| w.stdin);
                        if may || !matches!(input, Input::Stdin(_) | Input::StdinEnd) {
                            each(input);
                        }
                    }
                    used += len;
                }
                Ok(None) => break,
                Err(_) => {
                    self.gone = true;
                    break;
                }
            }
        }
        self.inbox.drain(..used);
        if self.inbox.is_empty() {
            self.inbox = Vec::new();
        } else if self.inbox.len() > HEADER + MAX_PAYLOAD {
            self.gone = true;
        }
    }
}

fn input(kind: FrameKind, payload: &[u8]) -> Option<Input<'_>> {
    Some(match (kind, payload) {
        (FrameKind::Stdin, data) => Input::Stdin(data),
        (FrameKind::StdinEnd, _) => Input::StdinEnd,
        (FrameKind::Resize, &[r0, r1, c0, c1]) => Input::Resize {
            rows: u16::from_le_bytes([r0, r1]),
            cols: u16::from_le_bytes([c0, c1]),
        },
        (FrameKind::Broken, [1]) => Input::Broken(FrameKind::Stdout),
        (FrameKind::Broken, [2]) => Input::Broken(FrameKind::Stderr),
        (FrameKind::Go, _) => Input::Go,
        (FrameKind::Stop, payload) => Input::Stop(protocol::number(payload, 0)?),
        (FrameKind::Reload, _) => Input::Reload,
        (FrameKind::Check, _) => Input::Check,
        _ => return None,
    })
}

/// An empty payload is one frame all the same.
fn pieces(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    let empty: Option<&[u8]> = payload.is_empty().then_some(b"");
    empty.into_iter().chain(payload.chunks(MAX_PAYLOAD))
}
