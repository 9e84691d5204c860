//! Bounds of the data that tasks and clients keep with the primary: all of it is in the
//! primary's memory, beside the store's copy.

/// A key, bytes.
pub const MAX_DATA_KEY: usize = 256;
/// The name of a public space, bytes.
pub const MAX_DATA_SPACE: usize = 64;
/// A value, bytes. Larger things are outputs and results.
pub const MAX_DATA_VALUE: usize = 64 << 10;
/// What one entry costs beside its key and value, as the bounds below count it.
pub const DATA_ENTRY: usize = 128;
/// Keys and values of one job, bytes.
pub const MAX_JOB_DATA: usize = 4 << 20;
/// Keys and values of one public space, bytes.
pub const MAX_SPACE_DATA: usize = 16 << 20;
/// Keys and values of everybody, bytes: what the primary's memory has room for.
pub const MAX_DATA: usize = 256 << 20;
/// Public spaces.
pub const MAX_DATA_SPACES: usize = 1000;
/// Patterns of public spaces that one definition publishes in.
pub const MAX_PUBLISHES: usize = 32;
/// Entries that one list call returns.
pub const MAX_DATA_PAGE: usize = 1000;
/// Keys and values that one list call returns, bytes.
pub const MAX_DATA_PAGE_BYTES: usize = 1 << 20;
/// Keys of one call of `wasi:keyvalue/batch`, each of which costs a message.
pub const MAX_BATCH_KEYS: usize = 1000;
/// The longest that a call waits for a change, milliseconds; then it may be made again.
pub const MAX_DATA_WAIT_MS: u64 = 60_000;
/// The same over HTTP: well below the time limit of a request.
pub const MAX_HTTP_DATA_WAIT_MS: u64 = 20_000;
