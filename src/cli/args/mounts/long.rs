//! `--mount type=KIND,NAME=VALUE,…`

use std::path::PathBuf;

use crate::cli::args::value;
use crate::container::request::{MountOptions, MountRequest};
use crate::error::{Error, Kind, Result};

use super::{container_path, host_path, named, options, pattern};

/// What was said so far.
#[derive(Debug, Default)]
struct Parts {
    source: Option<String>,
    target: Option<String>,
    data: Vec<String>,
    options: MountOptions,
    no_copy: bool,
    writable: bool,
}

/// One `--mount` value; a glob is a mount for each file.
pub fn mount(text: &str) -> Result<Vec<MountRequest>> {
    let fields = fields(text)?;
    let kind = fields
        .iter()
        .find_map(|field| field.strip_prefix("type="))
        .unwrap_or("volume");
    check_kind(kind)?;
    let mut parts = Parts::default();
    for field in fields.iter().filter(|field| !field.starts_with("type=")) {
        let (name, value) = match field.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (field.as_str(), None),
        };
        parts.add(kind, name, value)?;
    }
    options::check_label(&parts.options)?;
    parts.finish(kind)
}

fn check_kind(kind: &str) -> Result<()> {
    match kind {
        "bind" | "devpts" | "glob" | "image" | "ramfs" | "tmpfs" | "volume" => Ok(()),
        "artifact" => Err(Error::new(
            Kind::Unsupported,
            "--mount type=artifact is not available in this version of pod",
        )),
        other => Err(Error::usage(format!("invalid filesystem type {other:?}"))),
    }
}

