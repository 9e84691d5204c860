//! A blob's bytes between a stream and what blocks: read ahead of the stream when
//! they leave, written beside it when they come, in bounded pieces. Knows neither
//! digests nor names.

use crate::error::LinkError;
use bytes::Bytes;
use quinn::{RecvStream, SendStream, WriteError};
use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use wasmhost_proto::limits::{BLOB_CHUNK, BLOB_STALL_MS};

/// Runs what blocks on a thread that may.
pub(crate) async fn blocking<R: Send + 'static>(
    f: impl FnOnce() -> R + Send + 'static,
) -> Result<R, LinkError> {
    // Only a panic or the runtime's end stops it.
    spawn_blocking(f)
        .await
        .map_err(|e| LinkError::Lost(e.to_string()))
}

/// Fails when no byte moves for [`BLOB_STALL_MS`].
async fn moving<T, E>(io: impl Future<Output = Result<T, E>>) -> Result<T, LinkError>
where
    LinkError: From<E>,
{
    match timeout(Duration::from_millis(BLOB_STALL_MS), io).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(LinkError::Lost(format!(
            "no byte moved for {BLOB_STALL_MS} ms"
        ))),
    }
}

/// Sends `left` bytes from where the file stands; reads a piece while the one
/// before is on its way.
pub(crate) async fn send_file(
    send: &mut SendStream,
    file: File,
    mut left: u64,
) -> Result<(), LinkError> {
    let read = |mut file: File, left: u64| {
        let want = left.min(BLOB_CHUNK as u64) as usize;
        spawn_blocking(move || {
            let mut bytes = vec![0; want];
            file.read_exact(&mut bytes).map(|()| (file, bytes))
        })
    };
    let mut next = (left > 0).then(|| read(file, left));
    while let Some(reading) = next.take() {
        let read_one = reading.await.map_err(|e| LinkError::Lost(e.to_string()))?;
        let lost = |e| LinkError::Lost(format!("a blob cannot be read: {e}"));
        let (file, bytes) = read_one.map_err(lost)?;
        left -= bytes.len() as u64;
        next = (left > 0).then(|| read(file, left));
        moving::<_, WriteError>(send.write_chunk(Bytes::from(bytes))).await?;
    }
    Ok(())
}

/// Pieces that wait to be written.
const PIECES: usize = 4;

/// Takes up to `left` bytes and writes them on a thread of its own meanwhile.
/// Returns what it wrote to, or why it could not, and how many bytes are missing.
pub(crate) async fn keep_all<S: Send + 'static>(
    receive: &mut RecvStream,
    mut left: u64,
    mut sink: S,
    mut write: impl FnMut(&mut S, &[u8]) -> io::Result<()> + Send + 'static,
) -> Result<(io::Result<S>, u64), LinkError> {
    let (pieces, mut queue) = mpsc::channel::<Vec<u8>>(PIECES);
    let writing = spawn_blocking(move || {
        while let Some(bytes) = queue.blocking_recv() {
            write(&mut sink, &bytes)?;
        }
        Ok(sink)
    });
    let received = async {
        while let Some(bytes) = read_piece(receive, left).await? {
            left -= bytes.len() as u64;
            if pieces.send(bytes).await.is_err() {
                // It says below why it has stopped.
                break;
            }
        }
        Ok(())
    };
    let received: Result<(), LinkError> = received.await;
    // Whatever came of it: nobody else may touch the file before the writer ends.
    drop(pieces);
    let written = writing.await.map_err(|e| LinkError::Lost(e.to_string()))?;
    received?;
    Ok((written, left))
}

/// Packets' worth of bytes taken at once.
const CHUNKS: usize = 64;

/// About a chunk of the `left` bytes that are still to come; none at the end.
/// Bytes beyond them are against the protocol.
async fn read_piece(receive: &mut RecvStream, left: u64) -> Result<Option<Vec<u8>>, LinkError> {
    let mut piece = Vec::with_capacity(left.min(BLOB_CHUNK as u64) as usize);
    let mut chunks = [const { Bytes::new() }; CHUNKS];
    while piece.len() < BLOB_CHUNK {
        match moving(receive.read_chunks(&mut chunks)).await? {
            Some(count) => {
                for chunk in &mut chunks[..count] {
                    piece.extend_from_slice(&std::mem::take(chunk));
                }
            }
            None => break,
        }
        if piece.len() as u64 > left {
            return Err(LinkError::Protocol(
                "it sent more bytes than it announced".into(),
            ));
        }
    }
    Ok((!piece.is_empty()).then_some(piece))
}
