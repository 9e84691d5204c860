//! The changing half of a job as bytes: whether it lives, so that the list of
//! live jobs is touched only when that changes, then the record as a CBOR tuple.

use super::codec::{append, damaged, decode};
use crate::StoreError;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use wasmhost_core::record::{JobFailureRecord, JobRecord};
use wasmhost_proto::api::{Counts, JobState};
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::{JobId, NodeIndex, Timestamp};

const TABLE: &str = "jobs";

/// Total, skipped, nothing, succeeded, failed, cancelled: what was waiting and running was
/// never recorded, and both places were 0 before the first was taken.
type DiskCounts = (u64, u64, u64, u64, u64, u64);

/// A record's fields in their order.
#[derive(Serialize, Deserialize)]
struct DiskJob<'a>(
    JobId,
    Cow<'a, str>,
    i32,
    JobState,
    Timestamp,
    Option<Timestamp>,
    Option<Timestamp>,
    DiskCounts,
    Vec<DiskCounts>,
    Option<Cow<'a, JobFailureRecord>>,
    bool,
    Cow<'a, [(NodeIndex, BlobRef)]>,
    Option<Cow<'a, str>>,
    u64,
    u32,
);

fn to_disk(c: &Counts) -> DiskCounts {
    (c.total, c.skipped, 0, c.succeeded, c.failed, c.cancelled)
}

fn from_disk((total, skipped, _, succeeded, failed, cancelled): DiskCounts) -> Counts {
    Counts {
        total,
        waiting: 0,
        running: 0,
        succeeded,
        failed,
        cancelled,
        skipped,
    }
}

/// A job's row.
pub(super) fn encode(job: &JobRecord) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(128);
    bytes.push(u8::from(!job.state.is_final()));
    let disk = DiskJob(
        job.id,
        Cow::Borrowed(&job.name),
        job.priority,
        job.state,
        job.submitted,
        job.started,
        job.ended,
        to_disk(&job.counts),
        job.node_counts.iter().map(to_disk).collect(),
        job.failure.as_ref().map(Cow::Borrowed),
        job.cancelled,
        Cow::Borrowed(&job.gathered),
        job.idempotency_key.as_deref().map(Cow::Borrowed),
        job.late_outcomes,
        job.retries,
    );
    append(TABLE, &disk, &mut bytes)?;
    Ok(bytes)
}

/// Reads what [`encode`] made.
pub(super) fn read(row: &[u8]) -> Result<JobRecord, StoreError> {
    let disk = decode::<DiskJob<'static>>(TABLE, head(row)?.1)?;
    Ok(JobRecord {
        id: disk.0,
        name: disk.1.into_owned(),
        priority: disk.2,
        state: disk.3,
        submitted: disk.4,
        started: disk.5,
        ended: disk.6,
        counts: from_disk(disk.7),
        node_counts: disk.8.into_iter().map(from_disk).collect(),
        failure: disk.9.map(Cow::into_owned),
        cancelled: disk.10,
        gathered: disk.11.into_owned(),
        idempotency_key: disk.12.map(Cow::into_owned),
        late_outcomes: disk.13,
        retries: disk.14,
    })
}

/// Whether the job of a row lives, from its first byte alone.
pub(super) fn is_live(row: &[u8]) -> Result<bool, StoreError> {
    match head(row)?.0 {
        0 => Ok(false),
        1 => Ok(true),
        n => Err(damaged(TABLE, format!("{n} is neither live nor ended"))),
    }
}

fn head(row: &[u8]) -> Result<(u8, &[u8]), StoreError> {
    let (live, record) = row
        .split_first()
        .ok_or_else(|| damaged(TABLE, "it is empty".into()))?;
    Ok((*live, record))
}
