//! `type=glob`: names of the host that a pattern describes (Go's `filepath.Glob`).

use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::cli::glob;
use crate::error::{Error, Result};

/// More matches than this are a mistake.
const LIMIT: usize = 1000;

/// The paths there are, sorted. Directories that cannot be read match nothing, as in Go.
pub fn expand(pattern: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![PathBuf::from("/")];
    for component in pattern.components() {
        let Component::Normal(name) = component else {
            continue;
        };
        found = match name
            .to_str()
            .filter(|name| name.contains(['*', '?', '[', '\\']))
        {
            Some(pattern) => found
                .iter()
                .flat_map(|dir| matching(dir, pattern))
                .collect(),
            None => {
                found.iter_mut().for_each(|dir| dir.push(name));
                found.retain(|path| fs::symlink_metadata(path).is_ok());
                found
            }
        };
        if found.len() > LIMIT {
            return Err(Error::usage(format!(
                "glob {:?}: more than {LIMIT} files match",
                pattern.display().to_string()
            )));
        }
    }
    found.sort();
    Ok(found)
}

fn matching(dir: &Path, pattern: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let fits = |name: &OsStr| {
        name.to_str()
            .is_some_and(|name| glob::matches(pattern, name))
    };
    entries
        .flatten()
        .filter(|entry| fits(&entry.file_name()))
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::TestDir;

    #[test]
    fn patterns_match_name_by_name() {
        let dir = TestDir::new();
        for name in ["a/lib1.so", "a/lib2.so", "b/lib1.so", "b/other"] {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let table = [
            ("a/lib*.so", vec!["a/lib1.so", "a/lib2.so"]),
            ("*/lib1.so", vec!["a/lib1.so", "b/lib1.so"]),
            ("[b]/o?her", vec!["b/other"]),
            ("b/other", vec!["b/other"]),
            ("nosuch/*", vec![]),
        ];
        for (pattern, want) in table {
            let want: Vec<_> = want.iter().map(|name| dir.join(name)).collect();
            assert_eq!(expand(&dir.join(pattern)).unwrap(), want, "{pattern}");
        }
    }
}
