//! JSON Schemas of types, put together by the compiler, so that they lie in a
//! custom section of the module and nobody must run it to read them.
//!
//! A [`Shape`] is a tree of text; [`len`] and [`render`] flatten it in a
//! constant. Rejected: `schemars`, whose schemas exist at run time only.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

/// A type whose JSON has a known shape. Derive it beside serde's traits:
///
/// ```
/// #[derive(serde::Deserialize, wasmhost::Schema)]
/// #[serde(rename_all = "camelCase")]
/// struct Tile {
///     /// Pixels from left to right.
///     tile_width: u32,
///     #[serde(default)]
///     label: Option<String>,
/// }
/// ```
///
/// The derive knows serde's `rename`, `rename_all`, `default`, `skip`,
/// `flatten`, `transparent`, `tag`, `content`, `untagged` and
/// `deny_unknown_fields`; doc comments become descriptions. A field with
/// `#[serde(with = …)]` or `#[schema(any)]` may be anything; a type that
/// contains itself needs the latter.
#[diagnostic::on_unimplemented(
    message = "the JSON of `{Self}` has no known shape",
    label = "no schema",
    note = "add `#[derive(wasmhost::Schema)]` to it, or `#[schema(any)]` to the field that holds it"
)]
pub trait Schema {
    /// Its shape.
    const SHAPE: Shape;
}

/// The schema of a type: the members of a JSON object.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// What it is, escaped for JSON; may be empty.
    pub doc: &'static str,
    /// The other members, without braces.
    pub body: &'static [Piece],
}

