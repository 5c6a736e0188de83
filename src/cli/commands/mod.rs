//! The command table, and one file per command.
//!
//! To add a command: its file with `XArgs` (`#[derive(clap::Args)]`) and
//! `pub fn run(args: &XArgs, ctx: &Context, out: &mut Printer) -> Outcome`, and one `entry!` below. Positional
//! arguments are optional for clap; `run` says what is missing, in Podman's words.

mod attach;
mod commit;
mod completion;
mod container_exists;
mod container_prune;
mod cp;
mod create;
mod diff;
mod events;
mod exec;
mod export;
mod healthcheck_run;
mod history;
mod image_exists;
mod image_inspect;
mod image_prune;
mod image_tree;
mod images;
mod import;
mod import_podman;
mod info;
mod inspect;
mod kill;
mod load;
mod login;
mod logout;
mod logs;
mod manifest;
mod mount;
mod pause;
mod port;
mod ps;
mod pull;
mod push;
mod rename;
mod restart;
mod rm;
mod rmi;
mod run;
mod save;
mod search;
mod secret;
mod start;
mod stats;
mod stop;
mod system_df;
mod system_prune;
mod tag;
mod top;
mod unshare;
mod update;
mod version;
mod volume_archive;
mod volume_create;
mod volume_inspect;
mod volume_ls;
mod volume_prune;
mod volume_rm;
mod wait;
mod why;

use clap::{ArgMatches, Args, Command};

use crate::error::{Error, Kind};

use super::args::{self, global::GlobalArgs};
use super::context::Context;
use super::exit::{Failed, Outcome};
use super::output::Printer;
use super::{help, parsed};

/// One command.
pub struct Entry {
    /// `["ps", "container ls"]`: the first is the one that help shows.
    pub paths: &'static [&'static str],
    pub group: Group,
    pub about: &'static str,
    /// What follows the options in the usage line.
    pub operands: &'static str,
    /// Adds the command's own arguments.
    pub augment: fn(Command) -> Command,
    pub run: fn(&mut ArgMatches, &Context, &mut Printer) -> Outcome,
}

/// Where `pod --help` lists a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Run,
    Look,
    Images,
    System,
    /// Only in the long form (`container exists`), listed by its parent's help.
    Long,
    /// Not listed.
    Hidden,
}

macro_rules! entry {
    ([$($path:literal),+], $group:ident, $about:literal, $operands:literal, $module:ident :: $args:ident) => {
        Entry {
            paths: &[$($path),+],
            group: Group::$group,
            about: $about,
            operands: $operands,
            augment: <$module::$args as clap::Args>::augment_args,
            run: |matches, ctx, out| {
                let args: $module::$args = parsed(matches)?;
                $module::run(&args, ctx, out)
            },
        }
    };
}

