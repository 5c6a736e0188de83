//! Watching a container end: a connection to its monitor, or a handle on its first process where the monitor is gone.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::error::{Result, Tried};

use super::client::Connection;
use super::engine::Container;
use super::protocol::{self, FrameKind, Wants};

/// Something that tells when a container is over.
pub(super) enum Watch {
    /// Its monitor says `Exit` when everything is tidy.
    Monitor(Connection),
    /// No monitor: the process itself.
    Process(OwnedFd),
    /// Neither.
    Over,
}

/// How a watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The monitor told the exit status.
    Exit(i32),
    /// It is over; the record knows more.
    Over,
    TimedOut,
}

impl Container {
    pub(super) fn watch(&self) -> Result<Watch> {
        if let Some(sock) = connect_attach(&self.run_dir())? {
            let connection = Connection::new(sock);
            // A monitor that ends at this moment closes the socket: the next read tells.
            let _ = connection.send(FrameKind::Hello, &[Wants::default().to_byte()]);
            return Ok(Watch::Monitor(connection));
        }
        let handle = self.state.open_monitor().or_else(|| self.state.open_init());
        Ok(handle.map_or(Watch::Over, Watch::Process))
    }
}

impl Watch {
    /// Waits for the end, `limit` at most.
    pub(super) fn wait(&mut self, limit: Option<Duration>) -> Result<Seen> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        loop {
            let fd = match &*self {
                Self::Monitor(connection) => connection.as_fd(),
                Self::Process(handle) => handle.as_fd(),
                Self::Over => return Ok(Seen::Over),
            };
            if !wait_readable(fd, deadline)? {
                return Ok(Seen::TimedOut);
            }
            let Self::Monitor(connection) = self else {
                return Ok(Seen::Over);
            };
            match connection.receive()? {
                Some(frame) if frame.kind == FrameKind::Exit => {
                    return Ok(protocol::number(&frame.payload, 0).map_or(Seen::Over, Seen::Exit));
                }
                Some(_) => {}
                None => return Ok(Seen::Over),
            }
        }
    }
}

/// `false`: the deadline passed.
pub(super) fn wait_readable(fd: impl AsFd, deadline: Option<Instant>) -> Result<bool> {
    loop {
        let timeout = match deadline
            .map(|d| Timespec::try_from(d.saturating_duration_since(Instant::now())))
        {
            Some(Ok(left)) => Some(left),
            _ => None,
        };
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).tried(|| "wait for the container"),
        }
    }
}

/// A connection to the attach socket; `None`: nobody listens.
///
/// Through a descriptor of the directory: the path may be longer than a socket's address (`unix(7)`, 108 bytes).
pub(super) fn connect_attach(run_dir: &Path) -> Result<Option<OwnedFd>> {
    let tried = || format!("connect to the monitor in {}", run_dir.display());
    let dir = match open_dir(run_dir) {
        Ok(dir) => dir,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno).tried(tried),
    };
    let sock = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .tried(tried)?;
    match connect(&sock, &address_below(&dir).tried(tried)?) {
        Ok(()) => Ok(Some(sock)),
        Err(Errno::NOENT | Errno::CONNREFUSED) => Ok(None),
        Err(errno) => Err(errno).tried(tried),
    }
}

pub(super) fn open_dir(path: &Path) -> Result<OwnedFd, Errno> {
    open(
        path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

/// Address of the attach socket in the directory behind `dir`.
pub(super) fn address_below(dir: &OwnedFd) -> Result<SocketAddrUnix, Errno> {
    SocketAddrUnix::new(format!("/proc/self/fd/{}/attach", dir.as_raw_fd()))
}
