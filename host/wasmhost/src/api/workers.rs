//! Workers: list them, drain them.

use super::extract::{Json, Path};
use super::problem::Problem;
use super::state::Shared;
use super::{jobs, resolve};
use axum::extract::State;
use wasmhost_proto::api::{DrainRequest, Page, WorkerView};

/// Every worker that has joined, connected or not.
#[utoipa::path(get, path = "/api/v1/workers", tag = "workers", operation_id = "list_workers",
    responses((status = 200, description = "All of them", body = Page<WorkerView>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
) -> Result<axum::Json<Page<WorkerView>>, Problem> {
    let items = app.ask(|primary, now| primary.worker_views(now)).await?;
    Ok(axum::Json(Page {
        items,
        next_cursor: None,
    }))
}

/// Drains a worker: it ends what it has and takes nothing new; or takes it back.
#[utoipa::path(post, path = "/api/v1/workers/{worker}/drain", tag = "workers", operation_id = "drain_worker",
    params(("worker" = String, Path, description = "Name, id or unique prefix of an id")),
    request_body = DrainRequest,
    responses((status = 200, description = "The worker now", body = WorkerView)))]
pub(crate) async fn drain(
    State(app): State<Shared>,
    Path(worker): Path<String>,
    Json(request): Json<DrainRequest>,
) -> Result<axum::Json<WorkerView>, Problem> {
    let id = resolve::worker(&app, &worker).await?.id;
    app.handle
        .drain(id, request.on)
        .await
        .map_err(jobs::refused)?;
    let all = app.ask(|primary, now| primary.worker_views(now)).await?;
    let view = all.into_iter().find(|w| w.id == id);
    view.map(axum::Json)
        .ok_or_else(|| Problem::not_found(format!("worker {id} is gone")))
}
