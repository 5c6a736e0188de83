//! What can fail in a child that may not say it in words: a step, the number of the thing it handled, an errno.

use nix::errno::Errno;

/// What the child was doing. The parent, which has the same plan, puts it into words (`words`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Step {
    /// A message of the other side did not come.
    Message = 1,
    Session,
    Loopback,
    Hostname,
    Domainname,
    /// The overlay as a whole.
    Overlay,
    /// One lower directory of it.
    OverlayLower,
    OverlayUpper,
    RootDir,
    /// Making or opening what will be mounted; numbered as the plan's mounts.
    MountSource,
    MountTarget,
    Mount,
    /// Copying the image's files into a new file system.
    CopyUp,
    /// Giving a new file system to the container's user.
    MountOwner,
    /// A default device node; numbered as the plan's devices.
    Device,
    /// Its node on the host is not the device it should be.
    DeviceIdentity,
    DeviceLink,
    GiveUpGroups,
    BecomeRoot,
    Keyring,
    AttachRoot,
    ReadOnlyPath,
    MaskedPath,
    Sysctl,
    Terminal,
    Console,
    ReadOnlyRoot,
    PivotRoot,
    DetachOldRoot,
    /// Reading `/etc/passwd` or `/etc/group` of the container.
    Passwd,
    Group,
    UnknownUser,
    UnknownGroup,
    TooManyGroups,
    SingleIdUser,
    Rlimit,
    Cwd,
    /// The working directory lies outside of the container.
    CwdOutside,
    Stdio,
    CloseDescriptors,
    Signals,
    Bounding,
    SetGroups,
    SetGid,
    SetUid,
    Capabilities,
    NoNewPrivileges,
    Umask,
    FindProgram,
    /// The program is a directory.
    ProgramIsDirectory,
    /// The program, or the interpreter its first line names, is `pod` itself.
    ProgramIsPod,
    Seccomp,
    Exec,
    JoinNamespaces,
    Clone,
    Dumpable,
    /// Writing a secret into memory, or binding it; numbered as the plan's secrets.
    Secret,
    Personality,
    /// Executing the small program of `--init`.
    Init,
    CgroupNamespace,
}

impl Step {
    const LAST: Step = Step::CgroupNamespace;

    fn from_number(number: u16) -> Option<Step> {
        ALL.iter().copied().find(|step| *step as u16 == number)
    }
}

/// Every step, for reading one back from its number.
const ALL: [Step; Step::LAST as usize] = [
    Step::Message,
    Step::Session,
    Step::Loopback,
    Step::Hostname,
    Step::Domainname,
    Step::Overlay,
    Step::OverlayLower,
    Step::OverlayUpper,
    Step::RootDir,
    Step::MountSource,
    Step::MountTarget,
    Step::Mount,
    Step::CopyUp,
    Step::MountOwner,
    Step::Device,
    Step::DeviceIdentity,
    Step::DeviceLink,
    Step::GiveUpGroups,
    Step::BecomeRoot,
    Step::Keyring,
    Step::AttachRoot,
    Step::ReadOnlyPath,
    Step::MaskedPath,
    Step::Sysctl,
    Step::Terminal,
    Step::Console,
    Step::ReadOnlyRoot,
    Step::PivotRoot,
    Step::DetachOldRoot,
    Step::Passwd,
    Step::Group,
    Step::UnknownUser,
    Step::UnknownGroup,
    Step::TooManyGroups,
    Step::SingleIdUser,
    Step::Rlimit,
    Step::Cwd,
    Step::CwdOutside,
    Step::Stdio,
    Step::CloseDescriptors,
    Step::Signals,
    Step::Bounding,
    Step::SetGroups,
    Step::SetGid,
    Step::SetUid,
    Step::Capabilities,
    Step::NoNewPrivileges,
    Step::Umask,
    Step::FindProgram,
    Step::ProgramIsDirectory,
    Step::ProgramIsPod,
    Step::Seccomp,
    Step::Exec,
    Step::JoinNamespaces,
    Step::Clone,
    Step::Dumpable,
    Step::Secret,
    Step::Personality,
    Step::Init,
    Step::CgroupNamespace,
];

/// A failure on its way from a child to its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) step: Step,
    /// Which of the things that the step handles.
    pub(super) index: u16,
    pub(super) errno: Errno,
}

impl Failed {
    pub(super) const BYTES: usize = 8;

    pub(super) fn new(step: Step, index: usize, errno: Errno) -> Self {
        Self {
            step,
            index: u16::try_from(index).unwrap_or(u16::MAX),
            errno,
        }
    }

    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..2].copy_from_slice(&(self.step as u16).to_ne_bytes());
        bytes[2..4].copy_from_slice(&self.index.to_ne_bytes());
        bytes[4..].copy_from_slice(&(self.errno as i32).to_ne_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: [u8; Self::BYTES]) -> Option<Self> {
        let [a, b, c, d, e, f, g, h] = bytes;
        Some(Self {
            step: Step::from_number(u16::from_ne_bytes([a, b]))?,
            index: u16::from_ne_bytes([c, d]),
            errno: Errno::from_raw(i32::from_ne_bytes([e, f, g, h])),
        })
    }
}

/// Names the step and the thing of a failing call.
pub(super) trait At<T> {
    fn at(self, step: Step, index: usize) -> Result<T, Failed>;
}

impl<T> At<T> for Result<T, Errno> {
    fn at(self, step: Step, index: usize) -> Result<T, Failed> {
        self.map_err(|errno| Failed::new(step, index, errno))
    }
}

impl<T> At<T> for Result<T, rustix::io::Errno> {
    fn at(self, step: Step, index: usize) -> Result<T, Failed> {
        self.map_err(|errno| Failed::new(step, index, Errno::from_raw(errno.raw_os_error())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_trip() {
        for (number, step) in ALL.into_iter().enumerate() {
            assert_eq!(
                step as usize,
                number + 1,
                "ALL is in the order of the numbers"
            );
            let failed = Failed::new(step, 7, Errno::EPERM);
            assert_eq!(Failed::from_bytes(failed.to_bytes()), Some(failed));
        }
        assert_eq!(Failed::from_bytes([0; 8]), None);
    }
}
