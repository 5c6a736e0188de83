//! Child processes of a test: started, fed, read line by line, waited for, and found again when orphaned.
//!
//! The test process is the subreaper of all it starts, so whatever a command leaves behind becomes its child and
//! can be listed ([`descendants`]). One thread reaps everything; nothing else may call `wait`.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

/// Longer than anything a test does on a loaded machine; whoever reaches it hangs.
pub const TIMEOUT: Duration = Duration::from_secs(60);
/// For tools that prepare a test: some install packages.
const TOOL_TIMEOUT: Duration = Duration::from_secs(600);

/// What a finished command answered.
pub struct Done {
    pub argv: String,
    /// Exit status, or 128+n when signal n killed the command.
    pub code: i32,
    /// The signal that killed the command.
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// Asserts success and returns stdout without its final newline.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self}");
        self.stdout.trim_end_matches('\n').to_owned()
    }

    /// Asserts the exit status.
    #[track_caller]
    pub fn code(self, want: i32) -> Self {
        assert_eq!(self.code, want, "{self}");
        self
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            argv,
            code,
            signal,
            stdout,
            stderr,
        } = self;
        writeln!(f, "$ {argv}")?;
        match signal {
            Some(n) => writeln!(f, "killed by signal {n}")?,
            None => writeln!(f, "exit status {code}")?,
        }
        write!(f, "--- stdout\n{stdout}\n--- stderr\n{stderr}\n---")
    }
}

/// A running child.
pub struct Running {
    pub argv: String,
    pub pid: Pid,
    stdin: Option<ChildStdin>,
    stdout: Option<Output>,
    stderr: Option<Output>,
}

impl Running {
    /// Starts `command` with its standard streams as pipes; stdin is `/dev/null` unless `input`.
    #[track_caller]
    pub fn start(mut command: Command, input: bool) -> Self {
        command.stdin(if input { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::start_as_is(command)
    }

    /// Starts `command` with the streams it was given.
    #[track_caller]
    pub fn start_as_is(mut command: Command) -> Self {
        let argv = words(&command);
        let reaper = Reaper::get();
        // Held over the spawn: a status that arrives now waits until its pid is known.
        let mut table = reaper.lock();
        #[expect(clippy::zombie_processes, reason = "the reaper waits for every child")]
        let mut child = command
            .spawn()
            .unwrap_or_else(|err| panic!("cannot start `{argv}`: {err}"));
        let pid = Pid::from_raw(child.id() as i32);
        table.statuses.insert(pid, None);
        table.spawned += 1;
        reaper.changed.notify_all();
        Self {
            argv,
            pid,
            stdin: child.stdin.take(),
            stdout: child.stdout.take().map(Output::collect),
            stderr: child.stderr.take().map(Output::collect),
        }
    }

    #[track_caller]
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("started with input");
        stdin
            .write_all(bytes.as_ref())
            .expect("child reads its stdin");
    }

    pub fn signal(&self, signal: Signal) {
        // It may have ended a moment ago; whoever cares looks at the status.
        let _ = kill(self.pid, signal);
    }

    /// Waits until stdout contains `text` and returns what was read so far.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_in(self.stdout.as_ref(), text)
    }

    /// Waits until stderr contains `text` and returns what was read so far.
    #[track_caller]
    pub fn wait_for_err(&self, text: &str) -> String {
        self.wait_in(self.stderr.as_ref(), text)
    }

