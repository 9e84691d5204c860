//! A worker's side: join once, then connect, fetch, push, renew. Turns QUIC's
//! terse alerts into what an operator can act on.

use crate::authority::SERVER_NAME;
use crate::certificate::now;
use crate::control::{CONTROL_PRIORITY, FrameReceiver, FrameSender, LinkHandle, close, reason};
use crate::error::{BlobError, ConnectError, IdentityError, JoinError, LinkError, RenewError};
use crate::identity::{self, Identity};
use crate::token::JoinToken;
use crate::transport::{self, code};
use crate::{blob, request, tls};
use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream, TransportErrorCode};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use wasmhost_proto::handshake::{self, ANSWER_LEN};
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::{FIRST_FRAME_MS, FRAME_MS, HANDSHAKE_MS, MAX_BLOB_STREAMS};
use wasmhost_proto::wire::{
    CertificateAnswer, JoinRequest, PrimaryFrame, StreamRequest, WorkerFrame,
};

/// TLS alerts, RFC 8446 section 6.2.
mod alert {
    pub(super) const BAD_CERTIFICATE: u8 = 42;
    pub(super) const CERTIFICATE_EXPIRED: u8 = 45;
    pub(super) const CERTIFICATE_UNKNOWN: u8 = 46;
    pub(super) const UNKNOWN_CA: u8 = 48;
    pub(super) const DECRYPT_ERROR: u8 = 51;
    pub(super) const NO_APPLICATION_PROTOCOL: u8 = 120;
}

impl Identity {
    /// Joins the cluster of `token` through the primary at `address`
    /// (`HOST:PORT`) and keeps the identity in `dir`. The token's secret is
    /// sent only to the holder of the authority that the token names.
    pub async fn join(
        address: &str,
        token: &JoinToken,
        name: &str,
        dir: &Path,
    ) -> Result<Identity, JoinError> {
        let shown = Arc::new(OnceLock::new());
        let crypto = tls::joining(token.fingerprint, shown.clone()).map_err(local)?;
        let (endpoint, connection) = match open(address, transport::client(crypto)).await {
            Ok(opened) => opened,
            Err(error) => match shown.get() {
                Some(got) => {
                    let (address, want) = (address.to_owned(), token.fingerprint);
                    return Err(ConnectError::WrongFingerprint {
                        address,
                        want,
                        got: got.clone(),
                    }
                    .into());
                }
                None => return Err(error.explain(address, None).into()),
            },
        };
        let chain = connection.peer_identity().and_then(|id| {
            id.downcast::<Vec<rustls_pki_types::CertificateDer<'static>>>()
                .ok()
        });
        let authority = chain
            .and_then(|chain| {
                chain
                    .into_iter()
                    .find(|c| crate::certificate::fingerprint(c) == token.fingerprint)
            })
            .ok_or_else(|| ConnectError::Local("the primary's certificates are gone".into()))?;
        let (key, csr) = identity::new_key()?;
        let join = JoinRequest {
            token: token.id,
            secret: token.secret.to_vec(),
            name: name.to_owned(),
            request: csr,
        };
        let answer = ask(&connection, &join)
            .await
            .map_err(|e| Failure::Link(e).explain(address, None));
        close(&connection, code::DONE, "joined");
        let _ = timeout(Duration::from_millis(FIRST_FRAME_MS), endpoint.wait_idle()).await;
        match answer? {
            CertificateAnswer::Certificate(certificate) => {
                let identity =
                    Identity::new(identity::path_in(dir), key, certificate.into(), authority)
                        .map_err(IdentityError::NotOurs)?;
                identity.save()?;
                Ok(identity)
            }
            CertificateAnswer::Refused(why) => Err(JoinError::Refused(reason(why.as_bytes()))),
        }
    }
}

/// One request and its answer on a stream of their own.
async fn ask<T: serde::Serialize>(
    connection: &Connection,
    message: &T,
) -> Result<CertificateAnswer, LinkError> {
    let (mut send, mut receive) = connection.open_bi().await?;
    request::send(&mut send, message).await?;
    let _ = send.finish();
    request::receive(&mut receive, FRAME_MS).await
}

/// A worker's connection to the primary, ready for messages.
pub struct WorkerLink {
    /// The protocol version that both speak.
    pub version: u16,
    sender: FrameSender<WorkerFrame>,
    receiver: FrameReceiver<PrimaryFrame>,
    uplink: Uplink,
}

