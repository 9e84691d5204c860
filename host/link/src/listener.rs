//! The primary's endpoint. Only authenticated workers that have shaken hands
//! come out of it; joins, refusals and floods are dealt with and logged here.

use crate::authority::Authority;
use crate::blob::BlobHost;
use crate::certificate::Facts;
use crate::control::{CONTROL_PRIORITY, FrameReceiver, FrameSender, LinkHandle, close};
use crate::error::{BindError, LinkError};
use crate::join::{self, JoinGate};
use crate::pending::{Pending, Place};
use crate::transport::{self, code};
use crate::{serve, tls};
use quinn::crypto::rustls::HandshakeData;
use quinn::{Connection, Endpoint, Incoming};
use rustls_pki_types::CertificateDer;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use wasmhost_proto::WorkerId;
use wasmhost_proto::handshake::{self, HELLO_LEN};
use wasmhost_proto::limits::{FIRST_FRAME_MS, HANDSHAKE_MS, MAX_CONNECTIONS, RETRY_ABOVE_PENDING};
use wasmhost_proto::wire::{ALPN_JOIN, PrimaryFrame, WorkerFrame};

/// Authenticated links that wait to be accepted.
const BACKLOG: usize = 64;

/// Listens for workers.
pub struct Listener {
    endpoint: Endpoint,
    address: SocketAddr,
    links: mpsc::Receiver<PrimaryLink>,
    task: tokio::task::JoinHandle<()>,
}

/// A connection of an authenticated worker.
pub struct PrimaryLink {
    /// Who it is: its key proves it.
    pub worker: WorkerId,
    /// Where it connects from.
    pub remote: SocketAddr,
    /// The protocol version that both speak.
    pub version: u16,
    sender: FrameSender<PrimaryFrame>,
    receiver: FrameReceiver<WorkerFrame>,
    handle: LinkHandle,
}

impl PrimaryLink {
    /// Both directions, and a hold on the connection to close it.
    pub fn split(
        self,
    ) -> (
        FrameSender<PrimaryFrame>,
        FrameReceiver<WorkerFrame>,
        LinkHandle,
    ) {
        (self.sender, self.receiver, self.handle)
    }
}

/// What every connection needs.
struct Shared {
    authority: Arc<Authority>,
    gate: Arc<dyn JoinGate>,
    blobs: Arc<dyn BlobHost>,
    pending: Pending,
    connections: Arc<Semaphore>,
    links: mpsc::Sender<PrimaryLink>,
}

impl Listener {
    /// Opens `address` (UDP). Needs a tokio runtime.
    pub fn bind(
        address: SocketAddr,
        authority: Arc<Authority>,
        gate: Arc<dyn JoinGate>,
        blobs: Arc<dyn BlobHost>,
    ) -> Result<Listener, BindError> {
        let identity = authority.server_identity(&[address.ip().to_string()])?;
        let crypto = tls::server(authority.certificate(), identity).map_err(BindError::Tls)?;
        let socket = |source| BindError::Socket { address, source };
        let endpoint = transport::server_endpoint(
            address,
            transport::server(crypto),
            &authority.reset_secret(),
        )
        .map_err(socket)?;
        let bound = endpoint.local_addr().map_err(socket)?;
        let (links, accepted) = mpsc::channel(BACKLOG);
        let shared = Arc::new(Shared {
            authority,
            gate,
            blobs,
            pending: Pending::default(),
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            links,
        });
        let task = tokio::spawn(accept_all(endpoint.clone(), shared));
        Ok(Listener {
            endpoint,
            address: bound,
            links: accepted,
            task,
        })
    }

    /// The address that workers reach, with the port that the system chose for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The next worker's link; none once the endpoint has failed for good. May
    /// be dropped at its await.
    pub async fn accept(&mut self) -> Option<PrimaryLink> {
        self.links.recv().await
    }

    /// Closes all connections with a reason, and waits a little until the
    /// workers have been told.
    pub async fn close(self, reason: &str) {
        self.endpoint.close(code::DONE, reason.as_bytes());
        let _ = timeout(
            Duration::from_millis(FIRST_FRAME_MS),
            self.endpoint.wait_idle(),
        )
        .await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
        self.endpoint
            .close(code::DONE, b"the primary is going down");
    }
}

async fn accept_all(endpoint: Endpoint, shared: Arc<Shared>) {
    while let Some(incoming) = endpoint.accept().await {
        let remote = incoming.remote_address();
        if shared.pending.len() > RETRY_ABOVE_PENDING && incoming.may_retry() {
            // The address must answer before it costs us a handshake.
            if let Err(error) = incoming.retry() {
                tracing::debug!(%remote, "no retry: {error}");
            }
            continue;
        }
        match shared.pending.enter(remote.ip()) {
            Some(place) => {
                tokio::spawn(serve_one(incoming, place, shared.clone()));
            }
            None => {
                tracing::debug!(%remote, "refused a connection: too many are pending");
                incoming.refuse();
            }
        }
    }
}

