//! What the runtime needs to mount layers as one root file system.
