//! A CDI spec as it is written (CDI specification, `SPEC.md`).

use serde::Deserialize;

use crate::error::{Error, Kind, Result};

/// Versions of the specification that are understood.
const VERSIONS: [&str; 9] = [
    "0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0", "0.2.0",
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Spec {
    pub cdi_version: String,
    pub kind: String,
    #[serde(default)]
    #[allow(dead_code, reason = "part of the document, of no meaning to us")]
    pub annotations: Option<serde_json::Value>,
    pub devices: Vec<Device>,
    #[serde(default)]
    pub container_edits: Edits,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Device {
    pub name: String,
    #[serde(default)]
    #[allow(dead_code, reason = "part of the document, of no meaning to us")]
    pub annotations: Option<serde_json::Value>,
    pub container_edits: Edits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Edits {
    pub env: Vec<String>,
    pub device_nodes: Vec<Node>,
    pub net_devices: Vec<serde_json::Value>,
    pub mounts: Vec<Mount>,
    pub hooks: Vec<Hook>,
    pub intel_rdt: Option<serde_json::Value>,
    #[serde(rename = "additionalGids")]
    pub additional_gids: Vec<u32>,
}

/// Type, numbers, mode and owner say how a node is made; ours is the host's own, bound.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Node {
    pub path: String,
    pub host_path: Option<String>,
    pub permissions: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Mount {
    pub host_path: String,
    pub container_path: String,
    #[serde(default)]
    pub options: Vec<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hook {
    pub hook_name: String,
    pub path: String,
}

impl Spec {
    pub fn parse(text: &str, yaml: bool) -> Result<Spec> {
        let bad = |why: String| Error::usage(format!("invalid CDI spec: {why}"));
        let spec: Spec = match yaml {
            true => serde_saphyr::from_str(text).map_err(|err| bad(err.to_string()))?,
            false => serde_json::from_str(text).map_err(|err| bad(err.to_string()))?,
        };
        spec.check()?;
        Ok(spec)
    }

    fn check(&self) -> Result<()> {
        let bad = |why: String| Err(Error::usage(format!("invalid CDI spec: {why}")));
        if !VERSIONS.contains(&self.cdi_version.trim_start_matches('v')) {
            return Err(Error::new(
                Kind::Unsupported,
                format!("invalid CDI spec: unknown version {:?}", self.cdi_version),
            ));
        }
        match self.kind.split_once('/') {
            Some((vendor, class)) if is_vendor_or_class(vendor) && is_vendor_or_class(class) => {}
            _ => return bad(format!("kind {:?} is not vendor/class", self.kind)),
        }
        if self.devices.is_empty() {
            return bad("it has no devices".to_owned());
        }
        for (index, device) in self.devices.iter().enumerate() {
            if !is_device(&device.name) {
                return bad(format!("device name {:?}", device.name));
            }
            if self.devices[..index].iter().any(|d| d.name == device.name) {
                return bad(format!("multiple devices {:?}", device.name));
            }
        }
        let own = self.devices.iter().map(|device| &device.container_edits);
        own.chain([&self.container_edits]).try_for_each(|edits| {
            let unnamed =
                |env: &&String| env.split_once('=').is_none_or(|(name, _)| name.is_empty());
            if let Some(env) = edits.env.iter().find(unnamed) {
                return bad(format!("environment variable {env:?}"));
            }
            for node in &edits.device_nodes {
                let letters = node.permissions.as_deref().unwrap_or("rwm");
                if !node.path.starts_with('/') || !letters.chars().all(|c| "rwm".contains(c)) {
                    return bad(format!("device node {:?}", node.path));
                }
            }
            match edits
                .mounts
                .iter()
                .find(|mount| !mount.container_path.starts_with('/'))
            {
                Some(mount) => bad(format!("mount on {:?}", mount.container_path)),
                None => Ok(()),
            }
        })
    }

    /// By its full name, `vendor/class=name`.
    pub fn device(&self, name: &str) -> Option<&Device> {
        let (kind, name) = name.split_once('=')?;
        let named = |device: &&Device| device.name == name;
        self.devices
            .iter()
            .filter(|_| kind == self.kind)
            .find(named)
    }

    pub fn has(&self, name: &str) -> bool {
        self.device(name).is_some()
    }

    pub fn names(&self) -> impl Iterator<Item = String> {
        let kind = &self.kind;
        self.devices
            .iter()
            .map(move |device| format!("{kind}={}", device.name))
    }
}

pub(super) fn is_vendor_or_class(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(inner)
}

pub(super) fn is_device(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_judged() {
        let json = |version: &str, kind: &str, device: &str| {
            format!(
                r#"{{"cdiVersion":"{version}","kind":"{kind}","devices":[{{"name":"{device}","containerEdits":{{}}}}]}}"#
            )
        };
        for (text, want) in [
            (json("0.6.0", "v.com/c", "a"), "ok"),
            (json("9.0.0", "v.com/c", "a"), "unknown version \"9.0.0\""),
            (
                json("0.6.0", "v.com", "a"),
                "kind \"v.com\" is not vendor/class",
            ),
            (json("0.6.0", "v.com/c", "-a"), "device name \"-a\""),
            (
                r#"{"cdiVersion":"0.6.0","kind":"v/c","devices":[]}"#.to_owned(),
                "it has no devices",
            ),
            (
                r#"{"cdiVersion":"0.6.0","kind":"v/c","devices":[],"x":1}"#.to_owned(),
                "unknown field",
            ),
        ] {
            let got =
                Spec::parse(&text, false).map_or_else(|err| err.to_string(), |_| "ok".to_owned());
            assert!(got.contains(want), "{text}: {got}");
        }
    }
}
