//! An independent look at a store: everything that has a name is whole, and nothing is there that no name leads to.
//!
//! It knows the layout of `src/storage/mod.rs` and none of the code that writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::tool;

/// What every layer's tree looks like, by chain id: taken from a store that was made without faults.
#[derive(Debug, Default, Clone)]
pub struct Trees(BTreeMap<String, String>);

/// One store.
#[derive(Debug)]
pub struct Fsck {
    root: PathBuf,
    trees: Trees,
}

impl Trees {
    /// Adds the layers of a store.
    pub fn learn(&mut self, root: &Path) {
        for id in names(&root.join("layers")) {
            let tree = listing(&root.join("layers").join(&id));
            self.0.insert(id, tree);
        }
    }
}

impl Fsck {
    pub fn new(root: &Path, trees: &Trees) -> Self {
        Self {
            root: root.to_path_buf(),
            trees: trees.clone(),
        }
    }

    /// What is wrong with the store. Empty: nothing.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        self.check_blobs(&mut faults);
        for id in names(&self.root.join("layers")) {
            self.check_layer(&id, &mut faults);
        }
        let images = self.records("images", &mut faults);
        for (file, image) in &images {
            self.check_image(file, image, &mut faults);
        }
        for (file, tag) in self.records("tags", &mut faults) {
            let image = format!("{}.json", hex(&tag["id"]));
            if !images.contains_key(&image) {
                faults.push(format!("tag {file}: its image {image} is not there"));
            }
        }
        faults
    }

    /// What nothing refers to.
    pub fn garbage(&self) -> Vec<String> {
        let mut ignored = Vec::new();
        let images = self.records("images", &mut ignored);
        let mut blobs = BTreeSet::new();
        let mut layers = BTreeSet::new();
        for image in images.values() {
            digests(image, &mut blobs);
            for layer in list(&image["layers"]).map(hex) {
                let meta = self.root.join("layers").join(&layer).join("meta.json");
                let meta = fs::read_to_string(meta).unwrap_or_default();
                let meta: Value = serde_json::from_str(&meta).unwrap_or_default();
                blobs.insert(hex(&meta["blob"]));
                layers.insert(layer);
            }
        }
        for container in names(&self.root.join("containers")) {
            let path = self
                .root
                .join("containers")
                .join(container)
                .join("config.json");
            let text = fs::read_to_string(path).unwrap_or_default();
            let record: Value = serde_json::from_str(&text).unwrap_or_default();
            for layer in list(&record["layers"]).filter_map(Value::as_str) {
                layers.extend(layer.split('/').nth(1).map(str::to_owned));
            }
        }
        let blobs_left = names(&self.root.join("blobs/sha256"));
        let layers_left = names(&self.root.join("layers"));
        let mut garbage: Vec<String> = blobs_left
            .into_iter()
            .filter(|blob| !blobs.contains(blob))
            .map(|blob| format!("blob {blob}"))
            .collect();
        garbage.extend(
            layers_left
                .into_iter()
                .filter(|layer| !layers.contains(layer))
                .map(|layer| format!("layer {layer}")),
        );
        let staged = names(&self.root.join("staging"));
        garbage.extend(staged.into_iter().map(|name| format!("staging/{name}")));
        for dir in ["images", "tags", ""] {
            let temporary = names(&self.root.join(dir));
            let temporary = temporary.into_iter().filter(|name| name.ends_with(".tmp"));
            garbage.extend(temporary.map(|name| format!("{dir}/{name}")));
        }
        garbage
    }

    fn check_blobs(&self, faults: &mut Vec<String>) {
        let dir = self.root.join("blobs/sha256");
        let files = names(&dir);
        if files.is_empty() {
            return;
        }
        let sums = tool(
            std::iter::once("sha256sum".to_owned())
                .chain(files.iter().map(|f| dir.join(f).display().to_string())),
        );
        for line in sums.lines() {
            let (sum, path) = line.split_once("  ").expect("sha256sum's output");
            if !path.ends_with(sum) {
                faults.push(format!("blob {path}: its digest is {sum}"));
            }
        }
    }

    fn check_layer(&self, id: &str, faults: &mut Vec<String>) {
        let dir = self.root.join("layers").join(id);
        let text = fs::read_to_string(dir.join("meta.json")).unwrap_or_default();
        if serde_json::from_str::<Value>(&text).is_err() || !dir.join("tree").is_dir() {
            faults.push(format!("layer {id}: without meta.json or tree"));
        }
        if let Some(want) = self.trees.0.get(id)
            && *want != listing(&dir)
        {
            faults.push(format!("layer {id}: its tree is not complete"));
        }
    }

    fn check_image(&self, file: &str, image: &Value, faults: &mut Vec<String>) {
        let has_blob = |digest: &str| self.root.join("blobs/sha256").join(digest).is_file();
        if !image["list"].is_null() {
            return; // it has no content of its own
        }
        let id = hex(&image["id"]);
        if format!("{id}.json") != file || !has_blob(&id) {
            faults.push(format!("image {file}: its config is not there"));
        }
        for layer in list(&image["layers"]).map(hex) {
            if !self.root.join("layers").join(&layer).join("tree").is_dir() {
                faults.push(format!("image {file}: layer {layer} is not there"));
            }
        }
        for manifest in list(&image["manifests"]) {
            if !has_blob(&hex(&manifest["digest"])) {
                faults.push(format!("image {file}: its manifest is not there"));
            }
            let chain: Vec<String> = list(&image["layers"]).map(hex).collect();
            for (blob, layer) in list(&manifest["layers"]).map(hex).zip(chain) {
                let meta = self.root.join("layers").join(layer).join("meta.json");
                let meta = fs::read_to_string(meta).unwrap_or_default();
                let meta: Value = serde_json::from_str(&meta).unwrap_or_default();
                // A committed layer has its tree alone; one that was there already, the blob it came from.
                let other = meta["blob"].is_string() && has_blob(&hex(&meta["blob"]));
                if !has_blob(&blob) && meta["tar"].is_null() && !other {
                    faults.push(format!("image {file}: blob {blob} is not there"));
                }
            }
        }
    }

    fn records(&self, dir: &str, faults: &mut Vec<String>) -> BTreeMap<String, Value> {
        let mut records = BTreeMap::new();
        for name in names(&self.root.join(dir)) {
            if name.ends_with(".tmp") {
                continue;
            }
            let text = fs::read_to_string(self.root.join(dir).join(&name)).unwrap_or_default();
            match serde_json::from_str(&text) {
                Ok(record) => drop(records.insert(name, record)),
                Err(err) => faults.push(format!("record {dir}/{name}: {err}")),
            }
        }
        records
    }
}

/// Every `sha256:…` in a record.
fn digests(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            found.extend(text.strip_prefix("sha256:").map(str::to_owned));
        }
        Value::Array(items) => items.iter().for_each(|item| digests(item, found)),
        Value::Object(fields) => fields.values().for_each(|item| digests(item, found)),
        _ => {}
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn hex(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    text.rsplit(':').next().unwrap_or_default().to_owned()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// Names, types, modes, owners, sizes, links and contents of a tree.
fn listing(dir: &Path) -> String {
    let script = "cd \"$1\"/tree && find . -printf '%p %y %m %U:%G %l\\n' | LC_ALL=C sort; \
        find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum; cat ../owners 2>/dev/null | sha256sum";
    tool(["sh", "-c", script, "sh", &dir.display().to_string()])
}
