//! Rhai, with the language and the bounds of its engine.

use super::{Mistake, place};
use rhai::{Engine, OptimizationLevel};

/// Nesting of expressions, outside of functions and in them, as the engine has it.
const NESTING: (usize, usize) = (64, 64);

pub(super) fn parse(text: &str) -> Option<Mistake> {
    let mut engine = Engine::new_raw();
    engine.set_max_expr_depths(NESTING.0, NESTING.1);
    // Folding constants would build what they make: a few lines can make gigabytes.
    engine.set_optimization_level(OptimizationLevel::None);
    let error = engine.compile(text).err()?;
    let at = error.position();
    let message = error.err_type().to_string();
    let mut rest = message.chars();
    let first = rest.next().into_iter().flat_map(char::to_lowercase);
    let message: String = first.chain(rest).collect();
    let at = place(text, at.line().unwrap_or(1), at.position().unwrap_or(1));
    Some(Mistake::syntax(message, at))
}
