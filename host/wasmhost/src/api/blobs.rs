//! Uploads: bytes from the network to a file named by its digest.
//!
//! Holds one chunk in memory. A body that is too long, stalls or breaks off
//! leaves nothing behind.

use super::problem::Problem;
use super::state::{App, Shared, blocking, place};
use axum::Json;
use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use futures_util::StreamExt;
use std::time::Duration;
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::{BLOB_CHUNK, HTTP_STALL_MS, MAX_BLOB};
use wasmhost_store::{BlobError, BlobWriter};

/// Uploads content that a job will name.
#[utoipa::path(post, path = "/api/v1/blobs", tag = "blobs", operation_id = "upload_blob",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, description = "Its digest and length", body = BlobRef)))]
pub(crate) async fn upload(
    State(app): State<Shared>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<BlobRef>), Problem> {
    let blob = receive(&app, &headers, body, "the blob", MAX_BLOB).await?;
    Ok((StatusCode::CREATED, Json(blob)))
}

/// Streams a body of at most `max` bytes into the blob store.
pub(crate) async fn receive(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    what: &str,
    max: u64,
) -> Result<BlobRef, Problem> {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|len| len > max) {
        return Err(Problem::too_large(what, max));
    }
    let _place = place(&app.uploads, "uploads")?;
    let failed = |e: BlobError| match e {
        BlobError::TooLarge { .. } => Problem::too_large(what, max),
        e => Problem::fault("the upload could not be written", &e),
    };
    let blobs = app.handle.blobs().clone();
    let mut writer = blocking(move || blobs.begin(max)).await.map_err(failed)?;
    let mut stream = body.into_data_stream();
    let mut gathered = Vec::new();
    while let Some(piece) = next(&mut stream).await? {
        gathered.extend_from_slice(&piece);
        if gathered.len() >= BLOB_CHUNK {
            writer = append(writer, std::mem::take(&mut gathered))
                .await
                .map_err(failed)?;
        }
    }
    writer = append(writer, gathered).await.map_err(failed)?;
    blocking(move || writer.finish()).await.map_err(failed)
}

async fn append(mut writer: BlobWriter, bytes: Vec<u8>) -> Result<BlobWriter, BlobError> {
    blocking(move || writer.write(&bytes).map(|()| writer)).await
}

/// The next piece of a body that moves.
async fn next(stream: &mut BodyDataStream) -> Result<Option<Bytes>, Problem> {
    match tokio::time::timeout(Duration::from_millis(HTTP_STALL_MS), stream.next()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(piece))) => Ok(Some(piece)),
        Ok(Some(Err(_))) => Err(Problem::bad("bad_body", "the upload broke off")),
        Err(_) => {
            let title = format!(
                "the upload stood still for {} seconds",
                HTTP_STALL_MS / 1000
            );
            Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "upload_stalled",
                title,
            ))
        }
    }
}
