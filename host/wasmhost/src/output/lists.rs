//! Lists of jobs, tasks, workers, modules, libraries and tokens as tables.

use super::human::{age, count, duration, line, number, size};
use super::style::{Named, Tone, dim};
use super::table::{render, table};
use comfy_table::Cell;
use wasmhost_proto::Timestamp;
use wasmhost_proto::api::{
    Counts, JobView, LibraryView, ModuleView, Page, SecretView, TaskView, TokenKind, TokenView,
    WorkerView,
};
use wasmhost_proto::grants::Grants;
use wasmhost_proto::ids::Digest;
use wasmhost_proto::limits::{MAX_NAME, MAX_REACH};
use wasmhost_proto::module::ModuleKind;

/// Enough of a digest to tell modules apart and to be typed.
pub(crate) fn short(digest: &Digest) -> String {
    digest.hex()[..12].to_owned()
}

/// How a kind of module is called.
pub(crate) fn kind(kind: ModuleKind) -> &'static str {
    match kind {
        ModuleKind::Task => "task",
        ModuleKind::Command => "command",
        ModuleKind::CoreCommand => "command (preview 1)",
    }
}

/// Done of all, as `17/100`.
fn done(counts: &Counts) -> String {
    let done = counts.succeeded + counts.failed + counts.cancelled + counts.skipped;
    format!("{}/{}", number(done), number(counts.total))
}

/// Jobs, newest first.
pub(crate) fn jobs(page: &Page<JobView>, now: Timestamp) -> String {
    if page.items.is_empty() {
        return "no jobs yet: try `wasmhost submit FILE`\n".into();
    }
    let mut out = table(&[
        "JOB", "NAME", "STATE", ">DONE", ">RUNNING", ">FAILED", ">AGE", ">TOOK",
    ]);
    for job in &page.items {
        let took = job
            .started
            .map(|start| job.ended.unwrap_or(now).since(start));
        out.add_row(vec![
            Cell::new(job.id),
            Cell::new(line(&job.name, MAX_NAME)),
            job.state.cell(),
            Cell::new(done(&job.counts)),
            Cell::new(blank(job.counts.running)),
            failed(job.counts.failed),
            Cell::new(age(now.since(job.submitted))),
            Cell::new(took.map(duration).unwrap_or_default()),
        ]);
    }
    let mut text = render(&out);
    if page.next_cursor.is_some() {
        text.push_str(&dim("there are more: see --limit and --all\n"));
    }
    text
}

fn blank(n: u64) -> String {
    if n == 0 { String::new() } else { number(n) }
}

fn failed(n: u64) -> Cell {
    if n == 0 {
        Cell::new("")
    } else {
        Tone::Bad.cell(number(n))
    }
}

/// A task's short name within its job: `node.index`.
pub(crate) fn task_name(task: &TaskView) -> String {
    format!("{}.{}", line(&task.node, MAX_NAME), task.index)
}

/// Tasks, with their latest attempt.
pub(crate) fn tasks(tasks: &[TaskView], now: Timestamp) -> String {
    let mut out = table(&["TASK", "STATE", "WORKER", ">ATTEMPT", ">FOR", "WHAT"]);
    for task in tasks {
        let latest = task.attempts.first();
        let time = latest.and_then(|a| Some(a.ended.unwrap_or(now).since(a.started?)));
        out.add_row(vec![
            Cell::new(task_name(task)),
            task.state.cell(),
            Cell::new(
                latest
                    .map(|a| line(&a.worker_name, MAX_NAME))
                    .unwrap_or_default(),
            ),
            Cell::new(latest.map(|a| a.attempt.to_string()).unwrap_or_default()),
            Cell::new(time.map(duration).unwrap_or_default()),
            Cell::new(what(task)),
        ]);
    }
    render(&out)
}

/// The one thing to know of a task: why it waits or failed, how far it is, what it said.
fn what(task: &TaskView) -> String {
    const WIDTH: usize = 72;
    if let Some(why) = &task.waits_for {
        return line(why, WIDTH);
    }
    let Some(latest) = task.attempts.first() else {
        return String::new();
    };
    if let Some(failure) = &latest.failure {
        return line(
            &format!("{}: {}", failure.kind.name(), failure.message),
            WIDTH,
        );
    }
    let mut parts: Vec<String> = Vec::new();
    if let Some(progress) = &latest.status.progress {
        parts.push(super::story::progress(progress));
    }
    parts.extend(latest.status.values.iter().map(super::story::value));
    if let Some(result) = task.result.as_ref().filter(|_| parts.is_empty()) {
        parts.push(format!("result of {}", size(result.len)));
    }
    line(&parts.join(" · "), WIDTH)
}

/// Workers.
pub(crate) fn workers(page: &Page<WorkerView>) -> String {
    if page.items.is_empty() {
        return "no workers yet: `wasmhost token create --worker` says how one joins\n".into();
    }
    let mut out = table(&[
        "WORKER", "NAME", "STATE", ">RUNNING", ">QUEUED", ">ENDED", ">LOST", ">HEARD", "VERSION",
        "OFFERS",
    ]);
    for worker in &page.items {
        out.add_row(vec![
            Cell::new(worker.id),
            Cell::new(line(&worker.name, MAX_NAME)),
            worker.state.cell(),
            Cell::new(format!("{}/{}", worker.running, worker.slots)),
            Cell::new(blank(u64::from(worker.queued))),
            Cell::new(number(worker.completed)),
            failed(u64::from(worker.executors_lost)),
            Cell::new(
                worker
                    .age_ms
                    .map(|ms| format!("{} ago", duration(ms)))
                    .unwrap_or_default(),
            ),
            Cell::new(line(&worker.version, MAX_NAME)),
            Cell::new(grants(&worker.offers, 80)),
        ]);
    }
    render(&out)
}

