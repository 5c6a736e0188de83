//! Runs in: worker. A look at the program of a container in its tree: what would keep the kernel from executing it.
//!
//! Every path is resolved beneath the tree's root (`openat2(2)`, `RESOLVE_IN_ROOT`). Nothing is executed.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::elf::{self, Elf};

/// Where the kernel gives up following interpreters.
const MAX_DEPTH: u32 = 5;
/// Libraries looked at, and entries of a directory.
const MAX_LIBRARIES: usize = 200;
const MAX_NAMES: usize = 20_000;
const MAX_SMALL_FILE: usize = 64 * 1024;

/// What the container wants to run, and as whom.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub program: String,
    /// `PATH` of the container.
    pub path: String,
    pub library_path: String,
    pub cwd: String,
    /// As `--user` has it.
    pub user: String,
    /// Places that are mounted over the tree, whose content is not known here.
    pub covered: Vec<String>,
}

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum Fault {
    NoCommand {
        nearest: Option<String>,
        shells: Vec<String>,
    },
    NoFile {
        nearest: Option<String>,
    },
    Directory,
    NotExecutable {
        path: String,
    },
    Empty {
        path: String,
    },
    NoInterpreter {
        path: String,
        interpreter: String,
    },
    CarriageReturn {
        path: String,
        interpreter: String,
    },
    NoShebang {
        path: String,
    },
    ByteOrderMark {
        path: String,
    },
    OtherSystem {
        path: String,
        kind: String,
    },
    Unknown {
        path: String,
    },
    WrongMachine {
        path: String,
        machine: String,
    },
    NoLoader {
        path: String,
        loader: String,
        musl: bool,
    },
    NoLibrary {
        path: String,
        library: String,
        wanted_by: String,
    },
    NoWorkdir {
        cwd: String,
    },
    NoUser {
        user: String,
        nearest: Option<String>,
    },
}

/// A container's tree.
pub struct Look<'a> {
    root: BorrowedFd<'a>,
    wanted: &'a Wanted,
}

/// `None`: nothing is wrong that can be seen from outside.
pub fn examine(root: &OwnedFd, wanted: &Wanted) -> Option<Fault> {
    let look = Look {
        root: root.as_fd(),
        wanted,
    };
    look.workdir()
        .or_else(|| look.user())
        .or_else(|| look.program())
}

