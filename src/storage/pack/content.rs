//! The bytes of a file, from one descriptor to another.

use std::os::fd::BorrowedFd;

use rustix::fs::{SeekFrom, Stat, copy_file_range, ftruncate, seek};
use rustix::io::Errno;

/// Bytes copied by one call.
const AT_ONCE: usize = 64 << 20;
/// Small enough to stay in the processor's cache between the read and the write.
pub(super) const BUFFER: usize = 256 << 10;

/// Copies files: by the kernel, shared where the file system can, else through a buffer. Holes stay holes.
#[derive(Debug)]
pub(in crate::storage) struct Content {
    /// The kernel copies between these file systems.
    by_kernel: bool,
    buffer: Vec<u8>,
}

impl Default for Content {
    fn default() -> Self {
        Self {
            by_kernel: true,
            buffer: Vec::new(),
        }
    }
}

impl Content {
    /// Copies what `stat` says that `from` has to `to`, which is empty.
    pub(in crate::storage) fn copy(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        stat: &Stat,
    ) -> Result<(), Errno> {
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let allocated = u64::try_from(stat.st_blocks)
            .unwrap_or(0)
            .saturating_mul(512);
        let sparse = allocated < size;
        let mut at = 0;
        let mut whole = true;
        while at < size {
            let mut end = size;
            if sparse {
                at = match seek(from, SeekFrom::Data(at)) {
                    Ok(data) => data,
                    Err(Errno::NXIO) => break, // only a hole follows
                    Err(Errno::INVAL | Errno::OPNOTSUPP) => at,
                    Err(errno) => return Err(errno),
                };
                end = seek(from, SeekFrom::Hole(at)).map_or(size, |hole| hole.min(size));
            }
            let copied = self.range(from, to, at, end.max(at))?;
            whole = copied >= end.saturating_sub(at);
            if !whole {
                break; // it became shorter meanwhile
            }
            at = end.max(at);
        }
        match sparse || !whole {
            true => ftruncate(to, size),
            false => Ok(()),
        }
    }

    /// Copies `start..end` and returns how much there was.
    fn range(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        start: u64,
        end: u64,
    ) -> Result<u64, Errno> {
        let mut at = start;
        while at < end {
            let want = usize::try_from(end - at).unwrap_or(AT_ONCE).min(AT_ONCE);
            if self.by_kernel {
                let (mut off_in, mut off_out) = (at, at);
                match copy_file_range(from, Some(&mut off_in), to, Some(&mut off_out), want) {
                    Ok(0) => break,
                    Ok(got) => at += got as u64,
                    Err(Errno::INTR) => {}
                    // Between two file systems, or one that cannot.
                    Err(Errno::XDEV | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => {
                        self.by_kernel = false;
                    }
                    Err(errno) => return Err(errno),
                }
                continue;
            }
            match self.through_buffer(from, to, at, want)? {
                0 => break,
                got => at += got as u64,
            }
        }
        Ok(at - start)
    }

    fn through_buffer(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        at: u64,
        want: usize,
    ) -> Result<usize, Errno> {
        let want = want.min(BUFFER);
        if self.buffer.len() < want {
            self.buffer.resize(want, 0);
        }
        let got = loop {
            match rustix::io::pread(from, &mut self.buffer[..want], at) {
                Err(Errno::INTR) => {}
                got => break got?,
            }
        };
        let mut done = 0;
        while done < got {
            match rustix::io::pwrite(to, &self.buffer[done..got], at + done as u64) {
                Err(Errno::INTR) => {}
                more => done += more?,
            }
        }
        Ok(got)
    }
}
