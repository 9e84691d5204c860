//! What a definition would do: the answer to a check.

use crate::ids::Digest;
use crate::module::ModuleKind;
use crate::wire::AttemptLimits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a definition would do.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckView {
    /// The job's name.
    pub name: String,
    /// Its tasks: each after all that it waits for.
    pub nodes: Vec<CheckNode>,
    /// The JSON Schema of its parameters; none when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub params: Option<serde_json::Value>,
}

/// What one node of a checked definition would run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckNode {
    /// Its name.
    pub name: String,
    /// Where its code comes from, as the definition has it.
    pub source: String,
    /// The module, of a script the engine; none when it was not resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub module: Option<Digest>,
    /// How the module is started; none when it was not resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ModuleKind>,
    /// The script, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<CheckScript>,
    /// How many tasks; none while that depends on results or on parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// What makes its tasks, such as `results of split`; none when that is known now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_of: Option<String>,
    /// Whether it starts other tasks of the job: those that say so in `spawned_by`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub driver: bool,
    /// The driver that starts its tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spawned_by: Option<String>,
    /// The nodes that it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// The condition to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The nodes whose results are its input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub input_from: Vec<String>,
    /// What an attempt may use.
    pub limits: AttemptLimits,
    /// What of it the definition says.
    pub asked: AskedLimits,
    /// What no definition may pass.
    pub ceiling: AttemptLimits,
    /// When a task is tried again.
    pub retry: RetryView,
    /// Tasks that may fail for good without failing the job; 4,294,967,295 for all.
    pub tolerate: u32,
    /// Tasks on workers at once; no bound when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Higher goes first within the job.
    pub priority: i32,
    /// What the module imports, and what satisfies it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<ImportView>,
    /// What it asks to reach outside its sandbox.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<GrantView>,
    /// Files that it reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileView>,
    /// Bytes of the folder that each attempt may write; none when it may write nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scratch: Option<u64>,
    /// Patterns of files in that folder that become outputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collect: Vec<String>,
}

/// Files that a task reads.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileView {
    /// The path that the task knows.
    pub at: String,
    /// Where they come from, as the definition has it.
    pub from: String,
    /// How many files a folder has; none for a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u32>,
}

/// Something outside its sandbox that a task asks for. It gets it where the operator allows
/// it and a worker offers it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GrantView {
    /// What kind of thing: `program`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Whether the operator allows it.
    pub allowed: bool,
    /// Names of workers that offer it and take work now, up to 16 of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offered_by: Vec<String>,
}

/// The script of a checked node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckScript {
    /// Its file, or the task and its language.
    pub name: String,
    /// The name of its engine's module.
    pub engine: String,
    /// The digest of its text; none when it was not uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub digest: Option<Digest>,
}

/// The limits that a definition says; none where it leaves the default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AskedLimits {
    /// Memories and tables, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Wall-clock time, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_ms: Option<u64>,
    /// Result, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
}

/// When a failed task is tried again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RetryView {
    /// Retries after retryable errors and exit codes.
    pub guest: u32,
    /// Retries after lost workers and failures of the host.
    pub infrastructure: u32,
    /// Retries after failures of one kind, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<String, u32>,
    /// The first delay, milliseconds.
    pub backoff_ms: u64,
    /// The longest delay, milliseconds.
    pub max_backoff_ms: u64,
}

/// An import of a module, or several functions that are about the same.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportView {
    /// `package:interface@version`, or the module and what the functions are about.
    pub name: String,
    /// The functions of a core module; empty for an interface.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<String>,
    /// What satisfies it.
    pub by: SatisfiedBy,
    /// The grant that it needs and that is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// The library that satisfies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<String>,
    /// The library that imports it; none for the module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

/// What satisfies an import.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum SatisfiedBy {
    /// The sandbox.
    Sandbox,
    /// The sandbox, but its calls are refused without a grant.
    Grant,
    /// A library.
    Library,
    /// Nothing that is known.
    Nothing,
}
