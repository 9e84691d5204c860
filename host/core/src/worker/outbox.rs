//! Outcomes that the primary has not acknowledged. They are kept over
//! reconnects and sent again, in the same numbered batches.

use std::collections::VecDeque;
use std::sync::Arc;
use wasmhost_proto::limits::{MAX_BATCH, MAX_FAILURE_TEXT, MAX_FRAME};
use wasmhost_proto::outcome::Failure;
use wasmhost_proto::status::{Status, Value};
use wasmhost_proto::wire::{AttemptOutcome, End, ResultData, ToPrimary};

/// A batch ends above this many bytes: half a frame, so that one more outcome fits.
const BATCH_BYTES: usize = MAX_FRAME / 2;
/// What a status may take of a frame.
const STATUS_BYTES: usize = MAX_FRAME / 4;

#[derive(Clone, Debug)]
struct Batch {
    number: u64,
    bytes: usize,
    items: Arc<Vec<AttemptOutcome>>,
}

impl Batch {
    fn message(&self) -> ToPrimary {
        ToPrimary::Outcomes {
            batch: self.number,
            items: self.items.clone(),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    last: u64,
    open: VecDeque<AttemptOutcome>,
    unacked: VecDeque<Batch>,
    bytes: usize,
    count: u32,
}

impl Outbox {
    pub(super) fn push(&mut self, outcome: AttemptOutcome) {
        self.bytes += size(&outcome);
        self.count += 1;
        self.open.push_back(outcome);
    }

    /// The next batch of what has gathered.
    pub(super) fn seal(&mut self) -> Option<ToPrimary> {
        self.open.front()?;
        let (mut bytes, mut items) = (0, Vec::new());
        while let Some(next) = self.open.front().map(size) {
            if items.len() >= MAX_BATCH || (!items.is_empty() && bytes + next > BATCH_BYTES) {
                break;
            }
            bytes += next;
            items.extend(self.open.pop_front());
        }
        self.last += 1;
        let number = self.last;
        let batch = Batch {
            number,
            bytes,
            items: Arc::new(items),
        };
        let message = batch.message();
        self.unacked.push_back(batch);
        Some(message)
    }

    /// Batches up to this number are durable.
    pub(super) fn ack(&mut self, number: u64) {
        while let Some(batch) = self.unacked.pop_front_if(|b| b.number <= number) {
            self.bytes -= batch.bytes;
            self.count -= batch.items.len() as u32;
        }
    }

    /// Everything that was sent and not acknowledged, again.
    pub(super) fn again(&self) -> impl Iterator<Item = ToPrimary> {
        self.unacked.iter().map(Batch::message)
    }

    pub(super) fn outcomes(&self) -> impl Iterator<Item = &AttemptOutcome> {
        let sent = self.unacked.iter().flat_map(|b| b.items.iter());
        sent.chain(&self.open)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Bytes on the wire, roughly and rather too many.
fn size(outcome: &AttemptOutcome) -> usize {
    let data = |data: &ResultData| match data {
        ResultData::Inline(bytes) => bytes.len(),
        ResultData::Blob(_) => 64,
    };
    let end = match &outcome.end {
        End::Success(result) => data(result),
        End::Failure(failure, output) => {
            let backtrace = failure.backtrace.as_ref().map_or(0, String::len);
            failure.message.len() + backtrace + output.as_ref().map_or(0, data)
        }
    };
    let report = outcome.report.as_ref();
    160 + end + report.map_or(0, |r| r.log.len() + status_size(&r.status))
}

fn value_size(value: &Value) -> usize {
    match value {
        Value::Text(text) | Value::Json(text) => text.len(),
        Value::Int(_) | Value::Float(_) | Value::Flag(_) => 9,
    }
}

pub(super) fn status_size(status: &Status) -> usize {
    let message = status.progress.as_ref().and_then(|p| p.message.as_ref());
    let values = status.values.iter();
    let values = values.map(|v| 32 + v.name.len() + value_size(&v.value));
    let events = status.events.iter();
    let events = events.map(|e| 48 + e.name.len() + e.value.as_ref().map_or(0, value_size));
    64 + message.map_or(0, String::len) + values.sum::<usize>() + events.sum::<usize>()
}

/// Drops the oldest events, then the last values, until the rest fits into a frame.
pub(super) fn fit_status(status: &mut Status) {
    while status_size(status) > STATUS_BYTES {
        if !status.events.is_empty() {
            let drop = status.events.len().div_ceil(8);
            status.events.drain(..drop);
            status.events_dropped += drop as u64;
        } else if status.values.pop().is_none() {
            status.progress = None;
        }
    }
}

/// Cuts the texts of a failure to their bound.
pub(super) fn fit_failure(failure: &mut Failure) {
    let cut = |text: &mut String| text.truncate(text.floor_char_boundary(MAX_FAILURE_TEXT));
    cut(&mut failure.message);
    if let Some(backtrace) = &mut failure.backtrace {
        cut(backtrace);
    }
}
