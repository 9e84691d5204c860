//! A task that starts others: what it asks of its supervisor, and the ends that it
//! waits for. Bounded on both sides; knows nothing of what becomes of a call.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;
use wasmhost_proto::executor::SpawnedEnd;
use wasmhost_proto::limits::{MAX_NAME, MAX_SPAWN_INPUT, MAX_SPAWN_KEY, MAX_SPAWNED_OPEN};
use wasmhost_proto::wire::DriverRequest;

/// What a driver asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum DriverCall {
    /// To start a task.
    Spawn {
        /// Its name for it.
        key: String,
        /// The name of the task's node.
        node: String,
        /// The task's input.
        input: Vec<u8>,
    },
    /// To give up a task that it has started.
    Cancel {
        /// Its name for it.
        key: String,
    },
    /// The end of the next task that it has started.
    Await,
    /// The next request to a primary's driver.
    NextRequest,
}

/// What a driver waits for.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum DriverEvent {
    /// The end of a task that it has started, by its key.
    Ended(String, SpawnedEnd),
    /// A request.
    Request(Box<DriverRequest>),
}

/// The two ends of a driver's line to its supervisor. Clones are the same line.
#[derive(Clone, Debug, Default)]
pub struct Driver(Arc<Line>);

#[derive(Debug, Default)]
struct Line {
    state: Mutex<State>,
    /// There is a call.
    said: Notify,
    /// There is an end, or the driver is to stop.
    heard: Notify,
}

#[derive(Debug, Default)]
struct State {
    calls: VecDeque<DriverCall>,
    ends: VecDeque<(String, SpawnedEnd)>,
    /// Keys of tasks whose ends the guest has not taken.
    open: BTreeSet<String>,
    /// The supervisor knows that the guest waits.
    asked: bool,
    /// Requests that the guest has not taken: one at most, unless the supervisor is odd.
    requests: VecDeque<Box<DriverRequest>>,
    /// The supervisor knows that the guest wants a request.
    listens: bool,
    /// No more requests come.
    closed: bool,
    stopped: bool,
}

