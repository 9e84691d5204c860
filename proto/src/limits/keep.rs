//! Bounds of what tasks keep with the primary beside their results.

/// A checkpoint, bytes: what the state of a computation has, and what two processes may
/// hold in memory for each slot.
pub const MAX_CHECKPOINT: usize = 4 << 20;
/// What one checkpoint costs beside its bytes, as the bound below counts it.
pub const CHECKPOINT_ENTRY: usize = 256;
/// Checkpoints of all live tasks as far as they are in the primary's memory (larger ones
/// are blobs), bytes.
pub const MAX_CHECKPOINTS: usize = 256 << 20;
/// Outputs of one attempt: each has a buffer of [`MAX_OUTPUT_PART`] while it is open.
pub const MAX_OUTPUTS: usize = 32;
/// The name of an output, and its content type, bytes: a file's name has room for more.
pub const MAX_OUTPUT_NAME: usize = 128;
/// What is sent of an output at once, bytes: it fits a frame.
pub const MAX_OUTPUT_PART: usize = 256 << 10;
/// Parts of one output: those of the largest one when every other is sent early.
pub const MAX_OUTPUT_PARTS: u32 = 2 * (MAX_OUTPUT_BYTES / MAX_OUTPUT_PART as u64) as u32;
/// Outputs of one attempt together, bytes: as much as the largest result.
pub const MAX_OUTPUT_BYTES: u64 = 256 << 20;
/// What is written is sent after this long even when it is little, milliseconds, as long
/// as an output has less than half of its parts.
pub const OUTPUT_FLUSH_MS: u64 = 1_000;
