//! The tables of version 4. Keys are in the order in which records are written
//! and read: a job's outcomes lie side by side.

use ::redb::TableDefinition;

/// A record's bytes; `super::codec` makes and reads them.
pub(super) type Bytes = &'static [u8];
/// Job, node, index.
pub(super) type TaskKey = (u64, u16, u32);
/// Job, node.
pub(super) type NodeKey = (u64, u16);
/// Job, node, index, attempt, term.
pub(super) type AttemptKey = (u64, u16, u32, u32, u64);
/// Job, node, index, number.
pub(super) type OutputKey = (u64, u16, u32, u32);
/// Job, node, index, number, part.
pub(super) type PartKey = (u64, u16, u32, u32, u32);
/// Job or 0, public space or nothing, key.
pub(super) type DataKey = (u64, &'static str, &'static str);
/// A stored definition's name, version.
pub(super) type VersionKey = (&'static str, u32);

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
/// What was found out about nodes of graphs.
pub(super) const PREPARED: TableDefinition<NodeKey, Bytes> = TableDefinition::new("prepared");
/// Tasks that drivers have started.
pub(super) const SPAWNED: TableDefinition<TaskKey, Bytes> = TableDefinition::new("spawned");
/// Requests to a primary's driver, by their keys.
pub(super) const REQUESTS: TableDefinition<&str, Bytes> = TableDefinition::new("requests");
/// The keys of those that wait, by their numbers, so that a restart reads no others.
pub(super) const WAITING: TableDefinition<u64, &str> = TableDefinition::new("waiting_requests");
/// Private and public data.
pub(super) const DATA: TableDefinition<DataKey, Bytes> = TableDefinition::new("data");
/// The last change of data that each attempt has made.
pub(super) const CALLS: TableDefinition<TaskKey, Bytes> = TableDefinition::new("data_calls");
/// What attempts have left to those after them.
pub(super) const CHECKPOINTS: TableDefinition<TaskKey, Bytes> = TableDefinition::new("checkpoints");
/// Outputs of attempts.
pub(super) const OUTPUTS: TableDefinition<OutputKey, Bytes> = TableDefinition::new("outputs");
/// Their parts.
pub(super) const PARTS: TableDefinition<PartKey, Bytes> = TableDefinition::new("output_parts");
pub(super) const WORKERS: TableDefinition<u64, Bytes> = TableDefinition::new("workers");
pub(super) const MODULES: TableDefinition<[u8; 32], Bytes> = TableDefinition::new("modules");
/// Libraries by name.
pub(super) const LIBRARIES: TableDefinition<&str, Bytes> = TableDefinition::new("libraries");
pub(super) const TOKENS: TableDefinition<u64, Bytes> = TableDefinition::new("tokens");
/// Versions of stored definitions, what lists tell of them.
pub(super) const DEFINITIONS: TableDefinition<VersionKey, Bytes> =
    TableDefinition::new("definitions");
/// The same, what jobs are made from.
pub(super) const BODIES: TableDefinition<VersionKey, Bytes> =
    TableDefinition::new("definition_bodies");
/// The highest version that each name ever had.
pub(super) const VERSIONS: TableDefinition<&str, u32> = TableDefinition::new("definition_versions");
