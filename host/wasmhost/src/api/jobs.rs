//! Jobs: submit, check, list, show, cancel, retry.
//!
//! The core answers for live jobs, the store for ended ones; a job that ends
//! between the two questions is asked for again.

use super::extract::{Json, OptionalJson, Path, Query};
use super::linking::{Keep, settle};
use super::problem::Problem;
use super::state::{App, Shared, place, to_the_end, turn};
use super::{capacity, driver, resolve, stored, submission};
use crate::primary::{ApiRefusal, Stopped};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;
use wasmhost_core::primary::{Refusal, Reply, view};
use wasmhost_core::record::JobRecord;
use wasmhost_jobc::Catalogue;
use wasmhost_proto::JobId;
use wasmhost_proto::api::{
    CancelRequest, CheckView, JobFailure, JobState, JobView, NodeView, Page, SubmitRequest,
};
use wasmhost_proto::limits::{DEFAULT_PAGE, MAX_PAGE, MAX_PAGE_SCAN, MAX_WAIT_MS};
use wasmhost_proto::plan::SubmittedBy;

/// Submits a job. Answers once it is durable.
///
/// With an idempotency key (header or body) a repetition returns the first job,
/// as 200 instead of 201.
#[utoipa::path(post, path = "/api/v1/jobs", tag = "jobs", operation_id = "submit_job",
    params(("Idempotency-Key" = Option<String>, Header, description = "Same as `idempotency_key` in the body")),
    request_body = SubmitRequest,
    responses((status = 201, description = "The new job", body = JobView),
        (status = 200, description = "The job that this key made before", body = JobView)))]
pub(crate) async fn submit(
    State(app): State<Shared>,
    headers: HeaderMap,
    Json(mut request): Json<SubmitRequest>,
) -> Result<Response, Problem> {
    let turn = turn(&app.submissions).await?;
    let key = submission::key(&headers, request.idempotency_key.take())?;
    let shared = app.clone();
    let made = to_the_end(async move { make(&shared, request, key, None, turn).await });
    let (id, created) = made.await?;
    let view = load(&app, id).await?;
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let mut response = (status, axum::Json(view)).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/jobs/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Makes a job, and whether it is new; it is durable when this returns.
pub(super) async fn make(
    app: &App,
    request: SubmitRequest,
    key: Option<String>,
    submitted_by: Option<SubmittedBy>,
    turn: OwnedSemaphorePermit,
) -> Result<(JobId, bool), Problem> {
    let waits = request.wait_for_capacity;
    let request = stored::as_before(app, request, key.clone()).await?;
    let whole = stored::complete(app, request).await?;
    let small = submission::is_small(&whole.request);
    // Held until the job is durable: its modules stay.
    let (_held, planned) = submission::plan(app, whole).await?;
    let mut plan = submission::keep(app, planned).await?;
    plan.submitted_by = submitted_by;
    submission::require_blobs(app, submission::blobs_of(&plan)).await?;
    if !waits {
        plan = capacity::require(app, plan, key.as_deref()).await?;
    }
    // Turns bound the memory of large jobs on their way to the disk. Small ones
    // may crowd there: the more of them, the fewer commits.
    let _turn = (!small).then_some(turn);
    match app.handle.submit(plan, key).await.map_err(refused)? {
        Reply::Job { id, created } => Ok((id, created)),
        _ => Err(Problem::fault(
            "the primary answered something else",
            &"submit",
        )),
    }
}

/// Says what a definition would do, without doing it.
#[utoipa::path(post, path = "/api/v1/jobs/check", tag = "jobs", operation_id = "check_job",
    request_body = SubmitRequest,
    responses((status = 200, description = "What would run", body = CheckView)))]
pub(crate) async fn check(
    State(app): State<Shared>,
    Json(request): Json<SubmitRequest>,
) -> Result<axum::Json<CheckView>, Problem> {
    let _turn = turn(&app.submissions).await?;
    let whole = stored::complete(&app, request).await?;
    let blobs = app.handle.blobs().clone();
    let compile = move |modules: &dyn Catalogue| {
        submission::check(&whole, modules, &blobs).map_err(submission::rejected)
    };
    let (_, view) = settle(&app, Keep::Nothing, false, compile).await?;
    Ok(axum::Json(capacity::offered(&app, view).await?))
}

/// Which jobs.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct JobsQuery {
    /// Only those that are there.
    state: Option<JobState>,
    /// How many at most; 50 unless given, 500 at most.
    limit: Option<usize>,
    /// `next_cursor` of the page before. A filtered page may be short, even
    /// empty, and still have a next.
    cursor: Option<String>,
}

