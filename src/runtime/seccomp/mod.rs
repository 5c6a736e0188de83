//! Filters of system calls (`seccomp(2)`): from a profile to the BPF program that a container's process loads.
//!
//! Nothing here touches a process: a [`Program`] is plain data, and `sys` installs it.
//!
//! | file | what it knows |
//! | --- | --- |
//! | `default` | the calls a container may make when nobody says otherwise |
//! | `fake_ids` | the calls that answer 0 and do nothing, where only one id exists |
//! | `profile` | profiles as files (Docker's and Podman's JSON form) |
//! | `oci` | the seccomp section of an OCI runtime spec |
//! | `policy` | a verdict for each call, and how it becomes a search tree |
//! | `assembler` | instructions and jumps |
//! | `calls` | names and numbers of calls, for each architecture |
//! | `simulate` | what the kernel would answer |

mod assembler;
mod calls;
mod default;
mod fake_ids;
mod oci;
mod policy;
mod profile;
mod simulate;

use libc::sock_filter;

pub use calls::Abi;
pub use default::default_profile;
pub use fake_ids::{errno_filter, with_errno_filter};
pub use oci::compile;
pub use profile::load_profile;
pub use simulate::Call;

/// `BPF_MAXINSNS`: the kernel takes no longer program.
pub const MAX_INSTRUCTIONS: usize = 4096;

/// A classic BPF program for `seccomp(SECCOMP_SET_MODE_FILTER)`, ready to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub filter: Vec<sock_filter>,
    /// `SECCOMP_FILTER_FLAG_*`
    pub flags: u32,
}

impl Program {
    /// The program as `bwrap --seccomp` and `bench/limit` read it: `struct sock_filter[]`.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.filter.len() * 8);
        for insn in &self.filter {
            bytes.extend_from_slice(&insn.code.to_ne_bytes());
            bytes.extend_from_slice(&[insn.jt, insn.jf]);
            bytes.extend_from_slice(&insn.k.to_ne_bytes());
        }
        bytes
    }
}

/// The number of the call `name`, if `abi` has one.
pub fn number(abi: Abi, name: &str) -> Option<u32> {
    calls::Names::of(abi).number(name)
}

/// What a filter answers: `SECCOMP_RET_*`, with its 16 bits of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action(pub u32);

impl Action {
    pub const KILL_THREAD: Action = Action(libc::SECCOMP_RET_KILL_THREAD);
    pub const KILL_PROCESS: Action = Action(libc::SECCOMP_RET_KILL_PROCESS);
    pub const TRAP: Action = Action(libc::SECCOMP_RET_TRAP);
    pub const LOG: Action = Action(libc::SECCOMP_RET_LOG);
    pub const ALLOW: Action = Action(libc::SECCOMP_RET_ALLOW);

    /// The call does nothing and fails with `errno`; 0 lets it appear to succeed.
    pub const fn errno(errno: u16) -> Action {
        Action(libc::SECCOMP_RET_ERRNO | errno as u32)
    }

    pub const fn trace(message: u16) -> Action {
        Action(libc::SECCOMP_RET_TRACE | message as u32)
    }
}

/// Instructions that the assembler uses.
struct Insn;

impl Insn {
    const fn raw(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
        sock_filter {
            code: code as u16,
            jt,
            jf,
            k,
        }
    }

    const fn load(offset: u32) -> sock_filter {
        Insn::raw(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
    }

    const fn and(mask: u32) -> sock_filter {
        Insn::raw(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, mask)
    }

    const fn jump(skip: u32) -> sock_filter {
        Insn::raw(libc::BPF_JMP | libc::BPF_JA, 0, 0, skip)
    }

    const fn jump_if(compare: assembler::Compare, value: u32, jt: u8, jf: u8) -> sock_filter {
        let operation = match compare {
            assembler::Compare::Equal => libc::BPF_JEQ,
            assembler::Compare::Above => libc::BPF_JGT,
            assembler::Compare::AtLeast => libc::BPF_JGE,
        };
        Insn::raw(libc::BPF_JMP | operation | libc::BPF_K, jt, jf, value)
    }

    const fn ret(action: Action) -> sock_filter {
        Insn::raw(libc::BPF_RET | libc::BPF_K, 0, 0, action.0)
    }
}