/// Every command, in the order of `pod --help`.
pub const COMMANDS: &[Entry] = &[
    entry!(
        ["run", "container run"],
        Run,
        "Run a command in a new container",
        "IMAGE [COMMAND [ARG...]]",
        run::RunArgs
    ),
    entry!(
        ["create", "container create"],
        Run,
        "Make a container and do not start it",
        "IMAGE [COMMAND [ARG...]]",
        create::CreateCommandArgs
    ),
    entry!(
        ["start", "container start"],
        Run,
        "Start containers again",
        "CONTAINER [CONTAINER...]",
        start::StartArgs
    ),
    entry!(
        ["stop", "container stop"],
        Run,
        "Stop running containers",
        "CONTAINER [CONTAINER...]",
        stop::StopArgs
    ),
    entry!(
        ["restart", "container restart"],
        Run,
        "Stop containers and start them again",
        "CONTAINER [CONTAINER...]",
        restart::RestartArgs
    ),
    entry!(
        ["kill", "container kill"],
        Run,
        "Send a signal to running containers",
        "CONTAINER [CONTAINER...]",
        kill::KillArgs
    ),
    entry!(
        ["pause", "container pause"],
        Run,
        "Freeze all processes of containers",
        "CONTAINER [CONTAINER...]",
        pause::PauseArgs
    ),
    Entry {
        paths: &["unpause", "container unpause"],
        group: Group::Run,
        about: "Let paused containers go on",
        operands: "CONTAINER [CONTAINER...]",
        augment: <pause::PauseArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: pause::PauseArgs = parsed(matches)?;
            pause::run_unpause(&args, ctx, out)
        },
    },
    entry!(
        ["update", "container update"],
        Run,
        "Change the limits of a container",
        "CONTAINER",
        update::UpdateArgs
    ),
    entry!(
        ["rename", "container rename"],
        Run,
        "Give a container another name",
        "CONTAINER NAME",
        rename::RenameArgs
    ),
    entry!(
        ["rm", "container rm"],
        Run,
        "Remove containers",
        "CONTAINER [CONTAINER...]",
        rm::RmArgs
    ),
    entry!(
        ["exec", "container exec"],
        Run,
        "Run a process in a running container",
        "CONTAINER COMMAND [ARG...]",
        exec::ExecArgs
    ),
    entry!(
        ["attach", "container attach"],
        Run,
        "Join the terminal or output of a running container",
        "CONTAINER",
        attach::AttachArgs
    ),
    entry!(
        ["healthcheck run"],
        Long,
        "Make a container's health check now",
        "CONTAINER",
        healthcheck_run::HealthcheckRunArgs
    ),
    entry!(
        ["wait", "container wait"],
        Run,
        "Wait until containers end, and print their exit statuses",
        "CONTAINER [CONTAINER...]",
        wait::WaitArgs
    ),
    entry!(
        ["commit", "container commit"],
        Run,
        "Make an image of a container",
        "CONTAINER [IMAGE]",
        commit::CommitArgs
    ),
    entry!(
        ["export", "container export"],
        Run,
        "Write a container's files as a tar",
        "CONTAINER",
        export::ExportArgs
    ),
    entry!(
        ["cp", "container cp"],
        Run,
        "Copy files into, out of and between containers",
        "[CONTAINER:]SOURCE [CONTAINER:]DESTINATION",
        cp::CpArgs
    ),
    entry!(
        ["diff"],
        Look,
        "Show what a container or an image changed",
        "NAME [NAME]",
        diff::DiffArgs
    ),
    Entry {
        paths: &["container diff"],
        group: Group::Long,
        about: "Show what a container changed",
        operands: "CONTAINER [CONTAINER]",
        augment: <diff::ContainerDiffArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: diff::ContainerDiffArgs = parsed(matches)?;
            diff::run_container(&args, ctx, out)
        },
    },
    Entry {
        paths: &["image diff"],
        group: Group::Long,
        about: "Show what an image's uppermost layer changed",
        operands: "IMAGE [IMAGE]",
        augment: <diff::ImageDiffArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: diff::ImageDiffArgs = parsed(matches)?;
            diff::run_image(&args, ctx, out)
        },
    },
    entry!(
        ["mount", "container mount"],
        Look,
        "Mount the files of containers, inside unshare",
        "[CONTAINER...]",
        mount::MountArgs
    ),
    Entry {
        paths: &["unmount", "umount", "container unmount", "container umount"],
        group: Group::Look,
        about: "Undo mount",
        operands: "CONTAINER [CONTAINER...]",
        augment: <mount::UnmountArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: mount::UnmountArgs = parsed(matches)?;
            mount::run_unmount(&args, ctx, out)
        },
    },
    Entry {
        paths: &["image mount"],
        group: Group::Long,
        about: "Mount the files of images, inside unshare",
        operands: "[IMAGE...]",
        augment: <mount::ImageMountArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: mount::ImageMountArgs = parsed(matches)?;
            mount::run_image(&args, ctx, out)
        },
    },
    Entry {
        paths: &["image unmount", "image umount"],
        group: Group::Long,
        about: "Undo image mount",
        operands: "IMAGE [IMAGE...]",
        augment: <mount::ImageUnmountArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: mount::ImageUnmountArgs = parsed(matches)?;
            mount::run_image_unmount(&args, ctx, out)
        },
    },
    entry!(
        ["unshare"],
        System,
        "Run a command as root of your user namespace",
        "[COMMAND [ARG...]]",
        unshare::UnshareArgs
    ),
    entry!(
        ["ps", "container ls", "container list", "container ps"],
        Look,
        "List containers",
        "",
        ps::PsArgs
    ),
    entry!(
        ["logs", "container logs"],
        Look,
        "Show what containers wrote",
        "CONTAINER [CONTAINER...]",
        logs::LogsArgs
    ),
    entry!(
        ["inspect"],
        Look,
        "Show everything known of containers and images",
        "NAME [NAME...]",
        inspect::InspectArgs
    ),
    entry!(
        ["top", "container top"],
        Look,
        "List the processes of a container",
        "CONTAINER [COLUMN...]",
        top::TopArgs
    ),
    entry!(
        ["why", "container why"],
        Look,
        "Tell how a container ended, and what to do",
        "CONTAINER",
        why::WhyArgs
    ),
    entry!(
        ["stats", "container stats"],
        Look,
        "Show what containers use: processor, memory, network, disk",
        "[CONTAINER...]",
        stats::StatsArgs
    ),
    entry!(
        ["port", "container port"],
        Look,
        "List published ports",
        "CONTAINER [PORT[/PROTOCOL]]",
        port::PortArgs
    ),
    Entry {
        paths: &["container inspect"],
        group: Group::Long,
        about: "Show everything known of containers",
        operands: "CONTAINER [CONTAINER...]",
        augment: <inspect::ContainerInspectArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: inspect::ContainerInspectArgs = parsed(matches)?;
            inspect::run_container(&args, ctx, out)
        },
    },
    entry!(
        ["pull", "image pull"],
        Images,
        "Fetch images from a registry",
        "IMAGE [IMAGE...]",
        pull::PullArgs
    ),
    entry!(
        ["import", "image import"],
        Images,
        "Make an image of a file system in a tar",
        "FILE|URL|- [NAME]",
        import::ImportArgs
    ),
    entry!(
        ["save", "image save"],
        Images,
        "Save images to an archive or a directory",
        "IMAGE [IMAGE...]",
        save::SaveArgs
    ),
    entry!(
        ["load", "image load"],
        Images,
        "Load images from an archive or a directory",
        "",
        load::LoadArgs
    ),
    entry!(
        ["push", "image push"],
        Images,
        "Send an image to a registry, an archive or a directory",
        "IMAGE [DESTINATION]",
        push::PushArgs
    ),
    entry!(
        ["images", "image ls", "image list"],
        Images,
        "List images",
        "[IMAGE...]",
        images::ImagesArgs
    ),
    entry!(
        ["tag", "image tag"],
        Images,
        "Give an image more names",
        "IMAGE TARGET [TARGET...]",
        tag::TagArgs
    ),
    Entry {
        paths: &["untag", "image untag"],
        group: Group::Images,
        about: "Take names from an image, or all of them",
        operands: "IMAGE [NAME...]",
        augment: <tag::UntagArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: tag::UntagArgs = parsed(matches)?;
            tag::run_untag(&args, ctx, out)
        },
    },
    entry!(
        ["history", "image history"],
        Images,
        "Show how an image was made",
        "IMAGE",
        history::HistoryArgs
    ),
    entry!(
        ["rmi", "image rm", "image remove"],
        Images,
        "Remove images or their names",
        "IMAGE [IMAGE...]",
        rmi::RmiArgs
    ),
    entry!(
        ["search", "image search"],
        Images,
        "Search registries for images",
        "TERM",
        search::SearchArgs
    ),
    entry!(
        ["login"],
        System,
        "Log in to a registry",
        "[REGISTRY]",
        login::LoginArgs
    ),
    entry!(
        ["logout"],
        System,
        "Log out of a registry",
        "[REGISTRY]",
        logout::LogoutArgs
    ),
    entry!(
        ["system import-podman"],
        Long,
        "Import images of Podman's own store",
        "[IMAGE...]",
        import_podman::ImportPodmanArgs
    ),
    entry!(
        ["container prune"],
        Long,
        "Remove all containers that do not run",
        "",
        container_prune::ContainerPruneArgs
    ),
    entry!(
        ["system prune"],
        Long,
        "Remove whatever nothing uses",
        "",
        system_prune::SystemPruneArgs
    ),
    entry!(
        ["volume create"],
        Long,
        "Make a volume",
        "[NAME]",
        volume_create::VolumeCreateArgs
    ),
    entry!(
        ["volume inspect"],
        Long,
        "Show all that is known of volumes",
        "VOLUME [VOLUME...]",
        volume_inspect::VolumeInspectArgs
    ),
    entry!(
        ["volume ls", "volume list"],
        Long,
        "List volumes",
        "",
        volume_ls::VolumeLsArgs
    ),
    entry!(
        ["volume rm", "volume remove"],
        Long,
        "Remove volumes",
        "VOLUME [VOLUME...]",
        volume_rm::VolumeRmArgs
    ),
    entry!(
        ["volume prune"],
        Long,
        "Remove all volumes that no container uses",
        "",
        volume_prune::VolumePruneArgs
    ),
    Entry {
        paths: &["volume exists"],
        group: Group::Long,
        about: "Tell whether a volume exists, by exit status",
        operands: "VOLUME",
        augment: <volume_rm::VolumeExistsArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: volume_rm::VolumeExistsArgs = parsed(matches)?;
            volume_rm::run_exists(&args, ctx, out)
        },
    },
    Entry {
        paths: &["volume export"],
        group: Group::Long,
        about: "Write a volume's files as a tar",
        operands: "VOLUME",
        augment: <volume_archive::VolumeExportArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: volume_archive::VolumeExportArgs = parsed(matches)?;
            volume_archive::run_export(&args, ctx, out)
        },
    },
    Entry {
        paths: &["volume import"],
        group: Group::Long,
        about: "Put the files of a tar into a volume",
        operands: "VOLUME [FILE|-]",
        augment: <volume_archive::VolumeImportArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: volume_archive::VolumeImportArgs = parsed(matches)?;
            volume_archive::run_import(&args, ctx, out)
        },
    },
    Entry {
        paths: &["volume mount"],
        group: Group::Long,
        about: "Print where a volume's files are, inside unshare",
        operands: "VOLUME",
        augment: <volume_archive::VolumeMountArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: volume_archive::VolumeMountArgs = parsed(matches)?;
            volume_archive::run_mount(&args, ctx, out)
        },
    },
    Entry {
        paths: &["volume unmount", "volume umount"],
        group: Group::Long,
        about: "Undo volume mount",
        operands: "VOLUME [VOLUME...]",
        augment: <volume_archive::VolumeMountArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: volume_archive::VolumeMountArgs = parsed(matches)?;
            volume_archive::run_unmount(&args, ctx, out)
        },
    },
    entry!(
        ["events", "system events"],
        System,
        "Show what happens to containers, images, volumes and secrets",
        "",
        events::EventsArgs
    ),
    entry!(
        ["info", "system info"],
        System,
        "Show this host, the store and the settings in force",
        "",
        info::InfoArgs
    ),
    entry!(
        ["system df"],
        Long,
        "Show what images, containers and volumes take",
        "",
        system_df::SystemDfArgs
    ),
    entry!(
        ["version"],
        System,
        "Show the version",
        "",
        version::VersionArgs
    ),
    entry!(
        ["image inspect"],
        Long,
        "Show everything known of images",
        "IMAGE [IMAGE...]",
        image_inspect::ImageInspectArgs
    ),
    entry!(
        ["image prune"],
        Long,
        "Remove images that nobody needs",
        "",
        image_prune::ImagePruneArgs
    ),
    entry!(
        ["image tree"],
        Long,
        "Show the layers of an image as a tree",
        "IMAGE",
        image_tree::ImageTreeArgs
    ),
    entry!(
        ["image exists"],
        Long,
        "Tell by the exit status whether an image exists (0 yes, 1 no)",
        "IMAGE",
        image_exists::ImageExistsArgs
    ),
    entry!(
        ["container exists"],
        Long,
        "Tell by the exit status whether a container exists (0 yes, 1 no)",
        "CONTAINER",
        container_exists::ContainerExistsArgs
    ),
    Entry {
        paths: &["manifest create"],
        group: Group::Long,
        about: "Make a list of images for several platforms",
        operands: "LIST [IMAGE...]",
        augment: <manifest::CreateArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: manifest::CreateArgs = parsed(matches)?;
            manifest::run_create(&args, ctx, out)
        },
    },
    Entry {
        paths: &["manifest add"],
        group: Group::Long,
        about: "Put images into a list",
        operands: "LIST IMAGE [IMAGE...]",
        augment: <manifest::AddArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: manifest::AddArgs = parsed(matches)?;
            manifest::run_add(&args, ctx, out)
        },
    },
    Entry {
        paths: &["manifest annotate"],
        group: Group::Long,
        about: "Change what a list says of an image",
        operands: "LIST IMAGE",
        augment: <manifest::AnnotateArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: manifest::AnnotateArgs = parsed(matches)?;
            manifest::run_annotate(&args, ctx, out)
        },
    },
    Entry {
        paths: &["manifest exists"],
        group: Group::Long,
        about: "Tell by the exit status whether a list exists (0 yes, 1 no)",
        operands: "LIST",
        augment: <manifest::ExistsArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: manifest::ExistsArgs = parsed(matches)?;
            manifest::run_exists(&args, ctx, out)
        },
    },
    Entry {
        paths: &["manifest inspect"],
        group: Group::Long,
        about: "Show a list, or what a registry has under a name",
        operands: "NAME",
        augment: <manifest::InspectArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: manifest::InspectArgs = parsed(matches)?;
            manifest::run_inspect(&args, ctx, out)
        },
    },
    Entry {
        paths: &["manifest push"],
        group: Group::Long,
        about: "Send a list and its images to a registry, an archive or a directory",
        operands: "LIST [DESTINATION]",
        augment: <manifest::ManifestPushArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: manifest::ManifestPushArgs = parsed(matches)?;
            manifest::run_push(&args, ctx, out)
        },
    },
    Entry {
        paths: &["manifest remove"],
        group: Group::Long,
        about: "Take an image out of a list",
        operands: "LIST IMAGE",
        augment: <manifest::RemoveArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: manifest::RemoveArgs = parsed(matches)?;
            manifest::run_remove(&args, ctx, out)
        },
    },
    Entry {
        paths: &["manifest rm"],
        group: Group::Long,
        about: "Remove lists",
        operands: "LIST [LIST...]",
        augment: <manifest::RmArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: manifest::RmArgs = parsed(matches)?;
            manifest::run_rm(&args, ctx, out)
        },
    },
    Entry {
        paths: &["secret create"],
        group: Group::Long,
        about: "Store a file, standard input or a variable as a secret",
        operands: "NAME FILE|-",
        augment: <secret::CreateArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: secret::CreateArgs = parsed(matches)?;
            secret::run_create(&args, ctx, out)
        },
    },
    Entry {
        paths: &["secret ls", "secret list"],
        group: Group::Long,
        about: "List secrets",
        operands: "",
        augment: <secret::ListArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: secret::ListArgs = parsed(matches)?;
            secret::run_list(&args, ctx, out)
        },
    },
    Entry {
        paths: &["secret inspect"],
        group: Group::Long,
        about: "Show what is known of secrets",
        operands: "SECRET [SECRET...]",
        augment: <secret::InspectArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: secret::InspectArgs = parsed(matches)?;
            secret::run_inspect(&args, ctx, out)
        },
    },
    Entry {
        paths: &["secret rm"],
        group: Group::Long,
        about: "Remove secrets",
        operands: "SECRET [SECRET...]",
        augment: <secret::RmArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: secret::RmArgs = parsed(matches)?;
            secret::run_rm(&args, ctx, out)
        },
    },
    Entry {
        paths: &["secret exists"],
        group: Group::Long,
        about: "Tell by the exit status whether a secret exists (0 yes, 1 no)",
        operands: "SECRET",
        augment: <secret::ExistsArgs as clap::Args>::augment_args,
        run: |matches, ctx, out| {
            let args: secret::ExistsArgs = parsed(matches)?;
            secret::run_exists(&args, ctx, out)
        },
    },
    entry!(
        ["completion"],
        Hidden,
        "Print a shell's completion script",
        "bash|zsh|fish",
        completion::CompletionArgs
    ),
];

