//! Who drives the core: whoever brings it something. Inputs queue, and the first of
//! those that bring one to find the driver free works through all that is there. So
//! no thread is woken for a lone input, nobody waits while another's is worked
//! on, and there is one order. Knows nothing of what inputs mean.

use super::driver::{Batches, Clock, Driver, Input};
use super::handle::Stopped;
use anyhow::anyhow;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use wasmhost_core::clock::Mono;
use wasmhost_core::primary::Event;
use wasmhost_proto::limits::{COMMIT_QUEUE, PRIMARY_EVENTS};

/// Between two batches nobody is let in that could fill the committer's queue, so
/// that nobody ever waits for the disk with the driver in hand.
const MAX_IN_FLIGHT: u64 = COMMIT_QUEUE as u64 / 2;

/// Inputs that one who brings one works through before another task goes on.
const AT_ONCE: usize = 64;

/// The core wants nothing.
const NEVER: u64 = u64::MAX;

/// What comes with a batch to the committer, and back.
pub(super) struct Ticket {
    /// The core's number of the batch; none of one that is not the core's.
    pub(super) seq: Option<u64>,
    /// Who waits for it.
    pub(super) done: Option<oneshot::Sender<()>>,
}

enum Stage {
    Beginning,
    Working(Box<Driver>),
    /// With what ended it, unless that was an orderly end.
    Over(Option<anyhow::Error>),
}

/// Stops the primary when the driver panics, whosever turn it was.
struct Alarm<'a>(&'a CancellationToken);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.cancel();
        }
    }
}

/// The driver, and what waits for it.
pub(super) struct Turns {
    clock: Clock,
    driver: Mutex<Stage>,
    queue: Mutex<VecDeque<Input>>,
    /// Bounds the queue; closed when the primary ends.
    places: Semaphore,
    batches: Arc<Batches>,
    /// The latest batch that the core knows to be durable.
    told: AtomicU64,
    /// When the core wants to be called, milliseconds of its clock.
    due: AtomicU64,
    /// That has become earlier.
    earlier: Notify,
    runtime: Handle,
    stop: CancellationToken,
}

impl Turns {
    /// Without a driver yet: what is brought waits. Needs a tokio runtime.
    pub(super) fn new(clock: Clock, stop: CancellationToken) -> Arc<Turns> {
        Arc::new(Turns {
            clock,
            driver: Mutex::new(Stage::Beginning),
            queue: Mutex::default(),
            places: Semaphore::new(PRIMARY_EVENTS),
            batches: Arc::default(),
            told: AtomicU64::new(0),
            due: AtomicU64::new(NEVER),
            earlier: Notify::new(),
            runtime: Handle::current(),
            stop,
        })
    }

    /// How far the committer is, for the driver to note what it gives it.
    pub(super) fn batches(&self) -> Arc<Batches> {
        self.batches.clone()
    }

    /// Begins to work.
    pub(super) fn begin(self: &Arc<Self>, driver: Driver) {
        self.note_due(&driver);
        let stage = Stage::Working(Box::new(driver));
        *self.driver.lock().unwrap_or_else(PoisonError::into_inner) = stage;
        self.work(AT_ONCE);
    }

    /// Brings an input once there is a place for it. It may be worked on later.
    pub(super) async fn bring(self: &Arc<Self>, input: Input) -> Result<(), Stopped> {
        // Given back when the input is taken.
        self.places.acquire().await.map_err(|_| Stopped)?.forget();
        self.queue().push_back(input);
        self.work(AT_ONCE);
        Ok(())
    }

    /// Batches have become durable. For the committer's thread, which has better
    /// things to do than to work on inputs.
    pub(super) fn durable(self: &Arc<Self>, tickets: Vec<Ticket>) {
        self.batches.note_durable(tickets);
        self.work(0);
    }

