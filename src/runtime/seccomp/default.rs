//! The profile of a container whose user asked for none.
//!
//! What is not named here answers `ENOSYS`, as an older kernel would, so that libraries take the path they have
//! for older kernels. `EPERM` is for calls a program can be told no about: those that a capability opens, and
//! those that only ever served administrators.
//!
//! No call of another architecture is let through (on x86_64: neither i386 nor x32), which halves what a
//! container can reach of the kernel. New user namespaces are closed too: most kernel flaws of the last years that
//! ended in root began with one (CVE-2022-0185, CVE-2023-0386, CVE-2024-1086). `CAP_SYS_ADMIN` opens them.

use syscalls::{aarch64::Sysno as A, x86_64::Sysno as X};

use super::calls::Abi;
use super::policy::{Check, Rule, Table, Test, assemble};
use super::{Action, Program};
use crate::runtime::caps::{Cap, CapSet};

const EPERM: Action = Action::errno(libc::EPERM as u16);
const ENOSYS: Action = Action::errno(libc::ENOSYS as u16);
const EINVAL: Action = Action::errno(libc::EINVAL as u16);
const EAFNOSUPPORT: Action = Action::errno(libc::EAFNOSUPPORT as u16);
const EPROTONOSUPPORT: Action = Action::errno(libc::EPROTONOSUPPORT as u16);
const EOPNOTSUPP: Action = Action::errno(libc::EOPNOTSUPP as u16);

/// Call numbers on both architectures; a name that one lacks does not compile.
struct Group {
    x86_64: &'static [u16],
    aarch64: &'static [u16],
}

macro_rules! group {
    ($($both:ident)* $(; x86_64: $($x:ident)*)? $(; aarch64: $($a:ident)*)?) => {
        Group {
            x86_64: &[$(X::$both as u16,)* $($(X::$x as u16),*)?],
            aarch64: &[$(A::$both as u16,)* $($(A::$a as u16),*)?],
        }
    };
}

impl Group {
    fn numbers(&self, abi: Abi) -> impl Iterator<Item = u32> {
        let list = if abi == Abi::Aarch64 {
            self.aarch64
        } else {
            self.x86_64
        };
        list.iter().map(|number| u32::from(*number))
    }
}

