//! Archives as no honest tool writes them, and images around one layer in every format that pod reads.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A tar, member after member.
#[derive(Default, Clone)]
pub struct Tarball(Vec<u8>);

impl Tarball {
    pub fn new() -> Self {
        Self::default()
    }

    /// Any header: `kind` is the type flag, `size` what it claims.
    #[must_use]
    pub fn raw(mut self, kind: u8, name: &str, link: &str, size: u64, content: &[u8]) -> Self {
        let mut block = [0_u8; 512];
        let put = |block: &mut [u8], at: usize, text: &str| {
            block[at..at + text.len()].copy_from_slice(text.as_bytes());
        };
        put(&mut block, 0, name);
        put(
            &mut block,
            100,
            if kind == b'5' { "0000777" } else { "0000644" },
        );
        put(&mut block, 108, "0000000");
        put(&mut block, 116, "0000000");
        put(&mut block, 124, &format!("{size:011o}"));
        put(&mut block, 136, "00000000000");
        put(&mut block, 148, "        ");
        block[156] = kind;
        put(&mut block, 157, link);
        put(&mut block, 257, "ustar");
        put(&mut block, 263, "00");
        put(&mut block, 329, "0000001");
        put(&mut block, 337, "0000003");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        put(&mut block, 148, &format!("{sum:06o}\0"));
        self.0.extend_from_slice(&block);
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    #[must_use]
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        self.raw(b'0', name, "", content.len() as u64, content)
    }

    #[must_use]
    pub fn dir(self, name: &str) -> Self {
        self.raw(b'5', name, "", 0, &[])
    }

    #[must_use]
    pub fn symlink(self, name: &str, target: &str) -> Self {
        self.raw(b'2', name, target, 0, &[])
    }

    #[must_use]
    pub fn hard_link(self, name: &str, target: &str) -> Self {
        self.raw(b'1', name, target, 0, &[])
    }

    /// An extended header for the member that follows.
    #[must_use]
    pub fn pax(self, key: &str, value: &str) -> Self {
        let body = format!(" {key}={value}\n");
        let mut len = body.len() + 1;
        while len.to_string().len() + body.len() != len {
            len += 1;
        }
        let record = format!("{len}{body}");
        self.raw(b'x', "pax", "", record.len() as u64, record.as_bytes())
    }

    pub fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }

    /// Without the end marker.
    pub fn cut(self, len: usize) -> Vec<u8> {
        let mut bytes = self.end();
        bytes.truncate(len);
        bytes
    }
}

pub fn sha256(content: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(content).into();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One image of one layer; the parts may lie.
#[derive(Clone)]
pub struct OneLayer {
    /// The blob, maybe compressed.
    pub blob: Vec<u8>,
    pub config: Vec<u8>,
}

impl OneLayer {
    pub fn new(tar: &[u8]) -> Self {
        Self::with_diff_id(tar, &sha256(tar))
    }

    pub fn with_diff_id(blob: &[u8], diff_id: &str) -> Self {
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/x"]},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{diff_id}")]},
        });
        Self {
            blob: blob.to_vec(),
            config: config.to_string().into_bytes(),
        }
    }

    pub fn manifest(&self) -> Value {
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": format!("sha256:{}", sha256(&self.config)),
                "size": self.config.len(),
            },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": format!("sha256:{}", sha256(&self.blob)),
                "size": self.blob.len(),
            }],
        })
    }

    pub fn docker_archive(&self) -> Tarball {
        let list = json!([{
            "Config": "config.json", "RepoTags": ["localhost/one:1"], "Layers": ["one/layer.tar"],
        }]);
        Tarball::new()
            .file("one/layer.tar", &self.blob)
            .file("config.json", &self.config)
            .file("manifest.json", list.to_string())
    }

    /// Files of an OCI layout; `manifest` may be another than [`OneLayer::manifest`].
    pub fn layout(&self, manifest: &[u8]) -> Vec<(String, Vec<u8>)> {
        let index = json!({
            "schemaVersion": 2,
            "manifests": [{
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": format!("sha256:{}", sha256(manifest)),
                "size": manifest.len(),
                "annotations": {"org.opencontainers.image.ref.name": "localhost/one:1"},
            }],
        });
        let blob = |content: &[u8]| format!("blobs/sha256/{}", sha256(content));
        vec![
            (
                "oci-layout".into(),
                br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec(),
            ),
            ("index.json".into(), index.to_string().into_bytes()),
            (blob(manifest), manifest.to_vec()),
            (blob(&self.config), self.config.clone()),
            (blob(&self.blob), self.blob.clone()),
        ]
    }

    pub fn oci_archive(&self, manifest: &[u8]) -> Tarball {
        let files = self.layout(manifest);
        files.iter().fold(Tarball::new(), |tar, (name, content)| {
            tar.file(name, content)
        })
    }

    pub fn oci_dir(&self, dir: &Path, manifest: &[u8]) {
        for (name, content) in self.layout(manifest) {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }

    pub fn docker_dir(&self, dir: &Path) {
        fs::create_dir_all(dir).unwrap();
        fs::write(dir.join("version"), "Directory Transport Version: 1.1\n").unwrap();
        fs::write(dir.join("manifest.json"), self.manifest().to_string()).unwrap();
        fs::write(dir.join(sha256(&self.config)), &self.config).unwrap();
        fs::write(dir.join(sha256(&self.blob)), &self.blob).unwrap();
    }
}
