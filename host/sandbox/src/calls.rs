//! What a running attempt asks of the primary and of its worker: calls, each with its
//! number, and the answers that they wait for, in any order. A guest that waits makes no
//! other call, unless it has sent requests over the network, which go on beside it. Knows
//! nothing of what becomes of a call.

use crate::attempt::Controls;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};
use wasmhost_proto::data::{DataOp, DataReply, Space};
use wasmhost_proto::http::{HttpReply, HttpRequest};
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
    /// A request over the network.
    Http(Box<HttpRequest>),
}

impl Ask {
    /// Whether who is asked to stop waits for the answer no more.
    fn waits(&self) -> bool {
        match self {
            Ask::Data(_, op) => op.waits(),
            Ask::Program(op) => op.waits(),
            Ask::Http(_) => true,
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
    /// Of a request over the network.
    Http(Box<HttpReply>),
}

/// The line between an attempt and its supervisor.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    state: Mutex<State>,
    /// There is a call.
    said: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Calls up to now.
    last: u64,
    /// Calls that the supervisor has not taken.
    asked: VecDeque<Request>,
    /// Who waits for the answer to which call: one, and requests within their bound.
    waiting: BTreeMap<u64, Waiting>,
    stopped: bool,
}

#[derive(Debug)]
struct Waiting {
    told: oneshot::Sender<Told>,
    /// The answer may be long in coming: nobody waits for it who is asked to stop.
    waits: bool,
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
        let mut state = self.state();
        state.stopped = true;
        state.waiting.retain(|_, waiting| !waiting.waits);
    }
}

impl State {
    /// The next call whose answer somebody waits for.
    fn take(&mut self) -> Option<Request> {
        loop {
            let request = self.asked.pop_front()?;
            let waiting = self.waiting.get(&request.call);
            if waiting.is_some_and(|waiting| !waiting.told.is_closed()) {
                return Some(request);
            }
        }
    }

    /// A new call, and where its answer comes; none for one that nobody may wait for.
    fn add(&mut self, ask: Ask) -> Option<oneshot::Receiver<Told>> {
        self.last += 1;
        let (call, waits) = (self.last, ask.waits());
        if waits && self.stopped {
            return None;
        }
        // Of requests that the guest has given up.
        self.waiting.retain(|_, waiting| !waiting.told.is_closed());
        let (told, answer) = oneshot::channel();
        self.waiting.insert(call, Waiting { told, waits });
        self.asked.push_back(Request { call, ask });
        Some(answer)
    }
}

impl Controls {
    /// The attempt's next call; may be dropped while it waits.
    pub async fn next_call(&self) -> Request {
        loop {
            if let Some(call) = self.calls().state().take() {
                return call;
            }
            self.calls().said.notified().await;
        }
    }

    /// The answer to a call. One that nobody waits for is dropped.
    pub fn answer(&self, call: u64, reply: Told) {
        if let Some(waiting) = self.calls().state().waiting.remove(&call) {
            let _ = waiting.told.send(reply);
        }
    }

    /// Makes a call for data and waits for its answer. None when the attempt is asked to
    /// stop while it waits for a change, or is told something else.
    pub(crate) async fn call(&self, space: Space, op: DataOp) -> Option<DataReply> {
        match self.ask(Ask::Data(space, op)).await? {
            Told::Data(reply) => Some(reply),
            Told::Program(_) | Told::Http(_) => None,
        }
    }

    /// Makes a call and waits for its answer. None when the attempt is asked to stop and the
    /// answer may be long in coming.
    pub(crate) async fn ask(&self, ask: Ask) -> Option<Told> {
        let answer = self.calls().state().add(ask)?;
        self.calls().said.notify_one();
        answer.await.ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::task::Poll;

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

    /// Requests go on beside other calls, and are answered in any order; a stop ends the
    /// wait for them.
    #[tokio::test]
    async fn requests_go_on_beside_other_calls() {
        let request = |url: &str| {
            let url = url.into();
            Ask::Http(Box::new(HttpRequest {
                url,
                ..Default::default()
            }))
        };
        let refused = |why: &str| {
            let why = why.to_owned();
            let reply = HttpReply::Refused(wasmhost_proto::http::HttpRefusal::Failed, why);
            Told::Http(Box::new(reply))
        };
        let controls = Controls::default();
        let supervisor = async {
            for call in 1..=4 {
                assert_eq!(controls.next_call().await.call, call);
            }
            controls.answer(3, Told::Data(DataReply::Entry(None)));
            controls.answer(2, refused("two"));
            controls.answer(1, refused("one"));
            controls.cancel();
        };
        let guest = async {
            tokio::join!(
                controls.ask(request("/1")),
                controls.ask(request("/2")),
                controls.call(Space::Private, get()),
                controls.ask(request("/4")),
            )
        };
        let (told, ()) = tokio::join!(guest, supervisor);
        let want = (
            Some(refused("one")),
            Some(refused("two")),
            Some(DataReply::Entry(None)),
            None,
        );
        assert_eq!(told, want);
        // What was given up before it was taken goes nowhere.
        let controls = Controls::default();
        {
            let mut ask = std::pin::pin!(controls.ask(request("/")));
            let poll = std::future::poll_fn(|cx| Poll::Ready(ask.as_mut().poll(cx)));
            assert!(poll.await.is_pending());
        }
        let supervisor = async { assert_eq!(controls.next_call().await.call, 2) };
        let guest = async {
            tokio::select! {
                _ = controls.call(Space::Private, get()) => {}
                () = supervisor => {}
            }
        };
        guest.await;
    }
}
