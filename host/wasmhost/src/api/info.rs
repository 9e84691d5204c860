//! The primary itself: who it is, and whether it is well.

use super::auth;
use super::problem::Problem;
use super::state::Shared;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use wasmhost_proto::api::Info;
use wasmhost_store::Store;

/// The primary and its totals.
#[utoipa::path(get, path = "/api/v1/info", tag = "cluster", operation_id = "get_info",
    responses((status = 200, description = "The primary", body = Info)))]
pub(crate) async fn get(State(app): State<Shared>) -> Result<Json<Info>, Problem> {
    let totals = app.ask(|primary, _| primary.totals()).await?;
    let kept = |store: &dyn Store| {
        let lens = store.modules()?.into_iter().map(|module| module.len);
        let lens: Vec<u64> = lens.collect();
        Ok((
            lens.len() as u64,
            lens.iter().sum(),
            store.definitions()?.len() as u64,
        ))
    };
    let (modules, modules_bytes, definitions) = app.read(kept).await?;
    let handle = &app.handle;
    Ok(Json(Info {
        version: env!("CARGO_PKG_VERSION").into(),
        cluster: handle.cluster(),
        term: handle.term(),
        started: handle.started(),
        now: auth::now(),
        worker_address: handle.worker_address(),
        workers: totals.workers,
        slots: totals.slots,
        live_jobs: totals.live_jobs,
        waiting_tasks: totals.waiting_tasks,
        running_tasks: totals.running_tasks,
        load_percent: (100 * totals.busy).checked_div(totals.slots).unwrap_or(0),
        modules,
        modules_bytes,
        definitions,
    }))
}

/// Whether the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "health", operation_id = "is_alive",
    responses((status = 200, description = "It is", content_type = "text/plain", body = String)))]
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether the primary serves: its core answers and its store can be read.
#[utoipa::path(get, path = "/readyz", tag = "health", operation_id = "is_ready",
    responses((status = 200, description = "It does", content_type = "text/plain", body = String),
        (status = 503, description = "It does not", content_type = "text/plain", body = String)))]
pub(crate) async fn ready(State(app): State<Shared>) -> (StatusCode, &'static str) {
    let closing = app.closing.is_cancelled();
    if closing || app.ask(|_, _| ()).await.is_err() {
        (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n")
    } else if app.read(|store| store.term()).await.is_err() {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store cannot be read\n",
        )
    } else {
        (StatusCode::OK, "ready\n")
    }
}
