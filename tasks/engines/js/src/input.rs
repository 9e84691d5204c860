//! The input of a script: JSON as a value, other text as a string, anything else as
//! bytes; null when there is none.

use crate::value::to_script;
use boa_engine::object::builtins::JsUint8Array;
use boa_engine::{Context, JsResult, JsString, JsValue};
use wasmhost_engine::Value;

pub(crate) fn value(input: &[u8], context: &mut Context) -> JsResult<JsValue> {
    if input.is_empty() {
        return Ok(JsValue::null());
    }
    if let Some(value) = parse(input) {
        return to_script(value, context);
    }
    match std::str::from_utf8(input) {
        Ok(text) => Ok(JsString::from(text).into()),
        Err(_) => JsUint8Array::from_iter(input.iter().copied(), context).map(JsValue::from),
    }
}

/// JSON as a value of the platform; none if it is something else.
pub(crate) fn parse(json: &[u8]) -> Option<Value> {
    let json: serde_json::Value = serde_json::from_slice(json).ok()?;
    Some(json.into())
}
