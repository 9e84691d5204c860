//! Processor time of attempts. Asking the kernel costs as much as a tenth of a
//! short attempt, so that short stretches are taken by the wall clock, which is
//! an upper bound, and long ones exactly but for [`STRETCH`].

use rustix::time::{ClockId, clock_gettime};
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::time::{Duration, Instant};

/// Shorter polls are not worth a question; a known reading is good for so long.
const STRETCH: Duration = Duration::from_millis(1);

thread_local! {
    /// When the thread's processor time was asked for last, and what it was.
    static KNOWN: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
}

/// Adds the processor time of each poll to `cpu`.
pub(crate) async fn metered<F: Future>(future: F, cpu: &mut Duration) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let begin = Instant::now();
        let before = known(begin);
        let poll = future.as_mut().poll(cx);
        let wall = begin.elapsed();
        *cpu += match wall < STRETCH {
            true => wall,
            false => wall.min(ask(begin + wall).saturating_sub(before)),
        };
        poll
    })
    .await
}

/// The thread's processor time, not older than [`STRETCH`].
fn known(now: Instant) -> Duration {
    match KNOWN.get() {
        Some((at, time)) if now.saturating_duration_since(at) < STRETCH => time,
        _ => ask(now),
    }
}

fn ask(now: Instant) -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let time = Duration::new(time.tv_sec as u64, time.tv_nsec as u32);
    KNOWN.set(Some((now, time)));
    time
}
