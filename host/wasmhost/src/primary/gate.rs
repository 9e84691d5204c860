//! What the link asks of a primary: who may join, and where blobs go. Answers
//! from the store and the blobs; the one-use tokens are used up here.

use super::driver::{Clock, Input};
use super::handle::Call;
use super::turns::Turns;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io;
use std::sync::{Arc, Weak};
use subtle::ConstantTimeEq;
use tokio::sync::{Mutex, oneshot};
use wasmhost_core::record::{TokenRecord, WorkerRecord, Write};
use wasmhost_link::{BlobHost, BlobUpload, BoxFuture, JoinGate};
use wasmhost_proto::api::TokenKind;
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::{Digest, Timestamp, TokenId, WorkerId};
use wasmhost_store::{BlobWriter, Blobs, Store};

/// Lets each join token be used once.
pub(super) struct Gate {
    turns: Weak<Turns>,
    /// Not held: the link's tasks may outlive the primary, the open file must not.
    store: Weak<dyn Store>,
    /// Between the look at a token and its use no other use may come.
    one_by_one: Mutex<()>,
}

impl Gate {
    pub(super) fn new(turns: Weak<Turns>, store: Weak<dyn Store>) -> Gate {
        Gate {
            turns,
            store,
            one_by_one: Mutex::default(),
        }
    }

    async fn admit(
        &self,
        id: TokenId,
        secret: &[u8],
        worker: WorkerId,
        name: &str,
    ) -> Result<(), String> {
        let stopping = || "the primary is shutting down; try again later".to_owned();
        let _turn = self.one_by_one.lock().await;
        let store = self.store.upgrade().ok_or_else(stopping)?;
        let read = move || {
            let token = store.token(id)?;
            Ok((
                token,
                store.workers()?.iter().any(|known| known.id == worker),
            ))
        };
        let read = move || read().unwrap_or_else(|error| super::fatal(&error));
        let (token, known) = tokio::task::spawn_blocking(read)
            .await
            .map_err(|_| stopping())?;
        let now = Clock::start().now().wall;
        let mut token =
            check(token, secret, now).map_err(|why| format!("join token {id}: {why}"))?;
        token.used = Some(now);
        let mut writes = vec![Write::Token(token)];
        // The record of one that joins again is the core's.
        if !known {
            writes.push(Write::Worker(WorkerRecord {
                id: worker,
                name: name.to_owned(),
                connected: false,
                draining: false,
                seen: now,
            }));
        }
        let (done, durable) = oneshot::channel();
        let call = Input::Call(Call::Write(writes, done));
        let turns = self.turns.upgrade().ok_or_else(stopping)?;
        turns.bring(call).await.map_err(|_| stopping())?;
        drop(turns);
        durable.await.map_err(|_| stopping())
    }
}

/// The token, if it may be used now with this secret. An unknown token and a
/// wrong secret look the same.
fn check(
    token: Option<TokenRecord>,
    secret: &[u8],
    now: Timestamp,
) -> Result<TokenRecord, &'static str> {
    let given: [u8; 32] = Sha256::digest(secret).into();
    let token = token
        .filter(|token| token.kind == TokenKind::Join)
        .filter(|token| bool::from(token.secret_sha256.ct_eq(&given)))
        .ok_or("it is not valid here; make one with `wasmhost token create --worker`")?;
    if token.used.is_some() {
        return Err("it was used already; each worker needs a token of its own");
    }
    if token.expires.is_some_and(|end| end <= now) {
        return Err("it has expired; make a new one with `wasmhost token create --worker`");
    }
    Ok(token)
}

impl JoinGate for Gate {
    fn redeem<'a>(
        &'a self,
        token: TokenId,
        secret: &'a [u8],
        worker: WorkerId,
        name: &'a str,
    ) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.admit(token, secret, worker, name))
    }
}

/// The blobs, as the link reads and writes them.
pub(super) struct Uploads(pub(super) Arc<Blobs>);

struct Upload(BlobWriter);

impl BlobHost for Uploads {
    fn open(&self, digest: Digest) -> io::Result<Option<(File, u64)>> {
        Ok(self.0.open_file(digest)?)
    }

    fn begin(&self, len: u64) -> io::Result<Box<dyn BlobUpload>> {
        Ok(Box::new(Upload(self.0.begin(len)?)))
    }
}

impl BlobUpload for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        Ok(self.0.write(bytes)?)
    }

    fn finish(self: Box<Self>) -> io::Result<BlobRef> {
        Ok(self.0.finish()?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        let good = TokenRecord {
            id: TokenId(1),
            kind: TokenKind::Join,
            name: String::new(),
            secret_sha256: Sha256::digest(b"secret").into(),
            created: Timestamp(0),
            expires: Some(Timestamp(100)),
            used: None,
        };
        let check = |token: Option<&TokenRecord>, secret: &[u8], now, want: &str| match super::check(
            token.cloned(),
            secret,
            Timestamp(now),
        ) {
            Ok(_) => assert_eq!(want, "ok"),
            Err(why) => assert!(why.contains(want), "{why} instead of {want}"),
        };
        check(Some(&good), b"secret", 99, "ok");
        check(Some(&good), b"secret", 100, "has expired");
        check(Some(&good), b"Secret", 99, "not valid");
        check(Some(&good), b"", 99, "not valid");
        check(None, b"secret", 99, "not valid");
        let used = TokenRecord {
            used: Some(Timestamp(1)),
            ..good.clone()
        };
        check(Some(&used), b"secret", 99, "used already");
        check(Some(&used), b"wrong", 99, "not valid");
        let client = TokenRecord {
            kind: TokenKind::Client,
            ..good.clone()
        };
        check(Some(&client), b"secret", 99, "not valid");
        let endless = TokenRecord {
            expires: None,
            ..good
        };
        check(Some(&endless), b"secret", u64::MAX, "ok");
    }
}