/// What every container may call, whatever its arguments.
const ALLOWED: &[Group] = &[
    // Bytes in and out of descriptors. `vmsplice` is not among them: it hands pages of a process to a pipe, and
    // flaws such as CVE-2022-0847 need it.
    group!(read write pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 lseek
        sendfile splice tee copy_file_range close close_range dup dup3 fcntl flock pipe2; x86_64: dup2 pipe),
    // Files and directories by name. `openat2` and `fchmodat2` are what safe path walks are made of.
    group!(openat openat2 mkdirat mknodat unlinkat renameat renameat2 linkat symlinkat readlinkat
        fchmod fchmodat fchmodat2 fchown fchownat faccessat faccessat2 utimensat statx fstat statfs fstatfs
        truncate ftruncate fallocate getdents64 getcwd chdir fchdir umask
        ; x86_64: open creat stat lstat access getdents rename mkdir rmdir link unlink symlink readlink chmod
        chown lchown utime utimes futimesat mknod newfstatat
        ; aarch64: fstatat),
    // The extended attributes that tar, cp and package managers keep.
    group!(setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
        removexattr lremovexattr fremovexattr),
    // Getting data to disk, and advice about it. `cachestat` tells no more than `mincore` did.
    group!(sync syncfs fsync fdatasync sync_file_range readahead fadvise64 cachestat),
    // Own mounts, read only: the same as /proc/self/mountinfo.
    group!(statmount listmount),
    // Memory. `map_shadow_stack` and `mseal` are calls by which the C library protects a program.
    group!(brk mmap munmap mremap mprotect madvise mincore msync mlock mlock2 munlock mlockall munlockall
        memfd_create membarrier pkey_mprotect pkey_alloc pkey_free mseal map_shadow_stack),
    // Starting and ending processes. `clone` is below, for its arguments.
    group!(execve execveat exit exit_group wait4 waitid; x86_64: fork vfork),
    // Threads and their locks. `restart_syscall` is what the kernel itself makes a stopped sleep go on with.
    group!(futex futex_wait futex_wake futex_requeue futex_waitv set_robust_list set_tid_address
        gettid rseq restart_syscall getcpu sched_yield; x86_64: arch_prctl),
    // Who am I, who may I become: each is checked by the kernel against the capabilities that are left.
    group!(getpid getppid getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid
        setreuid setregid setresuid setresgid setfsuid setfsgid setgroups setpgid getpgid getsid setsid capget
        capset prctl; x86_64: getpgrp),
    // Signals, to what the own pid namespace holds.
    group!(rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend
        rt_sigqueueinfo rt_tgsigqueueinfo sigaltstack kill tkill tgkill pidfd_open pidfd_send_signal; x86_64: pause),
    // Waiting for many things at once, and the descriptors made for it.
    group!(ppoll pselect6 epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 eventfd2 signalfd4
        timerfd_create timerfd_settime timerfd_gettime inotify_init1 inotify_add_watch inotify_rm_watch
        ; x86_64: poll select epoll_create epoll_wait eventfd signalfd inotify_init),
    // Clocks and timers. `adjtimex` and its kin read for everybody; the kernel asks who sets for CAP_SYS_TIME.
    group!(clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday times getitimer setitimer
        timer_create timer_settime timer_gettime timer_getoverrun timer_delete adjtimex clock_adjtime
        ; x86_64: time alarm),
    // Sockets that are there already. `socket` and `socketpair` are below, for their families.
    group!(bind listen accept accept4 connect getsockname getpeername getsockopt setsockopt shutdown
        sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg),
    // System V and POSIX IPC, which the own ipc namespace holds (PostgreSQL, Oracle, fakeroot).
    group!(shmget shmat shmdt shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl
        mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr),
    // Asynchronous I/O of the old kind (nginx, MySQL, QEMU). io_uring is missing on purpose: `ENOSYS`.
    group!(io_setup io_destroy io_submit io_cancel io_getevents),
    // Priorities and limits; raising any is the kernel's to refuse.
    group!(getpriority setpriority ioprio_get ioprio_set sched_getaffinity sched_setaffinity
        sched_getparam sched_setparam sched_getscheduler sched_setscheduler sched_getattr sched_setattr
        sched_get_priority_max sched_get_priority_min sched_rr_get_interval getrlimit setrlimit prlimit64
        getrusage),
    // About the machine.
    group!(uname sysinfo getrandom),
    // Programs that lock themselves up further.
    group!(seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self),
    // Debuggers and MPI libraries within the container; the kernel checks who may look at whom.
    group!(ptrace process_vm_readv),
];

/// Calls for administrators of whole machines, which no capability opens. `EPERM`, as in Podman.
const REFUSED: Group = group!(kexec_load kexec_file_load swapon swapoff nfsservctl userfaultfd vmsplice
    migrate_pages move_pages; x86_64: sysfs uselib ustat);

// Neither allowed nor refused by name, so `ENOSYS`, though Podman allows them:
// - `keyctl` (and, as there, `add_key`, `request_key`): keyrings know no namespaces;
// - `memfd_secret`, `modify_ldt`, `remap_file_pages`: kernels are built without them;
// - `set_thread_area`, `get_thread_area`, `epoll_ctl_old`, `epoll_wait_old`: nothing for 64-bit programs;
// - `clone3`: its flags are in memory, where a filter cannot see them, and C libraries fall back to `clone`.

/// Calls that one capability opens, and what they answer without it. The new ones say `ENOSYS`, because their
/// callers know how to do without.
const GATES: &[(Cap, Action, Group)] = &[
    (
        Cap::SYS_ADMIN,
        EPERM,
        group!(mount umount2 pivot_root fsopen fsconfig fsmount fspick move_mount
        open_tree mount_setattr setns sethostname setdomainname quotactl lookup_dcookie fanotify_init
        fanotify_mark bpf perf_event_open),
    ),
    (
        Cap::SYS_ADMIN,
        ENOSYS,
        group!(clone3 open_tree_attr quotactl_fd),
    ),
    (
        Cap::DAC_READ_SEARCH,
        EPERM,
        group!(open_by_handle_at name_to_handle_at),
    ),
    (Cap::SYS_CHROOT, EPERM, group!(chroot)),
    (
        Cap::SYS_MODULE,
        EPERM,
        group!(init_module finit_module delete_module),
    ),
    (Cap::SYS_PACCT, EPERM, group!(acct)),
    // Reaching into another process for more than to read.
    (
        Cap::SYS_PTRACE,
        EPERM,
        group!(kcmp process_vm_writev pidfd_getfd),
    ),
    (
        Cap::SYS_PTRACE,
        ENOSYS,
        group!(process_madvise process_mrelease get_robust_list),
    ),
    (Cap::SYS_RAWIO, EPERM, group!(; x86_64: iopl ioperm)),
    (Cap::SYS_TIME, EPERM, group!(settimeofday clock_settime)),
    (Cap::SYS_TTY_CONFIG, EPERM, group!(vhangup)),
    (Cap::SYS_BOOT, EPERM, group!(reboot)),
    (Cap::SYSLOG, EPERM, group!(syslog)),
    // All of NUMA placement or none: libnuma takes a refused `get_mempolicy` for a machine without NUMA.
    (
        Cap::SYS_NICE,
        EPERM,
        group!(get_mempolicy set_mempolicy mbind),
    ),
    (Cap::SYS_NICE, ENOSYS, group!(set_mempolicy_home_node)),
    (Cap::BPF, EPERM, group!(bpf)),
    (Cap::PERFMON, EPERM, group!(perf_event_open)),
];

