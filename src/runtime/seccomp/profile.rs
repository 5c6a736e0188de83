//! Profiles as files: the JSON form that Docker and Podman share, which also reads as an OCI seccomp section.
//!
//! It differs from the OCI one in that it is for all machines at once: `archMap` names the architectures, and each
//! entry may say for which architectures, capabilities and kernels it counts.

use std::path::Path;

use nix::errno::Errno;
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompBuilder,
    LinuxSeccompFilterFlag, LinuxSyscall, LinuxSyscallBuilder,
};
use serde::Deserialize;

use super::calls::Abi;
use crate::error::{Error, Result, Tried};
use crate::runtime::caps::{Cap, CapSet};

/// Reads the profile at `path` and keeps what counts on this machine for a container that holds `caps`.
pub fn load_profile(path: &Path, caps: CapSet) -> Result<LinuxSeccomp> {
    let tried = || format!("opening seccomp profile failed: open {}", path.display());
    let text = std::fs::read(path).tried(tried)?;
    let kernel = nix::sys::utsname::uname().tried(|| "ask for the kernel's version")?;
    let kernel = kernel.release().to_string_lossy();
    let host = Host {
        caps,
        kernel: version(&kernel).unwrap_or((0, 0)),
    };
    parse(&text, &host).map_err(|err| {
        err.context(format!(
            "loading seccomp profile ({}) failed",
            path.display()
        ))
    })
}

/// What conditions are measured against.
struct Host {
    caps: CapSet,
    kernel: (u32, u32),
}

