//! Reads `array`: a range, items one by one, a list that the client makes, or the
//! results of another task.

use crate::definition::{ArraySource, Bound, List, Spot};
use crate::params::{Kind, fill};
use crate::read::{self, Fields, Value, clip};
use crate::report::Report;
use crate::scope::Scope;
use std::ops::Range;
use wasmhost_proto::limits::{MAX_ARRAY, MAX_BLOB, MAX_ITEM_BYTES, MAX_ITEMS};

const KEYS: [&str; 8] = [
    "range", "step", "items", "lines", "files", "batch", "results", "elements",
];
const KINDS: [&str; 6] = ["range", "items", "lines", "files", "results", "elements"];
const HELP: &str = "write { range = [0, 100] }, { items = [\"a\", \"b\"] }, { lines = \"urls.txt\" }, { files = [\"texts/*.md\"] } or { results = \"TASK\" }";

/// What `${item}` can stand for.
pub(crate) enum Items<'a> {
    /// Nothing: a single task.
    None,
    /// Numbers of a range.
    Numbers,
    /// Lines, or paths of files.
    Texts,
    /// JSON texts.
    Values(&'a [String]),
    /// Anything: it is known when another task has ended.
    Unknown,
}

impl<'a> Items<'a> {
    /// The items of a node's array.
    pub(crate) fn of(array: Option<&'a ArraySource>) -> Items<'a> {
        match array {
            None => Items::None,
            Some(ArraySource::Range { .. }) => Items::Numbers,
            Some(ArraySource::Items(texts)) => Items::Values(texts),
            Some(ArraySource::Listed(_) | ArraySource::ItemsOf(_)) => Items::Texts,
            Some(ArraySource::Results(_) | ArraySource::Elements(_) | ArraySource::Spawned(_)) => {
                Items::Unknown
            }
        }
    }
}

/// Reads the value of `array`.
pub(crate) fn read(
    report: &mut Report<'_>,
    path: String,
    value: &Value<'_>,
    scope: &mut Scope<'_>,
) -> Option<Spot<ArraySource>> {
    let fields = Fields::of(report, path.clone(), value)?;
    fields.only(report, &KEYS, |_| None);
    let given: Vec<&str> = KINDS
        .into_iter()
        .filter(|kind| fields.get(kind).is_some())
        .collect();
    for (key, of) in [("step", "range"), ("batch", "files")] {
        if let (Some(value), false) = (fields.get(key), given.contains(&of)) {
            let message = format!("`{key}` goes with `{of}` only");
            report.add("unfit-key", Some(&value.span()), message, "");
        }
    }
    let source = match given.as_slice() {
        ["range"] => range(report, &fields, scope)?,
        ["items"] => items(report, &fields, scope)?,
        ["results"] => {
            let name = fields.filled(report, "results")?;
            ArraySource::Results(scope.task(report, &name)?)
        }
        ["elements"] => {
            let name = fields.filled(report, "elements")?;
            ArraySource::Elements(scope.task(report, &name)?)
        }
        ["lines"] => ArraySource::Listed(List::Lines(fields.filled(report, "lines")?.value)),
        ["files"] => ArraySource::Listed(files(report, &fields)?),
        [] if fields.has_other(&KEYS) => return None,
        [] => {
            report.add(
                "missing-key",
                Some(&fields.at),
                format!("`{path}` says nothing of its items"),
                HELP,
            );
            return None;
        }
        several => {
            let message = format!("`{path}` has {} at once", several.join(" and "));
            report.add("conflict", Some(&fields.at), message, "choose one");
            return None;
        }
    };
    Some(Spot {
        value: source,
        at: value.span(),
    })
}

fn range(
    report: &mut Report<'_>,
    fields: &Fields<'_, '_>,
    scope: &Scope<'_>,
) -> Option<ArraySource> {
    let value = fields.get("range")?;
    let (start, end) = bounds(report, &fields.path("range"), value, scope)?;
    let step = match fields.get("step") {
        Some(step) => Spot {
            value: bound(report, &fields.path("step"), step, scope)?,
            at: step.span(),
        },
        None => Spot {
            value: Bound::Number(1),
            at: value.span(),
        },
    };
    if let (Bound::Number(start), Bound::Number(end), Bound::Number(number)) =
        (&start, &end, &step.value)
        && let Err(fault) = numbers(*start, *end, *number)
    {
        let at = match number {
            0 => step.at,
            _ => value.span(),
        };
        report.add(fault.code, Some(&at), fault.message, fault.help);
        return None;
    }
    Some(ArraySource::Range {
        start,
        end,
        step: step.value,
    })
}

/// Why numbers make no array.
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

/// How many numbers go from `start` to `end`, which is not part of them.
pub(crate) fn numbers(start: i64, end: i64, step: i64) -> Result<u32, Fault> {
    if step == 0 {
        return Err(Fault {
            code: "bad-value",
            message: "a step of 0 never arrives".into(),
            help: "leave `step` out for a step of 1",
        });
    }
    let distance = i128::from(end) - i128::from(start);
    let size = i128::from(step);
    // Rounded up: the end is not part of the range.
    let count = if distance.signum() == size.signum() {
        (distance.abs() + size.abs() - 1) / size.abs()
    } else {
        0
    };
    if count == 0 {
        return Err(Fault {
            code: "empty-array",
            message: format!("no number goes from {start} to {end} in steps of {step}"),
            help: "the end is not part of the range",
        });
    }
    match u32::try_from(count) {
        Ok(count) if u64::from(count) <= MAX_ARRAY => Ok(count),
        _ => Err(Fault {
            code: "too-large",
            message: format!("the range has {count} numbers, and an array at most {MAX_ARRAY}"),
            help: "let each index do more of the work",
        }),
    }
}

/// `[0, 100]` or `"0..100"`.
fn bounds(
    report: &mut Report<'_>,
    path: &str,
    value: &Value<'_>,
    scope: &Scope<'_>,
) -> Option<(Bound, Bound)> {
    const HELP: &str = "write [0, 100] or \"0..100\" for the numbers from 0 to 99";
    if let Some(text) = value.get_ref().as_str() {
        let number = |text: &str| text.trim().parse().ok().map(Bound::Number);
        let ends = text
            .split_once("..")
            .and_then(|(a, b)| Some((number(a)?, number(b)?)));
        if ends.is_none() {
            let message = format!("`{path}` is not a range: \"{}\"", clip(text));
            let help = match text.contains("${") {
                true => "write [0, \"${params.NAME}\"] for a bound that is given",
                false => HELP,
            };
            report.add("bad-value", Some(&value.span()), message, help);
        }
        return ends;
    }
    match read::list(report, path, value)? {
        [start, end] => {
            let start = bound(report, path, start, scope);
            Some((start?, bound(report, path, end, scope)?))
        }
        other => {
            let message = format!(
                "`{path}` must have a start and an end, not {} values",
                other.len()
            );
            report.add("bad-value", Some(&value.span()), message, HELP);
            None
        }
    }
}

/// A number, or a text that is nothing but `${params.NAME}`.
fn bound(
    report: &mut Report<'_>,
    path: &str,
    value: &Value<'_>,
    scope: &Scope<'_>,
) -> Option<Bound> {
    let Some(name) = value.get_ref().as_str().and_then(fill::whole) else {
        return read::integer(report, path, value).map(Bound::Number);
    };
    let at = value.span();
    let fits = |kind: &Kind| *kind == Kind::Integer;
    let name = scope
        .params
        .of_kind(report, name, &at, fits, "whole number")?;
    Some(Bound::Param(name))
}

fn items(
    report: &mut Report<'_>,
    fields: &Fields<'_, '_>,
    scope: &Scope<'_>,
) -> Option<ArraySource> {
    let value = fields.get("items")?;
    let path = fields.path("items");
    if let Some(name) = value.get_ref().as_str().and_then(fill::whole) {
        let fits = |kind: &Kind| matches!(kind, Kind::List(_));
        let name = scope
            .params
            .of_kind(report, name, &value.span(), fits, "list")?;
        return Some(ArraySource::ItemsOf(name));
    }
    let list = read::list(report, &path, value)?;
    if !count_fits(report, &path, list.len(), &value.span()) {
        return None;
    }
    let texts = list
        .iter()
        .enumerate()
        .map(|(i, item)| read::json(report, &format!("{path}[{i}]"), item));
    let texts: Vec<Option<String>> = texts
        .map(|item| item.map(|json| json.to_string()))
        .collect();
    let texts = texts.into_iter().collect::<Option<Vec<String>>>()?;
    if let Some(long) = texts.iter().position(|text| text.len() > MAX_ITEM_BYTES) {
        let message = format!(
            "`{path}[{long}]` has {} bytes, and may have {MAX_ITEM_BYTES}",
            texts[long].len()
        );
        report.add(
            "too-large",
            Some(&list[long].span()),
            message,
            "put the data into files",
        );
        return None;
    }
    Some(ArraySource::Items(texts))
}

fn files(report: &mut Report<'_>, fields: &Fields<'_, '_>) -> Option<List> {
    let value = fields.get("files")?;
    let before = fields.texts(report, "files");
    let patterns: Vec<String> = before.into_iter().map(|spot| spot.value).collect();
    if patterns.is_empty() || patterns.iter().any(|p| p.trim().is_empty()) {
        let message = format!("`{}` names no file", fields.path("files"));
        report.add(
            "empty",
            Some(&value.span()),
            message,
            "write paths such as [\"texts/**/*.md\"]",
        );
        return None;
    }
    let batch = fields.measure(report, "batch", &read::SIZE, 1..=MAX_BLOB);
    Some(List::Files { patterns, batch })
}

/// Whether an array of items has neither none nor too many; reports it if not.
pub(crate) fn count_fits(
    report: &mut Report<'_>,
    what: &str,
    count: usize,
    at: &Range<usize>,
) -> bool {
    if count == 0 {
        report.add(
            "empty-array",
            Some(at),
            format!("`{what}` has no items"),
            "a job has at least one task",
        );
    } else if count > MAX_ITEMS {
        let message = format!("`{what}` has {count} items, and an array at most {MAX_ITEMS}");
        report.add(
            "too-large",
            Some(at),
            message,
            "put several into one item, or use a range",
        );
    }
    (1..=MAX_ITEMS).contains(&count)
}
