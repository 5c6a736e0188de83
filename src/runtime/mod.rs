//! From an OCI runtime spec to a running process. Has never heard of a layer or a registry.
//!
//! | file | runs in | what it does |
//! | --- | --- | --- |
//! | `plan` | cli, monitor | what the caller decides |
//! | `spec` | cli, monitor | what a container has by default |
//! | `launch` | cli, monitor | namespaces, id maps, messages, the outcome |
//! | `join` | cli, monitor, helper | launching into namespaces that exist |
//! | `exec` | cli, monitor, helper, the process | a further process in a running container |
//! | `mounts` `rootfs` | cli, monitor | mounts of the spec as prepared steps |
//! | `process` | both sides | prepared before the fork, carried out after it: ids, capabilities, filter, exec |
//! | `init` | init | the container's side, system calls only |
//! | `init_program` | cli, monitor, init | the program that is pid 1 with `--init` |
//! | `target` `user` | init | names and users resolved beneath the container's root |
//! | `files` `accounts` | init | secrets, written into memory; entries of passwd(5) and group(5) |
//! | `copy_up` | init | the image's files in a new tmpfs |
//! | `message` `step` | both sides | what they tell each other |
//! | `words` | cli, monitor | a child's failure as an error |
//! | `caps` `seccomp` | cli, monitor | capability sets and filters, as plain data |

pub mod accounts;
pub mod caps;
mod copy_up;
pub mod exec;
pub mod files;
mod init;
mod init_program;
mod join;
pub mod launch;
mod message;
mod mounts;
pub mod plan;
mod process;
mod rootfs;
pub mod seccomp;
pub mod spec;
mod step;
mod target;
mod user;
mod words;

pub use user::ids as ids_of_user;

pub use plan::{LaunchPlan, NetReady, Rootfs, Running, SecretFile, Stdio, StdioPlan, UserPlan};
