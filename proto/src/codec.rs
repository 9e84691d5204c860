//! CBOR items and the frames that carry them: a 4-byte big-endian length, then
//! that many bytes. Lengths are checked before anything is allocated, an item
//! must fill its frame, and nesting is bounded.

use crate::limits::{MAX_CBOR_DEPTH, MAX_FRAME};
use cbor4ii::core::{dec, enc};
use cbor4ii::serde::{Deserializer, Serializer};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt;

/// Bytes of a frame's length.
pub const HEADER: usize = 4;

/// Why bytes are not a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodecError {
    /// The frame says or would have this many bytes, over [`MAX_FRAME`].
    TooLarge(usize),
    /// Bytes are left over after the item.
    Trailing(usize),
    /// Not the CBOR of the expected message; the text says where.
    Malformed(String),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodecError::TooLarge(n) => {
                write!(f, "a frame of {n} bytes is over the limit of {MAX_FRAME}")
            }
            CodecError::Trailing(n) => write!(f, "{n} bytes follow the message in its frame"),
            CodecError::Malformed(why) => write!(f, "malformed message: {why}"),
        }
    }
}
impl std::error::Error for CodecError {}

/// Writes to the end of a buffer.
struct Tail<'a>(&'a mut Vec<u8>);

impl enc::Write for Tail<'_> {
    type Error = std::convert::Infallible;

    fn push(&mut self, input: &[u8]) -> Result<(), Self::Error> {
        self.0.extend_from_slice(input);
        Ok(())
    }
}

/// Reads from the front of a buffer, within [`MAX_CBOR_DEPTH`].
struct Front<'de> {
    rest: &'de [u8],
    depth: usize,
}

impl<'de> dec::Read<'de> for Front<'de> {
    type Error = std::convert::Infallible;

    // Asked for each byte that begins an item: the call would cost more than it does.
    #[inline(always)]
    fn fill<'b>(&'b mut self, want: usize) -> Result<dec::Reference<'de, 'b>, Self::Error> {
        Ok(dec::Reference::Long(
            self.rest.get(..want).unwrap_or(self.rest),
        ))
    }

    #[inline(always)]
    fn advance(&mut self, n: usize) {
        self.rest = self.rest.get(n..).unwrap_or_default();
    }

    fn step_in(&mut self) -> bool {
        let fits = self.depth < MAX_CBOR_DEPTH;
        self.depth += usize::from(fits);
        fits
    }

    fn step_out(&mut self) {
        self.depth -= 1;
    }
}

fn append<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let mut serializer = Serializer::new(Tail(out));
    let written = value.serialize(&mut serializer);
    written.map_err(|e| CodecError::Malformed(e.to_string()))
}

/// Appends one frame to `out`. On error `out` is as it was.
pub fn write_frame<T: Serialize>(message: &T, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    let result = append(message, out).and_then(|()| match out.len() - start - HEADER {
        len if len <= MAX_FRAME => Ok(len as u32),
        len => Err(CodecError::TooLarge(len)),
    });
    match result {
        Ok(len) => {
            out[start..start + HEADER].copy_from_slice(&len.to_be_bytes());
            Ok(())
        }
        Err(e) => {
            out.truncate(start);
            Err(e)
        }
    }
}

/// The payload length that a frame header announces.
pub fn frame_len(header: [u8; HEADER]) -> Result<usize, CodecError> {
    match u32::from_be_bytes(header) as usize {
        len if len <= MAX_FRAME => Ok(len),
        len => Err(CodecError::TooLarge(len)),
    }
}

/// Reads one item that fills `bytes`.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let front = Front {
        rest: bytes,
        depth: 0,
    };
    let mut deserializer = Deserializer::new(front);
    let value = T::deserialize(&mut deserializer);
    let value = value.map_err(|e| CodecError::Malformed(e.to_string()))?;
    match deserializer.into_inner().rest.len() {
        0 => Ok(value),
        n => Err(CodecError::Trailing(n)),
    }
}

/// One item as CBOR, for records and golden samples.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    append(value, &mut out)?;
    Ok(out)
}
