//! Bounds of what tasks keep with the primary beside their results.

/// A checkpoint, bytes: what the state of a computation has, and what two processes may
/// hold in memory for each slot.
pub const MAX_CHECKPOINT: usize = 4 << 20;
/// What one checkpoint costs beside its bytes, as the bound below counts it.
pub const CHECKPOINT_ENTRY: usize = 256;
/// Checkpoints of all live tasks as far as they are in the primary's memory (larger ones
/// are blobs), bytes.
pub const MAX_CHECKPOINTS: usize = 256 << 20;
