//! Where an image comes from, as [`Images::take_in`](super::Images::take_in) sees it: a registry, an archive, a
//! directory, another engine's store.

use crate::error::Result;
use crate::registry::event::Progress;
use crate::storage::Digest;

pub use crate::registry::{BlobJob, BlobSink, Document, Layer};

/// What an image consists of. All documents are checked against the digests that name them.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The index that led to the manifest, where there was one.
    pub index: Option<Document>,
    pub manifest: Document,
    pub config: Vec<u8>,
    pub config_digest: Digest,
    /// Lowest first.
    pub layers: Vec<Layer>,
}

/// Something that has the layers of an image.
pub trait ImageSource {
    /// How messages name it: `quay.io/a/b`, `docker-archive:/tmp/x.tar`.
    fn place(&self) -> String;

    /// Writes each blob into its sink, from where the sink stands, and finishes it. May use threads. The first
    /// failure ends all; what has arrived stays in the sinks.
    fn fetch_blobs(&self, jobs: Vec<BlobJob<'_>>, progress: &mut dyn Progress) -> Result<()>;
}
