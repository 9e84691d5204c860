//! The result of a script as bytes: those of a `Uint8Array` or an `ArrayBuffer`, of
//! anything else its JSON; none for undefined.

use crate::failure::Stop;
use crate::value;
use boa_engine::{Context, JsResult, JsValue, js_string};

pub(crate) fn bytes(value: &JsValue, context: &mut Context) -> Result<Vec<u8>, Stop> {
    let object = value.as_object();
    if let Some(bytes) = object.and_then(|object| value::bytes(&object, context)) {
        return Ok(bytes);
    }
    Ok(json(value, context)?
        .map(String::into_bytes)
        .unwrap_or_default())
}

/// As `JSON.stringify` has it.
pub(crate) fn json(value: &JsValue, context: &mut Context) -> JsResult<Option<String>> {
    let json = context.intrinsics().objects().json();
    let stringify = json.get(js_string!("stringify"), context)?;
    let Some(stringify) = stringify.as_callable() else {
        // The script took it away.
        return Ok(None);
    };
    let text = stringify.call(&json.into(), std::slice::from_ref(value), context)?;
    Ok(text.as_string().map(|text| text.to_std_string_lossy()))
}
