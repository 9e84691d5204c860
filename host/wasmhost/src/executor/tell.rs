//! What an executor is told: its seat's outbox, and the inputs that are files,
//! in pieces between other messages so that a kill never waits for an input.

use super::ipc::Sender;
use super::pool::{PoolEnd, PoolEvent};
use super::shared::Shared;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::net::unix::OwnedWriteHalf;
use wasmhost_proto::executor::{RunId, ToExecutor};
use wasmhost_proto::limits::{BLOB_CHUNK, MAX_BATCH};
use wasmhost_proto::outcome::{Failure, FailureKind};

/// An input file on its way.
struct Input {
    run: RunId,
    file: File,
}

/// Never ends by itself: when the executor has closed its socket, the reading
/// side finds out why.
pub(super) async fn write(shared: &Shared, seat: usize, to: OwnedWriteHalf) {
    let mut sender = Sender::new(to);
    let mut inputs = VecDeque::new();
    loop {
        let batch: Vec<ToExecutor> = {
            let outbox = &mut shared.lock().seats[seat].outbox;
            let count = outbox.len().min(MAX_BATCH);
            outbox.drain(..count).collect()
        };
        if batch.is_empty() && inputs.is_empty() {
            shared.wakes[seat].notified().await;
            continue;
        }
        for message in batch {
            if let Err(error) = sender.push(&message) {
                refuse(shared, seat, message, &error.to_string()).await;
                continue;
            }
            if let ToExecutor::Runs(runs) = message {
                for run in runs.iter().filter(|run| run.more_input) {
                    if let Some(path) = file(shared, seat, run.run) {
                        open(shared, seat, run.run, &path, &mut inputs).await;
                    }
                }
            }
            if sender.is_full() && sender.flush().await.is_err() {
                return std::future::pending().await;
            }
        }
        if let Some(input) = inputs.pop_front() {
            chunk(shared, seat, input, &mut sender, &mut inputs).await;
        }
        if sender.flush().await.is_err() {
            return std::future::pending().await;
        }
    }
}

/// The file that an executor is still to be sent for a run.
fn file(shared: &Shared, seat: usize, run: RunId) -> Option<PathBuf> {
    let mut state = shared.lock();
    state.seats[seat].runs.get_mut(&run)?.input.take()
}

async fn open(shared: &Shared, seat: usize, run: RunId, path: &Path, inputs: &mut VecDeque<Input>) {
    match File::open(path).await {
        Ok(file) => inputs.push_back(Input { run, file }),
        Err(error) => stop(shared, seat, run, &error),
    }
}

/// Adds the next piece of an input to the next write.
async fn chunk(
    shared: &Shared,
    seat: usize,
    mut input: Input,
    sender: &mut Sender<OwnedWriteHalf>,
    inputs: &mut VecDeque<Input>,
) {
    let run = input.run;
    if !shared.lock().seats[seat].runs.contains_key(&run) {
        return;
    }
    let mut bytes = Vec::with_capacity(BLOB_CHUNK);
    let mut piece = (&mut input.file).take(BLOB_CHUNK as u64);
    if let Err(error) = piece.read_to_end(&mut bytes).await {
        return stop(shared, seat, run, &error);
    }
    let last = bytes.len() < BLOB_CHUNK;
    let message = ToExecutor::InputChunk { run, bytes, last };
    // A chunk and its few bytes of wrapping always fit a frame.
    let pushed = sender.push(&message);
    debug_assert!(pushed.is_ok());
    if !last {
        inputs.push_back(input);
    }
}

/// Ends a run whose input cannot be read, through its executor.
fn stop(shared: &Shared, seat: usize, run: RunId, error: &io::Error) {
    let mut state = shared.lock();
    let entry = &mut state.seats[seat];
    if let Some(placed) = entry.runs.get_mut(&run) {
        let message = format!("the input cannot be read: {error}");
        placed.verdict = Some(Box::new(Failure::new(FailureKind::HostFault, message)));
        entry.outbox.push_back(ToExecutor::Kill { run });
    }
}

/// Ends runs that do not fit into a frame; their executor never hears of them.
async fn refuse(shared: &Shared, seat: usize, message: ToExecutor, why: &str) {
    let ToExecutor::Runs(runs) = message else {
        tracing::error!("a message to an executor does not fit its frame: {why}");
        return;
    };
    let room = shared.room().await;
    let mut ends = Vec::new();
    for run in runs {
        let removed = shared.lock().seats[seat].runs.remove(&run.run);
        if let Some(placed) = removed {
            let message = format!("arguments and environment are too large: {why}");
            let failure = Failure::new(FailureKind::BadInput, message);
            ends.push(PoolEnd::failed(placed.task, placed.lease, failure));
        }
    }
    room.send(PoolEvent::Ended(ends));
}