/// Parents of long forms, with what their help says first.
pub const PARENTS: &[(&str, &str)] = &[
    ("container", "Manage containers"),
    ("image", "Manage images"),
    ("healthcheck", "Check containers"),
    ("manifest", "Manage lists of images for several platforms"),
    ("secret", "Manage secrets"),
    ("system", "Look at pod itself"),
    ("volume", "Manage volumes"),
];

/// Commands of Podman that this version does not have.
const LATER: &[&str] = &[
    "artifact",
    "auto-update",
    "build",
    "compose",
    "farm",
    "generate",
    "init",
    "kube",
    "machine",
    "network",
    "play",
    "pod",
    "quadlet",
    "checkpoint",
    "restore",
    "cleanup",
    "clone",
    "reload",
    "runlabel",
    "trust",
    "sign",
    "scp",
];

/// What the words after the global flags name.
pub enum Lookup<'a> {
    Found {
        entry: &'static Entry,
        path: String,
        rest: &'a [String],
    },
    /// A parent without a command.
    Group(&'static str, &'a [String]),
    Unknown(Failed),
}

/// Finds the command that `words` begin with.
pub fn lookup(words: &[String]) -> Lookup<'_> {
    let first = words.first().map_or("", String::as_str);
    let Some(&(parent, _)) = PARENTS.iter().find(|(name, _)| *name == first) else {
        return find(first, &words[1..]);
    };
    match words.get(1) {
        Some(second) if !second.starts_with('-') => {
            find(&format!("{parent} {second}"), &words[2..])
        }
        _ => Lookup::Group(parent, &words[1..]),
    }
}