const CLONE: Group = group!(clone);
const UNSHARE: Group = group!(unshare);
const PERSONALITY: Group = group!(personality);
const IOCTL: Group = group!(ioctl);
const SOCKET: Group = group!(socket);
const SOCKETPAIR: Group = group!(socketpair);

/// The flags of `clone` that make a namespace. `CLONE_NEWTIME` is not one: there its bit is part of a signal.
const CLONE_NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

/// The flags of `unshare` that make none: all others are refused, also those of kernels to come.
const UNSHARE_HARMLESS: u64 = (libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM) as u64;

/// The program for a container that holds `caps`.
pub fn default_profile(caps: CapSet) -> Program {
    let table = table_for(Abi::NATIVE, caps);
    // Other architectures: `ENOSYS` like any call that is not there.
    assemble(&mut [table], ENOSYS, 0).expect("the default profile is far below the kernel's limit")
}

fn table_for(abi: Abi, caps: CapSet) -> Table {
    let mut table = Table::new(abi, ENOSYS);
    // Of two verdicts the first counts: what any capability opens is open, then comes what others lack.
    for (_, _, group) in GATES.iter().filter(|(cap, ..)| caps.has(*cap)) {
        table.set(group.numbers(abi), Action::ALLOW);
    }
    for (_, lacking, group) in GATES {
        table.set(group.numbers(abi), *lacking);
    }
    for group in ALLOWED {
        table.set(group.numbers(abi), Action::ALLOW);
    }
    table.set(REFUSED.numbers(abi), EPERM);

    if caps.has(Cap::SYS_ADMIN) {
        table.set(CLONE.numbers(abi), Action::ALLOW);
        table.set(UNSHARE.numbers(abi), Action::ALLOW);
    } else {
        let plain = Test::int_lacks(0, CLONE_NAMESPACES);
        table.check(CLONE.numbers(abi), allow_if(vec![plain], EPERM));
        let plain = Test::Masked {
            arg: 0,
            mask: !UNSHARE_HARMLESS,
            value: 0,
            equal: true,
        };
        table.check(UNSHARE.numbers(abi), allow_if(vec![plain], EPERM));
    }
    table.check(PERSONALITY.numbers(abi), personality());
    table.check(IOCTL.numbers(abi), ioctl());
    table.check(SOCKET.numbers(abi), socket(caps));
    // The kernel has pairs for two families only, and TIPC is not wanted.
    let unix = Test::int_is(0, libc::AF_UNIX as u32);
    table.check(SOCKETPAIR.numbers(abi), allow_if(vec![unix], EOPNOTSUPP));
    table
}

fn allow_if(tests: Vec<Test>, otherwise: Action) -> Check {
    Check {
        rules: vec![Rule {
            tests,
            action: Action::ALLOW,
        }],
        otherwise,
    }
}

fn rule(tests: &[Test], action: Action) -> Rule {
    Rule {
        tests: tests.to_vec(),
        action,
    }
}

/// Asking (-1), Linux, Linux of 32 bits, and both with a version number 2.6: the others switch off address space
/// randomization or let pages be mapped at 0 (what setarch offers and exploits like).
fn personality() -> Check {
    const UNAME26: u32 = libc::UNAME26 as u32;
    const LINUX32: u32 = 8;
    let known = [u32::MAX, 0, LINUX32, UNAME26, LINUX32 | UNAME26];
    Check {
        rules: known
            .map(|value| rule(&[Test::int_is(0, value)], Action::ALLOW))
            .to_vec(),
        otherwise: EPERM,
    }
}

