//! Stored job definitions at rest. A version never changes, and names everything
//! that a job of it needs: nothing of that is looked up anew when it is submitted.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::{Digest, Timestamp};

/// What lists tell of a version.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DefinitionHead {
    /// The definition's name.
    pub name: String,
    /// From 1; never given twice under one name.
    pub version: u32,
    /// When it was stored.
    pub created: Timestamp,
    /// What was said of it; empty when nothing.
    pub note: String,
    /// SHA-256 over text, modules, files and lists: equal when nothing differs.
    pub digest: Digest,
    /// Every module that it names, by the source as the definition has it.
    pub modules: BTreeMap<String, Digest>,
}

/// One version of a stored definition.
#[derive(Clone, PartialEq, Debug)]
pub struct DefinitionRecord {
    /// What lists tell.
    pub head: DefinitionHead,
    /// What a job is compiled from.
    pub body: DefinitionBody,
}

/// What a job of a version is compiled from, besides the modules.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct DefinitionBody {
    /// The definition, TOML.
    pub text: String,
    /// Uploaded files, as in a submission.
    pub files: BTreeMap<String, BlobRef>,
    /// Listed items, as in a submission.
    pub lists: BTreeMap<String, Vec<String>>,
}