impl WorkerLink {
    /// Connects to the primary at `address` (`HOST:PORT`) and shakes hands.
    pub async fn connect(address: &str, identity: &Identity) -> Result<WorkerLink, ConnectError> {
        let crypto = tls::client(identity).map_err(local)?;
        let failed = |failure: Failure| failure.explain(address, Some(identity));
        let (endpoint, connection) = open(address, transport::client(crypto))
            .await
            .map_err(failed)?;
        let greeted = timeout(Duration::from_millis(HANDSHAKE_MS), greet(&connection)).await;
        let (send, receive, version) = match greeted {
            Ok(Ok(streams)) => streams,
            Ok(Err(failure)) => return Err(failed(failure)),
            Err(_) => {
                return Err(ConnectError::Lost(format!(
                    "no greeting within {HANDSHAKE_MS} ms"
                )));
            }
        };
        let handle = LinkHandle::new(connection);
        Ok(WorkerLink {
            version,
            sender: FrameSender::new(send, handle.clone()),
            receiver: FrameReceiver::new(receive, handle.clone()),
            uplink: Uplink {
                handle,
                endpoint,
                blobs: Arc::new(Semaphore::new(MAX_BLOB_STREAMS)),
            },
        })
    }

    /// Both directions of messages, and the rest.
    pub fn split(
        self,
    ) -> (
        FrameSender<WorkerFrame>,
        FrameReceiver<PrimaryFrame>,
        Uplink,
    ) {
        (self.sender, self.receiver, self.uplink)
    }
}

/// What a worker does with a connection beside messages. Clones share it.
#[derive(Clone)]
pub struct Uplink {
    handle: LinkHandle,
    endpoint: Endpoint,
    blobs: Arc<Semaphore>,
}

impl Uplink {
    /// Fetches a blob into the file `destination`, verified and renamed into
    /// place. What arrived before a failure of the link is kept beside it
    /// with `.part` added and gone on with at the next call. One call at a
    /// time per destination. Waits while [`MAX_BLOB_STREAMS`] others run.
    pub async fn fetch(&self, blob: &BlobRef, destination: &Path) -> Result<(), BlobError> {
        let _permit = self.permit().await?;
        let (send, receive) = self.stream().await?;
        blob::fetch(send, receive, blob, destination).await
    }

    /// Sends the file `path` as a blob; it is durable when this returns. Waits
    /// while [`MAX_BLOB_STREAMS`] others run.
    pub async fn push(&self, blob: &BlobRef, path: &Path) -> Result<(), BlobError> {
        let _permit = self.permit().await?;
        let (send, receive) = self.stream().await?;
        blob::push(send, receive, blob, path).await
    }

    /// A later certificate for the same key, kept in place of the old one. The
    /// connection goes on; the next one uses it.
    pub async fn renew(&self, identity: &Identity) -> Result<Identity, RenewError> {
        match ask(self.handle.connection(), &StreamRequest::Renew).await? {
            CertificateAnswer::Certificate(certificate) => Ok(identity.renewed(certificate)?),
            CertificateAnswer::Refused(why) => Err(RenewError::Refused(reason(why.as_bytes()))),
        }
    }

    /// Waits until the connection is closed, and says why.
    pub async fn closed(&self) -> LinkError {
        self.handle.closed().await
    }

    /// Closes the connection at once, without waiting.
    pub fn abort(&self, why: &str) {
        self.handle.close(why);
    }

    /// Closes the connection and waits a little until the primary was told.
    pub async fn close(&self, why: &str) {
        self.handle.close(why);
        let _ = timeout(
            Duration::from_millis(FIRST_FRAME_MS),
            self.endpoint.wait_idle(),
        )
        .await;
    }

    /// The primary's address.
    pub fn remote(&self) -> SocketAddr {
        self.handle.remote()
    }

    async fn permit(&self) -> Result<tokio::sync::SemaphorePermit<'_>, LinkError> {
        self.blobs.acquire().await.map_err(|_| LinkError::Ended)
    }

    async fn stream(&self) -> Result<(SendStream, RecvStream), LinkError> {
        Ok(self.handle.connection().open_bi().await?)
    }
}

