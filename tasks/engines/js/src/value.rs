//! Between JavaScript's values and those of the platform. A number without a fraction
//! is a whole one; a big integer is as good.

use crate::{input, result};
use boa_engine::object::builtins::{JsArray, JsArrayBuffer, JsUint8Array};
use boa_engine::{
    Context, JsBigInt, JsNativeError, JsObject, JsResult, JsString, JsValue, JsVariant,
};
use wasmhost_engine::Value;

/// Whole numbers up to here are numbers, larger ones big integers.
const MAX_SAFE: i128 = (1 << 53) - 1;

/// The platform's value for one of a script.
pub(crate) fn from_script(value: &JsValue, context: &mut Context) -> JsResult<Value> {
    Ok(match value.variant() {
        JsVariant::Null | JsVariant::Undefined => Value::Null,
        JsVariant::Boolean(flag) => Value::Flag(flag),
        JsVariant::Integer32(number) => Value::Int(number.into()),
        JsVariant::Float64(number) if number.fract() == 0.0 && number.abs() <= MAX_SAFE as f64 => {
            Value::Int(number as i128)
        }
        JsVariant::Float64(number) => Value::Float(number),
        JsVariant::BigInt(number) => match number.to_string_radix(10).parse() {
            Ok(number) => Value::Int(number),
            Err(_) => {
                return Err(JsNativeError::range()
                    .with_message("a BigInt is too large")
                    .into());
            }
        },
        JsVariant::String(text) => Value::Text(text.to_std_string_lossy()),
        JsVariant::Symbol(_) => {
            return Err(JsNativeError::typ()
                .with_message("a symbol is no value for the host")
                .into());
        }
        JsVariant::Object(object) => match bytes(&object, context) {
            Some(bytes) => Value::Bytes(bytes),
            None => match result::json(value, context)? {
                Some(json) => input::parse(json.as_bytes()).unwrap_or(Value::Text(json)),
                None => Value::Null,
            },
        },
    })
}

/// The content of an object that holds bytes.
pub(crate) fn bytes(object: &JsObject, context: &mut Context) -> Option<Vec<u8>> {
    if let Ok(array) = JsUint8Array::from_object(object.clone()) {
        return array.to_vec(context).ok();
    }
    JsArrayBuffer::from_object(object.clone()).ok()?.to_vec()
}

/// A script's value for one of the platform.
pub(crate) fn to_script(value: Value, context: &mut Context) -> JsResult<JsValue> {
    Ok(match value {
        Value::Null => JsValue::null(),
        Value::Flag(flag) => flag.into(),
        Value::Int(number) if number.abs() <= MAX_SAFE => (number as f64).into(),
        Value::Int(number) => JsBigInt::new(number).into(),
        Value::Float(number) => number.into(),
        Value::Text(text) => JsString::from(text).into(),
        Value::Bytes(bytes) => JsUint8Array::from_iter(bytes, context)?.into(),
        Value::List(values) => {
            let values = values.into_iter().map(|value| to_script(value, context));
            let values: Vec<JsValue> = values.collect::<JsResult<_>>()?;
            JsArray::from_iter(values, context).into()
        }
        Value::Map(members) => {
            let object = JsObject::with_object_proto(context.intrinsics());
            for (key, value) in members {
                let value = to_script(value, context)?;
                object.create_data_property_or_throw(JsString::from(key), value, context)?;
            }
            object.into()
        }
    })
}
