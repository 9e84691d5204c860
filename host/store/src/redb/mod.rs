//! The durable store, on redb.
//!
//! Every commit is one-phase: one sync of the file, which is most of what a small
//! commit costs and all that a lone client waits for. A commit that a power cut
//! tears is found by its checksums and undone as a whole (`crash` cuts the power
//! at every step); a second sync would find, besides, that the disk has damaged
//! the very last commit before the cut. The allocator's state is not saved with
//! each commit: after a crash, opening reads the file once instead. Integrity
//! checks are not called: a file that does not open is an error for people, never
//! repaired in silence.

mod block;
mod codec;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod crash;
mod data;
mod definitions;
mod ends;
mod job;
mod keep;
mod migrate;
mod outcome;
mod prepared;
mod recover;
mod requests;
mod spawned;
mod tables;
mod v1;
mod v2;
mod v3;
mod varint;
mod write;

pub use migrate::{OpenError, VERSION};

use self::tables::{
    ATTEMPTS, Bytes, ENDS, JOBS, KEYS, LIBRARIES, META, MODULES, PLANS, REQUESTS, TERM, TOKENS,
    WORKERS,
};
use crate::{Store, StoreError};
use ::redb::{
    Database, Durability, Key, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition,
    WriteTransaction,
};
use serde::de::DeserializeOwned;
use std::borrow::Borrow;
use std::collections::HashSet;
use std::error::Error;
use std::path::Path;
use wasmhost_core::record::{
    AttemptRecord, DefinitionHead, DefinitionRecord, JobRecord, LibraryRecord, ModuleRecord,
    OutcomeRecord, OutputRecord, RecoveredData, RecoveredJob, RequestRecord, TokenRecord,
    WorkerRecord, Write,
};
use wasmhost_proto::plan::JobPlan;
use wasmhost_proto::wire::ResultData;
use wasmhost_proto::{Digest, JobId, NodeIndex, TaskId, TokenId};

/// A [`Store`] in one file. The file is locked while it is open.
pub struct RedbStore {
    database: Database,
}

impl RedbStore {
    /// Opens the file, brings it to this version's schema, or makes it when there
    /// is none.
    pub fn open(path: &Path) -> Result<RedbStore, OpenError> {
        Ok(RedbStore {
            database: migrate::open(path)?,
        })
    }

    fn read(&self) -> Result<ReadTransaction, StoreError> {
        self.database.begin_read().map_err(storage)
    }

    /// One record that is CBOR as it stands.
    fn get<'k, K: Key + 'static, T: DeserializeOwned>(
        &self,
        table: TableDefinition<'static, K, Bytes>,
        name: &'static str,
        key: impl Borrow<K::SelfType<'k>>,
    ) -> Result<Option<T>, StoreError> {
        let table = self.read()?.open_table(table).map_err(storage)?;
        let record = table.get(key).map_err(storage)?;
        record
            .map(|bytes| codec::decode(name, bytes.value()))
            .transpose()
    }

    /// All records of a table, by key.
    fn all<K: Key + 'static, T: DeserializeOwned>(
        &self,
        table: TableDefinition<'static, K, Bytes>,
        name: &'static str,
    ) -> Result<Vec<T>, StoreError> {
        let table = self.read()?.open_table(table).map_err(storage)?;
        let records = table.iter().map_err(storage)?;
        records
            .map(|entry| codec::decode(name, entry.map_err(storage)?.1.value()))
            .collect()
    }
}

impl Store for RedbStore {
    fn commit(&self, writes: &[Write]) -> Result<(), StoreError> {
        durable_write(&self.database, |txn| write::apply(txn, writes))
    }

    fn term(&self) -> Result<u64, StoreError> {
        let table = self.read()?.open_table(META).map_err(storage)?;
        Ok(table
            .get(TERM)
            .map_err(storage)?
            .map_or(0, |term| term.value()))
    }

    fn job(&self, job: JobId) -> Result<Option<JobRecord>, StoreError> {
        let table = self.read()?.open_table(JOBS).map_err(storage)?;
        let row = table.get(job.0).map_err(storage)?;
        row.map(|row| job::read(row.value())).transpose()
    }

    fn plan(&self, job: JobId) -> Result<Option<JobPlan>, StoreError> {
        self.get(PLANS, "plans", job.0)
    }

    fn jobs(&self, before: Option<JobId>, limit: usize) -> Result<Vec<JobRecord>, StoreError> {
        let table = self.read()?.open_table(JOBS).map_err(storage)?;
        let below = before.map_or(u64::MAX, |job| job.0);
        let entries = table.range(..below).map_err(storage)?.rev().take(limit);
        entries
            .map(|entry| job::read(entry.map_err(storage)?.1.value()))
            .collect()
    }

    fn jobs_between(
        &self,
        first: JobId,
        last: JobId,
        limit: usize,
    ) -> Result<Vec<JobId>, StoreError> {
        if first > last {
            return Ok(Vec::new());
        }
        let table = self.read()?.open_table(JOBS).map_err(storage)?;
        let entries = table.range(first.0..=last.0).map_err(storage)?.take(limit);
        entries
            .map(|entry| Ok(JobId(entry.map_err(storage)?.0.value())))
            .collect()
    }

