//! `cp`: files into, out of and between containers, and tars.
//!
//! Runs in: cli for the host's files, and one worker for each container. Of a running container the worker joins the
//! user and mount namespaces: it sees what the container sees, volumes, binds and tmpfs included. Of one that does
//! not run it mounts layers and volumes in a namespace of its own. Either way paths are resolved beneath the
//! container's root by descriptors, with root's rights in there and no others.
//!
//! Who writes to a container that does not run holds `$RUNROOT/<id>/copying`: a start or a removal waits for that.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};

use crate::error::{Error, Kind, Result, Tried};
use crate::rootless::worker::{self, WorkerHandle, WorkerOpts};
use crate::runtime::ids_of_user;
use crate::state::Lock;
use crate::storage::transfer::{
    self, Archive, Assembly, Bound, Manner, Named, Ownership, PassedOver, Root, Source, Wire,
};
use crate::userns::inside;

use super::engine::{Container, make_dir};
use super::record::Record;
use super::request::MountRequest;
use super::spec::user_of;

/// How long `cp` waits for a start or a removal that is under way.
const BUSY: Duration = Duration::from_secs(10);

/// One side of a copy.
#[derive(Debug, Clone, Copy)]
pub enum Side<'a> {
    Host(&'a str),
    Container(&'a Container, &'a str),
}

#[derive(Debug, Clone, Copy)]
pub struct CopyOptions {
    /// What comes into a container belongs to its user; else to whom it belonged before.
    pub archive: bool,
    /// A directory may replace what is none, and the other way round.
    pub overwrite: bool,
}

/// Copies files. At least one side is a container. For a process with one thread only.
pub fn copy(from: Side<'_>, to: Side<'_>, options: CopyOptions) -> Result<PassedOver> {
    let (mine, theirs) = transfer::pair()?;
    match (from, to) {
        (Side::Host(path), Side::Container(container, target)) => {
            let manner = container.manner(options, Ownership::Inside(container.record.ids.clone()));
            let (worker, _lock) = container.receiver(target, manner, theirs)?;
            let named = on_host(path);
            let sent = transfer::send(&mine, &Root::Host, &named, true);
            drop(mine);
            // The receiver has heard of the sender's failure, and has the first one.
            worker.finish().map_err(entered)?;
            sent
        }
        (Side::Container(container, path), Side::Host(target)) => {
            let worker = container.sender(path, mine, &theirs)?;
            let manner = Manner {
                ownership: Ownership::Maker,
                overwrite: options.overwrite,
                single_id: true,
            };
            let named = on_host(target);
            transfer::receive(&theirs, &Root::Host, &named, true, |_| Ok(manner))
                .map_err(entered)?;
            drop(theirs);
            worker.finish().map_err(entered)
        }
        (Side::Container(source, path), Side::Container(container, target)) => {
            let manner = container.manner(options, Ownership::Same);
            let sender = source.sender(path, mine, &theirs)?;
            let (receiver, _lock) = container.receiver(target, manner, theirs)?;
            receiver.finish().map_err(entered)?;
            sender.finish()
        }
        (Side::Host(_), Side::Host(_)) => Err(Error::usage("copy: no side is a container")),
    }
}

fn on_host(path: &str) -> Named {
    Named {
        path: path.to_owned(),
        place: "on the host".to_owned(),
    }
}

/// How a receiver in a container treats what comes, but for the container's user, who is looked up in there.
struct InContainer {
    /// `Some`: the container's user, by name or number.
    user: Option<String>,
    otherwise: Ownership,
    overwrite: bool,
    single_id: bool,
}

impl InContainer {
    /// Runs in: worker.
    fn settle(&self, root: &Root) -> Result<Manner> {
        let ownership = match (&self.user, root) {
            (Some(user), Root::Within(root)) => {
                let (uid, gid) = ids_of_user(root.as_fd(), user)?;
                Ownership::One(uid, gid)
            }
            _ => self.otherwise.clone(),
        };
        Ok(Manner {
            ownership,
            overwrite: self.overwrite,
            single_id: self.single_id,
        })
    }
}

impl Container {
    /// Writes what `path` names as a tar, owned by the container's user.
    pub fn copy_to_tar(&self, path: &str, to: OwnedFd) -> Result<PassedOver> {
        let named = self.named(path);
        let user = user_of(&self.record);
        let (worker, _) = self.work(false, move |root| {
            let source = Source::open(&root, &named, false)?;
            let owner = match &root {
                Root::Within(root) => Some(ids_of_user(root.as_fd(), &user)?),
                Root::Host => None,
            };
            transfer::write_tar(source, owner, to)
        })?;
        worker.finish().map_err(entered)
    }

    /// Extracts the tar in `from` into the directory `path`.
    pub fn copy_from_tar(
        &self,
        path: &str,
        from: File,
        options: CopyOptions,
    ) -> Result<PassedOver> {
        let named = self.named(path);
        let manner = self.manner(options, Ownership::Same);
        let (worker, _lock) = self.work(true, move |root| {
            transfer::check_directory(&root, &named)?;
            let archive = Archive::open(from).map_err(|err| match err.kind() {
                Kind::Corrupt => Error::usage(
                    "source must be a (compressed) tar archive when copying from stdin",
                ),
                _ => err,
            })?;
            let manner = manner.settle(&root)?;
            match root {
                Root::Within(root) => transfer::extract(archive, root, &named.path, manner),
                Root::Host => Err(Error::new(Kind::System, "extract: no root")),
            }
        })?;
        worker.finish().map_err(entered)
    }

