//! Uploaded bytes to an admitted module, or every reason why not.
//!
//! Pure checks before anything is stored or compiled: format, size, shape,
//! validity, kind, imports, the entry point, the manifest. Compiles and runs
//! nothing. An admitted module may still be refused by a worker's compiler.

mod componentise;
mod describe;
mod entry;
mod imports;
mod inspect;
mod library;
mod manifest;
mod preview1;
mod satisfied;
mod shape;

pub use describe::describe;
pub use imports::is_open;
pub use library::{AdmittedLibrary, admit_library};
pub(crate) use manifest::of_admitted as manifest_of;
pub(crate) use satisfied::WASI_HTTP;
pub use satisfied::{granted, satisfied};

use inspect::Facts;
use sha2::{Digest as _, Sha256};
use wasmhost_proto::Digest;
use wasmhost_proto::api::Diagnostic;
use wasmhost_proto::limits::{MAX_DIAGNOSTICS, MAX_MODULE};
use wasmhost_proto::module::{Manifest, ModuleKind, Provenance};

/// What the uploader says of a module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hint {
    /// Its name, if its own manifest has none.
    pub name: Option<String>,
    /// Its version, if its own manifest has none.
    pub version: Option<String>,
    /// Where it comes from, such as a file's name, for messages.
    pub source: Option<String>,
}

/// A module that may be stored.
#[derive(Clone, PartialEq, Debug)]
pub struct Admitted {
    /// What to store: the bytes as uploaded, with a manifest at the end unless there was
    /// one at the top; of a core module that describes a component that component.
    pub bytes: Vec<u8>,
    /// How it is started.
    pub kind: ModuleKind,
    /// What it says of itself, completed from the hint and its producers.
    pub manifest: Manifest,
    /// What it imports, as `package:interface@version` or `module.name`, sorted.
    pub imports: Vec<String>,
    /// What it exports, sorted.
    pub exports: Vec<String>,
}

/// Why a module is refused; at least one reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// Every reason found.
    pub diagnostics: Vec<Diagnostic>,
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let messages: Vec<&str> = self
            .diagnostics
            .iter()
            .map(|d| d.message.as_str())
            .collect();
        f.write_str(&messages.join("; "))
    }
}
impl std::error::Error for Rejection {}

/// Judges a module. The same bytes and hint give the same answer.
pub fn admit(bytes: &[u8], hint: &Hint) -> Result<Admitted, Rejection> {
    size(bytes)?;
    magic(bytes, hint)?;
    let made_from = Provenance {
        module: Digest(Sha256::digest(bytes).into()),
        libraries: Vec::new(),
    };
    let facts = inspect::inspect(bytes)?;
    if facts.component_type {
        let component = componentise::componentise(bytes, &facts)?;
        let facts = inspect::inspect(&component)?;
        return judge(component, facts, hint, made_from);
    }
    judge(bytes.to_vec(), facts, hint, made_from)
}

/// Judges what libraries were added to, as a module is: what it says of itself is what the
/// module said, and what it was made from.
pub(crate) fn joined(
    mut bytes: Vec<u8>,
    mut manifest: Manifest,
    made_from: Provenance,
) -> Result<Admitted, Rejection> {
    size(&bytes)?;
    let facts = inspect::inspect(&bytes)?;
    manifest.wants = satisfied::grants(&import_names(&facts));
    manifest.made_from = Some(made_from.clone());
    manifest::stamp(&mut bytes, &manifest)?;
    let facts = Facts {
        manifest: serde_json::to_vec(&manifest).ok(),
        manifest_on_top: true,
        ..facts
    };
    judge(bytes, facts, &Hint::default(), made_from)
}

fn size(bytes: &[u8]) -> Result<(), Rejection> {
    let len = bytes.len();
    if len as u64 <= MAX_MODULE {
        return Ok(());
    }
    Err(reject(
        "too-large",
        format!("the module has {len} bytes, and may have {MAX_MODULE}"),
        "strip its debug information, or build it optimised for size",
    ))
}

