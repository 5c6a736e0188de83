//! The same profile compiled by us and by libseccomp, which runc and crun use: every verdict must be the same.
//!
//! Skipped, with the reason, where the C compiler or libseccomp's header is missing (Debian: `libseccomp-dev`).

#[path = "support/skip.rs"]
mod skip;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use libc::sock_filter;
use oci_spec::runtime::{Arch, LinuxSeccomp, LinuxSeccompArg};
use pod::runtime::caps::{Cap, CapSet};
use pod::runtime::seccomp::{self, Abi, Call, Program};
use skip::skip;

/// The numbers of all calls there are, and some beyond.
const NUMBERS: std::ops::Range<u32> = 0..600;

const PODMANS: &str = "/usr/share/containers/seccomp.json";

#[test]
fn podmans_profile() {
    if !Path::new(PODMANS).exists() {
        return skip(&format!("{PODMANS} is not there"));
    }
    let sets = [
        CapSet::EMPTY,
        CapSet::DEFAULT,
        CapSet::DEFAULT.union(CapSet::of(&[Cap::SYS_ADMIN, Cap::AUDIT_WRITE])),
        CapSet::ALL,
    ];
    for caps in sets {
        compare(&seccomp::load_profile(Path::new(PODMANS), caps).expect("podman's own profile"));
    }
}

#[test]
fn every_operator_and_action() {
    operators(r#""SCMP_ARCH_X86_64""#, 0x12_0000_0034);
    // libseccomp cuts values to 32 bits for 32-bit architectures; no sensible profile has longer ones there.
    operators(
        r#""SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32""#,
        0x34,
    );
}

fn operators(arches: &str, big: u64) {
    let args = |list: &[(u32, &str, u64, u64)]| {
        let list = list.iter().map(|(index, op, value, two)| {
            format!(r#"{{"index": {index}, "op": "SCMP_CMP_{op}", "value": {value}, "valueTwo": {two}}}"#)
        });
        list.collect::<Vec<_>>().join(",")
    };
    let mask = if big > 0xff { 0xff_0000_00ff } else { 0xff };
    let rules = [
        ("dup", "SCMP_ACT_ALLOW", args(&[(0, "EQ", 7, 0)])),
        (
            "dup3",
            "SCMP_ACT_ALLOW",
            args(&[(0, "EQ", big, 0), (2, "NE", 1, 0)]),
        ),
        ("fchdir", "SCMP_ACT_LOG", args(&[(0, "NE", big, 0)])),
        ("fsync", "SCMP_ACT_TRAP", args(&[(0, "LT", big, 0)])),
        (
            "fdatasync",
            "SCMP_ACT_KILL_PROCESS",
            args(&[(0, "LE", big, 0)]),
        ),
        ("flock", "SCMP_ACT_ALLOW", args(&[(1, "GT", big, 0)])),
        ("umask", "SCMP_ACT_ALLOW", args(&[(0, "GE", big, 0)])),
        ("getpgid", "SCMP_ACT_ALLOW", args(&[(0, "GE", 0, 0)])),
        ("getsid", "SCMP_ACT_ALLOW", args(&[(0, "LT", 0, 0)])),
        (
            "kill",
            "SCMP_ACT_ALLOW",
            args(&[(5, "MASKED_EQ", mask, big)]),
        ),
        (
            "mprotect",
            "SCMP_ACT_ALLOW",
            args(&[(2, "MASKED_EQ", 4, 0)]),
        ),
        (
            "lseek",
            "SCMP_ACT_ALLOW",
            args(&[(2, "EQ", 0, 0), (2, "EQ", 1, 0)]),
        ),
        ("read", "SCMP_ACT_ALLOW", String::new()),
        ("write", "SCMP_ACT_KILL", String::new()),
        // A rule without arguments counts alone, before or after one with.
        ("close", "SCMP_ACT_ALLOW", args(&[(0, "EQ", 1, 0)])),
        ("close", "SCMP_ACT_LOG", String::new()),
        ("pause", "SCMP_ACT_LOG", String::new()),
        ("pause", "SCMP_ACT_ALLOW", args(&[(0, "EQ", 1, 0)])),
        // The same action as the default says nothing.
        ("sync", "SCMP_ACT_ERRNO", String::new()),
    ];
    for default in ["SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"] {
        let mut text = format!(
            r#"{{"defaultAction": "{default}", "architectures": [{arches}], "syscalls": ["#
        );
        for (i, (name, action, args)) in rules.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(
                text,
                r#"{comma}{{"names": ["{name}"], "action": "{action}", "args": [{args}]}}"#
            )
            .expect("a string takes text");
        }
        text.push_str("]}");
        let file = scratch().join(format!("operators-{default}-{big}.json"));
        std::fs::write(&file, text).expect("write the profile");
        compare(&seccomp::load_profile(&file, CapSet::DEFAULT).expect("a valid profile"));
    }
}

/// Runs both programs on every number, with arguments on both sides of every rule.
fn compare(profile: &LinuxSeccomp) {
    let Some(helper) = helper() else { return };
    let (theirs, unknown) = compile_theirs(helper, profile);
    let ours = seccomp::compile(profile).expect("compiles");

    let arguments = arguments(profile);
    let mut compared = 0;
    for (arch, bit) in [
        (0xc000_003e, 0),
        (0x4000_0003, 0),
        (0xc000_003e, 0x4000_0000),
        (0xc000_00b7, 0),
    ] {
        let skipped: BTreeSet<u32> = unknown.iter().flat_map(|name| numbers_of(name)).collect();
        for number in NUMBERS
            .map(|number| number | bit)
            .chain([u32::MAX, 0x7fff_ffff])
        {
            if skipped.contains(&(number & !0x4000_0000)) {
                continue;
            }
            // libseccomp looks at 32 bits of what it takes for a 32-bit architecture; the kernel passes no more.
            let narrow = arch == 0x4000_0003 || bit != 0;
            for args in &arguments {
                let args = args.map(|arg| if narrow { arg & 0xffff_ffff } else { arg });
                let call = Call {
                    number,
                    arch,
                    instruction_pointer: 0,
                    args,
                };
                let (ours, theirs) = (ours.verdict(&call), theirs.verdict(&call));
                assert!(ours.is_some());
                assert_eq!(ours, theirs, "{call:x?}");
                compared += 1;
            }
        }
    }
    assert!(compared > 1000);
}

/// Numbers that a name newer than libseccomp may have; there is nothing to compare at them.
fn numbers_of(name: &str) -> Vec<u32> {
    let abis = Abi::HERE.iter();
    abis.filter_map(|abi| seccomp::number(*abi, name))
        .map(|number| number & !0x4000_0000)
        .collect()
}

/// Argument lists that make each condition of the profile hold, just fail, and hold in one half only.
fn arguments(profile: &LinuxSeccomp) -> BTreeSet<[u64; 6]> {
    let mut lists = BTreeSet::from([[0; 6], [u64::MAX; 6]]);
    for rule in profile.syscalls().as_deref().unwrap_or_default() {
        let mut of_rule = BTreeSet::from([[0; 6]]);
        for arg in rule.args().as_deref().unwrap_or_default() {
            let around = around(arg);
            of_rule = of_rule
                .iter()
                .flat_map(|list| {
                    around.iter().map(|value| {
                        let mut list: [u64; 6] = *list;
                        list[arg.index()] = *value;
                        list
                    })
                })
                .collect();
        }
        lists.extend(of_rule);
    }
    lists
}

fn around(arg: &LinuxSeccompArg) -> Vec<u64> {
    let values = [arg.value(), arg.value_two().unwrap_or(0)];
    let near = |v: u64| {
        [
            v,
            v.wrapping_add(1),
            v.wrapping_sub(1),
            v ^ 1 << 32,
            v.wrapping_add(1 << 32),
            v & 0xffff_ffff,
            v | 1 << 63,
        ]
    };
    values.into_iter().flat_map(near).collect()
}

fn compile_theirs(helper: &Path, profile: &LinuxSeccomp) -> (Program, Vec<String>) {
    let default = profile.default_action().as_u32(profile.default_errno_ret());
    let mut text = format!("default {default}\n");
    for arch in profile.architectures().iter().flatten() {
        if matches!(arch, Arch::ScmpArchX86 | Arch::ScmpArchX32) {
            writeln!(text, "arch {}", *arch as u32).expect("a string takes text");
        }
    }
    for rule in profile.syscalls().iter().flatten() {
        let action = rule.action().as_u32(rule.errno_ret());
        let args = rule.args().as_deref().unwrap_or_default();
        let indexes: BTreeSet<usize> = args.iter().map(LinuxSeccompArg::index).collect();
        // As runc does it: conditions on the same argument are rules of their own.
        let chunk = if indexes.len() < args.len() {
            1
        } else {
            args.len().max(1)
        };
        let mut groups: Vec<&[LinuxSeccompArg]> = args.chunks(chunk).collect();
        if groups.is_empty() {
            groups.push(&[]);
        }
        for name in rule.names().iter().filter(|_| action != default) {
            for group in &groups {
                write!(text, "rule {name} {action} {}", group.len()).expect("a string takes text");
                for arg in *group {
                    let (op, two) = (arg.op() as u32, arg.value_two().unwrap_or(0));
                    write!(text, " {} {op} {} {two}", arg.index(), arg.value())
                        .expect("a string takes text");
                }
                text.push('\n');
            }
        }
    }
    let mut child = Command::new(helper)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start the helper");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(text.as_bytes())
        .expect("write the rules");
    let done = child.wait_with_output().expect("the helper's output");
    let stderr = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{stderr}");
    let unknown = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("unknown "))
        .map(str::to_owned)
        .collect();
    (
        Program {
            filter: done.stdout.chunks_exact(8).map(instruction).collect(),
            flags: 0,
        },
        unknown,
    )
}

