//! One record: read whole, replaced whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use rustix::fs::{Mode, OFlags};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Durable;
use crate::error::{Error, Kind, Result, Tried};

/// Replaces the record at `path`: a reader sees the old one or the new one, never part of either.
///
/// The file is 0600. What a failure leaves is the old record, and no temporary file.
pub fn save<T: Serialize>(path: &Path, record: &T, durable: Durable) -> Result<()> {
    let tried = || format!("write record \"{}\"", path.display());
    let mut text = serde_json::to_vec(record)
        .map_err(|err| Error::new(Kind::System, format!("{}: {err}", tried())))?;
    text.push(b'\n');
    replace(path, &text, durable, tried)
}

/// As [`save`]; where the file system has no room for another file, the new text goes over the old one.
///
/// That is not atomic for a machine that loses power meanwhile. It is for everybody else: the text is one write within
/// the first page of a file that is there already. A record that would not fit keeps the old one, and fails.
pub fn save_or_overwrite<T: Serialize>(path: &Path, record: &T) -> Result<()> {
    let err = match save(path, record, Durable::No) {
        Err(err) if err.kind() == Kind::NoSpace => err,
        done => return done,
    };
    let text = serde_json::to_vec(record).map_err(|_| err.clone())?;
    match overwrite(path, text) {
        Ok(()) => Ok(()),
        Err(_) => Err(err),
    }
}

fn overwrite(path: &Path, mut text: Vec<u8>) -> io::Result<()> {
    const PAGE: usize = 4096;
    let file = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    let old = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if old == 0 || old > PAGE || text.len() > PAGE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    text.resize(text.len().max(old), b' '); // blanks end a record as well as nothing
    file.write_all_at(&text, 0)
}

/// Replaces a file of any kind, as [`save`] does.
pub fn replace(
    path: &Path,
    text: &[u8],
    durable: Durable,
    tried: impl FnOnce() -> String,
) -> Result<()> {
    let temporary = temporary_beside(path)?;
    let done = write_and_rename(&temporary, path, text, durable);
    if done.is_err() {
        // The write has failed and is reported; a temporary that cannot be removed either is never read.
        let _ = fs::remove_file(&temporary);
    }
    done.tried(tried)
}

fn write_and_rename(
    temporary: &Path,
    path: &Path,
    text: &[u8],
    durable: Durable,
) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(temporary)?;
    file.write_all(text)?;
    if durable == Durable::Yes {
        file.sync_data()?;
    }
    fs::rename(temporary, path)?;
    if durable == Durable::Yes {
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// Reads the record at `path`; `None` when there is no such file.
///
/// A file that is torn, of another shape, or no file at all is [`Kind::Corrupt`] and names the path.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let tried = || format!("read record \"{}\"", path.display());
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(err) => {
            return match err.raw_os_error().map(Errno::from_raw) {
                Some(Errno::ENOENT) => Ok(None),
                Some(Errno::EISDIR | Errno::ELOOP) => {
                    Err(Error::io(&err, tried()).with_kind(Kind::Corrupt))
                }
                _ => Err(Error::io(&err, tried())),
            };
        }
    };
    parse(&text, tried)
}

fn parse<T: DeserializeOwned>(text: &[u8], tried: impl Fn() -> String) -> Result<Option<T>> {
    serde_json::from_slice(text).map(Some).map_err(|err| {
        Error::new(
            Kind::Corrupt,
            format!("{}: not a record this version understands: {err}", tried()),
        )
    })
}

/// An open directory, for reading many records below it: three system calls each, and one buffer for all.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    dir: OwnedFd,
    buffer: Vec<u8>,
}

