//! Import: a file system in a tar becomes an image of one layer.
//!
//! The archive is copied into staging and unpacked at the same time; which layer it is shows at its end. A tar in
//! gzip or zstd is kept as it is, as a layer may be; out of xz or bzip2 it is kept plain.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::fs::PermissionsExt;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::change::{self, Change};
use super::commit::Nowhere;
use super::intake::Wanted;
use super::reference::Reference;
use super::source::{Document, Incoming, Layer};
use super::{AccessOptions, Event, Image, Images, PlatformRequest, Progress};
use crate::error::{Error, Kind, Result, Tried};
use crate::registry::event::BlobKind;
use crate::storage::archive::layer_bytes;
use crate::storage::unpack::{self, LayerUnpack, feed};
use crate::storage::{ChainId, DiffId, Digest, LayerDigest, LayerMeta, NewBlob, Pin};

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";
/// Copied at once.
const STEP: usize = 1 << 20;

#[derive(Debug)]
pub struct ImportRequest<'a> {
    pub changes: &'a [Change],
    pub message: Option<&'a str>,
    pub platform: &'a PlatformRequest,
    pub name: Option<&'a Reference>,
    /// RFC 3339: when the archive was written.
    pub created: &'a str,
}

/// An image config in the order of keys that Podman writes, so that one archive is one image with both.
#[derive(Serialize)]
struct Config<'a> {
    created: &'a str,
    architecture: String,
    os: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
    config: Map<String, Value>,
    rootfs: RootFs,
    history: [History<'a>; 1],
}

#[derive(Serialize)]
struct RootFs {
    r#type: &'static str,
    diff_ids: [DiffId; 1],
}

#[derive(Serialize)]
struct History<'a> {
    created: &'a str,
    created_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<&'a str>,
}

/// The layer that an archive became, named and in the store.
struct Imported {
    diff_id: DiffId,
    layer: Layer,
    /// Until a record refers to it.
    pin: Pin,
}

impl Images<'_> {
    /// Makes an image of an archive in a file or a pipe.
    ///
    /// For a process with one thread only.
    pub fn import(
        &self,
        archive: File,
        request: &ImportRequest<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Image> {
        let imported = self.import_layer(archive)?;
        progress.event(&Event::BlobStarted {
            digest: imported.layer.digest.digest(),
            kind: BlobKind::Layer,
            size: imported.layer.size,
            have: 0,
        });
        let incoming = incoming(request, &imported)?;
        let wanted = Wanted {
            names: request.name.map(std::slice::from_ref).unwrap_or_default(),
            platform: &PlatformRequest::default(),
        };
        let image = self.take_in(&Nowhere, &incoming, &wanted, &mut Told(progress));
        drop(imported.pin);
        image
    }

    /// What a URL holds, in a file without a name.
    pub fn download(&self, url: &str) -> Result<File> {
        let mut file = self.store.scratch()?;
        self.client(&AccessOptions::default())?
            .download(url, &mut file)?;
        file.rewind().tried(|| "read what was downloaded")?;
        Ok(file)
    }

    fn import_layer(&self, archive: File) -> Result<Imported> {
        let (mut bytes, plain) = layer_bytes(archive)?;
        let maps = self.maps()?;
        let staged = self.store.stage_new_layer()?;
        // What `/` has when the archive does not say.
        let tree = staged.dir().join("tree");
        fs::set_permissions(&tree, fs::Permissions::from_mode(0o755))
            .tried(|| "stage a new layer")?;
        let mut blob = self.store.stage_new_blob(!plain)?;
        let (mut feeding, reader) = feed()?;
        let unit = LayerUnpack {
            layer: None,
            blob: blob.reader()?,
            feed: reader,
            into: staged.dir(),
            want: None,
        };
        let worker = unpack::start(&maps, vec![unit])?;
        let size = match copy(&mut *bytes, &mut blob, |size| feeding.valid(size)) {
            Ok(size) => size,
            Err(Copy::Source(err)) => return Err(err), // the worker goes with its handle
            // The unpacker gave up first and knows why.
            Err(Copy::Unpacker(err)) => return Err(worker.finish().err().unwrap_or(err)),
        };
        if let Err(err) = feeding.complete(size) {
            return Err(worker.finish().err().unwrap_or(err));
        }
        let unpacked = worker.finish()?.pop().ok_or_else(|| {
            Error::new(Kind::System, "unpack the archive: the worker has no answer")
        })?;
        if unpacked.tar_size == 0 {
            return Err(Error::new(Kind::Corrupt, "import: the archive is empty"));
        }
        let (digest, ready) = blob.named(unpacked.diff_id.digest())?;
        let layer = LayerDigest::from(digest);
        let chain = ChainId::of_all(&[unpacked.diff_id]);
        let lock = self.store.lock_structure()?;
        let pin = self.store.pin(&lock, &[digest], &chain)?;
        drop(lock);
        let staged = staged.named(&chain[0]);
        if let Some(staged) = &staged {
            staged.describe(&LayerMeta {
                version: 1,
                diff_id: unpacked.diff_id,
                parent: None,
                blob: Some(layer),
                size: unpacked.size,
                entries: unpacked.entries,
                single_id: maps.is_single(),
                tar: None,
                tar_size: Some(unpacked.tar_size),
            })?;
        }
        self.store.sync()?;
        let lock = self.store.lock_structure()?;
        self.store.publish(
            &lock,
            ready.into_iter().collect(),
            staged.into_iter().collect(),
        )?;
        drop(lock);
        let suffix = match digest == *unpacked.diff_id.digest() {
            true => "",
            false => self.compression_of(&digest)?,
        };
        Ok(Imported {
            diff_id: unpacked.diff_id,
            layer: Layer {
                digest: layer,
                size,
                media_type: format!("{LAYER_TYPE}{suffix}"),
            },
            pin,
        })
    }

    fn compression_of(&self, digest: &Digest) -> Result<&'static str> {
        let mut head = [0];
        let tried = || format!("read blob {digest}");
        self.store
            .open_blob(digest)?
            .read_exact(&mut head)
            .tried(tried)?;
        Ok(match head[0] {
            0x1f => "+gzip",
            _ => "+zstd",
        })
    }
}

