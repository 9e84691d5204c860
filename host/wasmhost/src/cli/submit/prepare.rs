//! What of a definition only this machine can resolve: crates to build, modules
//! and files to upload, lists to make. The rest is the primary's.

use super::files::{self, Files};
use super::folders;
use super::scripts;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Fault, Source as Origin};
use crate::cli::modules::{self, Local};
use crate::cli::params::Given;
use crate::cli::standalone;
use crate::client::{Client, ClientError};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wasmhost_jobc::module::{Admitted, Hint, admit};
use wasmhost_jobc::{Definition as Parsed, FileUse, List, Source, params};
use wasmhost_proto::Digest;
use wasmhost_proto::api::SubmitRequest;
use wasmhost_proto::limits::MAX_DEFINITION;
use wasmhost_proto::module::ModuleKind;

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
    /// Values of its parameters.
    pub(crate) params: Given,
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
            params: Given::default(),
        })
    }

    /// What diagnostics point into.
    pub(crate) fn origin(&self) -> Origin {
        Origin::definition(&self.name, &self.text)
    }

    /// The definition as it was meant, or every mistake in it.
    pub(crate) fn parse(&self) -> Result<Parsed, Fault> {
        wasmhost_jobc::parse(&self.text).map_err(|errors| Fault::refused(self.origin(), errors))
    }

    /// The values of its parameters, or every mistake in them.
    fn values(&self, parsed: &Parsed, read: Reading) -> Result<params::Values, Fault> {
        let values = read(parsed, &self.params.values);
        values.map_err(|mistakes| self.params.refused(self.origin(), mistakes))
    }

    /// Where the file of a parameter is: a given path starts here, as every path on a
    /// command line, a default's in the definition's folder.
    fn param_file(&self, parsed: &Parsed, key: &str, path: &str) -> PathBuf {
        let mut given = parsed.params.iter();
        let given = given.any(|p| p.file_key() == key && self.params.values.contains_key(&p.name));
        match given {
            true => PathBuf::from(path),
            false => self.base.join(path),
        }
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

/// How values of parameters are read.
type Reading = fn(&Parsed, &BTreeMap<String, Json>) -> Result<params::Values, Vec<params::Mistake>>;

/// What can be said of a definition before anything is built or uploaded.
pub(crate) struct Outlook {
    /// What the primary needs to check it: its lists.
    pub(crate) request: SubmitRequest,
    /// Modules in files of this machine, by their source as written.
    pub(crate) modules: BTreeMap<String, LocalModule>,
}

/// A module in a file of this machine.
pub(crate) struct LocalModule {
    /// Its digest, once it is pushed.
    pub(crate) digest: Digest,
    /// How it is started.
    pub(crate) kind: ModuleKind,
    /// What it imports.
    pub(crate) imports: Vec<String>,
}

/// Looks at a definition. Nothing is built or uploaded, but what it names on this
/// machine must be there, and modules in files must be such.
pub(crate) fn outlook(definition: Definition) -> anyhow::Result<Outlook> {
    let parsed = definition.parse()?;
    let values = definition.values(&parsed, params::known)?;
    scripts::check(&definition, &parsed)?;
    let mut needed: Vec<PathBuf> = Vec::new();
    let mut modules = BTreeMap::new();
    for source in parsed.sources() {
        match &source {
            Source::Crate(dir) => needed.push(definition.crate_dir(dir).join("Cargo.toml")),
            // Made when it is submitted, like a crate.
            Source::Path(file) if standalone::language(Path::new(file)).is_some() => {
                needed.push(definition.base.join(file));
            }
            Source::Path(file) => {
                let path = definition.base.join(file);
                let (admitted, _) = admitted(&path, modules::file(&path)?)?;
                let local = LocalModule {
                    digest: Digest(Sha256::digest(&admitted.bytes).into()),
                    kind: admitted.kind,
                    imports: admitted.imports,
                };
                modules.insert(source.written(), local);
            }
            // It is asked for when it is needed: a look at a definition goes nowhere.
            Source::Image(_) => {}
            Source::Stored(_) | Source::Script(_) => {}
        }
    }
    let files = parsed.files().into_iter();
    needed.extend(files.map(|file| definition.base.join(file.path)));
    for (key, path) in params::files(&parsed, &values) {
        needed.push(definition.param_file(&parsed, &key, &path));
    }
    for path in needed {
        std::fs::metadata(&path).map_err(|error| ClientError::File {
            what: format!("{} names {}", definition.name, path.display()),
            error,
        })?;
    }
    let mut lists = folders::look(&definition.base, &parsed)?;
    for list in parsed.lists() {
        let labels = match &list {
            List::Lines(path) => files::lines(&definition.base.join(path))?,
            List::Files { patterns, batch } => files::labels(&definition.base, patterns, *batch)?,
        };
        lists.insert(list.key(), labels);
    }
    let request = SubmitRequest {
        definition: definition.text,
        params: definition.params.values,
        lists,
        ..SubmitRequest::default()
    };
    Ok(Outlook { request, modules })
}

/// Resolves and uploads everything that the definition names on this machine.
pub(crate) async fn prepare(
    cx: &Context,
    client: &Client,
    definition: Definition,
) -> anyhow::Result<SubmitRequest> {
    let parsed = definition.parse()?;
    // Mistakes in parameters are found before anything is built or uploaded.
    let values = definition.values(&parsed, params::values)?;
    resolve(cx, client, definition, parsed, values).await
}

/// The same for a definition that is to be kept: what its parameters will be is open.
pub(crate) async fn draft(
    cx: &Context,
    client: &Client,
    definition: Definition,
) -> anyhow::Result<SubmitRequest> {
    let parsed = definition.parse()?;
    let values = definition.values(&parsed, params::known)?;
    resolve(cx, client, definition, parsed, values).await
}

async fn resolve(
    cx: &Context,
    client: &Client,
    definition: Definition,
    parsed: Parsed,
    values: params::Values,
) -> anyhow::Result<SubmitRequest> {
    scripts::check(&definition, &parsed)?;
    let mut modules = BTreeMap::new();
    for source in parsed.sources() {
        let (path, local) = match &source {
            Source::Crate(dir) => load(cx, definition.crate_dir(dir)).await?,
            Source::Path(file) => load(cx, definition.base.join(file)).await?,
            Source::Image(image) => {
                let local = modules::image(cx, image, &definition.base).await?;
                (PathBuf::from(image), local)
            }
            Source::Stored(_) | Source::Script(_) => continue,
        };
        modules.insert(source.key(), module(cx, client, &path, local).await?);
    }
    let mut files = Files::new(cx, client);
    for FileUse { key, path } in parsed.files() {
        match &definition.given {
            Some((name, bytes)) if *name == path => files.add_bytes(key, bytes.clone()).await?,
            _ => files.add(key, &[definition.base.join(path)]).await?,
        }
    }
    for (key, path) in params::files(&parsed, &values) {
        let path = definition.param_file(&parsed, &key, &path);
        files.add(key, &[path]).await?;
    }
    let mut lists = folders::upload(&definition.base, &parsed, &mut files).await?;
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
        params: definition.params.values,
        modules,
        files,
        lists,
        ..SubmitRequest::default()
    })
}

