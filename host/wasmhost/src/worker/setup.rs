//! What a worker needs before it can begin: its options, its data directory
//! for itself alone, and an identity.

use crate::executor::check_rooms;
use crate::settings::file::ProgramFile;
use anyhow::{Context as _, bail};
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use wasmhost_link::{Identity, JoinToken};
use wasmhost_proto::Timestamp;
use wasmhost_proto::limits::{
    DEFAULT_CANCEL_GRACE_MS, DEFAULT_COMPILE_CACHE, DEFAULT_SCRATCH, DEFAULT_STATUS_INTERVAL_MS,
    MAX_NAME,
};
use wasmhost_proto::reach::Reach;

/// What an operator decides about a worker.
#[derive(Clone, Debug)]
pub(crate) struct WorkerOptions {
    /// The primary's address, `HOST:PORT` (UDP).
    pub(crate) primary: String,
    /// A name for people.
    pub(crate) name: String,
    /// Attempts that run at once.
    pub(crate) slots: u32,
    /// Executor processes that share them.
    pub(crate) executors: u32,
    /// Leases taken beyond the slots, so that a slot never waits for the network.
    pub(crate) prefetch: u32,
    /// Where everything of this worker lies.
    pub(crate) data_dir: PathBuf,
    /// How often the primary hears of this worker, milliseconds.
    pub(crate) status_interval_ms: u64,
    /// Needed once, before the worker has an identity.
    pub(crate) join: Option<JoinToken>,
    /// Bytes of memory offered to guests; 0 says nothing.
    pub(crate) memory: u64,
    /// From the request to shut down to the kill of what runs, milliseconds.
    pub(crate) shutdown_grace_ms: u64,
    /// Bytes of compiled modules kept on disk.
    pub(crate) compile_cache_bytes: u64,
    /// The executable that executor processes run: this one.
    pub(crate) program: PathBuf,
    /// Bytes of scratch offered to an attempt; 0 offers no files.
    pub(crate) scratch: u64,
    /// Programs of this machine that tasks may be granted.
    pub(crate) programs: BTreeMap<String, ProgramFile>,
    /// Requests over the network that tasks may be granted.
    pub(crate) network: Vec<Reach>,
}

impl WorkerOptions {
    /// The defaults: a slot and an executor per processor, the host's name.
    ///
    /// # Errors
    /// The running executable's path is unknown.
    pub(crate) fn new(primary: String, data_dir: PathBuf) -> anyhow::Result<WorkerOptions> {
        let cpus = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
        Ok(WorkerOptions {
            primary,
            name: host_name(),
            slots: cpus,
            executors: cpus,
            prefetch: 2 * cpus,
            data_dir,
            status_interval_ms: DEFAULT_STATUS_INTERVAL_MS,
            join: None,
            memory: 0,
            shutdown_grace_ms: DEFAULT_CANCEL_GRACE_MS,
            compile_cache_bytes: DEFAULT_COMPILE_CACHE,
            program: std::env::current_exe().context("cannot find this program's own file")?,
            scratch: DEFAULT_SCRATCH,
            programs: BTreeMap::new(),
            network: Vec::new(),
        })
    }
}

/// The host's name as Linux knows it, cut to what a worker's name may have.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "worker".to_owned(),
        name => name.chars().take(MAX_NAME).collect(),
    }
}

/// Makes the data directory and locks it; the lock lasts as long as the file is open.
pub(super) fn lock(dir: &Path) -> anyhow::Result<File> {
    std::fs::create_dir_all(dir)
        .with_context(|| format!("cannot make the data directory {}", dir.display()))?;
    let path = dir.join("lock");
    let open = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path);
    let mut file = open.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)?;
            write!(file, "{}", std::process::id())?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut process = String::new();
            let _ = (&mut file).take(20).read_to_string(&mut process);
            bail!(
                "another worker (process {process}) uses {}; give this one a --data-dir of its own",
                dir.display()
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// The identity kept in the data directory, or a new one by the join token.
/// A token for another cluster, or a certificate that has expired, joins anew.
pub(super) async fn identity(options: &WorkerOptions) -> anyhow::Result<Identity> {
    let kept = Identity::load(&options.data_dir)?;
    let Some(token) = &options.join else {
        return kept.with_context(|| {
            format!(
                "this worker has not joined a cluster yet ({} holds no identity): run `wasmhost token create` \
                 where the primary runs, then start this worker with --join TOKEN",
                options.data_dir.display()
            )
        });
    };
    if let Some(identity) = kept {
        if identity.cluster() == token.fingerprint && identity.expires() > wall() {
            tracing::info!(worker = %identity.worker(), "this worker has joined already; the token is not needed");
            return Ok(identity);
        }
        tracing::warn!(worker = %identity.worker(), "replacing an identity of another cluster, or one that has expired");
    }
    let identity = Identity::join(&options.primary, token, &options.name, &options.data_dir)
        .await
        .with_context(|| {
            format!(
                "cannot join the cluster of the primary at {}",
                options.primary
            )
        })?;
    tracing::info!(worker = %identity.worker(), name = options.name, "joined the cluster");
    Ok(identity)
}

/// The folder that rooms mount their files on; none when this worker is to offer no files,
/// or cannot.
pub(super) async fn rooms(options: &WorkerOptions) -> Option<PathBuf> {
    if options.scratch == 0 {
        tracing::info!("this worker offers no files: its settings say `scratch = \"0B\"`");
        return None;
    }
    let dir = options.data_dir.join("rooms");
    match check_rooms(&options.program, &dir.join("check")).await {
        Ok(()) => {
            let mount = dir.join("mount");
            std::fs::create_dir_all(&mount).ok().map(|()| mount)
        }
        Err(why) => {
            tracing::warn!("this worker offers no files: {why}");
            None
        }
    }
}

/// The wall clock.
pub(super) fn wall() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp(since.as_millis() as u64)
}

/// Eight random bytes from the system.
pub(super) fn random() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|e| anyhow::anyhow!("the system has no randomness: {e}"))?;
    Ok(u64::from_ne_bytes(bytes))
}
