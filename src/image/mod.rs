//! Images: names, records, and the ways in: registries, archives; joins `registry` and `storage`.

mod access;
pub mod account;
mod archive;
mod below;
mod blob;
pub mod change;
pub mod commit;
pub mod convert;
pub mod dest;
mod family;
pub mod import;
pub mod index;
mod index_edit;
mod index_push;
mod intake;
mod layers;
mod list;
mod lookup;
mod manage;
pub mod outgoing;
mod podman;
mod pull;
mod push;
mod record;
mod refetch;
mod remove;
mod resolve;
mod round;
pub mod search;
mod sent;
pub mod source;
pub mod transport;
mod usage;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use oci_spec::image::ImageConfiguration;

use crate::config::auth::Credentials;
use crate::error::{Error, Result};
use crate::rootless::identity::Identity;
use crate::storage::Store;

pub use archive::{Loaded, SaveFormat, SaveOptions, SaveTo};
pub use blob::{LayerBlob, LayerRef};
pub use dest::Destination;
pub use family::{Family, Step};
pub use index_edit::AddOptions;
pub use intake::Wanted;
pub use layers::{HistoryRow, LayerNode};
pub use list::Summary;
pub use podman::Imported;
pub use push::PushOptions;
pub use remove::{Choice, InUse, Pruned, Removal, RemoveOptions, Users};
pub use usage::{ImageUsage, Usage};

pub use crate::registry::event::{BlobKind, Event, Progress, Silent};
pub use crate::registry::platform::{Platform, PlatformRequest};
pub use crate::registry::reference;

/// The images of a store.
#[derive(Debug, Clone, Copy)]
pub struct Images<'a> {
    store: &'a Store,
    identity: &'a Identity,
}

impl<'a> Images<'a> {
    pub fn new(store: &'a Store, identity: &'a Identity) -> Self {
        Self { store, identity }
    }
}

/// An image that is whole in the store.
#[derive(Debug, Clone)]
pub struct Image {
    /// 64 hex digits: sha256 of the config blob.
    pub id: String,
    /// `sha256:…` of the manifest it was pulled by.
    pub digest: String,
    /// Full names, `docker.io/library/nginx:latest`.
    pub names: Vec<String>,
    pub config: ImageConfiguration,
    /// `HEALTHCHECK`, which images of Docker's format have; OCI's know none.
    pub healthcheck: Option<Healthcheck>,
    /// Layer trees relative to the store's root, uppermost first.
    pub layers: Vec<PathBuf>,
    /// Sum of the unpacked layers, bytes.
    pub size: u64,
    /// This very command fetched it.
    pub pulled: bool,
}

/// What Docker's image config has beside the OCI one: how to find out whether a container works.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `NONE`, or `CMD` and words, or `CMD-SHELL` and a line.
    pub test: Vec<String>,
    /// Nanoseconds, as the next two; 0 is the default.
    pub interval: i64,
    pub timeout: i64,
    pub start_period: i64,
    pub retries: i64,
}

impl Healthcheck {
    /// Of the image config `json`, which came with a manifest of `media_type`. A broken one is none.
    fn of(json: &[u8], media_type: &str) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct Outer {
            config: Inner,
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Inner {
            healthcheck: Option<Healthcheck>,
        }
        const KEY: &[u8] = b"\"Healthcheck\"";
        // Parsed only where there is one: most images have none.
        let named = json.windows(KEY.len()).any(|window| window == KEY);
        if !named || !media_type.contains("docker") {
            return None;
        }
        serde_json::from_slice::<Outer>(json)
            .ok()?
            .config
            .healthcheck
    }
}

/// `--pull` and `--policy`: when a registry is asked although, or because, an image is (not) here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PullPolicy {
    Always,
    #[default]
    Missing,
    Never,
    /// Asks, and keeps what is here when the registry has the same or does not answer.
    Newer,
}

impl FromStr for PullPolicy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "always" | "true" => Ok(Self::Always),
            "missing" | "ifnotpresent" | "" => Ok(Self::Missing),
            "never" | "false" => Ok(Self::Never),
            "newer" | "ifnewer" => Ok(Self::Newer),
            other => Err(Error::usage(format!(
                "unsupported pull policy \"{other}\": want always, missing, never or newer"
            ))),
        }
    }
}

/// How to talk to a registry, as far as the command line says; everything else comes from the configuration.
#[derive(Debug, Clone, Default)]
pub struct AccessOptions {
    /// `--creds USER[:PASSWORD]`
    pub credentials: Option<Credentials>,
    pub authfile: Option<PathBuf>,
    pub cert_dir: Option<PathBuf>,
    /// `--tls-verify`; `None`: what registries.conf says, else true.
    pub tls_verify: Option<bool>,
    /// `--retry`; `None`: 3.
    pub retry: Option<u32>,
    /// `--retry-delay`; `None`: exponential.
    pub retry_delay: Option<Duration>,
}

/// What to pull, and how.
#[derive(Debug, Clone, Default)]
pub struct PullOptions {
    pub platform: PlatformRequest,
    pub access: AccessOptions,
    /// `--signature-policy`
    pub signature_policy: Option<PathBuf>,
}
