//! Names and numbers of system calls, for each architecture that a process of this machine can use.

use super::policy::X32_BIT;

/// A set of call numbers: an architecture, or x32, which is x86_64 with other numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abi {
    X86_64,
    X86,
    X32,
    Aarch64,
    Arm,
}

impl Abi {
    #[cfg(target_arch = "x86_64")]
    pub const NATIVE: Abi = Abi::X86_64;
    #[cfg(target_arch = "aarch64")]
    pub const NATIVE: Abi = Abi::Aarch64;

    /// All that run here, the native one first.
    #[cfg(target_arch = "x86_64")]
    pub const HERE: &'static [Abi] = &[Abi::X86_64, Abi::X86, Abi::X32];
    #[cfg(target_arch = "aarch64")]
    pub const HERE: &'static [Abi] = &[Abi::Aarch64, Abi::Arm];

    /// `AUDIT_ARCH_*` of `<linux/audit.h>`, which `seccomp_data.arch` holds.
    pub const fn audit_arch(self) -> u32 {
        match self {
            Abi::X86_64 | Abi::X32 => 0xc000_003e,
            Abi::X86 => 0x4000_0003,
            Abi::Aarch64 => 0xc000_00b7,
            Abi::Arm => 0x4000_0028,
        }
    }
}

/// Name to number for one [`Abi`].
///
/// Made when it is needed: an open hash table costs less than comparing each name of a profile with each name known,
/// and a profile of 450 names is looked up for three architectures at each start.
pub(super) struct Names(Vec<Option<(&'static str, Option<u32>)>>);

/// At most half full, so that a search ends soon: no architecture has 512 calls.
const SLOTS: usize = 1024;

/// Calls whose x32 form has an own number, from 512 on in this order (`syscall_64.tbl` of Linux).
const X32_OWN: [&str; 36] = [
    "rt_sigaction",
    "rt_sigreturn",
    "ioctl",
    "readv",
    "writev",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "execve",
    "ptrace",
    "rt_sigpending",
    "rt_sigtimedwait",
    "rt_sigqueueinfo",
    "sigaltstack",
    "timer_create",
    "mq_notify",
    "kexec_load",
    "waitid",
    "set_robust_list",
    "get_robust_list",
    "vmsplice",
    "move_pages",
    "preadv",
    "pwritev",
    "rt_tgsigqueueinfo",
    "recvmmsg",
    "sendmmsg",
    "process_vm_readv",
    "process_vm_writev",
    "setsockopt",
    "getsockopt",
    "io_setup",
    "io_submit",
    "execveat",
    "preadv2",
    "pwritev2",
];

/// Relics that x32, made later, never had.
const X32_LACKS: [&str; 13] = [
    "uselib",
    "_sysctl",
    "create_module",
    "get_kernel_syms",
    "query_module",
    "nfsservctl",
    "set_thread_area",
    "get_thread_area",
    "epoll_ctl_old",
    "epoll_wait_old",
    "vserver",
    "uretprobe",
    "uprobe",
];

/// Calls with 64-bit time of 32-bit machines: the crate lists them for aarch64, whose kernel has none.
const TIMES_OF_32_BITS: [&str; 20] = [
    "clock_gettime64",
    "clock_settime64",
    "clock_adjtime64",
    "clock_getres_time64",
    "clock_nanosleep_time64",
    "timer_gettime64",
    "timer_settime64",
    "timerfd_gettime64",
    "timerfd_settime64",
    "utimensat_time64",
    "pselect6_time64",
    "ppoll_time64",
    "io_pgetevents_time64",
    "recvmmsg_time64",
    "mq_timedsend_time64",
    "mq_timedreceive_time64",
    "semtimedop_time64",
    "rt_sigtimedwait_time64",
    "futex_time64",
    "sched_rr_get_interval_time64",
];

/// Private calls of the architecture (`__ARM_NR_BASE` of `<asm/unistd.h>`).
const ARM_PRIVATE: [(&str, u32); 5] = [
    ("breakpoint", 0x0f_0001),
    ("cacheflush", 0x0f_0002),
    ("usr26", 0x0f_0003),
    ("usr32", 0x0f_0004),
    ("set_tls", 0x0f_0005),
];

impl Names {
    pub(super) fn of(abi: Abi) -> Names {
        let mut names = Names(vec![None; SLOTS]);
        macro_rules! fill {
            ($arch:ident, $bits:expr) => {{
                use syscalls::$arch::Sysno;
                for number in 0..=Sysno::last().id() as u32 {
                    if let Some(call) = Sysno::new(number as usize) {
                        names.set(call.name(), Some(number | $bits));
                    }
                }
            }};
        }
        match abi {
            Abi::X86_64 => fill!(x86_64, 0),
            Abi::X86 => fill!(x86, 0),
            Abi::X32 => {
                fill!(x86_64, X32_BIT);
                for (own, name) in (512 | X32_BIT..).zip(X32_OWN) {
                    names.set(name, Some(own));
                }
                for name in X32_LACKS {
                    names.set(name, None);
                }
            }
            Abi::Aarch64 => {
                fill!(aarch64, 0);
                for name in TIMES_OF_32_BITS {
                    names.set(name, None);
                }
                names.set("newfstatat", Some(79)); // profiles say it so; the crate knows it as `fstatat`
            }
            Abi::Arm => {
                fill!(arm, 0);
                for (name, number) in ARM_PRIVATE {
                    names.set(name, Some(number));
                }
            }
        }
        names
    }

    fn set(&mut self, name: &'static str, number: Option<u32>) {
        let slot = probe(name).find(|slot| self.0[*slot].is_none_or(|(known, _)| known == name));
        self.0[slot.expect("there are fewer calls than slots")] = Some((name, number));
    }

    pub(super) fn number(&self, name: &str) -> Option<u32> {
        let mut entries = probe(name).map_while(|slot| self.0[slot]);
        entries.find(|(known, _)| *known == name)?.1
    }
}

/// Slots in the order in which a name may be in them (FNV-1a, then the next ones).
fn probe(name: &str) -> impl Iterator<Item = usize> {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let first = (hash ^ hash >> 32) as usize;
    (0..SLOTS).map(move |step| first.wrapping_add(step) % SLOTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found() {
        let table = [
            (Abi::X86_64, "read", Some(0)),
            (Abi::X86_64, "file_setattr", Some(469)),
            (Abi::X86_64, "chown32", None),
            (Abi::X86, "socketcall", Some(102)),
            (Abi::X32, "read", Some(0x4000_0000)),
            (Abi::X32, "ioctl", Some(0x4000_0202)),
            (Abi::X32, "uselib", None),
            (Abi::Aarch64, "newfstatat", Some(79)),
            (Abi::Aarch64, "clock_gettime64", None),
            (Abi::Arm, "set_tls", Some(0x0f_0005)),
            (Abi::X86_64, "", None),
        ];
        for (abi, name, number) in table {
            assert_eq!(Names::of(abi).number(name), number, "{abi:?} {name}");
        }
        let names = Names::of(Abi::X86_64);
        for call in (0..470).filter_map(syscalls::x86_64::Sysno::new) {
            assert_eq!(names.number(call.name()), Some(call.id() as u32));
        }
    }
}
