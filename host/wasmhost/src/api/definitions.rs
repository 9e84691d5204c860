//! Stored definitions: apply, list, show, remove.
//!
//! What is applied is compiled first, as a submission is, and becomes a version that
//! never changes: its modules and files stay as long as it does.

use super::extract::{Json, Path, Query};
use super::fresh::Fresh;
use super::linking::{Keep, settle};
use super::pinned::Noting;
use super::problem::Problem;
use super::state::{App, Shared, blocking, to_the_end, turn};
use super::{auth, serving, stored, submission};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::IntoParams;
use wasmhost_core::record::{DefinitionBody, DefinitionHead, DefinitionRecord, Write};
use wasmhost_jobc::{Catalogue, Planned};
use wasmhost_proto::Digest;
use wasmhost_proto::api::{ApplyRequest, DefinitionView, Page, StoredName, SubmitRequest};
use wasmhost_proto::limits::{MAX_DEFINITION_VERSIONS, MAX_DEFINITIONS, MAX_NAME, MAX_NOTE};
use wasmhost_store::Blobs;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Stored definitions.
    pub(crate) definitions: usize,
    /// Versions of each.
    pub(crate) versions: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            definitions: MAX_DEFINITIONS,
            versions: MAX_DEFINITION_VERSIONS,
        }
    }
}

/// The latest version of every stored definition, by name, without their content.
#[utoipa::path(get, path = "/api/v1/definitions", tag = "definitions", operation_id = "list_definitions",
    responses((status = 200, description = "All of them", body = Page<DefinitionView>)))]
pub(crate) async fn list(
    State(app): State<Shared>,
) -> Result<axum::Json<Page<DefinitionView>>, Problem> {
    let heads = app.read(|store| store.definitions()).await?;
    Ok(page(heads))
}

/// Stores a definition under a name: as a new version, unless nothing differs from the
/// latest one. It is compiled first; its modules and files must be here.
#[utoipa::path(post, path = "/api/v1/definitions", tag = "definitions", operation_id = "apply_definition",
    request_body = ApplyRequest,
    responses((status = 201, description = "The new version", body = DefinitionView),
        (status = 200, description = "The latest version, from which nothing differs", body = DefinitionView)))]
pub(crate) async fn apply(
    State(app): State<Shared>,
    Json(request): Json<ApplyRequest>,
) -> Result<(StatusCode, axum::Json<DefinitionView>), Problem> {
    let turn = turn(&app.submissions).await?;
    check(&request)?;
    let (head, created) = to_the_end(async move {
        let _turn = turn;
        let (head, created) = put(&app, request).await?;
        if created && app.serving.is_of(&head.name) {
            serving::load(&app).await?;
        }
        Ok::<_, Problem>((head, created))
    })
    .await?;
    let status = match created {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    Ok((status, axum::Json(head_view(head))))
}

/// Which version.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct VersionQuery {
    /// Its number; the latest when none is given.
    version: Option<u32>,
}

/// One version of a stored definition, with its content.
#[utoipa::path(get, path = "/api/v1/definitions/{name}", tag = "definitions", operation_id = "get_definition",
    params(("name" = String, Path, description = "The definition's name"), VersionQuery),
    responses((status = 200, description = "The version", body = DefinitionView)))]
pub(crate) async fn get(
    State(app): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<VersionQuery>,
) -> Result<axum::Json<DefinitionView>, Problem> {
    let version = query.version;
    let DefinitionRecord { head, body } = stored::find(&app, &StoredName { name, version }).await?;
    Ok(axum::Json(DefinitionView {
        definition: Some(body.text),
        files: body.files,
        lists: body.lists,
        ..head_view(head)
    }))
}

/// The versions of a stored definition, newest first, without their content.
#[utoipa::path(get, path = "/api/v1/definitions/{name}/versions", tag = "definitions", operation_id = "list_versions",
    params(("name" = String, Path, description = "The definition's name")),
    responses((status = 200, description = "All of them", body = Page<DefinitionView>)))]
