//! Devices by their names in specs of the Container Device Interface (CDI): `vendor.com/class=name`.
//!
//!     /etc/cdi/*.json, *.yaml, /var/run/cdi/…    or the directories of --cdi-spec-dir and cdi_spec_dirs
//!
//! A spec in a later directory goes before one of the same device in an earlier one. What a device changes is looked
//! up once, when the container is made, and kept in its record.

mod document;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};

use super::request::{CdiEdits, CdiMount, DeviceRequest};
use document::{Edits, Spec};

/// Where specs are when nobody says otherwise.
pub const DEFAULT_DIRS: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];
/// A spec is a small file.
const FILE_LIMIT: u64 = 4 << 20;

/// Tells whether the value of `--device` is a CDI device's name.
pub fn is_name(text: &str) -> bool {
    let Some((kind, name)) = text.split_once('=') else {
        return false;
    };
    let Some((vendor, class)) = kind.split_once('/') else {
        return false;
    };
    document::is_vendor_or_class(vendor)
        && document::is_vendor_or_class(class)
        && document::is_device(name)
}

/// What the devices `names` change together.
pub fn resolve(dirs: &[PathBuf], names: &[String]) -> Result<CdiEdits> {
    let (specs, mut broken) = load(dirs);
    let mut edits = CdiEdits::default();
    let mut whole = BTreeSet::new();
    let mut missing = Vec::new();
    for name in names.iter().collect::<BTreeSet<_>>() {
        let matching: Vec<&Found> = specs.iter().filter(|found| found.spec.has(name)).collect();
        let Some(priority) = matching.iter().map(|found| found.priority).max() else {
            missing.push(name.as_str());
            continue;
        };
        let best: Vec<&&Found> = matching
            .iter()
            .filter(|found| found.priority == priority)
            .collect();
        let [found] = best[..] else {
            let files: Vec<String> = best
                .iter()
                .map(|found| found.file.display().to_string())
                .collect();
            return Err(Error::usage(format!(
                "setting up CDI devices: conflicting device {name:?} in {}",
                files.join(" and ")
            )));
        };
        let within = |err: Error| err.context(format!("CDI spec {}", found.file.display()));
        if whole.insert(&found.file) {
            add(&mut edits, &found.spec.container_edits).map_err(within)?;
        }
        if let Some(device) = found.spec.device(name) {
            add(&mut edits, &device.container_edits).map_err(within)?;
        }
    }
    if missing.is_empty() {
        return Ok(edits);
    }
    let err = Error::new(
        Kind::NotFound,
        format!(
            "setting up CDI devices: unresolvable CDI devices {}",
            missing.join(", ")
        ),
    )
    .with_kind(Kind::System);
    let known: Vec<String> = specs.iter().flat_map(|found| found.spec.names()).collect();
    Err(match (broken.pop(), known.is_empty()) {
        (Some((file, why)), _) => err.hint(format!("{} is not used: {why}", file.display())),
        (None, true) => {
            let dirs: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
            err.hint(format!("there is no CDI spec in {}", dirs.join(" and ")))
        }
        (None, false) => err.hint(format!("known are {}", known.join(", "))),
    })
}

struct Found {
    file: PathBuf,
    /// Of its directory.
    priority: usize,
    spec: Spec,
}

/// Every spec there is, and the files that are none.
fn load(dirs: &[PathBuf]) -> (Vec<Found>, Vec<(PathBuf, Error)>) {
    let (mut specs, mut broken) = (Vec::new(), Vec::new());
    for (priority, dir) in dirs.iter().enumerate() {
        let Ok(entries) = fs::read_dir(dir) else {
            continue;
        };
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        for file in files {
            let yaml = match file.extension().and_then(|ext| ext.to_str()) {
                Some("json") => false,
                Some("yaml") => true,
                _ => continue,
            };
            match read(&file).and_then(|text| Spec::parse(&text, yaml)) {
                Ok(spec) => specs.push(Found {
                    file,
                    priority,
                    spec,
                }),
                Err(err) => broken.push((file, err)),
            }
        }
    }
    (specs, broken)
}

