//! storage.conf(5): where images and containers are kept.
//!
//!     /usr/share/containers/storage.conf, /etc/containers/storage.conf: the latter replaces the former
//!     $XDG_CONFIG_HOME/containers/storage.conf: laid over it
//!     $CONTAINERS_STORAGE_CONF: replaces all of these
//!
//! The format of our store is our own, so it is never put into Podman's directory itself: `graphroot = DIR` moves it
//! to `DIR/pod`, `imagestore = DIR` the images alone, `runroot = DIR` moves the runtime state to `DIR/pod`. A value that only repeats Podman's default moves
//! nothing. `graphroot` and `runroot` of the system's files are root's and do not count; `rootless_storage_path` does.

use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::rootless::dirs;
use crate::rootless::identity::Identity;

use super::files;
use super::table::{Section, parse};

/// What the files say, for a user without root's rights.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Storage {
    /// Directory of our store, when some file moves it.
    pub store: Option<PathBuf>,
    /// Directory of Podman's own store, when some file moves it.
    pub podman: Option<PathBuf>,
    /// Directory of our runtime state, when some file moves it.
    pub run: Option<PathBuf>,
    /// `overlay`, `vfs`, …
    pub driver: Option<String>,
    /// Directory of our images, when some file puts them apart from containers.
    pub images: Option<PathBuf>,
    /// Read-only stores below ours.
    pub additional_image_stores: Vec<PathBuf>,
    /// The file that counted last, for `info`.
    pub file: Option<PathBuf>,
}

impl Storage {
    pub fn load(me: &Identity) -> Result<Self> {
        let mut found = Self::default();
        let home = Home::of(me);
        if let Some(file) =
            std::env::var_os("CONTAINERS_STORAGE_CONF").filter(|path| !path.is_empty())
        {
            let file = PathBuf::from(file);
            found.apply(&files::must_read(&file)?, &file, Whose::Users, &home)?;
            return found.checked();
        }
        let places = files::places(me);
        let (system, user) = places.split_at(places.len().min(2));
        for place in system.iter().rev() {
            let file = place.join("storage.conf");
            if let Some(text) = files::read(&file)? {
                found.apply(&text, &file, Whose::Systems, &home)?;
                break;
            }
        }
        for place in user {
            let file = place.join("storage.conf");
            if let Some(text) = files::read(&file)? {
                found.apply(&text, &file, Whose::Users, &home)?;
            }
        }
        found.checked()
    }

    /// Refuses what our store cannot be.
    fn checked(self) -> Result<Self> {
        if let Some(driver) = &self.driver
            && !matches!(driver.as_str(), "overlay" | "overlay2")
        {
            let message = format!(
                "use driver = {driver:?} of storage.conf: overlay is the only driver in this version of pod"
            );
            return Err(Error::new(Kind::Unsupported, message));
        }
        Ok(self)
    }

    fn apply(&mut self, text: &str, file: &Path, whose: Whose, home: &Home) -> Result<()> {
        let name = file.display().to_string();
        let table = parse(text, &name)?;
        let storage = Section::of(&table, "storage", &name)?;
        let options = Section::of(&table, "storage.options", &name)?;
        let path = |value: Option<String>| {
            value
                .map(|text| PathBuf::from(files::expand(&text, &|name| home.variable(name))))
                .filter(|path| path.is_absolute())
        };
        let rootless = path(storage.string("rootless_storage_path")?);
        let graphroot = path(storage.string("graphroot")?).filter(|_| whose == Whose::Users);
        let runroot = path(storage.string("runroot")?).filter(|_| whose == Whose::Users);
        if let Some(root) = graphroot.or(rootless) {
            let moved = root != home.podman_graphroot;
            self.store = moved.then(|| root.join("pod"));
            self.podman = moved.then_some(root);
        }
        if let Some(run) = runroot {
            self.run = (run != home.podman_runroot).then(|| run.join("pod"));
        }
        if let Some(images) = path(storage.string("imagestore")?) {
            self.images = Some(images.join("pod"));
        }
        if let Some(driver) = storage
            .string("driver")?
            .filter(|driver| !driver.is_empty())
        {
            self.driver = Some(driver);
        }
        if let Some(stores) = options.list("additionalimagestores")? {
            let stores = stores.items.into_iter().filter(|store| !store.is_empty());
            let expand = |text: String| files::expand(&text, &|name| home.variable(name)).into();
            self.additional_image_stores = stores.map(expand).collect();
        }
        self.file = Some(file.to_owned());
        Ok(())
    }
}

/// The directories that `--storage-opt` or `STORAGE_OPTS` names: `[overlay.]additionalimagestore=DIR[,DIR…]`, of which
/// `imagestore` is the older spelling. Other options are about drivers that this program does not have.
pub fn image_stores_of(option: &str) -> Result<Vec<PathBuf>> {
    let refused = |kind, why: &str| {
        let text = format!("use the storage option \"{option}\": {why}");
        Error::new(kind, text)
    };
    let (key, value) = option
        .split_once('=')
        .ok_or_else(|| refused(Kind::Usage, "it is not of the form KEY=VALUE"))?;
    let key = ["overlay.", "overlay2.", "."]
        .iter()
        .find_map(|driver| key.strip_prefix(driver))
        .unwrap_or(key);
    match key {
        "additionalimagestore" | "additionalimagestores" | "imagestore" => {}
        _ => {
            return Err(refused(
                Kind::Unsupported,
                "only additionalimagestore is available in this version of pod",
            ));
        }
    }
    value
        .split(',')
        .filter(|dir| !dir.is_empty())
        .map(|dir| match Path::new(dir).is_absolute() {
            true => Ok(PathBuf::from(dir)),
            false => Err(refused(Kind::Usage, "the path is not absolute")),
        })
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Systems,
    Users,
}

