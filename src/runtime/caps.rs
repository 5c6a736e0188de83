//! Capabilities (`capabilities(7)`): names, bits, and the sets a container's process starts with.
//!
//! The rules for `--cap-add` and `--cap-drop` and their messages are Podman's.

use std::fmt;

use oci_spec::runtime::{Capabilities, Capability};

use crate::error::{Error, Result};

/// Every capability, at the index that is its bit number in `<linux/capability.h>`.
const TABLE: [(&str, Capability); 41] = [
    ("CAP_CHOWN", Capability::Chown),
    ("CAP_DAC_OVERRIDE", Capability::DacOverride),
    ("CAP_DAC_READ_SEARCH", Capability::DacReadSearch),
    ("CAP_FOWNER", Capability::Fowner),
    ("CAP_FSETID", Capability::Fsetid),
    ("CAP_KILL", Capability::Kill),
    ("CAP_SETGID", Capability::Setgid),
    ("CAP_SETUID", Capability::Setuid),
    ("CAP_SETPCAP", Capability::Setpcap),
    ("CAP_LINUX_IMMUTABLE", Capability::LinuxImmutable),
    ("CAP_NET_BIND_SERVICE", Capability::NetBindService),
    ("CAP_NET_BROADCAST", Capability::NetBroadcast),
    ("CAP_NET_ADMIN", Capability::NetAdmin),
    ("CAP_NET_RAW", Capability::NetRaw),
    ("CAP_IPC_LOCK", Capability::IpcLock),
    ("CAP_IPC_OWNER", Capability::IpcOwner),
    ("CAP_SYS_MODULE", Capability::SysModule),
    ("CAP_SYS_RAWIO", Capability::SysRawio),
    ("CAP_SYS_CHROOT", Capability::SysChroot),
    ("CAP_SYS_PTRACE", Capability::SysPtrace),
    ("CAP_SYS_PACCT", Capability::SysPacct),
    ("CAP_SYS_ADMIN", Capability::SysAdmin),
    ("CAP_SYS_BOOT", Capability::SysBoot),
    ("CAP_SYS_NICE", Capability::SysNice),
    ("CAP_SYS_RESOURCE", Capability::SysResource),
    ("CAP_SYS_TIME", Capability::SysTime),
    ("CAP_SYS_TTY_CONFIG", Capability::SysTtyConfig),
    ("CAP_MKNOD", Capability::Mknod),
    ("CAP_LEASE", Capability::Lease),
    ("CAP_AUDIT_WRITE", Capability::AuditWrite),
    ("CAP_AUDIT_CONTROL", Capability::AuditControl),
    ("CAP_SETFCAP", Capability::Setfcap),
    ("CAP_MAC_OVERRIDE", Capability::MacOverride),
    ("CAP_MAC_ADMIN", Capability::MacAdmin),
    ("CAP_SYSLOG", Capability::Syslog),
    ("CAP_WAKE_ALARM", Capability::WakeAlarm),
    ("CAP_BLOCK_SUSPEND", Capability::BlockSuspend),
    ("CAP_AUDIT_READ", Capability::AuditRead),
    ("CAP_PERFMON", Capability::Perfmon),
    ("CAP_BPF", Capability::Bpf),
    ("CAP_CHECKPOINT_RESTORE", Capability::CheckpointRestore),
];

/// One capability, as its bit number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cap(u8);

impl Cap {
    pub const CHOWN: Cap = Cap(0);
    pub const DAC_OVERRIDE: Cap = Cap(1);
    pub const DAC_READ_SEARCH: Cap = Cap(2);
    pub const FOWNER: Cap = Cap(3);
    pub const FSETID: Cap = Cap(4);
    pub const KILL: Cap = Cap(5);
    pub const SETGID: Cap = Cap(6);
    pub const SETUID: Cap = Cap(7);
    pub const SETPCAP: Cap = Cap(8);
    pub const NET_BIND_SERVICE: Cap = Cap(10);
    pub const NET_ADMIN: Cap = Cap(12);
    pub const NET_RAW: Cap = Cap(13);
    pub const SYS_MODULE: Cap = Cap(16);
    pub const SYS_RAWIO: Cap = Cap(17);
    pub const SYS_CHROOT: Cap = Cap(18);
    pub const SYS_PTRACE: Cap = Cap(19);
    pub const SYS_PACCT: Cap = Cap(20);
    pub const SYS_ADMIN: Cap = Cap(21);
    pub const SYS_BOOT: Cap = Cap(22);
    pub const SYS_NICE: Cap = Cap(23);
    pub const SYS_TIME: Cap = Cap(25);
    pub const SYS_TTY_CONFIG: Cap = Cap(26);
    pub const AUDIT_WRITE: Cap = Cap(29);
    pub const AUDIT_CONTROL: Cap = Cap(30);
    pub const SETFCAP: Cap = Cap(31);
    pub const SYSLOG: Cap = Cap(34);
    pub const AUDIT_READ: Cap = Cap(37);
    pub const PERFMON: Cap = Cap(38);
    pub const BPF: Cap = Cap(39);

