//! Tasks that start other tasks.

use super::{MAX_ITEM_BYTES, MAX_ITEMS_BYTES};

/// Drivers of one worker that hold no slot; more of them hold one each. A waiting
/// driver costs its memory and nothing else.
pub const MAX_DRIVERS: u32 = 16;
/// The name that a driver gives to a task which it starts, bytes.
pub const MAX_SPAWN_KEY: usize = 256;
/// The input of such a task: it is an item of an array.
pub const MAX_SPAWN_INPUT: usize = MAX_ITEM_BYTES;
/// Tasks that a driver has started and whose ends it has not taken: its worker holds
/// their inputs or their ends, of up to [`super::MAX_INLINE`] each.
pub const MAX_SPAWNED_OPEN: usize = 4096;
/// The result of such a task that its driver is given: one frame to its executor.
pub const MAX_CHILD_RESULT: u64 = 256 << 10;

// A primary's own driver.

/// The key of a request that a client makes, bytes.
pub const MAX_REQUEST_KEY: usize = 128;
/// What comes before it in the key of the task that answers: a driver's own keys are
/// others. Both together fit [`MAX_SPAWN_KEY`].
pub const REQUEST_KEY_PREFIX: &str = "request:";
/// The HTTP body of a request: its input may be written in three times its length.
pub const MAX_REQUEST_BODY: usize = 4 * MAX_SPAWN_INPUT;
/// Requests that no task answers yet: each lies in the primary's memory.
pub const MAX_REQUESTS: usize = 4096;
/// Bytes of their inputs in all.
pub const MAX_REQUESTS_BYTES: usize = 64 << 20;
/// Tasks that one job of the driver starts before another job takes its place: the
/// primary holds the key and the input of each as long as the job lives.
pub const MAX_SERVED: usize = 100_000;
/// Bytes of their keys and inputs in all, likewise.
pub const MAX_SERVED_BYTES: usize = MAX_ITEMS_BYTES / 2;
/// From the end of a driver to its next start, milliseconds; twice that after each end
/// that comes soon.
pub const SERVE_BACKOFF_MS: u64 = 1_000;
/// No longer than this, milliseconds.
pub const MAX_SERVE_BACKOFF_MS: u64 = 60_000;
/// An end is not soon after this, milliseconds.
pub const SERVED_WELL_MS: u64 = 60_000;
