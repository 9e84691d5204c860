//! Records as bytes: CBOR; failed attempts as tuples behind a head of two bytes
//! that recovery reads instead of the record. Ends and jobs are in `super::block`
//! and `super::job`.
//!
//! A change of any of these is a new schema version with a step in `migrate`;
//! the samples in the tests hold it.

use crate::StoreError;
use serde::{Serialize, de::DeserializeOwned};
use wasmhost_core::record::AttemptRecord;
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

/// Appends a record that is CBOR as it stands.
pub(super) fn append<T: Serialize>(
    table: &'static str,
    record: &T,
    bytes: &mut Vec<u8>,
) -> Result<(), StoreError> {
    ciborium::into_writer(record, bytes).map_err(|e| damaged(table, e.to_string()))
}

pub(super) fn damaged(table: &'static str, why: String) -> StoreError {
    StoreError::Damaged { table, why }
}

const ATTEMPTS: &str = "attempts";

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
