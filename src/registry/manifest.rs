//! Manifests and indexes, hardened before anything in them is believed (image-spec `manifest.md`, `image-index.md`).
//!
//! The bytes are kept as they came: whatever has a digest is never serialised again.

use oci_client::manifest::{
    IMAGE_CONFIG_MEDIA_TYPE, IMAGE_DOCKER_CONFIG_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, OciDescriptor,
    OciImageIndex, OciImageManifest,
};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::platform::Platform;
use crate::error::{Error, Kind, Result};
use crate::state::digest::{Digest, LayerDigest};

/// Largest manifest, index or config that is taken.
pub const MAX_DOCUMENT: u64 = 4 * 1024 * 1024;

/// What a manifest request accepts.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";

const SCHEMA1: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];

/// A document with its exact bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    pub digest: Digest,
    pub media_type: String,
    pub bytes: Vec<u8>,
}

/// A layer as the manifest describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub digest: LayerDigest,
    /// Bytes of the blob.
    pub size: u64,
    pub media_type: String,
}

/// What a descriptor of the config says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigBlob {
    pub digest: Digest,
    pub size: u64,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    pub config: ConfigBlob,
    /// Lowest first.
    pub layers: Vec<Layer>,
}

/// One entry of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub digest: Digest,
    pub size: u64,
    pub platform: Option<Platform>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    Image(Manifest),
    Index(Vec<Entry>),
}

/// The keys that tell what a document is. Present in both columns at once it is a trick (CVE-2021-41190).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    #[serde(default)]
    schema_version: i64,
    media_type: Option<String>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    fs_layers: Option<IgnoredAny>,
    manifests: Option<IgnoredAny>,
}

/// Reads a document; `content_type` is the registry's word for it, empty or general where it says nothing.
///
/// Returns the media type that was settled on. Doubled keys are refused by serde.
pub fn parse(bytes: &[u8], content_type: &str) -> Result<(String, Parsed)> {
    check_depth(bytes)?;
    let shape: Shape =
        serde_json::from_slice(bytes).map_err(|err| refuse(format!("not a manifest: {err}")))?;
    let said = content_type.split(';').next().unwrap_or_default().trim();
    if shape.schema_version == 1 || shape.fs_layers.is_some() || SCHEMA1.contains(&said) {
        return Err(Error::new(
            Kind::Unsupported,
            "Docker's image format of before 2016 (manifest schema 1) is not supported",
        )
        .hint("ask for the image to be pushed again with a current tool"));
    }
    if shape.schema_version != 2 {
        return Err(refuse(format!(
            "schemaVersion is {} instead of 2",
            shape.schema_version
        )));
    }
    let has_image = shape.config.is_some() || shape.layers.is_some();
    let has_index = shape.manifests.is_some();
    if has_image && has_index {
        return Err(refuse("it claims to be both an image and an index".into()));
    }
    let written = shape.media_type.as_deref().unwrap_or_default();
    if is_known(said) && !written.is_empty() && said != written {
        return Err(refuse(format!(
            "the registry calls it {said}, it calls itself {written}"
        )));
    }
    let media_type = match (written, said) {
        ("", said) if is_known(said) => said,
        ("", _) if has_index => OCI_IMAGE_INDEX_MEDIA_TYPE,
        ("", _) => OCI_IMAGE_MEDIA_TYPE,
        (written, _) => written,
    };
    if !is_known(media_type) {
        return Err(refuse(format!(
            "its media type {media_type} is not an image's"
        )));
    }
    if is_index(media_type) != has_index {
        return Err(refuse(format!(
            "its content does not fit its media type {media_type}"
        )));
    }
    let parsed = match has_index {
        true => Parsed::Index(parse_index(bytes)?),
        false => Parsed::Image(parse_image(bytes)?),
    };
    Ok((media_type.to_owned(), parsed))
}

/// Refuses JSON nested deeper than any manifest or config is. serde_json limits only what it keeps, not what it skips.
pub fn check_depth(json: &[u8]) -> Result<()> {
    const DEEPEST: usize = 64;
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in json {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => depth += 1,
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return Err(refuse(format!("nested deeper than {DEEPEST} levels")));
        }
    }
    Ok(())
}

