//! One recorded end as bytes. The common one, a success with a small result and
//! neither status nor log, is about 30 bytes and its result.
//!
//! A byte of flags, then numbers as `super::varint` writes them: term, attempt,
//! the worker if any, the end, the start if any as its distance before the end,
//! wall time, processor time, memory; then the length and the bytes of a result
//! that lies inline; then, if there is any of it, CBOR of failure, blob, status
//! and log, to the end.

use super::codec::{append, damaged, decode};
use super::varint;
use crate::StoreError;
use serde::{Deserialize, Serialize};
use wasmhost_core::record::{OutcomeRecord, Published, StoredResult};
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::outcome::{Failure, Usage};
use wasmhost_proto::status::Status;
use wasmhost_proto::{Lease, Timestamp, WorkerId};

const TABLE: &str = "ends";

const WORKER: u8 = 1;
const STARTED: u8 = 1 << 1;
const INLINE: u8 = 1 << 2;
const REST: u8 = 1 << 3;

/// What most ends have nothing of.
#[derive(Serialize)]
struct RestRef<'a>(
    Option<&'a Failure>,
    Option<&'a BlobRef>,
    Option<&'a Status>,
    &'a str,
);

#[derive(Deserialize)]
struct Rest(Option<Failure>, Option<BlobRef>, Option<Status>, String);

/// Appends an end's bytes.
pub(super) fn encode(outcome: &OutcomeRecord, bytes: &mut Vec<u8>) -> Result<(), StoreError> {
    let o = outcome;
    let (inline, blob) = match &o.result {
        None => (None, None),
        Some(StoredResult::Inline(result)) => (Some(result), None),
        Some(StoredResult::Blob(blob)) => (None, Some(blob)),
    };
    let published = o.published.as_deref();
    let status = published.map(|p| &p.status).filter(|s| !s.is_empty());
    let log = published.map_or("", |p| &p.log);
    let rest = RestRef(o.failure.as_deref(), blob, status, log);
    let has_rest = rest.0.is_some() || blob.is_some() || status.is_some() || !log.is_empty();
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    bytes.push(
        flag(o.worker.is_some(), WORKER)
            | flag(o.started.is_some(), STARTED)
            | flag(inline.is_some(), INLINE)
            | flag(has_rest, REST),
    );
    varint::put(bytes, o.lease.term);
    varint::put(bytes, o.lease.attempt.into());
    if let Some(worker) = o.worker {
        varint::put(bytes, worker.0);
    }
    varint::put(bytes, o.ended.0);
    if let Some(started) = o.started {
        // Clocks are set back: the distance has either sign.
        let before = o.ended.0.wrapping_sub(started.0) as i64;
        varint::put(bytes, varint::zigzag(before));
    }
    varint::put(bytes, o.usage.wall_us);
    varint::put(bytes, o.usage.cpu_us);
    varint::put(bytes, o.usage.peak_memory);
    if let Some(result) = inline {
        varint::put(bytes, result.len() as u64);
        bytes.extend_from_slice(result);
    }
    if has_rest {
        append(TABLE, &rest, bytes)?;
    }
    Ok(())
}

/// Reads what [`encode`] made.
pub(super) fn read(bytes: &[u8]) -> Result<OutcomeRecord, StoreError> {
    let cut_short = || damaged(TABLE, "an outcome is cut short".into());
    let (flags, mut rest) = bytes.split_first().ok_or_else(cut_short)?;
    if flags >> 4 != 0 {
        return Err(damaged(TABLE, format!("{flags} are no flags of an end")));
    }
    let bytes = &mut rest;
    let mut number = || varint::take(bytes).ok_or_else(cut_short);
    let has = |flag| flags & flag != 0;
    let term = number()?;
    let attempt = u32::try_from(number()?).map_err(|e| damaged(TABLE, e.to_string()))?;
    let worker = has(WORKER).then(&mut number).transpose()?.map(WorkerId);
    let ended = Timestamp(number()?);
    let before = has(STARTED).then(&mut number).transpose()?;
    let started =
        before.map(|before| Timestamp(ended.0.wrapping_sub(varint::unzigzag(before) as u64)));
    let usage = Usage {
        wall_us: number()?,
        cpu_us: number()?,
        peak_memory: number()?,
    };
    let mut result = None;
    if has(INLINE) {
        let len = usize::try_from(number()?).map_err(|_| cut_short())?;
        let (inline, after) = rest.split_at_checked(len).ok_or_else(cut_short)?;
        result = Some(StoredResult::Inline(inline.to_vec()));
        rest = after;
    }
    let mut outcome = OutcomeRecord {
        lease: Lease { term, attempt },
        worker,
        started,
        ended,
        failure: None,
        result,
        usage,
        published: None,
    };
    match (has(REST), rest.is_empty()) {
        (true, _) => read_rest(rest, &mut outcome)?,
        (false, true) => {}
        (false, false) => return Err(damaged(TABLE, format!("{} bytes too many", rest.len()))),
    }
    Ok(outcome)
}

/// What most ends have nothing of, apart: the common end pays nothing for it.
#[inline(never)]
fn read_rest(bytes: &[u8], outcome: &mut OutcomeRecord) -> Result<(), StoreError> {
    let Rest(failure, blob, status, log) = decode(TABLE, bytes)?;
    outcome.failure = failure.map(Box::new);
    if outcome.result.is_none() {
        outcome.result = blob.map(StoredResult::Blob);
    }
    outcome.published = Published::boxed(status.unwrap_or_default(), log);
    Ok(())
}
