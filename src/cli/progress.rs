//! Draws a pull on stderr: bars on a terminal, Podman's lines otherwise.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::Result;
use crate::image::{BlobKind, Event, Progress, Silent};
use crate::storage::Digest;

use super::output::{self, escape};
use super::prompt;

/// Refreshes a second: more only costs the puller time.
const RATE: u8 = 10;

/// The drawing that fits: none with `-q`.
pub fn renderer(quiet: bool) -> Box<dyn Progress> {
    if quiet {
        Box::new(Quiet(Silent))
    } else if std::io::stderr().is_terminal() {
        Box::new(Bars::new())
    } else {
        Box::new(Lines)
    }
}

/// `-q`: warnings only.
struct Quiet(Silent);

impl Progress for Quiet {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Warning { text } => output::warn(text),
            other => self.0.event(other),
        }
    }

    fn choose(&mut self, names: &[String]) -> Result<Option<usize>> {
        choose(names)
    }
}

/// Asks on the terminal, where stdin and stderr are one.
fn choose(names: &[String]) -> Result<Option<usize>> {
    match std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        true => prompt::choice("Please select an image:", names).map(Some),
        false => Ok(None),
    }
}

/// One line an event, as Podman writes them when stderr is no terminal.
struct Lines;

impl Progress for Lines {
    fn event(&mut self, event: &Event<'_>) {
        if let Some(text) = line_of(event) {
            // Progress that cannot be written is no reason to stop the pull.
            let _ = writeln!(std::io::stderr(), "{}", escape::line(&text));
        } else {
            warn_of(event);
        }
    }
}

fn line_of(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Resolved { why, .. } => (*why).to_owned(),
        Event::Trying { from } => format!("Trying to pull {from}..."),
        Event::BlobStarted {
            digest,
            kind: BlobKind::Config,
            ..
        }
        | Event::BlobPresent {
            digest,
            kind: BlobKind::Config,
        } => format!("Copying config {digest}"),
        Event::BlobStarted {
            digest, have: 0, ..
        } => format!("Copying blob {digest}"),
        Event::BlobStarted {
            digest, have, size, ..
        } => format!(
            "Copying blob {digest} from {} of {}",
            output::human::size(*have, 3),
            output::human::size(*size, 3)
        ),
        Event::BlobPresent { digest, .. } => {
            format!("Copying blob {digest} skipped: already exists")
        }
        Event::BlobFetched {
            digest,
            kind: BlobKind::Config,
        } => format!("Copying config {digest}"),
        Event::GettingSource => "Getting image source signatures".to_owned(),
        Event::BlobMounted { digest, from } => {
            format!("Copying blob {digest} skipped: mounted from {from}")
        }
        Event::Step { text } => (*text).to_owned(),
        Event::WritingManifest => "Writing manifest to image destination".to_owned(),
        _ => return None,
    })
}

fn warn_of(event: &Event<'_>) {
    match event {
        Event::Warning { text } => output::warn(text),
        Event::TriedInVain { from, why } => {
            output::warn(&format!("{from} failed, trying the next: {why}"))
        }
        Event::Retrying { why, wait, .. } => {
            output::warn(&format!(
                "Failed, retrying in {}... Error: {why}",
                seconds(*wait)
            ));
        }
        _ => {}
    }
}

fn seconds(wait: Duration) -> String {
    format!("{:.1}s", wait.as_secs_f64())
}

/// One bar a blob, drawn by the pulling thread itself: no thread may exist when a worker is forked.
struct Bars {
    all: MultiProgress,
    bars: HashMap<Digest, ProgressBar>,
}

impl Bars {
    fn new() -> Self {
        Self {
            all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(RATE)),
            bars: HashMap::new(),
        }
    }

    fn start(&mut self, digest: &Digest, kind: BlobKind, size: u64, have: u64) -> &ProgressBar {
        let name = match kind {
            BlobKind::Layer => format!("Copying blob {}", short(digest)),
            BlobKind::Config => format!("Copying config {}", short(digest)),
        };
        let style =
            ProgressStyle::with_template("{prefix} [{bar:30}] {bytes} / {total_bytes} {msg}");
        let bar = ProgressBar::new(size);
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(name);
        let bar = self.all.add(bar);
        bar.set_position(have);
        self.bars.entry(*digest).or_insert(bar)
    }
}

impl Progress for Bars {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::BlobStarted {
                digest,
                kind,
                size,
                have,
            } => {
                self.start(digest, *kind, *size, *have);
            }
            Event::BlobProgress { digest, done } => {
                if let Some(bar) = self.bars.get(digest) {
                    bar.set_position(*done);
                }
            }
            Event::BlobFetched {
                digest,
                kind: BlobKind::Layer,
            } => {
                if let Some(bar) = self.bars.get(digest) {
                    bar.set_message("unpacking");
                }
            }
            Event::LayerUnpacked { digest }
            | Event::BlobSent {
                digest,
                kind: BlobKind::Layer,
            } => {
                if let Some(bar) = self.bars.get(digest) {
                    bar.finish_with_message("done");
                }
            }
            other => {
                if let Some(text) = line_of(other) {
                    let _ = self.all.println(escape::line(&text)); // as above: a lost line is no failure
                } else {
                    self.all.suspend(|| warn_of(other));
                }
            }
        }
    }

    fn choose(&mut self, names: &[String]) -> Result<Option<usize>> {
        self.all.suspend(|| choose(names))
    }
}

/// Bars of a failed pull stay as they are, so that the error stands below them.
impl Drop for Bars {
    fn drop(&mut self) {
        for bar in self.bars.values().filter(|bar| !bar.is_finished()) {
            bar.abandon();
        }
    }
}

fn short(digest: &Digest) -> String {
    digest.hex()[..12].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_podmans() {
        let digest = Digest::sha256_of(b"");
        let kind = BlobKind::Layer;
        let cases = [
            (
                Event::Trying { from: "a.io/b:c" },
                Some("Trying to pull a.io/b:c...".to_owned()),
            ),
            (
                Event::BlobStarted {
                    digest: &digest,
                    kind,
                    size: 10,
                    have: 0,
                },
                Some(format!("Copying blob {digest}")),
            ),
            (
                Event::BlobStarted {
                    digest: &digest,
                    kind,
                    size: 10_000,
                    have: 5_000,
                },
                Some(format!("Copying blob {digest} from 5kB of 10kB")),
            ),
            (
                Event::BlobPresent {
                    digest: &digest,
                    kind,
                },
                Some(format!("Copying blob {digest} skipped: already exists")),
            ),
            (
                Event::WritingManifest,
                Some("Writing manifest to image destination".to_owned()),
            ),
            (
                Event::BlobProgress {
                    digest: &digest,
                    done: 1,
                },
                None,
            ),
        ];
        for (event, want) in cases {
            assert_eq!(line_of(&event), want, "{event:?}");
        }
    }
}
