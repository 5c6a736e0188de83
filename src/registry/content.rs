//! The bytes of a blob that is sent: in memory, in a file, or in a file that still grows.
//!
//! A file can be read from any place again, so an upload that broke goes on where the registry says it stands.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_util::Stream;
use tokio::sync::watch;

use crate::error::{Error, Kind, Result};
use crate::state::digest::{Algorithm, Digest, Hasher};

/// Bytes handed to the connection at once.
const PIECE: usize = 128 * 1024;

/// Bytes to be sent.
#[derive(Debug, Clone)]
pub struct Content {
    from: From,
    grown: watch::Receiver<Grown>,
}

#[derive(Debug, Clone)]
enum From {
    Memory(Arc<[u8]>),
    File(Arc<File>),
}

/// How far a growing file has come.
#[derive(Debug, Clone)]
enum Grown {
    To(u64),
    Whole(Whole),
    /// Whoever made it gave up.
    Failed(Error),
}

/// A blob's name and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

impl Content {
    pub fn memory(bytes: &[u8]) -> Self {
        let whole = Whole {
            digest: Digest::sha256_of(bytes),
            size: bytes.len() as u64,
        };
        Self::whole(From::Memory(bytes.into()), whole)
    }

    /// A blob in a file of its own, which must be what `whole` says.
    pub fn file(file: File, whole: Whole) -> Self {
        Self::whole(From::File(Arc::new(file)), whole)
    }

    /// A file that grows while it is sent. `file` is empty, and open for reading and writing.
    pub fn growing(file: File) -> (ContentWriter, Self) {
        let file = Arc::new(file);
        let (tell, grown) = watch::channel(Grown::To(0));
        let writer = ContentWriter {
            file: file.clone(),
            tell,
            hash: Hasher::new(Algorithm::Sha256),
            len: 0,
        };
        let from = From::File(file);
        (writer, Self { from, grown })
    }

    fn whole(from: From, whole: Whole) -> Self {
        // The sender is gone at once: the last value stays.
        let (_, grown) = watch::channel(Grown::Whole(whole));
        Self { from, grown }
    }

    /// Digest and size, as soon as they are known.
    pub(super) fn known(&self) -> Option<Whole> {
        match &*self.grown.borrow() {
            Grown::Whole(whole) => Some(*whole),
            _ => None,
        }
    }

    /// What whoever makes the bytes has failed with.
    pub(super) fn failure(&self) -> Option<Error> {
        match &*self.grown.borrow() {
            Grown::Failed(err) => Some(err.clone()),
            Grown::To(_) if self.grown.has_changed().is_err() => Some(gave_up()),
            _ => None,
        }
    }

    /// Tells whether more is there already than the first `sent` bytes.
    pub(super) fn has_more_than(&self, sent: u64) -> bool {
        match &*self.grown.borrow() {
            Grown::To(valid) => *valid > sent,
            Grown::Whole(whole) => whole.size > sent,
            Grown::Failed(_) => false,
        }
    }

    /// Waits until there is something to send.
    pub(super) async fn begun(&self) -> Result<()> {
        self.wait(|grown| !matches!(grown, Grown::To(0))).await?;
        Ok(())
    }

    /// Waits until everything is there.
    pub(super) async fn complete(&self) -> Result<Whole> {
        match self.wait(|grown| !matches!(grown, Grown::To(_))).await? {
            Grown::Whole(whole) => Ok(whole),
            _ => Err(gave_up()),
        }
    }

    async fn wait(&self, until: impl FnMut(&Grown) -> bool) -> Result<Grown> {
        let mut grown = self.grown.clone();
        let now = grown.wait_for(until).await.map_err(|_| gave_up())?;
        match &*now {
            Grown::Failed(err) => Err(err.clone()),
            other => Ok(other.clone()),
        }
    }

    /// The bytes from `at` on. What is passed on is counted in `passed`, from `at`.
    pub(super) fn stream(&self, at: u64, passed: Arc<AtomicU64>) -> Pieces {
        passed.store(at, Ordering::Relaxed);
        Pieces {
            content: self.clone(),
            at,
            passed,
            waiting: None,
        }
    }

    fn read_at(&self, at: u64, want: usize) -> io::Result<Vec<u8>> {
        match &self.from {
            From::Memory(bytes) => {
                let start = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                let end = start.saturating_add(want).min(bytes.len());
                Ok(bytes[start..end].to_vec())
            }
            From::File(file) => {
                let mut piece = vec![0; want];
                let got = file.read_at(&mut piece, at)?;
                piece.truncate(got);
                Ok(piece)
            }
        }
    }
}

