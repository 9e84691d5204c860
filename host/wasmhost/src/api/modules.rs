//! Modules: push, list, show, remove.
//!
//! A module is checked before it is stored and refused with every reason.
//! `name:version` names one module: pushing other content under it moves it.

use super::blobs;
use super::catalogue::Catalogue;
use super::extract::{Path, Query};
use super::problem::Problem;
use super::resolve;
use super::state::{App, Shared, blocking, to_the_end, turn};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use utoipa::IntoParams;
use wasmhost_core::record::{ComposedOf, DefinitionHead, ModuleRecord, Write};
use wasmhost_jobc::ModuleFacts;
use wasmhost_jobc::module::{Admitted, Hint, admit};
use wasmhost_proto::api::{CompositionView, LibraryPart, ModuleView, Page};
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::{MAX_MODULE, MAX_MODULES, MAX_NAME};
use wasmhost_proto::{Digest, JobId};

/// Jobs looked at in one question to the core, so that it is not held up.
const JOBS_PER_LOOK: usize = 500;

/// Every module, latest pushed first.
#[utoipa::path(get, path = "/api/v1/modules", tag = "modules", operation_id = "list_modules",
    responses((status = 200, description = "All of them", body = Page<ModuleView>)))]
pub(crate) async fn list(State(app): State<Shared>) -> Json<Page<ModuleView>> {
    let catalogue = app.catalogue.read().await.clone();
    let items = catalogue.newest_first().into_iter().map(view).collect();
    Json(Page {
        items,
        next_cursor: None,
    })
}

/// One module.
#[utoipa::path(get, path = "/api/v1/modules/{module}", tag = "modules", operation_id = "get_module",
    params(("module" = String, Path, description = "Digest, unique prefix of 8 digits or more, name, or name:version")),
    responses((status = 200, description = "The module", body = ModuleView)))]
pub(crate) async fn get(
    State(app): State<Shared>,
    Path(module): Path<String>,
) -> Result<Json<ModuleView>, Problem> {
    let catalogue = app.catalogue.read().await.clone();
    resolve::module(&catalogue, &module).map(view).map(Json)
}

/// Under which name a module is pushed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PushQuery {
    /// A name; the module's own when missing.
    name: Option<String>,
    /// A version; the module's own when missing.
    version: Option<String>,
}

impl PushQuery {
    /// A name, and the module's own version.
    pub(super) fn named(name: &str) -> PushQuery {
        PushQuery {
            name: Some(name.to_owned()),
            version: None,
        }
    }
}

/// Pushes a module. The same content again only adds the name.
#[utoipa::path(post, path = "/api/v1/modules", tag = "modules", operation_id = "push_module", params(PushQuery),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 201, description = "The module as stored", body = ModuleView)))]
pub(crate) async fn push(
    State(app): State<Shared>,
    Query(query): Query<PushQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<ModuleView>), Problem> {
    for (what, text) in [
        ("name of the module", &query.name),
        ("version of the module", &query.version),
    ] {
        if let Some(text) = text {
            check_name(what, text)?;
        }
    }
    let uploaded = blobs::receive(&app, &headers, body, "the module", MAX_MODULE).await?;
    let record = to_the_end(async move { keep(&app, uploaded, query).await }).await?;
    Ok((StatusCode::CREATED, Json(view(&record))))
}

/// Checks and records what was uploaded.
pub(super) async fn keep(
    app: &App,
    uploaded: BlobRef,
    query: PushQuery,
) -> Result<ModuleRecord, Problem> {
    let (admitted, blob) = check(app, &uploaded, &query).await?;
    let origin = Origin {
        uploaded: (uploaded.digest != blob.digest).then_some(uploaded.digest),
        name: full_name(&admitted, &query),
        composed: None,
    };
    store(app, admitted, blob, origin).await
}

/// Records what was composed here. It has no name.
pub(super) async fn keep_composed(
    app: &App,
    admitted: Admitted,
    of: ComposedOf,
) -> Result<ModuleRecord, Problem> {
    let (admitted, blob) = write(app, admitted).await?;
    let origin = Origin {
        uploaded: None,
        name: None,
        composed: Some(of),
    };
    store(app, admitted, blob, origin).await
}

