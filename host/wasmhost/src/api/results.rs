//! The bytes of results and modules, and the text of logs.
//!
//! A guest made them: they leave as downloads that no browser runs or shows.

use super::extract::{Path, Query};
use super::problem::Problem;
use super::state::{App, Shared, blocking};
use super::{jobs, resolve, tasks};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio_util::io::ReaderStream;
use wasmhost_core::record::{OutcomeRecord, StoredResult};
use wasmhost_proto::api::{JobFailure, JobState, JobView, NodeView};
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::BLOB_CHUNK;
use wasmhost_proto::{NodeIndex, TaskId};

/// The header that names why a task failed whose output is given all the same.
pub(crate) const FAILURE_HEADER: &str = "wasmhost-failure";

/// The result of a job: the bytes of its last node's single task.
#[utoipa::path(get, path = "/api/v1/jobs/{job}/result", tag = "jobs", operation_id = "get_job_result",
    params(("job" = String, Path, description = "Id, unique prefix, or `latest`"), jobs::WaitQuery),
    responses((status = 200, description = "The bytes", content_type = "application/octet-stream", body = Vec<u8>)))]
pub(crate) async fn of_job(
    State(app): State<Shared>,
    Path(job): Path<String>,
    Query(query): Query<jobs::WaitQuery>,
) -> Result<Response, Problem> {
    let id = resolve::job(&app, &job).await?;
    let job = jobs::load(&app, id).await?;
    let (node, last) = match job.result_node() {
        Some((node, last)) => (node as NodeIndex, last),
        None => return Err(Problem::fault("the job has no tasks", &job.id)),
    };
    if last.array {
        let title = format!(
            "job {} ends in an array and has one result for each index",
            job.id
        );
        let list = format!("/api/v1/jobs/{}/tasks/{}/INDEX/result", job.id, last.name);
        return Err(Problem::conflict("array_result", title).help(format!(
            "Get them one by one with `wasmhost result {}.INDEX` or from {list}, or add a [reduce] task \
             to the definition.",
            job.id
        )));
    }
    let job = match job.state.is_final() {
        true => job,
        false => {
            query.wait(&app, id).await?;
            jobs::load(&app, id).await?
        }
    };
    if !job.state.is_final() {
        return Err(not_ended(&format!("job {}", job.id)));
    }
    let again = format!(
        "`wasmhost show {0}` tells the whole story; `wasmhost retry {0}` runs it again.",
        job.id
    );
    match job.state {
        JobState::Failed => {
            return Err(Problem::conflict("job_failed", why_failed(&job)).help(again));
        }
        JobState::Cancelled => {
            let title = format!("job {} was cancelled", job.id);
            return Err(Problem::conflict("job_cancelled", title).help(again));
        }
        _ => {}
    }
    if let Some((_, last)) = job.result_node().filter(|(_, node)| node.skipped) {
        let title = format!(
            "job {} succeeded and has no result: {}",
            job.id,
            why_skipped(last)
        );
        return Err(Problem::conflict("no_result", title)
            .help(format!("`wasmhost show {}` tells what ran.", job.id)));
    }
    let task = TaskId {
        job: job.id,
        node,
        index: 0,
    };
    let outcome = outcome(&app, &job, task)?;
    respond(&app, outcome, &job.name).await
}

/// The result of a task; of a failed command, what it had written.
#[utoipa::path(get, path = "/api/v1/jobs/{job}/tasks/{node}/{index}/result", tag = "tasks",
    operation_id = "get_task_result",
    params(("job" = String, Path, description = "Id, unique prefix, or `latest`"),
        ("node" = String, Path, description = "Name or number"), ("index" = u32, Path, description = "Index")),
    responses((status = 200, description = "The bytes; with `wasmhost-failure` when it failed",
        content_type = "application/octet-stream", body = Vec<u8>)))]
