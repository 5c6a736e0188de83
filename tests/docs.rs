//! `completions/` and `man/` are made from the command definitions. This test tells whether they are current;
//! `POD_WRITE_DOCS=1 cargo test --test docs` makes them so.
// A panic is how a test fails.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::Shell;

/// What the operands of commands are.
const CONTAINERS: [&str; 9] = [
    "start", "stop", "kill", "rm", "exec", "attach", "wait", "logs", "port",
];
const IMAGES: [&str; 7] = ["run", "create", "tag", "untag", "rmi", "history", "tree"];

/// The names to offer after `path` (`stop`, `image inspect`).
fn names_after(path: &str) -> &'static [&'static str] {
    match path {
        "inspect" => &["containers", "images"],
        "container inspect" | "container exists" => &["containers"],
        "image inspect" | "image exists" | "image rm" | "image remove" => &["images"],
        _ => match path.rsplit(' ').next() {
            Some(name) if CONTAINERS.contains(&name) => &["containers"],
            Some(name) if IMAGES.contains(&name) => &["images"],
            _ => &[],
        },
    }
}

fn files() -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    for (shell, name) in [
        (Shell::Bash, "pod.bash"),
        (Shell::Zsh, "_pod"),
        (Shell::Fish, "pod.fish"),
    ] {
        let mut bytes = Vec::new();
        clap_complete::generate(shell, &mut pod::cli::definitions(), "pod", &mut bytes);
        let script = String::from_utf8(bytes).unwrap();
        files.insert(Path::new("completions").join(name), live(shell, &script));
    }
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

/// Names of containers and images are asked for when the key is pressed.
fn live(shell: Shell, script: &str) -> String {
    match shell {
        Shell::Bash => bash(script),
        Shell::Zsh => zsh(script),
        Shell::Fish => {
            let mut script = script.to_owned();
            for (kind, commands) in [
                (
                    "containers",
                    [CONTAINERS.join(" "), "inspect exists".to_owned()].join(" "),
                ),
                (
                    "images",
                    [IMAGES.join(" "), "inspect exists".to_owned()].join(" "),
                ),
            ] {
                script.push_str(&format!(
                    "complete -c pod -n \"__fish_seen_subcommand_from {commands}\" -f -a \"(pod __complete {kind} 2>/dev/null)\"\n"
                ));
            }
            script
        }
        _ => unreachable!("three shells"),
    }
}

/// The words a command offers are one assignment in its branch of a `case`.
fn bash(script: &str) -> String {
    let mut path = String::new();
    let mut out = String::new();
    for line in script.lines() {
        if let Some(label) = line.trim().strip_prefix("pod__subcmd__")
            && let Some(label) = label.strip_suffix(')')
        {
            path = label.replace("__subcmd__", " ");
        }
        match line.strip_suffix('"') {
            Some(start) if start.trim_start().starts_with("opts=\"") => {
                out.push_str(start);
                for kind in names_after(&path) {
                    out.push_str(&format!(" $(pod __complete {kind} 2>/dev/null)"));
                }
                out.push_str("\"\n");
            }
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

/// An operand ends in the function that completes it.
fn zsh(script: &str) -> String {
    const FUNCTIONS: &str = "\
(( $+functions[_pod_containers] )) || _pod_containers() {
    compadd -- ${(f)\"$(pod __complete containers 2>/dev/null)\"}
}
(( $+functions[_pod_images] )) || _pod_images() {
    compadd -- ${(f)\"$(pod __complete images 2>/dev/null)\"}
}
(( $+functions[_pod_objects] )) || _pod_objects() {
    _pod_containers
    _pod_images
}

";
    let mut out = String::new();
    for line in script.lines() {
        let completer = match line.split_once(" -- ") {
            Some((_, about)) if about.starts_with("Containers and images") => "_pod_objects",
            Some((_, about)) if about.starts_with("Container") => "_pod_containers",
            Some((_, about)) if about.starts_with("Image") => "_pod_images",
            _ => "_default",
        };
        if line == "_pod() {" {
            out.push_str(FUNCTIONS);
        }
        out.push_str(&line.replace(":_default'", &format!(":{completer}'")));
        out.push('\n');
    }
    out
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
fn completions_and_manual_pages_are_current() {
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
    for dir in ["completions", "man"] {
        for entry in std::fs::read_dir(root.join(dir)).unwrap() {
            let name = Path::new(dir).join(entry.unwrap().file_name());
            if !files.contains_key(&name) {
                stale.push(format!("{} (of no command)", name.display()));
            }
        }
    }
    assert!(
        stale.is_empty(),
        "out of date, run POD_WRITE_DOCS=1 cargo test --test docs:\n{}",
        stale.join("\n")
    );
}
