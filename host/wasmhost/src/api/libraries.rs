//! Libraries: register, list, remove. A library is checked before it is stored. Modules
//! that were composed with one need it no more.

use super::extract::{Path, Query};
use super::problem::Problem;
use super::state::{App, Shared, blocking, to_the_end, turn};
use super::{auth, blobs, modules, resolve};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;
use wasmhost_core::record::{LibraryRecord, Write};
use wasmhost_jobc::module::{AdmittedLibrary, Hint, admit_library};
use wasmhost_proto::Digest;
use wasmhost_proto::api::{LibraryView, Page};
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::{MAX_COMPOSED, MAX_LIBRARIES};

/// Every library, by name.
#[utoipa::path(get, path = "/api/v1/libraries", tag = "libraries", operation_id = "list_libraries",
    responses((status = 200, description = "All of them", body = Page<LibraryView>)))]
pub(crate) async fn list(State(app): State<Shared>) -> Json<Page<LibraryView>> {
    let catalogue = app.catalogue.read().await.clone();
    let items = catalogue.libraries().iter().map(view).collect();
    Json(Page {
        items,
        next_cursor: None,
    })
}

/// Which library is registered, and under which name.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AddQuery {
    /// Its name.
    name: String,
    /// A module of the store, instead of a body: digest, unique prefix, name, or name:version.
    module: Option<String>,
}

/// Registers a library: a component that exports interfaces. Another of the same name is
/// replaced.
#[utoipa::path(post, path = "/api/v1/libraries", tag = "libraries", operation_id = "add_library", params(AddQuery),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 201, description = "The library as stored", body = LibraryView)))]
pub(crate) async fn add(
    State(app): State<Shared>,
    Query(query): Query<AddQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<LibraryView>), Problem> {
    modules::check_name("name of the library", &query.name)?;
    let digest = match &query.module {
        Some(module) => {
            let catalogue = app.catalogue.read().await.clone();
            resolve::module(&catalogue, module)?.digest
        }
        None => {
            let uploaded = blobs::receive(&app, &headers, body, "the library", MAX_COMPOSED);
            uploaded.await?.digest
        }
    };
    let record = to_the_end(async move { keep(&app, digest, query.name).await }).await?;
    Ok((StatusCode::CREATED, Json(view(&record))))
}

/// Removes a library. What was composed with it stays as it is.
#[utoipa::path(delete, path = "/api/v1/libraries/{name}", tag = "libraries", operation_id = "remove_library",
    params(("name" = String, Path, description = "The library's name")),
    responses((status = 204, description = "It is gone")))]
pub(crate) async fn remove(
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    to_the_end(async move {
        let mut catalogue = app.catalogue.write().await;
        if !catalogue.libraries().iter().any(|l| l.name == name) {
            let shown: String = name.chars().take(80).collect();
            let problem = Problem::not_found(format!("there is no library '{shown}'"));
            return Err(problem.help("`wasmhost library list` shows those that there are."));
        }
        modules::save(&app, &mut catalogue, vec![Write::RemoveLibrary(name)]).await
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Checks and records a library whose bytes are here.
async fn keep(app: &App, digest: Digest, name: String) -> Result<LibraryRecord, Problem> {
    let (admitted, blob) = check(app, digest, &name).await?;
    let mut catalogue = app.catalogue.write().await;
    let known = catalogue.libraries().iter().find(|l| l.name == name);
    if let Some(known) = known.filter(|known| known.digest == blob.digest) {
        return Ok(known.clone());
    }
    if known.is_none() && catalogue.libraries().len() >= MAX_LIBRARIES {
        let title = format!("there are {MAX_LIBRARIES} libraries, and no more fit");
        return Err(Problem::conflict("too_many_libraries", title)
            .help("Remove some with `wasmhost library remove`."));
    }
    let record = LibraryRecord {
        name,
        digest: blob.digest,
        len: blob.len,
        added: auth::now(),
        exports: admitted.exports,
        imports: admitted.imports,
    };
    let writes = vec![Write::Library(Box::new(record.clone()))];
    modules::save(app, &mut catalogue, writes).await?;
    Ok(record)
}

/// Admits a library, and stores what is to be composed if that differs.
async fn check(
    app: &App,
    digest: Digest,
    name: &str,
) -> Result<(AdmittedLibrary, BlobRef), Problem> {
    let _turn = turn(&app.admissions).await?;
    let blobs = app.handle.blobs().clone();
    let path = blobs.path(digest);
    let read = |e: std::io::Error| Problem::fault("the library could not be read again", &e);
    let bytes = blocking(move || std::fs::read(path)).await.map_err(read)?;
    if bytes.len() as u64 > MAX_COMPOSED {
        return Err(Problem::too_large("the library", MAX_COMPOSED));
    }
    let hint = Hint {
        source: Some(name.to_owned()),
        ..Hint::default()
    };
    let admitted = blocking(move || admit_library(&bytes, &hint)).await;
    let admitted = admitted.map_err(|rejection| {
        Problem::invalid("library_rejected", "the library is refused").errors(rejection.diagnostics)
    })?;
    blocking(move || {
        let mut writer = blobs.begin(MAX_COMPOSED)?;
        writer.write(&admitted.bytes)?;
        Ok((admitted, writer.finish()?))
    })
    .await
    .map_err(|e: wasmhost_store::BlobError| Problem::fault("the library could not be written", &e))
}

fn view(record: &LibraryRecord) -> LibraryView {
    LibraryView {
        name: record.name.clone(),
        digest: record.digest,
        len: record.len,
        added: record.added,
        exports: record.exports.clone(),
        imports: record.imports.clone(),
    }
}
