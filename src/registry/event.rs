//! What a pull or a push tells while it goes on; `cli` draws it.

use std::time::Duration;

use crate::error::Result;
use crate::state::digest::Digest;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobKind {
    Layer,
    Config,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Event<'a> {
    /// A short name became a full one because of `why` (an alias, a search list, the default).
    Resolved {
        name: &'a str,
        why: &'a str,
    },
    /// `from` is asked for the image.
    Trying {
        from: &'a str,
    },
    /// `from` could not serve it; another candidate follows.
    TriedInVain {
        from: &'a str,
        why: &'a str,
    },
    /// The image that is sent was found.
    GettingSource,
    /// A blob will be fetched; `have` of its `size` bytes are here from an earlier try.
    BlobStarted {
        digest: &'a Digest,
        kind: BlobKind,
        size: u64,
        have: u64,
    },
    /// A blob is here already, or another process brought it.
    BlobPresent {
        digest: &'a Digest,
        kind: BlobKind,
    },
    /// The blob has `done` bytes now. Comes often.
    BlobProgress {
        digest: &'a Digest,
        done: u64,
    },
    BlobFetched {
        digest: &'a Digest,
        kind: BlobKind,
    },
    /// Another repository of the destination's registry had the blob.
    BlobMounted {
        digest: &'a Digest,
        from: &'a str,
    },
    /// The destination has the blob now.
    BlobSent {
        digest: &'a Digest,
        kind: BlobKind,
    },
    /// A request failed and is tried again after `wait`.
    Retrying {
        what: &'a str,
        why: &'a str,
        wait: Duration,
    },
    /// The layer is a tree in the store's staging area.
    LayerUnpacked {
        digest: &'a Digest,
    },
    /// A step of a longer work begins, in Podman's words.
    Step {
        text: &'a str,
    },
    /// Everything is here and checked; names are given next.
    WritingManifest,
    /// Not an error, but the user should know.
    Warning {
        text: &'a str,
    },
}

/// Receives the events of a pull, on the thread that pulls.
pub trait Progress {
    fn event(&mut self, event: &Event<'_>);

    /// Asks which of `names` is meant; `None` where there is nobody to ask.
    fn choose(&mut self, _names: &[String]) -> Result<Option<usize>> {
        Ok(None)
    }
}

/// `-q`: tells nothing.
#[derive(Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&mut self, _event: &Event<'_>) {}
}
