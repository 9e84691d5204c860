//! One attempt on the screen: how it went, what it used and what it published.

use super::human::{count, duration, line, memory, number};
use super::style::{Tone, dim};
use std::fmt::Write;
use wasmhost_proto::Timestamp;
use wasmhost_proto::api::{AttemptView, UsageView};
use wasmhost_proto::limits::{MAX_FAILURE_TEXT, MAX_NAME};
use wasmhost_proto::outcome::Failure;
use wasmhost_proto::status::{NamedValue, Progress, Value};
use wasmhost_proto::wire::AttemptLimits;

/// An attempt and what it used of its limits, if they are known. What it published
/// when, the timeline tells.
pub(crate) fn attempt(a: &AttemptView, limits: Option<&AttemptLimits>, now: Timestamp) -> String {
    let mut out = String::new();
    let state = match (&a.failure, a.ended, a.started) {
        (Some(failure), ..) => Tone::Bad.paint(failure.kind.name()),
        (None, Some(_), _) => Tone::Good.paint("succeeded"),
        (None, None, Some(_)) => Tone::Busy.paint("running"),
        (None, None, None) => "not started".into(),
    };
    let worker = if a.worker_name.is_empty() {
        String::new()
    } else {
        format!(" on {}", line(&a.worker_name, MAX_NAME))
    };
    let time = a.started.map(|start| {
        let word = if a.ended.is_some() { "took" } else { "for" };
        format!(", {word} {}", duration(a.ended.unwrap_or(now).since(start)))
    });
    put!(
        out,
        "attempt {}{worker}: {state}{}",
        a.attempt,
        time.unwrap_or_default()
    );
    if let Some(usage) = &a.usage {
        put!(out, "  {}", dim(used(usage, a.status.calls, limits)));
    }
    if let Some(p) = &a.status.progress {
        put!(out, "  progress: {}", progress(p));
    }
    for v in &a.status.values {
        put!(out, "  {}", value(v));
    }
    if a.status.events_dropped > 0 {
        put!(
            out,
            "  {}",
            dim(format!(
                "{} not kept",
                count(a.status.events_dropped, "event")
            ))
        );
    }
    if let Some(age) = a.status_age_ms.filter(|_| !a.status.is_empty()) {
        put!(out, "  {}", dim(format!("as of {} ago", duration(age))));
    }
    if let Some(f) = &a.failure {
        put!(out, "{}", failure(f).trim_end());
    }
    out
}

/// What was used, of what.
fn used(usage: &UsageView, calls: u64, limits: Option<&AttemptLimits>) -> String {
    let ms = |ms: f64| match ms < 10.0 {
        true => format!("{ms:.2} ms"),
        false => duration(ms as u64),
    };
    let of = |limit: Option<String>| limit.map(|l| format!(" of {l}")).unwrap_or_default();
    let wall = of(limits.map(|l| duration(l.wall_ms)));
    let most = of(limits.map(|l| memory(l.memory)));
    let calls = match calls {
        0 => String::new(),
        n => format!(", {}", count(n, "host call")),
    };
    format!(
        "{}{wall} wall, {} cpu, {}{most} memory{calls}",
        ms(usage.wall_ms),
        ms(usage.cpu_ms),
        memory(usage.peak_memory),
    )
}

pub(crate) fn failure(failure: &Failure) -> String {
    let mut out = String::new();
    put!(
        out,
        "  {}: {}",
        failure.kind.name(),
        line(&failure.message, MAX_FAILURE_TEXT)
    );
    for frame in failure
        .backtrace
        .iter()
        .flat_map(|text| text.lines())
        .take(12)
    {
        put!(out, "    {}", dim(line(frame, 160)));
    }
    out
}

/// Progress in a few words.
pub(crate) fn progress(progress: &Progress) -> String {
    let far = match progress.total.filter(|total| *total > 0) {
        Some(total) => {
            let percent = 100.0 * progress.done as f64 / total as f64;
            format!(
                "{}/{} ({percent:.0}%)",
                number(progress.done),
                number(total)
            )
        }
        None => number(progress.done),
    };
    match &progress.message {
        Some(message) => format!("{far} {}", line(message, 80)),
        None => far,
    }
}

/// A status value as `name=value`.
pub(crate) fn value(named: &NamedValue) -> String {
    format!("{}={}", line(&named.name, MAX_NAME), bare(&named.value))
}

pub(crate) fn bare(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Json(text) => line(text, 120),
        Value::Int(n) => n.to_string(),
        Value::Float(n) => format!("{n}"),
        Value::Flag(on) => on.to_string(),
    }
}
