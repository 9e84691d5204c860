//! The worker: joins a cluster, connects, runs what it is given in executor
//! processes. This process holds the keys and the connection and never runs a
//! guest; what to do next is decided by [`wasmhost_core::worker::Worker`].

mod connect;
mod driver;
mod files;
mod gather;
mod keep;
mod modules;
mod network;
mod programs;
mod runs;
mod scripts;
mod setup;
mod term;
mod trees;

pub(crate) use setup::WorkerOptions;

use crate::executor::{CompileCache, Pool, PoolOptions};
use anyhow::Context as _;
use files::FileCache;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use wasmhost_core::worker::{Worker, WorkerConfig};
use wasmhost_proto::grants::Grants;
use wasmhost_proto::limits::DEFAULT_FILE_CACHE;

/// Causes that wait for the driver. Their makers wait when it is full.
const CAUSES: usize = 1024;

/// Runs a worker until `shutdown` completes and the orderly leave that follows
/// is over, or until it cannot go on.
///
/// # Errors
/// The data directory is in use or unusable; there is no identity and no
/// token; the primary refuses this worker at its first connection.
pub(crate) async fn run(
    options: WorkerOptions,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let _lock = setup::lock(&options.data_dir)?;
    let identity = setup::identity(&options).await?;
    let dir = &options.data_dir;
    let term = term::TermFile::open(dir, identity.cluster())?;
    let compiled = CompileCache::open(
        &dir.join("compiled"),
        options.compile_cache_bytes,
        options.program.clone(),
    )
    .context("cannot open the cache of compiled modules")?;
    let files = Arc::new(FileCache::open(&dir.join("files"), DEFAULT_FILE_CACHE)?);
    let rooms = setup::rooms(&options).await;
    let (pool, pool_events) = Pool::start(PoolOptions {
        program: options.program.clone(),
        executors: options.executors,
        slots: options.slots,
        dir: dir.join("outputs"),
        rooms: rooms.clone(),
    })
    .context("cannot start the executor processes")?;

    let (causes, queue) = mpsc::channel(CAUSES);
    let programs = programs::Programs::open(
        &options.programs,
        &dir.join("programs"),
        options.program.clone(),
        causes.clone(),
    )?;
    let network = network::Network::new(options.network.clone(), causes.clone());
    let now = driver::Clock::start();
    let mut core = Worker::new(
        WorkerConfig {
            name: options.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            slots: options.slots,
            cpus: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
            memory: options.memory,
            offers: Grants {
                programs: programs.offers(),
                network: network.offers(),
                ..Grants::default()
            },
            scratch: rooms.map_or(0, |_| options.scratch),
            prefetch: options.prefetch,
            status_interval_ms: options.status_interval_ms,
            incarnation: setup::random()?,
        },
        now.now(),
    );
    core.remember_term(term.seen());
    let (uplinks, uplink) = watch::channel(None);
    let session = connect::Session::new(&options, identity, term, causes.clone());
    let modules = modules::Modules::new(
        Arc::new(compiled),
        files.clone(),
        uplink.clone(),
        causes.clone(),
    );
    let stock = gather::Stock {
        files,
        scripts: Arc::default(),
        trees: Arc::new(trees::Trees::open(dir.join("trees"))?),
        uplinks: uplink,
    };
    let runs = runs::Runs::new(pool, stock, causes);
    let grace_ms = options.shutdown_grace_ms;
    let outside = driver::Outside { programs, network };
    driver::Driver::new(core, now, uplinks, modules, runs, outside, grace_ms)
        .run(session, queue, pool_events, shutdown)
        .await
}

#[cfg(test)]
mod tests;
