//! Server-sent events: one job until it ends, or the whole cluster.
//!
//! A stream looks at the primary again when something changed, at its own pace:
//! a slow watcher skips states and never holds anybody up. What it missed while
//! it was slow it reads again whole.

use super::boards::{self, Latest};
use super::extract::Path;
use super::problem::Problem;
use super::state::{Shared, place};
use super::{jobs, resolve};
use crate::primary::Change;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use wasmhost_proto::api::{JobStatus, JobView, WorkerView};
use wasmhost_proto::limits::{MAX_PAGE, WATCH_COALESCE_MS, WATCH_KEEP_ALIVE_MS};
use wasmhost_proto::{JobId, WorkerId};

type Sender = mpsc::Sender<Result<Event, Infallible>>;

/// A stream of events, with comments while nothing happens.
pub(crate) type Events =
    Sse<axum::response::sse::KeepAliveStream<ReceiverStream<Result<Event, Infallible>>>>;

/// The status of a job at once and at every change, as events `job`; ends after
/// the job's end.
#[utoipa::path(get, path = "/api/v1/jobs/{job}/events", tag = "jobs", operation_id = "watch_job",
    params(("job" = String, Path, description = "Id, unique prefix, or `latest`")),
    responses((status = 200, description = "Events `job`, each a JobStatus",
        content_type = "text/event-stream", body = JobStatus)))]
pub(crate) async fn job(
    State(app): State<Shared>,
    Path(job): Path<String>,
) -> Result<Events, Problem> {
    let place = place(&app.watchers, "event streams")?;
    let id = resolve::job(&app, &job).await?;
    let latest = boards::join(&app, id);
    Ok(stream(place, move |out| watch_job(latest, out)))
}

/// All live jobs and workers at once, then each that changes, as events `job`
/// (a JobView without nodes) and `worker` (a WorkerView).
#[utoipa::path(get, path = "/api/v1/events", tag = "cluster", operation_id = "watch_cluster",
    responses((status = 200, description = "Events `job`, each a JobView, and `worker`, each a WorkerView",
        content_type = "text/event-stream", body = JobView)))]
pub(crate) async fn cluster(State(app): State<Shared>) -> Result<Events, Problem> {
    let place = place(&app.watchers, "event streams")?;
    let changes = app.handle.changes();
    Ok(stream(place, move |out| watch_cluster(app, changes, out)))
}

/// Runs `watch` in a task of its own that ends when the client is gone.
fn stream<F, W>(place: OwnedSemaphorePermit, watch: W) -> Events
where
    W: FnOnce(Sender) -> F,
    F: Future<Output = Option<()>> + Send + 'static,
{
    // One event under way: the next look waits until the client took this one.
    let (out, events) = mpsc::channel(1);
    let gone = out.clone();
    let watching = watch(out);
    tokio::spawn(async move {
        tokio::select! {
            _ = watching => {}
            _ = gone.closed() => {}
        }
        drop(place);
    });
    let keep_alive = KeepAlive::new().interval(Duration::from_millis(WATCH_KEEP_ALIVE_MS));
    Sse::new(ReceiverStream::new(events)).keep_alive(keep_alive)
}

/// Sends one event; none when the client is gone.
async fn send(out: &Sender, name: &str, data: &impl Serialize) -> Option<()> {
    let event = Event::default().event(name).json_data(data).ok()?;
    out.send(Ok(event)).await.ok()
}

/// Lets changes gather; none when the server shuts down.
async fn pause(app: &Shared) -> Option<()> {
    let gather = tokio::time::sleep(Duration::from_millis(WATCH_COALESCE_MS));
    app.closing.run_until_cancelled(gather).await
}

async fn watch_job(mut latest: Latest, out: Sender) -> Option<()> {
    loop {
        latest.changed().await.ok()?;
        let shown = latest.borrow_and_update().clone()?;
        let event = Event::default().event("job").data(&shown.json);
        out.send(Ok(event)).await.ok()?;
        if shown.last {
            return Some(());
        }
    }
}

/// What a watcher of the cluster has not been told.
#[derive(Default)]
struct Dirty {
    jobs: BTreeSet<JobId>,
    workers: BTreeSet<WorkerId>,
    everything: bool,
}

impl Dirty {
    fn note(&mut self, change: Result<Change, RecvError>) -> Option<()> {
        match change {
            Ok(Change::Job(id) | Change::JobEnded(id)) => {
                self.jobs.insert(id);
            }
            Ok(Change::Worker(id)) => {
                self.workers.insert(id);
            }
            Err(RecvError::Lagged(_)) => self.everything = true,
            Err(RecvError::Closed) => return None,
        }
        // More than a page of single looks costs more than one look at all.
        if self.jobs.len() > MAX_PAGE || self.workers.len() > MAX_PAGE {
            *self = Dirty {
                everything: true,
                ..Dirty::default()
            };
        }
        Some(())
    }
}

async fn watch_cluster(app: Shared, mut changes: Receiver<Change>, out: Sender) -> Option<()> {
    let mut dirty = Dirty {
        everything: true,
        ..Dirty::default()
    };
    loop {
        tell(&app, std::mem::take(&mut dirty), &out).await?;
        pause(&app).await?;
        dirty.note(app.closing.run_until_cancelled(changes.recv()).await?)?;
        // Everything that has gathered meanwhile goes out together.
        while !changes.is_empty() {
            dirty.note(changes.recv().await)?;
        }
    }
}

async fn tell(app: &Shared, dirty: Dirty, out: &Sender) -> Option<()> {
    let Dirty {
        mut jobs,
        workers,
        everything,
    } = dirty;
    let views = app
        .ask(move |primary, now| primary.worker_views(now))
        .await
        .ok()?;
    let fits = |w: &&WorkerView| everything || workers.contains(&w.id);
    for view in views.iter().filter(fits) {
        send(out, "worker", view).await?;
    }
    if everything {
        // The newest, as many as a page: a list gives the rest.
        let live = app
            .ask(|primary, _| primary.job_ids().collect::<BTreeSet<_>>())
            .await
            .ok()?;
        jobs.extend(live.into_iter().rev().take(MAX_PAGE));
    }
    for id in jobs {
        if let Some(view) = jobs::find(app, id).await.ok()? {
            let row = JobView {
                nodes: Vec::new(),
                params: BTreeMap::new(),
                ..view
            };
            send(out, "job", &row).await?;
        }
    }
    Some(())
}
