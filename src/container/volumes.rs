//! The volumes of a container: made with it, filled before its first start, found again at each.

use crate::error::{Error, Kind, Result};
use crate::volume::{Image, NewVolume, Volume, Volumes, Wanted};

use super::clock;
use super::engine::Containers;
use super::events::{Action, Event};
use super::record::Record;

impl Containers {
    pub fn volumes(&self) -> Volumes {
        Volumes::new(&self.dirs.store)
    }

    /// Full ids of the containers that mount a volume.
    pub fn volume_users(&self, volume: &str) -> Result<Vec<String>> {
        let mut users = Vec::new();
        for id in self.ids()? {
            let record = self.load_record(&id)?;
            let mounts = |record: Record| record.volumes.iter().any(|v| v.name == volume);
            if record.is_some_and(mounts) {
                users.push(id);
            }
        }
        Ok(users)
    }

    pub(super) fn volume(&self, name: &str) -> Result<Volume> {
        self.volumes().get(name)?.ok_or_else(|| {
            Error::new(
                Kind::State,
                format!("mount volume {name}: no such volume; it was removed behind the container's back"),
            )
        })
    }

    /// Makes the volumes that are not there, and fills those nobody has used.
    pub(super) fn make_volumes(&self, record: &Record) -> Result<()> {
        if record.volumes.is_empty() {
            return Ok(());
        }
        let volumes = self.volumes();
        let mut wanted = Vec::with_capacity(record.volumes.len());
        for mounted in &record.volumes {
            let new = || NewVolume {
                anonymous_of: mounted.anonymous.then(|| record.id.clone()),
                ..NewVolume::default()
            };
            let volume = match volumes.get(&mounted.name)? {
                Some(volume) => volume,
                None => match volumes.create(&mounted.name, new(), clock::now()) {
                    // Another container was faster.
                    Err(err) if err.kind() == Kind::InUse => self.volume(&mounted.name)?,
                    made => {
                        let made = made?;
                        self.emit(&Event::volume(Action::Create, &mounted.name));
                        made
                    }
                },
            };
            // It stays when the container goes that it was made for: now it is somebody else's too.
            if volume
                .record
                .container
                .as_ref()
                .is_some_and(|of| *of != record.id)
            {
                volumes.keep(&mounted.name)?;
            }
            wanted.push(Wanted {
                volume,
                target: mounted.target.clone(),
                copy: mounted.copy,
            });
        }
        volumes.fill(
            &wanted,
            &Image {
                layers: &record.layers,
                ids: &record.ids,
                owner: owner(&record.process.user),
            },
        )
    }

    /// They are all still there. Under the lock that whoever removes one needs, they stay.
    pub(super) fn check_volumes(&self, record: &Record) -> Result<()> {
        for mounted in &record.volumes {
            self.volume(&mounted.name)?;
        }
        Ok(())
    }
}

/// Ids of a user given by number. A name is looked up inside the container only: its volumes begin as root's.
fn owner(user: &str) -> (u32, u32) {
    let (uid, gid) = user.split_once(':').unwrap_or((user, ""));
    let uid: u32 = uid.parse().unwrap_or(0);
    (uid, gid.parse().unwrap_or(uid))
}
