//! Public data: spaces, their entries, and waiting for a change. Private data has no
//! routes: it is for the tasks of its job alone.

use super::extract::{Json, Path, Query};
use super::jobs;
use super::problem::Problem;
use super::state::{Shared, place};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;
use wasmhost_core::primary::Reply;
use wasmhost_proto::api::{EntryView, Page, SpaceView, WrittenView};
use wasmhost_proto::data::{DataOp, DataRefusal, DataReply, DataValue, Entry, Expect, Writer};
use wasmhost_proto::limits::{MAX_DATA_PAGE, MAX_HTTP_DATA_WAIT_MS};

/// The public spaces that hold something, by name.
#[utoipa::path(get, path = "/api/v1/data", tag = "data", operation_id = "list_spaces",
    responses((status = 200, description = "All of them", body = Page<SpaceView>)))]
pub(crate) async fn spaces(
    State(app): State<Shared>,
) -> Result<axum::Json<Page<SpaceView>>, Problem> {
    let all = app.ask(|primary, _| primary.public_spaces()).await?;
    let items = all.into_iter().map(|space| SpaceView {
        name: space.name,
        entries: space.entries as u64,
        bytes: space.bytes as u64,
    });
    Ok(axum::Json(Page {
        items: items.collect(),
        next_cursor: None,
    }))
}

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Their keys begin so.
    #[serde(default)]
    prefix: String,
    /// At most so many, up to 1,000.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The entries of a public space, by key.
#[utoipa::path(get, path = "/api/v1/data/{space}", tag = "data", operation_id = "list_entries",
    params(("space" = String, Path, description = "The space's name"), ListQuery),
    responses((status = 200, description = "A page of them", body = Page<EntryView>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
    Path(space): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<axum::Json<Page<EntryView>>, Problem> {
    let list = DataOp::List {
        prefix: query.prefix,
        after: query.cursor,
        limit: query.limit.unwrap_or(MAX_DATA_PAGE as u32),
    };
    let (entries, more) = match call(&app, space, list).await? {
        DataReply::Page(entries, more) => (entries, more),
        other => return Err(strange(&other)),
    };
    let last = entries.last().map(|entry| entry.key.clone());
    Ok(axum::Json(Page {
        items: entries.into_iter().map(view).collect(),
        next_cursor: last.filter(|_| more),
    }))
}

/// Which entry, and whether to wait for a change of it.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetQuery {
    /// Its key.
    key: String,
    /// The revision that is known; 0 for none. Answered when it is another one, or after
    /// `wait_ms`.
    known: Option<u64>,
    /// For how long to wait, milliseconds, up to 20,000; the longest when only `known` is
    /// given.
    wait_ms: Option<u64>,
}

/// An entry of a public space; with `known`, as soon as it is another one than that.
#[utoipa::path(get, path = "/api/v1/data/{space}/entry", tag = "data", operation_id = "get_entry",
    params(("space" = String, Path, description = "The space's name"), GetQuery),
    responses((status = 200, description = "The entry", body = EntryView),
        (status = 404, description = "There is none")))]
pub(crate) async fn get(
    State(app): State<Shared>,
    Path(space): Path<String>,
    Query(query): Query<GetQuery>,
) -> Result<axum::Json<EntryView>, Problem> {
    let GetQuery {
        key,
        known,
        wait_ms,
    } = query;
    let missing = format!("there is no '{key}' in the public space '{space}'");
    let (op, _place) = match known {
        None => (DataOp::Get { key }, None),
        Some(known) => {
            let most = MAX_HTTP_DATA_WAIT_MS;
            let timeout_ms = wait_ms.unwrap_or(most).min(most);
            let wait = DataOp::Wait {
                key,
                known,
                timeout_ms,
            };
            (
                wait,
                Some(place(&app.watchers, "requests that wait for data")?),
            )
        }
    };
    match call(&app, space, op).await? {
        DataReply::Entry(Some(entry)) => Ok(axum::Json(view(entry))),
        DataReply::Entry(None) => Err(Problem::not_found(missing)),
        other => Err(strange(&other)),
    }
}

/// Which entry, and what has to be there.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChangeQuery {
    /// Its key.
    key: String,
    /// Only if it has this revision; 0: only if there is none.
    if_revision: Option<u64>,
}

impl ChangeQuery {
    fn expect(&self) -> Expect {
        match self.if_revision {
            None => Expect::Any,
            Some(0) => Expect::Absent,
            Some(revision) => Expect::Revision(revision),
        }
    }
}

