//! Modules on this machine: loading them from files, crates and scripts, and pushing
//! them. What a module may be, the primary checks.

use super::context::Context;
use super::exit::{Exit, Fault, Source};
use super::result::transfer_bar;
use super::{build, oci, standalone};
use crate::client::{Client, ClientError};
use bytes::Bytes;
use std::ops::Range;
use std::path::Path;
use wasmhost_jobc::Image;
use wasmhost_proto::api::{Diagnostic, ModuleView, Span};
use wasmhost_proto::limits::{BLOB_CHUNK, MAX_MODULE};
use wast::Wat;
use wast::parser::ParseBuffer;

/// A module that was loaded.
pub(crate) struct Local {
    /// Its content.
    pub(crate) bytes: Bytes,
    /// What to call it when it does not say so itself.
    pub(crate) name: Option<String>,
}

/// Loads a .wasm file, a .wat file, the crate in a folder, a script with its engine, or
/// the module of an image.
pub(crate) async fn load(cx: &Context, path: &Path) -> anyhow::Result<Local> {
    if let Some(reference) = path.to_str().filter(|text| Image::is_meant(text)) {
        return image(cx, reference, Path::new("")).await;
    }
    if let Some(engine) = standalone::language(path) {
        return Ok(Local {
            bytes: standalone::make(cx, path, engine).await?,
            name: None,
        });
    }
    if path.is_dir() {
        let built = build::build(cx, path)?;
        return Ok(Local {
            bytes: read(&built.wasm)?,
            name: Some(built.name),
        });
    }
    file(path)
}

/// Loads the module of an image; folders begin in `base`.
pub(crate) async fn image(cx: &Context, reference: &str, base: &Path) -> anyhow::Result<Local> {
    let oci::Pulled { bytes, name } = oci::pull(cx, reference, base).await?;
    Ok(Local {
        bytes,
        name: Some(name),
    })
}

/// Loads a .wasm or .wat file.
pub(crate) fn file(path: &Path) -> anyhow::Result<Local> {
    let bytes = read(path)?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).map(name_of);
    let text = path.extension().is_some_and(|extension| extension == "wat");
    let bytes = match text && !bytes.starts_with(b"\0asm") {
        true => assemble(path, &bytes)?,
        false => bytes,
    };
    Ok(Local { bytes, name: stem })
}

/// The module of a text.
fn assemble(path: &Path, bytes: &[u8]) -> Result<Bytes, Fault> {
    let name = path.display().to_string();
    let title = format!("{name} is no WebAssembly text");
    let Ok(text) = std::str::from_utf8(bytes) else {
        let help = "it is not text in UTF-8: a module has the ending .wasm";
        return Err(Fault::new(Exit::REFUSED, "bad_wat", title).help(help));
    };
    let assembled = ParseBuffer::new(text).and_then(|buffer| {
        let mut module = wast::parser::parse::<Wat<'_>>(&buffer)?;
        module.encode()
    });
    assembled.map(Bytes::from).map_err(|error| {
        let at = error.span().offset();
        let mistake = Diagnostic {
            code: "wat-syntax".into(),
            message: error.message(),
            help: None,
            span: Some(Span::of(text, &token(text, at))),
            file: Some(name.clone()),
        };
        let origin = Source::other(&name, text, &name);
        Fault::mistakes("bad_wat", title, vec![mistake], vec![origin])
    })
}

/// What stands at a place: up to the next blank or bracket, or the bracket itself.
fn token(text: &str, at: usize) -> Range<usize> {
    let rest = text.get(at..).unwrap_or_default();
    let ends = |c: char| c.is_whitespace() || "();\"".contains(c);
    let len = rest.find(ends).unwrap_or(rest.len());
    at..at + len.max(rest.chars().next().map_or(0, char::len_utf8))
}

/// A file's stem as a module's name: `my_task` is `my-task`.
pub(crate) fn name_of(stem: &str) -> String {
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
        let mistake = &fault.problem.errors[0];
        let span = mistake.span.unwrap();
        assert_eq!(
            (mistake.code.as_str(), span.line, span.column),
            ("wat-syntax", 2, 10)
        );
        let shown = crate::output::problem::render(&fault.problem, &fault.origins);
        let shown = anstream::adapter::strip_str(&shown).to_string();
        let shown = shown.replace(&folder.path().display().to_string(), "DIR");
        insta::assert_snapshot!(shown);
        for (text, line, column) in [
            ("(module", 1, 8),
            ("(module (func (call $gone)))", 1, 21),
            ("(module\n  (func (export \"a)))", 2, 22),
            ("", 1, 1),
            ("é", 1, 1),
        ] {
            std::fs::write(&path, text).unwrap();
            let fault = Fault::of(file(&path).err().unwrap());
            let span = fault.problem.errors[0].span.unwrap();
            assert_eq!(
                (span.line, span.column),
                (line, column),
                "{text}: {fault:?}"
            );
        }
        std::fs::write(&path, b"(module \xff)").unwrap();
        let fault = Fault::of(file(&path).err().unwrap());
        assert!(fault.problem.help.unwrap().contains("UTF-8"));
        std::fs::write(&path, "(module (func (export \"_start\")))").unwrap();
        let local = file(&path).unwrap();
        assert!(local.bytes.starts_with(b"\0asm"));
        assert_eq!(local.name.as_deref(), Some("tool"));
    }
}