/// Passes over that the layer is there: it was told of when it was imported.
struct Told<'a>(&'a mut dyn Progress);

impl Progress for Told<'_> {
    fn event(&mut self, event: &Event<'_>) {
        if !matches!(event, Event::BlobPresent { .. }) {
            self.0.event(event);
        }
    }
}

/// Which side of a copy failed.
enum Copy {
    Source(Error),
    Unpacker(Error),
}

fn copy(
    from: &mut dyn Read,
    to: &mut NewBlob,
    mut tell: impl FnMut(u64) -> Result<()>,
) -> Result<u64, Copy> {
    let mut buffer = vec![0; STEP];
    let mut size = 0;
    loop {
        let got = match from.read(&mut buffer) {
            Ok(0) => return Ok(size),
            Ok(got) => got,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
            Err(err) => {
                let kind = match err.raw_os_error() {
                    Some(_) => Kind::System,
                    None => Kind::Corrupt,
                };
                return Err(Copy::Source(
                    Error::io(&err, "read the archive").with_kind(kind),
                ));
            }
        };
        size = to.append(&buffer[..got]).map_err(Copy::Source)?;
        tell(size).map_err(Copy::Unpacker)?;
    }
}

fn incoming(request: &ImportRequest<'_>, imported: &Imported) -> Result<Incoming> {
    let mut settings = Map::new();
    change::apply(&mut settings, request.changes);
    let platform = request.platform.resolve();
    let config = Config {
        created: request.created,
        architecture: platform.architecture,
        os: platform.os,
        variant: request.platform.variant.clone(),
        config: settings,
        rootfs: RootFs {
            r#type: "layers",
            diff_ids: [imported.diff_id],
        },
        history: [History {
            created: request.created,
            created_by: format!(
                "/bin/sh -c #(nop) ADD file:{} in /",
                imported.diff_id.digest().hex()
            ),
            comment: request.message,
        }],
    };
    let encode = |value: serde_json::Result<Vec<u8>>| {
        value.map_err(|err| Error::new(Kind::System, format!("write an image's config: {err}")))
    };
    let config = encode(serde_json::to_vec(&config))?;
    let config_digest = Digest::sha256_of(&config);
    let layer = &imported.layer;
    let bytes = encode(serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": CONFIG_TYPE,
            "digest": config_digest.to_string(),
            "size": config.len(),
        },
        "layers": [{
            "mediaType": layer.media_type,
            "digest": layer.digest.to_string(),
            "size": layer.size,
        }],
    })))?;
    Ok(Incoming {
        index: None,
        manifest: Document {
            digest: Digest::sha256_of(&bytes),
            media_type: MANIFEST_TYPE.to_owned(),
            bytes,
        },
        config,
        config_digest,
        layers: vec![layer.clone()],
    })
}
