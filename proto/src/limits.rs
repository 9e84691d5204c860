//! Every bound of the product, each with its reason. Nothing else may invent one.
//!
//! `DEFAULT_*` apply where a definition or an operator says nothing; `MAX_*` are
//! ceilings that a definition cannot pass.

mod children;
mod data;
mod definition;
mod driver;
mod files;
mod keep;
mod module;
mod network;
mod program;
mod secret;
mod source;
mod status;

pub use children::*;
pub use data::*;
pub use definition::*;
pub use driver::*;
pub use files::*;
pub use keep::*;
pub use module::*;
pub use network::*;
pub use program::*;
pub use secret::*;
pub use source::*;
pub use status::*;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

// The wire.

/// A control frame's payload: large enough for thousands of outcomes, small
/// enough that a peer cannot make us allocate much before it is authenticated.
pub const MAX_FRAME: usize = 1 << 20;
/// Nesting of a CBOR item: our deepest message has about ten levels.
pub const MAX_CBOR_DEPTH: usize = 32;
/// Messages gathered into one frame by a sender: past 256 a frame gains nothing.
pub const MAX_BATCH: usize = 1024;
/// Leases that one worker may hold, running and unstarted together: 50 ms of work for a
/// worker that ends 150,000 attempts a second, in half of it; a registration that names
/// all of them fits a frame.
pub const MAX_LEASES_PER_WORKER: u32 = 16 << 10;
/// Bytes of items in one assignment, roughly: several fit into one frame.
pub const ASSIGN_BYTES: usize = 128 << 10;
/// Tasks of one job handed out in a row while others of its priority wait.
pub const FAIR_RUN: u32 = 64;
/// Modules whose state on one worker the primary remembers, for its answers to
/// people: a confused worker cannot fill the primary with digests.
pub const MAX_WORKER_MODULES: usize = 1024;
/// Jobs looked at to tell how many tasks are ahead of a waiting one.
pub const MAX_QUEUE_SCAN: usize = 10_000;
/// Work that a worker keeps at hand beyond its slots: covers the way to the
/// primary and back, and a commit of its store.
pub const PREFETCH_WORK_MS: u64 = 100;
/// A worker measures how fast attempts end over this many milliseconds.
pub const PACE_MS: u64 = 10;
/// A worker that holds nothing is heard so many times less often, as far as the
/// lease allows.
pub const IDLE_BEATS: u64 = 4;
/// It gives its executors so many milliseconds of work beyond their slots: as long
/// as a busy machine may take to hear of an end and answer with the next attempt.
pub const AHEAD_MS: u64 = 20;
/// At most so many attempts.
pub const MAX_AHEAD: u32 = 4096;
/// What waits in executors in which nothing has ended for so long is taken back,
/// milliseconds.
pub const STALL_MS: u64 = 50;
/// Bytes of unacknowledged outcomes above which a worker asks for no more work.
pub const MAX_UNACKED_BYTES: usize = 64 << 20;
/// Streams of blobs open at once on one connection.
pub const MAX_BLOB_STREAMS: usize = 8;
/// Bytes of a blob per read: bounds the memory of a transfer.
pub const BLOB_CHUNK: usize = 256 << 10;
/// A request or answer that opens a stream, or a join: nothing in it is long,
/// and it is read from peers that may not have proved anything yet.
pub const MAX_REQUEST: usize = 16 << 10;
/// A connection's close reason: it must fit one datagram beside its frame.
pub const MAX_CLOSE_REASON: usize = 512;
/// Unread bytes per stream: enough for 100 MB/s at 10 ms.
pub const STREAM_WINDOW: u32 = 1 << 20;
/// Unread bytes per connection: more than all blob streams together can fill,
/// so that slow readers of blobs never close the control stream's share.
pub const CONNECTION_WINDOW: u32 = (MAX_BLOB_STREAMS as u32 + 2) * STREAM_WINDOW;
/// The same before the peer has proved who it is.
pub const UNPROVED_WINDOW: u32 = 64 << 10;
/// Bytes sent and not yet acknowledged per connection: kept for resending.
pub const SEND_WINDOW: u64 = 8 * MIB;
/// Connection attempts that wait in the endpoint before a handshake begins,
/// and the bytes that each and all of them may buffer.
pub const MAX_INCOMING: usize = 1024;
/// Bytes buffered for one waiting attempt.
pub const INCOMING_BUFFER: u64 = 64 * KIB;
/// Bytes buffered for all waiting attempts.
pub const INCOMING_BUFFER_TOTAL: u64 = 8 * MIB;
/// Connections that have not proved who they are yet, in all: each costs a
/// handshake's memory and a signature.
pub const MAX_PENDING: usize = 256;
/// The same from one address: a host may run many workers, but they need not
/// all connect within one handshake's time.
pub const MAX_PENDING_PER_ADDRESS: usize = 32;
/// Above this many pending connections an address must prove itself by a Retry.
pub const RETRY_ABOVE_PENDING: usize = 64;
/// Authenticated connections of workers to one primary.
pub const MAX_CONNECTIONS: usize = 4096;
/// Bytes of the sockets' buffers, as far as the system allows: a burst of a
/// full window must not be dropped by the kernel.
pub const SOCKET_BUFFER: usize = 4 << 20;
/// Slots a worker may offer: above about 20,000 the address space of the
/// sandboxes' reservations runs out.
pub const MAX_SLOTS: u32 = 10_000;

