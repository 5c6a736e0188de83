//! How much room images take: `system df`.

use std::collections::{BTreeMap, BTreeSet};

use super::Images;
use super::list::Summary;
use super::record::names_of;
use crate::error::Result;
use crate::storage::{ChainId, Digest};

/// The room of all images.
#[derive(Debug, Clone)]
pub struct Usage {
    pub images: Vec<ImageUsage>,
    /// Bytes in the store, whoever needs them.
    pub total: u64,
    items: BTreeMap<Digest, BTreeSet<Item>>,
    /// Of what is in this store, not below.
    sizes: BTreeMap<Item, u64>,
}

/// The room of one image: its unpacked layers, and the blobs they and their documents came as.
#[derive(Debug, Clone)]
pub struct ImageUsage {
    pub image: Summary,
    /// Bytes that other images need too.
    pub shared: u64,
    /// Bytes that only this one needs.
    pub unique: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Layer(ChainId),
    Blob(Digest),
}

impl Images<'_> {
    pub fn usage(&self) -> Result<Usage> {
        let contents = self.store.contents()?;
        let tags = self.all_tags()?;
        let names = names_of(&tags);
        let records = self.all_images()?;
        let layers = contents.layers.iter();
        let mut sizes: BTreeMap<Item, u64> =
            layers.map(|(id, size)| (Item::Layer(*id), *size)).collect();
        let blobs = contents.blobs.iter();
        sizes.extend(blobs.map(|(digest, size)| (Item::Blob(*digest), *size)));
        let items: BTreeMap<Digest, BTreeSet<Item>> = records
            .iter()
            .map(|record| {
                let layers = record.layers.iter().copied().map(Item::Layer);
                let all = layers.chain(record.blobs().map(Item::Blob));
                (record.id, all.collect())
            })
            .collect();
        let mut needed: BTreeMap<Item, usize> = BTreeMap::new();
        for item in items.values().flatten() {
            *needed.entry(*item).or_default() += 1;
        }
        let size_of = |item: &Item| match (sizes.get(item), item) {
            (Some(size), _) => *size,
            // In a store below.
            (None, Item::Blob(digest)) => self.store.blob_size(digest).unwrap_or_default(),
            (None, Item::Layer(layer)) => {
                let meta = self.store.layer_meta(layer).unwrap_or_default();
                meta.map_or(0, |meta| meta.size)
            }
        };
        let images = records.iter().map(|record| {
            let (mut shared, mut unique) = (0, 0);
            for item in items.get(&record.id).into_iter().flatten() {
                let size = size_of(item);
                match needed.get(item) {
                    Some(2..) => shared += size,
                    _ => unique += size,
                }
            }
            ImageUsage {
                image: self.summarize(record, &names),
                shared,
                unique,
            }
        });
        Ok(Usage {
            images: images.collect::<Vec<_>>(),
            total: contents.total(),
            items,
            sizes,
        })
    }
}

impl Usage {
    /// Bytes of this store that these images need, each counted once.
    pub fn of<'d>(&self, images: impl IntoIterator<Item = &'d Digest>) -> u64 {
        let items: BTreeSet<&Item> = images
            .into_iter()
            .filter_map(|id| self.items.get(id))
            .flatten()
            .collect();
        let size = |item: &Item| self.sizes.get(item).copied().unwrap_or_default();
        items.into_iter().map(size).sum()
    }
}
