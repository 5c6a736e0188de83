//! What the commands ask of a container, and what they get back.

use std::os::fd::BorrowedFd;
use std::time::{Duration, SystemTime};

/// The three descriptors of the process that asks, handed in by `cli`.
#[derive(Debug, Clone, Copy)]
pub struct Terminal<'a> {
    pub stdin: BorrowedFd<'a>,
    pub stdout: BorrowedFd<'a>,
    pub stderr: BorrowedFd<'a>,
}

/// Which streams of the container are connected (`-a stdout`, `attach --no-stdin`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
}

impl Streams {
    pub const ALL: Streams = Streams {
        stdin: true,
        stdout: true,
        stderr: true,
    };
    pub const OUTPUT: Streams = Streams {
        stdin: false,
        stdout: true,
        stderr: true,
    };
}

/// `start`, and the second half of `run`.
#[derive(Debug, Clone, Copy)]
pub struct StartOptions<'a> {
    /// Stay connected until the container ends or the user detaches; `None`: return as soon as it runs.
    pub attach: Option<AttachOptions<'a>>,
}

/// How a foreground process is joined to a container's stdio.
#[derive(Debug, Clone, Copy)]
pub struct AttachOptions<'a> {
    pub terminal: Terminal<'a>,
    pub streams: Streams,
    /// Podman's spelling (`ctrl-p,ctrl-q`); `None`: the container's own or that default; `Some("")`: no detaching.
    pub detach_keys: Option<&'a str>,
    /// Signals that reach this process are passed on to the container.
    pub sig_proxy: bool,
}

/// How `run`, `start --attach`, `attach` and their like ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOutcome {
    /// Runs on in the background, as asked, or because the user typed the detach keys.
    Detached,
    /// The container's exit status (128+n when killed by signal n, 255 when `--timeout` ended it).
    Exited(i32),
}

#[derive(Debug, Clone, Copy, Default)]
pub struct StopOptions {
    /// Replaces the container's stop timeout; zero kills at once.
    pub grace: Option<Duration>,
    /// What asks for it, for `why`: `stop` unless said otherwise.
    pub command: Option<&'static str>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StopReport {
    /// The stop signal did not do: what `stop` warns of, in Podman's words.
    pub warning: Option<String>,
}

#[derive(Debug, Clone, Copy)]
pub struct KillOptions {
    pub signal: i32,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct RemoveOptions {
    /// Kill it if it runs.
    pub force: bool,
    /// `--volumes`: the anonymous volumes go with it.
    pub volumes: bool,
    /// `--time`: grace before the kill, with `force`; the container's own stop timeout is not used.
    pub grace: Option<Duration>,
}

/// `wait --condition`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitCondition {
    Configured,
    Created,
    Initialized,
    Running,
    Paused,
    Stopping,
    /// Not one of Podman's.
    Restarting,
    Healthy,
    Unhealthy,
    /// Exited, or never started.
    Stopped,
    Exited,
    Removing,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct LogOptions {
    pub follow: bool,
    /// Only the last lines; `None`: all.
    pub tail: Option<u64>,
    pub since: Option<SystemTime>,
    pub until: Option<SystemTime>,
    /// Put the time of each line before it.
    pub timestamps: bool,
    /// Of several containers: their names before their lines, not their ids.
    pub names: bool,
    /// A colour for each container.
    pub colours: bool,
}

/// `exec`
#[derive(Debug, Clone, Default)]
pub struct ExecRequest {
    pub command: Vec<String>,
    /// Already resolved against the host (`-e NAME`), in order.
    pub env: Vec<(String, String)>,
    pub workdir: Option<String>,
    pub user: Option<String>,
    pub privileged: bool,
    pub tty: bool,
    pub interactive: bool,
    pub detach: bool,
    /// Podman's spelling; `None`: the default; `Some("")`: no detaching.
    pub detach_keys: Option<String>,
    /// Descriptors `3..3+N` are passed on.
    pub preserve_fds: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecOutcome {
    /// `-d`: the id of the session (64 hex digits).
    Detached(String),
    Exited(i32),
}

/// `ps --size`, `inspect --size`; bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The writable layer.
    pub rw: u64,
    /// Image and writable layer together.
    pub root_fs: u64,
}
