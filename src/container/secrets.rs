//! The secrets of a container: named in its record, looked up at each start, kept nowhere.

use crate::error::{Error, Kind, Result};
use crate::runtime::SecretFile;
use crate::runtime::files::SECRETS;
use crate::secret::Secrets;

use super::engine::Containers;
use super::merge::clean_target;
use super::record::Record;
use super::request::{CreateRequest, SecretTarget};
use super::spec::mount_target;

impl Containers {
    pub fn secrets(&self) -> Secrets {
        Secrets::new(&self.dirs.store)
    }

    /// What can be told to fail before anything is made.
    pub(super) fn check_secrets(&self, request: &CreateRequest) -> Result<()> {
        let mut places: Vec<String> = Vec::new();
        for asked in &request.secrets {
            self.secrets().find(&asked.name)?;
            let SecretTarget::File { target, .. } = &asked.to else {
                continue;
            };
            let place = match target.starts_with('/') {
                true => clean_target(target),
                false => clean_target(&format!("{SECRETS}/{target}")),
            };
            let place = place.filter(|place| place != SECRETS).ok_or_else(|| {
                Error::usage(format!("secret {:?}: {target:?} is no file", asked.name))
            })?;
            let taken = places.contains(&place)
                || request
                    .mounts
                    .iter()
                    .any(|m| mount_target(m) == Some(place.clone()));
            if taken {
                return Err(Error::usage(format!(
                    "{place}: duplicate mount destination"
                )));
            }
            places.push(place);
        }
        let covered = |m| mount_target(m).as_deref() == Some(SECRETS);
        if !places.is_empty() && request.mounts.iter().any(covered) {
            return Err(Error::usage(format!(
                "{SECRETS}: a mount and secrets cannot be at the same place"
            ))
            .hint("give the secrets another place with target=/PATH"));
        }
        Ok(())
    }

    /// Variables, as `NAME=value`.
    pub(super) fn secret_env(&self, record: &Record) -> Result<Vec<(String, String)>> {
        let mut variables = Vec::new();
        for asked in &record.request.secrets {
            if let SecretTarget::Env(variable) = &asked.to {
                let (_, data) = self.secrets().read(&asked.name)?;
                let value = String::from_utf8(data).ok().filter(|v| !v.contains('\0'));
                let value = value.ok_or_else(|| {
                    Error::new(
                        Kind::Usage,
                        format!(
                            "use secret {:?} as the variable {variable}: it is not text",
                            asked.name
                        ),
                    )
                    .hint("mount it: type=mount")
                })?;
                variables.push((variable.clone(), value));
            }
        }
        Ok(variables)
    }

    /// Files, with what is in them.
    pub(super) fn secret_files(&self, record: &Record) -> Result<Vec<SecretFile>> {
        let mut files = Vec::new();
        for asked in &record.request.secrets {
            if let SecretTarget::File {
                target,
                uid,
                gid,
                mode,
            } = &asked.to
            {
                files.push(SecretFile {
                    target: target.clone(),
                    uid: *uid,
                    gid: *gid,
                    mode: *mode,
                    data: self.secrets().read(&asked.name)?.1,
                });
            }
        }
        Ok(files)
    }
}
