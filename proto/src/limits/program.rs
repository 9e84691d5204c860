//! Bounds of programs that tasks start on their worker's machine.

/// Programs that one task asks for.
pub const MAX_PROGRAMS: usize = 32;
/// Programs that one attempt has open at once.
pub const MAX_OPEN_PROGRAMS: usize = 8;
/// Arguments that a task gives a program.
pub const MAX_PROGRAM_ARGS: usize = 64;
/// The same in bytes, each with its end: far below what Linux takes.
pub const MAX_PROGRAM_ARGS_BYTES: usize = 32 << 10;
/// Bytes that one message carries to or from a program: several fit a frame.
pub const MAX_PROGRAM_CHUNK: usize = 256 << 10;
/// The longest that a read waits, milliseconds; then it may be made again.
pub const MAX_PROGRAM_READ_MS: u64 = 60_000;
/// Address space of each process of a program, bytes, unless its settings say otherwise.
pub const DEFAULT_PROGRAM_MEMORY: u64 = 512 << 20;
/// Processor time of each process of a program, milliseconds, likewise.
pub const DEFAULT_PROGRAM_CPU_MS: u64 = 60_000;
/// From the start of a program to its end, milliseconds, likewise.
pub const DEFAULT_PROGRAM_WALL_MS: u64 = 60_000;
/// What a program may write to its standard output and error together, bytes, likewise: it
/// is kept in the worker's memory until the task takes it.
pub const DEFAULT_PROGRAM_OUTPUT: u64 = 16 << 20;
/// How many of a program run at once on a worker, likewise.
pub const DEFAULT_PROGRAM_CONCURRENCY: u32 = 2;
/// The largest file that a program writes into its scratch folder, bytes.
pub const MAX_PROGRAM_FILE: u64 = 256 << 20;
/// Open files of each process of a program.
pub const MAX_PROGRAM_FILES: u64 = 256;