// Liveness.

/// How often a worker promises to be heard, unless it says otherwise.
pub const DEFAULT_STATUS_INTERVAL_MS: u64 = 1_000;
/// The range of promises that a primary accepts.
pub const STATUS_INTERVAL_MS: std::ops::RangeInclusive<u64> = 50..=60_000;
/// A worker silent for this many promised intervals is suspected.
pub const SUSPECT_AFTER_INTERVALS: u64 = 3;
/// A connection without any packet for this long is lost. Not above the lease.
pub const IDLE_MS: u64 = 15_000;
/// An idle connection sends a packet this often: two may be lost within the idle time.
pub const KEEP_ALIVE_MS: u64 = 5_000;
/// From the first packet to the end of the TLS handshake.
pub const HANDSHAKE_MS: u64 = 3_000;
/// From the TLS handshake to the first bytes of the control stream, or a request on a stream.
pub const FIRST_FRAME_MS: u64 = 2_000;
/// From the first to the last byte of a frame, read or written; a whole join.
pub const FRAME_MS: u64 = 10_000;
/// A blob of which no byte moves for this long is given up.
pub const BLOB_STALL_MS: u64 = 60_000;
/// A worker tries to move an input or a result for this long, across
/// reconnects; then the attempt ends as a host fault.
pub const TRANSFER_MS: u64 = 600_000;
/// Messages of a worker that wait to be sent: far above what its leases can
/// cause within a frame's time. A primary that lets them pile up is cut off.
pub const MAX_OUTBOX: usize = 16 << 10;
/// A worker's cache of modules and input files.
pub const DEFAULT_FILE_CACHE: u64 = 8192 * MIB;
/// The first and the longest wait between two attempts to reach the primary.
pub const RECONNECT_MS: std::ops::RangeInclusive<u64> = 200..=10_000;
/// A worker silent or disconnected for this long loses its leases.
pub const DEFAULT_LEASE_MS: u64 = 15_000;

// Content.

