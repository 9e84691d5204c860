//! The results of one node as the input of another: read page by page, written
//! as they are read. Holds one page of results in memory, never all.

use super::Shared;
use std::io::Read as _;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wasmhost_core::record::{OutcomeRecord, StoredResult};
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::{BLOB_CHUNK, GATHER_PAGE, MAX_BLOB};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::{JobId, NodeIndex};
use wasmhost_store::{BlobError, BlobWriter, StoreError};

/// Why there is no gathered input.
#[derive(Debug, thiserror::Error)]
enum GatherError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the results together are over the limit of {MAX_BLOB} bytes for one input")]
    TooLarge,
    #[error("the results cannot be gathered: {0}")]
    Blob(BlobError),
    #[error("the results cannot be gathered: {0}")]
    Read(#[from] std::io::Error),
    #[error("the result of index {0} is not in the store any more")]
    Missing(u32),
    #[error("the job has no such node")]
    NoNode,
    #[error("the primary is shutting down")]
    Stopping,
}

impl From<BlobError> for GatherError {
    fn from(error: BlobError) -> GatherError {
        match error {
            BlobError::TooLarge { .. } => GatherError::TooLarge,
            other => GatherError::Blob(other),
        }
    }
}

/// Makes the blob once it is its turn; the error is for people.
pub(super) async fn gather(
    shared: Arc<Shared>,
    turn: Arc<Semaphore>,
    job: JobId,
    node: NodeIndex,
    from: NodeIndex,
) -> Result<BlobRef, String> {
    let _turn = turn.acquire_owned().await.map_err(|e| e.to_string())?;
    let make = move || match build(&shared, job, node, from) {
        Err(GatherError::Store(error)) => super::fatal(&error),
        result => result.map_err(|e| e.to_string()),
    };
    tokio::task::spawn_blocking(make)
        .await
        .map_err(|e| e.to_string())?
}

fn build(
    shared: &Shared,
    job: JobId,
    node: NodeIndex,
    from: NodeIndex,
) -> Result<BlobRef, GatherError> {
    let blobs = &shared.blobs;
    let plan = shared.store.plan(job)?.ok_or(GatherError::NoNode)?;
    let kind = plan
        .nodes
        .get(usize::from(node))
        .ok_or(GatherError::NoNode)?
        .kind;
    let mut out = blobs.begin(MAX_BLOB)?;
    let framed = kind == ModuleKind::Task;
    if framed {
        // A CBOR array says first how long it is.
        let mut count = 0;
        each_success(shared, job, from, |_, _| {
            count += 1;
            Ok(())
        })?;
        head(&mut out, ARRAY, count)?;
    }
    each_success(shared, job, from, |index, outcome| {
        let opened = match &outcome.result {
            Some(StoredResult::Blob(blob)) => Some(
                blobs
                    .open_file(blob.digest)?
                    .ok_or(GatherError::Missing(index))?,
            ),
            _ => None,
        };
        let inline: &[u8] = match &outcome.result {
            Some(StoredResult::Inline(bytes)) => bytes,
            _ => &[],
        };
        if framed {
            head(&mut out, ARRAY, 2)?;
            head(&mut out, UNSIGNED, index.into())?;
            let len = opened.as_ref().map_or(inline.len() as u64, |(_, len)| *len);
            head(&mut out, BYTES, len)?;
        }
        match opened {
            Some((mut file, _)) => copy(&mut file, &mut out),
            None => Ok(out.write(inline)?),
        }
    })?;
    Ok(out.finish()?)
}

fn each_success(
    shared: &Shared,
    job: JobId,
    node: NodeIndex,
    mut f: impl FnMut(u32, &OutcomeRecord) -> Result<(), GatherError>,
) -> Result<(), GatherError> {
    let mut next = Some(0);
    while let Some(first) = next {
        if shared.stop.is_cancelled() {
            return Err(GatherError::Stopping);
        }
        let page = shared.store.outcomes(job, node, first, GATHER_PAGE)?;
        next = page.last().and_then(|(index, _)| index.checked_add(1));
        for (index, outcome) in page.iter().filter(|(_, outcome)| outcome.failure.is_none()) {
            f(*index, outcome)?;
        }
    }
    Ok(())
}

fn copy(file: &mut std::fs::File, out: &mut BlobWriter) -> Result<(), GatherError> {
    let mut chunk = vec![0; BLOB_CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(()),
            n => out.write(&chunk[..n])?,
        }
    }
}

/// Major types of CBOR, RFC 8949 section 3.1.
const UNSIGNED: u8 = 0;
const BYTES: u8 = 2;
const ARRAY: u8 = 4;

/// The head of a CBOR item in its shortest form, RFC 8949 section 3.
fn head(out: &mut BlobWriter, major: u8, value: u64) -> Result<(), BlobError> {
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
            let mut out = blobs.begin(MAX_BLOB).unwrap();
            head(&mut out, UNSIGNED, value).unwrap();
            let blob = out.finish().unwrap();
            let (mut file, _) = blobs.open_file(blob.digest).unwrap().unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            let mut want = Vec::new();
            ciborium::into_writer(&value, &mut want).unwrap();
            assert_eq!(bytes, want, "{value}");
        }
    }
}
