//! Puts the values of parameters into the texts of a definition, where
//! `${params.NAME}` stands. Other placeholders stay: workers fill them.

use super::Values;
use serde_json::Value as Json;

const OPEN: &str = "${params.";

/// The parameter that a text means, if the text is nothing but its placeholder.
pub(crate) fn whole(text: &str) -> Option<&str> {
    let name = text.strip_prefix(OPEN)?.strip_suffix('}')?;
    (!name.contains(['$', '}'])).then_some(name)
}

/// Fills texts, up to a bound: a short text may name a long value many times.
pub(crate) struct Filler<'v> {
    values: &'v Values,
    left: usize,
    over: bool,
}

impl<'v> Filler<'v> {
    pub(crate) fn new(values: &'v Values, bytes: usize) -> Filler<'v> {
        Filler {
            values,
            left: bytes,
            over: false,
        }
    }

    /// Whether the bound was passed: what was filled since lacks values.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// A text with the values as people write them.
    pub(crate) fn text(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(OPEN) {
            let Some(end) = rest[at..].find('}') else {
                break;
            };
            out.push_str(&rest[..at]);
            let value = self.values.get(&rest[at + OPEN.len()..at + end]);
            let value = value.map_or("", |value| &value.text);
            if self.takes(value.len()) {
                out.push_str(value);
            }
            rest = &rest[at + end + 1..];
        }
        out.push_str(rest);
        out
    }

    /// A value with the values in its texts: as data where a text is nothing but one
    /// placeholder.
    pub(crate) fn json(&mut self, value: &Json) -> Json {
        match value {
            Json::String(text) => match whole(text).and_then(|name| self.values.get(name)) {
                Some(value) if self.takes(value.text.len()) => value.json.clone(),
                Some(_) => Json::Null,
                None => Json::String(self.text(text)),
            },
            Json::Array(items) => Json::Array(items.iter().map(|item| self.json(item)).collect()),
            Json::Object(table) => {
                let pairs = table.iter();
                Json::Object(pairs.map(|(k, v)| (k.clone(), self.json(v))).collect())
            }
            other => other.clone(),
        }
    }

    fn takes(&mut self, bytes: usize) -> bool {
        let left = self.left.checked_sub(bytes);
        self.over |= left.is_none();
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }
}