impl Parts {
    fn add(&mut self, kind: &str, name: &str, value: Option<&str>) -> Result<()> {
        let needed = || {
            value
                .filter(|v| !v.is_empty())
                .map(str::to_owned)
                .ok_or_else(|| Error::usage(format!("{name}: must provide an argument for option")))
        };
        match (name, kind) {
            ("target" | "dst" | "destination", _) => self.target = Some(needed()?),
            ("src" | "source", "tmpfs" | "ramfs" | "devpts") => {
                return Err(Error::usage(format!(
                    "source is not supported with {kind} mounts"
                )));
            }
            ("src" | "source", _) => self.source = Some(needed()?),
            ("rw" | "readwrite", "image") => self.writable = truth(value)?,
            ("ro" | "readonly", "image") => self.writable = !truth(value)?,
            ("ro" | "readonly", _) => self.options.read_only = truth(value)?,
            ("rw", _) => self.options.read_only = !truth(value)?,
            ("U" | "chown", "bind" | "glob" | "tmpfs" | "ramfs" | "volume") => {
                self.options.chown = truth(value)?
            }
            ("bind-nonrecursive", "bind" | "glob") => self.options.non_recursive = truth(value)?,
            ("no-dereference", "bind" | "glob") => self.options.no_dereference = truth(value)?,
            ("bind-propagation", "bind" | "glob") => {
                let how = needed()?;
                if !options::common(&how, &mut self.options) || self.options.propagation.is_none() {
                    return Err(Error::usage(format!("{how}: invalid bind propagation")));
                }
            }
            ("relabel", "bind" | "glob") => {
                self.options.relabel = match needed()?.as_str() {
                    "shared" => Some('z'),
                    "private" => Some('Z'),
                    other => {
                        return Err(Error::usage(format!(
                            "{other}: 'relabel' must be 'private' or 'shared'"
                        )));
                    }
                }
            }
            ("z" | "Z", "bind" | "glob" | "volume") if value.is_none() => {
                self.options.relabel = name.chars().next()
            }
            ("O", "bind" | "volume") if value.is_none() => self.options.overlay = true,
            ("bind", "bind" | "glob") if value.is_none() => self.options.non_recursive = true,
            ("rbind", "bind" | "glob") if value.is_none() => self.options.non_recursive = false,
            // Hints for other systems than Linux.
            ("consistency", _) => {}
            ("volume-nocopy" | "nocopy", "volume") => self.no_copy = truth(value)?,
            ("copy", "volume") => self.no_copy = !truth(value)?,
            ("subpath" | "volume-subpath", "volume") | ("subpath" | "image-subpath", "image") => {
                self.options.subpath = Some(subpath(&needed()?)?)
            }
            ("volume-driver", "volume") if value == Some("local") => {}
            ("volume-driver" | "volume-label" | "volume-opt", "volume") => {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!("the --{name} option is not presently implemented"),
                )
                .hint("make the volume with pod volume create, which takes --driver, --label and --opt"));
            }
            ("idmap", _) => return Err(options::no_idmap("idmap")),
            ("tmpfs-size" | "ramfs-size", "tmpfs") => self.data.push(format!("size={}", needed()?)),
            ("tmpfs-mode" | "ramfs-mode", "tmpfs")
            | ("tmpfs-mode" | "ramfs-mode" | "mode", "ramfs") => {
                self.data.push(format!("mode={}", needed()?))
            }
            ("tmpcopyup", "tmpfs" | "ramfs") => self.options.no_copy_up = !truth(value)?,
            ("notmpcopyup", "tmpfs" | "ramfs") => self.options.no_copy_up = truth(value)?,
            (
                "size" | "mode" | "uid" | "gid" | "nr_inodes" | "nr_blocks" | "huge" | "mpol"
                | "noswap",
                "tmpfs",
            ) => {
                let flag = match value {
                    Some(value) => format!("{name}={value}"),
                    None => name.to_owned(),
                };
                options::of_tmpfs(&flag, &mut self.options, &mut self.data)?;
            }
            ("uid" | "gid" | "mode" | "max", "devpts") => {
                self.data.push(format!("{name}={}", needed()?));
            }
            (name, "bind" | "glob" | "tmpfs" | "ramfs" | "volume")
                if value.is_none() && options::common(name, &mut self.options) => {}
            _ => {
                return Err(Error::usage(format!("{name}: invalid mount option")));
            }
        }
        Ok(())
    }

    fn finish(mut self, kind: &str) -> Result<Vec<MountRequest>> {
        if kind == "glob" {
            return self.expand();
        }
        let Some(target) = self.target else {
            return Err(Error::usage("must set volume destination"));
        };
        let path = container_path(&target)?;
        let one = match kind {
            "tmpfs" => MountRequest::Tmpfs {
                target: path,
                data: self.data,
                options: self.options,
            },
            "ramfs" => MountRequest::Ramfs {
                target: path,
                data: self.data,
                options: self.options,
            },
            "devpts" => MountRequest::Devpts {
                target: path,
                data: self.data,
            },
            "image" => {
                self.options.read_only = !self.writable;
                MountRequest::Image {
                    image: self
                        .source
                        .ok_or_else(|| Error::usage("must set source volume"))?,
                    id: String::new(),
                    layers: Vec::new(),
                    target: path,
                    options: self.options,
                }
            }
            "volume" => named(self.source.as_deref(), path, self.options, !self.no_copy)?,
            _ => MountRequest::Bind {
                source: match &self.source {
                    Some(source) => host_path(source)?,
                    // As in Podman: the same path on both sides.
                    None => PathBuf::from(&target),
                },
                target: path,
                options: self.options,
            },
        };
        Ok(vec![one])
    }

    /// Each file that matches, below the target under its own name; without a target at the same path.
    fn expand(self) -> Result<Vec<MountRequest>> {
        let Some(source) = &self.source else {
            return Err(Error::usage("must set source volume"));
        };
        let found = pattern::expand(&host_path(source)?)?;
        if found.is_empty() {
            return Err(Error::usage(format!(
                "no file paths matching glob {source:?}"
            )));
        }
        let below = self.target.as_deref().map(container_path).transpose()?;
        let mut mounts = Vec::with_capacity(found.len());
        for path in found {
            let bad = || Error::usage(format!("mount {}: the path is not UTF-8", path.display()));
            let target = match (&below, path.file_name()) {
                (Some(below), Some(name)) => {
                    let name = name.to_str().ok_or_else(bad)?;
                    format!("{}/{name}", below.trim_end_matches('/'))
                }
                _ => path.to_str().ok_or_else(bad)?.to_owned(),
            };
            mounts.push(MountRequest::Bind {
                target,
                source: path,
                options: self.options.clone(),
            });
        }
        Ok(mounts)
    }
}

