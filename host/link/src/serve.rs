//! The primary's side of a stream that a worker opened: a blob to send, a blob
//! to take, or a certificate to renew.

use crate::authority::Authority;
use crate::blob::{self, BlobHost};
use crate::error::LinkError;
use crate::request;
use quinn::{RecvStream, SendStream};
use std::sync::Arc;
use wasmhost_proto::limits::FIRST_FRAME_MS;
use wasmhost_proto::wire::{CertificateAnswer, StreamRequest};

/// Serves one stream; a broken one is logged and ends.
pub(crate) async fn stream(
    mut send: SendStream,
    mut receive: RecvStream,
    authority: &Authority,
    blobs: Arc<dyn BlobHost>,
    public_key: &[u8],
) {
    let result = match request::receive(&mut receive, FIRST_FRAME_MS).await {
        Ok(StreamRequest::Fetch { digest, offset }) => {
            blob::serve_fetch(&mut send, blobs, digest, offset).await
        }
        Ok(StreamRequest::Push(blob)) => {
            blob::serve_push(&mut send, &mut receive, blobs, blob).await
        }
        Ok(StreamRequest::Renew) => renew(&mut send, authority, public_key).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => {
            let _ = send.finish();
        }
        Err(error) => {
            tracing::debug!("a stream of a worker ended early: {error}");
            let _ = send.reset(crate::transport::code::PROTOCOL);
        }
    }
}

/// The same key, a later end.
async fn renew(
    send: &mut SendStream,
    authority: &Authority,
    public_key: &[u8],
) -> Result<(), LinkError> {
    let answer = match authority.sign_worker(public_key) {
        Ok(certificate) => CertificateAnswer::Certificate(certificate.to_vec()),
        Err(error) => {
            tracing::error!("cannot renew a worker's certificate: {error}");
            CertificateAnswer::Refused(error.to_string())
        }
    };
    request::send(send, &answer).await
}
