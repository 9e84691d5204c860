//! The whole story of a job, a task or a module on one screen.

use super::human::{clean, count, duration, instant, line, memory, number, size};
use super::lists::{self, kind, short, tally};
use super::style::{Named, Tone, bold, dim};
use super::table::{render, table};
use comfy_table::Cell;
use std::fmt::Write;
use wasmhost_proto::Timestamp;
use wasmhost_proto::api::{
    AttemptView, JobFailure, JobState, JobStatus, JobView, ModuleView, TaskView,
};
use wasmhost_proto::limits::{MAX_FAILURE_TEXT, MAX_NAME};
use wasmhost_proto::outcome::Failure;
use wasmhost_proto::status::{NamedValue, Progress, Value};
use wasmhost_proto::wire::AttemptLimits;

/// Writing to a `String` cannot fail.
macro_rules! put { ($($arg:tt)*) => { { let _ = writeln!($($arg)*); } } }

/// A job; `waiting` is a task that waits, if one was asked for.
pub(crate) fn job(status: &JobStatus, waiting: Option<&TaskView>) -> String {
    let (job, now) = (&status.job, status.at);
    let mut out = head(job, now);
    put!(out, "\n{}", nodes(job).trim_end());
    if !status.tasks.is_empty() {
        put!(out, "\n{}", lists::tasks(&status.tasks, now).trim_end());
        if status.tasks_left_out > 0 {
            put!(
                out,
                "{}",
                dim(format!(
                    "and {} not shown",
                    count(status.tasks_left_out, "task")
                ))
            );
        }
    }
    if let Some(task) = waiting
        && let Some(why) = &task.waits_for
    {
        put!(
            out,
            "\n{} {}",
            dim(format!("{} waits:", lists::task_name(task))),
            line(why, 200)
        );
    }
    for worker in &status.workers {
        put!(
            out,
            "{}",
            dim(format!(
                "worker {} runs {}, heard {} ago",
                line(&worker.name, MAX_NAME),
                count(u64::from(worker.running), "task"),
                duration(worker.age_ms)
            ))
        );
    }
    if let Some(failure) = &job.failure {
        put!(out, "\n{}", job_failure(job, failure).trim_end());
    }
    put!(out, "\n{}", next(job));
    out
}

fn head(job: &JobView, now: Timestamp) -> String {
    let mut out = String::new();
    let took = match (job.started, job.ended) {
        (Some(start), Some(end)) => format!(" in {}", duration(end.since(start))),
        (Some(start), None) => format!(" for {}", duration(now.since(start))),
        (None, _) => String::new(),
    };
    put!(
        out,
        "{} {}  {}{took}",
        bold(job.id),
        bold(line(&job.name, MAX_NAME)),
        job.state.painted()
    );
    if !job.description.is_empty() {
        put!(out, "{}", line(&job.description, 400));
    }
    let mut facts = format!("submitted {}", instant(job.submitted));
    if let Some(start) = job.started {
        let _ = write!(
            facts,
            ", started after {}",
            duration(start.since(job.submitted))
        );
    }
    if job.priority != 0 {
        let _ = write!(facts, ", priority {}", job.priority);
    }
    if job.late_outcomes > 0 {
        let _ = write!(facts, ", {} late outcomes dropped", job.late_outcomes);
    }
    put!(out, "{}", dim(facts));
    out
}

fn nodes(job: &JobView) -> String {
    let headings = [
        "NODE",
        "MODULE",
        ">TASKS",
        ">WAITING",
        ">RUNNING",
        ">SUCCEEDED",
        ">FAILED",
        ">CANCELLED",
        "LIMITS",
    ];
    let mut out = table(&headings);
    for node in &job.nodes {
        let c = &node.counts;
        let failed = if c.failed > 0 { Tone::Bad } else { Tone::Plain };
        out.add_row(vec![
            Cell::new(line(&node.name, MAX_NAME)),
            Cell::new(short(&node.module)),
            Cell::new(number(c.total)),
            Cell::new(number(c.waiting)),
            Cell::new(number(c.running)),
            Cell::new(number(c.succeeded)),
            failed.cell(number(c.failed)),
            Cell::new(number(c.cancelled)),
            Cell::new(limits(&node.limits)),
        ]);
    }
    render(&out)
}

fn limits(limits: &AttemptLimits) -> String {
    format!(
        "{}, {} memory, {} output",
        duration(limits.wall_ms),
        memory(limits.memory),
        memory(limits.output)
    )
}

/// Why a job failed, in which task.
pub(crate) fn job_failure(job: &JobView, failed: &JobFailure) -> String {
    match &failed.node {
        Some(node) => {
            let task = format!("{}.{}.{}", job.id, line(node, MAX_NAME), failed.index);
            format!(
                "{} of {task}\n{}",
                Tone::Bad.paint("failure"),
                failure(&failed.failure)
            )
        }
        None => format!(
            "{} of the job\n{}",
            Tone::Bad.paint("failure"),
            failure(&failed.failure)
        ),
    }
}

