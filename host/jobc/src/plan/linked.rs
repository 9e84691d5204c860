//! Modules with their libraries: what a node runs when its module leaves imports open.

use super::Planner;
use crate::catalogue::{Catalogue, ModuleFacts};
use crate::compose::{self, Wiring};
use crate::definition::Node;
use std::collections::BTreeMap;
use wasmhost_proto::Digest;
use wasmhost_proto::api::{Diagnostic, ImportView};

/// What a module becomes with its libraries, or why it cannot; none when it needs none.
pub(super) type Found = Result<Option<Linked>, Vec<Diagnostic>>;

/// A module with its libraries.
pub(super) struct Linked {
    /// What runs.
    facts: ModuleFacts,
    /// The libraries in it.
    wiring: Wiring,
}

impl Planner<'_> {
    /// What runs for a module; none, with reports, where its imports stay open.
    pub(super) fn linked(&mut self, node: &Node, module: ModuleFacts) -> Option<ModuleFacts> {
        let catalogue = self.catalogue?;
        let found = (self.linked.entry(module.digest)).or_insert_with(|| link(catalogue, module));
        match found {
            Ok(linked) => Some(linked.as_ref().map_or(module, |linked| linked.facts)),
            Err(faults) => {
                self.report.all(faults, &node.source.at);
                None
            }
        }
    }

    /// What satisfies the imports of a module, as far as that is known.
    pub(super) fn satisfied(&self, module: ModuleFacts) -> Vec<ImportView> {
        let Some(catalogue) = self.catalogue else {
            return Vec::new();
        };
        let wiring = match self.linked.get(&module.digest) {
            Some(Ok(linked)) => linked.as_ref().map(|linked| &linked.wiring),
            Some(Err(_)) | None => None,
        };
        compose::imports(&catalogue.imports(module.digest), wiring)
    }
}

fn link(catalogue: &dyn Catalogue, module: ModuleFacts) -> Found {
    if !catalogue.is_open(module.digest) {
        return Ok(None);
    }
    let imports = catalogue.imports(module.digest);
    let Some(wiring) = compose::wire(module.digest, &imports, catalogue.libraries())? else {
        return Ok(None);
    };
    match catalogue.composed(&wiring.parts()) {
        Some(Ok(facts)) => Ok(Some(Linked { facts, wiring })),
        Some(Err(faults)) => Err(faults),
        None => Err(vec![Diagnostic {
            code: "not-composed".into(),
            message: "the module is not composed with its libraries yet".into(),
            help: Some("submit it again in a moment".into()),
            span: None,
            file: None,
        }]),
    }
}

/// What was composed of what.
pub(super) fn composed(linked: &BTreeMap<Digest, Found>) -> BTreeMap<Digest, Digest> {
    let linked = linked.iter();
    linked
        .filter_map(|(module, found)| {
            let linked = found.as_ref().ok()?.as_ref()?;
            Some((*module, linked.facts.digest))
        })
        .collect()
}