    /// Reads a name in any case, with or without `CAP_`.
    pub fn parse(text: &str) -> Result<Cap> {
        let name = full_name(text);
        TABLE
            .iter()
            .position(|(known, _)| *known == name)
            .map(|bit| Cap(bit as u8))
            .ok_or_else(|| Error::usage(format!("{name:?}: unknown capability")))
    }

    /// The bit number, as `prctl(PR_CAPBSET_DROP)` wants it.
    pub fn bit(self) -> u8 {
        self.0
    }

    /// `CAP_CHOWN` and so on.
    pub fn name(self) -> &'static str {
        TABLE[usize::from(self.0)].0
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn full_name(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    if upper.starts_with("CAP_") {
        upper
    } else {
        format!("CAP_{upper}")
    }
}

/// A set of capabilities; bit `n` of the mask is capability number `n`, as in `/proc/PID/status`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapSet(u64);

impl CapSet {
    pub const EMPTY: CapSet = CapSet(0);
    pub const ALL: CapSet = CapSet((1 << TABLE.len()) - 1);

    /// What Podman gives a container that asks for nothing.
    pub const DEFAULT: CapSet = CapSet::of(&[
        Cap::CHOWN,
        Cap::DAC_OVERRIDE,
        Cap::FOWNER,
        Cap::FSETID,
        Cap::KILL,
        Cap::NET_BIND_SERVICE,
        Cap::SETFCAP,
        Cap::SETGID,
        Cap::SETPCAP,
        Cap::SETUID,
        Cap::SYS_CHROOT,
    ]);

    pub const fn of(caps: &[Cap]) -> CapSet {
        let mut mask = 0;
        let mut i = 0;
        while i < caps.len() {
            mask |= 1 << caps[i].0;
            i += 1;
        }
        CapSet(mask)
    }

    /// Bits without a name are dropped.
    pub const fn from_mask(mask: u64) -> CapSet {
        CapSet(mask & CapSet::ALL.0)
    }

    pub const fn mask(self) -> u64 {
        self.0
    }

