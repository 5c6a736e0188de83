//! Thin wrappers over system calls that `nix` and `rustix` lack, and the only `unsafe` of the program.
//!
//! A wrapper decides nothing and returns the bare errno: the caller knows the object and words the failure.
#![allow(unsafe_code)] // the one place that may: everything else is built on these wrappers
