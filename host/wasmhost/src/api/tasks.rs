//! Tasks: one, or pages of them in order of node and index. What the core
//! holds live and what the store has of ended attempts become one view.

use super::extract::{Path, Query};
use super::problem::Problem;
use super::state::{App, Shared};
use super::{ended, jobs, outputs, resolve};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;
use utoipa::IntoParams;
use wasmhost_core::primary::LiveTask;
use wasmhost_core::record::OutcomeRecord;
use wasmhost_proto::api::{AttemptView, JobView, Page, TaskState, TaskView, timeline};
use wasmhost_proto::limits::{DEFAULT_PAGE, MAX_PAGE, MAX_PAGE_SCAN};
use wasmhost_proto::{NodeIndex, TaskId, WorkerId};
use wasmhost_store::{Store, StoreError};

/// Which tasks of a job.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TasksQuery {
    /// Only those of this node: a name or number.
    node: Option<String>,
    /// Only those that are there.
    state: Option<TaskState>,
    /// How many at most; 50 unless given, 500 at most.
    limit: Option<usize>,
    /// `next_cursor` of the page before. A filtered page may be short, even
    /// empty, and still have a next.
    cursor: Option<String>,
}

/// The tasks of a job, in order of node and index.
#[utoipa::path(get, path = "/api/v1/jobs/{job}/tasks", tag = "tasks", operation_id = "list_tasks",
    params(("job" = String, Path, description = "Id, unique prefix, or `latest`"), TasksQuery),
    responses((status = 200, description = "One page", body = Page<TaskView>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    Path(job): Path<String>,
    Query(query): Query<TasksQuery>,
) -> Result<Json<Page<TaskView>>, Problem> {
    let job = jobs::load(&app, resolve::job(&app, &job).await?).await?;
    let node = query
        .node
        .as_deref()
        .map(|text| resolve::node(&job, text))
        .transpose()?;
    let limit = query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let first = Position {
        node: node.unwrap_or(0),
        index: 0,
    };
    let start = match &query.cursor {
        Some(text) => Position::parse(text).ok_or_else(|| jobs::bad_cursor(text))?,
        None => first,
    };
    let last_node = node.map_or(job.nodes.len(), |n| usize::from(n) + 1);
    let page = page(&app, &job, start.max(first), last_node, limit, query.state).await?;
    Ok(Json(page))
}

/// One task, with the whole story of its attempts.
#[utoipa::path(get, path = "/api/v1/jobs/{job}/tasks/{node}/{index}", tag = "tasks", operation_id = "get_task",
    params(("job" = String, Path, description = "Id, unique prefix, or `latest`"),
        ("node" = String, Path, description = "Name or number"), ("index" = u32, Path, description = "Index")),
    responses((status = 200, description = "The task", body = TaskView)))]
pub(crate) async fn get(
    State(app): State<Shared>,
    Path((job, node, index)): Path<(String, String, String)>,
) -> Result<Json<TaskView>, Problem> {
    let (job, task) = find(&app, &job, &node, &index).await?;
    let stories = stories(&app, vec![task]).await?;
    let story = stories.into_iter().next();
    let story = story.ok_or_else(|| Problem::not_found(format!("there is no task {task}")))?;
    let mut view = story.told(&job);
    let own = app.read(move |store| outputs::of_task(store, task)).await?;
    let shown = own.into_iter();
    view.outputs = shown
        .map(|own| outputs::view(&job, task, own.record, own.ended))
        .collect();
    Ok(Json(view))
}

/// A task by what the client wrote of it.
pub(crate) async fn find(
    app: &App,
    job: &str,
    node: &str,
    index: &str,
) -> Result<(JobView, TaskId), Problem> {
    let job = jobs::load(app, resolve::job(app, job).await?).await?;
    let node = resolve::node(&job, node)?;
    let of = &job.nodes[usize::from(node)];
    let found = index
        .parse::<u32>()
        .ok()
        .filter(|i| u64::from(*i) < of.counts.total);
    let index = found.ok_or_else(|| {
        let shown: String = index.chars().take(20).collect();
        Problem::not_found(format!(
            "'{}' of job {} has no index '{shown}'",
            of.name, job.id
        ))
        .help(format!(
            "Its indexes are 0 to {}.",
            of.counts.total.saturating_sub(1)
        ))
    })?;
    let task = TaskId {
        job: job.id,
        node,
        index,
    };
    Ok((job, task))
}

/// Where a page begins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Position {
    node: NodeIndex,
    index: u32,
}

impl Position {
    fn parse(text: &str) -> Option<Position> {
        let (node, index) = text.split_once('.')?;
        Some(Position {
            node: node.parse().ok()?,
            index: index.parse().ok()?,
        })
    }

    fn cursor(self) -> String {
        format!("{}.{}", self.node, self.index)
    }
}

