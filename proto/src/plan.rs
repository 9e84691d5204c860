//! A compiled job definition: what the primary decides on and stores. Every
//! source is a digest, every text is checked, every limit is effective.

use crate::ids::{Digest, NodeIndex};
use crate::input::{Array, Input};
use crate::module::ModuleKind;
use crate::wire::AttemptLimits;
use serde::{Deserialize, Serialize};

/// A job, ready to run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct JobPlan {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Higher goes first; 0 unless said.
    pub priority: i32,
    /// From submission until its first task starts, milliseconds; then it fails as expired.
    pub queue_ms: Option<u64>,
    /// From submission until its end, milliseconds; then it fails as expired.
    pub total_ms: Option<u64>,
    /// What a task that failed for good does to the job.
    pub on_failure: OnFailure,
    /// Its nodes; at least one. A node comes after all that it waits for.
    pub nodes: Vec<NodePlan>,
}

/// What a task that failed for good does to its job.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The job fails at once: what runs is cancelled.
    #[default]
    Stop,
    /// The other tasks go on; the job fails in the end. A gathering node gets the successes.
    Continue,
}

/// A node of a job's graph: one task or an array.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NodePlan {
    /// Its name, unique in the job.
    pub name: String,
    /// Its module.
    pub module: Digest,
    /// The module's length in bytes.
    pub module_len: u64,
    /// How the module is started.
    pub kind: ModuleKind,
    /// Its indexes.
    pub array: Array,
    /// Where its input comes from.
    pub input: NodeInput,
    /// Arguments of a command, with placeholders.
    pub args: Vec<String>,
    /// Environment of a command, with placeholders.
    pub env: Vec<(String, String)>,
    /// What an attempt may use.
    pub limits: AttemptLimits,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Nodes all of whose tasks must have ended before the first task of this one starts.
    pub after: Vec<NodeIndex>,
}

/// Where the input of a node comes from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeInput {
    /// From the definition.
    Given(Input),
    /// The results of a node named in `after`, gathered by the primary: for a
    /// [`ModuleKind::Task`] a CBOR array of `[index, bytes]` in order of index,
    /// for a command the results one after another.
    Gather(NodeIndex),
}

/// When a failed task is tried again. The n-th retry waits
/// `min(backoff_ms * 2^(n-1), max_backoff_ms)`, of which a random half is taken off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Retries after the guest's own retryable failures.
    pub guest: u32,
    /// Retries after lost workers, lost executors and host faults; these start
    /// without delay the first time.
    pub infrastructure: u32,
    /// The first delay, milliseconds.
    pub backoff_ms: u64,
    /// The longest delay, milliseconds.
    pub max_backoff_ms: u64,
}

impl Default for RetryPolicy {
    /// No retry of what the guest did; five of what the platform did.
    fn default() -> RetryPolicy {
        RetryPolicy {
            guest: 0,
            infrastructure: 5,
            backoff_ms: 1_000,
            max_backoff_ms: 60_000,
        }
    }
}
