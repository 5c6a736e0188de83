//! Enforces deny.toml offline: every crate that is linked has an allowed licence, comes from the package registry,
//! and is not banned.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

struct Rules {
    allow: BTreeSet<String>,
    exceptions: BTreeSet<(String, String)>,
    banned: BTreeSet<String>,
}

impl Rules {
    fn read() -> Self {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deny.toml"))
            .expect("deny.toml is checked in");
        let toml: toml::Table = text.parse().expect("deny.toml is TOML");
        let words = |value: &toml::Value| -> Vec<String> {
            let list = value.as_array().expect("a list");
            list.iter()
                .map(|w| w.as_str().expect("a string").to_owned())
                .collect()
        };
        let list = |value: &toml::Value| value.as_array().expect("a list").clone();
        let name = |value: &toml::Value| value["crate"].as_str().expect("a crate").to_owned();
        let licenses = &toml["licenses"];
        let mut exceptions = BTreeSet::new();
        for exception in list(&licenses["exceptions"]) {
            for licence in words(&exception["allow"]) {
                exceptions.insert((name(&exception), licence));
            }
        }
        Self {
            allow: words(&licenses["allow"]).into_iter().collect(),
            exceptions,
            banned: list(&toml["bans"]["deny"]).iter().map(name).collect(),
        }
    }

    /// Evaluates an SPDX expression: OR binds weaker than AND; `/` is the old spelling of OR.
    fn allows(&self, name: &str, expression: &str) -> bool {
        let spaced = expression
            .replace('/', " OR ")
            .replace('(', " ( ")
            .replace(')', " ) ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut at = 0;
        let verdict = self.any_of(name, &words, &mut at);
        verdict && at == words.len()
    }

    fn any_of(&self, name: &str, words: &[&str], at: &mut usize) -> bool {
        let mut verdict = self.all_of(name, words, at);
        while words.get(*at) == Some(&"OR") {
            *at += 1;
            verdict |= self.all_of(name, words, at);
        }
        verdict
    }

    fn all_of(&self, name: &str, words: &[&str], at: &mut usize) -> bool {
        let mut verdict = self.term(name, words, at);
        while words.get(*at) == Some(&"AND") {
            *at += 1;
            verdict &= self.term(name, words, at);
        }
        verdict
    }

    fn term(&self, name: &str, words: &[&str], at: &mut usize) -> bool {
        let Some(&word) = words.get(*at) else {
            return false;
        };
        *at += 1;
        if word == "(" {
            let verdict = self.any_of(name, words, at);
            *at += 1; // the closing parenthesis
            return verdict;
        }
        let mut licence = word.to_owned();
        if words.get(*at) == Some(&"WITH") {
            licence = format!("{word} WITH {}", words.get(*at + 1).unwrap_or(&""));
            *at += 2;
        }
        self.allow.contains(&licence) || self.exceptions.contains(&(name.to_owned(), licence))
    }
}

#[test]
fn every_crate_obeys_deny_toml() {
    let rules = Rules::read();
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        out.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    let metadata: Value = serde_json::from_slice(&out.stdout).expect("cargo metadata is JSON");
    let linked: BTreeSet<&str> = metadata["resolve"]["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .filter_map(|node| node["id"].as_str())
        .collect();
    let mut broken = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        if !linked.contains(package["id"].as_str().unwrap_or_default()) {
            continue;
        }
        let name = package["name"].as_str().unwrap_or_default();
        let licence = package["license"].as_str().unwrap_or("(none)");
        if !rules.allows(name, licence) {
            broken.push(format!("{name}: licence {licence} is not allowed"));
        }
        if rules.banned.contains(name) {
            broken.push(format!("{name}: banned"));
        }
        let source = package["source"]
            .as_str()
            .unwrap_or("registry+ (this package)");
        if !source.starts_with("registry+") {
            broken.push(format!(
                "{name}: comes from {source}, not from the registry"
            ));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn licence_expressions_are_understood() {
    let rules = Rules::read();
    let table = [
        ("MIT", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(GPL-3.0 OR MIT) AND Unicode-3.0", true),
        ("MIT/Apache-2.0", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0 WITH other", false),
        ("MPL-2.0", false),
        ("", false),
    ];
    for (expression, want) in table {
        assert_eq!(rules.allows("any", expression), want, "{expression}");
    }
    assert!(rules.allows("option-ext", "MPL-2.0"));
}
