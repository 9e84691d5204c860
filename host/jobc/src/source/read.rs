//! Reads `module` and `script`.

use super::{Engine, Image, Script, ScriptText, Source, image};
use crate::definition::Spot;
use crate::read::{self, Fields, Value, clip};
use crate::report::Report;
use crate::{script, suggest, values};
use toml::de::DeValue;
use wasmhost_proto::Digest;
use wasmhost_proto::limits::MAX_SCRIPT;

const HELP: &str = "write \"name\", \"name:version\", \"sha256:…\", { crate = \"tasks/count\" } or { path = \"count.wasm\" }";
const SCRIPT_HELP: &str = "write \"report.js\", { js = \"…\" }, { rhai = \"…\" } or { path = \"report\", engine = \"js\" }";

/// Reads `module` or `script`.
pub(crate) fn read(report: &mut Report<'_>, table: &Fields<'_, '_>) -> Option<Spot<Source>> {
    match (table.get("module"), table.get("script")) {
        (Some(_), Some(script)) => {
            let message = "`module` and `script` are both given";
            report.add("conflict", Some(&script.span()), message, "choose one");
            None
        }
        (Some(value), None) => module(report, table, value),
        (None, Some(value)) => script(report, table, value),
        (None, None) => {
            let message = format!("`{}` is missing", table.path("module"));
            report.add("missing-key", Some(&table.at), message, HELP);
            None
        }
    }
}

fn module(
    report: &mut Report<'_>,
    table: &Fields<'_, '_>,
    value: &Value<'_>,
) -> Option<Spot<Source>> {
    let path = table.path("module");
    let source = match value.get_ref() {
        DeValue::String(_) => {
            let reference = table.filled(report, "module")?;
            stored(report, &path, &reference)?
        }
        DeValue::Table(_) => {
            let fields = Fields::of(report, path, value)?;
            fields.only(report, &["crate", "path"], |_| None);
            let (key, text) = choice(
                report,
                &fields,
                &["crate", "path"],
                &["crate", "path"],
                ("names no module", HELP),
            )?;
            match key {
                "crate" => Source::Crate(text.value),
                _ => Source::Path(text.value),
            }
        }
        other => {
            read::wrong_type(report, &path, "text or a table", other, value.span());
            return None;
        }
    };
    Some(Spot {
        value: source,
        at: value.span(),
    })
}

fn script(
    report: &mut Report<'_>,
    table: &Fields<'_, '_>,
    value: &Value<'_>,
) -> Option<Spot<Source>> {
    const KEYS: [&str; 5] = ["js", "rhai", "python", "path", "engine"];
    let path = table.path("script");
    let script = match value.get_ref() {
        DeValue::String(_) => {
            let file = table.filled(report, "script")?.value;
            let engine = engine_of(report, &path, &file, value)?;
            Script {
                engine,
                from: ScriptText::File(file),
            }
        }
        DeValue::Table(_) => {
            let fields = Fields::of(report, path.clone(), value)?;
            fields.only(report, &KEYS, |_| None);
            let (key, text) = choice(
                report,
                &fields,
                &KEYS[..4],
                &KEYS,
                ("has no text", SCRIPT_HELP),
            )?;
            let engine = engine(report, &fields);
            if key == "path" {
                let engine = match fields.get("engine") {
                    Some(_) => engine?,
                    None => engine_of(report, &fields.path("path"), &text.value, value)?,
                };
                Script {
                    engine,
                    from: ScriptText::File(text.value),
                }
            } else {
                if let Some(engine) = fields.get("engine") {
                    let message = "`engine` goes with `path` only";
                    report.add("unfit-key", Some(&engine.span()), message, "");
                }
                let engine = Engine::ALL.into_iter().find(|e| e.name() == key)?;
                inline(report, engine, &text)?;
                Script {
                    engine,
                    from: ScriptText::Inline(text.value),
                }
            }
        }
        other => {
            read::wrong_type(report, &path, "text or a table", other, value.span());
            return None;
        }
    };
    Some(Spot {
        value: Source::Script(script),
        at: value.span(),
    })
}

