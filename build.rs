//! Compiles the program that is pid 1 of a container run with `--init`: it is part of `pod`, see `runtime::init_program`.

use std::env;
use std::path::PathBuf;
use std::process::Command;

const SOURCE: &str = "src/runtime/init_program/init.c";

/// It has neither a C library nor anything that needs setting up before its first instruction.
const FLAGS: &[&str] = &[
    "-std=gnu11",
    "-Os",
    "-Wall",
    "-Wextra",
    "-ffreestanding",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-fno-pie",
    "-no-pie",
    "-nostdlib",
    "-static",
    "-s",
    "-Wl,--build-id=none",
    "-Wl,-z,noexecstack",
];

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-env-changed=CC");
    if let Err(problem) = compile() {
        println!("cargo::error={problem}");
    }
}

fn compile() -> Result<(), String> {
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    // `CC` may carry flags or a wrapper: `ccache gcc`.
    let compiler = env::var("CC").unwrap_or_else(|_| default_compiler());
    let mut words = compiler.split_whitespace();
    let status = Command::new(words.next().unwrap_or("cc"))
        .args(words)
        .args(FLAGS)
        .arg("-o")
        .arg(PathBuf::from(out).join("init"))
        .arg(SOURCE)
        .status()
        .map_err(|err| format!("run the C compiler \"{compiler}\" (CC): {err}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!(
            "compile {SOURCE} with \"{compiler}\" (CC): {status}"
        )),
    }
}

/// `cc`, or the usual name of a compiler for another machine.
fn default_compiler() -> String {
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    match env::var("HOST") {
        Ok(host) if !host.starts_with(&arch) => format!("{arch}-linux-gnu-gcc"),
        _ => "cc".to_owned(),
    }
}
