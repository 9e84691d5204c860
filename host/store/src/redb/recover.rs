//! The scans: live jobs with their ends and attempts, and every named blob.
//! They read four bytes of an outcome, not its result.

use super::block::{Block, Head};
use super::tables::{ATTEMPTS, ENDS, JOBS, LIBRARIES, LIVE, MODULES, PLANS};
use super::{codec, definitions, job, keep, prepared, spawned, storage};
use crate::recover::{Charge, assemble};
use crate::{StoreError, named};
use ::redb::{ReadTransaction, ReadableTable};
use std::collections::HashSet;
use wasmhost_core::record::{LibraryRecord, ModuleRecord, RecoveredJob};
use wasmhost_proto::plan::JobPlan;
use wasmhost_proto::{Digest, JobId, NodeIndex};

/// Every live job.
pub(super) fn live(txn: &ReadTransaction) -> Result<Vec<RecoveredJob>, StoreError> {
    let live = txn.open_table(LIVE).map_err(storage)?;
    let mut jobs = Vec::new();
    for entry in live.iter().map_err(storage)? {
        let id = JobId(entry.map_err(storage)?.0.value());
        jobs.push(one(txn, id)?.ok_or_else(|| StoreError::Damaged {
            table: "live",
            why: format!("job {id} has no record"),
        })?);
    }
    Ok(jobs)
}

/// One job.
pub(super) fn one(txn: &ReadTransaction, id: JobId) -> Result<Option<RecoveredJob>, StoreError> {
    let jobs = txn.open_table(JOBS).map_err(storage)?;
    let Some(bytes) = jobs.get(id.0).map_err(storage)? else {
        return Ok(None);
    };
    let record = job::read(bytes.value())?;
    let plans = txn.open_table(PLANS).map_err(storage)?;
    let plan = plans
        .get(id.0)
        .map_err(storage)?
        .ok_or_else(|| StoreError::Damaged {
            table: "plans",
            why: format!("job {id} has no plan"),
        })?;
    let plan: JobPlan = codec::decode("plans", plan.value())?;

    let outcomes = txn.open_table(ENDS).map_err(storage)?;
    let range = (id.0, 0, 0)..=(id.0, NodeIndex::MAX, u32::MAX);
    let mut ended = Vec::new();
    for entry in outcomes.range(range).map_err(storage)? {
        let (key, bytes) = entry.map_err(storage)?;
        let (_, node, first) = key.value();
        let heads = Block::new(bytes.value())?.heads();
        for (index, head) in (first..=u32::MAX).zip(heads) {
            ended.push((node, index, head.end()?));
        }
    }

    let attempts = txn.open_table(ATTEMPTS).map_err(storage)?;
    let range = (id.0, 0, 0, 0, 0)..=(id.0, NodeIndex::MAX, u32::MAX, u32::MAX, u64::MAX);
    let charges = attempts
        .range(range)
        .map_err(storage)?
        .map(|entry| {
            let (key, bytes) = entry.map_err(storage)?;
            let (_, node, index, attempt, _) = key.value();
            let kind = codec::attempt_kind(bytes.value())?;
            Ok(Charge {
                node,
                index,
                attempt,
                kind,
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    let prepared = prepared::of_job(txn, id)?;
    let recovered = assemble(record, plan, ended, prepared, charges);
    Ok(Some(RecoveredJob {
        spawned: spawned::of_job(txn, id)?,
        ..recovered
    }))
}

/// Every blob that a record names.
pub(super) fn named_blobs(txn: &ReadTransaction) -> Result<HashSet<Digest>, StoreError> {
    let mut named = HashSet::new();
    let modules = txn.open_table(MODULES).map_err(storage)?;
    for entry in modules.iter().map_err(storage)? {
        let (_, bytes) = entry.map_err(storage)?;
        let module: ModuleRecord = codec::decode("modules", bytes.value())?;
        named.extend(named::in_module(&module));
    }
    let libraries = txn.open_table(LIBRARIES).map_err(storage)?;
    for entry in libraries.iter().map_err(storage)? {
        let (_, bytes) = entry.map_err(storage)?;
        let library: LibraryRecord = codec::decode("libraries", bytes.value())?;
        named.insert(named::in_library(&library));
    }
    let plans = txn.open_table(PLANS).map_err(storage)?;
    for entry in plans.iter().map_err(storage)? {
        let (_, bytes) = entry.map_err(storage)?;
        let plan: JobPlan = codec::decode("plans", bytes.value())?;
        named.extend(named::in_plan(&plan));
    }
    let jobs = txn.open_table(JOBS).map_err(storage)?;
    for entry in jobs.iter().map_err(storage)? {
        let (_, bytes) = entry.map_err(storage)?;
        named.extend(named::in_job(&job::read(bytes.value())?));
    }
    let outcomes = txn.open_table(ENDS).map_err(storage)?;
    for entry in outcomes.iter().map_err(storage)? {
        let (_, bytes) = entry.map_err(storage)?;
        let block = Block::new(bytes.value())?;
        if !block.heads().any(Head::has_blob) {
            continue;
        }
        for member in block.members_from(0) {
            let member = member?;
            if member.head.has_blob() {
                named.extend(named::in_outcome(&member.outcome()?));
            }
        }
    }
    definitions::named(txn, &mut named)?;
    prepared::named(txn, &mut named)?;
    keep::named(txn, &mut named)?;
    Ok(named)
}
