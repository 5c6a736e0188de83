//! What the black-box tests share: homes, registries, images, terminals, networks.
//!
//! Tests run as root; `pod` runs as a real unprivileged user (`scripts/setup` makes them), which one is the lane's
//! choice (`POD_TEST_LANE`, see `scripts/test`).

pub mod family;
pub mod faults;
pub mod fsck;
pub mod hostile;
pub mod images;
pub mod leftovers;
pub mod network;
pub mod place;
pub mod process;
pub mod proxy;
pub mod pty;
pub mod registry;
mod skip;
pub mod tarball;

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use nix::unistd::User;

pub use leftovers::Snapshot;
pub use process::{Done, Running};
pub use pty::Terminal;
pub use registry::Registry;
pub use skip::skip;

/// Everything the tests put outside of `target/`. Short, because sockets lie below it.
const BASE: &str = "/var/tmp/pod-test";

/// Which host the tests play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A user with subordinate ids.
    Subid,
    /// A user without any: the HPC case.
    Bare,
    /// As `Subid`, below a pure cgroup v2 tree with a directory of the user's own.
    Cgroup2,
}

pub fn lane() -> Lane {
    match std::env::var("POD_TEST_LANE").as_deref() {
        Err(_) | Ok("subid") => Lane::Subid,
        Ok("bare") => Lane::Bare,
        Ok("cgroup2") => Lane::Cgroup2,
        Ok(other) => panic!("POD_TEST_LANE={other}: expected subid, bare or cgroup2"),
    }
}

/// One user's own HOME, store and runtime directory; checks on drop that nothing is left, then removes it.
pub struct TestHome {
    pub dir: PathBuf,
    pub user: User,
    /// Words put before `pod`, such as `nsenter --net=…`.
    prefix: Vec<String>,
    env: Vec<(String, String)>,
    registry: Option<Registry>,
    /// Under `cargo test` all tests share a process: one home at a time, or the process list means nothing.
    _alone: MutexGuard<'static, ()>,
}

impl TestHome {
    /// An empty home of the lane's user, without any registry.
    #[track_caller]
    pub fn new() -> Self {
        let name = match lane() {
            Lane::Subid | Lane::Cgroup2 => "pod-test",
            Lane::Bare => "pod-bare",
        };
        Self::of(name)
    }

    /// A home of the user without subordinate ids, in every lane.
    #[track_caller]
    pub fn bare() -> Self {
        Self::of("pod-bare")
    }

