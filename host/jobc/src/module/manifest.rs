//! The manifest: what a module says of itself, read, bounded, completed, and put where
//! everybody looks for it.

use super::inspect::Facts;
use super::{Hint, Reasons, Rejection, reject};
use crate::values::{is_name, is_version};
use wasm_encoder::{CustomSection, Section as _};
use wasmhost_proto::limits::{MAX_MANIFEST, MAX_MODULE};
use wasmhost_proto::module::{MANIFEST_SECTION, Manifest};
use wasmparser::{Parser, Payload, ProducersSectionReader};

/// Tools named at most: a composed component names them once per part.
const MAX_PRODUCERS: usize = 8;

/// The module's manifest, with the producers where it names no tools. None with reasons
/// added when it cannot be read.
pub(super) fn read(facts: &Facts, reasons: &mut Reasons) -> Option<Manifest> {
    let mut manifest = match &facts.manifest {
        Some(data) if data.len() > MAX_MANIFEST => {
            let message = format!(
                "its manifest has {} bytes, and may have {MAX_MANIFEST}",
                data.len()
            );
            reasons.add(
                "bad-manifest",
                message,
                "shorten the documentation of the task and its types",
            );
            return None;
        }
        Some(data) => match serde_json::from_slice::<Manifest>(data) {
            Ok(manifest) => manifest,
            Err(error) => {
                let message = format!("the section '{MANIFEST_SECTION}' is no manifest: {error}");
                reasons.add(
                    "bad-manifest",
                    message,
                    "build it with the SDK, one task per module",
                );
                return None;
            }
        },
        None => Manifest::default(),
    };
    if !manifest.name.is_empty() && !is_name(&manifest.name) {
        reasons.add(
            "bad-manifest",
            "the name in its manifest is no name",
            "use letters, digits and . _ -",
        );
    }
    if !manifest.version.is_empty() && !is_version(&manifest.version) {
        reasons.add(
            "bad-manifest",
            "the version in its manifest is no version",
            "use letters, digits and . _ - +",
        );
    }
    if manifest.sdk.is_empty() {
        manifest.sdk = facts.producers.join(", ");
    }
    Some(manifest)
}

/// Gives a manifest the hint's name and version where it has none.
pub(super) fn complete(manifest: &mut Manifest, hint: &Hint) {
    for (field, hint) in [
        (&mut manifest.name, &hint.name),
        (&mut manifest.version, &hint.version),
    ] {
        if field.is_empty() {
            *field = hint.clone().unwrap_or_default();
        }
    }
}

/// Puts a manifest at the end of a module, core or component: a section that has no
/// meaning for running. Depends on nothing but the content, so that it is the same for
/// the same upload under another name.
pub(super) fn stamp(module: &mut Vec<u8>, manifest: &Manifest) -> Result<(), Rejection> {
    let len = append(module, manifest);
    if len > MAX_MANIFEST || module.len() as u64 > MAX_MODULE {
        return Err(reject(
            "too-large",
            format!(
                "with its manifest the module has {} bytes, and may have {MAX_MODULE}; \
                 the manifest has {len}, and may have {MAX_MANIFEST}",
                module.len(),
            ),
            "strip its debug information, or shorten the documentation of its types",
        ));
    }
    Ok(())
}

/// Writes the section behind all others; the bytes of the manifest.
pub(super) fn append(module: &mut Vec<u8>, manifest: &Manifest) -> usize {
    // A manifest is texts, numbers and JSON: there is nothing that JSON cannot say.
    let data = serde_json::to_vec(manifest).unwrap_or_default();
    let section = CustomSection {
        name: MANIFEST_SECTION.into(),
        data: data.as_slice().into(),
    };
    section.append_to(module);
    data.len()
}

/// The manifest at the top of a module that was admitted; the empty one when it has none.
pub(crate) fn of_admitted(module: &[u8]) -> Manifest {
    let mut depth = 0usize;
    let mut found = None;
    for payload in Parser::new(0).parse_all(module).map_while(Result::ok) {
        match payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section)
                if depth == 1 && section.name() == MANIFEST_SECTION && found.is_none() =>
            {
                found = serde_json::from_slice(section.data()).ok();
            }
            _ => {}
        }
    }
    found.unwrap_or_default()
}

/// Notes the tools of a producers section. A malformed one says nothing, as the
/// section has no meaning for running. Format:
/// <https://github.com/WebAssembly/tool-conventions/blob/main/ProducersSection.md>.
pub(super) fn producers(fields: ProducersSectionReader<'_>, found: &mut Vec<String>) {
    for field in fields
        .into_iter()
        .flatten()
        .filter(|f| f.name == "processed-by" || f.name == "sdk")
    {
        for value in field.values.into_iter().flatten() {
            let tool: String = format!("{} {}", value.name, value.version)
                .trim()
                .chars()
                .take(64)
                .collect();
            if found.len() < MAX_PRODUCERS && !found.contains(&tool) {
                found.push(tool);
            }
        }
    }
}
