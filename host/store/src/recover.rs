//! From a job's stored records to what a primary needs to go on with it. Both
//! stores use it, so that they cannot differ.

use std::collections::BTreeMap;
use wasmhost_core::prepared::PreparedRecord;
use wasmhost_core::record::{FailedAttempts, JobRecord, OutcomeRecord, RecordedEnd, RecoveredJob};
use wasmhost_proto::NodeIndex;
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::plan::JobPlan;

/// How a recorded end is counted.
pub(crate) fn end_of(outcome: &OutcomeRecord) -> RecordedEnd {
    match outcome.failure.as_ref().map(|failure| failure.kind) {
        None => RecordedEnd::Succeeded,
        Some(FailureKind::Cancelled) => RecordedEnd::Cancelled,
        Some(_) => RecordedEnd::Failed,
    }
}

/// A failed attempt, as far as recovery counts it.
pub(crate) struct Charge {
    pub(crate) node: NodeIndex,
    pub(crate) index: u32,
    pub(crate) attempt: u32,
    pub(crate) kind: FailureKind,
}

/// Puts a job together, without what drivers have started.
pub(crate) fn assemble(
    record: JobRecord,
    plan: JobPlan,
    ended: Vec<(NodeIndex, u32, RecordedEnd)>,
    prepared: Vec<(NodeIndex, PreparedRecord)>,
    charges: impl IntoIterator<Item = Charge>,
) -> RecoveredJob {
    let mut failed: BTreeMap<(NodeIndex, u32), FailedAttempts> = BTreeMap::new();
    for charge in charges {
        let task = (charge.node, charge.index);
        let charged = failed.entry(task).or_default();
        charged.last = charged.last.max(charge.attempt);
        if let Some(node) = plan.nodes.get(usize::from(charge.node)) {
            charged.charge(&node.retry, charge.kind);
        }
    }
    RecoveredJob {
        record,
        plan,
        ended,
        prepared,
        items: Vec::new(),
        spawned: Vec::new(),
        failed_attempts: failed.into_iter().map(|((n, i), f)| (n, i, f)).collect(),
    }
}
