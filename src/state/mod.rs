//! Named JSON records and the locks around them: the one record store of the program.
//!
//! A record is replaced whole (temporary file beside it, `rename(2)`), carries a `version`, and is read without a
//! lock. Locks are open-file-description locks (`fcntl(2)`, `F_OFD_SETLK`): they work on NFS and vanish with the
//! last descriptor, so no command ever waits for a dead process.

/// Whether a record must survive a power cut: `Yes` flushes the file before the rename and its directory after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    Yes,
    No,
}
