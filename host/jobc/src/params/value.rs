//! One value of a parameter: read by its type, held to its bounds.

use super::date::is_date;
use super::{Kind, Param};
use crate::read::clip;
use crate::values::{duration_ms, size};
use serde_json::Value as Json;
use wasmhost_proto::limits::{MAX_ITEM_BYTES, MAX_PARAM_LIST};

/// A value of a parameter.
#[derive(Clone, PartialEq, Debug)]
pub struct Value {
    /// As data: a duration in milliseconds, a size in bytes, a date and a file's
    /// path as text.
    pub json: Json,
    /// As people write it.
    pub text: String,
}

impl Value {
    /// The value of a parameter that is neither given nor required.
    pub(super) fn none() -> Value {
        Value {
            json: Json::Null,
            text: String::new(),
        }
    }
}

impl Param {
    /// Reads a given value; on failure says what is wrong with it, after the
    /// parameter's name.
    pub fn read(&self, given: &Json) -> Result<Value, String> {
        let Kind::List(of) = &self.kind else {
            let value = self.one(&self.kind, given)?;
            if self.kind == Kind::Text {
                let length = value.text.chars().count();
                self.within(&length.into(), &length.to_string())?;
            } else {
                self.within(&value.json, &clip(&value.text))?;
            }
            return Ok(value);
        };
        let split: Vec<Json>;
        let items = match given {
            Json::Array(items) => items,
            Json::String(text) => {
                let parts = text.split(',').map(str::trim);
                split = match text.trim() {
                    "" => Vec::new(),
                    _ => parts.map(Json::from).collect(),
                };
                &split
            }
            other => return Err(format!("must be a list, not {}", clip(&other.to_string()))),
        };
        if items.len() > MAX_PARAM_LIST {
            let len = items.len();
            return Err(format!("has {len} values, and may have {MAX_PARAM_LIST}"));
        }
        let read = items
            .iter()
            .enumerate()
            .map(|(i, item)| self.one(of, item).map_err(|why| format!("at [{i}] {why}")));
        let read: Vec<Value> = read.collect::<Result<_, _>>()?;
        self.within(&read.len().into(), &read.len().to_string())?;
        let texts: Vec<&str> = read.iter().map(|value| value.text.as_str()).collect();
        Ok(Value {
            text: texts.join(","),
            json: Json::Array(read.iter().map(|value| value.json.clone()).collect()),
        })
    }

    fn one(&self, kind: &Kind, given: &Json) -> Result<Value, String> {
        let shown = || clip(&given.to_string());
        let text = given.as_str().map(str::trim);
        let made = |json: Option<Json>, what: &str| {
            let json = json.ok_or_else(|| format!("must be {what}, not {}", shown()))?;
            let text = text.map_or_else(|| given.to_string(), str::to_owned);
            Ok(Value { json, text })
        };
        match kind {
            Kind::Text => self.text(given),
            Kind::Integer => {
                let number = given
                    .as_i64()
                    .or_else(|| text?.replace('_', "").parse().ok());
                made(number.map(Json::from), "a whole number of 64 bits")
            }
            Kind::Float => {
                let number = given.as_f64().or_else(|| text?.parse().ok());
                let number = number.and_then(serde_json::Number::from_f64);
                made(number.map(Json::Number), "a number")
            }
            Kind::Flag => {
                let flag = given.as_bool().or_else(|| text?.parse().ok());
                made(flag.map(Json::Bool), "true or false")
            }
            Kind::Choice => {
                let choice = text.filter(|text| self.choices.iter().any(|c| c == text));
                made(
                    choice.map(Json::from),
                    &format!("one of {}", self.choices.join(", ")),
                )
            }
            Kind::Duration => made(text.and_then(duration_ms).map(Json::from), "a duration"),
            Kind::Size => made(text.and_then(size).map(Json::from), "a size"),
            Kind::Date => made(text.filter(|t| is_date(t)).map(Json::from), "a date"),
            Kind::File => {
                // Spaces are part of a path.
                let path = given.as_str().filter(|path| !path.trim().is_empty());
                let value = made(path.map(Json::from), "the path of a file")?;
                unfilled(&value.text)?;
                Ok(value)
            }
            Kind::List(_) => made(None, "a single value"),
        }
    }

    fn text(&self, given: &Json) -> Result<Value, String> {
        let Some(text) = given.as_str() else {
            return Err(format!("must be text, not {}", clip(&given.to_string())));
        };
        if text.len() > MAX_ITEM_BYTES {
            return Err(format!(
                "has {} bytes, and may have {MAX_ITEM_BYTES}",
                text.len()
            ));
        }
        unfilled(text)?;
        if let Some(pattern) = self.pattern.as_ref().filter(|p| !p.regex.is_match(text)) {
            return Err(format!(
                "must fit {}, not \"{}\"",
                pattern.written,
                clip(text)
            ));
        }
        Ok(Value {
            json: text.into(),
            text: text.to_owned(),
        })
    }
}

/// A value goes into texts that each task fills, and into arguments: it must not bring
/// placeholders, nor what arguments cannot hold.
fn unfilled(text: &str) -> Result<(), String> {
    match text {
        text if text.contains("${") => Err("cannot contain ${".into()),
        text if text.contains('\0') => Err("cannot contain a NUL character".into()),
        _ => Ok(()),
    }
}
