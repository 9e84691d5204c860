//! Typed status values.

use serde::Serialize;

/// The value of a status entry or an event.
///
/// Numbers, text and flags convert by themselves; anything that serialises
/// becomes JSON by [`Value::json`].
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A floating-point number; the platform refuses infinities and not-a-number.
    Float(f64),
    /// True or false.
    Flag(bool),
    /// JSON text.
    Json(String),
}

impl Value {
    /// Anything that serialises, as JSON; `null` when it cannot be serialised.
    pub fn json(value: &impl Serialize) -> Value {
        Value::Json(serde_json::to_string(value).unwrap_or_else(|_| "null".into()))
    }
}

macro_rules! from {
    ($($from:ty => |$v:ident| $value:expr),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from($v: $from) -> Value {
                $value
            }
        }
    )*};
}

from! {
    &str => |v| Value::Text(v.into()),
    String => |v| Value::Text(v),
    bool => |v| Value::Flag(v),
    f32 => |v| Value::Float(v.into()),
    f64 => |v| Value::Float(v),
    i8 => |v| Value::Int(v.into()),
    i16 => |v| Value::Int(v.into()),
    i32 => |v| Value::Int(v.into()),
    i64 => |v| Value::Int(v),
    isize => |v| Value::Int(v as i64),
    u8 => |v| Value::Int(v.into()),
    u16 => |v| Value::Int(v.into()),
    u32 => |v| Value::Int(v.into()),
    // Status values are signed: larger counts than 2^63 stay at the top.
    u64 => |v| Value::Int(i64::try_from(v).unwrap_or(i64::MAX)),
    usize => |v| Value::Int(i64::try_from(v).unwrap_or(i64::MAX)),
    serde_json::Value => |v| Value::Json(v.to_string()),
}