    fn job_by_key(&self, key: &str) -> Result<Option<JobId>, StoreError> {
        let table = self.read()?.open_table(KEYS).map_err(storage)?;
        Ok(table
            .get(key)
            .map_err(storage)?
            .map(|job| JobId(job.value())))
    }

    fn outcome(&self, task: TaskId) -> Result<Option<OutcomeRecord>, StoreError> {
        let table = self.read()?.open_table(ENDS).map_err(storage)?;
        ends::get(&table, task)
    }

    fn outcomes(
        &self,
        job: JobId,
        node: NodeIndex,
        from: u32,
        limit: usize,
    ) -> Result<Vec<(u32, OutcomeRecord)>, StoreError> {
        let table = self.read()?.open_table(ENDS).map_err(storage)?;
        ends::page(&table, job, node, from, limit)
    }

    fn attempts(&self, task: TaskId) -> Result<Vec<AttemptRecord>, StoreError> {
        let table = self.read()?.open_table(ATTEMPTS).map_err(storage)?;
        let first = (task.job.0, task.node, task.index, 0, 0);
        let last = (task.job.0, task.node, task.index, u32::MAX, u64::MAX);
        let entries = table.range(first..=last).map_err(storage)?;
        entries
            .map(|entry| codec::decode_attempt(entry.map_err(storage)?.1.value()))
            .collect()
    }

    fn recover(&self) -> Result<Vec<RecoveredJob>, StoreError> {
        recover::live(&self.read()?)
    }

    fn recover_job(&self, job: JobId) -> Result<Option<RecoveredJob>, StoreError> {
        recover::one(&self.read()?, job)
    }

    fn request(&self, key: &str) -> Result<Option<RequestRecord>, StoreError> {
        self.get(REQUESTS, "requests", key)
    }

    fn waiting_requests(&self) -> Result<Vec<RequestRecord>, StoreError> {
        requests::waiting(&self.read()?)
    }

    fn workers(&self) -> Result<Vec<WorkerRecord>, StoreError> {
        self.all(WORKERS, "workers")
    }

    fn modules(&self) -> Result<Vec<ModuleRecord>, StoreError> {
        self.all(MODULES, "modules")
    }

    fn module(&self, digest: Digest) -> Result<Option<ModuleRecord>, StoreError> {
        self.get(MODULES, "modules", digest.0)
    }

    fn libraries(&self) -> Result<Vec<LibraryRecord>, StoreError> {
        self.all(LIBRARIES, "libraries")
    }

    fn tokens(&self) -> Result<Vec<TokenRecord>, StoreError> {
        self.all(TOKENS, "tokens")
    }

    fn token(&self, token: TokenId) -> Result<Option<TokenRecord>, StoreError> {
        self.get(TOKENS, "tokens", token.0)
    }

    fn data(&self) -> Result<RecoveredData, StoreError> {
        data::all(&self.read()?)
    }

    fn outputs(
        &self,
        job: JobId,
        from: (NodeIndex, u32, u32),
        limit: usize,
    ) -> Result<Vec<(TaskId, u32, OutputRecord)>, StoreError> {
        keep::outputs(&self.read()?, job, from, limit)
    }

    fn output_parts(
        &self,
        task: TaskId,
        number: u32,
        from: u32,
        limit: usize,
    ) -> Result<Vec<ResultData>, StoreError> {
        keep::parts(&self.read()?, task, number, from, limit)
    }

    fn definitions(&self) -> Result<Vec<DefinitionHead>, StoreError> {
        definitions::latest(&self.read()?)
    }

    fn definition_versions(&self, name: &str) -> Result<Vec<DefinitionHead>, StoreError> {
        definitions::versions(&self.read()?, name)
    }

    fn definition(
        &self,
        name: &str,
        version: Option<u32>,
    ) -> Result<Option<DefinitionRecord>, StoreError> {
        definitions::get(&self.read()?, name, version)
    }

    fn last_version(&self, name: &str) -> Result<u32, StoreError> {
        definitions::last(&self.read()?, name)
    }

    fn definition_with(&self, module: Digest) -> Result<Option<DefinitionHead>, StoreError> {
        definitions::with(&self.read()?, module)
    }

    fn named_blobs(&self) -> Result<HashSet<Digest>, StoreError> {
        recover::named_blobs(&self.read()?)
    }
}

/// One durable commit of what `change` does; nothing of it on error.
fn durable_write(
    database: &Database,
    change: impl FnOnce(&WriteTransaction) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut txn = database.begin_write().map_err(storage)?;
    txn.set_durability(Durability::Immediate).map_err(storage)?;
    change(&txn)?;
    txn.commit().map_err(storage)
}

fn storage(error: impl Error + Send + Sync + 'static) -> StoreError {
    StoreError::Storage(Box::new(error))
}