/// A part of a schema's text.
#[derive(Clone, Copy, Debug)]
pub enum Piece {
    /// Text as it is.
    Text(&'static str),
    /// The object of a shape. The doc, unless empty, takes the place of the shape's own.
    Sub(&'static str, Shape),
}

impl Shape {
    /// Anything.
    pub const ANY: Shape = Shape { doc: "", body: &[] };

    /// The same shape, with a doc of its own unless that is empty.
    #[must_use]
    pub const fn described(self, doc: &'static str) -> Shape {
        Shape {
            doc: pick(doc, self.doc),
            body: self.body,
        }
    }

    const fn text(body: &'static [Piece]) -> Shape {
        Shape { doc: "", body }
    }
}

const OPEN: &str = "{";
const DOC: &str = "\"description\":\"";
const DOC_END: &str = "\"";
const COMMA: &str = ",";
const CLOSE: &str = "}";

/// The length of the text of pieces, bytes.
pub const fn len(pieces: &[Piece]) -> usize {
    let mut sum = 0;
    let mut at = 0;
    while at < pieces.len() {
        sum += match &pieces[at] {
            Piece::Text(text) => text.len(),
            Piece::Sub(doc, shape) => {
                let doc = pick(doc, shape.doc);
                let body = len(shape.body);
                let mut object = OPEN.len() + body + CLOSE.len();
                if !doc.is_empty() {
                    object += DOC.len() + doc.len() + DOC_END.len();
                    if body > 0 {
                        object += COMMA.len();
                    }
                }
                object
            }
        };
        at += 1;
    }
    sum
}

/// The text of pieces; `N` is their [`len`].
pub const fn render<const N: usize>(pieces: &[Piece]) -> [u8; N] {
    let mut out = [0; N];
    let end = put_all(&mut out, 0, pieces);
    assert!(end == N, "N is the length of the pieces");
    out
}

const fn put_all(out: &mut [u8], mut to: usize, pieces: &[Piece]) -> usize {
    let mut at = 0;
    while at < pieces.len() {
        to = match &pieces[at] {
            Piece::Text(text) => put(out, to, text),
            Piece::Sub(doc, shape) => {
                let doc = pick(doc, shape.doc);
                to = put(out, to, OPEN);
                if !doc.is_empty() {
                    to = put(out, to, DOC);
                    to = put(out, to, doc);
                    to = put(out, to, DOC_END);
                    if len(shape.body) > 0 {
                        to = put(out, to, COMMA);
                    }
                }
                to = put_all(out, to, shape.body);
                put(out, to, CLOSE)
            }
        };
        at += 1;
    }
    to
}

const fn put(out: &mut [u8], to: usize, text: &str) -> usize {
    let (_, out) = out.split_at_mut(to);
    let (out, _) = out.split_at_mut(text.len());
    out.copy_from_slice(text.as_bytes());
    to + text.len()
}

const fn pick(outer: &'static str, own: &'static str) -> &'static str {
    match outer.is_empty() {
        true => own,
        false => outer,
    }
}

/// The text of a type's schema, made at run time: for tests and tools.
pub fn to_string<T: Schema>() -> String {
    fn push(out: &mut String, pieces: &[Piece]) {
        let mut buffer = vec![0; len(pieces)];
        put_all(&mut buffer, 0, pieces);
        out.push_str(&String::from_utf8_lossy(&buffer));
    }
    let mut out = String::new();
    push(&mut out, &[Piece::Sub("", T::SHAPE)]);
    out
}

macro_rules! plain {
    ($($text:literal => $($type:ty),+;)*) => {$($(
        impl Schema for $type {
            const SHAPE: Shape = Shape::text(&[Piece::Text($text)]);
        }
    )+)*};
}

plain! {
    r#""type":"boolean""# => bool;
    r#""type":"string""# => String, str, std::path::PathBuf;
    r#""type":"string","minLength":1,"maxLength":4"# => char;
    r#""type":"number""# => f32, f64;
    r#""type":"integer""# => i128, isize, i64;
    r#""type":"integer","minimum":0"# => u128, usize, u64;
    r#""type":"integer","minimum":1"# => std::num::NonZeroU64, std::num::NonZeroUsize;
    r#""type":"integer","minimum":0,"maximum":255"# => u8;
    r#""type":"integer","minimum":0,"maximum":65535"# => u16;
    r#""type":"integer","minimum":0,"maximum":4294967295"# => u32;
    r#""type":"integer","minimum":1,"maximum":4294967295"# => std::num::NonZeroU32;
    r#""type":"integer","minimum":-128,"maximum":127"# => i8;
    r#""type":"integer","minimum":-32768,"maximum":32767"# => i16;
    r#""type":"integer","minimum":-2147483648,"maximum":2147483647"# => i32;
    r#""type":"null""# => ();
}

impl Schema for serde_json::Value {
    const SHAPE: Shape = Shape::ANY;
}

macro_rules! same {
    ($($type:ty),*) => {$(
        impl<T: Schema + ?Sized> Schema for $type {
            const SHAPE: Shape = T::SHAPE;
        }
    )*};
}
same!(Box<T>, std::rc::Rc<T>, std::sync::Arc<T>, &T);

macro_rules! around {
    ($([$($generic:tt)*] $type:ty => $before:literal, $inner:ty, $after:literal;)*) => {$(
        impl<$($generic)*> Schema for $type {
            const SHAPE: Shape = Shape::text(&[
                Piece::Text($before),
                Piece::Sub("", <$inner as Schema>::SHAPE),
                Piece::Text($after),
            ]);
        }
    )*};
}

around! {
    [T: Schema] Option<T> => r#""anyOf":["#, T, r#",{"type":"null"}]"#;
    [T: Schema] Vec<T> => r#""type":"array","items":"#, T, "";
    [T: Schema] VecDeque<T> => r#""type":"array","items":"#, T, "";
    [T: Schema] [T] => r#""type":"array","items":"#, T, "";
    [T: Schema, const N: usize] [T; N] => r#""type":"array","items":"#, T, "";
    [T: Schema] BTreeSet<T> => r#""type":"array","uniqueItems":true,"items":"#, T, "";
    [T: Schema, S] HashSet<T, S> => r#""type":"array","uniqueItems":true,"items":"#, T, "";
    [K, V: Schema] BTreeMap<K, V> => r#""type":"object","additionalProperties":"#, V, "";
    [K, V: Schema, S] HashMap<K, V, S> => r#""type":"object","additionalProperties":"#, V, "";
}

macro_rules! tuples {
    ($($len:literal: $first:ident $($rest:ident)*;)*) => {$(
        impl<$first: Schema, $($rest: Schema),*> Schema for ($first, $($rest,)*) {
            const SHAPE: Shape = Shape::text(&[
                Piece::Text(concat!(
                    r#""type":"array","minItems":"#, $len, r#","maxItems":"#, $len,
                    r#","prefixItems":["#
                )),
                Piece::Sub("", $first::SHAPE),
                $(Piece::Text(","), Piece::Sub("", $rest::SHAPE),)*
                Piece::Text("]"),
            ]);
        }
    )*};
}

tuples! {
    1: A;
    2: A B;
    3: A B C;
    4: A B C D;
    5: A B C D E;
    6: A B C D E F;
}
