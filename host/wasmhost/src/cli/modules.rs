//! Modules on this machine: loading them from files and crates, and pushing
//! them. What a module may be, the primary checks.

use super::build;
use super::context::Context;
use super::exit::{Exit, Fault};
use super::result::transfer_bar;
use crate::client::{Client, ClientError};
use bytes::Bytes;
use std::path::Path;
use wasmhost_proto::api::ModuleView;
use wasmhost_proto::limits::{BLOB_CHUNK, MAX_MODULE};

/// A module that was loaded.
pub(crate) struct Local {
    /// Its content.
    pub(crate) bytes: Bytes,
    /// What to call it when it does not say so itself.
    pub(crate) name: Option<String>,
}

/// Loads a .wasm file, a .wat file, or the crate in a folder.
pub(crate) fn load(cx: &Context, path: &Path) -> anyhow::Result<Local> {
    if path.is_dir() {
        let built = build::build(cx, path)?;
        return Ok(Local {
            bytes: read(&built.wasm)?,
            name: Some(built.name),
        });
    }
    file(path)
}

/// Loads a .wasm or .wat file.
pub(crate) fn file(path: &Path) -> anyhow::Result<Local> {
    let bytes = read(path)?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).map(name_of);
    if path.extension().is_some_and(|extension| extension == "wat") {
        let wasm = wat::Parser::new()
            .parse_bytes(Some(path), &bytes)
            .map_err(|error| {
                Fault::new(
                    Exit::REFUSED,
                    "bad_wat",
                    format!("cannot read {}", path.display()),
                )
                .help(error.to_string())
            })?;
        return Ok(Local {
            bytes: wasm.into_owned().into(),
            name: stem,
        });
    }
    Ok(Local { bytes, name: stem })
}

/// A file's stem as a module's name: `my_task` is `my-task`.
fn name_of(stem: &str) -> String {
    let name: String = stem
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    name.trim_matches('-').to_owned()
}

fn read(path: &Path) -> anyhow::Result<Bytes> {
    let failed = |error| ClientError::File {
        what: format!("cannot read the module {}", path.display()),
        error,
    };
    let len = std::fs::metadata(path).map_err(failed)?.len();
    if len > MAX_MODULE {
        let title = format!(
            "{} has {len} bytes: a module has at most {MAX_MODULE}",
            path.display()
        );
        return Err(Fault::new(Exit::REFUSED, "too_large", title).into());
    }
    Ok(std::fs::read(path).map_err(failed)?.into())
}

/// Pushes a module, with a bar when it takes a while.
pub(crate) async fn push(
    cx: &Context,
    client: &Client,
    name: Option<&str>,
    version: Option<&str>,
    bytes: Bytes,
) -> Result<ModuleView, ClientError> {
    let bar = transfer_bar(cx, bytes.len() as u64);
    let sent = bar.clone();
    let chunks = (0..bytes.len()).step_by(BLOB_CHUNK).map(move |from| {
        let chunk = bytes.slice(from..bytes.len().min(from + BLOB_CHUNK));
        sent.inc(chunk.len() as u64);
        Ok::<_, std::convert::Infallible>(chunk)
    });
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    let pushed = client.push_module(name, version, body).await;
    bar.finish_and_clear();
    pushed
}

#[cfg(test)]
mod tests {
    use super::{file, name_of};
    use crate::cli::exit::Fault;

    #[test]
    fn names_from_file_names() {
        for (stem, want) in [("my_task", "my-task"), ("Tool.v2", "tool-v2"), ("_x_", "x")] {
            assert_eq!(name_of(stem), want);
        }
    }

    #[test]
    #[allow(clippy::unwrap_used)]
    fn mistakes_in_text_have_a_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tool.wat");
        std::fs::write(&path, "(module\n  (func (exprot \"run\")))\n").unwrap();
        let fault = Fault::of(file(&path).err().unwrap());
        let help = fault.problem.help.unwrap();
        assert!(help.contains("tool.wat:2:10"), "{help}");
        std::fs::write(&path, "(module (func (export \"_start\")))").unwrap();
        let local = file(&path).unwrap();
        assert!(local.bytes.starts_with(b"\0asm"));
        assert_eq!(local.name.as_deref(), Some("tool"));
    }
}
