//! Runs in: cli. Joins the user's terminal or pipes to a container: over frames to its monitor, until it ends, or the
//! user types the detach keys.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

use crate::error::{Error, Kind, Result, Tried};

use super::detach::{DEFAULT_KEYS, DetachScanner, parse_keys};
use super::options::{RunOutcome, Streams, Terminal};
use super::pending;
use super::protocol::{self, FrameKind};

/// Puts a terminal into raw mode and back on drop, whatever happens between.
pub(super) struct RawTerminal<'a> {
    fd: BorrowedFd<'a>,
    saved: Termios,
}

impl<'a> RawTerminal<'a> {
    /// `None`: not a terminal.
    pub(super) fn enter(fd: BorrowedFd<'a>) -> Result<Option<Self>> {
        if !isatty(fd) {
            return Ok(None);
        }
        let saved = tcgetattr(fd).tried(|| "read the terminal's settings")?;
        let mut raw = saved.clone();
        raw.make_raw();
        tcsetattr(fd, OptionalActions::Now, &raw).tried(|| "put the terminal into raw mode")?;
        Ok(Some(Self { fd, saved }))
    }
}

impl Drop for RawTerminal<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.fd, OptionalActions::Now, &self.saved);
    }
}

/// Blocks signals and hands them out through a descriptor; the old mask comes back on drop.
pub(super) struct Signals {
    fd: SignalFd,
    old: SigSet,
}

/// What a foreground process passes on: every signal a user sends on purpose.
const PROXIED: [Signal; 14] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGCONT,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGIO,
    Signal::SIGPWR,
    Signal::SIGTSTP,
    Signal::SIGURG,
];

impl Signals {
    /// SIGWINCH always, the others with `proxy`.
    pub(super) fn block(proxy: bool) -> Result<Self> {
        let mut set = SigSet::empty();
        set.add(Signal::SIGWINCH);
        if proxy {
            PROXIED.iter().for_each(|&signal| set.add(signal));
        }
        let mut old = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut old)).tried(|| "block signals")?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK);
        match fd {
            Ok(fd) => Ok(Self { fd, old }),
            Err(errno) => {
                let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&old), None);
                Err(Error::os(errno, "open signalfd"))
            }
        }
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Puts the old mask back in a forked child, which must not pass ours on.
    pub(super) fn unblock(&self) {
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.old), None);
    }

    /// The next signal that has arrived.
    pub(super) fn next(&self) -> Option<i32> {
        self.fd
            .read_signal()
            .ok()
            .flatten()
            .map(|info| info.ssi_signo.cast_signed())
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.old), None);
    }
}

/// A connection to a monitor.
pub(super) struct Connection {
    sock: OwnedFd,
    inbox: Vec<u8>,
    used: usize,
    outbox: Vec<u8>,
}

/// A frame that arrived.
pub(super) struct Frame {
    pub kind: FrameKind,
    pub payload: Vec<u8>,
}

impl Connection {
    pub(super) fn new(sock: OwnedFd) -> Self {
        Self {
            sock,
            inbox: Vec::new(),
            used: 0,
            outbox: Vec::new(),
        }
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.sock.as_fd()
    }

    /// Sends one frame, waiting until the monitor takes it.
    pub(super) fn send(&self, kind: FrameKind, payload: &[u8]) -> Result<()> {
        let mut bytes = Vec::with_capacity(protocol::HEADER + payload.len());
        protocol::push(&mut bytes, kind, payload);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match send(&self.sock, rest, SendFlags::NOSIGNAL) {
                Ok(n) => rest = &rest[n..],
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno).tried(|| "send to the container's monitor"),
            }
        }
        Ok(())
    }

    /// Adds a frame to what [`Connection::flush`] sends. Both sides send much: one that waited for the other to read
    /// would wait for ever.
    fn queue(&mut self, kind: FrameKind, payload: &[u8]) {
        protocol::push(&mut self.outbox, kind, payload);
    }

    /// Sends what the socket takes at once. A monitor that is gone takes everything: its last words are on the way.
    fn flush(&mut self) {
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        if pending::drain(&mut self.outbox, |bytes| send(&self.sock, bytes, flags)).is_err() {
            self.outbox.clear();
        }
    }

    /// The next frame, waiting for it; `None`: the monitor closed the connection.
    pub(super) fn receive(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.buffered()? {
                return Ok(Some(frame));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn buffered(&mut self) -> Result<Option<Frame>> {
        let Some((kind, payload, len)) = protocol::parse(&self.inbox[self.used..])? else {
            self.inbox.drain(..self.used);
            self.used = 0;
            return Ok(None);
        };
        let frame = Frame {
            kind,
            payload: payload.to_vec(),
        };
        self.used += len;
        Ok(Some(frame))
    }

    /// Reads once; `false`: end of the connection.
    fn fill(&mut self) -> Result<bool> {
        loop {
            self.inbox.reserve(32 * 1024);
            match rustix::io::read(&self.sock, spare_capacity(&mut self.inbox)) {
                Ok(0) | Err(Errno::CONNRESET) => return Ok(false),
                Ok(_) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno).tried(|| "read from the container's monitor"),
            }
        }
    }
}

