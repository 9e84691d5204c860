//! What is known of a module without running it.

use crate::ids::Digest;
use serde::{Deserialize, Serialize};

/// How a module is started.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ModuleKind {
    /// A component of `wasmhost:task/task`: input bytes in, result bytes out.
    Task,
    /// A component of `wasi:cli/command` (WASI 0.2): arguments, standard input and output.
    Command,
    /// A core module of WASI preview 1 or the older `wasi_unstable`, run as it is.
    CoreCommand,
}

/// The custom section in which a module carries its [`Manifest`], as JSON. In a
/// component that the Rust toolchain has just linked it lies in the core module
/// within, and other toolchains make none; an admitted module carries it at the top.
pub const MANIFEST_SECTION: &str = "wasmhost:manifest";

/// What a module says of itself; written by the SDK, completed by the primary.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Manifest {
    /// The task's name, from its crate.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The crate's version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// What the task does: the doc comment of its function.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// JSON Schema of the input; none when it is bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub input: Option<serde_json::Value>,
    /// JSON Schema of the output; none when it is bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub output: Option<serde_json::Value>,
    /// Which toolchain and SDK made it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sdk: String,
    /// How it is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<ModuleKind>,
    /// The grants that its imports need, sorted: without them their calls are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wants: Vec<String>,
    /// What it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_from: Option<Provenance>,
}

/// What a module was made from. Said by the module of itself, so no proof.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Provenance {
    /// The digest of what was uploaded, or of the module to which libraries were added.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub module: Digest,
    /// The digests of the libraries in it, each after those that it uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub libraries: Vec<Digest>,
}
