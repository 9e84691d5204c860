//! Reads `limits` and `retry`: what an attempt may use, and when to try again.

use crate::read::{DURATION, Fields, SIZE};
use crate::report::Report;
use std::ops::Range;
use wasmhost_proto::limits::*;
use wasmhost_proto::plan::RetryPolicy;
use wasmhost_proto::wire::AttemptLimits;

/// The keys of `limits`.
pub(crate) const LIMITS: [&str; 3] = ["memory", "time", "output"];
/// The keys of `retry`.
pub(crate) const RETRY: [&str; 4] = ["max", "lost", "backoff", "max_backoff"];

/// What an attempt may use; defaults where nothing is said.
pub(crate) fn limits(report: &mut Report<'_>, table: &Fields<'_, '_>) -> AttemptLimits {
    let defaults = AttemptLimits::default();
    let Some(fields) = table.table(report, "limits") else {
        return defaults;
    };
    fields.only(report, &LIMITS, |_| None);
    AttemptLimits {
        memory: fields
            .measure(report, "memory", &SIZE, 64 * KIBIBYTE..=MAX_MEMORY)
            .unwrap_or(defaults.memory),
        wall_ms: fields
            .measure(report, "time", &DURATION, 1..=MAX_WALL_MS)
            .unwrap_or(defaults.wall_ms),
        output: fields
            .measure(report, "output", &SIZE, 0..=MAX_OUTPUT)
            .unwrap_or(defaults.output),
    }
}

/// When to try again; defaults where nothing is said.
pub(crate) fn retry(report: &mut Report<'_>, table: &Fields<'_, '_>) -> RetryPolicy {
    let defaults = RetryPolicy::default();
    let Some(fields) = table.table(report, "retry") else {
        return defaults;
    };
    fields.only(report, &RETRY, |_| None);
    let mut count = |key: &str, default: u32| {
        let number = fields.integer(report, key, 0..=MAX_RETRIES.into());
        number
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(default)
    };
    let (guest, infrastructure) = (
        count("max", defaults.guest),
        count("lost", defaults.infrastructure),
    );
    let backoff = fields.measure(report, "backoff", &DURATION, 0..=MAX_BACKOFF_MS);
    let longest = fields.measure(report, "max_backoff", &DURATION, 0..=MAX_BACKOFF_MS);
    if let (Some(first), Some(longest)) = (backoff, longest)
        && first > longest
    {
        let at: Option<Range<usize>> = fields.get("max_backoff").map(|v| v.span());
        let message = format!("`{}` is shorter than `backoff`", fields.path("max_backoff"));
        report.add(
            "out-of-range",
            at.as_ref(),
            message,
            "make it at least as long",
        );
    }
    let backoff_ms =
        backoff.unwrap_or_else(|| defaults.backoff_ms.min(longest.unwrap_or(u64::MAX)));
    RetryPolicy {
        guest,
        infrastructure,
        backoff_ms,
        max_backoff_ms: longest.unwrap_or(defaults.max_backoff_ms.max(backoff_ms)),
        ..defaults
    }
}
