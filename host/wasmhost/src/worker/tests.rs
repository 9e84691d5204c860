//! A worker's parts against a real primary, over QUIC on loopback.
#![allow(clippy::unwrap_used)]

use super::connect::{Outbox, Session};
use super::driver::Cause;
use super::files::{FileCache, Held, Uplinks};
use super::scripts::Scripts;
use super::setup::{self, WorkerOptions, wall};
use super::term::TermFile;
use crate::primary::{Handle, PrimaryOptions, Running, start};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use wasmhost_core::record::{TokenRecord, Write};
use wasmhost_link::{
    Authority, BlobHost, BlobUpload, BoxFuture, JoinGate, JoinToken, Listener, Uplink, WorkerLink,
};
use wasmhost_proto::api::TokenKind;
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::{DEFAULT_LEASE_MS, MAX_LOG_BYTES, MAX_SCRIPT};
use wasmhost_proto::status::Status;

use wasmhost_proto::wire::{PrimaryFrame, Register, StatusReport, ToPrimary, ToWorker};
use wasmhost_proto::{Digest, JobId, Lease, TaskId, Timestamp, TokenId, WorkerId};

async fn primary(dir: &Path, listen: &str) -> (Handle, Running) {
    let listen: SocketAddr = listen.parse().unwrap();
    let options = PrimaryOptions {
        data_dir: dir.to_owned(),
        listen,
        advertise: None,
        lease_ms: DEFAULT_LEASE_MS,
        cancel_grace_ms: 0,
        poll_ms: 0,
        secrets_key: None,
    };
    start(options).await.unwrap()
}

async fn token(handle: &Handle) -> JoinToken {
    let token = JoinToken::generate(handle.authority().fingerprint()).unwrap();
    let record = TokenRecord {
        id: token.id,
        kind: TokenKind::Join,
        name: String::new(),
        secret_sha256: Sha256::digest(token.secret).into(),
        created: wall(),
        expires: None,
        used: None,
    };
    handle.write(vec![Write::Token(record)]).await.unwrap();
    token
}

/// A primary, and the options of a worker that may join it.
struct Cluster {
    handle: Handle,
    running: Running,
    dir: TempDir,
    worker_dir: TempDir,
    options: WorkerOptions,
}

