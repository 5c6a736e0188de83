//! What a failing step says: the member's name comes last, where it is known.

use rustix::io::Errno;

use crate::error::{Error, Kind, Result};

pub(super) fn raw(errno: Errno) -> nix::errno::Errno {
    nix::errno::Errno::from_raw(errno.raw_os_error())
}

/// A member's name for a message: bounded, and readable whatever bytes it has.
pub(super) fn quoted(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    match text.char_indices().nth(200) {
        None => format!("\"{text}\""),
        Some((at, _)) => format!("\"{}…\"", &text[..at]),
    }
}

/// A failure that still lacks the member's name.
pub(super) enum Worded {
    /// `errno` of what was tried on the member.
    Step(&'static str, Errno),
    /// An owner could not be given.
    Owner(Errno, u32, u32),
    Whole(Error),
}

impl Worded {
    pub(super) fn into_error(self, path: &[u8]) -> Error {
        match self {
            Worded::Step(step, errno) => {
                let err = Error::os(raw(errno), format!("{step} {}", quoted(path)));
                match errno {
                    Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG => {
                        err.with_kind(Kind::Corrupt)
                    }
                    _ => err,
                }
            }
            Worded::Owner(errno, uid, gid) => {
                let tried = format!("give {} to uid {uid}, gid {gid}", quoted(path));
                let err = Error::os(raw(errno), tried);
                match errno {
                    Errno::INVAL => err.hint(
                        "the ranges in /etc/subuid and /etc/subgid do not reach that far: ask for a larger one, \
                         then remove the image and pull it again",
                    ),
                    _ => err,
                }
            }
            Worded::Whole(err) => err.context(quoted(path)),
        }
    }
}

pub(super) trait Step<T> {
    fn step(self, step: &'static str) -> Result<T, Worded>;
}

impl<T> Step<T> for Result<T, Errno> {
    fn step(self, step: &'static str) -> Result<T, Worded> {
        self.map_err(|errno| Worded::Step(step, errno))
    }
}
