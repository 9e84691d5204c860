//! Reading of results, which are written in a short form: the kind of the CBOR
//! item tells the variant. Serde's own `untagged` cannot read them: it
//! buffers the item, forgets that the format is binary, and then expects
//! digests as text.

use super::ResultData;
use crate::input::BlobRef;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

struct ResultVisitor;

impl<'de> Visitor<'de> for ResultVisitor {
    type Value = ResultData;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes or a blob")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<ResultData, E> {
        Ok(ResultData::Inline(bytes.to_vec()))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<ResultData, E> {
        Ok(ResultData::Inline(bytes))
    }

    /// Bytes in JSON, as golden samples show them.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ResultData, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = seq.next_element()? {
            bytes.push(byte);
        }
        Ok(ResultData::Inline(bytes))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ResultData, A::Error> {
        BlobRef::deserialize(MapAccessDeserializer::new(map)).map(ResultData::Blob)
    }
}

impl<'de> Deserialize<'de> for ResultData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ResultData, D::Error> {
        deserializer.deserialize_any(ResultVisitor)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Digest;
    use crate::codec::{decode, encode};
    use serde::{Serialize, de::DeserializeOwned};
    use std::fmt::Debug;

    fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(values: &[T]) {
        for value in values {
            assert_eq!(decode::<T>(&encode(value).unwrap()).as_ref(), Ok(value));
            let json = serde_json::to_string(value).unwrap();
            assert_eq!(&serde_json::from_str::<T>(&json).unwrap(), value, "{json}");
        }
    }

    #[test]
    fn short_forms_read_back() {
        let blob = BlobRef {
            digest: Digest([0xab; 32]),
            len: u64::MAX,
        };
        check(&[
            ResultData::Inline(vec![]),
            ResultData::Inline(vec![0; 70_000]),
            ResultData::Blob(blob),
        ]);
        assert!(decode::<ResultData>(&encode(&1).unwrap()).is_err());
    }
}
