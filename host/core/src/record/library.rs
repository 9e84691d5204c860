//! Libraries at rest, and what was composed with them.

use serde::{Deserialize, Serialize};
use wasmhost_proto::{Digest, Timestamp};

/// A library; its bytes are a blob of its digest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LibraryRecord {
    /// Its name.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
    /// Its length.
    pub len: u64,
    /// When it was registered under this name.
    pub added: Timestamp,
    /// The interfaces that it exports.
    pub exports: Vec<String>,
    /// What it imports.
    pub imports: Vec<String>,
}

/// What a module was composed of. Whoever needs the same again takes that module.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ComposedOf {
    /// The module whose imports were open.
    pub module: Digest,
    /// The libraries in it, by the names that they had: each after those that it uses.
    pub libraries: Vec<(String, Digest)>,
}
