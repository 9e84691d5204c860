//! The data directory: its lock, its parts, what is recovered from it, and the
//! token that the first start leaves for clients of the same account.

use super::prepare;
use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use wasmhost_core::record::{Recovered, TokenRecord, Write};
use wasmhost_link::Authority;
use wasmhost_proto::TokenId;
use wasmhost_proto::api::TokenKind;
use wasmhost_store::{Blobs, RedbStore, Store};

/// Keeps a second primary out of the data directory while it lives.
pub(super) struct Lock {
    _file: File,
}

/// Everything a primary starts with.
pub(super) struct Opened {
    pub(super) lock: Lock,
    pub(super) store: Arc<dyn Store>,
    pub(super) blobs: Arc<Blobs>,
    pub(super) authority: Arc<Authority>,
    pub(super) term: u64,
    pub(super) recovered: Recovered,
}

/// Opens the directory, or makes it, and takes the next term.
pub(super) fn open(dir: &Path) -> anyhow::Result<Opened> {
    let shown = dir.display();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make the data directory {shown}"))?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
        .with_context(|| format!("cannot make the data directory {shown} private"))?;
    let lock = lock(dir)?;
    let store = RedbStore::open(&dir.join("store.redb"))?;
    let blobs = Blobs::open(&dir.join("blobs")).context("cannot open the blobs")?;
    let authority = Authority::load_or_create(dir)?;
    let term = store.term()? + 1;
    store.commit(&[Write::Term(term)])?;
    client_token(dir, &store)?;
    let jobs = store.recover()?.into_iter();
    let recovered = Recovered {
        last_job: store.jobs(None, 1)?.first().map(|job| job.id),
        jobs: jobs
            .map(|job| prepare::with_items(&store, &blobs, job))
            .collect(),
        workers: store.workers()?,
        requests: store.waiting_requests()?,
        data: store.data()?,
    };
    Ok(Opened {
        lock,
        store: Arc::new(store),
        blobs: Arc::new(blobs),
        authority: Arc::new(authority),
        term,
        recovered,
    })
}

fn lock(dir: &Path) -> anyhow::Result<Lock> {
    let path = dir.join("lock");
    let file = File::options().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => bail!(
            "another primary runs in the data directory {}; \
             stop it, or give this one another --data-dir",
            dir.display()
        ),
        Err(TryLockError::Error(e)) => {
            Err(e).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Makes sure that a client on this machine and account has a token: unless
/// there is one in the store, makes one. The file comes first: a token whose
/// record is missing is made anew, one whose text is lost would lock everybody out.
fn client_token(dir: &Path, store: &dyn Store) -> anyhow::Result<()> {
    if store
        .tokens()?
        .iter()
        .any(|token| token.kind == TokenKind::Client)
    {
        return Ok(());
    }
    let path = dir.join("client.token");
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|e| anyhow::anyhow!("no randomness: {e}"))?;
    // Short ids have 50 bits.
    let id = getrandom::u64().map_err(|e| anyhow::anyhow!("no randomness: {e}"))? >> 14;
    let id = TokenId(id);
    let write = || {
        // Temporary files are made 0600.
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        writeln!(file, "wht_{id}_{}", URL_SAFE_NO_PAD.encode(secret))?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        File::open(dir)?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    store.commit(&[Write::Token(TokenRecord {
        id,
        kind: TokenKind::Client,
        name: "made by the first start".into(),
        secret_sha256: Sha256::digest(secret).into(),
        created: super::driver::Clock::start().now().wall,
        expires: None,
        used: None,
    })])?;
    tracing::info!("wrote a client token to {}", path.display());
    Ok(())
}
