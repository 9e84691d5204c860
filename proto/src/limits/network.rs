//! Bounds of requests that tasks send over the network.

/// Kinds of requests that one task asks for, a line of its definition each.
pub const MAX_REACHES: usize = 32;
/// The text of one of them: a host's name has 253 bytes.
pub const MAX_REACH: usize = 512;
/// Different ones that the primary compares workers with at once; with more live ones, it
/// looks at each worker by itself.
pub const MAX_KNOWN_REACHES: usize = 256;
/// Requests of one attempt under way at once.
pub const MAX_FETCHES: usize = 8;
/// Requests of one worker under way at once; others wait. With [`MAX_FETCH_BODY`] it bounds
/// the memory that they take.
pub const MAX_WORKER_FETCHES: usize = 32;
/// Bytes of the body of a request, and of an answer: both are held in memory.
pub const MAX_FETCH_BODY: usize = 8 << 20;
/// Bytes of a request's address.
pub const MAX_FETCH_URL: usize = 8 << 10;
/// Bytes of a request's method.
pub const MAX_FETCH_METHOD: usize = 32;
/// Headers of a request, and of an answer.
pub const MAX_FETCH_HEADERS: usize = 100;
/// Bytes of all headers of a request, and of an answer: what servers take at most.
pub const MAX_FETCH_HEADER_BYTES: usize = 64 << 10;
/// From the beginning of a request to the end of its answer, milliseconds, unless the task
/// says otherwise.
pub const DEFAULT_FETCH_MS: u64 = 30_000;
/// The same at most: some answers are thought about for minutes.
pub const MAX_FETCH_MS: u64 = 300_000;
