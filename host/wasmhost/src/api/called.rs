//! Jobs that tasks submit: their calls, answered as a client's would be. Which task may call
//! is the core's to say; here the operator's ceiling is held against it once more, since an
//! accepted job may be older than the ceiling.
//!
//! Such a job is found by its idempotency key, which names the job that submitted it: no
//! client can give a key like that, and no other job's tasks do.

use super::problem::Problem;
use super::state::{App, Shared, blocking, turn};
use super::{jobs, results};
use crate::primary::ApiRefusal;
use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use wasmhost_core::primary::{JobCall, Refusal};
use wasmhost_core::record::StoredResult;
use wasmhost_proto::api::{JobState, JobView, SubmitRequest};
use wasmhost_proto::data::{DataRefusal, DataReply};
use wasmhost_proto::grants::GrantKind;
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::jobs::{ChildJob, JobOp, JobReply};
use wasmhost_proto::limits::{
    MAX_CHILD_CALLS, MAX_CHILD_READ, MAX_CHILDREN, MAX_DATA_WAIT_MS, MAX_LIVE_JOBS,
};
use wasmhost_proto::plan::SubmittedBy;
use wasmhost_proto::{JobId, NodeIndex, TaskId};

/// How many jobs the tasks of each live job have asked for since the primary began, also those
/// that were refused.
#[derive(Default)]
pub(crate) struct Submitted(Mutex<HashMap<JobId, u32>>);

type Refused = (DataRefusal, String);

/// Answers calls until the server shuts down.
pub(super) fn serve(app: &Shared) {
    let Some(mut calls) = app.handle.take_job_calls() else {
        return;
    };
    let app = app.clone();
    tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(MAX_CHILD_CALLS));
        while let Some(Some(call)) = app.closing.run_until_cancelled(calls.recv()).await {
            let Ok(place) = places.clone().acquire_owned().await else {
                return;
            };
            let app = app.clone();
            tokio::spawn(async move {
                let reply = match answer(&app, &call).await {
                    Ok(reply) => DataReply::Job(Box::new(reply)),
                    Err((kind, why)) => {
                        let task = call.caller.task;
                        if kind == DataRefusal::NotGranted {
                            tracing::warn!(target: "audit", %task, "refused a call on a job: {why}");
                        }
                        DataReply::Refused(kind, why)
                    }
                };
                // Without a primary nobody waits for it.
                let _ = app.handle.answer_job_call(call.caller, reply).await;
                drop(place);
            });
        }
    });
}

async fn answer(app: &Shared, call: &JobCall) -> Result<JobReply, Refused> {
    let by = call.submitted_by;
    let key = format!("\u{2}{}/{}", by.job, call.op.key());
    let known = app.peek(|store| store.job_by_key(&key)).map_err(failed)?;
    let there =
        || known.ok_or_else(|| invalid(format!("no job was submitted as '{}'", call.op.key())));
    match &call.op {
        JobOp::Submit {
            definition, params, ..
        } => {
            let id = submit(app, by, key, known.is_some(), (definition, params)).await?;
            tracing::info!(target: "audit", task = %call.caller.task, job = %id, "submitted a job of '{definition}'");
            Ok(JobReply::Submitted(id))
        }
        JobOp::Look { .. } => match known {
            Some(id) => Ok(JobReply::State(Some(look(app, id).await?))),
            None => Ok(JobReply::State(None)),
        },
        JobOp::Wait { timeout_ms, .. } => {
            let id = there()?;
            let limit = Duration::from_millis((*timeout_ms).min(MAX_DATA_WAIT_MS));
            let ended = tokio::time::timeout(limit, app.handle.ended(id));
            // When the server ends, the call is repeated to the next.
            app.closing.run_until_cancelled(ended).await;
            Ok(JobReply::State(Some(look(app, id).await?)))
        }
        JobOp::Read { index, .. } => read(app, there()?, *index).await.map(JobReply::Result),
        JobOp::Cancel { .. } => match app.handle.cancel(there()?, None).await {
            // One that has ended has nothing left to cancel.
            Ok(_) | Err(ApiRefusal::Refused(Refusal::NoSuchJob(_))) => Ok(JobReply::Done),
            Err(error) => Err(failed(jobs::refused(error))),
        },
    }
}

fn invalid(why: String) -> Refused {
    (DataRefusal::Invalid, why)
}

fn failed(problem: Problem) -> Refused {
    (DataRefusal::Unreachable, problem.to_string())
}

