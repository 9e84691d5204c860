//! Stored definitions: lists, versions, and what differs between two.

use super::human::{age, clean, count, instant, line};
use super::lists::short;
use super::style::{Tone, bold, dim};
use super::table::{render, table};
use serde::Serialize;
use std::fmt::Write as _;
use wasmhost_proto::Timestamp;
use wasmhost_proto::api::{DefinitionView, Page};
use wasmhost_proto::limits::MAX_NAME;

/// Characters of a note in a list.
const NOTE: usize = 60;

/// `name@version`.
pub(crate) fn name(view: &DefinitionView) -> String {
    format!("{}@{}", line(&view.name, MAX_NAME), view.version)
}

/// The latest version of each.
pub(crate) fn list(page: &Page<DefinitionView>, now: Timestamp) -> String {
    if page.items.is_empty() {
        return "no stored definitions yet: try `wasmhost definition apply FILE`\n".into();
    }
    let mut out = table(&["NAME", ">VERSION", ">AGE", ">MODULES", "NOTE"]);
    for view in &page.items {
        out.add_row([
            line(&view.name, MAX_NAME),
            view.version.to_string(),
            age(now.since(view.created)),
            view.modules.len().to_string(),
            line(&view.note, NOTE),
        ]);
    }
    render(&out)
}

/// The versions of one.
pub(crate) fn history(page: &Page<DefinitionView>, now: Timestamp) -> String {
    let mut out = table(&[">VERSION", ">AGE", "DIGEST", "NOTE"]);
    for view in &page.items {
        out.add_row([
            view.version.to_string(),
            age(now.since(view.created)),
            short(&view.digest),
            line(&view.note, NOTE),
        ]);
    }
    render(&out)
}

/// One version with its text.
pub(crate) fn whole(view: &DefinitionView) -> String {
    let mut out = String::new();
    put!(out, "{}  {}", bold(name(view)), line(&view.note, 400));
    put!(
        out,
        "{}",
        dim(format!(
            "stored {}, {}",
            instant(view.created),
            short(&view.digest)
        ))
    );
    for (source, digest) in &view.modules {
        put!(out, "{} {} {}", dim("module"), line(source, 200), digest);
    }
    for (path, blob) in view.files.iter().take(SHOWN) {
        put!(out, "{} {} {}", dim("file"), line(path, 200), blob.digest);
    }
    if view.files.len() > SHOWN {
        let more = count((view.files.len() - SHOWN) as u64, "file");
        put!(out, "{}", dim(format!("and {more} not shown")));
    }
    for (key, items) in &view.lists {
        let items = count(items.len() as u64, "item");
        put!(out, "{} {} {items}", dim("list"), line(key, 200));
    }
    let text = view.definition.as_deref().unwrap_or_default();
    put!(out, "\n{}", clean(text).trim_end());
    out
}

/// Files of a version that are shown: the rest is counted.
const SHOWN: usize = 20;

/// What differs between two versions.
#[derive(Serialize)]
pub(crate) struct Difference {
    /// The first.
    pub(crate) from: String,
    /// The second.
    pub(crate) to: String,
    /// The texts, as a unified diff; empty when they are equal.
    pub(crate) text: String,
    /// Modules by their source.
    pub(crate) modules: Vec<Changed>,
    /// Files by their path.
    pub(crate) files: Vec<Changed>,
    /// Lists by their key.
    pub(crate) lists: Vec<Changed>,
}

/// Something named that was one thing and is another; none where it is not.
#[derive(Serialize)]
pub(crate) struct Changed {
    /// Its name.
    pub(crate) name: String,
    /// What it was.
    pub(crate) from: Option<String>,
    /// What it is.
    pub(crate) to: Option<String>,
}

/// A difference as people read it.
pub(crate) fn difference(of: &Difference) -> String {
    let mut out = String::new();
    for text in clean(&of.text).lines() {
        let tone = match text.as_bytes() {
            [b'+', ..] => Tone::Good,
            [b'-', ..] => Tone::Bad,
            [b'@', b'@', ..] => Tone::Busy,
            _ => Tone::Plain,
        };
        put!(out, "{}", tone.paint(text));
    }
    for (what, some) in [
        ("module", &of.modules),
        ("file", &of.files),
        ("list", &of.lists),
    ] {
        for one in some {
            let name = line(&one.name, 200);
            for (tone, sign, value) in [(Tone::Bad, '-', &one.from), (Tone::Good, '+', &one.to)] {
                if let Some(value) = value {
                    put!(
                        out,
                        "{}",
                        tone.paint(format!("{sign}{what} {name} {value}"))
                    );
                }
            }
        }
    }
    if out.is_empty() {
        put!(out, "{} and {} are equal", of.from, of.to);
    }
    out
}
