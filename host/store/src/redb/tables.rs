//! The tables of version 2. Keys are in the order in which records are written
//! and read: a job's outcomes lie side by side.

use ::redb::TableDefinition;

/// A record's bytes; `super::codec` makes and reads them.
pub(super) type Bytes = &'static [u8];
/// Job, node, index.
pub(super) type TaskKey = (u64, u16, u32);
/// Job, node, index, attempt, term.
pub(super) type AttemptKey = (u64, u16, u32, u32, u64);

/// Numbers that stand alone: [`SCHEMA`] and [`TERM`].
pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// The version of everything below, in [`META`].
pub(super) const SCHEMA: &str = "schema";
/// The term of the latest primary, in [`META`].
pub(super) const TERM: &str = "term";

pub(super) const JOBS: TableDefinition<u64, Bytes> = TableDefinition::new("jobs");
pub(super) const PLANS: TableDefinition<u64, Bytes> = TableDefinition::new("plans");
/// The jobs that have not ended, so that a restart reads no others.
pub(super) const LIVE: TableDefinition<u64, ()> = TableDefinition::new("live");
/// Idempotency keys.
pub(super) const KEYS: TableDefinition<&str, u64> = TableDefinition::new("keys");
/// Recorded ends, in blocks under the key of their first.
pub(super) const ENDS: TableDefinition<TaskKey, Bytes> = TableDefinition::new("ends");
pub(super) const ATTEMPTS: TableDefinition<AttemptKey, Bytes> = TableDefinition::new("attempts");
pub(super) const WORKERS: TableDefinition<u64, Bytes> = TableDefinition::new("workers");
pub(super) const MODULES: TableDefinition<[u8; 32], Bytes> = TableDefinition::new("modules");
pub(super) const TOKENS: TableDefinition<u64, Bytes> = TableDefinition::new("tokens");
