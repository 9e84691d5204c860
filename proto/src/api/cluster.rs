//! Views of the primary, workers, modules and tokens.

use crate::grants::Grants;
use crate::ids::{Digest, TokenId, WorkerId};
use crate::module::{Manifest, ModuleKind};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The primary.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Info {
    /// Software version.
    pub version: String,
    /// The cluster's name: the first digits of its authority's fingerprint.
    pub cluster: String,
    /// This primary's term.
    pub term: u64,
    /// Since when it serves.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub started: Timestamp,
    /// Its clock.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub now: Timestamp,
    /// Where workers connect (UDP).
    pub worker_address: String,
    /// Workers connected.
    pub workers: u32,
    /// Slots of all of them.
    pub slots: u32,
    /// Jobs that have not ended.
    pub live_jobs: u64,
    /// Tasks waiting in them.
    pub waiting_tasks: u64,
    /// Tasks running in them.
    pub running_tasks: u64,
    /// Slots that are busy, in percent; 0 without any.
    #[serde(default)]
    pub load_percent: u32,
    /// Modules in the store.
    #[serde(default)]
    pub modules: u64,
    /// Bytes of them.
    #[serde(default)]
    pub modules_bytes: u64,
    /// Definitions that are kept by name.
    #[serde(default)]
    pub definitions: u64,
}

/// Where a worker is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum WorkerState {
    /// Connected and heard within its promise.
    Up,
    /// Silent for longer than it promised; its leases still hold.
    Suspect,
    /// Connected, finishing what it has, asking for nothing.
    Draining,
    /// Drained: nothing left on it.
    Drained,
    /// Not connected.
    Gone,
}

/// A worker.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkerView {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: WorkerId,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub state: WorkerState,
    /// Its software version.
    pub version: String,
    /// Attempts it runs at once.
    pub slots: u32,
    /// Attempts it runs now.
    pub running: u32,
    /// Leases it holds and has not started.
    pub queued: u32,
    /// Tasks it has ended since it connected.
    pub completed: u64,
    /// Executor processes that died under it since it began.
    pub executors_lost: u32,
    /// Milliseconds since it was last heard; none when it never was in this term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    /// How often it promised to be heard, milliseconds.
    pub status_interval_ms: u64,
    /// Since when it is connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub connected: Option<Timestamp>,
    /// What it offers to tasks outside their sandbox.
    #[serde(default, skip_serializing_if = "Grants::is_empty")]
    pub offers: Grants,
}

/// Whether to drain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DrainRequest {
    /// True to drain, false to take work again.
    pub on: bool,
}

/// A module in the store.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModuleView {
    /// Its digest.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub digest: Digest,
    /// Its length in bytes.
    pub len: u64,
    /// How it is started.
    pub kind: ModuleKind,
    /// Names under which it was pushed, as `name:version`, newest last.
    pub names: Vec<String>,
    /// When it was first pushed.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub pushed: Timestamp,
    /// What it says of itself.
    pub manifest: Manifest,
    /// What it imports, as `package:interface@version` or `module.name`.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// The digest of what was uploaded, where what is stored differs from it by the
    /// manifest. Stands for the module wherever its digest does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub uploaded: Option<Digest>,
    /// What it was composed of, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub composed: Option<CompositionView>,
}

/// What a module was composed of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CompositionView {
    /// The module that imports what libraries export.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub module: Digest,
    /// The libraries, by the names that they had: each after those that it uses.
    pub libraries: Vec<LibraryPart>,
}

/// A library in a module.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LibraryPart {
    /// The name that it had.
    pub name: String,
    /// Its digest.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub digest: Digest,
}

/// A library: a component whose exports satisfy imports of modules.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LibraryView {
    /// Its name.
    pub name: String,
    /// Its digest.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub digest: Digest,
    /// Its length in bytes.
    pub len: u64,
    /// When it was registered under this name.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub added: Timestamp,
    /// The interfaces that it exports, as `package:interface@version`.
    pub exports: Vec<String>,
    /// What it imports.
    pub imports: Vec<String>,
}

/// What a token is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum TokenKind {
    /// Lets one worker join, once.
    Join,
    /// Lets a client use the API.
    Client,
}

/// A token to make.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenRequest {
    /// What it is for.
    pub kind: TokenKind,
    /// A note for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// How long it holds, milliseconds; join tokens an hour unless said, client tokens for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
}

/// A token just made: the only time its secret is shown.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewToken {
    /// The token as it is to be given to a worker or client.
    pub secret: String,
    /// What is kept of it.
    pub token: TokenView,
}

/// A token without its secret.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenView {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: TokenId,
    /// What it is for.
    pub kind: TokenKind,
    /// A note for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// When it was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub created: Timestamp,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub expires: Option<Timestamp>,
    /// The worker that used it, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub used: Option<Timestamp>,
}