    pub const fn has(self, cap: Cap) -> bool {
        self.0 & (1 << cap.0) != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub const fn union(self, other: CapSet) -> CapSet {
        CapSet(self.0 | other.0)
    }

    #[must_use]
    pub const fn intersection(self, other: CapSet) -> CapSet {
        CapSet(self.0 & other.0)
    }

    #[must_use]
    pub const fn minus(self, other: CapSet) -> CapSet {
        CapSet(self.0 & !other.0)
    }

    /// In order of the bit numbers.
    pub fn iter(self) -> impl Iterator<Item = Cap> {
        (0..TABLE.len() as u8)
            .map(Cap)
            .filter(move |cap| self.has(*cap))
    }

    /// Full names in alphabetical order, as `inspect` lists them.
    pub fn names(self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.iter().map(Cap::name).collect();
        names.sort_unstable();
        names
    }

    /// Reads names (`default_capabilities` of containers.conf); `ALL` is every capability.
    pub fn parse<S: AsRef<str>>(names: &[S]) -> Result<CapSet> {
        let named = Named::parse(names)?;
        Ok(if named.all { CapSet::ALL } else { named.set })
    }

    /// Applies `--cap-add` and `--cap-drop` to `base`.
    ///
    /// `--cap-drop all` keeps just what is added, `--cap-add all` just loses what is dropped; both, or one
    /// capability in both lists, are an error.
    pub fn merge<S: AsRef<str>>(base: CapSet, add: &[S], drop: &[S]) -> Result<CapSet> {
        let drop = Named::parse(drop)?;
        let add = Named::parse(add)?;
        match (drop.all, add.all) {
            (true, true) => Err(Error::usage(
                "adding all caps and removing all caps not allowed",
            )),
            (true, false) => Ok(add.set),
            (false, true) => Ok(CapSet::ALL.minus(drop.set)),
            (false, false) => match drop.set.intersection(add.set).iter().next() {
                Some(both) => Err(Error::usage(format!(
                    "capability {:?} cannot be dropped and added",
                    both.name()
                ))),
                None => Ok(base.minus(drop.set).union(add.set)),
            },
        }
    }

    pub fn from_oci(caps: &Capabilities) -> CapSet {
        let mask = TABLE
            .iter()
            .enumerate()
            .filter(|(_, (_, cap))| caps.contains(cap));
        CapSet(mask.fold(0, |mask, (bit, _)| mask | 1 << bit))
    }

    pub fn to_oci(self) -> Capabilities {
        self.iter().map(|cap| TABLE[usize::from(cap.0)].1).collect()
    }
}

/// A list of names, `ALL` kept apart because it means different things to add and to drop.
struct Named {
    set: CapSet,
    all: bool,
}

impl Named {
    fn parse<S: AsRef<str>>(names: &[S]) -> Result<Named> {
        let mut named = Named {
            set: CapSet::EMPTY,
            all: false,
        };
        for name in names.iter().map(AsRef::as_ref) {
            if name.eq_ignore_ascii_case("all") {
                named.all = true;
            } else {
                named.set = named.set.union(CapSet::of(&[Cap::parse(name)?]));
            }
        }
        Ok(named)
    }
}

/// The five sets of a process (`capabilities(7)`, "Thread capability sets").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessCaps {
    pub bounding: CapSet,
    pub effective: CapSet,
    pub permitted: CapSet,
    pub inheritable: CapSet,
    pub ambient: CapSet,
}

impl ProcessCaps {
    /// Root inside holds all of `bounding`, and nothing is inheritable (a file marked with inheritable
    /// capabilities must gain nothing by it).
    pub fn for_root(bounding: CapSet) -> ProcessCaps {
        ProcessCaps {
            bounding,
            effective: bounding,
            permitted: bounding,
            inheritable: CapSet::EMPTY,
            ambient: CapSet::EMPTY,
        }
    }

