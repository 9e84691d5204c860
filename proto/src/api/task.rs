//! Tasks and their attempts, as clients see them.

use crate::ids::{Digest, JobId, WorkerId};
use crate::outcome::Failure;
use crate::status::Status;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a task is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum TaskState {
    /// Waits for something: see [`TaskView::waits_for`].
    Waiting,
    /// On a worker, not started.
    Assigned,
    /// Running.
    Running,
    /// Succeeded.
    Succeeded,
    /// Failed for good.
    Failed,
    /// Cancelled.
    Cancelled,
    /// Skipped with its node.
    Skipped,
}

/// A task, with the whole story of its attempts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskView {
    /// Its job.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub job: JobId,
    /// The name of its node.
    pub node: String,
    /// Its index.
    pub index: u32,
    /// Where it is.
    pub state: TaskState,
    /// Why it waits, in a sentence; for waiting and assigned tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// Its latest attempt first; those that were tried before follow.
    pub attempts: Vec<AttemptView>,
    /// What its attempts went through, oldest first; only where one task is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<super::Moment>,
    /// The recorded result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultView>,
    /// The checkpoint that its next attempt would find; while it has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<CheckpointView>,
    /// Its outputs; only where one task is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<super::OutputView>,
}

/// A checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CheckpointView {
    /// The attempt that saved it.
    pub attempt: u32,
    /// Its length in bytes.
    pub len: u64,
}

/// One attempt of a task.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttemptView {
    /// Its number, from 1.
    pub attempt: u32,
    /// The worker that has or had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub worker: Option<WorkerId>,
    /// That worker's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub worker_name: String,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub ended: Option<Timestamp>,
    /// Why it failed; none while it runs and when it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What it used, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageView>,
    /// What it published.
    #[serde(default, skip_serializing_if = "Status::is_empty")]
    pub status: Status,
    /// How old the status is, milliseconds; none once the attempt has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_age_ms: Option<u64>,
}

/// What an attempt used.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsageView {
    /// Wall-clock time, milliseconds.
    pub wall_ms: f64,
    /// Processor time, milliseconds.
    pub cpu_ms: f64,
    /// Peak of linear memories and tables, bytes.
    pub peak_memory: u64,
}

/// A recorded result.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResultView {
    /// Bytes.
    pub len: u64,
    /// The digest of a large result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub digest: Option<Digest>,
    /// The text of a small result that is UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}
