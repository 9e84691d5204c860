//! Reads `limits` and `retry`: what an attempt may use, and when to try again.

use crate::definition::Asked;
use crate::read::{DURATION, Fields, SIZE, clip};
use crate::report::Report;
use crate::suggest;
use std::ops::Range;
use wasmhost_proto::limits::*;
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::plan::RetryPolicy;
use wasmhost_proto::wire::AttemptLimits;

/// What no attempt may pass.
pub(crate) const CEILING: AttemptLimits = AttemptLimits {
    memory: MAX_MEMORY,
    wall_ms: MAX_WALL_MS,
    output: MAX_OUTPUT,
};
/// The keys of `limits`.
pub(crate) const LIMITS: [&str; 3] = ["memory", "time", "output"];
/// The keys of `retry`.
pub(crate) const RETRY: [&str; 5] = ["max", "lost", "kinds", "backoff", "max_backoff"];

/// What an attempt may use; defaults where nothing is said.
pub(crate) fn limits(report: &mut Report<'_>, table: &Fields<'_, '_>) -> (AttemptLimits, Asked) {
    let defaults = AttemptLimits::default();
    let Some(fields) = table.table(report, "limits") else {
        return (defaults, Asked::default());
    };
    fields.only(report, &LIMITS, |_| None);
    let asked = Asked {
        memory: fields.measure(report, "memory", &SIZE, 64 * KIBIBYTE..=CEILING.memory),
        wall_ms: fields.measure(report, "time", &DURATION, 1..=CEILING.wall_ms),
        output: fields.measure(report, "output", &SIZE, 0..=CEILING.output),
    };
    let limits = AttemptLimits {
        memory: asked.memory.unwrap_or(defaults.memory),
        wall_ms: asked.wall_ms.unwrap_or(defaults.wall_ms),
        output: asked.output.unwrap_or(defaults.output),
    };
    (limits, asked)
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
        kinds: kinds(report, &fields),
    }
}

/// Reads `retry.kinds`: counts of their own for some kinds of failure.
fn kinds(report: &mut Report<'_>, table: &Fields<'_, '_>) -> Vec<(FailureKind, u32)> {
    let Some(fields) = table.table(report, "kinds") else {
        return Vec::new();
    };
    let names = FailureKind::ALL.map(FailureKind::name);
    let mut found = Vec::new();
    for (key, _) in fields.entries() {
        let name: &str = key.get_ref();
        let kind = FailureKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name);
        match kind {
            Some(FailureKind::Cancelled | FailureKind::Expired) => {
                let message = format!("what was {name} is never tried again");
                report.add("unfit-key", Some(&key.span()), message, "");
            }
            Some(kind) => {
                let count = fields.integer(report, name, 0..=MAX_RETRIES.into());
                found.extend(count.and_then(|n| Some((kind, u32::try_from(n).ok()?))));
            }
            None => {
                let message = format!("there is no kind of failure `{}`", clip(name));
                report.add(
                    "unknown-key",
                    Some(&key.span()),
                    message,
                    suggest::help(name, &names),
                );
            }
        }
    }
    found.sort_unstable();
    found
}
