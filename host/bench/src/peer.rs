//! Workers that are none: they join, connect over real QUIC, register, take leases
//! and beat as the product's own state machine says, and run nothing. A thousand
//! of them fit into one process.

use crate::cluster::Cluster;
use anyhow::{Context, Result, anyhow};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use wasmhost_core::clock::{Mono, Now};
use wasmhost_core::worker::{Effect, Event, Worker, WorkerConfig};
use wasmhost_link::{FrameReceiver, FrameSender, Identity, JoinToken, Uplink, WorkerLink};
use wasmhost_proto::status::{Progress, Status};
use wasmhost_proto::wire::{PrimaryFrame, StatusReport, ToPrimary, WorkerFrame};
use wasmhost_proto::{Lease, TaskId, Timestamp};

/// Peers that join at once: a primary takes 32 unproved connections from one address.
const JOINS: usize = 16;

/// Connected peers. They hang up when this is dropped.
pub(crate) struct Peers {
    // First: its end is theirs.
    _runtime: Runtime,
    orders: Vec<mpsc::Sender<Flood>>,
}

/// An order to publish.
struct Flood {
    /// The progress of the first report; each round is one more.
    from: u64,
    /// Reports of each task that the peer holds.
    rounds: u64,
    /// The tasks, once all is sent.
    sent: oneshot::Sender<Vec<TaskId>>,
}

/// One peer.
struct Peer {
    core: Worker,
    start: Instant,
    sender: FrameSender<WorkerFrame>,
    receiver: FrameReceiver<PrimaryFrame>,
    _uplink: Uplink,
    held: Vec<(TaskId, Lease)>,
}

fn now(start: Instant) -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    Now {
        mono: Mono(start.elapsed().as_millis() as u64),
        wall: Timestamp(wall.unwrap_or_default().as_millis() as u64),
    }
}

impl Peers {
    /// Lets `count` peers join and connect, each with `slots`.
    pub(crate) fn connect(cluster: &Cluster, count: usize, slots: u32) -> Result<Peers> {
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        let address = cluster.link().to_string();
        let mut orders = Vec::new();
        for first in (0..count).step_by(JOINS) {
            let joining: Vec<_> = (first..count.min(first + JOINS))
                .map(|number| {
                    let token = cluster.join_token()?;
                    let folder = cluster.folder().join(format!("peer{number}"));
                    let name = format!("p{number}");
                    Ok(runtime.spawn(join(address.clone(), token, name, folder, slots)))
                })
                .collect::<Result<_>>()?;
            for peer in joining {
                let peer = runtime
                    .block_on(peer)
                    .map_err(|e| anyhow!("a peer died: {e}"))??;
                let (order, queue) = mpsc::channel(1);
                orders.push(order);
                runtime.spawn(peer.serve(queue));
            }
        }
        cluster.wait_for_workers(count)?;
        Ok(Peers {
            _runtime: runtime,
            orders,
        })
    }

    /// Lets all publish at once: `rounds` reports for each task that they hold, with
    /// progress from `from` on. Returns once all is sent, with each peer's tasks.
    pub(crate) fn flood(&self, from: u64, rounds: u64) -> Result<Vec<Vec<TaskId>>> {
        let waiting: Vec<oneshot::Receiver<Vec<TaskId>>> = self
            .orders
            .iter()
            .map(|order| {
                let (sent, done) = oneshot::channel();
                let flood = Flood { from, rounds, sent };
                order.blocking_send(flood).context("a peer has hung up")?;
                Ok(done)
            })
            .collect::<Result<_>>()?;
        let done = waiting.into_iter().map(oneshot::Receiver::blocking_recv);
        done.map(|tasks| tasks.context("a peer has hung up"))
            .collect()
    }
}

async fn join(
    address: String,
    token: String,
    name: String,
    folder: PathBuf,
    slots: u32,
) -> Result<Peer> {
    let token: JoinToken = token
        .parse()
        .map_err(|e| anyhow!("not a join token: {e}"))?;
    let identity = Identity::join(&address, &token, &name, &folder).await?;
    let (sender, receiver, uplink) = WorkerLink::connect(&address, &identity).await?.split();
    let start = Instant::now();
    let config = WorkerConfig {
        name,
        version: env!("CARGO_PKG_VERSION").into(),
        slots,
        cpus: 1,
        memory: 0,
        offers: Default::default(),
        scratch: 0,
        prefetch: 0,
        status_interval_ms: wasmhost_proto::limits::DEFAULT_STATUS_INTERVAL_MS,
        incarnation: getrandom::u64().map_err(|e| anyhow!("no randomness: {e}"))?,
    };
    let mut peer = Peer {
        core: Worker::new(config, now(start)),
        start,
        sender,
        receiver,
        _uplink: uplink,
        held: Vec::new(),
    };
    peer.core.handle(now(start), Event::Connected);
    peer.answer().await?;
    Ok(peer)
}

impl Peer {
    /// Until the connection is gone or nobody gives orders any more.
    async fn serve(mut self, mut orders: mpsc::Receiver<Flood>) -> Result<()> {
        loop {
            let wake = self.core.next_timeout();
            let wake = wake.map(|at| self.start + Duration::from_millis(at.0));
            tokio::select! {
                frame = self.receiver.recv() => {
                    let PrimaryFrame { term, messages } = frame?;
                    self.core.handle(now(self.start), Event::Frame { term, messages });
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                    self.core.handle(now(self.start), Event::Timeout);
                }
                flood = orders.recv() => match flood {
                    Some(flood) => self.flood(flood).await?,
                    None => return Ok(()),
                },
            }
            self.answer().await?;
        }
    }

    /// Does what the core asks for. Modules are always at hand, and runs never end.
    async fn answer(&mut self) -> Result<()> {
        let mut messages = Vec::new();
        while let Some(effect) = self.core.poll_effect() {
            let now = now(self.start);
            match effect {
                Effect::Send(message) => messages.push(message),
                Effect::Prepare { spec } => {
                    self.core.handle(now, Event::ModuleReady(spec.module));
                }
                Effect::Start(start) => {
                    self.held.push((start.task, start.lease));
                    self.core
                        .handle(now, Event::Started(start.task, start.lease));
                }
                _ => {}
            }
        }
        if !messages.is_empty() {
            self.sender.send(&WorkerFrame { messages }).await?;
        }
        Ok(())
    }

    async fn flood(&mut self, flood: Flood) -> Result<()> {
        for round in flood.from..flood.from + flood.rounds {
            let at = now(self.start).wall;
            let reports = self.held.iter().map(|(task, lease)| StatusReport {
                task: *task,
                lease: *lease,
                at,
                status: Status {
                    progress: Some(Progress {
                        done: round,
                        total: None,
                        message: None,
                    }),
                    ..Status::default()
                },
                log: String::new(),
            });
            let messages = vec![ToPrimary::Status(reports.collect())];
            self.sender.send(&WorkerFrame { messages }).await?;
        }
        let tasks = self.held.iter().map(|(task, _)| *task).collect();
        // Whoever ordered may have given up.
        let _ = flood.sent.send(tasks);
        Ok(())
    }
}
