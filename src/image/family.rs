//! Which image was made from which: told by layers and history, as no record says it.
//!
//! A parent has the child's layers, or all but the uppermost, and the child's history but its last entry. Configs
//! are read only of images whose layers leave the question open.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::{Images, Summary};
use crate::storage::{ChainId, Digest};

/// One entry of an image's history (image-spec `config.md`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Step {
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// It changed settings only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_layer: Option<bool>,
}

impl Step {
    /// It made no layer.
    pub fn is_empty_layer(&self) -> bool {
        self.empty_layer.unwrap_or(false)
    }

    /// Tells whether both say the same: what is absent and what is empty are one.
    fn same(&self, other: &Step) -> bool {
        fn text(text: &Option<String>) -> &str {
            text.as_deref().unwrap_or_default()
        }
        let texts = |step: &Step| {
            [&step.created, &step.created_by, &step.author, &step.comment]
                .map(|t| text(t).to_owned())
        };
        texts(self) == texts(other) && self.is_empty_layer() == other.is_empty_layer()
    }
}

/// The images of a store, as parents and children.
#[derive(Debug)]
pub struct Family<'a> {
    images: Images<'a>,
    members: BTreeMap<Digest, Member>,
    /// Images by their uppermost layer; without any layer by `None`.
    by_top: BTreeMap<Option<ChainId>, Vec<Digest>>,
    /// Manifests of images that a manifest list names.
    listed: BTreeSet<Digest>,
    histories: RefCell<BTreeMap<Digest, Option<Rc<[Step]>>>>,
}

#[derive(Debug)]
struct Member {
    layers: Vec<ChainId>,
}

impl<'a> Family<'a> {
    pub fn new<'s>(images: Images<'a>, all: impl IntoIterator<Item = &'s Summary>) -> Self {
        let mut family = Self {
            images,
            members: BTreeMap::new(),
            by_top: BTreeMap::new(),
            listed: BTreeSet::new(),
            histories: RefCell::default(),
        };
        for image in all {
            family.listed.extend(&image.instances);
            if image.is_list {
                continue; // it has neither layers nor history
            }
            let top = image.layers.last().copied();
            family.by_top.entry(top).or_default().push(image.id);
            let layers = image.layers.clone();
            family.members.insert(image.id, Member { layers });
        }
        family
    }

    /// The image that `id` was made from, if it is here.
    pub fn parent(&self, id: &Digest) -> Option<Digest> {
        let layers = &self.members.get(id)?.layers;
        let top = layers.last().copied();
        let mut candidates: Vec<&Digest> = self.with_top(top).collect();
        if top.is_some() {
            candidates.extend(self.with_top(below(layers)));
        }
        candidates.retain(|other| *other != id);
        candidates
            .into_iter()
            .find(|other| self.is_parent(other, id))
            .copied()
    }

    /// The images made from `id`.
    pub fn children(&self, id: &Digest) -> Vec<Digest> {
        let Some(member) = self.members.get(id) else {
            return Vec::new();
        };
        let top = member.layers.last().copied();
        let mut children: Vec<Digest> = self
            .members
            .iter()
            .filter(|(other, candidate)| {
                let same = candidate.layers.last().copied() == top;
                let above = !candidate.layers.is_empty() && below(&candidate.layers) == top;
                *other != id && (same || above)
            })
            .map(|(other, _)| *other)
            .collect();
        children.retain(|other| self.is_parent(id, other));
        children
    }

    /// Tells whether a manifest list names the image.
    pub fn is_listed(&self, image: &Summary) -> bool {
        image
            .digests
            .iter()
            .any(|digest| self.listed.contains(digest))
    }

    /// What the image's config says of its making, earliest first; `None` when it cannot be read.
    pub fn history(&self, id: &Digest) -> Option<Rc<[Step]>> {
        if let Some(known) = self.histories.borrow().get(id) {
            return known.clone();
        }
        let read = self.images.steps(id);
        self.histories.borrow_mut().insert(*id, read.clone());
        read
    }

    /// Images whose uppermost layer this is.
    pub fn with_top(&self, layer: Option<ChainId>) -> impl Iterator<Item = &Digest> {
        self.by_top.get(&layer).into_iter().flatten()
    }

    /// Forgets a removed image.
    pub fn remove(&mut self, id: &Digest) {
        if let Some(member) = self.members.remove(id)
            && let Some(of_top) = self.by_top.get_mut(&member.layers.last().copied())
        {
            of_top.retain(|other| other != id);
        }
    }

    fn is_parent(&self, parent: &Digest, child: &Digest) -> bool {
        match (self.history(parent), self.history(child)) {
            (Some(parent), Some(child)) => {
                parent.len() + 1 == child.len()
                    && parent.iter().zip(&*child).all(|(a, b)| a.same(b))
            }
            _ => false,
        }
    }
}

/// The layer under the uppermost one.
fn below(layers: &[ChainId]) -> Option<ChainId> {
    let second = layers.len().checked_sub(2)?;
    Some(layers[second])
}

impl Images<'_> {
    fn steps(&self, id: &Digest) -> Option<Rc<[Step]>> {
        #[derive(Deserialize)]
        struct Config {
            #[serde(default)]
            history: Option<Vec<Step>>,
        }
        let bytes = self.store.read_blob(id, None).ok()?;
        let config: Config = serde_json::from_slice(&bytes).ok()?;
        Some(config.history.unwrap_or_default().into())
    }
}