/// The body of a request.
pub(super) struct Pieces {
    content: Content,
    at: u64,
    passed: Arc<AtomicU64>,
    waiting: Option<Pin<Box<dyn Future<Output = Result<Grown>> + Send>>>,
}

impl Stream for Pieces {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                match waiting.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(err)) => {
                        self.waiting = None;
                        return Poll::Ready(Some(Err(io::Error::other(err))));
                    }
                    Poll::Ready(Ok(_)) => self.waiting = None,
                }
            }
            let (valid, last) = match &*self.content.grown.borrow() {
                Grown::To(valid) => (*valid, false),
                Grown::Whole(whole) => (whole.size, true),
                Grown::Failed(err) => {
                    return Poll::Ready(Some(Err(io::Error::other(err.clone()))));
                }
            };
            if self.at < valid {
                let want = PIECE.min(usize::try_from(valid - self.at).unwrap_or(PIECE));
                let piece = self.content.read_at(self.at, want);
                return Poll::Ready(Some(piece.and_then(|piece| {
                    if piece.is_empty() {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    self.at += piece.len() as u64;
                    self.passed.store(self.at, Ordering::Relaxed);
                    Ok(piece)
                })));
            }
            if last {
                return Poll::Ready(None);
            }
            let (content, at) = (self.content.clone(), self.at);
            self.waiting = Some(Box::pin(async move {
                content
                    .wait(|grown| !matches!(grown, Grown::To(valid) if *valid <= at))
                    .await
            }));
        }
    }
}

/// Lets a file grow, on another thread than the one that sends it.
#[derive(Debug)]
pub struct ContentWriter {
    file: Arc<File>,
    tell: watch::Sender<Grown>,
    hash: Hasher,
    len: u64,
}

impl ContentWriter {
    /// Everything was written.
    pub fn finish(self) -> Whole {
        let whole = Whole {
            digest: self.hash.finish(),
            size: self.len,
        };
        self.tell.send_replace(Grown::Whole(whole));
        whole
    }

    /// There will be no more; whoever sends it fails with `err`.
    pub fn fail(self, err: Error) {
        self.tell.send_replace(Grown::Failed(err));
    }
}

impl Write for ContentWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.tell.is_closed() {
            return Err(io::ErrorKind::BrokenPipe.into()); // nobody sends it any more
        }
        self.file.write_all_at(bytes, self.len)?;
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        self.tell.send_replace(Grown::To(self.len));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gave_up() -> Error {
    Error::new(Kind::System, "the bytes to be sent ended too early")
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(work)
    }

    async fn collect(content: &Content, at: u64) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        let mut pieces = content.stream(at, Arc::default());
        while let Some(piece) = pieces.next().await {
            all.extend(piece?);
        }
        Ok(all)
    }

    fn scratch() -> File {
        let dir = std::env::temp_dir();
        let flags = rustix::fs::OFlags::TMPFILE | rustix::fs::OFlags::RDWR;
        rustix::fs::open(dir, flags, rustix::fs::Mode::RWXU)
            .unwrap()
            .into()
    }

    #[test]
    fn a_growing_file_is_sent_as_it_grows() {
        let (mut writer, content) = Content::growing(scratch());
        let pieces: Vec<Vec<u8>> = (0..50u8).map(|n| vec![n; 9_000]).collect();
        let want = pieces.concat();
        let thread = std::thread::spawn(move || {
            for piece in pieces {
                writer.write_all(&piece).unwrap();
            }
            writer.finish()
        });
        assert_eq!(run(collect(&content, 0)).unwrap(), want);
        let whole = thread.join().unwrap();
        assert_eq!(whole.digest, Digest::sha256_of(&want));
        assert_eq!(content.known(), Some(whole));
        assert_eq!(run(collect(&content, 400_000)).unwrap(), want[400_000..]);
    }

    #[test]
    fn a_writer_that_fails_fails_the_sender() {
        let (mut writer, content) = Content::growing(scratch());
        writer.write_all(b"x").unwrap();
        writer.fail(Error::new(Kind::Corrupt, "broken"));
        assert_eq!(run(collect(&content, 0)).unwrap_err().to_string(), "broken");
        assert!(run(content.complete()).is_err());
        let (writer, content) = Content::growing(scratch());
        drop(writer);
        assert!(run(collect(&content, 0)).is_err());
    }
}
