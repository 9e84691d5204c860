//! Submissions, and the views of jobs.

use super::TaskView;
use crate::grants::Grants;
use crate::ids::{Digest, JobId, WorkerId};
use crate::input::BlobRef;
use crate::outcome::Failure;
use crate::plan::DefinitionRef;
use crate::time::Timestamp;
use crate::wire::AttemptLimits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A job to run: a definition, and what the client resolved of it. The client
/// reads files and builds crates on its own machine; the primary compiles,
/// checks and decides.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubmitRequest {
    /// The definition as TOML text; empty when `stored` names one.
    #[serde(default)]
    pub definition: String,
    /// A stored definition instead: `name` for its latest version, or `name@version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<String>,
    /// Values of the definition's parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Object>))]
    pub params: BTreeMap<String, serde_json::Value>,
    /// Accepts the job even when no worker could run it now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait_for_capacity: bool,
    /// The modules of sources that only the client can see, by `crate:DIR` or
    /// `path:FILE` as in the definition: digests of pushed modules.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, String>))]
    pub modules: BTreeMap<String, Digest>,
    /// The uploaded files: an input file by its path in the definition, a file or
    /// batch of files of an array by its label in `lists`.
    #[serde(default)]
    pub files: BTreeMap<String, BlobRef>,
    /// The items of arrays that only the client can list: the lines of a text
    /// file by `lines:FILE`; the labels of files or batches by `files:` and the
    /// patterns as a JSON array, then `;batch=BYTES` when the definition says so.
    #[serde(default)]
    pub lists: BTreeMap<String, Vec<String>>,
    /// Makes a repeated submission return the first job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// Several jobs to store in one go: all of them, or none.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubmitBatch {
    /// The jobs, 1 to 1,000, without idempotency keys of their own.
    pub jobs: Vec<SubmitRequest>,
    /// Makes a repeated submission of the same jobs return the first ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// Jobs that were stored together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewJobs {
    /// Their ids, in the order of the request.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub ids: Vec<JobId>,
}

/// Where a job is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum JobState {
    /// No task has started.
    Queued,
    /// Some task has started.
    Running,
    /// It was told to stop, and attempts are still ending.
    Stopping,
    /// Every task succeeded, or failures were tolerated.
    Succeeded,
    /// A task failed for good.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl JobState {
    /// Whether nothing will happen any more.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            JobState::Succeeded | JobState::Failed | JobState::Cancelled
        )
    }
}

/// How many tasks are where.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Counts {
    /// All.
    pub total: u64,
    /// Not on any worker, or on one and not started.
    pub waiting: u64,
    /// Running.
    pub running: u64,
    /// Succeeded.
    pub succeeded: u64,
    /// Failed for good.
    pub failed: u64,
    /// Cancelled.
    pub cancelled: u64,
    /// Skipped: the condition of their node was not true, or all before it was skipped.
    /// A skipped node whose number of tasks was never known counts as one.
    #[serde(default)]
    pub skipped: u64,
}

/// A job.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobView {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where it is.
    pub state: JobState,
    /// Higher goes first.
    pub priority: i32,
    /// When it was stored.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub submitted: Timestamp,
    /// When its first task started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub ended: Option<Timestamp>,
    /// Its tasks, over all nodes.
    pub counts: Counts,
    /// Its nodes, in the definition's order.
    pub nodes: Vec<NodeView>,
    /// The stored definition that it was made from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<DefinitionRef>,
    /// The values of its parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Object>))]
    pub params: BTreeMap<String, serde_json::Value>,
    /// Why it failed: the first task that failed for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<JobFailure>,
    /// Outcomes of superseded attempts that were dropped.
    #[serde(default)]
    pub late_outcomes: u64,
    /// The job whose task has submitted it; none when a client has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub submitted_by: Option<JobId>,
}

impl JobView {
    /// The node whose result is the job's, and its number: the last one that no driver
    /// starts.
    pub fn result_node(&self) -> Option<(usize, &NodeView)> {
        let mut nodes = self.nodes.iter().enumerate().rev();
        nodes.find(|(_, node)| node.spawned_by.is_none())
    }
}

/// Why a job failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobFailure {
    /// The name of the task's node; none when the job as a whole ran out of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The task's index.
    #[serde(default)]
    pub index: u32,
    /// What happened.
    pub failure: Failure,
}

/// A node of a job.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Its module.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub module: Digest,
    /// Whether it is an array.
    pub array: bool,
    /// Its tasks.
    pub counts: Counts,
    /// The node whose task, a driver, starts its tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spawned_by: Option<String>,
    /// How many tasks it has is not known before other nodes have ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open_ended: bool,
    /// What an attempt may use.
    pub limits: AttemptLimits,
    /// The nodes that it comes after, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// The condition on which it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Whether it was skipped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// Tasks of it that may fail for good without failing the job.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tolerate: u32,
    /// Tasks of it that may be on workers at once; no bound when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// What its tasks may reach outside their sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Box<Grants>>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// The status of a job: one data structure with everything that changes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobStatus {
    /// When it was put together, by the primary's clock.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub at: Timestamp,
    /// The job.
    pub job: JobView,
    /// Tasks that run now, and the latest that ended; bounded.
    pub tasks: Vec<TaskView>,
    /// Tasks that are not in `tasks`.
    pub tasks_left_out: u64,
    /// The workers that hold tasks of the job, and how fresh their word is.
    pub workers: Vec<WorkerFreshness>,
}

/// How fresh a worker's word is.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkerFreshness {
    /// The worker.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub worker: WorkerId,
    /// Its name.
    pub name: String,
    /// Milliseconds since it was last heard.
    pub age_ms: u64,
    /// Attempts of the job that it runs.
    pub running: u32,
}

/// What to cancel.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CancelRequest {
    /// From the flag to the kill, milliseconds; the primary's default when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_ms: Option<u64>,
}
