//! Values of flags.

use clap::Arg;

use crate::cli::context::Context;
use crate::error::Result;

use super::{Answer, Files, names};

/// Global flags as help shows them.
pub(super) const GLOBALS: &[(&str, &str)] = &[
    ("--root", "Directory of images and containers"),
    ("--runroot", "Directory of what running containers need"),
    (
        "--imagestore",
        "Directory of images, where it is not that of containers",
    ),
    ("--storage-opt", "A read-only store below"),
    ("--storage-driver", "How layers are put together"),
    ("--log-level", "Show messages of this level and above"),
];

const LEVELS: [&str; 7] = ["trace", "debug", "info", "warn", "error", "fatal", "panic"];

const SIGNALS: [&str; 15] = [
    "HUP", "INT", "QUIT", "ABRT", "KILL", "USR1", "USR2", "PIPE", "ALRM", "TERM", "CHLD", "CONT",
    "STOP", "TSTP", "WINCH",
];

/// The value of a global flag that lacks it.
pub(super) fn of_global(name: &str) -> Answer {
    match name {
        "root" | "runroot" | "imagestore" => Answer::files(Files::Directories),
        "storage-driver" => Answer::words(["overlay"]),
        "log-level" => Answer::words(LEVELS),
        "storage-opt" => open(["additionalimagestore="]),
        _ => Answer::default(),
    }
}

/// `path`: the command as it was spelled; `value`: what there is of the value.
pub(super) fn of_flag(arg: &Arg, path: &str, value: &str, ctx: &Context) -> Result<Answer> {
    let long = arg.get_long().unwrap_or_default();
    let command = path.rsplit(' ').next().unwrap_or(path);
    let of_images = path.starts_with("image") || matches!(path, "images" | "rmi");
    Ok(match (long, command) {
        ("filter", "prune") => open(["label=", "label!=", "until="]),
        ("filter", _) if of_images => image_filter(value, ctx)?,
        ("filter", _) => container_filter(value, ctx)?,
        ("sort", _) if of_images => Answer::words(["created", "id", "repository", "size", "tag"]),
        ("sort", _) => Answer::words([
            "command",
            "created",
            "id",
            "image",
            "names",
            "runningfor",
            "size",
            "status",
        ]),
        ("format", "save") => {
            Answer::words(["docker-archive", "oci-archive", "oci-dir", "docker-dir"])
        }
        ("format", "push") => Answer::words(["oci", "v2s2"]),
        ("format", "commit") => Answer::words(["oci", "docker"]),
        ("format", _) => format(path, value),
        ("type", "inspect") => Answer::words(["all", "container", "image"]),
        ("compression-format", _) => Answer::words(["gzip", "zstd"]),
        ("pull" | "policy", _) => Answer::words(["always", "missing", "never", "newer"]),
        ("signal" | "stop-signal", _) => Answer::words(SIGNALS),
        ("condition", "wait") => Answer::words([
            "created",
            "exited",
            "initialized",
            "paused",
            "running",
            "stopped",
        ]),
        ("network" | "net", _) => mode(
            ["none", "host", "pasta", "slirp4netns", "private"],
            value,
            ctx,
        )?,
        ("pid" | "ipc" | "uts" | "cgroupns", _) => {
            mode(["private", "host", "", "", ""], value, ctx)?
        }
        ("userns", _) => Answer::words(["auto", "host", "keep-id", "nomap"]),
        ("image-volume", _) => Answer::words(["anonymous", "bind", "tmpfs", "ignore"]),
        ("log-driver", _) => Answer::words(["k8s-file", "json-file", "none", "passthrough"]),
        (
            "volume" | "env-file" | "label-file" | "authfile" | "cidfile" | "pidfile" | "device",
            _,
        ) => Answer::files(Files::Any),
        ("log-level", _) => Answer::words(LEVELS),
        _ => by_name(arg, value, ctx)?,
    })
}

/// By the value's name in the help.
fn by_name(arg: &Arg, value: &str, ctx: &Context) -> Result<Answer> {
    let name = arg.get_value_names().and_then(|names| names.first());
    Ok(match name.map_or("", |name| name.as_str()) {
        "FILE" | "PATH" => Answer::files(Files::Any),
        "DIR" => Answer::files(Files::Directories),
        "BOOL" => Answer::words(["true", "false"]),
        "CONTAINER" => names::any_container(value, ctx)?,
        "IMAGE" => names::any_image(value, ctx)?,
        // A switch: its value can only stand behind `=`.
        _ if arg.is_require_equals_set() => Answer::words(["true", "false"]),
        _ => Answer::default(),
    })
}

/// Words that something follows.
fn open<const N: usize>(words: [&str; N]) -> Answer {
    Answer {
        open: true,
        ..Answer::words(words)
    }
}