/// The first bytes of the control stream.
async fn greet(connection: &Connection) -> Result<(SendStream, RecvStream, u16), Failure> {
    let link = |e: LinkError| Failure::Link(e);
    let (mut send, mut receive) = connection.open_bi().await.map_err(Failure::Connection)?;
    let _ = send.set_priority(CONTROL_PRIORITY);
    send.write_all(&handshake::hello())
        .await
        .map_err(|e| match e {
            quinn::WriteError::ConnectionLost(error) => Failure::Connection(error),
            other => link(other.into()),
        })?;
    let mut answer = [0; ANSWER_LEN];
    receive.read_exact(&mut answer).await.map_err(|e| match e {
        quinn::ReadExactError::ReadError(quinn::ReadError::ConnectionLost(error)) => {
            Failure::Connection(error)
        }
        quinn::ReadExactError::ReadError(other) => link(other.into()),
        quinn::ReadExactError::FinishedEarly(_) => link(LinkError::Protocol("no greeting".into())),
    })?;
    let version = handshake::accepted(&answer).map_err(Failure::Handshake)?;
    Ok((send, receive, version))
}

/// Resolves, tries each address, and finishes the TLS handshake.
async fn open(
    address: &str,
    config: quinn::ClientConfig,
) -> Result<(Endpoint, Connection), Failure> {
    let resolve = |why: String| {
        Failure::Local(ConnectError::Resolve {
            address: address.to_owned(),
            why,
        })
    };
    let found = tokio::net::lookup_host(address)
        .await
        .map_err(|e| resolve(e.to_string()))?;
    let mut last = resolve("it has no address".into());
    for remote in found {
        let any = match remote {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let endpoint = transport::client_endpoint(any).map_err(|e| Failure::Local(local(e)))?;
        let connecting = endpoint
            .connect_with(config.clone(), remote, SERVER_NAME)
            .map_err(|e| Failure::Local(local(e)))?;
        last = match timeout(Duration::from_millis(HANDSHAKE_MS), connecting).await {
            Ok(Ok(connection)) => return Ok((endpoint, connection)),
            Ok(Err(error)) => Failure::Connection(error),
            Err(_) => Failure::Connection(ConnectionError::TimedOut),
        };
    }
    Err(last)
}

fn local(error: impl std::fmt::Display) -> ConnectError {
    ConnectError::Local(error.to_string())
}

/// Why there is no connection, before it is explained.
enum Failure {
    Local(ConnectError),
    Connection(ConnectionError),
    Link(LinkError),
    Handshake(handshake::HandshakeError),
}

impl Failure {
    /// In words for the operator of this worker.
    fn explain(self, address: &str, identity: Option<&Identity>) -> ConnectError {
        let address = address.to_owned();
        match self {
            Failure::Local(error) => error,
            Failure::Handshake(error) => error.into(),
            Failure::Link(LinkError::Closed(why)) => ConnectError::Refused(why),
            Failure::Link(error) => ConnectError::Lost(error.to_string()),
            Failure::Connection(error) => match error {
                ConnectionError::TimedOut => ConnectError::Unreachable { address },
                ConnectionError::ApplicationClosed(close) => {
                    ConnectError::Refused(reason(&close.reason))
                }
                // Our own TLS said no: the primary's certificate is not what we want.
                ConnectionError::TransportError(error) => ConnectError::OtherCluster {
                    address,
                    why: error.reason,
                },
                // The primary's TLS said no to ours.
                ConnectionError::ConnectionClosed(close) => {
                    refused_by_tls(close.error_code, &close.reason, identity)
                }
                other => ConnectError::Lost(other.to_string()),
            },
        }
    }
}

fn refused_by_tls(
    code: TransportErrorCode,
    text: &[u8],
    identity: Option<&Identity>,
) -> ConnectError {
    let is = |alert| code == TransportErrorCode::crypto(alert);
    let text = reason(text);
    if code == TransportErrorCode::CONNECTION_REFUSED {
        return ConnectError::Refused(
            "too many connections are pending; try again in a moment".into(),
        );
    }
    match identity {
        Some(identity) if is(alert::CERTIFICATE_EXPIRED) && identity.expires() <= now() => {
            ConnectError::Expired {
                at: identity.expires(),
            }
        }
        Some(_)
            if [
                alert::BAD_CERTIFICATE,
                alert::CERTIFICATE_EXPIRED,
                alert::CERTIFICATE_UNKNOWN,
                alert::UNKNOWN_CA,
                alert::DECRYPT_ERROR,
            ]
            .into_iter()
            .any(is) =>
        {
            ConnectError::NotAccepted { why: text }
        }
        _ if is(alert::NO_APPLICATION_PROTOCOL) => {
            ConnectError::Handshake(handshake::HandshakeError::NotWasmhost)
        }
        _ => ConnectError::Refused(format!("{code}: {text}")),
    }
}
