//! Compiles a module to native code: the work of a short-lived child process,
//! since compilers can be made to take any amount of time and memory.

use crate::engine::{self, SandboxError};
use crate::program::{Linkers, LoadError};
use sha2::{Digest as _, Sha256};
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::{fs, io};
use thiserror::Error;
use wasmhost_proto::module::ModuleKind;
use wasmtime::Module;

/// Part of every cache key: raise it when what is written changes its meaning.
const REVISION: u32 = 1;

/// A module was not compiled.
#[derive(Debug, Error)]
pub enum CompileError {
    /// The module is at fault: it will never compile here.
    #[error("{0}")]
    Rejected(String),
    /// The compiled module could not be written.
    #[error("cannot write the compiled module {path}: {source}")]
    Write {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The engine could not be set up.
    #[error(transparent)]
    Engine(#[from] SandboxError),
}

/// Names the engine and its settings, as hexadecimal digits: code compiled
/// under one name runs only under the same name.
pub fn compatibility() -> Result<String, SandboxError> {
    let engine = engine::engine(1)?;
    let mut hasher = Sha256Hasher(Sha256::new());
    REVISION.hash(&mut hasher);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let digest = hasher.0.finalize();
    Ok(digest[..8].iter().map(|b| format!("{b:02x}")).collect())
}

/// Validates and compiles `wasm`, checks that the result links, and puts it at
/// `out`, whole or not at all.
pub fn compile(wasm: &[u8], kind: ModuleKind, out: &Path) -> Result<(), CompileError> {
    let engine = engine::engine(1)?;
    // Validation runs at hundreds of megabytes a second; compiling an invalid
    // module may find out only after minutes. Components were validated when
    // they were admitted: wasmtime offers it for modules alone.
    let code = match kind {
        ModuleKind::Task | ModuleKind::Command => engine.precompile_component(wasm),
        ModuleKind::CoreCommand => {
            Module::validate(&engine, wasm).and_then(|()| engine.precompile_module(wasm))
        }
    };
    let code = code.map_err(|e| CompileError::Rejected(format!("cannot compile: {e:#}")))?;
    let temp = out.with_extension("tmp");
    let write = |source| CompileError::Write {
        path: out.display().to_string(),
        source,
    };
    fs::write(&temp, &code).map_err(write)?;
    let linked = Linkers::new(&engine)
        .map_err(|e| CompileError::Rejected(format!("{e:#}")))
        .and_then(|linkers| match linkers.load(&temp, kind) {
            Ok(_) => Ok(()),
            Err(LoadError::Link(reason) | LoadError::Map { reason, .. }) => {
                Err(CompileError::Rejected(reason))
            }
        })
        .and_then(|()| fs::rename(&temp, out).map_err(write));
    if linked.is_err() {
        // It may be gone already; the folder is emptied of strays at start.
        let _ = fs::remove_file(&temp);
    }
    linked
}

/// A hasher whose result does not depend on the standard library's version.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b))
    }
}
