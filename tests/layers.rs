//! Holds the order of ARCHITECTURE.md as a table and reports each import that points the wrong way, and each crate
//! used outside its home.

use std::path::{Path, PathBuf};

/// Modules from the lowest to the highest; those on one line do not know each other.
const ORDER: &[&[&str]] = &[
    &["error", "sys"],
    &["state", "userns", "cgroup"],
    &["rootless"],
    &["config"],
    &["storage", "registry", "net"],
    &["image", "runtime"],
    &["secret", "volume"],
    &["container"],
    &["cli"],
];

/// Crates that only these modules may name.
const HOMES: &[(&str, &[&str])] = &[
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("gotmpl", &["cli"]),
    ("tokio", &["registry"]),
    ("reqwest", &["registry"]),
    ("rustls", &["registry"]),
    ("oci_client", &["registry", "image"]),
    ("tar_core", &["storage"]),
    ("fuser", &["storage"]),
    // Named from the root, since a module of ours has the same name.
    ("::dirs", &["rootless"]),
];

fn level(module: &str) -> Option<usize> {
    ORDER.iter().position(|line| line.contains(&module))
}

/// All Rust files below `dir`.
fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// Calls `visit` with the top-level module, the file name and each line's code: comments name other modules freely.
fn each_line(mut visit: impl FnMut(&str, &str, &str)) {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(
        files.len() > 10,
        "found only {} files below src",
        files.len()
    );
    for file in files {
        let name = file
            .strip_prefix(&src)
            .expect("below src")
            .to_string_lossy()
            .into_owned();
        let module = name
            .split('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(".rs");
        let text = std::fs::read_to_string(&file).expect("source is readable");
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            visit(module, &format!("{name}:{}", number + 1), code);
        }
    }
}

fn first_word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
        .unwrap_or_default()
}

#[test]
fn imports_point_downwards() {
    let mut wrong = Vec::new();
    each_line(|module, place, code| {
        let Some(own) = level(module) else {
            assert!(
                ["lib", "main"].contains(&module),
                "{place}: {module} is not in the order"
            );
            return;
        };
        for used in code.split("crate::").skip(1).map(first_word) {
            let Some(other) = level(used) else { continue };
            // `error` stands beside `sys` and is everybody's.
            let sideways = other == own && used != module && used != "error";
            if other > own || sideways {
                wrong.push(format!("{place}: {module} uses {used}"));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn large_crates_stay_at_home() {
    let mut wrong = Vec::new();
    each_line(|module, place, code| {
        for (krate, homes) in HOMES {
            let path = format!("{krate}::");
            let named = code
                .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
                .any(|word| word.starts_with(&path));
            if named && !homes.contains(&module) {
                wrong.push(format!("{place}: {krate} is used outside {homes:?}"));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_stays_in_sys() {
    each_line(|module, place, code| {
        let allowed = module == "sys" || !code.contains("allow(unsafe_code)");
        assert!(allowed, "{place}: allows unsafe code outside src/sys");
    });
}