/// Reports what is wrong with a script in the definition.
fn inline(report: &mut Report<'_>, engine: Engine, text: &Spot<String>) -> Option<()> {
    let bytes = text.value.len();
    if bytes > MAX_SCRIPT {
        let message = format!("the script has {bytes} bytes, and may have {MAX_SCRIPT}");
        report.add("too-large", Some(&text.at), message, "");
        return None;
    }
    let Some(mistake) = script::find(engine, &text.value) else {
        return Some(());
    };
    let at = report.within(text, &mistake.at);
    report.add(mistake.code, Some(&at), mistake.message, mistake.help);
    None
}

/// The only one of some keys that is given, and its text.
fn choice<'k>(
    report: &mut Report<'_>,
    fields: &Fields<'_, '_>,
    keys: &[&'k str],
    known: &[&str],
    (lacks, help): (&str, &str),
) -> Option<(&'k str, Spot<String>)> {
    let given = keys.iter().filter(|key| fields.get(key).is_some());
    match given.copied().collect::<Vec<_>>().as_slice() {
        [key] => Some((key, fields.filled(report, key)?)),
        // A mistake about the keys themselves says it all.
        [] if fields.has_other(known) => None,
        [] => {
            let message = format!("`{}` {lacks}", fields.name());
            report.add("missing-key", Some(&fields.at), message, help);
            None
        }
        several => {
            let message = format!("`{}` has {} at once", fields.name(), several.join(" and "));
            report.add("conflict", Some(&fields.at), message, "choose one");
            None
        }
    }
}

fn engine(report: &mut Report<'_>, fields: &Fields<'_, '_>) -> Option<Engine> {
    let written = fields.text(report, "engine")?;
    let known = Engine::ALL.map(Engine::name);
    let engine = Engine::ALL.into_iter().find(|e| e.name() == written.value);
    if engine.is_none() {
        let message = format!(
            "`{}` cannot be \"{}\"",
            fields.path("engine"),
            clip(&written.value)
        );
        report.add(
            "bad-value",
            Some(&written.at),
            message,
            suggest::help(&written.value, &known),
        );
    }
    engine
}

fn engine_of(report: &mut Report<'_>, path: &str, file: &str, value: &Value<'_>) -> Option<Engine> {
    let engine = Engine::of(file);
    if engine.is_none() {
        let message = format!("`{path}` does not tell its language: \"{}\"", clip(file));
        let help = "end it with .js, .mjs, .rhai or .py, or write { path = \"…\", engine = \"js\" }; \
            for a text in the definition write { js = \"…\" }";
        report.add("bad-value", Some(&value.span()), message, help);
    }
    engine
}

/// A reference to a stored module, well formed.
fn stored(report: &mut Report<'_>, path: &str, text: &Spot<String>) -> Option<Source> {
    let reference = text.value.as_str();
    if Image::is_meant(reference) {
        return match reference.parse::<Image>() {
            Ok(_) => Some(Source::Image(reference.to_owned())),
            Err(why) => {
                let message = format!(
                    "`{path}` is no reference to an image: {why}: \"{}\"",
                    clip(reference)
                );
                report.add("bad-value", Some(&text.at), message, image::HELP);
                None
            }
        };
    }
    let fits = match reference.strip_prefix(Digest::PREFIX) {
        Some(hex) => (8..=64).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => {
            let (name, version) = reference.split_once(':').unwrap_or((reference, "0"));
            values::is_name(name) && values::is_version(version)
        }
    };
    let shown = clip(reference);
    let help = match reference {
        r if r.starts_with(Digest::PREFIX) => {
            "write sha256: and 8 to 64 hexadecimal digits".to_owned()
        }
        r if r.ends_with(".wasm") || r.ends_with(".wat") => {
            format!("for a file write {{ path = \"{shown}\" }}")
        }
        r if Engine::of(r).is_some() => format!("for a script write script = \"{shown}\""),
        r if r.contains(['/', '\\']) => {
            format!(
                "write {{ crate = \"{shown}\" }} for a crate, {{ path = \"{shown}\" }} for a file"
            )
        }
        _ => HELP.to_owned(),
    };
    if fits {
        return Some(Source::Stored(reference.to_owned()));
    }
    report.add(
        "bad-value",
        Some(&text.at),
        format!("`{path}` is no reference to a module: \"{shown}\""),
        help,
    );
    None
}
