//! Records as bytes: CBOR; failed attempts as tuples behind a head of two bytes
//! that recovery reads instead of the record. Ends and jobs are in `super::block`
//! and `super::job`.
//!
//! A change of any of these is a new schema version with a step in `migrate`;
//! the samples in the tests hold it.

use crate::StoreError;
use serde::{Serialize, de::DeserializeOwned};
use wasmhost_core::record::AttemptRecord;
use wasmhost_proto::outcome::{Failure, FailureKind, RetryClass, Usage};
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

/// A failed attempt: whom it is charged to, its kind from 1 on, then the record.
pub(super) fn encode_attempt(attempt: &AttemptRecord) -> Result<Vec<u8>, StoreError> {
    let class = match attempt.failure.kind.retry_class() {
        RetryClass::Never => 0,
        RetryClass::Guest => 1,
        RetryClass::Infrastructure => 2,
    };
    let kind = kind_byte(attempt.failure.kind);
    let mut bytes = vec![class, kind];
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

/// A kind of failure in one byte; 0 stays free.
fn kind_byte(kind: FailureKind) -> u8 {
    match kind {
        FailureKind::GuestError => 1,
        FailureKind::GuestRetryable => 2,
        FailureKind::ExitCode => 3,
        FailureKind::Trap => 4,
        FailureKind::StackOverflow => 5,
        FailureKind::TimeLimit => 6,
        FailureKind::MemoryLimit => 7,
        FailureKind::OutputLimit => 8,
        FailureKind::HostCallLimit => 9,
        FailureKind::InvalidData => 10,
        FailureKind::Cancelled => 11,
        FailureKind::Expired => 12,
        FailureKind::LostWorker => 13,
        FailureKind::LostExecutor => 14,
        FailureKind::ModuleRejected => 15,
        FailureKind::BadInput => 16,
        FailureKind::HostFault => 17,
        FailureKind::ScratchLimit => 18,
    }
}

/// How a failed attempt failed: from its head, or, when it was written before heads told
/// that, from the record.
pub(super) fn attempt_kind(bytes: &[u8]) -> Result<FailureKind, StoreError> {
    let byte = split(ATTEMPTS, bytes)?.0[1];
    if byte == 0 {
        return Ok(decode_attempt(bytes)?.failure.kind);
    }
    let known = FailureKind::ALL
        .into_iter()
        .find(|kind| kind_byte(*kind) == byte);
    known.ok_or_else(|| damaged(ATTEMPTS, format!("{byte} is no kind of failure")))
}

fn split<'a>(table: &'static str, bytes: &'a [u8]) -> Result<(&'a [u8; 2], &'a [u8]), StoreError> {
    bytes
        .split_first_chunk()
        .ok_or_else(|| damaged(table, "it has no head".into()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_tells_its_kind_by_its_head_or_its_record() {
        for kind in FailureKind::ALL {
            let attempt = AttemptRecord {
                lease: Lease {
                    term: 1,
                    attempt: 1,
                },
                worker: None,
                started: None,
                ended: Timestamp(1),
                failure: Failure::new(kind, "why"),
                usage: Usage::default(),
                status: Status::default(),
                log: String::new(),
            };
            let mut bytes = encode_attempt(&attempt).unwrap();
            assert_eq!(attempt_kind(&bytes).unwrap(), kind);
            bytes[1] = 0;
            assert_eq!(attempt_kind(&bytes).unwrap(), kind);
            bytes[1] = 200;
            assert!(attempt_kind(&bytes).is_err());
        }
    }
}
