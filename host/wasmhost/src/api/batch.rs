//! Several jobs in one request: all are stored, or none is.

use super::extract::Json;
use super::jobs::refused;
use super::linking::{Keep, settle};
use super::problem::Problem;
use super::state::{Shared, to_the_end, turn};
use super::stored::{self, Whole};
use super::{capacity, submission};
use crate::primary::batch_key;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use wasmhost_core::primary::Reply;
use wasmhost_jobc::{Catalogue, Planned};
use wasmhost_proto::api::{Diagnostic, NewJobs, SubmitBatch};
use wasmhost_proto::limits::{MAX_BATCH_JOBS, MAX_HTTP_BODY, MAX_IDEMPOTENCY_KEY};
use wasmhost_store::Blobs;

/// Mistakes told of one request.
const MAX_MISTAKES: usize = 100;
/// What the keys of single jobs add to that of their request, at most.
const KEY_ROOM: usize = 8;

/// Submits several jobs: all of them, or, if one has a mistake, none. Answers once
/// they are durable, with their ids alone.
///
/// With an idempotency key (header or body) a repetition returns the first jobs,
/// as 200 instead of 201.
#[utoipa::path(post, path = "/api/v1/jobs/batch", tag = "jobs", operation_id = "submit_jobs",
    params(("Idempotency-Key" = Option<String>, Header, description = "Same as `idempotency_key` in the body")),
    request_body = SubmitBatch,
    responses((status = 201, description = "The new jobs", body = NewJobs),
        (status = 200, description = "The jobs that this key made before", body = NewJobs)))]
pub(crate) async fn submit(
    State(app): State<Shared>,
    headers: HeaderMap,
    Json(batch): Json<SubmitBatch>,
) -> Result<(StatusCode, axum::Json<NewJobs>), Problem> {
    let turn = turn(&app.submissions).await?;
    let key = submission::key(&headers, batch.idempotency_key)?;
    let jobs = batch.jobs;
    if jobs.is_empty() || jobs.len() > MAX_BATCH_JOBS {
        let title = format!("a batch has 1 to {MAX_BATCH_JOBS} jobs, not {}", jobs.len());
        return Err(Problem::invalid("bad_batch", title));
    }
    if let Some(n) = jobs.iter().position(|job| job.idempotency_key.is_some()) {
        let title = format!("job {n} of the batch has an idempotency key of its own");
        return Err(Problem::invalid("bad_batch", title)
            .help("Give the whole batch one, or none: all its jobs are stored, or none is."));
    }
    if key
        .as_ref()
        .is_some_and(|key| key.len() > MAX_IDEMPOTENCY_KEY - KEY_ROOM)
    {
        let most = MAX_IDEMPOTENCY_KEY - KEY_ROOM;
        let title = format!("an idempotency key of a batch has 1 to {most} bytes");
        return Err(Problem::bad("bad_idempotency_key", title));
    }
    let shared = app.clone();
    let reply = to_the_end(async move {
        let mut whole = Vec::with_capacity(jobs.len());
        let mut room = MAX_HTTP_BODY;
        for (n, job) in jobs.into_iter().enumerate() {
            let waits = job.wait_for_capacity;
            let own = key.as_deref().map(|key| batch_key(key, n));
            let job = stored::as_before(&shared, job, own).await?;
            let job = stored::complete(&shared, job).await?;
            // A name is short, and may stand for much.
            room = room.checked_sub(job.stored_bytes()).ok_or_else(too_large)?;
            whole.push((job, waits));
        }
        let (whole, waits): (Vec<Whole>, Vec<bool>) = whole.into_iter().unzip();
        let blobs = shared.handle.blobs().clone();
        let compile = move |modules: &dyn Catalogue| plans(&whole, modules, &blobs);
        // Held until the jobs are durable: their modules stay.
        let (_held, planned) = settle(&shared, Keep::Stored, false, compile).await?;
        let mut plans = Vec::with_capacity(planned.len());
        for planned in planned {
            let plan = submission::keep(&shared, planned).await?;
            submission::require_blobs(&shared, submission::blobs_of(&plan)).await?;
            plans.push(plan);
        }
        let plans = capacity::require_all(&shared, plans, waits, key.as_deref()).await?;
        let _turn = turn;
        shared.handle.submit_all(plans, key).await.map_err(refused)
    })
    .await?;
    let Reply::Jobs { ids, created } = reply else {
        return Err(Problem::fault(
            "the primary answered something else",
            &"submit_all",
        ));
    };
    let status = match created {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    Ok((status, axum::Json(NewJobs { ids })))
}

/// The stored definitions of a batch are together more than could have been sent.
fn too_large() -> Problem {
    let what = "what the jobs of the batch take from stored definitions";
    Problem::too_large(what, MAX_HTTP_BODY as u64).help("Submit them in smaller batches.")
}

/// A mistake of the `n`th job, from 0.
pub(crate) fn of_job(n: usize, mistake: Diagnostic) -> Diagnostic {
    Diagnostic {
        message: format!("job {n}: {}", mistake.message),
        ..mistake
    }
}

/// Compiles all, or tells the mistakes of all.
fn plans(jobs: &[Whole], modules: &dyn Catalogue, blobs: &Blobs) -> Result<Vec<Planned>, Problem> {
    let mut plans: Vec<Planned> = Vec::with_capacity(jobs.len());
    let mut mistakes: Vec<Diagnostic> = Vec::new();
    for (n, job) in jobs.iter().enumerate() {
        // The same job many times is compiled once.
        let last = n.checked_sub(1).and_then(|last| jobs.get(last));
        if let (Some(plan), true, true) = (plans.last(), mistakes.is_empty(), last == Some(job)) {
            plans.push(plan.clone());
            continue;
        }
        match submission::compile(job, modules, blobs) {
            Ok(plan) => plans.push(plan),
            Err(errors) => mistakes.extend(errors.into_iter().map(|error| of_job(n, error))),
        }
        if mistakes.len() > MAX_MISTAKES {
            break;
        }
    }
    match mistakes.is_empty() {
        true => Ok(plans),
        false => {
            mistakes.truncate(MAX_MISTAKES);
            Err(submission::rejected(mistakes))
        }
    }
}