/// Puts `key=` before the candidates.
fn keyed(key: &str, mut answer: Answer) -> Answer {
    for (word, _) in &mut answer.found {
        *word = format!("{key}={word}");
    }
    answer
}

fn image_filter(value: &str, ctx: &Context) -> Result<Answer> {
    Ok(match value.split_once('=') {
        None => open([
            "after=",
            "before=",
            "containers=",
            "dangling=",
            "digest=",
            "id=",
            "intermediate=",
            "label=",
            "manifest=",
            "readonly=",
            "reference=",
            "since=",
            "until=",
        ]),
        Some((key, rest)) => {
            let of = match key.trim_end_matches('!') {
                "dangling" | "intermediate" | "manifest" | "readonly" => {
                    Answer::words(["true", "false"])
                }
                "containers" => Answer::words(["true", "false", "external"]),
                "after" | "before" | "since" | "reference" => names::any_image(rest, ctx)?,
                _ => Answer::default(),
            };
            keyed(key, of)
        }
    })
}

fn container_filter(value: &str, ctx: &Context) -> Result<Answer> {
    Ok(match value.split_once('=') {
        None => open([
            "ancestor=",
            "before=",
            "command=",
            "exited=",
            "health=",
            "id=",
            "label=",
            "name=",
            "network=",
            "pod=",
            "restart-policy=",
            "since=",
            "status=",
            "until=",
            "volume=",
        ]),
        Some((key, rest)) => {
            let of = match key {
                "status" => Answer::words([
                    "created",
                    "exited",
                    "initialized",
                    "paused",
                    "removing",
                    "running",
                    "stopped",
                    "stopping",
                    "unknown",
                ]),
                "ancestor" => names::any_image(rest, ctx)?,
                "before" | "since" | "name" | "id" => names::any_container(rest, ctx)?,
                "network" => Answer::words(["host", "none", "pasta", "slirp4netns"]),
                "health" => Answer::words(["healthy", "none", "starting", "unhealthy"]),
                _ => Answer::default(),
            };
            keyed(key, of)
        }
    })
}

/// A namespace: one of the words, or that of a container.
fn mode(words: [&str; 5], value: &str, ctx: &Context) -> Result<Answer> {
    if let Some(name) = value.strip_prefix("container:") {
        let mut answer = names::any_container(name, ctx)?;
        for (word, _) in &mut answer.found {
            word.insert_str(0, "container:");
        }
        return Ok(answer);
    }
    let mut answer = Answer::words(words.into_iter().filter(|word| !word.is_empty()));
    answer.add("container:", "");
    answer.add("ns:", "");
    answer.open = value.starts_with('c') || value.starts_with("ns");
    Ok(answer)
}

/// `json`, `table`, or fields of a template.
fn format(path: &str, value: &str) -> Answer {
    let fields: &[&str] = match path {
        "images" | "image ls" | "image list" => &[
            "Arch",
            "Containers",
            "Created",
            "CreatedAt",
            "CreatedSince",
            "CreatedTime",
            "Dangling",
            "Digest",
            "History",
            "ID",
            "IsManifestList",
            "Labels",
            "Names",
            "Os",
            "ParentId",
            "ReadOnly",
            "RepoDigests",
            "RepoTags",
            "Repository",
            "SharedSize",
            "Size",
            "Tag",
            "VirtualSize",
        ],
        "history" | "image history" => &[
            "Comment",
            "Created",
            "CreatedAt",
            "CreatedBy",
            "CreatedSince",
            "ID",
            "Size",
            "Tags",
        ],
        "system df" => &[
            "Active",
            "RawReclaimable",
            "RawSize",
            "Reclaimable",
            "Size",
            "Total",
            "Type",
        ],
        "ps" | "container ls" | "container list" | "container ps" => &[
            "AutoRemove",
            "Command",
            "Created",
            "CreatedAt",
            "CreatedHuman",
            "ExitCode",
            "Exited",
            "ExitedAt",
            "ExposedPorts",
            "ID",
            "Image",
            "ImageID",
            "Labels",
            "Mounts",
            "Names",
            "Namespaces",
            "Networks",
            "Pid",
            "Ports",
            "Restarts",
            "RunningFor",
            "Size",
            "StartedAt",
            "State",
            "Status",
        ],
        _ => &[],
    };
    // The last action that is still open, and what stands before its field.
    let Some((start, _)) = value.rmatch_indices("{{.").next() else {
        let mut answer = Answer::words(["json", "table"]);
        if !fields.is_empty() {
            answer.add("{{.", "");
            answer.open = value.starts_with('{');
        }
        return answer;
    };
    let before = &value[..start];
    Answer::words(
        fields
            .iter()
            .map(|field| format!("{before}{{{{.{field}}}}}")),
    )
}
