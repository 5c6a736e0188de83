//! How a starting process and the one that made it take turns.
//!
//! | message | sent by | means |
//! | --- | --- | --- |
//! | `WantIds` | init | a single-id container whose user has been looked up: map the one id to this uid and gid |
//! | `MapsWritten` | launcher | the ids exist; mounts that need them may be made |
//! | `NetReady` | launcher | the network is up, and the helpers have opened the namespaces |
//! | `Terminal` | init | carries the master side of the terminal |
//! | `Born` | helper of a joining launch | the pid of the process it made, a child of the launcher |
//! | `Failed` | any child | a step, a number and an errno; the sender ends |
//! | `Executing` | init | everything is done but the exec |
//!
//! After `Executing`, end-of-file says that the exec worked (the socket is close-on-exec), `Failed` that it did not.
//! End-of-file instead of any other message means that the sender died. No wait here is a sleep.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use super::step::Failed;

/// See the module's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    WantIds { uid: u32, gid: u32 },
    MapsWritten,
    NetReady,
    Terminal,
    Born { pid: i32 },
    Failed(Failed),
    Executing,
}

const BYTES: usize = 9;

impl Message {
    fn to_bytes(self) -> [u8; BYTES] {
        let pair = |tag: u8, a: u32, b: u32| {
            let mut bytes = [0; BYTES];
            bytes[0] = tag;
            bytes[1..5].copy_from_slice(&a.to_ne_bytes());
            bytes[5..].copy_from_slice(&b.to_ne_bytes());
            bytes
        };
        match self {
            Message::WantIds { uid, gid } => pair(b'i', uid, gid),
            Message::MapsWritten => pair(b'm', 0, 0),
            Message::NetReady => pair(b'n', 0, 0),
            Message::Terminal => pair(b't', 0, 0),
            Message::Born { pid } => pair(b'b', pid.cast_unsigned(), 0),
            Message::Executing => pair(b'x', 0, 0),
            Message::Failed(failed) => {
                let mut bytes = pair(b'f', 0, 0);
                bytes[1..].copy_from_slice(&failed.to_bytes());
                bytes
            }
        }
    }

    fn from_bytes(bytes: [u8; BYTES]) -> Option<Message> {
        let word = |at: usize| {
            let mut word = [0; 4];
            word.copy_from_slice(&bytes[at..at + 4]);
            u32::from_ne_bytes(word)
        };
        Some(match bytes[0] {
            b'i' => Message::WantIds {
                uid: word(1),
                gid: word(5),
            },
            b'm' => Message::MapsWritten,
            b'n' => Message::NetReady,
            b't' => Message::Terminal,
            b'b' => Message::Born {
                pid: word(1).cast_signed(),
            },
            b'x' => Message::Executing,
            b'f' => {
                let mut failed = [0; Failed::BYTES];
                failed.copy_from_slice(&bytes[1..]);
                Message::Failed(Failed::from_bytes(failed)?)
            }
            _ => return None,
        })
    }
}

/// One end of the connection: a socket that keeps messages apart and notices a dead peer. Close-on-exec.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

impl Channel {
    /// Both ends; each side keeps one and drops the other after the fork.
    pub(super) fn pair() -> Result<(Channel, Channel), Errno> {
        socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map(|(a, b)| (Channel(a), Channel(b)))
        .map_err(errno)
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// No allocation: also for use between fork and exec.
    pub(super) fn send(&self, message: Message) -> Result<(), Errno> {
        self.send_with(message, None)
    }

    pub(super) fn send_fd(&self, message: Message, fd: BorrowedFd<'_>) -> Result<(), Errno> {
        self.send_with(message, Some(fd))
    }

    fn send_with(&self, message: Message, fd: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
        let bytes = message.to_bytes();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = fd.as_slice();
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(Errno::EINVAL); // the space is sized for one
        }
        loop {
            match sendmsg(
                &self.0,
                &[IoSlice::new(&bytes)],
                &mut control,
                SendFlags::NOSIGNAL,
            ) {
                Err(rustix::io::Errno::INTR) => {}
                done => return done.map(drop).map_err(errno),
            }
        }
    }

