//! Faults of a program in words: what is wrong, and the remedy.

use super::Cause;
use super::program::Fault;

/// One fault told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub cause: Cause,
    pub what: String,
    pub remedy: String,
}

fn told(cause: Cause, what: impl Into<String>, remedy: impl Into<String>) -> Told {
    Told {
        cause,
        what: what.into(),
        remedy: remedy.into(),
    }
}

/// `program`: as the container's command has it.
pub fn of(fault: &Fault, program: &str) -> Told {
    match fault {
        Fault::NoCommand { nearest, shells } => {
            let what = format!("there is no {program:?} in the PATH of the container");
            let is_shell = ["bash", "zsh", "ash", "dash", "sh"].contains(&program);
            let remedy = match (nearest, shells.first()) {
                (_, Some(shell)) if is_shell => format!("the image has {shell:?} instead"),
                (Some(near), _) => format!("did you mean {near:?}?"),
                (None, None) => {
                    "the image has no shell and perhaps no such program at all: give the full path of its own program, or none".to_owned()
                }
                (None, Some(_)) => "install it in the image, or give its full path".to_owned(),
            };
            told(Cause::NoCommand, what, remedy)
        }
        Fault::NoFile { nearest } => told(
            Cause::NoCommand,
            format!("there is no {program:?} in the container"),
            match nearest {
                Some(near) => format!("did you mean {near:?}?"),
                None => "look what is there: pod diff, or pod export CONTAINER | tar -t".to_owned(),
            },
        ),
        Fault::Directory => told(
            Cause::NotExecutable,
            format!("{program:?} is a directory"),
            "name a program in it",
        ),
        Fault::NotExecutable { path } => told(
            Cause::NotExecutable,
            format!("{path:?} is not marked as executable"),
            format!("chmod +x {path} when the image is built"),
        ),
        Fault::Empty { path } => told(
            Cause::NotExecutable,
            format!("{path:?} is empty"),
            "build the image again: its copy of the program was cut off",
        ),
        Fault::NoInterpreter { path, interpreter } => told(
            Cause::NoInterpreter,
            format!("{path:?} is a script for {interpreter:?}, which the container does not have"),
            format!("install {interpreter} in the image, or change the first line of the script"),
        ),
        Fault::CarriageReturn { path, interpreter } => told(
            Cause::NoInterpreter,
            format!(
                "{path:?} has Windows line ends, so the kernel looks for an interpreter {:?}",
                format!("{interpreter}\r")
            ),
            format!("change them with sed -i 's/\\r$//' {path} when the image is built"),
        ),
        Fault::NoShebang { path } => told(
            Cause::NotExecutable,
            format!("{path:?} is a text without a \"#!\" line, which only a shell would run"),
            "begin it with #!/bin/sh, or run it with sh",
        ),
        Fault::ByteOrderMark { path } => told(
            Cause::NotExecutable,
            format!("{path:?} begins with a byte order mark, so that its \"#!\" is not seen"),
            "save it without one",
        ),
        Fault::OtherSystem { path, kind } => told(
            Cause::WrongArchitecture,
            format!("{path:?} is a program of {kind}"),
            "build it for Linux",
        ),
        Fault::Unknown { path } => told(
            Cause::NotExecutable,
            format!("{path:?} is neither a program of Linux nor a script"),
            "build it for Linux and this processor",
        ),
        Fault::WrongMachine { path, machine } => told(
            Cause::WrongArchitecture,
            format!(
                "{path:?} is a program for {machine}, and this machine is {}",
                host()
            ),
            format!(
                "use the image for linux/{}: pod pull --platform linux/{0} IMAGE",
                host()
            ),
        ),
        Fault::NoLoader { path, loader, musl } => told(
            Cause::NoLoader,
            format!("{path:?} wants the loader {loader:?}, which the container does not have"),
            match musl {
                true => {
                    "it was built for musl (Alpine): use an image with musl, or build it for this one"
                }
                false => {
                    "it was built for glibc: use an image with glibc (Debian, Fedora …), or build it statically"
                }
            },
        ),
        Fault::NoLibrary {
            path,
            library,
            wanted_by,
        } => told(
            Cause::NoLibrary,
            match path == wanted_by {
                true => format!(
                    "{path:?} wants the library {library:?}, which the container does not have"
                ),
                false => format!(
                    "{path:?} wants the library {library:?} (for {wanted_by:?}), which the container does not have"
                ),
            },
            format!("install the package with {library} in the image"),
        ),
        Fault::NoWorkdir { cwd } => told(
            Cause::NoWorkdir,
            format!("the container has no working directory {cwd:?}"),
            "make it in the image, or give another with --workdir",
        ),
        Fault::NoUser { user, nearest } => told(
            Cause::NoUser,
            format!("/etc/passwd of the container has no user {user:?}"),
            match nearest {
                Some(near) => format!("did you mean {near:?}? A number works without an entry"),
                None => "add it in the image, or give a number (--user 1000)".to_owned(),
            },
        ),
    }
}

/// As the platform of an image has it.
fn host() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}
