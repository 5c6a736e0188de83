//! Watching a container end: a connection to its monitor, or a handle on its first process where the monitor is gone.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::error::{Result, Tried};
use crate::state::Lock;

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
    /// What becomes readable when something happens; `None`: nothing will.
    pub(super) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Monitor(connection) => Some(connection.as_fd()),
            Self::Process(handle) => Some(handle.as_fd()),
            Self::Over => None,
        }
    }

    /// Waits for the end, `limit` at most.
    pub(super) fn wait(&mut self, limit: Option<Duration>) -> Result<Seen> {
        let deadline = limit.map(|limit| Instant::now() + limit);
        loop {
            let Some(fd) = self.as_fd() else {
                return Ok(Seen::Over);
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

/// Tells when something happens to a container that a waiting command looks at: its record, its state, its lock.
pub(super) struct News {
    /// `None`: the user has no instance left (`inotify(7)`, `max_user_instances`).
    inotify: Option<Inotify>,
}

/// How long to wait where nothing can be told.
const MOMENT: Duration = Duration::from_millis(5);

impl Container {
    /// To be called before the look at the container, so that nothing is missed in between.
    pub(super) fn news(&self) -> Result<News> {
        let tried = || format!("watch container {}", self.record.id);
        let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
        let inotify = match Inotify::init(flags) {
            Ok(inotify) => inotify,
            Err(nix::Error::EMFILE) => return Ok(News { inotify: None }),
            Err(errno) => return Err(errno).tried(tried),
        };
        let events = AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_DELETE_SELF;
        for dir in [self.dir(), self.run_dir()] {
            match inotify.add_watch(&dir, events) {
                Ok(_) | Err(nix::Error::ENOENT) => {}
                Err(errno) => return Err(errno).tried(tried),
            }
        }
        let inotify = Some(inotify);
        Ok(News { inotify })
    }
}

impl News {
    /// Waits until it is worth looking again, or until `deadline`.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> Result<()> {
        match &self.inotify {
            Some(inotify) => {
                if wait_readable(inotify, deadline)? {
                    let _ = inotify.read_events(); // that something happened is all that matters
                }
            }
            None => std::thread::sleep(MOMENT),
        }
        Ok(())
    }

    /// As [`News::wait`], or until `other` is readable.
    pub(super) fn wait_beside(&self, other: Option<BorrowedFd<'_>>) -> Result<()> {
        let (Some(inotify), Some(other)) = (&self.inotify, other) else {
            return self.wait(None);
        };
        let mut fds = [
            PollFd::new(inotify, PollFlags::IN),
            PollFd::from_borrowed_fd(other, PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).tried(|| "wait for the container"),
        }
        let _ = inotify.read_events(); // that something happened is all that matters
        Ok(())
    }

    /// As [`News::wait`], where the lock at `path` is the news that is hoped for. The kernel tells of its holder's
    /// `close` a moment before it lets the lock go (`__fput`).
    pub(super) fn wait_for_lock(&self, path: &Path, deadline: Instant) -> Result<()> {
        self.wait(Some(deadline))?;
        if Lock::is_held(path)? {
            self.wait(Some(deadline.min(Instant::now() + MOMENT)))?;
        }
        Ok(())
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
