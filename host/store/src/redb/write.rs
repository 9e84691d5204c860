//! Batches of writes onto the tables, in one transaction. What a later write of
//! the same transaction replaces is not written at all.

use super::ends::{self, Change};
use super::tables::{
    ATTEMPTS, ENDS, JOBS, KEYS, LIBRARIES, LIVE, META, MODULES, PLANS, TERM, TOKENS, WORKERS,
};
use super::{codec, data, definitions, job, keep, prepared, requests, spawned, storage};
use crate::StoreError;
use ::redb::WriteTransaction;
use std::collections::BTreeMap;
use wasmhost_core::record::{AttemptRecord, JobRecord, Write};
use wasmhost_proto::plan::JobPlan;
use wasmhost_proto::{JobId, TaskId};

/// The hot kinds of a transaction: many of each in a busy one.
#[derive(Default)]
struct Gathered<'a> {
    ends: Vec<Change<'a>>,
    plans: Vec<(JobId, &'a JobPlan)>,
    attempts: Vec<(TaskId, &'a AttemptRecord)>,
    /// The last record of each.
    jobs: BTreeMap<JobId, &'a JobRecord>,
}

/// Applies `writes` as if in order; the caller commits.
pub(super) fn apply(txn: &WriteTransaction, writes: &[Write]) -> Result<(), StoreError> {
    let mut gathered = Gathered::default();
    for write in writes {
        match write {
            Write::Plan(job, plan) => gathered.plans.push((*job, &**plan)),
            Write::Job(job) => {
                gathered.jobs.insert(job.id, job);
            }
            Write::Outcome(task, outcome) => gathered.ends.push((*task, Some(outcome))),
            Write::RemoveOutcome(task) => gathered.ends.push((*task, None)),
            Write::Attempt(task, attempt) => gathered.attempts.push((*task, attempt)),
            rare => put_rare(txn, rare)?,
        }
    }
    // Opening a table costs as much as a row.
    if !gathered.ends.is_empty() {
        let mut table = txn.open_table(ENDS).map_err(storage)?;
        ends::apply(&mut table, gathered.ends)?;
    }
    put_attempts(txn, &gathered.attempts)?;
    put_plans(txn, &gathered.plans)?;
    put_jobs(txn, &gathered.jobs)
}

fn put_rare(txn: &WriteTransaction, write: &Write) -> Result<(), StoreError> {
    match write {
        Write::Worker(worker) => {
            let bytes = codec::encode("workers", worker)?;
            let mut table = txn.open_table(WORKERS).map_err(storage)?;
            table.insert(worker.id.0, &*bytes).map_err(storage)?;
        }
        Write::Module(module) => {
            let bytes = codec::encode("modules", module)?;
            let mut table = txn.open_table(MODULES).map_err(storage)?;
            table.insert(module.digest.0, &*bytes).map_err(storage)?;
        }
        Write::RemoveModule(digest) => {
            let mut table = txn.open_table(MODULES).map_err(storage)?;
            table.remove(digest.0).map_err(storage)?;
        }
        Write::Library(library) => {
            let bytes = codec::encode("libraries", library)?;
            let mut table = txn.open_table(LIBRARIES).map_err(storage)?;
            table.insert(&*library.name, &*bytes).map_err(storage)?;
        }
        Write::RemoveLibrary(name) => {
            let mut table = txn.open_table(LIBRARIES).map_err(storage)?;
            table.remove(&**name).map_err(storage)?;
        }
        Write::Token(token) => {
            let bytes = codec::encode("tokens", token)?;
            let mut table = txn.open_table(TOKENS).map_err(storage)?;
            table.insert(token.id.0, &*bytes).map_err(storage)?;
        }
        Write::RemoveToken(token) => {
            let mut table = txn.open_table(TOKENS).map_err(storage)?;
            table.remove(token.0).map_err(storage)?;
        }
        Write::Spawned(task, record) => spawned::put(txn, *task, record)?,
        Write::Request(record) => requests::put(txn, record)?,
        Write::Data(write) => data::put(txn, write)?,
        Write::DataCall(task, record) => data::put_call(txn, *task, record)?,
        Write::RemoveDataCall(task) => data::remove_call(txn, *task)?,
        Write::RemoveJobData(job) => data::remove_job(txn, *job)?,
        Write::Checkpoint(task, record) => keep::put(txn, *task, record)?,
        Write::RemoveCheckpoint(task) => keep::remove(txn, *task)?,
        Write::Output(task, number, record) => keep::put_output(txn, *task, *number, record)?,
        Write::OutputPart(task, number, part, content) => {
            keep::put_part(txn, *task, *number, *part, content)?;
        }
        Write::RemoveOutputs(task) => keep::remove_outputs(txn, *task)?,
        Write::Prepared(job, node, record) => prepared::put(txn, *job, *node, record)?,
        Write::RemovePrepared(job, node) => prepared::remove(txn, *job, *node)?,
        Write::Definition(record) => definitions::put(txn, record)?,
        Write::RemoveDefinition { name, before } => definitions::remove(txn, name, *before)?,
        Write::Term(term) => {
            let mut table = txn.open_table(META).map_err(storage)?;
            table.insert(TERM, *term).map_err(storage)?;
        }
        Write::Plan(..)
        | Write::Job(_)
        | Write::Outcome(..)
        | Write::RemoveOutcome(_)
        | Write::Attempt(..) => {}
    }
    Ok(())
}

fn put_attempts(
    txn: &WriteTransaction,
    attempts: &[(TaskId, &AttemptRecord)],
) -> Result<(), StoreError> {
    if attempts.is_empty() {
        return Ok(());
    }
    let mut table = txn.open_table(ATTEMPTS).map_err(storage)?;
    for (task, attempt) in attempts {
        let bytes = codec::encode_attempt(attempt)?;
        let lease = attempt.lease;
        let key = (task.job.0, task.node, task.index, lease.attempt, lease.term);
        table.insert(key, &*bytes).map_err(storage)?;
    }
    Ok(())
}

fn put_plans(txn: &WriteTransaction, plans: &[(JobId, &JobPlan)]) -> Result<(), StoreError> {
    if plans.is_empty() {
        return Ok(());
    }
    let mut table = txn.open_table(PLANS).map_err(storage)?;
    for (job, plan) in plans {
        let bytes = codec::encode("plans", plan)?;
        table.insert(job.0, &*bytes).map_err(storage)?;
    }
    Ok(())
}

fn put_jobs(
    txn: &WriteTransaction,
    records: &BTreeMap<JobId, &JobRecord>,
) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    // Most records change neither whether their job lives nor its key.
    let (mut born, mut ended, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    let mut table = txn.open_table(JOBS).map_err(storage)?;
    for (id, record) in records {
        let bytes = job::encode(record)?;
        let old = table.insert(id.0, &*bytes).map_err(storage)?;
        let lived = old
            .as_ref()
            .map(|old| job::is_live(old.value()))
            .transpose()?;
        match (lived, !record.state.is_final()) {
            (None | Some(false), true) => born.push(id.0),
            (Some(true), false) => ended.push(id.0),
            _ => {}
        }
        if let (None, Some(key)) = (lived, &record.idempotency_key) {
            keys.push((key.as_str(), id.0));
        }
    }
    if !(born.is_empty() && ended.is_empty()) {
        let mut live = txn.open_table(LIVE).map_err(storage)?;
        for id in ended {
            live.remove(id).map_err(storage)?;
        }
        for id in born {
            live.insert(id, ()).map_err(storage)?;
        }
    }
    if !keys.is_empty() {
        let mut table = txn.open_table(KEYS).map_err(storage)?;
        for (key, id) in keys {
            table.insert(key, id).map_err(storage)?;
        }
    }
    Ok(())
}