    #[track_caller]
    fn wait_in(&self, output: Option<&Output>, text: &str) -> String {
        let output = output.expect("started with pipes");
        match output.wait_until(|seen| seen.contains(text)) {
            Ok(seen) => seen,
            Err(why) => panic!(
                "{why} while waiting for {text:?} of `{}`\n--- stdout\n{}\n--- stderr\n{}\n---",
                self.argv,
                self.stdout.as_ref().map(Output::seen).unwrap_or_default(),
                self.stderr.as_ref().map(Output::seen).unwrap_or_default(),
            ),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    pub fn is_running(&self) -> bool {
        matches!(Reaper::get().lock().statuses.get(&self.pid), Some(None))
    }

    /// Waits for the end and for both pipes to close; a child that takes longer than [`TIMEOUT`] is killed.
    #[track_caller]
    pub fn wait(self) -> Done {
        self.wait_within(TIMEOUT)
    }

    /// [`Running::wait`] with another limit.
    #[track_caller]
    fn wait_within(mut self, limit: Duration) -> Done {
        self.stdin = None;
        let (status, late) = match Reaper::get().wait(self.pid, limit) {
            Some(status) => (status, None),
            None => {
                let _ = kill(self.pid, Signal::SIGKILL);
                let status = Reaper::get()
                    .wait(self.pid, TIMEOUT)
                    .expect("killed child ends");
                (
                    status,
                    Some(format!("took longer than {limit:?} and was killed")),
                )
            }
        };
        let mut held = None;
        let mut text = |output: Option<Output>, name: &str| {
            let output = output?;
            if output.wait_end().is_err() {
                held = Some(format!("a process it left behind keeps its {name} open"));
            }
            Some(output.seen())
        };
        let stdout = text(self.stdout.take(), "stdout").unwrap_or_default();
        let stderr = text(self.stderr.take(), "stderr").unwrap_or_default();
        let done = Done {
            argv: self.argv.clone(),
            code: status
                .code()
                .unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            signal: status.signal(),
            stdout,
            stderr,
        };
        if let Some(why) = late.or(held) {
            panic!("{why}:\n{done}");
        }
        done
    }

    /// Kills the child and waits for its end.
    pub fn stop(&mut self) {
        if self.is_running() {
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = Reaper::get().wait(self.pid, TIMEOUT);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a tool the tests need, with its output in the panic when it fails.
#[track_caller]
pub fn tool<S: AsRef<std::ffi::OsStr>>(argv: impl IntoIterator<Item = S>) -> String {
    run(argv).ok()
}

#[track_caller]
pub fn run<S: AsRef<std::ffi::OsStr>>(argv: impl IntoIterator<Item = S>) -> Done {
    let mut argv = argv.into_iter();
    let mut command = Command::new(argv.next().expect("a program"));
    command.args(argv);
    Running::start(command, false).wait_within(TOOL_TIMEOUT)
}

/// What arrived on one pipe so far.
struct Output(Arc<(Mutex<Seen>, Condvar)>);

#[derive(Default)]
struct Seen {
    bytes: Vec<u8>,
    ended: bool,
}

impl Output {
    fn collect(mut pipe: impl Read + Send + 'static) -> Self {
        let shared = Arc::new((Mutex::new(Seen::default()), Condvar::new()));
        let writer = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut chunk = [0; 65536];
            loop {
                let got = pipe.read(&mut chunk).unwrap_or(0);
                let mut seen = writer.0.lock().expect("reader never panics");
                seen.bytes.extend_from_slice(&chunk[..got]);
                seen.ended = got == 0;
                writer.1.notify_all();
                if got == 0 {
                    return;
                }
            }
        });
        Self(shared)
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.0.0.lock().expect("reader never panics").bytes).into_owned()
    }

    fn wait_until(&self, found: impl Fn(&str) -> bool) -> Result<String, &'static str> {
        let deadline = Instant::now() + TIMEOUT;
        let mut seen = self.0.0.lock().expect("reader never panics");
        loop {
            let text = String::from_utf8_lossy(&seen.bytes).into_owned();
            if found(&text) {
                return Ok(text);
            }
            if seen.ended {
                return Err("end of output");
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err("timeout");
            }
            seen = self
                .0
                .1
                .wait_timeout(seen, left)
                .expect("reader never panics")
                .0;
        }
    }

    fn wait_end(&self) -> Result<(), &'static str> {
        match self.wait_until(|_| false) {
            Err("end of output") | Ok(_) => Ok(()),
            Err(other) => Err(other),
        }
    }
}

/// The thread that reaps, and the statuses of the children somebody will ask for.
struct Reaper {
    table: Mutex<Table>,
    changed: Condvar,
}

#[derive(Default)]
struct Table {
    /// Started by [`Running`]; `None` while it lives.
    statuses: HashMap<Pid, Option<ExitStatus>>,
    spawned: u64,
}

