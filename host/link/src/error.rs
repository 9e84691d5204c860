//! What can go wrong, one small enum per operation, in words for whoever must
//! choose what to do next.

use std::io;
use std::path::PathBuf;
use wasmhost_proto::handshake::HandshakeError;
use wasmhost_proto::{Digest, Timestamp};

/// The cluster's authority could not be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file could not be read or written.
    #[error("cannot use the cluster's authority in {path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is there and holds no authority.
    #[error(
        "{path} does not hold a certificate and its key ({why}); restore it from a backup, \
         or remove the folder to make a new cluster that all workers must join again"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Sign(String),
}

/// A worker's identity could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file could not be read or written.
    #[error("cannot use this worker's identity in {path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is there and holds no identity.
    #[error(
        "{path} does not hold a worker's identity ({why}); remove it and join again with a token"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The primary sent a certificate that is not for this worker's key.
    #[error("the certificate is not this worker's: {0}")]
    NotOurs(String),
    /// A key could not be made.
    #[error("cannot make a key: {0}")]
    Key(String),
}

/// A listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is not free or not ours.
    #[error("UDP {address} cannot be opened; is another primary running there?")]
    Socket {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The server's own certificate could not be made.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// TLS refused the settings.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
}

/// A worker could not connect.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address has no meaning here.
    #[error("cannot find the primary's address '{address}': {why}; expected HOST:PORT")]
    Resolve {
        /// As given.
        address: String,
        /// Why.
        why: String,
    },
    /// Nobody answers.
    #[error(
        "no primary answers at {address} (UDP): check that it runs, its address, and firewalls"
    )]
    Unreachable {
        /// As given.
        address: String,
    },
    /// The primary's certificate is not one of the cluster that we belong to.
    #[error(
        "the primary at {address} belongs to another cluster than this worker ({why}); nothing was sent to it"
    )]
    OtherCluster {
        /// As given.
        address: String,
        /// What TLS found.
        why: String,
    },
    /// The token names another authority than the primary has.
    #[error(
        "the primary at {address} is not the one that the join token was made for: the token names \
         authority {want}, the primary showed {got}; nothing was sent to it"
    )]
    WrongFingerprint {
        /// As given.
        address: String,
        /// The token's.
        want: Digest,
        /// What the primary showed.
        got: String,
    },
    /// Our certificate is too old.
    #[error(
        "the primary refused: this worker's certificate expired at {at}; join again with a token"
    )]
    Expired {
        /// When it ended.
        at: Timestamp,
    },
    /// The primary does not accept our certificate.
    #[error(
        "the primary refused: it did not issue this worker's certificate ({why}); join its cluster with a token"
    )]
    NotAccepted {
        /// What TLS said.
        why: String,
    },
    /// The primary closed the connection and said why.
    #[error("the primary refused: {0}")]
    Refused(String),
    /// The two do not speak the same protocol.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The connection was lost before it was ready.
    #[error("the connection to the primary was lost before it was ready: {0}")]
    Lost(String),
    /// This side cannot open a connection.
    #[error("cannot open a connection: {0}")]
    Local(String),
}

impl ConnectError {
    /// Whether trying again cannot help before somebody joins this worker anew
    /// or updates it.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            ConnectError::OtherCluster { .. }
                | ConnectError::WrongFingerprint { .. }
                | ConnectError::Expired { .. }
                | ConnectError::NotAccepted { .. }
                | ConnectError::Handshake(_)
        )
    }
}

/// A worker could not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// No connection to the right primary.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The primary did not take the token.
    #[error("the primary refused the join token: {0}")]
    Refused(String),
    /// The identity could not be made or kept.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// A connection that was ready ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The other side closed it and said why.
    #[error("the other side closed the connection: {0}")]
    Closed(String),
    /// It broke, or was silent for too long.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The other side sent what is no message; the connection is closed.
    #[error("the other side broke the protocol: {0}")]
    Protocol(String),
    /// A frame of this many bytes was not sent; the connection is as it was.
    #[error("a frame of {0} bytes is over the limit; send it in parts")]
    TooLarge(usize),
    /// This side closed it.
    #[error("the connection is closed")]
    Ended,
}

/// A blob could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The connection ended; what arrived is kept, try again on the next one.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// No byte moved for too long; try again.
    #[error("the transfer of {0} stood still for too long")]
    Stalled(Digest),
    /// The other side has no such content.
    #[error("the primary does not have {0}")]
    Missing(Digest),
    /// The bytes are not those of the digest; they are thrown away.
    #[error("what the primary sent is not {want}: {got}")]
    Corrupt {
        /// What was asked for.
        want: Digest,
        /// What came.
        got: String,
    },
    /// The other side does not do it, and why.
    #[error("the primary refused: {0}")]
    Refused(String),
    /// A local file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl BlobError {
    /// Whether the same transfer may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, BlobError::Link(_) | BlobError::Stalled(_))
    }
}

/// A certificate was not renewed.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// The connection ended.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The primary does not renew it.
    #[error("the primary refused to renew the certificate: {0}")]
    Refused(String),
    /// It could not be kept.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}
