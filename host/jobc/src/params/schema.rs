//! Parameters as a JSON Schema, from which forms and clients can be made.

use super::{Kind, Param};
use crate::definition::Definition;
use serde_json::{Map, Value as Json, json};

/// The JSON Schema (draft 2020-12) of what a submission may give. Durations and
/// sizes are texts, as in a definition; their bounds are `x-minimum` and `x-maximum`.
pub fn schema(definition: &Definition) -> Json {
    let properties = definition.params.iter();
    let properties: Map<String, Json> = properties
        .map(|param| (param.name.clone(), property(param)))
        .collect();
    let required = definition.params.iter().filter(|param| param.required);
    let required: Vec<&str> = required.map(|param| param.name.as_str()).collect();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    if let Some(name) = &definition.job.name {
        schema["title"] = name.as_str().into();
    }
    if !definition.job.description.is_empty() {
        schema["description"] = definition.job.description.as_str().into();
    }
    schema
}

fn property(param: &Param) -> Json {
    let mut out = match &param.kind {
        Kind::List(of) => json!({"type": "array", "items": single(param, of)}),
        kind => single(param, kind),
    };
    let (min, max) = match param.kind {
        Kind::Text => ("minLength", "maxLength"),
        Kind::List(_) => ("minItems", "maxItems"),
        Kind::Integer | Kind::Float => ("minimum", "maximum"),
        _ => ("x-minimum", "x-maximum"),
    };
    for (key, limit) in [(min, &param.min), (max, &param.max)] {
        if let Some(limit) = limit {
            out[key] = match param.kind {
                Kind::Duration | Kind::Size | Kind::Date => limit.written.as_str().into(),
                _ => limit.value.clone(),
            };
        }
    }
    if !param.help.is_empty() {
        out["description"] = param.help.as_str().into();
    }
    if let Some(default) = &param.default {
        // Read by type, as a given value is: "10" is 10 where numbers are wanted.
        let typed = param
            .read(default)
            .ok()
            .filter(|_| !param.kind.is_measure());
        out["default"] = typed.map_or_else(|| default.clone(), |value| value.json);
    }
    if !param.modifiable {
        out["readOnly"] = true.into();
    }
    out
}

fn single(param: &Param, kind: &Kind) -> Json {
    match kind {
        Kind::Text => match &param.pattern {
            Some(pattern) => {
                json!({"type": "string", "pattern": format!("^(?:{})$", pattern.written)})
            }
            None => json!({"type": "string"}),
        },
        Kind::Integer => json!({"type": "integer"}),
        Kind::Float => json!({"type": "number"}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::Choice => json!({"type": "string", "enum": param.choices}),
        Kind::Duration => json!({
            "type": "string", "format": "x-duration", "pattern": "^([0-9]+(ms|s|m|h|d) *)+$",
        }),
        Kind::Size => json!({
            "type": "string", "format": "x-size", "pattern": "^[0-9]+ *([kKmMgG][iI]?)?[bB]$",
        }),
        Kind::Date => json!({"type": "string", "format": "date"}),
        Kind::File => json!({"type": "string", "format": "x-file"}),
        Kind::List(of) => json!({"type": "array", "items": single(param, of)}),
    }
}
