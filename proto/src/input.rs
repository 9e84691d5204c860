//! What a task is given: the definition of its input, and the bytes of one index.
//!
//! Templates are filled by the worker, so that an array of ten million indexes
//! travels as a range.

use crate::ids::{Digest, NodeIndex};
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Content that lives in the blob store.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BlobRef {
    /// Its SHA-256.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub digest: Digest,
    /// Its length in bytes.
    pub len: u64,
}

/// The array of a node: what tells its indexes apart.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Array {
    /// One task, whose item is null.
    Single,
    /// `count` numbers from `start` in steps of `step`.
    Range {
        /// The first number.
        start: i64,
        /// The distance between two.
        step: i64,
        /// How many.
        count: u32,
    },
    /// One item of text or JSON per index.
    Items(Vec<Item>),
    /// One index for each success of a node named in `after`, in order of index: the
    /// item is the result. How many there are is known once that node has ended.
    Results(NodeIndex),
    /// One index for each element of the JSON list that is the result of a single task
    /// named in `after`. How many there are is known once that task has ended.
    Elements(NodeIndex),
    /// One index for each task that a driver has started: the item is the input that it
    /// gave. How many there are is known once the driver has ended.
    Spawned(NodeIndex),
}

impl Array {
    /// How many indexes there are; 0 while that is not known.
    pub fn count(&self) -> u32 {
        match self {
            Array::Single => 1,
            Array::Range { count, .. } => *count,
            Array::Items(items) => items.len() as u32,
            Array::Results(_) | Array::Elements(_) | Array::Spawned(_) => 0,
        }
    }

    /// The node on whose results it depends how many indexes there are.
    pub fn source(&self) -> Option<NodeIndex> {
        match self {
            Array::Results(node) | Array::Elements(node) => Some(*node),
            Array::Single | Array::Range { .. } | Array::Items(_) | Array::Spawned(_) => None,
        }
    }

    /// The item of an index; null for a single task, none past the end.
    pub fn item(&self, index: u32) -> Option<Item> {
        match self {
            Array::Single => (index == 0).then_some(Item::Json("null".into())),
            Array::Range { start, step, count } => {
                (index < *count).then(|| Item::of_range(*start, *step, index))
            }
            Array::Items(items) => items.get(index as usize).cloned(),
            Array::Results(_) | Array::Elements(_) | Array::Spawned(_) => None,
        }
    }
}

/// What one index of an array stands for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// A JSON value, as text.
    Json(String),
    /// A file that the client named and uploaded.
    File {
        /// Its path as the client wrote it.
        path: String,
        /// Its content.
        blob: BlobRef,
    },
    /// A small result of another task, as it is. A large one is [`Item::File`], whose
    /// path is the name of the task with its index, such as `split[3]`.
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
}

impl Item {
    /// The number of an index of a range.
    pub fn of_range(start: i64, step: i64, index: u32) -> Item {
        let number = start.saturating_add(step.saturating_mul(i64::from(index)));
        Item::Json(number.to_string())
    }
}

/// Where the input bytes of a node's tasks come from.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// The item itself: a file's bytes, or the JSON text of any other item;
    /// nothing for a single task.
    Item,
    /// A JSON value (as text) in which `"${item}"`, `"${item.key}"`,
    /// `"${index}"` and `"${count}"` are replaced. A text that is nothing but
    /// one placeholder becomes the typed value; within a longer text, its text.
    Template(String),
    /// Text with the same placeholders, for commands: not quoted as JSON is.
    Text(String),
    /// The same bytes for every index.
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The same blob for every index.
    Blob(BlobRef),
}

/// Why a placeholder could not be filled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RenderError(pub String);

impl std::fmt::Display for RenderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for RenderError {}

/// The input of one index: bytes at hand, or a blob to fetch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rendered {
    /// The bytes.
    Bytes(Vec<u8>),
    /// Content to fetch by digest.
    Blob(BlobRef),
}

/// What the placeholders of one index stand for.
#[derive(Clone, Debug)]
pub struct Scope<'a> {
    /// The item.
    pub item: &'a Item,
    /// The index.
    pub index: u32,
    /// How many indexes there are.
    pub count: u32,
    /// The secrets that may be named.
    pub secrets: &'a [Secret],
}

