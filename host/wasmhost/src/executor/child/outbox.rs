//! What an executor has to say, until it fits into the socket. Reports wait
//! while the supervisor is behind; ends do not, and are gathered into batches.

use super::super::ipc::{BATCH_BYTES, Sender};
use std::collections::VecDeque;
use std::io;
use tokio::io::AsyncWrite;
use wasmhost_proto::executor::{Ended, FromExecutor, RunId};
use wasmhost_proto::limits::{BLOB_CHUNK, MAX_BATCH, MAX_EXECUTOR_QUEUE};

#[derive(Default)]
pub(super) struct Outbox {
    /// In order.
    items: VecDeque<Item>,
    /// Said once everything else was.
    ended: VecDeque<Ended>,
}

enum Item {
    Message(FromExecutor),
    /// A large output and what of it was said.
    Output(RunId, Vec<u8>, usize),
}

impl Outbox {
    pub(super) fn say(&mut self, message: FromExecutor) {
        self.items.push_back(Item::Message(message));
    }

    /// A run has begun.
    pub(super) fn started(&mut self, run: RunId) {
        if let Some(Item::Message(FromExecutor::Started(runs))) = self.items.back_mut()
            && runs.len() < MAX_BATCH
        {
            return runs.push(run);
        }
        self.say(FromExecutor::Started(vec![run]));
    }

    /// A run is over; a large output goes in pieces before its end.
    pub(super) fn ended(&mut self, mut ended: Ended) {
        if ended.output.len() > BLOB_CHUNK {
            let output = std::mem::take(&mut ended.output);
            self.items.push_back(Item::Output(ended.run, output, 0));
        }
        self.ended.push_back(ended);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.ended.is_empty()
    }

    /// Whether there is room for more than ends.
    pub(super) fn has_room(&self) -> bool {
        self.items.len() + self.ended.len() < MAX_EXECUTOR_QUEUE
    }

    /// Moves as much as a write takes.
    pub(super) fn collect<W: AsyncWrite + Unpin>(
        &mut self,
        sender: &mut Sender<W>,
    ) -> io::Result<()> {
        while !sender.is_full() {
            let message = match self.items.pop_front() {
                Some(Item::Message(message)) => message,
                Some(Item::Output(run, output, at)) => {
                    let end = output.len().min(at + BLOB_CHUNK);
                    let bytes = output[at..end].to_vec();
                    if end < output.len() {
                        self.items.push_front(Item::Output(run, output, end));
                    }
                    FromExecutor::OutputChunk { run, bytes }
                }
                None => match self.some_ended() {
                    Some(ended) => FromExecutor::Ended(ended),
                    None => return Ok(()),
                },
            };
            sender.push(&message).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// As many ends as a frame holds for sure.
    fn some_ended(&mut self) -> Option<Vec<Ended>> {
        let mut bytes = 0;
        let fits = self.ended.iter().take(MAX_BATCH).take_while(|ended| {
            let first = bytes == 0;
            bytes += size(ended);
            first || bytes <= 2 * BATCH_BYTES
        });
        let count = fits.count();
        (count > 0).then(|| self.ended.drain(..count).collect())
    }
}

/// Bytes in a frame, roughly and rather too many.
fn size(ended: &Ended) -> usize {
    let failure = ended.failure.as_ref().map_or(0, |failure| {
        64 + failure.message.len() + failure.backtrace.as_ref().map_or(0, String::len)
    });
    let report = ended.report.as_ref().map_or(0, |report| {
        // Values and events are bounded to about as much as a log.
        report.log.len() + wasmhost_proto::limits::MAX_STATUS_BYTES
    });
    64 + ended.output.len() + failure + report
}
