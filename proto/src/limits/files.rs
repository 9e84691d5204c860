//! Bounds of the files of tasks.

/// Entries of `files` in one task: each is a mount of its own.
pub const MAX_FILE_ENTRIES: usize = 64;
/// Files of one task, those in its folders too: they are named in what a worker is told
/// of a node, which has to fit a frame.
pub const MAX_FILES: usize = 1024;
/// The same, bytes of all their paths.
pub const MAX_FILES_TEXT: usize = 64 << 10;
/// One path: far below what Linux takes.
pub const MAX_FILE_PATH: usize = 1 << 10;
/// Folders within folders.
pub const MAX_FILE_DEPTH: usize = 32;
/// Bytes of one name in a path, as Linux has it.
pub const MAX_FILE_NAME: usize = 255;
/// Patterns of files that one task leaves as outputs.
pub const MAX_COLLECT: usize = 16;
/// The least scratch folder: some pages.
pub const MIN_SCRATCH: u64 = 64 << 10;
/// The largest scratch folder of one attempt: it lies in the worker's memory.
pub const MAX_SCRATCH: u64 = 16 << 30;
/// The largest that a worker offers unless its settings say otherwise.
pub const DEFAULT_SCRATCH: u64 = 1 << 30;
/// Bytes of a scratch folder for each file that it may have: a page,
pub const SCRATCH_BYTES_PER_FILE: u64 = 4 << 10;
/// but never more files than this: each takes a kibibyte of the kernel's memory.
pub const MAX_SCRATCH_FILES: u64 = 128 << 10;
/// Descriptors of an executor that runs one attempt with files: more than the handles that
/// a guest may have, and those of its own.
pub const MAX_ROOM_DESCRIPTORS: u64 = 1280;
