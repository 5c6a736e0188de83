//! Reading events: what is there, and what comes.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::error::{Error, Kind, Result, Tried};

use super::file::aside;
use super::{Backend, Event};
use crate::container::clock;
use crate::container::engine::{Containers, make_dir};

/// Which events are wanted.
pub struct Query<'a> {
    /// `None` and no `until`: those that come from now on; without `follow` all.
    pub since: Option<SystemTime>,
    /// The time at which to stop, now or to come.
    pub until: Option<SystemTime>,
    pub follow: bool,
    pub admit: &'a dyn Fn(&Event) -> bool,
}

impl Containers {
    /// Hands wanted events to `each`, in the order of their times as far as they are there at once.
    pub fn events(
        &self,
        query: &Query<'_>,
        each: &mut dyn FnMut(&Event) -> Result<()>,
    ) -> Result<()> {
        let Backend::File { path, .. } = self.backend() else {
            return Err(Error::new(
                Kind::Unsupported,
                "read events: cannot read events with the \"none\" backend",
            ));
        };
        // Before the first look, so that nothing is missed between the two.
        let mut follow = match query.follow || query.until.is_some() {
            true => Some(Follow::new(path)?),
            false => None,
        };
        let mut log = Log::new(path);
        let mut fresh = log.read()?;
        if query.follow && query.since.is_none() && query.until.is_none() {
            fresh.clear();
        }
        loop {
            fresh.sort_by_key(|(time, _)| *time);
            for (time, event) in fresh {
                let late = query.until.is_some_and(|until| time > until);
                let early = query.since.is_some_and(|since| time < since);
                if !late && !early && (query.admit)(&event) {
                    each(&event)?;
                }
            }
            let left = query
                .until
                .map(|until| until.duration_since(SystemTime::now()));
            let more = match (&mut follow, left) {
                (None, _) | (_, Some(Err(_))) => false,
                (Some(_), Some(Ok(_))) if !query.follow => false,
                (Some(follow), left) => {
                    follow.wait(left.and_then(std::result::Result::ok))?;
                    true
                }
            };
            if !more {
                return Ok(());
            }
            fresh = log.read()?;
        }
    }
}

/// The files, as far as they were read.
struct Log<'a> {
    path: &'a Path,
    /// Files that were put aside may still get lines from who has them open.
    open: Vec<Part>,
}

/// One file, open, and the beginning of a line that is not whole yet.
struct Part {
    file: File,
    ino: u64,
    rest: Vec<u8>,
}

impl<'a> Log<'a> {
    fn new(path: &'a Path) -> Self {
        Self {
            path,
            open: Vec::new(),
        }
    }

    /// The events that came since the last call.
    fn read(&mut self) -> Result<Vec<(SystemTime, Event)>> {
        for path in [aside(self.path), self.path.to_path_buf()] {
            let tried = || format!("read events from {}", path.display());
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(err) if err.kind() == std::io::ErrorKind::NotFound => continue,
                Err(err) => return Err(Error::io(&err, tried())),
            };
            let ino = file.metadata().tried(tried)?.ino();
            if self.open.iter().all(|part| part.ino != ino) {
                self.open.push(Part {
                    file,
                    ino,
                    rest: Vec::new(),
                });
            }
        }
        let mut found = Vec::new();
        for part in &mut self.open {
            part.read(&mut found)
                .tried(|| format!("read events from {}", self.path.display()))?;
        }
        // A file that was removed is written to by nobody new.
        self.open
            .retain(|part| part.file.metadata().is_ok_and(|meta| meta.nlink() > 0));
        Ok(found)
    }
}

impl Part {
    fn read(&mut self, found: &mut Vec<(SystemTime, Event)>) -> std::io::Result<()> {
        self.file.read_to_end(&mut self.rest)?;
        let whole = self
            .rest
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        for line in self.rest[..whole].split(|&byte| byte == b'\n') {
            // Torn by a full disk, or of a newer version.
            if let Ok(event) = serde_json::from_slice::<Event>(line)
                && let Some(time) = clock::parse(&event.time)
            {
                found.push((time, event));
            }
        }
        self.rest.drain(..whole);
        Ok(())
    }
}

struct Follow {
    inotify: Inotify,
    dir: PathBuf,
}

impl Follow {
    fn new(path: &Path) -> Result<Self> {
        let dir = path.parent().unwrap_or(Path::new("/")).to_path_buf();
        let tried = || format!("watch events in {}", dir.display());
        make_dir(&dir)?;
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).tried(tried)?;
        let what = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        inotify.add_watch(&dir, what).tried(tried)?;
        Ok(Self { inotify, dir })
    }

    /// Waits for something to be written, `limit` at most.
    fn wait(&mut self, limit: Option<Duration>) -> Result<()> {
        let tried = || format!("wait for events in {}", self.dir.display());
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let mut fds = [PollFd::new(&self.inotify, PollFlags::IN)];
        match poll(&mut fds, limit.as_ref()) {
            Ok(0) | Err(Errno::INTR) => return Ok(()),
            Ok(_) => {}
            Err(errno) => return Err(errno).tried(tried),
        }
        match self.inotify.read_events() {
            Ok(_) | Err(nix::errno::Errno::EAGAIN) => Ok(()),
            Err(errno) => Err(errno).tried(tried),
        }
    }
}
