//! The status of a job: one data structure with everything that changes.
//!
//! Bounded however large the job is: running tasks, the latest that ended, and
//! how many are left out.

use super::boards::concerns;
use super::extract::{Path, Query};
use super::problem::Problem;
use super::state::{App, Shared};
use super::{jobs, resolve, tasks};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;
use tokio::time::timeout;
use utoipa::IntoParams;
use wasmhost_core::primary::LiveTask;
use wasmhost_core::record::OutcomeRecord;
use wasmhost_proto::api::{JobStatus, JobView, TaskState, TaskView};
use wasmhost_proto::limits::{MAX_STATUS_ENDED, MAX_STATUS_LIVE, MIN_POLL_MS, POLL_WAIT_MS};
use wasmhost_proto::{JobId, NodeIndex, TaskId, WorkerId};
use wasmhost_store::{Store, StoreError};

/// A job with its running tasks, the latest that ended, and its workers.
#[utoipa::path(get, path = "/api/v1/jobs/{job}/status", tag = "jobs", operation_id = "get_job_status",
    params(("job" = String, Path, description = "Id, unique prefix, or `latest`"), StatusQuery),
    responses((status = 200, description = "The status now", body = JobStatus)))]
pub(crate) async fn get(
    State(app): State<Shared>,
    Path(job): Path<String>,
    Query(query): Query<StatusQuery>,
) -> Result<Json<JobStatus>, Problem> {
    let id = resolve::job(&app, &job).await?;
    if let Some(max_age_ms) = query.max_age_ms {
        hear(&app, id, max_age_ms).await?;
    }
    load(&app, id).await.map(Json)
}

/// How fresh a status is to be.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatusQuery {
    /// Asks the workers first whose word on the job's attempts is older than this, in
    /// milliseconds, and waits for them, up to two seconds. One that does not answer
    /// is seen by its age.
    max_age_ms: Option<u64>,
}

/// Waits until the workers of a job have said what is no older than this, or for long enough.
async fn hear(app: &App, id: JobId, max_age_ms: u64) -> Result<(), Problem> {
    // Below what a question takes, a new one would always be due.
    let max_age_ms = max_age_ms.max(MIN_POLL_MS);
    // Before the first question, so that no answer falls between the two.
    let mut changes = app.handle.changes();
    let heard = async {
        while app
            .handle
            .poll(id, max_age_ms)
            .await
            .map_err(jobs::refused)?
            > 0
        {
            // An answer that brings nothing new is no change.
            let _ = timeout(LOOK_AGAIN, concerns(&mut changes, id)).await;
            // Those of other attempts gather meanwhile.
            tokio::time::sleep(GATHER).await;
        }
        Ok(())
    };
    // The time being up is no mistake: the status says how old it is.
    timeout(Duration::from_millis(POLL_WAIT_MS), heard)
        .await
        .unwrap_or(Ok(()))
}

/// Between two looks at whether workers have answered, when nothing says so.
const LOOK_AGAIN: Duration = Duration::from_millis(MIN_POLL_MS);
/// The shortest time between two looks.
const GATHER: Duration = Duration::from_millis(5);

/// Puts the status together.
pub(crate) async fn load(app: &App, id: JobId) -> Result<JobStatus, Problem> {
    let at = super::auth::now();
    let seen = app
        .ask(move |primary, now| {
            let job = primary.job_view(now, id)?;
            let (live, _) = primary.live_tasks(now, id, MAX_STATUS_LIVE);
            Some((job, live, primary.job_workers(now, id)))
        })
        .await?;
    let (job, live, workers) = match seen {
        Some(seen) => seen,
        None => (jobs::load(app, id).await?, Vec::new(), Vec::new()),
    };
    let failed = failed_task(&job);
    let of = job.clone();
    let stories = app
        .read(move |store| {
            let names = tasks::worker_names(store)?;
            let mut shown: HashSet<TaskId> = live.iter().map(|l| l.task).collect();
            let ends = latest_ends(store, &of, &live)?;
            let failed = match failed {
                Some(task) => store.outcome(task)?.map(|o| (task, o)),
                None => None,
            };
            let mut stories = Vec::new();
            for live in live {
                stories.push(tasks::Story::new(
                    store,
                    &names,
                    live.task,
                    Some(live),
                    None,
                )?);
            }
            for (task, outcome) in failed.into_iter().chain(ends) {
                if shown.insert(task) {
                    stories.push(tasks::Story::new(store, &names, task, None, Some(outcome))?);
                }
            }
            Ok(stories)
        })
        .await?;
    let tasks: Vec<TaskView> = stories.into_iter().map(|story| story.view(&job)).collect();
    let tasks_left_out = job.counts.total.saturating_sub(tasks.len() as u64);
    Ok(JobStatus {
        at,
        job,
        tasks,
        tasks_left_out,
        workers,
    })
}

/// The task that made the job fail.
fn failed_task(job: &JobView) -> Option<TaskId> {
    let failure = job.failure.as_ref()?;
    let node = job
        .nodes
        .iter()
        .position(|n| Some(&n.name) == failure.node.as_ref())?;
    Some(TaskId {
        job: job.id,
        node: NodeIndex::try_from(node).ok()?,
        index: failure.index,
    })
}

/// The latest recorded ends, latest first.
///
/// Records are ordered by index, not by time; but each worker goes through its
/// indexes in order. So the latest ends are those just below the lowest running
/// index of each worker, and about the index that counts what has ended. A few
/// records are read at each of these places, and the latest of them taken.
fn latest_ends(
    store: &dyn Store,
    job: &JobView,
    live: &[LiveTask],
) -> Result<Vec<(TaskId, OutcomeRecord)>, StoreError> {
    let mut fronts: BTreeMap<(NodeIndex, Option<WorkerId>), u32> = BTreeMap::new();
    for (node, view) in job.nodes.iter().enumerate() {
        let ended = view.counts.succeeded + view.counts.failed;
        if ended > 0 {
            fronts.insert(
                (node as NodeIndex, None),
                ended.min(u64::from(u32::MAX)) as u32,
            );
        }
    }
    for task in live.iter().filter(|t| t.state == TaskState::Running) {
        let worker = task.attempt.as_ref().and_then(|a| a.worker);
        let front = fronts.entry((task.task.node, worker)).or_insert(u32::MAX);
        *front = task.task.index.min(*front);
    }
    let each = (MAX_STATUS_ENDED / fronts.len().max(1)).max(2);
    let mut found = BTreeMap::new();
    // Later nodes wait for earlier ones, so their ends are later.
    for ((node, _), front) in fronts.into_iter().rev().take(MAX_STATUS_ENDED) {
        let window = store.outcomes(job.id, node, front.saturating_sub(each as u32), 2 * each)?;
        found.extend(window.into_iter().map(|(index, o)| {
            (
                TaskId {
                    job: job.id,
                    node,
                    index,
                },
                o,
            )
        }));
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|(task, outcome)| (std::cmp::Reverse(outcome.ended), *task));
    found.truncate(MAX_STATUS_ENDED);
    Ok(found)
}
