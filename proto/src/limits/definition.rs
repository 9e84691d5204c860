//! What a definition may ask for and hold, beside its arrays.

/// Tasks of one definition that are named: a node's index has 16 bits.
pub const MAX_NODES: usize = u16::MAX as usize;
/// Parameters of one definition: people fill them in.
pub const MAX_PARAMS: usize = 256;
/// Values of all parameters of one job, as JSON: they are stored with it.
pub const MAX_PARAMS_BYTES: usize = 1 << 20;
/// Values of one parameter that is a list.
pub const MAX_PARAM_LIST: usize = 10_000;
/// Memory of a compiled pattern: nested repetitions multiply.
pub const MAX_PATTERN: usize = 256 << 10;
/// A script: it goes to an executor in one frame, beside what else the node says.
pub const MAX_SCRIPT: usize = 512 << 10;
/// Words and signs of a script whose syntax is checked before it runs: each may cost the
/// parser a kilobyte of stack. One of [`MAX_SCRIPT`] has about as many.
pub const MAX_SCRIPT_TOKENS: usize = 128 << 10;
/// A condition's text: it travels and waits with its node.
pub const MAX_CONDITION: usize = 4 << 10;
/// Operators of a condition: each may be a level of its tree.
pub const MAX_CONDITION_PARTS: usize = 256;
