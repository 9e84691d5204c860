//! Counts of what was recorded since this primary began, for metrics. Nothing
//! is decided by them, and they begin at nothing with every start.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use wasmhost_core::record::Write;
use wasmhost_proto::outcome::{FailureKind, Usage};

/// Seconds: from tasks that only start to those that use their whole time.
const BUCKETS: [f64; 10] = [
    0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 600.0, 3600.0,
];

/// The outcome of an attempt that did not fail.
const SUCCEEDED: &str = "succeeded";

/// How an attempt ended: `succeeded`, or the name of its failure.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct Outcome {
    outcome: &'static str,
}

/// What is counted.
#[derive(Clone)]
pub(crate) struct Tally {
    /// Attempts that ended.
    pub(crate) runs: Family<Outcome, Counter>,
    /// Wall-clock seconds of attempts that ended.
    pub(crate) durations: Histogram,
    /// Outcomes of superseded attempts that were dropped.
    pub(crate) late: Counter,
}

impl Tally {
    pub(super) fn new() -> Tally {
        let runs = Family::<Outcome, Counter>::default();
        // All from the start, so that the first of a kind shows as a change.
        let failures = FailureKind::ALL.iter().map(|kind| kind.name());
        for outcome in failures.chain([SUCCEEDED]) {
            let _ = runs.get_or_create(&Outcome { outcome });
        }
        Tally {
            runs,
            durations: Histogram::new(BUCKETS),
            late: Counter::default(),
        }
    }

    /// Counts the attempts that end with these records. Every failed attempt has
    /// a record of its own, a success only that of its task.
    pub(super) fn note(&self, writes: &[Write]) {
        for write in writes {
            match write {
                Write::Attempt(_, a) => self.ended(a.failure.kind.name(), &a.usage),
                Write::Outcome(_, o) if o.failure.is_none() => self.ended(SUCCEEDED, &o.usage),
                _ => {}
            }
        }
    }

    fn ended(&self, outcome: &'static str, usage: &Usage) {
        self.runs.get_or_create(&Outcome { outcome }).inc();
        self.durations.observe(usage.wall_us as f64 / 1e6);
    }
}
