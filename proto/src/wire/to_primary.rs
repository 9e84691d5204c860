//! What a worker tells the primary.

use crate::data::DataCall;
use crate::grants::Grants;
use crate::ids::{Digest, Lease, TaskId};
use crate::input::BlobRef;
use crate::outcome::{Failure, Usage};
use crate::status::Status;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A message from a worker.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToPrimary {
    /// The first message of a session.
    Register(Box<Register>),
    /// Asks for work. The newest request replaces the one before.
    Request(WorkRequest),
    /// Alive, and how busy. Sent at least as often as promised when there is
    /// nothing else to say.
    Beat(Load),
    /// Attempts that have begun to run.
    Started(Vec<Started>),
    /// What attempts have published since the last report.
    Status(Vec<StatusReport>),
    /// Attempts that have ended. Repeated after a reconnect until acknowledged.
    Outcomes {
        /// Counts the batches of this worker process from 1.
        batch: u64,
        /// The outcomes.
        #[serde(with = "super::outcomes")]
        items: Arc<Vec<AttemptOutcome>>,
    },
    /// Unstarted leases given back: the answer to a take-back, or on leaving.
    Released(Vec<(TaskId, Lease)>),
    /// What became of a module on this worker.
    Module {
        /// Which.
        digest: Digest,
        /// Its state.
        state: ModuleState,
    },
    /// The worker leaves in order; it holds no lease any more.
    Bye,
    /// A driver starts a task. Repeated after a reconnect until its end has come.
    Spawn(Box<Spawn>),
    /// A driver gives up a task that it has started.
    CancelSpawned(Box<CancelSpawned>),
    /// A driver wants the next request. Repeated after a reconnect until the answer has come.
    NextRequest(Box<NextRequest>),
    /// An attempt reads or changes data.
    Data(Box<DataCall>),
}

/// A driver wants the first request that was made after one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NextRequest {
    /// The driver.
    pub task: TaskId,
    /// The driver's lease.
    pub lease: Lease,
    /// The number of the last that it was given; 0 for the first of all.
    pub after: u64,
}

/// A started task that its driver gives up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CancelSpawned {
    /// The driver.
    pub task: TaskId,
    /// The driver's lease.
    pub lease: Lease,
    /// The driver's name for the started task.
    pub key: String,
}

/// A task that a driver starts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Spawn {
    /// The driver.
    pub task: TaskId,
    /// The driver's lease.
    pub lease: Lease,
    /// The driver's name for it: the same key again means the same task.
    pub key: String,
    /// The name of its node in the definition.
    pub node: String,
    /// Its input, up to [`crate::limits::MAX_SPAWN_INPUT`].
    #[serde(with = "serde_bytes")]
    pub input: Vec<u8>,
}

/// Who a worker is and what it holds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Register {
    /// A name for people: by default the host's.
    pub name: String,
    /// The worker's software version.
    pub version: String,
    /// Attempts that it can run at once.
    pub slots: u32,
    /// The processors that it has.
    pub cpus: u32,
    /// Bytes of memory that it offers to guests; 0 when it does not say.
    pub memory: u64,
    /// What it offers to tasks that are granted it; none for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offers: Option<Box<Grants>>,
    /// Bytes of scratch that it offers to an attempt; 0 when it offers no files.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub scratch: u64,
    /// The highest term it has seen; the primary must be above or equal.
    pub term_seen: u64,
    /// Tells one process of the worker from the next: a new one holds nothing.
    pub incarnation: u64,
    /// Every lease that it holds, unstarted or running, or ended and not acknowledged.
    pub held: Vec<Held>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A lease that a worker holds across a reconnect.
#[derive(
    Clone, Copy, PartialEq, Debug, serde_tuple::Serialize_tuple, serde_tuple::Deserialize_tuple,
)]
pub struct Held {
    /// The task.
    pub task: TaskId,
    /// The lease.
    pub lease: Lease,
    /// Since when it runs; none when unstarted.
    pub started: Option<Timestamp>,
}

/// A request for work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WorkRequest {
    /// How many more leases the worker takes: free slots and room in its queue.
    pub want: u32,
    /// How many of them could start at once.
    pub free_slots: u32,
    /// The worker will be heard at least this often, milliseconds.
    pub status_interval_ms: u64,
}

/// How busy a worker is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Load {
    /// Attempts running.
    pub running: u32,
    /// Leases unstarted.
    pub queued: u32,
    /// Executor processes alive.
    pub executors: u32,
    /// Executor processes that died since the worker began.
    pub executors_lost: u32,
}

/// An attempt has begun.
#[derive(
    Clone, Copy, PartialEq, Debug, serde_tuple::Serialize_tuple, serde_tuple::Deserialize_tuple,
)]
pub struct Started {
    /// The task.
    pub task: TaskId,
    /// The lease.
    pub lease: Lease,
    /// When, by the worker's clock.
    pub at: Timestamp,
}

/// What an attempt has published: the whole of it, never a difference, so that
/// a lost or repeated report does no harm. Log text is what was added since the
/// last report.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StatusReport {
    /// The task.
    pub task: TaskId,
    /// The lease.
    pub lease: Lease,
    /// When it was taken, by the worker's clock.
    pub at: Timestamp,
    /// The status.
    pub status: Status,
    /// New log text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
}

/// How an attempt ended.
#[derive(Clone, PartialEq, Debug, serde_tuple::Serialize_tuple, serde_tuple::Deserialize_tuple)]
pub struct AttemptOutcome {
    /// The task.
    pub task: TaskId,
    /// The lease.
    pub lease: Lease,
    /// When it began, by the worker's clock; none when it never did.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Timestamp,
    /// The end itself.
    pub end: End,
    /// What it used.
    pub usage: Usage,
    /// Its last status and log, when it had any.
    pub report: Option<Box<FinalReport>>,
}

/// The last status and log of an attempt.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct FinalReport {
    /// What it had published.
    pub status: Status,
    /// Log lines and standard error, within bounds.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
}

/// Success with a result, or a failure. A command that failed may still have output.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It succeeded.
    Success(ResultData),
    /// It did not; the output of a command that got that far.
    Failure(Box<Failure>, Option<ResultData>),
}

/// A result: inline, or a blob that was uploaded before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
pub enum ResultData {
    /// The bytes, up to [`crate::limits::MAX_INLINE`].
    Inline(#[serde(with = "serde_bytes")] Vec<u8>),
    /// Content in the blob store.
    Blob(BlobRef),
}

impl ResultData {
    /// The length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            ResultData::Inline(bytes) => bytes.len() as u64,
            ResultData::Blob(blob) => blob.len,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The state of a module on a worker.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModuleState {
    /// Being fetched.
    Fetching,
    /// Being compiled.
    Compiling,
    /// Ready to run.
    Ready,
    /// It cannot be run here, and why.
    Rejected(String),
}
