//! What an attempt has said up to now, shared between the guest's host calls
//! and the loop that reports it: status, log, standard output, and the reason
//! why the host stopped it.

mod feed;
mod history;
mod log;
mod pipe;
mod status;

use crate::text::clip;
pub(crate) use feed::Feed;
use log::Log;
pub(crate) use log::Stream;
pub(crate) use pipe::{Pipe, Target};
use status::StatusBoard;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmhost_proto::limits::{MAX_FAILURE_TEXT, MAX_STATUS_CALLS};
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmhost_proto::status::{Status, Value};

/// Why a host call ended the attempt. The first one of an attempt counts,
/// whatever the guest's code makes of the error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Halt {
    pub(crate) kind: FailureKind,
    pub(crate) message: String,
}

impl Halt {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Halt {
        Halt {
            kind,
            message: clip(message.into(), MAX_FAILURE_TEXT / 2),
        }
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for Halt {}

impl From<Halt> for Failure {
    fn from(halt: Halt) -> Failure {
        Failure::new(halt.kind, halt.message)
    }
}

/// Clones share one board.
#[derive(Clone)]
pub(crate) struct Board(Arc<Mutex<Inner>>);

struct Inner {
    status: StatusBoard,
    log: Log,
    output: Vec<u8>,
    max_output: u64,
    calls: u64,
    dirty: bool,
    halt: Option<Halt>,
    /// The file in which a program says its status.
    feed: Option<Feed>,
}

impl Board {
    /// A board that takes up to `max_output` bytes of standard output.
    pub(crate) fn new(max_output: u64) -> Board {
        Board(Arc::new(Mutex::new(Inner {
            status: StatusBoard::default(),
            log: Log::default(),
            output: Vec::new(),
            max_output,
            calls: 0,
            dirty: false,
            halt: None,
            feed: None,
        })))
    }

    /// Only the thread that runs the attempt holds it, and briefly. What a
    /// panic left behind is still text within bounds.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One counted call that publishes something; an error ends the attempt.
    fn publish(&self, act: impl FnOnce(&mut Inner) -> Result<(), Halt>) -> Result<(), Halt> {
        let mut inner = self.lock();
        inner.count(act).inspect_err(|halt| inner.remember(halt))
    }

    /// Takes in from now on what a program writes into a file.
    pub(crate) fn follow(&self, feed: Feed) {
        self.lock().feed = Some(feed);
    }

    pub(crate) fn progress(
        &self,
        done: u64,
        total: Option<u64>,
        message: Option<String>,
    ) -> Result<(), Halt> {
        self.publish(|inner| {
            inner.status.progress(done, total, message);
            Ok(())
        })
    }

    pub(crate) fn set(&self, name: String, value: Value) -> Result<(), Halt> {
        self.publish(|inner| inner.status.set(name, value))
    }

    pub(crate) fn event(&self, name: String, value: Option<Value>) -> Result<(), Halt> {
        self.publish(|inner| inner.status.event(name, value))
    }

    pub(crate) fn log_line(&self, level: &str, message: &str) -> Result<(), Halt> {
        self.publish(|inner| inner.log.message(level, message))
    }

    /// Bytes of a stream that goes to the log.
    pub(crate) fn log_bytes(&self, stream: Stream, bytes: &[u8]) -> Result<(), Halt> {
        let mut inner = self.lock();
        inner.dirty = true;
        let result = inner.log.bytes(stream, bytes);
        result.inspect_err(|halt| inner.remember(halt))
    }

    /// Bytes of a command's standard output.
    pub(crate) fn output(&self, bytes: &[u8]) -> Result<(), Halt> {
        let mut inner = self.lock();
        let room = inner.max_output.saturating_sub(inner.output.len() as u64);
        let taken = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        inner.output.extend_from_slice(&bytes[..taken]);
        if taken == bytes.len() {
            return Ok(());
        }
        let halt = Halt::new(
            FailureKind::OutputLimit,
            format!(
                "standard output passed the limit of {} bytes",
                inner.max_output
            ),
        );
        inner.remember(&halt);
        Err(halt)
    }

    /// Ends the attempt, whatever has come of it.
    pub(crate) fn stop(&self, halt: &Halt) {
        self.lock().remember(halt);
    }

    /// Why the host stopped the attempt, if it did.
    pub(crate) fn halt(&self) -> Option<Halt> {
        self.lock().halt.clone()
    }

    /// The guest's latest panic message, from what it wrote to its log.
    pub(crate) fn panic(&self) -> Option<String> {
        self.lock().log.panic()
    }

    /// The status and the new log text, if there is anything new.
    pub(crate) fn news(&self) -> Option<(Status, String)> {
        let mut inner = self.lock();
        inner.hear(Feed::read);
        std::mem::take(&mut inner.dirty).then(|| (inner.status.show(), inner.log.take_new()))
    }

    /// The last status, the rest of the log, and the standard output.
    pub(crate) fn finish(&self) -> (Status, String, Vec<u8>) {
        let mut inner = self.lock();
        inner.hear(Feed::finish);
        let log = inner.log.finish();
        let mut status = inner.status.last();
        status.calls = inner.calls;
        (status, log, std::mem::take(&mut inner.output))
    }
}

impl Inner {
    /// One counted call that publishes something.
    fn count(&mut self, act: impl FnOnce(&mut Inner) -> Result<(), Halt>) -> Result<(), Halt> {
        self.calls += 1;
        self.dirty = true;
        match self.calls > MAX_STATUS_CALLS {
            true => Err(Halt::new(
                FailureKind::HostCallLimit,
                format!("more than {MAX_STATUS_CALLS} calls of status and log"),
            )),
            false => act(self),
        }
    }

    /// Takes in what the program has written.
    fn hear(&mut self, read: impl FnOnce(&mut Feed, &mut Inner)) {
        if let Some(mut feed) = self.feed.take() {
            read(&mut feed, self);
            self.feed = Some(feed);
        }
    }

    fn remember(&mut self, halt: &Halt) {
        self.halt.get_or_insert_with(|| halt.clone());
    }
}