impl Cluster {
    async fn start() -> Cluster {
        let (dir, worker_dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let (handle, running) = primary(dir.path(), "127.0.0.1:0").await;
        let mut options =
            WorkerOptions::new(handle.worker_address(), worker_dir.path().to_owned()).unwrap();
        options.join = Some(token(&handle).await);
        Cluster {
            handle,
            running,
            dir,
            worker_dir,
            options,
        }
    }

    async fn uplink(&self) -> (watch::Sender<Option<Uplink>>, Uplinks) {
        let identity = setup::identity(&self.options).await.unwrap();
        let link = WorkerLink::connect(&self.options.primary, &identity)
            .await
            .unwrap();
        watch::channel(Some(link.split().2))
    }

    fn put(&self, bytes: &[u8]) -> BlobRef {
        let mut writer = self.handle.blobs().begin(bytes.len() as u64).unwrap();
        writer.write(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn cache(&self, max_bytes: u64) -> Arc<FileCache> {
        Arc::new(FileCache::open(&self.worker_dir.path().join("files"), max_bytes).unwrap())
    }
}

#[tokio::test]
async fn identities_are_joined_kept_and_asked_for() {
    let mut cluster = Cluster::start().await;
    let first = setup::identity(&cluster.options).await.unwrap();
    // The token is used; the identity is there.
    assert_eq!(
        setup::identity(&cluster.options).await.unwrap().worker(),
        first.worker()
    );
    cluster.options.join = None;
    assert_eq!(
        setup::identity(&cluster.options).await.unwrap().worker(),
        first.worker()
    );

    let empty = TempDir::new().unwrap();
    cluster.options.data_dir = empty.path().to_owned();
    let error = setup::identity(&cluster.options)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("start this worker with --join TOKEN"),
        "{error}"
    );

    let other = Cluster::start().await;
    cluster.options.data_dir = cluster.worker_dir.path().to_owned();
    cluster.options.primary = other.options.primary.clone();
    cluster.options.join = other.options.join.clone();
    let moved = setup::identity(&cluster.options).await.unwrap();
    assert_eq!(moved.cluster(), other.handle.authority().fingerprint());
}

#[test]
fn a_data_directory_is_for_one_worker() {
    let dir = TempDir::new().unwrap();
    let held = setup::lock(dir.path()).unwrap();
    let error = setup::lock(dir.path()).unwrap_err().to_string();
    let want = format!("another worker (process {}) uses", std::process::id());
    assert!(error.contains(&want), "{error}");
    drop(held);
    setup::lock(dir.path()).unwrap();
}

#[tokio::test]
async fn a_file_is_fetched_once_however_many_ask() {
    let cluster = Cluster::start().await;
    let (_uplink, uplinks) = cluster.uplink().await;
    let cache = cluster.cache(u64::MAX);
    let bytes = vec![7; 3_000_000];
    let blob = cluster.put(&bytes);
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (cache, blob, mut uplinks) = (cache.clone(), blob.clone(), uplinks.clone());
        all.spawn(async move { cache.get(&blob, &mut uplinks).await.unwrap().path() });
    }
    let paths = all.join_all().await;
    assert!(paths.iter().all(|path| *path == paths[0]));
    assert!(std::fs::read(&paths[0]).unwrap() == bytes);
    // Another fetch would have made another file, and the primary has none any more.
    std::fs::remove_file(cluster.handle.blobs().path(blob.digest)).unwrap();
    cache.get(&blob, &mut uplinks.clone()).await.unwrap();
}

#[tokio::test]
async fn scripts_are_read_once_and_only_if_they_are_scripts() {
    let cluster = Cluster::start().await;
    let (_uplink, mut uplinks) = cluster.uplink().await;
    let (cache, scripts) = (cluster.cache(u64::MAX), Scripts::default());
    let blob = cluster.put(b"export default () => 1");
    assert_eq!(scripts.at_hand(blob.digest), None);
    let text = scripts.get(&blob, &cache, &mut uplinks).await.unwrap();
    assert_eq!(&*text, "export default () => 1");
    let again = scripts.at_hand(blob.digest).unwrap();
    assert!(Arc::ptr_eq(&text, &again));
    for (bytes, why) in [
        (&b"caf\xe9"[..], "not UTF-8"),
        (b"", "empty"),
        (&vec![b' '; MAX_SCRIPT + 1], "over the limit"),
    ] {
        let blob = cluster.put(bytes);
        let error = scripts.get(&blob, &cache, &mut uplinks).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[tokio::test]
async fn files_are_bounded_kept_while_held_and_checked_after_a_restart() {
    let cluster = Cluster::start().await;
    let (_uplink, mut uplinks) = cluster.uplink().await;
    let blobs: Vec<BlobRef> = (0..4).map(|n| cluster.put(&vec![n; 1000])).collect();
    let cache = cluster.cache(2500);
    let held: Held = cache.get(&blobs[0], &mut uplinks).await.unwrap();
    let path = |blob: &BlobRef| {
        cluster
            .worker_dir
            .path()
            .join("files")
            .join(blob.digest.hex())
    };
    for blob in &blobs[1..] {
        cache.get(blob, &mut uplinks).await.unwrap();
    }
    cache.evict();
    let there: Vec<bool> = blobs.iter().map(|blob| path(blob).exists()).collect();
    assert!(there[0], "it is held");
    assert!(there.iter().filter(|t| **t).count() <= 2, "{there:?}");
    drop((held, cache));

    // A new process finds what is left, notices damage, and drops rests.
    std::fs::write(path(&blobs[0]), vec![9; 1000]).unwrap();
    std::fs::write(path(&blobs[3]).with_extension("part"), "rest").unwrap();
    let cache = cluster.cache(2500);
    assert!(!path(&blobs[3]).with_extension("part").exists());
    let held = cache.get(&blobs[0], &mut uplinks).await.unwrap();
    assert_eq!(std::fs::read(held.path()).unwrap(), vec![0; 1000]);

    let missing = BlobRef {
        digest: Digest([1; 32]),
        len: 3,
    };
    let error = cache
        .get(&missing, &mut uplinks)
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("the primary does not have sha256:0101"),
        "{error}"
    );
}

async fn up(causes: &mut mpsc::Receiver<Cause>) -> Outbox {
    match causes.recv().await.unwrap() {
        Cause::Up(outbox) => outbox,
        _ => panic!("not connected"),
    }
}

async fn frame(causes: &mut mpsc::Receiver<Cause>) -> PrimaryFrame {
    match causes.recv().await.unwrap() {
        Cause::Frame(frame) => frame,
        _ => panic!("no frame"),
    }
}

fn register(name: &str) -> ToPrimary {
    ToPrimary::Register(Box::new(Register {
        name: name.to_owned(),
        version: "0".into(),
        slots: 1,
        cpus: 1,
        memory: 0,
        offers: None,
        scratch: 0,
        term_seen: 0,
        incarnation: 1,
        held: Vec::new(),
    }))
}

#[tokio::test]
async fn a_session_comes_back_to_a_restarted_primary_and_keeps_its_term() {
    let cluster = Cluster::start().await;
    let identity = setup::identity(&cluster.options).await.unwrap();
    let worker = identity.worker();
    let (dir, authority) = (cluster.worker_dir.path(), identity.cluster());
    let term = TermFile::open(dir, authority).unwrap();
    let (causes, mut queue) = mpsc::channel(16);
    let session = tokio::spawn(Session::new(&cluster.options, identity, term, causes).run());

    let outbox = up(&mut queue).await;
    outbox.send(register("first"));
    let first = frame(&mut queue).await;
    assert_eq!(
        first.messages,
        [ToWorker::Welcome {
            worker,
            lease_ms: DEFAULT_LEASE_MS
        }]
    );
    assert_eq!(TermFile::open(dir, authority).unwrap().seen(), first.term);

    let address = cluster.options.primary.clone();
    drop(cluster.handle);
    cluster.running.shutdown().await.unwrap();
    loop {
        match queue.recv().await.unwrap() {
            Cause::Down(why) => {
                break assert!(why.contains("the primary is shutting down"), "{why}");
            }
            Cause::Frame(_) => {}
            _ => panic!("not disconnected"),
        }
    }
    drop(outbox);

    let (handle, _running) = primary(cluster.dir.path(), &address).await;
    let outbox = up(&mut queue).await;
    outbox.send(register("again"));
    let second = frame(&mut queue).await;
    assert!(second.term > first.term);
    assert_eq!(TermFile::open(dir, authority).unwrap().seen(), second.term);
    let names = handle.ask(|core, now| {
        core.worker_views(now)
            .into_iter()
            .map(|w| w.name)
            .collect::<Vec<_>>()
    });
    assert_eq!(names.await.unwrap(), ["again"]);
    session.abort();
}

/// Lets everybody join, keeps no blobs.
struct Open;

impl JoinGate for Open {
    fn redeem<'a>(
        &'a self,
        _token: TokenId,
        _secret: &'a [u8],
        _worker: WorkerId,
        _name: &'a str,
    ) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

impl BlobHost for Open {
    fn open(&self, _digest: Digest) -> io::Result<Option<(File, u64)>> {
        Ok(None)
    }

    fn begin(&self, _len: u64) -> io::Result<Box<dyn BlobUpload>> {
        Err(io::Error::other("no blobs here"))
    }
}

/// Reports of 64 KiB each, far more of them than fit one frame, then a
/// goodbye: all arrive, in order, before the connection ends.
#[tokio::test]
async fn a_leaving_worker_says_all_it_has_to_say() {
    let (dir, primary_dir) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let authority = Arc::new(Authority::load_or_create(primary_dir.path()).unwrap());
    let address = "127.0.0.1:0".parse().unwrap();
    let mut listener =
        Listener::bind(address, authority.clone(), Arc::new(Open), Arc::new(Open)).unwrap();
    let mut options =
        WorkerOptions::new(listener.local_addr().to_string(), dir.path().to_owned()).unwrap();
    options.join = Some(JoinToken::generate(authority.fingerprint()).unwrap());
    let identity = setup::identity(&options).await.unwrap();
    let term = TermFile::open(dir.path(), identity.cluster()).unwrap();
    let (causes, mut queue) = mpsc::channel(16);
    let session = tokio::spawn(Session::new(&options, identity, term, causes).run());
    let outbox = up(&mut queue).await;
    let (_to_worker, mut from_worker, _handle) = listener.accept().await.unwrap().split();

    let said: Vec<ToPrimary> = (0..100)
        .map(|index| {
            ToPrimary::Status(vec![StatusReport {
                task: TaskId {
                    job: JobId(1),
                    node: 0,
                    index,
                },
                lease: Lease {
                    term: 1,
                    attempt: 1,
                },
                at: Timestamp(1),
                status: Status::default(),
                log: "x".repeat(MAX_LOG_BYTES),
            }])
        })
        .chain([ToPrimary::Bye])
        .collect();
    for message in said.clone() {
        outbox.send(message);
    }
    let heard = tokio::spawn(async move {
        let mut heard = Vec::new();
        loop {
            match from_worker.recv().await {
                Ok(frame) => heard.extend(frame.messages),
                Err(end) => break (heard, end.to_string()),
            }
        }
    });
    outbox.finish("the worker leaves").await;
    let (heard, end) = heard.await.unwrap();
    assert!(heard == said, "{} of {} messages", heard.len(), said.len());
    assert!(end.contains("the worker leaves"), "{end}");
    session.abort();
}
