//! Images: names, records, pull; joins `registry` and `storage`.

use std::path::PathBuf;

use oci_spec::image::ImageConfiguration;

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
    /// Layer trees relative to the store's root, uppermost first.
    pub layers: Vec<PathBuf>,
    /// Sum of the unpacked layers, bytes.
    pub size: u64,
}