/// A path below a volume's or an image's root, without `..`.
fn subpath(text: &str) -> Result<String> {
    let clean = container_path(&format!("/{text}"))?;
    match text.split('/').any(|name| name == "..") {
        true => Err(Error::usage(format!(
            "subpath {text:?}: it must not leave the volume or the image"
        ))),
        false => Ok(clean.trim_start_matches('/').to_owned()),
    }
}

fn truth(value: Option<&str>) -> Result<bool> {
    match value {
        None => Ok(true),
        Some(value) => value::boolean(value).map_err(|_| {
            Error::usage(format!(
                "'readonly', 'ro', or 'rw' must be set to true or false, instead received \
                 {value:?}: must provide an argument for option"
            ))
        }),
    }
}

/// The comma-separated fields; a field with a comma stands in double quotes, as in CSV.
fn fields(text: &str) -> Result<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                push(&mut fields, '"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => push(&mut fields, c),
        }
    }
    fields.retain(|field| !field.is_empty());
    if quoted || fields.is_empty() {
        return Err(Error::usage(
            "incorrect mount format: should be --mount \
             type=<bind|glob|tmpfs|volume>,[src=<host-dir|volume-name>,]target=<ctr-dir>[,options]",
        ));
    }
    Ok(fields)
}

fn push(fields: &mut [String], c: char) {
    if let Some(last) = fields.last_mut() {
        last.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binds() {
        let want = MountRequest::Bind {
            source: "/tmp/a,b".into(),
            target: "/x".to_owned(),
            options: MountOptions {
                read_only: true,
                non_recursive: true,
                propagation: Some("rslave".to_owned()),
                relabel: Some('Z'),
                ..MountOptions::default()
            },
        };
        let text = "type=bind,\"src=/tmp/a,b\",dst=/x/,ro,bind-nonrecursive,bind-propagation=rslave,relabel=private";
        assert_eq!(mount(text).expect("a bind"), [want]);
    }

    #[test]
    fn tmpfs_and_devpts() {
        assert_eq!(
            mount("type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=755,ro=false").expect("tmpfs"),
            [MountRequest::Tmpfs {
                target: "/t".to_owned(),
                data: vec!["size=1m".to_owned(), "mode=755".to_owned()],
                options: MountOptions::default(),
            }]
        );
        assert_eq!(
            mount("type=devpts,destination=/dev/pts2,gid=5").expect("devpts"),
            [MountRequest::Devpts {
                target: "/dev/pts2".to_owned(),
                data: vec!["gid=5".to_owned()],
            }]
        );
    }

    #[test]
    fn bad_mounts() {
        for (text, want) in [
            ("type=nope", "invalid filesystem type \"nope\""),
            ("type=bind,src=/tmp", "must set volume destination"),
            (
                "type=bind,src=/tmp,dst=/x,foo=bar",
                "foo: invalid mount option",
            ),
            (
                "type=tmpfs,dst=/x,src=/y",
                "source is not supported with tmpfs mounts",
            ),
            (
                "type=bind,dst=x",
                "invalid container path \"x\", must be an absolute path",
            ),
            (
                "type=bind,src=,dst=/x",
                "src: must provide an argument for option",
            ),
            (
                "type=bind,src=/tmp,dst=/x,ro=maybe",
                "'readonly', 'ro', or 'rw' must be set to true or false, instead received \"maybe\": must provide an argument for option",
            ),
            (
                "type=artifact,src=x,dst=/x",
                "--mount type=artifact is not available in this version of pod",
            ),
        ] {
            assert_eq!(mount(text).expect_err(text).to_string(), want);
        }
        assert!(mount("").is_err() && mount("type=bind,\"src=/a").is_err());
    }
}
