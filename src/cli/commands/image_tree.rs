//! `image tree`: the layers of an image, or all that is made from it.

use crate::cli::context::Context;
use crate::cli::exit::{Outcome, Status};
use crate::cli::output::{Printer, human};
use crate::cli::usage;
use crate::error::Result;
use crate::image::LayerNode;

#[derive(Debug, clap::Args)]
pub struct ImageTreeArgs {
    /// Show the layers and images above this one in place of those below
    #[arg(long)]
    whatrequires: bool,
    /// Image, by name, digest or id
    #[arg(value_name = "IMAGE")]
    names: Vec<String>,
}

pub fn run(args: &ImageTreeArgs, ctx: &Context, out: &mut Printer) -> Outcome {
    let name = usage::exactly_one(&args.names)?;
    let images = ctx.images()?;
    let image = images.image_summary(name)?;
    let names: Vec<String> = image.names.iter().map(ToString::to_string).collect();
    out.line(&format!("Image ID: {}", &image.id.hex()[..12]))?;
    out.line(&format!("Tags:     [{}]", names.join(" ")))?;
    out.line(&format!("Size:     {}", human::size(image.size, 4)))?;
    out.line(match image.layers.is_empty() {
        true => "No Image Layers",
        false => "Image Layers",
    })?;
    let nodes = match args.whatrequires {
        true => images.layers_above(&image)?,
        false => images.layers_of(&image)?,
    };
    branches(&nodes, "", out)?;
    out.line("")?;
    Ok(Status::SUCCESS)
}

fn branches(nodes: &[LayerNode], indent: &str, out: &mut Printer) -> Result<()> {
    for (at, node) in nodes.iter().enumerate() {
        let last = at + 1 == nodes.len();
        let (arm, below) = match last {
            true => ("└── ", "    "),
            false => ("├── ", "│   "),
        };
        let tags = match node.tags.is_empty() {
            true => String::new(),
            false => format!(" Top Layer of: [{}]", node.tags.join(" ")),
        };
        let id = &node.layer.digest().hex()[..12];
        let size = human::size(node.size, 4);
        out.line(&format!("{indent}{arm}ID: {id} Size: {size:>7}{tags}"))?;
        branches(&node.children, &format!("{indent}{below}"), out)?;
    }
    Ok(())
}
