//! The engines of scripts that come with the primary: each `NAME.wasm` in a folder
//! becomes the module `engine-NAME` at start, unless it is that already.

use super::modules::{self, PushQuery};
use super::state::{App, blocking};
use anyhow::{Context, bail};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use wasmhost_proto::Digest;
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::MAX_MODULE;

/// Pushes what is new, and returns the names of all.
pub(super) async fn load(app: &App, dir: &Path) -> anyhow::Result<Vec<String>> {
    let folder = dir.to_owned();
    let files = blocking(move || files(&folder)).await?;
    let mut names = Vec::new();
    for (language, path) in files {
        let name = format!("engine-{language}");
        let shown = path.display().to_string();
        let known = push(app, &name, path).await;
        if !known.with_context(|| format!("cannot load the engine {shown}"))? {
            tracing::info!("pushed the engine {shown} as {name}");
        }
        names.push(name);
    }
    Ok(names)
}

/// The modules of a folder by the names of their files, sorted.
fn files(dir: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let context = || format!("cannot read the folder of engines {}", dir.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(context)? {
        let path = entry.with_context(context)?.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        if let Some(name) = name
            && path.extension().is_some_and(|end| end == "wasm")
        {
            found.push((name.to_owned(), path));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether it was there before.
async fn push(app: &App, name: &str, path: PathBuf) -> anyhow::Result<bool> {
    let bytes = blocking(move || -> anyhow::Result<Vec<u8>> {
        let len = path.metadata()?.len();
        if len > MAX_MODULE {
            bail!("it has {len} bytes, over the limit of {MAX_MODULE}");
        }
        Ok(std::fs::read(&path)?)
    });
    let bytes = bytes.await?;
    let blob = BlobRef {
        digest: Digest(Sha256::digest(&bytes).into()),
        len: bytes.len() as u64,
    };
    let catalogue = app.catalogue.read().await.clone();
    let is_it = |full: &String| full.split(':').next() == Some(name);
    if catalogue
        .get(blob.digest)
        .is_some_and(|known| known.names.iter().any(is_it))
    {
        return Ok(true);
    }
    let blobs = app.handle.blobs().clone();
    let written = blocking(move || {
        let mut writer = blobs.begin(blob.len)?;
        writer.write(&bytes)?;
        writer.finish()
    });
    let pushed = modules::keep(app, written.await?, PushQuery::named(name)).await;
    match pushed {
        Ok(_) => Ok(false),
        Err(problem) => bail!("{problem}"),
    }
}
