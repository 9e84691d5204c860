//! The shape of modules, checked before they are compiled, and what may be registered as
//! libraries and composed with them.

use super::MIB;

/// Functions in a module: esbuild has 38,000, CPython 13,000.
pub const MAX_FUNCTIONS: u32 = 200_000;
/// Nesting of blocks in a function: compilers are super-linear in it.
pub const MAX_BLOCK_DEPTH: u32 = 1_000;
/// Types in a module.
pub const MAX_TYPES: u32 = 20_000;
/// Imports of a module.
pub const MAX_IMPORTS: u32 = 1_000;
/// Data segments of a module: CPython has a few thousand.
pub const MAX_DATA_SEGMENTS: u32 = 100_000;

/// A module's manifest: two JSON schemas, mostly.
pub const MAX_MANIFEST: usize = 256 << 10;

/// Libraries in one store: each import of a module is looked up in all.
pub const MAX_LIBRARIES: usize = 256;
/// Libraries in one component: they are instantiated with every attempt, and a sandbox
/// has eight memories, of which most parts of a component take one.
pub const MAX_COMPOSED_LIBRARIES: usize = 7;
/// A module and its libraries together: the composer holds them several times.
pub const MAX_COMPOSED: u64 = 64 * MIB;
/// Components composed for one request at once.
pub const MAX_COMPOSITIONS: usize = 64;
/// Modules in one store: their records are held in memory to compile submissions.
pub const MAX_MODULES: usize = 10_000;