/// What a submission was refused for is the caller's; the rest is not.
fn refused(problem: Problem) -> Refused {
    match problem.code() {
        "full" => (DataRefusal::Full, problem.to_string()),
        "stopping" => failed(problem),
        _ => invalid(problem.to_string()),
    }
}

async fn submit(
    app: &Shared,
    by: SubmittedBy,
    key: String,
    known: bool,
    (definition, params): (&str, &str),
) -> Result<JobId, Refused> {
    let name = definition.split('@').next().unwrap_or_default();
    if !app.operator.ceiling.allows(GrantKind::Submit, name) {
        let why = format!("the operator does not allow tasks to submit jobs of '{name}'");
        return Err((DataRefusal::NotGranted, why));
    }
    let params: BTreeMap<String, serde_json::Value> = match params.trim() {
        "" => BTreeMap::new(),
        text => serde_json::from_str(text)
            .map_err(|error| invalid(format!("the parameters are no JSON object: {error}")))?,
    };
    if !known {
        app.submitted.count(app, by.job).await?;
    }
    let request = SubmitRequest {
        stored: Some(definition.to_owned()),
        params,
        ..SubmitRequest::default()
    };
    let turn = turn(&app.submissions).await.map_err(failed)?;
    let made = jobs::make(app, request, Some(key), Some(by), turn).await;
    made.map(|(id, _)| id).map_err(refused)
}

impl Submitted {
    /// Counts one more job that a job's tasks submit, if it may be one more.
    async fn count(&self, app: &App, job: JobId) -> Result<(), Refused> {
        let jobs: Vec<JobId> = {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let count = counts.entry(job).or_default();
            if *count >= MAX_CHILDREN {
                let why = format!("the tasks of a job submit up to {MAX_CHILDREN} jobs");
                return Err((DataRefusal::Full, why));
            }
            *count += 1;
            match counts.len() > MAX_LIVE_JOBS {
                true => counts.keys().copied().collect(),
                false => return Ok(()),
            }
        };
        // Some of these have ended.
        let live = app.ask(move |primary, _| {
            let live = jobs.into_iter().filter(|job| primary.is_live(*job));
            live.collect::<std::collections::HashSet<_>>()
        });
        let live = live.await.map_err(failed)?;
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.retain(|job, _| live.contains(job));
        Ok(())
    }
}

async fn look(app: &App, id: JobId) -> Result<ChildJob, Refused> {
    let job = jobs::load(app, id).await.map_err(failed)?;
    Ok(ChildJob {
        job: id,
        state: job.state,
        total: job.counts.total,
        succeeded: job.counts.succeeded,
        failed: job.counts.failed,
        failure: (job.state == JobState::Failed).then(|| results::why_failed(&job)),
    })
}

/// A result of a job that has succeeded.
async fn read(app: &App, id: JobId, index: u32) -> Result<Vec<u8>, Refused> {
    let job = jobs::load(app, id).await.map_err(failed)?;
    if job.state != JobState::Succeeded {
        return Err(invalid(format!("job {id} has not succeeded")));
    }
    let task = result_task(&job, index)?;
    let outcome = results::outcome(app, &job, task).map_err(refused)?;
    let blob = match outcome.result {
        None => return Err(invalid(format!("job {id} left no result"))),
        Some(StoredResult::Inline(bytes)) => return Ok(bytes),
        Some(StoredResult::Blob(blob)) if blob.len > MAX_CHILD_READ => {
            return Err(invalid(format!(
                "the result of job {id} has {} bytes, and a task reads up to {MAX_CHILD_READ}",
                blob.len
            )));
        }
        Some(StoredResult::Blob(blob)) => blob,
    };
    content(app, blob).await
}

fn result_task(job: &JobView, index: u32) -> Result<TaskId, Refused> {
    let found = job.result_node();
    let found = found.filter(|(_, node)| u64::from(index) < node.counts.total);
    let (node, _) =
        found.ok_or_else(|| invalid(format!("job {} has no result {index}", job.id)))?;
    Ok(TaskId {
        job: job.id,
        node: node as NodeIndex,
        index,
    })
}

async fn content(app: &App, blob: BlobRef) -> Result<Vec<u8>, Refused> {
    let blobs = app.handle.blobs().clone();
    let read = blocking(move || {
        let Some((file, _)) = blobs
            .open_file(blob.digest)
            .map_err(std::io::Error::other)?
        else {
            return Err(std::io::ErrorKind::NotFound.into());
        };
        let mut bytes = Vec::new();
        file.take(MAX_CHILD_READ).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    let read = read.await;
    read.map_err(|error: std::io::Error| {
        let why = format!("the result cannot be read: {error}");
        (DataRefusal::Unreachable, why)
    })
}