fn parse_image(bytes: &[u8]) -> Result<Manifest> {
    let manifest: OciImageManifest = serde_json::from_slice(bytes)
        .map_err(|err| refuse(format!("not an image manifest: {err}")))?;
    let kind = manifest.config.media_type.as_str();
    if ![IMAGE_CONFIG_MEDIA_TYPE, IMAGE_DOCKER_CONFIG_MEDIA_TYPE].contains(&kind) {
        return Err(Error::new(
            Kind::Unsupported,
            format!("this is not a container image: its config is of type {kind}"),
        ));
    }
    let (digest, size) = descriptor(&manifest.config, "the config")?;
    if size > MAX_DOCUMENT {
        return Err(refuse(format!(
            "its config has {size} bytes, more than {MAX_DOCUMENT}"
        )));
    }
    let layers = manifest
        .layers
        .iter()
        .map(|layer| {
            if !is_layer(&layer.media_type) {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!("layers of type {} are not supported", layer.media_type),
                ));
            }
            // `urls` (foreign layers) are ignored: a manifest must not choose whom we connect to.
            let (digest, size) = descriptor(layer, "a layer")?;
            Ok(Layer {
                digest: digest.into(),
                size,
                media_type: layer.media_type.clone(),
            })
        })
        .collect::<Result<_>>()?;
    Ok(Manifest {
        config: ConfigBlob { digest, size },
        layers,
    })
}

fn parse_index(bytes: &[u8]) -> Result<Vec<Entry>> {
    let index: OciImageIndex = serde_json::from_slice(bytes)
        .map_err(|err| refuse(format!("not an image index: {err}")))?;
    let mut entries = Vec::new();
    for entry in &index.manifests {
        let size = positive(entry.size, "an entry of the index")?;
        let digest = entry.digest.parse()?;
        // Nested indexes and artifacts are passed over, as are attestations ("unknown/unknown").
        if !is_known(&entry.media_type) || is_index(&entry.media_type) {
            continue;
        }
        let platform = entry.platform.as_ref().map(|platform| Platform {
            os: platform.os.to_string(),
            architecture: platform.architecture.to_string(),
            variant: platform
                .variant
                .clone()
                .filter(|variant| !variant.is_empty()),
        });
        entries.push(Entry {
            digest,
            size,
            platform,
        });
    }
    Ok(entries)
}

/// Chooses the entry that runs best on `want`.
pub fn choose<'a>(entries: &'a [Entry], want: &Platform) -> Result<&'a Entry> {
    let distance = |entry: &Entry| match &entry.platform {
        Some(platform) => want.distance(platform),
        None => Some(u32::MAX), // says nothing: its config will tell
    };
    let best = entries
        .iter()
        .filter_map(|entry| distance(entry).map(|distance| (distance, entry)))
        .min_by_key(|(distance, _)| *distance);
    if let Some((_, entry)) = best {
        return Ok(entry);
    }
    let mut there: Vec<String> = entries
        .iter()
        .filter_map(|entry| entry.platform.as_ref())
        .map(Platform::to_string)
        .collect();
    there.sort();
    there.dedup();
    let err = Error::new(
        Kind::NotFound,
        format!(
            "no image found in image index for architecture \"{}\", variant \"{}\", OS \"{}\"",
            want.architecture,
            want.variant.as_deref().unwrap_or_default(),
            want.os
        ),
    );
    Err(err.hint(format!(
        "it has {}: choose one with --platform",
        there.join(", ")
    )))
}

fn descriptor(descriptor: &OciDescriptor, what: &str) -> Result<(Digest, u64)> {
    let digest = descriptor.digest.parse()?;
    Ok((digest, positive(descriptor.size, what)?))
}

fn positive(size: i64, what: &str) -> Result<u64> {
    u64::try_from(size).map_err(|_| refuse(format!("the size of {what} is negative: {size}")))
}

fn is_known(media_type: &str) -> bool {
    is_index(media_type) || [OCI_IMAGE_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE].contains(&media_type)
}

fn is_index(media_type: &str) -> bool {
    [OCI_IMAGE_INDEX_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE].contains(&media_type)
}

/// A tar, plain or compressed; what it really is is sniffed from its first bytes.
fn is_layer(media_type: &str) -> bool {
    matches!(
        media_type,
        "application/vnd.oci.image.layer.v1.tar"
            | "application/vnd.oci.image.layer.v1.tar+gzip"
            | "application/vnd.oci.image.layer.v1.tar+zstd"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
            | "application/vnd.docker.image.rootfs.diff.tar"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip"
            | "application/vnd.docker.image.rootfs.diff.tar.zstd"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    )
}

