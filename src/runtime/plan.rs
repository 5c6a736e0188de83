//! What the caller decides before a process of a container is born.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use nix::unistd::Pid;
use oci_spec::runtime::Spec;

use crate::userns::map::IdMaps;

use super::accounts::AccountEntry;
use super::caps::CapSet;
use super::seccomp::Program;

/// Everything [`super::launch::begin`] needs.
///
/// Of the spec's namespaces, an entry without a path is made new, one with a path is joined, and a kind that is not
/// named is the caller's own. `spec.root.path` is not read: [`Rootfs`] says what the root is.
#[derive(Debug)]
pub struct LaunchPlan {
    pub spec: Spec,
    pub rootfs: Rootfs,
    /// Maps of the user namespace, which is new or, when the spec joins one, has them already.
    pub ids: IdMaps,
    pub user: UserPlan,
    pub stdio: StdioPlan,
    /// The filter, loaded last; `None`: unconfined.
    pub seccomp: Option<Program>,
    /// Files that lie in memory only, below `/run/secrets` (`files::secrets_mount` is among the spec's mounts).
    pub secrets: Vec<SecretFile>,
    /// Entries that the container's passwd(5) and group(5) shall have.
    pub accounts: Vec<AccountEntry>,
    /// Descriptors that become 3, 4, … in the container; `None`: that number stays closed.
    pub preserve: Vec<Option<OwnedFd>>,
    /// Makes `process.cwd` when it is missing (an image's WORKDIR); a directory the user names must exist.
    pub create_cwd: bool,
    /// `--init`: pid 1 is a small program of ours, which runs that of the spec, passes signals on and reaps orphans.
    pub init: bool,
    /// The directory of the cgroup to be born in; `None`: the caller's.
    pub cgroup: Option<OwnedFd>,
}

/// A secret as a file of the container.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretFile {
    /// Absolute, or relative to `/run/secrets`.
    pub target: String,
    pub uid: u32,
    pub gid: u32,
    pub mode: u32,
    pub data: Vec<u8>,
}

impl std::fmt::Debug for SecretFile {
    /// Everything but the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretFile")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// What becomes `/` of the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rootfs {
    /// Layers, uppermost first, below a writable directory; all absolute.
    Overlay {
        lower: Vec<PathBuf>,
        upper: PathBuf,
        work: PathBuf,
        /// The writable layer need not survive a crash of the host and is never mounted again (`--rm`): its end then
        /// waits for no disk.
        volatile: bool,
    },
    /// A directory as it stands (`--rootfs`).
    Dir(PathBuf),
}

/// Who the process is. Names are looked up in the container's own `/etc/passwd` and `/etc/group`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserPlan {
    /// `--user`, `USER` of the image: `name`, `uid`, `name:group`, `uid:gid`; empty is root.
    pub user: String,
    /// `--group-add`: names or numbers, added to those of the user.
    pub groups: Vec<String>,
    /// `--group-add keep-groups`: those of the caller stay.
    pub keep_groups: bool,
    /// What a user other than root holds (`--cap-add`), as ambient capabilities; root holds the spec's bounding set.
    pub caps: CapSet,
}

/// Where the process's stdin, stdout and stderr go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StdioPlan {
    /// The caller's own descriptors 0, 1 and 2.
    Inherit,
    /// `/dev/null` three times.
    Null,
    /// Pipes to the caller; without `stdin` that one is `/dev/null`.
    Pipes { stdin: bool },
    /// One pipe to the caller for both outputs; stdin is `/dev/null`.
    Captured,
    /// A terminal of the container's own devpts, controlling terminal of a new session; also `/dev/console`.
    Pty { rows: u16, columns: u16 },
}

/// The caller's ends of a process's stdio; non-blocking is left to the caller.
#[derive(Debug, Default)]
pub struct Stdio {
    pub stdin: Option<OwnedFd>,
    pub stdout: Option<OwnedFd>,
    pub stderr: Option<OwnedFd>,
    /// The master side of the terminal: both directions.
    pub pty: Option<OwnedFd>,
}

/// A process of a container that has executed its program. Its creator reaps it.
#[derive(Debug)]
pub struct Running {
    /// In the caller's pid namespace.
    pub pid: Pid,
    pub pidfd: OwnedFd,
    pub stdio: Stdio,
}

/// Sent to a starting container once its network is up (or needs no helper).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetReady;
