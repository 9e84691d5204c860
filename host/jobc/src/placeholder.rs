//! Placeholders of a task's input, arguments and environment: found and checked
//! before a million indexes find out one by one.

use crate::array::Items;
use crate::definition::Spot;
use crate::read::clip;
use crate::report::Report;
use crate::scope::Params;
use crate::suggest;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::ops::Range;
use wasmhost_proto::limits::MAX_PLACEHOLDERS;

const NAMES: [&str; 4] = ["item", "index", "count", "params"];

/// The different placeholders of one task, each with its first place.
#[derive(Default)]
pub(crate) struct Placeholders {
    found: BTreeMap<String, Range<usize>>,
    too_many: bool,
}

impl Placeholders {
    /// Finds those of one text, which stands at `at`.
    pub(crate) fn find(&mut self, report: &mut Report<'_>, text: &str, at: &Range<usize>) {
        let mut rest = text;
        while let Some(open) = rest.find("${") {
            let Some(close) = rest[open..].find('}') else {
                let message = format!(
                    "'{}' opens a placeholder and does not close it",
                    clip(&rest[open..])
                );
                report.add(
                    "bad-placeholder",
                    Some(at),
                    message,
                    "write ${item}, ${item.key}, ${index}, ${count} or ${params.NAME}",
                );
                return;
            };
            let name = &rest[open + 2..open + close];
            rest = &rest[open + close + 1..];
            if self.found.contains_key(name) {
                continue;
            }
            if self.found.len() < MAX_PLACEHOLDERS {
                self.found.insert(name.to_owned(), at.clone());
            } else if !std::mem::replace(&mut self.too_many, true) {
                let message =
                    format!("more than {MAX_PLACEHOLDERS} different placeholders in one task");
                report.add(
                    "too-many-placeholders",
                    Some(at),
                    message,
                    "take ${item} as a whole",
                );
            }
        }
    }

    /// Reports those that can never be filled from these items, parameters and secrets.
    pub(crate) fn check(
        &self,
        report: &mut Report<'_>,
        items: &Items<'_>,
        params: &Params,
        secrets: &[Spot<String>],
    ) {
        let parsed: Vec<Json> = match items {
            Items::Values(texts) if self.found.keys().any(|name| name.starts_with("item.")) => {
                texts
                    .iter()
                    .map(|text| serde_json::from_str(text).unwrap_or_default())
                    .collect()
            }
            _ => Vec::new(),
        };
        for (name, at) in &self.found {
            if let Some(param) = name.strip_prefix("params.").filter(|p| !p.contains('.')) {
                params.find(report, param, at);
            } else if let Some(secret) = name.strip_prefix("secrets.") {
                if !secrets.iter().any(|known| known.value == secret) {
                    let message = format!("'${{{}}}' is no secret that can stand here", clip(name));
                    let help =
                        "secrets stand in `config` and `env` of tasks whose `secrets` name them";
                    report.add("bad-placeholder", Some(at), message, help);
                }
            } else if let Some((message, help)) = fault(name, items, &parsed) {
                report.add("bad-placeholder", Some(at), message, help);
            }
        }
    }
}

/// What is wrong with a placeholder, and what to do about it.
fn fault(name: &str, items: &Items<'_>, parsed: &[Json]) -> Option<(String, String)> {
    let shown = clip(name);
    let (head, path) = match name.split_once('.') {
        Some((head, path)) => (head, Some(path)),
        None => (name, None),
    };
    if head == "params" {
        let message = format!("'${{{shown}}}' names no parameter");
        return Some((message, "write ${params.NAME}".into()));
    }
    if !NAMES.contains(&head) || (head != "item" && path.is_some()) {
        let meant = suggest::nearest(head, &NAMES);
        let help = meant.map_or(
            "known are ${item}, ${item.key}, ${index}, ${count} and ${params.NAME}".into(),
            |name| format!("did you mean ${{{name}}}?"),
        );
        return Some((format!("unknown placeholder '${{{shown}}}'"), help));
    }
    if head != "item" {
        return None;
    }
    match (items, path) {
        (Items::None, _) => Some((
            format!("'${{{shown}}}' has no value: the task has no array"),
            "give the task an `array`, or write the value itself".into(),
        )),
        (_, None) | (Items::Unknown, _) => None,
        (Items::Numbers, Some(_)) => Some((
            format!("'${{{shown}}}' has no value: the items are numbers"),
            "write ${item}".into(),
        )),
        (Items::Texts, Some(_)) => Some((
            format!("'${{{shown}}}' has no value: the items are texts"),
            "write ${item}".into(),
        )),
        (Items::Values(_), Some(path)) => {
            let lacks = |item: &Json| {
                path.split('.')
                    .try_fold(item, |value, key| value.get(key))
                    .is_none()
            };
            let index = parsed.iter().position(lacks)?;
            let item = clip(&parsed[index].to_string());
            Some((
                format!("'${{{shown}}}' has no value in item {index}: {item}"),
                String::new(),
            ))
        }
    }
}
