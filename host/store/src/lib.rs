//! What survives a crash: records in a [`Store`], large content in [`Blobs`].
//!
//! Owns the store's contract, its redb and in-memory forms, the [`Committer`]
//! that groups commits, and files named by digest. Decides nothing and knows
//! nothing of networks and guests.

pub mod blobs;
pub mod committer;
mod memory;
mod named;
mod recover;
pub mod redb;

pub use blobs::{BlobError, BlobWriter, Blobs, Collected};
pub use committer::{Closed, Committer};
pub use memory::MemoryStore;
pub use named::in_plan as blobs_of_plan;
pub use redb::{OpenError, RedbStore};

use std::collections::HashSet;
use wasmhost_core::record::{
    AttemptRecord, DefinitionHead, DefinitionRecord, JobRecord, LibraryRecord, ModuleRecord,
    OutcomeRecord, OutputRecord, RecoveredData, RecoveredJob, RequestRecord, TokenRecord,
    WorkerRecord, Write,
};
use wasmhost_proto::plan::JobPlan;
use wasmhost_proto::wire::ResultData;
use wasmhost_proto::{Digest, JobId, NodeIndex, TaskId, TokenId};

/// The records of one cluster.
///
/// What every implementation promises, and `tests/conformance.rs` checks:
///
/// - **All or nothing.** A batch given to [`Store::commit`] is applied in order
///   and as a whole. When `commit` returns `Ok`, a crash of the process or of
///   the machine at any later instant leaves the batch in place.
/// - **Idempotent.** Every write says what is to hold, so a batch that is
///   committed twice in a row leaves what it left the first time. Taking away
///   what is not there is no error.
/// - **Reads see whole commits**, each read those of one instant, and are never
///   held up by a commit that runs.
/// - **A live job** is one whose record's state is not final. Finding the live
///   ones costs nothing for those that have ended.
/// - **Errors are fatal.** After any [`StoreError`] what is on disk is unknown
///   until the store is opened again: the owner stops, and acknowledges
///   nothing more. There is no error that a caller could repair by waiting.
///
/// All calls block; none may be made from a thread that must not wait.
pub trait Store: Send + Sync + 'static {
    /// Makes a batch durable.
    fn commit(&self, writes: &[Write]) -> Result<(), StoreError>;

    /// The latest [`Write::Term`]; 0 in a new store.
    fn term(&self) -> Result<u64, StoreError>;

    /// The changing half of a job.
    fn job(&self, job: JobId) -> Result<Option<JobRecord>, StoreError>;

    /// The immutable half of a job.
    fn plan(&self, job: JobId) -> Result<Option<JobPlan>, StoreError>;

    /// Up to `limit` jobs with ids below `before` (all when none), newest first.
    fn jobs(&self, before: Option<JobId>, limit: usize) -> Result<Vec<JobRecord>, StoreError>;

    /// Up to `limit` ids from `first` to `last`, both included, in order: what a
    /// prefix of an id may stand for.
    fn jobs_between(
        &self,
        first: JobId,
        last: JobId,
        limit: usize,
    ) -> Result<Vec<JobId>, StoreError>;

    /// The job that was submitted under an idempotency key.
    fn job_by_key(&self, key: &str) -> Result<Option<JobId>, StoreError>;

    /// The recorded end of a task.
    fn outcome(&self, task: TaskId) -> Result<Option<OutcomeRecord>, StoreError>;

    /// Up to `limit` recorded ends of a node from index `from` on, by index.
    fn outcomes(
        &self,
        job: JobId,
        node: NodeIndex,
        from: u32,
        limit: usize,
    ) -> Result<Vec<(u32, OutcomeRecord)>, StoreError>;

    /// The failed attempts of a task, oldest first.
    fn attempts(&self, task: TaskId) -> Result<Vec<AttemptRecord>, StoreError>;

    /// Every live job, by id, with what is needed to go on with it.
    fn recover(&self) -> Result<Vec<RecoveredJob>, StoreError>;

    /// One job, live or ended, in the form of [`Store::recover`].
    fn recover_job(&self, job: JobId) -> Result<Option<RecoveredJob>, StoreError>;

    /// One request to the primary's driver, waiting or not.
    fn request(&self, key: &str) -> Result<Option<RequestRecord>, StoreError>;

    /// Every request that waits, by number.
    fn waiting_requests(&self) -> Result<Vec<RequestRecord>, StoreError>;

    /// Every worker that has joined, by id.
    fn workers(&self) -> Result<Vec<WorkerRecord>, StoreError>;

    /// Every module, by digest.
    fn modules(&self) -> Result<Vec<ModuleRecord>, StoreError>;

    /// One module.
    fn module(&self, digest: Digest) -> Result<Option<ModuleRecord>, StoreError>;

    /// Every library, by name.
    fn libraries(&self) -> Result<Vec<LibraryRecord>, StoreError>;

    /// Every token, by id.
    fn tokens(&self) -> Result<Vec<TokenRecord>, StoreError>;

    /// One token.
    fn token(&self, token: TokenId) -> Result<Option<TokenRecord>, StoreError>;

    /// All data of live jobs and of public spaces.
    fn data(&self) -> Result<RecoveredData, StoreError>;

    /// Outputs of a job's tasks, at most `limit`, in order of task and number from a node,
    /// index and number on.
    fn outputs(
        &self,
        job: JobId,
        from: (NodeIndex, u32, u32),
        limit: usize,
    ) -> Result<Vec<(TaskId, u32, OutputRecord)>, StoreError>;

    /// Parts of an output, at most `limit`, from one on.
    fn output_parts(
        &self,
        task: TaskId,
        number: u32,
        from: u32,
        limit: usize,
    ) -> Result<Vec<ResultData>, StoreError>;

    /// The latest version of every stored definition, by name.
    fn definitions(&self) -> Result<Vec<DefinitionHead>, StoreError>;

    /// The versions of a stored definition, oldest first.
    fn definition_versions(&self, name: &str) -> Result<Vec<DefinitionHead>, StoreError>;

    /// One version of a stored definition; the latest when none is given.
    fn definition(
        &self,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<DefinitionRecord>, StoreError>;

    /// The highest version that a stored definition of this name ever had, also when
    /// it was taken away; 0 when there never was one.
    fn last_version(&self, name: &str) -> Result<u32, StoreError>;

    /// A version of a stored definition that names this module.
    fn definition_with(&self, module: Digest) -> Result<Option<DefinitionHead>, StoreError>;

    /// Every blob that some record names: modules, libraries, inputs and items of jobs,
    /// results, gathered inputs, modules and files of stored definitions. What is not
    /// in it may be collected.
    fn named_blobs(&self) -> Result<HashSet<Digest>, StoreError>;
}

/// Why a store failed. Fatal, always: see [`Store`].
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file or the disk under it.
    #[error("the store cannot be read or written: {0}")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A record is not what this version writes.
    #[error("the store has a record in '{table}' that cannot be read: {why}")]
    Damaged {
        /// The table.
        table: &'static str,
        /// What is wrong.
        why: String,
    },
}
