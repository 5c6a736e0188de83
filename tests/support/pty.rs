//! A terminal for `-t` tests: the command gets the slave as its controlling terminal, the test holds the master.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use nix::pty::{Winsize, openpty};

use super::process::{Done, Running, TIMEOUT};

pub struct Terminal {
    master: std::fs::File,
    seen: Arc<(Mutex<(Vec<u8>, bool)>, Condvar)>,
    child: Option<Running>,
}

/// Printed by the shell when the command has ended (unit separator), as `printf` spells it and as it arrives.
pub const END_OCTAL: &str = "\\037";
const END: u8 = 0o37;

impl Terminal {
    /// Starts `command` on a new terminal of `rows` × `cols`; all its output arrives here. It must begin with
    /// `setsid --ctty`, which makes the terminal the controlling one without code between fork and exec.
    #[track_caller]
    pub fn start(mut command: Command, rows: u16, cols: u16) -> Self {
        let size = Winsize {
            ws_row: rows,
            ws_col: cols,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let pty = openpty(&size, None).expect("a pty is free");
        let slave = || pty.slave.try_clone().expect("a free descriptor");
        command.stdin(slave()).stdout(slave()).stderr(slave());
        let master = std::fs::File::from(pty.master);
        let seen = Arc::new((Mutex::new((Vec::new(), false)), Condvar::new()));
        let child = Running::start_as_is(command);
        drop(pty.slave);
        let (mut reader, shared) = (master.try_clone().expect("a free descriptor"), seen.clone());
        let mut answer = master.try_clone().expect("a free descriptor");
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            loop {
                // EIO: the last holder of the slave closed it.
                let got = reader.read(&mut chunk).unwrap_or(0);
                let end = chunk[..got].iter().position(|byte| *byte == END);
                let mut state = shared.0.lock().expect("reader never panics");
                state.0.extend_from_slice(&chunk[..end.unwrap_or(got)]);
                state.1 = got == 0 || end.is_some();
                shared.1.notify_all();
                if state.1 {
                    // The shell waits for this line. It is gone where a signal took all of the session.
                    let _ = answer.write_all(b"\n");
                    return;
                }
            }
        });
        Self {
            master,
            seen,
            child: Some(child),
        }
    }

    /// Types `text`.
    pub fn send(&mut self, text: impl AsRef<[u8]>) {
        self.master
            .write_all(text.as_ref())
            .expect("terminal takes input");
    }

    pub fn resize(&self, rows: u16, cols: u16) {
        use rustix::termios::{Winsize, tcsetwinsize};
        let size = Winsize {
            ws_row: rows,
            ws_col: cols,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.master, size).expect("the terminal takes a size");
    }

    /// Is the terminal in raw mode (no echo, no line editing)?
    pub fn is_raw(&self) -> bool {
        use rustix::termios::{LocalModes, tcgetattr};
        let modes = tcgetattr(&self.master)
            .expect("a terminal has modes")
            .local_modes;
        !modes.intersects(LocalModes::ECHO | LocalModes::ICANON)
    }

    /// Waits until the screen shows `text`; returns all of it.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        let deadline = Instant::now() + TIMEOUT;
        let mut state = self.seen.0.lock().expect("reader never panics");
        loop {
            let screen = String::from_utf8_lossy(&state.0).into_owned();
            if screen.contains(text) {
                return screen;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !state.1 && !left.is_zero(),
                "terminal never showed {text:?}, but:\n{screen}"
            );
            state = self
                .seen
                .1
                .wait_timeout(state, left)
                .expect("reader never panics")
                .0;
        }
    }

    /// Forgets what the screen showed so far.
    pub fn clear(&self) {
        self.seen.0.lock().expect("reader never panics").0.clear();
    }

    /// Waits for the command's end; `stdout` of the answer is the whole screen.
    #[track_caller]
    pub fn wait(mut self) -> Done {
        let mut done = self.child.take().expect("waited for once").wait();
        let bytes = &self.seen.0.lock().expect("reader never panics").0;
        done.stdout = String::from_utf8_lossy(bytes).into_owned();
        done
    }
}