pub(crate) async fn versions(
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<axum::Json<Page<DefinitionView>>, Problem> {
    let mut heads = heads(&app, name).await?;
    heads.reverse();
    Ok(page(heads))
}

/// The parameters of a version as JSON Schema: what a submission may give as `params`.
#[utoipa::path(get, path = "/api/v1/definitions/{name}/schema", tag = "definitions", operation_id = "get_definition_schema",
    params(("name" = String, Path, description = "The definition's name"), VersionQuery),
    responses((status = 200, description = "JSON Schema, draft 2020-12", content_type = "application/schema+json", body = Object)))]
pub(crate) async fn schema(
    State(app): State<Shared>,
    Path(name): Path<String>,
    Query(query): Query<VersionQuery>,
) -> Result<Response, Problem> {
    let version = query.version;
    let found = stored::find(&app, &StoredName { name, version }).await?;
    let schema = blocking(move || {
        let parsed = wasmhost_jobc::parse(&found.body.text)?;
        Ok(wasmhost_jobc::params::schema(&parsed))
    });
    let schema = schema.await.map_err(submission::rejected)?;
    let kind = HeaderValue::from_static("application/schema+json");
    Ok(([(header::CONTENT_TYPE, kind)], schema.to_string()).into_response())
}

/// Removes a stored definition with all its versions. Jobs of it go on.
#[utoipa::path(delete, path = "/api/v1/definitions/{name}", tag = "definitions", operation_id = "remove_definition",
    params(("name" = String, Path, description = "The definition's name")),
    responses((status = 204, description = "It is gone")))]
