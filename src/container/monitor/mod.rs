//! The monitor of one container.

pub mod log;