    fn manner(&self, options: CopyOptions, otherwise: Ownership) -> InContainer {
        InContainer {
            user: options.archive.then(|| user_of(&self.record)),
            otherwise,
            overwrite: options.overwrite,
            single_id: self.record.ids.is_single(),
        }
    }

    fn sender(&self, path: &str, wire: Wire, other: &Wire) -> Result<WorkerHandle<PassedOver>> {
        let named = self.named(path);
        let other = other.number();
        let (worker, _) = self.work(false, move |root| {
            let _ = nix::unistd::close(other); // our copy of the receiver's end
            transfer::send(&wire, &root, &named, false)
        })?;
        Ok(worker)
    }

    fn receiver(
        &self,
        path: &str,
        manner: InContainer,
        wire: Wire,
    ) -> Result<(WorkerHandle<()>, Option<Lock>)> {
        let named = self.named(path);
        self.work(true, move |root| {
            transfer::receive(&wire, &root, &named, false, |root| manner.settle(root))
        })
    }

    /// The path as its user typed it, made absolute by the container's working directory.
    fn named(&self, path: &str) -> Named {
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("{}/{path}", self.record.process.cwd.trim_end_matches('/')),
        };
        Named {
            path,
            place: format!("on container {}", self.record.name),
        }
    }

    /// Runs `job` where the container's files are. The lock is to be kept as long as the worker lives.
    fn work<T, F>(&self, write: bool, job: F) -> Result<(WorkerHandle<T>, Option<Lock>)>
    where
        T: serde::Serialize + serde::de::DeserializeOwned,
        F: FnOnce(Root) -> Result<T>,
    {
        let mut me = self.clone();
        let lock = match me.state.is_alive() {
            false if write => me.lock_to_copy()?,
            _ => None,
        };
        if me.state.is_elsewhere() {
            return Err(me.elsewhere("copy files of"));
        }
        let single = me.record.ids.is_single();
        if let Some(init) = me.state.open_init().filter(|_| me.state.is_alive()) {
            let started = worker::start_beside(init.as_fd(), single, || {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let root = open("/", flags, Mode::empty()).tried(|| "open the container's root")?;
                job(Root::Within(root))
            });
            return Ok((started?, lock));
        }
        let assembly = me.assembly(write)?;
        let started = worker::start(&me.record.ids, WorkerOpts { mounts: true }, || {
            job(Root::Within(assembly.open()?))
        });
        Ok((started?, lock))
    }

    fn assembly(&self, write: bool) -> Result<Assembly> {
        let record = &self.record;
        let mut tree = self.tree();
        let directory = record.request.rootfs.clone();
        let writable = self.writable().filter(|_| write);
        let mut layers = std::mem::take(&mut tree.layers);
        if let (None, None, Some(upper)) = (&directory, &writable, tree.upper) {
            layers.insert(0, upper);
        }
        make_dir(&self.run_dir())?;
        Ok(Assembly {
            layers,
            writable,
            directory,
            bound: self.bound(record)?,
            place: self.run_dir(),
        })
    }

    /// Volumes and binds; what is no file or directory of the host any more is left out.
    fn bound(&self, record: &Record) -> Result<Vec<Bound>> {
        let mut bound = Vec::new();
        for volume in &record.volumes {
            bound.push(Bound {
                source: self.engine.volumes().source(&volume.name)?,
                target: volume.target.clone(),
                read_only: volume.options.read_only || volume.options.overlay,
            });
        }
        for mount in &record.request.mounts {
            if let MountRequest::Bind {
                source,
                target,
                options,
            } = mount
            {
                bound.push(Bound {
                    source: source.clone(),
                    target: super::merge::clean_target(target).unwrap_or_else(|| target.clone()),
                    read_only: options.read_only || options.overlay,
                });
            }
        }
        bound.retain(|one| std::fs::metadata(&one.source).is_ok());
        Ok(bound)
    }

    /// Keeps others from starting or removing it. `None`: it runs by now.
    fn lock_to_copy(&mut self) -> Result<Option<Lock>> {
        make_dir(&self.run_dir())?;
        let lock = Lock::exclusive(&self.run_dir().join("copying"))?;
        let give_up = Instant::now() + BUSY;
        let lock_path = self.engine.lock_path(&self.record.id);
        let mut news = None;
        loop {
            if !self.refresh()? {
                return Err(super::engine::no_such(&self.record.name));
            }
            if self.state.is_alive() {
                return Ok(None);
            }
            // Whoever takes it from now on sees ours.
            if !Lock::is_held(&lock_path)? {
                return Ok(Some(lock));
            }
            if Instant::now() >= give_up {
                return Err(Error::new(
                    Kind::InUse,
                    format!(
                        "copy to container {}: another command works on it",
                        self.name()
                    ),
                ));
            }
            match &news {
                None => news = Some(self.news()?),
                Some(news) => news.wait_for_lock(&lock_path, give_up)?,
            }
        }
    }

    /// Waits for copies into the container, which does not run and whose lock is held. Nearly always there are none.
    pub(super) fn await_copies(&self) -> Result<()> {
        let path = self.run_dir().join("copying");
        if rustix::fs::access(&path, rustix::fs::Access::EXISTS).is_ok() {
            drop(Lock::exclusive(&path)?);
        }
        Ok(())
    }
}

/// The remedy where a container is another namespace's.
pub(super) fn entered(err: Error) -> Error {
    match err.errno() == Some(nix::errno::Errno::EPERM) && inside::around().is_some() {
        true => err
            .hint("a container that was started outside of unshare can be entered from there only"),
        false => err,
    }
}
