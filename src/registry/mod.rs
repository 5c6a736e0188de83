//! The only async code: talks to registries on a current-thread tokio runtime that is dropped before any fork.