    /// Calls the core when it wants to be called, until the primary stops.
    pub(super) async fn keep_time(self: Arc<Self>) {
        loop {
            let due = self.due.load(Ordering::SeqCst);
            let wait = async {
                match due {
                    NEVER => std::future::pending().await,
                    at => sleep_until(self.clock.instant(Mono(at))).await,
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.earlier.notified() => {}
                () = wait => {
                    self.work(AT_ONCE);
                    if self.is_due() {
                        // Somebody else is at it, or the disk has to catch up first.
                        sleep(Duration::from_millis(1)).await;
                    }
                }
            }
        }
    }

    /// Lets nobody in any more, and gives the driver away. What waits is dropped.
    /// Errors: the driver has failed.
    pub(super) fn end(&self) -> anyhow::Result<Driver> {
        self.places.close();
        let driver = self.driver.lock();
        self.queue().clear();
        match driver {
            Ok(mut driver) => match std::mem::replace(&mut *driver, Stage::Over(None)) {
                Stage::Working(driver) => Ok(*driver),
                Stage::Over(Some(error)) => Err(error),
                Stage::Beginning | Stage::Over(None) => Err(anyhow!("it has not begun")),
            },
            Err(poisoned) => {
                // Dropped without being asked anything: who waits for it is told so.
                *poisoned.into_inner() = Stage::Over(None);
                let why = "it panicked, and what it decided is not to be trusted";
                Err(anyhow!(why))
            }
        }
    }

    /// Works until there is nothing to do or somebody else does it; after `most`
    /// inputs another task goes on.
    fn work(self: &Arc<Self>, most: usize) {
        let mut left = most;
        loop {
            match self.driver.try_lock() {
                Ok(mut stage) => {
                    let Stage::Working(driver) = &mut *stage else {
                        // Nobody will take it: who brought it is told by its end.
                        if matches!(*stage, Stage::Over(_)) {
                            self.queue().clear();
                        }
                        return;
                    };
                    let _alarm = Alarm(&self.stop);
                    if let Err(error) = self.turn(driver, &mut left) {
                        *stage = Stage::Over(Some(error));
                        return self.stop.cancel();
                    }
                }
                // Its holder looks again once it has let go.
                Err(TryLockError::WouldBlock) => return,
                // Something panicked; what the core holds is not to be trusted.
                Err(TryLockError::Poisoned(_)) => return self.stop.cancel(),
            }
            if !self.is_wanted() {
                return;
            }
            if left == 0 {
                let turns = self.clone();
                self.runtime.spawn(async move { turns.work(AT_ONCE) });
                return;
            }
        }
    }

    fn turn(&self, driver: &mut Driver, left: &mut usize) -> anyhow::Result<()> {
        while let Some(input) = self.next(*left > 0) {
            if !matches!(input, Input::Event(Event::Persisted { .. })) {
                *left -= 1;
            }
            driver.take(input)?;
            self.note_due(driver);
        }
        Ok(())
    }

    /// What has become durable lets others go on; then the order of arrival.
    fn next(&self, more: bool) -> Option<Input> {
        let seq = self.batches.seq();
        if self.told.swap(seq, Ordering::SeqCst) < seq {
            return Some(Input::Event(Event::Persisted { seq }));
        }
        if !more || !self.has_room() {
            return None;
        }
        if self.is_due() {
            return Some(Input::Event(Event::Timeout));
        }
        let input = self.queue().pop_front()?;
        self.places.add_permits(1);
        Some(input)
    }

    /// Whether there is something that [`Turns::next`] would give.
    fn is_wanted(&self) -> bool {
        self.told.load(Ordering::SeqCst) < self.batches.seq()
            || (self.has_room() && (self.is_due() || !self.queue().is_empty()))
    }

    fn has_room(&self) -> bool {
        self.batches.in_flight() < MAX_IN_FLIGHT
    }

    fn is_due(&self) -> bool {
        let due = self.due.load(Ordering::SeqCst);
        due != NEVER && due <= self.clock.now().mono.0
    }

    fn note_due(&self, driver: &Driver) {
        let due = driver.due().map_or(NEVER, |at| at.0);
        if due < self.due.swap(due, Ordering::SeqCst) {
            self.earlier.notify_one();
        }
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Input>> {
        // Nothing that could panic is done with it in hand.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