/// From the first packet to an authenticated link, or to the end of a join.
async fn serve_one(incoming: Incoming, place: Place, shared: Arc<Shared>) {
    let remote = incoming.remote_address();
    let handshake = async { incoming.accept()?.await };
    let connection = match timeout(Duration::from_millis(HANDSHAKE_MS), handshake).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return tracing::warn!(%remote, "refused a connection: {error}"),
        Err(_) => {
            return tracing::warn!(%remote, "gave up a connection: no handshake within {HANDSHAKE_MS} ms");
        }
    };
    let data = connection
        .handshake_data()
        .and_then(|data| data.downcast::<HandshakeData>().ok());
    if data.and_then(|data| data.protocol).as_deref() == Some(ALPN_JOIN) {
        return join::serve(&connection, &shared.authority, shared.gate.as_ref()).await;
    }
    let refuse = |why: String| {
        tracing::warn!(%remote, "refused a worker: {why}");
        close(&connection, code::REFUSED, &why);
    };
    let (worker, public_key) = match authenticate(&connection) {
        Ok(proved) => proved,
        Err(why) => return refuse(why),
    };
    let Ok(permit) = shared.connections.clone().try_acquire_owned() else {
        return refuse(format!("there are {MAX_CONNECTIONS} connections already"));
    };
    let (sender, receiver, version) = match shake_hands(&connection).await {
        Ok(streams) => streams,
        Err(why) => return refuse(format!("worker {worker}: {why}")),
    };
    transport::widen(&connection);
    drop(place);
    let handle = LinkHandle::new(connection.clone());
    let link = PrimaryLink {
        worker,
        remote,
        version,
        sender: FrameSender::new(sender, handle.clone()),
        receiver: FrameReceiver::new(receiver, handle.clone()),
        handle,
    };
    if shared.links.send(link).await.is_err() {
        return close(&connection, code::DONE, "the primary is going down");
    }
    serve_streams(connection, public_key, permit, shared).await;
}

/// The worker that the connection's certificate names, and its key.
fn authenticate(connection: &Connection) -> Result<(WorkerId, Vec<u8>), String> {
    let chain = connection
        .peer_identity()
        .and_then(|id| id.downcast::<Vec<CertificateDer<'static>>>().ok());
    let Some(certificate) = chain.as_ref().and_then(|chain| chain.first()) else {
        return Err(
            "a worker without a certificate is not accepted; join this cluster with a token first"
                .into(),
        );
    };
    let facts = Facts::read(certificate)?;
    Ok((facts.worker()?, facts.public_key))
}

/// The first bytes of the control stream.
async fn shake_hands(
    connection: &Connection,
) -> Result<(quinn::SendStream, quinn::RecvStream, u16), String> {
    let greeting = async {
        let (send, mut receive) = connection.accept_bi().await.map_err(LinkError::from)?;
        let mut hello = [0; HELLO_LEN];
        match receive.read_exact(&mut hello).await {
            Ok(()) => Ok((send, receive, hello)),
            Err(quinn::ReadExactError::ReadError(error)) => Err(error.into()),
            Err(quinn::ReadExactError::FinishedEarly(_)) => {
                Err(LinkError::Protocol("no greeting".into()))
            }
        }
    };
    let (mut send, receive, hello) =
        match timeout(Duration::from_millis(FIRST_FRAME_MS), greeting).await {
            Ok(result) => result.map_err(|e| e.to_string())?,
            Err(_) => return Err(format!("no greeting within {FIRST_FRAME_MS} ms")),
        };
    let chosen = handshake::choose(&hello);
    let write = send
        .write_all(&handshake::answer(chosen.as_ref().ok().copied()))
        .await;
    let version = match chosen {
        Ok(version) => version,
        Err(why) => {
            let _ = send.finish();
            let _ = timeout(Duration::from_millis(FIRST_FRAME_MS), send.stopped()).await;
            return Err(why.to_string());
        }
    };
    write.map_err(|e| e.to_string())?;
    let _ = send.set_priority(CONTROL_PRIORITY);
    Ok((send, receive, version))
}

/// Serves the other streams of a worker until its connection ends. How many
/// run at once is bounded by the streams it may open.
async fn serve_streams(
    connection: Connection,
    public_key: Vec<u8>,
    permit: OwnedSemaphorePermit,
    shared: Arc<Shared>,
) {
    let public_key: Arc<[u8]> = public_key.into();
    while let Ok((send, receive)) = connection.accept_bi().await {
        let (shared, public_key) = (shared.clone(), public_key.clone());
        tokio::spawn(async move {
            serve::stream(
                send,
                receive,
                &shared.authority,
                shared.blobs.clone(),
                &public_key,
            )
            .await;
        });
    }
    drop(permit);
}
