//! Named JSON records and the locks around them: the one record store of the program.
//!
//! A record is replaced whole (temporary file beside it, `rename(2)`), carries a `version`, and is read without a
//! lock. Locks are open-file-description locks (`fcntl(2)`, `F_OFD_SETLK`): they work on NFS and vanish with the
//! last descriptor, so no command ever waits for a dead process.
//!
//!     <dir>/<name>.json            a record
//!     <dir>/.<name>.json.<pid>.tmp  a record being written; what a crash leaves is never read as a record

pub mod digest;
pub mod host;
mod lock;
mod record;

pub use lock::Lock;
pub use record::{Folder, is_temporary, load, replace, save, save_or_overwrite};

/// Whether a record must survive a power cut: `Yes` flushes the file before the rename and its directory after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    Yes,
    No,
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A directory of its own for one test, gone on drop.
    pub(crate) struct TestDir(PathBuf);

    impl TestDir {
        pub(crate) fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("pod-test-{}-{count}", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }

        pub(crate) fn join(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for TestDir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
