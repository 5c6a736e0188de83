//! The program that is pid 1 of a container with `--init`: `init.c`, compiled by `build.rs`, in a sealed memfd.
//!
//! Our own binary is never executed inside a container, where `/proc/1/exe` leads to it. This one is a copy made for one
//! container, and the seals keep even that from being changed.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use rustix::fs::{MemfdFlags, Mode, SealFlags, fchmod, fcntl_add_seals, memfd_create};

use crate::error::{Error, Result, Tried};
use crate::sys;
use crate::sys::process::CStrings;

/// A static ELF file without interpreter or libraries.
const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/init"));

/// What it is called in the container: its `argv[0]` and its name in `ps`.
const NAME: &CStr = c"pod-init";

/// Where in its arguments the path of the program stands.
const PROGRAM_AT: usize = 1;

/// Init in a file of its own, and its arguments.
#[derive(Debug)]
pub(super) struct InitProgram {
    file: OwnedFd,
    /// `pod-init`, room for the path of the program, the arguments of the program from its `argv[0]` on.
    argv: CStrings,
}

impl InitProgram {
    /// For a program at one of the `candidates`. `least`: the lowest number its descriptor may have.
    pub(super) fn make(args: &[CString], candidates: &[CString], least: i32) -> Result<Self> {
        let mut words = vec![NAME.to_owned()];
        words.extend_from_slice(args);
        let mut argv = CStrings::new(words);
        let longest = candidates.iter().map(|path| path.as_bytes().len()).max();
        argv.reserve_at(PROGRAM_AT, b"", longest.unwrap_or(0));
        let file = sealed().map_err(|errno| {
            let errno = Errno::from_raw(errno.raw_os_error());
            let err = Error::os(errno, "make a file in memory for the init of a container");
            match errno {
                Errno::EACCES => {
                    err.hint("vm.memfd_noexec is 2: set it to 1, or do without --init")
                }
                _ => err,
            }
        })?;
        let file = match file.as_raw_fd() < least {
            true => sys::fd::dup_above(file.as_fd(), least).tried(|| "copy a descriptor")?,
            false => file,
        };
        Ok(InitProgram { file, argv })
    }

    /// Runs in: init. Executes it, for it to execute `program`; returns only on failure. System calls only.
    pub(super) fn execute(&mut self, program: &CStr, envp: &CStrings) -> Errno {
        self.argv.fill(PROGRAM_AT, program.to_bytes());
        sys::process::execveat(self.file.as_fd(), &self.argv, envp)
    }
}

/// The program in a file that nobody can write to and anybody may execute: the user inside may be any.
fn sealed() -> rustix::io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = match memfd_create(NAME, flags | MemfdFlags::EXEC) {
        Err(rustix::io::Errno::INVAL) => memfd_create(NAME, flags)?, // before Linux 6.3
        made => made?,
    };
    let mut rest = PROGRAM;
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest)?;
        rest = &rest[written..];
    }
    fchmod(&file, Mode::from_raw_mode(0o555))?;
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    fcntl_add_seals(&file, seals)?;
    Ok(file)
}
