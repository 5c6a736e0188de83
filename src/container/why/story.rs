//! How a container ended, or why it never began.

use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::rootless::worker::{self, WorkerOpts};
use crate::storage::pack;

use super::super::end::{Asked, End, EndedBy};
use super::super::engine::Container;
use super::super::record::{Record, Status};
use super::super::request::MountRequest;
use super::super::signal;
use super::program::{self, Fault, Wanted};
use super::words::{self, Told};
use super::{By, Cause, Why, kernel, logs};

/// Exit statuses of shells and loaders that could not run a program.
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

pub fn tell(container: &Container, why: &mut Why) {
    let state = &container.state;
    let failed_start = !state.error.is_empty() && state.error_kind.is_some();
    if failed_start {
        of_failed_start(container, why);
    }
    if state.status == Status::Created {
        if !failed_start {
            why.explanation = format!(
                "it was made at {} and never started.",
                container.record.created
            );
            why.remedy = format!("pod start {}", why.name);
        }
        return;
    }
    why.finished_at = state.finished_at.clone().unwrap_or_default();
    let end = state.end.clone().unwrap_or_default();
    why.by = end
        .asked
        .as_ref()
        .map(|asked| By::of(asked, &container.engine.me));
    why.core_dumped = end.core;
    if end.signal != 0 {
        why.signal = signal::name(end.signal);
    }
    let seen = !matches!(end.by, EndedBy::MonitorDied | EndedBy::Reboot);
    why.exit_code = seen.then_some(state.exit_code);
    if failed_start {
        why.explanation += &format!(" Its run before that ended at {}.", why.finished_at);
        return;
    }
    let story = Story {
        container,
        end: &end,
        lines: &why.log,
    };
    let told = story.tell();
    why.cause = told.cause;
    why.oom_killed |= told.cause == Cause::Oom;
    why.explanation = told.what;
    why.remedy = told.remedy;
    let policy = container.record.request.restart;
    let times = state.restart_count;
    if state.status == Status::Restarting {
        why.cause = Cause::Restarting;
        why.explanation += &format!(
            " Its restart policy ({}) starts it again after a rest; it did so {times} times.",
            policy.word()
        );
    } else if times > 0 && end.by != EndedBy::User {
        why.explanation += &format!(
            " Its restart policy ({}) had started it again {times} times and does so no more.",
            policy.word()
        );
    }
}

/// An error that `start` gave, with what the tree tells beyond it.
fn of_failed_start(container: &Container, why: &mut Why) {
    let state = &container.state;
    why.cause = Cause::StartFailed;
    why.explanation = format!("it could not be started: {}.", state.error);
    why.remedy.clone_from(&state.error_hint);
    why.error.clone_from(&state.error);
    if !matches!(
        state.error_kind,
        Some(Kind::CommandNotFound | Kind::NotExecutable)
    ) {
        return;
    }
    if let Some(told) = told_of_program(container) {
        why.cause = told.cause;
        why.explanation = format!("it could not be started: {}.", told.what);
        why.remedy = told.remedy;
    }
}

/// What is wrong with the program, in words.
pub fn told_of_program(container: &Container) -> Option<Told> {
    let program = container.record.process.args.first()?;
    Some(words::of(&fault(container).ok().flatten()?, program))
}

impl Container {
    /// Adds the remedy to an error of `start` or `run` whose reason is in the container's tree.
    pub(in crate::container) fn explain(&self, err: Error) -> Error {
        let of_program = matches!(err.kind(), Kind::CommandNotFound | Kind::NotExecutable);
        if !of_program || err.remedy().is_some() {
            return err;
        }
        match told_of_program(self) {
            Some(told) if told.remedy.is_empty() => err.hint(told.what),
            Some(told) => err.hint(format!("{}; {}", told.what, told.remedy)),
            None => err,
        }
    }
}

fn fault(container: &Container) -> Result<Option<Fault>> {
    let tree = container.tree();
    let wanted = wanted(&container.record);
    worker::run(&container.host_maps()?, WorkerOpts { mounts: true }, || {
        let dirs: Vec<&Path> = tree
            .upper
            .iter()
            .chain(&tree.layers)
            .map(PathBuf::as_path)
            .collect();
        let root = pack::open_merged(&dirs)?;
        Ok(program::examine(&root, &wanted))
    })
}