/// Writes an entry of a public space.
#[utoipa::path(put, path = "/api/v1/data/{space}/entry", tag = "data", operation_id = "put_entry",
    params(("space" = String, Path, description = "The space's name"), ChangeQuery),
    request_body = DataValue,
    responses((status = 200, description = "It is written, durably", body = WrittenView),
        (status = 409, description = "It has another revision than `if_revision`")))]
pub(crate) async fn put(
    State(app): State<Shared>,
    Path(space): Path<String>,
    Query(query): Query<ChangeQuery>,
    Json(value): Json<DataValue>,
) -> Result<axum::Json<WrittenView>, Problem> {
    let expect = query.expect();
    let key = query.key;
    written(call(&app, space, DataOp::Set { key, value, expect }).await?)
}

/// Removes an entry of a public space. One that is not there is no mistake.
#[utoipa::path(delete, path = "/api/v1/data/{space}/entry", tag = "data", operation_id = "delete_entry",
    params(("space" = String, Path, description = "The space's name"), ChangeQuery),
    responses((status = 204, description = "It is gone, durably"),
        (status = 409, description = "It has another revision than `if_revision`")))]
pub(crate) async fn delete(
    State(app): State<Shared>,
    Path(space): Path<String>,
    Query(query): Query<ChangeQuery>,
) -> Result<StatusCode, Problem> {
    let expect = query.expect();
    let key = query.key;
    written(call(&app, space, DataOp::Delete { key, expect }).await?).map(drop)?;
    Ok(StatusCode::NO_CONTENT)
}

/// What to add to.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AddQuery {
    /// The entry's key; one that is not there is 0.
    key: String,
    /// How much; may be negative.
    by: i64,
}

/// Adds to a whole number in a public space.
#[utoipa::path(post, path = "/api/v1/data/{space}/add", tag = "data", operation_id = "add_to_entry",
    params(("space" = String, Path, description = "The space's name"), AddQuery),
    responses((status = 200, description = "The sum, durably", body = WrittenView)))]
pub(crate) async fn add(
    State(app): State<Shared>,
    Path(space): Path<String>,
    Query(query): Query<AddQuery>,
) -> Result<axum::Json<WrittenView>, Problem> {
    let AddQuery { key, by } = query;
    written(call(&app, space, DataOp::Add { key, by }).await?)
}

async fn call(app: &Shared, space: String, op: DataOp) -> Result<DataReply, Problem> {
    let reply = app.handle.data(space, op).await.map_err(jobs::refused)?;
    match reply {
        Reply::Data(reply) => match *reply {
            DataReply::Refused(kind, why) => Err(refused(kind, why)),
            DataReply::Conflict(revision) => Err(conflict(revision)),
            reply => Ok(reply),
        },
        other => Err(Problem::fault("data", &format!("the answer was {other:?}"))),
    }
}

fn refused(kind: DataRefusal, why: String) -> Problem {
    match kind {
        DataRefusal::Invalid | DataRefusal::Unreachable => Problem::invalid("bad_data", why),
        DataRefusal::NotANumber => Problem::conflict("not_a_number", why),
        DataRefusal::Full => Problem::new(StatusCode::INSUFFICIENT_STORAGE, "data_full", why)
            .help("Delete what is not needed any more."),
        // Clients have every public space.
        DataRefusal::NotGranted => Problem::new(StatusCode::FORBIDDEN, "not_granted", why),
    }
}

fn conflict(revision: u64) -> Problem {
    let title = match revision {
        0 => "there is no such entry".to_owned(),
        _ => format!("the entry has revision {revision}"),
    };
    Problem::conflict("other_revision", title).help("Read it again, and decide again.")
}

fn written(reply: DataReply) -> Result<axum::Json<WrittenView>, Problem> {
    match reply {
        DataReply::Written(revision) => Ok(axum::Json(WrittenView {
            revision,
            sum: None,
        })),
        DataReply::Sum(sum, revision) => Ok(axum::Json(WrittenView {
            revision,
            sum: Some(sum),
        })),
        other => Err(strange(&other)),
    }
}

fn strange(reply: &DataReply) -> Problem {
    Problem::fault("data", &format!("the answer was {reply:?}"))
}

fn view(entry: Entry) -> EntryView {
    EntryView {
        key: entry.key,
        value: entry.value,
        revision: entry.revision,
        at: entry.at,
        task: match entry.writer {
            Writer::Task(task) => Some(task.to_string()),
            Writer::Client => None,
        },
    }
}
