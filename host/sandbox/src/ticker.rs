//! The epoch ticker: an OS thread of its own, so that no guest and no runtime
//! can hold it up. It rests while nothing runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use wasmhost_proto::limits::EPOCH_TICK_MS;
use wasmtime::Engine;

/// Ticks without a running attempt before the thread rests: waking it costs
/// more than a second of idle ticks when single attempts come in quickly.
const IDLE_TICKS: u32 = 100;

pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    running: AtomicUsize,
    resting: AtomicBool,
    stop: AtomicBool,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Ticker> {
        let shared = Arc::new(Shared::default());
        let thread = thread::Builder::new().name("epoch-ticker".into()).spawn({
            let (shared, engine) = (shared.clone(), engine.clone());
            move || tick(&shared, &engine)
        })?;
        Ok(Ticker {
            shared,
            thread: Some(thread),
        })
    }

    /// Keeps the ticker awake until the guard is dropped.
    pub(crate) fn running(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, SeqCst);
        if self.shared.resting.load(SeqCst)
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
        Running(&self.shared)
    }
}

pub(crate) struct Running<'a>(&'a Shared);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It panics nowhere; were it to, there is nothing left to tick.
            let _ = thread.join();
        }
    }
}

fn tick(shared: &Shared, engine: &Engine) {
    let mut idle = 0;
    while !shared.stop.load(SeqCst) {
        idle = match shared.running.load(SeqCst) {
            0 => idle + 1,
            _ => 0,
        };
        if idle > IDLE_TICKS {
            // Whoever raises `running` either is seen here or sees `resting`;
            // an `unpark` before `park` makes it return at once.
            shared.resting.store(true, SeqCst);
            if shared.running.load(SeqCst) == 0 && !shared.stop.load(SeqCst) {
                thread::park();
            }
            shared.resting.store(false, SeqCst);
            idle = 0;
        }
        thread::sleep(Duration::from_millis(EPOCH_TICK_MS));
        engine.increment_epoch();
    }
}