    #[track_caller]
    fn of(name: &str) -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(
            nix::unistd::geteuid().is_root(),
            "the black-box tests need root: sudo make test"
        );
        let user = User::from_name(name).ok().flatten();
        let user = user.unwrap_or_else(|| panic!("no user {name}: run scripts/setup first"));
        let dir = make_home_dir(&user);
        let home = Self {
            dir,
            user,
            prefix: Vec::new(),
            env: Vec::new(),
            registry: None,
            _alone: alone,
        };
        for part in ["home", "run", "tmp"] {
            home.mkdir(part);
        }
        home
    }

    /// A home whose registries.conf leads `docker.io` and `localhost:5000` to a registry that serves the shared
    /// images (`busybox`, `nginx`, …).
    #[track_caller]
    pub fn with_registry() -> Self {
        Self::new().served_by(Registry::shared())
    }

    /// Leads `docker.io` to `registry`, which lives as long as the home.
    #[must_use]
    pub fn served_by(mut self, registry: Registry) -> Self {
        self.trust(&registry.address());
        self.registry = Some(registry);
        self
    }

    /// [`TestHome::with_registry`] with `busybox` pulled.
    #[track_caller]
    pub fn with_busybox() -> Self {
        let home = Self::with_registry();
        home.pod(["pull", "-q", "busybox"]).ok();
        home
    }

    /// [`TestHome::with_registry`] with `nginx` pulled.
    #[track_caller]
    pub fn with_nginx() -> Self {
        let home = Self::with_registry();
        home.pod(["pull", "-q", "nginx"]).ok();
        home
    }

    /// Writes a registries.conf by which bare names and docker.io mean the registry at `address`, over plain HTTP.
    pub fn trust(&self, address: &str) {
        self.write(
            "home/.config/containers/registries.conf",
            &format!(
                "unqualified-search-registries = [\"docker.io\"]\nshort-name-mode = \"disabled\"\n\n\
                 [[registry]]\nprefix = \"docker.io/library\"\nlocation = \"{address}\"\ninsecure = true\n\n\
                 [[registry]]\nlocation = \"{address}\"\ninsecure = true\n"
            ),
        );
    }

    /// Address of the home's own registry, `127.0.0.1:PORT`.
    pub fn registry(&self) -> String {
        self.registry
            .as_ref()
            .expect("made with a registry")
            .address()
    }

    /// Runs every further command behind these words (`nsenter`, `unshare` …). They run as root, and lead to
    /// `setpriv`, which turns into the user.
    #[must_use]
    pub fn behind<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.prefix = words.into_iter().map(Into::into).collect();
        self
    }

    /// Hides host files from `pod`: a regular file reads as an empty one that cannot run, a directory is empty.
    #[must_use]
    pub fn hiding(self, paths: &[&str]) -> Self {
        let mut script = String::from("set -e; mount --make-rprivate /; ");
        for path in paths {
            let source = if Path::new(path).is_dir() {
                fs::create_dir_all(format!("{BASE}/nothing")).expect("base is writable");
                format!("{BASE}/nothing")
            } else {
                "/dev/null".to_owned()
            };
            script += &format!("mount --bind {source} {path}; ");
        }
        script += "exec \"$@\"";
        self.behind(["unshare", "--mount", "sh", "-c", &script, "sh"])
    }

    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The command `pod ARGS` as the user, with the home's environment and nothing else.
    pub fn command<S: Into<String>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        self.command_of(pod_binary(), args)
    }

    fn command_of<S: Into<String>>(
        &self,
        program: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut words = self.prefix.clone();
        if !words.is_empty() {
            let ids = [
                ("reuid", self.user.uid.as_raw()),
                ("regid", self.user.gid.as_raw()),
            ];
            words.push("setpriv".into());
            words.extend(ids.map(|(flag, id)| format!("--{flag}={id}")));
            words.push("--clear-groups".into());
        }
        words.push(program.display().to_string());
        words.extend(args.into_iter().map(Into::into));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(self.path("home"));
        if self.prefix.is_empty() {
            command
                .uid(self.user.uid.as_raw())
                .gid(self.user.gid.as_raw());
        }
        command.env_clear();
        command.env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        );
        command
            .env("HOME", self.path("home"))
            .env("XDG_RUNTIME_DIR", self.path("run"));
        command
            .env("TMPDIR", self.path("tmp"))
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC");
        command
            .env("USER", &self.user.name)
            .env("LOGNAME", &self.user.name);
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Runs `pod ARGS` to its end.
    #[track_caller]
    pub fn pod<S: Into<String>>(&self, args: impl IntoIterator<Item = S>) -> Done {
        Running::start(self.command(args), false).wait()
    }

    /// Runs `pod ARGS` with `input` on stdin.
    #[track_caller]
    pub fn pod_with_input<S: Into<String>>(
        &self,
        args: impl IntoIterator<Item = S>,
        input: &str,
    ) -> Done {
        let mut running = Running::start(self.command(args), true);
        running.write(input);
        running.wait()
    }

    /// The command `program ARGS` as the user, with the home's environment and nothing else.
    pub fn user_command<S: Into<String>>(
        &self,
        program: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> Command {
        self.command_of(program, args)
    }

    /// Starts `pod ARGS` and goes on; stdin is a pipe.
    #[track_caller]
    pub fn spawn<S: Into<String>>(&self, args: impl IntoIterator<Item = S>) -> Running {
        Running::start(self.command(args), true)
    }

    /// Starts `pod ARGS` on a terminal of 24 × 80, below a shell that leads the session as a user's does: the end of
    /// a leader discards what nobody has read yet. The shell tells the end and stays until it is answered.
    #[track_caller]
    pub fn terminal<S: Into<String>>(&self, args: impl IntoIterator<Item = S>) -> Terminal {
        let pod = pod_binary().display().to_string();
        let script = format!(
            "\"$@\"; status=$?; printf '{}'; read answer; exit $status",
            pty::END_OCTAL
        );
        let words = ["--ctty", "sh", "-c", &script, "sh", &pod]
            .map(str::to_owned)
            .into_iter()
            .chain(args.into_iter().map(Into::into));
        let mut command = self.command_of(Path::new("setsid"), words);
        command.env("TERM", "xterm");
        Terminal::start(command, 24, 80)
    }

    /// Runs a shell script as the user; `$POD` is the binary.
    #[track_caller]
    pub fn sh(&self, script: &str) -> Done {
        self.spawn_sh(script).wait()
    }

    /// Starts a shell script as the user and goes on.
    #[track_caller]
    pub fn spawn_sh(&self, script: &str) -> Running {
        let mut command = self.command_of(Path::new("/bin/sh"), ["-c", script]);
        command.env("POD", pod_binary());
        Running::start(command, false)
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.join(below)
    }

    /// Makes a directory of the user's below the home, parents too.
    pub fn mkdir(&self, below: &str) -> PathBuf {
        let path = self.path(below);
        let mut made = self.dir.clone();
        for part in Path::new(below) {
            made.push(part);
            if !made.exists() {
                fs::DirBuilder::new()
                    .mode(0o700)
                    .create(&made)
                    .expect("home is writable");
                self.give(&made);
            }
        }
        path
    }

    /// Writes a file of the user's below the home.
    pub fn write(&self, below: &str, text: &str) -> PathBuf {
        let path = self.path(below);
        let parent = Path::new(below)
            .parent()
            .and_then(Path::to_str)
            .unwrap_or_default();
        self.mkdir(parent);
        fs::write(&path, text).expect("home is writable");
        self.give(&path);
        path
    }

    pub fn give(&self, path: &Path) {
        chown(
            path,
            Some(self.user.uid.as_raw()),
            Some(self.user.gid.as_raw()),
        )
        .expect("root may chown");
    }

    /// Runs `sh -c SCRIPT` in a busybox without network, with `flags` of `run`; returns what it printed.
    #[track_caller]
    pub fn inside(&self, flags: &[&str], script: &str) -> String {
        let fixed = ["run", "--rm", "--network=none"];
        let words = fixed.iter().chain(flags).copied();
        self.pod(words.chain(["busybox", "sh", "-c", script])).ok()
    }

    /// What `inspect --format` says of a container.
    #[track_caller]
    pub fn inspect(&self, container: &str, format: &str) -> String {
        self.pod(["inspect", "--format", format, container]).ok()
    }

    /// Host pid of a running container's first process.
    #[track_caller]
    pub fn pid_of(&self, container: &str) -> i32 {
        self.inspect(container, "{{.State.Pid}}")
            .parse()
            .expect("a number")
    }
}