/// An input or result up to here travels and is stored inline; a larger one is
/// a blob. A redb page is 4 KiB, so larger values would spread over many.
pub const MAX_INLINE: usize = 16 << 10;
/// A blob: an input file or a large result.
pub const MAX_BLOB: u64 = 1024 * MIB;
/// A job definition's text.
pub const MAX_DEFINITION: usize = 4 << 20;
/// Indexes in one array.
pub const MAX_ARRAY: u64 = 100_000_000;
/// Items named one by one (items, lines, files), and their bytes in all.
pub const MAX_ITEMS: usize = 1_000_000;
/// All item text of one job: items live in the primary's memory while the job does.
pub const MAX_ITEMS_BYTES: usize = 64 << 20;
/// An HTTP body that is not an upload.
pub const MAX_HTTP_BODY: usize = 80 << 20;
/// One item's text: a run of some hundred items fits a frame.
pub const MAX_ITEM_BYTES: usize = 64 << 10;
/// An input written in the definition: it travels in one frame with arguments
/// and environment.
pub const MAX_INPUT_VALUE: usize = 256 << 10;
/// Live jobs in one primary.
pub const MAX_LIVE_JOBS: usize = 1_000_000;
/// The queue and total time limits of a job: a year is a long job, and its
/// milliseconds add up without overflow.
pub const MAX_JOB_MS: u64 = 366 * 24 * 3600 * 1000;
/// A job's description: it is part of every view of the job.
pub const MAX_DESCRIPTION: usize = 4 << 10;
/// Retries of one task on either account: more hide a fault.
pub const MAX_RETRIES: u32 = 100;
/// The longest delay before a retry.
pub const MAX_BACKOFF_MS: u64 = 24 * 3600 * 1000;
/// Different placeholders in one task: each is checked against every item.
pub const MAX_PLACEHOLDERS: usize = 100;
/// Nesting of a value in a definition: readers of JSON give up at 128.
pub const MAX_VALUE_DEPTH: usize = 64;
/// Mistakes reported of one text or module; the rest is counted.
pub const MAX_DIAGNOSTICS: usize = 50;
/// Names of jobs, tasks, modules, workers, tokens.
pub const MAX_NAME: usize = 64;

/// Tokens in one store: far above what people make, below what a list can show.
pub const MAX_TOKENS: usize = 10_000;

/// Stored definitions in one store: a page of all their names is a list that people read.
pub const MAX_DEFINITIONS: usize = 1_000;
/// Versions kept of one stored definition: at one a day the last three years; the
/// oldest goes when one more comes.
pub const MAX_DEFINITION_VERSIONS: usize = 1_000;
/// What is said of a version of a stored definition: a sentence or two.
pub const MAX_NOTE: usize = 1 << 10;

// The HTTP API.

/// Jobs in one request.
pub const MAX_BATCH_JOBS: usize = 1_000;

/// A client's idempotency key: a UUID has 36.
pub const MAX_IDEMPOTENCY_KEY: usize = 256;
/// Connections at once: half for watchers, half for the rest.
pub const MAX_HTTP_CONNECTIONS: usize = 2_000;
/// Streams of server-sent events at once.
pub const MAX_WATCHERS: usize = 1_000;
/// Submissions compiled at once: each may hold a body of [`MAX_HTTP_BODY`].
pub const MAX_SUBMISSIONS: usize = 4;
/// Uploads written at once; each holds a file and a buffer of [`BLOB_CHUNK`].
pub const MAX_UPLOADS: usize = 32;
/// Modules checked at once: each may hold [`MAX_MODULE`] twice.
pub const MAX_ADMISSIONS: usize = 2;
/// A JSON body that is not a submission.
pub const MAX_SMALL_BODY: usize = 64 << 10;
/// Until a request's head is there, and between two requests of a connection.
pub const HTTP_HEAD_MS: u64 = 10_000;
/// Until a request is answered, uploads and event streams aside: the largest
/// submission at ten megabits a second.
pub const HTTP_REQUEST_MS: u64 = 75_000;
/// The longest that a request waits for the end of a job; less than its limit.
pub const MAX_WAIT_MS: u64 = 60_000;
/// Without a byte of an upload for this long, it is given up.
pub const HTTP_STALL_MS: u64 = 30_000;
/// For requests to end once the server is told to.
pub const HTTP_SHUTDOWN_MS: u64 = 5_000;
/// The shortest time between two events to one watcher.
pub const WATCH_COALESCE_MS: u64 = 100;
/// A comment on a silent event stream: below the idle limit of usual proxies.
pub const WATCH_KEEP_ALIVE_MS: u64 = 15_000;
/// Items of a page, unless the client says otherwise.
pub const DEFAULT_PAGE: usize = 50;
/// Items of a page at most.
pub const MAX_PAGE: usize = 500;
/// Records looked at for one page when a filter drops most of them.
pub const MAX_PAGE_SCAN: usize = 2_000;
/// Running tasks in a job's status.
pub const MAX_STATUS_LIVE: usize = 100;
/// Ended tasks in a job's status: each may carry an inline result and a status.
pub const MAX_STATUS_ENDED: usize = 20;

