//! Between Rhai's values and those of the platform; the input and the result of a
//! script as bytes: JSON as a value, other text as a string, anything else as a blob;
//! unit when there is nothing.

use rhai::{Dynamic, Map};
use wasmhost_engine::{Failure, Value};

pub(crate) fn input(input: Vec<u8>) -> Dynamic {
    if input.is_empty() {
        return Dynamic::UNIT;
    }
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(&input) {
        return to_script(json.into());
    }
    match String::from_utf8(input) {
        Ok(text) => text.into(),
        Err(error) => Dynamic::from_blob(error.into_bytes()),
    }
}

pub(crate) fn output(value: Dynamic) -> Result<Vec<u8>, Failure> {
    match from_script(value).map_err(Failure::new)? {
        Value::Null => Ok(Vec::new()),
        Value::Bytes(bytes) => Ok(bytes),
        value => value.json().map(String::into_bytes).map_err(Failure::new),
    }
}

/// The platform's value for one of a script.
pub(crate) fn from_script(value: Dynamic) -> Result<Value, String> {
    // A variable that a closure captured is shared.
    let value = value.flatten();
    if value.is_unit() {
        Ok(Value::Null)
    } else if let Ok(flag) = value.as_bool() {
        Ok(Value::Flag(flag))
    } else if let Ok(number) = value.as_int() {
        Ok(Value::Int(number.into()))
    } else if let Ok(number) = value.as_float() {
        Ok(Value::Float(number))
    } else if let Ok(letter) = value.as_char() {
        Ok(Value::Text(letter.into()))
    } else if value.is_string() {
        Ok(Value::Text(value.to_string()))
    } else if value.is_blob() {
        Ok(Value::Bytes(value.cast()))
    } else if value.is_array() {
        let values = value.cast::<rhai::Array>().into_iter();
        Ok(Value::List(
            values.map(from_script).collect::<Result<_, _>>()?,
        ))
    } else if value.is_map() {
        let members = value.cast::<Map>().into_iter();
        let members = members.map(|(key, value)| Ok((key.to_string(), from_script(value)?)));
        Ok(Value::Map(members.collect::<Result<_, String>>()?))
    } else {
        Err(format!(
            "a value of type {} cannot leave the script",
            value.type_name()
        ))
    }
}

/// A script's value for one of the platform.
pub(crate) fn to_script(value: Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Flag(flag) => flag.into(),
        Value::Int(number) => match i64::try_from(number) {
            Ok(number) => number.into(),
            Err(_) => (number as f64).into(),
        },
        Value::Float(number) => number.into(),
        Value::Text(text) => text.into(),
        Value::Bytes(bytes) => Dynamic::from_blob(bytes),
        Value::List(values) => {
            let values: rhai::Array = values.into_iter().map(to_script).collect();
            values.into()
        }
        Value::Map(members) => {
            let members = members.into_iter();
            let map: Map = members
                .map(|(key, value)| (key.into(), to_script(value)))
                .collect();
            map.into()
        }
    }
}
