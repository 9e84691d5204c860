//! What a primary tells a worker.

use crate::data::DataAnswer;
use crate::files::Files;
use crate::grants::Grants;
use crate::ids::{Digest, JobId, Lease, NodeIndex, TaskId, WorkerId};
use crate::input::{Input, Item};
use crate::limits::{DEFAULT_MEMORY, DEFAULT_OUTPUT, DEFAULT_WALL_MS};
use crate::module::ModuleKind;
use crate::outcome::Failure;
use crate::plan::Script;
use crate::secret::Secret;
use crate::wire::ResultData;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// A message from the primary.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToWorker {
    /// The registration is accepted.
    Welcome {
        /// Who the worker is, as the primary knows it.
        worker: WorkerId,
        /// How long a silent worker keeps its leases, milliseconds.
        lease_ms: u64,
    },
    /// What the tasks of a node have in common. Sent once per session and node,
    /// before the first assignment of the node.
    Prepare(Box<NodeSpec>),
    /// Work.
    Assign(Vec<AssignRun>),
    /// Outcome batches up to this number are durable and may be forgotten.
    Ack {
        /// The number of the last durable batch.
        batch: u64,
    },
    /// Stop these attempts: raise their flag, then kill after the grace.
    /// Unstarted ones end as cancelled at once. All of them are answered by outcomes.
    Cancel {
        /// The attempts, by task and lease.
        attempts: Vec<(TaskId, Lease)>,
        /// Milliseconds from the flag to the kill.
        grace_ms: u64,
    },
    /// Give back up to this many unstarted leases, last ones first; answered by
    /// one [`super::ToPrimary::Released`], perhaps an empty one.
    TakeBack {
        /// How many at most.
        max: u32,
    },
    /// A job has ended: what is known of it can go.
    Forget {
        /// The job.
        job: JobId,
    },
    /// Ask for no more work, or again.
    Drain {
        /// Whether to stop asking.
        on: bool,
    },
    /// Report the full status of running attempts now.
    Poll,
    /// A task that a driver on this worker has started is over, durably.
    Spawned(Box<SpawnedEnd>),
    /// The answer to a driver that wants the next request.
    Request(Box<GivenRequest>),
    /// What came of an attempt's call.
    Data(Box<DataAnswer>),
}

/// What a driver is given that wants the next request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GivenRequest {
    /// The driver.
    pub task: TaskId,
    /// The driver's lease.
    pub lease: Lease,
    /// None when it is given no more: another driver has taken its place.
    pub request: Option<DriverRequest>,
}

/// What somebody asks of a primary's own driver.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DriverRequest {
    /// Grows from one to the next.
    pub number: u64,
    /// The key of the task that answers it.
    pub key: String,
    /// The name of the task that is asked for.
    pub node: String,
    /// Its input, up to [`crate::limits::MAX_SPAWN_INPUT`].
    #[serde(with = "serde_bytes")]
    pub input: Vec<u8>,
}

/// The end of a task that a driver has started. May come more than once.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SpawnedEnd {
    /// The driver.
    pub task: TaskId,
    /// The driver's lease.
    pub lease: Lease,
    /// The driver's name for the started task.
    pub key: String,
    /// How it ended.
    pub end: ChildEnd,
}

/// How a task ended that a driver has started.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildEnd {
    /// It succeeded.
    Success(ResultData),
    /// It failed for good, or was cancelled.
    Failure(Box<Failure>),
    /// It was never started, and why.
    Refused(String),
}

/// What all tasks of one node share.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NodeSpec {
    /// The job.
    pub job: JobId,
    /// The node.
    pub node: NodeIndex,
    /// Its name in the definition.
    pub name: String,
    /// How many indexes it has.
    pub count: u32,
    /// The module, fetched by digest.
    pub module: Digest,
    /// The module's length in bytes.
    pub module_len: u64,
    /// How it is started.
    pub kind: ModuleKind,
    /// Where input comes from.
    pub input: Input,
    /// Arguments of a command after its name, with placeholders.
    pub args: Vec<String>,
    /// Environment of a command, with placeholders.
    pub env: Vec<(String, String)>,
    /// What an attempt may use.
    pub limits: AttemptLimits,
    /// The script that the module, an engine, runs; fetched by digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Script>,
    /// What the guest reads through `wasi:config/store`, with placeholders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub config: Vec<(String, String)>,
    /// Its tasks may start tasks; they hold no slot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub driver: bool,
    /// What its tasks may reach outside their sandboxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Box<Grants>>,
    /// What its tasks read and where they write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Box<Files>>,
    /// The secrets that it asks for, with their values: those that there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Box<Vec<Secret>>>,
}