impl Default for TestHome {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TestHome {
    fn drop(&mut self) {
        self.prefix.clear(); // cleaning up must work on the plain host
        let left = if std::thread::panicking() {
            Vec::new()
        } else {
            self.find_leftovers()
        };
        // Killing a monitor may set free further processes: until none is left.
        for _ in 0..10 {
            let rest = process::descendants();
            if rest.is_empty() {
                break;
            }
            for (pid, _) in rest {
                process::kill_pid(pid);
                process::gone_within(pid, Duration::from_secs(5));
            }
        }
        let _ = process::run([Path::new("rm"), Path::new("-rf"), &self.dir]);
        assert!(left.is_empty(), "left over:\n{}", left.join("\n"));
    }
}

fn make_home_dir(user: &User) -> PathBuf {
    let dir = make_scratch("home");
    chown(&dir, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("root may chown");
    dir
}

/// A new directory below [`BASE`], which users can walk through.
pub fn make_scratch(kind: &str) -> PathBuf {
    fs::create_dir_all(BASE).expect("/var/tmp is writable");
    for n in 0.. {
        let dir = PathBuf::from(format!("{BASE}/{}-{n}-{kind}", std::process::id()));
        match fs::DirBuilder::new().mode(0o755).create(&dir) {
            Ok(()) => return dir,
            Err(err) if err.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(err) => panic!("{}: {err}", dir.display()),
        }
    }
    unreachable!()
}

/// [`make_scratch`]'s directory, removed when the test ends.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(kind: &str) -> Self {
        Self(make_scratch(kind))
    }
}

impl std::ops::Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // `scripts/test` finds what stays
    }
}

/// The binary under test at a place every user can reach; the build directory often is not.
///
/// `POD_TEST_BINARY` names another one, such as the static release build.
pub fn pod_binary() -> &'static Path {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    COPY.get_or_init(|| {
        let built = std::env::var_os("POD_TEST_BINARY")
            .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_pod")), PathBuf::from);
        let meta = fs::metadata(&built).unwrap_or_else(|e| panic!("{}: {e}", built.display()));
        let dir = PathBuf::from(format!(
            "{BASE}/bin/{}-{}-{}",
            meta.ino(),
            meta.mtime(),
            meta.size()
        ));
        let copy = dir.join("pod");
        if !copy.exists() {
            fs::create_dir_all(&dir).expect("/var/tmp is writable");
            let mine = dir.join(format!("pod.{}", std::process::id()));
            fs::copy(&built, &mine).expect("room for a copy of the binary");
            fs::set_permissions(&mine, fs::Permissions::from_mode(0o755)).expect("own file");
            fs::rename(&mine, &copy).expect("same directory");
        }
        copy
    })
}

/// A directory below `target/` that keeps what is expensive to make from one run to the next.
pub fn cache_dir() -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_pod"));
    let target = built.ancestors().find(|p| p.join("CACHEDIR.TAG").exists());
    let dir = target
        .expect("cargo marks its target directory")
        .join("test-cache");
    fs::create_dir_all(&dir).expect("target is writable");
    dir
}

/// Calls `make` once, in whichever process comes first, to fill `cache_dir()/name`; `make` gets a scratch path.
pub fn cached(name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let path = cache_dir().join(name);
    if path.exists() {
        return path;
    }
    let lock =
        fs::File::create(cache_dir().join(format!("{name}.lock"))).expect("cache is writable");
    lock.lock().expect("a local file system locks");
    if !path.exists() {
        let scratch = cache_dir().join(format!("{name}.part"));
        tool([Path::new("rm"), Path::new("-rf"), &scratch]);
        make(&scratch);
        fs::rename(&scratch, &path).expect("same directory");
    }
    path
}

pub use process::tool;
