//! Values of a definition as JSON.

use super::{Value, integer};
use crate::report::Report;
use serde_json::Value as Json;
use std::ops::Range;
use toml::de::DeValue;
use wasmhost_proto::limits::MAX_VALUE_DEPTH;

/// The value as JSON: dates become texts. Not-a-number and infinities have no JSON.
pub(crate) fn json(report: &mut Report<'_>, path: &str, value: &Value<'_>) -> Option<Json> {
    nested(report, path, value, MAX_VALUE_DEPTH)
}

fn nested(report: &mut Report<'_>, path: &str, value: &Value<'_>, depth: usize) -> Option<Json> {
    let Some(depth) = depth.checked_sub(1) else {
        let message = format!("`{path}` is nested more than {MAX_VALUE_DEPTH} levels deep");
        report.add(
            "too-deep",
            Some(&value.span()),
            message,
            "give it as a file or as text",
        );
        return None;
    };
    Some(match value.get_ref() {
        DeValue::String(text) => Json::from(text.as_ref()),
        DeValue::Integer(_) => Json::from(integer(report, path, value)?),
        DeValue::Boolean(flag) => Json::from(*flag),
        DeValue::Datetime(time) => Json::from(time.to_string()),
        DeValue::Float(number) => match number
            .as_str()
            .parse()
            .ok()
            .and_then(serde_json::Number::from_f64)
        {
            Some(number) => Json::Number(number),
            None => {
                let message = format!("`{path}` has no JSON form: {}", number.as_str());
                report.add(
                    "bad-value",
                    Some(&value.span()),
                    message,
                    "JSON knows finite numbers only",
                );
                return None;
            }
        },
        DeValue::Array(list) => {
            let items = list
                .iter()
                .map(|item| nested(report, path, item, depth))
                .collect::<Vec<_>>();
            Json::Array(items.into_iter().collect::<Option<_>>()?)
        }
        DeValue::Table(table) => {
            let pairs = table
                .iter()
                .map(|(k, v)| Some((k.get_ref().to_string(), nested(report, path, v, depth)?)));
            Json::Object(
                pairs
                    .collect::<Vec<_>>()
                    .into_iter()
                    .collect::<Option<_>>()?,
            )
        }
    })
}

/// Calls `visit` with every text inside a value that [`json`] has read.
pub(crate) fn each_text(value: &Value<'_>, visit: &mut impl FnMut(&str, Range<usize>)) {
    match value.get_ref() {
        DeValue::String(text) => visit(text, value.span()),
        DeValue::Array(list) => list.iter().for_each(|v| each_text(v, visit)),
        DeValue::Table(table) => table.values().for_each(|v| each_text(v, visit)),
        _ => {}
    }
}