    /// The next message; `None` at end-of-file. No allocation.
    pub(super) fn receive(&self) -> Result<Option<(Message, Option<OwnedFd>)>, Errno> {
        self.receive_with(RecvFlags::CMSG_CLOEXEC)
    }

    /// [`Channel::receive`], which fails with `EAGAIN` where it would wait.
    pub(super) fn receive_now(&self) -> Result<Option<(Message, Option<OwnedFd>)>, Errno> {
        self.receive_with(RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT)
    }

    fn receive_with(&self, flags: RecvFlags) -> Result<Option<(Message, Option<OwnedFd>)>, Errno> {
        let mut bytes = [0u8; BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got = loop {
            let parts = &mut [IoSliceMut::new(&mut bytes)];
            match recvmsg(&self.0, parts, &mut control, flags) {
                Err(rustix::io::Errno::INTR) => {}
                // Told once, ahead of what the peer sent, when it ended with a message of ours unread (unix(7) says
                // it of streams only): its last words are still there.
                Err(rustix::io::Errno::CONNRESET) => {}
                done => break done.map_err(errno)?.bytes,
            }
        };
        let fd = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        match got {
            0 => Ok(None),
            BYTES => Message::from_bytes(bytes)
                .map(|message| Some((message, fd)))
                .ok_or(Errno::EBADMSG),
            _ => Err(Errno::EBADMSG),
        }
    }

    /// Waits for just this message; anything else, and the end of the peer, is `EPIPE`.
    pub(super) fn expect(&self, want: Message) -> Result<(), Errno> {
        match self.receive()? {
            Some((got, _)) if got == want => Ok(()),
            _ => Err(Errno::EPIPE),
        }
    }
}

fn errno(err: rustix::io::Errno) -> Errno {
    Errno::from_raw(err.raw_os_error())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::runtime::step::Step;

    #[test]
    fn last_words_outlive_a_peer_that_did_not_listen() {
        let (ours, theirs) = Channel::pair().unwrap();
        ours.send(Message::NetReady).unwrap();
        let words = Message::Failed(Failed::new(Step::Exec, 2, Errno::ENOENT));
        theirs.send(words).unwrap();
        drop(theirs);
        assert_eq!(ours.receive().unwrap().map(|(got, _)| got), Some(words));
        assert!(ours.receive().unwrap().is_none());
    }

    #[test]
    fn messages_survive_the_trip() {
        let (a, b) = Channel::pair().unwrap();
        let table = [
            Message::WantIds { uid: 33, gid: 7 },
            Message::MapsWritten,
            Message::NetReady,
            Message::Terminal,
            Message::Born { pid: 4711 },
            Message::Failed(Failed::new(Step::Exec, 2, Errno::ENOENT)),
            Message::Executing,
        ];
        for want in table {
            a.send(want).unwrap();
            assert_eq!(b.receive().unwrap().map(|(got, _)| got), Some(want));
        }
        drop(a);
        assert!(b.receive().unwrap().is_none());
        assert_eq!(b.expect(Message::NetReady), Err(Errno::EPIPE));
    }

    #[test]
    fn a_descriptor_travels_with_a_message() {
        let (a, b) = Channel::pair().unwrap();
        let (read, write) = rustix::pipe::pipe().unwrap();
        a.send_fd(Message::Terminal, write.as_fd()).unwrap();
        drop(write);
        let (_, fd) = b.receive().unwrap().unwrap();
        rustix::io::write(fd.unwrap(), b"x").unwrap();
        let mut got = [0u8; 2];
        assert_eq!(rustix::io::read(&read, &mut got).unwrap(), 1);
    }
}
