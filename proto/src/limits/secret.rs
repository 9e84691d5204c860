//! Bounds of secrets.

/// Secrets of one primary: all are held in memory.
pub const MAX_SECRETS: usize = 1000;
/// Bytes of one: a header's value, a token or a key.
pub const MAX_SECRET: usize = 8 << 10;
/// Bytes of one at least: what is shorter is found in everything, and would be struck out there.
pub const MIN_SECRET: usize = 4;
/// Secrets that one task asks for, and kinds of requests that one may go with.
pub const MAX_NODE_SECRETS: usize = 32;
