//! Tasks that start other tasks.

use super::MAX_ITEM_BYTES;

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