fn read(file: &Path) -> Result<String> {
    let tried = || format!("read CDI spec {}", file.display());
    let found = fs::metadata(file).map_err(|err| Error::io(&err, tried()))?;
    if !found.is_file() || found.len() > FILE_LIMIT {
        return Err(Error::usage(format!(
            "{}: not a file of 4 MiB at most",
            tried()
        )));
    }
    fs::read_to_string(file).map_err(|err| Error::io(&err, tried()))
}

fn add(to: &mut CdiEdits, edits: &Edits) -> Result<()> {
    if let Some(hook) = edits.hooks.first() {
        return Err(Error::new(
            Kind::Unsupported,
            format!(
                "{} hook {}: this version runs no hooks",
                hook.hook_name, hook.path
            ),
        )
        .hint("make the spec without hooks, as with nvidia-ctk cdi generate --disable-hook=all"));
    }
    if edits.intel_rdt.is_some() || !edits.net_devices.is_empty() {
        let what = match edits.intel_rdt {
            Some(_) => "intelRdt",
            None => "netDevices",
        };
        return Err(Error::new(
            Kind::Unsupported,
            format!("{what}: only root of this host can set it"),
        ));
    }
    to.env.extend(edits.env.iter().cloned());
    for node in &edits.device_nodes {
        let source = PathBuf::from(node.host_path.as_ref().unwrap_or(&node.path));
        super::device::check(&source)?;
        to.devices.push(DeviceRequest {
            source,
            target: PathBuf::from(&node.path),
            permissions: node.permissions.clone().unwrap_or_else(|| "rwm".to_owned()),
        });
    }
    for mount in &edits.mounts {
        let kind = mount.kind.clone().filter(|kind| !kind.is_empty());
        let bind = kind
            .as_deref()
            .is_none_or(|kind| matches!(kind, "bind" | "none"));
        if bind && let Err(err) = fs::metadata(&mount.host_path) {
            return Err(Error::io(&err, format!("statfs {}", mount.host_path)));
        }
        to.mounts.push(CdiMount {
            source: PathBuf::from(&mount.host_path),
            target: mount.container_path.clone(),
            kind: kind.filter(|_| !bind),
            options: mount.options.clone(),
        });
    }
    for group in &edits.additional_gids {
        if *group != 0 && !to.groups.contains(group) {
            to.groups.push(*group);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::TestDir;

    #[test]
    fn names_of_devices() {
        for (text, want) in [
            ("vendor.com/class=name", true),
            ("nvidia.com/gpu=GPU-1:0", true),
            ("v/c=all", true),
            ("/dev/x=y", false),
            ("vendor.com=name", false),
            ("vendor.com/class=", false),
            ("1vendor/class=x", false),
            ("/dev/null", false),
        ] {
            assert_eq!(is_name(text), want, "{text}");
        }
    }

    #[test]
    fn later_directories_win_and_equal_ones_conflict() {
        let dir = TestDir::new();
        let spec = |value: &str| {
            format!(
                "cdiVersion: 0.6.0\nkind: v.com/c\ncontainerEdits: {{env: [ALL=1]}}\ndevices:\n- name: a\n  \
                 containerEdits:\n    env: [\"X={value}\"]\n"
            )
        };
        let write = |name: &str, text: &str| {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("one/a.yaml", &spec("one"));
        write("two/a.yaml", &spec("two"));
        write("two/broken.json", "{");
        let dirs = [dir.join("one"), dir.join("two")];
        let names = ["v.com/c=a".to_owned(), "v.com/c=a".to_owned()];
        assert_eq!(resolve(&dirs, &names).unwrap().env, ["ALL=1", "X=two"]);
        let err = resolve(&dirs, &["v.com/c=b".to_owned()]).unwrap_err();
        assert_eq!(
            err.to_string(),
            "setting up CDI devices: unresolvable CDI devices v.com/c=b"
        );
        write("two/b.yaml", &spec("three"));
        let err = resolve(&dirs, &names).unwrap_err().to_string();
        assert!(err.contains("conflicting device \"v.com/c=a\""), "{err}");
    }
}
