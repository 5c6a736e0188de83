//! The only async code: talks to registries (distribution-spec) on a current-thread tokio runtime that is built,
//! used and dropped inside one call, so that the process is single-threaded again before anything forks.
//!
//! It knows no store and no image records. `image` hands it names and sinks, and gets bytes that were checked.
//!
//! Who does what: the crate oci-client gives the types of manifests and indexes, the media types and the error
//! envelope. Its own transfers are not used: they read manifests and tokens without a limit, give neither retry nor
//! resume, and would build a second HTTP client. `transport` sends, `session` follows redirects, `challenge` and `token`
//! authenticate, `status` words refusals, `manifest` hardens what comes back, `blob` streams.

mod blob;
mod challenge;
mod client;
pub mod event;
mod manifest;
pub mod platform;
pub mod reference;
mod retry;
mod session;
mod status;
#[cfg(test)]
mod tests;
mod token;
mod transport;

pub use blob::{BlobJob, BlobSink};
pub use client::{Client, ClientSettings, Known, Remote, Source};
pub use manifest::{Document, Layer, MAX_DOCUMENT, check_depth};
pub use retry::RetrySettings;
pub use transport::{ProxySettings, TransportSettings};
