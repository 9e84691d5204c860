//! What is stored. Recovery needs these records and nothing else.
//!
//! Owns the shape of stored facts; the store owns their bytes and keys. Different
//! from wire and view types on purpose: those change with versions, these with
//! migrations.

mod data;
mod definition;
mod request;

pub use data::*;
pub use definition::*;
pub use request::*;
mod library;
pub use library::*;

use crate::prepared::PreparedRecord;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wasmhost_proto::api::{Counts, JobState, TokenKind};
use wasmhost_proto::input::{BlobRef, Item};
use wasmhost_proto::module::{Manifest, ModuleKind};
use wasmhost_proto::outcome::{Failure, FailureKind, RetryClass, Usage};
use wasmhost_proto::plan::{JobPlan, RetryPolicy};
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::ResultData;
use wasmhost_proto::{Digest, JobId, Lease, NodeIndex, TaskId, Timestamp, TokenId, WorkerId};

/// One change of the store. A batch of them is committed as a whole or not at all.
#[derive(Clone, PartialEq, Debug)]
pub enum Write {
    /// The immutable half of a job; written once, with its first [`Write::Job`].
    Plan(JobId, Arc<JobPlan>),
    /// The changing half of a job.
    Job(Arc<JobRecord>),
    /// The recorded end of a task. At most one exists per task.
    Outcome(TaskId, OutcomeRecord),
    /// Takes recorded ends back: the user asked for the tasks to run again.
    RemoveOutcome(TaskId),
    /// An attempt that failed, the last one too: an outcome can be taken back,
    /// the story of the attempts stays.
    Attempt(TaskId, Box<AttemptRecord>),
    /// What was found out about a node once the nodes before it had ended.
    Prepared(JobId, NodeIndex, PreparedRecord),
    /// Takes that back: the node is to be prepared again.
    RemovePrepared(JobId, NodeIndex),
    /// A task that a driver has started; once, before its first attempt is recorded.
    Spawned(TaskId, Box<SpawnRecord>),
    /// A request to the primary's driver, or what became of it.
    Request(Box<RequestRecord>),
    /// A change of data.
    Data(Box<DataWrite>),
    /// The last change that an attempt made.
    DataCall(TaskId, Box<CallRecord>),
    /// Takes that away: its task has ended.
    RemoveDataCall(TaskId),
    /// Takes the private data of a job away, and the last changes of its attempts.
    RemoveJobData(JobId),
    /// What an attempt has left to the next one, in the place of what was there.
    Checkpoint(TaskId, Box<CheckpointRecord>),
    /// Takes that away: its task has ended.
    RemoveCheckpoint(TaskId),
    /// An output of a task, by its number, in the place of what was there.
    Output(TaskId, u32, Box<OutputRecord>),
    /// A part of an output.
    OutputPart(TaskId, u32, u32, Box<ResultData>),
    /// Takes the outputs of a task away: another attempt writes its own.
    RemoveOutputs(TaskId),
    /// A worker.
    Worker(WorkerRecord),
    /// A module.
    Module(Box<ModuleRecord>),
    /// Takes a module away.
    RemoveModule(Digest),
    /// A library, in the place of another of its name.
    Library(Box<LibraryRecord>),
    /// Takes a library away, by its name.
    RemoveLibrary(String),
    /// A token.
    Token(TokenRecord),
    /// Takes a token away.
    RemoveToken(TokenId),
    /// A version of a stored definition.
    Definition(Box<DefinitionRecord>),
    /// Takes versions of a stored definition away: those below a number, or all.
    /// Their numbers stay used.
    RemoveDefinition {
        /// Its name.
        name: String,
        /// The first version that stays; none when none does.
        before: Option<u32>,
    },
    /// The term of the primary that now owns the store.
    Term(u64),
}

/// A job as it changes. Kept current as its tasks end.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct JobRecord {
    /// Its id.
    pub id: JobId,
    /// The plan's name, again, so that a list of jobs reads no plans.
    pub name: String,
    /// The plan's priority, again.
    pub priority: i32,
    /// Where it is.
    pub state: JobState,
    /// When it was stored.
    pub submitted: Timestamp,
    /// When its first task started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Recorded ends over all nodes: all but waiting and running are exact.
    pub counts: Counts,
    /// The same by node, of a job that has ended. While it lives its recorded ends tell
    /// them, and this is empty: a job may have ten thousand nodes, and each commit
    /// writes this record anew.
    pub node_counts: Vec<Counts>,
    /// Why it fails.
    pub failure: Option<JobFailureRecord>,
    /// Somebody asked for its end.
    pub cancelled: bool,
    /// Inputs of nodes that were gathered by a version without [`PreparedRecord`].
    pub gathered: Vec<(NodeIndex, BlobRef)>,
    /// The client's key that makes submission repeatable.
    pub idempotency_key: Option<String>,
    /// Outcomes of superseded attempts that were dropped.
    pub late_outcomes: u64,
    /// How often the ended job was told to run again what had not succeeded.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Why a job fails.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct JobFailureRecord {
    /// The task, unless the job as a whole ran out of time.
    pub task: Option<TaskId>,
    /// What happened.
    pub failure: Failure,
}

/// The recorded end of a task.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OutcomeRecord {
    /// The lease under which it was recorded; attempt 0 when no attempt was made.
    pub lease: Lease,
    /// The worker that ran it.
    pub worker: Option<WorkerId>,
    /// When the attempt began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Timestamp,
    /// Why it failed; none on success.
    pub failure: Option<Box<Failure>>,
    /// The result, or the output of a command that failed.
    pub result: Option<StoredResult>,
    /// What it used.
    pub usage: Usage,
    /// What it had published; none when nothing.
    pub published: Option<Box<Published>>,
}

