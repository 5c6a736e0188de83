//! Writes the default seccomp program as `struct sock_filter[]` to stdout: for `bench/limit`, `bwrap --seccomp` and
//! disassemblers.

use std::io::Write;

use pod::runtime::caps::CapSet;
use pod::runtime::seccomp;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(&seccomp::default_profile(CapSet::DEFAULT).to_bytes())
}
