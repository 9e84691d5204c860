//! Bounds of jobs that tasks submit.

/// Names of stored definitions that one task asks to submit.
pub const MAX_SUBMITS: usize = 32;
/// Bytes of a task's own name for a job that it submits.
pub const MAX_CHILD_KEY: usize = 128;
/// Bytes of the parameters of such a job, as JSON.
pub const MAX_CHILD_PARAMS: usize = 64 << 10;
/// Jobs that the tasks of one job ask for, refused ones among them, between two starts of the
/// primary.
pub const MAX_CHILDREN: u32 = 1_000;
/// A job that a client submits has depth 0, one that its tasks submit 1, and so on up to
/// this: a definition that submits itself comes to an end.
pub const MAX_CHILD_DEPTH: u8 = 8;
/// Bytes of a result that a task reads of a job that it submitted: it travels in a frame.
pub const MAX_CHILD_READ: u64 = 256 << 10;
/// Calls of all tasks on jobs that they submitted, under way at once; most of them wait.
pub const MAX_CHILD_CALLS: usize = 1_024;
