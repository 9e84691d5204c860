//! Reads `module`: a stored module's reference, a crate, or a file.

use crate::definition::{Source, Spot};
use crate::read::{self, Fields, clip};
use crate::report::Report;
use crate::values;
use toml::de::DeValue;
use wasmhost_proto::Digest;

const HELP: &str = "write \"name\", \"name:version\", \"sha256:…\", { crate = \"tasks/count\" } or { path = \"count.wasm\" }";

/// Reads the value of `module`.
pub(crate) fn read(report: &mut Report<'_>, table: &Fields<'_, '_>) -> Option<Spot<Source>> {
    let path = table.path("module");
    let Some(value) = table.get("module") else {
        report.add(
            "missing-key",
            Some(&table.at),
            format!("`{path}` is missing"),
            HELP,
        );
        return None;
    };
    let at = value.span();
    let source = match value.get_ref() {
        DeValue::String(_) => {
            let reference = table.filled(report, "module")?;
            stored(report, &path, &reference)?
        }
        DeValue::Table(_) => {
            let fields = Fields::of(report, path.clone(), value)?;
            fields.only(report, &["crate", "path"], |_| None);
            match (
                fields.filled(report, "crate"),
                fields.filled(report, "path"),
            ) {
                (Some(dir), None) => Source::Crate(dir.value),
                (None, Some(file)) => Source::Path(file.value),
                (Some(_), Some(_)) => {
                    report.add(
                        "conflict",
                        Some(&at),
                        format!("`{path}` has crate and path at once"),
                        "choose one",
                    );
                    return None;
                }
                // A mistake about the keys themselves says it all.
                (None, None)
                    if fields.get("crate").or(fields.get("path")).is_some()
                        || fields.has_other(&["crate", "path"]) =>
                {
                    return None;
                }
                (None, None) => {
                    report.add(
                        "missing-key",
                        Some(&at),
                        format!("`{path}` names no module"),
                        HELP,
                    );
                    return None;
                }
            }
        }
        other => {
            read::wrong_type(report, &path, "text or a table", other, at);
            return None;
        }
    };
    Some(Spot { value: source, at })
}

/// A reference to a stored module, well formed.
fn stored(report: &mut Report<'_>, path: &str, text: &Spot<String>) -> Option<Source> {
    let reference = text.value.as_str();
    let fits = match reference.strip_prefix(Digest::PREFIX) {
        Some(hex) => (8..=64).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => {
            let (name, version) = reference.split_once(':').unwrap_or((reference, "0"));
            values::is_name(name) && values::is_version(version)
        }
    };
    if fits {
        return Some(Source::Stored(reference.to_owned()));
    }
    let shown = clip(reference);
    let help = match reference {
        r if r.starts_with(Digest::PREFIX) => {
            "write sha256: and 8 to 64 hexadecimal digits".to_owned()
        }
        r if r.contains(".wasm") => format!("for a file write {{ path = \"{shown}\" }}"),
        r if r.contains(['/', '\\']) => {
            format!(
                "write {{ crate = \"{shown}\" }} for a crate, {{ path = \"{shown}\" }} for a file"
            )
        }
        _ => HELP.to_owned(),
    };
    report.add(
        "bad-value",
        Some(&text.at),
        format!("`{path}` is no reference to a module: \"{shown}\""),
        help,
    );
    None
}
