//! Writes classic BPF from its last instruction to its first.
//!
//! Jumps in classic BPF only go forward, so whoever emits backwards knows the place of every target already and
//! sees at once when one is out of the reach of an 8-bit offset.

use libc::sock_filter;

use super::{Action, Insn};

/// Offsets of conditional jumps have 8 bits; some are left for what is put in between while a jump is prepared.
const REACH: usize = 250;

/// An instruction, counted from the end of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label(usize);

/// Where a branch goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Return(Action),
    Code(Label),
}

/// The comparisons that a conditional jump can make between the accumulator and a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    Equal,
    Above,
    AtLeast,
}

#[derive(Debug, Default)]
pub(super) struct Assembler {
    reversed: Vec<sock_filter>,
    /// The `ret` nearest to the start, for each action met so far.
    returns: Vec<(Action, Label)>,
}

impl Assembler {
    /// Starts with a finished program, to put something in front of it. Its start is the returned label.
    pub(super) fn in_front_of(filter: &[sock_filter]) -> (Assembler, Label) {
        let assembler = Assembler {
            reversed: filter.iter().rev().copied().collect(),
            returns: Vec::new(),
        };
        let start = Label(assembler.reversed.len() - 1);
        (assembler, start)
    }

    pub(super) fn finish(mut self) -> Vec<sock_filter> {
        self.reversed.reverse();
        self.reversed
    }

    fn push(&mut self, insn: sock_filter) -> Label {
        self.reversed.push(insn);
        Label(self.reversed.len() - 1)
    }

    /// How many instructions a jump emitted next would skip to get to `label`.
    fn distance(&self, label: Label) -> usize {
        self.reversed.len() - 1 - label.0
    }

    /// Loads a 32-bit word of `struct seccomp_data` into the accumulator and goes on with `next`.
    pub(super) fn load(&mut self, offset: u32, next: Target) -> Label {
        self.fall_into(next);
        self.push(Insn::load(offset))
    }

    /// Masks the accumulator and goes on with `next`.
    pub(super) fn and(&mut self, mask: u32, next: Target) -> Label {
        self.fall_into(next);
        self.push(Insn::and(mask))
    }

    /// Makes `next` what follows the instruction that is emitted next.
    fn fall_into(&mut self, next: Target) {
        match next {
            Target::Code(label) if self.distance(label) == 0 => {}
            Target::Code(label) => {
                let skip = self.distance(label) as u32;
                self.push(Insn::jump(skip));
            }
            Target::Return(action) => {
                self.push(Insn::ret(action));
            }
        }
    }

    pub(super) fn branch(
        &mut self,
        compare: Compare,
        value: u32,
        yes: Target,
        no: Target,
    ) -> Label {
        let yes = self.within_reach(yes);
        let no = self.within_reach(no);
        // Preparing `no` may have moved `yes` away by one instruction, which REACH leaves room for.
        let (jt, jf) = (self.distance(yes), self.distance(no));
        debug_assert!(jt <= 255 && jf <= 255);
        self.push(Insn::jump_if(compare, value, jt as u8, jf as u8))
    }

    /// A place near enough for a conditional jump that is, or goes to, `target`.
    fn within_reach(&mut self, target: Target) -> Label {
        match target {
            Target::Code(label) if self.distance(label) <= REACH => label,
            Target::Code(label) => {
                let skip = self.distance(label) as u32;
                self.push(Insn::jump(skip))
            }
            Target::Return(action) => self.return_nearby(action),
        }
    }

    /// A `ret` costs what a jump to one costs, so a new one is made when the last is too far away.
    fn return_nearby(&mut self, action: Action) -> Label {
        let known = self.returns.iter().position(|(of, _)| *of == action);
        if let Some(at) = known
            && self.distance(self.returns[at].1) <= REACH
        {
            return self.returns[at].1;
        }
        let label = self.push(Insn::ret(action));
        match known {
            Some(at) => self.returns[at].1 = label,
            None => self.returns.push((action, label)),
        }
        label
    }

    /// Skips a load at `target` of the very word that the accumulator already holds.
    pub(super) fn past_load(&self, target: Target, offset: u32) -> Target {
        match target {
            Target::Code(Label(at)) if at > 0 && self.reversed[at] == Insn::load(offset) => {
                Target::Code(Label(at - 1))
            }
            other => other,
        }
    }
}
