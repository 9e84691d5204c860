//! A definition before anything of it is resolved, here or in the primary, with the
//! values of its parameters.

use super::files::Files;
use super::prepare::{self, Definition};
use super::target::Target;
use crate::cli::check;
use crate::cli::context::Context;
use crate::cli::exit::{Fault, Source};
use crate::client::Client;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use wasmhost_jobc::params;
use wasmhost_proto::api::{CheckView, DefinitionView, StoredName, SubmitRequest};

/// A definition, wherever it is.
pub(crate) enum Whole {
    /// Its text is here.
    Given(Definition),
    /// The primary has it; the values of its parameters.
    Stored(StoredName, BTreeMap<String, Json>),
}

impl Whole {
    pub(crate) fn read(target: &Target, params: BTreeMap<String, Json>) -> anyhow::Result<Whole> {
        Ok(match target {
            Target::File(file) => Whole::Given(Definition {
                params,
                ..Definition::read(file)?
            }),
            Target::Stored(name) => Whole::Stored(name.clone(), params),
        })
    }

    /// What its mistakes point into.
    pub(crate) fn origin(&self) -> Option<Source> {
        match self {
            Whole::Given(definition) => Some(definition.origin()),
            Whole::Stored(..) => None,
        }
    }

    /// Resolves what only this machine can.
    pub(crate) async fn request(
        self,
        cx: &Context,
        client: &Client,
    ) -> anyhow::Result<SubmitRequest> {
        match self {
            Whole::Given(definition) => prepare::prepare(cx, client, definition).await,
            Whole::Stored(name, params) => stored(cx, client, name, params).await,
        }
    }

    /// What it would do.
    pub(crate) async fn look(self, cx: &Context, client: &Client) -> anyhow::Result<CheckView> {
        match self {
            Whole::Given(definition) => Ok(check::look_at(definition, cx).await?.view),
            Whole::Stored(name, params) => {
                let stored = Some(name.to_string());
                let request = SubmitRequest {
                    stored,
                    params,
                    ..SubmitRequest::default()
                };
                Ok(client.check(&request).await?)
            }
        }
    }

    /// The definition as it was meant, and what to call it.
    pub(crate) async fn parse(
        &self,
        client: &Client,
    ) -> anyhow::Result<(String, wasmhost_jobc::Definition)> {
        match self {
            Whole::Given(definition) => Ok((definition.name.clone(), definition.parse()?)),
            Whole::Stored(name, _) => {
                let (_, parsed) = fetch(client, name).await?;
                Ok((name.to_string(), parsed))
            }
        }
    }
}

/// A stored definition, and what it means.
async fn fetch(
    client: &Client,
    name: &StoredName,
) -> anyhow::Result<(DefinitionView, wasmhost_jobc::Definition)> {
    let view = client.definition(name).await?;
    let text = view.definition.as_deref().unwrap_or_default();
    let parsed = wasmhost_jobc::parse(text).map_err(|errors| {
        let origin = Source {
            name: format!("{}@{}", view.name, view.version),
            text: text.to_owned(),
        };
        Fault::refused(origin, errors)
    })?;
    Ok((view, parsed))
}

/// A submission of a stored definition. Of its parameters only those that are files
/// concern this machine.
async fn stored(
    cx: &Context,
    client: &Client,
    name: StoredName,
    given: BTreeMap<String, Json>,
) -> anyhow::Result<SubmitRequest> {
    let mut request = SubmitRequest {
        stored: Some(name.to_string()),
        params: given,
        ..SubmitRequest::default()
    };
    if request.params.is_empty() {
        return Ok(request);
    }
    let (view, parsed) = fetch(client, &name).await?;
    let values = params::values(&parsed, &request.params)
        .map_err(|errors| prepare::refused_params(&name.to_string(), errors))?;
    // What is uploaded here belongs to this version, whatever comes after it.
    request.stored = Some(format!("{}@{}", view.name, view.version));
    let own = parsed.params.iter();
    let own = own.filter(|param| request.params.contains_key(&param.name));
    let own: Vec<String> = own.map(|param| param.file_key()).collect();
    let mut files = Files::new(cx, client);
    for (key, path) in params::files(&parsed, &values) {
        if own.contains(&key) {
            files.add(key, &[PathBuf::from(path)]).await?;
        }
    }
    request.files = files.finish();
    Ok(request)
}
