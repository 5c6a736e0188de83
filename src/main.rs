use std::process::ExitCode;

fn main() -> ExitCode {
    pod::cli::run(std::env::args_os().collect())
}
