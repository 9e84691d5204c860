//! The language of `when`: an expression over `params`, `results` and `tasks`.
//!
//! Owns its reading ([`check`]) and its value ([`eval`]), the same for the planner
//! and at run time. Small on purpose: no loops, no assignment, so that its cost is
//! bounded by its length. Strict on purpose: a key that is not there, or a text
//! compared with a number, is a mistake and never quietly false.

mod eval;
mod parse;
mod words;

use parse::Expr;
use serde_json::Value;
use std::ops::Range;
use wasmhost_proto::limits::MAX_CONDITION;

/// What is wrong with a condition, and where in its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// Bytes of the condition's text.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub help: String,
}

/// A name that a condition reads, and where in its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    /// The name.
    pub name: String,
    /// Bytes of the condition's text.
    pub at: Range<usize>,
}

/// What a condition depends on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reads {
    /// Nodes whose results or counts it reads; a name may come again.
    pub nodes: Vec<Name>,
    /// Parameters; a name may come again.
    pub params: Vec<Name>,
    /// Its value when it reads nothing at all.
    pub constant: Option<bool>,
}

/// Reads a condition, and tells what it depends on.
pub fn check(text: &str) -> Result<Reads, Mistake> {
    let expr = read(text)?;
    let mut reads = Reads::default();
    names(&expr, &mut reads);
    if reads.nodes.is_empty() && reads.params.is_empty() {
        // What fails for every job fails now.
        reads.constant = Some(eval::holds(&expr, &Value::Null).map_err(|message| Mistake {
            at: 0..text.len(),
            message,
            help: String::new(),
        })?);
    }
    Ok(reads)
}

/// The value of a condition in a context with the keys `params`, `results` and
/// `tasks`. Numbers but 0 are true, and so are texts, lists and tables that are not
/// empty; null is false. On failure says why, in a sentence.
pub fn eval(text: &str, context: &Value) -> Result<bool, String> {
    let expr = read(text).map_err(|mistake| mistake.message)?;
    eval::holds(&expr, context)
}

fn read(text: &str) -> Result<Expr, Mistake> {
    if text.len() > MAX_CONDITION {
        return Err(Mistake {
            at: 0..text.len(),
            message: format!(
                "the condition has {} bytes, and may have {MAX_CONDITION}",
                text.len()
            ),
            help: "let a task decide, and read its result".into(),
        });
    }
    parse::parse(text)
}

fn names(expr: &Expr, reads: &mut Reads) {
    match expr {
        Expr::Literal(_) => {}
        Expr::Read { root, name, .. } => match *root {
            parse::PARAMS => reads.params.push(name.clone()),
            _ => reads.nodes.push(name.clone()),
        },
        Expr::Key { of, key } => {
            names(of, reads);
            names(key, reads);
        }
        Expr::Not(of) | Expr::Minus(of) | Expr::Call { of, .. } => names(of, reads),
        Expr::Binary { left, right, .. } => {
            names(left, reads);
            names(right, reads);
        }
        Expr::List(items) => items.iter().for_each(|item| names(item, reads)),
    }
}

#[cfg(test)]
mod tests;
