//! Requests to the primary's driver: make, show, await, take back.

use super::extract::{Json, Path, Query};
use super::problem::Problem;
use super::state::{App, Shared, place, to_the_end};
use super::{jobs, tasks};
use crate::primary::{ApiRefusal, Change};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use utoipa::IntoParams;
use wasmhost_core::primary::Refusal;
use wasmhost_core::record::{RequestAnswer, RequestRecord};
use wasmhost_proto::JobId;
use wasmhost_proto::api::{DriverView, NewRequest, Page, RequestState, RequestView, TaskState};
use wasmhost_proto::limits::{MAX_REQUEST_KEY, MAX_SPAWN_INPUT, MAX_WAIT_MS};

/// The driver that the primary was started with.
#[utoipa::path(get, path = "/api/v1/driver", tag = "driver", operation_id = "get_driver",
    responses((status = 200, description = "The driver, or that there is none", body = DriverView)))]
pub(crate) async fn get(State(app): State<Shared>) -> Result<axum::Json<DriverView>, Problem> {
    let look = app.ask(|primary, _| (primary.serving_job(), primary.requests_waiting()));
    let (job, waiting) = look.await?;
    Ok(axum::Json(DriverView {
        job,
        waiting: waiting as u64,
        ..app.serving.view()
    }))
}

/// The requests for which the driver has started no task yet, oldest first.
#[utoipa::path(get, path = "/api/v1/driver/requests", tag = "driver", operation_id = "list_requests",
    responses((status = 200, description = "All of them", body = Page<RequestView>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
) -> Result<axum::Json<Page<RequestView>>, Problem> {
    let records = app.read(|store| store.waiting_requests()).await?;
    Ok(axum::Json(Page {
        items: records.into_iter().map(plain).collect(),
        next_cursor: None,
    }))
}

/// Asks the driver for a task. Answers once the request is durable; a key that was used
/// before gives that request, as 200 instead of 201.
#[utoipa::path(post, path = "/api/v1/driver/requests", tag = "driver", operation_id = "make_request",
    request_body = NewRequest,
    responses((status = 201, description = "The new request", body = RequestView),
        (status = 200, description = "The request that this key made before", body = RequestView)))]
pub(crate) async fn make(
    State(app): State<Shared>,
    Json(request): Json<NewRequest>,
) -> Result<(StatusCode, axum::Json<RequestView>), Problem> {
    let input = request.input.to_string().into_bytes();
    if input.len() > MAX_SPAWN_INPUT {
        return Err(Problem::too_large("the input", MAX_SPAWN_INPUT as u64));
    }
    let key = match request.key {
        Some(key) => checked(key)?,
        None => fresh()?,
    };
    let (shared, asked, node) = (app.clone(), key.clone(), request.task);
    let made = to_the_end(async move { shared.handle.ask_driver(asked, node, input).await });
    let created = match made.await {
        Ok(created) => created,
        Err(ApiRefusal::Refused(Refusal::NoDriver)) => return Err(none(&app)),
        Err(refusal) => return Err(jobs::refused(refusal)),
    };
    let status = match created {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    Ok((status, axum::Json(load(&app, &key).await?)))
}

/// How long to wait.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    /// Answer once the task that answers the request has ended, or after so many
    /// milliseconds with what there is; 60,000 at most. Without it the answer comes at once.
    wait_ms: Option<u64>,
}

/// One request, with the task that answers it.
#[utoipa::path(get, path = "/api/v1/driver/requests/{key}", tag = "driver", operation_id = "get_request",
    params(("key" = String, Path, description = "Its key"), WaitQuery),
    responses((status = 200, description = "The request", body = RequestView)))]
pub(crate) async fn show(
    State(app): State<Shared>,
    Path(key): Path<String>,
    Query(query): Query<WaitQuery>,
) -> Result<axum::Json<RequestView>, Problem> {
    let Some(ms) = query.wait_ms.filter(|ms| *ms > 0) else {
        return load(&app, &key).await.map(axum::Json);
    };
    let _place = place(&app.watchers, "waiting requests and watchers")?;
    // Before the first look, so that nothing is missed between the two.
    let mut changes = app.handle.changes();
    let limit = Duration::from_millis(ms.min(MAX_WAIT_MS));
    let ended = tokio::time::timeout(limit, ended(&app, &key, &mut changes));
    match app.closing.run_until_cancelled(ended).await {
        Some(Ok(view)) => view.map(axum::Json),
        Some(Err(_)) | None => load(&app, &key).await.map(axum::Json),
    }
}

/// The request once nothing more comes of it.
async fn ended(
    app: &App,
    key: &str,
    changes: &mut Receiver<Change>,
) -> Result<RequestView, Problem> {
    loop {
        let view = load(app, key).await?;
        if is_over(&view) {
            return Ok(view);
        }
        let job = match &view.answer {
            Some(task) => Some(task.job),
            None => app.ask(|primary, _| primary.serving_job()).await?,
        };
        // While the driver is between two jobs, any may be the next.
        let concerns = |of: JobId| job.is_none_or(|job| job == of);
        loop {
            match changes.recv().await {
                Ok(Change::Job(of) | Change::JobEnded(of)) if concerns(of) => break,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return Err(Problem::stopping()),
            }
        }
    }
}

