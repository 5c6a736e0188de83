//! From an OCI runtime spec to a running process. Has never heard of a layer or a registry.

pub mod caps;
pub mod seccomp;