fn find<'a>(path: &str, rest: &'a [String]) -> Lookup<'a> {
    match COMMANDS.iter().find(|entry| entry.paths.contains(&path)) {
        Some(entry) => Lookup::Found {
            entry,
            path: path.to_owned(),
            rest,
        },
        None => Lookup::Unknown(unknown(path)),
    }
}

fn unknown(path: &str) -> Failed {
    let (parent, word) = path.rsplit_once(' ').unwrap_or(("", path));
    if LATER.contains(&word) {
        let err = Error::new(
            Kind::Unsupported,
            format!("command `pod {path}` is not available in this version of pod"),
        );
        return match remedy(path) {
            Some(remedy) => err.hint(remedy).into(),
            None => err.into(),
        };
    }
    let program = if parent.is_empty() {
        "pod".to_owned()
    } else {
        format!("pod {parent}")
    };
    Failed::from(Error::usage(format!("unrecognized command `pod {path}`")))
        .note(format!("Try '{program} --help' for more information"))
}

/// What to do in place of a command that is not here.
fn remedy(path: &str) -> Option<&'static str> {
    Some(match path {
        "image sign" => "sign with cosign or with skopeo, which keep signatures in the registry",
        "image trust" | "image trust set" | "image trust show" => {
            "policy.json says which images are accepted, and is honoured: edit it"
        }
        "volume reload" => "it looks for volumes of plugins, and there are no plugins",
        "container runlabel" => "pod image inspect shows the label: run its command by hand",
        "container checkpoint" | "container restore" => {
            "CRIU freezes containers of root only: commit the container, or pause it"
        }
        "container cleanup" => {
            "there is nothing to do: a container's monitor leaves nothing, and any command sweeps after one that was killed"
        }
        "image scp" => "pod save IMAGE | ssh HOST pod load",
        _ => return None,
    })
}