// One attempt.

/// Linear memory and tables of one attempt.
pub const DEFAULT_MEMORY: u64 = 256 * MIB;
/// 32-bit linear memory ends here.
pub const MAX_MEMORY: u64 = 4096 * MIB;
/// Wall-clock time of one attempt.
pub const DEFAULT_WALL_MS: u64 = 60_000;
/// A day: longer work belongs into several tasks.
pub const MAX_WALL_MS: u64 = 24 * 3600 * 1000;
/// A task's result.
pub const DEFAULT_OUTPUT: u64 = 16 * MIB;
/// A result is held in the executor's memory.
pub const MAX_OUTPUT: u64 = 256 * MIB;
/// Standard error and log lines kept per attempt: the first and last halves.
pub const MAX_LOG_BYTES: usize = 64 << 10;
/// One log line; the rest is cut.
pub const MAX_LOG_LINE: usize = 4 << 10;
/// Bytes a guest may write to logs and standard error before it is stopped.
pub const MAX_LOG_FLOOD: u64 = 64 * MIB;
/// Status values per attempt.
pub const MAX_STATUS_VALUES: usize = 64;
/// A status value's name.
pub const MAX_STATUS_NAME: usize = 64;
/// A status value or a progress message.
pub const MAX_STATUS_VALUE: usize = 4 << 10;
/// All names, values and events of an attempt: a status must fit into a frame
/// beside what else is in it.
pub const MAX_STATUS_BYTES: usize = 256 << 10;
/// Events kept per attempt; later ones are counted.
pub const MAX_EVENTS: usize = 256;
/// Status calls before an attempt is stopped as a flood.
pub const MAX_STATUS_CALLS: u64 = 10_000_000;
/// The shortest time between two status reports of one attempt.
pub const STATUS_COALESCE_MS: u64 = 100;
/// Resource handles of one attempt.
pub const MAX_HANDLES: usize = 1024;
/// Bytes that one host call may copy out of a guest.
pub const MAX_HOST_CALL_BYTES: usize = 16 << 20;
/// Texts of scripts that a worker keeps at hand.
pub const SCRIPTS_AT_HAND: usize = 16 << 20;
/// Arguments and environment of a command.
pub const MAX_ARGS_BYTES: usize = 256 << 10;
/// A failure's message and backtrace.
pub const MAX_FAILURE_TEXT: usize = 8 << 10;
/// From the cancel flag to the kill.
pub const DEFAULT_CANCEL_GRACE_MS: u64 = 2_000;
/// The epoch tick that stops and interleaves guests.
pub const EPOCH_TICK_MS: u64 = 10;
/// After an attempt's wall time the supervisor kills the executor itself.
pub const EXECUTOR_KILL_MARGIN_MS: u64 = 2_000;
/// After an attempt's wall time the primary itself tells its worker to stop it:
/// well after the worker's own two lines of defence.
pub const OVERRUN_MARGIN_MS: u64 = 30_000;
/// Word that an attempt has started waits this long for others, and is not sent
/// at all when the attempt ends before.
pub const STARTED_COALESCE_MS: u64 = 20;
/// Tries to get a module before the attempts that wait for it fail.
pub const MODULE_TRIES: u32 = 5;
/// The wait before the second try to get a module, doubled with each.
pub const MODULE_BACKOFF_MS: u64 = 500;

// Executor processes.

/// The pause before a dead executor is replaced: doubled with each start that
/// does not last, up to the second value.
pub const EXECUTOR_RESTART_MS: std::ops::RangeInclusive<u64> = 50..=10_000;
/// An executor that is not ready by then is killed.
pub const EXECUTOR_START_MS: u64 = 10_000;
/// Runs that an executor begins before it says what became of them, at most,
pub const EXECUTOR_BURST: usize = 256;
/// or so many milliseconds.
pub const EXECUTOR_BURST_MS: u64 = 1;
/// After the death of an executor its neighbours and successors say of each run
/// that it begins before it does, for so long, milliseconds.
pub const EXECUTOR_CAREFUL_MS: u64 = 30_000;
/// Messages that an executor's side of its socket holds before runs wait.
pub const MAX_EXECUTOR_QUEUE: usize = 4096;
/// Modules mapped at once by the executors of a worker; the least recently used goes.
pub const MAX_LOADED_MODULES: usize = 1024;

