//! What QUIC does without us: bytes from memory through a stream of quinn to a
//! reader that drops them, with the product's certificates, windows and sockets.

use crate::place::Place;
use anyhow::{Context, Result, anyhow, ensure};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Endpoint, EndpointConfig, ServerConfig, TransportConfig, VarInt};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use wasmhost_link::Authority;
use wasmhost_proto::limits::{CONNECTION_WINDOW, SEND_WINDOW, SOCKET_BUFFER, STREAM_WINDOW};

/// The name in the certificate of the sending side.
const NAME: &str = "bench.test";
/// The product's own.
const MTU: u16 = 1452;
/// Bytes of one write, and of one read.
const PIECE: usize = 256 << 10;

/// A sender and its settings.
pub(crate) struct Raw {
    runtime: Runtime,
    server: Endpoint,
    address: SocketAddr,
    client: ClientConfig,
}

impl Raw {
    /// Opens the sending side on loopback.
    pub(crate) fn new(place: &Place) -> Result<Raw> {
        let folder = place.folder()?;
        let authority = Authority::load_or_create(folder.path())?;
        let identity = authority.server_identity(&[NAME.to_owned()])?;
        let provider = || Arc::new(rustls::crypto::ring::default_provider());
        let mut server = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(identity.chain, identity.key)?;
        server.alpn_protocols = vec![b"raw".to_vec()];
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.certificate().clone())?;
        let mut client = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.alpn_protocols = vec![b"raw".to_vec()];

        let mut server = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(server)?));
        server.transport_config(Arc::new(transport()));
        let mut client = ClientConfig::new(Arc::new(QuicClientConfig::try_from(client)?));
        client.transport_config(Arc::new(transport()));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let server = runtime.block_on(async { endpoint(Some(server)) })?;
        Ok(Raw {
            address: server.local_addr()?,
            runtime,
            server,
            client,
        })
    }

    /// Sends `bytes` to so many receivers at once, over connections that are
    /// open already; how long until the last has all of them.
    pub(crate) fn send(&self, bytes: Vec<u8>, receivers: usize) -> Result<Duration> {
        let bytes = Arc::new(bytes);
        self.runtime.block_on(async {
            let (mut sending, mut receiving) = (Vec::new(), Vec::new());
            let mut endpoints = Vec::new();
            for _ in 0..receivers {
                let endpoint = endpoint(None)?;
                let connecting = endpoint.connect_with(self.client.clone(), self.address, NAME)?;
                let accepting = async {
                    let incoming = self.server.accept().await.context("no connection came")?;
                    Ok::<_, anyhow::Error>(incoming.await?)
                };
                let connecting = async { Ok::<_, anyhow::Error>(connecting.await?) };
                let (sender, receiver) = tokio::try_join!(accepting, connecting)?;
                endpoints.push(endpoint);
                sending.push(sender);
                receiving.push(receiver);
            }
            let start = Instant::now();
            let len = bytes.len();
            for connection in &sending {
                let (connection, bytes) = (connection.clone(), bytes.clone());
                tokio::spawn(async move {
                    // What goes wrong shows at the reader.
                    let Ok(mut stream) = connection.open_uni().await else {
                        return;
                    };
                    for piece in bytes.chunks(PIECE) {
                        if stream.write_all(piece).await.is_err() {
                            return;
                        }
                    }
                    let _ = stream.finish();
                    let _ = stream.stopped().await;
                });
            }
            let readers: Vec<_> = receiving
                .iter()
                .map(|connection| {
                    let connection = connection.clone();
                    tokio::spawn(async move {
                        let mut stream = connection.accept_uni().await?;
                        let mut got = 0;
                        while let Some(chunk) = stream.read_chunk(PIECE, true).await? {
                            got += chunk.bytes.len();
                        }
                        Ok::<usize, anyhow::Error>(got)
                    })
                })
                .collect();
            for reader in readers {
                let got = reader.await.map_err(|e| anyhow!("a reader died: {e}"))??;
                ensure!(got == len, "{got} bytes came of {len}");
            }
            let took = start.elapsed();
            for connection in &receiving {
                connection.close(VarInt::from_u32(0), b"done");
            }
            Ok(took)
        })
    }
}

fn transport() -> TransportConfig {
    let mut mtu = quinn::MtuDiscoveryConfig::default();
    mtu.upper_bound(MTU);
    let mut transport = TransportConfig::default();
    transport
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .send_window(SEND_WINDOW)
        .mtu_discovery_config(Some(mtu));
    transport
}

fn endpoint(server: Option<ServerConfig>) -> Result<Endpoint> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    // As far as the system allows, as the product does.
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BUFFER);
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&socket, SOCKET_BUFFER);
    let runtime = Arc::new(quinn::TokioRuntime);
    Ok(Endpoint::new(
        EndpointConfig::default(),
        server,
        socket,
        runtime,
    )?)
}
