//! Which configuration files there are, in the order in which they are read.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Result, Tried};
use crate::rootless::dirs;
use crate::rootless::identity::Identity;

/// Where the vendor, the administrator and the user put their files, weakest first.
pub fn places(me: &Identity) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = ["/usr/share/containers", "/etc/containers"]
        .map(PathBuf::from)
        .into();
    if let Ok(home) = dirs::config_home(me) {
        places.push(home.join("containers"));
    }
    places
}

/// Text of a file; `None` when there is none. A file that exists and cannot be read is an error.
pub fn read(file: &Path) -> Result<Option<String>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(err) if matches!(err.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(err) => Err(err).tried(|| format!("read {}", file.display())),
    }
}

/// Text of a file that must exist: one named by an environment variable or an option.
pub fn must_read(file: &Path) -> Result<String> {
    fs::read_to_string(file).tried(|| format!("read {}", file.display()))
}

/// `*.conf` of a drop-in directory, by name; none when there is no directory.
pub fn drop_ins(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(std::result::Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "conf"))
        .collect();
    files.sort();
    files
}

/// Replaces `$NAME` and `${NAME}` by environment variables, as containers/storage does; unknown ones vanish.
pub fn expand(text: &str, env: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (name, after) = match rest
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'))
        {
            Some(both) => both,
            None => {
                let end = rest
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                rest.split_at(end)
            }
        };
        if name.is_empty() {
            out.push('$');
        } else {
            out.push_str(&env(name).unwrap_or_default());
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_expanded() {
        let env = |name: &str| (name == "USER").then(|| "alice".to_owned());
        for (text, want) in [
            ("/scratch/$USER/x", "/scratch/alice/x"),
            ("/scratch/${USER}x", "/scratch/alicex"),
            ("/a/$NOSUCH/b", "/a//b"),
            ("/a$/b$", "/a$/b$"),
            ("plain", "plain"),
        ] {
            assert_eq!(expand(text, &env), want, "{text}");
        }
    }
}
