//! The seccomp section of an OCI runtime spec (`config-linux.md`, "Seccomp").

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag,
    LinuxSeccompOperator, LinuxSyscall,
};

use super::calls::{Abi, Names};
use super::policy::{Check, Rule, Table, Test, Verdict, assemble};
use super::{Action, Program};
use crate::error::{Error, Kind, Result};

const MAX_ERRNO: u32 = 4095;

/// Compiles `seccomp` for this machine.
///
/// Names that no architecture of this machine has are passed over, as in runc and crun: profiles are written for
/// all architectures at once. Of the rules of one call, one without arguments decides alone; else the first that
/// holds. Calls of an architecture the profile does not list kill the thread (libseccomp's default).
/// `SCMP_ACT_NOTIFY` is refused: there is no listener to hand out.
pub fn compile(seccomp: &LinuxSeccomp) -> Result<Program> {
    let default = action(seccomp.default_action(), seccomp.default_errno_ret())?;
    let abis = abis(seccomp.architectures().as_deref().unwrap_or_default());
    let syscalls = seccomp.syscalls().as_deref().unwrap_or_default();

    let mut tables: Vec<Table> = Vec::with_capacity(2);
    for abi in abis {
        let mut calls = Calls::new(Names::of(abi), default);
        for rules in syscalls {
            calls.add(rules)?;
        }
        match tables
            .iter_mut()
            .find(|table| table.abi.audit_arch() == abi.audit_arch())
        {
            Some(table) => calls.fill(table), // x32 beside x86_64
            None => {
                let mut table = Table::new(abi, default);
                table.x32 = Action::KILL_THREAD;
                calls.fill(&mut table);
                tables.push(table);
            }
        }
        if abi == Abi::X32 {
            tables.iter_mut().for_each(|table| table.x32 = default);
        }
    }
    assemble(&mut tables, Action::KILL_THREAD, flags(seccomp)?)
}

/// Those of `wanted` that run here; the native one always does, and stands first.
fn abis(wanted: &[Arch]) -> Vec<Abi> {
    let listed = |abi: &Abi| {
        wanted.iter().any(|arch| match arch {
            Arch::ScmpArchX86 => *abi == Abi::X86,
            Arch::ScmpArchX32 => *abi == Abi::X32,
            Arch::ScmpArchArm => *abi == Abi::Arm,
            _ => false,
        })
    };
    Abi::HERE
        .iter()
        .filter(|abi| **abi == Abi::NATIVE || listed(abi))
        .copied()
        .collect()
}

fn flags(seccomp: &LinuxSeccomp) -> Result<u32> {
    let flags = seccomp.flags().as_deref().unwrap_or_default();
    let mut bits = flags.iter().map(|flag| match flag {
        LinuxSeccompFilterFlag::SeccompFilterFlagLog => Ok(libc::SECCOMP_FILTER_FLAG_LOG),
        LinuxSeccompFilterFlag::SeccompFilterFlagTsync => Ok(libc::SECCOMP_FILTER_FLAG_TSYNC),
        LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => {
            Ok(libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW)
        }
        LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => Err(Error::new(
            Kind::Unsupported,
            "seccomp flag SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs SCMP_ACT_NOTIFY, which is not supported",
        )),
    });
    bits.try_fold(0, |all, bit| Ok(all | bit? as u32))
}

fn action(action: LinuxSeccompAction, data: Option<u32>) -> Result<Action> {
    let data = match data {
        Some(errno) if errno > MAX_ERRNO => {
            return Err(Error::usage(format!(
                "seccomp profile: errnoRet {errno} is above {MAX_ERRNO}"
            )));
        }
        Some(errno) => errno as u16,
        None => libc::EPERM as u16,
    };
    Ok(match action {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => {
            Action::KILL_THREAD
        }
        LinuxSeccompAction::ScmpActKillProcess => Action::KILL_PROCESS,
        LinuxSeccompAction::ScmpActTrap => Action::TRAP,
        LinuxSeccompAction::ScmpActErrno => Action::errno(data),
        LinuxSeccompAction::ScmpActTrace => Action::trace(data),
        LinuxSeccompAction::ScmpActLog => Action::LOG,
        LinuxSeccompAction::ScmpActAllow => Action::ALLOW,
        LinuxSeccompAction::ScmpActNotify => {
            return Err(Error::new(
                Kind::Unsupported,
                "seccomp profile: SCMP_ACT_NOTIFY is not supported",
            ));
        }
    })
}