/// What a foreground command needs to know of its container.
pub(super) struct Session<'a> {
    pub terminal: Terminal<'a>,
    pub streams: Streams,
    pub tty: bool,
    pub detach_keys: Vec<u8>,
    pub sig_proxy: bool,
    /// Handle on the container's first process, to pass signals to.
    pub init: Option<OwnedFd>,
}

/// Detach keys of the command, else of the container, else Podman's.
pub(super) fn detach_keys(command: Option<&str>, container: Option<&str>) -> Result<Vec<u8>> {
    parse_keys(command.or(container).unwrap_or(DEFAULT_KEYS))
}

/// Rows and columns of the user's terminal, if there is one.
pub(super) fn terminal_size(terminal: &Terminal<'_>) -> Option<(u16, u16)> {
    let size = [terminal.stdout, terminal.stdin]
        .into_iter()
        .find_map(|fd| tcgetwinsize(fd).ok())?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// Tells the monitor the size of the user's terminal, if there is one.
pub(super) fn send_size(connection: &mut Connection, terminal: &Terminal<'_>) {
    if let Some((rows, cols)) = terminal_size(terminal) {
        let [r0, r1] = rows.to_le_bytes();
        let [c0, c1] = cols.to_le_bytes();
        connection.queue(FrameKind::Resize, &[r0, r1, c0, c1]);
        connection.flush();
    }
}

/// Output on its way to one of the user's descriptors.
#[derive(Default)]
pub(super) struct Outlet {
    pending: VecDeque<u8>,
    broken: bool,
}

impl Session<'_> {
    /// Copies until the container ends, the user detaches, or the monitor is gone.
    pub(super) fn run(&self, connection: &mut Connection, signals: &Signals) -> Result<RunOutcome> {
        let interactive = self.tty && self.streams.stdin;
        let _raw = match interactive {
            true => RawTerminal::enter(self.terminal.stdin)?,
            false => None,
        };
        let mut input = self.streams.stdin;
        let keys = if self.tty {
            self.detach_keys.clone()
        } else {
            Vec::new()
        };
        let mut scanner = DetachScanner::new(keys);
        let mut outlets = [Outlet::default(), Outlet::default()];
        let mut typed = Vec::new();
        let mut exit = None;
        // The first output may have come in one read with the answer to the start; poll would not tell of it.
        take_frames(connection, &mut outlets, &mut exit)?;
        loop {
            let idle = outlets.iter().all(|o| o.pending.is_empty());
            if idle && let Some(code) = exit {
                return Ok(RunOutcome::Exited(code));
            }
            let user = [self.terminal.stdout, self.terminal.stderr];
            let mut fds = vec![PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN)];
            let mut flags = if idle {
                PollFlags::IN
            } else {
                PollFlags::empty()
            };
            if !connection.outbox.is_empty() {
                flags |= PollFlags::OUT;
            }
            let socket = if flags.is_empty() {
                signals.as_fd()
            } else {
                connection.as_fd()
            };
            fds.push(PollFd::from_borrowed_fd(socket, flags));
            for (fd, outlet) in user.iter().zip(&outlets) {
                let flags = if outlet.pending.is_empty() {
                    PollFlags::empty()
                } else {
                    PollFlags::OUT
                };
                if flags.is_empty() {
                    // poll(2) reports a hang-up even where nothing is asked; the signals' descriptor stands in.
                    fds.push(PollFd::from_borrowed_fd(
                        signals.as_fd(),
                        PollFlags::empty(),
                    ));
                } else {
                    fds.push(PollFd::from_borrowed_fd(*fd, flags));
                }
            }
            let may_send = input && connection.outbox.is_empty();
            if may_send {
                fds.push(PollFd::from_borrowed_fd(self.terminal.stdin, PollFlags::IN));
            }
            match poll(&mut fds, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno).tried(|| "wait for the container"),
            }
            let ready: Vec<PollFlags> = fds.iter().map(PollFd::revents).collect();
            drop(fds);
            if !ready[0].is_empty() {
                self.pass_signals(connection, signals);
            }
            connection.flush();
            for (index, outlet) in outlets.iter_mut().enumerate() {
                if !ready[2 + index].is_empty() && !outlet.pending.is_empty() {
                    write_some(user[index], outlet)?;
                    if outlet.broken {
                        connection.queue(FrameKind::Broken, &[index as u8 + 1]);
                    }
                }
            }
            if idle && ready[1].intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
                let open = connection.fill()?;
                take_frames(connection, &mut outlets, &mut exit)?;
                if !open && exit.is_none() {
                    return Err(Error::new(
                        Kind::System,
                        "follow the container: its monitor ended without telling the exit status",
                    ));
                }
            }
            if may_send && ready.get(4).is_some_and(|events| !events.is_empty()) {
                typed.clear();
                typed.reserve(16 * 1024);
                match rustix::io::read(self.terminal.stdin, spare_capacity(&mut typed)) {
                    Ok(n) if n > 0 => {
                        let mut passed = Vec::with_capacity(n);
                        let detach = scanner.scan(&typed, &mut passed);
                        if !passed.is_empty() {
                            connection.queue(FrameKind::Stdin, &passed);
                        }
                        if detach {
                            return Ok(RunOutcome::Detached);
                        }
                    }
                    Err(Errno::INTR | Errno::AGAIN) => {}
                    Ok(_) | Err(_) => {
                        input = false;
                        connection.queue(FrameKind::StdinEnd, &[]);
                    }
                }
            }
        }
    }

    fn pass_signals(&self, connection: &mut Connection, signals: &Signals) {
        while let Some(number) = signals.next() {
            if number == libc::SIGWINCH {
                if self.tty {
                    send_size(connection, &self.terminal);
                }
            } else if let (true, Some(init)) = (self.sig_proxy, &self.init)
                && let Some(signal) = rustix::process::Signal::from_named_raw(number)
            {
                // It may have ended this very moment: then there is nobody to tell.
                let _ = rustix::process::pidfd_send_signal(init, signal);
            }
        }
    }
}

