//! Flags that say how images leave: shared by `push` and `manifest push`.

use std::path::{Path, PathBuf};

use crate::config::containers::Containers;
use crate::error::{Error, Result, Tried};
use crate::image::convert::Format;
use crate::image::outgoing::OutgoingOptions;
use crate::storage::Digest;
use crate::storage::compress::Compression;

use super::later::Later;
use super::value;

#[derive(Debug, clap::Args)]
pub struct OutgoingArgs {
    /// Compress layers so: gzip or zstd (default: gzip for layers that are not compressed)
    #[arg(long, value_name = "FORMAT")]
    compression_format: Option<String>,
    /// Level of the compression: 1-9 for gzip (default 5), 1-20 for zstd (default 3)
    #[arg(long, value_name = "LEVEL", value_parser = value::integer, allow_negative_numbers = true)]
    compression_level: Option<i64>,
    /// Convert layers of another compression too (default with --compression-format)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = value::boolean)]
    force_compression: Option<bool>,
    /// Write the digest of the pushed manifest to a file
    #[arg(long, value_name = "FILE")]
    digestfile: Option<PathBuf>,
    /// Format of the manifest: oci or v2s2 (default: the one it has)
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    /// Leave signatures out: images here have none
    #[arg(long = "remove-signatures")]
    _remove_signatures: bool,
}

/// Podman's flags that sign and encrypt.
pub const REFUSED: &[Later] = &[
    Later::value("sign-by"),
    Later::value("sign-by-sigstore"),
    Later::value("sign-by-sigstore-private-key"),
    Later::value("sign-by-sq-fingerprint"),
    Later::value("sign-passphrase-file"),
    Later::value("encryption-key"),
    Later::value("encrypt-layer"),
    Later::harmless("disable-content-trust"),
];

impl OutgoingArgs {
    /// The command line decides, then containers.conf.
    pub fn options(&self, config: &Containers) -> Result<OutgoingOptions> {
        let format = match self.format.as_deref() {
            None | Some("") => None,
            Some("oci") => Some(Format::Oci),
            Some("v2s2") => Some(Format::V2s2),
            Some("v2s1") => {
                return Err(Error::usage(
                    "format \"v2s1\" is not supported: no registry of today needs it",
                )
                .hint("use oci or v2s2"));
            }
            Some(other) => {
                return Err(Error::usage(format!(
                    "unknown format \"{other}\". Choose one of the supported formats: 'oci' or 'v2s2'"
                )));
            }
        };
        let given = self
            .compression_format
            .as_deref()
            .filter(|text| !text.is_empty());
        let name = given.or(config.compression_format.as_deref());
        let compression = name.map(compression).transpose()?;
        let level = self.compression_level.or(config.compression_level);
        let level = level
            .map(|level| check_level(level, compression))
            .transpose()?;
        Ok(OutgoingOptions {
            format,
            compression,
            level,
            force: self.force_compression.unwrap_or(given.is_some()),
        })
    }

    /// Writes `--digestfile`: the digest alone, without a line's end.
    pub fn write_digest(&self, digest: &Digest) -> Result<()> {
        match value::given(&self.digestfile) {
            Some(path) => write(&path, &digest.to_string()),
            None => Ok(()),
        }
    }
}

fn compression(name: &str) -> Result<Compression> {
    match name {
        "gzip" => Ok(Compression::Gzip),
        "zstd" => Ok(Compression::Zstd),
        "zstd:chunked" => Err(Error::usage(
            "compression format \"zstd:chunked\" is not available in this version of pod",
        )
        .hint("use zstd: every tool that reads zstd:chunked reads it")),
        other => Err(
            Error::usage(format!("cannot find compressor for \"{other}\""))
                .hint("use gzip or zstd"),
        ),
    }
}

fn check_level(level: i64, compression: Option<Compression>) -> Result<i32> {
    let how = compression.unwrap_or(Compression::Gzip);
    let levels = how.levels();
    i32::try_from(level)
        .ok()
        .filter(|level| levels.contains(level))
        .ok_or_else(|| {
            Error::usage(format!(
                "invalid compression level {level}: {} has {} to {}",
                how.name(),
                levels.start(),
                levels.end()
            ))
        })
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).tried(|| format!("write the digest file \"{}\"", path.display()))
}
