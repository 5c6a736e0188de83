//! What a sender tells a receiver, over a socket that keeps messages apart.
//!
//! | message | means | comes with |
//! | --- | --- | --- |
//! | `Top` | what the path named, first of all | |
//! | `Enter` | a directory; what follows is in it, until `Leave` | it, open |
//! | `Leave` | nothing more in the directory | |
//! | `File` | a regular file; a number where it has several names | it, open |
//! | `Link` `Fifo` | a symbolic link, a FIFO | |
//! | `End` | that was all | |
//! | `Failed` | the sender gives up, and why | |
//!
//! End-of-file before `End` is an error. The queue of such a socket is short (`net.unix.max_dgram_qlen`), so few
//! descriptors are under way at a time.

use std::ffi::{CStr, CString};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::fs::Stat;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use crate::error::{Error, Kind, Result, Tried};

/// A name and a link's target at their longest, and what is beside them.
const LONGEST: usize = 8192;
const FIXED: usize = 1 + 5 * 4 + 8;

/// One end of the connection.
#[derive(Debug)]
pub struct Wire(OwnedFd);

/// Both ends: the sender's, the receiver's.
pub fn pair() -> Result<(Wire, Wire)> {
    let (a, b) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .tried(|| "make a socket pair to copy over")?;
    Ok((Wire(a), Wire(b)))
}

/// What the receiver sets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Meta {
    /// Permission bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: (i64, u32),
}

