//! From "start this attempt" to its end: what it needs and is not at hand is fetched, the
//! executors run it, a large result is uploaded. What is not in an
//! executor at the moment of a cancel or kill ends here.

use super::driver::Cause;
use super::files::{Remove, persist};
use super::gather::{Gathered, NotGathered, Stock};
use super::keep::Carrier;
use crate::executor::{InputData, Order, OutputData, Pool, PoolEnd, Room};
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use wasmhost_core::worker::{Ended, Start};
use wasmhost_proto::executor::{RunId, SpawnedEnd};
use wasmhost_proto::input::{BlobRef, Rendered};
use wasmhost_proto::limits::{MAX_CHILD_RESULT, MAX_INLINE};
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::outcome::{Failure, FailureKind, Usage};
use wasmhost_proto::status::Status;
use wasmhost_proto::wire::{self, ChildEnd, End, ResultData};
use wasmhost_proto::{Digest, Lease, TaskId};

/// One attempt.
pub(super) type Key = (TaskId, Lease);

/// Attempts between start and end. As many as the core has slots.
pub(super) struct Runs {
    pool: Pool,
    stock: Stock,
    causes: mpsc::Sender<Cause>,
    live: HashMap<Key, Phase>,
}

enum Phase {
    /// Something that it needs is on the way.
    Fetching(AbortHandle, Box<Start>),
    /// An executor has it; its files stay until it ends.
    Running(
        RunId,
        #[expect(dead_code, reason = "held until it is dropped")] Gathered,
    ),
    /// Its result is on the way.
    Storing(AbortHandle),
}

impl Runs {
    pub(super) fn new(pool: Pool, stock: Stock, causes: mpsc::Sender<Cause>) -> Runs {
        Runs {
            pool,
            stock,
            causes,
            live: HashMap::new(),
        }
    }

    /// Tells all executors, present and future, where a compiled module is.
    pub(super) fn load(&self, digest: Digest, kind: ModuleKind, path: PathBuf) {
        self.pool.load(digest, kind, path);
    }

    /// Begins an attempt; answered by [`Cause::Core`] with its end.
    pub(super) fn start(&mut self, start: Box<Start>) {
        let key = (start.task, start.lease);
        let (gathered, wants) = self.stock.look(&start);
        let Some(wants) = wants else {
            return self.order(*start, gathered);
        };
        let (stock, causes) = (self.stock.clone(), self.causes.clone());
        let task = tokio::spawn(async move {
            let gathered = stock.gather(gathered, wants).await;
            let gathered = gathered.map(Box::new);
            let _ = causes.send(Cause::Gathered(key, gathered)).await;
        });
        let phase = Phase::Fetching(task.abort_handle(), start);
        self.live.insert(key, phase);
    }

    /// What the attempt waited for has come, or not: then this is its end.
    pub(super) fn gathered(
        &mut self,
        key: Key,
        gathered: Result<Box<Gathered>, NotGathered>,
    ) -> Option<Ended> {
        // Cancelled meanwhile, or another attempt's: nothing to do.
        if !matches!(self.live.get(&key), Some(Phase::Fetching(..))) {
            return None;
        }
        let Some(Phase::Fetching(_, start)) = self.live.remove(&key) else {
            return None;
        };
        match gathered {
            Ok(gathered) => {
                self.order(*start, *gathered);
                None
            }
            Err(error) => Some(unstarted(key, error.kind(), error.to_string())),
        }
    }

    fn order(&mut self, start: Start, gathered: Gathered) {
        let key = (start.task, start.lease);
        let input = match (&gathered.input, start.input) {
            (Some(held), _) => InputData::File(held.path()),
            (None, Rendered::Bytes(bytes)) => InputData::Bytes(bytes),
            (None, Rendered::Blob(_)) => InputData::Bytes(Vec::new()),
        };
        let room = start.spec.files.as_ref().map(|files| Room {
            tree: gathered.tree.as_ref().map(|tree| tree.path().to_owned()),
            at: files.inputs.iter().map(|input| input.at.clone()).collect(),
            scratch: files.scratch,
        });
        let run = self.pool.run(Order {
            task: start.task,
            lease: start.lease,
            spec: start.spec,
            args: start.args,
            env: start.env,
            config: start.config,
            script: gathered.script.clone(),
            input,
            room,
        });
        self.live.insert(key, Phase::Running(run, gathered));
    }

    /// Asks the executors for what has not begun.
    pub(super) fn take_back(&self) {
        self.pool.take_back();
    }

    /// An attempt has come back without having begun; it is started anew. True
    /// if it was on an executor.
    pub(super) fn returned(&mut self, key: Key) -> bool {
        let running = matches!(self.live.get(&key), Some(Phase::Running(..)));
        running.then(|| self.live.remove(&key));
        running
    }

    /// Raises an attempt's cancel flag; one that waits for its input ends at once.
    pub(super) fn cancel(&mut self, key: Key) -> Option<Ended> {
        match self.live.get(&key) {
            Some(Phase::Fetching(..)) => self.kill(key),
            Some(Phase::Running(run, _)) => {
                self.pool.cancel(*run);
                None
            }
            // It has succeeded or failed by itself: that is its outcome.
            Some(Phase::Storing(_)) | None => None,
        }
    }

    /// Stops an attempt wherever it is.
    pub(super) fn kill(&mut self, key: Key) -> Option<Ended> {
        match self.live.get(&key)? {
            Phase::Running(run, _) => {
                self.pool.kill(*run);
                return None;
            }
            Phase::Fetching(task, _) | Phase::Storing(task) => task.abort(),
        }
        self.live.remove(&key);
        Some(unstarted(key, FailureKind::Cancelled, "cancelled".into()))
    }

