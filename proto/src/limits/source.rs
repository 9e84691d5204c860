//! Bounds of modules and of where they come from: images, and scripts that are made
//! modules.

use super::MIB;

/// A module as uploaded: the largest real program tried is 75 MB.
pub const MAX_MODULE: u64 = 256 * MIB;
/// The manifest or index of an OCI image: what registries themselves take.
pub const MAX_MANIFEST_OCI: u64 = 4 * MIB;
/// The top level of a script that is made a module of its own, wall-clock time: it
/// declares things, and whoever builds waits for it.
pub const STANDALONE_MS: u64 = 5_000;
/// Memory of the same: all that is not zero becomes part of the module.
pub const STANDALONE_MEMORY: u64 = 64 * MIB;