pub(crate) async fn of_task(
    State(app): State<Shared>,
    Path((job, node, index)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    let (job, task) = tasks::find(&app, &job, &node, &index).await?;
    let outcome = outcome(&app, &job, task)?;
    let name = format!(
        "{}-{}-{}",
        job.name,
        job.nodes[usize::from(task.node)].name,
        task.index
    );
    respond(&app, outcome, &name).await
}

pub(super) fn why_failed(job: &JobView) -> String {
    let mut text = format!("job {} failed", job.id);
    if let Some(JobFailure {
        node,
        index,
        failure,
    }) = &job.failure
    {
        if let Some(node) = node {
            text.push_str(&format!(": task '{node}' index {index}"));
        }
        text.push_str(&format!(": {}: {}", failure.kind.name(), failure.message));
    }
    text
}

fn why_skipped(node: &NodeView) -> String {
    let name = &node.name;
    match &node.when {
        Some(when) => {
            format!("its task '{name}' was skipped, for its condition '{when}' is not true")
        }
        None => format!("its task '{name}' was skipped, as were all before it"),
    }
}

fn not_ended(what: &str) -> Problem {
    Problem::conflict("not_ended", format!("{what} has not ended"))
        .help("`wasmhost watch` waits for it.")
}

/// The recorded end of a task.
pub(super) fn outcome(app: &App, job: &JobView, task: TaskId) -> Result<OutcomeRecord, Problem> {
    let node = &job.nodes[usize::from(task.node)];
    let name = &node.name;
    let shown = format!("'{name}' index {} of job {}", task.index, job.id);
    match app.peek(|store| store.outcome(task))? {
        Some(outcome) => Ok(outcome),
        None if node.skipped => Err(Problem::conflict(
            "no_result",
            format!("{shown} never ran: {}", why_skipped(node)),
        )),
        None if job.state.is_final() => {
            Err(Problem::conflict("no_result", format!("{shown} never ran"))
                .help("Its job ended before its turn."))
        }
        None => Err(not_ended(&shown)),
    }
}

async fn respond(app: &App, outcome: OutcomeRecord, name: &str) -> Result<Response, Problem> {
    let Some(result) = outcome.result else {
        return Err(match outcome.failure {
            Some(f) => Problem::conflict(
                "task_failed",
                format!("the task failed: {}: {}", f.kind.name(), f.message),
            ),
            None => Problem::conflict("no_result", "the task left no result"),
        });
    };
    let (body, len) = match result {
        StoredResult::Inline(bytes) => {
            let len = bytes.len() as u64;
            (Body::from(bytes), len)
        }
        StoredResult::Blob(blob) => stream(app, blob).await?,
    };
    let mut response = download(body, len, name);
    if let Some(failure) = &outcome.failure {
        response.headers_mut().insert(
            FAILURE_HEADER,
            HeaderValue::from_static(failure.kind.name()),
        );
    }
    Ok(response)
}

/// Bytes as a file that no browser runs or shows.
pub(crate) fn download(body: Body, len: u64, name: &str) -> Response {
    let mut response = (StatusCode::OK, body).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(len));
    // A sandbox without rights, in case a browser shows it all the same.
    let policy = HeaderValue::from_static("default-src 'none'; sandbox; frame-ancestors 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    let safe: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{safe}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// The bytes of a module.
#[utoipa::path(get, path = "/api/v1/modules/{module}/content", tag = "modules", operation_id = "get_module_content",
    params(("module" = String, Path, description = "Digest, unique prefix of 8 digits or more, name, or name:version")),
    responses((status = 200, description = "The bytes", content_type = "application/octet-stream", body = Vec<u8>)))]
pub(crate) async fn of_module(
    State(app): State<Shared>,
    Path(module): Path<String>,
) -> Result<Response, Problem> {
    let catalogue = app.catalogue.read().await.clone();
    let record = resolve::module(&catalogue, &module)?;
    let blob = BlobRef {
        digest: record.digest,
        len: record.len,
    };
    let (body, len) = stream(&app, blob).await?;
    Ok(download(body, len, &format!("{}.wasm", record.digest)))
}

async fn stream(app: &App, blob: BlobRef) -> Result<(Body, u64), Problem> {
    let blobs = app.handle.blobs().clone();
    let found = blocking(move || blobs.open_file(blob.digest)).await;
    match found {
        Ok(Some((file, len))) => {
            let file = tokio::fs::File::from_std(file);
            Ok((
                Body::from_stream(ReaderStream::with_capacity(file, BLOB_CHUNK)),
                len,
            ))
        }
        Ok(None) => Err(Problem::fault("the file is gone", &blob.digest)),
        Err(e) => Err(Problem::fault("the file could not be read", &e)),
    }
}

/// The log of a task's latest attempt: what it logged, and its standard error.
#[utoipa::path(get, path = "/api/v1/jobs/{job}/tasks/{node}/{index}/logs", tag = "tasks",
    operation_id = "get_task_logs",
    params(("job" = String, Path, description = "Id, unique prefix, or `latest`"),
        ("node" = String, Path, description = "Name or number"), ("index" = u32, Path, description = "Index")),
    responses((status = 200, description = "The text", content_type = "text/plain", body = String)))]
pub(crate) async fn logs(
    State(app): State<Shared>,
    Path((job, node, index)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    let (_, task) = tasks::find(&app, &job, &node, &index).await?;
    let live = app
        .ask(move |primary, now| primary.live_task(now, task))
        .await?;
    let text = match live {
        Some(live) if live.attempt.is_some() => live.log,
        // Between two attempts the last one's log is the latest.
        Some(_) => app
            .read(move |store| store.attempts(task))
            .await?
            .pop()
            .map(|a| a.log)
            .unwrap_or_default(),
        None => app
            .read(move |store| store.outcome(task))
            .await?
            .and_then(|o| o.published)
            .map(|p| p.log)
            .unwrap_or_default(),
    };
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