/// Goes on from `at` until `limit` tasks fit or enough were looked at.
async fn page(
    app: &App,
    job: &JobView,
    mut at: Position,
    last_node: usize,
    limit: usize,
    state: Option<TaskState>,
) -> Result<Page<TaskView>, Problem> {
    let mut items = Vec::new();
    let mut scanned = 0;
    while let Some(node) = job
        .nodes
        .get(usize::from(at.node))
        .filter(|_| usize::from(at.node) < last_node)
    {
        let left = node.counts.total.saturating_sub(u64::from(at.index)) as usize;
        if left == 0 {
            at = Position {
                node: at.node + 1,
                index: 0,
            };
            continue;
        }
        if items.len() == limit || scanned >= MAX_PAGE_SCAN {
            return Ok(Page {
                items,
                next_cursor: Some(at.cursor()),
            });
        }
        let take = left.min(limit).min(MAX_PAGE_SCAN - scanned) as u32;
        let window = (at.index..at.index + take).map(|index| TaskId {
            job: job.id,
            node: at.node,
            index,
        });
        scanned += take as usize;
        for view in views(app, job, window.collect()).await? {
            if items.len() == limit {
                break;
            }
            at.index = view.index + 1;
            if state.is_none_or(|s| s == view.state) {
                items.push(view);
            }
        }
    }
    Ok(Page {
        items,
        next_cursor: None,
    })
}

/// The views of these tasks of one node, in their order.
pub(crate) async fn views(
    app: &App,
    job: &JobView,
    tasks: Vec<TaskId>,
) -> Result<Vec<TaskView>, Problem> {
    let stories = stories(app, tasks).await?;
    Ok(stories.into_iter().map(|story| story.view(job)).collect())
}

async fn stories(app: &App, tasks: Vec<TaskId>) -> Result<Vec<Story>, Problem> {
    // The core first: a task that it no longer holds has a durable end.
    let tasks: Arc<[TaskId]> = tasks.into();
    let asked = tasks.clone();
    let live = app
        .ask(move |primary, now| {
            asked
                .iter()
                .map(|t| primary.live_task(now, *t))
                .collect::<Vec<_>>()
        })
        .await?;
    app.read(move |store| {
        let names = worker_names(store)?;
        let each = tasks.iter().zip(live);
        each.map(|(task, live)| story(store, &names, *task, live))
            .collect::<Result<Vec<_>, _>>()
    })
    .await
}

/// Names of all workers that ever joined.
pub(crate) fn worker_names(store: &dyn Store) -> Result<HashMap<WorkerId, String>, StoreError> {
    Ok(store
        .workers()?
        .into_iter()
        .map(|w| (w.id, w.name))
        .collect())
}

/// What is known of one task.
pub(crate) struct Story {
    task: TaskId,
    live: Option<LiveTask>,
    outcome: Option<OutcomeRecord>,
    attempts: Vec<AttemptView>,
}

fn story(
    store: &dyn Store,
    names: &HashMap<WorkerId, String>,
    task: TaskId,
    live: Option<LiveTask>,
) -> Result<Story, StoreError> {
    let outcome = if live.is_none() {
        store.outcome(task)?
    } else {
        None
    };
    Story::new(store, names, task, live, outcome)
}

impl Story {
    /// Puts together what the core has of a task, or its recorded end, and its failed attempts.
    pub(crate) fn new(
        store: &dyn Store,
        names: &HashMap<WorkerId, String>,
        task: TaskId,
        live: Option<LiveTask>,
        outcome: Option<OutcomeRecord>,
    ) -> Result<Story, StoreError> {
        let latest = match (&live, &outcome) {
            (Some(live), _) => live.attempt.clone(),
            (None, Some(outcome)) => ended::attempt(outcome, names),
            (None, None) => None,
        };
        let failed = store.attempts(task)?.into_iter().rev();
        let failed = failed.map(|attempt| ended::failed(attempt, names));
        // A task's last failure may be recorded both as its end and as an attempt.
        let number = latest.as_ref().map(|a| a.attempt);
        let attempts = latest
            .into_iter()
            .chain(failed.filter(|a| Some(a.attempt) != number))
            .collect();
        Ok(Story {
            task,
            live,
            outcome,
            attempts,
        })
    }

    /// The view, with the timeline.
    fn told(mut self, job: &JobView) -> TaskView {
        let timeline = timeline(&mut self.attempts);
        TaskView {
            timeline,
            ..self.view(job)
        }
    }

    /// The view without the timeline; `job` gives the node's name.
    pub(crate) fn view(mut self, job: &JobView) -> TaskView {
        for attempt in &mut self.attempts {
            attempt.status.history = Vec::new();
        }
        let node = job.nodes.get(usize::from(self.task.node));
        let checkpoint = self.live.as_ref().and_then(|live| live.checkpoint);
        let (state, waits_for) = match (self.live, &self.outcome) {
            (Some(live), _) => (live.state, live.waits_for),
            (None, Some(outcome)) => (ended::state(outcome), None),
            (None, None) if node.is_some_and(|node| node.skipped) => (TaskState::Skipped, None),
            // The job ended before the task's turn came.
            (None, None) => (TaskState::Cancelled, None),
        };
        TaskView {
            job: self.task.job,
            node: node.map_or_else(|| self.task.node.to_string(), |n| n.name.clone()),
            index: self.task.index,
            state,
            waits_for,
            attempts: self.attempts,
            timeline: Vec::new(),
            result: self.outcome.and_then(|o| o.result).map(ended::result),
            checkpoint,
            outputs: Vec::new(),
        }
    }
}
