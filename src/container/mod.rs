//! The life of one container: record, create, start, monitor, stop, remove.

pub mod record;
pub mod request;