/// What is worth typing next.
pub(crate) fn next(job: &JobView) -> String {
    let id = job.id;
    let verbs = match job.state {
        JobState::Queued | JobState::Running | JobState::Stopping => {
            format!("wasmhost watch {id}   wasmhost logs {id}   wasmhost cancel {id}")
        }
        JobState::Succeeded => {
            let one = if job.nodes.last().is_some_and(|node| node.array) {
                ".0"
            } else {
                ""
            };
            format!("wasmhost result {id}{one}   wasmhost logs {id}")
        }
        JobState::Failed | JobState::Cancelled => {
            let task = job
                .failure
                .as_ref()
                .and_then(|f| Some((f.node.as_ref()?, f.index)));
            match task {
                Some((node, index)) => {
                    let node = line(node, MAX_NAME);
                    format!(
                        "wasmhost show {id}.{node}.{index}   wasmhost logs {id}.{node}.{index}   wasmhost retry {id}"
                    )
                }
                None => format!("wasmhost show {id}   wasmhost retry {id}"),
            }
        }
    };
    dim(format!("next: {verbs}"))
}

/// A task with all its attempts; `log` is that of the latest.
pub(crate) fn task(task: &TaskView, log: &str, now: Timestamp) -> String {
    let mut out = String::new();
    put!(
        out,
        "{}  {}",
        bold(format!("{}.{}", task.job, lists::task_name(task))),
        task.state.painted()
    );
    if let Some(why) = &task.waits_for {
        put!(out, "waits: {}", line(why, 400));
    }
    if let Some(result) = &task.result {
        put!(
            out,
            "result: {}{}",
            size(result.len),
            match &result.text {
                Some(text) => format!(": {}", line(text, 200)),
                None => result.digest.map(|d| format!(", {d}")).unwrap_or_default(),
            }
        );
    }
    for a in &task.attempts {
        put!(out, "\n{}", attempt(a, now).trim_end());
    }
    if !log.is_empty() {
        put!(
            out,
            "\n{}\n{}",
            dim("log"),
            clean(&tail(log, 20)).trim_end()
        );
    }
    out
}

fn attempt(a: &AttemptView, now: Timestamp) -> String {
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
        let ms = |ms: f64| {
            if ms < 10.0 {
                format!("{ms:.2} ms")
            } else {
                duration(ms as u64)
            }
        };
        put!(
            out,
            "  {}",
            dim(format!(
                "{} wall, {} cpu, {} memory at most",
                ms(usage.wall_ms),
                ms(usage.cpu_ms),
                memory(usage.peak_memory)
            ))
        );
    }
    if let Some(p) = &a.status.progress {
        put!(out, "  progress: {}", progress(p));
    }
    for v in &a.status.values {
        put!(out, "  {}", value(v));
    }
    for event in &a.status.events {
        let said = event
            .value
            .as_ref()
            .map(|v| format!(": {}", bare(v)))
            .unwrap_or_default();
        let after = a
            .started
            .map(|start| format!("+{} ", duration(event.at.since(start))));
        put!(
            out,
            "  {}{}{said}",
            dim(after.unwrap_or_default()),
            line(&event.name, 80)
        );
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

fn failure(failure: &Failure) -> String {
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

fn bare(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Json(text) => line(text, 120),
        Value::Int(n) => n.to_string(),
        Value::Float(n) => format!("{n}"),
        Value::Flag(on) => on.to_string(),
    }
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// A job that has ended, in one line.
pub(crate) fn end(job: &JobView) -> String {
    let took = job
        .ended
        .map(|end| duration(end.since(job.submitted)))
        .unwrap_or_default();
    format!(
        "{} {} in {took}: {}",
        job.id,
        job.state.painted(),
        tally(&job.counts)
    )
}

/// A module.
pub(crate) fn module(module: &ModuleView) -> String {
    let mut out = String::new();
    put!(out, "{}", bold(module.digest));
    put!(
        out,
        "{}, {}, pushed {}",
        kind(module.kind),
        size(module.len),
        instant(module.pushed)
    );
    if !module.names.is_empty() {
        put!(out, "names: {}", line(&module.names.join(", "), 1000));
    }
    if !module.manifest.description.is_empty() {
        put!(out, "\n{}", clean(&module.manifest.description).trim());
    }
    for (word, schema) in [
        ("input", &module.manifest.input),
        ("output", &module.manifest.output),
    ] {
        if let Some(schema) = schema {
            let text = serde_json::to_string_pretty(schema).unwrap_or_default();
            put!(out, "\n{}\n{}", dim(word), clean(&text));
        }
    }
    for (word, list) in [("imports", &module.imports), ("exports", &module.exports)] {
        if !list.is_empty() {
            put!(out, "\n{}\n  {}", dim(word), clean(&list.join("\n  ")));
        }
    }
    if !module.manifest.sdk.is_empty() {
        put!(
            out,
            "\n{}",
            dim(format!("made with {}", line(&module.manifest.sdk, 200)))
        );
    }
    out
}