impl NodeSpec {
    /// The secrets of its tasks.
    pub fn secrets(&self) -> &[Secret] {
        self.secrets.as_deref().map_or(&[], |secrets| secrets)
    }
}

/// What one attempt may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttemptLimits {
    /// Sum of all linear memories and tables, bytes.
    pub memory: u64,
    /// Wall-clock time from instantiation, milliseconds.
    pub wall_ms: u64,
    /// Bytes of result or standard output.
    pub output: u64,
}

impl Default for AttemptLimits {
    /// What a definition that says nothing gets.
    fn default() -> AttemptLimits {
        AttemptLimits {
            memory: DEFAULT_MEMORY,
            wall_ms: DEFAULT_WALL_MS,
            output: DEFAULT_OUTPUT,
        }
    }
}

/// Consecutive indexes of one node under one lease number.
#[derive(Clone, PartialEq, Debug, serde_tuple::Serialize_tuple, serde_tuple::Deserialize_tuple)]
pub struct AssignRun {
    /// The job.
    pub job: JobId,
    /// The node.
    pub node: NodeIndex,
    /// The lease of each.
    pub lease: Lease,
    /// The first index.
    pub first: u32,
    /// What the indexes stand for, and how many there are.
    pub items: RunItems,
}

/// The items of consecutive indexes. Only those that the definition names one by one
/// travel; a run of a range has the same few bytes at any length.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunItems {
    /// One index, whose item is null.
    Single,
    /// Numbers of the node's range.
    Range {
        /// The number of index 0.
        start: i64,
        /// The distance between two.
        step: i64,
        /// How many indexes the run has.
        count: u32,
    },
    /// An item for each index.
    Items(VecDeque<Item>),
}

impl AssignRun {
    /// How many indexes it has.
    pub fn count(&self) -> u32 {
        match &self.items {
            RunItems::Single => 1,
            RunItems::Range { count, .. } => *count,
            RunItems::Items(items) => items.len() as u32,
        }
    }

    /// The item of its first index; none when the run is empty.
    pub fn item(&self) -> Option<Item> {
        match &self.items {
            RunItems::Single => Some(Item::Json("null".into())),
            RunItems::Range { count: 0, .. } => None,
            RunItems::Range { start, step, .. } => Some(Item::of_range(*start, *step, self.first)),
            RunItems::Items(items) => items.front().cloned(),
        }
    }

    /// Takes the first index out, as a run of its own; none when the run is empty.
    pub fn take_first(&mut self) -> Option<AssignRun> {
        let items = match &mut self.items {
            RunItems::Single => {
                std::mem::replace(&mut self.items, RunItems::Items(VecDeque::new()))
            }
            RunItems::Range { count: 0, .. } => return None,
            RunItems::Range { start, step, count } => {
                *count -= 1;
                RunItems::Range {
                    start: *start,
                    step: *step,
                    count: 1,
                }
            }
            RunItems::Items(items) => RunItems::Items([items.pop_front()?].into()),
        };
        let first = self.first;
        self.first = first.saturating_add(1);
        Some(AssignRun {
            first,
            items,
            ..*self
        })
    }

    /// Takes out what follows the first `keep` indexes.
    pub fn split_off(&mut self, keep: u32) -> AssignRun {
        let keep = keep.min(self.count());
        let rest = match &mut self.items {
            RunItems::Single if keep == 0 => {
                std::mem::replace(&mut self.items, RunItems::Items(VecDeque::new()))
            }
            RunItems::Single => RunItems::Items(VecDeque::new()),
            RunItems::Range { start, step, count } => {
                let rest = std::mem::replace(count, keep);
                RunItems::Range {
                    start: *start,
                    step: *step,
                    count: rest - keep,
                }
            }
            RunItems::Items(items) => RunItems::Items(items.split_off(keep as usize)),
        };
        AssignRun {
            first: self.first.saturating_add(keep),
            items: rest,
            ..*self
        }
    }
}