/// The parser of one command, and of nothing else. `path`: as the user spelled it.
pub fn build(entry: &Entry, path: &str) -> Command {
    let command = Command::new("pod").no_binary_name(true);
    let command = args::go_style(GlobalArgs::augment_args(define(entry, command)));
    help::dress(command, entry, path).about(entry.about)
}

/// Gives `command` what `entry` says, as help, completions and manual pages show it: switches without a value.
pub fn define(entry: &Entry, command: Command) -> Command {
    // A doc comment of the struct would replace an earlier text.
    (entry.augment)(command).about(entry.about).long_about(None)
}

/// Adds `entry` below `all` under each of its names.
pub fn attach(all: Command, entry: &Entry) -> Command {
    let make = |name: &'static str| {
        let full = define(entry, Command::new(name));
        let seen = full.get_arguments().filter(|arg| !arg.is_hide_set());
        help::with_flag(Command::new(name).about(entry.about).args(seen.cloned()))
    };
    entry
        .paths
        .iter()
        .fold(all, |all, path| match path.split_once(' ') {
            None => all.subcommand(make(path)),
            Some((parent, name)) if all.find_subcommand(parent).is_some() => {
                all.mut_subcommand(parent, |found| found.subcommand(make(name)))
            }
            Some((parent, name)) => {
                let about = PARENTS.iter().find(|(known, _)| *known == parent);
                let made = Command::new(parent)
                    .about(about.map_or("", |(_, about)| about))
                    .disable_help_subcommand(true);
                all.subcommand(made.subcommand(make(name)))
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn names_are_unique_and_below_known_parents() {
        let mut seen = std::collections::BTreeSet::new();
        for path in COMMANDS.iter().flat_map(|entry| entry.paths) {
            assert!(seen.insert(path), "{path} twice");
            if let Some((parent, _)) = path.split_once(' ') {
                assert!(PARENTS.iter().any(|(name, _)| *name == parent), "{path}");
            }
            assert!(!LATER.contains(path), "{path} is said to come later");
        }
    }

    #[test]
    fn every_command_builds() {
        for entry in COMMANDS {
            for path in entry.paths {
                build(entry, path).debug_assert();
            }
        }
    }

    #[test]
    fn long_forms_and_parents() {
        let words = line("container exists x");
        assert!(matches!(lookup(&words), Lookup::Found { rest, .. } if rest == ["x"]));
        let words = line("container --help");
        assert!(matches!(lookup(&words), Lookup::Group("container", _)));
        for unknown in ["nope", "container nope", "compose"] {
            assert!(
                matches!(lookup(&line(unknown)), Lookup::Unknown(_)),
                "{unknown}"
            );
        }
    }
}
