//! What of a definition only this machine can resolve: crates to build, modules
//! and files to upload, lists to make. The rest is the primary's.

use super::files::{self, Files};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Fault, Source as Origin};
use crate::cli::modules::{self, Local};
use crate::client::{Client, ClientError};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wasmhost_jobc::module::{Hint, admit};
use wasmhost_jobc::{Definition as Parsed, List, Source};
use wasmhost_proto::Digest;
use wasmhost_proto::api::{Diagnostic, SubmitRequest};
use wasmhost_proto::limits::MAX_DEFINITION;

/// A definition's text, and where its paths begin.
#[derive(Debug)]
pub(crate) struct Definition {
    /// TOML.
    pub(crate) text: String,
    /// What to call it in messages.
    pub(crate) name: String,
    /// The folder that its relative paths start in.
    pub(crate) base: PathBuf,
    /// Content that stands for a path in it.
    pub(crate) given: Option<(String, Vec<u8>)>,
}

impl Definition {
    /// Reads a file; `-` is standard input.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Definition> {
        let failed = |error| ClientError::File {
            what: format!("cannot read the definition {}", file.display()),
            error,
        };
        let (text, base) = if file == Path::new("-") {
            (
                std::io::read_to_string(std::io::stdin()).map_err(failed)?,
                Path::new(""),
            )
        } else {
            let base = file.parent().unwrap_or(Path::new(""));
            (std::fs::read_to_string(file).map_err(failed)?, base)
        };
        if text.len() > MAX_DEFINITION {
            let title = format!(
                "{} has {} bytes: a definition has at most {MAX_DEFINITION}",
                file.display(),
                text.len()
            );
            return Err(Fault::new(Exit::REFUSED, "too_large", title).into());
        }
        Ok(Definition {
            text,
            name: file.display().to_string(),
            base: base.into(),
            given: None,
        })
    }

    /// What diagnostics point into.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            name: self.name.clone(),
            text: self.text.clone(),
        }
    }

    /// The definition as it was meant, or every mistake in it.
    pub(crate) fn parse(&self) -> Result<Parsed, Fault> {
        wasmhost_jobc::parse(&self.text).map_err(|errors| {
            let title = format!("{} is not a job definition", self.name);
            mistakes("invalid_definition", title, errors, Some(self.origin()))
        })
    }

    /// Crates may also be named from the current folder, as cargo commands are.
    fn crate_dir(&self, dir: &str) -> PathBuf {
        let beside = self.base.join(dir);
        if beside.join("Cargo.toml").exists() {
            beside
        } else {
            PathBuf::from(dir)
        }
    }
}

/// What the primary needs to check a definition: its lists. Nothing is built or
/// uploaded, but what it names on this machine must be there.
pub(crate) fn outlook(definition: Definition) -> anyhow::Result<SubmitRequest> {
    let parsed = definition.parse()?;
    let mut needed: Vec<PathBuf> = Vec::new();
    for source in parsed.sources() {
        match &source {
            Source::Crate(dir) => needed.push(definition.crate_dir(dir).join("Cargo.toml")),
            Source::Path(file) => needed.push(definition.base.join(file)),
            Source::Stored(_) => {}
        }
    }
    needed.extend(parsed.files().iter().map(|file| definition.base.join(file)));
    for path in needed {
        std::fs::metadata(&path).map_err(|error| ClientError::File {
            what: format!("{} names {}", definition.name, path.display()),
            error,
        })?;
    }
    let mut lists = BTreeMap::new();
    for list in parsed.lists() {
        let labels = match &list {
            List::Lines(path) => files::lines(&definition.base.join(path))?,
            List::Files { patterns, batch } => files::labels(&definition.base, patterns, *batch)?,
        };
        lists.insert(list.key(), labels);
    }
    Ok(SubmitRequest {
        definition: definition.text,
        lists,
        ..SubmitRequest::default()
    })
}

/// A refusal that lists single mistakes.
fn mistakes(code: &str, title: String, errors: Vec<Diagnostic>, origin: Option<Origin>) -> Fault {
    let mut fault = Fault::new(Exit::REFUSED, code, title);
    fault.problem.errors = errors;
    fault.origin = origin;
    fault
}

/// Resolves and uploads everything that the definition names on this machine.
pub(crate) async fn prepare(
    cx: &Context,
    client: &Client,
    definition: Definition,
) -> anyhow::Result<SubmitRequest> {
    let parsed = definition.parse()?;
    let mut modules = BTreeMap::new();
    for source in parsed.sources() {
        let path = match &source {
            Source::Crate(dir) => definition.crate_dir(dir),
            Source::Path(file) => definition.base.join(file),
            Source::Stored(_) => continue,
        };
        modules.insert(source.key(), module(cx, client, &path).await?);
    }
    let mut files = Files::new(cx, client);
    for path in parsed.files() {
        match &definition.given {
            Some((name, bytes)) if *name == path => files.add_bytes(path, bytes.clone()).await?,
            _ => {
                files
                    .add(path.clone(), &[definition.base.join(path)])
                    .await?
            }
        }
    }
    let mut lists = BTreeMap::new();
    for list in parsed.lists() {
        let labels = match &list {
            List::Lines(path) => files::lines(&definition.base.join(path))?,
            List::Files { patterns, batch } => {
                files.add_list(&definition.base, patterns, *batch).await?
            }
        };
        lists.insert(list.key(), labels);
    }
    let files = files.finish();
    Ok(SubmitRequest {
        definition: definition.text,
        modules,
        files,
        lists,
        ..SubmitRequest::default()
    })
}

/// Makes sure that the primary has a module of this machine. It is checked here
/// first: mistakes are found before megabytes travel, and content that the
/// primary has already does not travel again.
async fn module(cx: &Context, client: &Client, path: &Path) -> anyhow::Result<Digest> {
    let Local { bytes, name } = modules::load(cx, path)?;
    let hint = Hint {
        name: name.clone(),
        version: None,
        source: Some(path.display().to_string()),
    };
    let admitted = admit(&bytes, &hint).map_err(|rejection| {
        let title = format!("{} is no task module", path.display());
        mistakes("module_rejected", title, rejection.diagnostics, None)
    })?;
    let digest = Digest(Sha256::digest(&admitted.bytes).into());
    match client.module(&digest.to_string()).await {
        Ok(known) => return Ok(known.digest),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    let pushed = modules::push(cx, client, name.as_deref(), None, admitted.bytes.into()).await?;
    Ok(pushed.digest)
}
