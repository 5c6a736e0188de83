//! Who and where we are: the calling user, the directories, what this host lacks, jobs and
//! commands inside a user namespace.

pub mod dirs;
pub mod identity;
pub mod preflight;
pub mod unshare;
pub mod worker;
