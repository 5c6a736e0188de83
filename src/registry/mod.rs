//! The only async code: talks to registries (distribution-spec) on a current-thread tokio runtime that is built,
//! used and dropped inside one call, so that the process is single-threaded again before anything forks.
//!
//! It knows no store and no image records. `image` hands it names and sinks, and gets bytes that were checked.
//!
//! Who does what: the crate oci-client gives the types of manifests and indexes, the media types and the error
//! envelope. Its own transfers are not used: they read manifests and tokens without a limit, give neither retry nor
//! resume, and would build a second HTTP client. `transport` sends, `session` follows redirects, `challenge` and `token`
//! authenticate, `status` words refusals, `manifest` hardens what comes back, `blob` streams, `push`, `upload` and `content`
//! write.

mod blob;
mod challenge;
mod client;
mod content;
pub mod event;
pub mod manifest;
pub mod platform;
mod push;
pub mod reference;
mod retry;
mod search;
mod session;
mod status;
#[cfg(test)]
mod tests;
mod tls;
mod token;
mod transport;
mod upload;
mod web;

pub use blob::{BlobJob, BlobSink};
pub use client::{Client, ClientSettings, Known, Remote, Seen, Source};
pub use content::{Content, ContentWriter, Whole};
pub use manifest::{Document, Layer, MAX_DOCUMENT, check_depth};
pub use push::{Sought, Target, UploadJob};
pub use retry::RetrySettings;
pub use search::Found;
pub use transport::{ProxySettings, TransportSettings};
