//! `logs`: reads k8s-file logs of one or several containers, follows them across rotation and restarts, and ends when
//! the containers have.

mod file;
mod printer;

use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::error::{Error, Kind, Result, Tried};

use super::engine::Container;
use super::options::LogOptions;
use super::request::LogDriver;
use super::watch::Watch;
use file::LogReader;
use printer::{Look, Printer, Stop};

/// How long a `restart` may take from one life of a container to the next.
const RESTART: Duration = Duration::from_secs(10);

/// Writes the logs: the containers' stdout to `out`, their stderr to `err`, in the order of their times as far as they
/// are there. A reader that has gone is the end.
pub fn logs(
    containers: &[Container],
    options: &LogOptions,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<()> {
    containers.iter().try_for_each(Container::readable_log)?;
    let several = containers.len() > 1;
    let looks = containers.iter().enumerate().map(|(index, container)| {
        let name = match options.names {
            true => container.name(),
            false => &container.id()[..12],
        };
        Look::new(index, several.then_some(name), options.colours)
    });
    let mut printer = Printer::new(*options, looks.collect(), out, err);
    match print(containers, options, &mut printer) {
        Err(Stop::Failed(err)) => Err(err),
        Err(Stop::ReaderGone) | Ok(()) => Ok(()),
    }
}

fn print(
    containers: &[Container],
    options: &LogOptions,
    printer: &mut Printer<'_>,
) -> Result<(), Stop> {
    // The watches come before the first look, so that nothing happens between them.
    let mut follow = match options.follow {
        true => Some(Follow::new(containers)?),
        false => None,
    };
    let mut readers = Vec::with_capacity(containers.len());
    for container in containers {
        readers.push(LogReader::open(&container.log_path(), options.tail)?);
    }
    let mut late = match readers.len() {
        1 => !copy(0, &mut readers[0], printer)?,
        _ => !merge(&mut readers, printer)?,
    };
    printer.flush()?;
    let Some(follow) = follow.as_mut() else {
        return Ok(());
    };
    loop {
        let over = late || !follow.wait(options.until)?;
        for (index, reader) in readers.iter_mut().enumerate() {
            reader.look()?;
            late |= !copy(index, reader, printer)?;
        }
        printer.flush()?;
        if over || late {
            return Ok(());
        }
    }
}

/// Prints what is there; `false`: what follows is too late.
fn copy(index: usize, reader: &mut LogReader, printer: &mut Printer<'_>) -> Result<bool, Stop> {
    while let Some(entry) = reader.next()? {
        if !printer.entry(index, &entry)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Prints what is there of all, by time; `false`: what follows is too late.
fn merge(readers: &mut [LogReader], printer: &mut Printer<'_>) -> Result<bool, Stop> {
    let mut times: Vec<Option<SystemTime>> = Vec::with_capacity(readers.len());
    for (index, reader) in readers.iter_mut().enumerate() {
        times.push(peek(index, reader, printer)?);
    }
    let mut all = true;
    loop {
        let first = times
            .iter()
            .enumerate()
            .filter_map(|(index, time)| Some((time.as_ref()?, index)))
            .min();
        let Some((_, index)) = first else {
            return Ok(all);
        };
        let reader = &mut readers[index];
        if let Some(entry) = reader.next()?
            && !printer.entry(index, &entry)?
        {
            times[index] = None;
            all = false;
            continue;
        }
        times[index] = peek(index, reader, printer)?;
    }
}

/// The time of the next entry; one that cannot be told comes first.
fn peek(
    index: usize,
    reader: &mut LogReader,
    printer: &mut Printer<'_>,
) -> Result<Option<SystemTime>> {
    let entry = reader.peek()?;
    Ok(entry.map(|entry| {
        let time = printer.time(index, &entry);
        time.unwrap_or(SystemTime::UNIX_EPOCH)
    }))
}

impl Container {
    /// [`logs`] of one.
    pub fn logs(
        &self,
        options: &LogOptions,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> Result<()> {
        logs(std::slice::from_ref(self), options, out, err)
    }

    /// There is a log that can be read.
    fn readable_log(&self) -> Result<()> {
        let driver = self.record.request.log.driver;
        match driver {
            LogDriver::K8sFile | LogDriver::JsonFile => Ok(()),
            LogDriver::Journald => Err(Error::new(
                Kind::Unsupported,
                "read the journal: not available in this version of pod",
            )
            .hint(format!(
                "journalctl CONTAINER_ID_FULL={} shows it",
                self.record.id
            ))),
            other => Err(Error::new(
                Kind::Unsupported,
                format!(
                    "this container is using the '{}' log driver, cannot read logs: this container is not logging output",
                    other.word()
                ),
            )),
        }
    }
}

/// What tells that logs grow and that containers end.
struct Follow {
    inotify: Inotify,
    lives: Vec<Life>,
}

/// One container, as long as it is followed.
struct Life {
    container: Container,
    watch: Watch,
    /// It ends to be started again: until when that is waited for.
    restarts: Option<Instant>,
}

impl Follow {
    fn new(containers: &[Container]) -> Result<Self> {
        let tried = || "watch logs".to_owned();
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).tried(tried)?;
        let events = AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO;
        let mut lives = Vec::new();
        for container in containers {
            let path = container.log_path();
            let dir = path.parent().unwrap_or(Path::new("/"));
            let tried = || format!("watch the log of container {}", container.record.id);
            inotify.add_watch(dir, events).tried(tried)?;
            // Its state is there, and tells of a start.
            if dir != container.dir() {
                let moved = AddWatchFlags::IN_MOVED_TO;
                inotify.add_watch(&container.dir(), moved).tried(tried)?;
            }
            let mut life = Life {
                container: container.clone(),
                watch: Watch::Over,
                restarts: None,
            };
            life.join()?;
            if !matches!(life.watch, Watch::Over) {
                lives.push(life);
            }
        }
        Ok(Self { inotify, lives })
    }

    /// Waits for a log to grow; `false`: all containers are over, or `until` has come.
    fn wait(&mut self, until: Option<SystemTime>) -> Result<bool> {
        let tried = || "wait for the log";
        if self.lives.is_empty() {
            return Ok(false);
        }
        let left = match until.map(|until| until.duration_since(SystemTime::now())) {
            Some(Ok(left)) => Some(left + Duration::from_millis(1)),
            Some(Err(_)) => return Ok(false),
            None => None,
        };
        let now = Instant::now();
        let waits = self.lives.iter().filter_map(|life| life.restarts);
        let left = waits
            .map(|end| end.saturating_duration_since(now) + Duration::from_millis(1))
            .chain(left)
            .min();
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let mut fds = vec![PollFd::new(&self.inotify, PollFlags::IN)];
        fds.extend(self.lives.iter().map(|life| match &life.watch {
            Watch::Monitor(connection) => {
                PollFd::from_borrowed_fd(connection.as_fd(), PollFlags::IN)
            }
            Watch::Process(handle) => PollFd::from_borrowed_fd(handle.as_fd(), PollFlags::IN),
            Watch::Over => PollFd::new(&self.inotify, PollFlags::IN),
        }));
        loop {
            match poll(&mut fds, timeout.as_ref()) {
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno).tried(tried),
            }
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        match self.inotify.read_events() {
            Ok(_) | Err(Errno::EAGAIN) => {}
            Err(errno) => return Err(errno).tried(tried),
        }
        // The monitor logs everything before it says that the container is over.
        let mut index = 0;
        let mut failed = None;
        self.lives.retain_mut(|life| {
            index += 1;
            match life.goes_on(ready[index]) {
                Ok(goes_on) => goes_on,
                Err(err) => {
                    failed = Some(err);
                    false
                }
            }
        });
        match failed {
            Some(err) => Err(err),
            None => Ok(!self.lives.is_empty()),
        }
    }
}

impl Life {
    fn join(&mut self) -> Result<()> {
        let state = &self.container.state;
        self.watch = match state.is_alive() && !state.is_elsewhere() {
            true => self.container.watch()?,
            false => Watch::Over,
        };
        Ok(())
    }

    /// After a wait: does it live, or will it live again?
    fn goes_on(&mut self, ready: bool) -> Result<bool> {
        if !ready && self.restarts.is_none() {
            return Ok(true);
        }
        if !self.container.refresh()? {
            return Ok(false);
        }
        self.join()?;
        if !matches!(self.watch, Watch::Over) {
            self.restarts = None;
            return Ok(true);
        }
        let end = self.container.state.end.as_ref();
        let asked = end.and_then(|end| end.asked.as_ref());
        if asked.is_none_or(|asked| asked.command != "restart") {
            return Ok(false);
        }
        let limit = *self
            .restarts
            .get_or_insert_with(|| Instant::now() + RESTART);
        Ok(Instant::now() < limit)
    }
}