pub(crate) async fn remove(
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    to_the_end(async move {
        let _order = app.definitions.lock().await;
        heads(&app, name.clone()).await?;
        let before = None;
        write(&app, vec![Write::RemoveDefinition { name, before }]).await
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The versions of a definition that has some, oldest first.
async fn heads(app: &App, name: String) -> Result<Vec<DefinitionHead>, Problem> {
    let asked = name.clone();
    let heads = app.read(move |store| store.definition_versions(&asked));
    let heads = heads.await?;
    match heads.is_empty() {
        true => {
            let version = None;
            Err(stored::none(&StoredName { name, version }, &heads))
        }
        false => Ok(heads),
    }
}

/// What can be seen before anything is compiled.
fn check(request: &ApplyRequest) -> Result<(), Problem> {
    if request.note.len() > MAX_NOTE {
        let title = format!("the note has {} bytes", request.note.len());
        return Err(Problem::invalid("bad_note", title).help(format!("Use up to {MAX_NOTE}.")));
    }
    let job = &request.job;
    if job.stored.is_some() || job.idempotency_key.is_some() {
        let title = "a definition to store has a text of its own, and no idempotency key";
        return Err(Problem::invalid("bad_submission", title)
            .help("Leave `stored` and `idempotency_key` out: applying again changes nothing."));
    }
    match &request.name {
        Some(name) => check_name(name),
        None => Ok(()),
    }
}

/// What fits into a path, a shell, and `name@version`, and is not taken for a file.
fn check_name(name: &str) -> Result<(), Problem> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts && name.len() <= MAX_NAME && name.chars().all(fits) && !name.ends_with(".toml") {
        return Ok(());
    }
    let title = "the name of the definition does not fit";
    Err(Problem::invalid("bad_name", title).help(format!(
        "Use 1 to {MAX_NAME} letters, digits and . _ -, a letter or digit first, not .toml at the end."
    )))
}

/// Compiles and stores. Gives the version, and whether it is new.
async fn put(app: &App, request: ApplyRequest) -> Result<(DefinitionHead, bool), Problem> {
    let ApplyRequest { name, note, job } = request;
    let job = Arc::new(job);
    let compiled = job.clone();
    let blobs = app.handle.blobs().clone();
    let compile = move |modules: &dyn Catalogue| compile(&compiled, modules, &blobs);
    // Held until the version is durable: its modules stay.
    let (catalogue, (planned, pins)) = settle(app, Keep::Stored, false, compile).await?;
    let job = Arc::unwrap_or_clone(job);
    let composed = planned.composed.clone();
    let plan = submission::keep(app, planned).await?;
    let name = name.unwrap_or_else(|| plan.name.clone());
    check_name(&name)?;
    let mut files = submission::blobs_of(&plan);
    files.extend(job.files.values().cloned());
    submission::require_blobs(app, files).await?;
    let named = job.modules.into_iter().chain(pins);
    let stored = named.filter_map(|(key, digest)| Some((key, catalogue.get(digest)?.digest)));
    // What is pinned has its libraries in it.
    let whole = stored.map(|(key, digest)| (key, *composed.get(&digest).unwrap_or(&digest)));
    let modules: BTreeMap<String, Digest> = whole.collect();
    let body = DefinitionBody {
        text: job.definition,
        files: job.files,
        lists: job.lists,
    };
    let digest = digest(&modules, &body)?;

    // One after the other, so that each gets a number of its own.
    let _order = app.definitions.lock().await;
    let asked = name.clone();
    let known = app.read(move |store| {
        let versions = store.definition_versions(&asked)?;
        let others = match versions.is_empty() {
            true => store.definitions()?.len(),
            false => 0,
        };
        Ok((versions, store.last_version(&asked)?, others))
    });
    let (versions, last, others) = known.await?;
    if let Some(latest) = versions.last().filter(|latest| latest.digest == digest) {
        return Ok((latest.clone(), false));
    }
    let bounds = app.bounds;
    if others >= bounds.definitions {
        let title = format!("there are {others} stored definitions, and no more fit");
        return Err(Problem::conflict("too_many_definitions", title)
            .help("Remove some with `wasmhost definition remove`."));
    }
    let head = DefinitionHead {
        name,
        version: last + 1,
        created: auth::now(),
        note,
        digest,
        modules,
    };
    let mut writes = Vec::new();
    if versions.len() >= bounds.versions {
        let first = &versions[versions.len() + 1 - bounds.versions];
        writes.push(Write::RemoveDefinition {
            name: head.name.clone(),
            before: Some(first.version),
        });
    }
    writes.push(Write::Definition(Box::new(DefinitionRecord {
        head: head.clone(),
        body,
    })));
    write(app, writes).await?;
    Ok((head, true))
}

/// The plan but for the parameters, and what module names mean.
fn compile(
    job: &SubmitRequest,
    modules: &dyn Catalogue,
    blobs: &Blobs,
) -> Result<(Planned, BTreeMap<String, Digest>), Problem> {
    let noting = Noting::new(modules);
    let fresh = Fresh {
        modules: &noting,
        blobs,
    };
    let planned = wasmhost_jobc::draft(job, &fresh).map_err(submission::rejected)?;
    Ok((planned, noting.found()))
}

/// Equal for versions that do not differ.
fn digest(modules: &BTreeMap<String, Digest>, body: &DefinitionBody) -> Result<Digest, Problem> {
    let mut hash = Sha256::new();
    let all = (&body.text, modules, &body.files, &body.lists);
    serde_json::to_writer(&mut hash, &all)
        .map_err(|e| Problem::fault("the definition could not be written", &e))?;
    Ok(Digest(hash.finalize().into()))
}

async fn write(app: &App, writes: Vec<Write>) -> Result<(), Problem> {
    let done = app.handle.write(writes).await;
    done.map_err(|_| Problem::stopping())
}

fn page(heads: Vec<DefinitionHead>) -> axum::Json<Page<DefinitionView>> {
    axum::Json(Page {
        items: heads.into_iter().map(head_view).collect(),
        next_cursor: None,
    })
}

fn head_view(head: DefinitionHead) -> DefinitionView {
    DefinitionView {
        name: head.name,
        version: head.version,
        created: head.created,
        note: head.note,
        digest: head.digest,
        modules: head.modules,
        definition: None,
        files: BTreeMap::new(),
        lists: BTreeMap::new(),
    }
}
