//! What a filter decides, before it is code: a verdict for each system call of each architecture.

use super::assembler::{Assembler, Compare, Target};
use super::calls::Abi;
use super::{Action, MAX_INSTRUCTIONS, Program};
use crate::error::{Error, Kind, Result};

/// Offsets in `struct seccomp_data` (`<linux/seccomp.h>`).
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGS: u32 = 16;

/// Bit 30 of the number marks a call of the x32 ABI, which shares x86_64's audit architecture.
pub(super) const X32_BIT: u32 = 0x4000_0000;

/// A condition on one argument (0 to 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    /// `argument & mask == value`, or the opposite.
    ///
    /// For arguments that the kernel cuts to 32 bits the mask is at most `u32::MAX`: a comparison of all 64 would
    /// be passed by by setting a bit the kernel never looks at (CVE-2019-10063).
    Masked {
        arg: u8,
        mask: u64,
        value: u64,
        equal: bool,
    },
    /// `argument > value`, or the opposite.
    Above { arg: u8, value: u64, yes: bool },
    /// `argument >= value`, or the opposite.
    AtLeast { arg: u8, value: u64, yes: bool },
}

impl Test {
    /// `argument == value` for an argument of which the kernel reads 32 bits.
    pub(super) const fn int_is(arg: u8, value: u32) -> Test {
        Test::Masked {
            arg,
            mask: u32::MAX as u64,
            value: value as u64,
            equal: true,
        }
    }

    /// None of `bits` is set in an argument of which the kernel reads 32 bits.
    pub(super) const fn int_lacks(arg: u8, bits: u32) -> Test {
        Test::Masked {
            arg,
            mask: bits as u64,
            value: 0,
            equal: true,
        }
    }
}

/// All of `tests` hold: then `action`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) tests: Vec<Test>,
    pub(super) action: Action,
}

/// The rules of one call: the first that holds decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) rules: Vec<Rule>,
    pub(super) otherwise: Action,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Always(Action),
    /// Index into [`Table::checks`].
    Depends(usize),
}

/// The verdicts for one audit architecture.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) abi: Abi,
    /// For numbers that `calls` does not have.
    pub(super) otherwise: Action,
    /// In any order; of two verdicts for one number the first counts.
    pub(super) calls: Vec<(u32, Verdict)>,
    pub(super) checks: Vec<Check>,
    /// x86_64 only: for numbers with [`X32_BIT`] that `calls` does not have. `u32::MAX` is none of them: that is
    /// what a tracer writes to cancel a call.
    pub(super) x32: Action,
}

impl Table {
    pub(super) fn new(abi: Abi, otherwise: Action) -> Table {
        Table {
            abi,
            otherwise,
            calls: Vec::with_capacity(512),
            checks: Vec::new(),
            x32: otherwise,
        }
    }

    pub(super) fn set(&mut self, numbers: impl IntoIterator<Item = u32>, action: Action) {
        self.calls.extend(
            numbers
                .into_iter()
                .map(|number| (number, Verdict::Always(action))),
        );
    }

    pub(super) fn check(&mut self, numbers: impl IntoIterator<Item = u32>, check: Check) {
        let verdict = Verdict::Depends(self.checks.len());
        self.checks.push(check);
        self.calls
            .extend(numbers.into_iter().map(|number| (number, verdict)));
    }

    /// Start of each run of numbers with the same verdict, in order, without gaps; the first starts at 0.
    fn ranges(&mut self) -> Vec<(u32, Verdict)> {
        self.calls.sort_by_key(|(number, _)| *number); // stable: the first of equals stays the first
        let x32 = self.abi == Abi::X86_64;
        let gap = |number: u32| match x32 && number >= X32_BIT && number != u32::MAX {
            true => Verdict::Always(self.x32),
            false => Verdict::Always(self.otherwise),
        };
        let mut ranges = Ranges {
            starts: Vec::with_capacity(self.calls.len()),
            next: 0,
        };
        for &(number, verdict) in &self.calls {
            if number >= ranges.next {
                ranges.fill(number, gap);
                ranges.put(number, verdict);
            }
        }
        ranges.fill(u32::MAX, gap);
        ranges.put(u32::MAX, gap(u32::MAX));
        ranges.starts
    }
}

struct Ranges {
    starts: Vec<(u32, Verdict)>,
    /// The first number without a verdict yet.
    next: u32,
}

impl Ranges {
    fn put(&mut self, number: u32, verdict: Verdict) {
        if self.starts.last().is_none_or(|(_, last)| *last != verdict) {
            self.starts.push((number, verdict));
        }
        self.next = number.saturating_add(1);
    }

    /// Gives all numbers up to `end` the verdict of a gap, which changes where x32 begins.
    fn fill(&mut self, end: u32, gap: impl Fn(u32) -> Verdict) {
        for start in [self.next, X32_BIT.max(self.next)] {
            if start < end {
                self.put(start, gap(start));
            }
        }
        self.next = end;
    }
}

/// Makes the program of all `tables`; other architectures get `foreign`.
pub(super) fn assemble(tables: &mut [Table], foreign: Action, flags: u32) -> Result<Program> {
    let asm = Assembler::default();
    let filter = emit(asm, tables, Target::Return, foreign);
    checked(Program { filter, flags })
}

/// Puts `tables` in front of `inner`: what they allow is then decided by `inner`.
pub(super) fn assemble_before(tables: &mut [Table], inner: &Program) -> Result<Program> {
    let (asm, start) = Assembler::in_front_of(&inner.filter);
    let go_on = |action| match action {
        Action::ALLOW => Target::Code(start),
        other => Target::Return(other),
    };
    let filter = emit(asm, tables, go_on, Action::ALLOW);
    checked(Program {
        filter,
        flags: inner.flags,
    })
}