impl Driver {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, state: &mut State, call: DriverCall) {
        state.calls.push_back(call);
        self.0.said.notify_one();
    }

    /// The next call; may be dropped while it waits.
    pub async fn next_call(&self) -> DriverCall {
        loop {
            if let Some(call) = self.state().calls.pop_front() {
                return call;
            }
            self.0.said.notified().await;
        }
    }

    /// The answer to [`DriverCall::Await`].
    pub fn ended(&self, key: String, end: SpawnedEnd) {
        let mut state = self.state();
        state.asked = false;
        state.ends.push_back((key, end));
        self.0.heard.notify_one();
    }

    /// The answer to [`DriverCall::NextRequest`]; none when no more come.
    pub fn requested(&self, request: Option<Box<DriverRequest>>) {
        let mut state = self.state();
        state.listens = false;
        match request {
            Some(request) => state.requests.push_back(request),
            None => state.closed = true,
        }
        self.0.heard.notify_one();
    }

    /// The driver is asked to stop: it waits for nothing any more.
    pub fn stop(&self) {
        self.state().stopped = true;
        self.0.heard.notify_one();
    }

    /// Starts a task. Errors say what is wrong with the call.
    pub(crate) fn spawn(&self, key: String, node: String, input: Vec<u8>) -> Result<(), String> {
        if key.is_empty() || key.len() > MAX_SPAWN_KEY || key.contains(char::is_control) {
            return Err(format!(
                "a key has 1 to {MAX_SPAWN_KEY} bytes and no control characters"
            ));
        }
        if node.len() > MAX_NAME {
            return Err(format!("the name of a task has at most {MAX_NAME} bytes"));
        }
        if input.len() > MAX_SPAWN_INPUT {
            return Err(format!(
                "the input has {} bytes, and may have {MAX_SPAWN_INPUT}",
                input.len()
            ));
        }
        let mut state = self.state();
        if state.open.contains(&key) {
            return Err(format!("the task '{key}' is under way already"));
        }
        if state.open.len() >= MAX_SPAWNED_OPEN {
            return Err(format!(
                "{MAX_SPAWNED_OPEN} tasks are under way: wait for some of them first"
            ));
        }
        state.open.insert(key.clone());
        self.say(&mut state, DriverCall::Spawn { key, node, input });
        Ok(())
    }

    /// Tasks whose ends were not taken.
    pub(crate) fn open(&self) -> u32 {
        self.state().open.len() as u32
    }

    /// Gives up a task. Its end comes all the same; of others nothing happens.
    pub(crate) fn cancel(&self, key: String) {
        let mut state = self.state();
        // Said once at most for each that is open, however often it is called.
        let said = |call: &DriverCall| matches!(call, DriverCall::Cancel { key: k } if *k == key);
        if state.open.contains(&key) && !state.calls.iter().any(said) {
            self.say(&mut state, DriverCall::Cancel { key });
        }
    }

    /// Waits for the end of any task that is under way. None when there is none, when
    /// the time is over, and when the driver is asked to stop.
    pub(crate) async fn wait(&self, time: Option<Duration>) -> Option<(String, SpawnedEnd)> {
        match time {
            None => self.next_end().await,
            Some(time) => timeout(time, self.next_end()).await.ok().flatten(),
        }
    }

    /// The same for the next request, too, whichever comes first. While as much is under
    /// way as may be, no request is taken.
    pub(crate) async fn next(&self, time: Option<Duration>) -> Option<DriverEvent> {
        match time {
            None => self.next_event().await,
            Some(time) => timeout(time, self.next_event()).await.ok().flatten(),
        }
    }

    async fn next_event(&self) -> Option<DriverEvent> {
        loop {
            {
                let mut state = self.state();
                if let Some((key, end)) = self.take_end(&mut state) {
                    return Some(DriverEvent::Ended(key, end));
                }
                if state.stopped {
                    return None;
                }
                if state.open.len() < MAX_SPAWNED_OPEN {
                    if let Some(request) = state.requests.pop_front() {
                        return Some(DriverEvent::Request(request));
                    }
                    if !state.closed && !std::mem::replace(&mut state.listens, true) {
                        self.say(&mut state, DriverCall::NextRequest);
                    }
                }
                if state.closed && state.open.is_empty() {
                    return None;
                }
            }
            self.0.heard.notified().await;
        }
    }

    /// An end that is there; else the supervisor is asked for one, if any can come.
    fn take_end(&self, state: &mut State) -> Option<(String, SpawnedEnd)> {
        if let Some((key, end)) = state.ends.pop_front() {
            state.open.remove(&key);
            return Some((key, end));
        }
        let can_come = !(state.open.is_empty() || state.stopped);
        if can_come && !std::mem::replace(&mut state.asked, true) {
            self.say(state, DriverCall::Await);
        }
        None
    }

    /// Waits until all that was started has ended, or the driver is asked to stop.
    pub async fn join(&self) {
        while self.next_end().await.is_some() {}
    }

    async fn next_end(&self) -> Option<(String, SpawnedEnd)> {
        loop {
            {
                let mut state = self.state();
                let end = self.take_end(&mut state);
                if end.is_some() || state.open.is_empty() || state.stopped {
                    return end;
                }
            }
            self.0.heard.notified().await;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
    }

    #[test]
    fn an_end_is_asked_for_once_and_taken_once() {
        runtime().block_on(async {
            let driver = Driver::default();
            assert_eq!(driver.wait(None).await, None);
            driver.spawn("a".into(), "work".into(), vec![1]).unwrap();
            assert!(driver.spawn("a".into(), "work".into(), vec![]).is_err());
            for _ in 0..3 {
                assert_eq!(driver.wait(Some(Duration::ZERO)).await, None);
            }
            assert!(matches!(driver.next_call().await, DriverCall::Spawn { .. }));
            assert_eq!(driver.next_call().await, DriverCall::Await);
            assert!(driver.state().calls.is_empty());
            driver.ended("a".into(), SpawnedEnd::Large(7));
            let end = driver.wait(None).await;
            assert_eq!(end, Some(("a".into(), SpawnedEnd::Large(7))));
            assert_eq!((driver.open(), driver.wait(None).await), (0, None));
        });
    }

    #[test]
    fn ends_come_before_requests_and_none_when_neither_can_come() {
        let request = |number| {
            Box::new(DriverRequest {
                number,
                key: format!("request:{number}"),
                node: "work".into(),
                input: vec![],
            })
        };
        runtime().block_on(async {
            let driver = Driver::default();
            for _ in 0..3 {
                assert_eq!(driver.next(Some(Duration::ZERO)).await, None);
            }
            assert_eq!(driver.next_call().await, DriverCall::NextRequest);
            driver.requested(Some(request(1)));
            let want = DriverEvent::Request(request(1));
            assert_eq!(driver.next(None).await, Some(want));
            driver.spawn("a".into(), "work".into(), vec![]).unwrap();
            assert_eq!(driver.next(Some(Duration::ZERO)).await, None);
            driver.requested(Some(request(2)));
            driver.ended("a".into(), SpawnedEnd::Large(7));
            let want = DriverEvent::Ended("a".into(), SpawnedEnd::Large(7));
            assert_eq!(driver.next(None).await, Some(want));
            let want = DriverEvent::Request(request(2));
            assert_eq!(driver.next(None).await, Some(want));
            driver.requested(None);
            assert_eq!(driver.next(None).await, None);
        });
    }

    #[test]
    fn no_request_is_taken_while_too_much_is_under_way() {
        runtime().block_on(async {
            let driver = Driver::default();
            for n in 0..MAX_SPAWNED_OPEN {
                driver.spawn(n.to_string(), "n".into(), vec![]).unwrap();
            }
            assert_eq!(driver.next(Some(Duration::ZERO)).await, None);
            let calls = driver.state().calls.clone();
            assert!(!calls.contains(&DriverCall::NextRequest));
            driver.ended("7".into(), SpawnedEnd::Large(7));
            assert!(driver.next(None).await.is_some());
            assert_eq!(driver.next(Some(Duration::ZERO)).await, None);
            let calls = driver.state().calls.clone();
            assert!(calls.contains(&DriverCall::NextRequest));
        });
    }

    #[test]
    fn who_is_to_stop_waits_no_more() {
        runtime().block_on(async {
            let driver = Driver::default();
            driver.spawn("a".into(), "work".into(), vec![]).unwrap();
            driver.stop();
            assert_eq!(driver.wait(None).await, None);
            driver.cancel("a".into());
            driver.cancel("a".into());
            driver.cancel("b".into());
            let cancels = driver
                .state()
                .calls
                .iter()
                .filter(|c| matches!(c, DriverCall::Cancel { .. }))
                .count();
            assert_eq!(cancels, 1);
        });
    }

    #[test]
    fn calls_are_bounded() {
        let check = |key: &str, node: &str, input: usize, fits: bool| {
            let driver = Driver::default();
            let got = driver.spawn(key.into(), node.into(), vec![0; input]);
            assert_eq!(got.is_ok(), fits, "{got:?}");
        };
        check("k", "n", MAX_SPAWN_INPUT, true);
        check("k", "n", MAX_SPAWN_INPUT + 1, false);
        check("", "n", 0, false);
        check("a\nb", "n", 0, false);
        check(&"k".repeat(MAX_SPAWN_KEY + 1), "n", 0, false);
        check("k", &"n".repeat(MAX_NAME + 1), 0, false);
        let driver = Driver::default();
        for n in 0..MAX_SPAWNED_OPEN {
            driver.spawn(n.to_string(), "n".into(), vec![]).unwrap();
        }
        assert!(driver.spawn("more".into(), "n".into(), vec![]).is_err());
    }
}
