//! A value of a script on its way to or from the platform.

use serde_json::Value as Json;

/// What the values of all script languages have in common.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// Nothing: null, undefined, unit.
    Null,
    /// A boolean.
    Flag(bool),
    /// A whole number, whatever type of the language it came in.
    Int(i128),
    /// Another number.
    Float(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// Named values, in order.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Flag(_) => "a boolean",
            Value::Int(_) => "a whole number",
            Value::Float(_) => "a number with a fraction",
            Value::Text(_) => "a text",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "a list",
            Value::Map(_) => "an object",
        }
    }

    /// As JSON text.
    pub fn json(self) -> Result<String, String> {
        self.into_json().map(|json| json.to_string())
    }

    /// What JSON text says; the text itself when it is nested too deep to be read.
    pub(crate) fn of_json(text: String) -> Value {
        serde_json::from_str::<Json>(&text).map_or(Value::Text(text), Value::from)
    }

    fn into_json(self) -> Result<Json, String> {
        Ok(match self {
            Value::Null => Json::Null,
            Value::Flag(flag) => flag.into(),
            Value::Int(number) => match (i64::try_from(number), u64::try_from(number)) {
                (Ok(number), _) => number.into(),
                (_, Ok(number)) => number.into(),
                _ => (number as f64).into(),
            },
            // Infinities and NaN are null, as JavaScript has it.
            Value::Float(number) => number.into(),
            Value::Text(text) => text.into(),
            Value::Bytes(_) => return Err("bytes are no JSON".into()),
            Value::List(values) => values
                .into_iter()
                .map(Value::into_json)
                .collect::<Result<_, _>>()?,
            Value::Map(members) => {
                let members = members.into_iter();
                let members = members.map(|(key, value)| Ok((key, value.into_json()?)));
                Json::Object(members.collect::<Result<_, String>>()?)
            }
        })
    }
}

impl From<Json> for Value {
    fn from(json: Json) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::Bool(flag) => Value::Flag(flag),
            Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(number), _, _) => Value::Int(number.into()),
                (_, Some(number), _) => Value::Int(number.into()),
                (_, _, number) => Value::Float(number.unwrap_or(f64::NAN)),
            },
            Json::String(text) => Value::Text(text),
            Json::Array(values) => Value::List(values.into_iter().map(Value::from).collect()),
            Json::Object(members) => {
                let members = members.into_iter();
                Value::Map(members.map(|(key, value)| (key, value.into())).collect())
            }
        }
    }
}
