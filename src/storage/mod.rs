//! Which bytes are kept, and as which tree they mount.
