//! The input of a node that comes from results.

use super::PrepareError;
use super::draft::Draft;
use super::results::{Found, Results};
use wasmhost_core::record::StoredResult;
use wasmhost_proto::NodeIndex;
use wasmhost_proto::input::Array;
use wasmhost_proto::limits::MAX_PREPARED_INLINE;
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::plan::{NodeInput, NodePlan};

/// The input of a node; none when the plan has it.
pub(super) fn of(results: &Results, node: &NodePlan) -> Result<Option<StoredResult>, PrepareError> {
    let mut draft = Draft::new(results.blobs);
    match &node.input {
        NodeInput::Given(_) => return Ok(None),
        NodeInput::Result(from) => {
            if let Some(found) = results.single(*from)? {
                return as_it_is(results, draft, found).map(Some);
            }
        }
        NodeInput::Join(nodes) => join(results, &mut draft, nodes)?,
        NodeInput::Gather(from) if node.script.is_some() => list(results, &mut draft, *from)?,
        NodeInput::Gather(from) if node.kind == ModuleKind::Task => {
            framed(results, &mut draft, *from)?;
        }
        NodeInput::Gather(from) => results.each(*from, |found| draft.copy(results, &found))?,
    }
    draft.finish().map(Some)
}

/// A result that is a file is that file.
fn as_it_is(
    results: &Results,
    mut draft: Draft,
    found: Found,
) -> Result<StoredResult, PrepareError> {
    let stays = match &found.result {
        StoredResult::Inline(bytes) => bytes.len() <= MAX_PREPARED_INLINE,
        StoredResult::Blob(_) => results.open(&found)?.is_some(),
    };
    if stays {
        return Ok(found.result);
    }
    draft.copy(results, &found)?;
    draft.finish()
}

/// A JSON list of all successes of a node.
fn list(results: &Results, draft: &mut Draft, from: NodeIndex) -> Result<(), PrepareError> {
    let mut before: &[u8] = b"[";
    results.each(from, |found| {
        draft.write(before)?;
        before = b",";
        draft.json(results, &found)
    })?;
    if before == b"[" {
        draft.write(b"[")?;
    }
    draft.write(b"]")
}

/// A JSON object of the results of nodes, by their names.
fn join(results: &Results, draft: &mut Draft, nodes: &[NodeIndex]) -> Result<(), PrepareError> {
    let mut before: &[u8] = b"{";
    for from in nodes {
        let node = results.node(*from)?;
        draft.write(before)?;
        before = b",";
        draft.write(serde_json::Value::from(&*node.name).to_string().as_bytes())?;
        draft.write(b":")?;
        if node.array != Array::Single {
            list(results, draft, *from)?;
        } else {
            match results.single(*from)? {
                Some(found) => draft.json(results, &found)?,
                None => draft.write(b"null")?,
            }
        }
    }
    if before == b"{" {
        draft.write(b"{")?;
    }
    draft.write(b"}")
}

/// A CBOR array of index and bytes of all successes of a node. Its head says how many.
fn framed(results: &Results, draft: &mut Draft, from: NodeIndex) -> Result<(), PrepareError> {
    let mut count = 0;
    results.each(from, |_| {
        count += 1;
        Ok(())
    })?;
    head(draft, ARRAY, count)?;
    results.each(from, |found| {
        let len = match &found.result {
            StoredResult::Inline(bytes) => bytes.len() as u64,
            StoredResult::Blob(_) => results.open(&found)?.map_or(0, |(_, len)| len),
        };
        head(draft, ARRAY, 2)?;
        head(draft, UNSIGNED, found.task.index.into())?;
        head(draft, BYTES, len)?;
        draft.copy(results, &found)
    })
}

/// Major types of CBOR, RFC 8949 section 3.1.
const UNSIGNED: u8 = 0;
const BYTES: u8 = 2;
const ARRAY: u8 = 4;

/// The head of a CBOR item in its shortest form, RFC 8949 section 3.
fn head(out: &mut Draft, major: u8, value: u64) -> Result<(), PrepareError> {
    let be = value.to_be_bytes();
    let (info, argument) = match value {
        0..24 => (value as u8, &be[8..]),
        24..0x100 => (24, &be[7..]),
        0x100..0x1_0000 => (25, &be[6..]),
        0x1_0000..0x1_0000_0000 => (26, &be[4..]),
        _ => (27, &be[..]),
    };
    out.write(&[major << 5 | info])?;
    out.write(argument)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use wasmhost_store::Blobs;

    #[test]
    fn heads_are_those_of_cbor() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).unwrap();
        let edges = [5u32, 8, 16, 32].map(|bits| 1u64 << bits);
        let values = edges.iter().flat_map(|edge| [edge - 1, *edge]);
        for value in values.chain([0, 1, 23, 24, u64::MAX]) {
            let mut out = Draft::new(&blobs);
            head(&mut out, UNSIGNED, value).unwrap();
            let mut want = Vec::new();
            ciborium::into_writer(&value, &mut want).unwrap();
            assert_eq!(out.finish().unwrap(), StoredResult::Inline(want), "{value}");
        }
    }
}