fn instruction(bytes: &[u8]) -> sock_filter {
    sock_filter {
        code: u16::from_ne_bytes([bytes[0], bytes[1]]),
        jt: bytes[2],
        jf: bytes[3],
        k: u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
    }
}

fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// The compiled helper, built once; `None`, after saying why, where it cannot be built.
fn helper() -> Option<&'static Path> {
    static HELPER: OnceLock<Option<PathBuf>> = OnceLock::new();
    HELPER.get_or_init(build_helper).as_deref()
}

fn build_helper() -> Option<PathBuf> {
    if Abi::NATIVE != Abi::X86_64 {
        skip("the comparison is written for x86_64");
        return None;
    }
    // Tests run in processes of their own at the same time: each builds a file of its own, and the last stays.
    let helper = scratch().join("libseccomp-helper");
    let built_as = scratch().join(format!("libseccomp-helper-{}", std::process::id()));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seccomp/libseccomp.c");
    let built = Command::new("cc")
        .arg("-o")
        .arg(&built_as)
        .arg(source)
        .arg("-lseccomp")
        .output();
    match built {
        Err(err) => skip(&format!("cc does not start: {err}")),
        Ok(done) if !done.status.success() && !Path::new("/usr/include/seccomp.h").exists() => {
            skip("libseccomp's header is not installed");
        }
        Ok(done) => {
            assert!(
                done.status.success(),
                "{}",
                String::from_utf8_lossy(&done.stderr)
            );
            std::fs::rename(&built_as, &helper).expect("name the helper");
            return Some(helper);
        }
    }
    None
}
