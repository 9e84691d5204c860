//! QUIC's settings and sockets. quinn's defaults let one peer make us hold
//! 250 MB; ours are in `limits`.

use quinn::{
    EndpointConfig, IdleTimeout, MtuDiscoveryConfig, ServerConfig, TransportConfig, VarInt,
};
use quinn_proto::HashedConnectionIdGenerator;
use ring::hmac;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use wasmhost_proto::limits::*;

/// Streams that a worker may open: the control stream, blobs, and a renewal.
const WORKER_STREAMS: u32 = MAX_BLOB_STREAMS as u32 + 2;
/// The largest UDP payload that an Ethernet with IPv6 or a PPPoE header carries.
const MAX_MTU: u16 = 1452;

/// Close codes of the application. Not more than a hint: the reason's text counts.
pub(crate) mod code {
    use quinn::VarInt;
    /// Ended in order.
    pub(crate) const DONE: VarInt = VarInt::from_u32(0);
    /// Refused before the connection was ready.
    pub(crate) const REFUSED: VarInt = VarInt::from_u32(1);
    /// The other side sent what is no message.
    pub(crate) const PROTOCOL: VarInt = VarInt::from_u32(2);
}

/// The primary's side, as narrow as a peer deserves that has not proved itself.
/// [`widen`] follows once it has.
pub(crate) fn server(crypto: quinn::crypto::rustls::QuicServerConfig) -> ServerConfig {
    let mut transport = common();
    transport
        .receive_window(VarInt::from_u32(UNPROVED_WINDOW))
        .max_concurrent_bidi_streams(VarInt::from_u32(1));
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(Arc::new(transport))
        .migration(false)
        .max_incoming(MAX_INCOMING)
        .incoming_buffer_size(INCOMING_BUFFER)
        .incoming_buffer_size_total(INCOMING_BUFFER_TOTAL);
    config
}

/// Gives an authenticated worker its streams and window.
pub(crate) fn widen(connection: &quinn::Connection) {
    connection.set_receive_window(VarInt::from_u32(CONNECTION_WINDOW));
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(WORKER_STREAMS));
}

/// A worker's side. The primary opens no streams.
pub(crate) fn client(crypto: quinn::crypto::rustls::QuicClientConfig) -> quinn::ClientConfig {
    let mut transport = common();
    transport
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .max_concurrent_bidi_streams(VarInt::from_u32(0));
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport));
    config
}

fn common() -> TransportConfig {
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(MAX_MTU);
    let mut transport = TransportConfig::default();
    transport
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .send_window(SEND_WINDOW)
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_MS as u32))))
        .keep_alive_interval(Some(Duration::from_millis(KEEP_ALIVE_MS)))
        .mtu_discovery_config(Some(mtu));
    transport
}

/// A primary's endpoint. `secret` outlives the process: a primary that was
/// killed and started again can so tell its workers at once, by stateless resets
/// (RFC 9000, 10.3), that their connections are gone. Without it they would wait
/// for the idle time-out.
pub(crate) fn server_endpoint(
    address: SocketAddr,
    server: ServerConfig,
    secret: &[u8; 32],
) -> io::Result<quinn::Endpoint> {
    let mut config = EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret)));
    let [a, b, c, d, e, f, g, h, ..] = *secret;
    let ids = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
    open(address, config, Some(server))
}

/// A worker's endpoint.
pub(crate) fn client_endpoint(address: SocketAddr) -> io::Result<quinn::Endpoint> {
    open(address, EndpointConfig::default(), None)
}

/// An endpoint on a UDP socket with large buffers, as far as the system allows.
fn open(
    address: SocketAddr,
    config: EndpointConfig,
    server: Option<ServerConfig>,
) -> io::Result<quinn::Endpoint> {
    let socket = UdpSocket::bind(address)?;
    // Best effort: the system's own maximum applies, and smaller buffers only cost speed.
    let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, SOCKET_BUFFER);
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&socket, SOCKET_BUFFER);
    quinn::Endpoint::new(config, server, socket, Arc::new(quinn::TokioRuntime))
}
