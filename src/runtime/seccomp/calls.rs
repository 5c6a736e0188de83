//! Names and numbers of system calls, for each architecture that a process of this machine can use.

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
/// Made when it is needed: sorting once costs less than comparing each name of a profile with each name known.
pub(super) struct Names(Vec<(&'static str, u32)>);

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

impl Names {
    pub(super) fn of(abi: Abi) -> Names {
        macro_rules! table {
            ($arch:ident) => {{
                use syscalls::$arch::Sysno;
                let last = Sysno::last().id() as usize;
                (0..=last)
                    .filter_map(|n| Some((Sysno::new(n)?.name(), n as u32)))
                    .collect()
            }};
        }
        let mut names: Vec<(&'static str, u32)> = match abi {
            Abi::X86_64 => table!(x86_64),
            Abi::X86 => table!(x86),
            Abi::X32 => x32(table!(x86_64)),
            Abi::Aarch64 => aarch64(table!(aarch64)),
            Abi::Arm => arm(table!(arm)),
        };
        names.sort_unstable();
        Names(names)
    }

    pub(super) fn number(&self, name: &str) -> Option<u32> {
        let at = self
            .0
            .binary_search_by_key(&name, |(known, _)| known)
            .ok()?;
        Some(self.0[at].1)
    }
}

fn x32(mut names: Vec<(&'static str, u32)>) -> Vec<(&'static str, u32)> {
    names.retain(|(name, _)| !X32_LACKS.contains(name) && !X32_OWN.contains(name));
    names.extend(
        X32_OWN
            .iter()
            .enumerate()
            .map(|(i, name)| (*name, 512 + i as u32)),
    );
    names
        .iter_mut()
        .for_each(|(_, number)| *number |= super::policy::X32_BIT);
    names
}

fn aarch64(mut names: Vec<(&'static str, u32)>) -> Vec<(&'static str, u32)> {
    // 403 to 423 are the calls with 64-bit time of 32-bit machines: the crate lists them, the kernel has no such.
    names.retain(|(_, number)| !(403..=423).contains(number));
    names.push(("newfstatat", 79)); // profiles say it so; the crate knows it as `fstatat`
    names
}

fn arm(mut names: Vec<(&'static str, u32)>) -> Vec<(&'static str, u32)> {
    // Private calls of the architecture (`__ARM_NR_BASE` of `<asm/unistd.h>`).
    names.extend([
        ("breakpoint", 0x0f_0001),
        ("cacheflush", 0x0f_0002),
        ("set_tls", 0x0f_0005),
    ]);
    names.extend([("usr26", 0x0f_0003), ("usr32", 0x0f_0004)]);
    names
}
