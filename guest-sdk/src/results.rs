//! The results of an array, as the task that gathers them reads them: a CBOR
//! array of `[index, bytes]`. Reads only the three CBOR types that occur.

use crate::error::TaskError;
use crate::io::{Input, Output};
use crate::schema::{Piece, Shape};
use std::marker::PhantomData;

/// The results of an array, in order of index. Each is read when its turn
/// comes, so a reduce over thousands of results holds one at a time as a value.
///
/// ```
/// # use wasmhost::{Context, Results, TaskError};
/// #[wasmhost::task]
/// fn total(_: &Context, parts: Results<u64>) -> Result<u64, TaskError> {
///     let mut sum = 0;
///     for part in parts.iter() {
///         let (_index, value) = part?;
///         sum += value;
///     }
///     Ok(sum)
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct Results<T> {
    cbor: Vec<u8>,
    /// Where the first pair begins.
    start: usize,
    /// How many pairs there are; none when only a break ends them.
    len: Option<u64>,
    of: PhantomData<fn() -> T>,
}

impl<T: Input> Results<T> {
    /// How many there are, when the platform said so up front.
    pub fn len_hint(&self) -> Option<u64> {
        self.len
    }

    /// The results with the index that each belongs to. With `on_failure =
    /// "continue"` an index may be missing.
    pub fn iter(&self) -> impl Iterator<Item = Result<(u32, T), TaskError>> + '_ {
        let mut reader = Reader {
            rest: &self.cbor[self.start..],
        };
        let mut left = self.len;
        let mut broken = false;
        std::iter::from_fn(move || {
            if broken || left == Some(0) {
                return None;
            }
            let next = match (left, reader.rest) {
                (None, [BREAK]) => return None,
                (_, _) => reader.pair().ok_or_else(malformed),
            };
            broken = next.is_err();
            left = left.map(|n| n - 1);
            Some(next.and_then(|(index, bytes)| {
                let value = T::decode(bytes.to_vec()).map_err(|e| {
                    TaskError::permanent(format_args!("the result of index {index}: {e}"))
                })?;
                Ok((index, value))
            }))
        })
    }
}

impl<T: Input + Output> Results<T> {
    /// Gathers values as the platform would: index and value.
    pub fn gather(values: impl IntoIterator<Item = (u32, T)>) -> Result<Results<T>, TaskError> {
        let mut cbor = vec![ARRAY << 5 | INDEFINITE];
        for (index, value) in values {
            head(&mut cbor, ARRAY, 2);
            head(&mut cbor, UNSIGNED, u64::from(index));
            let bytes = value.encode()?;
            head(&mut cbor, BYTES, bytes.len() as u64);
            cbor.extend(bytes);
        }
        cbor.push(BREAK);
        Results::decode(cbor)
    }
}

impl<T: Input> Input for Results<T> {
    const SHAPE: Option<Shape> = Some(Shape {
        doc: "The results of an array, gathered by the platform: CBOR pairs of index and bytes.",
        body: &[
            Piece::Text(
                "\"type\":\"array\",\"contentMediaType\":\"application/cbor\",\"items\":\
                 {\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"},",
            ),
            Piece::Sub("", shape_or_any(T::SHAPE)),
            Piece::Text("]}"),
        ],
    });

    fn decode(cbor: Vec<u8>) -> Result<Results<T>, TaskError> {
        let mut reader = Reader { rest: &cbor };
        let len = match reader.rest {
            [first, ..] if *first == ARRAY << 5 | INDEFINITE => {
                reader.rest = &reader.rest[1..];
                None
            }
            _ => Some(reader.head(ARRAY).ok_or_else(malformed)?),
        };
        Ok(Results {
            start: cbor.len() - reader.rest.len(),
            cbor,
            len,
            of: PhantomData,
        })
    }
}

const fn shape_or_any(shape: Option<Shape>) -> Shape {
    match shape {
        Some(shape) => shape,
        None => Shape::ANY,
    }
}

fn malformed() -> TaskError {
    TaskError::permanent(
        "the input is not a CBOR array of [index, bytes]: give this task the results of an array, as `[reduce]`",
    )
}

// RFC 8949, 3: the major type in the upper three bits, the argument's size below.
const UNSIGNED: u8 = 0;
const BYTES: u8 = 2;
const ARRAY: u8 = 4;
const INDEFINITE: u8 = 31;
const BREAK: u8 = 0xff;

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(taken)
    }

    /// The argument of the next item, when it is of this major type.
    fn head(&mut self, major: u8) -> Option<u64> {
        let first = self.take(1)?[0];
        if first >> 5 != major {
            return None;
        }
        match first & 31 {
            small @ 0..24 => Some(u64::from(small)),
            size @ 24..28 => Some(
                self.take(1 << (size - 24))?
                    .iter()
                    .fold(0, |n, byte| n << 8 | u64::from(*byte)),
            ),
            _ => None,
        }
    }

    fn pair(&mut self) -> Option<(u32, &'a [u8])> {
        if self.head(ARRAY)? != 2 {
            return None;
        }
        let index = u32::try_from(self.head(UNSIGNED)?).ok()?;
        let len = usize::try_from(self.head(BYTES)?).ok()?;
        Some((index, self.take(len)?))
    }
}

fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    match argument {
        0..24 => out.push(major << 5 | argument as u8),
        _ => {
            out.push(major << 5 | 27);
            out.extend(argument.to_be_bytes());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Bytes;
    use serde_bytes::ByteBuf;

    fn read<T: Input>(cbor: Vec<u8>) -> Result<Vec<(u32, T)>, TaskError> {
        Results::decode(cbor)?.iter().collect()
    }

    #[test]
    fn reads_what_ciborium_writes() {
        let lens = [0usize, 1, 23, 24, 255, 256, 70_000];
        let pairs: Vec<(u32, ByteBuf)> = lens
            .iter()
            .enumerate()
            .map(|(at, len)| (at as u32 * 7_000, ByteBuf::from(vec![at as u8; *len])))
            .collect();
        let mut cbor = Vec::new();
        ciborium::into_writer(&pairs, &mut cbor).unwrap();
        let want: Vec<(u32, Bytes)> = pairs
            .into_iter()
            .map(|(index, bytes)| (index, Bytes(bytes.into_vec())))
            .collect();
        assert_eq!(read(cbor).unwrap(), want);
        let gathered = Results::gather(want.clone()).unwrap();
        assert_eq!(gathered.iter().collect::<Result<Vec<_>, _>>(), Ok(want));
    }

    #[test]
    fn values_are_typed_and_their_index_is_named() {
        let cbor = b"\x82\x82\x00\x41\x37\x82\x05\x42no".to_vec();
        let results = Results::<u32>::decode(cbor).unwrap();
        assert_eq!(results.len_hint(), Some(2));
        let mut iter = results.iter();
        assert_eq!(iter.next().unwrap(), Ok((0, 7)));
        let error = iter.next().unwrap().unwrap_err();
        assert!(
            error.message().starts_with("the result of index 5"),
            "{error}"
        );
        assert!(iter.next().is_none());
    }

    #[test]
    fn malformed_input_is_an_error_and_ends() {
        for cbor in [
            &b""[..],
            b"{}",
            b"\x81",
            b"\x81\x82\x00\x45abc",
            b"\x81\x83\x00\x40\x00",
            b"\x9f\x82\x00\x40",
            b"\x81\x82\x00\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert!(read::<Bytes>(cbor.to_vec()).is_err(), "{cbor:02x?}");
        }
        assert_eq!(read::<Bytes>(b"\x80".to_vec()), Ok(vec![]));
    }
}