/// What an attempt had published at its end.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Published {
    /// Its last status.
    pub status: Status,
    /// Its log; empty when nothing.
    pub log: String,
}

impl Published {
    /// Boxed, or none when there is nothing in it: most attempts publish nothing,
    /// and their records are to be small.
    pub fn boxed(status: Status, log: String) -> Option<Box<Published>> {
        let silent = status.is_empty() && log.is_empty();
        (!silent).then(|| Box::new(Published { status, log }))
    }
}

/// A result at rest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StoredResult {
    /// The bytes.
    Inline(#[serde(with = "serde_bytes")] Vec<u8>),
    /// A file of the blob store.
    Blob(BlobRef),
}

/// A task that a driver has started.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SpawnRecord {
    /// The driver's name for it.
    pub key: String,
    /// What it was given.
    pub item: Item,
}

/// An attempt that failed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// Its lease.
    pub lease: Lease,
    /// The worker that had it.
    pub worker: Option<WorkerId>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Timestamp,
    /// Why.
    pub failure: Failure,
    /// What it used.
    pub usage: Usage,
    /// What it had published.
    pub status: Status,
    /// Its log.
    pub log: String,
}

/// A worker that has joined.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WorkerRecord {
    /// Its id.
    pub id: WorkerId,
    /// Its name.
    pub name: String,
    /// Whether it held a session when this was written: after a restart the
    /// primary gives it time to come back with its leases.
    pub connected: bool,
    /// Whether it is told to take no work.
    pub draining: bool,
    /// When this was written.
    pub seen: Timestamp,
}

/// A module of the store; its bytes are a blob of the same digest.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ModuleRecord {
    /// Its digest.
    pub digest: Digest,
    /// Its length.
    pub len: u64,
    /// How it is started.
    pub kind: ModuleKind,
    /// Its names as `name:version`, oldest first.
    pub names: Vec<String>,
    /// When it was first pushed.
    pub pushed: Timestamp,
    /// What it says of itself.
    pub manifest: Manifest,
    /// What it imports.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// The digest of what was uploaded, where that is not what was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploaded: Option<Digest>,
    /// What it was composed of, if it was made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub composed: Option<ComposedOf>,
}

/// A token; of its secret only the SHA-256.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Its id.
    pub id: TokenId,
    /// What it is for.
    pub kind: TokenKind,
    /// A note for people.
    pub name: String,
    /// SHA-256 of the secret.
    #[serde(with = "serde_bytes")]
    pub secret_sha256: [u8; 32],
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// When it was used, for tokens that hold once.
    pub used: Option<Timestamp>,
}

/// What a primary needs of the store to go on where the one before it ended.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Recovered {
    /// The highest id of any job, ended ones too: no id comes twice.
    pub last_job: Option<JobId>,
    /// Every live job.
    pub jobs: Vec<RecoveredJob>,
    /// Every worker.
    pub workers: Vec<WorkerRecord>,
    /// Every request that waits, by number.
    pub requests: Vec<RequestRecord>,
    /// All data.
    pub data: RecoveredData,
}

/// A live job as the store gives it back.
#[derive(Clone, PartialEq, Debug)]
pub struct RecoveredJob {
    /// Its changing half.
    pub record: JobRecord,
    /// Its immutable half.
    pub plan: JobPlan,
    /// Every recorded end: where, and whether it was success, a failure or a cancellation.
    pub ended: Vec<(NodeIndex, u32, RecordedEnd)>,
    /// What was found out about nodes.
    pub prepared: Vec<(NodeIndex, PreparedRecord)>,
    /// The items of prepared nodes whose items are not in the plan; a store leaves this
    /// empty, for they are made of what it holds.
    pub items: Vec<(NodeIndex, Arc<[Item]>)>,
    /// Tasks that drivers have started, by node and in order of index.
    pub spawned: Vec<(NodeIndex, SpawnRecord)>,
    /// Failed attempts by task, of tasks that have ended too: what they were charged to,
    /// and the highest number. A retry of the job must not use a number twice.
    pub failed_attempts: Vec<(NodeIndex, u32, FailedAttempts)>,
}

/// How a task ended, in short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordedEnd {
    /// It succeeded.
    Succeeded,
    /// It failed for good.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// A task's failed attempts, counted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FailedAttempts {
    /// Charged to the guest.
    pub guest: u32,
    /// Charged to the infrastructure.
    pub infrastructure: u32,
    /// Charged to kinds of failure for which the retry policy has a count of their own.
    pub kinds: Vec<(FailureKind, u32)>,
    /// The highest attempt number.
    pub last: u32,
}

impl FailedAttempts {
    /// Charges a failed attempt: to its kind if the policy counts that for itself, else
    /// to its class. How many were charged there with it, and how many may be; none for
    /// what is never tried again.
    pub fn charge(&mut self, policy: &RetryPolicy, kind: FailureKind) -> Option<(u32, u32)> {
        let own = policy.kinds.iter().find(|(own, _)| *own == kind);
        let (spent, allowed) = match (own, kind.retry_class()) {
            (Some((_, allowed)), _) => (self.of_kind(kind), *allowed),
            (None, RetryClass::Guest) => (&mut self.guest, policy.guest),
            (None, RetryClass::Infrastructure) => (&mut self.infrastructure, policy.infrastructure),
            (None, RetryClass::Never) => return None,
        };
        *spent = spent.saturating_add(1);
        Some((*spent, allowed))
    }

    fn of_kind(&mut self, kind: FailureKind) -> &mut u32 {
        let known = self.kinds.iter().position(|(known, _)| *known == kind);
        let at = known.unwrap_or(self.kinds.len());
        if known.is_none() {
            self.kinds.push((kind, 0));
        }
        &mut self.kinds[at].1
    }
}
