//! The layers of the store as images use them: `history` and `image tree`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Family, Images, Summary, lookup};
use crate::error::Result;
use crate::storage::ChainId;

/// One step in the making of an image.
#[derive(Debug, Clone)]
pub struct HistoryRow {
    /// Id of the image that ends with this step, or `<missing>`.
    pub id: String,
    /// RFC 3339
    pub created: Option<String>,
    pub created_by: String,
    pub comment: String,
    /// Names of the images that end with this step.
    pub tags: Vec<String>,
    /// Bytes of the step's layer.
    pub size: u64,
}

/// A layer, and layers upon it.
#[derive(Debug, Clone)]
pub struct LayerNode {
    pub layer: ChainId,
    /// Bytes.
    pub size: u64,
    /// Names of the images whose uppermost layer this is.
    pub tags: Vec<String>,
    pub children: Vec<LayerNode>,
}

impl Images<'_> {
    /// How an image was made, latest step first, as its config tells.
    pub fn history_of(&self, name: &str) -> Result<Vec<HistoryRow>> {
        let image = self.image_summary(name)?;
        let all = self.list()?;
        let family = Family::new(*self, &all);
        let steps = family
            .history(&image.id)
            .ok_or_else(|| lookup::unknown(name).hint("its config cannot be read"))?;
        let by_id: BTreeMap<_, _> = all.iter().map(|image| (image.id, image)).collect();
        let mut layers = image.layers.iter().rev().copied().peekable();
        let mut told = BTreeSet::new();
        let mut rows = Vec::new();
        for step in steps.iter().rev() {
            let layer = layers.peek().copied();
            let mut row = HistoryRow {
                id: "<missing>".to_owned(),
                created: step.created.clone(),
                created_by: step.created_by.clone().unwrap_or_default(),
                comment: step.comment.clone().unwrap_or_default(),
                tags: Vec::new(),
                size: 0,
            };
            // An image is named at the step it ends with: the one that has as many steps as are left.
            let left = steps.len() - rows.len();
            for id in family.with_top(layer) {
                let ends_here = *id == image.id && left == steps.len()
                    || family
                        .history(id)
                        .is_some_and(|other| other.len() == left && *id != image.id);
                if ends_here && let Some(other) = by_id.get(id) {
                    if told.insert(*id) && row.id == "<missing>" {
                        row.id = id.hex();
                    }
                    row.tags.extend(other.all_names().map(ToString::to_string));
                }
            }
            // A config may tell of more layers than there are; that is its author's lie.
            if !step.is_empty_layer()
                && let Some(layer) = layers.next()
            {
                row.size = self.layer_size(&layer)?;
            }
            rows.push(row);
        }
        Ok(rows)
    }

    /// The layers of an image, lowest first.
    pub fn layers_of(&self, image: &Summary) -> Result<Vec<LayerNode>> {
        let all = self.list()?;
        let layers = image.layers.iter();
        layers
            .map(|layer| self.node(*layer, &all))
            .collect::<Result<_>>()
    }

    /// The uppermost layer of an image and all that lies upon it: as a line where there is no choice, else as
    /// branches.
    pub fn layers_above(&self, image: &Summary) -> Result<Vec<LayerNode>> {
        let all = self.list()?;
        let mut above: BTreeMap<Option<ChainId>, BTreeSet<ChainId>> = BTreeMap::new();
        for other in &all {
            let mut below = None;
            for layer in &other.layers {
                above.entry(below).or_default().insert(*layer);
                below = Some(*layer);
            }
        }
        let Some((top, lower)) = image.layers.split_last() else {
            return Ok(Vec::new());
        };
        let mut grown = self.grow(*top, &above, &all)?;
        let beside = lower
            .last()
            .and_then(|below| above.get(&Some(*below)))
            .map_or(1, BTreeSet::len);
        if beside > 1 && !grown.is_empty() {
            let rest = grown.split_off(1);
            grown[0].children.extend(rest);
        }
        Ok(grown)
    }

    /// `layer` and what is above it, where an only child stands beside its parent.
    fn grow(
        &self,
        layer: ChainId,
        above: &BTreeMap<Option<ChainId>, BTreeSet<ChainId>>,
        all: &[Summary],
    ) -> Result<Vec<LayerNode>> {
        let mut line = vec![self.node(layer, all)?];
        let mut at = layer;
        loop {
            let upon: Vec<ChainId> = above
                .get(&Some(at))
                .map(|set| set.iter().copied().collect())
                .unwrap_or_default();
            match upon.as_slice() {
                [] => return Ok(line),
                [only] => {
                    line.push(self.node(*only, all)?);
                    at = *only;
                }
                several => {
                    for child in several {
                        let mut grown = self.grow(*child, above, all)?.into_iter();
                        if let Some(mut first) = grown.next() {
                            first.children.extend(grown);
                            line.push(first);
                        }
                    }
                    return Ok(line);
                }
            }
        }
    }

    fn node(&self, layer: ChainId, all: &[Summary]) -> Result<LayerNode> {
        let ends = all
            .iter()
            .filter(|image| image.layers.last() == Some(&layer));
        Ok(LayerNode {
            layer,
            size: self.layer_size(&layer)?,
            tags: ends
                .flat_map(|image| image.names.iter().map(ToString::to_string))
                .collect(),
            children: Vec::new(),
        })
    }

    fn layer_size(&self, layer: &ChainId) -> Result<u64> {
        Ok(self.store.layer_meta(layer)?.map_or(0, |meta| meta.size))
    }
}
