//! `info`, section store.

use nix::sys::statvfs::statvfs;

use crate::cli::context::Context;
use crate::container::record::Status;
use crate::error::Result;
use crate::storage::Store;

use super::tree::Node;

pub fn describe(ctx: &Context) -> Result<Node> {
    let dirs = ctx.dirs()?;
    let config = ctx.storage()?;
    let root = ctx.store()?.root().to_owned();
    let native = Store::at(&dirs.store)?.check_overlay().is_ok();
    let (containers, _) = ctx.containers()?.list()?;
    let count = |wanted: &[Status]| {
        Node::Int(
            containers
                .iter()
                .filter(|c| wanted.contains(&c.state.status))
                .count() as i64,
        )
    };
    let running = [Status::Running, Status::Stopping, Status::Initialized];
    let images = ctx.images()?.list()?.len() as i64;
    let space = statvfs(&root).ok();
    let bytes = |blocks: fn(&nix::sys::statvfs::Statvfs) -> u64| {
        let size = space
            .as_ref()
            .map_or(0, |fs| blocks(fs).saturating_mul(fs.fragment_size()));
        Node::Int(i64::try_from(size).unwrap_or(i64::MAX))
    };
    let path = |path: &std::path::Path| Node::from(path.display().to_string());
    Ok(Node::Map(vec![
        (
            "ConfigFile",
            "configFile",
            config.file.as_deref().map_or_else(|| "".into(), path),
        ),
        (
            "ContainerStore",
            "containerStore",
            Node::Map(vec![
                ("Number", "number", Node::Int(containers.len() as i64)),
                ("Paused", "paused", count(&[Status::Paused])),
                ("Running", "running", count(&running)),
                (
                    "Stopped",
                    "stopped",
                    count(&[Status::Created, Status::Exited]),
                ),
            ]),
        ),
        ("GraphDriverName", "graphDriverName", "overlay".into()),
        (
            "GraphOptions",
            "graphOptions",
            Node::Free(
                dirs.below
                    .iter()
                    .map(|store| ("overlay.imagestore".to_owned(), path(store)))
                    .collect(),
            ),
        ),
        ("GraphRoot", "graphRoot", path(&root)),
        (
            "GraphRootAllocated",
            "graphRootAllocated",
            bytes(nix::sys::statvfs::Statvfs::blocks),
        ),
        (
            "GraphRootUsed",
            "graphRootUsed",
            bytes(|fs| fs.blocks() - fs.blocks_free()),
        ),
        (
            "GraphStatus",
            "graphStatus",
            Node::Free(vec![(
                "Native Overlay".to_owned(),
                native.to_string().into(),
            )]),
        ),
        (
            "ImageCopyTmpDir",
            "imageCopyTmpDir",
            path(&root.join("staging")),
        ),
        (
            "ImageStore",
            "imageStore",
            Node::Map(vec![("Number", "number", Node::Int(images))]),
        ),
        ("RunRoot", "runRoot", path(&dirs.run)),
        ("TransientStore", "transientStore", Node::Bool(false)),
        ("VolumePath", "volumePath", path(&root.join("volumes"))),
    ]))
}
