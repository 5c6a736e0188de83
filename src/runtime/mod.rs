//! From an OCI runtime spec to a running process. Has never heard of a layer or a registry.
//!
//! | file | runs in | what it does |
//! | --- | --- | --- |
//! | `plan` | cli, monitor | what the caller decides |
//! | `launch` | cli, monitor | namespaces, id maps, messages, failures in words |
//! | `exec` | cli, monitor | a further process in a running container |
//! | `spec` | cli, monitor | what a container has by default |
//! | `caps` `seccomp` | cli, monitor | capability sets and filters, as plain data |

pub mod caps;
pub mod exec;
pub mod launch;
pub mod plan;
pub mod seccomp;
pub mod spec;

pub use plan::{LaunchPlan, NetReady, Rootfs, Running, Stdio, StdioPlan, UserPlan};