/// What is granted or offered, kind by kind, in so many characters.
pub(crate) fn grants(grants: &Grants, most: usize) -> String {
    let mut out = String::new();
    let mut last = None;
    for (kind, name) in grants.each() {
        let separator = match last {
            Some(before) if before == kind => ", ".to_owned(),
            Some(_) => format!("; {} ", kind.key()),
            None => format!("{} ", kind.key()),
        };
        out.push_str(&separator);
        out.push_str(&name);
        last = Some(kind);
    }
    line(&out, most)
}

/// Modules.
pub(crate) fn modules(page: &Page<ModuleView>, now: Timestamp) -> String {
    if page.items.is_empty() {
        return "no modules yet: `wasmhost module push FILE` adds one\n".into();
    }
    let mut out = table(&["DIGEST", "NAME", "KIND", ">SIZE", ">AGE", "DESCRIPTION"]);
    for module in &page.items {
        out.add_row(vec![
            Cell::new(short(&module.digest)),
            Cell::new(match (module.names.last(), &module.composed) {
                (Some(name), _) => line(name, 2 * MAX_NAME),
                (None, Some(of)) => format!("{} with libraries", short(&of.module)),
                (None, None) => String::new(),
            }),
            Cell::new(kind(module.kind)),
            Cell::new(size(module.len)),
            Cell::new(age(now.since(module.pushed))),
            Cell::new(line(&module.manifest.description, 60)),
        ]);
    }
    render(&out)
}

/// Libraries.
pub(crate) fn libraries(page: &Page<LibraryView>, now: Timestamp) -> String {
    if page.items.is_empty() {
        return "no libraries yet: `wasmhost library add FILE` adds one\n".into();
    }
    let mut out = table(&["LIBRARY", "DIGEST", ">SIZE", ">AGE", "EXPORTS"]);
    for library in &page.items {
        out.add_row(vec![
            Cell::new(line(&library.name, MAX_NAME)),
            Cell::new(short(&library.digest)),
            Cell::new(size(library.len)),
            Cell::new(age(now.since(library.added))),
            Cell::new(line(&library.exports.join(", "), 100)),
        ]);
    }
    render(&out)
}

/// Tokens.
pub(crate) fn tokens(page: &Page<TokenView>, now: Timestamp) -> String {
    if page.items.is_empty() {
        return "no tokens\n".into();
    }
    let mut out = table(&["TOKEN", "FOR", "NAME", ">AGE", "HOLDS"]);
    for token in &page.items {
        let holds = match (token.used, token.expires) {
            (Some(used), _) if token.kind == TokenKind::Join => {
                format!("used {} ago", age(now.since(used)))
            }
            (_, None) => "until revoked".into(),
            (_, Some(end)) if end <= now => "expired".into(),
            (_, Some(end)) => format!("{} more", duration(end.since(now))),
        };
        out.add_row(vec![
            token.id.to_string(),
            match token.kind {
                TokenKind::Join => "one worker".into(),
                TokenKind::Client => "clients".to_owned(),
            },
            line(&token.name, MAX_NAME),
            age(now.since(token.created)),
            holds,
        ]);
    }
    render(&out)
}

/// Secrets, by name, without their values.
pub(crate) fn secrets(page: &Page<SecretView>, now: Timestamp) -> String {
    if page.items.is_empty() {
        return "no secrets\n".into();
    }
    let mut out = table(&["SECRET", ">AGE", "REVEALED", "GOES WITH"]);
    for secret in &page.items {
        let revealed = if secret.reveal { "yes" } else { "no" };
        out.add_row(vec![
            line(&secret.name, MAX_NAME),
            age(now.since(secret.changed)),
            revealed.to_owned(),
            line(&secret.to.join("; "), MAX_REACH),
        ]);
    }
    render(&out)
}

/// What a job's tasks came to, in a few words.
pub(crate) fn tally(counts: &Counts) -> String {
    let mut parts = Vec::new();
    for (n, word) in [
        (counts.succeeded, "succeeded"),
        (counts.failed, "failed"),
        (counts.cancelled, "cancelled"),
        (counts.skipped, "skipped"),
        (counts.running, "running"),
        (counts.waiting, "waiting"),
    ] {
        if n > 0 && n == counts.total {
            return format!("{} {word}", count(n, "task"));
        }
        if n > 0 {
            parts.push(format!("{} {word}", number(n)));
        }
    }
    format!("{}: {}", count(counts.total, "task"), parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies() {
        let mut counts = Counts {
            total: 5,
            succeeded: 5,
            ..Counts::default()
        };
        assert_eq!(tally(&counts), "5 tasks succeeded");
        (counts.succeeded, counts.failed, counts.waiting) = (3, 1, 1);
        assert_eq!(tally(&counts), "5 tasks: 3 succeeded, 1 failed, 1 waiting");
    }
}
