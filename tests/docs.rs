//! `man/` is made from the command definitions. This test tells whether it is current;
//! `POD_WRITE_DOCS=1 cargo test --test docs` makes it so. The scripts in `completions/` ask the binary instead.
// A panic is how a test fails.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Command;

fn files() -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let all = pod::cli::definitions();
    page(&all, "pod", &mut files);
    for entry in pod::cli::pages() {
        let command = entry
            .split(' ')
            .try_fold(&all, |found, name| found.find_subcommand(name));
        page(command.unwrap(), &format!("pod {entry}"), &mut files);
    }
    files
}

fn page(command: &Command, path: &str, files: &mut BTreeMap<PathBuf, String>) {
    let name = path.replace(' ', "-");
    // A page names its command in full, and those of its parents are other pages.
    let mut command = command
        .clone()
        .name(name.clone())
        .display_name(name.clone());
    if path != "pod" {
        command = command.bin_name(path.to_owned());
    }
    let mut bytes = Vec::new();
    clap_mangen::Man::new(command)
        .date("")
        .source("pod")
        .manual("pod manual")
        .render(&mut bytes)
        .unwrap();
    let file = Path::new("man").join(format!("{name}.1"));
    files.insert(file, String::from_utf8(bytes).unwrap());
}

#[test]
fn manual_pages_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let write = std::env::var_os("POD_WRITE_DOCS").is_some();
    let files = files();
    let mut stale = Vec::new();
    for (file, want) in &files {
        let path = root.join(file);
        if std::fs::read_to_string(&path).unwrap_or_default() == *want {
            continue;
        }
        if write {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, want).unwrap();
        } else {
            stale.push(file.display().to_string());
        }
    }
    for entry in std::fs::read_dir(root.join("man")).unwrap() {
        let name = Path::new("man").join(entry.unwrap().file_name());
        if !files.contains_key(&name) {
            stale.push(format!("{} (of no command)", name.display()));
        }
    }
    assert!(
        stale.is_empty(),
        "out of date, run POD_WRITE_DOCS=1 cargo test --test docs:\n{}",
        stale.join("\n")
    );
}
