//! What a running attempt asks of the primary and of its worker: one call at a time, each
//! with its number, and the answer that it waits for. Knows nothing of what becomes of a
//! call.

use crate::attempt::Controls;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use wasmhost_proto::data::{DataOp, DataReply, Space};
use wasmhost_proto::program::{ProgramOp, ProgramReply};

/// A call.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// Which call of the attempt, from 1.
    pub call: u64,
    /// What for.
    pub ask: Ask,
}

/// What a call is for.
#[derive(Clone, PartialEq, Debug)]
pub enum Ask {
    /// Data of the primary's.
    Data(Space, DataOp),
    /// A program of the worker's machine.
    Program(Box<ProgramOp>),
}

impl Ask {
    /// Whether who is asked to stop waits for the answer no more.
    fn waits(&self) -> bool {
        match self {
            Ask::Data(_, op) => matches!(op, DataOp::Wait { .. }),
            Ask::Program(op) => op.waits(),
        }
    }
}

/// What came of a call.
#[derive(Clone, PartialEq, Debug)]
pub enum Told {
    /// Of one for data.
    Data(DataReply),
    /// Of one for a program.
    Program(Box<ProgramReply>),
}

/// The line between an attempt and its supervisor.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    state: Mutex<State>,
    /// There is a call.
    said: Notify,
    /// There is an answer, or the attempt is to stop.
    heard: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Calls up to now.
    last: u64,
    /// One that the supervisor has not taken.
    asked: Option<Request>,
    /// The answer to the last one.
    answer: Option<Told>,
    stopped: bool,
}

impl Calls {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many calls there were.
    pub(crate) fn made(&self) -> u64 {
        self.state().last
    }

    /// The attempt is asked to stop: it waits for no change any more.
    pub(crate) fn stop(&self) {
        self.state().stopped = true;
        self.heard.notify_one();
    }
}

impl Controls {
    /// The attempt's next call; may be dropped while it waits.
    pub async fn next_call(&self) -> Request {
        loop {
            if let Some(call) = self.calls().state().asked.take() {
                return call;
            }
            self.calls().said.notified().await;
        }
    }

    /// The answer to a call. One to an earlier call than the last is dropped.
    pub fn answer(&self, call: u64, reply: Told) {
        let mut state = self.calls().state();
        if call == state.last {
            state.answer = Some(reply);
            self.calls().heard.notify_one();
        }
    }

    /// Makes a call for data and waits for its answer. None when the attempt is asked to
    /// stop while it waits for a change, or is told something else.
    pub(crate) async fn call(&self, space: Space, op: DataOp) -> Option<DataReply> {
        match self.ask(Ask::Data(space, op)).await? {
            Told::Data(reply) => Some(reply),
            Told::Program(_) => None,
        }
    }

    /// Makes a call and waits for its answer. None when the attempt is asked to stop and the
    /// answer may be long in coming.
    pub(crate) async fn ask(&self, ask: Ask) -> Option<Told> {
        let waits = ask.waits();
        {
            let mut state = self.calls().state();
            state.last += 1;
            let call = state.last;
            state.answer = None;
            state.asked = Some(Request { call, ask });
        }
        self.calls().said.notify_one();
        loop {
            {
                let mut state = self.calls().state();
                if let Some(reply) = state.answer.take() {
                    return Some(reply);
                }
                if waits && state.stopped {
                    return None;
                }
            }
            self.calls().heard.notified().await;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn get() -> DataOp {
        DataOp::Get { key: "a".into() }
    }

    fn wait() -> DataOp {
        DataOp::Wait {
            key: "a".into(),
            known: 0,
            timeout_ms: 1,
        }
    }

    #[tokio::test]
    async fn an_answer_finds_its_call() {
        let controls = Controls::default();
        let guest = controls.call(Space::Private, get());
        let supervisor = async {
            let first = controls.next_call().await;
            let asked = Ask::Data(Space::Private, get());
            assert_eq!((first.call, first.ask), (1, asked));
            controls.answer(7, Told::Data(DataReply::Written(7)));
            controls.answer(1, Told::Data(DataReply::Written(1)));
        };
        let (reply, ()) = tokio::join!(guest, supervisor);
        assert_eq!(reply, Some(DataReply::Written(1)));
    }

    #[tokio::test]
    async fn who_is_to_stop_waits_for_no_change() {
        let controls = Controls::default();
        controls.cancel();
        assert_eq!(controls.call(Space::Private, wait()).await, None);
        let guest = controls.call(Space::Private, get());
        let supervisor = async {
            // The wait was never taken, and is not asked for any more.
            assert_eq!(controls.next_call().await.call, 2);
            controls.answer(1, Told::Data(DataReply::Written(1)));
            controls.answer(2, Told::Data(DataReply::Entry(None)));
        };
        let (reply, ()) = tokio::join!(guest, supervisor);
        assert_eq!(reply, Some(DataReply::Entry(None)));
    }
}
