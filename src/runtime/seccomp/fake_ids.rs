//! The filter for a container in which only one id exists (no subordinate range).
//!
//! There, giving a file or oneself to another user cannot work, yet ordinary programs do it as a matter of course:
//! nginx starts its workers as `www-data`, package managers set the owner of what they unpack. These calls answer
//! 0 and do nothing. Programs that look whether it took effect notice; remembering ids is a later back end.
//!
//! This is no protection: a refusal of the profile that also applies comes second to the success told here, and no
//! call in this list could have done anything that its caller may not do.

use super::calls::Abi;
use super::policy::{Check, Rule, Table, Test, X32_BIT, assemble, assemble_before};
use super::{Action, Program};
use crate::error::Result;

const DONE: Action = Action::errno(0);

macro_rules! numbers {
    ($arch:ident: $($name:ident)*) => { &[$(syscalls::$arch::Sysno::$name as u32),*] };
}

/// Owners of files, then ids of the process: the kernel would answer `EINVAL` for ids the namespace has no map for,
/// and `EPERM` to `setgroups`, which a single-id map must deny. `setfsuid` and `setfsgid` return the id there was
/// before: 0, as here. `capset` is not among them: dropping capabilities works, and should.
const X86_64: &[u32] = numbers!(x86_64: chown lchown fchown fchownat setuid setgid setreuid setregid setresuid
    setresgid setfsuid setfsgid setgroups);
const AARCH64: &[u32] = numbers!(aarch64: fchown fchownat setuid setgid setreuid setregid setresuid setresgid
    setfsuid setfsgid setgroups);
/// The names without `32` take ids of 16 bits.
const X86: &[u32] = numbers!(x86: chown chown32 lchown lchown32 fchown fchown32 fchownat setuid setuid32 setgid
    setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32 setresgid setresgid32 setfsuid
    setfsuid32 setfsgid setfsgid32 setgroups setgroups32);
const ARM: &[u32] = numbers!(arm: chown chown32 lchown lchown32 fchown fchown32 fchownat setuid setuid32 setgid
    setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32 setresgid setresgid32 setfsuid
    setfsuid32 setfsgid setfsgid32 setgroups setgroups32);

/// The filter alone, for a container without a profile: all else is allowed, on every architecture.
pub fn errno_filter() -> Program {
    assemble(&mut tables(), Action::ALLOW, 0)
        .expect("some fifty calls are far below the kernel's limit")
}

/// One program that answers for the faked calls and asks `profile` about the rest.
///
/// Fails when both together are longer than the kernel takes.
pub fn with_errno_filter(profile: &Program) -> Result<Program> {
    assemble_before(&mut tables(), profile)
}

fn tables() -> Vec<Table> {
    Abi::HERE
        .iter()
        .filter(|abi| **abi != Abi::X32) // it is a part of the table of x86_64
        .map(|abi| table_for(*abi))
        .collect()
}

fn table_for(abi: Abi) -> Table {
    use syscalls::{aarch64::Sysno as A, arm::Sysno as M, x86::Sysno as I, x86_64::Sysno as X};
    // The argument that holds the mode: `mknod(path, mode, dev)`, `mknodat(dir, path, mode, dev)`.
    let (ids, mknod, mknodat) = match abi {
        Abi::X86_64 | Abi::X32 => (X86_64, Some(X::mknod as u32), X::mknodat as u32),
        Abi::X86 => (X86, Some(I::mknod as u32), I::mknodat as u32),
        Abi::Aarch64 => (AARCH64, None, A::mknodat as u32),
        Abi::Arm => (ARM, Some(M::mknod as u32), M::mknodat as u32),
    };
    let mut table = Table::new(abi, Action::ALLOW);
    let both = |number: u32| {
        let x32 = (abi == Abi::X86_64).then_some(number | X32_BIT);
        std::iter::once(number).chain(x32)
    };
    table.set(ids.iter().copied().flat_map(both), DONE);
    table.check(mknod.into_iter().flat_map(both), device_nodes(1));
    table.check(both(mknodat), device_nodes(2));
    table
}

/// Device nodes are not for a user namespace to make; packages that bring some (makedev, udev) go on without.
/// FIFOs, sockets and plain files are made.
fn device_nodes(mode_arg: u8) -> Check {
    let is = |kind: libc::mode_t| Rule {
        tests: vec![Test::Masked {
            arg: mode_arg,
            mask: u64::from(libc::S_IFMT),
            value: u64::from(kind),
            equal: true,
        }],
        action: DONE,
    };
    Check {
        rules: vec![is(libc::S_IFCHR), is(libc::S_IFBLK)],
        otherwise: Action::ALLOW,
    }
}

#[cfg(test)]
mod tests {
    use super::super::calls::Names;
    use super::super::{Call, default_profile};
    use super::*;
    use crate::runtime::caps::CapSet;

    fn call(abi: Abi, name: &str, args: [u64; 6]) -> Call {
        let number = Names::of(abi)
            .number(name)
            .unwrap_or_else(|| panic!("no call {name}"));
        Call {
            number,
            arch: abi.audit_arch(),
            instruction_pointer: 0,
            args,
        }
    }

    #[test]
    fn changes_of_ids_succeed_and_the_profile_decides_the_rest() {
        let profile = default_profile(CapSet::DEFAULT);
        let merged = with_errno_filter(&profile).expect("fits");
        for number in 0..1024 {
            let call = Call::native(number, [0; 6]);
            let faked = Abi::NATIVE == Abi::X86_64 && X86_64.contains(&number)
                || Abi::NATIVE == Abi::Aarch64 && AARCH64.contains(&number);
            let want = if faked {
                Some(DONE)
            } else {
                profile.verdict(&call)
            };
            assert_eq!(merged.verdict(&call), want, "{number}");
        }
    }

    #[test]
    fn alone_it_allows_all_else_on_every_architecture() {
        let filter = errno_filter();
        for abi in Abi::HERE {
            for name in ["setuid", "setgroups", "fchownat", "setresgid"] {
                let call = call(*abi, name, [33; 6]);
                assert_eq!(filter.verdict(&call), Some(DONE), "{abi:?} {name}");
            }
            for name in ["getuid", "capset", "read", "mount"] {
                let call = call(*abi, name, [33; 6]);
                assert_eq!(filter.verdict(&call), Some(Action::ALLOW), "{abi:?} {name}");
            }
        }
    }

    #[test]
    fn only_device_nodes_are_faked() {
        let filter = errno_filter();
        let (chr, blk, fifo) = (0o020_666, 0o060_600, 0o010_644);
        for (mode, want) in [
            (chr, DONE),
            (blk, DONE),
            (fifo, Action::ALLOW),
            (0o100_644, Action::ALLOW),
        ] {
            let mknodat = call(Abi::NATIVE, "mknodat", [0, 0, mode, 0, 0, 0]);
            assert_eq!(filter.verdict(&mknodat), Some(want), "{mode:o}");
        }
    }
}