/// The rules of one architecture, gathered by number.
struct Calls {
    names: Names,
    default: Action,
    found: BTreeMap<u32, Found>,
}

enum Found {
    /// A rule without arguments: nothing else about this call counts.
    Always(Action),
    Rules(Vec<Rule>),
}

impl Calls {
    fn new(names: Names, default: Action) -> Calls {
        Calls {
            names,
            default,
            found: BTreeMap::new(),
        }
    }

    fn add(&mut self, syscall: &LinuxSyscall) -> Result<()> {
        let action = action(syscall.action(), syscall.errno_ret())?;
        if action == self.default {
            return Ok(()); // nothing to say, and libseccomp takes no such rule
        }
        let args = syscall.args().as_deref().unwrap_or_default();
        let alternatives = alternatives(args, action)?;
        for name in syscall.names() {
            let Some(number) = self.names.number(name) else {
                continue;
            };
            self.add_to(number, &alternatives, action);
        }
        Ok(())
    }

    fn add_to(&mut self, number: u32, alternatives: &[Rule], action: Action) {
        match self.found.entry(number) {
            Entry::Occupied(mut known) => match known.get_mut() {
                Found::Always(_) => {}
                found if alternatives.is_empty() => *found = Found::Always(action),
                Found::Rules(rules) => rules.extend_from_slice(alternatives),
            },
            Entry::Vacant(free) => {
                free.insert(match alternatives {
                    [] => Found::Always(action),
                    rules => Found::Rules(rules.to_vec()),
                });
            }
        }
    }

    fn fill(self, table: &mut Table) {
        for (number, found) in self.found {
            match found {
                Found::Always(action) => table.calls.push((number, Verdict::Always(action))),
                Found::Rules(rules) => {
                    table.check(
                        [number],
                        Check {
                            rules,
                            otherwise: self.default,
                        },
                    );
                }
            }
        }
    }
}

/// The rules that one entry stands for: none without arguments; one if all arguments differ; one for each condition
/// if an argument is named twice, which runc and crun read as "or".
fn alternatives(args: &[LinuxSeccompArg], action: Action) -> Result<Vec<Rule>> {
    let tests: Vec<Test> = args.iter().map(test).collect::<Result<_>>()?;
    let twice = (1..args.len()).any(|i| args[..i].iter().any(|arg| arg.index() == args[i].index()));
    Ok(match twice {
        _ if tests.is_empty() => Vec::new(),
        true => tests
            .into_iter()
            .map(|test| Rule {
                tests: vec![test],
                action,
            })
            .collect(),
        false => vec![Rule { tests, action }],
    })
}

fn test(arg: &LinuxSeccompArg) -> Result<Test> {
    let index = arg.index();
    if index > 5 {
        return Err(Error::usage(format!(
            "seccomp profile: argument index {index} is above 5"
        )));
    }
    let (arg_index, value) = (index as u8, arg.value());
    let masked = |mask, value, equal| Test::Masked {
        arg: arg_index,
        mask,
        value,
        equal,
    };
    Ok(match arg.op() {
        LinuxSeccompOperator::ScmpCmpEq => masked(u64::MAX, value, true),
        LinuxSeccompOperator::ScmpCmpNe => masked(u64::MAX, value, false),
        // Here `value` is the mask, and bits outside of it are not compared.
        LinuxSeccompOperator::ScmpCmpMaskedEq => {
            masked(value, arg.value_two().unwrap_or(0) & value, true)
        }
        LinuxSeccompOperator::ScmpCmpGt => Test::Above {
            arg: arg_index,
            value,
            yes: true,
        },
        LinuxSeccompOperator::ScmpCmpLe => Test::Above {
            arg: arg_index,
            value,
            yes: false,
        },
        LinuxSeccompOperator::ScmpCmpGe => Test::AtLeast {
            arg: arg_index,
            value,
            yes: true,
        },
        LinuxSeccompOperator::ScmpCmpLt => Test::AtLeast {
            arg: arg_index,
            value,
            yes: false,
        },
    })
}
