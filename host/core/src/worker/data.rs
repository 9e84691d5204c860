//! Data calls of attempts on this worker: each is repeated in every session until its
//! answer has come. What it comes to is the primary's.

use super::{Effect, Worker};
use crate::clock::Now;
use wasmhost_proto::data::{DataAnswer, DataCall, DataOp};
use wasmhost_proto::wire::ToPrimary;

/// What an attempt asks of the primary.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    /// The number of its last call.
    calls: u64,
    /// The one that has no answer.
    open: Option<DataCall>,
}

impl Worker {
    /// An attempt calls.
    pub(super) fn data_call(&mut self, now: Now, call: DataCall) {
        let Some(run) = self.runs.get_mut(&(call.task, call.lease)) else {
            return;
        };
        let asked = run.asked.get_or_insert_default();
        let waits = |open: &DataCall| matches!(open.op, DataOp::Wait { .. });
        // An honest executor keeps to both.
        if call.call <= asked.calls || asked.open.as_ref().is_some_and(|open| !waits(open)) {
            return;
        }
        asked.calls = call.call;
        asked.open = Some(call.clone());
        self.send(now, ToPrimary::Data(Box::new(call)));
    }

    /// The primary answers. Word that comes twice is dropped.
    pub(super) fn data_answer(&mut self, answer: DataAnswer) {
        let run = self.runs.get_mut(&(answer.task, answer.lease));
        let Some(asked) = run.and_then(|run| run.asked.as_mut()) else {
            return;
        };
        if asked
            .open
            .take_if(|open| open.call == answer.call)
            .is_some()
        {
            self.effects.push_back(Effect::Data(Box::new(answer)));
        }
    }

    /// Asks again, in a new session: the call or its answer may be lost.
    pub(super) fn call_again(&mut self, now: Now) {
        let asked = self.runs.values().filter_map(|run| run.asked.as_ref());
        let open = asked.filter_map(|asked| asked.open.clone());
        let open: Vec<DataCall> = open.collect();
        for call in open {
            self.send(now, ToPrimary::Data(Box::new(call)));
        }
    }
}