/// Jobs, newest first. What their definitions say of them is left out of a list:
/// `nodes`, `description`, `definition`, `params`.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "jobs", operation_id = "list_jobs", params(JobsQuery),
    responses((status = 200, description = "One page", body = Page<JobView>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    Query(query): Query<JobsQuery>,
) -> Result<axum::Json<Page<JobView>>, Problem> {
    let limit = query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let parse = |text: &String| text.parse::<JobId>().map_err(|_| bad_cursor(text));
    let mut before = query.cursor.as_ref().map(parse).transpose()?;
    let mut items = Vec::new();
    let mut scanned = 0;
    while scanned < MAX_PAGE_SCAN {
        // One more than fits, so that the last page knows that it is.
        let records = app.read(move |store| store.jobs(before, limit + 1)).await?;
        let last = records.len() <= limit;
        scanned += records.len();
        for view in rows(&app, records).await? {
            if items.len() == limit {
                return Ok(page(items, before));
            }
            before = Some(view.id);
            if query.state.is_none_or(|s| s == view.state) {
                items.push(view);
            }
        }
        if last {
            return Ok(page(items, None));
        }
    }
    Ok(page(items, before))
}

fn page(items: Vec<JobView>, next: Option<JobId>) -> axum::Json<Page<JobView>> {
    let next_cursor = next.map(|id| id.to_string());
    axum::Json(Page { items, next_cursor })
}

/// Rows of a list: live jobs as the core sees them, ended ones from their records.
async fn rows(app: &App, records: Vec<JobRecord>) -> Result<Vec<JobView>, Problem> {
    let ids: Vec<JobId> = records
        .iter()
        .filter(|r| !r.state.is_final())
        .map(|r| r.id)
        .collect();
    let live = app
        .ask(move |primary, now| {
            ids.iter()
                .map(|id| primary.job_view(now, *id))
                .collect::<Vec<_>>()
        })
        .await?;
    let mut live = live.into_iter();
    let mut rows = Vec::with_capacity(records.len());
    for record in records {
        let row = if record.state.is_final() {
            record_row(record)
        } else {
            match live.next().flatten() {
                Some(view) => view,
                // It ended since its record was read.
                None => load(app, record.id).await?,
            }
        };
        rows.push(JobView {
            nodes: Vec::new(),
            description: String::new(),
            definition: None,
            params: BTreeMap::new(),
            ..row
        });
    }
    Ok(rows)
}

/// An ended job from its record alone: plans may be large, and a list reads
/// none. The failed node is given by number, which is as good as its name.
fn record_row(record: JobRecord) -> JobView {
    let failure = record.failure.map(|f| JobFailure {
        node: f.task.map(|t| t.node.to_string()),
        index: f.task.map_or(0, |t| t.index),
        failure: f.failure,
    });
    JobView {
        id: record.id,
        name: record.name,
        description: String::new(),
        state: record.state,
        priority: record.priority,
        submitted: record.submitted,
        started: record.started,
        ended: record.ended,
        counts: record.counts,
        nodes: Vec::new(),
        definition: None,
        params: BTreeMap::new(),
        failure,
        late_outcomes: record.late_outcomes,
        submitted_by: None,
    }
}

/// How long to wait.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    /// Answer once the job has ended, or after so many milliseconds with what there
    /// is; 60,000 at most. Without it the answer comes at once.
    wait_ms: Option<u64>,
}

impl WaitQuery {
    /// Waits, unless the server ends meanwhile.
    pub(crate) async fn wait(&self, app: &App, id: JobId) -> Result<(), Problem> {
        let Some(ms) = self.wait_ms.filter(|ms| *ms > 0) else {
            return Ok(());
        };
        // A connection that waits is one that others cannot have, as a watcher's is.
        let _place = place(&app.watchers, "waiting requests and watchers")?;
        let limit = Duration::from_millis(ms.min(MAX_WAIT_MS));
        let ended = tokio::time::timeout(limit, app.handle.ended(id));
        match app.closing.run_until_cancelled(ended).await {
            Some(Ok(Err(Stopped))) => Err(Problem::stopping()),
            Some(Ok(Ok(()))) | Some(Err(_)) | None => Ok(()),
        }
    }
}

/// One job.
#[utoipa::path(get, path = "/api/v1/jobs/{job}", tag = "jobs", operation_id = "get_job",
    params(("job" = String, Path, description = "Id, unique prefix, or `latest`"), WaitQuery),
    responses((status = 200, description = "The job", body = JobView)))]
pub(crate) async fn get(
    State(app): State<Shared>,
    Path(job): Path<String>,
    Query(query): Query<WaitQuery>,
) -> Result<axum::Json<JobView>, Problem> {
    let id = resolve::job(&app, &job).await?;
    query.wait(&app, id).await?;
    load(&app, id).await.map(axum::Json)
}