fn parse(text: &[u8], host: &Host) -> Result<LinuxSeccomp> {
    let profile: Profile = serde_json::from_slice(text)
        .map_err(|err| Error::usage(format!("decoding seccomp profile failed: {err}")))?;
    profile.resolve(host)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: LinuxSeccompAction,
    default_errno_ret: Option<u32>,
    default_errno: Option<String>,
    architectures: Option<Vec<Arch>>,
    arch_map: Option<Vec<ArchMap>>,
    flags: Option<Vec<LinuxSeccompFilterFlag>>,
    syscalls: Option<Vec<Entry>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchMap {
    architecture: Arch,
    sub_architectures: Option<Vec<Arch>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: Option<String>,
    names: Option<Vec<String>>,
    action: LinuxSeccompAction,
    errno_ret: Option<u32>,
    errno: Option<String>,
    args: Option<Vec<LinuxSeccompArg>>,
    includes: Option<Conditions>,
    excludes: Option<Conditions>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Conditions {
    caps: Option<Vec<String>>,
    arches: Option<Vec<String>>,
    min_kernel: Option<String>,
}

impl Profile {
    fn resolve(self, host: &Host) -> Result<LinuxSeccomp> {
        let architectures = match (self.architectures, self.arch_map) {
            (Some(listed), Some(map)) if !listed.is_empty() && !map.is_empty() => {
                return Err(Error::usage(
                    "'architectures' and 'archMap' were specified in the seccomp profile, \
                     use either 'architectures' or 'archMap'",
                ));
            }
            (Some(listed), _) if !listed.is_empty() => listed,
            (_, map) => from_map(map.unwrap_or_default()),
        };
        let mut builder = LinuxSeccompBuilder::default()
            .default_action(self.default_action)
            .architectures(architectures)
            .flags(self.flags.unwrap_or_default());
        if let Some(errno) = errno(self.default_errno.as_deref(), self.default_errno_ret)? {
            builder = builder.default_errno_ret(errno);
        }
        let mut syscalls = Vec::new();
        for entry in self.syscalls.unwrap_or_default() {
            if entry.counts(host)? {
                syscalls.push(entry.resolve()?);
            }
        }
        builder
            .syscalls(syscalls)
            .build()
            .map_err(|err| Error::usage(format!("seccomp profile: {err}")))
    }
}

impl Entry {
    /// Included by all of `includes`, excluded by none of `excludes`.
    fn counts(&self, host: &Host) -> Result<bool> {
        let none = Conditions::default();
        let includes = self.includes.as_ref().unwrap_or(&none);
        let excludes = self.excludes.as_ref().unwrap_or(&none);
        let held = |cap: &String| Cap::parse(cap).is_ok_and(|cap| host.caps.has(cap));
        let native = |arch: &String| ARCH_NAMES.contains(&arch.as_str());

        let included = list(&includes.caps).iter().all(held)
            && (list(&includes.arches).is_empty() || list(&includes.arches).iter().any(native))
            && host
                .has_kernel(includes.min_kernel.as_deref())?
                .unwrap_or(true);
        let excluded = list(&excludes.caps).iter().any(held)
            || list(&excludes.arches).iter().any(native)
            || host
                .has_kernel(excludes.min_kernel.as_deref())?
                .unwrap_or(false);
        Ok(included && !excluded)
    }

    fn resolve(self) -> Result<LinuxSyscall> {
        let names = match (self.name, self.names) {
            (Some(_), Some(names)) if !names.is_empty() => {
                return Err(Error::usage(
                    "'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'",
                ));
            }
            (Some(name), _) => vec![name],
            (None, names) => names.unwrap_or_default(),
        };
        let mut builder = LinuxSyscallBuilder::default()
            .names(names)
            .action(self.action);
        if let Some(errno) = errno(self.errno.as_deref(), self.errno_ret)? {
            builder = builder.errno_ret(errno);
        }
        if let Some(args) = self.args.filter(|args| !args.is_empty()) {
            builder = builder.args(args);
        }
        builder
            .build()
            .map_err(|err| Error::usage(format!("seccomp profile: {err}")))
    }
}

impl Host {
    fn has_kernel(&self, wanted: Option<&str>) -> Result<Option<bool>> {
        let Some(wanted) = wanted.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let least = version(wanted).ok_or_else(|| {
            Error::usage(format!("seccomp profile: invalid minKernel {wanted:?}"))
        })?;
        Ok(Some(self.kernel >= least))
    }
}

fn list(of: &Option<Vec<String>>) -> &[String] {
    of.as_deref().unwrap_or_default()
}

/// What profiles call this machine: Go's name for it.
#[cfg(target_arch = "x86_64")]
const ARCH_NAMES: &[&str] = &["amd64"];
#[cfg(target_arch = "aarch64")]
const ARCH_NAMES: &[&str] = &["arm64"];

fn from_map(map: Vec<ArchMap>) -> Vec<Arch> {
    let native = match Abi::NATIVE {
        Abi::Aarch64 => Arch::ScmpArchAarch64,
        _ => Arch::ScmpArchX86_64,
    };
    let entry = map.into_iter().find(|entry| entry.architecture == native);
    let subs = entry
        .and_then(|entry| entry.sub_architectures)
        .unwrap_or_default();
    std::iter::once(native).chain(subs).collect()
}

/// `6.1.0-18-amd64` is (6, 1).
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text
        .splitn(3, |c: char| !c.is_ascii_digit())
        .map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// The errno of an entry: Podman writes its name, and beside it the number that Docker writes.
fn errno(name: Option<&str>, number: Option<u32>) -> Result<Option<u32>> {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Ok(number);
    };
    (1..=133)
        .find(|code| format!("{:?}", Errno::from_raw(*code)) == name)
        .map(|code| Some(code as u32))
        .ok_or_else(|| Error::usage(format!("unknown errno {name:?}")))
}

#[cfg(test)]
mod tests {
    use super::super::{Action, Call, Program, compile};
    use super::*;

    const HOST: Host = Host {
        caps: CapSet::DEFAULT,
        kernel: (6, 1),
    };

    fn number(name: &str) -> u32 {
        super::super::calls::Names::of(Abi::NATIVE)
            .number(name)
            .expect("a call of this machine")
    }

    fn program(syscalls: &str) -> Program {
        let text = format!(
            r#"{{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "syscalls": [{syscalls}]}}"#
        );
        compile(&parse(text.as_bytes(), &HOST).expect("a profile")).expect("a program")
    }

    fn answer(program: &Program, name: &str, args: [u64; 6]) -> Action {
        program
            .verdict(&Call::native(number(name), args))
            .expect("a return")
    }

    const ENOSYS: Action = Action::errno(38);

    #[test]
    fn conditions_choose_entries() {
        let table = [
            (r#""includes": {}"#, true),
            (r#""includes": {"caps": ["CAP_CHOWN"]}"#, true),
            (
                r#""includes": {"caps": ["CAP_CHOWN", "CAP_SYS_ADMIN"]}"#,
                false,
            ),
            (r#""includes": {"caps": ["CAP_OF_TOMORROW"]}"#, false),
            (r#""excludes": {"caps": ["CAP_SYS_ADMIN"]}"#, true),
            (
                r#""excludes": {"caps": ["CAP_SYS_ADMIN", "CAP_CHOWN"]}"#,
                false,
            ),
            (r#""includes": {"arches": ["amd64", "arm64"]}"#, true),
            (r#""includes": {"arches": ["s390x"]}"#, false),
            (r#""excludes": {"arches": ["amd64", "arm64"]}"#, false),
            (r#""includes": {"minKernel": "4.8"}"#, true),
            (r#""includes": {"minKernel": "6.2"}"#, false),
            (r#""excludes": {"minKernel": "4.8"}"#, false),
        ];
        for (condition, counts) in table {
            let program = program(&format!(
                r#"{{"names": ["getpid"], "action": "SCMP_ACT_ALLOW", {condition}}}"#
            ));
            let want = if counts { Action::ALLOW } else { ENOSYS };
            assert_eq!(answer(&program, "getpid", [0; 6]), want, "{condition}");
        }
    }

    #[test]
    fn operators_compare_64_bits() {
        const BIG: u64 = 0x1_0000_0005;
        let table: [(&str, &[u64], &[u64]); 7] = [
            ("SCMP_CMP_EQ", &[BIG], &[5, 0, BIG + 1, 0x2_0000_0005]),
            ("SCMP_CMP_NE", &[5, 0, 0x2_0000_0005], &[BIG]),
            (
                "SCMP_CMP_LT",
                &[0, 5, 0xffff_ffff, BIG - 1],
                &[BIG, BIG + 1, 0x2_0000_0000],
            ),
            (
                "SCMP_CMP_LE",
                &[0, 5, BIG],
                &[BIG + 1, 0x2_0000_0000, u64::MAX],
            ),
            (
                "SCMP_CMP_GT",
                &[BIG + 1, 0x2_0000_0000, u64::MAX],
                &[0, 5, BIG],
            ),
            (
                "SCMP_CMP_GE",
                &[BIG, BIG + 1, 0x2_0000_0000],
                &[0, 0xffff_ffff, BIG - 1],
            ),
            (
                "SCMP_CMP_MASKED_EQ",
                &[0x1_0000_0004, 0x3_0000_0006],
                &[5, 0x1_0000_0001, BIG],
            ),
        ];
        for (op, hold, fail) in table {
            let two = if op.ends_with("MASKED_EQ") {
                r#", "valueTwo": 4294967300"#
            } else {
                ""
            };
            let program = program(&format!(
                r#"{{"names": ["getpid"], "action": "SCMP_ACT_ALLOW",
                    "args": [{{"index": 1, "value": {BIG}{two}, "op": "{op}"}}]}}"#
            ));
            for (values, want) in [(hold, Action::ALLOW), (fail, ENOSYS)] {
                for value in values {
                    assert_eq!(
                        answer(&program, "getpid", [7, *value, 7, 7, 7, 7]),
                        want,
                        "{value:#x} {op}"
                    );
                }
            }
        }
    }

    #[test]
    fn conditions_on_two_arguments_both_hold_and_on_one_either() {
        let arg = |index: u32, value: u32| {
            format!(r#"{{"index": {index}, "value": {value}, "op": "SCMP_CMP_EQ"}}"#)
        };
        let entry = |first: String, second: String| {
            program(&format!(
                r#"{{"names": ["dup"], "action": "SCMP_ACT_ALLOW", "args": [{first}, {second}]}}"#
            ))
        };
        let both = entry(arg(0, 1), arg(1, 2));
        assert_eq!(answer(&both, "dup", [1, 2, 0, 0, 0, 0]), Action::ALLOW);
        assert_eq!(answer(&both, "dup", [1, 0, 0, 0, 0, 0]), ENOSYS);
        let either = entry(arg(0, 1), arg(0, 2));
        assert_eq!(answer(&either, "dup", [1, 0, 0, 0, 0, 0]), Action::ALLOW);
        assert_eq!(answer(&either, "dup", [2, 0, 0, 0, 0, 0]), Action::ALLOW);
        assert_eq!(answer(&either, "dup", [3, 0, 0, 0, 0, 0]), ENOSYS);
    }

    #[test]
    fn errnos_are_names_or_numbers() {
        let program = program(
            r#"{"name": "getpid", "action": "SCMP_ACT_ERRNO", "errno": "ENOENT", "errnoRet": 1},
               {"names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 22},
               {"names": ["getuid"], "action": "SCMP_ACT_ERRNO"}"#,
        );
        assert_eq!(answer(&program, "getpid", [0; 6]), Action::errno(2));
        assert_eq!(answer(&program, "getppid", [0; 6]), Action::errno(22));
        assert_eq!(answer(&program, "getuid", [0; 6]), Action::errno(1));
    }

    #[test]
    fn what_cannot_be_obeyed_is_refused() {
        let syscall = |rest: &str| {
            format!(
                r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{{"action": "SCMP_ACT_ERRNO", {rest}}}]}}"#
            )
        };
        let table = [
            (
                "{".to_owned(),
                "decoding seccomp profile failed: EOF while parsing an object at line 1 column 1",
            ),
            (
                r#"{"defaultAction": "SCMP_ACT_NOTIFY"}"#.to_owned(),
                "seccomp profile: SCMP_ACT_NOTIFY is not supported",
            ),
            (
                syscall(r#""name": "read", "names": ["write"]"#),
                "'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'",
            ),
            (
                syscall(r#""names": ["read"], "errno": "EWHAT""#),
                "unknown errno \"EWHAT\"",
            ),
            (
                syscall(r#""names": ["read"], "errnoRet": 5000"#),
                "seccomp profile: errnoRet 5000 is above 4095",
            ),
            (
                syscall(
                    r#""names": ["read"], "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]"#,
                ),
                "seccomp profile: argument index 6 is above 5",
            ),
            (
                r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"],
                    "archMap": [{"architecture": "SCMP_ARCH_X86_64"}]}"#
                    .to_owned(),
                "'architectures' and 'archMap' were specified in the seccomp profile, \
                 use either 'architectures' or 'archMap'",
            ),
        ];
        for (text, want) in table {
            let result = parse(text.as_bytes(), &HOST).and_then(|seccomp| compile(&seccomp));
            assert_eq!(
                result.map_err(|err| err.to_string()),
                Err(want.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let err =
            load_profile(Path::new("/nosuch/profile.json"), CapSet::DEFAULT).expect_err("no file");
        assert_eq!(
            err.to_string(),
            "opening seccomp profile failed: open /nosuch/profile.json: No such file or directory"
        );
    }
}