fn wanted(record: &Record) -> Wanted {
    let process = &record.process;
    let variable = |name: &str| {
        let value = |text: &String| Some(text.strip_prefix(name)?.strip_prefix('=')?.to_owned());
        process.env.iter().find_map(value).unwrap_or_default()
    };
    let mounts = record
        .request
        .mounts
        .iter()
        .filter_map(|mount| match mount {
            MountRequest::Bind { target, .. } | MountRequest::Volume { target, .. } => {
                Some(target.clone())
            }
            _ => None,
        });
    let volumes = record.volumes.iter().map(|volume| volume.target.clone());
    Wanted {
        program: process.args.first().cloned().unwrap_or_default(),
        path: variable("PATH"),
        library_path: variable("LD_LIBRARY_PATH"),
        // One that nobody named is made when it is missing.
        cwd: match &record.request.workdir {
            Some(cwd) => cwd.clone(),
            None => "/".to_owned(),
        },
        user: process.user.clone(),
        covered: mounts.chain(volumes).collect(),
    }
}

struct Story<'a> {
    container: &'a Container,
    end: &'a End,
    lines: &'a [String],
}

impl Story<'_> {
    fn tell(&self) -> Told {
        let state = &self.container.state;
        let when = state.finished_at.as_deref().unwrap_or("an unknown time");
        let out_of_memory = state.oom_killed
            || (self.end.signal == libc::SIGKILL
                && self.end.by != EndedBy::User
                && kernel::killed_for_memory(self.end.pid, state.pid_start));
        let mut told = match self.end.by {
            _ if out_of_memory => self.memory(),
            EndedBy::Timeout => Told {
                cause: Cause::Timeout,
                what: format!(
                    "its time was over: --timeout gave it {} seconds, then it was killed",
                    self.container.record.request.timeout.unwrap_or(0)
                ),
                remedy: "give it more with --timeout, or none".to_owned(),
            },
            EndedBy::Health => Told {
                cause: Cause::Health,
                what: match self.end.detail.as_str() {
                    "" => "its health check failed too often, and --health-on-failure ended it".to_owned(),
                    detail => format!("its health check failed too often, and --health-on-failure ended it; the last check said: {detail}"),
                },
                remedy: "pod inspect --format json CONTAINER shows all checks under State.Health".to_owned(),
            },
            EndedBy::MonitorDied => Told {
                cause: Cause::MonitorDied,
                what: "nobody saw how it ended: its monitor was killed first, and its exit status is lost".to_owned(),
                remedy: "do not kill processes called pod; the out-of-memory killer of the kernel may have done so (dmesg)".to_owned(),
            },
            EndedBy::Reboot => Told {
                cause: Cause::Reboot,
                what: "the machine went down or was started again while it ran; its exit status is lost".to_owned(),
                remedy: format!("start it again: pod start {}", self.container.record.name),
            },
            EndedBy::User => self.asked(),
            EndedBy::Itself if self.end.signal != 0 => self.signal(),
            EndedBy::Itself => self.exit(),
        };
        let code = state.exit_code;
        let status = match self.end.by {
            EndedBy::MonitorDied | EndedBy::Reboot => format!("its end was noticed at {when}"),
            _ => format!("it ended at {when} with status {code}"),
        };
        let mut text = format!("{status}: {}.", told.what);
        if self.end.core {
            text += " The kernel wrote a core dump.";
        }
        if self.end.helper_died {
            text += " Its network helper had ended before it.";
        }
        if told.cause == Cause::Finished && told.remedy.is_empty() && self.end.helper_died {
            "look why pasta or slirp4netns ended: pod logs, dmesg".clone_into(&mut told.remedy);
        }
        told.what = text;
        told
    }

    fn memory(&self) -> Told {
        let evidence = match self.container.state.oom_killed {
            true => "its cgroup counted an out-of-memory kill",
            false => "the log of the kernel names its first process",
        };
        Told {
            cause: Cause::Oom,
            what: format!("the kernel killed it for want of memory ({evidence})"),
            remedy: "give it more with --memory, or make it use less".to_owned(),
        }
    }

    /// A command of ours wanted it.
    fn asked(&self) -> Told {
        let none = Asked::default();
        let asked = self.end.asked.as_ref().unwrap_or(&none);
        let by = By::of(asked, &self.container.engine.me);
        let ended = match (self.end.signal, by.signal.as_str()) {
            (0, sent) => format!("it ended by itself after {sent}"),
            (signal, _) => format!("{} ended it", signal::name(signal)),
        };
        let parent = match by.parent.as_str() {
            "" => String::new(),
            parent => format!(", run by {parent}"),
        };
        let what = match by.command.as_str() {
            "" => format!("{ended}, and a command of pod had asked for that"),
            command => format!(
                "{ended}, which `pod {command}` of user {} (process {}{parent}) had asked for at {}",
                by.user, by.pid, by.at
            ),
        };
        let ignored = self.end.signal == libc::SIGKILL
            && matches!(asked.command.as_str(), "stop" | "restart")
            && self.container.record.stop_signal != libc::SIGKILL
            && self.container.record.stop_timeout > 0;
        Told {
            cause: Cause::Stopped,
            what,
            remedy: match ignored {
                true => format!(
                    "if {} should have been enough: pid 1 gets only signals it has a handler for; --init or --stop-signal helps",
                    signal::name(self.container.record.stop_signal)
                ),
                false => String::new(),
            },
        }
    }

    /// Nobody of ours sent it.
    fn signal(&self) -> Told {
        let name = signal::name(self.end.signal);
        let limit = |limit: &str| {
            let limits = &self.container.record.request.ulimits;
            limits
                .iter()
                .any(|ulimit| ulimit.name.to_lowercase().trim_start_matches("rlimit_") == limit)
        };
        let (cause, reason, remedy) = match self.end.signal {
            libc::SIGXCPU => (
                Cause::Limit,
                "it used up its processor time",
                "raise --ulimit cpu",
            ),
            libc::SIGXFSZ => (
                Cause::Limit,
                "it wanted to write a larger file than it may",
                "raise --ulimit fsize",
            ),
            libc::SIGKILL if limit("cpu") => (
                Cause::Signal,
                "no command of pod sent it: another process did, or the kernel, perhaps for its limit of processor time (--ulimit cpu)",
                "raise --ulimit cpu",
            ),
            libc::SIGKILL => (
                Cause::Signal,
                "no command of pod sent it: another process of this user or of root did, or the kernel itself",
                "dmesg, as root, tells whether the kernel ran out of memory",
            ),
            libc::SIGSEGV | libc::SIGBUS => (
                Cause::Signal,
                "it touched memory that it does not have",
                "a defect of the program, or an image for another processor",
            ),
            libc::SIGILL => (
                Cause::Signal,
                "it used an instruction that this processor does not know",
                "the program wants a newer processor: use a build for an older one",
            ),
            libc::SIGABRT => (
                Cause::Signal,
                "it gave up by itself (abort)",
                "its last lines say why",
            ),
            libc::SIGFPE => (
                Cause::Signal,
                "it divided by zero or the like",
                "a defect of the program",
            ),
            libc::SIGSYS => (
                Cause::Signal,
                "a system call was refused by a seccomp filter",
                "--security-opt seccomp=FILE allows it",
            ),
            libc::SIGPIPE => (Cause::Signal, "nobody read its output any more", ""),
            _ => (
                Cause::Signal,
                "no command of pod sent it: the program itself or another process did",
                "",
            ),
        };
        Told {
            cause,
            what: format!("{name} ended it, {reason}"),
            remedy: remedy.to_owned(),
        }
    }

    /// It exited by itself.
    fn exit(&self) -> Told {
        let code = self.container.state.exit_code;
        if code == 0 {
            return Told {
                cause: Cause::Finished,
                what: "its program was done".to_owned(),
                remedy: String::new(),
            };
        }
        if let Some(library) = logs::missing_library(self.lines) {
            return Told {
                cause: Cause::NoLibrary,
                what: format!(
                    "the loader did not find the library {library:?}, so the program never began"
                ),
                remedy: format!("install the package with {library} in the image"),
            };
        }
        if let Some(line) = logs::wrong_library_version(self.lines) {
            return Told {
                cause: Cause::NoLibrary,
                what: format!("the loader refused the program ({line})"),
                remedy: "the program was built for a newer C library than the image has: use a newer image, or build it there".to_owned(),
            };
        }
        let mut failed = Told {
            cause: Cause::Failed,
            what: "its program ended by itself".to_owned(),
            remedy: String::new(),
        };
        match code {
            NOT_FOUND | NOT_EXECUTABLE => {
                // ld.so says 127 too: where no log is kept, the tree tells.
                if self.lines.is_empty()
                    && let Some(told) = told_of_program(self.container)
                        .filter(|told| told.cause == Cause::NoLibrary)
                {
                    return told;
                }
                match logs::missing_command(self.lines) {
                    Some(word) => {
                        failed.what = format!("its shell did not find the command {word:?}");
                        failed.remedy = format!("install {word} in the image, or mend the script");
                    }
                    None if code == NOT_FOUND => {
                        "its program ended by itself; shells say 127 of a command they did not find".clone_into(&mut failed.what);
                    }
                    None => {
                        "its program ended by itself; shells say 126 of a file they could not execute".clone_into(&mut failed.what);
                    }
                }
            }
            129..=192 => {
                failed.what = format!(
                    "its program ended by itself; {code} is what shells say of a program that {} ended",
                    signal::name(code - 128)
                );
            }
            _ => {}
        }
        if let (Some((line, remedy)), "") =
            (logs::known_complaint(self.lines), failed.remedy.as_str())
        {
            failed.what += &format!("; it had said {line:?}");
            remedy.clone_into(&mut failed.remedy);
        }
        if failed.remedy.is_empty() {
            failed.remedy = format!(
                "its last lines may say why: pod logs {}",
                self.container.record.name
            );
        }
        failed
    }
}
