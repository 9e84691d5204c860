//! Real QUIC over loopback: a primary with a gate of one token and blobs in a
//! folder, and workers that do right or wrong.
#![allow(clippy::unwrap_used)]

mod blobs;
mod frames;
mod trust;

use crate::*;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::wire::{PrimaryFrame, WorkerFrame};
use wasmhost_proto::{Digest, TokenId, WorkerId};

/// Tokens that were not used yet, by id.
#[derive(Default)]
struct Gate(Mutex<HashMap<TokenId, Option<[u8; 32]>>>);

impl JoinGate for Gate {
    fn redeem<'a>(
        &'a self,
        token: TokenId,
        secret: &'a [u8],
        _worker: WorkerId,
        _name: &'a str,
    ) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let mut tokens = self.0.lock().unwrap();
            match tokens.get_mut(&token) {
                None => Err(format!("there is no token {token}")),
                Some(None) => Err(format!("token {token} was used already")),
                Some(Some(want)) if want != secret => Err("the token's secret is wrong".into()),
                Some(unused) => {
                    *unused = None;
                    Ok(())
                }
            }
        })
    }
}

/// Blobs as files of one folder, named by digest.
struct Folder(PathBuf);

struct FolderUpload {
    dir: PathBuf,
    file: tempfile::NamedTempFile,
    hash: Sha256,
    len: u64,
}

impl BlobHost for Folder {
    fn open(&self, digest: Digest) -> io::Result<Option<(File, u64)>> {
        match File::open(self.0.join(digest.hex())) {
            Ok(file) => {
                let len = file.metadata()?.len();
                Ok(Some((file, len)))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn begin(&self, _len: u64) -> io::Result<Box<dyn BlobUpload>> {
        let file = tempfile::NamedTempFile::new_in(&self.0)?;
        Ok(Box::new(FolderUpload {
            dir: self.0.clone(),
            file,
            hash: Sha256::new(),
            len: 0,
        }))
    }
}

impl BlobUpload for FolderUpload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    fn finish(self: Box<Self>) -> io::Result<BlobRef> {
        let blob = BlobRef {
            digest: Digest(self.hash.finalize().into()),
            len: self.len,
        };
        self.file.persist(self.dir.join(blob.digest.hex()))?;
        Ok(blob)
    }
}

/// A primary with its own cluster.
struct Primary {
    dir: TempDir,
    authority: Arc<Authority>,
    gate: Arc<Gate>,
    listener: Listener,
}

impl Primary {
    fn start() -> Primary {
        let dir = TempDir::new().unwrap();
        let authority = Arc::new(Authority::load_or_create(dir.path()).unwrap());
        let gate = Arc::new(Gate::default());
        let blobs = Arc::new(Folder(dir.path().to_owned()));
        let listener = Listener::bind(local(), authority.clone(), gate.clone(), blobs).unwrap();
        Primary {
            dir,
            authority,
            gate,
            listener,
        }
    }

    fn address(&self) -> String {
        self.listener.local_addr().to_string()
    }

    fn token(&self) -> JoinToken {
        let token = JoinToken::generate(self.authority.fingerprint()).unwrap();
        self.gate
            .0
            .lock()
            .unwrap()
            .insert(token.id, Some(token.secret));
        token
    }

    /// A worker of this cluster.
    async fn worker(&self) -> (TempDir, Identity) {
        let dir = TempDir::new().unwrap();
        let identity = Identity::join(&self.address(), &self.token(), "tester", dir.path())
            .await
            .unwrap();
        (dir, identity)
    }

    /// A connected worker and the primary's end of it.
    async fn connected(&mut self) -> Connected {
        let (dir, identity) = self.worker().await;
        let link = WorkerLink::connect(&self.address(), &identity)
            .await
            .unwrap();
        let accepted = self.listener.accept().await.unwrap();
        assert_eq!(accepted.worker, identity.worker());
        let (to_primary, from_primary, uplink) = link.split();
        let (to_worker, from_worker, handle) = accepted.split();
        Connected {
            dir,
            identity,
            to_primary,
            from_primary,
            uplink,
            to_worker,
            from_worker,
            handle,
        }
    }

    /// Puts content into the primary's folder.
    fn put(&self, bytes: &[u8]) -> BlobRef {
        let blob = blob_of(bytes);
        std::fs::write(self.dir.path().join(blob.digest.hex()), bytes).unwrap();
        blob
    }
}

struct Connected {
    dir: TempDir,
    identity: Identity,
    to_primary: FrameSender<WorkerFrame>,
    from_primary: FrameReceiver<PrimaryFrame>,
    uplink: Uplink,
    to_worker: FrameSender<PrimaryFrame>,
    from_worker: FrameReceiver<WorkerFrame>,
    handle: LinkHandle,
}

fn local() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn blob_of(bytes: &[u8]) -> BlobRef {
    BlobRef {
        digest: Digest(Sha256::digest(bytes).into()),
        len: bytes.len() as u64,
    }
}

/// Bytes that differ everywhere, from a seed.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 56) as u8
    })
    .take(len)
    .collect()
}

/// The other side's words must hold `want`.
fn says(error: impl std::fmt::Display, want: &str) {
    let text = error.to_string();
    assert!(text.contains(want), "'{text}' does not say '{want}'");
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}
