//! What the store has of ended attempts and of results, as clients see it.

use std::collections::HashMap;
use wasmhost_core::record::{AttemptRecord, OutcomeRecord, StoredResult};
use wasmhost_proto::WorkerId;
use wasmhost_proto::api::{AttemptView, ResultView, TaskState, UsageView};
use wasmhost_proto::outcome::{FailureKind, Usage};

/// How a recorded end counts.
pub(super) fn state(outcome: &OutcomeRecord) -> TaskState {
    match &outcome.failure {
        None => TaskState::Succeeded,
        Some(failure) if failure.kind == FailureKind::Cancelled => TaskState::Cancelled,
        Some(_) => TaskState::Failed,
    }
}

pub(super) fn attempt(
    outcome: &OutcomeRecord,
    names: &HashMap<WorkerId, String>,
) -> Option<AttemptView> {
    // Attempt 0: the task ended without any.
    (outcome.lease.attempt > 0).then(|| AttemptView {
        attempt: outcome.lease.attempt,
        worker: outcome.worker,
        worker_name: name_of(names, outcome.worker),
        started: outcome.started,
        ended: Some(outcome.ended),
        failure: outcome.failure.as_deref().cloned(),
        usage: Some(usage(outcome.usage)),
        status: outcome
            .published
            .as_ref()
            .map(|p| p.status.clone())
            .unwrap_or_default(),
        status_age_ms: None,
    })
}

pub(super) fn failed(attempt: AttemptRecord, names: &HashMap<WorkerId, String>) -> AttemptView {
    AttemptView {
        attempt: attempt.lease.attempt,
        worker: attempt.worker,
        worker_name: name_of(names, attempt.worker),
        started: attempt.started,
        ended: Some(attempt.ended),
        failure: Some(attempt.failure),
        usage: Some(usage(attempt.usage)),
        status: attempt.status,
        status_age_ms: None,
    }
}

fn name_of(names: &HashMap<WorkerId, String>, worker: Option<WorkerId>) -> String {
    worker
        .and_then(|w| names.get(&w))
        .cloned()
        .unwrap_or_default()
}

fn usage(usage: Usage) -> UsageView {
    UsageView {
        wall_ms: usage.wall_us as f64 / 1000.0,
        cpu_ms: usage.cpu_us as f64 / 1000.0,
        peak_memory: usage.peak_memory,
    }
}

pub(super) fn result(result: StoredResult) -> ResultView {
    match result {
        StoredResult::Inline(bytes) => ResultView {
            len: bytes.len() as u64,
            digest: None,
            text: String::from_utf8(bytes).ok(),
        },
        StoredResult::Blob(blob) => ResultView {
            len: blob.len,
            digest: Some(blob.digest),
            text: None,
        },
    }
}
