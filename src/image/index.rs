//! Manifest lists that are made here, `pod manifest`.
//!
//! A list is an image record without config and layers: its names are images' names. What its entries say is kept in
//! the record, and the index made of it as a blob, so that the digest of the list is that of its bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Platform;
use super::convert::Format;
use crate::error::{Error, Kind, Result};
use crate::registry::Document;
use crate::storage::Digest;

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// What makes a record one of a manifest list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRecord {
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    pub entries: Vec<ListEntry>,
}

/// One image of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntry {
    /// Of the image's manifest.
    pub digest: Digest,
    /// Bytes of the manifest.
    pub size: u64,
    pub media_type: String,
    pub platform: ListPlatform,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// `registry/repository` that has the image, where it is not in the store.
    pub place: Option<String>,
}

/// Platform of an entry (image-spec `image-index.md`). Also the form in which indexes are read and written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPlatform {
    pub architecture: String,
    pub os: String,
    #[serde(
        rename = "os.version",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub os_version: Option<String>,
    #[serde(rename = "os.features", default, skip_serializing_if = "Vec::is_empty")]
    pub os_features: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Of the processor; reserved, and only Docker's lists have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
}

/// What the user says of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryChange {
    pub annotations: BTreeMap<String, String>,
    pub architecture: Option<String>,
    pub os: Option<String>,
    pub variant: Option<String>,
    pub os_version: Option<String>,
    pub os_features: Vec<String>,
    pub features: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u32,
    media_type: &'a str,
    manifests: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    media_type: &'a str,
    digest: Digest,
    size: u64,
    platform: ListPlatform,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
}

/// As far as entries are taken over from an index.
#[derive(Deserialize)]
struct Foreign {
    manifests: Vec<ForeignEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForeignEntry {
    media_type: String,
    digest: Digest,
    size: u64,
    platform: Option<ListPlatform>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl ListPlatform {
    /// As far as it decides which image runs where.
    pub fn of_image(&self) -> Platform {
        Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: self.variant.clone().filter(|variant| !variant.is_empty()),
        }
    }
}

impl ListRecord {
    /// Puts an image in; one of the same digest makes room.
    pub(super) fn add(&mut self, entry: ListEntry) {
        self.entries.retain(|known| known.digest != entry.digest);
        self.entries.push(entry);
    }

    /// The list as its bytes. Docker's format has no annotations, the OCI's no processor features.
    pub fn document(&self, format: Format) -> Result<Document> {
        let media_type = match format {
            Format::Oci => OCI_INDEX,
            Format::V2s2 => DOCKER_LIST,
        };
        let oci = format == Format::Oci;
        let noted = |annotations: &BTreeMap<String, String>| match oci {
            true => annotations.clone(),
            false => BTreeMap::new(),
        };
        let manifests = self.entries.iter().map(|entry| Entry {
            media_type: &entry.media_type,
            digest: entry.digest,
            size: entry.size,
            platform: ListPlatform {
                features: match oci {
                    true => Vec::new(),
                    false => entry.platform.features.clone(),
                },
                ..entry.platform.clone()
            },
            annotations: noted(&entry.annotations),
        });
        let index = Index {
            schema_version: 2,
            media_type,
            manifests: manifests.collect(),
            annotations: noted(&self.annotations),
        };
        let bytes = serde_json::to_vec(&index)
            .map_err(|err| Error::new(Kind::System, format!("write a manifest list: {err}")))?;
        Ok(Document {
            digest: Digest::sha256_of(&bytes),
            media_type: media_type.to_owned(),
            bytes,
        })
    }
}

impl EntryChange {
    pub(super) fn apply(&self, entry: &mut ListEntry) {
        let platform = &mut entry.platform;
        for (new, old) in [
            (&self.architecture, &mut platform.architecture),
            (&self.os, &mut platform.os),
        ] {
            if let Some(new) = new {
                *old = new.clone();
            }
        }
        for (new, old) in [
            (&self.variant, &mut platform.variant),
            (&self.os_version, &mut platform.os_version),
        ] {
            if new.is_some() {
                *old = new.clone().filter(|text| !text.is_empty());
            }
        }
        for (new, old) in [
            (&self.os_features, &mut platform.os_features),
            (&self.features, &mut platform.features),
        ] {
            if !new.is_empty() {
                *old = new.clone();
            }
        }
        entry.annotations.extend(self.annotations.clone());
    }
}

/// Whether a document is an index, by its media type.
pub(super) fn is_index(document: &Document) -> bool {
    [OCI_INDEX, DOCKER_LIST].contains(&document.media_type.as_str())
}

/// The images of an index that `place` has. Attestations, which have no platform, are passed over.
pub(super) fn entries_of(index: &Document, place: &str) -> Result<Vec<ListEntry>> {
    let foreign: Foreign = serde_json::from_slice(&index.bytes).map_err(|err| {
        let text = format!("read the index {}: {err}", index.digest);
        Error::new(Kind::Corrupt, text)
    })?;
    let known = foreign.manifests.into_iter().filter_map(|entry| {
        let platform = entry.platform?;
        let of_image = platform.os != "unknown" && !entry.media_type.ends_with("index.v1+json");
        of_image.then(|| ListEntry {
            digest: entry.digest,
            size: entry.size,
            media_type: entry.media_type,
            platform,
            annotations: entry.annotations.unwrap_or_default(),
            place: Some(place.to_owned()),
        })
    });
    Ok(known.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_written_as_its_format_has_it() {
        let mut entry = ListEntry {
            digest: Digest::sha256_of(b"x"),
            size: 7,
            media_type: "application/vnd.oci.image.manifest.v1+json".into(),
            platform: ListPlatform {
                architecture: "amd64".into(),
                os: "linux".into(),
                ..ListPlatform::default()
            },
            annotations: BTreeMap::new(),
            place: Some("a.io/b".into()),
        };
        let change = EntryChange {
            architecture: Some("arm64".into()),
            variant: Some("v8".into()),
            features: vec!["sse4".into()],
            annotations: BTreeMap::from([("a".into(), "b".into())]),
            ..EntryChange::default()
        };
        change.apply(&mut entry);
        let mut list = ListRecord::default();
        list.add(entry.clone());
        list.add(entry.clone());
        assert_eq!(list.entries.len(), 1);
        let text = |format| String::from_utf8(list.document(format).unwrap().bytes).unwrap();
        let digest = entry.digest;
        assert_eq!(
            text(Format::Oci),
            format!(
                r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{{"mediaType":"{}","digest":"{digest}","size":7,"platform":{{"architecture":"arm64","os":"linux","variant":"v8"}},"annotations":{{"a":"b"}}}}]}}"#,
                entry.media_type
            )
        );
        let docker = text(Format::V2s2);
        assert!(docker.contains(r#""features":["sse4"]"#) && !docker.contains("annotations"));
        let back = entries_of(&list.document(Format::Oci).unwrap(), "a.io/b").unwrap();
        assert_eq!(back[0].platform.variant.as_deref(), Some("v8"));
    }
}