impl Meta {
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            mtime: crate::storage::pack::tar::mtime(stat),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Message {
    Top {
        directory: bool,
        /// What is in the directory is meant, not the directory.
        contents: bool,
        name: CString,
    },
    Enter {
        name: CString,
        meta: Meta,
    },
    Leave,
    File {
        name: CString,
        meta: Meta,
        /// The same for all names of one file; 0: it has one name.
        number: u32,
    },
    Link {
        name: CString,
        meta: Meta,
        target: CString,
    },
    Fifo {
        name: CString,
        meta: Meta,
    },
    End,
    Failed(Error),
}

impl Message {
    fn encode(&self) -> Vec<u8> {
        let none = c"";
        let meta = Meta::default();
        let (kind, meta, number, a, b): (u8, &Meta, u32, &CStr, &CStr) = match self {
            Self::Top {
                directory,
                contents,
                name,
            } => {
                let flags = u32::from(*directory) | u32::from(*contents) << 1;
                (b'T', &meta, flags, name, none)
            }
            Self::Enter { name, meta } => (b'D', meta, 0, name, none),
            Self::Leave => (b'U', &meta, 0, none, none),
            Self::File { name, meta, number } => (b'F', meta, *number, name, none),
            Self::Link { name, meta, target } => (b'L', meta, 0, name, target),
            Self::Fifo { name, meta } => (b'P', meta, 0, name, none),
            Self::End => (b'E', &meta, 0, none, none),
            Self::Failed(err) => {
                let mut bytes = vec![b'X'];
                bytes.extend(serde_json::to_vec(err).unwrap_or_default());
                return bytes;
            }
        };
        let mut bytes = Vec::with_capacity(FIXED + a.count_bytes() + b.count_bytes() + 2);
        bytes.push(kind);
        for word in [meta.mode, meta.uid, meta.gid, meta.mtime.1, number] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(meta.mtime.0.to_ne_bytes());
        bytes.extend(a.to_bytes_with_nul());
        bytes.extend(b.to_bytes_with_nul());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (&kind, rest) = bytes.split_first()?;
        if kind == b'X' {
            return serde_json::from_slice(rest).ok().map(Self::Failed);
        }
        let mut at = 1;
        let mut word = || {
            let word = bytes.get(at..at + 4)?.try_into().ok()?;
            at += 4;
            Some(u32::from_ne_bytes(word))
        };
        let (mode, uid, gid, nanos, number) = (word()?, word()?, word()?, word()?, word()?);
        let seconds = i64::from_ne_bytes(bytes.get(FIXED - 8..FIXED)?.try_into().ok()?);
        let meta = Meta {
            mode,
            uid,
            gid,
            mtime: (seconds, nanos),
        };
        let a = CStr::from_bytes_until_nul(bytes.get(FIXED..)?).ok()?;
        let b = CStr::from_bytes_until_nul(bytes.get(FIXED + a.count_bytes() + 1..)?).ok()?;
        let name = a.to_owned();
        Some(match kind {
            b'T' => Self::Top {
                directory: number & 1 != 0,
                contents: number & 2 != 0,
                name,
            },
            b'D' => Self::Enter { name, meta },
            b'U' => Self::Leave,
            b'F' => Self::File { name, meta, number },
            b'L' => Self::Link {
                name,
                meta,
                target: b.to_owned(),
            },
            b'P' => Self::Fifo { name, meta },
            b'E' => Self::End,
            _ => return None,
        })
    }
}

impl Wire {
    /// To close the copy that a forked process has of an end that is not its own.
    pub fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// `EPIPE`: the receiver gave up, and says why elsewhere.
    pub(super) fn send(&self, message: &Message, fd: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
        let bytes = message.encode();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = fd.as_slice();
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(Errno::INVAL); // the space is sized for one
        }
        loop {
            let parts = [IoSlice::new(&bytes)];
            match sendmsg(&self.0, &parts, &mut control, SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) => return Err(Errno::PIPE),
                done => return done.map(drop),
            }
        }
    }

    /// The receiver's answer to a directory at the top: which one takes it.
    pub(super) fn hear_target(&self) -> Result<Option<(u64, u64)>> {
        let mut bytes = [0u8; 16];
        loop {
            match rustix::io::read(&self.0, &mut bytes[..]) {
                Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) | Ok(0) => return Err(Errno::PIPE).tried(|| "copy"),
                Ok(16) => break,
                Ok(_) => return Ok(None),
                Err(errno) => return Err(errno).tried(|| "copy: hear from the other side"),
            }
        }
        let (dev, ino) = bytes.split_at(8);
        let number = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
        Ok(Some((number(dev), number(ino))))
    }

    pub(super) fn tell_target(&self, stat: &Stat) -> Result<()> {
        let mut bytes = [0u8; 16];
        bytes[..8].copy_from_slice(&stat.st_dev.to_ne_bytes());
        bytes[8..].copy_from_slice(&stat.st_ino.to_ne_bytes());
        let flags = SendFlags::NOSIGNAL;
        rustix::net::send(&self.0, &bytes, flags)
            .map(drop)
            .tried(|| "copy: answer the other side")
    }

    pub(super) fn receive(&self) -> Result<(Message, Option<OwnedFd>)> {
        let tried = || "copy: hear from the other side";
        let mut bytes = [0u8; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got = loop {
            let parts = &mut [IoSliceMut::new(&mut bytes)];
            match recvmsg(&self.0, parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
                Err(Errno::INTR) => {}
                got => break got.tried(tried)?.bytes,
            }
        };
        let fd = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        let message = Message::decode(&bytes[..got]);
        let message = message
            .ok_or_else(|| Error::new(Kind::System, "copy: the other side ended without a word"))?;
        match message {
            Message::Failed(err) => Err(err),
            message => Ok((message, fd)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_trip() {
        let meta = Meta {
            mode: 0o4755,
            uid: 7,
            gid: 8,
            mtime: (-5, 9),
        };
        let table = [
            Message::Top {
                directory: true,
                contents: false,
                name: c"n".into(),
            },
            Message::Enter {
                name: c"a b".into(),
                meta,
            },
            Message::Leave,
            Message::File {
                name: c"f".into(),
                meta,
                number: 3,
            },
            Message::Link {
                name: c"l".into(),
                meta,
                target: c"../x".into(),
            },
            Message::Fifo {
                name: c"p".into(),
                meta,
            },
            Message::End,
        ];
        let (a, b) = pair().unwrap();
        for want in table {
            a.send(&want, None).unwrap();
            assert_eq!(b.receive().unwrap().0.encode(), want.encode());
        }
        let err = Error::new(Kind::State, "why");
        a.send(&Message::Failed(err), None).unwrap();
        assert_eq!(b.receive().unwrap_err().to_string(), "why");
        drop(a);
        assert!(b.receive().is_err());
    }
}
