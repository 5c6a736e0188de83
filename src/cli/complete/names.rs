//! Names of what is in the store.

use crate::cli::commands::Entry;
use crate::cli::context::Context;
use crate::container::record::Status;
use crate::error::Result;
use crate::secret::Secrets;

use super::{Answer, Files};

/// Which containers a command can do something with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum States {
    Paused,
    Any,
    Running,
    Resting,
}

/// Candidates for operand number `at`, by its word in the usage line: the last one of those with `...` repeats.
pub(super) fn operand(
    entry: &Entry,
    at: usize,
    before: &[String],
    current: &str,
    ctx: &Context,
) -> Result<Answer> {
    let kinds: Vec<&str> = entry.operands.split_whitespace().collect();
    let repeats = entry.operands.contains("...");
    let kind = match (kinds.get(at), kinds.last()) {
        (Some(kind), _) => kind,
        (None, Some(last)) if repeats => last,
        _ => return Ok(Answer::default()),
    };
    let mut answer = Answer::default();
    match kind.trim_matches(['[', ']', '.']) {
        "CONTAINER" => containers(states(entry), current, ctx, &mut answer)?,
        "IMAGE" | "TARGET" => images(current, ctx, &mut answer)?,
        "SECRET" => answer = secrets(ctx)?,
        // `inspect NAME`, but not the new name of `rename CONTAINER NAME`.
        "NAME" if entry.operands.starts_with("NAME") => {
            containers(States::Any, current, ctx, &mut answer)?;
            images(current, ctx, &mut answer)?;
        }
        "NAME" if entry.operands.starts_with("IMAGE") => images(current, ctx, &mut answer)?,
        "FILE" | "PATH" | "ARCHIVE" => answer.files = Files::Any,
        choice if choice.contains('|') => answer = Answer::words(choice.split('|')),
        _ => {}
    }
    answer.found.retain(|(word, _)| !before.contains(word));
    Ok(answer)
}

fn states(entry: &Entry) -> States {
    match entry.paths[0] {
        "start" => States::Resting,
        "unpause" => States::Paused,
        "stop" | "kill" | "exec" | "attach" | "top" | "pause" | "stats" => States::Running,
        _ => States::Any,
    }
}

/// All containers, for flags that name one.
pub(super) fn any_container(current: &str, ctx: &Context) -> Result<Answer> {
    let mut answer = Answer::default();
    containers(States::Any, current, ctx, &mut answer)?;
    Ok(answer)
}

pub(super) fn any_image(current: &str, ctx: &Context) -> Result<Answer> {
    let mut answer = Answer::default();
    images(current, ctx, &mut answer)?;
    Ok(answer)
}

/// Names, and the id that `current` begins.
fn containers(wanted: States, current: &str, ctx: &Context, answer: &mut Answer) -> Result<()> {
    for container in ctx.containers()?.list()?.0 {
        let runs = matches!(
            container.state.status,
            Status::Running
                | Status::Paused
                | Status::Stopping
                | Status::Initialized
                | Status::Restarting
        );
        let fits = match wanted {
            States::Any => true,
            States::Running => runs,
            States::Resting => !runs,
            States::Paused => container.state.status == Status::Paused,
        };
        if fits {
            let image = container.record.image.as_ref();
            answer.add(
                container.name(),
                image.map_or("", |image| image.name.as_str()),
            );
            let id = &container.id()[..12];
            if !current.is_empty() && id.starts_with(current) {
                answer.add(id, container.name());
            }
        }
    }
    Ok(())
}

/// All secrets.
pub(super) fn secrets(ctx: &Context) -> Result<Answer> {
    let mut answer = Answer::default();
    for secret in Secrets::new(&ctx.dirs()?.store).list()? {
        answer.add(secret.name, &secret.id);
    }
    Ok(answer)
}

/// Full names, and the short ones that `current` begins: `bus` becomes `busybox:latest`.
fn images(current: &str, ctx: &Context, answer: &mut Answer) -> Result<()> {
    for image in ctx.images()?.list()? {
        let id = &image.id.hex()[..12];
        for name in &image.names {
            let whole = name.to_string();
            let short = whole
                .match_indices('/')
                .map(|(at, _)| &whole[at + 1..])
                .filter(|short| !current.is_empty() && short.starts_with(current));
            for short in short {
                answer.add(short, id);
            }
            answer.add(whole.clone(), id);
        }
        if !image.has_names() || (current.len() > 1 && id.starts_with(current)) {
            answer.add(
                id,
                image
                    .names
                    .first()
                    .map_or(String::new(), ToString::to_string),
            );
        }
    }
    answer.found.sort();
    answer.found.dedup();
    Ok(())
}
