//! What the kernel would answer to a call under a [`Program`].

use super::calls::Abi;
use super::{Action, Program};

/// One call, as `struct seccomp_data` shows it to a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    pub number: u32,
    /// `AUDIT_ARCH_*`
    pub arch: u32,
    pub instruction_pointer: u64,
    pub args: [u64; 6],
}

impl Call {
    /// A call of this machine's own architecture.
    pub fn native(number: u32, args: [u64; 6]) -> Call {
        Call {
            number,
            arch: Abi::NATIVE.audit_arch(),
            instruction_pointer: 0,
            args,
        }
    }

    fn word(&self, offset: u32) -> Option<u32> {
        let halves = |value: u64, at: u32| {
            (if at.is_multiple_of(8) {
                value
            } else {
                value >> 32
            }) as u32
        };
        match offset {
            0 => Some(self.number),
            4 => Some(self.arch),
            8 | 12 => Some(halves(self.instruction_pointer, offset)),
            16..=60 if offset.is_multiple_of(4) => {
                Some(halves(self.args[(offset as usize - 16) / 8], offset))
            }
            _ => None,
        }
    }
}

impl Program {
    /// Runs the program on `call`; `None` for what the kernel would have refused to load: an instruction that
    /// compiling never emits, or a jump or load out of bounds.
    pub fn verdict(&self, call: &Call) -> Option<Action> {
        const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
        const AND: u32 = libc::BPF_ALU | libc::BPF_AND | libc::BPF_K;
        const JUMP: u32 = libc::BPF_JMP | libc::BPF_JA;
        const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        const ABOVE: u32 = libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K;
        const AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
        const ANY_BIT: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
        const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

        let mut accumulator = 0;
        let mut at = 0;
        loop {
            let insn = self.filter.get(at)?;
            at += 1;
            let holds = match u32::from(insn.code) {
                LOAD => {
                    accumulator = call.word(insn.k)?;
                    continue;
                }
                AND => {
                    accumulator &= insn.k;
                    continue;
                }
                JUMP => {
                    at += insn.k as usize;
                    continue;
                }
                RETURN => return Some(Action(insn.k)),
                EQUAL => accumulator == insn.k,
                ABOVE => accumulator > insn.k,
                AT_LEAST => accumulator >= insn.k,
                ANY_BIT => accumulator & insn.k != 0,
                _ => return None,
            };
            at += usize::from(if holds { insn.jt } else { insn.jf });
        }
    }
}