impl Look<'_> {
    fn workdir(&self) -> Option<Fault> {
        let cwd = &self.wanted.cwd;
        if self.is_covered(cwd) {
            return None;
        }
        match self.open(cwd, OFlags::PATH) {
            Err(Errno::NOENT | Errno::NOTDIR) => Some(Fault::NoWorkdir { cwd: cwd.clone() }),
            _ => None,
        }
    }

    fn user(&self) -> Option<Fault> {
        let user = self.wanted.user.split(':').next().unwrap_or_default();
        if user.is_empty() || user.bytes().all(|b| b.is_ascii_digit()) || user == "root" {
            return None;
        }
        let passwd = self.small_file("/etc/passwd").unwrap_or_default();
        let text = String::from_utf8_lossy(&passwd);
        let mut names: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split(':').next())
            .collect();
        if names.contains(&user) {
            return None;
        }
        names.sort_unstable();
        Some(Fault::NoUser {
            user: user.to_owned(),
            nearest: nearest(user, names.into_iter()),
        })
    }

    fn program(&self) -> Option<Fault> {
        let name = self.wanted.program.as_str();
        if name.is_empty() {
            return None;
        }
        let found = match name.contains('/') {
            true => {
                let path = self.absolute(name);
                if self.is_covered(&path) {
                    return None;
                }
                match self.open(&path, OFlags::PATH) {
                    Ok(_) => path,
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                        let (dir, base) = path.rsplit_once('/').unwrap_or(("", &path));
                        let names = self.names(dir);
                        let nearest = nearest(base, names.iter().map(String::as_str));
                        return Some(Fault::NoFile {
                            nearest: nearest
                                .map(|near| format!("{dir}/{near}"))
                                .or_else(|| self.in_path(base)),
                        });
                    }
                    Err(_) => return None,
                }
            }
            false => match self.in_path(name) {
                Some(path) => path,
                None if self.directories().any(|dir| self.is_covered(&dir)) => return None,
                None => {
                    let names: BTreeSet<String> = self
                        .directories()
                        .flat_map(|dir| self.names(&dir))
                        .collect();
                    let shells = ["bash", "sh", "ash"]
                        .into_iter()
                        .filter(|shell| names.contains(*shell))
                        .map(str::to_owned);
                    return Some(Fault::NoCommand {
                        nearest: nearest(name, names.iter().map(String::as_str)),
                        shells: shells.collect(),
                    });
                }
            },
        };
        self.file(&found, 0)
    }

    /// What is wrong with the file at `path`, which exists.
    fn file(&self, path: &str, depth: u32) -> Option<Fault> {
        let shown = path.to_owned();
        let opened = self.open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY);
        let file = File::from(opened.ok()?);
        let meta = file.metadata().ok()?;
        if meta.is_dir() {
            return Some(Fault::Directory);
        }
        if !meta.is_file() || meta.mode() & 0o111 == 0 {
            return Some(Fault::NotExecutable { path: shown });
        }
        if meta.len() == 0 {
            return Some(Fault::Empty { path: shown });
        }
        let mut head = [0u8; 256];
        let len = file.read_at(&mut head, 0).ok()?;
        let head = &head[..len];
        if let Some(line) = head.strip_prefix(b"#!") {
            return self.script(path, line, depth);
        }
        if let Some(elf) = elf::read(&file) {
            return self.elf(path, &elf);
        }
        Some(match head {
            [0xef, 0xbb, 0xbf, b'#', b'!', ..] => Fault::ByteOrderMark { path: shown },
            [b'M', b'Z', ..] => Fault::OtherSystem {
                path: shown,
                kind: "Windows".to_owned(),
            },
            [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => {
                Fault::OtherSystem {
                    path: shown,
                    kind: "macOS".to_owned(),
                }
            }
            text if text
                .iter()
                .all(|b| matches!(b, b'\t'..=b'\r' | b' '..=b'~' | 0x80..)) =>
            {
                Fault::NoShebang { path: shown }
            }
            _ => Fault::Unknown { path: shown },
        })
    }

    fn script(&self, path: &str, line: &[u8], depth: u32) -> Option<Fault> {
        let line = line.split(|&b| b == b'\n').next().unwrap_or_default();
        let text = String::from_utf8_lossy(line);
        let mut words = text.trim_start_matches([' ', '\t']).split([' ', '\t']);
        let interpreter = words.next().unwrap_or_default().to_owned();
        if let Some(name) = text.strip_suffix('\r') {
            return Some(Fault::CarriageReturn {
                path: path.to_owned(),
                interpreter: name.trim_start().to_owned(),
            });
        }
        let inside = self.absolute(&interpreter);
        if self.is_covered(&inside) {
            return None;
        }
        if self.open(&inside, OFlags::PATH).is_err() {
            return Some(Fault::NoInterpreter {
                path: path.to_owned(),
                interpreter,
            });
        }
        // `#!/usr/bin/env python3`: what env would look for.
        let behind =
            words.find(|word| !word.is_empty() && !word.starts_with('-') && !word.contains('='));
        if interpreter.ends_with("/env")
            && let Some(program) = behind.filter(|program| !program.contains('/'))
            && self.in_path(program).is_none()
        {
            return Some(Fault::NoInterpreter {
                path: path.to_owned(),
                interpreter: program.to_owned(),
            });
        }
        match depth < MAX_DEPTH {
            true => self.file(&inside, depth + 1),
            false => None,
        }
    }

    fn elf(&self, path: &str, elf: &Elf) -> Option<Fault> {
        if !elf::is_of_this_host(elf.machine) {
            return Some(Fault::WrongMachine {
                path: path.to_owned(),
                machine: elf::machine_name(elf.machine),
            });
        }
        let loader = elf.interpreter.as_ref()?;
        if self.is_covered(loader) {
            return None;
        }
        if self.open(loader, OFlags::PATH).is_err() {
            return Some(Fault::NoLoader {
                path: path.to_owned(),
                musl: loader.contains("ld-musl"),
                loader: loader.clone(),
            });
        }
        self.libraries(path, elf)
    }

    /// Looks for all libraries as ld.so does, less its cache.
    fn libraries(&self, path: &str, elf: &Elf) -> Option<Fault> {
        let standard = self.library_directories(elf);
        let mut seen = BTreeSet::new();
        let mut todo = vec![(path.to_owned(), elf.clone())];
        while let Some((by, elf)) = todo.pop() {
            let origin = by.rsplit_once('/').map_or("", |(dir, _)| dir).to_owned();
            for library in elf.needed {
                if seen.len() >= MAX_LIBRARIES || !seen.insert(library.clone()) {
                    continue;
                }
                let own = elf.paths.iter().map(|dir| {
                    dir.replace("$ORIGIN", &origin)
                        .replace("${ORIGIN}", &origin)
                });
                let places: Vec<String> = match library.contains('/') {
                    true => vec![library.clone()],
                    false => own
                        .chain(standard.iter().cloned())
                        .map(|dir| format!("{dir}/{library}"))
                        .collect(),
                };
                if places.iter().any(|place| self.is_covered(place)) {
                    continue;
                }
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
                let found = places
                    .iter()
                    .find_map(|place| Some((place.clone(), self.open(place, flags).ok()?)));
                match found {
                    None => {
                        return Some(Fault::NoLibrary {
                            path: path.to_owned(),
                            library,
                            wanted_by: by,
                        });
                    }
                    Some((place, file)) => {
                        if let Some(elf) = elf::read(&File::from(file)) {
                            todo.push((place, elf));
                        }
                    }
                }
            }
        }
        None
    }

    fn library_directories(&self, elf: &Elf) -> Vec<String> {
        let mut dirs: Vec<String> = self
            .wanted
            .library_path
            .split(':')
            .filter(|dir| !dir.is_empty())
            .map(str::to_owned)
            .collect();
        let musl = elf
            .interpreter
            .as_deref()
            .unwrap_or_default()
            .contains("musl");
        if musl {
            for name in self.names("/etc") {
                if name.starts_with("ld-musl-") && name.ends_with(".path") {
                    let text = self.small_file(&format!("/etc/{name}")).unwrap_or_default();
                    let text = String::from_utf8_lossy(&text).into_owned();
                    dirs.extend(text.split(['\n', ':']).map(str::to_owned));
                }
            }
            dirs.extend(["/lib", "/usr/local/lib", "/usr/lib"].map(str::to_owned));
        } else {
            let mut files = vec!["/etc/ld.so.conf".to_owned()];
            let more = self.names("/etc/ld.so.conf.d");
            files.extend(more.iter().map(|name| format!("/etc/ld.so.conf.d/{name}")));
            for file in files {
                let text = self.small_file(&file).unwrap_or_default();
                let text = String::from_utf8_lossy(&text).into_owned();
                let lines = text.lines().map(str::trim);
                dirs.extend(
                    lines
                        .filter(|line| line.starts_with('/'))
                        .map(str::to_owned),
                );
            }
            let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
            for dir in ["/lib", "/usr/lib"] {
                let bits = if elf.is_64 { "64" } else { "32" };
                dirs.push(format!("{dir}/{triplet}"));
                dirs.push(format!("{dir}{bits}"));
                dirs.push(dir.to_owned());
                if !elf.is_64 {
                    dirs.push(format!("{dir}/i386-linux-gnu"));
                }
            }
        }
        dirs.retain(|dir| dir.starts_with('/'));
        dirs
    }

    fn directories(&self) -> impl Iterator<Item = String> {
        let dirs = self.wanted.path.split(':').filter(|dir| !dir.is_empty());
        dirs.map(|dir| self.absolute(dir))
    }

    fn in_path(&self, name: &str) -> Option<String> {
        self.directories()
            .map(|dir| format!("{dir}/{name}"))
            .find(|path| {
                self.open(path, OFlags::PATH).is_ok_and(|file| {
                    let kind = rustix::fs::fstat(&file).map(|s| FileType::from_raw_mode(s.st_mode));
                    kind.is_ok_and(|kind| kind != FileType::Directory)
                })
            })
    }

    fn is_covered(&self, path: &str) -> bool {
        let below = |mount: &String| {
            let mount = mount.trim_end_matches('/');
            path.strip_prefix(mount)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.wanted.covered.iter().any(below)
    }

    fn absolute(&self, path: &str) -> String {
        match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("{}/{path}", self.wanted.cwd.trim_end_matches('/')),
        }
    }

    fn open(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        openat2(
            self.root,
            path,
            flags | OFlags::CLOEXEC,
            Mode::empty(),
            resolve,
        )
    }

    fn small_file(&self, path: &str) -> Option<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::from(self.open(path, flags).ok()?);
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut text = vec![0u8; MAX_SMALL_FILE];
        let len = file.read_at(&mut text, 0).ok()?;
        text.truncate(len);
        Some(text)
    }

    fn names(&self, dir: &str) -> Vec<String> {
        let opened = self.open(dir, OFlags::RDONLY | OFlags::DIRECTORY);
        let Ok(entries) = opened.and_then(rustix::fs::Dir::new) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().to_str().ok().map(str::to_owned))
            .filter(|name| name != "." && name != "..")
            .take(MAX_NAMES)
            .collect();
        names.sort();
        names
    }
}

/// The name that a slip of the finger is nearest to.
fn nearest<'a>(name: &str, among: impl Iterator<Item = &'a str>) -> Option<String> {
    let allowed = match name.chars().count() {
        0 | 1 => return None,
        2..=4 => 1,
        _ => 2,
    };
    among
        .map(|other| (strsim::osa_distance(name, other), other))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, other)| other.to_owned())
}
