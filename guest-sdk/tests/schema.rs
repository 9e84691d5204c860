//! The schemas that `#[derive(Schema)]` writes, against what serde makes of the types.
#![allow(dead_code)]

use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wasmhost::{Bytes, Context, Results, Schema, TaskError};

fn check<T: Schema>(want: Value) {
    let text = wasmhost::schema::to_string::<T>();
    let got: Value =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e} in the schema {text}"));
    assert_eq!(got, want, "{text}");
}

#[test]
fn types_of_the_standard_library() {
    check::<u16>(json!({"type": "integer", "minimum": 0, "maximum": 65535}));
    check::<Option<Vec<bool>>>(json!({
        "anyOf": [{"type": "array", "items": {"type": "boolean"}}, {"type": "null"}]
    }));
    check::<BTreeMap<String, (f64, [char; 2])>>(json!({
        "type": "object",
        "additionalProperties": {
            "type": "array", "minItems": 2, "maxItems": 2,
            "prefixItems": [
                {"type": "number"},
                {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 4}},
            ]
        }
    }));
    check::<Value>(json!({}));
}

/// A "quoted" \ description
/// over two lines.
///
/// And a paragraph.
#[derive(Deserialize, Schema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Named {
    /// Of the field.
    tile_width: u32,
    #[serde(rename = "other", default = "seven")]
    renamed: u64,
    maybe: Option<Unit>,
    #[serde(skip)]
    hidden: u8,
    #[serde(with = "odd")]
    #[schema(any)]
    odd: u8,
    r#type: Newtype,
}

fn seven() -> u64 {
    7
}

mod odd {
    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(d: D) -> Result<u8, D::Error> {
        serde::Deserialize::deserialize(d)
    }
}

#[derive(Deserialize, Schema)]
struct Unit;

/// A newtype.
#[derive(Deserialize, Schema)]
struct Newtype(String);

#[test]
fn structs() {
    check::<Named>(json!({
        "description": "A \"quoted\" \\ description over two lines.\n\nAnd a paragraph.",
        "type": "object",
        "properties": {
            "tileWidth": {
                "description": "Of the field.",
                "type": "integer", "minimum": 0, "maximum": 4294967295u32
            },
            "other": {"type": "integer", "minimum": 0},
            "maybe": {"anyOf": [{"type": "null"}, {"type": "null"}]},
            "odd": {},
            "type": {"description": "A newtype.", "type": "string"},
        },
        "required": ["tileWidth", "odd", "type"],
        "additionalProperties": false,
    }));
}

#[derive(Deserialize, Schema)]
struct Outer<T> {
    own: T,
    #[serde(flatten)]
    inner: Inner,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

#[derive(Deserialize, Schema)]
#[serde(default)]
struct Inner {
    pair: Pair,
}

#[derive(Deserialize, Schema)]
struct Pair(i64, #[schema(any)] Value);

impl Default for Inner {
    fn default() -> Inner {
        Inner {
            pair: Pair(0, Value::Null),
        }
    }
}

#[test]
fn generics_and_flattened_fields() {
    let pair = json!({
        "type": "array", "minItems": 2, "maxItems": 2,
        "prefixItems": [{"type": "integer"}, {}]
    });
    check::<Outer<bool>>(json!({
        "type": "object",
        "properties": {"own": {"type": "boolean"}},
        "required": ["own"],
        "allOf": [{"type": "object", "properties": {"pair": pair}}],
    }));
}

#[derive(Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
enum Plain {
    OneThing,
    #[serde(rename = "2")]
    Another,
}

#[derive(Deserialize, Schema)]
#[serde(rename_all_fields = "camelCase")]
enum External {
    /// Nothing more.
    Unit,
    New(u8),
    Named {
        a_b: bool,
    },
    #[serde(skip)]
    Hidden,
}

#[derive(Deserialize, Schema)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Internal {
    Stop,
    GoOn { by: u8 },
    Other(Inner),
}

#[derive(Deserialize, Schema)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    Unit,
    New(u8),
}

#[derive(Deserialize, Schema)]
#[serde(untagged)]
enum Untagged {
    Text(String),
    Flag(bool),
}

#[test]
fn enums() {
    let byte = json!({"type": "integer", "minimum": 0, "maximum": 255});
    check::<Plain>(json!({"type": "string", "enum": ["one-thing", "2"]}));
    check::<External>(json!({"oneOf": [
        {"description": "Nothing more.", "const": "Unit"},
        {"type": "object", "properties": {"New": byte}, "required": ["New"],
         "additionalProperties": false},
        {"type": "object", "properties": {"Named": {
            "type": "object", "properties": {"aB": {"type": "boolean"}}, "required": ["aB"]
        }}, "required": ["Named"], "additionalProperties": false},
    ]}));
    let pair = json!({
        "type": "array", "minItems": 2, "maxItems": 2,
        "prefixItems": [{"type": "integer"}, {}]
    });
    check::<Internal>(json!({"oneOf": [
        {"type": "object", "properties": {"do": {"const": "stop"}}, "required": ["do"]},
        {"type": "object", "properties": {"do": {"const": "go_on"}, "by": byte},
         "required": ["do", "by"]},
        {"type": "object", "properties": {"do": {"const": "other"}}, "required": ["do"],
         "allOf": [{"type": "object", "properties": {"pair": pair}}]},
    ]}));
    check::<Adjacent>(json!({"oneOf": [
        {"type": "object", "properties": {"t": {"const": "Unit"}}, "required": ["t"]},
        {"type": "object", "properties": {"t": {"const": "New"}, "c": byte},
         "required": ["t", "c"]},
    ]}));
    check::<Untagged>(json!({"anyOf": [
        {"type": "string"}, {"type": "boolean"}
    ]}));
}

mod typed {
    use super::*;

    /// Does "this".
    #[wasmhost::task]
    fn run(_: &Context, input: Inner) -> Result<u8, TaskError> {
        Ok(u8::try_from(input.pair.0)?)
    }
}

mod gathering {
    use super::*;

    #[wasmhost::task]
    fn run(_: &Context, _: Results<bool>) -> Result<Bytes, TaskError> {
        Ok(Bytes::default())
    }
}

#[test]
fn manifests() {
    let manifest = |text: &str| -> Value {
        serde_json::from_str(text).unwrap_or_else(|e| panic!("{e} in {text}"))
    };
    let got = manifest(typed::THE_ONE_TASK_OF_THIS_CRATE);
    assert_eq!(got["name"], "wasmhost-guest");
    assert_eq!(got["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(got["description"], "Does \"this\".");
    assert_eq!(got["input"]["type"], "object");
    assert_eq!(got["output"]["maximum"], 255);
    let got = manifest(gathering::THE_ONE_TASK_OF_THIS_CRATE);
    assert_eq!(got["input"]["contentMediaType"], "application/cbor");
    assert_eq!(got["input"]["items"]["prefixItems"][1]["type"], "boolean");
    assert_eq!(got.get("output"), None, "bytes have no schema");
}