fn judge(
    mut bytes: Vec<u8>,
    facts: Facts,
    hint: &Hint,
    made_from: Provenance,
) -> Result<Admitted, Rejection> {
    let mut reasons = Reasons::default();
    let kind = entry::kind(&facts, &mut reasons);
    imports::check(&facts, &mut reasons);
    let manifest = manifest::read(&facts, &mut reasons);
    let (Some(kind), Some(mut manifest), true) = (kind, manifest, reasons.0.is_empty()) else {
        return Err(reasons.into());
    };
    let imports = import_names(&facts);
    if !facts.manifest_on_top {
        manifest.entry = Some(kind);
        manifest.wants = satisfied::grants(&imports);
        manifest.made_from = Some(made_from);
        manifest::stamp(&mut bytes, &manifest)?;
    }
    manifest::complete(&mut manifest, hint);
    let mut exports = facts.exports;
    exports.sort();
    Ok(Admitted {
        bytes,
        kind,
        manifest,
        imports,
        exports,
    })
}

/// What a module imports, sorted, each once.
fn import_names(facts: &Facts) -> Vec<String> {
    let mut imports: Vec<String> = facts.imports.iter().map(|i| i.name.clone()).collect();
    imports.sort();
    imports.dedup();
    imports
}

/// Tells what is no module from a broken one.
fn magic(bytes: &[u8], hint: &Hint) -> Result<(), Rejection> {
    let source = hint.source.as_deref().unwrap_or("it");
    let start = &bytes[..bytes.len().min(4096)];
    let text = String::from_utf8_lossy(start);
    let (message, help) = if start.starts_with(b"\0asm") {
        return Ok(());
    } else if bytes.is_empty() {
        (format!("{source} is empty"), "the build may have failed")
    } else if ["(", ";;", "(;"]
        .iter()
        .any(|mark| text.trim_start().starts_with(mark))
    {
        (
            format!("{source} is WebAssembly text, not a module"),
            "turn it into a module with `wasm-tools parse` first",
        )
    } else if start.starts_with(b"\x7fELF")
        || start.starts_with(b"MZ")
        || start.starts_with(b"\xcf\xfa\xed\xfe")
    {
        (
            format!("{source} is a native program, not a WebAssembly module"),
            "build it with `--target wasm32-wasip2`",
        )
    } else if start.starts_with(b"\x1f\x8b")
        || start.starts_with(b"PK\x03\x04")
        || start.starts_with(b"\x28\xb5\x2f\xfd")
    {
        (
            format!("{source} is an archive, not a WebAssembly module"),
            "unpack it first",
        )
    } else {
        (
            format!("{source} is not a WebAssembly module: it does not begin with '\\0asm'"),
            "",
        )
    };
    Err(reject("not-wasm", message, help))
}

/// Reasons against a module.
#[derive(Default)]
struct Reasons(Vec<Diagnostic>);

impl Reasons {
    /// Adds a reason; `help` may be empty.
    fn add(&mut self, code: &str, message: impl Into<String>, help: impl Into<String>) {
        if self.0.len() < MAX_DIAGNOSTICS {
            self.0.push(diagnostic(code, message.into(), help.into()));
        }
    }
}

impl From<Reasons> for Rejection {
    fn from(reasons: Reasons) -> Rejection {
        Rejection {
            diagnostics: reasons.0,
        }
    }
}

fn diagnostic(code: &str, message: String, help: String) -> Diagnostic {
    Diagnostic {
        code: code.into(),
        message,
        help: (!help.is_empty()).then_some(help),
        span: None,
        file: None,
    }
}

pub(crate) fn reject(code: &str, message: impl Into<String>, help: impl Into<String>) -> Rejection {
    Rejection {
        diagnostics: vec![diagnostic(code, message.into(), help.into())],
    }
}

#[cfg(test)]
mod tests;
