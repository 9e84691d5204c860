//! Libraries: components that are not run, but joined to modules that import what they
//! export.

use super::{Hint, Reasons, Rejection, componentise, import_names, imports, inspect, magic, size};

/// A library that may be registered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdmittedLibrary {
    /// What to store: the bytes as uploaded; of a core module that describes a component
    /// that component.
    pub bytes: Vec<u8>,
    /// The interfaces that it exports and that modules can get from it, sorted.
    pub exports: Vec<String>,
    /// What it imports, sorted.
    pub imports: Vec<String>,
}

/// Judges a library. The same bytes give the same answer.
pub fn admit_library(bytes: &[u8], hint: &Hint) -> Result<AdmittedLibrary, Rejection> {
    size(bytes)?;
    magic(bytes, hint)?;
    let mut facts = inspect::inspect(bytes)?;
    let mut bytes = bytes.to_vec();
    if facts.component_type {
        bytes = componentise::componentise(&bytes, &facts)?;
        facts = inspect::inspect(&bytes)?;
    }
    let mut reasons = Reasons::default();
    if !facts.component {
        reasons.add(
            "no-component",
            "a library is a component, and this is a core module",
            "build it for wasm32-wasip2, or make it a component with `wasm-tools component new`",
        );
        return Err(reasons.into());
    }
    imports::check(&facts, &mut reasons);
    let exports = facts.exports.iter().filter(|name| imports::is_open(name));
    let mut exports: Vec<String> = exports.cloned().collect();
    exports.sort();
    if exports.is_empty() {
        reasons.add(
            "missing-export",
            "the component exports no interface that a task could import",
            "a library exports interfaces such as `acme:text/case@1.0.0`",
        );
    }
    match reasons.0.is_empty() {
        true => Ok(AdmittedLibrary {
            imports: import_names(&facts),
            exports,
            bytes,
        }),
        false => Err(reasons.into()),
    }
}
