//! The document `pod inspect CONTAINER` prints: Podman's keys and types.

use serde::Serialize;

use crate::error::Result;

use super::engine::Container;

/// Serialises to one element of `inspect`'s array.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InspectContainer {
    pub id: String,
}

pub(super) fn inspect(container: &Container, _size: bool) -> Result<InspectContainer> {
    Ok(InspectContainer {
        id: container.record.id.clone(),
    })
}