fn is_over(view: &RequestView) -> bool {
    let task = view.answer.as_ref().map(|task| task.state);
    let open = [TaskState::Waiting, TaskState::Assigned, TaskState::Running];
    view.state == RequestState::Withdrawn || task.is_some_and(|state| !open.contains(&state))
}

/// Takes a request back, if the driver has started no task for it.
#[utoipa::path(delete, path = "/api/v1/driver/requests/{key}", tag = "driver", operation_id = "withdraw_request",
    params(("key" = String, Path, description = "Its key")),
    responses((status = 200, description = "The request, withdrawn", body = RequestView)))]
pub(crate) async fn withdraw(
    State(app): State<Shared>,
    Path(key): Path<String>,
) -> Result<axum::Json<RequestView>, Problem> {
    match app.handle.withdraw(key.clone()).await {
        Ok(()) => {}
        // There is none, or it is too late: which of the two, the store says.
        Err(ApiRefusal::Refused(Refusal::NoSuchRequest)) => {
            if load(&app, &key).await?.state != RequestState::Withdrawn {
                let title = format!("a task was started for the request '{key}' already");
                return Err(Problem::conflict("request_started", title)
                    .help("Cancel the driver's job to stop all that it has started."));
            }
        }
        Err(refusal) => return Err(jobs::refused(refusal)),
    }
    load(&app, &key).await.map(axum::Json)
}

async fn load(app: &App, key: &str) -> Result<RequestView, Problem> {
    let record = app.peek(|store| store.request(key))?;
    let Some(record) = record else {
        let shown: String = key.chars().take(80).collect();
        return Err(Problem::not_found(format!("there is no request '{shown}'")));
    };
    let answer = match record.answer {
        Some(RequestAnswer::Started(task)) => {
            let job = jobs::load(app, task.job).await?;
            let views = tasks::views(app, &job, vec![task]).await?;
            views.into_iter().next()
        }
        _ => None,
    };
    Ok(RequestView {
        answer,
        ..plain(record)
    })
}

/// What its record says of it.
fn plain(record: RequestRecord) -> RequestView {
    RequestView {
        key: record.key,
        task: record.node,
        state: match record.answer {
            None => RequestState::Waiting,
            Some(RequestAnswer::Started(_)) => RequestState::Started,
            Some(RequestAnswer::Withdrawn) => RequestState::Withdrawn,
        },
        submitted: record.submitted,
        answer: None,
    }
}

/// Keys are parts of paths and of the driver's own keys.
fn checked(key: String) -> Result<String, Problem> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
    match !key.is_empty() && key.len() <= MAX_REQUEST_KEY && key.bytes().all(plain) {
        true => Ok(key),
        false => {
            let title = "the key of the request cannot be used";
            Err(Problem::invalid("bad_key", title).help(format!(
                "Use 1 to {MAX_REQUEST_KEY} letters, digits and `. _ : -`."
            )))
        }
    }
}

/// A key that nobody else has.
fn fresh() -> Result<String, Problem> {
    let (a, b) = getrandom::u64()
        .and_then(|a| Ok((a, getrandom::u64()?)))
        .map_err(|e| Problem::fault("there is no randomness", &e))?;
    Ok(format!("{a:016x}{b:016x}"))
}

/// Why there is no driver to ask.
fn none(app: &App) -> Problem {
    let view = app.serving.view();
    let (title, help) = match (view.name, view.error) {
        (Some(name), Some(error)) => (
            format!("the driver '{name}' of this primary cannot be loaded: {error}"),
            format!("Mend it and store it again: `wasmhost definition apply FILE --name {name}`."),
        ),
        (Some(name), None) => (
            format!("the driver '{name}' of this primary is not loaded yet"),
            "Try again in a moment.".to_owned(),
        ),
        (None, _) => (
            "this primary has no driver".to_owned(),
            "Start it with `wasmhost run-primary --driver NAME`.".to_owned(),
        ),
    };
    Problem::conflict("no_driver", title).help(help)
}

/// Why the primary did not take a request, or not back.
pub(crate) fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::NoSuchTask(tasks) => {
            let title = "the driver of this primary starts no task of that name";
            Problem::invalid("no_such_task", title)
                .help(format!("It starts: {}.", tasks.join(", ")))
        }
        Refusal::RequestKeyReused => {
            let title = "the key belongs to a request for something else";
            Problem::invalid("key_reused", title).help("Use a new key for a new request.")
        }
        Refusal::RequestsFull(waiting) => {
            let title = format!("{waiting} requests wait for the driver, and no more fit");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "full", title)
                .help("Try again when it has caught up.")
        }
        Refusal::NoSuchRequest => Problem::not_found("no such request waits"),
        _ => Problem::conflict("no_driver", "this primary has no driver"),
    }
}
