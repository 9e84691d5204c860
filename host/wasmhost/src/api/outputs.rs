//! Outputs of tasks: lists of them, and their bytes, also while they grow.
//!
//! Guests name them and say what they hold: they leave as downloads that no browser runs.

use super::extract::{Path, Query};
use super::problem::Problem;
use super::state::{App, Shared, blocking};
use super::{jobs, resolve, results, tasks};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::stream;
use serde::Deserialize;
use std::io::{self, Read as _};
use utoipa::IntoParams;
use wasmhost_core::record::OutputRecord;
use wasmhost_proto::api::{JobView, OutputView, Page};
use wasmhost_proto::limits::{DEFAULT_PAGE, MAX_OUTPUT_PART, MAX_OUTPUTS, MAX_PAGE};
use wasmhost_proto::wire::ResultData;
use wasmhost_proto::{Lease, NodeIndex, TaskId};
use wasmhost_store::{Store, StoreError};

/// Which outputs of a job.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OutputsQuery {
    /// How many at most; 50 unless given, 500 at most.
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A task's node, index, and the number of one of its outputs.
type Place = (NodeIndex, u32, u32);

fn parse(cursor: &str) -> Option<Place> {
    let mut parts = cursor.split('.');
    let place = (
        parts.next()?.parse().ok()?,
        parts.next()?.parse().ok()?,
        parts.next()?.parse().ok()?,
    );
    parts.next().is_none().then_some(place)
}

/// The outputs of a job's tasks, in order of node, index and creation.
#[utoipa::path(get, path = "/api/v1/jobs/{job}/outputs", tag = "jobs", operation_id = "list_outputs",
    params(("job" = String, Path, description = "Id, unique prefix, or `latest`"), OutputsQuery),
    responses((status = 200, description = "One page", body = Page<OutputView>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    Path(job): Path<String>,
    Query(query): Query<OutputsQuery>,
) -> Result<Json<Page<OutputView>>, Problem> {
    let job = jobs::load(&app, resolve::job(&app, &job).await?).await?;
    let limit = query.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
    let from = match &query.cursor {
        Some(text) => parse(text).ok_or_else(|| jobs::bad_cursor(text))?,
        None => (0, 0, 0),
    };
    let id = job.id;
    let (found, next) = app
        .read(move |store| {
            let mut rows = store.outputs(id, from, limit + 1)?;
            let next = match rows.len() > limit {
                true => rows.pop().map(|(task, n, _)| (task.node, task.index, n)),
                false => None,
            };
            let mut found = Vec::with_capacity(rows.len());
            for (task, _, record) in rows {
                let end = store.outcome(task)?.map(|outcome| outcome.lease);
                found.extend(current(record, end).map(|of| (task, of)));
            }
            Ok((found, next))
        })
        .await?;
    let items = found.into_iter();
    let items = items.map(|(task, (record, ended))| view(&job, task, record, ended));
    Ok(Json(Page {
        items: items.collect(),
        next_cursor: next.map(|(node, index, n)| format!("{node}.{index}.{n}")),
    }))
}

/// An output of a task that has ended, or not, as clients see it.
pub(super) fn view(job: &JobView, task: TaskId, record: OutputRecord, ended: bool) -> OutputView {
    let node = job.nodes.get(usize::from(task.node));
    OutputView {
        node: node.map_or_else(|| task.node.to_string(), |node| node.name.clone()),
        index: task.index,
        name: record.name,
        content_type: record.content_type,
        bytes: record.bytes,
        complete: record.closed || ended,
    }
}

/// An output of a task.
pub(super) struct Own {
    number: u32,
    pub(super) record: OutputRecord,
    /// Whether the task has ended.
    pub(super) ended: bool,
}

/// The outputs of a task, in order of creation.
pub(super) fn of_task(store: &dyn Store, task: TaskId) -> Result<Vec<Own>, StoreError> {
    let end = store.outcome(task)?.map(|outcome| outcome.lease);
    let rows = store.outputs(task.job, (task.node, task.index, 0), MAX_OUTPUTS)?;
    let own = rows.into_iter().filter(|(of, ..)| *of == task);
    let own = own.filter_map(|(_, number, record)| {
        let (record, ended) = current(record, end)?;
        Some(Own {
            number,
            record,
            ended,
        })
    });
    Ok(own.collect())
}

/// An output, unless it is that of an attempt before the one that ended the task; and
/// whether the task has ended.
fn current(record: OutputRecord, end: Option<Lease>) -> Option<(OutputRecord, bool)> {
    match end {
        Some(lease) if lease != record.lease => None,
        end => Some((record, end.is_some())),
    }
}

/// The bytes of an output; of one that grows, those that are there.
#[utoipa::path(get, path = "/api/v1/jobs/{job}/tasks/{node}/{index}/outputs/{name}", tag = "tasks",
    operation_id = "get_output",
    params(("job" = String, Path, description = "Id, unique prefix, or `latest`"),
        ("node" = String, Path, description = "Name or number"), ("index" = u32, Path, description = "Index"),
        ("name" = String, Path, description = "The output's name")),
    responses((status = 200, description = "The bytes, under the content type that the task gave it",
        content_type = "application/octet-stream", body = Vec<u8>)))]
pub(crate) async fn get(
    State(app): State<Shared>,
    Path((job, node, index, name)): Path<(String, String, String, String)>,
) -> Result<Response, Problem> {
    let (job, task) = tasks::find(&app, &job, &node, &index).await?;
    let found = app.read(move |store| of_task(store, task)).await?;
    let names: Vec<String> = found
        .iter()
        .map(|own| format!("'{}'", own.record.name))
        .collect();
    let Some(Own { number, record, .. }) = found.into_iter().find(|own| own.record.name == name)
    else {
        let shown: String = name.chars().take(80).filter(|c| !c.is_control()).collect();
        let title = format!("this task of job {} has no output '{shown}'", job.id);
        return Err(Problem::not_found(title).help(match names.len() {
            0 => "It has none.".to_owned(),
            _ => format!("It has {}.", names.join(", ")),
        }));
    };
    let parts = record.parts;
    let body = Body::from_stream(stream::try_unfold(
        (app.clone(), 0),
        move |(app, part)| async move {
            if part >= parts {
                return Ok(None);
            }
            let bytes = read(&app, task, number, part).await?;
            io::Result::Ok(Some((bytes, (app, part + 1))))
        },
    ));
    let mut response = results::download(body, record.bytes, &record.name);
    if let Ok(kind) = HeaderValue::from_str(&record.content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    Ok(response)
}

/// A part's bytes.
async fn read(app: &App, task: TaskId, number: u32, part: u32) -> io::Result<Bytes> {
    let (store, blobs) = (app.handle.store().clone(), app.handle.blobs().clone());
    let gone = || io::Error::new(io::ErrorKind::NotFound, "a part of the output is gone");
    blocking(move || {
        let parts = store.output_parts(task, number, part, 1);
        let blob = match parts.map_err(io::Error::other)?.pop() {
            Some(ResultData::Inline(bytes)) => return Ok(bytes.into()),
            Some(ResultData::Blob(blob)) => blob,
            None => return Err(gone()),
        };
        let opened = blobs.open_file(blob.digest).map_err(io::Error::other)?;
        let (file, _) = opened.ok_or_else(gone)?;
        let mut bytes = Vec::new();
        file.take(MAX_OUTPUT_PART as u64).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    })
    .await
}
