//! Bounds of asking for status, and of what is remembered of it.

/// How often a primary asks a worker that runs something for all that its attempts have
/// published. Workers say by themselves what changes; this is against what got lost.
pub const DEFAULT_POLL_MS: u64 = 5_000;
/// The shortest time between two such questions to one worker, whoever wants to know.
pub const MIN_POLL_MS: u64 = 100;
/// How long a view waits for workers that were asked; then it says how old their word is.
pub const POLL_WAIT_MS: u64 = 2_000;
/// What is remembered of an attempt's progress and values, in entries. Half of them go when
/// there are more, every other one, and the rest of the attempt is remembered half as finely.
pub const MAX_HISTORY: usize = 64;
/// A text that is remembered: a timeline is for looking at.
pub const MAX_HISTORY_TEXT: usize = 256;
/// A line of the file in which a program says its status: one that sets the longest value,
/// with what is around it.
pub const MAX_STATUS_LINE: usize = 16 << 10;
/// Bytes of that file that are read at once.
pub const MAX_STATUS_FEED: u64 = 1 << 20;