// Compiling, in a process of its own.

/// Compiles at once on one worker: each may take its whole memory.
pub const MAX_COMPILES: usize = 2;
/// What a compile child may say of a rejected module.
pub const MAX_COMPILE_REASON: usize = 8 << 10;
/// Rejected modules remembered by a worker, so that they are not tried again.
pub const MAX_REJECTED_MODULES: usize = 1024;

/// Wall-clock time of one compile: the slowest real program took 29 s.
pub const MAX_COMPILE_MS: u64 = 120_000;
/// Memory of a compile (RLIMIT_DATA).
pub const MAX_COMPILE_MEMORY: u64 = 4096 * MIB;
/// Native code from one module: the largest real program made 220 MB.
pub const MAX_ARTIFACT: u64 = 1024 * MIB;
/// The worker's cache of compiled modules.
pub const DEFAULT_COMPILE_CACHE: u64 = 4096 * MIB;

// Trust.

/// A join token lives this long unless told otherwise.
pub const DEFAULT_JOIN_TOKEN_MS: u64 = 3600 * 1000;
/// The longest life of a join token.
pub const MAX_JOIN_TOKEN_MS: u64 = 24 * 3600 * 1000;
/// How far two machines' clocks may be apart: certificates begin that much earlier.
pub const CLOCK_SKEW_MS: u64 = 3600 * 1000;
/// The cluster's own certificate: ten years.
pub const AUTHORITY_MS: u64 = 3650 * 24 * 3600 * 1000;
/// A worker's certificate; renewed after two thirds of it.
pub const WORKER_CERT_MS: u64 = 24 * 3600 * 1000;

/// Bytes in a kibibyte, for callers that print sizes.
pub const KIBIBYTE: u64 = KIB;

// The store.

/// Batches queued for the next commit: each may carry a frame's worth of
/// results, and past some hundreds a larger group gains nothing.
pub const COMMIT_QUEUE: usize = 256;
/// Memory for pages of the database: the default of redb would be 1 GiB.
pub const STORE_CACHE: usize = 128 << 20;
/// A blob that nobody names is kept this long: whoever made or found it has
/// this time to name it. Longer than any worker holds a result back.
pub const BLOB_GRACE_MS: u64 = 3600 * 1000;
/// From one collection of blobs to the next.
pub const BLOB_COLLECT_MS: u64 = 3600 * 1000;

// The primary's driver.

/// Calls and frames that wait for the loop; a frame may hold [`MAX_FRAME`].
pub const PRIMARY_EVENTS: usize = 256;
/// Messages that wait to be sent to one worker; a worker that reads so slowly
/// that they pile up is disconnected.
pub const SESSION_OUTBOX: usize = 16 << 10;
/// Leases of nodes that a worker was not told of, given to it at once: each costs a
/// message of its own.
pub const MAX_NEWS: usize = SESSION_OUTBOX / 16;
/// Changes that a watcher may lag behind before it is told to look at everything.
pub const CHANGES: usize = 1024;
/// An input made of results travels and is stored with its node up to here; a file each
/// costs a sync of the disk, and most results that are passed along are small.
pub const MAX_PREPARED_INLINE: usize = 4 << 10;
/// A result that a condition may read, bytes: it is read to decide, not to compute.
pub const MAX_CONDITION_RESULT: u64 = 64 << 10;
/// All results of an array that a condition may read, bytes.
pub const MAX_CONDITION_LIST: u64 = 1 << 20;
/// Nodes prepared at once; each reads the store and may write a file.
pub const MAX_PREPARATIONS: usize = 2;
/// Results read from the store at once while gathering: up to [`MAX_INLINE`] each.
pub const GATHER_PAGE: usize = 256;
/// For sessions to send what is left when the primary shuts down.
pub const PRIMARY_SHUTDOWN_MS: u64 = 2_000;
