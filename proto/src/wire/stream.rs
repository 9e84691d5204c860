//! What opens the other streams of a connection: blobs, certificates, and the
//! one request of a join. A worker opens them; each carries one frame of up to
//! [`crate::limits::MAX_REQUEST`] bytes, answered by one or two more.

use crate::ids::{Digest, TokenId};
use crate::input::BlobRef;
use serde::{Deserialize, Serialize};

/// The application protocol of joining, without a client certificate.
pub const ALPN_JOIN: &[u8] = b"wasmhost-join/1";
/// The application protocol of everything else, with mutual TLS.
pub const ALPN: &[u8] = b"wasmhost/1";

/// The first frame of a stream that is not the control stream.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamRequest {
    /// Send this content from an offset on; answered by [`FetchAnswer`].
    Fetch {
        /// The content.
        digest: Digest,
        /// Where to begin.
        offset: u64,
    },
    /// Take this content; answered by [`PushAnswer`].
    Push(BlobRef),
    /// A new certificate for the same key; answered by [`CertificateAnswer`].
    Renew,
}

/// The answer to [`StreamRequest::Fetch`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FetchAnswer {
    /// The bytes from the offset to the end follow.
    Found {
        /// Length of the whole content.
        len: u64,
    },
    /// The primary does not have it.
    Missing,
    /// The primary cannot send it, and why.
    Refused(String),
}

/// The answers to [`StreamRequest::Push`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushAnswer {
    /// Send the bytes, then end the stream; another answer follows.
    Send,
    /// The content is verified and durable.
    Stored,
    /// The primary does not take it, and why.
    Refused(String),
}

/// The only request of a join.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The join token.
    pub token: TokenId,
    /// Its secret.
    #[serde(with = "serde_bytes")]
    pub secret: Vec<u8>,
    /// The worker's name for people.
    pub name: String,
    /// A PKCS #10 certificate request in DER: proves the key. Nothing else in it counts.
    #[serde(with = "serde_bytes")]
    pub request: Vec<u8>,
}

/// The answer to a join or a renewal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateAnswer {
    /// The worker's certificate in DER.
    Certificate(#[serde(with = "serde_bytes")] Vec<u8>),
    /// None, and why.
    Refused(String),
}
