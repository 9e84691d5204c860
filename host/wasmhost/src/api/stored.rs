//! Submissions that name a stored definition: looked up and completed. What a version
//! holds cannot be overridden, only its parameters are the client's.

use super::problem::Problem;
use super::state::App;
use std::collections::BTreeMap;
use wasmhost_core::record::{DefinitionHead, DefinitionRecord};
use wasmhost_proto::Digest;
use wasmhost_proto::api::{StoredName, SubmitRequest};
use wasmhost_proto::plan::DefinitionRef;

/// Of the uploaded files those that are values of parameters.
const PARAM_FILE: &str = "param:";

/// A digest and a length in a request.
const FILE_BYTES: usize = 110;

/// A submission that is whole: it has a text.
#[derive(PartialEq)]
pub(crate) struct Whole {
    /// What is compiled.
    pub(crate) request: SubmitRequest,
    /// The version that it came from, and what module names mean in it.
    pub(crate) stored: Option<(DefinitionRef, BTreeMap<String, Digest>)>,
}

impl Whole {
    /// Bytes that a stored definition brought along, roughly as they would be sent.
    pub(crate) fn stored_bytes(&self) -> usize {
        if self.stored.is_none() {
            return 0;
        }
        let request = &self.request;
        let files = request.files.keys().map(|key| key.len() + FILE_BYTES);
        let items = request.lists.values().flatten().map(|item| item.len() + 3);
        request.definition.len() + files.sum::<usize>() + items.sum::<usize>()
    }
}

/// A submission as it was meant when its key was first given: a name without a version
/// stands for the version that the key's job was made from, whatever was stored since.
pub(crate) async fn as_before(
    app: &App,
    request: SubmitRequest,
    key: Option<String>,
) -> Result<SubmitRequest, Problem> {
    let (Some(text), Some(key)) = (&request.stored, key) else {
        return Ok(request);
    };
    let asked = name(text)?;
    if asked.version.is_some() {
        return Ok(request);
    }
    let Some(job) = app.peek(|store| store.job_by_key(&key))? else {
        return Ok(request);
    };
    let plan = app.read(move |store| store.plan(job)).await?;
    let from = plan.and_then(|plan| plan.definition);
    Ok(match from.filter(|from| from.name == asked.name) {
        Some(from) => SubmitRequest {
            stored: Some(format!("{}@{}", from.name, from.version)),
            ..request
        },
        None => request,
    })
}

/// Completes a submission with the stored definition that it names, if it names one.
pub(crate) async fn complete(app: &App, request: SubmitRequest) -> Result<Whole, Problem> {
    let Some(text) = &request.stored else {
        return Ok(Whole {
            request,
            stored: None,
        });
    };
    let name = name(text)?;
    let own = request.files.keys().any(|key| !key.starts_with(PARAM_FILE));
    let own = own || !(request.modules.is_empty() && request.lists.is_empty());
    if own || !request.definition.is_empty() {
        let title = "a submission that names a stored definition has one of its own, too";
        return Err(Problem::invalid("bad_submission", title).help(
            "Beside `stored` give only `params`, and `files` of parameters as `param:NAME`.",
        ));
    }
    let DefinitionRecord { head, body } = find(app, &name).await?;
    let mut files = body.files;
    files.extend(request.files);
    let request = SubmitRequest {
        definition: body.text,
        stored: None,
        modules: head.modules.clone(),
        files,
        lists: body.lists,
        ..request
    };
    let of = DefinitionRef {
        name: head.name,
        version: head.version,
    };
    Ok(Whole {
        request,
        stored: Some((of, head.modules)),
    })
}

/// Reads `name` or `name@version`.
pub(crate) fn name(text: &str) -> Result<StoredName, Problem> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(80).collect();
        let title = format!("'{shown}' names no stored definition");
        Problem::invalid("bad_submission", title).help("Give `name`, or `name@version`.")
    })
}

/// A version of a stored definition, whole.
pub(crate) async fn find(app: &App, name: &StoredName) -> Result<DefinitionRecord, Problem> {
    let asked = name.clone();
    let read = app.read(move |store| {
        let found = store.definition(&asked.name, asked.version)?;
        let versions = match found {
            Some(_) => Vec::new(),
            None => store.definition_versions(&asked.name)?,
        };
        Ok((found, versions))
    });
    let (found, versions) = read.await?;
    found.ok_or_else(|| none(name, &versions))
}

/// There is no such version of a definition that has these.
pub(crate) fn none(name: &StoredName, versions: &[DefinitionHead]) -> Problem {
    let shown: String = name.to_string().chars().take(80).collect();
    let problem = Problem::not_found(format!("there is no stored definition '{shown}'"));
    match (versions.first(), versions.last()) {
        (Some(first), Some(last)) => problem.help(format!(
            "Versions {} to {} are stored.",
            first.version, last.version
        )),
        _ => problem.help("`wasmhost definition list` shows those that there are."),
    }
}