/// Cancels a job: running attempts see a flag, and are killed after the grace.
#[utoipa::path(post, path = "/api/v1/jobs/{job}/cancel", tag = "jobs", operation_id = "cancel_job",
    params(("job" = String, Path, description = "Id, unique prefix, or `latest`")),
    request_body = Option<CancelRequest>,
    responses((status = 200, description = "The job, stopping or ended", body = JobView)))]
pub(crate) async fn cancel(
    State(app): State<Shared>,
    Path(job): Path<String>,
    OptionalJson(request): OptionalJson<CancelRequest>,
) -> Result<axum::Json<JobView>, Problem> {
    let id = resolve::job(&app, &job).await?;
    match app.handle.cancel(id, request.grace_ms).await {
        Ok(_) => {}
        // It has ended: there is nothing left to cancel, and saying so is enough.
        Err(ApiRefusal::Refused(Refusal::NoSuchJob(_))) => {}
        Err(e) => return Err(refused(e)),
    }
    load(&app, id).await.map(axum::Json)
}

/// Runs the failed and cancelled tasks of an ended job again.
#[utoipa::path(post, path = "/api/v1/jobs/{job}/retry", tag = "jobs", operation_id = "retry_job",
    params(("job" = String, Path, description = "Id, unique prefix, or `latest`")),
    responses((status = 200, description = "The job, queued again", body = JobView)))]
pub(crate) async fn retry(
    State(app): State<Shared>,
    Path(job): Path<String>,
) -> Result<axum::Json<JobView>, Problem> {
    let id = resolve::job(&app, &job).await?;
    let catalogue = app.catalogue.read().await;
    let ended = load(&app, id).await?;
    let missing = |n: &&NodeView| catalogue.get(n.module).is_none();
    if let Some(node) = ended
        .nodes
        .iter()
        .find(missing)
        .filter(|_| ended.state.is_final())
    {
        let title = format!(
            "the module {} of task '{}' was removed",
            node.module, node.name
        );
        return Err(Problem::conflict("module_missing", title).help("Push it again, then retry."));
    }
    app.handle.retry(id).await.map_err(refused)?;
    drop(catalogue);
    load(&app, id).await.map(axum::Json)
}

/// A job's view, wherever the job is.
pub(crate) async fn load(app: &App, id: JobId) -> Result<JobView, Problem> {
    find(app, id)
        .await?
        .ok_or_else(|| Problem::not_found(format!("there is no job {id}")))
}

/// Plans of so few tasks are small.
const FEW_TASKS: u64 = 16;

/// A job's view, if there is such a job.
pub(crate) async fn find(app: &App, id: JobId) -> Result<Option<JobView>, Problem> {
    if let Some(view) = app
        .ask(move |primary, now| primary.job_view(now, id))
        .await?
    {
        return Ok(Some(view));
    }
    let Some(record) = app.peek(|store| store.job(id))? else {
        return Ok(None);
    };
    let plan = match record.counts.total <= FEW_TASKS {
        true => app.peek(|store| store.plan(id))?,
        false => app.read(move |store| store.plan(id)).await?,
    };
    Ok(plan.map(|plan| view::job(&record, &plan)))
}

/// A cursor that no page gave.
pub(crate) fn bad_cursor(text: &str) -> Problem {
    let shown: String = text.chars().take(80).collect();
    Problem::bad("bad_cursor", format!("'{shown}' is not a cursor"))
        .help("Give `next_cursor` of the page before, as it is.")
}

/// Why the primary did not do it.
pub(crate) fn refused(refusal: ApiRefusal) -> Problem {
    let ApiRefusal::Refused(refusal) = refusal else {
        return Problem::stopping();
    };
    match refusal {
        Refusal::NoSuchJob(id) => Problem::not_found(format!("there is no live job {id}")),
        Refusal::NoSuchWorker(id) => Problem::not_found(format!("there is no worker {id}")),
        Refusal::NotEnded(id) => Problem::conflict("not_ended", format!("job {id} has not ended"))
            .help("Cancel it first, or wait for its end."),
        Refusal::NothingToRetry(id) => Problem::conflict(
            "nothing_to_retry",
            format!("every task of job {id} succeeded"),
        ),
        Refusal::KeyReused(id) => {
            let title =
                format!("the idempotency key belongs to job {id}, which is a different one");
            Problem::invalid("key_reused", title).help("Use a new key for a new job.")
        }
        Refusal::NoDriver
        | Refusal::NoSuchTask(_)
        | Refusal::RequestKeyReused
        | Refusal::RequestsFull(_)
        | Refusal::NoSuchRequest => driver::refused(refusal),
        Refusal::Full(max) => {
            let title = format!("there are {max} live jobs, and no more fit");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "full", title)
                .help("Wait for some to end.")
        }
    }
}