impl Folder {
    /// `None`: there is no such directory.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(dir) => Ok(Some(Self {
                path: path.to_path_buf(),
                dir,
                buffer: vec![0; 16 << 10],
            })),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno).tried(|| format!("open \"{}\"", path.display())),
        }
    }

    /// As [`load`], of the record `name` below.
    pub fn load<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>> {
        let Self { path, dir, buffer } = self;
        let tried = || format!("read record \"{}\"", path.join(name).display());
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&*dir, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP) => {
                return Err(rustix::io::Errno::LOOP)
                    .tried(tried)
                    .map_err(|err: Error| err.with_kind(Kind::Corrupt));
            }
            Err(errno) => return Err(errno).tried(tried),
        };
        let mut len = 0;
        loop {
            match rustix::io::read(&file, &mut buffer[len..]) {
                // Less than there was room for: the end of a file, which nobody writes to.
                Ok(got) if got < buffer.len() - len => {
                    len += got;
                    break;
                }
                Ok(got) => {
                    len += got;
                    buffer.resize(buffer.len() * 2, 0);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::ISDIR) => {
                    return Err(rustix::io::Errno::ISDIR)
                        .tried(tried)
                        .map_err(|err: Error| err.with_kind(Kind::Corrupt));
                }
                Err(errno) => return Err(errno).tried(tried),
            }
        }
        parse(&buffer[..len], tried)
    }
}

/// Tells whether `name` is a record that was being written when its writer died.
pub fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".tmp")
}

fn temporary_beside(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str());
    let Some(name) = name else {
        let text = format!("write record \"{}\": not a file name", path.display());
        return Err(Error::new(Kind::System, text));
    };
    Ok(path.with_file_name(format!(".{name}.{}.tmp", std::process::id())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use serde::Deserialize;

    use super::*;
    use crate::state::tests::TestDir;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        version: u32,
        name: String,
    }

    fn sample(name: &str) -> Sample {
        Sample {
            version: 1,
            name: name.into(),
        }
    }

    #[test]
    fn a_record_comes_back_as_it_was_saved() {
        let dir = TestDir::new();
        let path = dir.join("a.json");
        assert_eq!(load::<Sample>(&path).unwrap(), None);
        for (name, durable) in [("first", Durable::Yes), ("second", Durable::No)] {
            save(&path, &sample(name), durable).unwrap();
            assert_eq!(load::<Sample>(&path).unwrap(), Some(sample(name)));
        }
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_record_is_named() {
        let dir = TestDir::new();
        let path = dir.join("a.json");
        for text in ["", "{\"version\":1,\"na", "[]", "\0\0\0"] {
            fs::write(&path, text).unwrap();
            let err = load::<Sample>(&path).unwrap_err();
            assert_eq!(err.kind(), Kind::Corrupt, "{text:?}");
            assert!(err.to_string().contains("a.json"), "{err}");
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(load::<Sample>(&path).unwrap_err().kind(), Kind::Corrupt);
    }

    #[test]
    fn a_failed_save_leaves_the_old_record_and_nothing_else() {
        let dir = TestDir::new();
        let path = dir.join("a.json");
        fs::create_dir(&path).unwrap(); // rename over a directory fails after the temporary was written
        let err = save(&path, &sample("x"), Durable::No).unwrap_err();
        assert!(
            err.to_string()
                .starts_with(&format!("write record \"{}\"", path.display()))
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_record_goes_over_the_old_one_where_nothing_else_fits() {
        let dir = TestDir::new();
        let path = dir.join("a.json");
        for (old, new) in [("a longer name", "short"), ("short", "a longer name")] {
            save(&path, &sample(old), Durable::No).unwrap();
            overwrite(&path, serde_json::to_vec(&sample(new)).unwrap()).unwrap();
            assert_eq!(load::<Sample>(&path).unwrap(), Some(sample(new)));
        }
        overwrite(&path, vec![b'x'; 5000]).unwrap_err();
        overwrite(&dir.join("absent"), vec![b'x']).unwrap_err();
        assert_eq!(
            load::<Sample>(&path).unwrap(),
            Some(sample("a longer name"))
        );
    }

    #[test]
    fn temporaries_are_told_from_records() {
        let cases = [
            (".a.json.12.tmp", true),
            ("a.json", false),
            (".tmp", true),
            ("a.tmp", false),
        ];
        for (name, want) in cases {
            assert_eq!(is_temporary(name), want, "{name}");
        }
    }
}
