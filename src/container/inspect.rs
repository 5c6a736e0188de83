//! The document `pod inspect CONTAINER` prints: Podman's keys and types.

use serde::Serialize;

/// Serialises to one element of `inspect`'s array.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InspectContainer {
    pub id: String,
}