impl Reaper {
    fn get() -> &'static Self {
        static REAPER: OnceLock<Reaper> = OnceLock::new();
        static THREAD: OnceLock<()> = OnceLock::new();
        let reaper = REAPER.get_or_init(|| Self {
            table: Mutex::default(),
            changed: Condvar::new(),
        });
        THREAD.get_or_init(|| {
            nix::sys::prctl::set_child_subreaper(true).expect("Linux 3.4");
            std::thread::spawn(move || reaper.reap_forever());
        });
        reaper
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn reap_forever(&self) {
        loop {
            let spawned = self.lock().spawned;
            let (pid, raw) = match waitpid(None, None) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, code << 8),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, signal as i32),
                Err(nix::errno::Errno::ECHILD) => {
                    let mut table = self.lock();
                    while table.spawned == spawned {
                        table = self
                            .changed
                            .wait(table)
                            .unwrap_or_else(std::sync::PoisonError::into_inner);
                    }
                    continue;
                }
                _ => continue,
            };
            let mut table = self.lock();
            if let Some(slot) = table.statuses.get_mut(&pid) {
                *slot = Some(ExitStatus::from_raw(raw));
            }
            self.changed.notify_all();
        }
    }

    fn wait(&self, pid: Pid, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        let mut table = self.lock();
        loop {
            match table.statuses.get(&pid) {
                Some(Some(status)) => return Some(*status),
                Some(None) => {}
                None => panic!("pid {pid} was not started here"),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            table = self
                .changed
                .wait_timeout(table, left)
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .0;
        }
    }
}

/// Live processes below this one that no [`Running`] stands for (and that do not descend from such a one), with
/// their command lines.
pub fn descendants() -> BTreeMap<i32, String> {
    let known: Vec<i32> = {
        let table = Reaper::get().lock();
        let alive = table.statuses.iter().filter(|(_, status)| status.is_none());
        alive.map(|(pid, _)| pid.as_raw()).collect()
    };
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    let proc = std::fs::read_dir("/proc").expect("/proc is mounted");
    for pid in proc.filter_map(|e| e.ok()?.file_name().to_str()?.parse::<i32>().ok()) {
        if let Some((state, parent)) = state_and_parent(pid)
            && !matches!(state, 'Z' | 'X')
        {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = BTreeMap::new();
    let mut todo = vec![std::process::id() as i32];
    while let Some(parent) = todo.pop() {
        for &pid in children.get(&parent).into_iter().flatten() {
            if !known.contains(&pid) {
                found.insert(pid, command_line(pid));
                todo.push(pid);
            }
        }
    }
    found
}

/// All processes below `pid`, whoever started it.
pub fn below(pid: i32) -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    let proc = std::fs::read_dir("/proc").expect("/proc is mounted");
    for pid in proc.filter_map(|e| e.ok()?.file_name().to_str()?.parse::<i32>().ok()) {
        if let Some((_, parent)) = state_and_parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut todo = vec![pid];
    while let Some(parent) = todo.pop() {
        for &pid in children.get(&parent).into_iter().flatten() {
            found.push(pid);
            todo.push(pid);
        }
    }
    found
}

/// Tells whether `pid` runs: it is there and no zombie.
pub fn is_alive(pid: i32) -> bool {
    state_and_parent(pid).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

/// Waits until `pid` is in this state (`T`: stopped).
#[track_caller]
pub fn wait_state(pid: i32, want: char) {
    let deadline = Instant::now() + TIMEOUT;
    while state_and_parent(pid).map(|(state, _)| state) != Some(want) {
        assert!(
            Instant::now() < deadline,
            "process {pid} does not become {want}"
        );
        std::thread::yield_now();
    }
}

/// Waits until process `pid` is gone.
#[track_caller]
pub fn wait_gone(pid: i32) {
    assert!(
        gone_within(pid, TIMEOUT),
        "process {pid} ({}) stays",
        command_line(pid)
    );
}

/// Tells whether `pid` ends within `limit`.
pub fn gone_within(pid: i32, limit: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let Some(handle) = rustix::process::Pid::from_raw(pid) else {
        return true;
    };
    let flags = rustix::process::PidfdFlags::empty();
    let Ok(pidfd) = rustix::process::pidfd_open(handle, flags) else {
        return true;
    };
    let limit = Timespec {
        tv_sec: limit.as_secs().try_into().expect("a short time"),
        tv_nsec: limit.subsec_nanos().into(),
    };
    let mut fds = [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
    poll(&mut fds, Some(&limit)).is_ok_and(|ready| ready == 1)
}

pub fn kill_pid(pid: i32) {
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}

/// Fields 3 and 4 of `/proc/PID/stat` (proc_pid_stat(5)).
fn state_and_parent(pid: i32) -> Option<(char, i32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

pub fn command_line(pid: i32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .replace('\0', " ")
        .trim_end()
        .to_owned()
}

fn words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|w| w.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
