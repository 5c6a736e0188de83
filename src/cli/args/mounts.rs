//! `-v`, `--mount` and `--tmpfs`: text to [`MountRequest`]s.

mod long;
mod options;
mod pattern;

use std::path::{Path, PathBuf};

use crate::container::request::{MountOptions, MountRequest};
use crate::error::{Error, Result};

pub use long::mount;
pub use options::no_idmap;

/// `-v [SOURCE:]TARGET[:OPTIONS]`
pub fn volume(text: &str) -> Result<MountRequest> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, flags) = match parts.as_slice() {
        [target] => (None, *target, ""),
        [source, target] => (Some(*source), *target, ""),
        [source, target, flags] => (Some(*source), *target, *flags),
        _ => {
            return Err(Error::usage(format!(
                "{text}: incorrect volume format, should be [host-dir:]ctr-dir[:option]"
            )));
        }
    };
    if source == Some("") {
        return Err(Error::usage("host directory cannot be empty"));
    }
    let target = container_path(target)?;
    let mut options = MountOptions::default();
    options::of_volume(flags, &mut options)?;
    options::check_label(&options)?;
    let copy = !flags.split(',').any(|flag| flag == "nocopy");
    match source {
        Some(source) if source.starts_with(['/', '.']) => Ok(MountRequest::Bind {
            source: host_path(source)?,
            target,
            options,
        }),
        name => {
            if options.overlay_dirs.is_some() {
                return Err(Error::usage(
                    "upperdir and workdir go with a directory of the host, not with a volume",
                ));
            }
            named(name, target, options, copy)
        }
    }
}

/// A volume by name, or an anonymous one.
fn named(
    name: Option<&str>,
    target: String,
    options: MountOptions,
    copy: bool,
) -> Result<MountRequest> {
    if let Some(name) = name {
        crate::volume::check_name(name)?;
    }
    Ok(MountRequest::Volume {
        name: name.map(str::to_owned),
        target,
        options,
        copy,
    })
}

/// `--tmpfs TARGET[:OPTIONS]`
pub fn tmpfs(text: &str) -> Result<MountRequest> {
    let (target, flags) = text.split_once(':').unwrap_or((text, ""));
    let target = container_path(target)?;
    let mut options = MountOptions::default();
    let mut data = Vec::new();
    for flag in flags.split(',').filter(|flag| !flag.is_empty()) {
        options::of_tmpfs(flag, &mut options, &mut data)?;
    }
    Ok(MountRequest::Tmpfs {
        target,
        data,
        options,
    })
}

/// What `mount` shows of the host, if anything.
pub fn source(mount: &MountRequest) -> Option<&str> {
    match mount {
        MountRequest::Bind { source, .. } => source.to_str(),
        MountRequest::Volume { name, .. } => name.as_deref(),
        MountRequest::Image { image, .. } => Some(image),
        _ => None,
    }
}

/// Refuses two mounts on one place, and sources that are not there.
pub fn check(mounts: &[MountRequest]) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for mount in mounts {
        let at = mount.target();
        if !seen.insert(at) {
            return Err(Error::usage(format!("{at}: duplicate mount destination")));
        }
        if let MountRequest::Bind {
            source, options, ..
        } = mount
            && let Err(err) = match options.no_dereference {
                true => source.symlink_metadata(),
                false => source.metadata(),
            }
        {
            let text = match err.kind() {
                std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
                _ => err.to_string(),
            };
            return Err(Error::usage(format!("statfs {}: {text}", source.display())));
        }
    }
    Ok(())
}

/// An absolute path inside the container, without `.`, `..` and doubled slashes.
fn container_path(text: &str) -> Result<String> {
    if text.is_empty() {
        return Err(Error::usage("container directory cannot be empty"));
    }
    if !text.starts_with('/') {
        return Err(Error::usage(format!(
            "invalid container path {text:?}, must be an absolute path"
        )));
    }
    let mut names: Vec<&str> = Vec::new();
    for name in text.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    Ok(format!("/{}", names.join("/")))
}

fn host_path(text: &str) -> Result<PathBuf> {
    std::path::absolute(Path::new(text))
        .map_err(|err| Error::io(&err, format!("find the directory of \"{text}\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes() {
        let MountRequest::Bind {
            source,
            target,
            options,
        } = volume("/tmp:/data/./x/../y//:ro,z,U,noexec,rslave").expect("a bind")
        else {
            panic!("not a bind");
        };
        assert_eq!(source, Path::new("/tmp"));
        assert_eq!(target, "/data/y");
        assert_eq!(
            options,
            MountOptions {
                read_only: true,
                relabel: Some('z'),
                chown: true,
                noexec: Some(true),
                propagation: Some("rslave".to_owned()),
                ..MountOptions::default()
            }
        );
    }

    #[test]
    fn relative_sources_begin_with_a_dot() {
        let here = std::env::current_dir().expect("a working directory");
        let Ok(MountRequest::Bind { source, .. }) = volume("./x:/x") else {
            panic!("not a bind");
        };
        assert_eq!(source, here.join("x"));
    }

    #[test]
    fn bad_volumes() {
        for (text, want) in [
            (":/b", "host directory cannot be empty"),
            (":", "host directory cannot be empty"),
            ("", "container directory cannot be empty"),
            ("/a:", "container directory cannot be empty"),
            (
                "a:b",
                "invalid container path \"b\", must be an absolute path",
            ),
            ("/tmp:/b:xx", "invalid option type \"xx\""),
            (
                "/tmp:/b:ro,rw",
                "invalid options \"ro, rw\", can only specify 1 'rw' or 'ro' option",
            ),
            (
                "/tmp:/b:/c:ro",
                "/tmp:/b:/c:ro: incorrect volume format, should be [host-dir:]ctr-dir[:option]",
            ),
            (
                "a b:/x",
                "volume name \"a b\": names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument",
            ),
        ] {
            assert_eq!(volume(text).expect_err(text).to_string(), want);
        }
    }

    #[test]
    fn tmpfs_options() {
        let Ok(MountRequest::Tmpfs {
            target,
            data,
            options,
        }) = tmpfs("/t:size=64m,mode=1777,exec,ro")
        else {
            panic!("not a tmpfs");
        };
        assert_eq!(target, "/t");
        assert_eq!(data, ["size=64m", "mode=1777"]);
        assert_eq!((options.noexec, options.read_only), (Some(false), true));
        assert_eq!(
            tmpfs("/x:foo").expect_err("unknown").to_string(),
            "unknown mount option \"foo\": invalid mount option"
        );
    }

    #[test]
    fn mounts_are_checked_together() {
        let two = [
            volume("/tmp:/x").expect("a bind"),
            tmpfs("/x").expect("a tmpfs"),
        ];
        assert_eq!(
            check(&two).expect_err("twice").to_string(),
            "/x: duplicate mount destination"
        );
        let missing = [volume("/nosuch:/x").expect("a bind")];
        assert_eq!(
            check(&missing).expect_err("missing").to_string(),
            "statfs /nosuch: no such file or directory"
        );
    }
}
