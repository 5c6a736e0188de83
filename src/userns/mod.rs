//! User namespaces: which ids the inside has, and who writes the maps.

pub mod map;
