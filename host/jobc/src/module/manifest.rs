//! The manifest: what a module says of itself, bounded and completed.

use super::inspect::Facts;
use super::{Hint, Reasons};
use crate::values::{is_name, is_version};
use wasmhost_proto::limits::MAX_MANIFEST;
use wasmhost_proto::module::{MANIFEST_SECTION, Manifest};
use wasmparser::ProducersSectionReader;

/// Tools named at most: a composed component names them once per part.
const MAX_PRODUCERS: usize = 8;

/// The module's manifest, with the hint's name and version and the producers
/// where it has none. None with reasons added when it cannot be read.
pub(super) fn read(facts: &Facts, hint: &Hint, reasons: &mut Reasons) -> Option<Manifest> {
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
    for (field, hint) in [
        (&mut manifest.name, &hint.name),
        (&mut manifest.version, &hint.version),
    ] {
        if field.is_empty() {
            *field = hint.clone().unwrap_or_default();
        }
    }
    if manifest.sdk.is_empty() {
        manifest.sdk = facts.producers.join(", ");
    }
    Some(manifest)
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