/// `TIOCSTI` types into a terminal, `TIOCLINUX` pastes into a virtual console: with a terminal that somebody else
/// reads from, both are a way out. The kernel looks at 32 bits of the request.
fn ioctl() -> Check {
    const TIOCLINUX: u32 = 0x541c;
    Check {
        rules: vec![
            rule(&[Test::int_is(1, libc::TIOCSTI as u32)], EPERM),
            rule(&[Test::int_is(1, TIOCLINUX)], EPERM),
        ],
        otherwise: Action::ALLOW,
    }
}

/// Families: unix, inet, inet6 and netlink; the rest (ALG, VSOCK, TIPC, RDS, Bluetooth …) is rarely used and often
/// flawed, and answers as a kernel without it. Raw ones come with their capability.
fn socket(caps: CapSet) -> Check {
    let family = |family: i32| Test::int_is(0, family as u32);
    let netlink = |protocol: i32| [family(libc::AF_NETLINK), Test::int_is(2, protocol as u32)];
    let audit = CapSet::of(&[Cap::AUDIT_WRITE, Cap::AUDIT_CONTROL, Cap::AUDIT_READ]);

    let mut rules = Vec::with_capacity(12);
    if caps.intersection(audit).is_empty() {
        // What Podman says, and what PAM takes for a kernel without auditing.
        rules.push(rule(&netlink(libc::NETLINK_AUDIT), EINVAL));
    }
    if !caps.has(Cap::NET_ADMIN) {
        // nftables and IPsec have nothing for who may not configure the network.
        rules.push(rule(&netlink(libc::NETLINK_NETFILTER), EPROTONOSUPPORT));
        rules.push(rule(&netlink(libc::NETLINK_XFRM), EPROTONOSUPPORT));
    }
    rules.push(rule(&netlink(libc::NETLINK_CRYPTO), EPROTONOSUPPORT));
    for known in [
        libc::AF_UNIX,
        libc::AF_INET,
        libc::AF_INET6,
        libc::AF_NETLINK,
    ] {
        rules.push(rule(&[family(known)], Action::ALLOW));
    }
    let raw = [libc::AF_PACKET, libc::AF_CAN, libc::AF_XDP];
    if caps.has(Cap::NET_RAW) {
        rules.extend(raw.map(|known| rule(&[family(known)], Action::ALLOW)));
    } else {
        // The kernel's own answer, which tcpdump and its kin explain.
        rules.push(rule(&[family(libc::AF_PACKET)], EPERM));
    }
    Check {
        rules,
        otherwise: EAFNOSUPPORT,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Call;
    use super::super::calls::Names;
    use super::*;

    fn program(abi: Abi, caps: CapSet) -> Program {
        assemble(&mut [table_for(abi, caps)], ENOSYS, 0).expect("fits")
    }

    fn verdict(abi: Abi, caps: CapSet, name: &str, args: [u64; 6]) -> Action {
        let number = Names::of(abi)
            .number(name)
            .unwrap_or_else(|| panic!("no call {name}"));
        let call = Call {
            number,
            arch: abi.audit_arch(),
            instruction_pointer: 0,
            args,
        };
        program(abi, caps).verdict(&call).expect("runs to a return")
    }

    const BOTH: [Abi; 2] = [Abi::X86_64, Abi::Aarch64];

    fn plus(cap: Cap) -> CapSet {
        CapSet::DEFAULT.union(CapSet::of(&[cap]))
    }

    #[test]
    fn every_number_gets_the_verdict_of_its_group() {
        for abi in BOTH {
            for caps in [CapSet::EMPTY, CapSet::DEFAULT, CapSet::ALL] {
                let program = program(abi, caps);
                for number in (0..1024).chain([u32::MAX, 0x4000_0000, 0x4000_0001, 0x7fff_ffff]) {
                    let has = |group: &Group| group.numbers(abi).any(|n| n == number);
                    let gates = || GATES.iter().filter(|(_, _, group)| has(group));
                    let want = if gates().any(|(cap, ..)| caps.has(*cap)) {
                        Action::ALLOW
                    } else if let Some((_, lacking, _)) = gates().next() {
                        *lacking
                    } else if ALLOWED.iter().any(has) {
                        Action::ALLOW
                    } else if has(&REFUSED) {
                        EPERM
                    } else if [CLONE, UNSHARE, PERSONALITY, IOCTL].iter().any(has) {
                        Action::ALLOW // with all arguments 0
                    } else if has(&SOCKET) {
                        EAFNOSUPPORT
                    } else if has(&SOCKETPAIR) {
                        EOPNOTSUPP
                    } else {
                        ENOSYS
                    };
                    let call = Call {
                        number,
                        arch: abi.audit_arch(),
                        instruction_pointer: 0,
                        args: [0; 6],
                    };
                    assert_eq!(
                        program.verdict(&call),
                        Some(want),
                        "{abi:?} {caps:?} {number}"
                    );
                }
            }
        }
    }

    #[test]
    fn no_call_is_in_two_groups() {
        for abi in BOTH {
            let checked = [
                CLONE,
                UNSHARE,
                PERSONALITY,
                IOCTL,
                SOCKET,
                SOCKETPAIR,
                REFUSED,
            ];
            let mut numbers: Vec<u32> = ALLOWED
                .iter()
                .chain(&checked)
                .flat_map(|g| g.numbers(abi))
                .collect();
            let mut gated: Vec<u32> = GATES.iter().flat_map(|(_, _, g)| g.numbers(abi)).collect();
            gated.sort_unstable();
            gated.dedup(); // bpf and perf_event_open have two keys
            numbers.extend(gated);
            numbers.sort_unstable();
            let twice: Vec<_> = numbers
                .windows(2)
                .filter(|pair| pair[0] == pair[1])
                .collect();
            assert!(twice.is_empty(), "{abi:?}: {twice:?}");
        }
    }

    /// The figure that `docs` and the comparison with Podman (312) quote.
    #[test]
    fn at_most_285_calls_are_open() {
        let program = program(Abi::X86_64, CapSet::DEFAULT);
        let open = (0..1024).filter(|number| {
            program.verdict(&Call {
                number: *number,
                arch: Abi::X86_64.audit_arch(),
                instruction_pointer: 0,
                args: [0; 6],
            }) == Some(Action::ALLOW)
        });
        // Four of them (clone, unshare, personality, ioctl) are open with arguments 0 and closed with others.
        assert_eq!(open.count(), 285 + 4);
    }

    #[test]
    fn other_architectures_are_closed() {
        let program = program(Abi::X86_64, CapSet::ALL);
        for arch in [Abi::X86.audit_arch(), Abi::Aarch64.audit_arch(), 0] {
            let call = Call {
                number: 20,
                arch,
                instruction_pointer: 0,
                args: [0; 6],
            };
            assert_eq!(program.verdict(&call), Some(ENOSYS));
        }
    }

    #[test]
    fn arguments_decide() {
        const HIGH: u64 = 0xdead_beef_0000_0000;
        let newuser = libc::CLONE_NEWUSER as u64;
        let thread = (libc::CLONE_VM
            | libc::CLONE_FS
            | libc::CLONE_FILES
            | libc::CLONE_SIGHAND
            | libc::CLONE_THREAD
            | libc::CLONE_SYSVSEM
            | libc::CLONE_SETTLS) as u64;
        let sti = libc::TIOCSTI;
        let (netlink, packet) = (libc::AF_NETLINK as u64, libc::AF_PACKET as u64);
        let table: &[(&str, [u64; 3], Action)] = &[
            ("clone", [libc::SIGCHLD as u64, 0, 0], Action::ALLOW),
            ("clone", [thread, 0, 0], Action::ALLOW),
            ("clone", [newuser, 0, 0], EPERM),
            ("clone", [newuser | thread | HIGH, 0, 0], EPERM),
            ("clone", [libc::CLONE_NEWNS as u64, 0, 0], EPERM),
            ("clone", [libc::CLONE_NEWNET as u64 | 17, 0, 0], EPERM),
            ("clone3", [0, 0, 0], ENOSYS),
            (
                "unshare",
                [libc::CLONE_FILES as u64 | libc::CLONE_FS as u64, 0, 0],
                Action::ALLOW,
            ),
            ("unshare", [newuser, 0, 0], EPERM),
            ("unshare", [libc::CLONE_NEWTIME as u64, 0, 0], EPERM),
            ("unshare", [HIGH, 0, 0], EPERM),
            ("setns", [3, newuser, 0], EPERM),
            ("personality", [0xffff_ffff, 0, 0], Action::ALLOW),
            ("personality", [u64::MAX, 0, 0], Action::ALLOW),
            ("personality", [8, 0, 0], Action::ALLOW),
            ("personality", [0x2_0008, 0, 0], Action::ALLOW),
            ("personality", [0x4_0000, 0, 0], EPERM),
            ("ioctl", [0, libc::TCGETS, 0], Action::ALLOW),
            ("ioctl", [0, sti, 0], EPERM),
            ("ioctl", [0, HIGH | sti, 0], EPERM),
            ("ioctl", [0, 0x541c, 0], EPERM),
            ("socket", [libc::AF_UNIX as u64, 1, 0], Action::ALLOW),
            ("socket", [libc::AF_INET as u64, 1, 6], Action::ALLOW),
            ("socket", [libc::AF_INET6 as u64, 2, 9], Action::ALLOW),
            (
                "socket",
                [netlink, 3, libc::NETLINK_ROUTE as u64],
                Action::ALLOW,
            ),
            (
                "socket",
                [netlink, 3, libc::NETLINK_KOBJECT_UEVENT as u64],
                Action::ALLOW,
            ),
            ("socket", [netlink, 3, libc::NETLINK_AUDIT as u64], EINVAL),
            (
                "socket",
                [netlink | HIGH, 3, libc::NETLINK_AUDIT as u64 | HIGH],
                EINVAL,
            ),
            (
                "socket",
                [netlink, 3, libc::NETLINK_NETFILTER as u64],
                EPROTONOSUPPORT,
            ),
            ("socket", [packet, 3, 0], EPERM),
            ("socket", [libc::AF_VSOCK as u64, 1, 0], EAFNOSUPPORT),
            ("socket", [libc::AF_ALG as u64, 5, 0], EAFNOSUPPORT),
            ("socketpair", [libc::AF_UNIX as u64, 1, 0], Action::ALLOW),
            ("socketpair", [libc::AF_TIPC as u64, 1, 0], EOPNOTSUPP),
        ];
        for abi in BOTH {
            for (name, [a, b, c], want) in table {
                let got = verdict(abi, CapSet::DEFAULT, name, [*a, *b, *c, 0, 0, 0]);
                assert_eq!(got, *want, "{abi:?} {name} {a:#x} {b:#x} {c:#x}");
            }
        }
    }

    #[test]
    fn capabilities_open_their_calls() {
        let newuser = [libc::CLONE_NEWUSER as u64, 0, 0, 0, 0, 0];
        let audit = [
            libc::AF_NETLINK as u64,
            3,
            libc::NETLINK_AUDIT as u64,
            0,
            0,
            0,
        ];
        let nft = [
            libc::AF_NETLINK as u64,
            3,
            libc::NETLINK_NETFILTER as u64,
            0,
            0,
            0,
        ];
        let packet = [libc::AF_PACKET as u64, 3, 0, 0, 0, 0];
        let table: &[(Cap, &str, [u64; 6], Action)] = &[
            (Cap::SYS_ADMIN, "mount", [0; 6], EPERM),
            (Cap::SYS_ADMIN, "unshare", newuser, EPERM),
            (Cap::SYS_ADMIN, "clone", newuser, EPERM),
            (Cap::SYS_ADMIN, "clone3", [0; 6], ENOSYS),
            (Cap::BPF, "bpf", [0; 6], EPERM),
            (Cap::SYS_ADMIN, "bpf", [0; 6], EPERM),
            (Cap::SYS_PTRACE, "process_vm_writev", [0; 6], EPERM),
            (Cap::SYS_NICE, "mbind", [0; 6], EPERM),
            (Cap::SYSLOG, "syslog", [0; 6], EPERM),
            (Cap::AUDIT_WRITE, "socket", audit, EINVAL),
            (Cap::NET_ADMIN, "socket", nft, EPROTONOSUPPORT),
            (Cap::NET_RAW, "socket", packet, EPERM),
        ];
        for abi in BOTH {
            for (cap, name, args, without) in table {
                assert_eq!(
                    verdict(abi, CapSet::DEFAULT, name, *args),
                    *without,
                    "{name} without {cap}"
                );
                assert_eq!(
                    verdict(abi, plus(*cap), name, *args),
                    Action::ALLOW,
                    "{name} with {cap}"
                );
            }
            assert_eq!(
                verdict(abi, CapSet::DEFAULT, "chroot", [0; 6]),
                Action::ALLOW
            );
            assert_eq!(verdict(abi, CapSet::EMPTY, "chroot", [0; 6]), EPERM);
        }
    }

    #[test]
    fn the_program_is_small() {
        for caps in [CapSet::EMPTY, CapSet::DEFAULT, CapSet::ALL] {
            let length = default_profile(caps).filter.len();
            assert!(length < 250, "{length} instructions");
        }
    }
}
