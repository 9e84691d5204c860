//! The primary's side of joining: one request, one answer, one connection.
//! Whether a token counts is the gate's decision.

use crate::authority::Authority;
use crate::certificate::worker_id;
use crate::control::{close, reason};
use crate::error::LinkError;
use crate::request;
use crate::transport::code;
use quinn::Connection;
use rcgen::{CertificateSigningRequestParams, PublicKeyData};
use std::pin::Pin;
use std::time::Duration;
use tokio::time::timeout;
use wasmhost_proto::limits::{FIRST_FRAME_MS, FRAME_MS, MAX_NAME};
use wasmhost_proto::wire::{CertificateAnswer, JoinRequest};
use wasmhost_proto::{TokenId, WorkerId};

/// A future behind a pointer, so that a trait with it can be an object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Decides who may join.
pub trait JoinGate: Send + Sync + 'static {
    /// Uses up a token for a worker. One use is one success: it must be durable
    /// before this returns `Ok`. An error is for the one who joins: which
    /// token is unknown, used or expired; never what the right secret is.
    fn redeem<'a>(
        &'a self,
        token: TokenId,
        secret: &'a [u8],
        worker: WorkerId,
        name: &'a str,
    ) -> BoxFuture<'a, Result<(), String>>;
}

/// Answers the one request of a connection.
pub(crate) async fn serve(connection: &Connection, authority: &Authority, gate: &dyn JoinGate) {
    let remote = connection.remote_address();
    match timeout(
        Duration::from_millis(FRAME_MS),
        answer(connection, authority, gate),
    )
    .await
    {
        Ok(Ok((worker, name))) => {
            tracing::info!(%remote, %worker, name, "a worker joined the cluster")
        }
        Ok(Err(why)) => tracing::warn!(%remote, "refused to let a worker join: {why}"),
        Err(_) => tracing::warn!(%remote, "gave up a join: it took longer than {FRAME_MS} ms"),
    }
    close(connection, code::DONE, "the join is over");
}

async fn answer(
    connection: &Connection,
    authority: &Authority,
    gate: &dyn JoinGate,
) -> Result<(WorkerId, String), String> {
    let text = |e: LinkError| e.to_string();
    let stream = timeout(
        Duration::from_millis(FIRST_FRAME_MS),
        connection.accept_bi(),
    )
    .await;
    let (mut send, mut receive) = stream
        .map_err(|_| "it sent no request".to_owned())?
        .map_err(|e| text(e.into()))?;
    let join: JoinRequest = request::receive(&mut receive, FIRST_FRAME_MS)
        .await
        .map_err(text)?;
    let name = reason(join.name.as_bytes());
    let result = admit(&join, &name, authority, gate).await;
    let answer = match &result {
        Ok((_, certificate)) => CertificateAnswer::Certificate(certificate.clone()),
        Err(why) => CertificateAnswer::Refused(why.clone()),
    };
    request::send(&mut send, &answer).await.map_err(text)?;
    let _ = send.finish();
    // The worker closes once it has read the answer; closing first could drop it.
    let _ = timeout(Duration::from_millis(FIRST_FRAME_MS), send.stopped()).await;
    result.map(|(worker, _)| (worker, name))
}

async fn admit(
    join: &JoinRequest,
    name: &str,
    authority: &Authority,
    gate: &dyn JoinGate,
) -> Result<(WorkerId, Vec<u8>), String> {
    if name.is_empty() || name.chars().count() > MAX_NAME {
        return Err(format!("a worker's name has 1 to {MAX_NAME} characters"));
    }
    // Verifies the request's own signature; of its content only the key counts.
    let request = CertificateSigningRequestParams::from_der(&join.request.as_slice().into())
        .map_err(|e| format!("the certificate request is not valid: {e}"))?;
    let public_key = request.public_key.subject_public_key_info();
    // Signed first: a token is not used up for a certificate that cannot be made.
    let certificate = authority
        .sign_worker(&public_key)
        .map_err(|e| e.to_string())?;
    let worker = worker_id(&public_key);
    gate.redeem(join.token, &join.secret, worker, name).await?;
    Ok((worker, certificate.to_vec()))
}
