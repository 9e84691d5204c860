//! A definition before anything of it is resolved, here or in the primary, with the
//! values of its parameters.

use super::files::Files;
use super::prepare::{self, Definition};
use super::target::Target;
use crate::cli::context::Context;
use crate::cli::exit::{Fault, Source};
use crate::cli::params::Given;
use crate::client::{Client, ClientError};
use std::path::PathBuf;
use wasmhost_jobc::params;
use wasmhost_proto::api::{DefinitionView, StoredName, SubmitRequest};

/// A definition, wherever it is.
pub(crate) enum Whole {
    /// Its text is here.
    Given(Definition),
    /// The primary has it; the values of its parameters.
    Stored(StoredName, Given),
}

/// What the mistakes of a definition point into.
pub(crate) enum Origin {
    /// A text that is here.
    Given(Source),
    /// One that the primary has.
    Stored(StoredName),
}

impl Whole {
    pub(crate) fn read(target: &Target, params: Given) -> anyhow::Result<Whole> {
        Ok(match target {
            Target::File(file) => Whole::Given(Definition {
                params,
                ..Definition::read(file)?
            }),
            Target::Stored(name) => Whole::Stored(name.clone(), params),
        })
    }

    /// What its mistakes point into.
    pub(crate) fn origin(&self) -> Origin {
        match self {
            Whole::Given(definition) => Origin::Given(definition.origin()),
            Whole::Stored(name, _) => Origin::Stored(name.clone()),
        }
    }

    /// Resolves what only this machine can. With a key that somebody chose it may repeat an
    /// earlier request.
    pub(crate) async fn request(
        self,
        cx: &Context,
        client: &Client,
        keyed: bool,
    ) -> anyhow::Result<SubmitRequest> {
        match self {
            Whole::Given(definition) => prepare::prepare(cx, client, definition).await,
            Whole::Stored(name, params) => stored(cx, client, name, params, keyed).await,
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
                let kept = Kept::fetch(client, name).await?;
                Ok((name.to_string(), kept.parsed))
            }
        }
    }
}

impl Origin {
    /// What the primary said of the definition, shown in its lines.
    pub(crate) async fn fault(self, client: &Client, error: ClientError) -> Fault {
        let name = match self {
            Origin::Given(source) => return Fault::about(error, source),
            Origin::Stored(name) => name,
        };
        let errors = match &error {
            ClientError::Problem(problem) => problem.errors.as_slice(),
            _ => &[],
        };
        if errors.iter().all(|one| one.span.is_none()) {
            return Fault::of(error.into());
        }
        // Without the text the mistakes are listed, which is better than another one.
        match client.definition(&name).await {
            Ok(view) => Fault::about(error, source(&view)),
            Err(_) => Fault::of(error.into()),
        }
    }
}

/// A version of a stored definition, and what it means.
pub(crate) struct Kept {
    /// The version.
    pub(crate) view: DefinitionView,
    /// As it was meant.
    pub(crate) parsed: wasmhost_jobc::Definition,
}

impl Kept {
    pub(crate) async fn fetch(client: &Client, name: &StoredName) -> anyhow::Result<Kept> {
        let view = client.definition(name).await?;
        let text = view.definition.as_deref().unwrap_or_default();
        let parsed =
            wasmhost_jobc::parse(text).map_err(|errors| Fault::refused(source(&view), errors))?;
        Ok(Kept { view, parsed })
    }

    /// Its name with the version.
    pub(crate) fn exact(&self) -> String {
        format!("{}@{}", self.view.name, self.view.version)
    }

    /// What its mistakes point into.
    pub(crate) fn origin(&self) -> Source {
        source(&self.view)
    }
}

fn source(view: &DefinitionView) -> Source {
    let text = view.definition.as_deref().unwrap_or_default();
    Source::definition(format!("{}@{}", view.name, view.version), text)
}

/// A submission of a stored definition. Of its parameters only those that are files
/// concern this machine.
async fn stored(
    cx: &Context,
    client: &Client,
    name: StoredName,
    given: Given,
    keyed: bool,
) -> anyhow::Result<SubmitRequest> {
    let mut request = SubmitRequest {
        stored: Some(name.to_string()),
        ..SubmitRequest::default()
    };
    if given.values.is_empty() {
        return Ok(request);
    }
    let kept = Kept::fetch(client, &name).await?;
    let values = match params::values(&kept.parsed, &given.values) {
        Ok(values) => values,
        // It may repeat one that was right for an earlier version: the primary knows.
        Err(_) if keyed => {
            request.params = given.values;
            return Ok(request);
        }
        Err(mistakes) => return Err(given.refused(kept.origin(), mistakes).into()),
    };
    request.params = given.values;
    let own = kept.parsed.params.iter();
    let own = own.filter(|param| request.params.contains_key(&param.name));
    let own: Vec<String> = own.map(|param| param.file_key()).collect();
    let mut files = Files::new(cx, client);
    for (key, path) in params::files(&kept.parsed, &values) {
        if own.contains(&key) {
            files.add(key, &[PathBuf::from(path)]).await?;
        }
    }
    request.files = files.finish();
    Ok(request)
}