fn refuse(why: String) -> Error {
    Error::new(Kind::Corrupt, format!("refuse the manifest: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn image(extra: &str, size: &str, digest: &str) -> String {
        format!(
            r#"{{"schemaVersion":2{extra},
            "config":{{"mediaType":"{IMAGE_CONFIG_MEDIA_TYPE}","digest":"{A}","size":2}},
            "layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{digest}","size":{size},
            "urls":["http://169.254.169.254/"]}}]}}"#
        )
    }

    #[test]
    fn an_image_is_read() {
        let typed = format!(r#","mediaType":"{OCI_IMAGE_MEDIA_TYPE}""#);
        for (extra, content_type) in [
            ("", OCI_IMAGE_MEDIA_TYPE),
            ("", ""),
            (typed.as_str(), "application/json; charset=utf-8"),
            (
                typed.as_str(),
                "application/vnd.oci.image.manifest.v1+json; x=y",
            ),
        ] {
            let (kind, parsed) = parse(image(extra, "7", A).as_bytes(), content_type).unwrap();
            assert_eq!(kind, OCI_IMAGE_MEDIA_TYPE);
            let Parsed::Image(image) = parsed else {
                panic!("{content_type}")
            };
            assert_eq!((image.config.size, image.layers[0].size), (2, 7));
        }
    }

    #[test]
    fn lies_are_refused() {
        let deep = format!(
            r#"{{"schemaVersion":2,"x":{}{}}}"#,
            "[".repeat(200_000),
            "]".repeat(200_000)
        );
        let index_type = format!(r#","mediaType":"{OCI_IMAGE_INDEX_MEDIA_TYPE}""#);
        let docker_type = format!(r#","mediaType":"{IMAGE_MANIFEST_MEDIA_TYPE}""#);
        let foreign =
            image("", "1", A).replace(IMAGE_CONFIG_MEDIA_TYPE, "application/vnd.helm.config");
        let cases = [
            ("", "", "not a manifest"),
            ("[]", "", "not a manifest"),
            (deep.as_str(), "", "nested deeper"),
            (&image("", "-1", A), "", "negative"),
            (
                &image("", "99999999999999999999", A),
                "",
                "not an image manifest",
            ),
            (&image("", "1", "sha256:../../x"), "", "parse digest"),
            (&image("", "1", "md5:1"), "", "parse digest"),
            (
                &image(r#","manifests":[]"#, "1", A),
                "",
                "both an image and an index",
            ),
            (
                &image(&index_type, "1", A),
                "",
                "does not fit its media type",
            ),
            (
                &image(&docker_type, "1", A),
                OCI_IMAGE_MEDIA_TYPE,
                "the registry calls it",
            ),
            (
                &image("", "1", A),
                OCI_IMAGE_INDEX_MEDIA_TYPE,
                "does not fit its media type",
            ),
            (
                &image(r#","schemaVersion":2"#, "1", A),
                "",
                "duplicate field",
            ),
            (r#"{"schemaVersion":1,"fsLayers":[]}"#, "", "schema 1"),
            (r#"{"schemaVersion":3}"#, "", "schemaVersion is 3"),
            (
                r#"{"schemaVersion":2,"mediaType":"text/html","layers":[]}"#,
                "",
                "is not an image's",
            ),
            (foreign.as_str(), "", "not a container image"),
        ];
        for (text, content_type, want) in cases {
            let err = parse(text.as_bytes(), content_type)
                .expect_err(want)
                .to_string();
            assert!(err.contains(want), "{want}: {err}");
        }
    }

    #[test]
    fn the_best_platform_is_chosen() {
        let entry = |platform: &str| {
            let mut parts = platform.split('/').map(str::to_owned);
            Entry {
                digest: Digest::sha256_of(platform.as_bytes()),
                size: 1,
                platform: Some(Platform {
                    os: parts.next().unwrap(),
                    architecture: parts.next().unwrap(),
                    variant: parts.next(),
                }),
            }
        };
        let names = [
            "linux/arm/v5",
            "linux/arm/v7",
            "unknown/unknown",
            "linux/amd64",
            "linux/arm64/v8",
        ];
        let entries: Vec<Entry> = names.iter().map(|name| entry(name)).collect();
        let want = |os: &str, architecture: &str, variant: Option<&str>| Platform {
            os: os.into(),
            architecture: architecture.into(),
            variant: variant.map(str::to_owned),
        };
        let cases = [
            (want("linux", "amd64", None), Some("linux/amd64")),
            (want("linux", "arm", Some("v7")), Some("linux/arm/v7")),
            (want("linux", "arm", Some("v6")), Some("linux/arm/v5")),
            (want("linux", "arm64", Some("v8")), Some("linux/arm64/v8")),
            (want("linux", "riscv64", None), None),
        ];
        for (want, name) in cases {
            let got = choose(&entries, &want);
            let got_name = got
                .ok()
                .map(|entry| entry.platform.as_ref().unwrap().to_string());
            assert_eq!(got_name.as_deref(), name, "{want}");
        }
        let err = choose(&entries, &want("linux", "riscv64", None)).unwrap_err();
        assert!(err.remedy().unwrap().contains("linux/amd64, linux/arm/v5"));
    }
}
