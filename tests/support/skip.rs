//! How a test says that the host cannot do what it needs. Unit tests of the library use it too.

use std::fs::OpenOptions;
use std::io::Write;

/// Prints why a test, or a part of it, cannot run here. `scripts/test` compares these lines with `scripts/skips`.
pub fn skip(reason: &str) {
    let thread = std::thread::current();
    let line = format!("skipped: {}: {reason}\n", thread.name().unwrap_or("?"));
    // Not by a macro, whose output the test harness keeps to itself.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(list) = std::env::var_os("POD_TEST_SKIPS") {
        let file = OpenOptions::new().append(true).create(true).open(list);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the list of skips is writable");
    }
}