    /// Any other user holds just what `--cap-add` names, as ambient capabilities so that they outlive the exec.
    pub fn for_user<S: AsRef<str>>(bounding: CapSet, add: &[S]) -> Result<ProcessCaps> {
        let asked = CapSet::parse(add)?.intersection(bounding);
        Ok(ProcessCaps {
            bounding,
            effective: asked,
            permitted: asked,
            inheritable: asked,
            ambient: asked,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [&str; 0] = [];

    #[test]
    fn bits_are_the_kernel_headers_numbers() {
        let pairs = [
            (Cap::CHOWN, "CAP_CHOWN"),
            (Cap::DAC_OVERRIDE, "CAP_DAC_OVERRIDE"),
            (Cap::DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"),
            (Cap::FOWNER, "CAP_FOWNER"),
            (Cap::FSETID, "CAP_FSETID"),
            (Cap::KILL, "CAP_KILL"),
            (Cap::SETGID, "CAP_SETGID"),
            (Cap::SETUID, "CAP_SETUID"),
            (Cap::SETPCAP, "CAP_SETPCAP"),
            (Cap::NET_BIND_SERVICE, "CAP_NET_BIND_SERVICE"),
            (Cap::NET_ADMIN, "CAP_NET_ADMIN"),
            (Cap::NET_RAW, "CAP_NET_RAW"),
            (Cap::SYS_MODULE, "CAP_SYS_MODULE"),
            (Cap::SYS_RAWIO, "CAP_SYS_RAWIO"),
            (Cap::SYS_CHROOT, "CAP_SYS_CHROOT"),
            (Cap::SYS_PTRACE, "CAP_SYS_PTRACE"),
            (Cap::SYS_PACCT, "CAP_SYS_PACCT"),
            (Cap::SYS_ADMIN, "CAP_SYS_ADMIN"),
            (Cap::SYS_BOOT, "CAP_SYS_BOOT"),
            (Cap::SYS_NICE, "CAP_SYS_NICE"),
            (Cap::SYS_TIME, "CAP_SYS_TIME"),
            (Cap::SYS_TTY_CONFIG, "CAP_SYS_TTY_CONFIG"),
            (Cap::AUDIT_WRITE, "CAP_AUDIT_WRITE"),
            (Cap::AUDIT_CONTROL, "CAP_AUDIT_CONTROL"),
            (Cap::AUDIT_READ, "CAP_AUDIT_READ"),
            (Cap::SETFCAP, "CAP_SETFCAP"),
            (Cap::SYSLOG, "CAP_SYSLOG"),
            (Cap::PERFMON, "CAP_PERFMON"),
            (Cap::BPF, "CAP_BPF"),
        ];
        for (cap, name) in pairs {
            assert_eq!(cap.name(), name);
            assert_eq!(Cap::parse(name).map(Cap::bit).ok(), Some(cap.bit()));
        }
        // The mask that /proc/self/status of a default Podman container shows as CapEff.
        assert_eq!(CapSet::DEFAULT.mask(), 0x0000_0000_8004_05fb);
        assert_eq!(CapSet::ALL.mask(), 0x1ff_ffff_ffff);
    }

    #[test]
    fn names_go_to_the_oci_spec_and_back() {
        assert_eq!(CapSet::from_oci(&CapSet::ALL.to_oci()), CapSet::ALL);
        for cap in CapSet::ALL.iter() {
            let oci = TABLE[usize::from(cap.bit())].1;
            assert_eq!(format!("CAP_{oci}"), cap.name());
        }
    }

    #[test]
    fn merge_follows_podman() {
        let merge = |add: &[&str], drop: &[&str]| {
            CapSet::merge(CapSet::DEFAULT, add, drop).map_err(|err| err.to_string())
        };
        let raw = CapSet::of(&[Cap::NET_RAW]);
        type Case<'a> = (&'a [&'a str], &'a [&'a str], Result<CapSet, &'a str>);
        let table: [Case; 11] = [
            (&[], &[], Ok(CapSet::DEFAULT)),
            (&["net_raw"], &[], Ok(CapSet::DEFAULT.union(raw))),
            (&["CAP_NET_RAW"], &["all"], Ok(raw)),
            (&[], &["ALL"], Ok(CapSet::EMPTY)),
            (&["all"], &[], Ok(CapSet::ALL)),
            (&["All"], &["cap_net_raw"], Ok(CapSet::ALL.minus(raw))),
            // With ALL on one side, the names beside it lose their meaning.
            (
                &["all", "net_raw"],
                &["net_raw"],
                Ok(CapSet::ALL.minus(raw)),
            ),
            (&[], &["net_raw"], Ok(CapSet::DEFAULT)),
            (
                &["all"],
                &["all"],
                Err("adding all caps and removing all caps not allowed"),
            ),
            (
                &["kill"],
                &["KILL"],
                Err("capability \"CAP_KILL\" cannot be dropped and added"),
            ),
            (&["foo"], &[], Err("\"CAP_FOO\": unknown capability")),
        ];
        for (add, drop, want) in table {
            assert_eq!(
                merge(add, drop),
                want.map_err(str::to_owned),
                "add {add:?} drop {drop:?}"
            );
        }
        assert_eq!(
            merge(&[], &["CAP_"]),
            Err("\"CAP_\": unknown capability".to_owned())
        );
    }

    #[test]
    fn a_plain_user_holds_only_what_was_added() {
        let bounding = CapSet::merge(CapSet::DEFAULT, &["net_raw"], &NONE).expect("known names");
        let caps = ProcessCaps::for_user(bounding, &["net_raw"]).expect("known names");
        assert_eq!(caps.ambient, CapSet::of(&[Cap::NET_RAW]));
        assert_eq!(caps.bounding, bounding);
        let caps = ProcessCaps::for_user(CapSet::DEFAULT, &NONE).expect("known names");
        assert_eq!(
            (caps.effective, caps.ambient),
            (CapSet::EMPTY, CapSet::EMPTY)
        );
        assert!(
            ProcessCaps::for_root(CapSet::DEFAULT)
                .inheritable
                .is_empty()
        );
    }
}
