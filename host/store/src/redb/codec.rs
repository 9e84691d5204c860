//! Records as bytes: CBOR, and for the two hot kinds tuples behind a head of
//! two bytes that recovery and garbage collection read instead of the record.
//!
//! A change of any of these is a new schema version with a step in `migrate`;
//! the samples in the tests hold it.

use crate::recover::end_of;
use crate::{StoreError, named};
use serde::{Serialize, de::DeserializeOwned};
use wasmhost_core::record::{AttemptRecord, OutcomeRecord, RecordedEnd, StoredResult};
use wasmhost_proto::outcome::{Failure, RetryClass, Usage};
use wasmhost_proto::status::Status;
use wasmhost_proto::{Lease, Timestamp, WorkerId};

/// A record that is CBOR as it stands.
pub(super) fn encode<T: Serialize>(table: &'static str, record: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(256);
    append(table, record, &mut bytes)?;
    Ok(bytes)
}

/// Reads what [`encode`] made.
pub(super) fn decode<T: DeserializeOwned>(
    table: &'static str,
    mut bytes: &[u8],
) -> Result<T, StoreError> {
    let record = ciborium::from_reader(&mut bytes).map_err(|e| damaged(table, e.to_string()))?;
    match bytes.len() {
        0 => Ok(record),
        n => Err(damaged(table, format!("{n} bytes follow it"))),
    }
}

fn append<T: Serialize>(
    table: &'static str,
    record: &T,
    bytes: &mut Vec<u8>,
) -> Result<(), StoreError> {
    ciborium::into_writer(record, bytes).map_err(|e| damaged(table, e.to_string()))
}

fn damaged(table: &'static str, why: String) -> StoreError {
    StoreError::Damaged { table, why }
}

const OUTCOMES: &str = "outcomes";
const ATTEMPTS: &str = "attempts";

/// An outcome on disk: lease, worker, start, end, failure, result, usage, status, log.
type DiskOutcome = (
    Lease,
    Option<WorkerId>,
    Option<Timestamp>,
    Timestamp,
    Option<Failure>,
    Option<StoredResult>,
    Usage,
    Option<Status>,
    String,
);

/// A failed attempt on disk: lease, worker, start, end, failure, usage, status, log.
type DiskAttempt = (
    Lease,
    Option<WorkerId>,
    Option<Timestamp>,
    Timestamp,
    Failure,
    Usage,
    Option<Status>,
    String,
);

fn published(status: &Status) -> Option<&Status> {
    (!status.is_empty()).then_some(status)
}

/// An outcome: how it is counted, whether its result is a blob, then the record.
pub(super) fn encode_outcome(outcome: &OutcomeRecord) -> Result<Vec<u8>, StoreError> {
    let end = match end_of(outcome) {
        RecordedEnd::Succeeded => 0,
        RecordedEnd::Failed => 1,
        RecordedEnd::Cancelled => 2,
    };
    let mut bytes = vec![end, u8::from(named::in_outcome(outcome).is_some())];
    let o = outcome;
    let status = published(&o.status);
    let disk = (
        o.lease, o.worker, o.started, o.ended, &o.failure, &o.result, o.usage, status, &o.log,
    );
    append(OUTCOMES, &disk, &mut bytes)?;
    Ok(bytes)
}

/// Reads what [`encode_outcome`] made.
pub(super) fn decode_outcome(bytes: &[u8]) -> Result<OutcomeRecord, StoreError> {
    let (_, record) = split(OUTCOMES, bytes)?;
    let disk: DiskOutcome = decode(OUTCOMES, record)?;
    let (lease, worker, started, ended, failure, result, usage, status, log) = disk;
    let status = status.unwrap_or_default();
    Ok(OutcomeRecord {
        lease,
        worker,
        started,
        ended,
        failure,
        result,
        usage,
        status,
        log,
    })
}

/// How an outcome is counted, from its head alone.
pub(super) fn outcome_end(bytes: &[u8]) -> Result<RecordedEnd, StoreError> {
    match split(OUTCOMES, bytes)?.0[0] {
        0 => Ok(RecordedEnd::Succeeded),
        1 => Ok(RecordedEnd::Failed),
        2 => Ok(RecordedEnd::Cancelled),
        n => Err(damaged(OUTCOMES, format!("{n} is no kind of end"))),
    }
}

/// Whether an outcome's result is a blob, from its head alone.
pub(super) fn outcome_has_blob(bytes: &[u8]) -> Result<bool, StoreError> {
    Ok(split(OUTCOMES, bytes)?.0[1] != 0)
}

/// A failed attempt: whom it is charged to, nothing yet, then the record.
pub(super) fn encode_attempt(attempt: &AttemptRecord) -> Result<Vec<u8>, StoreError> {
    let class = match attempt.failure.kind.retry_class() {
        RetryClass::Never => 0,
        RetryClass::Guest => 1,
        RetryClass::Infrastructure => 2,
    };
    let mut bytes = vec![class, 0];
    let a = attempt;
    let status = published(&a.status);
    let disk = (
        a.lease, a.worker, a.started, a.ended, &a.failure, a.usage, status, &a.log,
    );
    append(ATTEMPTS, &disk, &mut bytes)?;
    Ok(bytes)
}

/// Reads what [`encode_attempt`] made.
pub(super) fn decode_attempt(bytes: &[u8]) -> Result<AttemptRecord, StoreError> {
    let (_, record) = split(ATTEMPTS, bytes)?;
    let disk: DiskAttempt = decode(ATTEMPTS, record)?;
    let (lease, worker, started, ended, failure, usage, status, log) = disk;
    let status = status.unwrap_or_default();
    Ok(AttemptRecord {
        lease,
        worker,
        started,
        ended,
        failure,
        usage,
        status,
        log,
    })
}

/// Whom a failed attempt is charged to, from its head alone.
pub(super) fn attempt_class(bytes: &[u8]) -> Result<RetryClass, StoreError> {
    match split(ATTEMPTS, bytes)?.0[0] {
        0 => Ok(RetryClass::Never),
        1 => Ok(RetryClass::Guest),
        2 => Ok(RetryClass::Infrastructure),
        n => Err(damaged(ATTEMPTS, format!("{n} is no class of failure"))),
    }
}

fn split<'a>(table: &'static str, bytes: &'a [u8]) -> Result<(&'a [u8; 2], &'a [u8]), StoreError> {
    bytes
        .split_first_chunk()
        .ok_or_else(|| damaged(table, "it has no head".into()))
}
