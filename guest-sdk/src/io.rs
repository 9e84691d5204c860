//! Input and output: bytes at the border, types within. JSON unless the task
//! takes or gives [`Bytes`].

use crate::error::TaskError;
use crate::schema::{Schema, Shape};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes as they are: the raw input of a task, or its raw output.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Bytes(pub Vec<u8>);

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        Bytes(bytes)
    }
}

impl From<Bytes> for Vec<u8> {
    fn from(bytes: Bytes) -> Vec<u8> {
        bytes.0
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// What a task can take: [`Bytes`], [`Results`](crate::Results), or any type
/// that is `serde::Deserialize` and [`Schema`] (as JSON; no bytes at all stand
/// for `null`, so that `()` and `Option` need no input).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the input of a task",
    label = "not an input",
    note = "derive `serde::Deserialize` and `wasmhost::Schema`, or take `wasmhost::Bytes`"
)]
pub trait Input: Sized {
    /// The shape of its JSON; none for bytes.
    const SHAPE: Option<Shape>;

    /// Reads it.
    fn decode(bytes: Vec<u8>) -> Result<Self, TaskError>;
}

/// What a task can give: [`Bytes`], or any type that is `serde::Serialize` and
/// [`Schema`] (as JSON).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the output of a task",
    label = "not an output",
    note = "derive `serde::Serialize` and `wasmhost::Schema`, or give `wasmhost::Bytes`"
)]
pub trait Output: Sized {
    /// The shape of its JSON; none for bytes.
    const SHAPE: Option<Shape>;

    /// Writes it.
    fn encode(self) -> Result<Vec<u8>, TaskError>;
}

impl<T: DeserializeOwned + Schema> Input for T {
    const SHAPE: Option<Shape> = Some(T::SHAPE);

    fn decode(bytes: Vec<u8>) -> Result<T, TaskError> {
        let text: &[u8] = match bytes.as_slice() {
            [] => b"null",
            text => text,
        };
        serde_json::from_slice(text)
            .map_err(|e| TaskError::permanent(format_args!("the input does not fit: {e}")))
    }
}

impl<T: Serialize + Schema> Output for T {
    const SHAPE: Option<Shape> = Some(T::SHAPE);

    fn encode(self) -> Result<Vec<u8>, TaskError> {
        serde_json::to_vec(&self)
            .map_err(|e| TaskError::permanent(format_args!("the output is not JSON: {e}")))
    }
}

impl Input for Bytes {
    const SHAPE: Option<Shape> = None;

    fn decode(bytes: Vec<u8>) -> Result<Bytes, TaskError> {
        Ok(Bytes(bytes))
    }
}

impl Output for Bytes {
    const SHAPE: Option<Shape> = None;

    fn encode(self) -> Result<Vec<u8>, TaskError> {
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_null() {
        assert_eq!(<()>::decode(vec![]), Ok(()));
        assert_eq!(Option::<u32>::decode(vec![]), Ok(None));
        let error = u32::decode(vec![]).expect_err("a number is needed");
        assert!(
            error.message().contains("the input does not fit"),
            "{error}"
        );
    }

    #[test]
    fn values_are_json_and_bytes_are_themselves() {
        assert_eq!(vec![1u32, 2].encode(), Ok(b"[1,2]".to_vec()));
        assert_eq!(Vec::<u32>::decode(b"[1,2]".to_vec()), Ok(vec![1, 2]));
        assert_eq!(Bytes(vec![0, 255]).encode(), Ok(vec![0, 255]));
    }
}