/// What a plan needs to know of a module that is not stored.
pub(super) fn facts_of(admitted: &Admitted) -> ModuleFacts {
    ModuleFacts {
        digest: Digest(Sha256::digest(&admitted.bytes).into()),
        len: admitted.bytes.len() as u64,
        kind: admitted.kind,
    }
}

/// Where a module comes from.
struct Origin {
    /// What was uploaded, if other bytes are stored.
    uploaded: Option<Digest>,
    /// `name:version`.
    name: Option<String>,
    /// What it was composed of.
    composed: Option<ComposedOf>,
}

/// Removes a module that no live job uses and no stored definition names.
#[utoipa::path(delete, path = "/api/v1/modules/{module}", tag = "modules", operation_id = "remove_module",
    params(("module" = String, Path, description = "Digest, unique prefix of 8 digits or more, name, or name:version")),
    responses((status = 204, description = "It is gone")))]
pub(crate) async fn remove(
    State(app): State<Shared>,
    Path(module): Path<String>,
) -> Result<StatusCode, Problem> {
    to_the_end(async move { take_away(&app, &module).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn take_away(app: &App, module: &str) -> Result<(), Problem> {
    // No submission goes on while this is held.
    let mut catalogue = app.catalogue.write().await;
    let digest = resolve::module(&catalogue, module)?.digest;
    if let Some(job) = user_of(app, digest).await? {
        return Err(
            Problem::conflict("module_in_use", format!("job {job} uses the module"))
                .help("Wait for the job, or cancel it."),
        );
    }
    let stored = app.read(move |store| store.definition_with(digest)).await?;
    if let Some(DefinitionHead { name, version, .. }) = stored {
        let title = format!("version {version} of the stored definition '{name}' names the module");
        return Err(Problem::conflict("module_in_use", title).help(
            "Its versions stay as they are; remove the definition to give its modules free.",
        ));
    }
    let mut writes = vec![Write::RemoveModule(digest)];
    // What was composed of it goes with it, but for what is in use: that needs nothing of it.
    for composed in catalogue.composed_of(digest) {
        let named = app.read(move |store| store.definition_with(composed));
        if named.await?.is_none() && user_of(app, composed).await?.is_none() {
            writes.push(Write::RemoveModule(composed));
        }
    }
    save(app, &mut catalogue, writes).await
}

/// Letters, digits and `._-`: what fits into `name:version`, a path, and a shell.
pub(super) fn check_name(what: &str, text: &str) -> Result<(), Problem> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    if !text.is_empty() && text.len() <= MAX_NAME && text.chars().all(fits) {
        return Ok(());
    }
    Err(Problem::bad("bad_name", format!("the {what} does not fit"))
        .help(format!("Use 1 to {MAX_NAME} letters, digits and . _ - +.")))
}

/// Admits an uploaded module, and stores what is to be run if that differs.
async fn check(
    app: &App,
    uploaded: &BlobRef,
    query: &PushQuery,
) -> Result<(Admitted, BlobRef), Problem> {
    let _turn = turn(&app.admissions).await?;
    let blobs = app.handle.blobs().clone();
    let path = blobs.path(uploaded.digest);
    let hint = Hint {
        name: query.name.clone(),
        version: query.version.clone(),
        ..Hint::default()
    };
    let read = |e: std::io::Error| Problem::fault("the upload could not be read again", &e);
    let bytes = blocking(move || std::fs::read(path)).await.map_err(read)?;
    let admitted = blocking(move || admit(&bytes, &hint))
        .await
        .map_err(|rejection| {
            Problem::invalid("module_rejected", "the module is refused")
                .errors(rejection.diagnostics)
        })?;
    write(app, admitted).await
}

/// Stores the bytes of a module.
async fn write(app: &App, admitted: Admitted) -> Result<(Admitted, BlobRef), Problem> {
    let blobs = app.handle.blobs().clone();
    blocking(move || {
        let mut writer = blobs.begin(MAX_MODULE)?;
        writer.write(&admitted.bytes)?;
        Ok((writer.finish()?, admitted))
    })
    .await
    .map(|(blob, admitted)| (admitted, blob))
    .map_err(|e: wasmhost_store::BlobError| Problem::fault("the module could not be written", &e))
}

/// Records an admitted module, under its name if it has one.
async fn store(
    app: &App,
    admitted: Admitted,
    blob: BlobRef,
    origin: Origin,
) -> Result<ModuleRecord, Problem> {
    let mut catalogue = app.catalogue.write().await;
    let known = catalogue.get(blob.digest);
    if known.is_none() && catalogue.len() >= MAX_MODULES {
        return Err(Problem::conflict(
            "too_many_modules",
            format!("there are {MAX_MODULES} modules, and no more fit"),
        )
        .help("Remove some with `wasmhost module remove`."));
    }
    let mut record = known.cloned().unwrap_or_else(|| ModuleRecord {
        digest: blob.digest,
        len: blob.len,
        kind: admitted.kind,
        names: Vec::new(),
        pushed: super::auth::now(),
        manifest: admitted.manifest,
        imports: admitted.imports,
        exports: admitted.exports,
        uploaded: None,
        composed: None,
    });
    record.uploaded = record.uploaded.or(origin.uploaded);
    record.composed = record.composed.or(origin.composed);
    let mut writes = Vec::new();
    if let Some(name) = origin.name {
        if let Some(before) = catalogue.named(&name).filter(|m| m.digest != record.digest) {
            let mut before = before.clone();
            before.names.retain(|n| *n != name);
            writes.push(Write::Module(Box::new(before)));
        }
        record.names.retain(|n| *n != name);
        record.names.push(name);
    }
    writes.push(Write::Module(Box::new(record.clone())));
    save(app, &mut catalogue, writes).await?;
    Ok(record)
}

/// `name:version`, as far as either is known.
fn full_name(admitted: &Admitted, query: &PushQuery) -> Option<String> {
    let own = |text: &str| Some(text.to_owned()).filter(|t| check_name("", t).is_ok());
    let name = query
        .name
        .clone()
        .or_else(|| own(&admitted.manifest.name))?;
    let version = query
        .version
        .clone()
        .or_else(|| own(&admitted.manifest.version));
    Some(format!("{name}:{}", version.as_deref().unwrap_or("0")))
}

/// Makes changes of modules and libraries durable, then visible.
pub(super) async fn save(
    app: &App,
    catalogue: &mut Arc<Catalogue>,
    writes: Vec<Write>,
) -> Result<(), Problem> {
    app.handle
        .write(writes)
        .await
        .map_err(|_| Problem::stopping())?;
    let read = app.read(|store| Ok((store.modules()?, store.libraries()?)));
    let (modules, libraries) = read.await?;
    *catalogue = Arc::new(Catalogue::new(modules, libraries));
    Ok(())
}

/// A live job that uses a module.
async fn user_of(app: &App, digest: Digest) -> Result<Option<JobId>, Problem> {
    let ids: Vec<JobId> = app.ask(|primary, _| primary.job_ids().collect()).await?;
    for some in ids.chunks(JOBS_PER_LOOK) {
        let some = some.to_vec();
        let found = app
            .ask(move |primary, now| {
                let uses = |id: &JobId| {
                    primary
                        .job_view(now, *id)
                        .is_some_and(|job| job.nodes.iter().any(|n| n.module == digest))
                };
                some.into_iter().find(uses)
            })
            .await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn view(record: &ModuleRecord) -> ModuleView {
    ModuleView {
        digest: record.digest,
        len: record.len,
        kind: record.kind,
        names: record.names.clone(),
        pushed: record.pushed,
        manifest: record.manifest.clone(),
        imports: record.imports.clone(),
        exports: record.exports.clone(),
        uploaded: record.uploaded,
        composed: record.composed.as_ref().map(composition),
    }
}

fn composition(of: &ComposedOf) -> CompositionView {
    let libraries = of.libraries.iter().map(|(name, digest)| LibraryPart {
        name: name.clone(),
        digest: *digest,
    });
    CompositionView {
        module: of.module,
        libraries: libraries.collect(),
    }
}