/// What paths in the file may refer to.
#[derive(Debug)]
struct Home {
    uid: u32,
    home: String,
    podman_graphroot: PathBuf,
    podman_runroot: PathBuf,
}

impl Home {
    fn of(me: &Identity) -> Self {
        let uid = me.uid.as_raw();
        let run =
            dirs::xdg_runtime_dir(me.uid).unwrap_or_else(|| format!("/run/user/{uid}").into());
        Self {
            uid,
            home: me
                .home()
                .map(|home| home.display().to_string())
                .unwrap_or_default(),
            podman_graphroot: dirs::data_home(me)
                .map(|dir| dir.join("containers/storage"))
                .unwrap_or_default(),
            podman_runroot: run.join("containers"),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "HOME" => Some(self.home.clone()),
            "UID" => Some(self.uid.to_string()),
            _ => std::env::var(name).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(texts: &[(Whose, &str)]) -> Storage {
        let home = Home {
            uid: 1000,
            home: "/home/alice".into(),
            podman_graphroot: "/home/alice/.local/share/containers/storage".into(),
            podman_runroot: "/run/user/1000/containers".into(),
        };
        let mut found = Storage::default();
        for (whose, text) in texts {
            found
                .apply(text, Path::new("/x/storage.conf"), *whose, &home)
                .expect("apply");
        }
        found
    }

    #[test]
    fn graphroot_moves_the_store_below_it() {
        use Whose::{Systems, Users};
        let table: [(&[(Whose, &str)], Option<&str>, Option<&str>); 5] = [
            (
                &[(
                    Systems,
                    "[storage]\ngraphroot=\"/var/lib/containers/storage\"\nrunroot=\"/run/c\"",
                )],
                None,
                None,
            ),
            (
                &[(
                    Systems,
                    "[storage]\nrootless_storage_path=\"/scratch/$UID/s\"",
                )],
                Some("/scratch/1000/s/pod"),
                None,
            ),
            (
                &[
                    (Systems, "[storage]\nrootless_storage_path=\"/a\""),
                    (
                        Users,
                        "[storage]\ngraphroot=\"$HOME/c\"\nrunroot=\"/tmp/r\"",
                    ),
                ],
                Some("/home/alice/c/pod"),
                Some("/tmp/r/pod"),
            ),
            (
                &[(
                    Users,
                    "[storage]\ngraphroot=\"$HOME/.local/share/containers/storage\"\nrunroot=\"/run/user/1000/containers\"",
                )],
                None,
                None,
            ),
            (&[(Users, "[storage]\ngraphroot=\"\"")], None, None),
        ];
        for (texts, store, run) in table {
            let found = applied(texts);
            assert_eq!(found.store.as_deref(), store.map(Path::new), "{texts:?}");
            assert_eq!(found.run.as_deref(), run.map(Path::new), "{texts:?}");
        }
    }

    #[test]
    fn options_name_stores() {
        let dirs = |all: &[&str]| Some(all.iter().map(PathBuf::from).collect::<Vec<_>>());
        for (option, want) in [
            ("additionalimagestore=/a", dirs(&["/a"])),
            ("overlay.imagestore=/a,/b", dirs(&["/a", "/b"])),
            (".additionalimagestores=/a", dirs(&["/a"])),
            ("imagestore=", dirs(&[])),
            ("imagestore=a", None),
            ("imagestore", None),
            ("overlay.mount_program=/usr/bin/fuse-overlayfs", None),
            ("size=1G", None),
        ] {
            assert_eq!(image_stores_of(option).ok(), want, "{option}");
        }
    }

    #[test]
    fn driver_and_additional_stores() {
        let found = applied(&[(
            Whose::Users,
            "[storage]\ndriver=\"overlay\"\n[storage.options]\nadditionalimagestores=[\"/shared/store\"]\n[storage.options.overlay]\nmountopt=\"nodev\"",
        )]);
        assert_eq!(found.driver.as_deref(), Some("overlay"));
        assert_eq!(
            found.additional_image_stores,
            [PathBuf::from("/shared/store")]
        );
        let cases = [
            ("driver=\"overlay\"", None),
            ("driver=\"\"", None),
            ("[storage.options]\nadditionalimagestores=[]", None),
            (
                "driver=\"vfs\"",
                Some(
                    "use driver = \"vfs\" of storage.conf: overlay is the only driver in this version of pod",
                ),
            ),
            ("[storage.options]\nadditionalimagestores=[\"/a\"]", None),
        ];
        for (text, want) in cases {
            let checked = applied(&[(Whose::Users, &format!("[storage]\n{text}"))]).checked();
            let refused = checked.err().map(|err| err.to_string());
            assert_eq!(refused.as_deref(), want, "{text}");
        }
    }
}
