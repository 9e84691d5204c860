//! The whole story of a job, a task or a module on one screen.

use super::attempt::{attempt, failure};
pub(crate) use super::attempt::{progress, value};
use super::graph;
use super::human::{clean, count, duration, instant, line, size};
use super::lists::{self, kind, short, tally};
use super::style::{Named, Tone, bold, dim};
use super::timeline::timeline;
use std::fmt::Write;
use wasmhost_proto::Timestamp;
use wasmhost_proto::api::{JobFailure, JobState, JobStatus, JobView, ModuleView, TaskView};
use wasmhost_proto::limits::{MAX_NAME, MAX_OUTPUT_NAME};

/// A job; `waiting` is a task that waits, if one was asked for.
pub(crate) fn job(status: &JobStatus, waiting: Option<&TaskView>) -> String {
    let (job, now) = (&status.job, status.at);
    let mut out = head(job, now);
    put!(out, "\n{}", graph::nodes(job).trim_end());
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
    if let Some(definition) = &job.definition {
        put!(
            out,
            "{} {}",
            dim("definition"),
            line(&definition.to_string(), 100)
        );
    }
    if let Some(parent) = &job.submitted_by {
        put!(out, "{} {parent}", dim("submitted by a task of"));
    }
    for (name, value) in &job.params {
        put!(
            out,
            "{} {} = {}",
            dim("param"),
            line(name, MAX_NAME),
            line(&value.to_string(), 200)
        );
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
        JobState::Succeeded if job.result_node().is_some_and(|(_, node)| node.skipped) => {
            format!("wasmhost logs {id}")
        }
        JobState::Succeeded => {
            let one = if job.result_node().is_some_and(|(_, node)| node.array) {
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

/// A task with all its attempts; `log` is that of the latest, `all` of its timeline is
/// told or what fits.
pub(crate) fn task(task: &TaskView, job: &JobView, log: &str, all: bool, now: Timestamp) -> String {
    let mut out = String::new();
    put!(
        out,
        "{}  {}",
        bold(format!("{}.{}", task.job, lists::task_name(task))),
        task.state.painted()
    );
    let node = job.nodes.iter().find(|node| node.name == task.node);
    if let Some(node) = node {
        put!(
            out,
            "{}",
            dim(format!(
                "module {}, job {} {}",
                short(&node.module),
                line(&job.name, MAX_NAME),
                job.state.word()
            ))
        );
    }
    if let Some(grants) = node.and_then(|node| node.grants.as_deref()) {
        put!(out, "{} {}", dim("granted"), lists::grants(grants, 400));
    }
    if let Some(why) = &task.waits_for {
        put!(out, "waits: {}", line(why, 400));
    }
    if let Some(saved) = &task.checkpoint {
        put!(
            out,
            "checkpoint: {}, saved by attempt {}",
            size(saved.len),
            saved.attempt
        );
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
    for output in &task.outputs {
        put!(
            out,
            "output: {}, {}, {}{}",
            line(&output.name, MAX_OUTPUT_NAME),
            line(&output.content_type, MAX_OUTPUT_NAME),
            size(output.bytes),
            if output.complete { "" } else { " up to now" }
        );
    }
    for a in &task.attempts {
        let limits = node.map(|node| &node.limits);
        put!(out, "\n{}", attempt(a, limits, now).trim_end());
    }
    let timeline = timeline(&task.timeline, all);
    if !timeline.is_empty() {
        put!(out, "\n{}", timeline.trim_end());
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
    if let Some(uploaded) = &module.uploaded {
        put!(out, "uploaded as {uploaded}, without its manifest");
    }
    if let Some(of) = &module.composed {
        let with = of.libraries.iter();
        let with: Vec<String> = with
            .map(|l| format!("{} ({})", line(&l.name, MAX_NAME), short(&l.digest)))
            .collect();
        put!(
            out,
            "composed of {} with {}",
            short(&of.module),
            with.join(", ")
        );
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
