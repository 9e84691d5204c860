//! From a submission to a plan whose every module and blob is here.

use super::catalogue::Catalogue as Modules;
use super::fresh::Fresh;
use super::linking::{Keep, settle};
use super::pinned::Pinned;
use super::problem::Problem;
use super::state::{App, blocking};
use super::stored::Whole;
use axum::http::HeaderMap;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::sync::RwLockReadGuard;
use wasmhost_jobc::{Catalogue, Planned};
use wasmhost_proto::api::paths::IDEMPOTENCY_KEY;
use wasmhost_proto::api::{CheckView, Diagnostic, SubmitRequest};
use wasmhost_proto::input::{Array, BlobRef, Input, Item};
use wasmhost_proto::limits::MAX_IDEMPOTENCY_KEY;
use wasmhost_proto::plan::{JobPlan, NodeInput, NodePlan};
use wasmhost_store::{BlobError, Blobs};

/// Mistakes shown when blobs are missing: a client fixes all in the same way.
const SHOWN: usize = 20;

/// The idempotency key of a submission: header or body, or the same in both.
pub(crate) fn key(headers: &HeaderMap, body: Option<String>) -> Result<Option<String>, Problem> {
    let bad = |title: String| Problem::bad("bad_idempotency_key", title);
    let header = match headers.get(IDEMPOTENCY_KEY).map(|v| v.to_str()) {
        None => None,
        Some(Ok(text)) => Some(text.to_owned()),
        Some(Err(_)) => return Err(bad("the header 'idempotency-key' is not ASCII text".into())),
    };
    let key = match (header, body) {
        (Some(a), Some(b)) if a != b => {
            return Err(bad("header and body give two idempotency keys".into()));
        }
        (a, b) => a.or(b),
    };
    match &key {
        Some(k) if k.contains(char::is_control) => {
            Err(bad("an idempotency key has no control characters".into()))
        }
        Some(k) if k.is_empty() || k.len() > MAX_IDEMPOTENCY_KEY => Err(bad(format!(
            "an idempotency key has 1 to {MAX_IDEMPOTENCY_KEY} bytes"
        ))),
        _ => Ok(key),
    }
}

/// Bytes of a definition that is compiled faster than handed to another thread.
const SMALL: usize = 8 << 10;

/// Whether a submission is too small to care about its memory and time.
pub(crate) fn is_small(request: &SubmitRequest) -> bool {
    // A short text with parameters may mean much: patterns, and values many times.
    let fixed = request.params.is_empty() && !request.definition.contains("params");
    let short = request.definition.len() <= SMALL && fixed;
    short && request.files.is_empty() && request.lists.is_empty()
}

/// Compiles a submission, with the libraries that its modules need. Its modules stay as long
/// as the catalogue is held, which comes with it.
pub(crate) async fn plan(
    app: &App,
    whole: Whole,
) -> Result<(RwLockReadGuard<'_, Arc<Modules>>, Planned), Problem> {
    let small = is_small(&whole.request);
    let blobs = app.handle.blobs().clone();
    let compile = move |modules: &dyn Catalogue| compile(&whole, modules, &blobs).map_err(rejected);
    settle(app, Keep::Stored, small, compile).await
}

/// The plan of a submission; that of a stored definition says so.
pub(crate) fn compile(
    whole: &Whole,
    modules: &dyn Catalogue,
    blobs: &Blobs,
) -> Result<Planned, Vec<Diagnostic>> {
    let Some((definition, pins)) = &whole.stored else {
        return wasmhost_jobc::plan(&whole.request, &Fresh { modules, blobs });
    };
    let mut planned = wasmhost_jobc::plan(&whole.request, &Pinned { modules, pins })?;
    planned.plan.definition = Some(definition.clone());
    Ok(planned)
}

/// Stores what the definition itself holds, such as scripts, and gives the plan.
pub(crate) async fn keep(app: &App, planned: Planned) -> Result<JobPlan, Problem> {
    let Planned { plan, blobs, .. } = planned;
    if blobs.is_empty() {
        return Ok(plan);
    }
    let store = app.handle.blobs().clone();
    let kept = blocking(move || {
        for (_, bytes) in blobs {
            let mut writer = store.begin(bytes.len() as u64)?;
            writer.write(&bytes)?;
            writer.finish()?;
        }
        Ok(plan)
    });
    kept.await
        .map_err(|e: BlobError| Problem::fault("a script could not be written", &e))
}

/// What the definition would do, as far as it can be told before modules are
/// built and files uploaded.
pub(crate) fn check(
    whole: &Whole,
    modules: &dyn Catalogue,
    blobs: &Blobs,
) -> Result<CheckView, Vec<Diagnostic>> {
    match &whole.stored {
        None => wasmhost_jobc::check(&whole.request, &Fresh { modules, blobs }),
        Some((_, pins)) => wasmhost_jobc::check(&whole.request, &Pinned { modules, pins }),
    }
}

/// The refusal of a definition, or of several.
pub(crate) fn rejected(errors: Vec<Diagnostic>) -> Problem {
    let mistakes = match errors.len() {
        1 => "a mistake".to_owned(),
        n => format!("{n} mistakes"),
    };
    Problem::invalid(
        "definition_rejected",
        format!("the definition has {mistakes}"),
    )
    .errors(errors)
}

/// Refuses what names content that was not uploaded.
pub(crate) async fn require_blobs(app: &App, named: HashSet<BlobRef>) -> Result<(), Problem> {
    if named.is_empty() {
        return Ok(());
    }
    let store = app.handle.blobs().clone();
    let missing: Vec<Diagnostic> = blocking(move || {
        // Kept young: collecting does not take them before the job is stored.
        let wrong = named
            .iter()
            .filter_map(|blob| fault(blob, store.keep(blob.digest)).transpose());
        wrong.take(SHOWN).collect::<Result<_, BlobError>>()
    })
    .await
    .map_err(|e| Problem::fault("the blob store could not be read", &e))?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(
        Problem::invalid("blob_missing", "files are named that were not uploaded")
            .help("Upload them with POST /api/v1/blobs and submit again.")
            .errors(missing),
    )
}

/// What is wrong with a named blob of which the store has `found` bytes.
fn fault(
    blob: &BlobRef,
    found: Result<Option<u64>, BlobError>,
) -> Result<Option<Diagnostic>, BlobError> {
    let message = match found? {
        Some(len) if len == blob.len => return Ok(None),
        Some(len) => format!("{} has {len} bytes, not {}", blob.digest, blob.len),
        None => format!("{} is not in the store", blob.digest),
    };
    Ok(Some(Diagnostic {
        code: "blob-missing".into(),
        message,
        help: None,
        span: None,
        file: None,
    }))
}

/// The uploaded files that a plan names.
pub(crate) fn blobs_of(plan: &JobPlan) -> HashSet<BlobRef> {
    plan.nodes.iter().flat_map(of_node).cloned().collect()
}

fn of_node(node: &NodePlan) -> Vec<&BlobRef> {
    let mut named = Vec::new();
    named.extend(node.script.as_ref().map(|script| &script.source));
    named.extend(node.files.iter().flat_map(|files| files.blobs()));
    if let NodeInput::Given(Input::Blob(blob)) = &node.input {
        named.push(blob);
    }
    if let Array::Items(items) = &node.array {
        named.extend(items.iter().filter_map(|item| match item {
            Item::File { blob, .. } => Some(blob),
            Item::Json(_) | Item::Bytes(_) => None,
        }));
    }
    named
}
