//! A compiled job definition: what the primary decides on and stores. Every
//! source is a digest, every text is checked, every limit is effective.

use crate::files::Files;
use crate::grants::Grants;
use crate::ids::{Digest, JobId, NodeIndex};
use crate::input::{Array, BlobRef, Input};
use crate::module::ModuleKind;
use crate::outcome::FailureKind;
use crate::wire::AttemptLimits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

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
    /// The stored definition that it was made from; none when the text came with the
    /// submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<DefinitionRef>,
    /// Tasks on workers at once, over all live jobs of the same stored definition;
    /// over this job alone when it has none. No bound when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// The values of its parameters, as JSON text, for people and conditions; they
    /// are filled into the nodes already.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Its driver is the primary's own, and is given the requests that clients make.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub serves: bool,
    /// The public spaces that its tasks may change: names, or the start of some and `*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publishes: Vec<String>,
    /// The job whose task has submitted it; none when a client has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted_by: Option<SubmittedBy>,
}

/// The job whose task has submitted another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SubmittedBy {
    /// The job.
    pub job: JobId,
    /// How many jobs led to the submitted one: 1 when a client has submitted the first.
    pub depth: u8,
}

/// One version of a stored definition. Versions never change.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DefinitionRef {
    /// Its name.
    pub name: String,
    /// Its version, from 1.
    pub version: u32,
}

impl JobPlan {
    /// The values of its parameters; null for a text that is not JSON.
    pub fn param_values(&self) -> BTreeMap<String, serde_json::Value> {
        let params = self.params.iter();
        params
            .map(|(name, text)| (name.clone(), serde_json::from_str(text).unwrap_or_default()))
            .collect()
    }
}

impl fmt::Display for DefinitionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

impl Default for JobPlan {
    /// A job without nodes, to be filled.
    fn default() -> JobPlan {
        JobPlan {
            name: String::new(),
            description: String::new(),
            priority: 0,
            queue_ms: None,
            total_ms: None,
            on_failure: OnFailure::default(),
            nodes: Vec::new(),
            definition: None,
            concurrency: None,
            params: BTreeMap::new(),
            serves: false,
            publishes: Vec::new(),
            submitted_by: None,
        }
    }
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
    /// Nodes all of whose tasks must have ended before the first task of this one
    /// starts. Every node that its input, array or condition reads is among them. A node
    /// all of whose `after` were skipped is skipped, unless it has a condition.
    pub after: Vec<NodeIndex>,
    /// The script that `module`, an engine, runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Script>,
    /// What the guest reads through `wasi:config/store`, with placeholders; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub config: Vec<(String, String)>,
    /// An expression over `params`, `results` and `tasks`: unless it is true once
    /// `after` has ended, the node is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Tasks of the node that may fail for good without failing the job.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tolerate: u32,
    /// Tasks of the node on workers at once; no bound when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Among the nodes of its job, higher goes first.
    #[serde(default, skip_serializing_if = "is_level")]
    pub priority: i32,
    /// Its task, a single one, may start tasks of nodes whose array is
    /// [`Array::Spawned`] by it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub driver: bool,
    /// What its tasks may reach outside their sandboxes, where a worker offers it; none
    /// when they ask for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Box<Grants>>,
    /// What its tasks read and where they write; none when they have no files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Box<Files>>,
}

impl Default for NodePlan {
    /// A single task without name and module, to be filled.
    fn default() -> NodePlan {
        NodePlan {
            name: String::new(),
            module: Digest([0; 32]),
            module_len: 0,
            kind: ModuleKind::Task,
            array: Array::Single,
            input: NodeInput::Given(Input::Item),
            args: Vec::new(),
            env: Vec::new(),
            limits: AttemptLimits::default(),
            retry: RetryPolicy::default(),
            after: Vec::new(),
            script: None,
            config: Vec::new(),
            when: None,
            tolerate: 0,
            concurrency: None,
            priority: 0,
            driver: false,
            grants: None,
            files: None,
        }
    }
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

fn is_level(priority: &i32) -> bool {
    *priority == 0
}

/// A script: the input of an engine, beside the task's own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Script {
    /// Its file's name, for messages and stacks, such as `report.js`.
    pub name: String,
    /// Its text, UTF-8.
    pub source: BlobRef,
}

/// Where the input of a node comes from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeInput {
    /// From the definition.
    Given(Input),
    /// The results of a node named in `after`, gathered by the primary: for a
    /// [`ModuleKind::Task`] a CBOR array of `[index, bytes]` in order of index,
    /// for a script a JSON array of the results in that order,
    /// for a command the results one after another.
    Gather(NodeIndex),
    /// The result of a single task named in `after`, as it is; nothing when there is none.
    Result(NodeIndex),
    /// The results of several nodes as a JSON object, by the nodes' names. A result is
    /// JSON if it is well-formed, else text; that of an array is a list of them, in
    /// order of index; that of a single task that did not succeed is null.
    Join(Vec<NodeIndex>),
}

/// When a failed task is tried again. The n-th retry waits
/// `min(backoff_ms * 2^(n-1), max_backoff_ms)`, of which a random half is taken off.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
    /// Retries after failures of one kind, for kinds that have a count of their own
    /// instead of that of their class; sorted by kind. Charged to that kind alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<(FailureKind, u32)>,
}

impl Default for RetryPolicy {
    /// No retry of what the guest did; five of what the platform did.
    fn default() -> RetryPolicy {
        RetryPolicy {
            guest: 0,
            infrastructure: 5,
            backoff_ms: 1_000,
            max_backoff_ms: 60_000,
            kinds: Vec::new(),
        }
    }
}
