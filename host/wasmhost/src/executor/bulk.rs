//! Bytes of calls and answers that do not fit a frame: all but the last piece go before, in
//! pieces. Knows nothing of what they are.

use wasmhost_proto::data::{DataOp, DataReply};
use wasmhost_proto::http::HttpReply;
use wasmhost_proto::keep::Kept;
use wasmhost_proto::limits::BLOB_CHUNK;
use wasmhost_proto::wire::ResultData;
use wasmhost_sandbox::{Ask, Told};

/// The bytes that a call brings, where they may be many.
pub(super) fn of_ask(ask: &mut Ask) -> Option<&mut Vec<u8>> {
    match ask {
        Ask::Data(_, op) => of_op(op),
        Ask::Http(request) => Some(&mut request.body),
        Ask::Program(_) => None,
    }
}

/// The bytes that come of a call, where they may be many.
pub(super) fn of_told(told: &mut Told) -> Option<&mut Vec<u8>> {
    match told {
        Told::Data(reply) => of_reply(reply),
        Told::Http(reply) => of_answer(reply),
        Told::Program(_) => None,
    }
}

/// The bytes that an answer over the network brings.
pub(super) fn of_answer(reply: &mut HttpReply) -> Option<&mut Vec<u8>> {
    match reply {
        HttpReply::Answered(response) => Some(&mut response.body),
        HttpReply::Refused(..) => None,
    }
}

/// The bytes that a call for data brings, likewise.
pub(super) fn of_op(op: &mut DataOp) -> Option<&mut Vec<u8>> {
    match op {
        DataOp::Keep(keep) => keep.bytes_mut(),
        _ => None,
    }
}

/// The bytes that an answer of data brings, likewise.
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
