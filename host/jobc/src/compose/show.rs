//! What satisfies the imports of a module with its libraries, for people; and the same
//! for modules that only the client has.

use super::{Library, Wiring, wire};
use crate::module::satisfied;
use crate::parse::parse;
use crate::report::Report;
use std::collections::BTreeMap;
use wasmhost_proto::Digest;
use wasmhost_proto::api::{Diagnostic, ImportView, SatisfiedBy};

/// What satisfies each import of a module: a library, where the wiring says so, whose own
/// imports follow; else the sandbox, or nothing.
pub fn imports(imports: &[String], wiring: Option<&Wiring>) -> Vec<ImportView> {
    let Some(wiring) = wiring else {
        return satisfied(imports);
    };
    let all = wiring.libraries.iter().flat_map(|l| &l.imports);
    let all: Vec<String> = imports.iter().chain(all).cloned().collect();
    let linked = |view: &ImportView| wiring.links.iter().any(|link| link.import == view.name);
    let links = wiring.links.iter().map(|link| ImportView {
        name: link.import.clone(),
        functions: Vec::new(),
        by: SatisfiedBy::Library,
        grant: None,
        library: Some(wiring.libraries[link.library].name.clone()),
        of: link.user.map(|user| wiring.libraries[user].name.clone()),
    });
    let links = links.collect::<Vec<_>>();
    let rest = satisfied(&all).into_iter().filter(|view| !linked(view));
    links.into_iter().chain(rest).collect()
}

/// A module that only the client has.
pub struct Local<'a> {
    /// Its digest.
    pub digest: Digest,
    /// What it imports.
    pub imports: &'a [String],
}

/// The mistakes that a submission would find in the imports of modules of the client,
/// which are given by their source as written.
pub fn locally(
    definition: &str,
    modules: &BTreeMap<String, Local<'_>>,
    libraries: &[Library],
) -> Result<(), Vec<Diagnostic>> {
    let parsed = parse(definition)?;
    let mut report = Report::new(definition);
    for node in &parsed.nodes {
        let source = &node.source;
        let Some(local) = modules.get(&source.value.written()) else {
            continue;
        };
        if let Err(faults) = wire(local.digest, local.imports, libraries) {
            report.all(&faults, &source.at);
        }
    }
    match report.is_empty() {
        true => Ok(()),
        false => Err(report.finish()),
    }
}
