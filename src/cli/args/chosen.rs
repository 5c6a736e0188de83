//! The flags that say which containers a command works on: `stop`, `restart`, `pause`, `unpause`.

use std::path::PathBuf;

use crate::cli::select::Selection;

#[derive(Debug, clap::Args)]
pub struct Chosen {
    /// All containers whose state allows it
    #[arg(short, long)]
    pub all: bool,
    /// File with a container's id (can be repeated)
    #[arg(long, value_name = "FILE")]
    pub cidfile: Vec<PathBuf>,
    /// Containers that fit, and whose state allows it (can be repeated)
    #[arg(short, long, value_name = "FILTER")]
    pub filter: Vec<String>,
    /// The container created last
    #[arg(short, long)]
    pub latest: bool,
    /// Containers, by name or id
    #[arg(value_name = "CONTAINER")]
    pub names: Vec<String>,
}

impl Chosen {
    pub fn selection(&self) -> Selection<'_> {
        Selection {
            names: &self.names,
            cidfiles: &self.cidfile,
            latest: self.latest,
            all: self.all,
            filters: &self.filter,
        }
    }

    /// Not by name: a container in another state is no failure.
    pub fn by_state(&self) -> bool {
        self.all || !self.filter.is_empty()
    }
}
