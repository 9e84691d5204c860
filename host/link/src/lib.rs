//! Identities, certificates, QUIC endpoints, framing and blob transfer.
//!
//! A primary owns an [`Authority`] and a [`Listener`], out of which come
//! [`PrimaryLink`]s of authenticated workers. A worker owns an [`Identity`],
//! got once with a [`JoinToken`], and connects a [`WorkerLink`]. Knows nothing
//! of what the messages mean.

mod authority;
mod blob;
mod certificate;
mod client;
mod control;
mod error;
mod files;
mod identity;
mod join;
mod listener;
mod pending;
mod pieces;
mod request;
mod serve;
mod tls;
mod token;
mod transport;

pub use authority::{Authority, ServerIdentity};
pub use blob::{BlobHost, BlobUpload};
pub use client::{Uplink, WorkerLink};
pub use control::{FrameReceiver, FrameSender, LinkHandle};
pub use error::{
    AuthorityError, BindError, BlobError, ConnectError, IdentityError, JoinError, LinkError,
    RenewError,
};
pub use identity::Identity;
pub use join::{BoxFuture, JoinGate};
pub use listener::{Listener, PrimaryLink};
pub use token::{JoinToken, TokenError};

#[cfg(test)]
mod tests;