    /// An executor is done with an attempt. Its end is final unless the result
    /// must be uploaded first.
    pub(super) fn ended(&mut self, end: PoolEnd) -> Option<Ended> {
        let key = (end.task, end.lease);
        if !matches!(self.live.remove(&key), Some(Phase::Running(..))) {
            tracing::error!(task = %end.task, "an executor ended an attempt that it did not have");
            return None;
        }
        let (failure, output) = (end.failure, end.output);
        let usage = end.usage;
        let (status, log) = match end.report {
            Some(report) => (report.status, report.log),
            None => Default::default(),
        };
        let finish = move |end| Ended {
            task: key.0,
            lease: key.1,
            end,
            usage,
            status,
            log,
        };
        match output {
            OutputData::Bytes(bytes) if bytes.len() <= MAX_INLINE => {
                Some(finish(conclude(failure, ResultData::Inline(bytes))))
            }
            OutputData::Bytes(bytes) => Some(finish(fault(format!(
                "an executor handed over {} bytes of result in memory",
                bytes.len()
            )))),
            OutputData::File { path, len, digest } => {
                let (causes, mut uplinks) = (self.causes.clone(), self.stock.uplinks.clone());
                let blob = BlobRef { digest, len };
                // The file goes with the task, however that ends.
                let file = Remove(path);
                let task = tokio::spawn(async move {
                    let stored = persist(&mut uplinks, |uplink| {
                        let (blob, file) = (&blob, &file.0);
                        async move { uplink.push(blob, file).await }
                    })
                    .await;
                    drop(file);
                    let end = match stored {
                        Ok(()) => conclude(failure, ResultData::Blob(blob)),
                        Err(error) => fault(format!("the result could not be stored: {error}")),
                    };
                    let _ = causes.send(Cause::Stored(key, Box::new(finish(end)))).await;
                });
                self.live.insert(key, Phase::Storing(task.abort_handle()));
                None
            }
        }
    }

    /// A result was uploaded, or could not be.
    pub(super) fn stored(&mut self, key: Key, ended: Box<Ended>) -> Option<Ended> {
        matches!(self.live.get(&key), Some(Phase::Storing(_))).then(|| {
            self.live.remove(&key);
            *ended
        })
    }

    /// Tells a driver of the end that it wants; a result in the blob store is fetched first.
    pub(super) fn spawned(&self, end: wire::SpawnedEnd) {
        let (key, name) = ((end.task, end.lease), end.key);
        let blob = match end.end {
            ChildEnd::Success(ResultData::Blob(blob)) => blob,
            ChildEnd::Success(ResultData::Inline(bytes)) => {
                return self.child(key, name, SpawnedEnd::Success(bytes));
            }
            ChildEnd::Failure(failure) => {
                return self.child(key, name, SpawnedEnd::Failure(failure));
            }
            ChildEnd::Refused(why) => return self.child(key, name, SpawnedEnd::Refused(why)),
        };
        if blob.len > MAX_CHILD_RESULT {
            return self.child(key, name, SpawnedEnd::Large(blob.len));
        }
        let (files, causes) = (self.stock.files.clone(), self.causes.clone());
        let mut uplinks = self.stock.uplinks.clone();
        // Ends by itself: a transfer is given up after a while.
        tokio::spawn(async move {
            let read = match files.get(&blob, &mut uplinks).await {
                Ok(held) => tokio::fs::read(held.path())
                    .await
                    .map_err(|e| e.to_string()),
                Err(error) => Err(error.to_string()),
            };
            let end = match read {
                Ok(bytes) => SpawnedEnd::Success(bytes),
                Err(why) => {
                    let why = format!("its result could not be fetched: {why}");
                    SpawnedEnd::Failure(Box::new(Failure::new(FailureKind::HostFault, why)))
                }
            };
            let _ = causes.send(Cause::Child(key, name, end)).await;
        });
    }

    /// Passes an end on to the driver.
    pub(super) fn child(&self, driver: Key, name: String, end: SpawnedEnd) {
        self.tell(driver, |pool, run| pool.spawned(run, name, end));
    }

    /// Tells an attempt something, if it still runs.
    pub(super) fn tell(&self, attempt: Key, act: impl FnOnce(&Pool, RunId)) {
        if let Some(Phase::Running(run, _)) = self.live.get(&attempt) {
            act(&self.pool, *run);
        }
    }

    /// Moves what calls and answers name.
    pub(super) fn carrier(&self) -> Carrier {
        Carrier {
            files: self.stock.files.clone(),
            uplinks: self.stock.uplinks.clone(),
            causes: self.causes.clone(),
        }
    }

    /// Ends the executors.
    pub(super) async fn shutdown(self, grace: Duration) {
        for phase in self.live.values() {
            if let Phase::Fetching(task, _) | Phase::Storing(task) = phase {
                task.abort();
            }
        }
        self.pool.shutdown(grace).await;
    }
}

/// Success, or the failure with what output there is.
fn conclude(failure: Option<Box<Failure>>, output: ResultData) -> End {
    match failure {
        None => End::Success(output),
        Some(failure) => End::Failure(failure, (!output.is_empty()).then_some(output)),
    }
}

fn fault(message: String) -> End {
    End::Failure(
        Box::new(Failure::new(FailureKind::HostFault, message)),
        None,
    )
}

/// The end of an attempt that no executor has.
fn unstarted(key: Key, kind: FailureKind, message: String) -> Ended {
    Ended {
        task: key.0,
        lease: key.1,
        end: End::Failure(Box::new(Failure::new(kind, message)), None),
        usage: Usage::default(),
        status: Status::default(),
        log: String::new(),
    }
}