fn checked(program: Program) -> Result<Program> {
    match program.filter.len() {
        0..=MAX_INSTRUCTIONS => Ok(program),
        length => Err(Error::new(
            Kind::Unsupported,
            format!(
                "compile the seccomp profile: {length} instructions, the kernel takes {MAX_INSTRUCTIONS}"
            ),
        )),
    }
}

fn emit(
    mut asm: Assembler,
    tables: &mut [Table],
    target: impl Fn(Action) -> Target,
    foreign: Action,
) -> Vec<libc::sock_filter> {
    let mut next = target(foreign);
    for table in tables.iter_mut().rev() {
        let ranges = table.ranges();
        let checks: Vec<Target> = table
            .checks
            .iter()
            .map(|check| emit_check(&mut asm, check, &target))
            .collect();
        let ranges: Vec<(u32, Target)> = ranges
            .into_iter()
            .map(|(start, verdict)| match verdict {
                Verdict::Always(action) => (start, target(action)),
                Verdict::Depends(check) => (start, checks[check]),
            })
            .collect();
        let search = emit_search(&mut asm, &ranges);
        let numbers = Target::Code(asm.load(NUMBER, search));
        let arch = asm.branch(Compare::Equal, table.abi.audit_arch(), numbers, next);
        next = Target::Code(arch);
    }
    asm.load(ARCH, next);
    asm.finish()
}

/// A balanced search for the range that holds the accumulator.
fn emit_search(asm: &mut Assembler, ranges: &[(u32, Target)]) -> Target {
    match ranges {
        [] => unreachable!("ranges start with one at 0"),
        [(_, target)] => *target,
        // One number apart from its neighbours: one comparison instead of two.
        [(_, around), (single, apart), (after, again)]
            if around == again && *after == single + 1 =>
        {
            Target::Code(asm.branch(Compare::Equal, *single, *apart, *around))
        }
        _ => {
            let (low, high) = ranges.split_at(ranges.len() / 2);
            let start = high[0].0;
            let high = emit_search(asm, high);
            let low = emit_search(asm, low);
            Target::Code(asm.branch(Compare::AtLeast, start, high, low))
        }
    }
}

fn emit_check(asm: &mut Assembler, check: &Check, target: &impl Fn(Action) -> Target) -> Target {
    let mut next = target(check.otherwise);
    for rule in check.rules.iter().rev() {
        let mut holds = target(rule.action);
        for test in rule.tests.iter().rev() {
            holds = emit_test(asm, *test, holds, next);
        }
        next = holds;
    }
    next
}

fn emit_test(asm: &mut Assembler, test: Test, yes: Target, no: Target) -> Target {
    match test {
        Test::Masked {
            arg,
            mask,
            value,
            equal,
        } => {
            let (yes, no) = if equal { (yes, no) } else { (no, yes) };
            if value & !mask != 0 {
                return no;
            }
            let low = emit_word(asm, low_word(arg), mask as u32, value as u32, yes, no);
            emit_word(
                asm,
                high_word(arg),
                (mask >> 32) as u32,
                (value >> 32) as u32,
                low,
                no,
            )
        }
        Test::Above {
            arg,
            value,
            yes: true,
        } => emit_order(asm, arg, value, Compare::Above, yes, no),
        Test::Above {
            arg,
            value,
            yes: false,
        } => emit_order(asm, arg, value, Compare::Above, no, yes),
        Test::AtLeast {
            arg,
            value,
            yes: true,
        } => emit_order(asm, arg, value, Compare::AtLeast, yes, no),
        Test::AtLeast {
            arg,
            value,
            yes: false,
        } => emit_order(asm, arg, value, Compare::AtLeast, no, yes),
    }
}

/// Tests `word & mask == value`; a mask without bits asks nothing.
fn emit_word(
    asm: &mut Assembler,
    offset: u32,
    mask: u32,
    value: u32,
    yes: Target,
    no: Target,
) -> Target {
    match mask {
        0 => yes,
        u32::MAX => {
            let (yes, no) = (asm.past_load(yes, offset), asm.past_load(no, offset));
            let compare = asm.branch(Compare::Equal, value, yes, no);
            Target::Code(asm.load(offset, Target::Code(compare)))
        }
        _ => {
            let compare = asm.branch(Compare::Equal, value, yes, no);
            let masked = asm.and(mask, Target::Code(compare));
            Target::Code(asm.load(offset, Target::Code(masked)))
        }
    }
}

/// Orders 64 bits by two words: the high one decides unless it is equal.
fn emit_order(
    asm: &mut Assembler,
    arg: u8,
    value: u64,
    compare: Compare,
    yes: Target,
    no: Target,
) -> Target {
    let (low, high) = (value as u32, (value >> 32) as u32);
    let low = asm.branch(compare, low, yes, no);
    let low = Target::Code(asm.load(low_word(arg), Target::Code(low)));
    let equal = asm.branch(Compare::Equal, high, low, no);
    let above = asm.branch(Compare::Above, high, yes, Target::Code(equal));
    Target::Code(asm.load(high_word(arg), Target::Code(above)))
}

/// Both architectures this is built for are little-endian.
fn low_word(arg: u8) -> u32 {
    ARGS + 8 * u32::from(arg)
}

fn high_word(arg: u8) -> u32 {
    low_word(arg) + 4
}
