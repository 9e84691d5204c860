//! Libraries for modules that lie on this machine: those in files, and the primary's.

use super::context::Context;
use super::exit::{Exit, Fault};
use super::modules;
use super::submit::prepare::LocalModule;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wasmhost_jobc::compose::{Library, Local, imports, is_open, locally, wire};
use wasmhost_jobc::module::{Hint, admit_library, granted};
use wasmhost_proto::Digest;
use wasmhost_proto::api::{CheckView, Diagnostic};
use wasmhost_proto::grants::GrantKind;

/// The libraries that are known; none when nobody could be asked.
pub(crate) struct Shelf(Option<Vec<Library>>);

impl Shelf {
    /// Reads files, and asks the primary, if it answers, where modules need libraries.
    pub(crate) async fn of(
        files: &[PathBuf],
        modules: &BTreeMap<String, LocalModule>,
        cx: &Context,
        answers: bool,
    ) -> anyhow::Result<Shelf> {
        let own = files.iter().map(|file| library(file));
        let mut known: Vec<Library> = own.collect::<Result<_, _>>()?;
        let needed = modules.values().flat_map(|m| &m.imports);
        if !needed.into_iter().any(|import| is_open(import)) {
            return Ok(Shelf(Some(known)));
        }
        if answers {
            let page = cx.client().await?.libraries().await?;
            known.extend(page.items.into_iter().map(|view| Library {
                name: view.name,
                digest: view.digest,
                len: view.len,
                exports: view.exports,
                imports: view.imports,
            }));
        }
        let told = answers || !files.is_empty();
        Ok(Shelf(told.then_some(known)))
    }

    /// The mistakes that a submission would find in the imports of modules.
    pub(crate) fn judge(
        &self,
        definition: &str,
        modules: &BTreeMap<String, LocalModule>,
    ) -> Result<(), Vec<Diagnostic>> {
        let Some(known) = &self.0 else {
            return Ok(());
        };
        let modules = modules.iter().map(|(source, module)| {
            let local = Local {
                digest: module.digest,
                imports: &module.imports,
            };
            (source.clone(), local)
        });
        locally(definition, &modules.collect(), known)
    }

    /// Tells of the nodes whose modules lie here what they run, and what satisfies its imports.
    pub(crate) fn complete(&self, view: &mut CheckView, modules: &BTreeMap<String, LocalModule>) {
        let known = self.0.as_deref().unwrap_or_default();
        for node in view.nodes.iter_mut().filter(|node| node.module.is_none()) {
            let Some(local) = modules.get(&node.source) else {
                continue;
            };
            let wired = wire(local.digest, &local.imports, known);
            let wiring = wired.ok().flatten();
            let has_files = !node.files.is_empty() || node.scratch.is_some();
            let network = GrantKind::Network.to_string();
            let sends = node.grants.iter().any(|grant| grant.kind == network);
            let all = imports(&local.imports, wiring.as_ref());
            node.imports = granted(all, has_files, sends);
            node.kind = Some(local.kind);
            // With libraries it becomes another module.
            if !local.imports.iter().any(|import| is_open(import)) {
                node.module = Some(local.digest);
            }
        }
    }
}

/// A library in a file.
fn library(path: &Path) -> anyhow::Result<Library> {
    let local = modules::file(path)?;
    let hint = Hint {
        source: Some(path.display().to_string()),
        ..Hint::default()
    };
    let admitted = admit_library(&local.bytes, &hint).map_err(|rejection| {
        let title = format!("{} is no library", path.display());
        let mut fault = Fault::new(Exit::REFUSED, "library_rejected", title);
        fault.problem.errors = rejection.diagnostics;
        fault
    })?;
    Ok(Library {
        name: local.name.unwrap_or_default(),
        digest: Digest(Sha256::digest(&admitted.bytes).into()),
        len: admitted.bytes.len() as u64,
        exports: admitted.exports,
        imports: admitted.imports,
    })
}
