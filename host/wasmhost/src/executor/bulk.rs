//! Bytes of calls and answers that do not fit a frame: all but the last piece go before, in
//! pieces. Knows nothing of what they are.

use wasmhost_proto::data::{DataOp, DataReply};
use wasmhost_proto::keep::Kept;
use wasmhost_proto::limits::BLOB_CHUNK;
use wasmhost_proto::wire::ResultData;

/// The bytes that a call brings, where they may be many.
pub(super) fn of_op(op: &mut DataOp) -> Option<&mut Vec<u8>> {
    match op {
        DataOp::Keep(keep) => keep.bytes_mut(),
        _ => None,
    }
}

/// The bytes that an answer brings, where they may be many.
pub(super) fn of_reply(reply: &mut DataReply) -> Option<&mut Vec<u8>> {
    match reply {
        DataReply::Kept(kept) => match &mut **kept {
            Kept::Checkpoint(Some(ResultData::Inline(bytes))) => Some(bytes),
            _ => None,
        },
        _ => None,
    }
}

/// Takes out all but a last piece, which stays.
pub(super) fn cut(bytes: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    while bytes.len() > BLOB_CHUNK {
        let rest = bytes.split_off(BLOB_CHUNK);
        pieces.push(std::mem::replace(bytes, rest));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_whole_together() {
        for len in [0, 1, BLOB_CHUNK, BLOB_CHUNK + 1, 3 * BLOB_CHUNK] {
            let whole: Vec<u8> = (0..len).map(|n| n as u8).collect();
            let mut last = whole.clone();
            let mut pieces = cut(&mut last);
            assert!(last.len() <= BLOB_CHUNK && (len == 0 || !last.is_empty()));
            pieces.push(last);
            assert_eq!(pieces.concat(), whole, "{len}");
        }
    }
}