impl Scope<'_> {
    /// The input bytes of this index.
    pub fn input(&self, input: &Input) -> Result<Rendered, RenderError> {
        Ok(match input {
            Input::Item => match self.item {
                Item::Json(text) if text == "null" => Rendered::Bytes(Vec::new()),
                Item::Json(text) => Rendered::Bytes(text.clone().into_bytes()),
                Item::File { blob, .. } => Rendered::Blob(blob.clone()),
                Item::Bytes(bytes) => Rendered::Bytes(bytes.clone()),
            },
            Input::Template(text) => {
                let mut value: Value = serde_json::from_str(text)
                    .map_err(|e| RenderError(format!("the input template is not JSON: {e}")))?;
                self.fill(&mut value)?;
                Rendered::Bytes(value.to_string().into_bytes())
            }
            Input::Text(text) => Rendered::Bytes(self.text(text)?.into_bytes()),
            Input::Bytes(bytes) => Rendered::Bytes(bytes.clone()),
            Input::Blob(blob) => Rendered::Blob(blob.clone()),
        })
    }

    /// Fills the placeholders of an argument or environment value.
    pub fn text(&self, text: &str) -> Result<String, RenderError> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            out.push_str(&rest[..at]);
            let end = rest[at..].find('}').ok_or_else(|| {
                RenderError(format!(
                    "'{rest}' opens a placeholder and does not close it"
                ))
            })?;
            match self.lookup(&rest[at + 2..at + end])? {
                Value::String(s) => out.push_str(&s),
                other => out.push_str(&other.to_string()),
            }
            rest = &rest[at + end + 1..];
        }
        out.push_str(rest);
        Ok(out)
    }

    fn fill(&self, value: &mut Value) -> Result<(), RenderError> {
        match value {
            Value::String(text) => {
                let whole = text
                    .strip_prefix("${")
                    .and_then(|t| t.strip_suffix('}'))
                    .filter(|name| !name.contains(['$', '}']));
                *value = match whole {
                    Some(name) => self.lookup(name)?,
                    None => Value::String(self.text(text)?),
                };
            }
            Value::Array(list) => list.iter_mut().try_for_each(|v| self.fill(v))?,
            Value::Object(map) => map.values_mut().try_for_each(|v| self.fill(v))?,
            _ => {}
        }
        Ok(())
    }

    /// A secret's value, if tasks may have it; else what stands for it.
    fn secret(&self, name: &str) -> Result<String, RenderError> {
        let secret = self.secrets.iter().find(|secret| secret.name == name);
        let secret = secret.ok_or_else(|| {
            RenderError(format!(
                "'${{secrets.{name}}}': there is no such secret any more"
            ))
        })?;
        Ok(match secret.reveal {
            true => secret.value.clone(),
            false => secret.handle(),
        })
    }

    fn lookup(&self, name: &str) -> Result<Value, RenderError> {
        let item = || match self.item {
            Item::Json(text) => serde_json::from_str(text).map_err(|e| {
                RenderError(format!("the item of index {} is not JSON: {e}", self.index))
            }),
            Item::File { path, .. } => Ok(Value::String(path.clone())),
            // JSON where it is, as for scripts; text else.
            Item::Bytes(bytes) => match serde_json::from_slice(bytes) {
                Ok(value) => Ok(value),
                Err(_) => match std::str::from_utf8(bytes) {
                    Ok(text) => Ok(Value::String(text.to_owned())),
                    Err(_) => Err(RenderError(format!(
                        "the item of index {} is neither JSON nor text",
                        self.index
                    ))),
                },
            },
        };
        match name.split('.').collect::<Vec<_>>().as_slice() {
            ["index"] => Ok(self.index.into()),
            ["count"] => Ok(self.count.into()),
            ["item"] => item(),
            ["secrets", name] => self.secret(name).map(Value::String),
            ["item", path @ ..] => {
                let mut value = item()?;
                for key in path {
                    value = match value.get_mut(*key) {
                        Some(inner) => inner.take(),
                        None => {
                            return Err(RenderError(format!(
                                "'${{{name}}}': the item of index {} has no '{key}'",
                                self.index
                            )));
                        }
                    };
                }
                Ok(value)
            }
            _ => Err(RenderError(format!(
                "'${{{name}}}' is unknown: use ${{item}}, ${{item.key}}, ${{index}} or ${{count}}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> [Secret; 2] {
        [("open", true), ("shut", false)].map(|(name, reveal)| Secret {
            name: name.into(),
            value: "${item}".into(),
            to: Vec::new(),
            reveal,
        })
    }

    fn check(template: &str, item: &str, want: Result<&str, &str>) {
        let item = Item::Json(item.into());
        let secrets = secrets();
        let scope = Scope {
            item: &item,
            index: 3,
            count: 9,
            secrets: &secrets,
        };
        match (scope.input(&Input::Template(template.into())), want) {
            (Ok(Rendered::Bytes(got)), Ok(want)) => assert_eq!(String::from_utf8_lossy(&got), want),
            (Err(got), Err(want)) => assert!(got.0.contains(want), "{got}"),
            (got, want) => panic!("{template}: {got:?} instead of {want:?}"),
        }
    }

    #[test]
    fn templates() {
        check(r#"{"a":"${item}"}"#, "7", Ok(r#"{"a":7}"#));
        check(r#"["x-${index}-${count}"]"#, "null", Ok(r#"["x-3-9"]"#));
        check(r#""${item.k.z}""#, r#"{"k":{"z":[1]}}"#, Ok("[1]"));
        check(r#""n ${item}""#, r#""text""#, Ok(r#""n text""#));
        check(r#""${item.k}""#, "{}", Err("has no 'k'"));
        // A secret's value is none of ours to fill.
        check(r#""<${secrets.open}>""#, "7", Ok(r#""<${item}>""#));
        check(r#""<${secrets.shut}>""#, "7", Ok(r#""<${secrets.shut}>""#));
        check(r#""${secrets.gone}""#, "7", Err("no such secret"));
        check(r#""${nope}""#, "{}", Err("is unknown"));
        check(r#""${item""#, "{}", Err("does not close"));
    }

    #[test]
    fn texts_are_not_quoted() {
        let item = Item::Json(r#""a line""#.into());
        let secrets = secrets();
        let scope = Scope {
            item: &item,
            index: 3,
            count: 9,
            secrets: &secrets,
        };
        let input = Input::Text("${index}: ${item}".into());
        assert_eq!(
            scope.input(&input),
            Ok(Rendered::Bytes(b"3: a line".to_vec()))
        );
    }

    #[test]
    fn ranges_saturate_and_end() {
        let range = Array::Range {
            start: 5,
            step: -2,
            count: 3,
        };
        assert_eq!(range.item(2), Some(Item::Json("1".into())));
        assert_eq!(range.item(3), None);
        assert_eq!(Array::Single.item(0), Some(Item::Json("null".into())));
    }
}