/// Sorts what has arrived: output to its outlet, the exit status to `exit`.
fn take_frames(
    connection: &mut Connection,
    outlets: &mut [Outlet; 2],
    exit: &mut Option<i32>,
) -> Result<()> {
    while let Some(frame) = connection.buffered()? {
        match frame.kind {
            FrameKind::Stdout => outlets[0].take(&frame.payload),
            FrameKind::Stderr => outlets[1].take(&frame.payload),
            FrameKind::Exit => *exit = protocol::number(&frame.payload, 0),
            FrameKind::Failed => return Err(protocol::decode_error(&frame.payload)),
            _ => {}
        }
    }
    Ok(())
}

impl Outlet {
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Nobody reads it any more.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    pub(super) fn take(&mut self, data: &[u8]) {
        if !self.broken {
            self.pending.extend(data);
        }
    }
}

/// Writes what surely does not block: one page once poll says a pipe has room (`PIPE_BUF`), so that signals are still
/// seen while a reader takes its time.
pub(super) fn write_some(fd: BorrowedFd<'_>, outlet: &mut Outlet) -> Result<()> {
    let piece = outlet.pending.as_slices().0;
    let piece = &piece[..piece.len().min(4096)];
    match rustix::io::write(fd, piece) {
        Ok(n) => {
            outlet.pending.drain(..n);
            Ok(())
        }
        Err(Errno::INTR | Errno::AGAIN) => Ok(()),
        Err(Errno::PIPE | Errno::IO | Errno::CONNRESET) => {
            outlet.pending.clear();
            outlet.broken = true;
            Ok(())
        }
        Err(errno) => Err(errno).tried(|| "write the container's output"),
    }
}
