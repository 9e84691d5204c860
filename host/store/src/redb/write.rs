//! One batch of writes onto the tables. Each table is opened once per batch.

use super::tables::{
    ATTEMPTS, JOBS, KEYS, LIVE, META, MODULES, OUTCOMES, PLANS, TERM, TOKENS, WORKERS,
};
use super::{codec, storage};
use crate::StoreError;
use ::redb::WriteTransaction;
use wasmhost_core::record::{JobRecord, Write};

/// Applies `writes` in order; the caller commits.
pub(super) fn apply(txn: &WriteTransaction, writes: &[Write]) -> Result<(), StoreError> {
    // Opening a table costs little, but a batch may have thousands of outcomes.
    let mut outcomes = txn.open_table(OUTCOMES).map_err(storage)?;
    let mut attempts = txn.open_table(ATTEMPTS).map_err(storage)?;
    for write in writes {
        match write {
            Write::Plan(job, plan) => {
                let bytes = codec::encode("plans", plan)?;
                let mut table = txn.open_table(PLANS).map_err(storage)?;
                table.insert(job.0, &*bytes).map_err(storage)?;
            }
            Write::Job(job) => put_job(txn, job)?,
            Write::Outcome(task, outcome) => {
                let bytes = codec::encode_outcome(outcome)?;
                let key = (task.job.0, task.node, task.index);
                outcomes.insert(key, &*bytes).map_err(storage)?;
            }
            Write::RemoveOutcome(task) => {
                outcomes
                    .remove((task.job.0, task.node, task.index))
                    .map_err(storage)?;
            }
            Write::Attempt(task, attempt) => {
                let bytes = codec::encode_attempt(attempt)?;
                let lease = attempt.lease;
                let key = (task.job.0, task.node, task.index, lease.attempt, lease.term);
                attempts.insert(key, &*bytes).map_err(storage)?;
            }
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
            Write::Token(token) => {
                let bytes = codec::encode("tokens", token)?;
                let mut table = txn.open_table(TOKENS).map_err(storage)?;
                table.insert(token.id.0, &*bytes).map_err(storage)?;
            }
            Write::RemoveToken(token) => {
                let mut table = txn.open_table(TOKENS).map_err(storage)?;
                table.remove(token.0).map_err(storage)?;
            }
            Write::Term(term) => {
                let mut table = txn.open_table(META).map_err(storage)?;
                table.insert(TERM, *term).map_err(storage)?;
            }
        }
    }
    Ok(())
}

fn put_job(txn: &WriteTransaction, job: &JobRecord) -> Result<(), StoreError> {
    let bytes = codec::encode("jobs", job)?;
    let mut table = txn.open_table(JOBS).map_err(storage)?;
    let new = table.insert(job.id.0, &*bytes).map_err(storage)?.is_none();
    let mut live = txn.open_table(LIVE).map_err(storage)?;
    if job.state.is_final() {
        live.remove(job.id.0).map_err(storage)?;
    } else {
        live.insert(job.id.0, ()).map_err(storage)?;
    }
    if let (true, Some(key)) = (new, &job.idempotency_key) {
        let mut keys = txn.open_table(KEYS).map_err(storage)?;
        keys.insert(key.as_str(), job.id.0).map_err(storage)?;
    }
    Ok(())
}
