//! `-e`, `--env-file`, `--label`, `--label-file`, `--annotation`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Looks a variable up in the environment of this process, or lists those with a prefix.
pub trait HostEnv {
    fn get(&self, name: &str) -> Option<String>;
    fn with_prefix(&self, prefix: &str) -> Vec<(String, String)>;
}

/// The real one.
#[derive(Debug)]
pub struct ProcessEnv;

impl HostEnv for ProcessEnv {
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn with_prefix(&self, prefix: &str) -> Vec<(String, String)> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with(prefix))
            .collect()
    }
}

/// All variables in the order in which they override each other: files first, then `-e`.
pub fn variables(
    files: &[PathBuf],
    words: &[String],
    host: &dyn HostEnv,
) -> Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for file in files {
        let text = read("env", file)?;
        for line in text.lines() {
            let line = line.trim_start();
            if !line.is_empty() && !line.starts_with('#') {
                one(line, host, &mut all)
                    .map_err(|err| err.context(format!("parsing env file {file:?}")))?;
            }
        }
    }
    for word in words {
        one(word, host, &mut all)?;
    }
    Ok(all)
}

/// `NAME=value`, `NAME` (the host's value, if it has one), `PREFIX*` (all of the host's with that prefix).
fn one(text: &str, host: &dyn HostEnv, all: &mut Vec<(String, String)>) -> Result<()> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let name = name.trim_start();
    if name.is_empty() || text.contains('\0') {
        return Err(Error::usage(format!(
            "invalid environment variable: {text:?}"
        )));
    }
    match value {
        Some(value) => all.push((name.to_owned(), value.to_owned())),
        None => match name.strip_suffix('*') {
            Some(prefix) => all.extend(host.with_prefix(prefix)),
            None => all.extend(host.get(name).map(|value| (name.to_owned(), value))),
        },
    }
    Ok(())
}

/// `--label-file` and `--label`: `NAME=value`, or `NAME` alone for an empty value.
pub fn labels(files: &[PathBuf], words: &[String]) -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    let mut add = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        if name.is_empty() {
            return Err(Error::usage(format!(
                "unable to process labels: invalid label format: {text:?}"
            )));
        }
        all.insert(name.to_owned(), value.to_owned());
        Ok(())
    };
    for file in files {
        let text = read("label", file)?;
        text.lines()
            .map(str::trim_start)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .try_for_each(&mut add)?;
    }
    words.iter().try_for_each(|word| add(word))?;
    Ok(all)
}

/// `--annotation NAME=value`
pub fn annotations(words: &[String]) -> Result<BTreeMap<String, String>> {
    words
        .iter()
        .map(|word| match word.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(Error::usage("annotations must be formatted KEY=VALUE")),
        })
        .collect()
}

fn read(what: &str, file: &Path) -> Result<String> {
    std::fs::read_to_string(file).map_err(|err| {
        let why = match err.kind() {
            std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
            _ => err.to_string(),
        };
        let path = file.display();
        Error::usage(format!(
            "parsing {what} file \"{path}\": open {path}: {why}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake;

    impl HostEnv for Fake {
        fn get(&self, name: &str) -> Option<String> {
            (name == "HOST").then(|| "h".to_owned())
        }

        fn with_prefix(&self, prefix: &str) -> Vec<(String, String)> {
            [("LC_ALL", "C"), ("LC_TIME", "de")]
                .iter()
                .filter(|(name, _)| name.starts_with(prefix))
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect()
        }
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| word.to_string()).collect()
    }

    #[test]
    fn environment() {
        let got = variables(
            &[],
            &words(&["A=1", "HOST", "NOPE", "LC_*", "B=x=y", "C="]),
            &Fake,
        );
        let got = got.expect("valid");
        let want = [
            ("A", "1"),
            ("HOST", "h"),
            ("LC_ALL", "C"),
            ("LC_TIME", "de"),
            ("B", "x=y"),
            ("C", ""),
        ];
        let got: Vec<(&str, &str)> = got.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(got, want);
        assert_eq!(
            variables(&[], &words(&["=x"]), &Fake)
                .expect_err("no name")
                .to_string(),
            "invalid environment variable: \"=x\""
        );
    }

    #[test]
    fn files_come_first() {
        let file = std::env::temp_dir().join(format!("pod-env-{}", std::process::id()));
        std::fs::write(&file, "# note\n\n  A=file\nHOST\nQ=\"a b\"\n").expect("write");
        let got = variables(std::slice::from_ref(&file), &words(&["A=flag"]), &Fake);
        let labels = labels(std::slice::from_ref(&file), &words(&["A=flag", "z"]));
        std::fs::remove_file(&file).expect("remove");
        let got = got.expect("valid");
        assert_eq!(got.first().map(|v| v.1.as_str()), Some("file"));
        assert_eq!(got.last().map(|v| v.1.as_str()), Some("flag"));
        assert!(got.contains(&("Q".to_owned(), "\"a b\"".to_owned())));
        let labels = labels.expect("valid");
        assert_eq!((labels["A"].as_str(), labels["z"].as_str()), ("flag", ""));
        let err = variables(&["/nosuch".into()], &[], &Fake).expect_err("missing");
        assert_eq!(
            err.to_string(),
            "parsing env file \"/nosuch\": open /nosuch: no such file or directory"
        );
    }

    #[test]
    fn labels_and_annotations() {
        assert_eq!(
            labels(&[], &words(&["=x"]))
                .expect_err("no name")
                .to_string(),
            "unable to process labels: invalid label format: \"=x\""
        );
        assert_eq!(annotations(&words(&["a=b=c"])).expect("valid")["a"], "b=c");
        assert!(annotations(&words(&["x"])).is_err());
    }
}