async fn load(cx: &Context, path: PathBuf) -> anyhow::Result<(PathBuf, Local)> {
    let local = modules::load(cx, &path).await?;
    Ok((path, local))
}

/// Makes sure that the primary has a module of this machine. It is checked here
/// first: mistakes are found before megabytes travel, and content that the
/// primary has already does not travel again.
async fn module(
    cx: &Context,
    client: &Client,
    path: &Path,
    local: Local,
) -> anyhow::Result<Digest> {
    let bytes = local.bytes.clone();
    let (admitted, name) = admitted(path, local)?;
    let digest = Digest(Sha256::digest(&admitted.bytes).into());
    match client.module(&digest.to_string()).await {
        Ok(known) => return Ok(known.digest),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    let pushed = modules::push(cx, client, name.as_deref(), None, bytes).await?;
    Ok(pushed.digest)
}

/// A module as it will be stored, and what to call it.
fn admitted(path: &Path, local: Local) -> anyhow::Result<(Admitted, Option<String>)> {
    let Local { bytes, name } = local;
    let hint = Hint {
        name: name.clone(),
        version: None,
        source: Some(path.display().to_string()),
    };
    let admitted = admit(&bytes, &hint).map_err(|rejection| {
        let title = format!("{} is no task module", path.display());
        Fault::mistakes("module_rejected", title, rejection.diagnostics, Vec::new())
    })?;
    Ok((admitted, name))
}
