//! Group commit on a thread of its own: while one commit runs, everything else
//! queues and becomes the next one. Decides nothing about what is written, and
//! never goes on after an error.

use crate::{Store, StoreError};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use wasmhost_core::record::Write;
use wasmhost_proto::limits::COMMIT_QUEUE;

/// The committer has ended: it was closed, or its store failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the committer has ended; nothing more is made durable")]
pub struct Closed;

struct Batch {
    writes: Vec<Write>,
    done: Box<dyn FnOnce() + Send>,
}

/// Makes batches durable in the order they came.
///
/// A batch's `done` runs on the committer's thread, after those of all earlier
/// batches, once the batch is durable; it must not block. When the store fails,
/// `on_fatal` runs once, no further `done` ever runs, and every later
/// [`Committer::commit`] is [`Closed`].
pub struct Committer {
    queue: Option<SyncSender<Batch>>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub fn start(
        store: Arc<dyn Store>,
        on_fatal: impl FnOnce(StoreError) + Send + 'static,
    ) -> std::io::Result<Committer> {
        let (queue, batches) = sync_channel(COMMIT_QUEUE);
        let thread = std::thread::Builder::new()
            .name("committer".into())
            .spawn(move || {
                if let Err(error) = run(&*store, &batches) {
                    // Callers are refused before anybody hears of the failure.
                    drop(batches);
                    on_fatal(error);
                }
            })?;
        Ok(Committer {
            queue: Some(queue),
            thread: Some(thread),
        })
    }

    /// Queues a batch. Waits while [`COMMIT_QUEUE`] batches are queued.
    pub fn commit(&self, writes: Vec<Write>, done: Box<dyn FnOnce() + Send>) -> Result<(), Closed> {
        let queue = self.queue.as_ref().ok_or(Closed)?;
        queue.send(Batch { writes, done }).map_err(|_| Closed)
    }

    /// Commits what is queued, then ends the thread.
    pub fn close(self) {}
}

impl Drop for Committer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there was printed where it happened.
            let _ = thread.join();
        }
    }
}

fn run(store: &dyn Store, batches: &Receiver<Batch>) -> Result<(), StoreError> {
    while let Ok(first) = batches.recv() {
        let mut writes = first.writes;
        let mut done = vec![first.done];
        for batch in batches.try_iter().take(COMMIT_QUEUE) {
            writes.extend(batch.writes);
            done.push(batch.done);
        }
        store.commit(&writes)?;
        done.into_iter().for_each(|done| done());
    }
    Ok(())
}
